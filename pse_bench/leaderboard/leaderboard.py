"""Leaderboards: adding a result, the order of rows, and verifying a board against its results."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pse_bench.dataset import frozen_sets
from pse_bench.errors import InputError
from pse_bench.io import atomic, documents, locks
from pse_bench.io.tables import FORMULA
from pse_bench.leaderboard import ranking, table
from pse_bench.leaderboard.table import Kind, Row
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
        kind: ``reference``, ``baseline`` or ``submission``; a system with the wrong enrollment is a ``control``.
        date: YYYY-MM-DD; today by default.
        rtf: real-time factor on one thread, as measured by whoever adds it.
        replace: take the place of the row of the same system and version.

    Raises InputError: the result was changed or is partial, belongs to another dataset, lacks a figure that is
    ranked, was scored with other metrics than the board, or has a name that cannot be used.
    """
    result = Result.open(folder).require_sealed()
    if result.system.endswith(CONTROL):
        kind = "control"
    for words in _refusals(board, result, kind):
        raise InputError(f"{folder}: {words}")
    with locks.taking_turns(board.parent, "leaderboard add"):
        rows = table.read(board) if board.exists() else []
        row = table.row_of(result, kind=kind, date=date or datetime.now(UTC).date().isoformat(), rtf=rtf)
        replaced = [other for other in rows if replace and other.entry.name == row.entry.name]
        rows = [other for other in rows if other not in replaced]
        _check_place(board, row, rows)
        check_comparable([*(table.evidence(board, other.entry) for other in rows), result])
        keep = table.evidence_folder(board, row.entry)
        for name in ("summary.csv", "result.json"):
            with atomic.replacing(keep / name) as part:
                shutil.copyfile(result.folder / name, part)
        ordered = order([*rows, row])
        atomic.write_text(board, table.text_of(ordered))
        for other in replaced:
            if (left := table.evidence_folder(board, other.entry)) != keep:
                shutil.rmtree(left, ignore_errors=True)
        return next(placed for placed in ordered if placed.entry.name == row.entry.name)


def _refusals(board: Path, result: Result, kind: Kind) -> Iterator[str]:
    """Why a result may not enter a board, with what to do."""
    about, name, of = result.about, result.system, result.about.get("dataset")
    if of != board.stem:
        yield f"scored on {of}, the board is of {board.stem}; give {of}.csv"
    frozen = frozen_sets.load(board.stem).about.fingerprint if board.stem in frozen_sets.shipped() else None
    if frozen and about["dataset_fingerprint"] != frozen:
        yield (
            f"dataset fingerprint {about['dataset_fingerprint'][:12]}, the benchmark set {board.stem} has "
            f"{frozen[:12]}; make that with pse-bench benchmark {board.stem} and score on it"
        )
    if result.part:
        yield f"{result.part} only; enhance and score all of them"
    if about.get("complete") is not True:
        yield "partial, some estimates are missing or unusable; complete the submission and score it again"
    if "audio" not in about["system"].get("holds", ["audio"]):
        yield "of activity only; a board ranks enhanced audio, so score that too"
    for what, text in (("name", name), ("version", about["system"].get("version") or "")):
        if text.lstrip().startswith(FORMULA):
            yield f"system {what} {text!r} begins as a formula does; rename it in system.yaml"
        if not text.isprintable():
            yield f"system {what} {text!r} cannot be printed; rename it in system.yaml"
    if (name in REFERENCES) != (kind == "reference"):
        yield (
            f"{name!r} as {kind}; the references are {', '.join(REFERENCES)} and nothing else: give --kind "
            "reference, or rename the system"
        )
    found = {f"{row.scenario}.{row.metric}": row for row in result.summaries}
    for column in ranking.NEEDED:
        if column not in found:
            hint = " --recogniser SPEC" if column.endswith("wer") else ""
            yield f"no {column}, which is ranked; score again with{hint or ' it'}"
        elif found[column].value is None:
            yield f"{column} is undefined, so it cannot be ranked"


def _check_place(board: Path, row: Row, rows: Sequence[Row]) -> None:
    if row.entry.name in {other.entry.name for other in rows}:
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
    """All rows with their ranks, the first first; a control stands right behind its system and has none."""
    everybody = list(rows)
    ranked = [row for row in everybody if row.entry.kind != "control"]
    figures = [row.figures for row in ranked]
    found = ranking.rank_rows(figures, [row.entry.name for row in ranked])
    front = ranking.on_front(figures, [row.entry.kind == "reference" for row in ranked])
    placed = {}
    for row, rank, mark in zip(ranked, found, front, strict=True):
        placed[row.entry.name] = _with_rank(row, rank=rank.rank, mean_rank=rank.mean_rank, pareto=mark)

    def key(row: Row) -> tuple[int, bool, str]:
        control = row.entry.kind == "control"
        own = placed.get(row.entry.name.replace(CONTROL, "")) if control else row
        return (own.entry.rank if own else None) or len(ranked) + 1, control, row.entry.name

    controls = [row for row in everybody if row.entry.kind == "control"]
    unplaced = [_with_rank(row, rank=None, mean_rank=None, pareto=False) for row in controls]
    return sorted([*placed.values(), *unplaced], key=key)


def _with_rank(row: Row, **place: Any) -> Row:
    return Row(row.entry.model_copy(update=place), row.cells)


# ---- verify


def verify(board: Path, folders: Sequence[Path] = ()) -> list[str]:
    """What is wrong with a board, a line each: rows that do not follow from what is kept beside it, hashes, order,
    references that are missing. With result folders, their rows are computed from the scores again. Raises
    InputError when the board cannot be read, or a result folder was changed."""
    rows = table.read(board)
    missing = [name for name in REFERENCES if name not in {row.entry.system for row in rows}]
    found = [f"{board}: {name} is missing; every board has the references" for name in missing]
    again, kept = list(rows), []
    for number, row in enumerate(rows):
        try:
            kept.append(table.evidence(board, row.entry))
        except InputError as error:
            found.append(str(error))
        else:
            again[number] = _compare(board, row, kept[-1], "what is kept of its result", found)
    try:
        if kept:
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
    if not found and table.text_of(order(again)) != documents.read_text(board):
        found.append(f"{board}: ranks or order are not those of its figures; restore it")
    return found


def _compare(board: Path, row: Row, result: Result, source: str, found: list[str]) -> Row:
    """The row as it follows from a result; differences are added to ``found``."""
    made = table.row_of(result, kind=row.entry.kind, date=row.entry.date, rtf=row.entry.rtf)
    keys = [key for key in table.FROM_RESULT if key in row.entry.model_fields_set]
    pairs = [(key, getattr(row.entry, key), getattr(made.entry, key)) for key in keys]
    cells = [(name, row.cells.get(name), made.cells.get(name)) for name in {**row.cells, **made.cells}]
    lines, columns = ([one for one in both if one[1] != one[2]] for both in (pairs, cells))
    for name, stated, actual in lines + columns[:3]:
        found.append(f"{board}: {row.entry.name}: {name} {stated}, but {actual} in {source}")
    if len(columns) > 3:
        found.append(f"{board}: {row.entry.name}: and {len(columns) - 3} more columns")
    return Row(row.entry, made.cells)
