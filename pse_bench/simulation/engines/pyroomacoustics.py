"""The reference engine: pyroomacoustics' image sources, calibrated to the asked reverberation time.

Its zero-phase high-pass stays on. Without it the images' mean pressure would be counted into the RT60.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pse_bench.errors import UndefinedScore
from pse_bench.io import audio
from pse_bench.schemas import SimulatedRoom
from pse_bench.signal.rt60 import rt60_s
from pse_bench.simulation.engines.image_source import SPEED_OF_SOUND
from pse_bench.simulation.engines.shoebox import BIN_S, PASSES, TOLERANCE
from pse_bench.simulation.rir import RIR, WORST, RoomRIRs, refused

VERSION = 1
"""Raised whenever a simulated response changes."""

MOST_IMAGES = 4_000_000


def simulate(room: SimulatedRoom, sample_rate: int) -> RoomRIRs:
    """Image-source responses of a shoebox whose walls absorb just so much that the mean T30 measured on the
    responses is the asked one.

    The energy decay of the images is known for any absorption once their distances and orders are; that gives a
    first absorption, and the decay measured on the finished responses corrects it. Raises RequestError as
    ``room.simulate``."""
    shoebox, images = _images(room, sample_rate)
    asked_s = aim_s = room.rt60_s
    tried: list[RoomRIRs] = []
    while len(tried) < PASSES:
        tried.append(RoomRIRs(_build(shoebox, images, _solve_reflection(images, aim_s, room), sample_rate)))
        if abs(tried[-1].rt60_s - asked_s) <= TOLERANCE * asked_s:
            break
        aim_s *= asked_s / tried[-1].rt60_s
    best = min(tried, key=lambda built: abs(built.rt60_s - asked_s))
    if abs(best.rt60_s - asked_s) > WORST * asked_s:
        raise refused(room)
    return best


@dataclass(frozen=True)
class _Images:
    """Image sources of one source, shape (num_images,): number of reflections, metres from the microphone,
    and whether they arrive before the response has decayed by 60 dB."""

    order: np.ndarray
    distance: np.ndarray
    near: np.ndarray
    histogram: np.ndarray  # energy without absorption, (order, time bin)


def _images(room: SimulatedRoom, sample_rate: int) -> tuple[Any, list[_Images]]:
    import pyroomacoustics as pra

    # Its output changes in the last bits with the number of threads.
    pra.constants.set("num_threads", 1)
    reach_m = SPEED_OF_SOUND * room.rt60_s + math.dist((0, 0, 0), room.size_m)
    max_order = math.ceil(reach_m / min(room.size_m))
    count = 4 / 3 * max_order**3
    if count > MOST_IMAGES:
        raise refused(room, count)
    shoebox = pra.ShoeBox(list(room.size_m), fs=sample_rate, materials=pra.Material(0.5), max_order=max_order)
    shoebox.add_microphone(list(room.microphone_m))
    for position in room.sources_m:
        shoebox.add_source(list(position))
    shoebox.image_source_model()
    images = []
    for source in shoebox.sources:
        offset = source.images.astype(np.float64) - np.array(room.microphone_m)[:, None]
        distance = np.sqrt(np.sum(offset**2, axis=0))
        near = distance <= reach_m
        order = source.orders.astype(int)
        bins = (distance[near] / SPEED_OF_SOUND / BIN_S).astype(int)
        rows, columns = order[near].max() + 1, bins.max() + 1
        cells = order[near] * columns + bins
        energy = np.bincount(cells, weights=distance[near] ** -2, minlength=rows * columns)
        images.append(_Images(order, distance, near, energy.reshape(rows, columns)))
    return shoebox, images


def _solve_reflection(images: list[_Images], aim_s: float, room: SimulatedRoom) -> float:
    """The pressure reflection factor for which the images' energy decays with a mean T30 of ``aim_s``."""
    low, high = 0.02, 0.9999
    if not _decay_s(images, low) < aim_s < _decay_s(images, high):
        raise refused(room)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _decay_s(images, middle) < aim_s else (low, middle)
    # coarser than what processors differ by in the sums above, so that all of them build the same response
    return round((low + high) / 2, 7)


def _decay_s(images: list[_Images], reflection: float) -> float:
    """Mean T30 of the images' energy in time bins."""
    times = []
    for image in images:
        energy = reflection ** (2 * np.arange(len(image.histogram))) @ image.histogram
        try:
            times.append(rt60_s(np.sqrt(energy), 1 / BIN_S))
        except UndefinedScore:  # within a few bins, or not within the reach
            times.append(0.0 if reflection < 0.5 else math.inf)
    return float(np.mean(times))


def _build(shoebox: Any, images: list[_Images], reflection: float, sample_rate: int) -> list[RIR]:
    """Let the engine sum its images; its constant delay becomes the lead."""
    import pyroomacoustics as pra

    for index, (source, image) in enumerate(zip(shoebox.sources, images, strict=True)):
        source.damping = (reflection**image.order)[None].astype(np.float32)
        shoebox.visibility[index] = image.near[None].astype(np.int32) > 0
    shoebox.compute_rir()
    lead = pra.constants.get("frac_delay_length") // 2
    delays = [audio.seconds_to_samples(float(one.distance.min()) / SPEED_OF_SOUND, sample_rate) for one in images]
    both = zip(shoebox.rir[0], delays, strict=True)
    return [RIR(one.astype(np.float32), lead, delay, rt60_s(one, sample_rate)) for one, delay in both]
