"""What ``manifest`` says of a corpus: who can be a target, what is missing, which files need a package."""

import re
from pathlib import Path

import builders
import numpy as np
import pytest
import soundfile
import tiny
from work import call

from pse_bench.errors import RequestError
from pse_bench.io import pyav, tables
from pse_bench.planning.plan import Planner
from pse_bench.schemas import NoiseClip, Utterance

RATE = 8000
SPOKEN_S = {
    "ann/a": 6,
    "ann/b": 6,  # 6 s beside either
    "bob/a": 30,  # nothing beside it
    "cyd/mon/a": 12,
    "cyd/tue/a": 1,
    "cyd/tue/b": 1,  # 12 s beside what was said on another day
    "dan/a": 2,
    "dan/b": 3.5,  # 3.5 s beside the shorter one
}


def sound(path: Path, seconds: float = 0.5, **options: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.random.default_rng(list(path.parts[-2].encode() + path.name.encode())).standard_normal(
        round(seconds * RATE)
    )
    soundfile.write(path, samples, RATE, **options)
    return path


def listed(kind: str, root: Path, *more: object):
    """Run ``manifest``; the rows that it wrote, and what it printed."""
    out = root.parent / f"{kind}.csv"
    done = call("manifest", kind, root, "-o", out, "--jobs", 1, "--force", *more)
    return tables.read_table(out, NoiseClip if kind == "noise" else Utterance), done


def test_who_can_be_a_target_is_what_the_planner_says(tmp_path: Path) -> None:
    for name, seconds in SPOKEN_S.items():
        sound(tmp_path / f"voices/{name}.wav", seconds)
    rows, done = listed("folder", tmp_path / "voices")
    out = tmp_path / "folder.csv"
    assert done.stdout.splitlines() == [
        f"{out}: 8 clips of voices, 4 speakers, 1.0 min",
        f"{out}: speakers who can be targets: 3 with 3 s, 2 with 5 s, 1 with 10 s of enrollment",
    ]
    for count, seconds in re.findall(r"(\d) with (\d+) s", done.stdout):
        asked = builders.scenario(
            duration_s=40, target={"clip": "segment"}, enrollment={"duration_s": int(seconds)}
        )
        notes = Planner(asked, speech=rows, noise=builders.noises(), seed=1).notes
        never = [re.match(r"(\d) of 4 speakers (?:is|are) never", note) for note in notes]
        assert sum(int(found[1]) for found in never if found) == 4 - int(count)


def test_noise_has_categories_and_no_targets(tmp_path: Path) -> None:
    for name in ("rain/a", "rain/b", "street/a"):
        sound(tmp_path / f"noise/{name}.wav")
    _, done = listed("noise", tmp_path / "noise")
    assert done.stdout == f"{tmp_path / 'noise.csv'}: 3 clips of noise, 2 categories, 0.0 min\n"
    assert "note" not in done.stderr


def test_librispeech_without_half_of_its_transcripts(tmp_path: Path) -> None:
    root = tmp_path / "LibriSpeech"
    for chapter in range(4):
        stem = f"1-{chapter}"
        folder = root / "test-clean" / "1" / f"{chapter}"
        for number in range(4):
            sound(folder / f"{stem}-{number:04d}.flac")
        known = [f"{stem}-{number:04d} WORDS {number}" for number in (0, 1)]
        empty = [f"{stem}-0002"]  # an id and no words
        if chapter < 3:  # one chapter has no file of transcripts, the others half of their lines
            (folder / f"{stem}.trans.txt").write_text("\n".join(known + empty) + "\n")
    (root / "SPEAKERS.TXT").write_text("1 | F | test-clean | 1.0 | Ann\n")
    rows, done = listed("librispeech", root)
    assert done.exit_code == 0
    assert [bool(row.text) for row in rows] == [True, True, False, False] * 3 + [False] * 4
    notes = [line for line in done.stderr.splitlines() if line.startswith("note")]
    assert notes == [
        f"note: {root}: 10 of 16 utterances have no transcript, as test-clean/1/0/1-0-0002.flac; "
        "they stay, with empty text: no word errors where they speak"
    ]


def test_a_folder_says_which_tables_would_tell_more(tmp_path: Path) -> None:
    for name in ("ann/a", "ann/b", "bob/a"):
        sound(tmp_path / f"voices/{name}.wav")
    rows, done = listed("folder", tmp_path / "voices")
    assert {(row.text, row.gender) for row in rows} == {("", "")}
    text, gender = (line for line in done.stderr.splitlines() if line.startswith("note"))
    assert text.endswith(
        "3 of 3 utterances have no transcript, as ann/a.wav; they stay, with empty text: no word errors where "
        "they speak; --transcripts FILE gives it: a CSV with columns utterance_id and text"
    )
    assert gender.endswith(
        "2 of 2 speakers have no gender, as ann; scenarios with interferer.gender same or different need it; "
        "--genders FILE gives it: a CSV with columns speaker_id and gender (F or M)"
    )
    (tmp_path / "s.csv").write_text("speaker_id,gender,age\nann,F,3\nbob,,4\n")
    (tmp_path / "t.csv").write_text("utterance_id,text\nann/a,One\nbob/a,Two\n")
    _, done = listed(
        "folder", tmp_path / "voices", "--genders", tmp_path / "s.csv", "--transcripts", tmp_path / "t.csv"
    )
    text, gender = (line for line in done.stderr.splitlines() if line.startswith("note"))
    assert "1 of 3 utterances have no transcript, as ann/b.wav" in text
    assert "1 of 2 speakers have no gender, as bob" in gender
    assert "FILE" not in text + gender


def test_a_scenario_that_needs_genders_refuses_a_manifest_without(tmp_path: Path) -> None:
    """As the note of ``manifest folder`` says."""
    clips = builders.speech(gender="")
    with pytest.raises(RequestError, match="gender"):
        builders.planner(clips=clips, interferer={"gender": "same"})


def test_compressed_files_are_listed_as_they_are_decoded(tmp_path: Path) -> None:
    kinds = {"a.mp3": {}, "b.ogg": {}, "c.opus": {"format": "OGG", "subtype": "OPUS"}}
    for name, options in kinds.items():
        sound(tmp_path / "voices/ann" / name, 3.0, **options)
    rows, done = listed("folder", tmp_path / "voices")
    assert done.exit_code == 0
    for row, name in zip(rows, kinds, strict=True):
        with soundfile.SoundFile(tmp_path / "voices/ann" / name) as stream:
            assert (row.path, row.num_samples) == (f"ann/{name}", len(stream.read(stream.frames)))


def test_a_dataset_is_rendered_from_compressed_speech(tmp_path: Path) -> None:
    tiny.write_corpus(tmp_path)
    for path in sorted((tmp_path / "speech").rglob("*.wav")):
        samples, rate = soundfile.read(path)
        soundfile.write(path.with_suffix(".mp3" if path.stem == "0" else ".ogg"), samples, rate)
        path.unlink()
    rows, _ = listed("folder", tmp_path / "speech", "--name", "voices")
    listed("noise", tmp_path / "noise", "--name", "noises")
    (tmp_path / "tiny.yaml").write_text(tiny.SCENARIO)
    words = ["generate", tmp_path / "tiny.yaml", "--speech", tmp_path / "folder.csv", "-n", 2, "--seed", 1]
    words += ["--noise", tmp_path / "noise.csv", "--room-bank", tmp_path / "rooms", "-o", tmp_path / "dataset"]
    done = call(*words, *roots(tmp_path), "--jobs", 1)
    assert (len(rows), done.exit_code) == (12, 0), done.stderr
    assert call("verify", tmp_path / "dataset", "--rerender", 2, *roots(tmp_path)).exit_code == 0


def test_m4a_is_listed(tmp_path: Path) -> None:
    av = pytest.importorskip("av", reason="the extra m4a is not installed")
    path = tmp_path / "voices/ann/A.M4A"
    path.parent.mkdir(parents=True)
    samples = np.random.default_rng(1).standard_normal((1, RATE)).astype(np.float32) / 9
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("alac", rate=RATE, layout="mono")
        frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
        frame.sample_rate, frame.pts = RATE, 0
        to_stream = av.AudioResampler(stream.format, frame_size=stream.codec_context.frame_size)
        for part in [*to_stream.resample(frame), *to_stream.resample(None), None]:
            container.mux(stream.encode(part))
    rows, done = listed("folder", tmp_path / "voices")
    assert done.exit_code == 0, done.stderr
    assert [(row.path, row.num_samples, row.sample_rate) for row in rows] == [("ann/A.M4A", RATE, RATE)]


def test_without_pyav_one_line_says_what_was_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyav, "is_installed", lambda: False)
    sound(tmp_path / "voices/ann/a.wav")
    for name in ("b.m4a", "c.M4A", "d.aac"):
        (tmp_path / "voices/ann" / name).write_bytes(b"")
    rows, done = listed("folder", tmp_path / "voices")
    assert (len(rows), done.exit_code) == (1, 1)
    assert [line for line in done.stderr.splitlines() if "PyAV" in line] == [
        f"{tmp_path / 'voices'}: 1 .aac and 2 .m4a files are left out, as PyAV is not installed; "
        "pip install 'pse-bench[m4a]'"
    ]


# ---- roots of no corpus


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus, its manifests, a plan and a dataset."""
    root = tmp_path_factory.mktemp("home")
    tiny.build(root)
    return root


def roots(home: Path, *more: str) -> list[object]:
    given = [f"voices={home / 'speech'}", f"noises={home / 'noise'}", *(f"{name}={home}" for name in more)]
    return [word for root in given for word in ("--root", root)]


def stray(done: object) -> list[str]:
    return [line for line in done.stderr.splitlines() if "names no corpus" in line]


def test_a_misspelt_root_is_named_by_every_command(home: Path, tmp_path: Path) -> None:
    bank = ("--room-bank", home / "rooms", "--jobs", 1)
    made = ("--speech", home / "speech.csv", "--noise", home / "noise.csv")
    scenes = ("-n", 1, "--seed", 1)
    commands = {
        "render": ("render", home / "plan.jsonl", "-o", tmp_path / "a", *bank),
        "estimate": ("render", home / "plan.jsonl", "-o", tmp_path / "b", "--dry-run", *bank),
        "generate": ("generate", home / "tiny.yaml", *made, *scenes, "-o", tmp_path / "c", *bank),
        "verify": ("verify", home / "dataset"),
        "verify again": ("verify", home / "dataset", "--rerender", 1),
    }
    for name, words in commands.items():
        done = call(*words, *roots(home, "voises", "halls"))
        assert done.exit_code == 0, (name, done.stderr)
        # halls may be the corpus of responses that these scenes happen not to use
        assert stray(done) == ["note: --root voises names no corpus here; did you mean 'voices'?"], name


def test_a_corpus_without_a_root_is_named_after_the_misspelt_one(home: Path, tmp_path: Path) -> None:
    for name, meant in {"voises": "did you mean 'voices'?", "xyz": "needed: noises, voices"}.items():
        root = ("--root", f"{name}={home}")
        done = call("render", home / "plan.jsonl", "-o", tmp_path / "a", *root, *roots(home)[2:])
        assert done.exit_code == 1
        note, error = done.stderr.splitlines()[-2:]
        assert note == f"note: --root {name} names no corpus here; {meant}"
        assert error.startswith("Error: corpus voices: no folder given; add --root voices=DIR")


def test_benchmark_and_import_name_a_misspelt_root(home: Path, tmp_path: Path) -> None:
    words = ("benchmark", "libri-mini-v1", "-o", tmp_path / "a", "--root", f"librispech={home}")
    assert stray(call(*words)) == ["note: --root librispech names no corpus here; did you mean 'librispeech'?"]
    table = tmp_path / "m.csv"
    table.write_text("mixture_ID\n")
    words = ("import", "librimix", table, "-o", tmp_path / "p.jsonl", "--root", f"librymix={home}")
    assert stray(call(*words)) == ["note: --root librymix names no corpus here; did you mean 'librimix'?"]


def test_training_names_a_misspelt_root(home: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch")
    words = ("train", "pvad", "--config", "pvad", "--cache", tmp_path / "cache", "--jobs", 1)
    made = ("--speech", home / "speech.csv", "--noise", home / "noise.csv")
    done = call(*words, *made, "-o", tmp_path / "a", "--root", f"voises={home}")
    assert stray(done) == ["note: --root voises names no corpus here; did you mean 'voices'?"]
