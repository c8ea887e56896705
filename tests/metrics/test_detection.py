"""AP and EER against brute force and from histograms, reference detectors, and onset delays by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_bench.errors import UndefinedScore
from pse_bench.metrics import computed_from, detection
from pse_bench.systems import base, registry


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
            detection.average_precision(scores=scores, positive=positive)
        return
    found = detection.average_precision(scores=scores, positive=positive)
    assert found == pytest.approx(brute_average_precision(scores, positive))


@given(frames)
def test_eer_lies_between_the_thresholds_where_the_errors_cross(rows) -> None:
    scores, positive = np.array([r[0] / 6 for r in rows]), np.array([r[1] for r in rows])
    if positive.all() or not positive.any():
        with pytest.raises(UndefinedScore):
            detection.equal_error_rate(scores=scores, positive=positive)
        return
    found = detection.equal_error_rate(scores=scores, positive=positive)
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
    for metric in (detection.average_precision, detection.equal_error_rate):
        assert metric(scores=scores, positive=positive) == metric(scores=scores**3 + 5, positive=positive)


def test_scikit_learn_agrees() -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    chance = np.random.default_rng(1)
    scores, positive = np.round(chance.random(500), 2), chance.random(500) < 0.3
    expected = metrics.average_precision_score(positive, scores)
    assert detection.average_precision(scores=scores, positive=positive) == pytest.approx(expected)


def test_ends() -> None:
    positive = np.array([True, False, True, False])
    right = np.array([0.9, 0.1, 0.8, 0.2])
    assert detection.average_precision(scores=right, positive=positive) == 1
    assert detection.equal_error_rate(scores=right, positive=positive) == 0
    assert detection.equal_error_rate(scores=-right, positive=positive) == 1
    with pytest.raises(ValueError, match="one number a frame"):
        detection.average_precision(scores=right[:2], positive=positive)


def test_chance_has_the_prevalence() -> None:
    labels = np.array([0] * 30 + [1] * 50 + [2] * 20)
    given_by_chance = np.full((100, 3), 1 / 3)
    for index, share in enumerate((0.3, 0.5, 0.2)):
        found = detection.average_precision(scores=given_by_chance[:, index], positive=labels == index)
        assert found == pytest.approx(share)
    assert detection.equal_error_rate(scores=given_by_chance[:, 0], positive=labels == 0) == 0.5


def test_energy_tells_speech_from_silence_but_not_whose_it_is() -> None:
    chance = np.random.default_rng(2)
    labels = np.repeat([0, 2, 1, 2], 50)
    mixture = np.repeat(np.where(labels == 2, 0.001, 0.1), 160) * chance.standard_normal(200 * 160)
    found = registry.energy(base.SystemInput(mixture, mixture, 16_000, mixture, mixture))
    assert found.shape == (200, 3)
    assert np.allclose(found.sum(axis=1), 1)
    assert detection.average_precision(scores=found[:, 2], positive=labels == 2) == 1
    assert detection.average_precision(scores=found[:, 0], positive=labels == 0) < 0.7


def test_onset_delays() -> None:
    active = np.zeros(100, dtype=bool)
    active[10:40], active[60:90] = True, True
    probability = np.zeros(100)
    probability[15:40] = 1  # 5 frames late
    probability[62] = 1  # a spark is not a detection
    delays, missed = detection.onset_delays_s(probability=probability, active=active, hop_s=0.01)
    assert delays == pytest.approx([0.05])
    assert missed == 1
    at_once, never = detection.onset_delays_s(probability=active.astype(float), active=active, hop_s=0.01)
    assert list(at_once) == [0, 0]
    assert never == 0


# ---- from histograms of scores

METRICS = computed_from("activity")
shares = st.integers(0, 50)
clips = st.lists(
    st.lists(st.tuples(st.sampled_from([0, 1, 2]), shares, shares), min_size=1, max_size=30),
    min_size=1,
    max_size=4,
)


def arrays(rows: list[tuple[int, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that are whole hundredths, whose log-odds are further apart than the grid, and labels."""
    one, other = np.array([row[1] for row in rows]), np.array([row[2] for row in rows])
    return np.stack([one, other, 100 - one - other], axis=1) / 100, np.array([row[0] for row in rows])


def mean_precision(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Of the three classes, from the frames."""
    columns = enumerate(probabilities.T)
    return np.mean([detection.average_precision(scores=one, positive=labels == k) for k, one in columns])


@given(clips)
def test_summed_histograms_give_what_the_frames_of_all_clips_give(found) -> None:
    parts = [arrays(rows) for rows in found]
    counts = sum(detection.histograms(*part) for part in parts)
    scores, labels = (np.concatenate(column) for column in zip(*parts, strict=True))
    for index, name in enumerate(("target", "other", "none")):
        metric = METRICS[f"pvad_ap_{name}"]
        if not (labels == index).any():
            with pytest.raises(UndefinedScore):
                metric.compute(counts)
            continue
        exact = detection.average_precision(scores=scores[:, index], positive=labels == index)
        assert metric.compute(counts) == pytest.approx(100 * exact, abs=1e-9)
    target = labels == 0
    if target.any() and not target.all():
        exact = detection.equal_error_rate(scores=scores[:, 0], positive=target)
        assert METRICS["pvad_eer"].compute(counts) == pytest.approx(100 * exact, abs=1e-9)
    if set(labels) == {0, 1, 2}:
        assert METRICS["pvad_mean_ap"].compute(counts) == pytest.approx(
            100 * mean_precision(scores, labels), abs=1e-9
        )


@pytest.mark.parametrize("sharpness", [1.0, 4.0, 8.0])
def test_rounding_to_the_grid_moves_a_figure_by_less_than_a_tenth_of_a_percent(sharpness: float) -> None:
    """Also of one so sure of itself that most of its probabilities are 1 to seven digits."""
    chance = np.random.default_rng(3)
    labels = chance.integers(3, size=20_000)
    logits = sharpness * (chance.standard_normal((20_000, 3)) + np.eye(3)[labels])
    probabilities = np.exp(logits - logits.max(axis=1, keepdims=True))
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    kept = np.array([[float(f"{value:.4g}") for value in row] for row in probabilities])  # as in a file
    counts = detection.histograms(kept, labels)
    exact = mean_precision(probabilities, labels)
    assert METRICS["pvad_mean_ap"].compute(counts) == pytest.approx(100 * exact, abs=0.1)
    exact = detection.equal_error_rate(scores=probabilities[:, 0], positive=labels == 0)
    assert METRICS["pvad_eer"].compute(counts) == pytest.approx(100 * exact, abs=0.1)


def test_a_missed_onset_never_shortens_the_delay() -> None:
    never = 9.0
    assert detection.median_delay_s(np.array([0.1, 0.2, 0.3]), never) == pytest.approx(0.2)
    assert detection.median_delay_s(np.array([0.1, 0.2, never]), never) == pytest.approx(0.2)
    with pytest.raises(UndefinedScore, match="half of the onsets or more are missed"):
        detection.median_delay_s(np.array([0.1, never]), never)
    with pytest.raises(UndefinedScore, match="no onset"):
        detection.median_delay_s(np.array([]), never)
