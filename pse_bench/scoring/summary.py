"""From the scores of clips to the lines of a table, each with its interval."""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io.tables import read_table, write_table
from pse_bench.metrics import ALL_METRICS, Metric
from pse_bench.metrics.metric import AGGREGATIONS
from pse_bench.schemas import DESCRIPTIONS, Detection, Mixture, ScenarioLabel, Score, Summary
from pse_bench.scoring import pvad, statistics
from pse_bench.scoring.aggregates import Aggregate, aggregates_of

LARGEST = 1e30
"""What no score, and no energy that one is made of, comes near; squares of it can still be computed with."""

Cells = Mapping[tuple[str, str], Sequence[Score]]
"""Scores by scenario and metric."""


@dataclass(frozen=True)
class Scores:
    """All scores of a result, checked, and the mixtures they belong to by their ids. ``detections`` are empty
    where the submission holds no activity. ``known`` defines at least the metrics that there are scores of."""

    path: Path
    mixtures: dict[str, Mixture]
    cells: Cells
    detections: Sequence[Detection]
    known: Mapping[str, Metric]

    @classmethod
    def read(cls, folder: Path, known: Mapping[str, Metric] = ALL_METRICS) -> "Scores":
        """The scores of a result folder.

        Args:
            folder: that of the result.
            known: ours, and those from outside that the result defines.

        Raises:
            InputError: ``scores.csv`` is damaged, or does not have one row a mixture of every metric it holds, and
                likewise for ``detections.csv``.
        """
        mixtures = {row.mixture_id: row for row in read_table(folder / "mixtures.csv", Mixture)}
        path = folder / "scores.csv"
        cells = _cells(path, {name: row.scenario for name, row in mixtures.items()}, known)
        activity = folder / pvad.FILE
        return cls(path, mixtures, cells, pvad.read(activity, mixtures) if activity.exists() else (), known)

    def among(self, names: Iterable[str]) -> "Scores":
        """Those of some mixtures."""
        kept = set(names)
        cells = {
            key: [score for score in scores if score.mixture_id in kept] for key, scores in self.cells.items()
        }
        return replace(
            self,
            mixtures={name: row for name, row in self.mixtures.items() if name in kept},
            cells={key: scores for key, scores in cells.items() if scores},
            detections=[row for row in self.detections if row.mixture_id in kept],
        )

    def aggregates(self) -> list[tuple[ScenarioLabel, Aggregate, Sequence[Score]]]:
        """Scenario, aggregate and scores of every line that a table can have, in the order of tables."""
        longest_s = max((row.num_samples / row.sample_rate for row in self.mixtures.values()), default=0.0)
        return [
            (label, aggregate, self.cells[label, metric.name])
            for label in DESCRIPTIONS
            for metric in self.known.values()
            if (label, metric.name) in self.cells
            for aggregate in aggregates_of(metric, label, longest_s)
        ]

    def damaged(self, metric: str, error: ValueError) -> InputError:
        """The error about a detail that holds no ratio."""
        return InputError(f"{self.path}: {metric}: {error}; score again")


def summarise(folder: Path, known: Mapping[str, Metric] = ALL_METRICS) -> list[Summary]:
    """Aggregate a result's ``scores.csv`` into its ``summary.csv``.

    Failed scores count with their worst value, undefined ones not at all; ``scored`` counts those that are ok,
    ``expected`` the scenario's mixtures. Intervals are of 95 %, over target speakers (see ``statistics``); empty
    where there is only one.

    Args, Raises: as ``Scores.read``.
    """
    rows = summaries_of(Scores.read(folder, known))
    write_table(folder / "summary.csv", Summary, rows)
    return rows


def summaries_of(scores: Scores) -> list[Summary]:
    """Every aggregate with its interval. Raises InputError where a detail has no ratio."""
    return [
        *(_summary(scores, *line) for line in scores.aggregates()),
        *pvad.summaries(scores.detections, scores.mixtures),
    ]


def _summary(scores: Scores, label: ScenarioLabel, aggregate: Aggregate, found: Sequence[Score]) -> Summary:
    metric = aggregate.metric
    counted = [score for score in found if score.value is not None]
    try:
        pairs = aggregate.pairs(counted)
    except ValueError as error:
        raise scores.damaged(metric.name, error) from error
    if not (np.abs(pairs) < LARGEST).all():
        raise scores.damaged(metric.name, ValueError("a figure beyond all measure"))
    speakers = [scores.mixtures[score.mixture_id].target_speaker for score in counted]
    interval = aggregate.interval(pairs, statistics.clusters_of(speakers)) if counted else None
    return Summary(
        scenario=label,
        metric=metric.name,
        value=aggregate.value(pairs) if counted else None,
        ci_low=interval[0] if interval else None,
        ci_high=interval[1] if interval else None,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        aggregation=AGGREGATIONS[metric.aggregation],
        scored=sum(score.status == "ok" for score in found),
        expected=len(found),
    )


def _cells(path: Path, scenarios: dict[str, str], known: Container[str]) -> Cells:
    """Scores by scenario and metric, checked to be those of all mixtures and of nothing else."""
    cells: dict[tuple[str, str], list[Score]] = defaultdict(list)
    for score in read_table(path, Score):
        if scenarios.get(score.mixture_id) != score.scenario:
            raise InputError(f"{path}: {score.mixture_id} of {score.scenario} is not in mixtures.csv; score again")
        if score.metric not in known:
            raise InputError(f"{path}: metric {score.metric!r} is not known; score again")
        if (score.value is None) != (score.status == "undefined"):
            raise InputError(
                f"{path}: {score.metric} of {score.mixture_id} is {score.status} with the value {score.value}; "
                "score again"
            )
        cells[score.scenario, score.metric].append(score)
    expected = Counter(scenarios.values())
    for (label, metric), scores in cells.items():
        names = {score.mixture_id for score in scores}
        if not len(names) == len(scores) == expected[label]:
            raise InputError(
                f"{path}: {len(scores)} rows of {metric} over {len(names)} mixtures of {label}, expected "
                f"{expected[label]}; score again"
            )
    return cells
