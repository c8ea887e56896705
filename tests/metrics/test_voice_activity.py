"""AP and EER against brute force, chance rows, and onset delays by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_bench.errors import UndefinedScore
from pse_bench.metrics import voice_activity as va


def brute_average_precision(scores: np.ndarray, positive: np.ndarray) -> float:
    total, before = 0.0, 0.0
    for threshold in sorted(set(scores), reverse=True):
        taken = scores >= threshold
        recall = np.sum(taken & positive) / np.sum(positive)
        total += (recall - before) * np.sum(taken & positive) / np.sum(taken)
        before = recall
    return total


frames = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=1, max_size=60)


@given(frames)
def test_average_precision_equals_the_sum_over_thresholds(rows) -> None:
    scores, positive = np.array([r[0] / 6 for r in rows]), np.array([r[1] for r in rows])
    if not positive.any():
        with pytest.raises(UndefinedScore):
            va.average_precision(scores=scores, positive=positive)
        return
    found = va.average_precision(scores=scores, positive=positive)
    assert found == pytest.approx(brute_average_precision(scores, positive))


@given(frames)
def test_eer_lies_between_the_thresholds_where_the_errors_cross(rows) -> None:
    scores, positive = np.array([r[0] / 6 for r in rows]), np.array([r[1] for r in rows])
    if positive.all() or not positive.any():
        with pytest.raises(UndefinedScore):
            va.equal_error_rate(scores=scores, positive=positive)
        return
    found = va.equal_error_rate(scores=scores, positive=positive)
    steps = [np.inf, *sorted(set(scores), reverse=True)]
    missed = [np.mean(scores[positive] < t) for t in steps]
    false = [np.mean(scores[~positive] >= t) for t in steps]
    crossing = next(i for i in range(len(steps)) if false[i] >= missed[i])
    assert missed[crossing] - 1e-12 <= found <= missed[crossing - 1] + 1e-12
    assert false[crossing - 1] - 1e-12 <= found <= false[crossing] + 1e-12


@given(frames)
def test_only_the_order_of_scores_counts(rows) -> None:
    scores, positive = np.array([r[0] / 6 for r in rows]), np.array([r[1] for r in rows])
    if positive.all() or not positive.any():
        return
    for metric in (va.average_precision, va.equal_error_rate):
        assert metric(scores=scores, positive=positive) == metric(scores=scores**3 + 5, positive=positive)


def test_scikit_learn_agrees() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    chance = np.random.default_rng(1)
    scores, positive = np.round(chance.random(500), 2), chance.random(500) < 0.3
    expected = metrics.average_precision_score(positive, scores)
    assert va.average_precision(scores=scores, positive=positive) == pytest.approx(expected)


def test_ends() -> None:
    positive = np.array([True, False, True, False])
    right = np.array([0.9, 0.1, 0.8, 0.2])
    assert va.average_precision(scores=right, positive=positive) == 1
    assert va.equal_error_rate(scores=right, positive=positive) == 0
    assert va.equal_error_rate(scores=-right, positive=positive) == 1
    with pytest.raises(ValueError, match="one number a frame"):
        va.average_precision(scores=right[:2], positive=positive)


def test_chance_has_the_prevalence() -> None:
    labels = np.array([0] * 30 + [1] * 50 + [2] * 20)
    given_by_chance = va.chance(len(labels))
    for index, share in enumerate((0.3, 0.5, 0.2)):
        found = va.average_precision(scores=given_by_chance[:, index], positive=labels == index)
        assert found == pytest.approx(share)
    assert va.equal_error_rate(scores=given_by_chance[:, 0], positive=labels == 0) == 0.5


def test_energy_tells_speech_from_silence_but_not_whose_it_is() -> None:
    chance = np.random.default_rng(2)
    labels = np.repeat([0, 2, 1, 2], 50)
    mixture = np.repeat(np.where(labels == 2, 0.001, 0.1), 160) * chance.standard_normal(200 * 160)
    found = va.energy_detector(mixture=mixture, hop=160)
    assert found.shape == (200, 3)
    assert np.allclose(found.sum(axis=1), 1)
    assert va.average_precision(scores=found[:, 2], positive=labels == 2) == 1
    assert va.average_precision(scores=found[:, 0], positive=labels == 0) < 0.7


def test_onset_delays() -> None:
    active = np.zeros(100, dtype=bool)
    active[10:40], active[60:90] = True, True
    probability = np.zeros(100)
    probability[15:40] = 1  # 5 frames late
    probability[62] = 1  # a spark is not a detection
    delays, missed = va.onset_delays_s(probability=probability, active=active, hop_s=0.01)
    assert delays == pytest.approx([0.05])
    assert missed == 1
    at_once, never = va.onset_delays_s(probability=active.astype(float), active=active, hop_s=0.01)
    assert list(at_once) == [0, 0]
    assert never == 0
