"""Target speaker over-suppression (TSOS): how often a system removes the person it should keep.

Conventions: STFT with a 32 ms periodic Hann window and 16 ms hop, no padding, no normalisation (a plain DFT of
the windowed samples); magnitudes are compressed by p = 0.3. A frame is *over-suppressed* when the energy that
the estimate lacks exceeds γ = 0.1 of a yardstick taken from the reference; excess energy is never counted, so
leakage and noise do not show here. A frame is *target-active* when more than half of its samples are.

Our ``tsos`` puts Σ_f |S|^{2p} on the right side, which makes it independent of level: a loss of
−20 log10((1 − √γ)^{1/p}) = 11.0 dB in all bins is the threshold. ``tsos_paper`` puts Σ_f |S|^p there, as
published; its two sides have different units, so it depends on level, window and DFT scaling, and we state ours.

Sources: Eskimez et al., "Personalized speech enhancement: new models and comprehensive evaluation"
(arXiv 2110.09625, the TSOS measure); Thakker et al., "Fast real-time personalized speech enhancement: E3Net"
(arXiv 2204.00771, seconds per 30 minutes).
"""

from dataclasses import dataclass

import numpy as np

from pse_bench.errors import UndefinedScore
from pse_bench.metrics.signals import Ratio, check_lengths, frame_samples, frames_of, hop_samples, is_silent
from pse_bench.signal.vad import active_power, frames_with

EXPONENT = 0.3
THRESHOLD = 0.1

PAPER_LEVEL_DBFS = -26.0
"""Level of the reference over target-active samples to which ``tsos_paper`` scales both signals."""


@dataclass(frozen=True)
class OverSuppression:
    """Frame labels, bool of shape (num_frames,). ``flagged`` is set in inactive frames too; a metric on active
    frames uses ``flagged & active``. ``hop_s`` is the distance between frames in seconds."""

    flagged: np.ndarray
    active: np.ndarray
    hop_s: float


def over_suppressed_frames(
    *, estimate: np.ndarray, reference: np.ndarray, target_active: np.ndarray, sample_rate: int
) -> OverSuppression:
    """Which frames are over-suppressed by the level-independent rule, and which are target-active.

    Σ_f h(|S|^p − |Ŝ|^p)² > γ Σ_f |S|^{2p} with h(x) = max(x, 0).

    Args:
        estimate, reference: shape (num_samples,), full scale ±1.
        target_active: bool, shape (num_samples,).
        sample_rate: Hz.

    Raises:
        UndefinedScore: the reference is silent or no frame is target-active.
        ValueError: the lengths differ.
    """
    active = _active_frames(reference, target_active, sample_rate)
    check_lengths(estimate=estimate, reference=reference)
    wanted = _compressed_spectrum(reference, sample_rate)
    lost = _lost_energy(wanted, _compressed_spectrum(estimate, sample_rate))
    flagged = lost > THRESHOLD * np.sum(wanted**2, axis=-1)
    return OverSuppression(flagged, active, hop_samples(sample_rate) / sample_rate)


def tsos(*, estimate: np.ndarray, reference: np.ndarray, target_active: np.ndarray, sample_rate: int) -> Ratio:
    """Over-suppressed frames over target-active frames of a clip (pooled over clips and times 100: %).

    A frame is over-suppressed where Σ_f h(|S|^p − |Ŝ|^p)² > γ Σ_f |S|^{2p} with p = 0.3 and γ = 0.1: an even loss
    of 11.0 dB is the limit, whatever the level. A silent estimate is valid and flags every frame that holds
    anything.

    Args, Raises, Source: as ``over_suppressed_frames``; arXiv 2110.09625 with the right side made
    level-independent and inactive frames left out.
    """
    frames = over_suppressed_frames(
        estimate=estimate, reference=reference, target_active=target_active, sample_rate=sample_rate
    )
    return Ratio(int(np.sum(frames.flagged & frames.active)), int(np.sum(frames.active)))


def tsos_paper(
    *, estimate: np.ndarray, reference: np.ndarray, target_active: np.ndarray, sample_rate: int
) -> Ratio:
    """Over-suppressed frames over all frames by the published rule (pooled over clips and times 100: %).

    Σ_f h(|S|^p − |Ŝ|^p)² > γ Σ_f |S|^p, after both signals were given the one gain that brings the reference
    to −26 dBFS over its target-active samples.

    Args, Raises: as ``over_suppressed_frames``. Source: arXiv 2110.09625, the TSOS measure.
    """
    _active_frames(reference, target_active, sample_rate)
    check_lengths(estimate=estimate, reference=reference)
    power = active_power(reference, target_active)
    if power == 0.0:
        raise UndefinedScore("the reference is silent where the target is active")
    gain = 10 ** (PAPER_LEVEL_DBFS / 20) / np.sqrt(power)
    wanted = _compressed_spectrum(gain * reference, sample_rate)
    lost = _lost_energy(wanted, _compressed_spectrum(gain * estimate, sample_rate))
    flagged = lost > THRESHOLD * np.sum(wanted, axis=-1)
    return Ratio(int(np.sum(flagged)), len(flagged))


def tsos_s_per_30min(
    *, estimate: np.ndarray, reference: np.ndarray, target_active: np.ndarray, sample_rate: int
) -> Ratio:
    """Over-suppressed seconds over seconds of audio (pooled over clips and times 1800: s per 30 min).

    A flagged target-active frame stands for its hop of 16 ms.

    Args, Raises: as ``over_suppressed_frames``. Source: the unit of arXiv 2204.00771.
    """
    frames = over_suppressed_frames(
        estimate=estimate, reference=reference, target_active=target_active, sample_rate=sample_rate
    )
    return _seconds(frames.flagged & frames.active, len(reference), sample_rate)


def tsos_longest_s(
    *, estimate: np.ndarray, reference: np.ndarray, target_active: np.ndarray, sample_rate: int
) -> float:
    """The longest unbroken run of over-suppressed target-active frames, in seconds (16 ms a frame).

    Args, Raises: as ``over_suppressed_frames``.
    """
    frames = over_suppressed_frames(
        estimate=estimate, reference=reference, target_active=target_active, sample_rate=sample_rate
    )
    return longest_run(frames.flagged & frames.active) * frames.hop_s


def longest_run(labels: np.ndarray) -> int:
    """Length of the longest run of True, in frames."""
    breaks = np.flatnonzero(~np.concatenate([[False], labels, [False]]))
    return int(np.max(np.diff(breaks))) - 1


# ---- what a clip counts for whose estimate is missing or not a signal: everything in it is lost


def tsos_of_failure(*, reference: np.ndarray, target_active: np.ndarray, sample_rate: int) -> Ratio:
    """All target-active frames over themselves. Raises UndefinedScore as ``tsos`` does."""
    count = int(np.sum(_active_frames(reference, target_active, sample_rate)))
    return Ratio(count, count)


def tsos_paper_of_failure(*, reference: np.ndarray, target_active: np.ndarray, sample_rate: int) -> Ratio:
    """All frames over themselves. Raises UndefinedScore as ``tsos_paper`` does."""
    nothing = np.zeros_like(reference)
    frames = tsos_paper(
        estimate=nothing, reference=reference, target_active=target_active, sample_rate=sample_rate
    )
    return Ratio(frames.denominator, frames.denominator)


def tsos_s_of_failure(*, reference: np.ndarray, target_active: np.ndarray, sample_rate: int) -> Ratio:
    """All target-active time over the clip's time. Raises UndefinedScore as ``tsos`` does."""
    active = _active_frames(reference, target_active, sample_rate)
    return _seconds(active, len(reference), sample_rate)


def tsos_longest_of_failure(*, reference: np.ndarray, target_active: np.ndarray, sample_rate: int) -> float:
    """The longest run of target-active frames, in seconds. Raises UndefinedScore as ``tsos`` does."""
    active = _active_frames(reference, target_active, sample_rate)
    return longest_run(active) * (hop_samples(sample_rate) / sample_rate)


# ---- shared steps


def _active_frames(reference: np.ndarray, target_active: np.ndarray, sample_rate: int) -> np.ndarray:
    """Target-active frames. Depends on the reference alone, so all systems are undefined on the same clips."""
    check_lengths(reference=reference, target_active=target_active)
    if is_silent(reference):
        raise UndefinedScore("the reference is silent")
    active = frames_with(target_active, frame_samples(sample_rate), hop_samples(sample_rate))
    if not active.any():
        raise UndefinedScore("no frame is target-active")
    return active


def _compressed_spectrum(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """|STFT|^p, shape (num_frames, frame // 2 + 1)."""
    frame = frame_samples(sample_rate)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    return np.abs(np.fft.rfft(frames_of(samples, sample_rate) * window, axis=-1)) ** EXPONENT


def _lost_energy(wanted: np.ndarray, got: np.ndarray) -> np.ndarray:
    """Σ_f h(|S|^p − |Ŝ|^p)², shape (num_frames,). The order matters: swapped, it would punish amplification."""
    return np.sum(np.maximum(wanted - got, 0.0) ** 2, axis=-1)


def _seconds(frames: np.ndarray, num_samples: int, sample_rate: int) -> Ratio:
    hop_s = hop_samples(sample_rate) / sample_rate
    return Ratio(int(np.sum(frames)) * hop_s, num_samples / sample_rate)
