"""Figures from histograms of scores: exactly those of the frames they were counted from."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_bench.errors import UndefinedScore
from pse_bench.metrics import computed_from, detection, voice_activity

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
    return np.mean([voice_activity.average_precision(scores=one, positive=labels == k) for k, one in columns])


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
        exact = voice_activity.average_precision(scores=scores[:, index], positive=labels == index)
        assert metric.compute(counts) == pytest.approx(100 * exact, abs=1e-9)
    target = labels == 0
    if target.any() and not target.all():
        exact = voice_activity.equal_error_rate(scores=scores[:, 0], positive=target)
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
    exact = voice_activity.equal_error_rate(scores=probabilities[:, 0], positive=labels == 0)
    assert METRICS["pvad_eer"].compute(counts) == pytest.approx(100 * exact, abs=0.1)


def test_a_missed_onset_never_shortens_the_delay() -> None:
    never = 9.0
    assert detection.median_delay_s(np.array([0.1, 0.2, 0.3]), never) == pytest.approx(0.2)
    assert detection.median_delay_s(np.array([0.1, 0.2, never]), never) == pytest.approx(0.2)
    with pytest.raises(UndefinedScore, match="half of the onsets or more are missed"):
        detection.median_delay_s(np.array([0.1, never]), never)
    with pytest.raises(UndefinedScore, match="no onset"):
        detection.median_delay_s(np.array([]), never)
