"""Our own engine: image sources of a shoebox whose walls absorb just what the asked RT60 takes.

Sound that goes straight through the images of a room meets walls at a rate that depends on its direction, so the
average over all directions says how energy decays for any absorption. That gives a first guess; the decay of the
responses made with it, bent by the ratio of two such averages, tells what another absorption would give.

Between hard parallel walls, images come in trains that real, furnished rooms do not have: they ring, and the
decay bends. Where a scenario asks for it, a response keeps its images up to the end of its early part and goes
over into a diffuse tail from there on: noise with the room's decay.
"""

import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from pse_bench import rng
from pse_bench.errors import UndefinedScore
from pse_bench.io import audio
from pse_bench.schemas import SimulatedRoom
from pse_bench.signal.rt60 import rt60_s
from pse_bench.simulation.engines import image_source
from pse_bench.simulation.engines.image_source import LEAD, SPEED_OF_SOUND, loss_rates
from pse_bench.simulation.rir import EARLY_S, RIR, WORST, RoomRIRs, refused

VERSION = 1
"""Raised whenever a simulated response changes."""

MOST_IMAGES = 40_000_000
PASSES = 5
TOLERANCE = 0.01
"""Responses whose RT60 differs less than this share from the asked one need no further pass."""

BIN_S = 0.001
COHERENCE = 1.05
"""Responses ring this much longer than their images' energy says, for at low frequencies images add up in phase
(the mean over 200 random rooms of 3-8 x 3-8 x 2.5-3.5 m)."""

RELAXATION = 1.25
"""Sound that goes along the longest axis decays last, so a decay yields less than its average directions say."""

STEEP = 0.3
"""From two tries, RT60 must have fallen at least with this power of the absorption to be a trend."""

LEAST, MOST = 1e-4, 4.0
"""The absorption in nepers a reflection that is thought of: a reflection factor from 0.9999 down to 0.02."""

STEPS = 30
SOLVED = 1e-3
CROSSFADE_S = 0.020
NOTHING_LEFT = 1e-30


def simulate(room: SimulatedRoom, sample_rate: int) -> RoomRIRs:
    """Responses of a shoebox whose mean T30 is the asked one. All walls absorb alike. Raises RequestError as
    ``room.simulate``."""
    direct_m = [math.dist(at, room.microphone_m) for at in room.sources_m]
    diffuse = room.tail == "diffuse"
    # until the tail has taken over or, without one, until the response has decayed by 60 dB
    beyond_m = SPEED_OF_SOUND * (EARLY_S + CROSSFADE_S if diffuse else room.rt60_s)
    count = image_source.num_images(room.size_m, max(direct_m) + beyond_m)
    if count > MOST_IMAGES:
        raise refused(room, count)
    places = zip(room.sources_m, direct_m, strict=True)
    sources = [image_source.images(room.size_m, at, room.microphone_m, far + beyond_m) for at, far in places]
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
    direct = [audio.seconds_to_samples(far / SPEED_OF_SOUND, sample_rate) for far in direct_m]
    both = zip(found.samples, direct, found.rt60_s, strict=True)
    return RoomRIRs([RIR(samples, LEAD, delay, time_s) for samples, delay, time_s in both])


def with_diffuse_tail(
    samples: np.ndarray, direct_m: float, decay_s: float, length_s: float, sample_rate: int, name: str
) -> np.ndarray:
    """A response that goes over into decaying noise, float32, shape (num_samples,).

    The noise, drawn by ``name``, has the energy of the response around the crossfade and an RT60 of ``decay_s``;
    both are mixed at equal power. The result goes on for ``length_s`` after the direct sound."""
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


@dataclass(frozen=True)
class Calibrated:
    """Responses of all sources, each of shape (num_samples,), with their RT60 in seconds, and the pressure
    reflection factor of each wall that they were made with."""

    samples: list[np.ndarray]
    rt60_s: list[float]
    reflection: tuple[float, ...]


def calibrate(
    size_m: Sequence[float],
    asked_s: float,
    build: Callable[[tuple[float, ...], float], list[np.ndarray]],
    sample_rate: int,
) -> Calibrated | None:
    """Responses whose mean RT60 (T30) is the asked one, or as near as a few passes come to it; None where no
    absorption gives that decay. All walls absorb alike. ``build`` makes the sources' responses from the reflection
    factors of the ``image_source.WALLS`` and the RT60 of a diffuse field between them in seconds."""
    rates = loss_rates(size_m, (1.0,) * 6)
    # a field that is the same everywhere, before it is absorbed
    field = np.ones(math.ceil(2 * asked_s / BIN_S))
    first = absorption = _solve([field], rates, 0.0, asked_s / COHERENCE)
    tried: list[tuple[float, float]] = []  # absorption and RT60
    best, error = None, math.inf
    while first and absorption and len(tried) < PASSES:
        # coarser than what processors differ by in the sums, so that all of them build the same response
        absorption = float(f"{absorption:.7g}")
        reflection = (math.exp(-absorption),) * 6
        built = build(reflection, asked_s * first / absorption)
        try:
            times_s = [rt60_s(samples, sample_rate) for samples in built]
        except UndefinedScore:
            break
        found_s = float(np.mean(times_s))
        if abs(found_s - asked_s) < error:
            best, error = Calibrated(built, times_s, reflection), abs(found_s - asked_s)
        if error <= TOLERANCE * asked_s:
            break
        tried.append((absorption, found_s))
        absorption = _corrected(built, rates, tried, asked_s, sample_rate)
    return best


def _corrected(
    built: list[np.ndarray], rates: np.ndarray, tried: list[tuple[float, float]], asked_s: float, sample_rate: int
) -> float | None:
    """The absorption to try next: from two tries by their trend, from one by its decay."""
    absorption, found_s = tried[-1]
    if len(tried) > 1:
        before, before_s = tried[-2]
        trend = math.log(found_s / before_s) / math.log(absorption / before) if absorption != before else 0.0
        if trend < -STEEP:
            return min(max(absorption * (asked_s / found_s) ** (1 / trend), LEAST), MOST)
    curves = [_energy(samples, sample_rate) for samples in built]
    try:
        binned_s = _mean_rt60_s(curves)
    except UndefinedScore:
        return None
    solved = _solve(curves, rates, absorption, asked_s * binned_s / found_s)
    return solved and absorption * (solved / absorption) ** RELAXATION


def _energy(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """A response's energy in bins from time zero on, shape (num_bins,)."""
    bins = math.ceil((len(samples) - LEAD) / (BIN_S * sample_rate))
    edges = (np.arange(bins) * (BIN_S * sample_rate)).astype(np.intp) + LEAD
    return np.add.reduceat(samples.astype(np.float64) ** 2, edges)


def _mean_rt60_s(curves: Iterable[np.ndarray]) -> float:
    """The mean T30 of energies in bins."""
    return float(np.mean([rt60_s(np.sqrt(curve), 1 / BIN_S) for curve in curves]))


def _solve(curves: list[np.ndarray], rates: np.ndarray, known: float, aim_s: float) -> float | None:
    """The absorption for which the curves, which are those at ``known``, would have a mean T30 of ``aim_s``.

    T30 is all but inverse to the absorption, so a few steps do.
    """
    ways = rates[:, None] * (np.arange(max(map(len, curves))) * BIN_S)
    before = np.exp(-2 * known * ways).mean(axis=0)
    low, high = LEAST, MOST
    absorption = known or 3 * math.log(10) / (aim_s * float(rates.mean()))
    for _ in range(STEPS):
        if not low < absorption < high:
            absorption = math.sqrt(low * high)
        change = np.exp(-2 * absorption * ways).mean(axis=0) / before
        try:
            found_s = _mean_rt60_s(curve * change[: len(curve)] for curve in curves)
        except UndefinedScore:  # within a few bins
            found_s = aim_s / 2
        if abs(found_s - aim_s) <= SOLVED * aim_s:
            return absorption
        low, high = (absorption, high) if found_s > aim_s else (low, absorption)
        absorption *= found_s / aim_s
    return None
