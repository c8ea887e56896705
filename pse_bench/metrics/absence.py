"""Whether a system hears from the mixture that its target is not there: the level of its output tells.

Each clip is one decision, by how far the output lies below the mixture over the whole clip, so it costs a system
that gives no probabilities nothing to take part.
"""

from collections.abc import Sequence

import numpy as np

from pse_bench.errors import UndefinedScore
from pse_bench.metrics import detection


def share(values: Sequence[float], *, above: float = -np.inf, below: float = np.inf) -> float:
    """Clips whose value lies between the two, in % of all scored clips. ValueError where there is none."""
    if len(values) == 0:
        raise ValueError("no clip to summarise")
    found = np.asarray(values)
    return 100.0 * float(np.mean((found > above) & (found < below)))


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
