"""Intervals and tests against scipy and brute force, and how often intervals hold where the truth is known."""

import importlib.util
import itertools
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import scipy.special
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from pse_bench.scoring import statistics
from pse_bench.scoring.statistics import (
    crossed_interval,
    median_interval,
    p_values,
    quotient_difference,
    quotient_interval,
    smallest_p,
    swapped_quotients,
    swapped_signs,
    swaps,
)


def mean(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / sums[..., 1]


def pairs(values: np.ndarray) -> np.ndarray:
    return np.stack([values, np.ones(len(values))], axis=-1)


wide = partial(quotient_interval, link=mean, low=-1e6, high=1e6)
"""With bounds so far away that they do nothing."""


# ---- one figure


@pytest.mark.parametrize("clips", [1, 3])
@pytest.mark.parametrize("speakers", [2, 5, 30])
def test_speakers_alike_in_size_give_the_t_interval_of_their_means(speakers: int, clips: int) -> None:
    values = np.random.default_rng(speakers).normal(3, 2, size=(speakers, clips))
    found = wide(pairs(values.ravel()), np.repeat(np.arange(speakers), clips))
    twin = scipy.stats.ttest_1samp(values.mean(axis=1), 0).confidence_interval(0.95)
    assert found == pytest.approx((twin.low, twin.high), rel=1e-4)


def test_a_mean_over_two_kinds_of_clusters_is_as_by_hand() -> None:
    chance = np.random.default_rng(2)
    raters, speakers = np.repeat(np.arange(6), 5), np.tile(np.arange(5), 6)
    values = chance.normal(50, 10, 30) + 8 * chance.normal(size=6)[raters]

    def variance(groups: list[tuple[int, ...]]) -> float:
        left = [np.mean([v for v, g in zip(values, groups, strict=True) if g != one]) for one in set(groups)]
        return (len(left) - 1) / len(left) * sum((mean - np.mean(left)) ** 2 for mean in left)

    kinds = ([(r,) for r in raters], [(s,) for s in speakers], list(zip(raters, speakers, strict=True)))
    first, second, both = (variance([tuple(map(int, one)) for one in kind]) for kind in kinds)
    spread = max(first, second, first + second - both) ** 0.5
    place = values.mean() / 100
    reach = scipy.stats.t.ppf(0.975, 4) * spread / (100 * place * (1 - place))
    twin = 100 * scipy.special.expit(scipy.special.logit(place) + np.array([-reach, reach]))
    found = crossed_interval(values, raters, speakers, low=0, high=100)
    assert found == pytest.approx(twin)
    # where every rating has a rater of its own, speakers alone count
    alone = crossed_interval(values, np.arange(30), speakers, low=0, high=100)
    assert alone == pytest.approx(quotient_interval(pairs(values), speakers, link=mean, low=0, high=100))
    assert crossed_interval(values, raters, np.zeros(30, dtype=int), low=0, high=100) is None


@pytest.mark.parametrize("spread", [(0.0, 0.0), (8.0, 4.0), (3.0, 10.0)])
def test_intervals_of_ratings_hold_the_truth(spread: tuple[float, float]) -> None:
    """20 raters and 10 speakers: raters differ, speakers differ, both, or neither."""
    chance, held, repetitions = np.random.default_rng(4), 0, 300
    raters, speakers = np.repeat(np.arange(20), 10), np.tile(np.arange(10), 20)
    for _ in range(repetitions):
        of_raters, of_speakers = chance.normal(0, spread[0], 20), chance.normal(0, spread[1], 10)
        values = 60 + of_raters[raters] + of_speakers[speakers] + chance.normal(0, 12, 200)
        low, high = crossed_interval(values, raters, speakers, low=0, high=100)
        held += low <= 60 <= high
    assert 0.92 <= held / repetitions <= 0.999


def by_hand(groups: list[list[tuple[float, float]]], low: float, high: float) -> tuple[float, float]:
    """The interval of a ratio of sums, written as plainly as possible."""

    def ratio(chosen: list[list[tuple[float, float]]]) -> float:
        return sum(a for group in chosen for a, _ in group) / sum(b for group in chosen for _, b in group)

    number, value = len(groups), ratio(groups)
    left = [ratio(groups[:k] + groups[k + 1 :]) for k in range(number)]
    spread = ((number - 1) / number * sum((one - sum(left) / number) ** 2 for one in left)) ** 0.5
    weights = [sum(b for _, b in group) for group in groups]
    freedom = max(sum(weights) ** 2 / sum(weight**2 for weight in weights) - 1, 1)
    reach = scipy.stats.t.ppf(0.975, freedom) * spread
    place = (value - low) / (high - low)
    ends = scipy.special.logit(place) + reach / ((high - low) * place * (1 - place)) * np.array([-1, 1])
    first, last = low + (high - low) * scipy.special.expit(ends)
    return first, last


def test_a_ratio_of_sums_over_unequal_speakers() -> None:
    chance = np.random.default_rng(7)
    groups = []
    for _ in range(8):
        totals = chance.integers(20, 300, size=chance.integers(1, 6))
        rate = chance.uniform(0, 0.3)
        groups.append([(float(chance.binomial(total, rate)), float(total)) for total in totals])
    clusters = np.repeat(np.arange(8), [len(group) for group in groups])
    flat = np.array([clip for group in groups for clip in group])
    found = quotient_interval(flat, clusters, link=mean, low=0.0, high=1.0)
    assert found == pytest.approx(by_hand(groups, 0.0, 1.0), rel=1e-9)


clips = st.lists(
    st.tuples(st.integers(0, 5), st.floats(0, 1).map(lambda value: round(value, 3))), min_size=2, max_size=30
)


@given(clips)
def test_the_interval_holds_the_figure_and_stays_inside(drawn: list[tuple[int, float]]) -> None:
    clusters = statistics.clusters_of([str(speaker) for speaker, _ in drawn])
    values = np.array([value for _, value in drawn])
    found = quotient_interval(pairs(values), clusters, link=mean, low=0.0, high=1.0)
    middle = median_interval(values, clusters)
    if clusters.max() == 0:
        assert found is middle is None
        return
    assert found is not None
    assert middle is not None
    assert 0 <= found[0] <= values.mean() + 1e-9
    assert values.mean() - 1e-9 <= found[1] <= 1
    assert values.min() <= middle[0] <= np.median(values) <= middle[1] <= values.max()


@given(st.floats(0, 1), st.lists(st.integers(0, 4), min_size=2, max_size=20))
def test_what_is_the_same_everywhere_has_no_width(value: float, speakers: list[int]) -> None:
    clusters = statistics.clusters_of(list(map(str, speakers)))
    values = np.full(len(speakers), value)
    found = quotient_interval(pairs(values), clusters, link=mean, low=0.0, high=1.0)
    if clusters.max() > 0:
        assert found is not None
        assert found[0] == found[1] == pytest.approx(value)
        assert median_interval(values, clusters) == (value, value)


def test_a_speaker_with_most_of_the_clips_leaves_little_to_be_sure_of() -> None:
    chance = np.random.default_rng(3)
    levels = chance.normal(size=8)
    widths = []
    for counts in ([10] * 8, [73, 1, 1, 1, 1, 1, 1, 1]):
        low, high = wide(pairs(np.repeat(levels, counts)), np.repeat(np.arange(8), counts))
        widths.append(high - low)
    assert widths[1] > 2 * widths[0]


def test_the_interval_of_a_median_over_single_clips_is_that_of_ranks() -> None:
    values = np.random.default_rng(4).gamma(2, size=101)
    low, high = median_interval(values, np.arange(101))
    twin = scipy.stats.quantile_test(values, q=0, p=0.5).confidence_interval(0.95)
    ranks = np.searchsorted(np.sort(values), [low, high, twin.low, twin.high])
    assert abs(ranks[0] - ranks[2]) <= 1
    assert abs(ranks[1] - ranks[3]) <= 1


# ---- a difference


def test_the_interval_of_a_difference_is_around_the_t_interval_of_the_speakers() -> None:
    chance = np.random.default_rng(5)
    first = chance.normal(size=12)
    second = first + 0.3 + 0.2 * chance.normal(size=12)
    low, high = quotient_difference(pairs(first), pairs(second), np.arange(12), link=mean, span=1e6)
    twin = scipy.stats.ttest_rel(second, first).confidence_interval(0.95)
    assert low <= twin.low + 1e-12
    assert high >= twin.high - 1e-12
    assert high - low < 1.3 * (twin.high - twin.low)


def test_the_interval_of_a_skewed_difference_reaches_further_to_the_long_side() -> None:
    gains = np.array([0.0] * 9 + [0.2, 1.0, 4.0])
    low, high = quotient_difference(pairs(0 * gains), pairs(gains), np.arange(12), link=mean, span=100.0)
    assert high - gains.mean() > 1.3 * (gains.mean() - low)


# ---- tests


def test_all_swaps_of_few_speakers_and_some_of_many() -> None:
    few = swaps(5)
    both = {tuple(row) for row in few} | {tuple(~row) for row in few}
    assert both == set(itertools.product([False, True], repeat=5))
    assert not few[0].any()
    many = swaps(40)
    assert many.shape == (statistics.SWAPS, 40)
    assert not many[0].any()
    assert (many == swaps(40)).all()
    assert abs(many.mean() - 0.5) < 0.01
    assert swaps(1).tolist() == [[False]]


def test_p_of_a_mean_is_that_of_scipy() -> None:
    chance = np.random.default_rng(8)
    first = chance.normal(size=9)
    second = first + 0.4 + chance.normal(size=9)
    found = swapped_quotients(pairs(first), pairs(second), np.arange(9), swaps(9), link=mean)
    twin = scipy.stats.permutation_test(
        (second, first), lambda a, b: np.mean(a) - np.mean(b), permutation_type="samples", n_resamples=np.inf
    )
    assert found[0] == pytest.approx(twin.statistic)
    assert p_values(found[None])[0][0] == pytest.approx(twin.pvalue)


def test_swaps_move_whole_speakers() -> None:
    chance = np.random.default_rng(9)
    clusters = np.array([0, 0, 1, 1, 1, 2])
    first, second = chance.gamma(2, size=(6, 2)), chance.gamma(2, size=(6, 2))
    chosen = swaps(3)
    ratios = swapped_quotients(first, second, clusters, chosen, link=mean)
    signs = swapped_signs(second[:, 0] - first[:, 0], clusters, chosen)
    for row, ratio, sign in zip(chosen, ratios, signs, strict=True):
        swap = row[clusters, None]
        one, other = np.where(swap, second, first), np.where(swap, first, second)
        assert ratio == pytest.approx(mean(other.sum(axis=0)) - mean(one.sum(axis=0)))
        assert sign == pytest.approx(np.mean(np.sign(other[:, 0] - one[:, 0])))


def step_down(differences: np.ndarray) -> list[float]:
    """Westfall and Young's step-down with the largest statistic, written as plainly as possible."""
    size = np.abs(differences) / np.sqrt(np.mean(differences**2, axis=1, keepdims=True))
    order = sorted(range(len(size)), key=lambda k: -size[k, 0])
    found, before = {}, 0.0
    for place, index in enumerate(order):
        largest = size[order[place:]].max(axis=0)
        before = max(before, float(np.mean(largest >= size[index, 0] - 1e-9)))
        found[index] = before
    return [found[k] for k in range(len(size))]


def test_the_correction_is_that_of_brute_force() -> None:
    chance = np.random.default_rng(10)
    signs = 1 - 2 * swaps(8).astype(int)
    added = chance.normal(size=(6, 8)) + np.linspace(0, 2, 6)[:, None]
    alone, corrected = p_values(added @ signs.T)
    assert corrected.tolist() == pytest.approx(step_down(added @ signs.T))
    assert (corrected >= alone).all()


def test_one_figure_needs_no_correction_and_none_that_is_equal_rejects() -> None:
    signs = 1 - 2 * swaps(7).astype(int)
    alone, corrected = p_values(np.stack([np.ones(7), np.zeros(7)]) @ signs.T)
    assert alone.tolist() == corrected.tolist() == [1 / 64, 1.0]
    assert smallest_p(7) == 1 / 64


def test_the_family_is_seldom_wrong_where_nothing_differs() -> None:
    """Ten figures of two equal systems, half of them nearly the same figure: one wrong word in twenty families."""
    chance = np.random.default_rng(11)
    signs = 1 - 2 * swaps(8).astype(int)
    wrong = 0
    for _ in range(400):
        common = chance.standard_t(3, size=8)
        added = np.concatenate([common + 0.3 * chance.normal(size=(5, 8)), chance.standard_t(3, size=(5, 8))])
        wrong += p_values(added @ signs.T)[1].min() <= 0.05
    assert wrong <= 400 * 0.05 + 3 * np.sqrt(400 * 0.05 * 0.95)


def test_a_difference_for_every_speaker_shows_with_eight_in_a_family_of_thirty() -> None:
    """Where Holm's correction, 30/128 at the least, could never reject."""
    chance = np.random.default_rng(12)
    signs = 1 - 2 * swaps(8).astype(int)
    added = np.concatenate([2 + 0.3 * chance.normal(size=(10, 8)), chance.normal(size=(20, 8))])
    corrected = p_values(added @ signs.T)[1]
    assert corrected[:10].max() <= 0.05
    assert corrected[10:].min() > 0.05


# ---- how often intervals hold


@pytest.fixture(scope="module")
def coverage() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "coverage.py"
    spec = importlib.util.spec_from_file_location("coverage_of_intervals", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    module.POPULATION = 20_000
    return module


@pytest.mark.parametrize("speakers", [8, 24])
@pytest.mark.parametrize(
    "name",
    ["ratio, many zeros (tsos)", "share at the cap, 29 %", "median, some at the cap", "difference of ratios"],
)
def test_intervals_hold_as_often_as_they_say(coverage: ModuleType, name: str, speakers: int) -> None:
    case = next(case for case in coverage.CASES if case.name == name)
    true = coverage.truth(case)
    ends = [coverage.interval(case, *coverage.repetition(case, speakers, number)) for number in range(200)]
    holds = np.mean([low <= true <= high for low, high in ends])
    assert 0.90 <= holds <= 0.99
