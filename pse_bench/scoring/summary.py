"""From the scores of clips to the lines of a table, each with its interval.

An aggregate of a metric is either a function of two sums over clips (mean, share, ratio of sums, energies in dB)
or a median. Both its value and how sure it is follow from that.
"""

from collections import Counter
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from pse_bench import metrics
from pse_bench.errors import InputError
from pse_bench.io.documents import read_text
from pse_bench.io.tables import table_of, write_table
from pse_bench.metrics import ALL_METRICS, Metric
from pse_bench.schemas import DESCRIPTIONS, TABLES, Detection, Mixture, Score, Summary, TableLabel
from pse_bench.scoring import cells as by_columns
from pse_bench.scoring import pvad, scenarios, statistics
from pse_bench.scoring.cells import Cell, Cells

LARGEST = 1e30  # no score, and no energy that one is made of, comes near; squares can still be computed with


@dataclass(frozen=True)
class Aggregate:
    """A metric over clips, or one computed from the scores of another, within ``low`` and ``high``.

    Clips enter as pairs of a numerator and a denominator, shape (num_clips, 2); a median is of the numerators.
    """

    metric: Metric
    low: float
    high: float

    @property
    def is_median(self) -> bool:
        return self.metric.aggregation == "median"

    def pairs(self, scores: Sequence[Score]) -> np.ndarray:
        """Pairs of scores that have a value. Raises ValueError where a detail has no ratio."""
        cell, aggregation = Cell.of(scores), self.metric.aggregation
        if aggregation in ("ratio", "energies"):
            if aggregation == "ratio":  # an output's energy may be exactly zero
                for place in np.flatnonzero(~(cell.ratios[:, 1] > 0))[:1]:
                    raise ValueError(f"no ratio in the detail {cell.details[place]!r} of {cell.names[place]}")
            return cell.ratios
        values = cell.values + 0.0  # no -0.0
        if aggregation == "share" and len(values):
            values = self.metric.compute(values[:, None])
        return np.stack([values, np.ones(len(values))], axis=-1)

    def link(self, sums: np.ndarray) -> np.ndarray:
        """The value from the sums of numerators and denominators, shape (..., 2)."""
        above, below = sums[..., 0], sums[..., 1]
        if self.metric.aggregation != "energies":
            return self.metric.scale * above / np.where(below > 0, below, np.nan)
        # held at its bounds, as ``leakage.reduction_db`` does for one clip
        return np.maximum(10 * np.log10(above / np.maximum(below, above * 10 ** (-self.high / 10))), self.low)

    def value(self, pairs: np.ndarray) -> float:
        """The value over clips, in the metric's unit."""
        return float(np.median(pairs[:, 0]) if self.is_median else self.link(pairs.sum(axis=0)))

    def interval(self, pairs: np.ndarray, clusters: np.ndarray) -> statistics.Interval | None:
        """Its interval; ``clusters`` of shape (num_clips,) as ``statistics.clusters_of`` gives them."""
        if self.is_median:
            return statistics.median_interval(pairs[:, 0], clusters)
        # few clips may make up most of pooled energies
        skewed, bounds = self.metric.aggregation == "energies", {"low": self.low, "high": self.high}
        return statistics.quotient_interval(pairs, clusters, link=self.link, skewed=skewed, **bounds)

    def difference(self, first: np.ndarray, second: np.ndarray) -> float:
        """second − first over the same clips; of a median, the median of the clips' differences."""
        if self.is_median:
            return float(np.median(second[:, 0] - first[:, 0]))
        return self.value(second) - self.value(first)

    def difference_interval(
        self, first: np.ndarray, second: np.ndarray, clusters: np.ndarray
    ) -> statistics.Interval | None:
        """The interval of ``difference``."""
        if self.is_median:
            return statistics.median_interval(second[:, 0] - first[:, 0], clusters)
        span = self.high - self.low
        return statistics.quotient_difference(first, second, clusters, link=self.link, span=span)

    def swapped(
        self, first: np.ndarray, second: np.ndarray, clusters: np.ndarray, chosen: np.ndarray
    ) -> np.ndarray:
        """The statistic of the test after each swap of speakers, shape (num_swaps,): ``difference``, of a median
        its sign."""
        if self.is_median:
            return statistics.swapped_signs(second[:, 0] - first[:, 0], clusters, chosen)
        return statistics.swapped_quotients(first, second, clusters, chosen, link=self.link)


def aggregates_of(metric: Metric, scenario: str, longest_s: float) -> list[Aggregate]:
    """The lines of a table for a metric in a scenario: its own, then what is computed from its scores.

    ``longest_s`` is the length of the longest clip, which bounds what has no other bound.
    """
    beside = [other for other in metrics.computed_from(metric.name).values() if scenario in other.scenarios]
    return [
        Aggregate(one, -longest_s if one.low is None else one.low, longest_s if one.high is None else one.high)
        for one in (metric, *beside)
    ]


@dataclass(frozen=True)
class Scores:
    """All scores of a result, checked, and the mixtures they belong to by their ids. ``detections`` are empty
    where the submission holds no activity. ``known`` defines at least the metrics that there are scores of.
    ``losses`` are what the target lost by scene and scenario, also of scenes whose mixtures are not among them."""

    path: Path
    mixtures: dict[str, Mixture]
    cells: Cells
    detections: Sequence[Detection]
    known: Mapping[str, Metric]
    losses: scenarios.Losses = field(default_factory=dict)

    @classmethod
    def read(cls, folder: Path, known: Mapping[str, Metric] = ALL_METRICS) -> "Scores":
        """The scores of a result folder; ``known`` are our metrics, and those from outside that the result
        defines.

        Raises:
            InputError: ``scores.csv`` is damaged, or does not have one row a mixture of every metric it holds, and
                likewise for ``detections.csv``.
        """
        mixtures = _mixtures(folder / "mixtures.csv")
        path, activity = folder / "scores.csv", folder / pvad.FILE
        cells = _cells(path, {name: row.scenario for name, row in mixtures.items()}, known)
        detections = pvad.read(activity, mixtures) if activity.exists() else ()
        known = {**known, scenarios.NET.name: scenarios.NET}
        return cls(path, mixtures, cells, detections, known, scenarios.losses_of(cells, mixtures))

    def among(self, names: Iterable[str]) -> "Scores":
        """Those of some mixtures."""
        kept = set(names)
        inside = ((key, Cell.of(scores).among(kept)) for key, scores in self.cells.items())
        return replace(
            self,
            mixtures={name: row for name, row in self.mixtures.items() if name in kept},
            cells={key: scores for key, scores in inside if scores},
            detections=[row for row in self.detections if row.mixture_id in kept],
        )

    @cached_property
    def _speakers(self) -> dict[str, int]:
        """The number of each mixture's target speaker, in the order of their names."""
        people = sorted({row.target_speaker for row in self.mixtures.values()})
        number = {person: place for place, person in enumerate(people)}
        return {name: number[row.target_speaker] for name, row in self.mixtures.items()}

    def clusters(self, cell: Cell) -> np.ndarray:
        """Whose each clip of a cell is, shape (num_clips,), as ``statistics.clusters_of`` gives it."""
        names = tuple(cell.names)  # the same for most metrics of a scenario
        if names not in self._clusters:
            self._clusters[names] = statistics.clusters_of([self._speakers[name] for name in names])
        return self._clusters[names]

    @cached_property
    def _clusters(self) -> dict[tuple[str, ...], np.ndarray]:
        return {}

    @cached_property
    def figures(self) -> Cells:
        """``cells``, and behind them what takes scores of several scenarios, one a clip."""
        try:
            net = scenarios.net_leakage(self.cells, self.mixtures, self.losses)
        except ValueError as error:
            raise self.damaged(scenarios.LEAKAGE, error) from error
        return {**self.cells, **({("TS3", scenarios.NET.name): net} if net else {})}

    def aggregates(self) -> list[tuple[TableLabel, Aggregate, Sequence[Score]]]:
        """Scenario, aggregate and scores of every line that a table can have, in the order of tables."""
        longest_s = max((row.num_samples / row.sample_rate for row in self.mixtures.values()), default=0.0)
        place = {name: number for number, name in enumerate(metrics.REGISTRY)}
        found = [
            (label, aggregate, self.figures[label, metric.name])
            for label in DESCRIPTIONS
            for metric in self.known.values()
            if (label, metric.name) in self.figures
            for aggregate in aggregates_of(metric, label, longest_s)
        ]
        order = list(TABLES)  # what is computed from the scores of others may stand far behind them
        found.sort(key=lambda line: (order.index(line[0]), place.get(line[1].metric.name, len(place))))
        return found

    def damaged(self, metric: str, error: ValueError) -> InputError:
        """The error about a detail that holds no ratio."""
        return InputError(f"{self.path}: {metric}: {error}; score again")


_last: dict[str, dict[str, Mixture]] = {}  # one table by its text


def _mixtures(path: Path) -> dict[str, Mixture]:
    """The mixtures of a result by their ids. All results of a dataset have the same, so the last table is kept."""
    text = read_text(path)
    rows = _last.get(text)
    if rows is None:
        rows = {row.mixture_id: row for row in table_of(text, Mixture, str(path))}
        _last.clear()
        _last[text] = rows
    return rows


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
    lines = [_summary(scores, *line) for line in scores.aggregates()]
    return [*lines, *pvad.summaries(scores.detections, scores.mixtures), *_absence(scores)]


def _absence(scores: Scores) -> list[Summary]:
    """The line of ``absence_eer``, where there are scores of all that it takes."""
    try:
        found = scenarios.absence(scores.cells, scores.mixtures)
    except ValueError as error:
        raise scores.damaged(scenarios.LEAKAGE, error) from error
    return [pvad.line(scenarios.ABSENCE, "all", found[0], found[1])] if found else []


def _summary(scores: Scores, label: TableLabel, aggregate: Aggregate, found: Sequence[Score]) -> Summary:
    metric, cell = aggregate.metric, Cell.of(found)
    figure: pvad.Figure = None, None
    try:
        pairs = aggregate.pairs(cell.counted)
        if not (np.abs(pairs) < LARGEST).all():
            raise ValueError("a figure beyond all measure")
    except ValueError as error:
        raise scores.damaged(metric.name, error) from error
    if len(pairs):
        figure = aggregate.value(pairs), aggregate.interval(pairs, scores.clusters(cell.counted))
    return pvad.line(metric, label, figure, cell.states)


def _cells(path: Path, scenarios: Mapping[str, str], known: Container[str]) -> Mapping[tuple[str, str], Cell]:
    """Scores by scenario and metric, checked to be those of all mixtures and of nothing else."""
    cells = by_columns.read(path)
    if fault := _fault(cells, scenarios, known):
        raise InputError(f"{path}: {fault}; score again")
    return cells


def _fault(cells: Mapping[tuple[str, str], Cell], scenarios: Mapping[str, str], known: Container[str]) -> str:
    """The first thing that is wrong with scores, in words; '' where nothing is."""
    for (label, metric), cell in cells.items():
        found = list(map(scenarios.get, cell.names))
        if found != [label] * len(found):
            name = next(name for name, own in zip(cell.names, found, strict=True) if own != label)
            return f"{name} of {label} is not in mixtures.csv"
        if metric not in known:
            return f"metric {metric!r} is not known"
        odd = cell.has_value == [status == "undefined" for status in cell.states]
        for place in np.flatnonzero(odd)[:1]:
            value = cell[place].value
            return f"{metric} of {cell.names[place]} is {cell.states[place]} with the value {value}"
    expected = Counter(scenarios.values())
    for (label, metric), cell in cells.items():
        names = set(cell.names)
        if not len(names) == len(cell) == expected[label]:
            return (
                f"{len(cell)} rows of {metric} over {len(names)} mixtures of {label}, expected {expected[label]}"
            )
    return ""
