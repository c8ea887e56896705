"""Room responses: image sources calibrated to the asked reverberation time, measured ones, and a bank.

A room's responses are a pure function of its record, the sample rate and the engine's version. They are kept
in a folder under a name made from those, so scenes that share a room share the work.
"""

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench import audio
from pse_bench.decay import measured_rt60_s, rt60_s
from pse_bench.errors import InputError, RequestError, UndefinedScore
from pse_bench.files import replacing, sha256, sha256_of_text
from pse_bench.records import MeasuredRoom, SimulatedRoom

SPEED_OF_SOUND = 343.0
EARLY_S = 0.050
"""Early sound ends this long after the direct sound."""

ENGINE_VERSION = 1
"""Raised whenever a simulated response changes."""

BIN_S = 0.001
PASSES = 5
TOLERANCE = 0.01
WORST = 0.10
"""A room whose reverberation time stays farther from the asked one than this share of it is refused."""
MOST_IMAGES = 4_000_000


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


# ---- image sources


def simulate(room: SimulatedRoom, sample_rate: int) -> Responses:
    """Image-source responses of a shoebox whose walls absorb just so much that the mean T30 measured on the
    responses is the asked one.

    The energy decay of the images is known for any absorption once their distances and orders are; that gives
    a first absorption, and the decay measured on the finished responses corrects it.

    Raises:
        RequestError: no absorption gives that reverberation time, or it would take too many images.
    """
    shoebox, images = _images(room, sample_rate)
    asked = room.rt60_s
    aim, best = asked, None
    for _ in range(PASSES):
        reflection = _solve_reflection(images, aim, room)
        built = Responses(_build(shoebox, images, reflection, sample_rate))
        if best is None or abs(built.rt60_s - asked) < abs(best.rt60_s - asked):
            best = built
        if abs(built.rt60_s - asked) <= TOLERANCE * asked:
            break
        aim *= asked / built.rt60_s
    if abs(best.rt60_s - asked) > WORST * asked:
        raise _impossible(room)
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
        raise RequestError(
            f"room {room.room_id}: an RT60 of {room.rt60_s} s in {_size(room)} m takes {count / 1e6:.0f} "
            "million image sources a source; ask for a larger room or a shorter RT60"
        )
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
        shape = (order[near].max() + 1, bins.max() + 1)
        energy = np.bincount(
            order[near] * shape[1] + bins, weights=distance[near] ** -2, minlength=shape[0] * shape[1]
        )
        images.append(_Images(order, distance, near, energy.reshape(shape)))
    return shoebox, images


def _solve_reflection(images: list[_Images], aim_s: float, room: SimulatedRoom) -> float:
    """The pressure reflection factor for which the images' energy decays with a mean T30 of ``aim_s``."""
    low, high = 0.02, 0.9999
    if not _decay_s(images, low) < aim_s < _decay_s(images, high):
        raise _impossible(room)
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _decay_s(images, middle) < aim_s else (low, middle)
    # coarser than what processors differ by in the sums above, so that all of them build the same response
    return round((low + high) / 2, 7)


def _impossible(room: SimulatedRoom) -> RequestError:
    return RequestError(
        f"room {room.room_id}: no absorption gives an RT60 of {room.rt60_s} s in {_size(room)} m; "
        "change room.size_m or room.rt60_s"
    )


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


def _build(shoebox: Any, images: list[_Images], reflection: float, sample_rate: int) -> list[Response]:
    """Let the engine sum its images; its constant delay becomes the lead."""
    import pyroomacoustics as pra

    for index, (source, image) in enumerate(zip(shoebox.sources, images, strict=True)):
        source.damping = (reflection**image.order)[None].astype(np.float32)
        shoebox.visibility[index] = image.near[None].astype(np.int32) > 0
    shoebox.compute_rir()
    lead = pra.constants.get("frac_delay_length") // 2
    return [
        Response(
            samples.astype(np.float32),
            lead,
            audio.seconds_to_samples(float(image.distance.min()) / SPEED_OF_SOUND, sample_rate),
            rt60_s(samples, sample_rate),
        )
        for samples, image in zip(shoebox.rir[0], images, strict=True)
    ]


def _size(room: SimulatedRoom) -> str:
    return "×".join(f"{length:g}" for length in room.size_m)


# ---- measured responses


def measured(room: MeasuredRoom, sample_rate: int, locate: Callable[[str, str], Path]) -> Responses:
    """A measured room's responses at the wanted rate.

    The direct sound is where a response first exceeds a fifth of its peak.

    Args:
        locate: gives the path of a corpus's file (see ``corpora.roots``).

    Raises:
        InputError: a response is missing, damaged, or not the one that was planned with.
    """
    sources = []
    for source in room.sources:
        path = locate(room.corpus, source.path)
        samples, rate = audio.read(path)
        if sha256(path) != source.sha256:
            raise InputError(
                f"{path}: not the file its manifest describes (sha256 differs); restore it or make "
                "the manifest and the plan again"
            )
        samples = audio.resample(samples, rate, sample_rate).astype(np.float32)
        direct = int(np.argmax(np.abs(samples) > 0.2 * np.abs(samples).max()))
        sources.append(Response(samples, 0, direct, measured_rt60_s(samples, sample_rate)))
    return Responses(sources)


# ---- bank


def bank_name(room: SimulatedRoom, sample_rate: int) -> str:
    """The name under which a simulated room's responses are kept: everything that they depend on."""
    what = [ENGINE_VERSION, version("pyroomacoustics"), sample_rate, room.model_dump(mode="json")]
    what[-1].pop("room_id")
    return sha256_of_text(json.dumps(what, sort_keys=True))[:32] + ".npz"


def from_bank(room: SimulatedRoom, sample_rate: int, folder: Path) -> Responses:
    """A room's responses from the bank in ``folder``, simulated and added when it is not there yet."""
    path = folder / bank_name(room, sample_rate)
    try:
        with np.load(path, allow_pickle=False) as stored:
            sources = [
                Response(stored[f"source{index}"], int(lead), int(direct), float(time_s))
                for index, (lead, direct, time_s) in enumerate(stored["about"])
            ]
            return Responses(sources)
    except FileNotFoundError:
        pass
    except Exception:  # damaged, in whatever way the archive's reader meets it: make it again
        path.unlink(missing_ok=True)
    built = simulate(room, sample_rate)
    with replacing(path, shared=True) as part, part.open("wb") as stream:
        np.savez(
            stream,
            about=np.array([(response.lead, response.direct, response.rt60_s) for response in built.sources]),
            **{f"source{index}": response.samples for index, response in enumerate(built.sources)},
        )
    return built
