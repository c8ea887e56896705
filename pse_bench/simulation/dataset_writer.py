"""A dataset's folder while it is being rendered: what an earlier run has left, and the tables at the end."""

import json
import os
import shutil
from collections import namedtuple
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import Annotated, Any, Literal

from pydantic import Field

from pse_bench.dataset import dataset
from pse_bench.errors import InputError
from pse_bench.io import atomic, documents, locks
from pse_bench.io import tables as csv_tables
from pse_bench.planning import plan
from pse_bench.planning.scenario import Scenario
from pse_bench.runtime import journal, resume
from pse_bench.schemas import SCHEMA, Imported, Mixture, Sha256, StoredFile

JOURNAL = "render.journal"
QUARANTINE = "quarantine.csv"
IN_MEMORY = 1 << 20
"""Bytes of a folder's table that are sorted without a file."""
FOLDERS = ("TS1", "TS2", "TS3", "stems", "enrollment", "activity")
FILES = ("dataset.json", "mixtures.csv", "files.csv", "plan.jsonl", JOURNAL, QUARANTINE, resume.HEAD)


class _Entry(documents.Record):
    """A scene in the journal."""

    scene_id: str
    rows: list[Mixture]
    files: list[StoredFile]


class Problem(documents.Record):
    """A row of ``quarantine.csv``: a scene that could not be rendered, and why."""

    scene_id: str
    reason: str


class _Own(documents.Record):
    """What a share alone knows."""

    problems: list[Problem]
    timings_s: dict[str, float]


class _Identity(documents.Record):
    """What all shares depend on."""

    schema_: Annotated[int, Field(alias="schema")]
    plan_sha256: Sha256
    format: Literal["flac", "wav"]
    versions: dict[str, str]


@dataclass(frozen=True)
class Rendered:
    """What became of a scene: its rows and files, or the reason why there are none."""

    scene_id: str
    rows: list[Mixture] = field(default_factory=list)
    files: list[StoredFile] = field(default_factory=list)
    problem: str = ""


@dataclass(frozen=True)
class Report:
    """How a render ended."""

    dataset: Path
    scenes: int
    mixtures: int
    problems: list[Problem]
    fingerprint: str
    reused: int = 0


def prepare(out: Path, plan_path: Path, identity: dict[str, Any], force: bool) -> list[Rendered]:
    """Make the folder ready; what an earlier run of the same plan has already rendered there."""
    replaced = force and _clear(out, plan_path)
    finished: list[Rendered] = []
    if (out / JOURNAL).exists():
        known, entries = journal.read(out / JOURNAL)
        if known:
            journal.check(out, known, identity)
        finished = from_entries(entries, out / JOURNAL)
    elif (out / "dataset.json").exists():
        there = dataset.Dataset.open(out)
        known = there.description.model_dump(by_alias=True)
        journal.check(out, known, identity)
        for name, expected in there.description.tables.items():
            if not (out / name).is_file() or atomic.sha256(out / name) != expected:
                raise InputError(
                    f"{out / name}: changed since it was rendered; restore it, or start again with --force"
                )
        finished = _from_tables(there)
    elif not replaced and (strangers := _strangers(out, plan_path)):
        raise InputError(f"{out}: holds other files ({', '.join(strangers[:3])}); give a new or empty folder")
    if (out / "plan.jsonl").resolve() != plan_path.resolve():
        with atomic.replacing(out / "plan.jsonl") as part:
            shutil.copyfile(plan_path, part)
    if atomic.sha256(out / "plan.jsonl") != identity["plan_sha256"]:
        raise InputError(f"{plan_path}: changed while it was read; run the same command again")
    tidy(out)
    return finished


def tidy(out: Path) -> None:
    """Remove what killed processes have left half-written."""
    for name in FOLDERS:
        atomic.remove_unfinished(out / name)


def _strangers(out: Path, plan_path: Path) -> list[str]:
    """What lies in a folder, except the plan and what a run leaves that was stopped before its journal began."""
    ours = {"plan.jsonl.part", f"{JOURNAL}.part"}
    copy = out / "plan.jsonl"
    if copy.is_file() and atomic.sha256(copy) == atomic.sha256(plan_path):
        ours.add(copy.name)
    return sorted(
        path.name for path in out.iterdir() if path.name not in ours and path.resolve() != plan_path.resolve()
    )


def _clear(out: Path, plan_path: Path) -> bool:
    """Remove a dataset, and nothing else, from a folder; whether it held one. What tells so goes last."""
    if not any((out / name).exists() for name in (JOURNAL, "dataset.json")):
        return False
    for name in FOLDERS:
        shutil.rmtree(out / name, ignore_errors=True)
    for name in FILES:
        if (out / name).resolve() != plan_path.resolve():
            (out / name).unlink(missing_ok=True)
    return True


_Row = namedtuple("_Row", Mixture.model_fields)
_File = namedtuple("_File", StoredFile.model_fields)


class Scenes(Sequence[Rendered]):
    """The rendered scenes of a run in the order of its plan, each read from the journal when it is asked for. Rows
    are plain tuples with the records' names: they were checked when they were made."""

    def __init__(self, kept: journal.Journal, numbers: Sequence[int]) -> None:
        self._kept, self._numbers = kept, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        entry = self._kept[self._numbers[index]]
        rows, stored = ([kind(**row) for row in entry[key]] for kind, key in ((_Row, "rows"), (_File, "files")))
        return Rendered(entry["scene_id"], rows, stored)


def entry_of(rendered: Rendered) -> dict[str, Any]:
    return {
        "scene_id": rendered.scene_id,
        "rows": [row.model_dump(mode="json") for row in rendered.rows],
        "files": [row.model_dump(mode="json") for row in rendered.files],
    }


def from_entries(entries: list[journal.Entry], path: Path) -> list[Rendered]:
    """Back from the journal at ``path``. Raises InputError where it is damaged."""
    return [Rendered(one.scene_id, one.rows, one.files) for one in journal.checked(_Entry, entries, path)]


def _from_tables(there: dataset.Dataset) -> list[Rendered]:
    scenes: dict[str, Rendered] = {}
    for row in there.mixtures:
        scenes.setdefault(row.scene_id, Rendered(row.scene_id)).rows.append(row)
    for file in there.files:
        scenes[Path(file.path).stem].files.append(file)
    return list(scenes.values())


def intact(out: Path, rendered: Rendered) -> bool:
    return all(
        os.path.isfile(path := out / row.path)  # also where it is too long for one
        and path.stat().st_size == row.num_bytes
        and atomic.sha256(path) == row.sha256
        for row in rendered.files
    )


def finish(
    out: Path,
    scenario: Scenario | Imported,
    identity: dict[str, Any],
    done: Sequence[Rendered],
    problems: list[Problem],
    planned: int,
    timings: dict[str, float],
) -> str:
    """Write the tables and the description; the dataset's fingerprint. Of ``done`` one scene at a time is looked
    at, since there may be a million."""
    csv_tables.write_table(out / "mixtures.csv", Mixture, _Rows(done))
    csv_tables.write_table(out / "files.csv", StoredFile, _by_path(done, out, ending="."))
    tables = ["mixtures.csv", "files.csv"]
    if problems:
        csv_tables.write_table(out / QUARANTINE, Problem, problems)
        tables.append(QUARANTINE)
    else:
        (out / QUARANTINE).unlink(missing_ok=True)
    mark = dataset.fingerprint(identity["plan_sha256"], _by_path(done, out), ordered=True)
    description = {
        "schema": SCHEMA,
        "kind": "pse-bench dataset",
        "name": scenario.name,
        "version": scenario.version,
        "reference": scenario.reference,
        "sample_rate": scenario.sample_rate,
        "format": identity["format"],
        "plan_sha256": identity["plan_sha256"],
        "fingerprint": mark,
        "planned_scenes": planned,
        "scenes": len(done),
        "mixtures": sum(len(scene.rows) for scene in done),
        "complete": not problems,
        "tables": {name: atomic.sha256(out / name) for name in tables},
        "versions": identity["versions"],
        "timings_s": timings,
    }
    atomic.write_sealed(out / "dataset.json", description)
    # From here on the tables tell what is there.
    (out / JOURNAL).unlink(missing_ok=True)
    return mark


@dataclass(frozen=True)
class _Rows:
    """The rows of ``mixtures.csv``, as often as they are asked for."""

    done: Sequence[Rendered]

    def __iter__(self) -> Iterator[Mixture]:
        return (row for scene in self.done for row in scene.rows)


def _by_path(done: Sequence[Rendered], out: Path, ending: str = "") -> Iterator[StoredFile]:
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
                    piles[folder] = stack.enter_context(
                        SpooledTemporaryFile(IN_MEMORY, "w+", encoding="utf-8", newline="\n", dir=out)
                    )
                piles[folder].write(json.dumps([getattr(file, name) for name in _File._fields]) + "\n")
        for folder in sorted(piles):
            piles[folder].seek(0)
            for line in piles[folder]:
                yield _File(*json.loads(line))


def merged(out: Path, found: list[resume.Part]) -> Report:
    """Make the shares in a folder the dataset that one run would have made there; timings are summed.

    Interrupted, it is run again. Args: the output and what ``parts.gather`` found in it.

    Raises:
        InputError: the shares are not the whole of the plan.
    """
    with locks.locked(out, "merge"):
        plan_path = found[0].folder / "plan.jsonl"
        scenario, _, recipes = plan.read(plan_path)
        order = {recipe.scene_id: number for number, recipe in enumerate(recipes)}
        own = [resume.own(part, _Own) for part in found]
        problems = [problem for one in own for problem in one.problems]
        made = {part.folder: from_entries(part.entries, part.folder / JOURNAL) for part in found}
        failed = {
            part.folder: [problem.scene_id for problem in one.problems]
            for part, one in zip(found, own, strict=True)
        }

        def names(part: resume.Part) -> list[str]:
            return [*(scene.scene_id for scene in made[part.folder]), *failed[part.folder]]

        resume.check_whole(found, names, list(order))
        ordered = []
        for part in found:
            for scene in sorted(made[part.folder], key=lambda scene: order[scene.scene_id]):
                for row in scene.files:
                    resume.move(part, row.path, out)
                ordered.append(scene)
        with atomic.replacing(out / "plan.jsonl") as copy:
            shutil.copyfile(plan_path, copy)
        timings = {
            stage: round(sum(one.timings_s.get(stage, 0.0) for one in own), 3) for stage in own[0].timings_s
        }
        identity = resume.identity(found[0], _Identity)
        mark = finish(out, scenario, identity, ordered, problems, len(order), timings)
        resume.remove(found)
    return Report(out, len(ordered), sum(len(scene.rows) for scene in ordered), problems, mark)
