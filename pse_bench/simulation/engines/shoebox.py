"""Our own engine: image sources of a shoebox whose walls absorb just what the asked RT60 takes.

Between hard parallel walls, images come in trains that real, furnished rooms do not have: they ring, and the
decay bends. Where a scenario asks for it, a response keeps its images up to the end of its early part and goes
over into a diffuse tail from there on: noise with the room's decay.
"""

import json
import math

import numpy as np

from pse_bench import rng
from pse_bench.io import audio
from pse_bench.schemas import SimulatedRoom
from pse_bench.simulation.engines import image_source
from pse_bench.simulation.engines.absorption import calibrate
from pse_bench.simulation.engines.image_source import LEAD, SPEED_OF_SOUND
from pse_bench.simulation.rir import EARLY_S, RIR, WORST, RoomRIRs, refused

VERSION = 1
"""Raised whenever a simulated response changes."""

MOST_IMAGES = 40_000_000
CROSSFADE_S = 0.020
NOTHING_LEFT = 1e-30


def simulate(room: SimulatedRoom, sample_rate: int) -> RoomRIRs:
    """Responses of a shoebox whose mean T30 is the asked one. All walls absorb alike.

    Raises:
        RequestError: no absorption gives that reverberation time, or it would take too many images.
    """
    direct_m = [math.dist(at, room.microphone_m) for at in room.sources_m]
    diffuse = room.tail == "diffuse"
    # until the tail has taken over or, without one, until the response has decayed by 60 dB
    beyond_m = SPEED_OF_SOUND * (EARLY_S + CROSSFADE_S if diffuse else room.rt60_s)
    count = image_source.num_images(room.size_m, max(direct_m) + beyond_m)
    if count > MOST_IMAGES:
        raise refused(room, count)
    sources = [
        image_source.images(room.size_m, at, room.microphone_m, far + beyond_m)
        for at, far in zip(room.sources_m, direct_m, strict=True)
    ]
    names = [json.dumps([room.size_m, room.microphone_m, at]) for at in room.sources_m]

    def build(reflection: tuple[float, ...], decay_s: float) -> list[np.ndarray]:
        built = [image_source.response(source, reflection, sample_rate) for source in sources]
        if diffuse:
            length_s = max(room.rt60_s, decay_s)
            built = [
                with_diffuse_tail(samples, far, decay_s, length_s, sample_rate, name)
                for samples, far, name in zip(built, direct_m, names, strict=True)
            ]
        return built

    found = calibrate(room.size_m, room.rt60_s, build, sample_rate)
    if found is None or abs(np.mean(found.rt60_s) - room.rt60_s) > WORST * room.rt60_s:
        raise refused(room)
    return RoomRIRs(
        [
            RIR(samples, LEAD, audio.seconds_to_samples(far / SPEED_OF_SOUND, sample_rate), time_s)
            for samples, far, time_s in zip(found.samples, direct_m, found.rt60_s, strict=True)
        ]
    )


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
    first = round(direct + EARLY_S * sample_rate)
    width = round(CROSSFADE_S * sample_rate)
    length = max(first + width, round(direct + length_s * sample_rate))
    noise = image_source.band_limited(rng.white_noise(length - first, 0, "diffuse tail", name))
    noise *= 10 ** (-3 * np.arange(length - first) / (decay_s * sample_rate))
    ramp = np.pi / 2 * (np.arange(width) + 0.5) / width
    # both as they are before the crossfade
    wanted = (samples[first : first + width].astype(np.float64) ** 2).sum()
    noise *= np.sqrt(wanted / max((noise[:width] ** 2).sum(), NOTHING_LEFT))
    noise[:width] *= np.sin(ramp)
    noise[:width] += np.cos(ramp) * samples[first : first + width]
    return np.concatenate([samples[:first], noise]).astype(np.float32)
