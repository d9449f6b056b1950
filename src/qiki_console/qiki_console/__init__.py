"""Operator console: the qiki command line."""
