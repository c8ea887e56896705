"""Leaderboards: adding a result, the order of rows, and verifying a board against its results."""

import shutil
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

from pse_bench.dataset import frozen_sets
from pse_bench.errors import InputError
from pse_bench.io import atomic, documents, locks
from pse_bench.io.text_table import FORMULA
from pse_bench.leaderboard import ranking
from pse_bench.leaderboard.table import (
    FROM_RESULT,
    Kind,
    Row,
    evidence,
    evidence_folder,
    read,
    row_of,
    text_of,
    write,
)
from pse_bench.scoring.results import Result, check_comparable

REFERENCES = ("mixture", "silence", "oracle-mask")
"""Systems that every board has, so that every figure has something to stand against."""

CONTROL = " (wrong enrollment)"
"""How the name of a system ends that was given somebody else's enrollment."""

# ---- add


def add(
    board: Path,
    folder: Path,
    *,
    kind: Kind = "submission",
    date: str = "",
    rtf: float | None = None,
    replace: bool = False,
) -> Row:
    """Put a result on a board, which is made when it is the first; the new row, with its rank.

    Args:
        board: the CSV, named after the dataset.
        folder: the result.
        kind: ``reference``, ``baseline`` or ``submission``; a system with the wrong enrollment is a ``control``.
        date: YYYY-MM-DD; today by default.
        rtf: real-time factor on one thread, as measured by whoever adds it.
        replace: take the place of the row of the same system and version.

    Raises:
        InputError: the result was changed or is partial, belongs to another dataset, lacks a figure that is
            ranked, was scored with other metrics than the board, or has a name that cannot be used.
    """
    result = Result.open(folder).require_sealed()
    if result.system.endswith(CONTROL):
        kind = "control"
    _check_result(board, result, kind)
    with locks.taking_turns(board.parent, "leaderboard add"):
        return _put(board, result, kind=kind, date=date, rtf=rtf, replace=replace)


def _put(board: Path, result: Result, *, kind: Kind, date: str, rtf: float | None, replace: bool) -> Row:
    """Put a result on a board that nobody else changes meanwhile."""
    rows = read(board) if board.exists() else []
    row = row_of(result, kind=kind, date=date or datetime.now(UTC).date().isoformat(), rtf=rtf)
    replaced = [other for other in rows if replace and other.entry.name == row.entry.name]
    rows = [other for other in rows if other not in replaced]
    _check_place(board, row, rows)
    check_comparable([*(evidence(board, other.entry) for other in rows), result])
    keep = evidence_folder(board, row.entry)
    for name in ("summary.csv", "result.json"):
        with atomic.replacing(keep / name) as part:
            shutil.copyfile(result.folder / name, part)
    ordered = order([*rows, row])
    write(board, ordered)
    for other in replaced:
        if (left := evidence_folder(board, other.entry)) != keep:
            shutil.rmtree(left, ignore_errors=True)
    return next(placed for placed in ordered if placed.entry.name == row.entry.name)


def _check_result(board: Path, result: Result, kind: Kind) -> None:
    about, name = result.about, result.system
    if about.get("dataset") != board.stem:
        raise InputError(
            f"{result.folder}: scored on {about.get('dataset')}, the board is of {board.stem}; give "
            f"{about.get('dataset')}.csv"
        )
    frozen = frozen_sets.load(board.stem).about.fingerprint if board.stem in frozen_sets.shipped() else None
    if frozen and about["dataset_fingerprint"] != frozen:
        raise InputError(
            f"{result.folder}: dataset fingerprint {about['dataset_fingerprint'][:12]}, the benchmark set "
            f"{board.stem} has {frozen[:12]}; make that with pse-bench benchmark {board.stem} and score on it"
        )
    if about.get("complete") is not True:
        raise InputError(
            f"{result.folder}: partial, some estimates are missing or unusable; complete the submission and score "
            "it again"
        )
    if "audio" not in about["system"].get("holds", ["audio"]):
        raise InputError(f"{result.folder}: of activity only; a board ranks enhanced audio, so score that too")
    for what, text in (("name", name), ("version", about["system"].get("version") or "")):
        if text.lstrip().startswith(FORMULA):
            raise InputError(
                f"{result.folder}: system {what} {text!r} begins as a formula does; rename it in system.yaml"
            )
        if not text.isprintable():
            raise InputError(
                f"{result.folder}: system {what} {text!r} cannot be printed; rename it in system.yaml"
            )
    if (name in REFERENCES) != (kind == "reference"):
        raise InputError(
            f"{result.folder}: {name!r} as {kind}; the references are {', '.join(REFERENCES)} and nothing else: "
            "give --kind reference, or rename the system"
        )
    found = {f"{row.scenario}.{row.metric}": row for row in result.summaries}
    for column in ranking.NEEDED:
        if column not in found:
            hint = " --recogniser SPEC" if column.endswith("wer") else ""
            raise InputError(f"{result.folder}: no {column}, which is ranked; score again with{hint or ' it'}")
        if found[column].value is None:
            raise InputError(f"{result.folder}: {column} is undefined, so it cannot be ranked")


def _check_place(board: Path, row: Row, rows: Sequence[Row]) -> None:
    names = {other.entry.name for other in rows}
    if row.entry.name in names:
        raise InputError(
            f"{board}: {row.entry.name} is there already; give the system another version in system.yaml, or "
            "--replace the row"
        )
    missing = [name for name in REFERENCES if name not in {other.entry.system for other in rows}]
    if row.entry.kind != "reference" and missing:
        raise InputError(
            f"{board}: {', '.join(missing)} not there yet; enhance, score and add the references first, with "
            "--kind reference"
        )


# ---- order


def order(rows: Iterable[Row]) -> list[Row]:
    """All rows with their ranks, the first first; a control stands right behind its system and has none.

    The Pareto front is that of references among themselves, and of all other systems among themselves: nobody has
    to beat an oracle to be on it.
    """
    everybody = list(rows)
    ranked = [row for row in everybody if row.entry.kind != "control"]
    found = ranking.rank_rows([row.figures for row in ranked], [row.entry.name for row in ranked])
    front: dict[str, bool] = {}
    for references in (True, False):
        group = [row for row in ranked if (row.entry.kind == "reference") == references]
        marks = ranking.on_front([row.figures for row in group])
        front.update({row.entry.name: mark for row, mark in zip(group, marks, strict=True)})
    placed = {}
    for row, rank in zip(ranked, found, strict=True):
        update = {"rank": rank.rank, "mean_rank": rank.mean_rank, "pareto": front[row.entry.name]}
        placed[row.entry.name] = Row(row.entry.model_copy(update=update), row.cells)
    last = len(ranked) + 1

    def key(row: Row) -> tuple[int, bool, str]:
        entry = row.entry
        if entry.kind != "control":
            return entry.rank or last, False, entry.name
        of = placed.get(entry.name.replace(CONTROL, ""))
        return of.entry.rank or last if of else last, True, entry.name

    controls = [
        Row(row.entry.model_copy(update={"rank": None, "mean_rank": None, "pareto": False}), row.cells)
        for row in everybody
        if row.entry.kind == "control"
    ]
    return sorted([*placed.values(), *controls], key=key)


# ---- verify


def verify(board: Path, folders: Sequence[Path] = ()) -> list[str]:
    """What is wrong with a board, a line each: rows that do not follow from what is kept beside it, hashes, order,
    references that are missing. With result folders, their rows are computed from the scores again.

    Raises:
        InputError: the board cannot be read, or a result folder was changed.
    """
    rows = read(board)
    found = [
        f"{board}: {name} is missing; every board has the references"
        for name in REFERENCES
        if name not in {row.entry.system for row in rows}
    ]
    again, kept = [], []
    for row in rows:
        try:
            behind = evidence(board, row.entry)
        except InputError as error:
            found.append(str(error))
            again.append(row)
            continue
        kept.append(behind)
        again.append(_compare(board, row, behind, "what is kept of its result", found))
    try:
        check_comparable(kept)
    except InputError as error:
        found.append(str(error))
    for folder in folders:
        result = Result.open(folder)
        hashed = atomic.sha256(folder / "result.json")
        same = [row for row in rows if row.entry.result_sha256 == hashed]
        if not same:
            found.append(f"{folder}: no row of {board} was made from it")
        for row in same:
            _compare(board, row, result, f"{folder}", found)
    if not found and text_of(order(again)) != documents.read_text(board):
        found.append(f"{board}: ranks or order are not those of its figures; restore it")
    return found


def _compare(board: Path, row: Row, result: Result, source: str, found: list[str]) -> Row:
    """The row as it follows from a result; differences are added to ``found``."""
    made = row_of(result, kind=row.entry.kind, date=row.entry.date, rtf=row.entry.rtf)
    for key in FROM_RESULT:
        if key in row.entry.model_fields_set and getattr(made.entry, key) != getattr(row.entry, key):
            stated, actual = getattr(row.entry, key), getattr(made.entry, key)
            found.append(f"{board}: {row.entry.name}: {key} {stated}, but {actual} in {source}")
    columns = [name for name in {**row.cells, **made.cells} if row.cells.get(name) != made.cells.get(name)]
    for name in columns[:3]:
        found.append(
            f"{board}: {row.entry.name}: {name} {row.cells.get(name)}, but {made.cells.get(name)} in {source}"
        )
    if len(columns) > 3:
        found.append(f"{board}: {row.entry.name}: and {len(columns) - 3} more columns")
    return Row(row.entry, made.cells)
