"""Verbs of the `qiki` command line, found by it through the entry points `qiki.commands`."""
