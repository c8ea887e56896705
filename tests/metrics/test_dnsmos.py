"""DNSMOS: parity with the published script, and what never reaches a model."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from model_signals import RATE, talker

from pse_bench.errors import FailedScore, InputError, UndefinedScore
from pse_bench.metrics import dnsmos
from pse_bench.metrics.dnsmos import METRICS, MODELS, opinion, opinion_of_failure, opinions, windows_of

installed = pytest.mark.usefixtures("_dnsmos_models")


@pytest.fixture
def _forgetful(monkeypatch: pytest.MonkeyPatch) -> None:
    """No model is open and no score is remembered."""
    monkeypatch.setattr(dnsmos, "_known", {})
    dnsmos._session.cache_clear()
    yield
    dnsmos._session.cache_clear()


# ---- parity


@installed
@pytest.mark.parametrize("model", MODELS)
def test_a_clip_scores_as_in_the_published_script(goldens, model: str) -> None:
    found = opinions(estimate=talker(110.0, 5.0), sample_rate=RATE, model=model)
    assert found == pytest.approx(goldens["dnsmos"][model], abs=1e-3)


def test_p808_features_are_those_of_librosa(goldens) -> None:
    features = dnsmos.p808_features(talker(140.0, 9.01))
    assert features.shape == (900, 120)
    np.testing.assert_allclose(features[[0, 1, 400, 899]], goldens["dnsmos"]["p808_features"], atol=1e-6)


def test_p808_features_are_those_of_a_plain_reading_of_the_definition() -> None:
    window = talker(140.0, 9.01)
    features = dnsmos.p808_features(window)
    frames = [0, 450, 899]
    power = np.array([plain_mel_power(window[:-160], frame) for frame in frames])
    # The maximum lies elsewhere, so levels are compared with each other.
    level = 10 * np.log10(power) / 40
    kept = features[frames] > -1
    difference = (features[frames] - level)[kept]
    assert np.ptp(difference) < 1e-9
    assert kept.sum() > 200


def plain_mel_power(samples: np.ndarray, frame: int) -> list[float]:
    """120 mel powers of one frame, summed term by term."""
    padded = np.concatenate([np.zeros(160), samples, np.zeros(160)])[160 * frame :][:321]
    position = np.arange(321)
    tapered = padded * np.sin(np.pi * position / 321) ** 2
    spectrum = [abs(np.sum(tapered * np.exp(-2j * np.pi * k * position / 321))) ** 2 for k in range(161)]
    top = 15 + 27 * np.log(8.0) / np.log(6.4)

    def edge_hz(i: int) -> float:
        mel = top * i / 121
        return mel * 200 / 3 if mel < 15 else 1000 * np.exp((mel - 15) * np.log(6.4) / 27)

    powers = []
    for band in range(120):
        low, centre, high = edge_hz(band), edge_hz(band + 1), edge_hz(band + 2)
        total = 0.0
        for k, value in enumerate(spectrum):
            frequency = k * RATE / 321
            if low < frequency <= centre:
                total += value * (frequency - low) / (centre - low)
            elif centre < frequency < high:
                total += value * (high - frequency) / (high - centre)
        powers.append(total * 2 / (high - low))
    return powers


@installed
def test_goldens_are_what_the_maker_makes(goldens) -> None:
    for name in ("librosa", "requests"):
        pytest.importorskip(name)
    from make_model_goldens import reference_dnsmos

    made = reference_dnsmos()
    assert made.keys() == goldens["dnsmos"].keys()
    for model in MODELS:
        assert made[model] == pytest.approx(goldens["dnsmos"][model], abs=1e-3)
    np.testing.assert_allclose(made["p808_features"], goldens["dnsmos"]["p808_features"], atol=1e-6)


# ---- windows


@pytest.mark.parametrize(("duration_s", "count"), [(9.01, 1), (10, 1), (10.9, 1), (11, 2), (30, 21), (4, 7)])
def test_windows_start_every_second(duration_s: float, count: int) -> None:
    samples = np.arange(round(duration_s * RATE), dtype=np.float64)
    windows = windows_of(samples)
    assert windows.shape == (count, 144_160)
    assert windows[:, 0].tolist() == [(i * RATE) % len(samples) for i in range(count)]


def test_short_clips_are_repeated() -> None:
    samples = np.random.default_rng(0).standard_normal(1)
    assert np.array_equal(windows_of(samples)[0], np.full(144_160, samples[0]))
    samples = np.random.default_rng(0).standard_normal(70_001)
    assert np.array_equal(windows_of(samples)[0], np.tile(samples, 3)[:144_160])


@installed
def test_the_score_is_the_mean_over_windows() -> None:
    estimate = talker(110.0, 12.5) * np.linspace(0.1, 1.0, 200_000)
    parts = [
        opinion(estimate=window, sample_rate=RATE, model="p808", figure="mos") for window in windows_of(estimate)
    ]
    assert len(parts) == 3
    whole = opinion(estimate=estimate, sample_rate=RATE, model="p808", figure="mos")
    assert whole == pytest.approx(np.mean(parts), abs=1e-6)


# ---- what never reaches a model


@pytest.mark.parametrize("rate", [8_000, 15_999])
def test_lower_rates_are_undefined(rate: int) -> None:
    for estimate in (talker(110.0, 5.0), np.zeros(5)):
        with pytest.raises(UndefinedScore, match=f"16000 Hz, the clip has {rate} Hz"):
            opinions(estimate=estimate, sample_rate=rate, model="p835")
    with pytest.raises(UndefinedScore):
        opinion_of_failure(sample_rate=rate)


def test_no_samples_are_undefined() -> None:
    with pytest.raises(UndefinedScore, match="no samples"):
        opinions(estimate=np.zeros(0), sample_rate=RATE, model="p835")


@pytest.mark.parametrize("level", [0.0, 1e-8, 2.0**-15, 1e-4])
def test_what_nobody_hears_fails(level: float) -> None:
    with pytest.raises(FailedScore, match="silent"):
        opinions(estimate=level * np.sign(talker(110.0, 5.0)), sample_rate=RATE, model="p835")


def test_beyond_full_scale_fails() -> None:
    estimate = talker(110.0, 5.0)
    estimate[7] = -1.0001
    with pytest.raises(FailedScore, match="beyond full scale"):
        opinions(estimate=estimate, sample_rate=RATE, model="p835")


def test_a_failure_counts_for_the_end_of_the_scale() -> None:
    assert opinion_of_failure(sample_rate=RATE) == dnsmos.WORST == 1.0


# ---- one run for all figures


@pytest.mark.usefixtures("_forgetful")
def test_the_figures_of_a_model_share_one_run(monkeypatch: pytest.MonkeyPatch) -> None:
    runs = []

    def run(model: str, samples: np.ndarray) -> dict:
        runs.append((model, samples.dtype))
        return dict.fromkeys(MODELS[model].figures, float(len(runs)))

    monkeypatch.setattr(dnsmos, "_run", run)
    estimate = talker(110.0, 1.0)
    for model, figure, _ in METRICS.values():
        opinion(estimate=estimate.copy(), sample_rate=RATE, model=model, figure=figure)
    assert runs == [(name, np.float32) for name in MODELS]
    opinion(estimate=-estimate, sample_rate=RATE, model="p835", figure="sig")
    assert len(runs) == 4


@pytest.mark.usefixtures("_forgetful")
def test_few_runs_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dnsmos, "_REMEMBERED", 2)
    monkeypatch.setattr(dnsmos, "_run", lambda model, samples: {"mos": float(samples[0])})
    for value in (0.1, 0.2, 0.3):
        opinion(estimate=np.full(10, value), sample_rate=RATE, model="p808", figure="mos")
    assert len(dnsmos._known) == 2


# ---- packages and files


@pytest.mark.usefixtures("_forgetful")
@pytest.mark.parametrize("package", ["onnxruntime", "speechmos"])
def test_a_missing_package_is_named_with_the_remedy(monkeypatch: pytest.MonkeyPatch, package: str) -> None:
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else real(name))
    if package == "speechmos" and real("onnxruntime") is None:
        pytest.skip("onnxruntime is missing anyway")
    assert package in dnsmos.missing()
    with pytest.raises(InputError, match=rf"{package}.*pip install 'pse-bench\[dnsmos\]'"):
        opinions(estimate=talker(110.0, 1.0), sample_rate=RATE, model="p835")


@installed
@pytest.mark.usefixtures("_forgetful")
@pytest.mark.parametrize("content", [b"", b"no model"])
def test_another_model_file_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path, content: bytes) -> None:
    path = tmp_path / "sig_bak_ovr.onnx"
    path.write_bytes(content)
    monkeypatch.setattr(dnsmos, "model_path", lambda name: path)
    with pytest.raises(InputError, match=r"sig_bak_ovr\.onnx: not the known model file \(sha256 .*speechmos==0"):
        opinions(estimate=talker(110.0, 1.0), sample_rate=RATE, model="p835")


@installed
def test_neither_speechmos_nor_librosa_is_imported() -> None:
    code = (
        "import sys, numpy as np\n"
        "from pse_bench.metrics import dnsmos\n"
        "assert 'onnxruntime' not in sys.modules\n"
        "dnsmos.opinions(estimate=0.1 * np.ones(16000), sample_rate=16000, model='p808')\n"
        "print([name for name in ('speechmos', 'librosa', 'torch') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
