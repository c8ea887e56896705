"""Chance as a pure function: fixed values, honest distributions, and nothing global touched."""

import hashlib
import json
import math
import random
import statistics

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_bench import rng

names = st.lists(st.one_of(st.text(max_size=8), st.integers(-5, 10**6)), max_size=4)
seeds = st.integers(-(10**12), 10**12)


def test_values_are_the_same_for_ever():
    """A change here changes every dataset that was ever published."""
    assert rng.unit(0) == 0.8153782528755844
    assert rng.unit(1, "scene", 0, "snr_db") == 0.8591268811641569
    assert rng.sort_key(1, "target", 0, "books/a").startswith("64ccaa050473")
    noise = [-0.3701174932874274, -0.7693706029341918, -1.0409827734172774]
    assert rng.white_noise(3, 1, "hiss").tolist() == noise


def test_names_do_not_run_together():
    """Two different names never give the same stream only because their parts join to the same text."""
    values = {
        rng.unit(1, "a", "b"),
        rng.unit(1, "ab"),
        rng.unit(1, "a,b"),
        rng.unit(1, 'a","b'),
        rng.unit(1, "a", 1),
        rng.unit(1, "a", "1"),
        rng.unit(1, "a1"),
        rng.unit(11, "a"),
    }
    assert len(values) == 8


@given(seeds, names)
def test_unit_is_a_pure_function_within_its_interval(seed, name):
    value = rng.unit(seed, *name)
    assert 0 <= value < 1
    assert value == rng.unit(seed, *name)


@given(seeds, names, st.integers(-50, 50), st.integers(0, 10**9))
def test_integer_holds_both_ends(seed, name, low, width):
    value = rng.integer(low, low + width, seed, *name)
    assert isinstance(value, int)
    assert low <= value <= low + width


@given(seeds, st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_uniform_stays_in_its_range(seed, low, width):
    assert low <= rng.uniform(low, low + width, seed, "x") <= low + width


@pytest.mark.parametrize("value", [0.0, 1 - 2.0**-53])
@pytest.mark.parametrize("width", [1, 2, 3, 7, 10**6, 2**31, 2**40 + 1])
def test_integer_does_not_leave_its_range_at_the_extremes_of_chance(monkeypatch, value, width):
    monkeypatch.setattr(rng, "unit", lambda *_: value)
    assert rng.integer(5, 4 + width, 0) == (5 if value == 0 else 4 + width)


def test_unit_is_flat():
    """Kolmogorov-Smirnov against the uniform distribution; 1.95/√n is passed by chance once in a thousand."""
    values = sorted(rng.unit(3, "flat", number) for number in range(4000))
    distance = max(abs(value - number / 4000) for number, value in enumerate(values))
    assert distance < 1.95 / math.sqrt(4000)


@pytest.mark.parametrize("count", [2, 3, 7])
def test_choice_takes_every_option_equally_often(count):
    options = [f"option {number}" for number in range(count)]
    drawn = [rng.choice(options, 5, "pick", number) for number in range(3000)]
    bound = 4.5 * math.sqrt(3000 / count)
    assert all(abs(drawn.count(option) - 3000 / count) < bound for option in options)


def test_neighbouring_names_and_seeds_are_unrelated():
    first = [rng.unit(1, "scene", number, "snr_db") for number in range(2000)]
    for other in (
        [rng.unit(2, "scene", number, "snr_db") for number in range(2000)],
        [rng.unit(1, "scene", number, "sir_db") for number in range(2000)],
        [rng.unit(1, "scene", number + 1, "snr_db") for number in range(2000)],
    ):
        assert abs(statistics.correlation(first, other)) < 4.5 / math.sqrt(2000)


def test_white_noise_is_white_and_normal():
    noise = rng.white_noise(40000, 7, "noise")
    assert noise.shape == (40000,)
    assert abs(noise.mean()) < 0.02
    assert abs(noise.std() - 1) < 0.02
    assert np.abs(noise).max() <= 6
    assert abs(np.mean(noise[1:] * noise[:-1])) < 0.02
    assert abs(np.mean(np.abs(noise) < 1) - 0.6827) < 0.015


def test_white_noise_is_fixed_by_seed_and_name():
    assert (rng.white_noise(100, 7, "a") == rng.white_noise(100, 7, "a")).all()
    assert not (rng.white_noise(100, 7, "a") == rng.white_noise(100, 7, "b")).any()
    assert not (rng.white_noise(100, 7, "a") == rng.white_noise(100, 8, "a")).any()


def test_a_generator_is_fixed_by_its_name():
    assert rng.generator(1, "bootstrap").integers(0, 10**9, 5).tolist() == (
        rng.generator(1, "bootstrap").integers(0, 10**9, 5).tolist()
    )
    assert rng.generator(1, "bootstrap").random() != rng.generator(1, "other").random()


def test_no_global_generator_is_touched():
    random.seed(1)
    np.random.seed(1)
    before = random.getstate(), np.random.get_state()[1].tolist()
    rng.unit(1, "a")
    rng.white_noise(10, 1, "a")
    rng.generator(1, "a").random()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before


@given(st.lists(st.one_of(st.text(), st.integers(), st.booleans(), st.floats(allow_nan=False)), max_size=5))
def test_names_are_hashed_as_json(name):
    text = json.dumps([7, *name], separators=(",", ":"))
    assert rng.sort_key(7, *name) == hashlib.sha256(text.encode()).hexdigest()
