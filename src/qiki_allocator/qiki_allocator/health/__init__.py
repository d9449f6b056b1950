"""Thruster health and fault detection."""
