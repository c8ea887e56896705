"""Engines that simulate a room: our image sources, and pyroomacoustics' as the reference for them.

An engine takes a room's record and gives the responses of all its sources.
"""

from pse_bench.errors import RequestError
from pse_bench.schemas import SimulatedRoom

WORST = 0.10
"""A room whose reverberation time stays farther from the asked one than this share of it is refused."""


def rt60_out_of_reach(room: SimulatedRoom) -> RequestError:
    """The error for a room that no absorption gives the asked RT60."""
    return RequestError(
        f"room {room.room_id}: no absorption gives an RT60 of {room.rt60_s} s in {_size(room)} m; "
        "change room.size_m or room.rt60_s"
    )


def too_many_images(room: SimulatedRoom, count: float) -> RequestError:
    """The error for a room that takes too many image sources (``count`` of them a source)."""
    return RequestError(
        f"room {room.room_id}: an RT60 of {room.rt60_s} s in {_size(room)} m takes {count / 1e6:.0f} "
        "million image sources a source; ask for a larger room or a shorter RT60"
    )


def _size(room: SimulatedRoom) -> str:
    return "×".join(f"{length:g}" for length in room.size_m)
