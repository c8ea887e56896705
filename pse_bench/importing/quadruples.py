"""Published outputs as they are: mixtures, references, enrollments and estimates as a dataset and a submission.

A table has a line for each output, CSV or JSON lines. ``mixture``, ``reference``, ``enrollment`` and ``estimate``
are files below a folder; the reference is empty where the target is silent, and the line is one of TS3. Others may
be there: ``id`` names the scene, ``interferer`` is the file of the others alone, ``speaker``, ``text``,
``interferer_speaker`` and ``interferer_text`` tell who says what, and ``scenario`` is TS1 where nobody else talks.
"""

import shutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.importing import recordings
from pse_bench.io import atomic, audio, documents, tables
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update, no_progress
from pse_bench.schemas import Enrollment, Recipe
from pse_bench.submission import submission
from pse_bench.submission.adoption import ending_of

UNKNOWN = "unknown"
"""A speaker who is not told. Intervals are over speakers, so among these there is none."""
MOST_S = 0.5
"""How far the length of an estimate may be from that of its mixture where it may be fitted."""


class Quadruple(documents.Record):
    """A line of the table."""

    optional_columns: ClassVar[tuple[str, ...]] = (
        *("id", "interferer", "scenario", "speaker", "interferer_speaker", "text", "interferer_text"),
    )

    mixture: str = Field(min_length=1)
    reference: str
    enrollment: str = Field(min_length=1)
    estimate: str = Field(min_length=1)
    id: str = ""
    interferer: str = ""
    scenario: Literal["", "TS1", "TS2", "TS3"] = ""
    speaker: str = UNKNOWN
    interferer_speaker: str = UNKNOWN
    text: str = ""
    interferer_text: str = ""

    @property
    def label(self) -> Literal["TS1", "TS2", "TS3"]:
        """The scenario: where it is not told, TS3 without a reference, else TS2."""
        return self.scenario or ("TS2" if self.reference else "TS3")

    @property
    def scene_id(self) -> str:
        """The scene's name, by default that of the mixture's file."""
        return recordings.scene_name(self.id or PurePosixPath(self.mixture).stem)

    @property
    def sounds(self) -> list[str]:
        """The files that become the dataset."""
        return [path for path in (self.mixture, self.reference, self.enrollment, self.interferer) if path]


@dataclass(frozen=True)
class Listed:
    """A line, with its place for errors."""

    where: str
    row: Quadruple


def read_table(path: Path) -> list[Listed]:
    """The lines of a table, JSON lines where its name ends in .jsonl. Raises InputError when it is none, a
    scenario contradicts its files, or two lines have one scene."""
    rows = list(_json_lines(path) if path.suffix.lower() in (".jsonl", ".json") else _csv(path))
    if not rows:
        raise InputError(f"{path}: lists no outputs; give a line for each")
    known: dict[str, str] = {}
    for where, row in ((one.where, one.row) for one in rows):
        if bool(row.reference) != (row.label != "TS3"):
            expected = "no reference" if row.label == "TS3" else "a reference"
            raise InputError(
                f"{where}: {row.label} has {expected}, found {row.reference!r}; correct one of the two"
            )
        if row.label == "TS1" and row.interferer:
            raise InputError(f"{where}: TS1 has no interferer, found {row.interferer!r}; correct either")
        if row.scene_id in known:
            raise InputError(
                f"{where}: scene {row.scene_id} is that of {known[row.scene_id]}, too; give lines an id"
            )
        known[row.scene_id] = where
    return rows


def _csv(path: Path) -> Iterator[Listed]:
    rows = tables.read_table(path, Quadruple)
    places = [where for where, _ in tables.csv_lines(documents.read_text(path), path)][1:]
    return (Listed(where, row) for where, row in zip(places, rows, strict=True))


def _json_lines(path: Path) -> Iterator[Listed]:
    for number, line in enumerate(documents.read_text(path).splitlines(), 1):
        if line.strip():
            where = f"{path}:{number}"
            yield Listed(where, documents.parse(Quadruple, documents.parse_json(line, where), where))


def read(
    path: Path, root: Path, *, fit: bool = False, executor: Executor, progress: Update = no_progress
) -> tuple[list[Recipe], list[Listed]]:
    """The scenes of a table whose files lie below ``root``, and its lines, in order.

    Args:
        fit: let estimates be longer or shorter than their mixtures by up to ``MOST_S``.

    Raises:
        InputError: the table or one of its files cannot be used, rates differ, or lengths within a line.
    """
    rows = read_table(path)
    for one in rows:
        for name in (*one.row.sounds, one.row.estimate):
            if PurePosixPath(name).is_absolute():
                raise InputError(f"{one.where}: {name}: expected a path below {root}; give its folder as --audio")
            if not (root / name).is_file():
                raise InputError(f"{one.where}: {name}: no such file below {root}; correct the path")
    sounds = [name for one in rows for name in one.row.sounds]
    clips, rate = recordings.clips_of(root, sounds, executor=executor, progress=progress)
    return [_scene(one, root, clips, rate, fit) for one in rows], rows


def _scene(one: Listed, root: Path, clips: recordings.Clips, rate: int, fit: bool) -> Recipe:
    row, length = one.row, clips[one.row.mixture].num_samples
    for name in filter(None, (row.reference, row.interferer)):
        if clips[name].num_samples != length:
            found = f"{clips[name].num_samples} samples, {row.mixture} has {length}"
            raise InputError(f"{one.where}: {name}: {found}; a line's sounds must be aligned")
    _check_estimate(one, root, length, rate, MOST_S if fit else 0.0)

    def whole(name: str) -> list[Any]:
        return [recordings.stretch(clips[name], 0, clips[name].num_samples)] if name else []

    others = [recordings.talker(row.interferer_speaker or UNKNOWN, whole(row.interferer), row.interferer_text)]
    enrolled = whole(row.enrollment)
    return recordings.recipe(
        row.scene_id,
        row.label,
        rate,
        *whole(row.mixture),
        target=recordings.talker(row.speaker or UNKNOWN, whole(row.reference), row.text),
        interferers=[] if row.label == "TS1" else others,
        stems=[who for who, name in (("target", row.reference), ("interferer", row.interferer)) if name],
        enrollment=Enrollment(
            condition="recorded", segments=enrolled, num_samples=enrolled[0].num_samples, noise=None, snr_db=None
        ),
    )


def _check_estimate(one: Listed, root: Path, length: int, rate: int, most_s: float) -> None:
    path = root / one.row.estimate
    header = audio.info(path)
    faults = {
        f"{header.sample_rate} Hz, the mixture has {rate} Hz; resample it": header.sample_rate != rate,
        f"{header.channels} channels, expected 1; take one": header.channels != 1,
        f"{header.num_samples} samples, the mixture has {length}; keep its length"
        f"{'' if most_s else ', or give --fit'}": abs(header.num_samples - length) > most_s * rate,
        f"stored as {header.subtype}, expected 16 or 24 bit PCM or float": header.subtype
        not in submission.SUBTYPES,
        "expected FLAC or WAV; store it again": not ending_of(path),
    }
    if fault := next((fault for fault, holds in faults.items() if holds), ""):
        raise InputError(f"{one.where}: estimate {one.row.estimate}: {fault}")


def submit(
    dataset: Dataset, rows: Sequence[Listed], root: Path, out: Path, fields: Mapping[str, Any], name: str
) -> None:
    """Copy the estimates to a submission beside the dataset, byte for byte, and describe it by ``fields``. One of
    another length than its mixture is cut, or padded with zeros, at its end."""
    scenes = {one.row.scene_id: one.row for one in rows}
    for mixture in dataset.mixtures:
        path = root / scenes[mixture.scene_id].estimate
        if audio.info(path).num_samples != mixture.num_samples:
            samples = np.zeros(mixture.num_samples)
            heard = audio.read(path)[0][: len(samples)]
            samples[: len(heard)] = heard
            submission.write_estimate(out, mixture, samples)
            continue
        with atomic.replacing(out / f"{submission.estimate_name(mixture)}{ending_of(path)}") as part:
            shutil.copyfile(path, part)
    known = {"name": name, "dataset_fingerprint": dataset.description.fingerprint, **fields}
    submission.write_system(out, submission.System(**known))
