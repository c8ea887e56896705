"""Leaderboards as a folder of pages that any server of files can host: a page a board, and one a system.

Every page holds all that it shows and links to the others by relative paths.
"""

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pse_bench.asr.probe import known
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError, RequestError
from pse_bench.io import atomic
from pse_bench.leaderboard import shown as printed
from pse_bench.leaderboard import table, verification
from pse_bench.leaderboard.evidence import has_scores, unpacked
from pse_bench.leaderboard.leaderboard import CONTROL
from pse_bench.leaderboard.table import ENDS, Row
from pse_bench.reporting import (
    breakdown_plot,
    distribution_plot,
    estimates,
    html,
    plot,
    result_tables,
    session_plot,
    tables,
    tradeoff,
)
from pse_bench.reporting.clip_panel import Media
from pse_bench.reporting.plot import ShownSystem
from pse_bench.reporting.worst_clips import FAILURES, ShownClips, choose_clips
from pse_bench.submission import submission

FILTERS = {
    "kind": "kind",
    "evidence": "evidence",
    "causal": "causal",
    "latency_class": "latency",
    "parameters": "parameters",
    "trained_on": "trained on",
}
"""The columns of a board by which its page can be narrowed down, with what they are called there."""
SIZES = {"under 0.1 M": 1e5, "under 1 M": 1e6, "under 10 M": 1e7}
"""Classes of the number of parameters: their upper bounds."""
LARGEST = "10 M and more"
HIDDEN = {"system", "result_sha256", "rank", "mean_rank", "pareto", "rank_low", "rank_high"} | {
    f"net_score{end}" for end in ENDS
}
"""Columns that a system's page tells in another form."""
MOST_MEDIA = 8_000_000
"""Characters of sound and pictures on a system's page."""
PLOTS = (distribution_plot.section, breakdown_plot.section)
"""The plots of a system's page."""


@dataclass(frozen=True)
class Shown:
    """A row of a board with its style, and its page's file name."""

    row: Row
    system: ShownSystem
    page: str
    group: str

    @property
    def place(self) -> str:
        """The ranks that it may have, as words."""
        return printed.rank(self.row.entry)

    @property
    def score(self) -> tuple[str, str]:
        """Its net score and the interval, as words."""
        return printed.score(self.row.entry)

    @property
    def scored(self) -> bool:
        """Whether every single score of it is there."""
        return (self.system.result.folder / "scores.csv").is_file()

    @property
    def values(self) -> dict[str, str]:
        """What the filters go by."""
        return {name: _class_of(name, getattr(self.row.entry, name, None)) for name in FILTERS}


@dataclass(frozen=True)
class Board:
    """A board by its name, with all its rows."""

    name: str
    shown: list[Shown]

    @property
    def systems(self) -> list[Shown]:
        """Those with a page of their own: a control is shown on that of its system."""
        return [one for one in self.shown if not one.system.style.control]

    @property
    def ranked(self) -> list[Shown]:
        """The systems that are compared with one another, the first first."""
        return [one for one in self.systems if not one.system.style.reference]

    @property
    def about(self) -> dict[str, Any]:
        """What its results say of the dataset, and what is known of the recogniser."""
        about = self.shown[0].system.result.about
        return about | {"probe": known((about.get("recogniser") or {}).get("model", ""))}


Progress = Callable[[str, str], Any]
Examples = dict[ShownSystem, tuple[ShownClips, Media]]
"""What there is to see and to hear of systems."""


def write(
    boards: Sequence[Path],
    out: Path,
    *,
    progress: Progress,
    datasets: Sequence[Path] = (),
    submissions: Sequence[Path] = (),
    force: bool = False,
) -> list[Path]:
    """Write the pages of some boards into a folder; the pages, the index first.

    Args:
        progress: as ``progress.progress``.
        datasets: those of boards, for scenes to see and hear on the pages of systems.
        submissions: what rows were scored from.

    Raises InputError: a board cannot be read or does not follow from what is kept beside it, the folder is there,
    a dataset is that of no board, or a submission that of no system.
    """
    if submissions and not datasets:
        raise RequestError("--submission needs --dataset, the folder of what its board is of")
    atomic.require_new(out, force)
    for path in boards:
        if problems := verification.verify(path):
            raise InputError(problems[0])
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as private:
        shown = [Board(path.stem, _shown(path, Path(private) / path.stem)) for path in boards]
        return _written(shown, out, _examples(shown, datasets, submissions, progress))


def _examples(
    boards: list[Board], datasets: Sequence[Path], paths: Sequence[Path], progress: Progress
) -> Examples:
    """The worst and the median clip of each failure of every system whose submission is given."""
    opened = {}
    for folder in datasets:
        dataset = Dataset.open(folder).require_unchanged()
        own = dataset.description.fingerprint
        opened[own] = dataset
        if own not in {board.about["dataset_fingerprint"] for board in boards}:
            raise InputError(f"{folder}: fingerprint {own[:12]}, that of no board; give the dataset of one")
    found: Examples = {}
    for path in paths:
        before = len(found)
        for board in boards:
            own_dataset = opened.get(board.about["dataset_fingerprint"])
            systems = [one.system for one in board.systems if one.scored]
            if own_dataset and systems:
                with submission.opened(path, own_dataset.mixtures) as estimates_in:
                    for system in estimates.scored_from(estimates_in, systems):
                        kept, given = Media(budget=MOST_MEDIA), {system: estimates_in}
                        with progress(f"drawing clips of {system.style.name}", "scenes") as update:
                            found[system] = choose_clips(own_dataset, given, kept, worst=1, progress=update), kept
        if len(found) == before:
            raise InputError(
                f"{path}: no system whose scores are kept was scored from these files; give the submission as it "
                "was scored, and the dataset of its board"
            )
    return found


def _written(shown: list[Board], out: Path, examples: Examples) -> list[Path]:
    pages = [out / "index.html"]
    for board in shown:
        found = {out / f"{board.name}.html": ("board.html", _board_page(board))}
        for one in board.systems:
            page = _system_page(board, one, *examples.get(one.system, (None, Media())))
            found[out / board.name / one.page] = ("board_system.html", page)
        for path, (template, values) in found.items():
            html.write(path, template, **{"media": {}, **values}, boards=shown)
        pages += found
    html.write(pages[0], "boards.html", title="Leaderboards", boards=shown, media={})
    return pages


def _shown(board: Path, private: Path) -> list[Shown]:
    """The rows of a board. Their kept scores are unpacked into a folder."""
    rows = table.read(board)
    if not rows:
        raise InputError(f"{board}: holds no rows; add results first")
    results, pages = [], []
    for row in rows:
        folder = table.evidence_folder(board, row.entry)
        if has_scores(folder):
            (private / folder.name).mkdir(parents=True)
            results.append(unpacked(board, folder, private / folder.name)[0])
        else:
            results.append(table.evidence(board, row.entry))
        pages.append(f"{folder.name.rpartition('-')[0]}.html")  # without a hash, so that links to it last
    groups = printed.groups_of(rows, table.read_pairs(board))
    each = zip(rows, plot.systems_of(results), pages, strict=True)
    return [Shown(row, system, page, groups.get(row.entry.name, "")) for row, system, page in each]


def _class_of(name: str, value: Any) -> str:
    if value is None or value == "":
        return "not stated"
    if name == "parameters":
        return next((words for words, bound in SIZES.items() if value < bound), LARGEST)
    return _words(value)


def _words(value: Any) -> str:
    if isinstance(value, bool):
        return ("no", "yes")[value]
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}" if isinstance(value, float) else str(value)


def _board_page(board: Board) -> dict[str, Any]:
    """The values of a board's page: what it is of, its filters, the picture, and tables of figures."""
    shown = [one.system for one in board.systems]
    choices = {name: sorted({one.values[name] for one in board.systems}) for name in FILTERS}
    return {
        "title": board.name,
        "board": board,
        "filters": {name: (FILTERS[name], found) for name, found in choices.items() if len(found) > 1},
        "picture": session_plot.section(shown) or tradeoff.section(shown),  # takes have no TS3
        "tables": result_tables.aggregates(shown),
        "foot": printed.explained({column for one in board.shown for column in one.row.cells}),
        "definitions": result_tables.definitions([system.result for system in shown]),
        "few": tables.FEW_SPEAKERS,
        "in_pieces": tables.in_pieces,
    }


def _system_page(board: Board, one: Shown, clips: ShownClips | None, kept: Media) -> dict[str, Any]:
    """The values of a system's page: what it says of itself, its figures beside its control's, from the kept
    scores how its clips are spread and when it fails, and with ``clips`` how that sounds."""
    control = [other.system for other in board.shown if other.system.style.name == one.system.style.name + CONTROL]
    both = [one.system, *control]
    results = [system.result for system in both]
    scored = one.scored and all((system.result.folder / "scores.csv").is_file() for system in control)
    plots = [make([one.system]) for make in PLOTS] if one.scored else []
    return {
        "title": one.system.style.name,
        "board": board,
        "one": one,
        "facts": _facts(one.row),
        "tables": result_tables.aggregates(both)[1:],
        "controls": result_tables.controls(results) if scored else [],
        "plots": plots,
        "clips": clips,
        "failures": FAILURES,
        "media": kept.uris,
        "definitions": result_tables.definitions(results[:1]),
        "in_pieces": tables.in_pieces,
        "compared_values": tables.compared_values,
    }


def _facts(row: Row) -> list[tuple[str, str]]:
    """What is known of a system besides figures, as words."""
    about = row.entry.model_dump(exclude=HIDDEN)
    return [(key.replace("_", " "), _words(value)) for key, value in about.items() if value not in (None, "")]
