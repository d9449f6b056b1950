"""Thrust groups and controllable axes."""
