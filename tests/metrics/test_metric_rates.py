"""Metrics that are defined at one rate, on clips of another: as on clips that somebody else resampled."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import resample

from pse_bench.asr.recogniser import Recogniser
from pse_bench.metrics import ALL_METRICS, Clip, evaluate
from pse_bench.metrics.recognition import leaked_words

RATE = 16_000
TOLERANCES = {"pesq_wb": 0.005, "speaker_similarity": 0.002, "interferer_similarity": 0.005, "dnsmos_p808": 0.02}
DNSMOS = 0.1
"""The models see to 8 kHz and answer to the last half kHz; of read speech figures differ by up to 0.04."""

AT_ONE_RATE = [name for name, metric in ALL_METRICS.items() if metric.rate_hz and "transcribe" not in metric.needs]


def with_more_band(clip: Clip, rate: int) -> Clip:
    """A clip at 16 kHz as one of a higher rate, by one Fourier transform, with noise above 8 kHz."""
    chance = np.random.default_rng(5)

    def higher(samples: np.ndarray, level: float = 0.002) -> np.ndarray:
        length = len(samples) * rate // RATE
        noise = np.fft.rfft(level * chance.standard_normal(length))
        noise[np.fft.rfftfreq(length, 1 / rate) <= RATE / 2] = 0
        return resample(samples, length) + np.fft.irfft(noise, length)

    places = np.arange(len(clip.mixture) * rate // RATE) * RATE // rate
    return replace(
        clip,
        estimate=higher(clip.estimate),
        mixture=higher(clip.mixture),
        reference=higher(clip.reference, 0.0),
        enrollment=higher(clip.enrollment),
        target_active=clip.target_active[places],
        interferer_active=clip.interferer_active[places],
        target=None,  # at which none of these metrics looks
        interferer=None,
        sample_rate=rate,
    )


@pytest.mark.parametrize("rate", [48_000, 44_100])
@pytest.mark.parametrize("name", AT_ONE_RATE)
def test_a_metric_of_one_rate_on_a_higher_one(name: str, rate: int, make_clip, voice) -> None:
    metric = ALL_METRICS[name]
    if missing := metric.missing():
        pytest.skip(missing)
    made = make_clip("TS2", seed=7, duration_s=4.0) if "TS1" not in metric.scenarios else make_clip("TS1", seed=7)
    clip = replace(made, enrollment=voice(7, 3.0))
    assert metric.resampled(RATE) == ""
    assert metric.resampled(rate) == f"{rate} Hz to 16000 Hz"
    expected, found = evaluate(metric, clip), evaluate(metric, with_more_band(clip, rate))
    assert found.status == "ok"
    assert found.value == pytest.approx(expected.value, abs=TOLERANCES.get(name, DNSMOS))


@pytest.mark.parametrize("name", ["pesq_wb", "dnsmos_ovrl"])
def test_below_the_rate_there_is_no_score(name: str, make_clip) -> None:
    metric = ALL_METRICS[name]
    found = evaluate(metric, replace(make_clip("TS1"), sample_rate=8000))
    assert found.status == "undefined"
    assert "16000 Hz, the clip has 8000 Hz" in found.detail
    assert metric.lowest_hz == RATE


def test_a_recogniser_hears_16_khz(make_clip) -> None:
    heard = []

    def decode(samples: np.ndarray, mixture_id: str) -> str:
        heard.append(samples)
        return "one two"

    clip = replace(make_clip("TS1", seed=3), enrollment=np.zeros(RATE))
    high, listener = with_more_band(clip, 48_000), Recogniser("ears", "1", "", "", decode)
    ratio = leaked_words(
        estimate=high.estimate, mixture=high.mixture, transcribe=listener.for_clip(48_000), sample_rate=48_000
    )
    assert (ratio.numerator, ratio.denominator) == (2, 3.0)
    assert heard[0].shape == clip.estimate.shape
    error = np.fft.rfft(heard[0] - clip.estimate)[: round(0.8 * len(clip.estimate) / 2)]
    assert np.sum(np.abs(error) ** 2) < 10**-5.0 * np.sum(np.abs(np.fft.rfft(clip.estimate)) ** 2)
