"""Leakage: what a system lets through while the enrolled speaker is silent.

Conventions: attenuation is 10 log10(mixture energy / estimate energy). It is capped at 120 dB, also for an exact
zero, because beyond that a figure only tells how small a system's zeros are; below, it is held at −40 dB, the
value of a missing output. In TS3 the whole clip counts. In TS2 only the target's pauses do.

Source: Taherian, Eskimez and Yoshioka, arXiv 2211.02944 report a leakage energy ΔN in TS3, larger being better;
its formula was not available and ours is stated here.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np

from pse_bench.errors import UndefinedScore
from pse_bench.metrics import signals
from pse_bench.metrics.signals import Mask, Ratio, Signal, check_lengths, energy

CAP_DB = 120.0
WORST_DB = -40.0
FLOOR_DBFS = -120.0
LEAKY_BELOW_DB = 15.0
SHORTEST_PAUSE_S = 0.1


def leakage_reduction_db(*, estimate: Signal, mixture: Signal) -> float:
    """How far the output lies below the mixture over a TS3 clip, ΔN in dB within [−40, 120].

    ΔN = 10 log10(Σy² / Σŝ²). Undefined where the mixture is silent.
    """
    return reduction_db(leakage_energies(estimate=estimate, mixture=mixture))


def leakage_energies(*, estimate: Signal, mixture: Signal) -> Ratio:
    """Σy² over Σŝ² of ``leakage_reduction_db``. The estimate's energy is held at 40 dB above the mixture's."""
    check_lengths(estimate=estimate, mixture=mixture)
    return _held(energy(estimate), leakage_energies_of_failure(mixture=mixture))


def leakage_energies_of_failure(*, mixture: Signal) -> Ratio:
    """The energies that give −40 dB: what a missing output counts for when energies are pooled."""
    return _worst(energy(mixture), "the mixture is silent")


def _held(after: float, worst: Ratio) -> Ratio:
    return Ratio(worst.numerator, min(after, worst.denominator))


def _worst(before: float, reason: str) -> Ratio:
    if before == 0.0:
        raise UndefinedScore(reason)
    return Ratio(before, before * 10 ** (-WORST_DB / 10))


def reduction_db(energies: Ratio) -> float:
    """Attenuation in dB within [−40, 120] from the energies before and after."""
    before, after = energies.numerator, energies.denominator
    if after <= before * 10 ** (-CAP_DB / 10):
        return CAP_DB
    return max(float(10 * np.log10(before / after)), WORST_DB)


def reductions_db(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """``reduction_db`` of many clips, of shape (num_clips,) each; NaN where an energy is."""
    silent = after <= before * 10 ** (-CAP_DB / 10)
    ratio = np.divide(before, after, out=np.ones_like(before), where=~silent)
    return np.where(silent, CAP_DB, np.maximum(10 * np.log10(ratio), WORST_DB))


def output_energies_of_failure(*, mixture: Signal) -> Ratio:
    """The energies that give 120 dB: while the target speaks, a missing output counts as a muted one."""
    before = energy(mixture)
    if before == 0.0:
        raise UndefinedScore("the mixture is silent")
    return Ratio(before, before * 10 ** (-CAP_DB / 10))


def residual_dbfs(*, estimate: Signal) -> float:
    """Level of the output over a TS3 clip, 10 log10(mean ŝ²) in dBFS within [−120, 0]; a full-scale square wave
    has 0 dBFS."""
    check_lengths(estimate=estimate)
    power = energy(estimate) / max(len(estimate), 1)
    return min(float(10 * np.log10(max(power, 10 ** (FLOOR_DBFS / 10)))), 0.0)


def leaky_frames(*, estimate: Signal, mixture: Signal, interferer_active: Mask, sample_rate: int) -> Ratio:
    """Interferer-active frames attenuated by less than 15 dB over all interferer-active frames of a TS3 clip
    (pooled over clips and times 100: %).

    Frames of 32 ms with a hop of 16 ms, rectangular; active when more than half of the samples are. Undefined
    where none is.
    """
    check_lengths(estimate=estimate, mixture=mixture, interferer_active=interferer_active)
    active = signals.active_frames(interferer_active, sample_rate)
    if not active.any():
        raise UndefinedScore("no frame is interferer-active")
    leaky = leaking_frames(estimate=estimate, mixture=mixture, sample_rate=sample_rate)
    return Ratio(int(np.sum(leaky & active)), int(np.sum(active)))


def leaking_frames(*, estimate: Signal, mixture: Signal, sample_rate: int) -> Mask:
    """Frames of ``leaky_frames`` attenuated by less than 15 dB, whoever talks."""
    before = np.sum(signals.frames_of(mixture, sample_rate) ** 2, axis=-1)
    after = np.sum(signals.frames_of(estimate, sample_rate) ** 2, axis=-1)
    return after > before * 10 ** (-LEAKY_BELOW_DB / 10)


def pause_powers(
    *, estimate: Signal, mixture: Signal, target_active: Mask, interferer_active: Mask, sample_rate: int
) -> Ratio:
    """Attenuation where the interferer talks and the target pauses within a TS2 clip, from mean y² to mean ŝ², in
    dB within [−40, 120].

    Taken over the union of all 32 ms frames (16 ms hop) in which more than half of the samples are
    interferer-active and none is target-active; a sample that two frames share counts once. Undefined where there
    is less than 0.1 s of such audio, or the mixture is silent there.
    """
    masks = {"target_active": target_active, "interferer_active": interferer_active}
    check_lengths(estimate=estimate, mixture=mixture, **masks)
    worst = pause_powers_of_failure(mixture=mixture, sample_rate=sample_rate, **masks)
    return _held(_mean_power(estimate, pause_samples(sample_rate=sample_rate, **masks)), worst)


def pause_powers_of_failure(
    *, mixture: Signal, target_active: Mask, interferer_active: Mask, sample_rate: int
) -> Ratio:
    """The powers that give −40 dB: what a missing output counts for. Raises as ``pause_powers``."""
    masks = {"target_active": target_active, "interferer_active": interferer_active}
    check_lengths(mixture=mixture, **masks)
    pause = pause_samples(sample_rate=sample_rate, **masks)
    if int(np.sum(pause)) < SHORTEST_PAUSE_S * sample_rate:
        raise UndefinedScore("less than 0.1 s in which the interferer talks and the target does not")
    return _worst(_mean_power(mixture, pause), "the mixture is silent in the target's pauses")


def pause_samples(*, target_active: Mask, interferer_active: Mask, sample_rate: int) -> Mask:
    """The samples that ``pause_powers`` looks at."""
    frame, hop = signals.frame_samples(sample_rate), signals.hop_samples(sample_rate)
    interferer = signals.active_frames(interferer_active, sample_rate)
    chosen = interferer & ~signals.active_frames(target_active, sample_rate, more_than=0.0)
    # Each chosen frame opens a bracket at its start and closes it at its end; a sample inside any is in the union.
    steps = np.zeros(len(target_active) + 1, dtype=np.int64)
    starts = hop * np.flatnonzero(chosen)
    np.add.at(steps, starts, 1)
    np.add.at(steps, starts + frame, -1)
    return np.cumsum(steps[:-1]) > 0


def _mean_power(samples: Signal, chosen: Mask) -> float:
    return energy(samples[chosen]) / int(np.sum(chosen))


# ---- what stands beside the mean of leakage_reduction_db in a table. ValueError where there is no clip


def pooled_reduction_db(details: Sequence[str]) -> float:
    """Attenuation of all clips taken as one, in dB: 10 log10(ΣΣy² / ΣΣŝ²). Loud leaks dominate it.

    Args:
        details: the ``detail`` of each scored clip's ``leakage_reduction_db``.
    """
    _some(details)
    return reduction_db(sum(map(signals.ratio_of, details), start=Ratio(0.0, 0.0)))


def median(values: Sequence[float]) -> float:
    """The median over clips."""
    return float(np.median(_some(values)))


def net_reduction_db(*, leaked: Ratio, losses_db: Sequence[float]) -> float:
    """What one target speaker's leakage reduction exceeds the target's own by, in dB within [0, 120].

    max(0, 10 log10(ΣΣy² / ΣΣŝ²) − max over TS1 and TS2 of the mean ``target_reduction_db``). Energies are summed
    over the speaker's TS3 clips, so to mute those that are quiet anyway gains next to nothing; the target's losses
    are averaged in dB, so a clip that is muted costs much. Any gain that does not depend on who talks, constant or
    not, so has 0: |Σg s²/Σs²|² ≤ Σg² s²/Σs², and the mean of logarithms lies below the logarithm of the mean.

    Args:
        leaked: energies of mixtures and outputs summed over the TS3 clips.
        losses_db: the mean loss of TS1, TS2 or both.
    """
    return min(max(reduction_db(leaked) - max(losses_db), 0.0), CAP_DB)


def share_at_cap(values: np.ndarray | Sequence[float]) -> np.ndarray:
    """Clips at the cap of 120 dB, in % of all scored clips: how far the mean is a count of exact zeros."""
    # clips are on the last axis: a figure asks for the shares of many groups of one
    return 100.0 * np.mean(np.asarray(_some(values)) >= CAP_DB, axis=-1)


def _some(items: Any) -> Any:
    if len(items) == 0:
        raise ValueError("no clip to summarise")
    return items
