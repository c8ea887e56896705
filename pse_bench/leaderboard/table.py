"""The file of a leaderboard: a CSV with a row a system, and beside it what each row was made from.

``<name>-v<version>.csv`` is the board of that dataset. ``<name>-v<version>/results/<system>/`` keeps the
``result.json`` and ``summary.csv`` behind each row, from which the board can be computed again.
"""

import io
import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from pse_bench import metrics
from pse_bench.errors import InputError
from pse_bench.io import atomic, documents, tables
from pse_bench.leaderboard import ranking
from pse_bench.schemas import TABLES, Sha256, Summary
from pse_bench.scoring.results import Result, about_of

Kind = Literal["reference", "baseline", "submission", "control"]
COLUMN = re.compile(r"(TS[123]|all)\.([a-z0-9_]+?)(_low|_high)?")
"""Scenario, figure, and which end of its interval."""

DECIMALS = 4


@dataclass(frozen=True)
class FromResult:
    """How a fixed column follows from a result, by which a board can be verified."""

    read: Callable[[Result], Any]


def _of_system(key: str) -> FromResult:
    """A column that is a key of ``system.yaml``."""
    return FromResult(lambda result: result.about["system"].get(key))


class Entry(documents.Record):
    """The fixed columns of a row; after them come ``<scenario>.<metric>`` and its ``_low`` and ``_high``."""

    # A column is declared here alone, with its meaning and how it follows from a result. One that is new has a
    # default, too: boards from before are read, verified and written without it.
    system: Annotated[str, FromResult(lambda result: result.system), Field(description="name of the system")]
    version: Annotated[
        str,
        FromResult(lambda result: result.about["system"].get("version") or ""),
        Field(description="the system's"),
    ]
    kind: Annotated[Kind, Field(description="reference, baseline, submission or control")]
    date: Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$", description="of the row")]
    causal: Annotated[
        bool | None,
        _of_system("causal"),
        Field(description="whether the output never depends on later input than the latency allows"),
    ]
    latency_ms: Annotated[
        float | None, _of_system("algorithmic_latency_ms"), Field(description="algorithmic latency")
    ]
    parameters: Annotated[int | None, _of_system("parameters"), Field(description="number of trained parameters")]
    rtf: Annotated[float | None, Field(description="real-time factor on one thread")]
    dataset_fingerprint: Annotated[
        Sha256,
        FromResult(lambda result: result.about["dataset_fingerprint"]),
        Field(description="of the dataset that the audio belongs to; it is scored against no other"),
    ]
    result_sha256: Annotated[
        Sha256,
        FromResult(lambda result: atomic.sha256(result.folder / "result.json")),
        Field(description="of what is kept of the result"),
    ]
    rank: Annotated[int | None, Field(description="place; empty for controls")] = None
    mean_rank: Annotated[
        float | None, Field(description="mean rank over the five figures that order the board")
    ] = None
    pareto: Annotated[
        bool,
        Field(
            description="whether no system is better in both over-suppression in TS2 and leakage reduction in TS3"
        ),
    ] = False

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
        return {column: self.cells[column] for column in ranking.NEEDED if column in self.cells}


FROM_RESULT: dict[str, FromResult] = {
    name: mark
    for name, field in Entry.model_fields.items()
    for mark in field.metadata
    if isinstance(mark, FromResult)
}
OPTIONAL = tuple(name for name in FROM_RESULT if not Entry.model_fields[name].is_required())
"""Columns that an older board lacks."""


def row_of(result: Result, *, kind: Kind, date: str, rtf: float | None) -> Row:
    """The row of a result, without a rank. Raises InputError when the result says something that cannot be."""
    found = {name: mark.read(result) for name, mark in FROM_RESULT.items()}
    found = {name: value for name, value in found.items() if value is not None or name not in OPTIONAL}
    where = str(result.folder / "result.json")
    entry = documents.parse(Entry, {**found, "kind": kind, "date": date, "rtf": rtf}, where)
    cells: dict[str, float] = {}
    for row in result.summaries:
        column = f"{row.scenario}.{row.metric}"
        for name, value in ((column, row.value), (f"{column}_low", row.ci_low), (f"{column}_high", row.ci_high)):
            if value is not None:
                cells[name] = round(value, DECIMALS) + 0.0  # no -0.0
    return Row(entry, cells)


def evidence_folder(board: Path, entry: Entry) -> Path:
    """The folder of the ``result.json`` and ``summary.csv`` that a row was made from."""
    slug = re.sub(r"[^a-z0-9.]+", "-", entry.name.lower()).strip("-.")
    return board.with_suffix("") / "results" / f"{slug}-{entry.result_sha256[:8]}"


def evidence(board: Path, entry: Entry) -> Result:
    """The result that a row was made from. Raises InputError when it is not what the row was made from."""
    folder = evidence_folder(board, entry)
    path = folder / "result.json"
    if not path.is_file() or atomic.sha256(path) != entry.result_sha256:
        raise InputError(f"{path}: missing or changed since {entry.name} was added; restore it")
    about = about_of(path)
    summary = folder / "summary.csv"
    # what earlier versions scored says nothing of it; then its figures are held against the row alone
    expected = about.get("summary_sha256")
    if expected and (not summary.is_file() or atomic.sha256(summary) != expected):
        raise InputError(f"{summary}: missing or changed since {entry.name} was added; restore it")
    return Result(folder, about, tables.read_table(summary, Summary))


def read(board: Path) -> list[Row]:
    """The rows of a board. Raises InputError naming the line."""
    lines = tables.csv_lines(documents.read_text(board), board)
    _, header = next(lines)
    fixed = [name for name in header if name in Entry.model_fields]
    columns = [name for name in header if name not in Entry.model_fields]
    expected = [name for name in Entry.model_fields if name in fixed or name not in OPTIONAL]
    if fixed != expected or len(set(header)) != len(header):
        raise InputError(f"{board}: expected the columns {', '.join(Entry.model_fields)}, then figures")
    for name in columns:
        if not COLUMN.fullmatch(name):
            raise InputError(f"{board}: unknown column {name!r}; figures are <scenario>.<metric>[_low|_high]")
    rows = [_parse(where, header, cells) for where, cells in lines]
    for name, times in Counter(row.entry.name for row in rows).items():
        if times > 1:
            raise InputError(f"{board}: {name} is there twice; keep one")
    return rows


class _Figure(documents.Record):
    value: float


def _parse(where: str, header: list[str], cells: list[str]) -> Row:
    content = dict(zip(header, cells, strict=True))
    fixed = {
        key: None if content[key] == "" and key not in ("system", "version") else content[key]
        for key in Entry.model_fields
        if key in content and (content[key] or key not in OPTIONAL)
    }
    entry = documents.parse(Entry, fixed, where, strict=False)
    figures = {
        key: documents.parse(_Figure, {"value": text}, f"{where}: {key}", strict=False).value if text else None
        for key, text in content.items()
        if key not in Entry.model_fields
    }
    row = Row(entry, {key: value for key, value in figures.items() if value is not None})
    for column in ranking.NEEDED:
        if column not in row.figures:
            raise InputError(f"{where}: {entry.name} has no {column}, which is ranked; add its result again")
    return row


def write(board: Path, rows: Sequence[Row]) -> None:
    """Write a whole board, rows as they are given, columns in the order of tables."""
    atomic.write_text(board, text_of(rows))


def text_of(rows: Sequence[Row]) -> str:
    """The CSV that ``write`` writes."""
    stream = io.StringIO()
    lines = tables.csv_writer(stream)
    columns = _columns(rows)
    given = {name for row in rows for name in row.entry.model_fields_set}
    fixed = [name for name in Entry.model_fields if name in given or name not in OPTIONAL]
    lines.writerow([*fixed, *columns])
    for row in rows:
        content = row.entry.model_dump(exclude=set(OPTIONAL) - row.entry.model_fields_set)
        values = [content.get(name) for name in fixed]
        values += [row.cells.get(column) for column in columns]
        lines.writerow([tables.cell(value) for value in values])
    return stream.getvalue()


def _columns(rows: Sequence[Row]) -> list[str]:
    """Columns that any row has, in the order of tables, each with its interval."""
    there = {column for row in rows for column in row.cells}
    names = [f"{label}.{name}" for label in TABLES for name in metrics.REGISTRY]
    known = [column for name in names for column in (name, f"{name}_low", f"{name}_high")]
    return [column for column in known if column in there] + sorted(there - set(known))
