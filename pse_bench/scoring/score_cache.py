"""Scores on disk, by everything they depend on: nothing is computed twice, in whatever run or dataset it occurs.

A score's key is the SHA-256 of the metric (name, version, model), of the packages that compute it, and of all
that the metric takes: the samples of estimate, reference and what else it needs. There is one small JSON file an
estimate, see ``io.atomic``.
"""

import hashlib
import json
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import astuple, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench import metrics
from pse_bench.io import atomic
from pse_bench.io.atomic import ContentCache
from pse_bench.metrics import Clip, Evaluation, Metric
from pse_bench.metrics.metric import PACKAGES
from pse_bench.registry import installed_version

LAYOUT = 3
"""Raised when what a key is made of changes."""


def package_versions(chosen: Iterable[Metric] = ()) -> dict[str, str]:
    """Installed versions of the packages that compute our scores and those of ``chosen``; packages that are not
    there are left out."""
    needed = [name for metric in (*metrics.REGISTRY.values(), *chosen) for name in metric.packages]
    found = {name: installed_version(name) for name in dict.fromkeys((*PACKAGES, *needed))}
    return {name: version for name, version in found.items() if version}


@dataclass(frozen=True)
class ScoreCache:
    """Scores that are kept in ``folder``, which any number of processes may share. ``recogniser`` stands for what
    ``transcribe`` answers; '' when it is not to be remembered, because it does not go by the sound."""

    folder: Path
    recogniser: str

    def evaluate(self, wanted: Iterable[Metric], clip: Clip) -> list[Evaluation]:
        """Each metric on a clip, as ``metrics.evaluate`` gives it, computed only where it is not known."""
        if clip.estimate is None:
            return [metrics.score(metric, clip) for metric in wanted]

        @cache
        def content(name: str) -> str:
            return _content(self.recogniser if name == "transcribe" else getattr(clip, name))

        estimate, kept = content("estimate"), ContentCache(self.folder)
        known = kept.get(estimate) or {}
        found, fresh = [], {}
        for metric in wanted:
            key = self._key(metric, content, clip.sample_rate)
            evaluation = Evaluation(*known[key]) if key in known else metrics.score(metric, clip)
            if key and key not in known:
                fresh[key] = list(astuple(evaluation))
            found.append(evaluation)
        if fresh:
            with suppress(OSError):  # what cannot be kept is computed again: no reason to lose a run
                kept.put(estimate, known | fresh)
        return found

    def _key(self, metric: Metric, content: Callable[[str], str], sample_rate: int) -> str:
        """The key of a metric's score, with the SHA-256 of each field of the clip by ``content``; '' for none."""
        if "transcribe" in metric.needs and not self.recogniser:
            return ""
        takes = {name: content(name) for name in ("estimate", *metric.needs)}
        if resampled := metric.resampled(sample_rate):
            takes["resampled"] = resampled
        packages = {name: installed_version(name) for name in (*PACKAGES, *metric.packages)}
        parts = [LAYOUT, metric.name, metric.version, metric.model, packages, takes]
        return atomic.sha256_of_text(json.dumps(parts, sort_keys=True))


def _content(value: Any) -> str:
    if isinstance(value, np.ndarray):
        head = f"{value.dtype.str} {value.shape} "
        return hashlib.sha256(head.encode() + np.ascontiguousarray(value).tobytes()).hexdigest()
    return atomic.sha256_of_text(repr(value))
