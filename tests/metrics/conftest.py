"""Signals for the metric tests: made here, the same every time."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from pse_bench.metrics import Clip

RATE = 16_000


def speech_like(seed: int, active: np.ndarray) -> np.ndarray:
    """A voice without words: harmonics that glide, syllables at 4 Hz, some breath; silent where not active."""
    rng = np.random.default_rng(seed)
    time_s = np.arange(len(active)) / RATE
    pitch_hz = rng.uniform(90, 220) * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * time_s + rng.uniform(0, 6)))
    phase = 2 * np.pi * np.cumsum(pitch_hz) / RATE
    voiced = sum(np.sin(k * phase + rng.uniform(0, 6)) / k for k in range(1, 25))
    syllables = 0.15 + np.sin(np.pi * 4 * time_s + rng.uniform(0, 6)) ** 2
    return active * syllables * (0.05 * voiced + 0.01 * rng.standard_normal(len(active)))


def spans(num_samples: int, *seconds: tuple[float, float]) -> np.ndarray:
    mask = np.zeros(num_samples, dtype=bool)
    for start_s, stop_s in seconds:
        mask[round(start_s * RATE) : round(stop_s * RATE)] = True
    return mask


@pytest.fixture(scope="session")
def make_clip() -> Callable[..., Clip]:
    @cache  # a clip takes 30 ms to make and nothing may change it
    def make(scenario: str, seed: int = 0, duration_s: float = 3.0) -> Clip:
        """A clip whose estimate is a slightly noisy copy of the reference (TS3: of a faint mixture)."""
        rng = np.random.default_rng(1000 + seed)
        num_samples = round(duration_s * RATE)
        target_active = spans(num_samples, (0.2, 0.45 * duration_s), (0.6 * duration_s, 0.9 * duration_s))
        interferer_active = spans(num_samples, (0.35 * duration_s, 0.8 * duration_s))
        target = speech_like(seed, target_active)
        interferer = speech_like(seed + 500, interferer_active)
        mixture = 0.003 * rng.standard_normal(num_samples)
        nobody = np.zeros(num_samples, dtype=bool)
        if scenario in {"TS1", "TS2"}:
            mixture = mixture + target
        if scenario in {"TS2", "TS3"}:
            mixture = mixture + interferer
        reference = None if scenario == "TS3" else target
        noise = 0.001 * rng.standard_normal(num_samples)
        return Clip(
            estimate=noise + (0.01 * mixture if reference is None else target),
            mixture=mixture,
            reference=reference,
            target_active=nobody if scenario == "TS3" else target_active,
            interferer_active=nobody if scenario == "TS1" else interferer_active,
            sample_rate=RATE,
            target=reference,
            interferer=None if scenario == "TS1" else interferer,
        )

    return make


@pytest.fixture(scope="session")
def voice() -> Callable[[int, float], np.ndarray]:
    def make(seed: int, duration_s: float) -> np.ndarray:
        """A voice that talks throughout."""
        return speech_like(seed, np.ones(round(duration_s * RATE), dtype=bool))

    return make
