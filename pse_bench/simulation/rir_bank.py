"""The room bank as a whole: building the rooms that some scenes share, and how often each of them is used.

A room's file is named after everything that its responses depend on (``rooms.cache_key``), so plans share rooms
without knowing of each other, and whoever builds one twice writes the same bytes.
"""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from pse_bench.errors import PseBenchError
from pse_bench.io.documents import Record
from pse_bench.planning import plan
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update
from pse_bench.schemas import Position, Recipe, SimulatedRoom
from pse_bench.simulation import room as rooms


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
    wanted = {
        name: (room.model_dump_json(), recipe.sample_rate, folder) for name, room, recipe in _simulated(recipes)
    }
    missing = [work for name, work in wanted.items() if not (folder / name).exists()]
    if missing:
        progress(0, len(missing))
    for count, _ in enumerate(executor.run(build_room, missing), 1):
        progress(count, len(missing))


def build_room(work: tuple[str, int, Path]) -> None:
    """Put one room into the bank. Of a room that cannot be simulated, the scenes that need it tell."""
    room, rate, folder = work
    with contextlib.suppress(PseBenchError):
        rooms.from_bank(SimulatedRoom.model_validate_json(room), rate, folder)


def usage(plans: Iterable[Path], folder: Path) -> list[Use]:
    """How often the simulated rooms of some plans are used, the most used first.

    Args:
        plans: plan files; rooms that differ by name only are one.
        folder: the bank, which tells what is built.

    Raises:
        InputError: a file is not a plan.
    """
    rows: dict[str, SimulatedRoom] = {}
    users: dict[str, set[Path]] = {}
    taken: dict[str, list[list[int]]] = {}
    for path in plans:
        for name, room, recipe in _simulated(plan.read(path)[2]):
            rows.setdefault(name, room)
            users.setdefault(name, set()).add(path)
            people = [recipe.target, *recipe.interferers]
            taken.setdefault(name, []).append([person.source for person in people])
    found = [
        Use(
            file=name,
            room_id=room.room_id,
            engine=room.engine,
            size_m=room.size_m,
            rt60_s=room.rt60_s,
            plans=len(users[name]),
            scenes=len(taken[name]),
            people=sum(map(len, taken[name])),
            places_used=len(set().union(*taken[name])),
            places=len(room.sources_m),
            built=(folder / name).is_file(),
        )
        for name, room in rows.items()
    ]
    return sorted(found, key=lambda use: (-use.scenes, use.room_id, use.file))


def _simulated(recipes: Iterable[Recipe]) -> Iterator[tuple[str, SimulatedRoom, Recipe]]:
    """Recipes in simulated rooms, with the room's name in the bank."""
    for recipe in recipes:
        if isinstance(recipe.room, SimulatedRoom):
            yield rooms.cache_key(recipe.room, recipe.sample_rate), recipe.room, recipe
