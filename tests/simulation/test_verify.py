"""verify: a sound dataset passes, and whatever is wrong with another one is named."""

import csv
import json

import numpy as np
import pytest

from pse_bench.corpora.readers import librispeech, noise
from pse_bench.dataset import dataset
from pse_bench.errors import InputError
from pse_bench.io import atomic, audio, tables
from pse_bench.planning.plan import plan_dataset
from pse_bench.runtime.executor import Processes, Serial
from pse_bench.schemas import Mixture, StoredFile
from pse_bench.simulation import render
from pse_bench.simulation.verify import verify

KINDS = [
    "TS1/s000000.flac",
    "TS2/s000001.flac",
    "TS3/s000002.flac",
    "stems/target/s000003.flac",
    "stems/target_early/s000000.flac",
    "stems/interferer/s000001.flac",
    "stems/noise/s000002.flac",
    "enrollment/s000003.flac",
    "activity/s000000.json",
]
TABLES = ["mixtures.csv", "files.csv", "plan.jsonl"]


@pytest.fixture
def problems_of(corpus):
    """What verify says of a dataset."""

    def check(folder, **more):
        return verify(folder, **{"roots": corpus.roots, "executor": Serial(), **more}).problems

    return check


def forge(folder, path, pcm):
    """Replace a sound, and make hashes, tables and description agree with it again."""
    with atomic.replacing(folder / path) as part:
        audio.write(part, pcm, 16000)
    adapt(folder)


def adapt(folder):
    """Make files.csv, mixtures.csv and dataset.json agree with the files as they are."""
    opened = dataset.Dataset.open(folder)
    stored = []
    for row in opened.files:
        path = folder / row.path
        digest = atomic.sha256(path)
        content = audio.sha256_of_samples(audio.read_pcm16(path)) if path.suffix == ".flac" else digest
        changes = {"num_bytes": path.stat().st_size, "sha256": digest, "content_sha256": content}
        stored.append(row.model_copy(update=changes))
    digests = {row.path: row.sha256 for row in stored}
    rows = [row.model_copy(update={"mixture_sha256": digests[row.mixture_path]}) for row in opened.mixtures]
    tables.write_table(folder / "files.csv", StoredFile, stored)
    tables.write_table(folder / "mixtures.csv", Mixture, rows)
    adapt_description(folder, stored)


def adapt_description(folder, stored=None):
    document = json.loads((folder / "dataset.json").read_text())
    document["tables"] = {name: atomic.sha256(folder / name) for name in document["tables"]}
    if stored is not None:
        document["fingerprint"] = dataset.fingerprint(document["plan_sha256"], stored)
    atomic.write_sealed(folder / "dataset.json", document)


def flip(path, position, bit=0):
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


# ---- a sound dataset


def test_a_sound_dataset_passes(rendered, corpus):
    report = verify(rendered, rerender=2, roots=corpus.roots, executor=Serial())
    assert report.problems == []
    assert report.checked == {"files": 36, "mixtures": 12, "scenes rendered again": 2}


def test_processes_find_what_one_process_finds(copy_of_rendered, problems_of, monkeypatch):
    monkeypatch.setattr("pse_bench.simulation.verify.BATCH", 1)
    for name in KINDS[:3]:
        flip(copy_of_rendered / name, -20)
    found = problems_of(copy_of_rendered)
    assert [problem.split(":")[0] for problem in found] == [str(copy_of_rendered / name) for name in KINDS[:3]]
    assert problems_of(copy_of_rendered, executor=Processes(2)) == found


def test_checking_changes_nothing(rendered, contents_of, problems_of):
    before = contents_of(rendered)
    problems_of(rendered, rerender=1)
    assert contents_of(rendered) == before


# ---- damage


@pytest.mark.parametrize("place", ["first", "middle", "last"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_flipped_bit_in_a_file_is_named(copy_of_rendered, problems_of, kind, place):
    path = copy_of_rendered / kind
    flip(path, {"first": 0, "middle": path.stat().st_size // 2, "last": -1}[place])
    assert problems_of(copy_of_rendered) == [f"{path}: changed since it was rendered (sha256 differs)"]


@pytest.mark.parametrize("name", TABLES)
def test_a_flipped_bit_in_a_table_is_noticed_wherever_it_is(rendered, copy_of_rendered, problems_of, name):
    """It leaves a file that can be read or not: either way a complaint names the table."""
    path = copy_of_rendered / name
    content = path.read_bytes()
    for position in range(0, len(content), max(1, len(content) // 12)):
        flip(path, position, position % 7)
        try:
            found = problems_of(copy_of_rendered)
        except InputError as error:
            found = [str(error)]
        assert any(str(path) in problem for problem in found), (position, found)
        path.write_bytes(content)
    assert problems_of(copy_of_rendered) == []


def test_a_changed_cell_is_noticed(copy_of_rendered, problems_of):
    path = copy_of_rendered / "mixtures.csv"
    path.write_text(
        path.read_text(encoding="utf-8").replace(",street/street,", ",rain/rain,", 1), encoding="utf-8"
    )
    assert problems_of(copy_of_rendered) == [f"{path}: changed since it was rendered (sha256 differs)"]


def test_a_changed_level_is_noticed_even_with_the_hash_adapted(copy_of_rendered, problems_of):
    rows = dataset.Dataset.open(copy_of_rendered).mixtures
    snr_db = round(rows[4].snr_db + 0.2, 3)
    rows[4] = rows[4].model_copy(update={"snr_db": snr_db})
    tables.write_table(copy_of_rendered / "mixtures.csv", Mixture, rows)
    adapt_description(copy_of_rendered)
    (problem,) = problems_of(copy_of_rendered)
    assert problem.startswith(f"{copy_of_rendered / 'TS2/s000001.flac'}: SNR asked {snr_db:g} dB, found ")


def test_rows_of_scenes_that_were_not_planned(copy_of_rendered, problems_of):
    rows = dataset.Dataset.open(copy_of_rendered).mixtures
    rows = [row.model_copy(update={"scene_id": "s999999"}) if row.scene_id == "s000002" else row for row in rows]
    tables.write_table(copy_of_rendered / "mixtures.csv", Mixture, rows)
    adapt_description(copy_of_rendered)
    assert problems_of(copy_of_rendered) == [
        "1 scenes of the plan are not rendered: s000002",
        "1 scenes in mixtures.csv are not in the plan: s999999",
    ]


def test_a_mixture_that_was_not_planned(corpus, tmp_path, problems_of):
    """A row that claims an interferer for a scene that has none."""
    path = corpus.plan(tmp_path / "plan.jsonl", count=1, scenarios=["TS1"])
    out = tmp_path / "dataset"
    render.render(path, out, roots=corpus.roots, executor=Serial(), bank=tmp_path / "rooms")
    assert problems_of(out) == []
    (row,) = dataset.Dataset.open(out).mixtures
    tables.write_table(out / "mixtures.csv", Mixture, [row.model_copy(update={"scenario": "TS2"})])
    adapt_description(out)
    assert problems_of(out) == ["s000000_TS1: in mixtures.csv, but not planned"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_missing_file_is_named(copy_of_rendered, problems_of, kind):
    (copy_of_rendered / kind).unlink()
    assert problems_of(copy_of_rendered) == [f"{copy_of_rendered / kind}: missing"]


@pytest.mark.parametrize("name", ["dataset.json", *TABLES])
def test_a_missing_table_is_one_line(copy_of_rendered, command, name):
    (copy_of_rendered / name).unlink()
    result = command("verify", copy_of_rendered, "--jobs", 1)
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert name in result.stderr


@pytest.mark.parametrize(
    "name", ["TS1/s000077.flac", "stems/target/copy.wav", "activity/.hidden", "stems/notes/a.txt"]
)
def test_an_extra_file_is_named(copy_of_rendered, problems_of, name):
    path = copy_of_rendered / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"stray")
    assert problems_of(copy_of_rendered) == [f"{path}: not a file of this dataset"]


# ---- damage that agrees with its own hashes


@pytest.mark.parametrize("how", ["one sample", "other scene", "too loud"])
@pytest.mark.parametrize("stem", ["target", "interferer", "noise"])
def test_an_exchanged_stem_is_not_part_of_the_sum(copy_of_rendered, problems_of, stem, how):
    path = copy_of_rendered / f"stems/{stem}/s000001.flac"
    pcm = audio.read_pcm16(path)
    if how == "one sample":
        pcm[1234] += 1
    elif how == "other scene":
        other = audio.read_pcm16(copy_of_rendered / f"stems/{stem}/s000002.flac")
        pcm = np.resize(other, len(pcm))
    else:
        pcm = np.where(np.arange(len(pcm)) % 2, 32000, -32000).astype(np.int16)
    forge(copy_of_rendered, path.relative_to(copy_of_rendered), pcm)
    parts = {"target": ["TS1", "TS2"], "interferer": ["TS2", "TS3"], "noise": ["TS1", "TS2", "TS3"]}[stem]
    found = problems_of(copy_of_rendered)
    sums = [f"{copy_of_rendered / label}/s000001.flac: not the sum of its stems" for label in parts]
    assert [problem for problem in found if "not the sum" in problem] == sums
    if how == "one sample":
        assert found == sums


def test_an_exchanged_mixture_is_not_the_sum(copy_of_rendered, problems_of):
    pcm = audio.read_pcm16(copy_of_rendered / "TS1/s000000.flac")
    forge(copy_of_rendered, "TS1/s000000.flac", pcm // 2)
    assert problems_of(copy_of_rendered) == [f"{copy_of_rendered / 'TS1/s000000.flac'}: not the sum of its stems"]


def test_an_exchanged_stem_of_another_length_is_named(copy_of_rendered, problems_of):
    path = copy_of_rendered / "stems/noise/s000003.flac"
    pcm = audio.read_pcm16(path)
    forge(copy_of_rendered, "stems/noise/s000003.flac", pcm[:-1])
    assert problems_of(copy_of_rendered) == [f"{path}: {len(pcm) - 1} samples, planned {len(pcm)}"]


def test_stems_of_the_wrong_level_are_named(copy_of_rendered, problems_of):
    """Noise at half its level, and every mixture made again from it: only the SNR tells."""
    opened = dataset.Dataset.open(copy_of_rendered)
    names = ("target", "interferer", "noise")
    stems = {part: opened.read_pcm16(opened.stem_name("s000000", part)) for part in names}
    stems["noise"] = stems["noise"] // 2
    for label in ("TS1", "TS2", "TS3"):
        parts = ["target"] * (label != "TS3") + ["interferer"] * (label != "TS1") + ["noise"]
        total = sum(stems[part].astype(int) for part in parts)
        with atomic.replacing(copy_of_rendered / label / "s000000.flac") as part:
            audio.write(part, total.astype(np.int16), 16000)
    forge(copy_of_rendered, "stems/noise/s000000.flac", stems["noise"])
    found = problems_of(copy_of_rendered)
    assert len(found) == 3
    assert all("s000000.flac: SNR asked " in problem for problem in found)


def test_activity_of_another_length_is_named(copy_of_rendered, problems_of):
    path = copy_of_rendered / "activity/s000002.json"
    document = json.loads(path.read_text())
    planned = document["num_samples"]
    document["num_samples"] = planned - planned % 160 - 1
    document["target"] = document["target"][: -(-document["num_samples"] // 160)]
    document["interferer"] = document["interferer"][: -(-document["num_samples"] // 160)]
    path.write_text(json.dumps(document))
    adapt(copy_of_rendered)
    assert problems_of(copy_of_rendered) == [
        f"s000002: activity of {document['num_samples']} samples, planned {planned}"
    ]


def test_a_fingerprint_that_is_not_that_of_the_files(copy_of_rendered, problems_of):
    path = copy_of_rendered / "dataset.json"
    document = json.loads(path.read_text())
    document["fingerprint"] = "0" * 64
    atomic.write_sealed(path, document)
    assert problems_of(copy_of_rendered) == [f"{path}: the fingerprint is not that of files.csv"]


# ---- rendered again


def test_a_dataset_that_was_made_otherwise(corpus, rendered, tmp_path, problems_of, monkeypatch):
    """Consistent in itself, but not what this version makes of its plan."""
    with monkeypatch.context() as patch:
        patch.setattr("pse_bench.simulation.mixing.ENROLLMENT_DBFS", -20.0)
        out = tmp_path / "dataset"
        where = {"roots": corpus.roots, "executor": Serial(), "bank": tmp_path / "rooms"}
        render.render(rendered / "plan.jsonl", out, **where)
    assert problems_of(out) == []
    found = problems_of(out, rerender=4)
    assert sorted(found) == [
        f"{out}/enrollment/s00000{index}.flac: rendered again, it comes out different" for index in range(4)
    ]
    assert len(problems_of(out, rerender=1)) == 1


def test_a_scene_that_cannot_be_rendered_again(rendered, corpus, tmp_path, problems_of):
    moved = corpus.moved(tmp_path / "corpora")
    for path in moved.root("hush").rglob("*.flac"):
        path.unlink()
    (problem,) = problems_of(rendered, rerender=1, roots=moved.roots)
    assert ": cannot be rendered again: " in problem
    assert "no such file" in problem


# ---- the command


def test_the_command_says_what_it_checked(rendered, corpus, command):
    result = command("verify", rendered, "--rerender", 1, "--jobs", 1, *corpus.options)
    assert result.exit_code == 0
    assert result.stdout == (f"{rendered}: checked 36 files, 12 mixtures, 1 scenes rendered again; no problems\n")
    told = json.loads(command("verify", rendered, "--jobs", 1, "--json").stdout)
    assert told == {
        "dataset": str(rendered),
        "checked": {"files": 36, "mixtures": 12, "scenes rendered again": 0},
        "problems": [],
    }


def test_the_exit_status_of_the_real_command(copy_of_rendered, process):
    path = copy_of_rendered / "TS2/s000001.flac"
    flip(path, 5000)
    started = process("verify", copy_of_rendered, "--jobs", 1)
    stdout, _ = started.communicate(timeout=300)
    assert started.returncode == 1
    assert stdout.splitlines() == [
        f"{path}: changed since it was rendered (sha256 differs)",
        f"{copy_of_rendered}: checked 36 files, 12 mixtures, 0 scenes rendered again; 1 problems",
    ]


def test_a_folder_without_a_dataset(command, tmp_path):
    result = command("verify", tmp_path, "--jobs", 1)
    assert result.exit_code == 1
    assert result.stderr == (
        f"Error: {tmp_path}: no dataset here (dataset.json is missing); give the folder that render or "
        "generate wrote\n"
    )


# ---- real speech


@pytest.mark.dev_corpus
def test_scenes_of_real_speech(dev_corpus, tmp_path, problems_of):
    """A few scenes of the standard scenario from a LibriSpeech tree."""
    trees = {"librispeech": dev_corpus / "speech/LibriSpeech", "noise": dev_corpus / "noise"}
    speech, faults = librispeech.READER.read(
        trees["librispeech"], name="librispeech", subsets=("test-other",), executor=Serial()
    )
    clips, more = noise.READER.read(trees["noise"], name="noise", executor=Serial())
    assert [*faults, *more] == []
    plan_dataset("standard", tmp_path / "plan.jsonl", speech=[speech], noise=[clips], scenes=3, seed=1)
    roots = render.Roots(trees)
    out = tmp_path / "dataset"
    report = render.render(tmp_path / "plan.jsonl", out, roots=roots, executor=Serial(), bank=tmp_path / "rooms")
    assert (report.scenes, report.mixtures, report.problems) == (3, 9, [])
    assert problems_of(out, rerender=1, roots=roots) == []
    opened = dataset.Dataset.open(out)
    with (dev_corpus / "transcripts.csv").open(encoding="utf-8", newline="") as stream:
        said = {row["text"] for row in csv.DictReader(stream)}
    for row in opened.mixtures:
        assert row.scenario == "TS3" or row.text in said
        assert 0.2 < opened.read_activity(row.scene_id)["target"].mean() < 1
        assert 0.2 <= row.rt60_achieved_s <= 0.66
