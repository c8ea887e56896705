"""What the first scenes of a dataset say of a system while it enhances them, before hours go into all of it."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from pse_bench.errors import PseBenchError
from pse_bench.io import documents
from pse_bench.submission import verdicts
from pse_bench.submission.check.file_stats import REACH_S, match
from pse_bench.submission.verdicts import UNLIKE, Fit
from pse_bench.systems import base
from pse_bench.systems.base import LoadedSystem, SystemInput

LONGEST_S = 60.0
"""Of a longer mixture, its beginning is looked at."""


class Probe(documents.Record):
    """What a mixture says: the gain in dB of the mixture in its estimate (None where one is silent), the share of
    power that is something else, and whether another person's enrollment changed it, where that was tried."""

    gain_db: float | None
    unexplained: float
    changed: bool | None = None

    @property
    def fit(self) -> Fit:
        return UNLIKE if self.gain_db is None else Fit(self.gain_db, self.unexplained)


def probe(
    loaded: LoadedSystem,
    given: SystemInput,
    estimate: np.ndarray,
    other: np.ndarray | None,
    mixture_id: str,
    *,
    own: np.ndarray | None,
) -> Probe:
    """Look at an estimate; with ``other``, another person's enrollment, make a second one, unless the system says
    that it hears none. ``own`` is the estimate again, None where it belongs to a longer mixture than the one that
    is given, so that the second one cannot be held against it."""
    fit = UNLIKE
    if given.mixture.any() and estimate.any():
        mixture = given.mixture.astype(np.float64)
        fit = match(estimate, mixture, int(REACH_S * given.sample_rate)).fit
    changed = None
    if other is not None and loaded.system.uses_enrollment is not False:
        changed = _changes(loaded, given, own, other, mixture_id)
    return Probe(
        gain_db=fit.gain_db if np.isfinite(fit.gain_db) else None, unexplained=fit.unexplained, changed=changed
    )


def _changes(
    loaded: LoadedSystem, given: SystemInput, estimate: np.ndarray | None, other: np.ndarray, mixture_id: str
) -> bool | None:
    try:
        if estimate is None:
            estimate = base.enhance(loaded, given, mixture_id)
        controlled = base.enhance(loaded, replace(given, enrollment=other), mixture_id)
    except PseBenchError:  # it has done what it was asked for, and this is our question
        return None
    return verdicts.differ(estimate, controlled)


def measured(probes: Collection[Probe]) -> dict[str, Any]:
    """What they say of a system, as fields of ``system.yaml``; what is not known is left out."""
    gain_db = verdicts.constant_gain_db([each.fit for each in probes])
    found = {
        "uses_enrollment": verdicts.enrollment_used([each.changed for each in probes]),
        "constant_gain_db": None if gain_db is None else round(gain_db, 3),
    }
    return {key: value for key, value in found.items() if value is not None}


def tell(loaded: LoadedSystem, found: Mapping[str, Any], notice: Callable[[str], None]) -> None:
    """Warn of what they say."""
    name = loaded.system.name
    if loaded.system.uses_enrollment is False:
        notice(f"system {name}: {verdicts.IGNORES}: blind")
    elif found.get("uses_enrollment") is False:
        notice(
            f"warning: system {name}: {verdicts.IGNORES}: the first scenes come out the same with another "
            "person's; look whether it is read, or say info = {'uses_enrollment': False}"
        )
    if "constant_gain_db" in found:
        notice(
            f"warning: system {name}: {verdicts.gain_text(found['constant_gain_db'])}: each estimate of the first "
            "scenes is its mixture at that level; look whether the system does anything"
        )
