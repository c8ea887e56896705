"""A dataset's folder while it is being rendered: what an earlier run has left, and the tables at the end."""

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from types import SimpleNamespace
from typing import Annotated, Any, Literal

from pydantic import Field

from pse_bench.dataset import dataset
from pse_bench.errors import InputError
from pse_bench.io import atomic, documents
from pse_bench.io import tables as csv_tables
from pse_bench.planning import plan, plan_changes
from pse_bench.planning.scenario import Scenario
from pse_bench.runtime import merging, resume
from pse_bench.schemas import SCHEMA, Imported, Mixture, Sha256, StoredFile

QUARANTINE = "quarantine.csv"
IN_MEMORY = 1 << 20
"""Bytes of a folder's table that are sorted without a file."""


class Rendered(documents.Record):
    """A rendered scene: its rows and files."""

    scene_id: str
    rows: list[Mixture]
    files: list[StoredFile]


class Problem(documents.Record):
    """A row of ``quarantine.csv``: a scene that could not be rendered, and why."""

    scene_id: str
    reason: str


class ShardState(documents.Record):
    """Scenes that a shard could not render, and its timings in s."""

    problems: list[Problem]
    timings_s: dict[str, float]


class RunIdentity(documents.Record):
    """What all shards of a dataset depend on."""

    schema_: Annotated[int, Field(alias="schema")]
    plan_sha256: Sha256
    format: Literal["flac", "wav"]
    versions: dict[str, str]
    kept: list[dataset.Part] = Field(default_factory=lambda: [*dataset.PARTS])


STAGE = resume.Stage(
    "render",
    entry=Rendered,
    key="scene_id",
    state=ShardState,
    identity=RunIdentity,
    finished="dataset.json",
    files=("mixtures.csv", "files.csv", "plan.jsonl", QUARANTINE),
    folders=("TS1", "TS2", "TS3", "stems", "enrollment", "activity"),
    exclusive=False,
)


@dataclass(frozen=True)
class RenderReport:
    """The outcome of a render: counts, failed scenes, and the dataset's fingerprint ('' for a shard)."""

    dataset: Path
    scenes: int
    mixtures: int
    problems: list[Problem]
    fingerprint: str
    reused: int = 0


def check_identity(
    folder: Path, known: resume.Entry, *, identity: resume.Entry, plan_path: Path, extend: bool
) -> None:
    """Refuse to continue a render that began with something else. With ``extend``, more scenes after those of its
    plan are no difference. Raises InputError naming the differences."""
    before, now = known.get("plan_sha256"), identity["plan_sha256"]
    found: list[str] = []
    if before != now and not (extend and plan_changes.begins_with(plan_path, str(before))):
        kept = folder / "plan.jsonl"
        found = plan_changes.changes(kept, plan_path) if kept.is_file() and atomic.sha256(kept) == before else []
        found = found or documents.changes(before, now, "plan")
    rest = {key: known.get(key) for key in identity} | {"plan_sha256": now}
    if rest["kept"] is None:
        rest["kept"] = [*dataset.PARTS]
    resume.refuse_changes(folder, [*found, *documents.changes(rest, identity)])


def reopened(out: Path, check: Callable[[Path, resume.Entry], None]) -> list[Rendered]:
    """The scenes of a complete dataset, from its tables. Raises InputError when ``check`` refuses its identity or
    its tables have changed."""
    there = dataset.Dataset.open(out)
    check(out, there.description.model_dump(by_alias=True))
    for name, expected in there.description.tables.items():
        if not (out / name).is_file() or atomic.sha256(out / name) != expected:
            raise InputError(
                f"{out / name}: changed since it was rendered; restore it, or start again with --force"
            )
    scenes: dict[str, Rendered] = {}
    for row in there.mixtures:
        scenes.setdefault(row.scene_id, Rendered(scene_id=row.scene_id, rows=[], files=[])).rows.append(row)
    for file in there.files:
        scenes[Path(file.path).stem].files.append(file)
    return list(scenes.values())


def intact(out: Path, rendered: Rendered) -> bool:
    """Whether the files of a scene are those that were written."""
    return all(
        os.path.isfile(path := out / row.path)  # also where it is too long for one
        and path.stat().st_size == row.num_bytes
        and atomic.sha256(path) == row.sha256
        for row in rendered.files
    )


def scene_of_entry(entry: resume.Entry) -> SimpleNamespace:
    """A ``Rendered`` as plain objects: its rows and files were checked when they were made."""
    rows, files = ([SimpleNamespace(**row) for row in entry[key]] for key in ("rows", "files"))
    return SimpleNamespace(scene_id=entry["scene_id"], rows=rows, files=files)


def finish(
    out: Path,
    scenario: Scenario | Imported,
    identity: dict[str, Any],
    done: Sequence[Rendered | SimpleNamespace],
    problems: list[Problem],
    planned: int,
    timings: dict[str, float],
    reused: int = 0,
) -> RenderReport:
    """Write the tables and the description. Of ``done`` one scene at a time is looked at, since there may be a
    million."""
    csv_tables.write_table(out / "mixtures.csv", Mixture, _Rows(done))
    csv_tables.write_table(out / "files.csv", StoredFile, _by_path(done, out, ending="."))
    tables = ["mixtures.csv", "files.csv"]
    if problems:
        csv_tables.write_table(out / QUARANTINE, Problem, problems)
        tables.append(QUARANTINE)
    else:
        (out / QUARANTINE).unlink(missing_ok=True)
    mark = dataset.fingerprint(identity["plan_sha256"], _by_path(done, out), ordered=True)
    mixtures = sum(len(scene.rows) for scene in done)
    description = {
        "schema": SCHEMA,
        "kind": "pse-bench dataset",
        **{key: getattr(scenario, key) for key in ("name", "version", "reference", "sample_rate")},
        **{key: identity[key] for key in ("format", "plan_sha256")},
        "fingerprint": mark,
        "planned_scenes": planned,
        "scenes": len(done),
        "mixtures": mixtures,
        "complete": not problems,
        "tables": {name: atomic.sha256(out / name) for name in tables},
        "versions": identity["versions"],
        "timings_s": timings,
    }
    if (kept := identity.get("kept", [*dataset.PARTS])) != [*dataset.PARTS]:
        description["kept"] = kept
    atomic.write_sealed(out / STAGE.finished, description)
    return RenderReport(out, len(done), mixtures, problems, mark, reused)


@dataclass(frozen=True)
class _Rows:
    """The rows of ``mixtures.csv``, as often as they are asked for."""

    done: Sequence[Rendered | SimpleNamespace]

    def __iter__(self) -> Iterator[Mixture]:
        return (row for scene in self.done for row in scene.rows)


def _by_path(done: Sequence[Rendered | SimpleNamespace], out: Path, ending: str = "") -> Iterator[Any]:
    """The files of all scenes, sorted by path up to the ending: those of one folder after those of another.

    Every scene is looked at twice, whatever the number of folders: what belongs to a folder is laid into a file
    without a name, where a full memory or a million scenes do no harm."""
    scene_ids = [scene.scene_id + ending for scene in done]
    with ExitStack() as stack:
        piles: dict[str, Any] = {}
        for index in sorted(range(len(done)), key=scene_ids.__getitem__):
            for file in done[index].files:
                folder = file.path[: file.path.rindex("/") + 1]
                if folder not in piles:
                    pile = SpooledTemporaryFile(  # noqa: SIM115 - the stack closes it
                        IN_MEMORY, "w+", encoding="utf-8", newline="\n", dir=str(out)
                    )
                    piles[folder] = stack.enter_context(pile)
                piles[folder].write(json.dumps(vars(file)) + "\n")
        for folder in sorted(piles):
            piles[folder].seek(0)
            for line in piles[folder]:
                yield SimpleNamespace(**json.loads(line))


def merge(out: Path, shards: list[merging.FinishedShard]) -> RenderReport:
    """Make the shards that ``merging.gather`` found the dataset that one run would have made; timings are summed.
    Raises InputError where the shards are not the whole of the plan."""
    with merging.merging(STAGE, out, shards) as found:
        scenario, _, recipes = plan.read(shards[0].folder / "plan.jsonl")
        order = {recipe.scene_id: number for number, recipe in enumerate(recipes)}
        problems = [problem for state in found.states for problem in state.problems]
        made = [[scene.scene_id for scene in scenes] for scenes in found.entries]
        lost = [[problem.scene_id for problem in state.problems] for state in found.states]
        found.check([own + others for own, others in zip(made, lost, strict=True)], list(order))
        done = [scene for scenes in found.entries for scene in scenes]
        done.sort(key=lambda scene: order[scene.scene_id])
        found.move([[row.path for scene in scenes for row in scene.files] for scenes in found.entries])
        found.copy("plan.jsonl")
        taken = [state.timings_s for state in found.states]
        timings = {name: round(sum(each.get(name, 0.0) for each in taken), 3) for name in taken[0]}
        return finish(out, scenario, found.identity, done, problems, len(order), timings)
