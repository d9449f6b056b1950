"""Retention: old events leave the store for files that verify by themselves, and are read from there."""
