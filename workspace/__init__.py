"""The part of the script `qiki` that runs before the workspace's own environment exists: standard library only."""
