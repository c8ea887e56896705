"""Verifying a board: every figure, interval, rank and group computed again from what is kept beside it."""

import contextlib
from collections import defaultdict
from collections.abc import Container, Mapping, Sequence
from pathlib import Path

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io import atomic, documents
from pse_bench.leaderboard import evidence, leaderboard, table
from pse_bench.leaderboard.leaderboard import REFERENCES
from pse_bench.leaderboard.table import Row
from pse_bench.scoring.results import Result

Faults = dict[str, list[str]]
"""What is wrong, a line each, by the name of the row; '' for the whole board."""
MOST = 3  # columns of a row that are named
OF_SUMS = ("net_score", "net_score_low", "net_score_high")
FOLLOWING = tuple(dict.fromkeys((*table.FROM_RESULT, *table.STATED, *OF_SUMS)))
"""Columns that follow from what is kept of a row, whoever else is on the board."""


def verify(board: Path, folders: Sequence[Path] = ()) -> list[str]:
    """What is wrong with a board, a line each: rows that do not follow from the scores kept beside it, hashes,
    order, who is told apart, references that are missing. With result folders, their rows are computed from these,
    too. Raises InputError when the board cannot be read, or a result folder was changed."""
    rows, found = table.read(board), examine(board)
    for folder in folders:
        result = Result.open(folder)
        hashed = atomic.sha256(folder / "result.json")
        same = [row for row in rows if row.entry.result_sha256 == hashed]
        if not same:
            found.setdefault("", []).append(f"{folder}: no row of {board} was made from it")
        for row in same:
            made = table.row_of(result, table.stated(board, row.entry))
            lines = _differences(board, row, made, table.columns(rows), f"{folder}")
            found.setdefault(row.entry.name, []).extend(lines)
    return [line for lines in found.values() for line in lines]


def without_scores(board: Path) -> list[str]:
    """The rows of a board of which no scores are kept, as an earlier version added them."""
    rows = [row.entry for row in table.read(board)]
    return [entry.name for entry in rows if not evidence.has_scores(table.evidence_folder(board, entry))]


def examine(board: Path) -> Faults:
    """What is wrong with the rows of a board, and where nothing is, with their order. Raises InputError when it
    cannot be read."""
    rows = table.read(board)
    found: Faults = defaultdict(list)
    for name in REFERENCES:
        if name not in {row.entry.system for row in rows}:
            found[""].append(f"{board}: {name} is missing; every board has the references")
    again: list[Row] = []
    sums: dict[str, np.ndarray] = {}
    for row in rows:
        name = row.entry.name
        try:
            made, own, lines = _made_again(board, row, rows)
        except InputError as error:
            found[name].append(str(error))
            continue
        again.append(made)
        found[name] += lines
        if own is not None:
            sums[name] = own
    found = {name: lines for name, lines in found.items() if lines}
    return found or _of_order(board, again, sums)


def _made_again(board: Path, row: Row, rows: Sequence[Row]) -> tuple[Row, np.ndarray | None, list[str]]:
    """The row as it follows from what is kept of it, its sums where its scores are, and what is wrong. Raises
    InputError where it cannot be computed."""
    entry, folder, sums = row.entry, table.evidence_folder(board, row.entry), None
    result, said, source = table.evidence(board, entry), table.stated(board, entry), "what is kept of its result"
    leaderboard.check_beside(_references(board, rows)[:1], result)
    lines = []
    if evidence.has_scores(folder):
        kept, source = evidence.opened(board, folder), "what its scores give"
        result, sums = kept.result, evidence.as_array(kept.sums, folder)
        lines += [f"{folder}: {words}" for words in leaderboard.refusals(board, result, said)]
        if evidence.sums_in(folder) != kept.sums:
            lines.append(f"{folder / evidence.SPEAKERS}: not the sums of its scores; restore it")
    made, there = table.row_of(result, said, sums), table.columns(rows)
    lines += _differences(board, row, made, there, source)
    return Row(entry, {name: value for name, value in made.cells.items() if name in there}), sums, lines


def _references(board: Path, rows: Sequence[Row]) -> list[Result]:
    """What is kept of the references, as far as it can be read."""
    found = []
    for row in rows:
        if row.entry.kind == "reference":
            with contextlib.suppress(InputError):
                found.append(table.evidence(board, row.entry))
    return found


def _differences(board: Path, row: Row, made: Row, there: Container[str], source: str) -> list[str]:
    """Where a row is not what it would be, in columns that are ``there``: one that is new is no mistake of a board
    from before. A net score is held against that of the row's sums, where there are any."""
    ours = [name for name in FOLLOWING if name not in OF_SUMS or made.entry.net_score is not None]
    pairs = [(name, getattr(row.entry, name), getattr(made.entry, name)) for name in ours if name in there]
    names = [name for name in {**row.cells, **made.cells} if name in there]
    cells = [(name, row.cells.get(name), made.cells.get(name)) for name in names]
    lines, columns = ([one for one in both if one[1] != one[2]] for both in (pairs, cells))
    name = row.entry.name
    found = [
        f"{board}: {name}: {key} {given}, but {actual} in {source}"
        for key, given, actual in lines + columns[:MOST]
    ]
    if len(columns) > MOST:
        found.append(f"{board}: {name}: and {len(columns) - MOST} more columns")
    return found


def _of_order(board: Path, rows: Sequence[Row], sums: Mapping[str, np.ndarray]) -> Faults:
    """What is wrong with the order of rows that are right in themselves, and with who is told apart."""
    found = []
    ordered, pairs = leaderboard.order(rows, sums)
    if table.text_of(ordered) != documents.read_text(board):
        early = any(row.entry.mean_rank is not None for row in table.read(board))
        what = "ordered by an earlier version" if early else "ranks or order are not those of its figures"
        remedy = f"pse-bench leaderboard rescore {board} orders it anew" if early else "restore it"
        found.append(f"{board}: {what}; {remedy}")
    if table.read_pairs(board) != pairs:
        found.append(f"{table.pairs_of(board)}: not what the scores say of who is told apart; restore it")
    return {"": found} if found else {}
