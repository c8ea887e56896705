"""pse-bench: scenarios, scoring and a baseline for causal personalized speech enhancement."""

__version__ = "0.1.0"
