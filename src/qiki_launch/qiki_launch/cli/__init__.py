"""The verbs of `python -m qiki_launch`, one file each."""
