"""What a room does to a sound: one response for each of its sources."""

from dataclasses import dataclass

import numpy as np

from pse_bench.io import audio

EARLY_S = 0.050
"""Early sound ends this long after the direct sound."""


@dataclass(frozen=True)
class Response:
    """One source's response at the microphone.

    ``samples`` starts ``lead`` samples before time zero, because the band-limited direct sound begins before
    its own peak; the direct sound arrives ``direct`` samples after time zero. ``rt60_s`` is measured on it.
    """

    samples: np.ndarray
    lead: int
    direct: int
    rt60_s: float

    def early(self, sample_rate: int) -> np.ndarray:
        """The response up to 50 ms after the direct sound, with the same lead."""
        return self.samples[: self.lead + self.direct + audio.seconds_to_samples(EARLY_S, sample_rate)]


@dataclass(frozen=True)
class Responses:
    """All sources of a room."""

    sources: list[Response]

    @property
    def rt60_s(self) -> float:
        """The reverberation time measured on the responses, mean over sources, in seconds."""
        return float(np.mean([response.rt60_s for response in self.sources]))
