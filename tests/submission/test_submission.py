"""Submissions: system.yaml, and estimates written without loss and read without mercy."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
import tiny

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.schemas import Mixture
from pse_bench.submission import submission


@pytest.fixture
def mixture(dataset: Dataset) -> Mixture:
    return dataset.mixtures[1]


@pytest.fixture
def sound(mixture: Mixture) -> np.ndarray:
    """Something of the right length, on the 16-bit grid and well below full scale."""
    chance = np.random.default_rng(1)
    return chance.integers(-20_000, 20_000, mixture.num_samples) / audio.FULL_SCALE


# ---- system.yaml


def test_system_round_trip(tmp_path: Path) -> None:
    system = submission.System(name="Größe: [x]", version="1.0", causal=False, algorithmic_latency_ms=20.0)
    submission.write_system(tmp_path, system)
    assert submission.read_system(tmp_path) == system
    assert "parameters" not in (tmp_path / "system.yaml").read_text(), "what is not known is left out"


def test_keys_that_came_later_are_written_where_they_are_known(tmp_path: Path) -> None:
    assert not {*submission.LATER} & submission.System(name="x").model_dump().keys()
    system = submission.System(
        name="x", tuned_on="embedded-v1-dev", licence="MIT", uses_enrollment=False, constant_gain_db=-10.752
    )
    submission.write_system(tmp_path, system)
    assert submission.read_system(tmp_path) == system
    assert (system.model_dump()["tuned_on"], system.model_dump()["licence"]) == ("embedded-v1-dev", "MIT")


@pytest.mark.parametrize(("written", "read"), [("1.0", "1.0"), ("2", "2"), ("'07'", "07"), ("1.2.3", "1.2.3")])
def test_a_version_without_quotes_is_text(tmp_path: Path, written: str, read: str) -> None:
    (tmp_path / "system.yaml").write_text(f"name: x\nversion: {written}\n")
    assert submission.read_system(tmp_path).version == read


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (None, "missing; write one with at least name"),
        ("", "expected a mapping"),
        ("- name", "expected a mapping"),
        ("name: [", "not YAML"),
        ("name: !!python/object:os.system x", "not YAML"),
        ("version: 1", "key 'name' is missing"),
        ("name: x\nlatency_ms: 1", "unknown key 'latency_ms'"),
        ("name: x\nparameter: 1", "did you mean 'parameters'?"),
        ("name: x\ncausal: maybe", "causal"),
        ("name: x\nparameters: many", "parameters"),
        ("name: x\nalgorithmic_latency_ms: .nan", "algorithmic_latency_ms"),
        ("name: 7", "name"),
        ("name: x\n1: 2", "1"),
        ("name: ''", "name"),
        ("name: '  '", "name"),
        ("a: " + "[" * 1500, "not YAML"),
        ("name: &x y\nversion: *x", "refers to another place in it (*name); write the value out"),
    ],
)
def test_a_bad_system_is_refused_in_one_line(tmp_path: Path, text: str | None, words: str) -> None:
    if text is not None:
        (tmp_path / "system.yaml").write_text(text)
    with pytest.raises(InputError) as caught:
        submission.read_system(tmp_path)
    message = str(caught.value)
    assert message.startswith(str(tmp_path / "system.yaml"))
    assert words in message.removeprefix(str(tmp_path))
    assert "\n" not in message


def test_a_system_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "system.yaml").write_bytes(b"name: \xff\xfe")
    with pytest.raises(InputError, match=r"system\.yaml: not UTF-8"):
        submission.read_system(tmp_path)


# ---- writing


def test_sixteen_bit_sound_is_written_exactly(tmp_path: Path, mixture: Mixture, sound: np.ndarray) -> None:
    sound[:3] = [-1 + 1 / audio.FULL_SCALE, 1 - 1 / audio.FULL_SCALE, 0]
    path = submission.write_estimate(tmp_path, mixture, sound)
    assert path == tmp_path / mixture.scenario / f"{mixture.scene_id}.flac"
    assert soundfile.info(str(path)).subtype == "PCM_16"
    assert np.array_equal(submission.read_estimate(tmp_path, mixture).samples, sound)


def test_finer_sound_is_written_in_24_bits(tmp_path: Path, mixture: Mixture, sound: np.ndarray) -> None:
    fine = (0.3 * sound).astype(np.float32).astype(np.float64)
    path = submission.write_estimate(tmp_path, mixture, fine)
    assert soundfile.info(str(path)).subtype == "PCM_24"
    error = submission.read_estimate(tmp_path, mixture).samples - fine
    assert np.abs(error).max() <= 2**-24
    exact = np.round(fine * 2**23) / 2**23
    submission.write_estimate(tmp_path, mixture, exact)
    assert np.array_equal(submission.read_estimate(tmp_path, mixture).samples, exact)


@pytest.mark.parametrize("peak", [1.0, -1.0, 3.7, 1 - 2**-20])
def test_sound_at_or_over_full_scale_is_kept_as_float(
    tmp_path: Path, mixture: Mixture, sound: np.ndarray, peak: float
) -> None:
    sound[100] = peak
    path = submission.write_estimate(tmp_path, mixture, sound)
    assert path.suffix == ".wav"
    assert soundfile.info(str(path)).subtype == "FLOAT"
    assert np.array_equal(submission.read_estimate(tmp_path, mixture).samples, sound.astype(np.float32))


def test_writing_again_leaves_one_file(tmp_path: Path, mixture: Mixture, sound: np.ndarray) -> None:
    submission.write_estimate(tmp_path, mixture, 2.0 * sound)
    submission.write_estimate(tmp_path, mixture, 0.5 * sound)
    assert [path.name for path in (tmp_path / mixture.scenario).iterdir()] == [f"{mixture.scene_id}.flac"]
    assert np.array_equal(submission.read_estimate(tmp_path, mixture).samples, 0.5 * sound)


# ---- reading


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE"])
def test_every_lossless_type_is_read(tmp_path: Path, mixture: Mixture, sound: np.ndarray, subtype: str) -> None:
    path = tmp_path / f"{submission.estimate_name(mixture)}.wav"
    tiny.write_float(path, sound, subtype=subtype)
    estimate = submission.read_estimate(tmp_path, mixture)
    assert np.array_equal(estimate.samples, sound)
    assert estimate.samples.dtype == np.float64


def test_the_hash_is_of_the_bytes(tmp_path: Path, mixture: Mixture, sound: np.ndarray) -> None:
    submission.write_estimate(tmp_path, mixture, sound)
    before = submission.read_estimate(tmp_path, mixture).sha256
    sound[5] += 1 / audio.FULL_SCALE
    submission.write_estimate(tmp_path, mixture, sound)
    assert submission.read_estimate(tmp_path, mixture).sha256 != before
    assert len(before) == 64


@pytest.mark.parametrize("subtype", ["PCM_U8", "ULAW", "ALAW", "MS_ADPCM"])
def test_lossy_types_are_refused(tmp_path: Path, mixture: Mixture, sound: np.ndarray, subtype: str) -> None:
    tiny.write_float(tmp_path / f"{submission.estimate_name(mixture)}.wav", sound, subtype=subtype)
    with pytest.raises(InputError, match=rf"\.wav: stored as {subtype}, expected 16 or 24 bit PCM or float"):
        submission.read_estimate(tmp_path, mixture)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_not_finite_are_refused(
    tmp_path: Path, mixture: Mixture, sound: np.ndarray, value: float
) -> None:
    sound[-1] = value
    tiny.write_float(tmp_path / f"{submission.estimate_name(mixture)}.wav", sound)
    with pytest.raises(InputError, match=r"\.wav: holds NaN or infinite samples"):
        submission.read_estimate(tmp_path, mixture)


@pytest.mark.parametrize("change", [-1, 1, -160])
def test_another_length_is_refused_not_trimmed(
    tmp_path: Path, mixture: Mixture, sound: np.ndarray, change: int
) -> None:
    found = mixture.num_samples + change
    tiny.write_float(tmp_path / f"{submission.estimate_name(mixture)}.wav", np.resize(sound, found))
    with pytest.raises(InputError, match=rf"\.wav: {found} samples long, expected {mixture.num_samples}"):
        submission.read_estimate(tmp_path, mixture)


def test_a_folder_with_the_name_of_an_estimate_is_not_one(tmp_path: Path, mixture: Mixture) -> None:
    (tmp_path / f"{submission.estimate_name(mixture)}.flac").mkdir(parents=True)
    with pytest.raises(InputError, match=rf"{mixture.scene_id}\.flac: missing \(nor \.wav\)"):
        submission.read_estimate(tmp_path, mixture)
