"""Engines that simulate a room: our image sources, and pyroomacoustics' as the reference for them.

An engine takes a room's record and gives the responses of all its sources.
"""
