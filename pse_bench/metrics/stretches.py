"""Figures of takes of minutes, by stretch: how long the target has been away, that it returns, how long it talks.

Stretches are told by the activity of the take's own stems: TS1 where the target is active alone, TS2 where an
interferer is, too, TS3 where an interferer is and the target is not. The take is enhanced as a whole, so a system
brings to each stretch what it remembers of those before; what is scored there hangs on the stretch alone.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from pse_bench.errors import FailedScore, UndefinedScore
from pse_bench.io.audio import seconds_to_samples
from pse_bench.metrics import leakage, oversuppression, perceptual, signals
from pse_bench.metrics.metric import Metric, Resolution
from pse_bench.metrics.signals import Mask, Ratio, Signal, check_lengths, energy

AWAY_S = (0.0, 1.0, 3.0, 10.0, 30.0)
"""Where the classes of seconds since the target was last active begin."""
TURNS_S = (0.0, 2.0, 5.0, 15.0)
"""Where the classes of lengths of turns begin."""
TURN_PAUSE_S = 1.0
"""So long a pause of the target ends its turn."""
MARGIN_S = 0.25
"""What quality is judged on begins so long before a turn and ends so long after it."""


# ---- leakage


def pause_leakage(
    *,
    estimate: Signal,
    mixture: Signal,
    target_active: Mask,
    interferer_active: Mask,
    sample_rate: int,
    since_s: float = 0.0,
    until_s: float = np.inf,
) -> Ratio:
    """Attenuation where the interferer talks and the target was last active so long ago, from mean y² to mean ŝ²,
    in dB within [−40, 120].

    Taken over the samples of ``pause_leakage_db`` that lie at least ``since_s`` and less than ``until_s`` after
    the last target-active one; what comes before the target's first is in no class. Undefined where there is less
    than 0.1 s of such audio, or the mixture is silent there.
    """
    masks = {"target_active": target_active, "interferer_active": interferer_active}
    check_lengths(estimate=estimate, mixture=mixture, **masks)
    chosen = _away(**masks, sample_rate=sample_rate, since_s=since_s, until_s=until_s)
    worst = _worst(mixture, chosen, sample_rate)
    return Ratio(worst.numerator, min(energy(estimate[chosen]) / int(np.sum(chosen)), worst.denominator))


def pause_leakage_of_failure(
    *,
    mixture: Signal,
    target_active: Mask,
    interferer_active: Mask,
    sample_rate: int,
    since_s: float = 0.0,
    until_s: float = np.inf,
) -> Ratio:
    """The powers that give −40 dB: what a missing output counts for. Raises as ``pause_leakage``."""
    masks = {"target_active": target_active, "interferer_active": interferer_active}
    check_lengths(mixture=mixture, **masks)
    chosen = _away(**masks, sample_rate=sample_rate, since_s=since_s, until_s=until_s)
    return _worst(mixture, chosen, sample_rate)


def _away(
    *, target_active: Mask, interferer_active: Mask, sample_rate: int, since_s: float, until_s: float
) -> Mask:
    edges = np.flatnonzero(np.diff(target_active, prepend=False, append=False))
    length = len(target_active)
    since = seconds_to_samples(since_s, sample_rate)
    until = length if until_s == np.inf else seconds_to_samples(until_s, sample_rate)
    aged = np.zeros(length, dtype=bool)
    for stop, back in zip(edges[1::2], [*edges[2::2], length], strict=True):
        aged[stop + since : min(stop + until, back)] = True
    masks = {"target_active": target_active, "interferer_active": interferer_active}
    return aged & _pauses(*masks.values(), sample_rate)


@signals.shared
def _pauses(target_active: Mask, interferer_active: Mask, sample_rate: int) -> Mask:
    masks = {"target_active": target_active, "interferer_active": interferer_active}
    return leakage.pause_samples(**masks, sample_rate=sample_rate)


def _worst(mixture: Signal, chosen: Mask, sample_rate: int) -> Ratio:
    if int(np.sum(chosen)) < leakage.SHORTEST_PAUSE_S * sample_rate:
        raise UndefinedScore("less than 0.1 s of such audio")
    before = energy(mixture[chosen]) / int(np.sum(chosen))
    if before == 0.0:
        raise UndefinedScore("the mixture is silent there")
    return Ratio(before, before * 10 ** (-leakage.WORST_DB / 10))


# ---- over-suppression


def tsos_by_company(
    *,
    estimate: Signal,
    reference: Signal,
    target_active: Mask,
    interferer_active: Mask,
    sample_rate: int,
    alone: bool,
) -> Ratio:
    """Over-suppressed frames over target-active frames where no interferer is active (TS1), or one is (TS2; pooled
    over clips and times 100: %). An interferer is active in a frame when it is in more than half of its samples.
    Undefined where there is no such frame."""
    frames = oversuppression.over_suppressed_frames(estimate, reference, target_active, sample_rate)
    check_lengths(reference=reference, interferer_active=interferer_active)
    counted = frames.active & (signals.active_frames(interferer_active, sample_rate) != alone)
    if not counted.any():
        raise UndefinedScore("no target-active frame is of that kind")
    return Ratio(int(np.sum(frames.flagged & counted)), int(np.sum(counted)))


def return_tsos(*, estimate: Signal, reference: Signal, target_active: Mask, sample_rate: int) -> Ratio:
    """Over-suppressed frames over target-active frames in the first second of each return of the target (pooled
    over clips and times 100: %).

    It returns where it is active after a pause of 3 s or more; its first onset, which ``onset_tsos`` has, is no
    return. Frames count of which more than half lies within that second. Undefined where it never returns.
    """
    frames = oversuppression.over_suppressed_frames(estimate, reference, target_active, sample_rate)
    spans = oversuppression.stretches(target_active, oversuppression.LONG_PAUSE_S, sample_rate)[1:]
    first = seconds_to_samples(oversuppression.ONSET_S, sample_rate)
    within = [(start, start + first) for start, _ in spans]
    return oversuppression.within(frames, within, len(target_active), sample_rate)


def turn_tsos(
    *,
    estimate: Signal,
    reference: Signal,
    target_active: Mask,
    sample_rate: int,
    since_s: float = 0.0,
    until_s: float = np.inf,
) -> Ratio:
    """Over-suppressed frames over target-active frames in turns of the target of some length (pooled over clips
    and times 100: %).

    A turn lasts until a pause of 1 s or more; it counts when it is at least ``since_s`` and less than ``until_s``
    from its first to its last active sample. Frames count of which more than half lies within. Undefined where no
    turn is of that length.
    """
    frames = oversuppression.over_suppressed_frames(estimate, reference, target_active, sample_rate)
    turns = oversuppression.stretches(target_active, TURN_PAUSE_S, sample_rate)
    spans = [span for span in turns if since_s * sample_rate <= span[1] - span[0] < until_s * sample_rate]
    return oversuppression.within(frames, spans, len(target_active), sample_rate)


# ---- intelligibility and quality


def turn_quality(
    *,
    estimate: Signal,
    reference: Signal,
    target_active: Mask,
    sample_rate: int,
    of: Callable[..., float],
    worst: float,
) -> Ratio:
    """Mean over the target's turns, each scored by itself from 0.25 s before its first active sample to 0.25 s
    after its last.

    A turn lasts until a pause of 1 s or more. Turns that have no value whatever the system does (too short, too
    long) are left out; one on which the estimate has none takes the worst. Undefined where no turn has a value.
    """
    check_lengths(estimate=estimate, reference=reference, target_active=target_active)
    margin = seconds_to_samples(MARGIN_S, sample_rate)
    found = list[float]()
    for start, stop in oversuppression.stretches(target_active, TURN_PAUSE_S, sample_rate):
        turn = slice(max(0, start - margin), stop + margin)
        try:
            found.append(of(estimate=estimate[turn], reference=reference[turn], sample_rate=sample_rate))
        except UndefinedScore:
            continue
        except FailedScore:
            found.append(worst)
    if not found:
        raise UndefinedScore("no turn has a value")
    return Ratio(float(np.sum(found)), len(found))


# ---- as data


def _classes(begins: tuple[float, ...]) -> list[tuple[str, str, dict[str, Any]]]:
    """Of each class the end of a metric's name, words, and arguments."""
    ends = [*begins[1:], np.inf]
    return [
        (
            f"from_{since:g}s" if until == np.inf else f"to_{until:g}s",
            f"{since:g} s or longer" if until == np.inf else f"{since:g} to {until:g} s",
            {"since_s": since, "until_s": until},
        )
        for since, until in zip(begins, ends, strict=True)
    ]


_FRAMES = Resolution(2.0, "as tsos")
_MASKED = ("estimate", "reference", "target_active", "sample_rate")
_tsos = partial(
    Metric,
    family="over-suppression",
    unit="%",
    higher_is_better=False,
    scenarios=("TS2",),
    needs=_MASKED,
    aggregation="ratio",
    scale=100.0,
    low=0.0,
    high=100.0,
    worst=100.0,
    resolution=_FRAMES,
    source="rule of tsos",
)
_company = partial(_tsos, needs=(*_MASKED, "interferer_active"))
_turns = partial(
    Metric,
    family="perceptual",
    higher_is_better=True,
    scenarios=("TS2",),
    needs=_MASKED,
    aggregation="ratio",
)

STRETCHES = (
    *(
        Metric(
            name=f"pause_leakage_{end}_db",
            description=f"attenuation of the interferer when the target was last active {words} ago",
            family="leakage",
            unit="dB",
            higher_is_better=True,
            scenarios=("TS2",),
            needs=("estimate", "mixture", "target_active", "interferer_active", "sample_rate"),
            compute=partial(pause_leakage, **asked),
            failure=partial(pause_leakage_of_failure, **asked),
            low=leakage.WORST_DB,
            high=leakage.CAP_DB,
            worst=leakage.WORST_DB,
            in_db=True,
            quiet="power",
            resolution=Resolution(0.5, "half of the smallest difference of level that is heard"),
        )
        for end, words, asked in _classes(AWAY_S)
    ),
    _company(
        name="tsos_alone",
        description="over-suppressed frames where the target talks alone",
        compute=partial(tsos_by_company, alone=True),
    ),
    _company(
        name="tsos_together",
        description="over-suppressed frames where the target and an interferer talk",
        compute=partial(tsos_by_company, alone=False),
    ),
    _tsos(
        name="return_tsos",
        description="over-suppressed frames in the first second after the target was away for 3 s or more",
        compute=return_tsos,
    ),
    *(
        _tsos(
            name=f"turn_tsos_{end}",
            description=f"over-suppressed frames in turns of the target of {words}",
            compute=partial(turn_tsos, **asked),
        )
        for end, words, asked in _classes(TURNS_S)
    ),
    _turns(
        name="turn_stoi",
        description="short-time objective intelligibility of the target's turns",
        unit="",
        low=0.0,
        high=1.0,
        worst=0.0,
        compute=partial(turn_quality, of=perceptual.stoi, worst=0.0),
        resolution=Resolution(0.001, "the last figure that is printed in the field"),
        source="as stoi",
        packages=("pystoi",),
    ),
    _turns(
        name="turn_pesq_wb",
        description="wide-band PESQ of the target's turns",
        unit="MOS-LQO",
        low=perceptual.PESQ_WORST,
        high=5.0,
        worst=perceptual.PESQ_WORST,
        compute=partial(turn_quality, of=perceptual.pesq_wb, worst=perceptual.PESQ_WORST),
        resolution=Resolution(0.05, "as pesq_wb"),
        source="as pesq_wb",
        packages=("pesq",),
        rate_hz=perceptual.PESQ_RATE_HZ,
        lowest_hz=perceptual.PESQ_RATE_HZ,
    ),
)
"""In the order of tables."""
