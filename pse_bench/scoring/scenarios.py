"""Figures that take the scores of several scenarios: what leakage was removed beyond what the target lost, and how
well the absence of the target is told from the level of the output."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from pse_bench import metrics
from pse_bench.errors import UndefinedScore
from pse_bench.metrics import Metric, Ratio
from pse_bench.schemas import Mixture, Score
from pse_bench.scoring import pvad, statistics

Cells = Mapping[tuple[str, str], Sequence[Score]]
"""Scores by scenario and metric."""
Losses = Mapping[tuple[str, str], float]
"""What the target lost, in dB, by scene and scenario."""

NET, ABSENCE = (metrics.REGISTRY[name] for name in ("net_leakage_reduction_db", "absence_eer"))
LEAKAGE, LOSS = NET.needs
LEVEL = ABSENCE.needs[1]

SILENT_DBFS = -80.0
"""Outputs below are taken as being here. Where speech of −26 dBFS is heard at 65 dB, this is at 11 dB, under the
noise of a quiet room; dither of one step of 16 bits, at −92 dBFS, moves no level above it by more than 0.3 dB."""


def audible(metric: Metric, score: Score, mixture: Mixture) -> Score:
    """A score as it would be if the output were at ``SILENT_DBFS`` where it lies below.

    Raises ValueError when a score of leakage has no ratio in its detail.
    """
    if score.value is None or not metric.quiet:
        return score
    if metric.quiet == "level":
        return score.model_copy(update={"value": max(score.value, SILENT_DBFS)})
    ratio = metrics.ratio_of(score.detail)
    clip = mixture.num_samples if metric.quiet == "energy" else 1
    raised = metrics.Ratio(ratio.numerator, max(ratio.denominator, clip * 10 ** (SILENT_DBFS / 10)))
    return score.model_copy(update={"value": metric.value_of(raised), "detail": str(raised)})


def losses_of(cells: Cells, mixtures: Mapping[str, Mixture]) -> Losses:
    """The target's losses by scene and scenario."""
    return {
        (mixtures[score.mixture_id].scene_id, label): score.value
        for label in ("TS1", "TS2")
        for score in cells.get((label, LOSS), ())
        if score.value is not None
    }


def net_leakage(
    cells: Cells, mixtures: Mapping[str, Mixture], losses: Losses, of: tuple[str, str] = ("TS3", LEAKAGE)
) -> list[Score]:
    """A score for each clip that has one of leakage: its target speaker's net leakage reduction, as energies. None
    where no losses are known.

    A speaker's losses are those in the scenes of these clips, whatever other clips there are. Outputs are taken
    as ``audible``.

    Args:
        cells, mixtures, losses: the scores, what they are of, and what the target lost.
        of: scenario and metric of the leakage; boards take that in the target's pauses, too.

    Raises:
        ValueError: a score has no ratio in its detail.
    """
    scores = cells.get(of, ())
    if not scores or not losses:
        return []
    metric = metrics.ALL_METRICS[of[1]]
    heard = [audible(metric, score, mixtures[score.mixture_id]) for score in scores]
    ratios = [None if score.value is None else metrics.ratio_of(score.detail) for score in heard]
    rows = [mixtures[score.mixture_id] for score in scores]
    leaked: dict[str, Ratio] = defaultdict(lambda: Ratio(0.0, 0.0))
    lost: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row, ratio in zip(rows, ratios, strict=True):
        if ratio:
            leaked[row.target_speaker] += ratio
            for label in ("TS1", "TS2"):
                if (row.scene_id, label) in losses:
                    lost[row.target_speaker][label].append(losses[row.scene_id, label])
    net = {
        who: NET.compute(leaked=leaked[who], losses_db=[float(np.mean(own)) for own in found.values()])
        for who, found in lost.items()
    }
    return [
        _net_score(score, ratio, net.get(row.target_speaker))
        for score, ratio, row in zip(scores, ratios, rows, strict=True)
    ]


def _net_score(score: Score, ratio: Ratio | None, net_db: float | None) -> Score:
    own = {"metric": NET.name}
    if ratio is None or net_db is None:
        reason = score.detail if ratio is None else "what the target lost is not known"
        return score.model_copy(update=own | {"value": None, "status": "undefined", "detail": reason})
    energies = Ratio(ratio.numerator, ratio.numerator * 10 ** (-net_db / 10))
    reason = f"; {score.detail.partition('; ')[2]}" if score.status == "failed" else ""
    return score.model_copy(update=own | {"value": net_db, "detail": f"{energies}{reason}"})


def absence(cells: Cells, mixtures: Mapping[str, Mixture]) -> tuple[pvad.Figure, Sequence[str]] | None:
    """``absence_eer`` over all clips with its interval, and the states of the scores that it is made of; None
    where there are no scores of one kind. Outputs are taken as ``audible``.

    Raises:
        ValueError: a score has no ratio in its detail.
    """
    kinds = [[("TS3", LEAKAGE)], [("TS1", LEVEL), ("TS2", LEVEL)]]
    found = [[score for key in keys for score in cells.get(key, ())] for keys in kinds]
    if not all(found):
        return None
    states = [score.status for scores in found for score in scores]
    heard = [
        (mixtures[score.mixture_id].target_speaker, absent, _heard(metric, score, mixtures))
        for scores, metric, absent in zip(found, (LEAKAGE, LEVEL), (True, False), strict=True)
        for score in scores
        if score.value is not None
    ]
    if not heard:
        return (None, None), states
    whose = statistics.clusters_of([who for who, _, _ in heard])
    absent = np.array([absent for _, absent, _ in heard])
    levels_db = np.array([level_db for _, _, level_db in heard])

    def rate(kept: np.ndarray) -> float:
        return float(ABSENCE.compute(absent_db=levels_db[kept & absent], present_db=levels_db[kept & ~absent]))

    try:
        value = rate(np.ones_like(absent))
        left = np.array([rate(whose != speaker) for speaker in range(int(whose.max()) + 1)])
    except UndefinedScore:
        return (None, None), states
    interval = statistics.left_out_interval(value, left, np.bincount(whose).astype(float), low=0.0, high=100.0)
    return (value, interval), states


def _heard(name: str, score: Score, mixtures: Mapping[str, Mixture]) -> float:
    return float(audible(metrics.ALL_METRICS[name], score, mixtures[score.mixture_id]).value or 0.0)
