"""What simulates a room: our own image sources, and pyroomacoustics' as the reference they are checked with.

An engine takes a room's record and gives the responses of all its sources.
"""

from pse_bench.errors import RequestError
from pse_bench.schemas import SimulatedRoom

WORST = 0.10
"""A room whose reverberation time stays farther from the asked one than this share of it is refused."""


def impossible(room: SimulatedRoom) -> RequestError:
    """What is said of a room that cannot have the asked RT60."""
    return RequestError(
        f"room {room.room_id}: no absorption gives an RT60 of {room.rt60_s} s in {_size(room)} m; "
        "change room.size_m or room.rt60_s"
    )


def too_many(room: SimulatedRoom, count: float) -> RequestError:
    """What is said of a room that would take too long."""
    return RequestError(
        f"room {room.room_id}: an RT60 of {room.rt60_s} s in {_size(room)} m takes {count / 1e6:.0f} "
        "million image sources a source; ask for a larger room or a shorter RT60"
    )


def _size(room: SimulatedRoom) -> str:
    return "×".join(f"{length:g}" for length in room.size_m)
