"""A wrench shared out among thrusters: programs, attainable set, certificate."""
