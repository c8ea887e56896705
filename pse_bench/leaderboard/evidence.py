"""What is kept of a result beside a board, from which its row can be computed again.

``<board>/results/<system>/`` has the ``result.json`` and ``summary.csv`` of the result, its ``scores.csv`` (and
``detections.csv``, ``hypotheses.csv``) compressed, what was said when it was added (``row.json``), and what the
order of the board needs: the sums of every target speaker (``speakers.csv``). ``<board>/mixtures.csv.xz`` belongs
to all of them. Rows that earlier versions wrote have the first two alone.
"""

import lzma
import re
import shutil
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
from pydantic import Field

from pse_bench.errors import InputError
from pse_bench.io import atomic, documents, tables
from pse_bench.leaderboard import ranking
from pse_bench.leaderboard.ranking import LOST, NET
from pse_bench.schemas import Summary
from pse_bench.scoring import hypotheses, pvad, scenarios
from pse_bench.scoring.cells import Cell
from pse_bench.scoring.results import Result, about_of
from pse_bench.scoring.statistics import clusters_of
from pse_bench.scoring.summary import Scores

Kind = Literal["reference", "baseline", "submission", "control"]
Evidence = Literal["self-reported", "rescored", "blind", "reproduced"]
COMPRESSED = ("scores.csv", pvad.FILE, hypotheses.FILE)
"""Tables of a result that are kept with its row, as far as it has them."""
MIXTURES, SPEAKERS, STATED = "mixtures.csv", "speakers.csv", "row.json"
SUFFIX = ".xz"
MOST_BYTES = 1 << 30  # of a table that is unpacked


class Stated(documents.Record):
    """``row.json``: what whoever added a row said of it, as far as it does not follow from the result."""

    kind: Kind
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$")
    rtf: float | None = None
    evidence: Evidence = "self-reported"
    trained_on: str | None = None
    tuned_on: str | None = None
    licence: str | None = None
    latency_class: str | None = None
    rtf_cpu: float | None = None
    parameters: int | None = None


class SpeakerSum(documents.Record):
    """A row of ``speakers.csv``: numerator and denominator of a figure over the clips of a target speaker. Of one
    in dB, which is net, these are its sum over clips and their number."""

    target_speaker: str
    figure: str
    numerator: float
    denominator: float


def folder_of(board: Path, name: str, result_sha256: str) -> Path:
    """The folder of what is kept of a row's result."""
    slug = re.sub(r"[^a-z0-9.]+", "-", name.lower()).strip("-.")
    return board.with_suffix("") / "results" / f"{slug}-{result_sha256[:8]}"


def mixtures_of(board: Path) -> Path:
    """The one table of mixtures of a board."""
    return board.with_suffix("") / f"{MIXTURES}{SUFFIX}"


def keep(board: Path, folder: Path, result: Result, stated: Stated, sums: list[SpeakerSum]) -> None:
    """Keep a result in the folder of its row, with its ``speaker_sums``. The same content gives the same bytes."""
    for name in ("summary.csv", "result.json"):
        with atomic.replacing(folder / name) as part:
            shutil.copyfile(result.folder / name, part)
    for name in COMPRESSED:
        if (result.folder / name).is_file():
            _pack(result.folder / name, folder / f"{name}{SUFFIX}")
    if not mixtures_of(board).exists():
        _pack(result.folder / MIXTURES, mixtures_of(board))
    tables.write_table(folder / SPEAKERS, SpeakerSum, sums)
    atomic.write_sealed(folder / STATED, stated.model_dump(exclude_none=True))


def _pack(source: Path, path: Path) -> None:
    atomic.write_bytes(path, lzma.compress(source.read_bytes(), preset=9))


def has_scores(folder: Path) -> bool:
    """Whether the scores of a row are kept: earlier versions did not."""
    return (folder / STATED).is_file()


@dataclass(frozen=True)
class Kept:
    """What is kept of a row: the result that its scores give, said to be of its own folder, and the sums of its
    speakers."""

    result: Result
    sums: list[SpeakerSum]


def opened(board: Path, folder: Path) -> Kept:
    """What is kept of a row, computed from its scores. Raises InputError when something is missing or was
    changed, or word errors are not those of the words that are kept."""
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as private:
        result, scores = unpacked(board, folder, Path(private))
        if told := hypotheses.differences(result.folder, scores):
            raise InputError(told[0].replace(private, str(folder)))
        return Kept(replace(result, folder=folder), speaker_sums(scores))


def unpacked(board: Path, folder: Path, into: Path) -> tuple[Result, Scores]:
    """The result of a row as it was scored, in a folder of its own, and its scores. Raises InputError when
    something is missing or was changed."""
    for name in ("summary.csv", "result.json"):
        if (folder / name).is_file():
            shutil.copyfile(folder / name, into / name)
    packed = {name: folder / f"{name}{SUFFIX}" for name in COMPRESSED} | {MIXTURES: mixtures_of(board)}
    for name, path in packed.items():
        if path.is_file():
            _unpack(path, into / name)
    try:
        result, scores = Result.with_scores(into)
        return result.require_sealed(), scores
    except InputError as error:
        told = str(error).replace(str(into / MIXTURES), str(mixtures_of(board)))
        raise InputError(told.replace(str(into), str(folder))) from error


def _unpack(packed: Path, path: Path) -> None:
    reader = lzma.LZMADecompressor(memlimit=MOST_BYTES)
    try:
        path.write_bytes(reader.decompress(packed.read_bytes(), MOST_BYTES))
    except (lzma.LZMAError, EOFError) as error:
        raise InputError(f"{packed}: damaged ({error}); restore it") from error
    if not reader.eof:
        raise InputError(f"{packed}: damaged (it ends too early, or is beyond all measure); restore it")


def summarised(folder: Path, name: str, result_sha256: str) -> Result:
    """The result that a row was made from, as its ``summary.csv`` tells it, without scores. Raises InputError when
    it is not what the row was made from."""
    summary = folder / "summary.csv"
    check_kept(folder / "result.json", result_sha256, name)
    about = about_of(folder / "result.json")
    # what earlier versions scored says nothing of it; then its figures are held against the row alone
    if expected := about.get("summary_sha256"):
        check_kept(summary, expected, name)
    return Result(folder, about, tables.read_table(summary, Summary))


def check_kept(path: Path, sha256: str, name: str) -> None:
    """Refuse what is not the file that a row was made from. Raises InputError."""
    if not path.is_file() or atomic.sha256(path) != sha256:
        raise InputError(f"{path}: missing or changed since {name} was added; restore it")


def stated_in(folder: Path) -> Stated:
    """What was said of a row of which ``has_scores``. Raises InputError when it was changed."""
    path = folder / STATED
    content = documents.read_json(path)
    if not isinstance(content, dict) or not atomic.sealed(content, path):
        raise InputError(f"{path}: not sealed, so not what leaderboard add wrote; restore it")
    return documents.parse(Stated, {key: content[key] for key in content if key != atomic.SEAL}, str(path))


# ---- the sums of speakers


def speaker_sums(scores: Scores) -> list[SpeakerSum]:
    """The sums of the figures that order a board, of every target speaker, in the order of their names."""
    people = sorted({row.target_speaker for row in scores.mixtures.values()})
    number = {person: place for place, person in enumerate(people)}
    given = {f"{label}.{one.metric.name}": (one, cell) for label, one, cell in scores.aggregates()}
    found = {name: np.zeros((len(people), 2)) for name in ranking.criteria(given)}
    for place, (name, sums) in enumerate(found.items()):
        one, cell = given[name]
        if (net := place >= len(LOST)) and name != NET:
            label, metric = name.split(".")
            cell = scenarios.net_leakage(scores.cells, scores.mixtures, scores.losses, (label, metric))
        counted = Cell.of(cell).counted
        pairs = _levels(counted) if net else one.pairs(counted)
        speakers = [number[scores.mixtures[clip].target_speaker] for clip in counted.names]
        np.add.at(sums, speakers, pairs)
    told = {name: sums.tolist() for name, sums in found.items()}
    return [
        SpeakerSum(target_speaker=person, figure=name, numerator=sums[number][0], denominator=sums[number][1])
        for number, person in enumerate(people)
        for name, sums in told.items()
    ]


def _levels(scores: Cell) -> np.ndarray:
    """Pairs that give the mean of their levels in dB."""
    return np.stack([scores.values, np.ones(len(scores))], axis=-1)


def sums_in(folder: Path) -> list[SpeakerSum]:
    """The sums that are kept with a row; none for one of an earlier version. Raises InputError when damaged."""
    path = folder / SPEAKERS
    return tables.read_table(path, SpeakerSum) if path.is_file() else []


def as_array(rows: list[SpeakerSum], where: Path) -> np.ndarray | None:
    """Sums of shape (speakers, figures, 2), in the order of names and of the criteria; None where there are none.
    Raises InputError when one is missing."""
    if not rows:
        return None
    numbers = clusters_of([row.target_speaker for row in rows])
    wanted = ranking.criteria({row.figure for row in rows})
    found = np.full((int(numbers.max()) + 1, len(wanted), 2), np.nan)
    for number, row in zip(numbers, rows, strict=True):
        if row.figure in wanted:
            found[number, wanted.index(row.figure)] = row.numerator, row.denominator
    if np.isnan(found).any():
        raise InputError(f"{where}: lacks sums of a speaker; restore it")
    return found
