"""Training mixtures, mixed on the fly or read from a dataset."""
