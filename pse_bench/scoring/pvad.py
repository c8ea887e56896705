"""Scores of submitted activity: the rows of ``detections.csv``, and the metrics over them.

Every metric follows from the rows alone: histograms of scores add up over mixtures, and onsets are listed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError, UndefinedScore
from pse_bench.io import documents, locks, tables
from pse_bench.metrics import detection, voice_activity
from pse_bench.metrics.detection import LIMIT, SIZE
from pse_bench.metrics.metric import AGGREGATIONS, Metric
from pse_bench.schemas import TABLES, Detection, Mixture, Summary
from pse_bench.scoring import statistics
from pse_bench.signal import vad
from pse_bench.submission import submission

FILE = "detections.csv"
NAMES = (("target", "not_target"), ("other", "not_other"), ("none", "not_none"))
"""The columns of histograms, in the order of classes."""


@dataclass(frozen=True)
class PvadJob:
    """What a worker needs to score the activity of a mixture."""

    dataset: Dataset
    folder: Path
    shown: str  # what messages call the folder


class Detected(documents.Record):
    """The row of one mixture, the hash of its file ('' without one), and what was wrong with it."""

    row: Detection
    sha256: str
    problem: str = ""


# ---- one mixture


def score_mixture(work: tuple[PvadJob, Mixture]) -> Detected:
    """The row of one mixture; the worst there is where its file is missing or cannot be used."""
    job, mixture = work
    locks.require_seen(job.folder / submission.DESCRIPTION)
    frames = job.dataset.read_frames(mixture)
    labels = voice_activity.classes(target=frames["target"], other=frames["interferer"])
    try:
        probabilities, sha256 = submission.read_activity(job.folder, mixture)
    except InputError as error:
        problem = str(error).replace(str(job.folder), job.shown)
        row = worst(mixture, labels, problem.replace(f"{job.shown}/", ""))
        return Detected(row=row, sha256="", problem=problem)
    return Detected(row=row_of(mixture, labels, probabilities), sha256=sha256)


def row_of(mixture: Mixture, labels: np.ndarray, probabilities: np.ndarray) -> Detection:
    """The row of a mixture.

    Args:
        mixture: which one.
        labels: true class of each frame, shape (num_frames,).
        probabilities: shape (num_frames, 3).
    """
    delays, missed = voice_activity.onset_delays_s(
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
    return " ".join(
        f"{step - LIMIT}*{count}" if (count := counts[step]) > 1 else f"{step - LIMIT}" for step in there
    )


def _counts(text: str) -> np.ndarray:
    counts = np.zeros(SIZE, dtype=np.int64)
    for word in text.split():
        step, _, count = word.partition("*")
        counts[int(step) + LIMIT] += int(count or 1)
    return counts


# ---- over mixtures


def read(path: Path, mixtures: Mapping[str, Mixture]) -> list[Detection]:
    """The rows of a result. Raises InputError when they are not one a mixture."""
    rows = tables.read_table(path, Detection)
    found = {row.mixture_id: row.scenario for row in rows}
    if len(found) != len(rows) or found != {name: row.scenario for name, row in mixtures.items()}:
        raise InputError(f"{path}: {len(rows)} rows are not one for each of mixtures.csv; score again")
    for row in rows:
        _check_counts(path, row, submission.num_frames(mixtures[row.mixture_id]))
    return rows


def _check_counts(path: Path, row: Detection, frames: int) -> None:
    """Refuse a row that speaks of another number of frames than its mixture has, or of more onsets."""
    for pair in NAMES:
        counted = sum(int(word.partition("*")[2] or 1) for name in pair for word in getattr(row, name).split())
        if counted != frames:
            raise InputError(
                f"{path}: {row.mixture_id}: {pair[0]} and {pair[1]} count {counted} frames, its mixture has "
                f"{frames}; score again"
            )
    if len(row.delays_ms.split()) + row.missed > frames:
        raise InputError(f"{path}: {row.mixture_id}: more onsets than its {frames} frames; score again")


def summaries(rows: Sequence[Detection], mixtures: Mapping[str, Mixture]) -> list[Summary]:
    """Every metric with its 95 % interval over target speakers, in each scenario and over all of them pooled."""
    found = []
    for label in TABLES:
        inside = [row for row in rows if label in (row.scenario, "all")]
        wanted = [metric for metric in detection.ACTIVITY if label in metric.scenarios]
        if not inside or not wanted:
            continue
        pool = _Pool(inside, [mixtures[row.mixture_id] for row in inside])
        for metric in wanted:
            value, interval = pool.aggregate(metric)
            found.append(
                Summary(
                    scenario=label,
                    metric=metric.name,
                    value=value,
                    ci_low=interval[0] if interval else None,
                    ci_high=interval[1] if interval else None,
                    unit=metric.unit,
                    higher_is_better=metric.higher_is_better,
                    aggregation=AGGREGATIONS[metric.aggregation],
                    scored=sum(row.status == "ok" for row in inside),
                    expected=len(inside),
                )
            )
    return found


class _Pool:
    """Some mixtures by target speaker: histograms of shape (speakers, 3, 2, SIZE), and onsets."""

    def __init__(self, rows: Sequence[Detection], mixtures: Sequence[Mixture]) -> None:
        self.clusters = statistics.clusters_of([mixture.target_speaker for mixture in mixtures])
        self.counts = np.zeros((int(self.clusters.max()) + 1, len(NAMES), 2, SIZE), dtype=np.int32)
        self.never_s = max(mixture.num_samples / mixture.sample_rate for mixture in mixtures)
        delays: list[float] = []
        whose: list[int] = []
        for row, speaker in zip(rows, self.clusters, strict=True):
            for index, name in np.ndenumerate(np.array(NAMES)):
                self.counts[speaker][index] += _counts(getattr(row, name))
            own = [*(int(word) / 1000 for word in row.delays_ms.split()), *[self.never_s] * row.missed]
            delays += own
            whose += [speaker] * len(own)
        self.delays_s, self.whose = np.array(delays), np.array(whose, dtype=int)

    def aggregate(self, metric: Metric) -> tuple[float | None, statistics.Interval | None]:
        """Value and interval; no value where it is undefined, no interval where it rests on one speaker."""
        try:
            if metric.aggregation == "frames":
                value = metric.compute(self.counts.sum(axis=0))
                return value, self._interval(metric, value)
            value = metric.compute(self.delays_s, self.never_s)
        except UndefinedScore:
            return None, None
        if metric.aggregation == "onset median":
            return value, statistics.median_interval(self.delays_s, _dense(self.whose))
        missed = self.delays_s >= self.never_s
        pairs = np.stack([missed, np.ones(len(missed))], axis=-1)
        interval = statistics.quotient_interval(pairs, _dense(self.whose), link=_percent, low=0.0, high=100.0)
        return value, interval

    def _interval(self, metric: Metric, value: float) -> statistics.Interval | None:
        whole = self.counts.sum(axis=0)
        try:
            left = np.array([metric.compute(whole - own) for own in self.counts])
        except UndefinedScore:
            return None
        frames = self.counts[:, 0].sum(axis=(1, 2)).astype(float)
        return statistics.left_out_interval(value, left, frames, low=0.0, high=100.0)


def _percent(sums: np.ndarray) -> np.ndarray:
    return 100 * sums[..., 0] / np.where(sums[..., 1] > 0, sums[..., 1], np.nan)


def _dense(clusters: Iterable[int]) -> np.ndarray:
    """Clusters numbered anew, for some may have no onset."""
    return np.unique(np.array(clusters), return_inverse=True)[1]
