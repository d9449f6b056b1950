"""Hard limits by energy, heat and burn time."""
