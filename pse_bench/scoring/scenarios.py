"""Figures that take the scores of several scenarios: what leakage was removed beyond what the target lost, and how
well the absence of the target is told from the level of the output."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from pse_bench import metrics
from pse_bench.errors import UndefinedScore
from pse_bench.metrics import Metric, Ratio, leakage
from pse_bench.schemas import Mixture, Score
from pse_bench.scoring import pvad, statistics
from pse_bench.scoring.cells import Cell, Cells

Losses = Mapping[tuple[str, str], float]
"""What the target lost, in dB, by scene and scenario."""

NET, ABSENCE = (metrics.REGISTRY[name] for name in ("net_leakage_reduction_db", "absence_eer"))
LEAKAGE, LOSS = NET.needs
LEVEL = ABSENCE.needs[1]

SILENT_DBFS = -80.0
"""Outputs below are taken as being here. Where speech of −26 dBFS is heard at 65 dB, this is at 11 dB, under the
noise of a quiet room; dither of one step of 16 bits, at −92 dBFS, moves no level above it by more than 0.3 dB."""


def audible(metric: Metric, scores: Sequence[Score], mixtures: Mapping[str, Mixture]) -> Cell:
    """Scores as they would be if the output were at ``SILENT_DBFS`` where it lies below.

    Raises ValueError when a score of leakage has no ratio in its detail.
    """
    cell = Cell.of(scores)
    if metric.quiet in ("", "level"):
        return cell if not metric.quiet else replace(cell, values=np.maximum(cell.values, SILENT_DBFS))
    above, below = cell.ratios.T
    heard = np.maximum(below, _floors(metric, cell, mixtures))
    raised = np.flatnonzero(heard > below)  # not where a score is undefined
    details = list(cell.details)
    for place in raised.tolist():
        details[place] = str(Ratio(float(above[place]), float(heard[place])))
    values = np.where(cell.has_value, leakage.reductions_db(above, heard), cell.values)
    return replace(cell, values=values, details=details)


def _floors(metric: Metric, cell: Cell, mixtures: Mapping[str, Mixture]) -> np.ndarray | float:
    """The denominators that an output at ``SILENT_DBFS`` would have: powers, or energies of clips."""
    power = 10 ** (SILENT_DBFS / 10)
    if metric.quiet != "energy":
        return power
    return np.array([mixtures[name].num_samples for name in cell.names]) * power


def losses_of(cells: Cells, mixtures: Mapping[str, Mixture]) -> Losses:
    """The target's losses by scene and scenario."""
    found = {label: Cell.of(cells.get((label, LOSS), ())).counted for label in ("TS1", "TS2")}
    return {
        (mixtures[name].scene_id, label): value
        for label, cell in found.items()
        for name, value in zip(cell.names, cell.values.tolist(), strict=True)
    }


def net_leakage(
    cells: Cells, mixtures: Mapping[str, Mixture], losses: Losses, of: tuple[str, str] = ("TS3", LEAKAGE)
) -> Sequence[Score]:
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
    details = Cell.of(scores).details
    cell = audible(metrics.ALL_METRICS[of[1]], scores, mixtures)
    rows, there = [mixtures[name] for name in cell.names], cell.has_value.tolist()
    ratios = [Ratio(*pair) for pair in cell.ratios.tolist()]
    leaked: dict[str, Ratio] = defaultdict(lambda: Ratio(0.0, 0.0))
    lost: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for row, ratio, counts in zip(rows, ratios, there, strict=True):
        if counts:
            leaked[row.target_speaker] += ratio
            for label in ("TS1", "TS2"):
                if (row.scene_id, label) in losses:
                    lost[row.target_speaker][label].append(losses[row.scene_id, label])
    net = {
        who: NET.compute(leaked=leaked[who], losses_db=[float(np.mean(own)) for own in found.values()])
        for who, found in lost.items()
    }
    found = [
        _net_score(status, detail, ratio if counts else None, net.get(row.target_speaker))
        for status, detail, ratio, counts, row in zip(cell.states, details, ratios, there, rows, strict=True)
    ]
    values, states, details = zip(*found, strict=True)
    return replace(cell, metric=NET.name, values=np.array(values, dtype=float), states=states, details=details)


def _net_score(
    status: str, detail: str, ratio: Ratio | None, net_db: float | None
) -> tuple[float | None, str, str]:
    """Value, status and detail of a clip from those of its leakage."""
    if ratio is None or net_db is None:
        return None, "undefined", detail if ratio is None else "what the target lost is not known"
    energies = Ratio(ratio.numerator, ratio.numerator * 10 ** (-net_db / 10))
    reason = f"; {detail.partition('; ')[2]}" if status == "failed" else ""
    return net_db, status, f"{energies}{reason}"


def absence(cells: Cells, mixtures: Mapping[str, Mixture]) -> tuple[pvad.Figure, Sequence[str]] | None:
    """``absence_eer`` over all clips with its interval, and the states of the scores that it is made of; None
    where there are no scores of one kind. Outputs are taken as ``audible``.

    Raises:
        ValueError: a score has no ratio in its detail.
    """
    kinds = [[("TS3", LEAKAGE)], [("TS1", LEVEL), ("TS2", LEVEL)]]
    found = [[Cell.of(cells[key]) for key in keys if cells.get(key)] for keys in kinds]
    if not all(found):
        return None
    states = [status for kind in found for cell in kind for status in cell.states]
    raised = [[audible(metrics.ALL_METRICS[cell.metric], cell, mixtures) for cell in kind] for kind in found]
    heard = [
        (mixtures[name].target_speaker, absent, level_db)
        for kind, absent in zip(raised, (True, False), strict=True)
        for cell in kind
        for name, level_db in zip(cell.counted.names, cell.counted.values.tolist(), strict=True)
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
