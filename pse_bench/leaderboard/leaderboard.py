"""Leaderboards: adding a result, the order of rows, and bringing rows to the figures of today."""

import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from pse_bench.dataset import frozen_sets
from pse_bench.errors import InputError
from pse_bench.io import atomic, documents, locks, tables
from pse_bench.io.tables import FORMULA
from pse_bench.leaderboard import evidence, ranking, table
from pse_bench.leaderboard.evidence import Evidence, Kind, Stated
from pse_bench.leaderboard.table import PairRow, Row
from pse_bench.scoring.figures import DECIMALS
from pse_bench.scoring.results import Result, check_comparable
from pse_bench.scoring.summary import Scores

REFERENCES = ("mixture", "silence", "oracle-mask")
"""Systems that every board has, so that every figure has something to stand against."""

CONTROL = " (wrong enrollment)"
"""How the name of a system ends that was given somebody else's enrollment."""

SAID = {"trained_on": "training_data", "tuned_on": "tuned_on", "licence": "licence"}
"""What a submission has to say of itself: columns, and their keys in ``system.yaml``."""

Sums = Mapping[str, np.ndarray]
"""The sums of speakers by the names of rows, as ``ranking.standing`` takes them; rows of before have none."""

# ---- add


def add(
    board: Path,
    folder: Path,
    *,
    kind: Kind = "submission",
    date: str = "",
    rtf: float | None = None,
    replace: bool = False,
    evidence: Evidence = "self-reported",
    figures: Path | None = None,
    trained_on: str | None = None,
    tuned_on: str | None = None,
    licence: str | None = None,
) -> Row:
    """Put a result on a board, which is made when it is the first; the new row, with its rank.

    Args:
        board: the CSV, named after the dataset.
        kind: ``reference``, ``baseline`` or ``submission``; a system with the wrong enrollment is a ``control``.
        date: YYYY-MM-DD; today by default.
        rtf: real-time factor on one thread, as measured by whoever adds it.
        replace: take the place of the row of the same system and version.
        evidence: who made the figures, see ``Entry``.
        figures: what ``pse-bench system`` wrote of the system.
        trained_on, tuned_on, licence: what ``system.yaml`` does not say; a submission has to.

    Raises InputError: the result was changed or is partial, belongs to another dataset, lacks a figure that is
    ranked or what a submission has to say, was scored with other metrics than the board, or has a name that cannot
    be used.
    """
    result, scores = Result.with_scores(folder)
    result.require_sealed()
    said = {"rtf": rtf, "trained_on": trained_on, "tuned_on": tuned_on, "licence": licence}
    stated = documents.parse(
        Stated,
        {
            "kind": "control" if result.system.endswith(CONTROL) else kind,
            "date": date or datetime.now(UTC).date().isoformat(),
            # the result of a blind edition says so itself
            "evidence": result.about.get("evidence", evidence) if evidence == "self-reported" else evidence,
            **(_measured(figures, result.system.removesuffix(CONTROL)) if figures else {}),
            **{key: value for key, value in said.items() if value is not None},
        },
        f"{figures or board}",
    )
    with locks.taking_turns(board.parent, "leaderboard add"):
        rows = table.read(board) if board.exists() else []
        placed = _put(board, rows, result, scores, stated, replace=replace)
        return next(row for row in placed if row.entry.result_sha256 == atomic.sha256(folder / "result.json"))


def _measured(path: Path, system: str) -> dict[str, Any]:
    """What ``pse-bench system`` found of a system that a board has a column for."""
    content = documents.read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path}: no figures of a system; give what pse-bench system SYSTEM -o FILE wrote")
    if content.get("system") != system:
        raise InputError(
            f"{path}: figures of {content.get('system')!r}, but the result is of {system!r}; measure that"
        )
    keys = ("rtf", "rtf_cpu", "latency_class", "parameters")
    return {key: content[key] for key in keys if content.get(key) is not None}


def _put(
    board: Path, rows: Sequence[Row], result: Result, scores: Scores, stated: Stated, *, replace: bool
) -> list[Row]:
    """Put a result in its place and write the board; all its rows."""
    for words in refusals(board, result, stated):
        raise InputError(f"{result.folder}: {words}")
    sums = evidence.speaker_sums(scores)
    row = table.row_of(result, stated, evidence.as_array(sums, result.folder))
    replaced = [other for other in rows if replace and other.entry.name == row.entry.name]
    rest = [other for other in rows if other not in replaced]
    _check_place(board, row, rest)
    check_beside([table.evidence(board, other.entry) for other in rest], result)
    keep = table.evidence_folder(board, row.entry)
    evidence.keep(board, keep, result, stated, sums)
    ordered = write(board, [*rest, row])
    for other in replaced:
        if (left := table.evidence_folder(board, other.entry)) != keep:
            shutil.rmtree(left, ignore_errors=True)
    return ordered


def write(board: Path, rows: Sequence[Row]) -> list[Row]:
    """Write a board in its order, and who is told apart on it; the rows as they were written."""
    ordered, pairs = order(rows, sums_of(board, rows))
    atomic.write_text(board, table.text_of(ordered))
    if pairs or table.pairs_of(board).exists():
        tables.write_table(table.pairs_of(board), PairRow, pairs)
    return ordered


def sums_of(board: Path, rows: Iterable[Row]) -> Sums:
    """The sums of speakers that are kept, by the names of rows."""
    found = {row.entry.name: table.evidence_folder(board, row.entry) for row in rows}
    arrays = {name: evidence.as_array(evidence.sums_in(folder), folder) for name, folder in found.items()}
    return {name: array for name, array in arrays.items() if array is not None}


def refusals(board: Path, result: Result, stated: Stated) -> Iterator[str]:
    """Why a result may not stand on a board, with what to do."""
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
    if (name in REFERENCES) != (stated.kind == "reference"):
        yield (
            f"{name!r} as {stated.kind}; the references are {', '.join(REFERENCES)} and nothing else: give --kind "
            "reference, or rename the system"
        )
    yield from _unsaid(result, stated)
    found = {f"{row.scenario}.{row.metric}": row for row in result.summaries}
    wanted = ranking.criteria(found)
    for column in (*wanted, *([ranking.REDUCTION] if wanted == ranking.TAKES else [])):
        if column not in found:
            hint = " --recogniser SPEC" if column.endswith("wer") else ""
            yield f"no {column}, which is ranked; score again with{hint or ' it'}"
        elif found[column].value is None:
            yield f"{column} is undefined, so it cannot be ranked"


def _unsaid(result: Result, stated: Stated) -> Iterator[str]:
    """What a submission does not say of itself and has to."""
    told = {column: getattr(stated, column) or result.about["system"].get(key) for column, key in SAID.items()}
    silent = [column for column, text in told.items() if not text]
    if stated.kind == "submission" and silent:
        options = " ".join(f"--{column.replace('_', '-')} TEXT" for column in silent)
        keys = ", ".join(SAID[column] for column in silent)
        yield f"does not say {', '.join(silent)}; give {options}, or {keys} in system.yaml before it is scored"


def check_beside(others: Sequence[Result], result: Result) -> None:
    """Refuse a result that does not compare with others, or is over other mixtures. Raises InputError."""
    check_comparable([*others, result])
    own, all_of_it = result.about, others[0].about if others else result.about
    if own.get("mixtures_sha256") != all_of_it.get("mixtures_sha256"):
        found = f"{own.get('mixtures')} mixtures that are not the {all_of_it.get('mixtures')}"
        raise InputError(f"{result.folder}: scored over {found} of the board; score the whole dataset")


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


def order(rows: Iterable[Row], sums: Sums = MappingProxyType({})) -> tuple[list[Row], list[PairRow]]:
    """All rows by their net scores, the best first, a control right behind its system; and every two ranked rows
    of which there are sums. References and controls have no rank."""
    everybody = {row.entry.name: _scored(row) for row in rows}
    best = sorted(everybody.values(), key=lambda row: (-(row.entry.net_score or 0.0), row.entry.name))
    ranked = [row.entry.name for row in best if row.entry.kind in ("baseline", "submission")]
    tested = [name for name in ranked if name in sums]
    pairs = ranking.pairs([sums[name] for name in tested])
    within = dict(zip(tested, ranking.rank_intervals(len(tested), pairs), strict=True))
    behind = len(ranked) - len(tested)
    for name, (low, high) in within.items():
        place = {"rank_low": low, "rank_high": high + behind}
        everybody[name] = _placed(everybody[name], **place)
    for number, name in enumerate(ranked, 1):
        everybody[name] = _placed(everybody[name], rank=number)
    compared = [row for row in best if row.entry.kind != "control"]
    marks = ranking.on_front(
        [row.figures for row in compared], [row.entry.kind == "reference" for row in compared]
    )
    for row, mark in zip(compared, marks, strict=True):
        everybody[row.entry.name] = _placed(everybody[row.entry.name], pareto=mark)
    places = {row.entry.name: number for number, row in enumerate(compared)}

    def key(row: Row) -> tuple[int, bool, str]:
        own = row.entry.name.replace(CONTROL, "") if row.entry.kind == "control" else row.entry.name
        return places.get(own, len(places)), row.entry.kind == "control", row.entry.name

    told = [_pair_row(pair, tested) for pair in pairs]
    return sorted(everybody.values(), key=key), told


def _scored(row: Row) -> Row:
    """A row without a place; one of which no sums are kept has the net score of its figures."""
    kept = row.entry.net_score
    if kept is None or row.entry.net_score_low is None:
        kept = round(float(ranking.net_score(ranking.net_figures(row.figures))), DECIMALS)
    return _placed(row, net_score=kept, rank=None, mean_rank=None, pareto=False, rank_low=None, rank_high=None)


def _placed(row: Row, **place: Any) -> Row:
    entry = row.entry.model_dump(include=row.entry.model_fields_set) | place
    given = {key: value for key, value in entry.items() if value is not None or key not in table.OPTIONAL}
    return Row(type(row.entry)(**given), row.cells)


def _pair_row(pair: ranking.Pair, names: Sequence[str]) -> PairRow:
    ends = (pair.difference, pair.ci_low, pair.ci_high, pair.p)
    difference, low, high, p = (None if end is None else round(end, DECIMALS) + 0.0 for end in ends)
    return PairRow(
        first=names[pair.first],
        second=names[pair.second],
        difference=difference or 0.0,
        ci_low=low,
        ci_high=high,
        p=p or 0.0,
        told_apart=pair.told_apart,
    )


# ---- rescore


def rescore(board: Path, folders: Sequence[Path] = (), *, evidence_is: Evidence | None = None) -> list[str]:
    """Bring a board to the figures and the order of today; a line a row says what that follows from.

    Rows with kept scores are computed from them, and where a result of the same submission is given, from that.

    Args:
        folders: results of submissions that are on the board, scored again.
        evidence_is: who made these results; as it was by default.

    Raises InputError: a result is of no row, or of other audio than its row, or rows do not compare any more.
    """
    with locks.taking_turns(board.parent, "leaderboard add"):
        rows = {row.entry.name: row for row in table.read(board)}
        opened = {
            table.name_of(result): result for result in (Result.open(one).require_sealed() for one in folders)
        }
        if unknown := [result for name, result in opened.items() if name not in rows]:
            raise InputError(f"{unknown[0].folder}: of no row of {board}; add it")
        said, results, stated, again = [], [], {}, {}
        for name, row in rows.items():
            folder = table.evidence_folder(board, row.entry)
            stated[name] = table.stated(board, row.entry)
            if name in opened:
                result = _same_audio(board, row, opened[name])
                if evidence_is:
                    stated[name] = stated[name].model_copy(update={"evidence": evidence_is})
                sums, source = evidence.speaker_sums(result.read_scores()), f"from {result.folder}"
            elif evidence.has_scores(folder):
                kept = evidence.opened(board, folder)
                result, sums, source = kept.result, kept.sums, "from its scores"
            else:
                result, sums, source = table.evidence(board, row.entry), [], "as it was, no scores are kept of it"
            if name in opened:
                again[name] = result, sums
            if sums:
                rows[name] = table.row_of(result, stated[name], evidence.as_array(sums, folder))
            results.append(result)
            said.append(f"{name}: {source}")
        check_comparable(results)
        before = table.read(board)
        for name, (result, sums) in again.items():
            evidence.keep(board, table.evidence_folder(board, rows[name].entry), result, stated[name], sums)
        write(board, list(rows.values()))
        there = {table.evidence_folder(board, row.entry) for row in rows.values()}
        for left in {table.evidence_folder(board, row.entry) for row in before} - there:
            shutil.rmtree(left, ignore_errors=True)
        return said


def _same_audio(board: Path, row: Row, result: Result) -> Result:
    before = table.evidence(board, row.entry).about.get("submission_sha256")
    if before and result.about.get("submission_sha256") != before:
        raise InputError(
            f"{result.folder}: scored from other audio than {row.entry.name} on {board}; give that another "
            "version in system.yaml and add it"
        )
    return result
