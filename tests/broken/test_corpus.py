"""Broken audio in a corpus: each clip gets its line in ``corpus.csv``, and the good ones beside it are listed."""

from pathlib import Path

import numpy as np
import pytest
from broken import table
from broken.conftest import Listed, good, listed
from broken.makers import MAKERS, NAMES
from scoring import tiny

from pse_bench import audio, files
from pse_bench.corpora import sources
from pse_bench.errors import InputError
from pse_bench.records import NoiseClip

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
    progress, *others = [line for line in speech.lines if line not in lines and line]
    assert progress.startswith("reading: ")
    assert others == [f"{refused} left out; the others are listed in {speech.root.parent / 'speech.csv'}"]


@pytest.mark.parametrize("case", SAME_SOUND)
def test_what_is_listed_is_the_sound_that_was_put_there(speech: Listed, case: str) -> None:
    row = speech.rows[place_of(case)]
    wanted = good()
    found = sources.stretch(
        speech.root / row.path, row.sha256, start=0, num_samples=len(wanted), sample_rate=tiny.RATE
    )
    assert np.corrcoef(found, wanted)[0, 1] > 0.99
    assert np.sqrt(np.mean(found**2) / np.mean(wanted**2)) == pytest.approx(1, abs=0.02)


# ---- after the manifest was made


@pytest.mark.parametrize("case", CASES)
def test_a_clip_that_is_broken_after_the_manifest_is_refused(tmp_path: Path, case: str) -> None:
    path = tmp_path / "clip.wav"
    audio.write(path, good(), tiny.RATE)
    sha256 = files.sha256(path)
    path.unlink()
    MAKERS[case](path, good())
    try:
        sources.stretch(path, sha256, start=0, num_samples=1000, sample_rate=tiny.RATE)
        line = "used"
    except InputError as error:
        line = str(error)
    assert table.agrees(line, CASES[case]["changed"], path=path), line
