"""Exact laws of TSOS, and a slow twin of it."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pse_bench.errors import UndefinedScore
from pse_bench.metrics import METRICS, Ratio, evaluate, oversuppression
from pse_bench.metrics.oversuppression import longest_run, over_suppressed_frames, tsos, tsos_longest_s, tsos_paper

RATE = 16_000


@pytest.fixture(scope="module")
def signals(make_clip) -> dict:
    """A reference and its activity, without an estimate."""
    clip = make_clip("TS2", seed=3)
    return {"reference": clip.reference, "target_active": clip.target_active, "sample_rate": RATE}


def degraded(reference: np.ndarray, seed: int) -> np.ndarray:
    """A copy with noise whose gain jumps every 50 ms between -30 and +3 dB."""
    rng = np.random.default_rng(seed)
    gains = np.repeat(10 ** (rng.uniform(-30, 3, 1 + len(reference) // 800) / 20), 800)[: len(reference)]
    return gains * (reference + 0.002 * rng.standard_normal(len(reference)))


def slow_twin(*, estimate, reference, target_active, sample_rate) -> tuple[int, int, int]:
    """Flagged active frames, active frames, and the longest run: loops and plain counting."""
    frame, hop = 512, 256
    assert sample_rate == RATE
    window = [0.5 - 0.5 * np.cos(2 * np.pi * n / frame) for n in range(frame)]
    flagged = active = run = longest = 0
    start = 0
    while start + frame <= len(reference):
        lost = whole = 0.0
        wanted = np.fft.fft([window[n] * reference[start + n] for n in range(frame)])
        got = np.fft.fft([window[n] * estimate[start + n] for n in range(frame)])
        for f in range(frame // 2 + 1):
            s, e = abs(wanted[f]) ** 0.3, abs(got[f]) ** 0.3
            lost += (s - e) ** 2 if s > e else 0.0
            whole += s * s
        is_active = sum(1 for n in range(frame) if target_active[start + n]) > frame // 2
        active += is_active
        if is_active and lost > 0.1 * whole:
            flagged += 1
            run += 1
            longest = max(longest, run)
        else:
            run = 0
        start += hop
    return flagged, active, longest


@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_the_slow_twin(signals, seed: int) -> None:
    short = signals | {name: signals[name][:24_000] for name in ("reference", "target_active")}
    estimate = degraded(short["reference"], seed)
    flagged, active, longest = slow_twin(estimate=estimate, **short)
    assert 0 < flagged < active
    assert tsos(estimate=estimate, **short) == Ratio(flagged, active)
    assert tsos_longest_s(estimate=estimate, **short) == longest * 256 / RATE
    assert oversuppression.tsos_s_per_30min(estimate=estimate, **short) == Ratio(flagged * 256 / RATE, 1.5)


@pytest.mark.parametrize(("loss_db", "share"), [(0.0, 0.0), (10.9, 0.0), (11.1, 1.0), (40.0, 1.0)])
def test_a_uniform_loss_of_eleven_decibels_is_the_threshold(signals, loss_db: float, share: float) -> None:
    ratio = tsos(estimate=10 ** (-loss_db / 20) * signals["reference"], **signals)
    assert ratio.numerator == share * ratio.denominator
    assert ratio.denominator > 0


def test_a_muted_target_flags_everything_and_an_amplified_one_nothing(signals) -> None:
    for metric in (tsos, oversuppression.tsos_s_per_30min):
        assert metric(estimate=2 * signals["reference"], **signals).numerator == 0
    assert tsos_paper(estimate=2 * signals["reference"], **signals).numerator == 0
    assert tsos_longest_s(estimate=2 * signals["reference"], **signals) == 0.0
    muted = tsos(estimate=0 * signals["reference"], **signals)
    assert muted.numerator == muted.denominator


def test_swapping_the_arguments_changes_the_result(signals) -> None:
    louder = {**signals, "reference": 10 * signals["reference"]}
    right = tsos(estimate=signals["reference"], **louder)
    swapped = tsos(estimate=louder["reference"], **signals)
    assert right.numerator == right.denominator
    assert swapped.numerator == 0


@settings(max_examples=20, deadline=None, derandomize=True)
@given(gain_db=st.floats(-60, 30), seed=st.integers(0, 20))
def test_the_level_of_both_signals_does_not_matter(signals, gain_db: float, seed: int) -> None:
    estimate = degraded(signals["reference"], seed)
    gain = 10 ** (gain_db / 20)
    scaled = {**signals, "reference": gain * signals["reference"]}
    for metric in (tsos, tsos_paper):
        assert metric(estimate=gain * estimate, **scaled) == metric(estimate=estimate, **signals)


@settings(max_examples=20, deadline=None, derandomize=True)
@given(loss_db=st.floats(0, 30), more_db=st.floats(0, 30), seed=st.integers(0, 20))
def test_more_attenuation_never_flags_less(signals, loss_db: float, more_db: float, seed: int) -> None:
    estimate = 10 ** (-loss_db / 20) * degraded(signals["reference"], seed)
    less = tsos(estimate=estimate, **signals)
    more = tsos(estimate=10 ** (-more_db / 20) * estimate, **signals)
    assert more.numerator >= less.numerator


def test_noise_added_to_the_target_is_not_over_suppression(signals) -> None:
    noise = 0.2 * np.random.default_rng(0).standard_normal(len(signals["reference"]))
    assert tsos(estimate=signals["reference"] + noise, **signals).numerator <= 2


def test_the_paper_rule_differs_from_ours_only_on_the_right_side(signals) -> None:
    """At the stated level, frame by frame, from the definitions."""
    estimate = degraded(signals["reference"], 4)
    reference, active = signals["reference"], signals["target_active"]
    gain = 10 ** (-26 / 20) / np.sqrt(np.mean(reference[active] ** 2))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    flagged = frames = 0
    for start in range(0, len(reference) - 511, 256):
        wanted = np.abs(np.fft.rfft(window * gain * reference[start : start + 512])) ** 0.3
        got = np.abs(np.fft.rfft(window * gain * estimate[start : start + 512])) ** 0.3
        flagged += np.sum(np.maximum(wanted - got, 0) ** 2) > 0.1 * np.sum(wanted)
        frames += 1
    assert flagged > 0
    assert tsos_paper(estimate=estimate, **signals) == Ratio(flagged, frames)


def test_the_longest_run_is_broken_by_an_inactive_frame(signals) -> None:
    """Muting everything is as long as the longest active stretch, not as the clip."""
    active = over_suppressed_frames(estimate=0 * signals["reference"], **signals).active
    longest = max(len(run) for run in "".join("x" if label else " " for label in active).split())
    assert longest < np.sum(active)
    assert tsos_longest_s(estimate=0 * signals["reference"], **signals) == longest * 0.016


@pytest.mark.parametrize(
    ("labels", "expected"), [("", 0), ("0", 0), ("1", 1), ("1101110", 3), ("0011", 2), ("111", 3)]
)
def test_longest_run(labels: str, expected: int) -> None:
    assert longest_run(np.array([label == "1" for label in labels], dtype=bool)) == expected


def test_a_frame_is_active_when_more_than_half_of_it_is(signals) -> None:
    reference = signals["reference"][8000:9024]  # 3 frames
    half, more = np.zeros(1024, dtype=bool), np.zeros(1024, dtype=bool)
    half[:256] = True
    more[:257] = True
    with pytest.raises(UndefinedScore, match="no frame is target-active"):
        tsos(estimate=reference, reference=reference, target_active=half, sample_rate=RATE)
    assert tsos(estimate=reference, reference=reference, target_active=more, sample_rate=RATE) == Ratio(0, 1)


def test_an_empty_frame_of_the_reference_cannot_be_over_suppressed(signals) -> None:
    """0 > γ · 0 is false: a frame without anything to lose stays unflagged, though it counts as active."""
    everywhere = {**signals, "target_active": np.ones(len(signals["reference"]), dtype=bool)}
    frames = over_suppressed_frames(estimate=0 * signals["reference"], **everywhere)
    assert frames.active.all()
    assert not frames.flagged[:10].any()  # the voice sets in at 0.2 s
    assert frames.flagged[15:60].all()


def test_the_window_is_a_periodic_hann() -> None:
    """Of a constant it leaves exactly three lines: half the frame at 0 Hz and half of that beside it."""
    spectrum = oversuppression._compressed_spectrum(np.ones(512), RATE)[0] ** (1 / 0.3)
    assert spectrum[:2] == pytest.approx([256.0, 128.0])
    assert spectrum[2:] == pytest.approx(np.zeros(255), abs=1e-9)


def test_frame_labels_have_the_grid_of_32_and_16_ms(signals) -> None:
    for rate, expected in ((16_000, 186), (8_000, 374)):
        frames = over_suppressed_frames(estimate=signals["reference"], **{**signals, "sample_rate": rate})
        assert len(frames.flagged) == len(frames.active) == expected
        assert frames.hop_s == 0.016
        assert frames.flagged.dtype == frames.active.dtype == bool


def test_seconds_per_half_hour_of_a_fully_muted_clip(make_clip) -> None:
    clip = make_clip("TS1")
    active = int(evaluate(METRICS["tsos"], clip).detail.split("/")[1])
    score = evaluate(METRICS["tsos_s_per_30min"], replace(clip, estimate=0 * clip.mixture))
    assert score.value == pytest.approx(active * 0.016 / 3.0 * 1800)
