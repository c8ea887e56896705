"""A leaderboard as text."""

from collections.abc import Container, Sequence
from pathlib import Path
from typing import Any

from pse_bench import metrics
from pse_bench.asr import probe
from pse_bench.errors import InputError
from pse_bench.io.tables import Grid, printed
from pse_bench.leaderboard import ranking, table
from pse_bench.leaderboard.ranking import ALPHA, OVER_SUPPRESSION, REMOVES_DB
from pse_bench.leaderboard.table import COLUMN, ENDS, Entry, PairRow, Row
from pse_bench.scoring import figures
from pse_bench.submission.verdicts import gain_text

FOOT = (
    "order: net score, the harmonic mean of what is kept of the target ({lost}) and how far "
    "others are softer than before, beyond what the target lost ({softer})",
    f"rank: the places a system may have; those that share a group are not told apart ({100 * ALPHA:g} % a pair)",
    f"front: no other system is better in {OVER_SUPPRESSION} and net leakage reduction in {{where}} at once, "
    f"which is {REMOVES_DB:g} dB or more",
)
WORDS: dict[tuple[str, ...], dict[str, str]] = {
    ranking.NEEDED: {"softer": "TS3, and its pauses in TS2", "where": "TS3"},
    ranking.TAKES: {"softer": "1 to 3 s and 10 to 30 s after it was last active", "where": "its pauses"},
}
"""What is said of the criteria of a board in its foot."""


def explained(there: Container[str]) -> list[str]:
    """What a board with these columns is ordered by, as lines below it."""
    wanted = ranking.criteria(there)
    words = {"lost": ", ".join(wanted[: len(ranking.LOST)]), **WORDS[wanted]}
    return [line.format(**words) for line in FOOT]


def ranked(rows: Sequence[Row]) -> list[Row]:
    """The rows that have a rank: neither references nor controls."""
    return [row for row in rows if row.entry.rank is not None]


def by_column(rows: Sequence[Row], column: str) -> list[Row]:
    """Rows ordered by a column, the best figure first; rows without a value last. Raises InputError when no row
    has such a column."""

    def value(row: Row) -> Any:
        return getattr(row.entry, column) if column in Entry.model_fields else row.cells.get(column)

    given = [row for row in rows if value(row) is not None]
    if not given and column not in Entry.model_fields:
        names = dict.fromkeys(name for row in rows for name in row.cells if not name.endswith(ENDS[1:]))
        raise InputError(f"no column {column!r}; there are {', '.join([*Entry.model_fields, *names])}")
    ordered = sorted(given, key=value, reverse=_higher_is_better(column))
    return [*ordered, *(row for row in rows if value(row) is None)]


def _higher_is_better(column: str) -> bool:
    if column == "net_score":
        return True
    match = COLUMN.fullmatch(column)
    return match is not None and match[2] in metrics.REGISTRY and metrics.REGISTRY[match[2]].higher_is_better


def groups_of(rows: Sequence[Row], pairs: Sequence[PairRow]) -> dict[str, str]:
    """The letters of the groups of every row that was compared, by its name: two share a letter exactly where they
    are not told apart. Letters are given anew for every board; who shares one depends on these two alone."""
    compared = {name for pair in pairs for name in (pair.first, pair.second)}
    names = [row.entry.name for row in rows if row.entry.name in compared or row.entry.rank_low is not None]
    apart = [(names.index(pair.first), names.index(pair.second)) for pair in pairs if pair.told_apart]
    letters = dict.fromkeys(names, "")
    for number, group in enumerate(ranking.groups(len(names), apart)):
        for member in group:
            letters[names[member]] += _letter(number)
    return letters


def _letter(number: int) -> str:
    more, last = divmod(number, 26)
    return (_letter(more - 1) if more else "") + "abcdefghijklmnopqrstuvwxyz"[last]


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
    letters: dict[str, str] | None = None,
    hidden: int = 0,
) -> str:
    """The board as text.

    Args:
        form: terminal, markdown, latex, or csv with every column.
        beside: a figure that is shown beside the others.
        asked: the figures to show; the headline ones by default.
        everything: show every figure.
        intervals: whether intervals are shown.
        width: of the terminal, unless told.
        letters: of the groups of rows, see ``groups_of``.
        hidden: how many rows are left out.

    Raises InputError when there is no such figure.
    """
    if form == "csv":
        return table.text_of(rows).rstrip("\n")
    there = dict.fromkeys(name for row in rows for name in row.cells if not name.endswith(ENDS[1:]))
    first = figures.named(asked, there) if asked else figures.headline(there)
    shown = list(there) if everything else [*first, *([beside] if beside in there and beside not in first else [])]
    with_evidence = any(row.entry.evidence for row in rows)
    with_groups = any((letters or {}).values())
    own = ["rank", "system", *(["group"] if with_groups else []), "kind", *(["evidence"] if with_evidence else [])]
    lines = [
        [
            rank(row.entry),
            "".join(c if c.isprintable() else " " for c in row.entry.name),
            *([(letters or {}).get(row.entry.name, "")] if with_groups else []),
            row.entry.kind,
            *([row.entry.evidence or ""] if with_evidence else []),
            _pieces([getattr(row.entry, f"net_score{end}") for end in ENDS], "%", intervals),
            "●" if row.entry.pareto else "",
            *(_cell(row, column, intervals) for column in shown),
        ]
        for row in rows
    ]
    head = [*own, "net score (%) ↑", "front", *map(_label, shown)]
    foot = [
        *explained(there),
        f"{'value [95 % interval over target speakers]; ' if intervals else ''}↑ higher is better",
    ]
    if rows and any(column.endswith((".wer", ".del")) for column in shown):
        foot += _recogniser(board, rows[0].entry)
    foot += _verdicts(rows)
    if hidden:
        foot.append(f"{hidden} references and controls are not shown; --all-rows shows them")
    if early := [row.entry.name for row in ranked(rows) if row.entry.rank_low is None]:
        more = f" and {len(early) - 1} more" if len(early) > 1 else ""
        foot.append(f"no scores are kept of {early[0]}{more}: added by an earlier version, compared with nobody")
    if not asked and len(shown) < len(there):
        foot.append(f"{len(shown)} of {len(there)} figures; {figures.OTHERS}")
    sides = "l" * len(own) + "rc" + "r" * len(shown)
    return printed(form, [Grid(board.stem, head, lines, sides, keys=2)], foot, width)


def _recogniser(board: Path, entry: Entry) -> list[str]:
    """Who heard the words, and what the masked-word probe says of that; all rows of a board have the same."""
    if not table.evidence_folder(board, entry).is_dir():
        return []
    found = table.evidence(board, entry).about.get("recogniser") or {}
    if not found:
        return []
    said = probe.known(found.get("model", ""))
    return [f"words heard by {found['name']}{f'; {said}' if said else ''}"]


def _verdicts(rows: Sequence[Row]) -> list[str]:
    """What was measured of rows that extract nobody, as lines below a board."""
    found = []
    if deaf := [row.entry.system for row in rows if row.entry.uses_enrollment is False]:
        found.append(f"ignores the enrollment: {', '.join(deaf)}")
    gains = [(row.entry.system, row.entry.constant_gain_db) for row in rows]
    if told := [f"{name}, {gain_text(gain)}" for name, gain in gains if gain is not None]:
        found.append(f"only changes the level: {'; '.join(told)}")
    return found


def rank(entry: Entry) -> str:
    """The ranks that a row may have, as words."""
    if entry.rank is None or entry.rank_low is None:
        return "" if entry.rank is None else str(entry.rank)
    return f"{entry.rank_low}" + (f"–{entry.rank_high}" if entry.rank_high != entry.rank_low else "")


def _label(column: str) -> str:
    metric = metrics.REGISTRY.get(column.partition(".")[2])
    return figures.labelled(column, metric.unit, metric.higher_is_better) if metric else column


def _cell(row: Row, column: str, intervals: bool) -> str:
    metric = metrics.REGISTRY.get(column.partition(".")[2])
    return _pieces([row.cells.get(f"{column}{end}") for end in ENDS], metric.unit if metric else "", intervals)


def score(entry: Entry) -> tuple[str, str]:
    """The net score of a row and its interval, as words."""
    return figures.in_pieces(entry.net_score, entry.net_score_low, entry.net_score_high, "%")


def _pieces(values: Sequence[float | None], unit: str, intervals: bool) -> str:
    value, low, high = values
    pieces = figures.in_pieces(value, low, high, unit)
    return "\n".join(filter(None, pieces if intervals else pieces[:1]))
