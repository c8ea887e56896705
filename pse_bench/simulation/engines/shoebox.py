"""Our own engine: image sources of a shoebox whose walls absorb just what the asked RT60 takes."""

import json
import math

import numpy as np

from pse_bench.io import audio
from pse_bench.schemas import SimulatedRoom
from pse_bench.simulation.engines import WORST, diffuse_tail, rt60_out_of_reach, too_many_images
from pse_bench.simulation.engines.absorption import calibrate
from pse_bench.simulation.engines.image_source import LEAD, SPEED_OF_SOUND, images, num_images, response
from pse_bench.simulation.rir import RIR, RoomRIRs

VERSION = 1
"""Raised whenever a simulated response changes."""

MOST_IMAGES = 40_000_000


def simulate(room: SimulatedRoom, sample_rate: int) -> RoomRIRs:
    """Responses of a shoebox whose mean T30 is the asked one. All walls absorb alike.

    Raises:
        RequestError: no absorption gives that reverberation time, or it would take too many images.
    """
    direct_m = [math.dist(at, room.microphone_m) for at in room.sources_m]
    diffuse = room.tail == "diffuse"
    # without a tail, until the response has decayed by 60 dB
    reach_m = [
        diffuse_tail.images_reach_m(far) if diffuse else far + SPEED_OF_SOUND * room.rt60_s for far in direct_m
    ]
    count = num_images(room.size_m, max(reach_m))
    if count > MOST_IMAGES:
        raise too_many_images(room, count)
    sources = [
        images(room.size_m, at, room.microphone_m, reach)
        for at, reach in zip(room.sources_m, reach_m, strict=True)
    ]
    names = [json.dumps([room.size_m, room.microphone_m, at]) for at in room.sources_m]

    def build(reflection: tuple[float, ...], decay_s: float) -> list[np.ndarray]:
        built = [response(source, reflection, sample_rate) for source in sources]
        if diffuse:
            length_s = max(room.rt60_s, decay_s)
            built = [
                diffuse_tail.with_diffuse_tail(samples, far, decay_s, length_s, sample_rate, name)
                for samples, far, name in zip(built, direct_m, names, strict=True)
            ]
        return built

    found = calibrate(room.size_m, room.rt60_s, build, sample_rate)
    if found is None or abs(np.mean(found.rt60_s) - room.rt60_s) > WORST * room.rt60_s:
        raise rt60_out_of_reach(room)
    return RoomRIRs(
        [
            RIR(samples, LEAD, audio.seconds_to_samples(far / SPEED_OF_SOUND, sample_rate), time_s)
            for samples, far, time_s in zip(found.samples, direct_m, found.rt60_s, strict=True)
        ]
    )
