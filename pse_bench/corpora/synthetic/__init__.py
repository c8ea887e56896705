"""The embedded corpus: synthetic speech and noise."""
