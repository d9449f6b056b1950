"""A docked assembly: one flight lead flies the thrusters of all of its members."""
