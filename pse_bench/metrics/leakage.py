"""Leakage: what a system lets through while the enrolled speaker is silent.

Conventions: attenuation is 10 log10(mixture energy / estimate energy). It is capped at 120 dB, also for an exact
zero, because beyond that a figure only tells how small a system's zeros are; below, it is held at −40 dB, the
value of a missing output. In TS3 the whole clip counts. In TS2 only the target's pauses do.

Source: Taherian, Eskimez and Yoshioka, arXiv 2211.02944 report a leakage energy ΔN in TS3, larger being better;
its formula was not available and ours is stated here.
"""

from collections.abc import Sequence

import numpy as np

from pse_bench.errors import UndefinedScore
from pse_bench.metrics.signals import Ratio, check_lengths, energy, frame_samples, frames_of, hop_samples, ratio_of
from pse_bench.signal.vad import frames_with

CAP_DB = 120.0
WORST_DB = -40.0
FLOOR_DBFS = -120.0
LEAKY_BELOW_DB = 15.0
SHORTEST_PAUSE_S = 0.1


def leakage_reduction_db(*, estimate: np.ndarray, mixture: np.ndarray) -> float:
    """How far the output lies below the mixture over a TS3 clip, ΔN in dB within [−40, 120].

    ΔN = 10 log10(Σy² / Σŝ²).

    Args:
        estimate, mixture: shape (num_samples,), full scale ±1.

    Raises:
        UndefinedScore: the mixture is silent.
        ValueError: the lengths differ.
    """
    return reduction_db(leakage_energies(estimate=estimate, mixture=mixture))


def leakage_energies(*, estimate: np.ndarray, mixture: np.ndarray) -> Ratio:
    """Σy² over Σŝ² of a TS3 clip. The estimate's energy is held at 40 dB above the mixture's.

    Args, Raises: as ``leakage_reduction_db``.
    """
    check_lengths(estimate=estimate, mixture=mixture)
    worst = leakage_energies_of_failure(mixture=mixture)
    return Ratio(worst.numerator, min(energy(estimate), worst.denominator))


def leakage_energies_of_failure(*, mixture: np.ndarray) -> Ratio:
    """The energies that give −40 dB: what a missing output counts for when energies are pooled.

    Raises:
        UndefinedScore: the mixture is silent.
    """
    before = energy(mixture)
    if before == 0.0:
        raise UndefinedScore("the mixture is silent")
    return Ratio(before, before * 10 ** (-WORST_DB / 10))


def reduction_db(energies: Ratio) -> float:
    """Attenuation in dB within [−40, 120] from the energies before and after."""
    before, after = energies.numerator, energies.denominator
    if after <= before * 10 ** (-CAP_DB / 10):
        return CAP_DB
    return max(float(10 * np.log10(before / after)), WORST_DB)


def residual_dbfs(*, estimate: np.ndarray) -> float:
    """Level of the output over a TS3 clip, 10 log10(mean ŝ²) in dBFS within [−120, 0].

    Args:
        estimate: shape (num_samples,), full scale ±1, so that a full-scale square wave has 0 dBFS.
    """
    check_lengths(estimate=estimate)
    power = energy(estimate) / max(len(estimate), 1)
    return min(float(10 * np.log10(max(power, 10 ** (FLOOR_DBFS / 10)))), 0.0)


def leaky_frames(
    *, estimate: np.ndarray, mixture: np.ndarray, interferer_active: np.ndarray, sample_rate: int
) -> Ratio:
    """Interferer-active frames attenuated by less than 15 dB over all interferer-active frames of a TS3 clip
    (pooled over clips and times 100: %).

    Frames of 32 ms with a hop of 16 ms, rectangular; active when more than half of the samples are.

    Args:
        estimate, mixture: shape (num_samples,), full scale ±1.
        interferer_active: bool, shape (num_samples,).
        sample_rate: Hz.

    Raises:
        UndefinedScore: no frame is interferer-active.
        ValueError: the lengths differ.
    """
    check_lengths(estimate=estimate, mixture=mixture, interferer_active=interferer_active)
    active = _interferer_frames(interferer_active, sample_rate)
    leaky = leaking_frames(estimate=estimate, mixture=mixture, sample_rate=sample_rate)
    return Ratio(int(np.sum(leaky & active)), int(np.sum(active)))


def leaking_frames(*, estimate: np.ndarray, mixture: np.ndarray, sample_rate: int) -> np.ndarray:
    """Frames of ``leaky_frames`` attenuated by less than 15 dB, whoever talks: bool, shape (num_frames,).

    Args:
        estimate, mixture: shape (num_samples,).
        sample_rate: Hz.
    """
    before = np.sum(frames_of(mixture, sample_rate) ** 2, axis=-1)
    after = np.sum(frames_of(estimate, sample_rate) ** 2, axis=-1)
    return after > before * 10 ** (-LEAKY_BELOW_DB / 10)


def leaky_frames_of_failure(*, mixture: np.ndarray, interferer_active: np.ndarray, sample_rate: int) -> Ratio:
    """All interferer-active frames over themselves. Raises UndefinedScore as ``leaky_frames`` does."""
    check_lengths(mixture=mixture, interferer_active=interferer_active)
    count = int(np.sum(_interferer_frames(interferer_active, sample_rate)))
    return Ratio(count, count)


def pause_leakage_db(
    *,
    estimate: np.ndarray,
    mixture: np.ndarray,
    target_active: np.ndarray,
    interferer_active: np.ndarray,
    sample_rate: int,
) -> float:
    """Attenuation where the interferer talks and the target pauses within a TS2 clip, in dB within [−40, 120].

    Taken over the union of all 32 ms frames (16 ms hop) in which more than half of the samples are
    interferer-active and none is target-active; a sample that two frames share counts once.

    Args:
        estimate, mixture: shape (num_samples,), full scale ±1.
        target_active, interferer_active: bool, shape (num_samples,).
        sample_rate: Hz.

    Raises:
        UndefinedScore: there is less than 0.1 s of such audio, or the mixture is silent there.
        ValueError: the lengths differ.
    """
    return reduction_db(
        pause_powers(
            estimate=estimate,
            mixture=mixture,
            target_active=target_active,
            interferer_active=interferer_active,
            sample_rate=sample_rate,
        )
    )


def pause_powers(
    *,
    estimate: np.ndarray,
    mixture: np.ndarray,
    target_active: np.ndarray,
    interferer_active: np.ndarray,
    sample_rate: int,
) -> Ratio:
    """Mean y² over mean ŝ² where ``pause_leakage_db`` looks. The estimate's is held at 40 dB above the mixture's.

    Args, Raises: as ``pause_leakage_db``.
    """
    check_lengths(
        estimate=estimate, mixture=mixture, target_active=target_active, interferer_active=interferer_active
    )
    worst = pause_powers_of_failure(
        mixture=mixture,
        target_active=target_active,
        interferer_active=interferer_active,
        sample_rate=sample_rate,
    )
    pause = pause_samples(
        target_active=target_active, interferer_active=interferer_active, sample_rate=sample_rate
    )
    return Ratio(worst.numerator, min(energy(estimate[pause]) / int(np.sum(pause)), worst.denominator))


def pause_powers_of_failure(
    *, mixture: np.ndarray, target_active: np.ndarray, interferer_active: np.ndarray, sample_rate: int
) -> Ratio:
    """The powers that give −40 dB: what a missing output counts for.

    Raises:
        UndefinedScore: as ``pause_leakage_db``.
    """
    check_lengths(mixture=mixture, target_active=target_active, interferer_active=interferer_active)
    pause = pause_samples(
        target_active=target_active, interferer_active=interferer_active, sample_rate=sample_rate
    )
    count = int(np.sum(pause))
    if count < SHORTEST_PAUSE_S * sample_rate:
        raise UndefinedScore("less than 0.1 s in which the interferer talks and the target does not")
    before = energy(mixture[pause]) / count
    if before == 0.0:
        raise UndefinedScore("the mixture is silent in the target's pauses")
    return Ratio(before, before * 10 ** (-WORST_DB / 10))


def pause_samples(*, target_active: np.ndarray, interferer_active: np.ndarray, sample_rate: int) -> np.ndarray:
    """The samples that ``pause_leakage_db`` looks at: bool, shape (num_samples,)."""
    frame, hop = frame_samples(sample_rate), hop_samples(sample_rate)
    chosen = frames_with(interferer_active, frame, hop) & ~frames_with(target_active, frame, hop, 0.0)
    # Each chosen frame opens a bracket at its start and closes it at its end; a sample inside any is in the union.
    steps = np.zeros(len(target_active) + 1, dtype=np.int64)
    starts = hop * np.flatnonzero(chosen)
    np.add.at(steps, starts, 1)
    np.add.at(steps, starts + frame, -1)
    return np.cumsum(steps[:-1]) > 0


def _interferer_frames(interferer_active: np.ndarray, sample_rate: int) -> np.ndarray:
    active = frames_with(interferer_active, frame_samples(sample_rate), hop_samples(sample_rate))
    if not active.any():
        raise UndefinedScore("no frame is interferer-active")
    return active


# ---- what stands beside the mean of leakage_reduction_db in a table


def pooled_reduction_db(details: Sequence[str]) -> float:
    """Attenuation of all clips taken as one, in dB: 10 log10(ΣΣy² / ΣΣŝ²). Loud leaks dominate it.

    Args:
        details: the ``detail`` of each scored clip's ``leakage_reduction_db``.

    Raises:
        ValueError: there is no clip.
    """
    _some(details)
    return reduction_db(sum(map(ratio_of, details), start=Ratio(0.0, 0.0)))


def median(values: Sequence[float]) -> float:
    """The median over clips. Raises ValueError when there is none."""
    return float(np.median(_some(values)))


def share_at_cap(values: Sequence[float]) -> float:
    """Clips at the cap of 120 dB, in % of all scored clips: how far the mean is a count of exact zeros.

    Raises:
        ValueError: there is no clip.
    """
    return 100.0 * float(np.mean(np.asarray(_some(values)) >= CAP_DB))


def _some(items: Sequence) -> Sequence:
    if len(items) == 0:
        raise ValueError("no clip to summarise")
    return items
