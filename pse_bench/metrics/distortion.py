"""Waveform distortion: SI-SDR, its improvement over the mixture, and the level that the target loses.

Conventions: ratios are held within [−50, 100] dB. The mean is *not* removed: the definition has no such step,
and an offset that a system adds is an error of that system. (Speech has none to speak of: on the six VoiceFilter
demo cases removing it moves the means by less than 0.01 dB.) No delay is searched for either.

Source: Le Roux, Wisdom, Erdogan and Hershey, "SDR: half-baked or well done?", ICASSP 2019 (arXiv 1811.02508),
section 3, the form with the scaled reference.
"""

import numpy as np

from pse_bench.errors import FailedScore, UndefinedScore
from pse_bench.metrics.signals import Signal, check_lengths, energy, inner, is_silent

LOW_DB = -50.0
HIGH_DB = 100.0
GREATEST_LOSS_DB = 120.0


def si_sdr(*, estimate: Signal, reference: Signal) -> float:
    """Scale-invariant signal-to-distortion ratio, in dB within [−50, 100].

    10 log10(|αs|² / |αs − ŝ|²) with α = ŝᵀs / |s|². Undefined where the reference is silent, failed where the
    estimate is.
    """
    check_lengths(estimate=estimate, reference=reference)
    if is_silent(reference):
        raise UndefinedScore("the reference is silent")
    if is_silent(estimate):
        raise FailedScore("the estimate is silent")
    projected = (inner(estimate, reference) / energy(reference)) * reference
    target, distortion = energy(projected), energy(projected - estimate)
    if distortion <= target * 10 ** (-HIGH_DB / 10):
        return HIGH_DB
    if target <= distortion * 10 ** (LOW_DB / 10):
        return LOW_DB
    return float(10 * np.log10(target / distortion))


def si_sdri(*, estimate: Signal, reference: Signal, mixture: Signal) -> float:
    """Improvement of SI-SDR over the unprocessed mixture, in dB within [−50, 100].

    SI-SDR(ŝ, s) − SI-SDR(y, s). Undefined where the reference or the mixture is silent, failed where the estimate
    is.
    """
    check_lengths(estimate=estimate, reference=reference, mixture=mixture)
    if is_silent(mixture):
        raise UndefinedScore("the mixture is silent")
    gain = si_sdr(estimate=estimate, reference=reference) - si_sdr(estimate=mixture, reference=reference)
    return min(max(gain, LOW_DB), HIGH_DB)


def target_loss_db(*, estimate: Signal, reference: Signal) -> float:
    """How much quieter the target is in the estimate than in the reference, in dB within [0, 120].

    −20 log10 |α| with α = ŝᵀs / |s|², the share of the reference that is in the estimate; 0 where it is louder.
    A leakage reduction means as much as it exceeds this: turning everything down raises both alike. Undefined
    where the reference is silent; a silent estimate is valid and lost everything.

    Source: own; α as in ``si_sdr``.
    """
    check_lengths(estimate=estimate, reference=reference)
    if is_silent(reference):
        raise UndefinedScore("the reference is silent")
    return _lost_db(abs(inner(estimate, reference)) / energy(reference))


def target_reduction_db(*, estimate: Signal, reference: Signal, mixture: Signal) -> float:
    """How far the target lies below its level in the mixture, in dB within [0, 120].

    −20 log10 |ŝᵀs / yᵀs|; 0 where it is louder. A gain on the whole mixture has exactly its size, which
    ``target_loss_db`` has only about, since others and noise correlate a little with the target. Undefined where
    the reference is silent or nothing of it is in the mixture; a silent estimate is valid and lost everything.

    Source: own; the projection of ``si_sdr``.
    """
    check_lengths(estimate=estimate, reference=reference, mixture=mixture)
    before = abs(inner(mixture, reference))
    if before == 0.0:
        raise UndefinedScore("the reference is silent, or nothing of it is in the mixture")
    return _lost_db(abs(inner(estimate, reference)) / before)


def _lost_db(share: float) -> float:
    if share <= 10 ** (-GREATEST_LOSS_DB / 20):
        return GREATEST_LOSS_DB
    return max(0.0, float(-20 * np.log10(share)))


def wrong_speaker(*, estimate: Signal, target: Signal | None, interferer: Signal | None) -> float:
    """100 where the estimate is nearer to the interferer than to the target, else 0: in %, mean over clips.

    Nearer is the one with the larger SI-SDR, so the larger |ŝᵀx| / |x|, of the two at the microphone.
    Undefined where either is silent or was not kept, failed where the estimate is silent.
    """
    if target is None or interferer is None:
        raise UndefinedScore("the dataset did not keep target and interferer")
    check_lengths(estimate=estimate, target=target, interferer=interferer)
    if is_silent(target) or is_silent(interferer):
        raise UndefinedScore("the target or the interferer is silent")
    if is_silent(estimate):
        raise FailedScore("the estimate is silent")
    near = [abs(inner(estimate, image)) / energy(image) ** 0.5 for image in (target, interferer)]
    return 100.0 * (near[1] > near[0])
