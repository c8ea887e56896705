"""Intelligibility and quality against a reference: STOI, ESTOI and wide-band PESQ.

Conventions: the libraries compute; these wrappers turn their warnings, magic values, global state and crashes into
scores that are ok, undefined (the reference's fault) or failed (the estimate's). Whether a clip is undefined never
depends on the estimate, so that no system can pick the clips it is scored on.

Sources: Taal et al., IEEE TASLP 19(7), 2011 (STOI); Jensen and Taal, IEEE/ACM TASLP 24(11), 2016 (ESTOI);
ITU-T P.862.2, 2007 (wide-band extension of PESQ and its mapping to MOS-LQO).
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from pse_bench.errors import FailedScore, UndefinedScore
from pse_bench.io import audio
from pse_bench.metrics.signals import Signal, check_lengths, is_silent

STOI_RATE_HZ = 10_000
STOI_FRAME = 256

PESQ_RATE_HZ = 16_000
PESQ_WORST = 1.0
PESQ_LONGEST_S = 60.0
PESQ_MOST_BURSTS = 40
"""The native code has room for 50 utterances of the reference and checks nothing: after 50 it writes past its
arrays, and between 56 and 60 the process dies, be it in 27 s of sound. Over 432 random clips of 19 to 60 s our
count came at most 5 below its own, and none of 304 clips with a count of up to 45 wrote out of bounds (compiled
with bounds checks). Read speech stayed at or below 41 in 60 s."""

# What the native code calls an utterance, in its windows of 4 ms: shorter runs do not open one, and shorter
# gaps do not end one. Both are 50 there; 4 of them are won by the way it widens the edges of a run.
PESQ_WINDOW = 64
PESQ_SHORTEST = 46
PESQ_CLICK = 4


def stoi(*, estimate: Signal, reference: Signal, sample_rate: int, extended: bool = False) -> float:
    """Short-time objective intelligibility, within [0, 1] (negative correlations count as 0).

    Mean correlation of the third-octave envelopes of estimate and reference, over segments of 384 ms (STOI), or of
    the segment's spectra after their rows and columns are normalised (ESTOI, extended).

    For ESTOI the library adds a trace of noise from NumPy's global generator, which shows when the estimate holds
    digital silence; it is seeded here, the same for every clip, and put back as it was.

    Args:
        sample_rate: Hz; pystoi resamples to 10 kHz.
        extended: ESTOI instead of STOI.

    Raises:
        UndefinedScore: the reference is silent, or holds less than about 0.4 s of sound.
        FailedScore: the estimate is silent.
    """
    check_lengths(estimate=estimate, reference=reference)
    if is_silent(reference):
        raise UndefinedScore("the reference is silent")
    if len(reference) * STOI_RATE_HZ <= (STOI_FRAME + 1) * sample_rate:
        raise UndefinedScore("the reference is shorter than one STOI frame")
    # Undefined goes before failed: a silent estimate still has to learn whether the reference is too short.
    silent = is_silent(estimate)
    from pystoi import stoi as pystoi_stoi

    with _seeded_numpy(), warnings.catch_warnings():
        # The library returns 1e-5 with this warning, which is also a value that a score can have.
        warnings.filterwarnings("error", message="Not enough STFT frames", category=RuntimeWarning)
        try:
            score = pystoi_stoi(reference, reference if silent else estimate, sample_rate, extended=extended)
        except RuntimeWarning:
            raise UndefinedScore("the reference holds less than 30 STOI frames of sound") from None
    if silent:
        raise FailedScore("the estimate is silent")
    if not np.isfinite(score):
        raise FailedScore("STOI is not a finite number on this estimate")
    return min(max(float(score), 0.0), 1.0)


@contextmanager
def _seeded_numpy() -> Iterator[None]:
    """NumPy's global generator, seeded for the length of a block and then put back as it was."""
    state = np.random.get_state()
    np.random.seed(0)
    try:
        yield
    finally:
        np.random.set_state(state)


def pesq_wb(*, estimate: Signal, reference: Signal, sample_rate: int) -> float:
    """Wide-band PESQ as MOS-LQO, about 1.02 to 4.64. Sound of a higher rate than 16 kHz is resampled to it.

    Raises:
        UndefinedScore: a lower rate than 16 kHz, shorter than 0.25 s or longer than 60 s, the reference is silent
            or has more than 40 bursts of sound (the native code would overwrite memory).
        FailedScore: the estimate is silent, or has nothing that PESQ can align with the reference.
    """
    check_lengths(estimate=estimate, reference=reference)
    if sample_rate < PESQ_RATE_HZ:
        raise UndefinedScore(f"wide-band PESQ needs 16000 Hz, the clip has {sample_rate} Hz")
    if 4 * len(reference) < sample_rate:
        raise UndefinedScore("shorter than the 0.25 s that PESQ needs")
    if len(reference) > PESQ_LONGEST_S * sample_rate:
        raise UndefinedScore(f"longer than {PESQ_LONGEST_S:.0f} s")
    if is_silent(reference):
        raise UndefinedScore("the reference is silent")
    estimate, reference = (
        audio.resample(signal, sample_rate, PESQ_RATE_HZ, audio.METRICS) for signal in (estimate, reference)
    )
    if bursts(reference) > PESQ_MOST_BURSTS:
        raise UndefinedScore(f"the reference has more than {PESQ_MOST_BURSTS} bursts of sound")
    if is_silent(estimate):
        raise FailedScore("the estimate is silent")
    return _pesq(estimate, reference)


def _pesq(estimate: Signal, reference: Signal) -> float:
    from pesq import NoUtterancesError, pesq

    try:
        score = float(pesq(PESQ_RATE_HZ, reference, estimate, "wb"))
    except NoUtterancesError:
        # The library also says so when the estimate is shifted or loud beyond use: ask the reference alone.
        try:
            pesq(PESQ_RATE_HZ, reference, reference, "wb")
        except NoUtterancesError:
            raise UndefinedScore("PESQ finds no utterance in the reference") from None
        raise FailedScore("PESQ cannot align the estimate with the reference") from None
    except ValueError as error:
        raise FailedScore(f"PESQ has no value for this estimate ({error})") from error
    if not np.isfinite(score):
        raise FailedScore("PESQ is not a finite number on this estimate")
    return score


def bursts(samples: Signal) -> int:
    """An upper estimate of how many utterances PESQ finds in a 16 kHz reference.

    PESQ's detector sets its own threshold, so we count at every threshold from 0 to 60 dB below the loudest
    4 ms and take the largest count.
    """
    num_windows = len(samples) // PESQ_WINDOW
    power = np.mean(samples[: num_windows * PESQ_WINDOW].reshape(num_windows, PESQ_WINDOW) ** 2, axis=-1)
    thresholds = np.max(power, initial=0.0) * 10 ** (-np.arange(1.5, 61.5, 1.5) / 10)
    return max(_bursts_above(power, threshold) for threshold in thresholds)


def _bursts_above(power: np.ndarray, threshold: float) -> int:
    steps = np.diff(np.concatenate([[0], (power > threshold).astype(np.int8), [0]]))
    starts, stops = np.flatnonzero(steps == 1), np.flatnonzero(steps == -1)
    lasting = stops - starts > PESQ_CLICK
    starts, stops = starts[lasting], stops[lasting]
    if len(starts) == 0:
        return 0
    apart = starts[1:] - stops[:-1] > PESQ_SHORTEST
    starts = np.concatenate([starts[:1], starts[1:][apart]])
    stops = np.concatenate([stops[:-1][apart], stops[-1:]])
    return int(np.sum(stops - starts >= PESQ_SHORTEST))
