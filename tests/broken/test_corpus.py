"""Broken audio in a corpus: each clip gets its line in ``corpus.csv``, and the good ones beside it are listed."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny
from broken import table
from broken.conftest import Listed, good, listed, run
from broken.makers import DATA, MAKERS, NAMES, encoded, put

from pse_bench.corpora import clip_reader
from pse_bench.errors import InputError
from pse_bench.io import atomic, audio, tables
from pse_bench.planning import plan
from pse_bench.schemas import MeasuredResponse, NoiseClip, Utterance
from pse_bench.simulation.dataset_writer import Problem

CASES = table.read("corpus.csv")
BROKEN = table.read("names.csv")
GOOD = [f"{speaker}/{take}.wav" for speaker in tiny.PITCH_HZ for take in range(tiny.UTTERANCES)]
SAME_SOUND = ("44.1 kHz", "48 kHz", "96 kHz", "8 bit", "24 bit", "32 bit", "float", "double", "mu-law", "AIFF")


def place_of(case: str) -> str:
    return f"eve/{list(MAKERS).index(case):03}.wav"


@pytest.fixture(scope="session")
def speech(clips: Path) -> Listed:
    return listed(clips, clips.parent / "speech.csv", "folder")


@pytest.fixture(scope="session")
def noises(clips: Path) -> Listed:
    return listed(clips, clips.parent / "as-noise.csv", "noise", NoiseClip)


def test_the_table_has_every_case() -> None:
    assert list(CASES) == list(MAKERS)
    assert list(BROKEN) == list(NAMES)
    assert len(CASES) >= 60


@pytest.mark.parametrize("case", CASES)
def test_a_broken_clip_gets_its_line(speech: Listed, noises: Listed, case: str) -> None:
    expected = CASES[case]
    for tree in (speech, noises):
        line = tree.of(place_of(case))
        assert table.agrees(line, expected["line"], path=tree.root / place_of(case)), line
        assert expected["status"] == ("0" if line.startswith(("listed", "passed over")) else "1")


@pytest.mark.parametrize("case", BROKEN)
def test_a_clip_of_any_name_is_listed_or_named(speech: Listed, case: str) -> None:
    path = f"fay/{NAMES[case]}"
    expected = BROKEN[case]
    escaped = ascii(f"{speech.root / path}")[1:-1]
    assert table.agrees(speech.of(path), expected["corpus"], escaped=escaped)


def test_good_clips_are_listed_and_every_line_names_a_file(speech: Listed) -> None:
    assert speech.status == 1
    assert set(GOOD) <= set(speech.rows)
    lines = [line for line in speech.lines if line.startswith(f"{speech.root}/")]
    refused = sum(row["status"] == "1" for row in CASES.values()) + sum(
        row["corpus"].startswith("{") for row in BROKEN.values()
    )
    assert len(lines) == refused
    said = [line for line in speech.lines if line not in lines and not line.startswith("note: ") and line]
    progress, *others = said
    assert progress.startswith("reading: ")
    assert others == [f"{refused} left out; the others are listed in {speech.root.parent / 'speech.csv'}"]


@pytest.mark.parametrize("case", SAME_SOUND)
def test_what_is_listed_is_the_sound_that_was_put_there(speech: Listed, case: str) -> None:
    row = speech.rows[place_of(case)]
    wanted = good()
    found = clip_reader.stretch(
        speech.root / row.path, row.sha256, start=0, num_samples=len(wanted), sample_rate=tiny.RATE
    )
    assert np.corrcoef(found, wanted)[0, 1] > 0.99
    assert np.sqrt(np.mean(found**2) / np.mean(wanted**2)) == pytest.approx(1, abs=0.02)


# ---- after the manifest was made


@pytest.mark.parametrize("case", CASES)
def test_a_clip_that_is_broken_after_the_manifest_is_refused(tmp_path: Path, case: str) -> None:
    path = tmp_path / "clip.wav"
    audio.write(path, good(), tiny.RATE)
    sha256 = atomic.sha256(path)
    path.unlink()
    MAKERS[case](path, good())
    try:
        clip_reader.stretch(path, sha256, start=0, num_samples=1000, sample_rate=tiny.RATE)
        line = "used"
    except InputError as error:
        line = str(error)
    assert table.agrees(line, CASES[case]["changed"], path=path), line


def test_a_clip_that_is_broken_before_it_is_rendered_costs_its_scenes_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tiny, "SCENES", 2)
    made = tiny.build(tmp_path).folder
    recipes = {recipe.scene_id: recipe for recipe in plan.read(tmp_path / "plan.jsonl")[2]}
    victim = recipes["s000000"].target.segments[0].path
    hit = {name for name, recipe in recipes.items() if victim in recipe.model_dump_json()}
    path = tmp_path / "speech" / victim
    path.unlink()
    MAKERS["one NaN"](path, good())
    again = ["render", tmp_path / "plan.jsonl", "-o", tmp_path / "again", "--jobs", 1]
    again += ["--room-bank", tmp_path / "rooms", "--root", f"voices={tmp_path / 'speech'}"]
    told = run(*again, "--root", f"noises={tmp_path / 'noise'}")
    assert told.exit_code == 1
    rows = tables.read_table(tmp_path / "again" / "quarantine.csv", Problem)
    reason = CASES["one NaN"]["changed"].replace("{path}", f"voices:{victim}")
    assert {row.scene_id: row.reason for row in rows} == dict.fromkeys(sorted(hit), reason)
    left = {path.name for path in (tmp_path / "again" / "TS1").iterdir()}
    assert left == {path.name for path in (made / "TS1").iterdir()} - {f"{name}.flac" for name in hit}
    assert left


def test_scenes_from_everything_that_is_listed_are_whole(speech: Listed, tmp_path: Path) -> None:
    corpora = speech.root.parent
    odd = {path for path in speech.rows if not path.startswith("fay/")}
    rows = [row for path, row in speech.rows.items() if path in odd]
    tables.write_table(tmp_path / "speech.csv", Utterance, rows)
    noise = listed(corpora / "noise", tmp_path / "noise.csv", "noise", NoiseClip)
    assert noise.status == 0
    (tmp_path / "tiny.yaml").write_text(tiny.SCENARIO)
    made = ["generate", tmp_path / "tiny.yaml", "--speech", tmp_path / "speech.csv", "-n", 6, "--seed", 1]
    made += ["--noise", tmp_path / "noise.csv", "-o", tmp_path / "set", "--jobs", 1]
    made += ["--root", f"voices={speech.root}", "--root", f"noise={noise.root}", "--room-bank", tmp_path / "rooms"]
    assert run(*made).exit_code == 0
    assert run("verify", tmp_path / "set", "--jobs", 1).exit_code == 0
    heard = [recipe.target.segments[0].path for recipe in plan.read(tmp_path / "set" / "plan.jsonl")[2]]
    assert any(path.startswith("eve/") for path in heard)


# ---- hours of it


def test_hours_of_sound_are_looked_at_in_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "root" / "rain" / "long.wav"
    path.parent.mkdir(parents=True)
    rate, size = 8000, 3 * 3600 * 8000
    with path.open("wb") as stream:
        head = encoded(np.zeros(2), "WAV", "PCM_U8", rate)[:DATA]
        stream.write(put(put(head, 4, "<I", size + 36), 40, "<I", size))
        stream.truncate(len(head) + size)  # no room is taken on the disk
        stream.seek(len(head) + size // 2)
        stream.write(b"\1\1")
    # not of getrusage, which remembers what the tests' own process held before this one was started from it
    code = "import re, sys; from pse_bench.cli import cli; cli(sys.argv[1:], standalone_mode=False); "
    code += "print(int(re.search(r'VmHWM:\\s*([0-9]+)', open('/proc/self/status').read())[1]) // 1024)"
    words = ["manifest", "noise", tmp_path / "root", "-o", tmp_path / "noise.csv", "--jobs", "1"]
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, words)], capture_output=True, text=True, timeout=120, check=True
    )
    assert "1 clips of root, 1 category, 3.00 h" in done.stdout
    assert int(done.stdout.split("\n")[-2]) < 400, "megabytes; all of it would be 700 more"
    (row,) = tables.read_table(tmp_path / "noise.csv", NoiseClip)
    stretch = clip_reader.stretch(path, row.sha256, start=size // 2 - 100, num_samples=200, sample_rate=rate)
    assert np.count_nonzero(np.diff(stretch)) == 2
    told = listed(path.parent, tmp_path / "rir.csv", "rir", MeasuredResponse)
    assert told.of("long.wav") == f"{path}: 10800 s long, expected at most 60 s; cut or remove it"
