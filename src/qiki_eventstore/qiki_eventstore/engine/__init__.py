"""What every engine shares: queue, group commit, batches, snapshots, following, options. See `backend.Backend`."""
