"""Test sets of other projects as plans."""
