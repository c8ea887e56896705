"""Target speaker over-suppression (TSOS): how often a system removes the person it should keep.

Conventions: STFT with a 32 ms periodic Hann window and 16 ms hop, no padding, no normalisation (a plain DFT of
the windowed samples); magnitudes are compressed by p = 0.3. A frame is *over-suppressed* when the energy that
the estimate lacks exceeds γ = 0.1 of a yardstick taken from the reference; excess energy is never counted, so
leakage and noise do not show here. A frame is *target-active* when more than half of its samples are.

Our ``tsos`` puts Σ_f |S|^{2p} on the right side, which makes it independent of level: a loss of
−20 log10((1 − √γ)^{1/p}) = 11.0 dB in all bins is the threshold. ``tsos_paper`` puts Σ_f |S|^p there, as
published; its two sides have different units, so it depends on level, window and DFT scaling, and we state ours.

Every metric raises UndefinedScore where the reference is silent or no frame is target-active.

Sources: Eskimez et al., "Personalized speech enhancement: new models and comprehensive evaluation"
(arXiv 2110.09625, the TSOS measure); Thakker et al., "Fast real-time personalized speech enhancement: E3Net"
(arXiv 2204.00771, seconds per 30 minutes).
"""

from dataclasses import dataclass

import numpy as np

from pse_bench.errors import UndefinedScore
from pse_bench.io.audio import seconds_to_samples
from pse_bench.metrics import signals
from pse_bench.metrics.signals import Mask, Ratio, Signal, check_lengths
from pse_bench.signal.vad import active_power

EXPONENT = 0.3
THRESHOLD = 0.1

ONSET_S = 1.0
LONG_PAUSE_S = 3.0
"""An onset is where the target sets in, or sets in again after so long a pause; its first second counts."""
PAUSE_S = 0.25
"""Shorter gaps are articulation and do not end a stretch (Goldman-Eisler, Psycholinguistics, 1968)."""
SHORT_S = 1.5
BLOCK = 4096
"""Frames whose spectra are computed at once."""

PAPER_LEVEL_DBFS = -26.0
"""Level of the reference over target-active samples to which ``tsos_paper`` scales both signals."""


@dataclass(frozen=True)
class OverSuppression:
    """Frame labels. ``flagged`` is set in inactive frames too; ``lost`` are the flagged ones that are active.
    ``hop_s`` is the distance between frames in seconds."""

    flagged: Mask
    active: Mask
    hop_s: float

    @property
    def lost(self) -> Mask:
        return self.flagged & self.active


@signals.shared
def over_suppressed_frames(
    estimate: Signal | None, reference: Signal, target_active: Mask, sample_rate: int
) -> OverSuppression:
    """Which frames are over-suppressed by the level-independent rule, and which are target-active.

    Σ_f h(|S|^p − |Ŝ|^p)² > γ Σ_f |S|^{2p} with h(x) = max(x, 0). None stands for an estimate that is missing or
    not a signal, which lost every frame.
    """
    active = _active_frames(reference, target_active, sample_rate)
    hop_s = signals.hop_samples(sample_rate) / sample_rate
    if estimate is None:
        return OverSuppression(np.ones_like(active), active, hop_s)
    check_lengths(estimate=estimate, reference=reference)
    return OverSuppression(_flagged(estimate, reference, sample_rate, level_independent=True), active, hop_s)


def tsos(*, estimate: Signal, reference: Signal, target_active: Mask, sample_rate: int) -> Ratio:
    """Over-suppressed frames over target-active frames of a clip (pooled over clips and times 100: %).

    A frame is over-suppressed where Σ_f h(|S|^p − |Ŝ|^p)² > γ Σ_f |S|^{2p} with p = 0.3 and γ = 0.1: an even loss
    of 11.0 dB is the limit, whatever the level. A silent estimate is valid and flags every frame that holds
    anything.

    Source: arXiv 2110.09625 with the right side made level-independent and inactive frames left out.
    """
    frames = over_suppressed_frames(estimate, reference, target_active, sample_rate)
    return Ratio(int(np.sum(frames.lost)), int(np.sum(frames.active)))


def tsos_paper(*, estimate: Signal, reference: Signal, target_active: Mask, sample_rate: int) -> Ratio:
    """Over-suppressed frames over all frames by the published rule (pooled over clips and times 100: %).

    Σ_f h(|S|^p − |Ŝ|^p)² > γ Σ_f |S|^p, after both signals were given the one gain that brings the reference
    to −26 dBFS over its target-active samples.

    Source: arXiv 2110.09625, the TSOS measure.
    """
    _active_frames(reference, target_active, sample_rate)
    check_lengths(estimate=estimate, reference=reference)
    power = active_power(reference, target_active)
    if power == 0.0:
        raise UndefinedScore("the reference is silent where the target is active")
    gain = 10 ** (PAPER_LEVEL_DBFS / 20) / np.sqrt(power)
    flagged = _flagged(gain * estimate, gain * reference, sample_rate, level_independent=False)
    return Ratio(int(np.sum(flagged)), len(flagged))


def tsos_s_per_30min(
    *, estimate: Signal | None, reference: Signal, target_active: Mask, sample_rate: int
) -> Ratio:
    """Over-suppressed seconds over seconds of audio (pooled over clips and times 1800: s per 30 min).

    A flagged target-active frame stands for its hop of 16 ms.

    Source: the unit of arXiv 2204.00771.
    """
    frames = over_suppressed_frames(estimate, reference, target_active, sample_rate)
    return Ratio(int(np.sum(frames.lost)) * frames.hop_s, len(reference) / sample_rate)


def tsos_longest_s(*, estimate: Signal | None, reference: Signal, target_active: Mask, sample_rate: int) -> float:
    """The longest unbroken run of over-suppressed target-active frames, in seconds (16 ms a frame)."""
    frames = over_suppressed_frames(estimate, reference, target_active, sample_rate)
    return longest_run(frames.lost) * frames.hop_s


def onset_tsos(*, estimate: Signal, reference: Signal, target_active: Mask, sample_rate: int) -> Ratio:
    """Over-suppressed frames over target-active frames in the first second after the target sets in (pooled over
    clips and times 100: %).

    It sets in where it is first active, and where it is active again after a pause of 3 s or more. Frames count of
    which more than half lies within that second. A system that has to find its target first, or again, loses here.
    """
    frames = over_suppressed_frames(estimate, reference, target_active, sample_rate)
    starts = [start for start, _ in stretches(target_active, LONG_PAUSE_S, sample_rate)]
    spans = [(start, start + seconds_to_samples(ONSET_S, sample_rate)) for start in starts]
    return within(frames, spans, len(target_active), sample_rate)


def short_tsos(*, estimate: Signal, reference: Signal, target_active: Mask, sample_rate: int) -> Ratio:
    """Over-suppressed frames over target-active frames in short stretches of the target (pooled over clips and
    times 100: %).

    A stretch lasts until a pause of 0.25 s or more; it is short under 1.5 s from its first to its last active
    sample: a "yes", a name, a word thrown in. Frames count of which more than half lies within. Undefined where no
    stretch is short.
    """
    frames = over_suppressed_frames(estimate, reference, target_active, sample_rate)
    longest = seconds_to_samples(SHORT_S, sample_rate)
    spans = [span for span in stretches(target_active, PAUSE_S, sample_rate) if span[1] - span[0] < longest]
    return within(frames, spans, len(target_active), sample_rate)


def stretches(active: Mask, pause_s: float, sample_rate: int) -> list[tuple[int, int]]:
    """First sample and the one after the last of each stretch of activity; pauses shorter than ``pause_s`` do not
    end one."""
    edges = np.flatnonzero(np.diff(active, prepend=False, append=False))
    starts, stops = edges[::2], edges[1::2]
    apart = starts[1:] - stops[:-1] >= seconds_to_samples(pause_s, sample_rate)
    first, last = starts[np.concatenate([[True], apart])], stops[np.concatenate([apart, [True]])]
    return [(int(start), int(stop)) for start, stop in zip(first, last, strict=True)]


def within(frames: OverSuppression, spans: list[tuple[int, int]], num_samples: int, sample_rate: int) -> Ratio:
    """Lost frames over active ones among those that lie in the spans by more than half."""
    inside = np.zeros(num_samples, dtype=bool)
    for start, stop in spans:
        inside[start:stop] = True
    counted = frames.active & signals.active_frames(inside, sample_rate)
    if not counted.any():
        raise UndefinedScore("no target-active frame lies there")
    return Ratio(int(np.sum(frames.flagged & counted)), int(np.sum(counted)))


def longest_run(labels: Mask) -> int:
    """Length of the longest run of True, in frames."""
    breaks = np.flatnonzero(~np.concatenate([[False], labels, [False]]))
    return int(np.max(np.diff(breaks))) - 1


# ---- shared steps


def _active_frames(reference: Signal, target_active: Mask, sample_rate: int) -> Mask:
    """Target-active frames. Depends on the reference alone, so all systems are undefined on the same clips."""
    check_lengths(reference=reference, target_active=target_active)
    if signals.is_silent(reference):
        raise UndefinedScore("the reference is silent")
    active = signals.active_frames(target_active, sample_rate)
    if not active.any():
        raise UndefinedScore("no frame is target-active")
    return active


def _flagged(estimate: Signal, reference: Signal, sample_rate: int, *, level_independent: bool) -> Mask:
    """Over-suppressed frames by one of the rules, so many frames at a time that an hour takes hardly more memory
    than a minute."""
    frame, hop, found = signals.frame_samples(sample_rate), signals.hop_samples(sample_rate), []
    for begin in range(0, max(len(reference) - frame, 0) + 1, BLOCK * hop):
        samples = slice(begin, begin + (BLOCK - 1) * hop + frame)
        wanted = _compressed_spectrum(reference[samples], sample_rate)
        lost = _lost_energy(wanted, _compressed_spectrum(estimate[samples], sample_rate))
        found.append(lost > THRESHOLD * np.sum(wanted**2 if level_independent else wanted, axis=-1))
    return np.concatenate(found)


def _compressed_spectrum(samples: Signal, sample_rate: int) -> np.ndarray:
    """|STFT|^p, shape (num_frames, frame // 2 + 1)."""
    frame = signals.frame_samples(sample_rate)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frame) / frame)
    return np.abs(np.fft.rfft(signals.frames_of(samples, sample_rate) * window, axis=-1)) ** EXPONENT


def _lost_energy(wanted: np.ndarray, got: np.ndarray) -> np.ndarray:
    """Σ_f h(|S|^p − |Ŝ|^p)², shape (num_frames,). The order matters: swapped, it would punish amplification."""
    return np.sum(np.maximum(wanted - got, 0.0) ** 2, axis=-1)
