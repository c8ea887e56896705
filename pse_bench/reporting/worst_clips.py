"""The clips of a report: the worst and the median of each failure and system, as far as they fit into the page."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.metrics import ALL_METRICS
from pse_bench.metrics.leakage import CAP_DB
from pse_bench.reporting.clip_panel import Media, Panel, estimate_panel
from pse_bench.reporting.plot import ShownSystem, Style, Systems, detailed
from pse_bench.runtime.progress import Update
from pse_bench.schemas import Mixture, Score
from pse_bench.scoring.figures import in_pieces


@dataclass(frozen=True)
class Failure:
    """A kind of failure, the metric whose clips show it, and the metric's value where it did not occur."""

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
class ShownClip:
    """A mixture that shows a failure. ``place`` is its rank: worst, 2nd worst, median."""

    failure: Failure
    style: Style
    mixture: Mixture
    value: str
    place: str
    panel: Panel


@dataclass
class ShownClips:
    """The chosen clips, and notes on those that do not fit or do not exist."""

    found: list[ShownClip] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def of(self, failure: Failure) -> list[tuple[Style, list[ShownClip]]]:
        """The clips of a failure by system."""
        mine = [clip for clip in self.found if clip.failure == failure]
        styles = dict.fromkeys(clip.style for clip in mine)
        return [(style, [clip for clip in mine if clip.style == style]) for style in styles]


Candidate = tuple[ShownSystem, Failure, Score, str]
ORDINALS = {0: "", 1: "2nd ", 2: "3rd "}


def audible(given: Mapping[ShownSystem, Path], systems: Systems) -> Mapping[ShownSystem, Path]:
    """Those of the ``systems`` whose estimates are ``given`` and whose failures are worth a sound: the detailed
    ones, the mixture only when alone; all that are given where there is none."""
    shown = detailed(systems)
    wanted = [system for system in shown if not system.style.trivial] or shown
    return {system: given[system] for system in wanted if system in given} or given


def choose_clips(
    dataset: Dataset, given: Mapping[ShownSystem, Path], kept: Media, *, worst: int, progress: Update
) -> ShownClips:
    """The ``worst`` clips and the median one of every failure and system, the worst of all of them first, whose
    estimates lie in the folders ``given``. Sounds and pictures go to ``kept``; clips beyond its budget are left
    out, with a note."""
    chosen = ShownClips()
    ranked = [_candidates(system, failure, worst, chosen.notes) for system in given for failure in FAILURES]
    # rank by rank: what does not fit is the last of every system, not everything of the last system
    wanted = [found for found in chain.from_iterable(zip_longest(*ranked)) if found]
    for number, (system, failure, score, place) in enumerate(wanted):
        progress(number, len(wanted))
        if kept.full:
            chosen.notes.append(
                f"{len(wanted) - number} of {len(wanted)} scenes are left out, so that the page stays small "
                "enough for a mail; report fewer systems at once to hear them"
            )
            break
        row = system.scores.mixtures[score.mixture_id]
        try:
            panel = estimate_panel(dataset, row, given[system], system.result.about["reference"], kept)
        except InputError as error:
            chosen.notes.append(f"{system.style.name}: {str(error).replace(f'{given[system]}/', '')}")
            continue
        unit = ALL_METRICS[failure.metric].unit
        value = f"{in_pieces(score.value, None, None, unit)[0]} {unit}".strip()
        chosen.found.append(ShownClip(failure, system.style, row, value, place, panel))
    progress(len(wanted), len(wanted))
    return chosen


def _candidates(system: ShownSystem, failure: Failure, worst: int, notes: list[str]) -> list[Candidate]:
    """The worst clips of a failure, then the median; where there is none, ``notes`` say why."""
    sign = 1 if ALL_METRICS[failure.metric].higher_is_better else -1
    cells = system.scores.cells.get((failure.scenario, failure.metric), [])
    scores = [row for row in cells if row.value is not None]
    scores.sort(key=lambda row: ((row.value or 0.0) * sign, row.mixture_id))
    if not scores:
        notes.append(f"{system.style.name}: {failure.scenario} {failure.metric} was not scored")
        return []
    if scores[0].value == failure.faultless:
        notes.append(f"{system.style.name}: no {failure.name.lower()} in any of {len(scores)} clips")
        return []
    places = {n: f"{ORDINALS.get(n, f'{n + 1}th ')}worst" for n in range(min(worst, len(scores)))}
    places.setdefault(len(scores) // 2, "median")  # of few clips the median is among the worst
    return [(system, failure, scores[rank], place) for rank, place in places.items()]
