"""The file of a leaderboard: a CSV with a row a system, beside it what each row was made from; and its print.

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
from pse_bench.io.tables import Grid, printed
from pse_bench.leaderboard.ranking import CRITERIA, LEAKAGE, LOSS, NEEDED, OVER_SUPPRESSION
from pse_bench.schemas import TABLES, Sha256, Summary
from pse_bench.scoring import figures
from pse_bench.scoring.figures import DECIMALS
from pse_bench.scoring.results import Result, about_of

Kind = Literal["reference", "baseline", "submission", "control"]
COLUMN = re.compile(r"(TS[123]|all)\.([a-z0-9_]+?)(_low|_high)?")
"""Scenario, figure, and which end of its interval."""

ENDS = ("", "_low", "_high")
"""How the columns of a figure and of the ends of its interval end."""
FOOT = (
    f"order: mean rank over {', '.join(CRITERIA)}, leakage only as far as it exceeds {LOSS}; who removes nothing "
    "stands last",
    f"front: no other system is better in {OVER_SUPPRESSION} and {LEAKAGE} at once (references among themselves)",
)


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
    rank: int | None = Field(None, description="place; empty for controls")
    mean_rank: float | None = Field(None, description="mean rank over the five figures that order the board")
    pareto: bool = Field(
        False,
        description="whether no system is better in both over-suppression in TS2 and leakage reduction in TS3",
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
        return {column: self.cells[column] for column in NEEDED if column in self.cells}


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
        for end, value in zip(ENDS, (row.value, row.ci_low, row.ci_high), strict=True):
            if value is not None:
                cells[f"{row.scenario}.{row.metric}{end}"] = round(value, DECIMALS) + 0.0  # no -0.0
    return Row(entry, cells)


def evidence_folder(board: Path, entry: Entry) -> Path:
    """The folder of the ``result.json`` and ``summary.csv`` that a row was made from."""
    slug = re.sub(r"[^a-z0-9.]+", "-", entry.name.lower()).strip("-.")
    return board.with_suffix("") / "results" / f"{slug}-{entry.result_sha256[:8]}"


def evidence(board: Path, entry: Entry) -> Result:
    """The result that a row was made from. Raises InputError when it is not what the row was made from."""
    folder = evidence_folder(board, entry)
    summary = folder / "summary.csv"
    _check_kept(folder / "result.json", entry.result_sha256, entry)
    about = about_of(folder / "result.json")
    # what earlier versions scored says nothing of it; then its figures are held against the row alone
    if expected := about.get("summary_sha256"):
        _check_kept(summary, expected, entry)
    return Result(folder, about, tables.read_table(summary, Summary))


def _check_kept(path: Path, sha256: str, entry: Entry) -> None:
    if not path.is_file() or atomic.sha256(path) != sha256:
        raise InputError(f"{path}: missing or changed since {entry.name} was added; restore it")


# ---- the CSV


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
    for column in NEEDED:
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


# ---- shown


def by_column(rows: Sequence[Row], column: str) -> list[Row]:
    """Rows ordered by a column, the best figure first; rows without a value last. Raises InputError when no row
    has such a column."""

    def value(row: Row) -> Any:
        return getattr(row.entry, column) if column in Entry.model_fields else row.cells.get(column)

    given = [row for row in rows if value(row) is not None]
    if not given and column not in Entry.model_fields:
        names = dict.fromkeys(name for row in rows for name in row.cells if not name.endswith(("_low", "_high")))
        raise InputError(f"no column {column!r}; there are {', '.join([*Entry.model_fields, *names])}")
    ordered = sorted(given, key=value, reverse=_higher_is_better(column))
    return [*ordered, *(row for row in rows if value(row) is None)]


def _higher_is_better(column: str) -> bool:
    match = COLUMN.fullmatch(column)
    return match is not None and match[2] in metrics.REGISTRY and metrics.REGISTRY[match[2]].higher_is_better


def text(
    board: Path,
    rows: Sequence[Row],
    form: str = "terminal",
    beside: str = "",
    *,
    asked: Sequence[str] | None = None,
    everything: bool = False,
    intervals: bool = True,
    width: int | None = None,
) -> str:
    """The board as text.

    Args:
        form: terminal, markdown, latex, or csv with every column.
        beside: a figure that is shown beside the others.
        asked: the figures to show; the headline ones by default.
        everything: show every figure.
        intervals: whether intervals are shown.
        width: of the terminal, unless told.

    Raises InputError when there is no such figure.
    """
    if form == "csv":
        return text_of(rows).rstrip("\n")
    there = dict.fromkeys(name for row in rows for name in row.cells if not name.endswith(ENDS[1:]))
    first = figures.named(asked, there) if asked else figures.headline(there)
    shown = list(there) if everything else [*first, *([beside] if beside in there and beside not in first else [])]
    head = ["rank", "system", "kind", "mean rank", "front", *map(_label, shown)]
    lines = [
        [
            "" if row.entry.rank is None else str(row.entry.rank),
            "".join(c if c.isprintable() else " " for c in row.entry.name),
            row.entry.kind,
            "" if row.entry.mean_rank is None else f"{row.entry.mean_rank:.1f}",
            "●" if row.entry.pareto else "",
            *(_cell(row, column, intervals) for column in shown),
        ]
        for row in rows
    ]
    foot = [*FOOT, f"{'value [95 % interval over target speakers]; ' if intervals else ''}↑ higher is better"]
    if not asked and len(shown) < len(there):
        foot.append(f"{len(shown)} of {len(there)} figures; {figures.OTHERS}")
    grid = Grid(board.stem, head, lines, "rllrc" + "r" * len(shown), keys=2)
    return printed(form, [grid], foot, width)


def _label(column: str) -> str:
    metric = metrics.REGISTRY.get(column.partition(".")[2])
    return figures.labelled(column, metric.unit, metric.higher_is_better) if metric else column


def _cell(row: Row, column: str, intervals: bool) -> str:
    metric = metrics.REGISTRY.get(column.partition(".")[2])
    value, low, high = (row.cells.get(f"{column}{end}") for end in ENDS)
    pieces = figures.in_pieces(value, low, high, metric.unit if metric else "")
    return "\n".join(filter(None, pieces if intervals else pieces[:1]))
