"""What the script `qiki` does before the workspace's own environment exists: standard library only."""
