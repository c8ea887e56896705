"""Asking for a recogniser, asking it, and remembering what it heard."""

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest

from pse_bench.asr import Recogniser, load, remembered, whisper
from pse_bench.errors import InputError

RATE = 16_000
MakeParrot = Callable[..., Recogniser]


def sound(seed: int = 0, num_samples: int = 800) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(num_samples)


# ---- asked


def test_a_recogniser_cannot_be_changed(make_parrot: MakeParrot) -> None:
    with pytest.raises(FrozenInstanceError):
        make_parrot().name = "other"


def test_what_it_says_of_itself_has_all_that_its_answers_depend_on(make_parrot: MakeParrot) -> None:
    assert make_parrot().identity == {"name": "parrot", "version": "1", "model": "1", "note": "a bird"}
    assert make_parrot().key == make_parrot().key != make_parrot("2").key


def test_every_rate_is_heard_at_16_khz(make_parrot: MakeParrot) -> None:
    assert make_parrot().transcribe(sound(num_samples=480), 48_000).startswith("160 samples")
    assert make_parrot().transcribe(sound(num_samples=480), RATE).startswith("480 samples")


def test_nothing_is_heard_in_digital_silence(make_parrot: MakeParrot) -> None:
    parrot = make_parrot()
    assert parrot.transcribe(np.zeros(100), RATE) == parrot.transcribe(np.zeros(0), RATE) == ""
    assert not parrot.decode.heard


def test_stereo_is_refused(make_parrot: MakeParrot) -> None:
    with pytest.raises(ValueError, match="one shape"):
        make_parrot().transcribe(np.ones((2, 100)), RATE)


def test_several_metrics_of_a_clip_listen_once(make_parrot: MakeParrot) -> None:
    parrot = make_parrot()
    transcribe = parrot.for_clip(RATE, "s1_TS2")
    assert transcribe(sound(1)) == transcribe(sound(1).copy())
    transcribe(sound(2))
    assert parrot.decode.heard == ["s1_TS2"] * 2


# ---- remembered


def test_the_same_sound_is_heard_once_whoever_asks(make_parrot: MakeParrot, tmp_path: Path) -> None:
    first, second = make_parrot(), make_parrot()
    text = remembered(first, tmp_path).transcribe(sound(), RATE, "a")
    assert remembered(second, tmp_path).transcribe(sound(), RATE, "b") == text
    assert (first.decode.heard, second.decode.heard) == (["a"], [])
    assert remembered(second, tmp_path).identity == second.identity


def test_another_sound_or_another_recogniser_is_another_entry(make_parrot: MakeParrot, tmp_path: Path) -> None:
    parrot, other = make_parrot(), make_parrot("2")
    remembered(parrot, tmp_path).transcribe(sound(1), RATE)
    louder = sound(1)
    louder[7] = np.nextafter(louder[7], 1)
    remembered(parrot, tmp_path).transcribe(louder, RATE)
    remembered(other, tmp_path).transcribe(sound(1), RATE)
    assert (len(parrot.decode.heard), len(other.decode.heard)) == (2, 1)
    assert len(list(tmp_path.rglob("*.json"))) == 3
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[: len(text) // 2],
        lambda text: "\0" * len(text),
        lambda text: text.replace("800 samples", "801 samples"),
        lambda text: json.dumps({**json.loads(text), "identity": "another"}),
        lambda text: "[]",
        lambda text: json.dumps({**json.loads(text), "more": 1}),
        lambda text: json.dumps({**json.loads(text), "key": "0" * 64}),
    ],
    ids=["empty", "cut", "zeros", "flipped", "identity", "list", "key", "moved"],
)
def test_a_damaged_entry_is_made_again(
    damage: Callable[[str], str], make_parrot: MakeParrot, tmp_path: Path
) -> None:
    parrot = make_parrot()
    text = remembered(parrot, tmp_path).transcribe(sound(), RATE)
    (entry,) = tmp_path.rglob("*.json")
    whole = entry.read_text()
    entry.write_text(damage(whole))
    assert remembered(parrot, tmp_path).transcribe(sound(), RATE) == text
    assert len(parrot.decode.heard) == 2
    assert entry.read_text() == whole


def test_a_folder_that_cannot_be_written_is_one_line(make_parrot: MakeParrot, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"file.*cannot be kept there.*another folder"):
        remembered(make_parrot(), tmp_path / "file").transcribe(sound(), RATE)


def test_what_does_not_go_by_the_sound_is_not_remembered(make_parrot: MakeParrot, tmp_path: Path) -> None:
    parrot = make_parrot(by_sound=False)
    assert remembered(parrot, tmp_path) is parrot


# ---- asked for


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pocketsphynx", "did you mean 'pocketsphinx'"),
        ("whsiper:models/tiny", "did you mean 'whisper:tiny.en'"),
        ("whisper", "did you mean 'whisper:tiny.en'"),
        ("csv:", "did you mean 'csv:FILE'"),
        ("pocketsphinx:en", "did you mean 'pocketsphinx'"),
        ("kaldi", "known: pocketsphinx, whisper:tiny.en, csv:FILE"),
        ("", "known: pocketsphinx"),
        ("whisper:nowhere", r"no whisper model here.*or one of tiny\.en, base"),
        ("csv:nowhere.csv", "no such file"),
    ],
)
def test_a_request_that_cannot_be_met_says_what_would_do(spec: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load(spec, ["a b"])
    assert "\n" not in str(caught.value)


def test_importing_recognisers_imports_nothing_slow() -> None:
    program = (
        "import sys, pse_bench.asr, pse_bench.metrics.recognition; "
        "print({'scipy', 'jiwer', 'pocketsphinx', 'faster_whisper', 'torch', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


# ---- a CSV of hypotheses

IDS = ["s1_TS1", "s1_TS2", "s1_TS3"]


def table(folder: Path, *rows: str, header: str = "mixture_id,text") -> str:
    path = folder / "heard.csv"
    path.write_text("\n".join([header, *rows, ""]))
    return f"csv:{path}"


def test_hypotheses_are_looked_up_by_mixture(tmp_path: Path) -> None:
    spec = table(tmp_path, 's1_TS2,"Yes, two."', "s1_TS1,one", "s1_TS3,")
    recogniser = load(spec, [], IDS)
    heard = [recogniser.transcribe(np.zeros(10), 8000, mixture_id) for mixture_id in IDS]
    assert heard == ["one", "Yes, two.", ""]
    assert "heard.csv" in recogniser.note
    assert recogniser.key != load(table(tmp_path, "s1_TS2,two"), []).key


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["s1_TS1,a", "s1_TS2,b", "s1_TS1,c", "s1_TS3,"], "s1_TS1 has more than one row"),
        (["s1_TS1,a", "s1_TS3,"], r"1 \(s1_TS2\) of 3 mixtures is missing"),
        ([], r"3 \(s1_TS1, s1_TS2, s1_TS3\) of 3 mixtures are missing"),
        (["s1_TS1,a", "s1_TS2,b", "s1_TS3,", "s9_TS1,x"], r"1 \(s9_TS1\) of 4 rows is not in the dataset"),
        (["s1_TS1,a,b", "s1_TS2,b", "s1_TS3,"], r"heard.csv:2: 3 cells, expected 2"),
    ],
)
def test_a_table_that_does_not_fit_is_one_line(rows: list[str], message: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=message) as caught:
        load(table(tmp_path, *rows), [], IDS)
    assert "heard.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_misspelt_column_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="did you mean 'mixture_id'"):
        load(table(tmp_path, header="mixtureid,text"), [])


def test_a_mixture_without_a_row_is_an_error_when_it_is_asked_for(tmp_path: Path) -> None:
    recogniser = load(table(tmp_path, "s1_TS1,a"), [])
    with pytest.raises(InputError, match="no row for s1_TS2"):
        recogniser.transcribe(sound(), RATE, "s1_TS2")


# ---- faster-whisper, with a stand-in for the package


@pytest.fixture
def model(tmp_path: Path) -> Path:
    (tmp_path / "model.bin").write_bytes(b"weights")
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "tokenizer.json").write_text("{}")
    return tmp_path


def test_whisper_is_asked_for_the_same_every_time_and_never_to_download(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict] = []

    class WhisperModel:
        def __init__(self, path: str, **options: object) -> None:
            asked.append({"path": path, **options})

        def transcribe(self, samples: np.ndarray, **options: object) -> tuple:
            asked.append({"dtype": samples.dtype, **options})
            return iter([SimpleNamespace(text=" Place blue"), SimpleNamespace(text=" at F2. ")]), None

    package = ModuleType("faster_whisper")
    package.WhisperModel = WhisperModel
    monkeypatch.setitem(sys.modules, "faster_whisper", package)
    monkeypatch.setattr(whisper, "version", {"faster-whisper": "1.2", "ctranslate2": "4.6"}.get)
    recogniser = load(f"whisper:{model}", [])
    assert recogniser.transcribe(sound(), RATE) == recogniser.transcribe(sound(1), RATE) == "Place blue at F2."
    loading, *transcribing = asked
    assert loading["local_files_only"] is True
    assert loading["path"] == str(model.resolve())
    assert len(transcribing) == 2
    assert transcribing[0]["temperature"] == 0.0
    assert transcribing[0]["dtype"] == np.float32
    assert recogniser.version == "1.2 with ctranslate2 4.6"
    (model / "model.bin").write_bytes(b"other weights")
    assert load(f"whisper:{model}", []).key != recogniser.key


@pytest.mark.parametrize("name", ["model.bin", "config.json", "tokenizer.json"])
def test_a_model_with_a_file_missing_is_refused_before_anything_could_be_fetched(name: str, model: Path) -> None:
    (model / name).unlink()
    with pytest.raises(InputError, match=f"{name} is missing.*nothing is downloaded"):
        load(f"whisper:{model}", [])


def test_without_the_package_the_remedy_is_said(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(InputError, match=r"pip install 'pse-bench\[whisper\]'"):
        load(f"whisper:{model}", [])
    monkeypatch.setitem(sys.modules, "pocketsphinx", None)
    with pytest.raises(InputError, match=r"pip install 'pse-bench\[asr\]'"):
        load("pocketsphinx", ["a b"])
