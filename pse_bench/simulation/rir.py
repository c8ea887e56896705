"""Room impulse responses (RIRs): one for each source of a room."""

from dataclasses import dataclass

import numpy as np

from pse_bench.errors import RequestError
from pse_bench.io import audio
from pse_bench.schemas import SimulatedRoom

EARLY_S = 0.050
"""Early sound ends this long after the direct sound."""

WORST = 0.10
"""A room whose reverberation time stays farther from the asked one than this share of it is refused."""


@dataclass(frozen=True)
class RIR:
    """The impulse response from one source to the microphone.

    ``samples`` starts ``pre_delay`` samples before time zero, because the band-limited direct sound begins before
    its own peak; the direct path arrives ``direct_path`` samples after time zero. ``rt60_s`` is measured on it.
    """

    samples: np.ndarray
    pre_delay: int
    direct_path: int
    rt60_s: float

    def early(self, sample_rate: int) -> np.ndarray:
        """The response up to 50 ms after the direct sound, with the same pre-delay."""
        return self.samples[: self.pre_delay + self.direct_path + audio.seconds_to_samples(EARLY_S, sample_rate)]


@dataclass(frozen=True)
class RoomRIRs:
    """The responses of all sources of a room."""

    sources: list[RIR]

    @property
    def rt60_s(self) -> float:
        """The reverberation time measured on the responses, mean over sources, in seconds."""
        return float(np.mean([rir.rt60_s for rir in self.sources]))


def refused(room: SimulatedRoom, num_images: float = 0) -> RequestError:
    """The error for a room that no absorption gives the asked RT60, or that takes too many images a source."""
    asked = f"an RT60 of {room.rt60_s} s in {'×'.join(f'{length:g}' for length in room.size_m)} m"
    if num_images:
        return RequestError(
            f"room {room.room_id}: {asked} takes {num_images / 1e6:.0f} million image sources a source; ask for a "
            "larger room or a shorter RT60"
        )
    return RequestError(f"room {room.room_id}: no absorption gives {asked}; change room.size_m or room.rt60_s")
