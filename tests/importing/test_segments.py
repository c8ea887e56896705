"""import segments: real recordings and who speaks when become a dataset without references."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import meetings
import numpy as np
import pytest
from click.testing import CliRunner, Result

import pse_bench
from pse_bench.cli import cli
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.importing import segments
from pse_bench.io import audio
from pse_bench.planning import plan
from pse_bench.runtime.executor import Serial
from pse_bench.scoring.results import Result as Scored

RATE = meetings.RATE
SECONDS = 8.0
TURNS = [
    ("monday", 0.5, 3.0, "anna"),
    ("monday", 3.0, 2.8, "ben"),
    ("monday", 6.0, 1.5, "cleo"),
    ("tuesday", 0.0, 2.5, "anna"),
    ("tuesday", 3.0, 4.0, "ben"),
]


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="pse-bench")


def importing(table: Path, out: Path, *more: object) -> Result:
    return call("import", "segments", table, *more, "--jobs", 1, "-o", out)


@pytest.fixture(scope="module")
def meeting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the recordings and their RTTM. Not to be changed."""
    folder = tmp_path_factory.mktemp("meeting")
    meetings.write(folder / "audio", TURNS, SECONDS)
    (folder / "who.rttm").write_text(meetings.rttm(TURNS))
    return folder


@pytest.fixture(scope="module")
def imported(meeting: Path) -> Dataset:
    """Of excerpts of 4 s."""
    out = meeting / "dataset"
    found = importing(meeting / "who.rttm", out, "--excerpt", 4, "--target", "anna", "--target", "ben")
    assert found.exit_code == 0, found.output
    return Dataset.open(out)


def test_every_excerpt_is_a_scene_of_each_target(imported: Dataset) -> None:
    labels = {row.scene_id: row.scenario for row in imported.mixtures}
    assert labels == {
        "monday-anna-0000": "TS2",
        "monday-anna-0001": "TS3",
        "monday-ben-0000": "TS2",
        "monday-ben-0001": "TS2",
        "tuesday-anna-0000": "TS2",
        "tuesday-anna-0001": "TS3",
        "tuesday-ben-0000": "TS2",
        "tuesday-ben-0001": "TS1",
    }
    others = {row.scene_id: row.interferer_speaker for row in imported.mixtures}
    assert others["monday-anna-0001"] == "ben;cleo"
    assert others["tuesday-ben-0001"] == ""
    assert {row.reference_path for row in imported.mixtures} == {""}
    assert imported.description.reference == "none"


def test_mixtures_are_the_recordings_and_labels_those_of_the_table(meeting: Path, imported: Dataset) -> None:
    for item in imported:
        recording, who, number = item.row.scene_id.split("-")
        whole = audio.read_pcm16(meeting / "audio" / f"{recording}.wav")
        begin = int(number) * 4 * RATE
        assert np.array_equal(imported.read_pcm16(item.row.mixture_path), whole[begin : begin + 4 * RATE])
        frame_s = 4 * int(number) + (np.arange(400) + 0.5) / 100

        def talks(person: str, at: str = recording, frame_s: np.ndarray = frame_s) -> np.ndarray:
            spans = [(start, start + length) for name, start, length, one in TURNS if (name, one) == (at, person)]
            return np.any([np.zeros(400, bool), *((a <= frame_s) & (frame_s < b) for a, b in spans)], axis=0)

        assert np.array_equal(item.active["target"], talks(who))
        others = [talks(person) for person in ("anna", "ben", "cleo") if person != who]
        assert np.array_equal(item.active["interferer"], np.any(others, axis=0))
        assert item.reference is item.target is item.interferer is item.noise is None


def test_enrollments_are_where_the_target_is_alone_in_the_other_recording(
    meeting: Path, imported: Dataset
) -> None:
    for recipe in plan.read(imported.folder / "plan.jsonl")[2]:
        assert isinstance(recipe.room.engine, str)
        recording = recipe.scene_id.split("-")[0]
        for segment in recipe.enrollment.segments:
            assert Path(segment.path).stem != recording
    (row,) = [row for row in imported.mixtures if row.scene_id == "tuesday-anna-0000"]
    whole = audio.read_pcm16(meeting / "audio" / "monday.wav")
    # Ben begins at 3 s, in the middle of what Anna says from 0.5 s on
    assert np.array_equal(imported.read_pcm16(row.enrollment_path), whole[RATE // 2 : 3 * RATE])
    assert {row.enrollment_source for row in imported.mixtures} == {"other-utterance"}
    assert {row.enrollment_condition for row in imported.mixtures} == {"recorded"}


def test_it_is_verified_rendered_again_and_looked_at(meeting: Path, imported: Dataset, tmp_path: Path) -> None:
    verified = call("verify", imported.folder, "--rerender", 1, "--root", f"recordings={meeting}")
    assert verified.exit_code == 0, verified.output
    assert "8 mixtures, 1 scenes rendered again; no problems" in verified.stdout
    assert call("inspect", imported.folder, "-o", tmp_path / "page.html").exit_code == 0
    assert (
        call("inspect", imported.folder, "--scene", "monday-anna-0000", "-o", tmp_path / "a.html").exit_code == 0
    )
    refused = call("export", "kaldi", imported.folder, "-o", tmp_path / "kaldi")
    assert refused.exit_code == 1
    assert "no stems to export" in refused.stderr
    with pytest.raises(InputError, match="recordings have none"):
        pse_bench.enhance_dataset(imported, "oracle-mask", tmp_path / "oracle", executor=Serial())


@pytest.fixture(scope="module")
def results(imported: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Scored]:
    folder, found = tmp_path_factory.mktemp("results"), {}
    for system in ("mixture", "silence"):
        there, told = folder / f"{system}.sub", list[str]()
        pse_bench.enhance_dataset(imported, system, there, executor=Serial())
        pse_bench.score_submission(imported, there, folder / system, executor=Serial(), notice=told.append)
        (line,) = told
        assert line.startswith("tsos, tsos_paper")
        assert line.endswith("needs a reference, and recordings have none; left out")
        found[system] = Scored.open(folder / system)
    return found


def test_silence_and_pass_through_are_at_the_ends_of_every_figure(results: dict[str, Scored]) -> None:
    values = {
        system: {f"{row.scenario}.{row.metric}": row.value for row in result.summaries}
        for system, result in results.items()
    }
    through, silence = values["mixture"], values["silence"]
    assert set(through) == set(silence)
    assert not {name for name in through if name.partition(".")[2] in ("tsos", "stoi", "si_sdri", "wrong_speaker")}
    ends = {
        "TS3.leakage_reduction_db": (0.0, 120.0),
        "TS3.leaky_frames": (100.0, 0.0),
        "TS3.fully_leaked": (100.0, 0.0),
        "TS2.pause_leakage_db": (0.0, 120.0),
        "TS2.output_reduction_db": (0.0, 120.0),
        "TS1.output_reduction_db": (0.0, 120.0),
    }
    for name, expected in ends.items():
        assert (through[name], silence[name]) == pytest.approx(expected), name
    assert silence["TS1.activity_f1"] == silence["TS2.activity_f1"] == 0.0
    assert through["TS1.activity_f1"] > 95.0  # nobody else talks
    assert 40.0 < through["TS2.activity_f1"] < 90.0
    assert results["mixture"].about["reference"] == "none"


def test_what_needs_a_reference_is_refused_by_name(imported: Dataset, results: dict, tmp_path: Path) -> None:
    there = results["mixture"].folder.with_name("mixture.sub")
    for words, said in (
        (("--metrics", "tsos"), "tsos: needs a reference, and recordings have none; leave it out of --metrics"),
        (("--reference", "early"), "--reference early: recordings have no reference; leave it out"),
    ):
        refused = call("score", imported.folder, there, *words, "--jobs", 1, "-o", tmp_path / "r")
        assert refused.exit_code == 1
        assert said in refused.stderr
    checked = pse_bench.check_submission(imported, there, executor=Serial())
    assert [finding.code for finding in checked.findings] == ["mixture-unchanged"]
    report = ("--dataset", imported.folder, "--submission", there, "-o", tmp_path / "report.html")
    done = call("report", results["mixture"].folder, *report)
    assert done.exit_code == 0, done.output


def test_csv_and_rttm_say_the_same_and_texts_are_joined(meeting: Path, tmp_path: Path) -> None:
    lines = ["recording,start,duration,speaker,text"]
    lines += [f"audio/{name}.wav,{start},{length},{who},{who} says" for name, start, length, who in TURNS]
    lines += ["audio/monday.wav,7.6,0.2,anna,goodbye"]
    (tmp_path / "who.csv").write_text("\n".join(lines) + "\n")
    known, problems = segments.read(tmp_path / "who.csv", meeting, targets=["anna"], executor=Serial())
    assert problems == []
    texts = {one.scene_id: (one.target.text, [other.text for other in one.interferers]) for one in known}
    assert texts == {
        "audio-monday-wav-anna": ("anna says goodbye", ["ben says", "cleo says"]),
        "audio-tuesday-wav-anna": ("anna says", ["ben says"]),
    }
    cut, _ = segments.read(tmp_path / "who.csv", meeting, targets=["anna"], excerpt_s=3, executor=Serial())
    assert cut[0].target.text == ""  # whose sentence ends in the next excerpt


def test_the_other_part_enrolls_from_the_same_recording(meeting: Path) -> None:
    asked = {"source": "other-part", "executor": Serial(), "excerpt_s": 4.0}
    known, problems = segments.read(meeting / "who.rttm", meeting / "audio", **asked)
    assert {one.scene_id for one in known} >= {"tuesday-anna-0001", "tuesday-ben-0000"}
    for one in known:
        begin = one.room.mixture.start
        for segment in one.enrollment.segments:
            assert segment.path == one.room.mixture.path
            assert segment.start >= begin + 4 * RATE or segment.start + segment.num_samples <= begin
        assert one.enrollment_source == "same-utterance"
    assert any("cleo talks alone for less than 2 s outside of an excerpt" in line for line in problems)


def test_who_cannot_be_enrolled_is_named_and_left_out(meeting: Path, tmp_path: Path) -> None:
    done = importing(meeting / "who.rttm", tmp_path / "out", "--audio", meeting / "audio", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["mixtures"] == 4
    assert done.stderr.splitlines()[-2:] == [
        "monday: cleo talks alone for less than 2 s in other recordings, too little for an enrollment; left out",
        f"1 left out; the others are in {tmp_path / 'out'}",
    ]


def replaced(old: str, new: str) -> Callable[[Path], object]:
    def edit(folder: Path) -> None:
        text = (folder / "who.rttm").read_text()
        assert old in text
        (folder / "who.rttm").write_text(text.replace(old, new))

    return edit


def other_rate(folder: Path) -> None:
    samples, _ = audio.read(folder / "audio" / "tuesday.wav")
    audio.write(folder / "audio" / "tuesday.wav", samples, 8000)


def stereo(folder: Path) -> None:
    import soundfile

    soundfile.write(folder / "audio" / "monday.wav", np.full((RATE * 8, 2), 0.1), RATE)


def as_csv(text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / "who.csv").write_text(text)


@pytest.mark.parametrize(
    ("edit", "more", "words"),
    [
        (
            lambda folder: (folder / "audio" / "monday.wav").unlink(),
            (),
            "recording monday: no such sound file below",
        ),
        (lambda folder: shutil.rmtree(folder / "audio"), (), "no sound files in it; give the folder as --audio"),
        (
            replaced("6.000 1.500", "6.000 2.500"),
            (),
            ":3: cleo speaks up to 8.500 s, but audio/monday.wav ends at",
        ),
        (replaced("6.000 1.500 <NA> <NA> cleo", "3.400 1.500 <NA> <NA> anna"), (), "by another line, up to 3.5 s"),
        (replaced("0.500 3.000", "x 3.000"), (), ":1: start 'x' and duration '3.000'; expected seconds"),
        (replaced("0.500 3.000", "0.500 -1"), (), ":1: start '0.500' and duration '-1'; expected seconds"),
        (replaced("0.500 3.000 <NA> <NA>", "0.500"), (), ":1: 7 fields, expected the 9 or 10"),
        (replaced("SPEAKER", "SPKR-INFO"), (), "nobody speaks in it; give lines"),
        (replaced("cleo", "cl;eo"), (), "expected names without ;"),
        (lambda folder: None, ("--target", "ana"), "ana speaks nowhere in it; did you mean 'anna'?"),
        (
            lambda folder: None,
            ("--target", "cleo"),
            "monday: cleo talks alone for less than 2 s in other recordings",
        ),
        (lambda folder: None, ("--enrollment", "other-part"), "give --excerpt SECONDS, too"),
        (lambda folder: None, ("--excerpt", 60), "no scene can be made; monday: shorter than an excerpt of 60 s"),
        (lambda folder: None, ("--name", "A b"), "--name A b: expected small letters"),
        (other_rate, (), "audio/tuesday.wav: 8000 Hz, but audio/monday.wav has 16000 Hz; resample one"),
        (stereo, (), "monday.wav: has 2 channels, expected 1; mix down to mono first"),
        (as_csv("recording,start,speaker\n"), (), "no column 'duration'; found recording, start, speaker"),
        (as_csv("recording,start,duration,speaker,words\n"), (), "unknown column 'words'"),
        (as_csv(""), (), "no column 'recording'; found an empty file"),
    ],
    ids=[
        *("no-file", "no-folder", "beyond-the-end", "overlap-with-oneself", "no-time", "negative", "fields"),
        *("no-speech", "semicolon", "unknown-target", "not-enrolled", "no-excerpt", "short", "name", "rate"),
        *("stereo", "column", "unknown-column", "empty"),
    ],
)
def test_bad_input_is_one_line(
    meeting: Path, tmp_path: Path, edit: Callable[[Path], object], more: tuple, words: str
) -> None:
    folder = tmp_path / "copy"
    shutil.copytree(meeting, folder, ignore=shutil.ignore_patterns("dataset"))
    edit(folder)
    table = next(path for path in (folder / "who.csv", folder / "who.rttm") if path.exists())
    refused = importing(table, tmp_path / "out", *more)
    assert refused.exit_code == 1
    assert words in refused.stderr
    assert sum(line.startswith("Error") for line in refused.stderr.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.dev_corpus
def test_real_meetings(dev_corpus: Path, tmp_path: Path) -> None:
    """AMI: enrolled from one excerpt, extracted from another."""
    meetings_there = dev_corpus.parent / "ami-excerpts"
    if not meetings_there.is_dir():
        pytest.skip(f"no excerpts of AMI in {meetings_there}")
    table, out = meetings_there / "speakers.rttm", tmp_path / "dataset"
    done = importing(table, out, "--target", "MEE009", "--excerpt", 10)
    assert done.exit_code == 0, done.output
    dataset = Dataset.open(out)
    assert {row.scene_id.split("-")[0] for row in dataset.mixtures} == {"dev00", "dev01"}
    assert all(9 < row.enrollment_s <= 10 for row in dataset.mixtures)
    asked = ["activity_f1", "pause_leakage_db", "output_reduction_db"]
    values = {}
    for system in ("mixture", "silence"):
        pse_bench.enhance_dataset(dataset, system, tmp_path / f"{system}.sub", executor=Serial())
        pse_bench.score_submission(
            dataset, tmp_path / f"{system}.sub", tmp_path / system, names=asked, executor=Serial()
        )
        summaries = Scored.open(tmp_path / system).summaries
        values[system] = {row.metric: row.value for row in summaries if row.scenario == "TS2"}
    assert values["silence"] == {
        "pause_leakage_db": 120.0,
        "output_reduction_db": 120.0,
        "present_miss": 100.0,
        "activity_f1": 0.0,
    }
    assert values["mixture"]["pause_leakage_db"] == values["mixture"]["output_reduction_db"] == 0.0
    assert 30.0 < values["mixture"]["activity_f1"] < 95.0
