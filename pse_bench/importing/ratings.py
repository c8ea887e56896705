"""What raters of a listening test answered: webMUSHRA's results and filled-in sheets, told by the test's key.

Raters who do not hear the hidden reference are left out (ITU-R BS.1534-3, section 4.1.2): those that rate it below
90 on more than 15 % of their pages.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from pse_bench.errors import InputError
from pse_bench.export import exporter
from pse_bench.export.listening_test import FORMAT, KEY, Stimulus
from pse_bench.export.stimuli import REFERENCE
from pse_bench.io import documents
from pse_bench.io.documents import Record
from pse_bench.io.tables import Grid, csv_lines, csv_of, printed, read_table
from pse_bench.schemas import ScenarioLabel
from pse_bench.scoring import statistics
from pse_bench.scoring.figures import in_pieces

Metric = Literal["mushra", "mos_sig", "mos_bak", "mos_ovrl", "mos"]
MUSHRA: Metric = "mushra"
HEADS: dict[str, Metric] = {"sig": "mos_sig", "bak": "mos_bak", "ovrl": "mos_ovrl", "mos": "mos"}
"""The metric of each column of a sheet."""
SCALES: dict[Metric, tuple[float, float]] = {MUSHRA: (0.0, 100.0), **dict.fromkeys(HEADS.values(), (1.0, 5.0))}
"""Lowest and highest rating of each metric."""
LOW_REFERENCE, LOW_SHARE = 90.0, 0.15


class Rating(Record):
    """One rating, of a sound that is no longer hidden."""

    rater: str
    metric: Metric
    system: str
    role: Literal["system", "anchor", "reference"]
    mixture_id: str
    scenario: ScenarioLabel
    target_speaker: str
    value: float


@dataclass(frozen=True)
class Figure:
    """The mean of one metric's ratings of a system, its 95 % interval (None with one rater or speaker), and how
    many there are."""

    metric: Metric
    system: str
    role: str
    value: float
    interval: statistics.Interval | None
    ratings: int
    raters: int
    mixtures: int

    def row(self) -> dict[str, Any]:
        """Its columns in a CSV."""
        low, high = self.interval or (None, None)
        counts = {"raters": self.raters, "mixtures": self.mixtures, "ratings": self.ratings}
        figure = {"value": self.value, "ci_low": low, "ci_high": high}
        return {"metric": self.metric, "system": self.system, "role": self.role, **figure, **counts}

    def cells(self) -> list[str]:
        """Its cells in a table."""
        unit = "points" if self.metric == MUSHRA else "MOS"
        counts = [str(count) for count in (self.raters, self.mixtures, self.ratings)]
        low, high = self.interval or (None, None)
        return [self.system, self.role, *in_pieces(self.value, low, high, unit), *counts]


def read(test: Path, answers: Sequence[Path], note: Callable[[str], None] = lambda _: None) -> list[Rating]:
    """The ratings of a listening test, without those of raters who fail, each of whom is named to ``note``.

    Args:
        test: the folder that ``export listening-test`` wrote.
        answers: ``mushra.csv`` of webMUSHRA, and sheets; a folder stands for all CSV files in it and below.

    Raises:
        InputError: a folder that is no listening test, or a file with anything that is not of this one: named with
            file and line.
    """
    about = documents.read_json(test / exporter.ABOUT)
    if not isinstance(about, dict) or about.get("format") != FORMAT:
        raise InputError(f"{test}: no listening test; give the folder that export listening-test wrote")
    key = {row.stimulus: row for row in read_table(test / KEY, Stimulus)}
    files = [file for path in answers for file in (sorted(path.rglob("*.csv")) if path.is_dir() else [path])]
    found: dict[tuple[str, str, str], Rating] = {}
    for path in files:
        blank = 0
        for where, rater, metric, stimulus, value in _answers(path, key):
            if value is None:
                blank += 1
                continue
            if (rater, metric, stimulus.stimulus) in found:
                raise InputError(f"{where}: {rater} rated {stimulus.stimulus} before; keep one of the two answers")
            known = stimulus.model_dump(include={"system", "role", "mixture_id", "scenario", "target_speaker"})
            found[rater, metric, stimulus.stimulus] = Rating(rater=rater, metric=metric, value=value, **known)
        if blank:
            note(f"{path}: {blank} without an answer")
    failed = failing(list(found.values()))
    for rater, (low, pages) in failed.items():
        note(f"{rater} is left out: the hidden reference below {LOW_REFERENCE:.0f} on {low} of {pages} pages")
    kept = [one for one in found.values() if one.metric != MUSHRA or one.rater not in failed]
    if not kept:
        raise InputError(
            f"{', '.join(map(str, answers))}: no rating is left; give the files that raters filled in"
        )
    return kept


def failing(ratings: Sequence[Rating]) -> dict[str, tuple[int, int]]:
    """The raters who fail, with the pages on which they rated the hidden reference too low, of how many."""
    references = [one for one in ratings if one.metric == MUSHRA and one.role == REFERENCE]
    pages = Counter(one.rater for one in references)
    low = Counter(one.rater for one in references if one.value < LOW_REFERENCE)
    return {rater: (low[rater], pages[rater]) for rater in sorted(low) if low[rater] > LOW_SHARE * pages[rater]}


def figures(ratings: Sequence[Rating]) -> list[Figure]:
    """The figure of every metric and system, best first. Intervals are over raters and target speakers at once."""
    cells: dict[tuple[Metric, str], list[Rating]] = defaultdict(list)
    for one in ratings:
        cells[one.metric, one.system].append(one)
    found = []
    for (metric, system), rows in cells.items():
        values = np.array([one.value for one in rows])
        raters, speakers = ([getattr(one, name) for one in rows] for name in ("rater", "target_speaker"))
        low, high = SCALES[metric]
        clusters = (statistics.clusters_of(names) for names in (raters, speakers))
        interval = statistics.crossed_interval(values, *clusters, low=low, high=high)
        counts = (len(rows), len(set(raters)), len({one.mixture_id for one in rows}))
        found.append(Figure(metric, system, rows[0].role, float(values.mean()), interval, *counts))
    order = list(SCALES)
    return sorted(found, key=lambda one: (order.index(one.metric), -one.value, one.system))


def text(found: Sequence[Figure], form: str = "terminal") -> str:
    """Figures as text: ``form`` is terminal, markdown, latex, or csv with all digits."""
    if form == "csv":
        import pandas as pd

        return csv_of(pd.DataFrame([one.row() for one in found]))
    grids = []
    for metric in dict.fromkeys(one.metric for one in found):
        low, high = SCALES[metric]
        title = f"{metric}, {low:g} to {high:g} ↑"
        lines = [one.cells() for one in found if one.metric == metric]
        head = ["system", "role", "mean", "interval", "raters", "mixtures", "ratings"]
        grids.append(Grid(title, head, lines, "llrrrrr"))
    return printed(form, grids, ["mean and 95 % interval over raters and target speakers"])


# ---- the files

Answer = tuple[str, str, Metric, Stimulus, float | None]
"""Where it stands, the rater, the metric, what was rated, and how; None where it was not."""


def _answers(path: Path, key: Mapping[str, Stimulus]) -> Iterator[Answer]:
    """The answers of a file of either kind. Raises InputError."""
    lines = csv_lines(documents.read_text(path), path)
    where, header = next(lines)
    if len(set(header)) != len(header):
        raise InputError(f"{where}: a column is named twice; keep one")
    rows = ((where, dict(zip(header, cells, strict=True))) for where, cells in lines)
    if {"session_test_id", "trial_id", "rating_stimulus", "rating_score"} <= set(header):
        return _of_webmushra(rows, key)
    if {"rater", "stimulus"} <= set(header) and set(HEADS) & set(header):
        return _of_a_sheet(rows, key)
    raise InputError(
        f"{where}: neither webMUSHRA's mushra.csv (session_test_id, trial_id, rating_stimulus, rating_score) "
        f"nor a sheet (rater, stimulus, and of {', '.join(HEADS)} some); give the files as they were written"
    )


def _of_webmushra(rows: Iterator[tuple[str, dict[str, str]]], key: Mapping[str, Stimulus]) -> Iterator[Answer]:
    """Each rater has a configuration, whose ``testId`` tells who it is. Where several people answered one, and the
    results tell them apart (webMUSHRA since 1.4.1 writes ``session_uuid``), that is told, too."""
    held = list(rows)
    sessions: dict[str, set[str]] = defaultdict(set)
    for _, row in held:
        sessions[row["session_test_id"]].add(row.get("session_uuid", ""))
    references = {one.trial: one for one in key.values() if one.role == REFERENCE}
    for where, row in held:
        name, trial = row["rating_stimulus"], row["trial_id"]
        stimulus = references.get(trial) if name == REFERENCE else key.get(name)
        if stimulus is None or stimulus.trial != trial:
            raise InputError(f"{where}: {name!r} of page {trial!r} is not of this test; give the answers to it")
        test = row["session_test_id"]
        rater = f"{test}/{row['session_uuid'][:8]}" if len(sessions[test]) > 1 else test
        yield where, rater, MUSHRA, stimulus, _value(row["rating_score"], MUSHRA, where)


def _of_a_sheet(rows: Iterator[tuple[str, dict[str, str]]], key: Mapping[str, Stimulus]) -> Iterator[Answer]:
    for where, row in rows:
        stimulus = key.get(PurePosixPath(row["stimulus"]).stem)
        if stimulus is None:
            raise InputError(f"{where}: {row['stimulus']!r} is not of this test; give the answers to it")
        for head, metric in HEADS.items():
            if head in row:
                yield where, row["rater"], metric, stimulus, _value(row[head], metric, where)


def _value(text: str, metric: Metric, where: str) -> float | None:
    """A rating; None where there is none. Raises InputError where it is no number of the scale."""
    if text.strip() in ("", "NA"):
        return None
    low, high = SCALES[metric]
    try:
        value = float(text.replace(",", "."))
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise InputError(f"{where}: {text!r} is no rating from {low:g} to {high:g}; correct it or leave it empty")
    return value
