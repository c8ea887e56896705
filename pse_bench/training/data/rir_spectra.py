"""Room impulse responses to train with, already Fourier transformed, so that a convolution costs a product.

Responses are those of the room bank and are kept there too. The transform's size fits the training chunk and the
longest response, so the convolution is exact (no wrap-around within the chunk).
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import open_memmap
from pydantic import Field

from pse_bench.errors import RequestError
from pse_bench.planning.geometry import RoomSampler
from pse_bench.planning.scenario import Scenario
from pse_bench.schemas import SimulatedRoom
from pse_bench.simulation import room as rooms
from pse_bench.training.data.prepared_folder import Preparation, PreparedFolder, stored_array

VERSION = 1
ROOMS = 200  # how many there are where the scenario does not say
SEED = 1  # rooms do not depend on the seed of a training run: runs of several seeds share them


@dataclass(frozen=True)
class SourceRIR:
    """The response of one source position: rows of the array of spectra for the whole and the early response, and
    the delay of the direct sound in samples. ``raw`` is the response in the array of samples: (start, length)."""

    whole: int
    early: int
    direct: int
    raw: tuple[int, int]


class RIRSpectra(PreparedFolder):
    """The spectra of a set of rooms in a folder."""

    NAME, DESCRIPTION = "rooms", "acoustics.json"

    size: int  # length of the Fourier transform, in samples
    chunk: int  # length of the signals that the transform is long enough for, in samples
    pre_delay: int = Field(alias="lead")  # samples of every response before time zero
    rooms: list[tuple[list[SourceRIR], list[SourceRIR]]]  # of each, sources for a target and for interferers

    spectra = stored_array("spectra")  # complex64, shape (responses, size // 2 + 1)
    samples = stored_array("responses")  # float32, all whole responses one after the other


def prepare(preparation: Preparation, *, scenario: Scenario, num_rooms: int | None, chunk: int) -> RIRSpectra:
    """The spectra of a scenario's rooms for signals of ``chunk`` samples, from the cache where they are there
    already. Raises RequestError where the scenario asks for measured rooms, or rooms that cannot be."""
    if set(scenario.room.engine.options) & {"measured"}:
        raise RequestError(
            f"scenario {scenario.name}: training mixes in simulated rooms only, room.engine may be measured; set "
            "room.engine: image-source, or render a dataset and train from that"
        )
    count = num_rooms or scenario.room.rooms or ROOMS
    as_many = scenario.model_copy(update={"room": scenario.room.model_copy(update={"rooms": count})})
    sampler = RoomSampler(as_many, (), SEED)
    found = (sampler.draw(index, 0)[0] for index in range(count))
    drawn = sorted((room for room in found if isinstance(room, SimulatedRoom)), key=lambda room: room.room_id)
    rate, num_places = scenario.sample_rate, scenario.room.places
    made_of = [VERSION, rate, chunk, num_places, [rooms.cache_key(room, rate) for room in drawn]]

    def write(folder: Path) -> dict[str, Any]:
        items = [(room, rate, preparation.bank) for room in drawn]
        built = dict(
            preparation.results(_build, items, "simulating", "rooms", lambda item: f"room {item[0].room_id}")
        )
        return _write(folder, [built[index] for index in range(len(drawn))], num_places, chunk, rate)

    return RIRSpectra.prepare(preparation.cache, made_of, write)


def _build(work: tuple[SimulatedRoom, int, Path]) -> rooms.RoomRIRs:
    return rooms.from_bank(*work)


def _write(folder: Path, built: list[rooms.RoomRIRs], num_places: int, chunk: int, rate: int) -> dict[str, Any]:
    from scipy.fft import next_fast_len, rfft

    sources = [source for room in built for source in room.sources]
    (lead,) = {source.pre_delay for source in sources}
    longest = max(len(source.samples) for source in sources)
    size = next_fast_len(chunk + longest - 1, real=True)
    rows = len(built) * 3 * num_places  # whole and early of each target, whole of each interferer
    spectra = open_memmap(folder / "spectra.npy", "w+", np.complex64, (rows, size // 2 + 1))
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
            place = {"whole": row, "early": row + is_target, "direct": source.direct_path, "raw": raw}
            groups[0 if is_target else 1].append(place)
            row += 1 + is_target
            position += len(source.samples)
        described.append(groups)
    spectra.flush()
    return {"size": size, "chunk": chunk, "lead": lead, "rooms": described}
