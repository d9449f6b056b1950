"""Engine in one file: SQLite in WAL mode, one writer with group commit."""
