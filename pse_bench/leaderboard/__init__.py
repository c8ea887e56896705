"""Leaderboards: the file, the order of its rows, who may enter, and how it is shown."""
