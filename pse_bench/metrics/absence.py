"""Whether a system hears from the mixture that its target is not there: the level of its output tells.

Each clip is one decision, by how far the output lies below the mixture over the whole clip, or each frame is one,
so it costs a system that gives no probabilities nothing to take part.
"""

from collections.abc import Sequence

import numpy as np

from pse_bench.errors import UndefinedScore
from pse_bench.metrics import detection
from pse_bench.metrics.signals import Mask, Signal, check_lengths
from pse_bench.signal import vad

RANGE_DB = 25.0
"""The output is taken as speech as far as this below the mixture's loud frames."""
LOUD = 95  # percentile of the mixture's levels while the target talks
QUIETEST_DBFS = -100.0
"""Below is no speech: a 16-bit file's own rounding noise."""
SHORTEST_S = 0.1


def share(values: np.ndarray | Sequence[float], *, above: float = -np.inf, below: float = np.inf) -> np.ndarray:
    """Clips whose value lies between the two, in % of all scored clips, on the last axis. ValueError where there
    is none."""
    found = np.asarray(values)
    if found.shape[-1] == 0:
        raise ValueError("no clip to summarise")
    return 100.0 * np.mean((found > above) & (found < below), axis=-1)


def absence_eer(*, absent_db: np.ndarray, present_db: np.ndarray) -> float:
    """Equal error rate, in %, of telling clips without the target from those with it by the level of the output.

    A clip is taken as one without the target where the output lies further below the mixture than a level. As that
    is swept, false alarms (clips without the target that do not) grow and misses (clips with it that do) shrink;
    they meet at the rate. One gain for everything changes nothing: 50 % is chance, and what lets all through.

    Args:
        absent_db: reductions of TS3 clips, shape (num_clips,).
        present_db: those of TS1 and TS2 clips.

    Raises:
        UndefinedScore: there are none of either.
    """
    if not len(absent_db) or not len(present_db):
        raise UndefinedScore("takes clips with and without the target")
    absent = np.arange(len(absent_db) + len(present_db)) < len(absent_db)
    return 100.0 * detection.equal_error_rate(scores=np.concatenate([absent_db, present_db]), positive=absent)


def activity_f1(*, estimate: Signal, mixture: Signal, target_active: Mask, sample_rate: int) -> float:
    """F1, in %, between the frames in which the target talks and those in which the output is as loud as speech.

    F1 = 2 TP / (2 TP + FP + FN), over frames of 10 ms without overlap; the target talks in a frame when it does in
    more than half of its samples. The output is as loud as speech where its level between 180 Hz and 5 kHz, over
    30 ms around the frame's middle, is at most 25 dB below the 95th percentile of the mixture's levels in the
    target's frames; gaps of at most 80 ms are filled and bursts below 40 ms dropped. So silence has 0, and where
    somebody talks all of the time and the target a share a of it, what lets everything through has 2a / (1 + a).

    Raises:
        UndefinedScore: the target talks for less than 0.1 s, or the mixture is silent there.
    """
    check_lengths(estimate=estimate, mixture=mixture, target_active=target_active)
    hop = vad.hop_samples(sample_rate)
    talks = vad.frames_with(target_active, hop, hop)
    if hop * int(np.sum(talks)) < SHORTEST_S * sample_rate:
        raise UndefinedScore(f"the target talks for less than {SHORTEST_S} s")
    loud_db = float(np.percentile(vad.levels_db(mixture, sample_rate)[: len(talks)][talks], LOUD))
    if loud_db < QUIETEST_DBFS:
        raise UndefinedScore("the mixture is silent where the target talks")
    above_db = max(loud_db - RANGE_DB, QUIETEST_DBFS)
    heard = vad.loud_frames(estimate, sample_rate, above_db)[: len(talks)]
    return 200.0 * float(np.sum(heard & talks)) / float(np.sum(heard) + np.sum(talks))
