"""Speaker augmentation: speech at another speed, and with its formants moved.

Playing an utterance faster moves pitch and formants by one factor. Moving the formants alone, with the pitch left
where it is, gives a second direction (vocal tract length perturbation: Jaitly and Hinton, ICML workshop on deep
learning for audio, speech and language, 2013, there on filter banks). Whoever learns from few people to follow one
voice among others learns it from more voices this way.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product

import numpy as np

FRAME_S = 0.032
OVERLAP = 4  # a frame begins every FRAME_S / OVERLAP
# the envelope is what the cepstrum holds below this lag: formants, but not the period of a voice up to 500 Hz
LIFTER_S = 0.002


@dataclass(frozen=True)
class Voice:
    """A modification of a speaker's voice."""

    speed: float = 1.0  # factor at which an utterance is played
    formants: float = 1.0  # factor by which its formants are moved besides

    @property
    def mark(self) -> str:
        """The suffix of the names of this voice's clips; '' for the speaker's own."""
        if self.formants == 1.0:
            return "" if self.speed == 1.0 else f"@{self.speed:g}"
        return f"@{self.speed:g},{self.formants:g}"


OWN = Voice()


def voices(speeds: Iterable[float], formants: Iterable[float]) -> list[Voice]:
    """Every speed with every move of the formants, the speaker's own voice first."""
    every = {Voice(speed, moved) for speed, moved in product({1.0, *speeds}, {1.0, *formants})}
    return sorted(every, key=lambda voice: (voice != OWN, voice.speed, voice.formants))


def with_formants_moved(samples: np.ndarray, factor: float, sample_rate: int) -> np.ndarray:
    """Speech with its spectral envelope stretched along frequency, fine structure and timing as they were: float64
    of shape (num_samples,), as the samples. With a ``factor`` above 1 formants go up, as those of a shorter vocal
    tract; 1 gives the samples back."""
    if factor == 1.0 or not len(samples):
        return np.array(samples, dtype=float)
    frame = 2 * round(FRAME_S * sample_rate / 2)
    hop = frame // OVERLAP
    window = np.sin(np.pi * (np.arange(frame) + 0.5) / frame)
    num_frames = -(-len(samples) // hop) + OVERLAP - 1
    padded = np.zeros((num_frames - 1) * hop + frame)
    lead = frame - hop
    padded[lead : lead + len(samples)] = samples
    frames = np.lib.stride_tricks.sliding_window_view(padded, frame)[::hop] * window
    spectra = np.fft.rfft(frames)  # (num_frames, bins)
    magnitude = np.abs(spectra)
    log = np.log(np.maximum(magnitude, 1e-3 * magnitude.max(axis=-1, keepdims=True) + 1e-12))
    cepstrum = np.fft.irfft(log)
    lag = min(round(LIFTER_S * sample_rate), frame // 2 - 1)
    cepstrum[:, lag + 1 : frame - lag] = 0
    envelope = np.fft.rfft(cepstrum).real
    bins = np.arange(envelope.shape[-1])
    # what stood at f / factor stands at f afterwards
    place = np.minimum(bins / factor, bins[-1])
    low = np.minimum(place.astype(int), bins[-1] - 1)
    share = place - low
    moved = envelope[:, low] * (1 - share) + envelope[:, low + 1] * share
    pieces = np.fft.irfft(spectra * np.exp(moved - envelope), n=frame) * window
    output = np.zeros_like(padded)
    for part in range(OVERLAP):
        block = pieces[:, part * hop : (part + 1) * hop].ravel()
        output[part * hop : part * hop + len(block)] += block
    return output[lead : lead + len(samples)] / (OVERLAP / 2)
