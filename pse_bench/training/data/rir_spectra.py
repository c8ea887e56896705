"""Rooms to train in: a bank of responses that are already Fourier transformed, so that a room costs a product.

Responses are those of ``rooms`` and are kept in its bank too. The transform's size fits the training chunk and the
longest response, so the convolution is exact (no wrap-around within the chunk).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pse_bench.errors import RequestError
from pse_bench.io import atomic, documents, locks
from pse_bench.planning.geometry import RoomSampler
from pse_bench.planning.scenario import Scenario
from pse_bench.runtime.executor import Executor
from pse_bench.schemas import SimulatedRoom
from pse_bench.simulation import room as rooms

VERSION = 1
ROOMS = 200
"""How many rooms there are where the scenario does not say."""

SEED = 1
"""Rooms do not depend on the seed of a training run: runs of several seeds share one bank."""


@dataclass(frozen=True)
class Place:
    """Where somebody stands: rows of the array of spectra for the whole and the early response, and the samples
    after which the direct sound arrives. ``raw`` is the response in the array of samples: (start, length)."""

    whole: int
    early: int
    direct: int
    raw: tuple[int, int]


class About(documents.Record):
    """``acoustics.json``."""

    fingerprint: str
    size: int
    chunk: int
    lead: int
    rooms: list[tuple[list[Place], list[Place]]]


@dataclass(frozen=True)
class RIRSpectra:
    """A bank in a folder; picklable, the arrays are mapped into each process."""

    folder: Path

    @cached_property
    def about(self) -> About:
        """What ``prepare`` wrote."""
        return documents.cached(About, self.folder / "acoustics.json")

    @property
    def size(self) -> int:
        """Length of the Fourier transform, in samples."""
        return self.about.size

    @property
    def chunk(self) -> int:
        """Length of the signals that the transform is long enough for, in samples."""
        return self.about.chunk

    @property
    def lead(self) -> int:
        """Samples of every response before time zero."""
        return self.about.lead

    @property
    def fingerprint(self) -> str:
        """A hash of everything that the responses were made from."""
        return self.about.fingerprint

    @cached_property
    def places(self) -> list[tuple[list[Place], list[Place]]]:
        """Of each room, the places for a target and those for interferers."""
        return self.about.rooms

    @cached_property
    def spectra(self) -> np.ndarray:
        """complex64, shape (responses, size // 2 + 1)."""
        return np.load(self.folder / "spectra.npy", mmap_mode="r")

    @cached_property
    def samples(self) -> np.ndarray:
        """float32, all whole responses one after the other."""
        return np.load(self.folder / "responses.npy", mmap_mode="r")

    def __getstate__(self) -> dict:
        return {"folder": self.folder}


def prepare(
    cache: Path,
    *,
    scenario: Scenario,
    num_rooms: int | None,
    chunk: int,
    bank: Path,
    executor: Executor,
    progress: Callable[[int, int], None] | None = None,
) -> RIRSpectra:
    """The bank of a scenario's rooms, from the cache where it is there already.

    Args:
        cache: where prepared folders lie.
        scenario: its rooms, distances and heights.
        num_rooms: how many rooms; None takes the scenario's number, or ``ROOMS``.
        chunk: length of the signals, in samples.
        bank: where ``rooms`` keeps single rooms.

    Raises:
        RequestError: the scenario asks for measured rooms, or rooms that cannot be.
    """
    if set(scenario.room.engine.options) & {"measured"}:
        raise RequestError(
            f"scenario {scenario.name}: training mixes in simulated rooms only, room.engine may be measured; set "
            "room.engine: image-source, or render a dataset and train from that"
        )
    count = num_rooms or scenario.room.rooms or ROOMS
    drawn = _rooms(scenario, count)
    rate = scenario.sample_rate
    made_of = [VERSION, rate, chunk, scenario.room.places, [rooms.bank_name(room, rate) for room in drawn]]
    fingerprint = atomic.sha256_of_text(json.dumps(made_of))
    folder = cache / f"rooms-{fingerprint[:16]}"
    with locks.taking_turns(folder, "preparing rooms"):
        if (folder / "acoustics.json").is_file():
            return RIRSpectra(folder)
        built: dict[int, rooms.Responses] = {}
        for done, outcome in enumerate(executor.run(_build, [(room, rate, bank) for room in drawn]), 1):
            if outcome.lost:
                raise RequestError(f"room {drawn[outcome.index].room_id}: {outcome.lost}")
            built[outcome.index] = outcome.value
            if progress:
                progress(done, count)
        _write(folder, [built[index] for index in range(count)], scenario.room.places, chunk, rate, fingerprint)
    return RIRSpectra(folder)


def _rooms(scenario: Scenario, count: int) -> list[SimulatedRoom]:
    room = scenario.room.model_copy(update={"rooms": count})
    places = RoomSampler(scenario.model_copy(update={"room": room}), (), SEED)
    return sorted((places.draw(index, 0)[0] for index in range(count)), key=lambda drawn: drawn.room_id)


def _build(work: tuple[SimulatedRoom, int, Path]) -> rooms.Responses:
    room, rate, bank = work
    return rooms.from_bank(room, rate, bank)


def _write(
    folder: Path, built: list[rooms.Responses], num_places: int, chunk: int, rate: int, fingerprint: str
) -> None:
    from scipy.fft import next_fast_len, rfft

    sources = [source for room in built for source in room.sources]
    (lead,) = {source.lead for source in sources}
    longest = max(len(source.samples) for source in sources)
    size = next_fast_len(chunk + longest - 1, real=True)
    rows = len(built) * 3 * num_places  # whole and early of each target, whole of each interferer
    spectra = np.lib.format.open_memmap(
        folder / "spectra.npy", mode="w+", dtype=np.complex64, shape=(rows, size // 2 + 1)
    )
    np.save(folder / "responses.npy", np.concatenate([source.samples for source in sources]))
    row = position = 0
    described = []
    for room in built:
        groups: tuple[list[dict], list[dict]] = ([], [])
        for number, source in enumerate(room.sources):
            is_target = number < num_places
            spectra[row] = rfft(source.samples.astype(np.float32), size)
            if is_target:
                spectra[row + 1] = rfft(source.early(rate).astype(np.float32), size)
            raw = (position, len(source.samples))
            place = {"whole": row, "early": row + is_target, "direct": source.direct, "raw": raw}
            groups[0 if is_target else 1].append(place)
            row += 1 + is_target
            position += len(source.samples)
        described.append(groups)
    spectra.flush()
    about = {"fingerprint": fingerprint, "size": size, "chunk": chunk, "lead": lead, "rooms": described}
    atomic.write_text(folder / "acoustics.json", json.dumps(about) + "\n")
