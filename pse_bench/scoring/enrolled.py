"""One system with several enrollments of each person: figures on average over them, and with each person's worst.

A system that is good on average may fail those who enroll with an unlucky sentence; X. Liu, X. Li and J. Serrà,
"Quantitative evidence on overlooked aspects of enrollment speaker embeddings for target speaker separation",
arXiv 2206.08174.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pse_bench.errors import InputError
from pse_bench.scoring import figures, statistics
from pse_bench.scoring.cells import Cell
from pse_bench.scoring.results import Result, check_comparable
from pse_bench.scoring.summary import Aggregate, Scores


@dataclass(frozen=True, kw_only=True)
class Enrolled:
    """One figure over the enrollments of each of ``speakers``, who are those with a value in every result: the
    mean over people of the mean over a person's ``enrollments``, and of the worst, in ``unit``. Ends of intervals
    are None where there is one speaker."""

    scenario: str
    metric: str
    unit: str
    higher_is_better: bool
    mean: float
    mean_low: float | None
    mean_high: float | None
    worst: float
    worst_low: float | None
    worst_high: float | None
    speakers: int
    enrollments: int


def over_enrollments(results: Sequence[Result], names: Sequence[str] | None = None) -> list[Enrolled]:
    """Figures of one system over its results with several enrollments.

    Args:
        results: two or more of one dataset, each with another enrollment.
        names: the figures to look at; by default the headline ones.

    Raises:
        InputError: the results cannot stand side by side or are of several systems, or no such figure is there.
    """
    if len(results) < 2:
        raise InputError(f"{results[0].folder}: one result; give those with other enrollments, too")
    check_comparable(results)
    versions = {result.folder: result.about["system"]["version"] for result in results}
    for folder, version in versions.items():
        if version != results[0].about["system"]["version"]:
            raise InputError(
                f"{folder}: of another system than {results[0].folder}; give those of one with several enrollments"
            )
    found = [_by_person(result.read_scores()) for result in results]
    there = [name for name in found[0] if all(name in one for one in found)]
    chosen = figures.named(names, there) if names else figures.headline(there) or there
    lines = (_line([one[name] for one in found]) for name in chosen)
    return [line for line in lines if line]


Figure = tuple[Aggregate, str, dict[str, float]]
"""An aggregate, its scenario, and its value for each target speaker."""


def _by_person(scores: Scores) -> dict[str, Figure]:
    """Every figure of a result by its name."""
    found = {}
    for label, aggregate, rows in scores.aggregates():
        cell = Cell.of(rows).counted
        try:
            pairs = aggregate.pairs(cell)
        except ValueError as error:
            raise scores.damaged(aggregate.metric.name, error) from error
        people = np.array([scores.mixtures[name].target_speaker for name in cell.names])
        values = {str(who): aggregate.value(pairs[people == who]) for who in np.unique(people)}
        found[f"{label}.{aggregate.metric.name}"] = aggregate, str(label), values
    return found


def _line(found: Sequence[Figure]) -> Enrolled | None:
    """A figure over results; None where nobody has a value in all of them."""
    aggregate, label, first = found[0]
    people = [who for who in first if all(who in values for _, _, values in found)]
    if not people:
        return None
    table = np.array([[values[who] for who in people] for _, _, values in found])  # (enrollments, speakers)
    metric = aggregate.metric
    worst = table.min(axis=0) if metric.higher_is_better else table.max(axis=0)
    mean, of_mean = _over(table.mean(axis=0), aggregate)
    least, of_worst = _over(worst, aggregate)
    return Enrolled(
        scenario=label,
        metric=metric.name,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        mean=mean,
        mean_low=of_mean and of_mean[0],
        mean_high=of_mean and of_mean[1],
        worst=least,
        worst_low=of_worst and of_worst[0],
        worst_high=of_worst and of_worst[1],
        speakers=len(people),
        enrollments=len(found),
    )


def _over(values: np.ndarray, aggregate: Aggregate) -> tuple[float, statistics.Interval | None]:
    """The mean over people and its interval."""
    mean, left = values.mean(), (values.sum() - values) / max(len(values) - 1, 1)
    weights = np.ones(len(values))
    interval = statistics.left_out_interval(mean, left, weights, low=aggregate.low, high=aggregate.high)
    return float(mean), interval
