"""Parts shared by all engines: queue, group commit, batches, snapshots, following, options. See `backend.Backend`."""
