"""A metric of somebody else's, as a module of theirs would define it."""

import numpy as np

from pse_bench.errors import UndefinedScore
from pse_bench.metrics import Metric, Resolution


def peak_reduction_db(*, estimate: np.ndarray, mixture: np.ndarray) -> float:
    """How far the peak of the output lies below the mixture's, in dB within [−40, 120]."""
    before, after = (float(np.max(np.abs(samples))) for samples in (mixture, estimate))
    if before == 0.0:
        raise UndefinedScore("the mixture is silent")
    return 20 * float(np.log10(before / max(after, 1e-9 * before)))


PEAK = Metric(
    name="peak_reduction_db",
    description="peak of the output below the mixture's",
    family="leakage",
    unit="dB",
    higher_is_better=True,
    scenarios=("TS3",),
    low=-40.0,
    high=120.0,
    worst=-40.0,
    resolution=Resolution(0.1, "as printed"),
    source="nobody's",
    needs=("estimate", "mixture"),
    compute=peak_reduction_db,
    version=3,
    packages=("pytest",),
)
