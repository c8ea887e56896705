"""What can be said of a system from what it gives: it only turns the level, or it does not hear the enrollment.

For both, a part of an estimate's power is too little to mean anything; the two limits are stated here, once.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

CONSTANT = 0.01
"""Share of the estimates' power, on average, that may be no copy of the mixture in a constant gain: −20 dB.
SpeexDSP, the mildest of the systems that were tried, leaves 0.05; one whose mask is the same everywhere leaves
0.008 by the shape of its filters (libri-mini-v1)."""
SPREAD_DB = 0.5  # from the usual gain, of most clips
MOST = 0.9
SAME = 1e-4
"""Share of an output's power by which another enrollment has to change it: −40 dB, below which no score moves."""
IGNORES = "ignores the enrollment"


@dataclass(frozen=True)
class Fit:
    """A mixture's best factor, in dB, for an estimate, and the share of the estimate's power that is something
    else. What is silent is no copy at any level."""

    gain_db: float = -np.inf
    unexplained: float = 1.0


UNLIKE = Fit()


def fit(estimate: np.ndarray, mixture: np.ndarray) -> Fit:
    """By least squares, so the loud part decides; both of shape (num_samples,)."""
    power, own = float(np.sum(mixture**2)), float(np.sum(estimate**2))
    if not power or not own:
        return UNLIKE
    factor = float(np.sum(estimate * mixture)) / power
    rest = float(np.sum((estimate - factor * mixture) ** 2)) / own
    return Fit(20 * float(np.log10(abs(factor) or np.finfo(float).tiny)), rest)


def constant_gain_db(fits: Sequence[Fit]) -> float | None:
    """The gain in dB where it is all that a system does to mixtures; None where it does more."""
    if not fits or np.mean([each.unexplained for each in fits]) > CONSTANT:
        return None
    gains = np.array([each.gain_db for each in fits])
    usual = float(np.median(gains))
    return usual if np.mean(np.abs(gains - usual) <= SPREAD_DB) >= MOST else None


def differ(one: np.ndarray, other: np.ndarray) -> bool | None:
    """Whether two estimates of a mixture differ by more than nothing; None where both are silent."""
    power = max(float(np.sum(one**2)), float(np.sum(other**2)))
    return float(np.sum((one - other) ** 2)) > SAME * power if power else None


def enrollment_used(changes: Sequence[bool | None]) -> bool | None:
    """Whether another enrollment changed any of the estimates that say something; None where none do."""
    said = [changed for changed in changes if changed is not None]
    return any(said) if said else None


def gain_text(gain_db: float) -> str:
    """A constant gain by name, as ``constant gain −10.8 dB``."""
    size = f"{abs(gain_db):.1f}"
    sign = "" if size == "0.0" else "−" if gain_db < 0 else "+"
    return f"constant gain {sign}{size} dB"
