"""Systems of one rate on datasets of another: resampled to it and back, aligned to the sample."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from scipy.signal import resample

from pse_bench.errors import InputError
from pse_bench.signal import vad
from pse_bench.systems import base, profile, registry

Write = Callable[[str], str]

IDENTITY = "def enhance(mixture, enrollment, sample_rate):\n    assert sample_rate == 16000\n    return mixture\n"
DECLARED = {
    "a module": ("sample_rate = 16000\n" + IDENTITY, "enhance"),
    "a function": (IDENTITY + "enhance.sample_rate = 16000.0\n", "enhance"),
    "an object": (
        "class Model:\n    sample_rate = 16000\n    def __call__(self, mixture, enrollment, sample_rate):\n"
        "        assert sample_rate == 16000\n        return mixture\nmodel = Model()\n",
        "model",
    ),
    "a method": (
        "class Model:\n    sample_rate = 16000\n    def enhance(self, mixture, enrollment, sample_rate):\n"
        "        assert sample_rate == 16000\n        return mixture\nenhance = Model().enhance\n",
        "enhance",
    ),
}


def given(sample_rate: int, num_samples: int, up_to_hz: float = np.inf) -> base.SystemInput:
    """Noise from end to end, up to a frequency."""
    chance = np.random.default_rng(4)

    def noise(length: int) -> np.ndarray:
        spectrum = np.fft.rfft(0.1 * chance.standard_normal(length))
        spectrum[np.fft.rfftfreq(length, 1 / sample_rate) > up_to_hz] = 0
        return np.fft.irfft(spectrum, length).astype(np.float32)

    target, rest = noise(num_samples), noise(num_samples)
    return base.SystemInput(target + rest, noise(2 * sample_rate), sample_rate, target, rest)


def error_db(estimate: np.ndarray, wanted: np.ndarray, sample_rate: int) -> float:
    """Of the passband: from 50 Hz to 0.85 of half the slower rate."""
    window = np.hanning(len(wanted))
    frequency = np.fft.rfftfreq(len(wanted), 1 / sample_rate)
    band = (frequency > 50) & (frequency < 0.85 * min(sample_rate, 16_000) / 2)
    error, signal = (np.fft.rfft(window * samples)[band] for samples in (estimate - wanted, wanted))
    return 10 * np.log10(np.sum(np.abs(error) ** 2) / np.sum(np.abs(signal) ** 2))


@pytest.mark.parametrize("said", DECLARED)
@pytest.mark.parametrize("sample_rate", [48_000, 44_100, 8000])
def test_the_identity_stays_one(said: str, sample_rate: int, module: Write) -> None:
    text, attribute = DECLARED[said]
    loaded = registry.load(f"{module(text)}:{attribute}")
    for num_samples in (2 * sample_rate + 1, 2 * sample_rate + 320):
        work = given(sample_rate, num_samples)
        estimate = base.enhance(loaded, work, "s000000_TS2")
        assert estimate.shape == work.mixture.shape
        lags = np.fft.irfft(np.fft.rfft(estimate) * np.conj(np.fft.rfft(work.mixture)))
        assert np.argmax(lags) == 0
        assert error_db(estimate, work.mixture, sample_rate) < -60


def test_at_its_own_rate_nothing_is_resampled(module: Write) -> None:
    work = given(16_000, 8001)
    loaded = registry.load(f"{module(DECLARED['a module'][0])}:enhance")
    assert np.array_equal(base.enhance(loaded, work, "s000000_TS2"), work.mixture)
    assert loaded.described(16_000) == loaded.system


def test_the_latency_of_resampling_counts(module: Write) -> None:
    name = f"{module(DECLARED['a module'][0])}:enhance"
    own, at_48 = (profile.measure(name, sample_rate=rate) for rate in (16_000, 48_000))
    assert (own.look_ahead_ms, own.resampling_ms, own.latency_ms) == (0, 0, 20)
    assert 1.4 < at_48.look_ahead_ms <= at_48.resampling_ms == 2
    assert (at_48.latency_ms, at_48.hears_hz) == (22, 16_000)
    assert not profile.measure(name, sample_rate=48_000, latency_ms=1).kept


@pytest.mark.parametrize("rate", ["'16k'", "0", "16000.5", "[16000]", "float('nan')", "float('inf')"])
def test_a_rate_that_is_none(rate: str, module: Write) -> None:
    with pytest.raises(InputError, match=r"its sample_rate is .*; give a whole number of Hz, or none"):
        registry.load(f"{module(f'sample_rate = {rate}' + chr(10) + IDENTITY)}:enhance")


def test_a_wrong_length_is_told_at_the_rate_of_the_system(module: Write) -> None:
    text = DECLARED["a module"][0].replace("return mixture", "return mixture[1:]")
    with pytest.raises(
        InputError, match=r"gave shape \(15999,\) for s000000_TS2 at 16000 Hz, expected \(16000,\)"
    ):
        base.enhance(registry.load(f"{module(text)}:enhance"), given(48_000, 48_000), "s000000_TS2")


@pytest.mark.parametrize("sample_rate", [48_000, 44_100, 8000])
def test_a_detector_gives_the_frames_of_the_dataset(sample_rate: int, module: Write) -> None:
    """Frames are 10 ms long at every rate, so probabilities stay as they are."""
    text = (
        "import numpy as np\nsample_rate = 16000\n\n\ndef detect(mixture, enrollment, sample_rate):\n"
        "    frames = -(-len(mixture) // 160)\n"
        "    return np.stack([np.linspace(0, 1, frames), np.linspace(1, 0, frames), np.zeros(frames)], axis=1)\n"
    )
    loaded = registry.load(f"{module(text)}:detect", output="activity")
    hop = vad.hop_samples(sample_rate)
    for num_samples in (100 * hop, 100 * hop + 1, 101 * hop - 1):
        found = base.detect(loaded, given(sample_rate, num_samples), "s000000_TS2")
        assert len(found) == -(-num_samples // hop)
    assert loaded.resampling_ms(sample_rate) == (1 if sample_rate > 16_000 else 2)


@pytest.mark.usefixtures("other_encoder")
@pytest.mark.parametrize("sample_rate", [48_000, 8000])
def test_a_trained_model_at_another_rate(checkpoint_path: Path, sample_rate: int) -> None:
    """As what it makes of sound that a Fourier transform over all of it has resampled; hop by hop, the same."""
    work = given(sample_rate, sample_rate, up_to_hz=3000)
    whole = base.enhance(registry.load(str(checkpoint_path)), work, "s000000_TS2")
    hops = base.enhance(registry.load(str(checkpoint_path), streaming=True), work, "s000000_TS2")
    assert np.abs(hops - whole).max() < 1e-5
    mixture, enrollment = (
        resample(signal, len(signal) * 16_000 // sample_rate).astype(np.float32)
        for signal in (work.mixture, work.enrollment)
    )
    same = base.SystemInput(mixture, enrollment, 16_000, mixture, mixture)
    expected = base.enhance(registry.load(str(checkpoint_path)), same, "s000000_TS2")
    assert error_db(whole, resample(expected, sample_rate), sample_rate) < -30
    assert registry.load(str(checkpoint_path)).described(sample_rate).algorithmic_latency_ms > 21
