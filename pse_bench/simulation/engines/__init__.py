"""Engines that simulate a room: our image sources, and pyroomacoustics' as the reference for them."""
