"""Where and how work runs: executors, progress, interruption, sharding, resuming."""
