"""STOI and PESQ: parity with the libraries, and what the wrappers keep away from a scoring run."""

from functools import partial

import numpy as np
import pytest

from pse_bench.errors import FailedScore, UndefinedScore
from pse_bench.metrics.perceptual import PESQ_MOST_BURSTS, bursts, pesq_wb, stoi

RATE = 16_000
estoi = partial(stoi, extended=True)


@pytest.fixture(scope="module")
def pair(make_clip) -> dict:
    clip = make_clip("TS2", seed=7)
    return {"estimate": clip.mixture, "reference": clip.reference}


def bursty(count: int, on_s: float, off_s: float) -> np.ndarray:
    """White noise in bursts, over a floor 80 dB below."""
    one = np.concatenate([np.ones(round(on_s * RATE)), np.zeros(round(off_s * RATE))])
    rng = np.random.default_rng(0)
    gate = np.concatenate([np.zeros(RATE // 2), np.tile(one, count), np.zeros(RATE // 2)])
    return gate * 0.1 * rng.standard_normal(len(gate)) + 1e-5 * rng.standard_normal(len(gate))


# ---- parity with the libraries


@pytest.mark.parametrize("rate", [8_000, 10_000, 16_000])
def test_stoi_is_what_pystoi_gives(pair, rate: int) -> None:
    from pystoi import stoi as pystoi_stoi

    expected = pystoi_stoi(pair["reference"], pair["estimate"], rate)
    assert stoi(sample_rate=rate, **pair) == expected
    assert 0.2 < expected < 0.999


def test_estoi_is_what_pystoi_gives_under_the_same_seed(pair) -> None:
    from pystoi import stoi as pystoi_stoi

    np.random.seed(0)
    expected = pystoi_stoi(pair["reference"], pair["estimate"], RATE, extended=True)
    assert estoi(sample_rate=RATE, **pair) == expected


def test_pesq_is_what_the_library_gives(pair) -> None:
    from pesq import pesq

    expected = pesq(RATE, pair["reference"], pair["estimate"], "wb")
    assert pesq_wb(sample_rate=RATE, **pair) == expected
    assert 1.02 < expected < 4.6


def test_swapping_the_arguments_changes_every_score(pair) -> None:
    swapped = {"estimate": pair["reference"], "reference": pair["estimate"]}
    for metric in (stoi, estoi, pesq_wb):
        assert metric(sample_rate=RATE, **pair) != metric(sample_rate=RATE, **swapped)


# ---- the global generator


def test_estoi_repeats_and_leaves_the_global_generator_alone(pair) -> None:
    holes = np.arange(len(pair["estimate"])) % 8000 < 4000
    with_holes = pair | {"estimate": np.where(holes, 0.0, pair["estimate"])}
    np.random.seed(1)
    first = estoi(sample_rate=RATE, **with_holes)
    drawn = np.random.random(3)
    np.random.seed(1)
    assert np.array_equal(drawn, np.random.random(3))
    np.random.seed(2)
    assert estoi(sample_rate=RATE, **with_holes) == first


def test_the_generator_is_put_back_after_an_error(voice) -> None:
    short = voice(0, 0.3)
    np.random.seed(1)
    with pytest.raises(UndefinedScore):
        estoi(estimate=short, reference=short, sample_rate=RATE)
    drawn = np.random.random()
    np.random.seed(1)
    assert drawn == np.random.random()


# ---- undefined and failed


@pytest.mark.parametrize("metric", [stoi, estoi])
@pytest.mark.parametrize("num_samples", [1, 400, 411, 412, 420, 1000, 5000])
def test_too_short_for_stoi_is_undefined_also_for_a_silent_estimate(metric, num_samples: int, voice) -> None:
    reference = voice(0, 1.0)[:num_samples]
    for estimate in (reference, np.zeros_like(reference)):
        with pytest.raises(UndefinedScore):
            metric(estimate=estimate, reference=reference, sample_rate=RATE)


def test_a_long_clip_with_little_speech_is_undefined_for_stoi(voice) -> None:
    reference = np.zeros(3 * RATE)
    reference[RATE : RATE + 3200] = voice(0, 0.2)
    with pytest.raises(UndefinedScore, match="30 STOI frames"):
        stoi(estimate=reference, reference=reference, sample_rate=RATE)


@pytest.mark.parametrize("metric", [stoi, estoi, pesq_wb])
def test_silence_is_undefined_in_the_reference_and_failed_in_the_estimate(metric, pair) -> None:
    nothing = np.zeros_like(pair["reference"])
    with pytest.raises(UndefinedScore, match="reference is silent"):
        metric(estimate=pair["estimate"], reference=nothing, sample_rate=RATE)
    with pytest.raises(UndefinedScore, match="reference is silent"):
        metric(estimate=nothing, reference=nothing, sample_rate=RATE)
    with pytest.raises(FailedScore, match="estimate is silent"):
        metric(estimate=nothing, reference=pair["reference"], sample_rate=RATE)


@pytest.mark.parametrize("metric", [stoi, estoi])
def test_a_negative_correlation_counts_as_zero(metric) -> None:
    """An estimate that is loud when the reference is soft."""
    noise = np.random.default_rng(0).standard_normal((2, 2 * RATE))
    phase = 2 * np.pi * 3 * np.arange(2 * RATE) / RATE
    reference, estimate = noise[0] * (0.1 + np.sin(phase) ** 2), noise[1] * (0.1 + np.cos(phase) ** 2)
    assert metric(estimate=estimate, reference=reference, sample_rate=RATE) == 0.0


@pytest.mark.parametrize(
    ("num_samples", "rate", "reason"),
    [(3999, RATE, r"0\.25 s"), (60 * RATE + 1, RATE, "longer than 60 s"), (8000, 8000, "16000 Hz")],
)
def test_pesq_is_undefined_outside_its_domain(num_samples: int, rate: int, reason: str) -> None:
    samples = np.random.default_rng(0).standard_normal(num_samples)
    with pytest.raises(UndefinedScore, match=reason):
        pesq_wb(estimate=samples, reference=samples, sample_rate=rate)


def test_a_quarter_of_a_second_is_enough_for_pesq(voice) -> None:
    samples = voice(0, 0.25)
    assert pesq_wb(estimate=samples, reference=samples, sample_rate=RATE) > 4.5


def test_an_estimate_below_single_precision_fails_pesq(pair) -> None:
    with pytest.raises(FailedScore):
        pesq_wb(estimate=1e-30 * pair["estimate"], reference=pair["reference"], sample_rate=RATE)


@pytest.mark.parametrize(
    ("reference_is_fine", "error", "reason"),
    [(True, FailedScore, "align"), (False, UndefinedScore, "no utterance")],
)
def test_no_utterances_is_blamed_on_the_signal_that_causes_it(
    reference_is_fine: bool, error: type, reason: str, pair, monkeypatch
) -> None:
    """The library also finds none in a good reference when an estimate (46 s of gated noise) misleads it."""
    import pesq

    def none_found(rate, reference, estimate, mode):
        if reference is estimate and reference_is_fine:
            return 4.64
        raise pesq.NoUtterancesError(b"No utterances detected")

    monkeypatch.setattr(pesq, "pesq", none_found)
    with pytest.raises(error, match=reason):
        pesq_wb(sample_rate=RATE, **pair)


# ---- the crash


@pytest.mark.parametrize(("on_s", "off_s"), [(0.21, 0.23), (0.4, 0.5)])
@pytest.mark.parametrize("count", [3, 40, 60])
def test_bursts_are_counted(count: int, on_s: float, off_s: float) -> None:
    assert bursts(bursty(count, on_s, off_s)) == count


def test_clicks_and_short_gaps_are_no_bursts() -> None:
    assert bursts(bursty(20, 0.1, 0.3)) == 0
    assert bursts(bursty(20, 0.4, 0.1)) < 6  # 1, or a few where a threshold lies among the peaks of the noise
    assert bursts(np.zeros(RATE)) == 0


def test_a_bursty_reference_is_refused_before_the_native_code_sees_it() -> None:
    crashing = bursty(60, 0.21, 0.23)  # 27 s
    with pytest.raises(UndefinedScore, match="bursts"):
        pesq_wb(estimate=crashing, reference=crashing, sample_rate=RATE)
    allowed = bursty(PESQ_MOST_BURSTS, 0.21, 0.23)
    assert pesq_wb(estimate=allowed, reference=allowed, sample_rate=RATE) > 4.5
