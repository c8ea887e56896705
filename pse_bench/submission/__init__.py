"""Submissions: reading them and checking them."""
