"""The PostgreSQL engine: one process writes, any number read."""
