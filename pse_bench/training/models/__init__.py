"""The networks of the baseline."""
