"""A diffuse end for a response of image sources: noise with the room's decay instead of specular reflections.

Between hard parallel walls, images come in trains that real, furnished rooms do not have: they ring, and the
decay bends. Where a scenario asks for it, such a response keeps its images up to the end of its early part and
goes over into noise from there on.
"""

import numpy as np

from pse_bench import rng
from pse_bench.simulation.engines.image_source import LEAD, SPEED_OF_SOUND, band_limited

START_S = 0.050
"""Images alone for this long after the direct sound, which is what counts as early sound."""

CROSSFADE_S = 0.020

NOTHING_LEFT = 1e-30


def images_reach_m(direct_m: float) -> float:
    """How far images are needed under a diffuse tail, in metres."""
    return direct_m + SPEED_OF_SOUND * (START_S + CROSSFADE_S)


def with_diffuse_tail(
    samples: np.ndarray, direct_m: float, decay_s: float, length_s: float, sample_rate: int, name: str
) -> np.ndarray:
    """A response that goes over into decaying noise, float32, shape (num_samples,).

    The noise has the energy of the response around the crossfade, and both are mixed at equal power.

    Args:
        samples: the response by images, beginning ``LEAD`` samples before time zero.
        direct_m: distance of the source.
        decay_s: RT60 of the noise.
        length_s: how long the result goes on after the direct sound.
        sample_rate: Hz.
        name: what the noise is drawn by.
    """
    direct = direct_m / SPEED_OF_SOUND * sample_rate + LEAD
    first = round(direct + START_S * sample_rate)
    width = round(CROSSFADE_S * sample_rate)
    length = max(first + width, round(direct + length_s * sample_rate))
    noise = band_limited(rng.white_noise(length - first, 0, "diffuse tail", name))
    noise *= 10 ** (-3 * np.arange(length - first) / (decay_s * sample_rate))
    ramp = np.pi / 2 * (np.arange(width) + 0.5) / width
    own, tail = np.cos(ramp), np.sin(ramp)
    # both as they are before the crossfade
    wanted = (samples[first : first + width].astype(np.float64) ** 2).sum()
    noise *= np.sqrt(wanted / max((noise[:width] ** 2).sum(), NOTHING_LEFT))
    noise[:width] *= tail
    noise[:width] += own * samples[first : first + width]
    return np.concatenate([samples[:first], noise]).astype(np.float32)
