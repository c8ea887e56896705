"""Two results of one dataset, mixture by mixture: what differs, by how much, and how sure that is.

A difference is named when three things come together: the test rejects after correction for the whole family of
figures, the interval excludes zero, and the difference is as large as the figure's ``resolution``. Everything else
is "no difference shown". So dither, which moves every clip a little the same way, is not taken for a difference.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import TYPE_CHECKING, Literal

import numpy as np

from pse_bench.dataset.groups import Group, groups_of
from pse_bench.errors import InputError
from pse_bench.registry import suggestion
from pse_bench.scoring import statistics
from pse_bench.scoring.cells import Cell
from pse_bench.scoring.results import Result, check_comparable
from pse_bench.scoring.scenarios import SILENT_DBFS, audible
from pse_bench.scoring.summary import Aggregate, Scores

if TYPE_CHECKING:
    import pandas as pd

ALPHA = 1 - statistics.LEVEL


@dataclass(frozen=True, kw_only=True)
class Line:
    """One metric of two results over the mixtures that both have a value for.

    ``first`` and ``second`` are the two values, ``difference`` the second − the first (of a median, the median of
    the mixtures' differences). ``winner`` is which of them is better, '' where no difference is shown; ``verdict``
    says it in words. A number that is not there is None.
    """

    scenario: str
    part: str
    metric: str
    unit: str
    higher_is_better: bool
    first: float | None
    second: float | None
    difference: float | None
    ci_low: float | None
    ci_high: float | None
    p: float | None = None
    p_corrected: float | None = None
    resolution: float
    pairs: int
    expected: int
    speakers: int
    winner: Literal["", "first", "second"] = ""
    verdict: str = ""


@dataclass(frozen=True)
class Comparison:
    """All lines, and what a reader has to know beside them."""

    lines: list[Line]
    speakers: int
    notes: list[str]

    def frame(self) -> "pd.DataFrame":
        """The lines as a table; numbers that are not there are NaN."""
        import pandas as pd

        return pd.DataFrame([asdict(line) for line in self.lines], columns=[field.name for field in fields(Line)])


@dataclass(frozen=True)
class _Cell:
    """The same clips of two systems. Pairs have shape (num_clips, 2); ``names`` are those of the target speakers;
    ``quiet`` where an output was raised to what can be heard."""

    label: str
    part: str
    aggregate: Aggregate
    first: np.ndarray
    second: np.ndarray
    names: list[str]
    expected: int
    quiet: bool


def compare(
    first: Result, second: Result, *, names: Sequence[str] | None = None, by: str | None = None
) -> Comparison:
    """Compare two results on the mixtures that both have scored.

    Args:
        first, second: of one dataset, reference and version of the metrics.
        names: the figures to look at, which are the family that the test is corrected for; all by default.
        by: a column of ``mixtures.csv`` to break down by; its groups belong to the family.

    Raises:
        InputError: the results cannot be compared, are damaged, or no such figure or column is there.
    """
    check_comparable([first, second])
    one, other = first.read_scores(), second.read_scores()
    if one.mixtures.keys() != other.mixtures.keys():
        raise InputError(f"{other.path}: other mixtures than in {one.path}; score both again")
    cells = list(_cells(one, other, by))
    known = list(dict.fromkeys(cell.aggregate.metric.name for cell in cells))
    if unknown := [name for name in names or [] if name not in known]:
        hint = suggestion(unknown[0], known, "both have") if known else "both have: none in common"
        raise InputError(f"metric {unknown[0]!r} is not in both results; {hint}")
    if not cells:
        raise InputError("the results have no metric in common; score both with the same --metrics")
    cells = [cell for cell in cells if not names or cell.aggregate.metric.name in names]
    people = sorted({name for cell in cells for name in cell.names})
    chosen = statistics.swaps(len(people))
    lines = [_line(cell) for cell in cells]
    tested = [index for index, line in enumerate(lines) if line.speakers > 1]
    if tested:
        found = np.array([_swapped(cells[index], people, chosen) for index in tested])
        for index, alone, corrected in zip(tested, *statistics.p_values(found), strict=True):
            lines[index] = replace(lines[index], p=float(alone), p_corrected=float(corrected))
    return Comparison([_judged(line) for line in lines], len(people), _notes(cells, len(people)))


def _cells(one: Scores, other: Scores, by: str | None) -> Iterator[_Cell]:
    mixtures = list(one.mixtures.values())
    found = groups_of(mixtures, by) if by else [Group("", frozenset(one.mixtures))]
    parts = [(group.label, one.among(group.mixtures), other.among(group.mixtures)) for group in found]
    for label, aggregate, scores in one.aggregates():
        key = label, scores[0].metric
        if key not in other.figures or not aggregate.metric.compared:
            continue
        for part, first, second in parts:
            if key in first.figures:
                inside, beside = (Cell.of(found.figures.get(key, ())) for found in (first, second))
                places = {name: place for place, name in enumerate(beside.names) if beside.has_value[place]}
                own = [n for n, name in enumerate(inside.names) if inside.has_value[n] and name in places]
                both = inside.take(own), beside.take(places[inside.names[place]] for place in own)
                (pairs, quiet), (others, quieter) = map(_pairs, (aggregate, aggregate), (one, other), both)
                names = [one.mixtures[name].target_speaker for name in both[0].names]
                yield _Cell(label, part, aggregate, pairs, others, names, len(inside), quiet or quieter)


def _pairs(aggregate: Aggregate, scores: Scores, cell: Cell) -> tuple[np.ndarray, bool]:
    """The pairs of scores as they can be heard, and whether one of them was raised for that."""
    try:
        raised = audible(scores.known[cell.metric], cell, scores.mixtures)
        as_they_are = np.array_equal(raised.values, cell.values) and raised.details == cell.details
        return aggregate.pairs(raised), not as_they_are
    except ValueError as error:
        raise scores.damaged(aggregate.metric.name, error) from error


def _line(cell: _Cell) -> Line:
    aggregate, metric, both = cell.aggregate, cell.aggregate.metric, (cell.first, cell.second)
    first = second = difference = low = high = None
    if cell.names:
        first, second, difference = *map(aggregate.value, both), aggregate.difference(*both)
        low, high = aggregate.difference_interval(*both, statistics.clusters_of(cell.names)) or (None, None)
    return Line(
        scenario=cell.label,
        part=cell.part,
        metric=metric.name,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        first=first,
        second=second,
        difference=difference,
        ci_low=low,
        ci_high=high,
        resolution=metric.resolution.size,
        pairs=len(cell.names),
        expected=cell.expected,
        speakers=len(set(cell.names)),
    )


def _swapped(cell: _Cell, people: list[str], chosen: np.ndarray) -> np.ndarray:
    columns = [people.index(name) for name in sorted(set(cell.names))]
    clusters = statistics.clusters_of(cell.names)
    return cell.aggregate.swapped(cell.first, cell.second, clusters, chosen[:, columns])


def _judged(line: Line) -> Line:
    """The line with its verdict: the first reason not to name a difference that holds, or who is better."""
    low, high, p, least = line.ci_low, line.ci_high, line.p_corrected, line.resolution
    if line.difference is None:
        return replace(line, verdict="not scored in both")
    if low is None or high is None or p is None:
        reasons = {"equal": line.difference == 0, "one speaker": True}
    else:
        size = f"{least:g}{f' {line.unit}' if line.unit else ''}"
        reasons = {
            "equal": low == high == 0,
            f"equal to within {size}": -least <= low and high <= least,
            "too few speakers for a test": statistics.smallest_p(line.speakers) > ALPHA,
            "": p > ALPHA or low <= 0 <= high,
            f"less than {size}": abs(line.difference) < least,
        }
    for reason, holds in reasons.items():
        if holds:
            return replace(line, verdict=f"no difference shown{f' ({reason})' if reason else ''}")
    if (line.difference > 0) == line.higher_is_better:
        return replace(line, winner="second", verdict="B better")
    return replace(line, winner="first", verdict="A better")


def _notes(cells: Sequence[_Cell], speakers: int) -> list[str]:
    notes = []
    if (least := statistics.smallest_p(speakers)) > ALPHA:
        needed = next(n for n in range(1, 99) if statistics.smallest_p(n) <= ALPHA)
        rejects = f"no test can reject, the smallest p there is is {least:.2g}"
        notes.append(f"{speakers} target speakers: {rejects}; it takes at least {needed}")
    if any(cell.quiet for cell in cells):
        notes.append(f"outputs below {SILENT_DBFS:g} dBFS are taken as being there: nobody hears the difference")
    return notes
