"""What the outputs of a system say: its lag to the sample, its levels, and whether it hears the enrollment."""

from collections.abc import Callable

import numpy as np
import pytest

from pse_bench.systems import base, probes, profile, registry

Function = Callable[[np.ndarray, np.ndarray, int], np.ndarray]


def loaded(function: Function) -> base.LoadedSystem:
    about = registry.load("mixture").system
    return base.LoadedSystem(lambda w: function(w.mixture, w.enrollment, w.sample_rate), about, "")


def late(samples: np.ndarray, delay: int) -> np.ndarray:
    return np.pad(samples, (delay, 0))[: len(samples)] if delay >= 0 else np.pad(samples[-delay:], (0, -delay))


def softened(samples: np.ndarray) -> np.ndarray:
    """The quieter half of the time-frequency plane away, upside down, as a denoiser of some packages does it."""
    from scipy.signal import istft, stft

    spectrum = stft(samples, nperseg=512)[2]
    mask = np.abs(spectrum) > np.median(np.abs(spectrum))
    return -istft(mask * spectrum, nperseg=512)[1][: len(samples)].astype(np.float32)


@pytest.mark.parametrize("delay", [0, 1, 96, 256, 384, 960, 1040, -80])
@pytest.mark.parametrize(
    "what",
    [lambda x: x, lambda x: 0.01 * x, softened, lambda x: np.append(x[0], x[1:] - 0.95 * x[:-1])],
    ids=["nothing", "quiet", "a mask", "a filter"],
)
def test_lag_is_found_to_the_sample(delay: int, what: Callable[[np.ndarray], np.ndarray]) -> None:
    system = loaded(lambda mixture, *_: late(what(mixture).astype(np.float32), delay))
    assert profile.lag_samples(system, 16_000) == delay


def test_what_has_nothing_of_the_input_has_no_lag() -> None:
    noise = np.random.default_rng(1).standard_normal(100_000).astype(np.float32)
    assert profile.lag_samples(loaded(lambda mixture, *_: noise[: len(mixture)]), 16_000) is None
    assert profile.lag_samples(registry.load("silence"), 16_000) is None


LEVELS: dict[str, tuple[Function, float | None, str]] = {
    "nothing": (lambda mixture, *_: mixture, 0.0, "follows the input"),
    "a gain": (lambda mixture, *_: np.float32(0.29) * mixture, -10.752, "follows the input"),
    "a late gain": (lambda mixture, *_: np.float32(0.29) * late(mixture, 96), -10.752, "follows the input"),
    "a mask": (lambda mixture, *_: softened(mixture), None, "follows the input"),
    "a peak of 1": (lambda mixture, *_: mixture / np.abs(mixture).max(), None, "peak-normalised"),
    "a level": (lambda mixture, *_: 0.05 * mixture / mixture.std(), None, "level-normalised"),
    "half the decibels": (lambda mixture, *_: 0.1 * mixture / np.sqrt(mixture.std()), None, "depends on the"),
    "silence": (lambda mixture, *_: 0 * mixture, None, "silent"),
}


@pytest.mark.parametrize("name", LEVELS)
def test_gain_and_levels(name: str) -> None:
    function, gain_db, policy = LEVELS[name]
    system = loaded(function)
    found_db, found = probes.constant_gain_and_levels(system, 16_000, profile.lag_samples(system, 16_000) or 0)
    assert found.startswith(policy)
    assert found_db == (None if gain_db is None else pytest.approx(gain_db, abs=0.01))


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (lambda mixture, *_: mixture, False),
        (lambda mixture, enrollment, _: mixture * (1 + 1e-4 * enrollment.std()), False),
        (lambda mixture, enrollment, _: mixture * np.abs(enrollment).max(), True),
        (lambda mixture, enrollment, _: np.convolve(mixture, enrollment[:50] / 10)[: len(mixture)], True),
        (lambda mixture, *_: 0 * mixture, None),
    ],
)
def test_the_enrollment_changes_the_output_or_not(function: Function, expected: bool | None) -> None:
    assert probes.uses_enrollment(loaded(lambda *given: function(*given).astype(np.float32)), 16_000) is expected


@pytest.mark.parametrize(
    ("latencies_ms", "causal", "expected"),
    [
        ([0.0, None], True, "≤ 5 ms"),
        ([20.0, 19.9], True, "≤ 20 ms"),
        ([20.0, 21.0], None, "≤ 40 ms"),
        ([None, 100.0], None, "≤ 100 ms"),
        ([None, 100.1], None, "offline"),
        ([None, 3.0], False, "offline"),
        ([None, None], None, None),
        ([None, None], False, "offline"),
    ],
)
def test_the_class_is_that_of_the_longest_latency(
    latencies_ms: list[float | None], causal: bool | None, expected: str | None
) -> None:
    assert profile.latency_class(latencies_ms, causal=causal) == expected
