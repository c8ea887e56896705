"""A leaderboard as text: for a terminal, in Markdown, as CSV."""

from collections.abc import Callable, Sequence
from pathlib import Path

from pse_bench import metrics
from pse_bench.errors import InputError
from pse_bench.io.text_table import Grid, for_terminal, in_markdown, literal
from pse_bench.leaderboard.ranking import CRITERIA, LEAKAGE, LOSS, OVER_SUPPRESSION
from pse_bench.leaderboard.table import COLUMN, Entry, Row, text_of

SHOWN = tuple(dict.fromkeys((*(column for criterion in CRITERIA for column in criterion.columns[:1]), LOSS)))
FOOT = (
    f"order: mean rank over {', '.join(criterion.name for criterion in CRITERIA)}, leakage only as far as it "
    f"exceeds {LOSS}; who removes nothing stands last",
    f"front: no other system is better in {OVER_SUPPRESSION} and {LEAKAGE} at once (references among themselves)",
    "value [95 % interval over target speakers]; ↑ higher is better",
)


def by_column(rows: Sequence[Row], column: str) -> list[Row]:
    """Rows ordered by a column, the best figure first; rows without a value last.

    Raises InputError when no row has such a column.
    """
    if column in Entry.model_fields:
        return sorted(rows, key=lambda row: _sortable(getattr(row.entry, column)))
    if not any(column in row.cells for row in rows):
        known = list(
            dict.fromkeys(name for row in rows for name in row.cells if not name.endswith(("_low", "_high")))
        )
        raise InputError(f"no column {column!r}; there are {', '.join([*Entry.model_fields, *known])}")
    sign = -1 if _higher_is_better(column) else 1
    return sorted(rows, key=lambda row: _sortable(None if column not in row.cells else sign * row.cells[column]))


def _sortable(value: object) -> tuple[bool, object]:
    return value is None, 0 if value is None else value


def _higher_is_better(column: str) -> bool:
    match = COLUMN.fullmatch(column)
    metric = metrics.REGISTRY.get(match[2]) if match else None
    return metric is not None and metric.higher_is_better


def grid(board: Path, rows: Sequence[Row], beside: str = "", name: Callable[[str], str] = str) -> Grid:
    """The board with the figures that are ranked, and the column ``beside`` them, if it is another one. ``name``
    makes a name fit for where it is shown."""
    shown = list(dict.fromkeys([*SHOWN, *([beside] if COLUMN.fullmatch(beside) else [])]))
    head = ["rank", "system", "kind", "mean rank", "front"]
    head += [f"{column} {'↑' if _higher_is_better(column) else '↓'}" for column in shown]
    lines = [
        [
            "" if row.entry.rank is None else str(row.entry.rank),
            name(_printable(row.entry.name)),
            row.entry.kind,
            "" if row.entry.mean_rank is None else f"{row.entry.mean_rank:.1f}",
            "●" if row.entry.pareto else "",
            *(_cell(row, column) for column in shown),
        ]
        for row in rows
    ]
    return Grid(board.stem, head, lines)


def _printable(name: str) -> str:
    return "".join(c if c.isprintable() else " " for c in name)


def _cell(row: Row, column: str) -> str:
    if column not in row.cells:
        return ""
    text = f"{row.cells[column]:.1f}"
    low, high = (row.cells.get(f"{column}_{end}") for end in ("low", "high"))
    return text if low is None or high is None else f"{text} [{low:.1f}, {high:.1f}]"


def terminal(board: Path, rows: Sequence[Row], beside: str = "") -> str:
    """For a terminal."""
    return for_terminal([grid(board, rows, beside)], 150) + "\n".join(FOOT)


def markdown(board: Path, rows: Sequence[Row], beside: str = "") -> str:
    """In Markdown."""
    return in_markdown([grid(board, rows, beside, literal)]) + "\n" + "\n".join(f"- {line}" for line in FOOT)


def to_csv(board: Path, rows: Sequence[Row], beside: str = "") -> str:
    """Every column, as the board's file has them."""
    return text_of(rows).rstrip("\n")


FORMATS: dict[str, Callable[[Path, Sequence[Row], str], str]] = {
    "terminal": terminal,
    "markdown": markdown,
    "csv": to_csv,
}
