"""The corpus readers on small generated trees: what they list, and the one line that each fault gets."""

import contextlib
import csv
import os
import random
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from pse_bench.corpora import csv_columns, scan
from pse_bench.corpora.readers import folder, librispeech, noise, rir, speechocean762, vctk
from pse_bench.errors import InputError
from pse_bench.io import atomic, tables
from pse_bench.runtime.executor import Outcome, Processes, Serial
from pse_bench.schemas import Utterance

RATE = 16000
ROOT = Path(__file__).resolve().parents[2]
SPEAKERS = """; reader_id|gender|subset|duration|name
1   | F | test-clean | 1.00 | Ann
22  | M | test-clean | 1.00 | |CBW|Simon
"""
VCTK_SPEAKERS = "ID  AGE  GENDER  ACCENTS  REGION COMMENTS\n{p}225  23  F    English    Southern  England\n"


def sound(path: Path, *, seconds=0.1, seed=0, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = 0.1 * np.random.default_rng(seed).standard_normal(int(seconds * RATE))
    soundfile.write(str(path), samples, RATE, **options)
    return path


def text(path: Path, content: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content, encoding="utf-8")
    return path


@pytest.fixture
def tree(tmp_path):
    """A LibriSpeech tree of two speakers and four utterances."""
    root = tmp_path / "LibriSpeech"
    text(root / "SPEAKERS.TXT", SPEAKERS)
    for chapter, count in (("1/10", 2), ("22/20", 1), ("22/21", 1)):
        stem = chapter.replace("/", "-")
        lines = [f"{stem}-{n:04d} HELLO NUMBER {n}'S" for n in range(count)]
        text(root / "test-clean" / chapter / f"{stem}.trans.txt", "\n".join(lines) + "\n")
        for n in range(count):
            sound(root / "test-clean" / chapter / f"{stem}-{n:04d}.flac", seed=n)
    return root


def read_tree(root, **options):
    return librispeech.READER.read(root, executor=options.pop("executor", Serial()), **options)


def read_folder(root, **options):
    return folder.READER.read(root, name="mine", executor=Serial(), **options)


def only(problems):
    """The single problem, which must be one line that names what to do."""
    assert len(problems) == 1, problems
    assert "\n" not in problems[0]
    assert ";" in problems[0]
    return problems[0]


# ---- LibriSpeech


def test_librispeech_rows(tree):
    rows, problems = read_tree(tree)
    assert problems == []
    assert [row.path for row in rows] == sorted(row.path for row in rows)
    assert [(row.utterance_id, row.speaker_id, row.gender, row.session) for row in rows] == [
        ("1-10-0000", "1", "F", "10"),
        ("1-10-0001", "1", "F", "10"),
        ("22-20-0000", "22", "M", "20"),
        ("22-21-0000", "22", "M", "21"),
    ]
    first = rows[0]
    assert (first.corpus, first.path) == ("librispeech", "test-clean/1/10/1-10-0000.flac")
    assert (first.num_samples, first.sample_rate) == (1600, RATE)
    assert first.text == "HELLO NUMBER 0'S"
    assert first.sha256 == atomic.sha256(tree / first.path)


def test_librispeech_subsets(tree):
    sound(tree / "dev-clean/1/11/1-11-0000.flac")
    text(tree / "dev-clean/1/11/1-11.trans.txt", "1-11-0000 YES\n")
    assert len(read_tree(tree)[0]) == 5
    assert [row.utterance_id for row in read_tree(tree, subsets=["dev-clean"])[0]] == ["1-11-0000"]
    with pytest.raises(InputError, match="did you mean 'test-clean'"):
        read_tree(tree, subsets=["test-claen"])


@pytest.mark.parametrize("give", ["parent", "subset"])
def test_librispeech_root_is_pointed_out(tree, give):
    with pytest.raises(InputError, match=rf"no SPEAKERS.TXT here.*give {tree}, which has SPEAKERS.TXT"):
        read_tree(tree.parent if give == "parent" else tree / "test-clean")


def test_librispeech_missing_root_and_empty_tree(tmp_path):
    with pytest.raises(InputError, match="no such folder"):
        read_tree(tmp_path / "absent")
    text(tmp_path / "SPEAKERS.TXT", SPEAKERS)
    with pytest.raises(InputError, match="no sound files here"):
        read_tree(tmp_path)


def test_librispeech_transcript_lines_without_a_file_are_a_notice(tree):
    (tree / "test-clean/22/20/22-20-0000.flac").unlink()
    (tree / "test-clean/1/10/1-10-0001.flac").unlink()
    notices = []
    rows, problems = read_tree(tree, notice=notices.append)
    assert (len(rows), problems) == (2, [])
    assert "1 of 3 transcript lines have no sound file here" in notices[0]


@pytest.mark.parametrize(
    ("name", "content", "left", "expected"),
    [
        ("SPEAKERS.TXT", "22 | M | a | 1 | b", 2, "speaker 1 is not in SPEAKERS.TXT, which leaves out 2 files"),
        ("test-clean/1/10/1-10.trans.txt", b"1-10-0000 \xff", 2, "not UTF-8"),
    ],
    ids=["speaker", "encoding"],
)
def test_librispeech_gaps(tree, name, content, left, expected):
    (tree / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    rows, problems = read_tree(tree)
    assert len(rows) == left
    assert expected in only(problems)


@pytest.mark.parametrize(
    "name", ["test-clean/1/10/hello.flac", "test-clean/1/10/22-20-0009.flac", "test-clean/1-10-0009.flac"]
)
def test_librispeech_strange_names(tree, name):
    sound(tree / name)
    rows, problems = read_tree(tree)
    assert len(rows) == 4
    assert "not a LibriSpeech name" in only(problems)


def test_librispeech_same_utterance_in_two_subsets(tree):
    for file in (tree / "test-clean/1/10").iterdir():
        copy = tree / "dev-clean/1/10" / file.name
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(file.read_bytes())
    rows, problems = read_tree(tree)
    assert len(rows) == 4
    assert len(problems) == 2
    assert "utterance_id '1-10-0000' is that of dev-clean/1/10/1-10-0000.flac already" in problems[0]


def test_speakers_with_bars_in_their_names():
    assert librispeech.parse_speakers("60   | M | train | 20.18 | |CBW|Simon\n", "here") == {"60": "M"}


@pytest.mark.parametrize("line", ["60 | X | a | 1 | b", "60", "| M | a | 1 | b", "1|F|a|1|b\n1|M|a|1|b"])
def test_speakers_that_cannot_be_read(line):
    with pytest.raises(InputError, match=r"^here:[12]: "):
        librispeech.parse_speakers(line, "here")


@given(st.text(st.sampled_from("1F M|;\n\r\t-x\x85\u2028é"), max_size=80) | st.text(max_size=80))
def test_parsers_accept_or_refuse_any_text(content):
    for parse in (librispeech.parse_speakers, vctk.parse_speakers):
        with contextlib.suppress(InputError):
            assert set(parse(content, "here").values()) <= {"F", "M"}
    texts, problems = librispeech.parse_transcripts(content, "here")
    assert all(spoken and "\n" not in spoken for spoken in texts.values())
    assert all("\n" not in problem for problem in problems)


# ---- VCTK


def vctk_092(root: Path) -> Path:
    text(root / "speaker-info.txt", VCTK_SPEAKERS.format(p="p") + "p315  18  M    American  New England\n")
    for utterance in ("p225_001", "p225_002", "p315_001"):
        for mic in ("mic1", "mic2"):
            if (utterance, mic) != ("p315_001", "mic2"):
                sound(root / "wav48_silence_trimmed" / utterance[:4] / f"{utterance}_{mic}.flac")
    text(root / "txt/p225/p225_001.txt", "Please call Stella. \n")
    text(root / "txt/p225/p225_002.txt", "Ask her to bring these things.\n")
    text(root / "wav48_silence_trimmed/log.txt", "faults\n")
    return root


def test_vctk_092(tmp_path):
    root = vctk_092(tmp_path)
    rows, problems = vctk.READER.read(root, executor=Serial())
    assert problems == []
    assert [(row.utterance_id, row.speaker_id, row.gender, row.text) for row in rows] == [
        ("p225_001", "p225", "F", "Please call Stella."),
        ("p225_002", "p225", "F", "Ask her to bring these things."),
        ("p315_001", "p315", "M", ""),
    ]
    assert rows[0].path == "wav48_silence_trimmed/p225/p225_001_mic1.flac"
    second, problems = vctk.READER.read(root, mic="mic2", executor=Serial())
    assert [row.utterance_id for row in second] == ["p225_001", "p225_002"]
    assert problems == []


def test_vctk_080(tmp_path):
    text(tmp_path / "speaker-info.txt", VCTK_SPEAKERS.format(p=""))
    sound(tmp_path / "wav48/p225/p225_001.wav")
    text(tmp_path / "txt/p225/p225_001.txt", "Please call Stella.\n")
    # this release does not list p280
    sound(tmp_path / "wav48/p280/p280_001.wav")
    text(tmp_path / "txt/p280/p280_001.txt", "Please call Stella.\n")
    rows, problems = vctk.READER.read(tmp_path, executor=Serial())
    assert problems == []
    assert [(row.utterance_id, row.gender) for row in rows] == [("p225_001", "F"), ("p280_001", "F")]
    with pytest.raises(InputError, match="one microphone"):
        vctk.READER.read(tmp_path, mic="mic1", executor=Serial())


def test_vctk_faults(tmp_path):
    root = vctk_092(tmp_path / "VCTK-Corpus-0.92")
    (root / "txt/p225/p225_002.txt").unlink()
    sound(root / "wav48_silence_trimmed/p999/p999_001_mic1.flac")
    sound(root / "wav48_silence_trimmed/p225/p225_003.flac")
    notices = []
    rows, problems = vctk.READER.read(root, executor=Serial(), notice=notices.append)
    assert [bool(row.text) for row in rows] == [True, False, False]
    for problem, expected in zip(problems, ["not a VCTK name", "p999"], strict=True):
        assert expected in problem.removeprefix(f"{root}/")
    assert "2 of 3 utterances have no transcript, as wav48_silence_trimmed/p225/p225_002_mic1.flac" in only(
        notices
    )
    with pytest.raises(InputError, match="expected mic1 or mic2"):
        vctk.READER.read(root, mic="mic3", executor=Serial())
    with pytest.raises(InputError, match=f"give {root}"):
        vctk.READER.read(tmp_path, executor=Serial())


# ---- folders of speakers


def speechocean_tree(root: Path, ending: str = ".WAV") -> Path:
    """Two speakers of speechocean762, one in each part; the files end as asked."""
    for part, speaker, gender, utterance, said in (
        ("test", "0024", "f", "000240010", "IT WAS GOOD"),
        ("train", "0001", "m", "000010011", "WE CALL IT BEAR"),
    ):
        text(root / part / "utt2spk", f"{utterance}\t{speaker}\n")
        text(root / part / "text", f"{utterance}\t{said}\n")
        text(root / part / "spk2gender", f"{speaker}\t{gender}\n")
        sound(root / "WAVE" / f"SPEAKER{speaker}" / f"{utterance}{ending}", format=ending[1:].upper())
    return root


@pytest.mark.parametrize("ending", [".WAV", ".flac"])
def test_speechocean762(tmp_path, ending):
    root = speechocean_tree(tmp_path / "speechocean762", ending)
    rows, problems = speechocean762.READER.read(root, executor=Serial())
    assert problems == []
    assert [(row.utterance_id, row.speaker_id, row.gender, row.text) for row in rows] == [
        ("000010011", "0001", "M", "WE CALL IT BEAR"),
        ("000240010", "0024", "F", "IT WAS GOOD"),
    ]
    assert rows[1].path == f"WAVE/SPEAKER0024/000240010{ending}"
    assert {row.corpus for row in rows} == {"speechocean762"}
    (row,), problems = speechocean762.READER.read(root, part="test", executor=Serial())
    assert (row.speaker_id, problems) == ("0024", [])


def test_speechocean762_faults(tmp_path):
    root = speechocean_tree(tmp_path / "speechocean762")
    with pytest.raises(InputError, match=rf"no WAVE here.*give {root}, which has test/utt2spk"):
        speechocean762.READER.read(tmp_path, executor=Serial())
    sound(root / "WAVE/SPEAKER0024/999.WAV")
    _, problems = speechocean762.READER.read(root, executor=Serial())
    assert "999.WAV: in no utt2spk of train and test" in only(problems)
    (root / "WAVE/SPEAKER0024/999.WAV").unlink()
    (root / "WAVE/SPEAKER0024/000240010.WAV").rename(root / "WAVE/SPEAKER0001/000240010.WAV")
    _, problems = speechocean762.READER.read(root, executor=Serial())
    assert "not where it belongs, expected WAVE/SPEAKER<speaker>/<utterance>.WAV with 0024" in only(problems)
    (root / "WAVE/SPEAKER0001/000240010.WAV").unlink()
    notices = []
    rows, _ = speechocean762.READER.read(root, executor=Serial(), notice=notices.append)
    assert len(rows) == 1
    assert "1 of 2 listed utterances have no sound file here, the first 000240010" in notices[0]
    text(root / "test/spk2gender", "0024\tx\n")
    with pytest.raises(InputError, match=r"spk2gender:1: found '0024\\tx', expected 'speaker f-or-m'"):
        speechocean762.READER.read(root, executor=Serial())
    text(root / "test/spk2gender", "0024\tf\n")
    text(root / "test/text", "000240010\n")
    with pytest.raises(InputError, match="text:1: 000240010 has nothing after it"):
        speechocean762.READER.read(root, executor=Serial())
    text(root / "test/text", "000240010 A\n000240010 B\n")
    with pytest.raises(InputError, match="text:2: 000240010 has another value in an earlier line"):
        speechocean762.READER.read(root, executor=Serial())
    (root / "train/utt2spk").unlink()
    with pytest.raises(InputError, match=r"train/utt2spk: no such file.*take test"):
        speechocean762.READER.read(root, part="train", executor=Serial())


def test_folder_rows_with_and_without_indexes(tmp_path):
    root = tmp_path / "speech"
    sound(root / "ann/one.wav")
    sound(root / "ann/monday/two.flac")
    sound(root / "bob/one.ogg")
    text(root / "ann/README.txt", "not sound")
    rows, problems = read_folder(root)
    assert problems == []
    assert [(row.utterance_id, row.speaker_id, row.gender, row.text, row.session) for row in rows] == [
        ("ann/monday/two", "ann", "", "", "monday"),
        ("ann/one", "ann", "", "", ""),
        ("bob/one", "bob", "", "", ""),
    ]
    transcripts = text(
        tmp_path / "t.csv", 'utt_id,text,note\nann/one,"One,  two",x\ntwo,Two,\nbob/one,,\nzoe/one,No,\n'
    )
    genders = text(tmp_path / "s.csv", "speaker,age,gender\nann,3,female\nbob,,M\n")
    notices = []
    rows, problems = read_folder(root, transcripts=transcripts, genders=genders, notice=notices.append)
    assert problems == []
    assert [(row.gender, row.text) for row in rows] == [("F", "Two"), ("F", "One, two"), ("M", "")]
    assert "1 of 4 lines have no file" in notices[0]


def test_folder_an_ambiguous_stem_needs_the_whole_id(tmp_path):
    root = tmp_path / "speech"
    sound(root / "ann/one.wav")
    sound(root / "bob/one.wav")
    rows, problems = read_folder(root, transcripts=text(tmp_path / "t.csv", "utterance_id,text\none,One\n"))
    assert ([row.text for row in rows], problems) == (["", ""], [])


def test_folder_faults(tmp_path):
    root = tmp_path / "speech"
    sound(root / "ann/one.wav")
    sound(root / "ann/one.flac")
    sound(root / "ann/a/b/deep.wav")
    sound(root / "loose.wav")
    rows, problems = read_folder(root)
    assert [row.path for row in rows] == ["ann/one.flac"]
    for problem, expected in zip(
        problems, ["b/deep.wav: expected <speaker>", "ann/one' is that of", "loose"], strict=True
    ):
        assert expected in problem
    unknown = text(tmp_path / "s.csv", "speaker,gender\nbob,F\n")
    assert "speaker ann is not in s.csv, which leaves out" in read_folder(root, genders=unknown)[1][1]
    with pytest.raises(InputError, match="gender 'x', expected F, M"):
        read_folder(root, genders=text(tmp_path / "s.csv", "speaker,gender\nbob,x\n"))
    with pytest.raises(InputError, match="no sound files here"):
        read_folder(text(tmp_path / "empty/readme.txt", "").parent)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("utterance_id,txt\n", "no column 'text'; did you mean 'txt'"),
        ("utteranceid,text\n", "no column 'utterance_id' or 'utt_id'; did you mean 'utteranceid'"),
        ("file,words\n", "no column 'utterance_id' or 'utt_id'; found file, words"),
        ("", "found an empty file"),
        ("utt_id,text,text\n", "'text' is named twice"),
        ("utt_id,text\na,b,c\n", ":2: 3 cells, expected 2"),
        ("utt_id,text\na,b\na,c\n", ":3: 'a' has another text"),
        ("utt_id,text\n,b\n", ":2: empty utterance_id"),
        (f"utt_id,text\na,{'x' * 200000}\n", "not CSV"),
    ],
)
def test_index_faults(tmp_path, content, expected):
    path = text(tmp_path / "t.csv", content)
    with pytest.raises(InputError, match=expected):
        csv_columns.read(path, key=("utterance_id", "utt_id"), value=("text",))


# ---- noise and rooms


def test_noise_rows(tmp_path):
    root = tmp_path / "sounds"
    sound(root / "rain/light rain.wav")
    sound(root / "music/fma/a01.wav")
    sound(root / "hum.wav")
    rows, problems = noise.READER.read(root, name="n", executor=Serial())
    assert problems == []
    assert [(row.noise_id, row.category) for row in rows] == [
        ("sounds/hum", "sounds"),
        ("music/fma/a01", "music"),
        ("rain/light rain", "rain"),
    ]


def decaying(path: Path, rt60_s: float, *, length_db: float = 75.0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    time = np.arange(int(RATE * rt60_s * length_db / 60)) / RATE
    samples = np.random.default_rng(0).standard_normal(len(time)) * 10 ** (-3 * time / rt60_s)
    soundfile.write(str(path), 0.2 * samples, RATE, subtype="FLOAT")
    return path


def test_responses(tmp_path):
    root = tmp_path / "rir"
    decaying(root / "hall/a.wav", 0.8)
    decaying(root / "hall/b.wav", 0.8)
    decaying(root / "den.wav", 0.3)
    decaying(root / "cut.wav", 0.3, length_db=20)
    rows, problems = rir.READER.read(root, name="r", executor=Serial())
    assert [(row.rir_id, row.room_id) for row in rows] == [("den", "den"), ("hall/a", "hall"), ("hall/b", "hall")]
    assert [row.rt60_s for row in rows] == pytest.approx([0.3, 0.8, 0.8], rel=0.05)
    assert "cut.wav: does not decay by 25 dB" in only(problems)

    notices = []
    table = text(
        tmp_path / "r.csv", "path,room,x\nrir/den.wav,Den,\nhall/a.wav,Hall,\ncut.wav,,\ngone.wav,Gone,\n"
    )
    rows, problems = rir.READER.read(root, name="r", table=table, executor=Serial(), notice=notices.append)
    assert [(row.rir_id, row.room_id) for row in rows] == [("den", "Den"), ("hall/a", "Hall")]
    assert [problem.split(":")[0] for problem in problems] == [str(root / "cut.wav"), str(root / "hall/b.wav")]
    assert "1 of 4 lines have no file" in notices[0]


# ---- every kind of broken file


def truncated(path: Path, share: float = 0.6, *, seconds=1, **options) -> Path:
    data = sound(path, seconds=seconds, **options).read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    return path


def written(path: Path, samples: np.ndarray, **options) -> Path:
    soundfile.write(str(path), samples, RATE, **options)
    return path


def damaged_flac(path: Path) -> Path:
    data = bytearray(sound(path, seconds=1).read_bytes())
    data[len(data) // 2] ^= 0x10
    path.write_bytes(data)
    return path


BROKEN = {
    "truncated flac": (".flac", truncated, "damaged"),
    "truncated wav": (".wav", truncated, "truncated"),
    "truncated by two bytes": (".wav", lambda path: truncated(path, 31999 / 32044), "truncated"),
    "truncated rf64": (".rf64", lambda path: truncated(path, format="RF64"), "truncated"),
    "truncated aiff": (".aiff", truncated, "truncated"),
    "truncated au": (".au", truncated, "truncated"),
    "truncated w64": (".w64", truncated, "truncated"),
    "truncated ogg": (".ogg", lambda path: truncated(path, 0.9, seconds=8), "truncated"),
    "truncated opus": (
        ".opus",
        lambda path: truncated(path, seconds=8, format="OGG", subtype="OPUS"),
        "truncated",
    ),
    "damaged flac": (".flac", damaged_flac, "damaged"),
    "no bytes": (".wav", lambda path: path.write_bytes(b""), "not a sound file"),
    "header only": (".wav", lambda path: written(path, np.zeros(0)), "holds no samples"),
    "wrong header": (
        ".wav",
        lambda path: path.write_bytes(b"RIFX" + sound(path).read_bytes()[4:]),
        "a sound file",
    ),
    "stereo": (".wav", lambda path: written(path, np.ones((99, 2)) / 9), "2 channels, expected 1"),
    "nan": (".wav", lambda path: written(path, np.array([0.1, np.nan]), subtype="FLOAT"), "NaN or infinite"),
    "infinite": (".wav", lambda path: written(path, np.array([0.1, np.inf]), subtype="FLOAT"), "NaN or infinite"),
    "zeros": (".wav", lambda path: written(path, np.zeros(99)), "only zeros"),
    "text": (
        ".flac",
        lambda path: path.write_text("version https://git-lfs.github.com/spec/v1\n"),
        "not a sound file",
    ),
    "dangling link": (".wav", lambda path: path.symlink_to("gone.wav"), "no such file"),
    "link to itself": (".wav", lambda path: path.symlink_to(path.name), "r"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_file_gets_a_line_and_the_others_stay(tmp_path, kind):
    ending, make, expected = BROKEN[kind]
    sound(tmp_path / "ann/a.wav")
    sound(tmp_path / "ann/z.wav")
    make(tmp_path / "ann" / f"broken{ending}")
    rows, problems = read_folder(tmp_path)
    assert [row.utterance_id for row in rows] == ["ann/a", "ann/z"]
    problem = only(problems)
    assert problem.startswith(f"{tmp_path / 'ann' / 'broken'}{ending}: ")
    assert expected in problem


@pytest.mark.parametrize("size", [0xFFFFFFFF, 0x7FFFFFFF])
def test_a_wav_written_to_a_pipe_is_whole(tmp_path, size):
    path = sound(tmp_path / "ann/a.wav")
    data = bytearray(path.read_bytes())
    data[4:8] = data[40:44] = size.to_bytes(4, "little")
    path.write_bytes(data)
    rows, problems = read_folder(tmp_path)
    assert problems == []
    assert rows[0].num_samples == 1600


# ---- names, order, links, executors

ODD = ["two words", "Zoë – 语音", 'it\'s "quoted"', "-rf", "a,b;c", "50%", "back\\slash", "dot.dot", "#1"]


def test_odd_names_survive_the_manifest(tmp_path):
    for name in ODD:
        sound(tmp_path / "in" / name / f"{name}.wav")
    rows, problems = read_folder(tmp_path / "in")
    assert problems == []
    assert {row.speaker_id for row in rows} == set(ODD)
    tables.write_table(tmp_path / "m.csv", Utterance, rows)
    assert tables.read_table(tmp_path / "m.csv", Utterance) == rows
    assert [row.path for row in rows] == sorted((row.path for row in rows), key=str.encode)
    assert all((tmp_path / "in" / row.path).is_file() for row in rows)


@pytest.mark.parametrize("name", [b"ann\xff.wav", b"a\nb.wav"])
def test_names_that_cannot_be_written_down(tmp_path, name):
    good = sound(tmp_path / "ann/a.wav")
    Path(os.fsdecode(os.fsencode(good.parent) + b"/" + name)).write_bytes(good.read_bytes())
    rows, problems = read_folder(tmp_path)
    assert len(rows) == 1
    assert only(problems).encode()
    assert "rename it" in problems[0]


def test_hidden_files_are_passed_over(tmp_path):
    sound(tmp_path / "ann/a.wav")
    text(tmp_path / "ann/._a.wav", "resource fork")
    sound(tmp_path / ".cache/a.wav")
    rows, problems = read_folder(tmp_path)
    assert (len(rows), problems) == (1, [])


class Shuffled:
    """A directory listing in another order."""

    scandir = staticmethod(os.scandir)

    def __init__(self, path, order):
        with self.scandir(path) as entries:
            self.entries = list(entries)
        order.shuffle(self.entries)

    def __enter__(self):
        return iter(self.entries)

    def __exit__(self, *error):
        return None


def test_the_order_of_a_directory_changes_nothing(tree, tmp_path, monkeypatch):
    for n in range(12):
        sound(tmp_path / "in" / f"s{n % 5}" / f"{n}.wav", seed=n)
        sound(tmp_path / "away" / f"x{n % 2}" / f"{n}.wav", seed=n)
    truncated(tmp_path / "in/s1/bad.wav")
    text(tmp_path / "in/s2/worse.wav", "text")
    for link in ("link1", "alink", "link2"):
        (tmp_path / "in" / link).symlink_to(tmp_path / "away" / "x1")
    expected = read_folder(tmp_path / "in"), read_tree(tree)
    for seed in range(5):
        order = random.Random(seed)
        monkeypatch.setattr(scan.os, "scandir", lambda path, order=order: Shuffled(path, order))
        assert (read_folder(tmp_path / "in"), read_tree(tree)) == expected


def test_links_are_followed_and_loops_end(tmp_path):
    sound(tmp_path / "away/a.wav")
    sound(tmp_path / "in/ann/one.wav")
    (tmp_path / "in/bob").symlink_to(tmp_path / "away")
    (tmp_path / "in/ann/up").symlink_to(tmp_path / "in")
    (tmp_path / "away/round").symlink_to(tmp_path / "away")
    (tmp_path / "in/ann2").symlink_to(tmp_path / "in/ann")
    rows, problems = read_folder(tmp_path / "in")
    assert [row.path for row in rows] == ["ann/one.wav", "bob/a.wav"]
    assert problems == []


class Backwards(Serial):
    def run(self, function, items):
        return iter(list(super().run(function, items))[::-1])


def test_executors_and_progress(tree, monkeypatch):
    monkeypatch.setattr(scan, "BATCH", 1)
    expected = read_tree(tree)
    seen = []
    assert read_tree(tree, executor=Backwards(), progress=lambda *counts: seen.append(counts)) == expected
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert read_tree(tree, executor=Processes(2)) == expected


class Crashing(Serial):
    """An executor whose processes die of one file."""

    def run(self, function, items):
        for number, batch in enumerate(items):
            died = any("1-10-0001" in path for path in batch)
            yield (Outcome(number, lost="its worker process died") if died else Outcome(number, function(batch)))


def test_a_file_that_kills_its_process_is_found(tree):
    seen = []
    rows, problems = read_tree(tree, executor=Crashing(), progress=lambda *counts: seen.append(counts))
    assert [row.utterance_id for row in rows] == ["1-10-0000", "22-20-0000", "22-21-0000"]
    assert "1-10-0001.flac: cannot be read: its worker process died" in only(problems)
    assert seen[-1] == (4, 4)


def test_a_folder_without_rights_is_a_problem(tmp_path, monkeypatch):
    sound(tmp_path / "ann/a.wav")
    sound(tmp_path / "bob/a.wav")
    plain = os.scandir

    def scandir(path):
        if Path(path).name == "bob":
            raise PermissionError(13, "Permission denied")
        return plain(path)

    monkeypatch.setattr(scan.os, "scandir", scandir)
    rows, problems = read_folder(tmp_path)
    assert len(rows) == 1
    assert "bob: cannot be listed (Permission denied)" in only(problems)


# ---- the development corpus


@pytest.mark.dev_corpus
def test_the_development_corpus(dev_corpus):
    executor = Processes(2)
    speech, problems = librispeech.READER.read(dev_corpus / "speech/LibriSpeech", executor=executor)
    assert (len(speech), len({row.speaker_id for row in speech}), problems) == (260, 135, [])
    indexes = {"transcripts": dev_corpus / "transcripts.csv", "genders": dev_corpus / "speakers.csv"}
    counts = {}
    for corpus in ("VCTK", "CMU_ARCTIC"):
        rows, problems = folder.READER.read(
            dev_corpus / "speech" / corpus, name=corpus, executor=executor, **indexes
        )
        assert problems == []
        counts[corpus] = len({row.speaker_id for row in rows}), len(rows)
        speech += rows
    assert counts == {"VCTK": (3, 26), "CMU_ARCTIC": (2, 103)}
    texts = csv_columns.read(indexes["transcripts"], key=("utt_id",), value=("text",))
    assert all(texts[row.utterance_id.rpartition("/")[2]].split() == row.text.split() for row in speech)
    genders = csv_columns.read(indexes["genders"], key=("speaker",), value=("gender",))
    assert all(genders[row.speaker_id] == row.gender for row in speech)

    rows, problems = noise.READER.read(dev_corpus / "noise", name="noise", executor=executor)
    assert (len(rows), problems) == (11, [])
    with (dev_corpus / "noise/noise.csv").open() as stream:
        expected = {row["path"]: (row["category"], float(row["duration_s"])) for row in csv.DictReader(stream)}
    found = {f"noise/{row.path}": (row.category, round(row.num_samples / row.sample_rate, 2)) for row in rows}
    assert found == expected


@pytest.mark.dev_corpus
def test_measured_rooms_of_the_development_corpus(dev_corpus):
    table = dev_corpus / "rir/rirs.csv"
    rows, problems = rir.READER.read(dev_corpus / "rir", name="rooms", table=table, executor=Serial())
    assert (len(rows), problems) == (4, [])
    with table.open() as stream:
        t20 = {row["room"]: float(row["rt60_t20_s"]) for row in csv.DictReader(stream)}
    # T30 and T20 differ where a decay is not straight; the hand clap is too noisy for T30
    assert {row.room_id: row.rt60_s for row in rows} == pytest.approx(t20, rel=0.13)
    assert next(row.rt60_s for row in rows if "clap" in row.rir_id) == pytest.approx(0.63, abs=0.01)


@pytest.mark.dev_corpus
def test_the_maker_still_makes_the_committed_manifest(dev_corpus, tmp_path, monkeypatch, capsys):
    maker = ROOT / "manifests" / "make_librispeech_dev_corpus.py"
    again = tmp_path / "again.csv"
    monkeypatch.setattr(sys, "argv", [str(maker), "--dev-corpus", str(dev_corpus), "-o", str(again)])
    runpy.run_path(str(maker), run_name="__main__")
    assert "256 utterances" in capsys.readouterr().out
    assert again.read_bytes() == (ROOT / "manifests" / "librispeech.dev-corpus.csv").read_bytes()


@pytest.mark.dev_corpus
def test_the_maker_tells_a_converted_file_from_an_original(dev_corpus):
    maker = runpy.run_path(str(ROOT / "manifests" / "make_librispeech_dev_corpus.py"))
    root = dev_corpus / "speech/LibriSpeech"
    converted = sorted((root / "dev-clean").rglob("*.flac"))
    assert len(converted) == 4
    for path in converted:
        with pytest.raises(InputError, match="not encoded by reference libFLAC"):
            maker["check_original"](path)


def test_the_committed_manifest_reads():
    rows = tables.read_table(ROOT / "manifests" / "librispeech.dev-corpus.csv", Utterance)
    assert len(rows) == 256
    assert {row.path.split("/")[0] for row in rows} == {"test-other", "train-clean-100"}
