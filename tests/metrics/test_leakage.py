"""Leakage against closed forms and slow twins."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pse_bench.errors import UndefinedScore
from pse_bench.metrics import METRICS, Clip, Ratio, computed_from, evaluate, ratio_of, score
from pse_bench.metrics.leakage import (
    leakage_reduction_db,
    leaky_frames,
    median,
    pause_samples,
    pooled_reduction_db,
    residual_dbfs,
    share_at_cap,
)

RATE = 16_000


@given(loss_db=st.floats(-60, 140))
def test_the_reduction_is_the_gain_between_its_bounds(loss_db: float) -> None:
    mixture = np.random.default_rng(0).standard_normal(1600)
    found = leakage_reduction_db(estimate=10 ** (-loss_db / 20) * mixture, mixture=mixture)
    assert found == pytest.approx(min(max(loss_db, -40), 120), abs=1e-6)


def test_exact_silence_is_at_the_cap_and_not_beyond() -> None:
    mixture = np.random.default_rng(0).standard_normal(1600)
    assert leakage_reduction_db(estimate=0 * mixture, mixture=mixture) == 120.0
    with pytest.raises(UndefinedScore, match="mixture is silent"):
        leakage_reduction_db(estimate=mixture, mixture=0 * mixture)


def test_a_leak_that_is_quieter_scores_better_all_the_way_down() -> None:
    """Measures that are undefined on silence reverse this order near it."""
    mixture = np.random.default_rng(0).standard_normal(1600)
    found = [leakage_reduction_db(estimate=10.0**-k * mixture, mixture=mixture) for k in range(6)]
    assert found == sorted(found)
    assert leakage_reduction_db(estimate=0 * mixture, mixture=mixture) > found[-1]


@pytest.mark.parametrize(
    ("level", "expected"), [(1.0, 0.0), (0.1, -20.0), (0.0, -120.0), (1e-9, -120.0), (30.0, 0.0)]
)
def test_residual_level(level: float, expected: float) -> None:
    assert residual_dbfs(estimate=np.full(1600, level)) == pytest.approx(expected)


def slow_leaky(estimate, mixture, interferer_active) -> Ratio:
    leaky = active = 0
    for start in range(0, len(mixture) - 511, 256):
        if sum(bool(interferer_active[n]) for n in range(start, start + 512)) <= 256:
            continue
        active += 1
        before = sum(mixture[n] ** 2 for n in range(start, start + 512))
        after = sum(estimate[n] ** 2 for n in range(start, start + 512))
        leaky += after > before / 10**1.5
    return Ratio(leaky, active)


def test_leaky_frames_agree_with_the_slow_twin(make_clip) -> None:
    clip = make_clip("TS3", duration_s=2.0)
    rng = np.random.default_rng(0)
    gains = np.repeat(10 ** (rng.uniform(-30, 0, 40) / 20), 800)
    signals = {"estimate": gains * clip.mixture, "mixture": clip.mixture}
    found = leaky_frames(**signals, interferer_active=clip.interferer_active, sample_rate=RATE)
    assert found == slow_leaky(**signals, interferer_active=clip.interferer_active)
    assert 0 < found.numerator < found.denominator


@pytest.mark.parametrize(("loss_db", "value"), [(14.9, 100.0), (15.1, 0.0), (200.0, 0.0)])
def test_fifteen_decibels_are_the_threshold_of_leaky_frames(loss_db: float, value: float, make_clip) -> None:
    clip = make_clip("TS3")
    score = evaluate(METRICS["leaky_frames"], replace(clip, estimate=10 ** (-loss_db / 20) * clip.mixture))
    assert score.value == value


def test_a_frame_of_pure_silence_is_leaky_only_when_something_was_added() -> None:
    active = np.ones(512, dtype=bool)
    silence, click = np.zeros(512), np.eye(1, 512)[0]
    for estimate, count in ((silence, 0), (click, 1)):
        found = leaky_frames(estimate=estimate, mixture=silence, interferer_active=active, sample_rate=RATE)
        assert found == Ratio(count, 1)


# ---- the target's pauses in TS2


def slow_pause(target_active, interferer_active) -> list[int]:
    chosen = set()
    for start in range(0, len(target_active) - 511, 256):
        inside = range(start, start + 512)
        if sum(bool(interferer_active[n]) for n in inside) > 256 and not any(target_active[n] for n in inside):
            chosen.update(inside)
    return sorted(chosen)


def pause_of(clip: Clip) -> np.ndarray:
    return pause_samples(
        target_active=clip.target_active, interferer_active=clip.interferer_active, sample_rate=RATE
    )


def test_pauses_agree_with_the_slow_twin(make_clip) -> None:
    clip = make_clip("TS2")
    found = pause_of(clip)
    expected = slow_pause(clip.target_active, clip.interferer_active)
    assert np.flatnonzero(found).tolist() == expected
    assert len(expected) > 0.2 * RATE

    gains = np.repeat(10 ** (np.random.default_rng(0).uniform(-30, 0, 60) / 20), 800)
    score = evaluate(METRICS["pause_leakage_db"], replace(clip, estimate=gains * clip.mixture))
    before = sum(clip.mixture[n] ** 2 for n in expected)
    after = sum((gains[n] * clip.mixture[n]) ** 2 for n in expected)
    assert score.value == pytest.approx(10 * np.log10(before / after))


def test_pause_leakage_looks_at_pauses_only(make_clip) -> None:
    clip = make_clip("TS2")
    pause = pause_of(clip)
    estimate = np.where(pause, 0.1 * clip.mixture, 100 * clip.mixture)
    assert evaluate(METRICS["pause_leakage_db"], replace(clip, estimate=estimate)).value == pytest.approx(20.0)
    assert not np.any(pause & clip.target_active)


@pytest.mark.parametrize(("pause_s", "defined"), [(0.08, False), (0.112, True)])
def test_a_tenth_of_a_second_of_pause_is_needed(pause_s: float, defined: bool) -> None:
    samples = np.random.default_rng(0).standard_normal(RATE)
    everywhere, target_active = np.ones(RATE, dtype=bool), np.ones(RATE, dtype=bool)
    target_active[256 * 8 : 256 * 8 + round(pause_s * RATE)] = False
    score = evaluate(
        METRICS["pause_leakage_db"], Clip(0.1 * samples, samples, samples, target_active, everywhere, RATE)
    )
    if defined:
        assert score.value == pytest.approx(20.0)
    else:
        assert score.status == "undefined"
        assert "less than 0.1 s" in score.detail


# ---- figures over all clips


def test_pooled_median_and_share_at_cap(make_clip) -> None:
    clips = [make_clip("TS3", seed) for seed in range(3)]
    gains = (0.0, 0.01, 0.1)
    metric = METRICS["leakage_reduction_db"]
    scores = [evaluate(metric, replace(c, estimate=g * c.mixture)) for c, g in zip(clips, gains, strict=True)]
    before = sum(np.sum(clip.mixture**2) for clip in clips)
    after = sum(np.sum((gain * clip.mixture) ** 2) for clip, gain in zip(clips, gains, strict=True))
    beside = computed_from("leakage_reduction_db").values()
    found = {one.name: one.compute([getattr(score, one.needs[0]) for score in scores]) for one in beside}
    assert found == pytest.approx(
        {
            "leakage_reduction_pooled_db": 10 * np.log10(before / after),
            "leakage_reduction_median_db": 40.0,
            "leakage_at_cap": 100 / 3,
            "absent_false_alarm": 0.0,
            "fully_leaked": 0.0,
        }
    )


def test_a_missing_clip_counts_in_every_derived_figure(make_clip) -> None:
    metric = METRICS["leakage_reduction_db"]
    clips = [make_clip("TS3", seed) for seed in range(3)]
    good = [evaluate(metric, replace(clip, estimate=0 * clip.mixture)) for clip in clips]
    loud = [score(metric, replace(clip, estimate=1e4 * clip.mixture)) for clip in clips]
    missing = evaluate(metric, replace(clips[0], estimate=None))
    for derived in computed_from("leakage_reduction_db").values():
        for scores in (good, loud, [loud[0], *good[1:]]):
            before = derived.compute([getattr(score, derived.needs[0]) for score in scores])
            after = derived.compute([getattr(score, derived.needs[0]) for score in [missing, *scores[1:]]])
            assert after <= before if derived.higher_is_better else after >= before
    assert ratio_of(missing.detail).denominator == pytest.approx(1e4 * ratio_of(missing.detail).numerator)


def test_all_zeros_pool_to_the_cap() -> None:
    assert pooled_reduction_db(["1.5/0.0", "2.5/0.0"]) == 120.0


@pytest.mark.parametrize("summary", [pooled_reduction_db, median, share_at_cap])
def test_nothing_has_no_summary(summary) -> None:
    with pytest.raises(ValueError, match="no clip"):
        summary([])
