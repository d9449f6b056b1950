"""The `qiki` command line, one file per verb."""
