"""The scenes of a report: the worst and the median of each failure and system, as far as there is room."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.metrics import ALL_METRICS
from pse_bench.metrics.leakage import CAP_DB
from pse_bench.reporting import clip_panel
from pse_bench.reporting.clip_panel import Panel
from pse_bench.reporting.media import Media
from pse_bench.reporting.plot_style import Look
from pse_bench.reporting.tables import digits_of
from pse_bench.schemas import Mixture, Score
from pse_bench.scoring.summary import Scores


@dataclass(frozen=True)
class Failure:
    """What can go wrong, the metric whose clips show it, and the value at which nothing did."""

    name: str
    words: str
    scenario: str
    metric: str
    faultless: float


FAILURES = (
    Failure("Over-suppression", "the target was taken away, while an interferer talks too", "TS2", "tsos", 0.0),
    Failure(
        "Leakage", "others were let through while the target is silent", "TS3", "leakage_reduction_db", CAP_DB
    ),
    Failure(
        "Leakage in pauses", "others were let through where the target pauses", "TS2", "pause_leakage_db", CAP_DB
    ),
)


@dataclass(frozen=True)
class Case:
    """A scene that shows a failure. ``place`` says which: worst, 2nd worst, median."""

    failure: Failure
    look: Look
    mixture: Mixture
    value: str
    place: str
    panel: Panel


@dataclass
class Cases:
    """What was chosen, and what there was no room for or nothing to show of."""

    found: list[Case] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def of(self, failure: Failure) -> list[tuple[Look, list[Case]]]:
        """The cases of a failure by system."""
        mine = [case for case in self.found if case.failure == failure]
        return [
            (look, [case for case in mine if case.look == look]) for look in dict.fromkeys(c.look for c in mine)
        ]


@dataclass(frozen=True)
class Heard:
    """A system that can be heard: its look, its scores, its reference, and the folder of its audio."""

    look: Look
    scores: Scores
    reference: str
    folder: Path


ORDINALS = {0: "", 1: "2nd ", 2: "3rd "}

Wanted = tuple[Heard, Failure, Score, str]


def cases(
    dataset: Dataset,
    systems: Sequence[Heard],
    kept: Media,
    *,
    worst: int,
    room: int,
    progress: Callable[[int, int], None],
) -> Cases:
    """The ``worst`` scenes and the median one of every failure and system, the worst of all of them first.

    Args:
        dataset: whose mixtures and references are shown.
        systems: whose estimates are shown.
        kept: where sounds and pictures go.
        room: how many characters they may have in all; what does not fit is left out, and said.
    """
    chosen = Cases()
    turns: list[list[Wanted]] = []
    for system in systems:
        for failure in FAILURES:
            picked, note = _picked(system, failure, worst)
            turns.append(picked)
            chosen.notes += [note] if note else []
    # in turn: what there is no room for is the last of everybody's, not everything of the last
    wanted = [turn[n] for n in range(max(map(len, turns), default=0)) for turn in turns if n < len(turn)]
    for number, (system, failure, score, place) in enumerate(wanted):
        progress(number, len(wanted))
        if kept.size > room:
            chosen.notes.append(
                f"{len(wanted) - number} of {len(wanted)} scenes are left out, so that the page stays small "
                "enough for a mail; report fewer systems at once to hear them"
            )
            break
        row = system.scores.mixtures[score.mixture_id]
        try:
            found = clip_panel.of_estimate(dataset, row, system.folder, system.reference, kept)
        except InputError as error:
            chosen.notes.append(f"{system.look.name}: {str(error).replace(f'{system.folder}/', '')}")
            continue
        metric = ALL_METRICS[failure.metric]
        value = f"{score.value:.{digits_of(metric.unit)}f} {metric.unit}".strip()
        chosen.found.append(Case(failure, system.look, row, value, place, found))
    progress(len(wanted), len(wanted))
    return chosen


def _picked(system: Heard, failure: Failure, worst: int) -> tuple[list[Wanted], str]:
    """The worst scenes of a failure, then the median, or why there is none."""
    better = ALL_METRICS[failure.metric].higher_is_better
    scores = [
        row for row in system.scores.cells.get((failure.scenario, failure.metric), []) if row.value is not None
    ]
    scores.sort(key=lambda row: ((row.value or 0.0) * (1 if better else -1), row.mixture_id))
    if not scores:
        return [], f"{system.look.name}: {failure.scenario} {failure.metric} was not scored"
    if scores[0].value == failure.faultless:
        return [], f"{system.look.name}: no {failure.name.lower()} in any of {len(scores)} clips"
    places = {n: f"{ORDINALS.get(n, f'{n + 1}th ')}worst" for n in range(min(worst, len(scores)))}
    places.setdefault(len(scores) // 2, "median")  # of few clips the median is among the worst
    return [(system, failure, scores[rank], place) for rank, place in places.items()], ""
