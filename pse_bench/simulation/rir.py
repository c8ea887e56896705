"""Room impulse responses (RIRs): one for each source of a room."""

from dataclasses import dataclass

import numpy as np

from pse_bench.io import audio

EARLY_S = 0.050
"""Early sound ends this long after the direct sound."""


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
