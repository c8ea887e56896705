"""SI-SDR against closed forms."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_bench.errors import FailedScore, UndefinedScore
from pse_bench.metrics.distortion import si_sdr, si_sdri, target_loss_db


@pytest.fixture(scope="module")
def pair(voice) -> tuple[np.ndarray, np.ndarray]:
    """A reference, and noise of the same energy that is orthogonal to it."""
    reference = voice(0, 0.5)
    noise = np.random.default_rng(0).standard_normal(len(reference))
    noise -= (noise @ reference) / (reference @ reference) * reference
    return reference, noise * np.sqrt((reference @ reference) / (noise @ noise))


@given(level_db=st.floats(-49, 99), gain_db=st.floats(-60, 60), sign=st.sampled_from([-1, 1]))
def test_orthogonal_noise_gives_its_level_whatever_the_gain(
    pair, level_db: float, gain_db: float, sign: int
) -> None:
    reference, noise = pair
    estimate = sign * 10 ** (gain_db / 20) * (reference + 10 ** (-level_db / 20) * noise)
    assert si_sdr(estimate=estimate, reference=reference) == pytest.approx(level_db, abs=1e-4)


@pytest.mark.parametrize(("level_db", "held_db"), [(150, 100), (-80, -50)])
def test_values_are_held_within_bounds(pair, level_db: float, held_db: float) -> None:
    reference, noise = pair
    estimate = reference + 10 ** (-level_db / 20) * noise
    assert si_sdr(estimate=estimate, reference=reference) == pytest.approx(held_db, abs=1e-6)


def test_a_perfect_and_an_orthogonal_estimate_are_at_the_bounds(pair) -> None:
    reference, noise = pair
    assert si_sdr(estimate=reference, reference=reference) == 100.0
    assert si_sdr(estimate=noise, reference=reference) == -50.0


def test_an_offset_is_an_error(pair) -> None:
    """The mean is not removed: with it, this estimate would be perfect."""
    reference, _ = pair
    offset = np.sqrt(np.mean(reference**2) / 100)
    zero_mean = reference - reference.mean()
    assert si_sdr(estimate=zero_mean + offset, reference=zero_mean) == pytest.approx(20.0, abs=1e-6)


def test_the_improvement_is_a_difference(pair) -> None:
    reference, noise = pair
    mixture, estimate = reference + noise, reference + 0.1 * noise
    assert si_sdri(estimate=estimate, reference=reference, mixture=mixture) == pytest.approx(20.0)
    assert si_sdri(estimate=mixture, reference=reference, mixture=mixture) == 0.0


def test_silence_has_no_value(pair) -> None:
    reference, noise = pair
    nothing = np.zeros_like(reference)
    with pytest.raises(FailedScore):
        si_sdr(estimate=nothing, reference=reference)
    with pytest.raises(UndefinedScore):
        si_sdr(estimate=noise, reference=nothing)
    with pytest.raises(UndefinedScore):
        si_sdri(estimate=noise, reference=reference, mixture=nothing)


@pytest.mark.parametrize(
    ("gain_db", "loss_db"), [(-6.0, 6.0), (-0.1, 0.1), (0.0, 0.0), (3.0, 0.0), (-60.0, 60.0), (-130.0, 120.0)]
)
def test_the_lost_level_is_what_was_turned_down(
    pair: tuple[np.ndarray, np.ndarray], gain_db: float, loss_db: float
) -> None:
    """Also under noise as loud as the target, and upside down."""
    reference, noise = pair
    gain = 10 ** (gain_db / 20)
    for estimate in (gain * reference, gain * reference + noise, -gain * reference):
        assert target_loss_db(estimate=estimate, reference=reference) == pytest.approx(loss_db, abs=1e-6)


def test_silence_lost_everything(pair) -> None:
    reference, noise = pair
    for estimate in (np.zeros_like(reference), noise):
        assert target_loss_db(estimate=estimate, reference=reference) == 120.0
    with pytest.raises(UndefinedScore):
        target_loss_db(estimate=reference, reference=np.zeros_like(reference))
