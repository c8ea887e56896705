"""Datasets on disk: reading, shards, frozen sets, groups of mixtures."""
