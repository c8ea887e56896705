"""One value whatever kind of samples a metric is given, or one clear refusal."""

import re

import numpy as np
import pytest

from pse_bench import metrics
from pse_bench.errors import FailedScore, InputError, UndefinedScore
from pse_bench.metrics import METRICS, Clip, Metric

RATE = 16_000
SOUNDS = ("estimate", "mixture", "reference")
BURSTS = np.repeat(np.random.default_rng(4).uniform(size=60) > 0.4, 800)


@pytest.fixture(scope="module")
def sounds() -> dict[str, np.ndarray]:
    """Whole 16-bit samples as float32: bursts of noise, what they are mixed with, and an estimate of them."""
    chance = np.random.default_rng(5)
    reference = 0.1 * chance.standard_normal(48_000) * BURSTS
    mixture = reference + 0.03 * chance.standard_normal(48_000)
    found = {"estimate": 0.7 * mixture, "mixture": mixture, "reference": reference}
    return {name: np.round(sound * 32768).astype(np.float32) / np.float32(32768) for name, sound in found.items()}


def read_only(sound: np.ndarray) -> np.ndarray:
    copy = sound.copy()
    copy.flags.writeable = False
    return copy


def every_other(sound: np.ndarray) -> np.ndarray:
    return np.stack([sound, sound], axis=1)[:, 0]


def tensor(sound: np.ndarray):
    return pytest.importorskip("torch").from_numpy(sound.copy()).requires_grad_()


SAME = {
    "float64": lambda sound: sound.astype(np.float64),
    "int16": lambda sound: (sound * 32768).astype(np.int16),
    "int32": lambda sound: (sound.astype(np.float64) * 2**31).astype(np.int32),
    "list": lambda sound: sound.tolist(),
    "tensor": tensor,
    "read-only": read_only,
    "not contiguous": every_other,
}


def value(metric: Metric, sounds: dict) -> float:
    given = {**sounds, "reference": None} if metric.scenarios == ("TS3",) else sounds
    start = int(np.argmax(BURSTS))
    short = np.isin(np.arange(len(BURSTS)), range(start, start + RATE))
    masks = {"target_active": short if metric.name == "short_tsos" else BURSTS, "interferer_active": ~BURSTS}
    images = {"target": sounds["reference"], "interferer": sounds["mixture"]}
    return metric(**given, **images, **masks, sample_rate=RATE)


@pytest.mark.parametrize("kind", SAME)
@pytest.mark.parametrize("name", METRICS)
def test_the_same_sound_of_any_kind_has_the_same_value(sounds, name: str, kind: str) -> None:
    converted = {which: SAME[kind](sound) for which, sound in sounds.items()}
    assert value(METRICS[name], converted) == value(METRICS[name], sounds)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        (name, sound)
        for name in METRICS
        for sound in SOUNDS
        if sound != "reference" or "TS1" in METRICS[name].scenarios
    ],
)
def test_floats_of_another_scale_are_refused(sounds, name: str, wrong: str) -> None:
    metric = METRICS[name]
    scaled = {**sounds, wrong: sounds[wrong].astype(np.float64) * 32768}
    with pytest.raises(InputError, match=r"samples up to \d+.*full scale is ±1; divide"):
        value(metric, scaled)


@pytest.mark.parametrize(
    ("field", "given", "words"),
    [
        ("estimate", [1, 2, 3], "estimate: int64 samples; give floats of full scale ±1, or int16 or int32"),
        ("reference", np.ones(3, np.uint8), "reference: uint8 samples"),
        ("mixture", np.ones(3, complex), "mixture: complex128 samples"),
        ("enrollment", np.full(3, 500.0), "enrollment: samples up to 500, full scale is ±1"),
        ("target_active", np.full(3, 0.5), "target_active: float64 values; give a bool mask, one a sample"),
        ("interferer_active", [0, 1, 2], "interferer_active: int64 values"),
    ],
)
def test_what_is_no_sound_and_no_mask_is_refused(field: str, given, words: str) -> None:
    three = {name: np.zeros(3) for name in (*SOUNDS, "enrollment")}
    masks = {name: np.ones(3, dtype=bool) for name in ("target_active", "interferer_active")}
    with pytest.raises(InputError, match=re.escape(words)):
        Clip(**{**three, **masks, field: given}, sample_rate=RATE)


def test_a_metric_by_its_name_says_what_it_needs_and_why_there_is_no_value(sounds) -> None:
    both = {"estimate": sounds["estimate"], "sample_rate": RATE}
    with pytest.raises(InputError, match="si_sdri needs mixture; give it by keyword"):
        metrics.si_sdri(**both, reference=sounds["reference"])
    with pytest.raises(InputError, match="stoi needs reference"):
        metrics.stoi(**both, mixture=sounds["mixture"])
    with pytest.raises(UndefinedScore, match="si_sdr: "):
        metrics.si_sdr(**both, reference=0 * sounds["reference"])
    with pytest.raises(FailedScore, match=r"si_sdr: the estimate has shape \(3,\)"):
        metrics.si_sdr(estimate=np.zeros(3), reference=sounds["reference"], sample_rate=RATE)
    with pytest.raises(AttributeError, match="has no attribute 'sdr'"):
        _ = metrics.sdr


def test_activity_that_is_not_given_is_found() -> None:
    reference = 0.1 * np.random.default_rng(6).standard_normal(48_000)
    reference[:16_000] = reference[-16_000:] = 0.0
    limit = 10 ** (-11.0 / 20)
    assert metrics.tsos(estimate=0.99 * limit * reference, reference=reference, sample_rate=RATE) > 95
    assert metrics.tsos(estimate=1.01 * limit * reference, reference=reference, sample_rate=RATE) == 0.0
    halved = metrics.leaky_frames(estimate=0.5 * reference, mixture=reference, sample_rate=RATE)
    tenth = metrics.leaky_frames(estimate=0.1 * reference, mixture=reference, sample_rate=RATE)
    assert halved > 95
    assert tenth == 0


def test_a_function_becomes_a_metric(sounds) -> None:
    @Metric.define(family="distortion", unit="dB", higher_is_better=True, scenarios=("TS1", "TS2"), worst=-50.0)
    def plain_snr_db(estimate: np.ndarray, reference: np.ndarray) -> float:
        """Power of the reference over that of the error.

        Not a word of this.
        """
        return 10 * np.log10(np.sum(reference**2) / np.sum((estimate - reference) ** 2))

    assert plain_snr_db.name == "plain_snr_db"
    assert plain_snr_db.description == "Power of the reference over that of the error"
    assert plain_snr_db.needs == ("estimate", "reference")
    estimate = 0.9 * sounds["reference"]
    found = plain_snr_db(estimate=estimate, reference=sounds["reference"], sample_rate=RATE)
    assert found == pytest.approx(20.0, abs=1e-4)
    assert metrics.fault(plain_snr_db, metrics.REGISTRY) == ""
