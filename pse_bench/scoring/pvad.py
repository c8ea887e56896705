"""Scores of submitted activity: the rows of ``detections.csv``, and the metrics over them.

Every metric follows from the rows alone: histograms of scores add up over mixtures, and onsets are listed.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from pse_bench.errors import InputError, UndefinedScore
from pse_bench.io import documents, tables
from pse_bench.metrics import detection
from pse_bench.metrics.detection import LIMIT, SIZE
from pse_bench.metrics.metric import AGGREGATIONS, Metric
from pse_bench.schemas import TABLES, Detection, Mixture, Summary, TableLabel
from pse_bench.scoring import statistics
from pse_bench.signal import vad
from pse_bench.submission import submission

FILE = "detections.csv"
NAMES = (("target", "not_target"), ("other", "not_other"), ("none", "not_none"))  # columns of histograms by class

Figure = tuple[float | None, statistics.Interval | None]
"""A value, and its interval; None where it is undefined, or rests on one speaker."""


class Detected(documents.Record):
    """The row of one mixture, the hash of its file ('' without one), and what was wrong with it."""

    row: Detection
    sha256: str
    problem: str = ""


def row_of(mixture: Mixture, labels: np.ndarray, probabilities: np.ndarray) -> Detection:
    """The row of a mixture, from the true class of each frame, shape (num_frames,), and probabilities of shape
    (num_frames, 3)."""
    delays, missed = detection.onset_delays_s(
        probability=probabilities[:, detection.TARGET], active=labels == detection.TARGET, hop_s=vad.HOP_S
    )
    in_ms = " ".join(str(round(1000 * delay)) for delay in delays)
    return _row(mixture, detection.histograms(probabilities, labels), in_ms, missed)


def worst(mixture: Mixture, labels: np.ndarray, reason: str) -> Detection:
    """The row of a mixture without usable activity: every frame as wrong as can be, no onset noticed."""
    missed = int(np.count_nonzero(np.diff(labels == detection.TARGET, prepend=False, append=False)) // 2)
    return _row(mixture, detection.worst_histograms(labels), "", missed, reason)


def _row(mixture: Mixture, counts: np.ndarray, delays_ms: str, missed: int, reason: str = "") -> Detection:
    return Detection(
        mixture_id=mixture.mixture_id,
        scenario=mixture.scenario,
        status="failed" if reason else "ok",
        detail=reason,
        **{name: _text(counts[index]) for index, name in np.ndenumerate(np.array(NAMES))},
        delays_ms=delays_ms,
        missed=missed,
    )


def _text(counts: np.ndarray) -> str:
    there = np.flatnonzero(counts)[::-1]
    return " ".join(f"{step - LIMIT}" + (f"*{count}" if (count := counts[step]) > 1 else "") for step in there)


def _steps(text: str) -> np.ndarray:
    """Scores and how often each occurs, shape (steps, 2), from what ``_text`` gives."""
    words = (word.partition("*") for word in text.split())
    return np.array([(int(step), int(count or 1)) for step, _, count in words], dtype=np.int64).reshape(-1, 2)


def read(path: Path, mixtures: Mapping[str, Mixture]) -> list[Detection]:
    """The rows of a result. Raises InputError when they are not one a mixture, or speak of another number of
    frames than it has, or of more onsets."""
    rows = tables.read_table(path, Detection)
    found = {row.mixture_id: row.scenario for row in rows}
    if len(found) != len(rows) or found != {name: row.scenario for name, row in mixtures.items()}:
        raise InputError(f"{path}: {len(rows)} rows are not one for each of mixtures.csv; score again")
    for row in rows:
        frames, where = submission.num_frames(mixtures[row.mixture_id]), f"{path}: {row.mixture_id}"
        for pair in NAMES:
            if (counted := sum(int(_steps(getattr(row, name))[:, 1].sum()) for name in pair)) != frames:
                count = f"{pair[0]} and {pair[1]} count {counted} frames, its mixture has {frames}"
                raise InputError(f"{where}: {count}; score again")
        if len(row.delays_ms.split()) + row.missed > frames:
            raise InputError(f"{where}: more onsets than its {frames} frames; score again")
    return rows


def summaries(rows: Sequence[Detection], mixtures: Mapping[str, Mixture]) -> list[Summary]:
    """Every metric with its 95 % interval over target speakers, in each scenario and over all of them pooled."""
    found = []
    for label in TABLES:
        inside = [row for row in rows if label in (row.scenario, "all")]
        wanted = [metric for metric in detection.ACTIVITY if label in metric.scenarios]
        if inside and wanted:
            pool, states = _Pool(inside, mixtures), [row.status for row in inside]
            found += [line(metric, label, pool.aggregate(metric), states) for metric in wanted]
    return found


def line(metric: Metric, label: TableLabel, figure: Figure, states: Sequence[str]) -> Summary:
    """A line of a table; ``states`` are those of the scores that it is made of."""
    value, interval = figure
    low, high = interval or (None, None)
    return Summary(
        scenario=label,
        metric=metric.name,
        value=value,
        ci_low=low,
        ci_high=high,
        unit=metric.unit,
        higher_is_better=metric.higher_is_better,
        aggregation=AGGREGATIONS[metric.aggregation],
        scored=states.count("ok"),
        expected=len(states),
    )


class _Pool:
    """Some mixtures by target speaker: histograms of shape (speakers, 3, 2, SIZE), and onsets."""

    def __init__(self, rows: Sequence[Detection], mixtures: Mapping[str, Mixture]) -> None:
        own = [mixtures[row.mixture_id] for row in rows]
        clusters = statistics.clusters_of([mixture.target_speaker for mixture in own])
        self.counts = np.zeros((int(clusters.max()) + 1, len(NAMES), 2, SIZE), dtype=np.int32)
        self.never_s = max(mixture.num_samples / mixture.sample_rate for mixture in own)
        onsets: list[tuple[float, int]] = []
        for row, speaker in zip(rows, clusters, strict=True):
            for index, name in np.ndenumerate(np.array(NAMES)):
                steps = _steps(getattr(row, name))
                np.add.at(self.counts[speaker][index], steps[:, 0] + LIMIT, steps[:, 1].astype(np.int32))
            delays_s = [*(int(word) / 1000 for word in row.delays_ms.split()), *[self.never_s] * row.missed]
            onsets += [(delay_s, speaker) for delay_s in delays_s]
        self.delays_s = np.array([delay_s for delay_s, _ in onsets])
        self.whose = statistics.clusters_of([speaker for _, speaker in onsets])  # some may have no onset

    def aggregate(self, metric: Metric) -> Figure:
        try:
            if metric.aggregation == "frames":
                value = metric.compute(self.counts.sum(axis=0))
                return value, self._interval(metric, value)
            value = metric.compute(self.delays_s, self.never_s)
        except UndefinedScore:
            return None, None
        if metric.aggregation == "onset median":
            return value, statistics.median_interval(self.delays_s, self.whose)
        missed = self.delays_s >= self.never_s
        pairs = np.stack([100 * missed, np.ones(len(missed))], axis=-1)
        return value, statistics.quotient_interval(pairs, self.whose, link=_quotient, low=0.0, high=100.0)

    def _interval(self, metric: Metric, value: float) -> statistics.Interval | None:
        whole = self.counts.sum(axis=0)
        try:
            left = np.array([metric.compute(whole - own) for own in self.counts])
        except UndefinedScore:
            return None
        frames = self.counts[:, 0].sum(axis=(1, 2)).astype(float)
        return statistics.left_out_interval(value, left, frames, low=0.0, high=100.0)


def _quotient(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / sums[..., 1]
