"""RIRs of a room: simulated by an engine or measured, and the room bank, which keeps the simulated ones.

A room's responses are a pure function of its record, the sample rate and the engine's version. The bank's files
are named after those (``cache_key``): scenes and plans share rooms without knowing of each other, and whoever
builds one twice writes the same bytes.
"""

import contextlib
import json
from collections.abc import Callable, Iterable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.errors import InputError, PseBenchError
from pse_bench.io import audio
from pse_bench.io.atomic import replacing, sha256, sha256_of_text
from pse_bench.io.documents import Record
from pse_bench.planning import plan
from pse_bench.registry import Registry
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update
from pse_bench.schemas import ENGINE_GROUP, MeasuredRoom, Position, Recipe, SimulatedRoom
from pse_bench.signal.rt60 import measured_rt60_s
from pse_bench.simulation.engines import pyroomacoustics, shoebox
from pse_bench.simulation.rir import RIR, RoomRIRs


def _lack(entry: Any) -> str:
    complete = callable(getattr(entry, "simulate", None)) and hasattr(entry, "VERSION")
    return "" if complete else "has no simulate or VERSION"


ENGINES: Registry[Any] = Registry(
    "room engine", {"image-source": shoebox, "pyroomacoustics": pyroomacoustics}, group=ENGINE_GROUP, check=_lack
)
"""What simulates rooms: a module, or any object, with ``simulate(room, sample_rate)``, which gives the responses
of all sources of a room, their mean T30 the asked one, and with ``VERSION``, which is raised whenever the sound of
a room changes; rooms in the bank are looked up by it."""


def simulate(room: SimulatedRoom, sample_rate: int) -> RoomRIRs:
    """A simulated room's responses, whose mean T30 is the asked one. Raises RequestError where no absorption gives
    that, or where it would take too many images."""
    return ENGINES.find(room.engine).simulate(room, sample_rate)


def measured(room: MeasuredRoom, sample_rate: int, locate: Callable[[str, str], Path]) -> RoomRIRs:
    """A measured room's responses at the wanted rate; ``locate`` gives the path of a corpus's file. The direct
    sound is where a response first exceeds a fifth of its peak. Raises InputError where a response is missing,
    damaged, or not the one that was planned with."""
    sources = []
    for source in room.sources:
        path = locate(room.corpus, source.path)
        audio.info(path)
        if sha256(path) != source.sha256:
            raise InputError(
                f"{path}: not the file its manifest describes (sha256 differs); restore it or make "
                "the manifest and the plan again"
            )
        samples, rate = audio.read(path)
        samples = audio.resample(samples, rate, sample_rate).astype(np.float32)
        direct = int(np.argmax(np.abs(samples) > 0.2 * np.abs(samples).max()))
        sources.append(RIR(samples, 0, direct, measured_rt60_s(samples, sample_rate)))
    return RoomRIRs(sources)


def cache_key(room: SimulatedRoom, sample_rate: int) -> str:
    """The name of a simulated room's file in the bank: a hash of everything that its responses depend on."""
    library = version("pyroomacoustics") if room.engine == "pyroomacoustics" else ""
    described = room.model_dump(mode="json", exclude={"room_id"})
    what = [ENGINES.find(room.engine).VERSION, library, sample_rate, described]
    return sha256_of_text(json.dumps(what, sort_keys=True))[:32] + ".npz"


def from_bank(room: SimulatedRoom, sample_rate: int, folder: Path) -> RoomRIRs:
    """A room's responses from the bank in ``folder``, simulated and added when it is not there yet."""
    path = folder / cache_key(room, sample_rate)
    try:
        with np.load(path, allow_pickle=False) as stored:
            samples, about = stored["samples"], stored["about"]
        parts = np.split(samples, np.cumsum(about[:, -1]).astype(int))
        rows = zip(parts, about, strict=False)  # after the last part, none is left
        return RoomRIRs([RIR(part, int(lead), int(at), float(time_s)) for part, (lead, at, time_s, _) in rows])
    except Exception:  # not there, or damaged, in whatever way the archive's reader meets it
        pass
    built = simulate(room, sample_rate)
    about = [(one.pre_delay, one.direct_path, one.rt60_s, len(one.samples)) for one in built.sources]
    with replacing(path, shared=True) as part, part.open("wb") as stream:
        np.savez(stream, about=np.array(about), samples=np.concatenate([one.samples for one in built.sources]))
    return built


class Use(Record):
    """A simulated room and how often it is used. ``file`` is its name in the bank; ``people`` are those who were
    placed in it, at ``places_used`` of its ``places``."""

    file: str
    room_id: str
    engine: str
    size_m: Position
    rt60_s: float
    plans: int
    scenes: int
    people: int
    places_used: int
    places: int
    built: bool


def build(recipes: Iterable[Recipe], folder: Path, executor: Executor, progress: Update) -> None:
    """Simulate the rooms of some scenes that the bank lacks, each once."""
    wanted = {name: (room, recipe.sample_rate, folder) for name, room, recipe in _simulated(recipes)}
    missing = [work for name, work in wanted.items() if not (folder / name).exists()]
    if missing:
        progress(0, len(missing))
    for count, _ in enumerate(executor.run(build_room, missing), 1):
        progress(count, len(missing))


def build_room(work: tuple[SimulatedRoom, int, Path]) -> None:
    """Put one room into the bank. Of a room that cannot be simulated, the scenes that need it tell."""
    with contextlib.suppress(PseBenchError):
        from_bank(*work)


def usage(plans: Iterable[Path], folder: Path) -> list[Use]:
    """How often the simulated rooms of some plans are used, the most used first; those that differ by name only
    are one. The bank in ``folder`` tells what is built. Raises InputError where a file is not a plan."""
    rooms: dict[str, SimulatedRoom] = {}
    uses: dict[str, list[tuple[Path, list[int]]]] = {}
    for path in plans:
        for name, room, recipe in _simulated(plan.read(path)[2]):
            rooms.setdefault(name, room)
            taken = [person.source for person in (recipe.target, *recipe.interferers)]
            uses.setdefault(name, []).append((path, taken))
    found = [
        Use(
            file=name,
            **room.model_dump(include={"room_id", "engine", "size_m", "rt60_s"}),
            plans=len({path for path, _ in uses[name]}),
            scenes=len(uses[name]),
            people=sum(len(taken) for _, taken in uses[name]),
            places_used=len(set().union(*(taken for _, taken in uses[name]))),
            places=len(room.sources_m),
            built=(folder / name).is_file(),
        )
        for name, room in rooms.items()
    ]
    return sorted(found, key=lambda use: (-use.scenes, use.room_id, use.file))


def _simulated(recipes: Iterable[Recipe]) -> Iterator[tuple[str, SimulatedRoom, Recipe]]:
    """Recipes in simulated rooms, with the room's name in the bank."""
    for recipe in recipes:
        if isinstance(recipe.room, SimulatedRoom):
            yield cache_key(recipe.room, recipe.sample_rate), recipe.room, recipe
