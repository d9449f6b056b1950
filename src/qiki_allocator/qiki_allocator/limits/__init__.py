"""What may be used now: energy, heat, burn times."""
