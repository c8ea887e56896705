"""What changes a board: the bundle of a pull request, and the review of one."""

import filecmp
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.leaderboard import evidence, leaderboard, table, verification
from pse_bench.leaderboard.table import Entry, Row
from pse_bench.scoring import figures

TEXT = "PULL_REQUEST.md"
BOARDS = "boards"
OF_OTHERS = ("rank", "rank_low", "rank_high", "pareto", "mean_rank")
"""Columns that move with who else is there, so that a change of these alone is no change of a row."""
MOST = 4  # columns of a changed row that are named


@dataclass(frozen=True)
class Line:
    """What a review says of a row, or of the whole board."""

    words: str
    refused: bool = False


# ---- submit


def submit(folder: Path, board: Path, out: Path, **said: Any) -> Row:
    """Write the files that a result adds to a board, and a text for the pull request; the row. The board itself
    stays as it is. Arguments beside are those of ``leaderboard.add``.

    Raises InputError: as ``leaderboard.add``, or there is no such board, or ``out`` is there already.
    """
    if not board.is_file():
        raise InputError(f"{board}: no such board; give the CSV of a checkout")
    if out.exists():
        raise InputError(f"{out}: exists already; give another folder, or remove it")
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as private:
        copied = Path(private) / board.name
        shutil.copyfile(board, copied)
        if (there := board.with_suffix("")).is_dir():
            shutil.copytree(there, copied.with_suffix(""))
        row = leaderboard.add(copied, folder, **said)
        if problems := verification.verify(copied):
            raise InputError(problems[0].replace(private, str(board.parent)))
        for path in sorted(one for one in Path(private).rglob("*") if one.is_file()):
            name = path.relative_to(private)
            before = board.parent / name
            if not (before.is_file() and filecmp.cmp(before, path, shallow=False)):
                with atomic.replacing(out / BOARDS / name) as part:
                    shutil.copyfile(path, part)
    atomic.write_text(out / TEXT, _words(board, row))
    return row


def _words(board: Path, row: Row) -> str:
    entry = row.entry
    facts = {
        "system": entry.name,
        "net score": f"{entry.net_score:.1f} %, rank {entry.rank_low} to {entry.rank_high}",
        "trained on": entry.trained_on,
        "tuned on": entry.tuned_on,
        "licence": entry.licence,
        "evidence": entry.evidence,
    }
    listed = "\n".join(f"- {key}: {value}" for key, value in facts.items())
    return (
        f"# {entry.name} on {board.stem}\n\n{listed}\n\n"
        "I have read leaderboards/POLICY.md: settings were chosen on other data than this set, its test was "
        "scored once with them, and the enhanced audio can be had for scoring it again.\n\nWhere the audio is: \n"
    )


# ---- review


def review(board: Path, base: Path) -> list[Line]:
    """A line for each row of a board that differs from how it was, and for what is wrong elsewhere on it. Raises
    InputError when a board cannot be read."""
    rows = {row.entry.name: row for row in table.read(board)}
    before = {row.entry.name: row for row in table.read(base)} if base.is_file() and base.stat().st_size else {}
    faults = verification.examine(board)
    lines = []
    for name, row in rows.items():
        changes = _changes(before.get(name), row)
        problems = [line.removeprefix(f"{board}: ").removeprefix(f"{name}: ") for line in faults.pop(name, [])]
        if changes and not evidence.has_scores(table.evidence_folder(board, row.entry)):
            problems = problems or ["no scores are kept of it; add its result with leaderboard add"]
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            lines.append(Line(f"refused: {name}: {problems[0]}{more}", refused=True))
        elif changes:
            lines.append(Line(f"accepted: {name}: {changes}"))
    lines += [Line(f"removed: {name}") for name in before if name not in rows]
    refused = any(line.refused for line in lines)
    lines += [Line(f"refused: {line.removeprefix(f'{board}: ')}", refused=True) for line in faults.pop("", [])]
    if refused:
        lines.append(Line("order and groups: not looked at before every row follows from its scores"))
    return lines or [Line("no row has changed")]


def _changes(before: Row | None, row: Row) -> str:
    """What has changed of a row but what moves with others, as words; '' where nothing has."""
    entry = row.entry
    if before is None:
        ends = figures.in_pieces(entry.net_score, entry.net_score_low, entry.net_score_high, "%")
        rank = f"rank {entry.rank_low} to {entry.rank_high}" if entry.rank_low else entry.kind
        return f"new, {rank}, net score {' '.join(ends)}, {entry.evidence}"
    own = [*table.STATED, *(name for name in Entry.model_fields if name not in (*OF_OTHERS, "result_sha256"))]
    pairs = {name: (getattr(before.entry, name), getattr(entry, name)) for name in own}
    pairs |= {name: (before.cells.get(name), row.cells.get(name)) for name in {**before.cells, **row.cells}}
    changed = [f"{name} {old} to {new}" for name, (old, new) in pairs.items() if old != new]
    if not changed and before.entry.result_sha256 != entry.result_sha256:
        changed = ["another result with the same figures"]
    more = f" and {len(changed) - MOST} more" if len(changed) > MOST else ""
    return ", ".join(changed[:MOST]) + more
