"""The PostgreSQL engine: many processes write, one order of events."""
