"""From a plan to a dataset: rooms, mixing, rendering, verification."""
