"""A gain that is all, and an enrollment that changes nothing, from the estimates alone."""

import numpy as np
import pytest

from pse_bench.submission import verdicts
from pse_bench.submission.verdicts import Fit

NOISE = np.random.default_rng(1).standard_normal((2, 16_000))


@pytest.mark.parametrize("gain_db", [-60.0, -10.75, 0.0, 6.0])
@pytest.mark.parametrize("rest_db", [-40.0, -25.0, -10.0])
def test_a_fit_says_gain_and_rest(gain_db: float, rest_db: float) -> None:
    """Closed form: what is added has nothing to do with the mixture, and its power is known."""
    mixture, other = NOISE / np.sqrt(np.sum(NOISE**2, axis=1, keepdims=True))
    other = other - np.sum(other * mixture) * mixture
    other /= np.sqrt(np.sum(other**2))
    share = 10 ** (rest_db / 10)
    estimate = 10 ** (gain_db / 20) * (mixture + np.sqrt(share / (1 - share)) * other)
    found = verdicts.fit(estimate, mixture)
    assert found.gain_db == pytest.approx(gain_db)
    assert found.unexplained == pytest.approx(share)


def test_silence_is_a_copy_at_no_level() -> None:
    for pair in ((NOISE[0], 0 * NOISE[0]), (0 * NOISE[0], NOISE[0])):
        assert verdicts.fit(*pair) == Fit(-np.inf, 1.0)


@pytest.mark.parametrize(
    ("fits", "expected"),
    [
        ([], None),
        ([Fit(-4.8, 0.009)] * 9, -4.8),
        ([Fit(-4.8, 0.04)] * 9, None),
        ([Fit(-4.8, 0.0), Fit(-5.2, 0.0), Fit(-4.9, 0.0)], -4.9),
        ([Fit(-4.0, 0.0), Fit(-6.0, 0.0), Fit(-9.0, 0.0)], None),
        ([Fit(-4.8, 0.0)] * 8 + [Fit()], None),
    ],
)
def test_a_constant_gain_is_one_gain_and_no_rest(fits: list[Fit], expected: float | None) -> None:
    assert verdicts.constant_gain_db(fits) == expected


@pytest.mark.parametrize(
    ("change_db", "expected"), [(-np.inf, False), (-80.0, False), (-41.0, False), (-39.0, True), (0.0, True)]
)
def test_an_enrollment_changes_an_output(change_db: float, expected: bool) -> None:
    one, other = NOISE / np.sqrt(np.sum(NOISE**2, axis=1, keepdims=True))
    assert verdicts.differ(one, one + 10 ** (change_db / 20) * other) is expected


def test_silence_says_nothing_about_the_enrollment() -> None:
    assert verdicts.differ(0 * NOISE[0], 0 * NOISE[0]) is None
    assert verdicts.differ(0 * NOISE[0], NOISE[0]) is True
    assert verdicts.enrollment_used([None, None]) is None
    assert verdicts.enrollment_used([None, False, False]) is False
    assert verdicts.enrollment_used([False, True, None]) is True


@pytest.mark.parametrize(
    ("gain_db", "text"), [(-10.752, "−10.8"), (0.04, "0.0"), (-0.04, "0.0"), (3.0, "+3.0"), (-1000.0, "−1000.0")]
)
def test_a_gain_has_a_sign_or_is_nothing(gain_db: float, text: str) -> None:
    assert verdicts.gain_text(gain_db) == f"constant gain {text} dB"
