"""Folders that were enhanced elsewhere: what is certain is brought into place, all else is left and listed."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import soundfile
from made import BLANK
from work import call, contents

from pse_bench.dataset.dataset import Dataset
from pse_bench.submission import submission
from pse_bench.submission.check import file_layout

NAMES = {
    "flat, scene first": "{scene}_{scenario}.flac",
    "flat, scenario first": "{scenario}_{scene}.flac",
    "the dataset's own names": "{scenario}/{scene}.flac",
    "folders in lower case": "{lower}/{scene}.flac",
    "a folder more": "run3/out/{scenario}/{scene}.flac",
    "mixture ids in folders": "{scenario}/{scene}_{scenario}.flac",
    "endings in capitals": "{scenario}/{scene}.FLAC",
    "no ending": "{scene}_{scenario}",
    "a word behind": "{scene}_{scenario}_enhanced.flac",
    "words around": "enh-{scenario}-best/my.model.{scene}.est.flac",
    "a folder a scene": "{scene}/{lower}.flac",
}


def foreign(good: Path, folder: Path, name: str) -> Path:
    """A correct submission's estimates under other names."""
    for path in good.glob("TS*/*"):
        label = path.parent.name
        target = folder / name.format(scene=path.stem, scenario=label, lower=label.lower())
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return folder


def adopt(dataset: Dataset, folder: Path, out: Path, *more: object) -> dict:
    """What ``check --adopt --json`` says."""
    done = call("check", dataset.folder, folder, "--adopt", out, "--jobs", 1, "--json", *more)
    assert done.stdout, done.output
    return json.loads(done.stdout)


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
def test_names_that_can_only_mean_one_mixture(dataset: Dataset, good: Path, tmp_path: Path, name: str) -> None:
    folder = foreign(good, tmp_path / "foreign", name)
    before = contents(folder)
    found = adopt(dataset, folder, tmp_path / "out", "--set", "name=mine", "--set", "version=1")
    assert contents(folder) == before, "the foreign folder stays as it is"
    assert (found["acceptable"], found["findings"]) == (True, [])
    adopted = found["adoption"]["adopted"]
    assert len(adopted) == 9
    assert {one["name"] for one in adopted if one["correlation"] is not None} == {
        f"{label}/s00000{number}.flac" for label in ("TS1", "TS2") for number in range(3)
    }
    left = contents(good)
    del left["system.yaml"]
    made = contents(tmp_path / "out")
    assert made.pop("system.yaml").startswith(b"name: mine\nversion: '1'\n")
    assert made == left


def test_what_is_not_certain_is_left_and_listed(dataset: Dataset, good: Path, tmp_path: Path) -> None:
    folder = foreign(good, tmp_path / "foreign", "{scene}_{scenario}.flac")
    shutil.copyfile(folder / "s000000_TS1.flac", folder / "s000000_TS1_noisy.flac")
    (folder / "s000001_TS1.flac").rename(folder / "s000001.flac")
    (folder / "s000002_TS1.flac").rename(folder / "s000002_TS1_TS2.flac")
    (folder / "s000000_TS3.flac").write_bytes(b"no sound")
    (folder / "s000001_TS3.flac").rename(folder / "s000001_TS3.mp3")
    noise(folder / "s000001_TS2.flac")
    (folder / "readme.txt").write_text("hello")
    (folder / ".DS_Store").write_text("x")
    done = call("check", dataset.folder, folder, "--adopt", tmp_path / "out", "--jobs", 1)
    assert done.exit_code == 1, "mixtures are missing"
    assert "out: 3 of 9 estimates adopted" in " ".join(done.stdout.split())
    assert "sound agrees with the mixture in 2 of 2" in done.stdout
    found = adopt(dataset, folder, tmp_path / "again")["adoption"]
    assert [one["name"] for one in found["adopted"]] == [
        "TS2/s000000.flac",
        "TS2/s000002.flac",
        "TS3/s000002.flac",
    ]
    assert found["left"] == {
        "several": [
            *("s000000_TS1.flac", "s000000_TS1_noisy.flac"),
            "s000002_TS1_TS2.flac",
        ],
        "unrelated": ["s000001_TS2.flac"],
        "no-sound": ["s000000_TS3.flac", "s000001_TS3.mp3"],
        "unknown": ["readme.txt", "s000001.flac"],
    }
    assert len(found["missing"]) == 6


def test_the_name_that_was_asked_for_stands_before_others(dataset: Dataset, good: Path, tmp_path: Path) -> None:
    shutil.copyfile(good / "TS1" / "s000000.flac", good / "TS1" / "s000000_old.flac")
    found = adopt(dataset, good, tmp_path / "out")
    assert found["adoption"]["left"]["several"] == ["TS1/s000000_old.flac"]
    assert found["acceptable"]


def test_the_ending_follows_the_bytes(dataset: Dataset, good: Path, tmp_path: Path) -> None:
    path = good / "TS1" / "s000000.flac"
    samples, rate = soundfile.read(str(path))
    soundfile.write(str(path), samples, rate, format="WAV", subtype="FLOAT")
    adopt(dataset, good, tmp_path / "out")
    assert (tmp_path / "out" / "TS1" / "s000000.wav").read_bytes() == path.read_bytes()


def test_scenes_whose_names_hold_one_another() -> None:
    scenes = ("1089-134-0000", "1089-134", "mix_1089-134-0000_x")
    rows = [BLANK.model_copy(update={"scene_id": scene, "scenario": "TS1"}) for scene in scenes]
    known = file_layout.by_name(rows)
    for name, meant in (
        ("1089-134-0000_TS1.wav", 0),
        ("TS1/est_1089-134.wav", 1),
        ("TS1/out-mix_1089-134-0000_x.wav", 2),
    ):
        assert file_layout.named(PurePosixPath(name), known) == [rows[meant]]
    assert file_layout.named(PurePosixPath("-".join(["a"] * 120) + "_TS1.wav"), known) == []


def test_a_zip_and_its_description(dataset: Dataset, good: Path, tmp_path: Path) -> None:
    folder = foreign(good, tmp_path / "foreign", "{lower}/{scene}.flac")
    (folder / "system.yml").write_text("name: theirs\nversion: 3\nlicence: MIT\n")
    packed = shutil.make_archive(str(tmp_path / "foreign"), "zip", folder)
    found = adopt(dataset, Path(packed), tmp_path / "out", "--set", "causal=no", "--set", "licence=Apache-2.0")
    assert found["acceptable"]
    system = submission.read_system(tmp_path / "out")
    assert (system.name, system.version, system.licence, system.causal) == ("theirs", "3", "Apache-2.0", False)
    adopt(dataset, Path(packed), tmp_path / "asis")
    assert (tmp_path / "asis" / "system.yaml").read_text() == "name: theirs\nversion: 3\nlicence: MIT\n"


REFUSED: dict[str, tuple[Callable[[Path, Path], object], list[str], str]] = {
    "a folder that is not there": (lambda folder, out: shutil.rmtree(folder), [], "no such folder or zip"),
    "nothing named so": (
        lambda folder, out: [path.rename(path.with_name(f"{n}.flac")) for n, path in enumerate(folder.iterdir())],
        [],
        "as TS1/s000000.wav; found 9 without the name of a mixture, as 0.flac",
    ),
    "an empty folder": (
        lambda folder, out: [path.unlink() for path in folder.iterdir()],
        [],
        "nothing to adopt; expected scenario and scene in each name, as TS1/s000000.wav; found no file at all",
    ),
    "into a folder with files": (
        lambda folder, out: (out.mkdir(), (out / "notes.txt").write_text("mine")),
        [],
        "out: holds other files; give a new or empty folder",
    ),
    "another dataset's": (
        lambda folder, out: [noise(path) for path in folder.iterdir()],
        [],
        "the sound of 6 files has nothing in common with the mixtures of tiny-v1 in their names, of 0 it has",
    ),
    "no name": (lambda folder, out: None, ["--set", "causal=yes"], "key 'name' is missing"),
}


def noise(path: Path) -> None:
    samples, rate = soundfile.read(str(path))
    sound = 0.1 * np.random.default_rng(1).standard_normal(len(samples))
    soundfile.write(str(path), sound, rate, format="FLAC")


@pytest.mark.parametrize(("change", "more", "words"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_adopted(
    dataset: Dataset, good: Path, tmp_path: Path, change: Callable, more: list[str], words: str
) -> None:
    folder, out = foreign(good, tmp_path / "foreign", "{scene}_{scenario}.flac"), tmp_path / "out"
    change(folder, out)
    before = contents(out) if out.exists() else None
    done = call("check", dataset.folder, folder, "--adopt", out, "--jobs", 1, *more)
    assert done.exit_code == 1
    assert words in " ".join(done.stderr.split())
    assert (contents(out) if out.exists() else None) == before, "nothing is written"


def test_set_without_adopt(dataset: Dataset, good: Path) -> None:
    done = call("check", dataset.folder, good, "--set", "name=x")
    assert done.exit_code == 2
    assert "--set needs --adopt OUT" in done.stderr


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nmae=x", "--set nmae=x: expected FIELD=VALUE; did you mean 'name'?"),
        ("name", "--set name: expected FIELD=VALUE"),
        ("causal=perhaps", "--set causal: Input should be a valid boolean"),
        ("parameters=many", "--set parameters: Input should be a valid integer"),
        ("algorithmic_latency_ms=nan", "--set algorithmic_latency_ms: Input should be a finite number"),
        ("name= ", "--set name: String should have at least 1 character"),
        ("dataset_fingerprint=abc", "--set dataset_fingerprint=abc: expected FIELD=VALUE"),
        ("uses_enrollment=yes", "--set uses_enrollment=yes: expected FIELD=VALUE"),
    ],
)
@pytest.mark.parametrize("command", ["enhance", "detect"])
def test_fields_that_cannot_be_set(dataset: Dataset, tmp_path: Path, command: str, text: str, words: str) -> None:
    system = "mixture" if command == "enhance" else "energy"
    out = tmp_path / "out"
    done = call(command, dataset.folder, "--system", system, "-o", out, "--set", text)
    assert done.exit_code == 1
    assert words in done.stderr
    assert not out.exists()


def test_enhance_writes_the_fields_that_are_set(dataset: Dataset, tmp_path: Path) -> None:
    fields = ["name=half", "version=2", "parameters=12", "causal=true", "url=https://example.org/a=b"]
    words = [word for text in fields for word in ("--set", text)]
    out = tmp_path / "out"
    done = call("enhance", dataset.folder, "--system", "mixture", "-o", out, *words)
    assert done.exit_code == 0, done.output
    system = submission.read_system(out)
    assert system.name == "half"
    assert (system.version, system.parameters, system.causal) == ("2", 12, True)
    assert system.url == "https://example.org/a=b"
    assert system.dataset_fingerprint == dataset.description.fingerprint


def test_score_stops_at_once_where_nothing_belongs_to_the_dataset(
    dataset: Dataset, good: Path, tmp_path: Path
) -> None:
    folder = foreign(good, tmp_path / "foreign", "{scene}_{scenario}.flac")
    for system in (None, "name: x\n", "name: x\nholds: [activity]\n", "name: x\nholds: [audio, activity]\n"):
        if system:
            (folder / "system.yaml").write_text(system)
        done = call("score", dataset.folder, folder, "-o", tmp_path / "r", "--jobs", 1)
        assert done.exit_code == 1
        assert "foreign: no file is named as a mixture's, like " in done.stderr
        assert "with --adopt OUT it brings other names into place" in done.stderr
        assert not (tmp_path / "r").exists()
