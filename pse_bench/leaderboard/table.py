"""The file of a leaderboard: a CSV with a row a system, and ``pairs.csv``, which says who is told apart.

``<name>-v<version>.csv`` is the board of that dataset. What each row was made from lies in the folder of that
name, see ``evidence``, and so does ``pairs.csv``.
"""

import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from pse_bench import metrics
from pse_bench.errors import InputError
from pse_bench.io import atomic, documents, tables
from pse_bench.leaderboard import evidence as kept
from pse_bench.leaderboard import ranking
from pse_bench.leaderboard.evidence import Evidence, Kind, Stated
from pse_bench.leaderboard.ranking import EARLIER, NEEDED, REDUCTION, TAKES
from pse_bench.schemas import TABLES, Sha256
from pse_bench.scoring.figures import DECIMALS
from pse_bench.scoring.results import Result

COLUMN = re.compile(r"(TS[123]|all)\.([a-z0-9_]+?)(_low|_high)?")
"""Scenario, figure, and which end of its interval."""

ENDS = ("", "_low", "_high")
"""How the columns of a figure and of the ends of its interval end."""
PAIRS = "pairs.csv"


@dataclass(frozen=True)
class FromResult:
    """How a fixed column follows from a result, by which a board can be verified."""

    read: Callable[[Result], Any]


def _of_system(key: str) -> FromResult:
    """A column that is a key of ``system.yaml``."""
    return FromResult(lambda result: result.about["system"].get(key))


_VERSION = FromResult(lambda result: result.about["system"].get("version") or "")
_FINGERPRINT = FromResult(lambda result: result.about["dataset_fingerprint"])
_RESULT_SHA256 = FromResult(lambda result: atomic.sha256(result.folder / "result.json"))


class Entry(documents.Record):
    """The fixed columns of a row; after them come ``<scenario>.<metric>`` and its ``_low`` and ``_high``."""

    # A column is declared here alone, with its meaning and how it follows from a result. One that is new has a
    # default, too: boards from before are read, verified and written without it.
    system: Annotated[str, FromResult(lambda result: result.system)] = Field(description="name of the system")
    version: Annotated[str, _VERSION] = Field(description="the system's")
    kind: Kind = Field(description="reference, baseline, submission or control")
    date: str = Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="of the row")
    causal: Annotated[bool | None, _of_system("causal")] = Field(
        description="whether the output never depends on later input than the latency allows"
    )
    latency_ms: Annotated[float | None, _of_system("algorithmic_latency_ms")] = Field(
        description="algorithmic latency"
    )
    parameters: Annotated[int | None, _of_system("parameters")] = Field(description="number of trained parameters")
    rtf: float | None = Field(description="real-time factor on one thread")
    dataset_fingerprint: Annotated[Sha256, _FINGERPRINT] = Field(
        description="of the dataset that the audio belongs to; it is scored against no other"
    )
    result_sha256: Annotated[Sha256, _RESULT_SHA256] = Field(description="of what is kept of the result")
    rank: int | None = Field(None, description="place by net score; empty for references and controls")
    mean_rank: float | None = Field(None, description="empty: boards of earlier versions were ordered by it")
    pareto: bool = Field(
        False,
        description="whether no system is better in both over-suppression in TS2 and net leakage reduction in TS3",
    )
    net_score: float | None = Field(
        None,
        description="what orders the board, in %: what is kept of the target and taken from others, see `ranking`",
    )
    net_score_low: float | None = Field(None, description="lower end of its 95 % interval over target speakers")
    net_score_high: float | None = Field(None, description="upper end")
    rank_low: int | None = Field(None, description="the first rank it may have: behind all shown to be better")
    rank_high: int | None = Field(None, description="the last rank it may have: before all shown to be worse")
    evidence: Evidence | None = Field(
        None,
        description="self-reported; rescored by maintainers from the audio; blind: made from mixtures under "
        "anonymous names; reproduced: enhanced by maintainers, too",
    )
    trained_on: Annotated[str | None, _of_system("training_data")] = Field(
        None, description="data of the training"
    )
    tuned_on: Annotated[str | None, _of_system("tuned_on")] = Field(
        None, description="what settings were chosen on, as the development twin of the set"
    )
    licence: Annotated[str | None, _of_system("licence")] = Field(None, description="of code and weights")
    latency_class: str | None = Field(None, description="as `pse-bench system` measured it")
    rtf_cpu: float | None = Field(None, description="real-time factor in processor time")
    uses_enrollment: Annotated[bool | None, _of_system("uses_enrollment")] = Field(
        None, description="whether another enrollment changes the output"
    )
    constant_gain_db: Annotated[float | None, _of_system("constant_gain_db")] = Field(
        None, description="gain that the system gives everything"
    )

    @property
    def name(self) -> str:
        """System and version; no two rows of a board have the same."""
        return f"{self.system} {self.version}".strip()


@dataclass(frozen=True)
class Row:
    """A system on a board; ``cells`` by column, without those that are empty."""

    entry: Entry
    cells: dict[str, float]

    @property
    def figures(self) -> dict[str, float]:
        """The columns that are ranked, as far as they are there."""
        columns = dict.fromkeys((*NEEDED, *EARLIER, REDUCTION, *TAKES))
        return {column: self.cells[column] for column in columns if column in self.cells}


FROM_RESULT: dict[str, FromResult] = {
    name: mark
    for name, field in Entry.model_fields.items()
    for mark in field.metadata
    if isinstance(mark, FromResult)
}
ALWAYS = ("rank", "mean_rank", "pareto")
OPTIONAL = tuple(
    name for name, field in Entry.model_fields.items() if not field.is_required() and name not in ALWAYS
)
"""Columns that an older board lacks."""
STATED = tuple(name for name in Stated.model_fields if name in Entry.model_fields)
"""Columns that whoever adds a row may state."""


class PairRow(documents.Record):
    """A row of ``pairs.csv``: two ranked systems, the one with the higher net score first. No line depends on who
    else is on the board."""

    first: str
    second: str
    difference: float
    ci_low: float | None
    ci_high: float | None
    p: float
    told_apart: bool


def row_of(result: Result, said: Stated, sums: np.ndarray | None = None) -> Row:
    """The row of a result, without a rank. Raises InputError when the result says something that cannot be.

    Args:
        said: what was stated of it, which comes before what the result says.
        sums: those of its speakers, from which its net score has an interval.
    """
    found = {name: mark.read(result) for name, mark in FROM_RESULT.items()}
    found |= {"rtf": said.rtf} | {name: getattr(said, name) for name in STATED if name in said.model_fields_set}
    found = {name: value for name, value in found.items() if name not in OPTIONAL or value not in (None, "")}
    if sums is not None:
        score, interval = ranking.standing(sums)
        ends = zip(("net_score", "net_score_low", "net_score_high"), (score, *(interval or ())), strict=False)
        found |= {name: round(value, DECIMALS) for name, value in ends}
    entry = documents.parse(Entry, found, str(result.folder / "result.json"))
    cells: dict[str, float] = {}
    for row in result.summaries:
        for end, value in zip(ENDS, (row.value, row.ci_low, row.ci_high), strict=True):
            if value is not None:
                cells[f"{row.scenario}.{row.metric}{end}"] = round(value, DECIMALS) + 0.0  # no -0.0
    return Row(entry, cells)


def columns(rows: Iterable[Row]) -> set[str]:
    """The columns that any row of a board has."""
    return {name for row in rows for name in (*row.entry.model_fields_set, *row.cells)}


def name_of(result: Result) -> str:
    """The name of the row that a result becomes."""
    return f"{result.system} {result.about['system'].get('version') or ''}".strip()


def stated(board: Path, entry: Entry) -> Stated:
    """What was said of a row when it was added. Raises InputError when that was changed."""
    if kept.has_scores(folder := evidence_folder(board, entry)):
        return kept.stated_in(folder)
    given = {name: getattr(entry, name) for name in STATED if name not in FROM_RESULT}
    return Stated(**{name: value for name, value in given.items() if value is not None})


def evidence_folder(board: Path, entry: Entry) -> Path:
    """The folder of what a row was made from."""
    return kept.folder_of(board, entry.name, entry.result_sha256)


def pairs_of(board: Path) -> Path:
    """The file that says who is told apart."""
    return board.with_suffix("") / PAIRS


def evidence(board: Path, entry: Entry) -> Result:
    """The result that a row was made from, without its scores. Raises InputError when it is not what the row was
    made from."""
    return kept.summarised(evidence_folder(board, entry), entry.name, entry.result_sha256)


# ---- the CSV files


def read_pairs(board: Path) -> list[PairRow]:
    """Who is told apart on a board; nobody on one of an earlier version. Raises InputError when it is damaged."""
    path = pairs_of(board)
    return tables.read_table(path, PairRow) if path.is_file() else []


def read(board: Path) -> list[Row]:
    """The rows of a board. Raises InputError naming the line."""
    lines = tables.csv_lines(documents.read_text(board), board)
    _, header = next(lines)
    fixed = [name for name in header if name in Entry.model_fields]
    expected = [name for name in Entry.model_fields if name in fixed or name not in OPTIONAL]
    if fixed != expected or len(set(header)) != len(header):
        raise InputError(f"{board}: expected the columns {', '.join(Entry.model_fields)}, then figures")
    for name in header:
        if name not in fixed and not COLUMN.fullmatch(name):
            raise InputError(f"{board}: unknown column {name!r}; figures are <scenario>.<metric>[_low|_high]")
    rows = [_parse(where, dict(zip(header, cells, strict=True))) for where, cells in lines]
    for name, times in Counter(row.entry.name for row in rows).items():
        if times > 1:
            raise InputError(f"{board}: {name} is there twice; keep one")
    return rows


class _Figure(documents.Record):
    value: float


def _parse(where: str, content: dict[str, str]) -> Row:
    fixed = {
        key: None if content[key] == "" and key not in ("system", "version") else content[key]
        for key in Entry.model_fields
        if key in content and (content[key] or key not in OPTIONAL)
    }
    entry = documents.parse(Entry, fixed, where, strict=False)
    figures = {
        key: documents.parse(_Figure, {"value": text}, f"{where}: {key}", strict=False).value
        for key, text in content.items()
        if text and key not in Entry.model_fields
    }
    needed = ranking.criteria(figures)
    for column in needed if needed == TAKES or ranking.NET in figures else EARLIER:
        if column not in figures:
            raise InputError(f"{where}: {entry.name} has no {column}, which is ranked; add its result again")
    return Row(entry, figures)


def text_of(rows: Sequence[Row]) -> str:
    """A whole board as CSV, rows as they are given; the columns that any row has in the order of tables."""
    there = {column for row in rows for column in row.cells}
    known = [f"{label}.{name}{end}" for label in TABLES for name in metrics.REGISTRY for end in ENDS]
    columns = [*(column for column in known if column in there), *sorted(there - set(known))]
    given = {name for row in rows for name in row.entry.model_fields_set}
    fixed = [name for name in Entry.model_fields if name in given or name not in OPTIONAL]
    stream = io.StringIO()
    lines = tables.csv_writer(stream)
    lines.writerow([*fixed, *columns])
    for row in rows:
        content = row.entry.model_dump(exclude=set(OPTIONAL) - row.entry.model_fields_set) | row.cells
        lines.writerow([tables.cell(content.get(name)) for name in (*fixed, *columns)])
    return stream.getvalue()
