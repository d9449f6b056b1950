"""Radar and radio of the bodies."""
