"""From a plan to a dataset: the same bytes however it is run, continued where it was stopped, nothing lost."""

import csv
import errno
import json
import os
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import soundfile
from rendered import changed

from pse_bench import schemas
from pse_bench.dataset import dataset
from pse_bench.errors import InputError
from pse_bench.io import atomic, audio, locks, tables
from pse_bench.planning import plan
from pse_bench.runtime import resume
from pse_bench.runtime.executor import Outcome, Processes, Serial
from pse_bench.simulation import dataset_writer, render
from pse_bench.simulation.verify import verify

DESIGN_COLUMNS = """
    mixture_id scene_id scenario mixture_path reference_path enrollment_path target_speaker interferer_speaker
    noise_id sir_db snr_db sir_achieved_db snr_achieved_db rt60_s rt60_achieved_s target_distance_m
    interferer_distance_m num_samples sample_rate text interferer_text mixture_sha256
"""


@pytest.fixture(scope="session")
def many(corpus, tmp_path_factory):
    """Nine scenes, so three batches of work, rendered in one process and never disturbed."""
    where = tmp_path_factory.mktemp("many")
    path = corpus.plan(where / "plan.jsonl", count=9, seed=2)
    render.render(path, where / "dataset", roots=corpus.roots, executor=Serial(), bank=where / "rooms")
    return where / "dataset"


@pytest.fixture
def run(corpus, tmp_path):
    """Render in this process with the library."""

    def start(plan_path, out, **more):
        given = {"roots": corpus.roots, "executor": Serial(), "bank": tmp_path / "rooms", **more}
        return render.render(plan_path, out, **given)

    return start


@pytest.fixture
def scene_by_scene(monkeypatch):
    """Work is handed out one scene at a time, so that a run can be stopped between any two."""
    monkeypatch.setattr(render, "BATCH", 1)


def rows_of(folder, name="mixtures.csv"):
    with (folder / name).open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def assert_one_line(result):
    """A complaint for the user: exit status 1 and one line on stderr."""
    assert result.exit_code == 1
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1


# ---- the same bytes however it is run


def test_processes_give_the_bytes_of_one_process(many, run, tmp_path, contents_of):
    report = run(many / "plan.jsonl", tmp_path / "dataset", executor=Processes(2))
    expected = contents_of(many)
    found = contents_of(tmp_path / "dataset")
    assert list(found) == list(expected)
    assert [name for name in expected if found[name] != expected[name]] == []
    assert "mixtures.csv" in expected
    assert report.fingerprint == json.loads(expected["dataset.json"])["fingerprint"]


def test_wav_has_the_fingerprint_of_flac(rendered, run, tmp_path):
    report = run(rendered / "plan.jsonl", tmp_path / "dataset", format="wav")
    flac, wav = (dataset.Dataset.open(folder) for folder in (rendered, tmp_path / "dataset"))
    assert report.fingerprint == wav.description.fingerprint == flac.description.fingerprint
    assert (flac.description.format, wav.description.format) == ("flac", "wav")
    sounds = [path for path in (tmp_path / "dataset").rglob("*") if path.suffix in (".flac", ".wav")]
    assert {path.suffix for path in sounds} == {".wav"}
    assert len(sounds) == 4 * (4 + 1 + 3)
    for stem in ("target", "target_early", "interferer", "noise"):
        assert np.array_equal(flac.read_stem("s000002", stem), wav.read_stem("s000002", stem))
    assert [row.mixture_sha256 for row in flac.mixtures] != [row.mixture_sha256 for row in wav.mixtures]


def test_another_sound_has_another_fingerprint(rendered, run, tmp_path, monkeypatch):
    monkeypatch.setattr("pse_bench.simulation.mixing.ENROLLMENT_DBFS", -27.0)
    report = run(rendered / "plan.jsonl", tmp_path / "dataset")
    assert report.fingerprint != dataset.Dataset.open(rendered).description.fingerprint


def test_a_room_bank_changes_nothing(corpus, run, tmp_path, contents_of):
    path = corpus.plan(tmp_path / "plan.jsonl", room={"rooms": 2, "places": 2})
    run(path, tmp_path / "first", bank=tmp_path / "bank")
    assert len(list((tmp_path / "bank").iterdir())) == 2
    run(path, tmp_path / "from-bank", bank=tmp_path / "bank")
    (tmp_path / "bank" / next((tmp_path / "bank").iterdir())).write_bytes(b"damaged")
    run(path, tmp_path / "repaired", bank=tmp_path / "bank")
    expected = contents_of(tmp_path / "first")
    assert contents_of(tmp_path / "from-bank") == expected
    assert contents_of(tmp_path / "repaired") == expected
    # verify simulates the rooms itself
    again = verify(tmp_path / "first", rerender=1, roots=corpus.roots, executor=Serial())
    assert again.problems == []


# ---- stopped and continued


class Interrupted(Serial):
    """Somebody presses Ctrl-C after a number of items."""

    def __init__(self, after):
        self.after = after

    def run(self, function, items):
        for done, outcome in enumerate(super().run(function, items)):
            if done == self.after:
                raise KeyboardInterrupt
            yield outcome


@pytest.mark.parametrize("after", [0, 1, 3])
def test_an_interrupted_run_continues(rendered, run, tmp_path, contents_of, scene_by_scene, after):
    out = tmp_path / "dataset"
    with pytest.raises(KeyboardInterrupt):
        run(rendered / "plan.jsonl", out, executor=Interrupted(after))
    with pytest.raises(InputError, match="its render was interrupted: run the same render again"):
        dataset.Dataset.open(out)
    report = run(rendered / "plan.jsonl", out)
    assert report.reused == after
    assert contents_of(out) == contents_of(rendered)


def test_killed_in_the_middle_and_run_again(corpus, many, process, command, tmp_path, contents_of):
    out = tmp_path / "dataset"
    arguments = ("render", many / "plan.jsonl", "-o", out, *corpus.options, "--jobs")
    first = process(*arguments, 2)
    try:
        progress = out / dataset_writer.STAGE.journal
        deadline = time.monotonic() + 300
        while not (progress.exists() and progress.read_bytes().count(b"\n") > 1):
            assert first.poll() is None, first.communicate()
            assert time.monotonic() < deadline, "nothing was rendered"
            time.sleep(0.002)
        os.killpg(first.pid, signal.SIGSTOP)
        # while it holds the folder, nobody else gets in
        second = command(*arguments, 1)
        assert_one_line(second)
        assert f"{out}: another process is at work here (render); wait for it or stop it" in second.stderr
    finally:
        os.killpg(first.pid, signal.SIGKILL)
        first.communicate(timeout=300)
    assert first.returncode == -signal.SIGKILL
    assert not (out / "dataset.json").exists()
    _, entries = resume.read_journal(progress)
    assert 1 <= len(entries) < 9
    # even beside a scene that is kept, whose files nobody writes again
    (out / f"stems/noise/{entries[0]['scene_id']}.flac.part").write_bytes(b"what a killed process leaves behind")

    again = command(*arguments, 1)
    assert again.exit_code == 0, again.stderr
    assert f"9 scenes ({len(entries)} kept from an earlier run), 27 mixtures" in again.stdout
    assert list(out.rglob("*.part")) == []
    found, expected = contents_of(out), contents_of(many)
    assert list(found) == list(expected)
    assert [name for name in expected if found[name] != expected[name]] == []


def test_a_journal_that_was_cut_off_is_good_up_to_there(rendered, run, tmp_path, contents_of, scene_by_scene):
    out = tmp_path / "dataset"
    with pytest.raises(KeyboardInterrupt):
        run(rendered / "plan.jsonl", out, executor=Interrupted(3))
    content = (out / dataset_writer.STAGE.journal).read_bytes()
    (out / dataset_writer.STAGE.journal).write_bytes(content[:-40])
    assert run(rendered / "plan.jsonl", out).reused == 2
    assert contents_of(out) == contents_of(rendered)


@pytest.mark.parametrize("damage", ["TS2/s000001.flac", "stems/noise/s000000.flac", "activity/s000003.json"])
def test_what_was_damaged_or_lost_is_made_again(rendered, copy_of_rendered, run, contents_of, damage):
    path = copy_of_rendered / damage
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)
    (copy_of_rendered / "stems/target/s000002.flac").unlink()
    assert run(rendered / "plan.jsonl", copy_of_rendered).reused == 2
    assert contents_of(copy_of_rendered) == contents_of(rendered)


@pytest.mark.parametrize("name", ["mixtures.csv", "files.csv"])
def test_a_changed_table_is_not_taken_for_what_was_rendered(rendered, copy_of_rendered, run, contents_of, name):
    """Else its rows would go into the new tables, and hold from then on."""
    path = copy_of_rendered / name
    path.write_text(path.read_text().replace("s000001.", "s00000x.").replace(",street/", ",rain/"))
    before = contents_of(copy_of_rendered)
    with pytest.raises(InputError, match=f"{name}: changed since it was rendered; restore it, or .* with --force"):
        run(rendered / "plan.jsonl", copy_of_rendered)
    assert contents_of(copy_of_rendered) == before
    run(rendered / "plan.jsonl", copy_of_rendered, force=True)
    assert contents_of(copy_of_rendered) == contents_of(rendered)


def test_a_finished_dataset_is_left_as_it_is(rendered, copy_of_rendered, run, contents_of, monkeypatch):
    monkeypatch.setattr(render, "render_scene", lambda *given: pytest.fail("rendered again"))
    assert run(rendered / "plan.jsonl", copy_of_rendered).reused == 4
    assert contents_of(copy_of_rendered) == contents_of(rendered)


def test_a_full_disk_is_one_line_and_the_run_continues(
    corpus, rendered, command, tmp_path, contents_of, monkeypatch, scene_by_scene
):
    arguments = ("render", rendered / "plan.jsonl", "-o", tmp_path / "dataset", "--jobs", 1, *corpus.options)
    written = Counter()
    write = Path.write_bytes

    def full(path, content):
        written["files"] += 1
        if written["files"] > 12:
            write(path, content[: len(content) // 2])
            raise OSError(errno.ENOSPC, "No space left on device", str(path))
        return write(path, content)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        result = command(*arguments)
    assert result.exit_code == 1
    complaints = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert len(complaints) == 1
    assert "the disk is full; make room and run the same command again, it continues" in complaints[0]
    assert list((tmp_path / "dataset").rglob("*.part")) == []
    again = command(*arguments)
    assert (again.exit_code, again.stdout.count("1 kept from an earlier run")) == (0, 1)
    assert contents_of(tmp_path / "dataset") == contents_of(rendered)


@pytest.mark.parametrize("left", ["", "plan.jsonl.part", "render.journal.part"])
def test_stopped_before_the_journal_began(rendered, run, tmp_path, contents_of, monkeypatch, left):
    out = tmp_path / "dataset"

    def full(*given):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(resume, "open_journal", full)
        with pytest.raises(OSError, match="No space"):
            run(rendered / "plan.jsonl", out)
    if left:
        (out / left).write_bytes(b"what a killed process leaves behind")
    run(rendered / "plan.jsonl", out)
    assert contents_of(out) == contents_of(rendered)


# ---- damaged sources


def _missing(path):
    path.unlink()


def _truncated(path):
    path.write_bytes(path.read_bytes()[:-2000])


def _changed(path):
    samples, rate = soundfile.read(path, dtype="int16")
    soundfile.write(path, samples[::-1], rate, subtype="PCM_16")


def clip_of_one_scene(recipes):
    """A speech clip that only one scene uses, and that scene's name."""
    uses = {}
    for recipe in recipes:
        people = [recipe.target, *recipe.interferers]
        for segment in [s for talker in people for s in talker.segments] + recipe.enrollment.segments:
            uses.setdefault(segment.path, set()).add(recipe.scene_id)
    return next((path, *scenes) for path, scenes in sorted(uses.items()) if len(scenes) == 1)


@pytest.mark.parametrize(
    ("damage", "complaint"),
    [
        (_missing, "no such file; check the path"),
        (_truncated, "restore"),
        (_changed, "not the file its manifest describes (sha256 differs)"),
    ],
)
def test_a_damaged_source_costs_only_its_scene(
    corpus, rendered, command, tmp_path, contents_of, damage, complaint
):
    moved = corpus.moved(tmp_path / "corpora")
    clip, scene_id = clip_of_one_scene(corpus.recipes())
    source = moved.root("talk") / clip
    content = source.read_bytes()
    damage(source)
    out = tmp_path / "dataset"
    arguments = ("render", rendered / "plan.jsonl", "-o", out, "--jobs", 1, *moved.options)

    result = command(*arguments)
    assert result.exit_code == 1
    assert f"{out}: 3 scenes, 9 mixtures" in result.stdout
    assert "1 of 4 scenes could not be rendered" in result.stderr
    (problem,) = rows_of(out, "quarantine.csv")
    assert problem["scene_id"] == scene_id
    assert problem["reason"].startswith(f"talk:{clip}: ")  # no path of this machine
    assert complaint in problem["reason"]
    assert "\n" not in problem["reason"]
    assert problem["reason"] in result.stderr
    description = json.loads((out / "dataset.json").read_text())
    assert (description["complete"], description["planned_scenes"], description["scenes"]) == (False, 4, 3)
    assert {row["scene_id"] for row in rows_of(out)} == {f"s00000{k}" for k in range(4)} - {scene_id}
    assert not list(out.rglob(f"{scene_id}*"))
    for name, expected in contents_of(rendered).items():
        if "/" in name and scene_id not in name:
            assert (out / name).read_bytes() == expected
    report = verify(out, roots=moved.roots, executor=Serial())
    assert report.problems == [
        f"{out}: 1 of 4 scenes could not be rendered",
        f"1 scenes of the plan are not rendered: {scene_id}",
    ]

    source.write_bytes(content)
    again = command(*arguments)
    assert (again.exit_code, again.stdout.count("3 kept from an earlier run")) == (0, 1)
    assert contents_of(out) == contents_of(rendered)


def test_a_damaged_measured_response_costs_only_its_scenes(corpus, run, tmp_path):
    moved = corpus.moved(tmp_path / "corpora")
    path = corpus.plan(tmp_path / "plan.jsonl", room={"engine": "measured"})
    halls = [recipe for recipe in corpus.recipes(room={"engine": "measured"}) if recipe.room.room_id == "hall"]
    samples, rate = soundfile.read(moved.root("halls") / "hall/left.wav")
    soundfile.write(moved.root("halls") / "hall/left.wav", 0.5 * samples, rate, subtype="PCM_24")
    report = run(path, tmp_path / "dataset", roots=moved.roots)
    assert 0 < len(halls) < 4
    assert [problem.scene_id for problem in report.problems] == [recipe.scene_id for recipe in halls]
    assert {"sha256 differs" in problem.reason for problem in report.problems} == {True}
    assert report.scenes == 4 - len(halls)


def test_scenes_of_a_lost_worker_are_quarantined(rendered, run, tmp_path):
    class Lost(Serial):
        def run(self, function, items):
            yield from (Outcome(index, lost="its worker process died twice") for index, _ in enumerate(items))

    report = run(rendered / "plan.jsonl", tmp_path / "dataset", executor=Lost())
    assert (report.scenes, report.mixtures) == (0, 0)
    assert [problem.scene_id for problem in report.problems] == [f"s00000{index}" for index in range(4)]
    assert {problem.reason for problem in report.problems} == {"its worker process died twice"}
    # and the next run makes them
    assert run(rendered / "plan.jsonl", tmp_path / "dataset").problems == []


# ---- nothing is overwritten


def test_a_folder_with_other_files_is_refused(corpus, rendered, command, tmp_path):
    out = tmp_path / "mine"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    for more in ([], ["--force"]):
        result = command("render", rendered / "plan.jsonl", "-o", out, "--jobs", 1, *corpus.options, *more)
        assert_one_line(result)
        assert f"{out}: holds other files (thesis.tex); give a new or empty folder" in result.stderr
    assert [path.name for path in out.iterdir()] == ["thesis.tex"]
    assert (out / "thesis.tex").read_text() == "years of work"


def test_a_folder_with_only_another_plan_is_refused(corpus, rendered, run, tmp_path):
    out = tmp_path / "dataset"
    other = corpus.plan(out / "plan.jsonl", seed=77)
    content = other.read_bytes()
    with pytest.raises(InputError, match=r"holds other files \(plan\.jsonl\)"):
        run(rendered / "plan.jsonl", out)
    assert other.read_bytes() == content


def test_a_plan_may_lie_in_the_folder_of_its_dataset(rendered, run, tmp_path, contents_of):
    out = tmp_path / "dataset"
    out.mkdir()
    (out / "plan.jsonl").write_bytes((rendered / "plan.jsonl").read_bytes())
    run(out / "plan.jsonl", out)
    assert contents_of(out) == contents_of(rendered)
    run(out / "plan.jsonl", out, force=True)
    assert contents_of(out) == contents_of(rendered)


def test_a_dataset_of_another_plan_is_replaced_only_by_force(
    corpus, rendered, copy_of_rendered, command, tmp_path, contents_of
):
    other = corpus.plan(tmp_path / "other.jsonl", count=1, seed=5)
    (copy_of_rendered / "notes.txt").write_text("mine")
    before = contents_of(copy_of_rendered)
    arguments = ("render", other, "-o", copy_of_rendered, "--jobs", 1, *corpus.options)
    result = command(*arguments)
    assert_one_line(result)
    assert f"{copy_of_rendered}: begun with seed 1, now 5; 4 scenes, now 1; give a new folder" in result.stderr
    assert "--force" in result.stderr
    assert contents_of(copy_of_rendered) == before

    assert command(*arguments, "--force").exit_code == 0
    assert command("render", other, "-o", tmp_path / "fresh", "--jobs", 1, *corpus.options).exit_code == 0
    assert contents_of(copy_of_rendered) == {**contents_of(tmp_path / "fresh"), "notes.txt": b"mine"}


@pytest.mark.parametrize("interrupted", [True, False])
def test_a_run_is_not_continued_with_other_packages(
    rendered, run, tmp_path, monkeypatch, scene_by_scene, interrupted
):
    out = tmp_path / "dataset"
    if interrupted:
        with pytest.raises(KeyboardInterrupt):
            run(rendered / "plan.jsonl", out, executor=Interrupted(1))
    else:
        run(rendered / "plan.jsonl", out)
    monkeypatch.setattr(dataset, "sound_versions", lambda: {"pyroomacoustics": "99.0"})
    with pytest.raises(
        InputError,
        match=r"begun with .*versions\.pyroomacoustics 0\..*, now 99\.0;.* give a new",
    ):
        run(rendered / "plan.jsonl", out)


def test_a_dataset_is_not_continued_in_another_format(rendered, copy_of_rendered, run):
    with pytest.raises(InputError, match="begun with format flac, now wav; give a new folder, or --force"):
        run(rendered / "plan.jsonl", copy_of_rendered, format="wav")


def test_two_runs_at_once(corpus, rendered, command, tmp_path):
    out = tmp_path / "dataset"
    with locks.locked(out, "render"):
        result = command("render", rendered / "plan.jsonl", "-o", out, "--jobs", 1, *corpus.options)
    assert_one_line(result)
    assert "another process is at work here" in result.stderr
    assert list(out.iterdir()) == []


def test_a_corpus_without_a_folder_is_told_before_any_work(corpus, rendered, command, tmp_path, monkeypatch):
    monkeypatch.delenv("PSE_BENCH_ROOT_HUSH", raising=False)
    out = tmp_path / "dataset"
    result = command("render", rendered / "plan.jsonl", "-o", out, "--root", f"talk={corpus.root('talk')}")
    assert_one_line(result)
    assert "corpus hush: no folder given; add --root hush=DIR or set PSE_BENCH_ROOT_HUSH" in result.stderr
    assert not out.exists()


def test_a_dry_run_writes_nothing(corpus, rendered, command, tmp_path, monkeypatch):
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    arguments = ("render", rendered / "plan.jsonl", "-o", tmp_path / "dataset", "--jobs", 1, *corpus.options)
    result = command(*arguments, "--dry-run", "--json")
    assert result.exit_code == 0
    guess = json.loads(result.stdout)
    assert (guess["scenes"], guess["mixtures"], guess["problems"]) == (4, 12, [])
    size = sum(path.stat().st_size for path in rendered.rglob("*/*") if path.is_file())
    assert guess["num_bytes"] == pytest.approx(size, rel=0.01)
    assert guess["seconds"] > 0
    assert "4 scenes, 12 mixtures: about" in command(*arguments, "--dry-run").stdout
    assert [path.name for path in tmp_path.iterdir()] == ["scratch"]
    assert list(scratch.iterdir()) == []


# ---- what a dataset says of itself


def test_the_description(rendered, corpus):
    document = json.loads((rendered / "dataset.json").read_text())
    assert list(document)[-1] == "seal_sha256"
    seal = document.pop("seal_sha256")
    assert seal == atomic.sha256_of_text(json.dumps(document, indent=2) + "\n")
    assert document.pop("timings_s").keys() == {"rooms", "scenes", "total"}
    versions = document.pop("versions")
    assert set(versions) == {"pse-bench", "numpy", "scipy", "soundfile", "pyroomacoustics"}
    assert versions["numpy"] == np.__version__
    stored = rows_of(rendered, "files.csv")
    plan_sha256 = atomic.sha256(rendered / "plan.jsonl")
    sounds = sorted([row["path"].rpartition(".")[0], row["content_sha256"]] for row in stored)
    assert document == {
        "schema": 1,
        "kind": "pse-bench dataset",
        "name": "tiny",
        "version": 3,
        "reference": "early",
        "sample_rate": 16000,
        "format": "flac",
        "plan_sha256": plan_sha256,
        "fingerprint": atomic.sha256_of_text(json.dumps([plan_sha256, sounds])),
        "planned_scenes": 4,
        "scenes": 4,
        "mixtures": 12,
        "complete": True,
        "tables": {name: atomic.sha256(rendered / name) for name in ("mixtures.csv", "files.csv")},
    }
    assert document["plan_sha256"] == atomic.sha256(corpus.plan(rendered.parent / "again.jsonl"))


def test_every_file_is_listed_with_its_hashes(rendered):
    stored = rows_of(rendered, "files.csv")
    tables = {"dataset.json", "plan.jsonl", "mixtures.csv", "files.csv"}
    found = {str(path.relative_to(rendered)) for path in rendered.rglob("*") if path.is_file()}
    assert {row["path"] for row in stored} == found - tables
    for row in stored:
        path = rendered / row["path"]
        assert int(row["num_bytes"]) == path.stat().st_size
        assert row["sha256"] == atomic.sha256(path)
        if path.suffix == ".flac":
            assert row["content_sha256"] == audio.sha256_of_samples(audio.read_pcm16(path))


def test_the_table_of_mixtures(rendered, corpus):
    rows = rows_of(rendered)
    expected = DESIGN_COLUMNS.split()
    assert list(rows[0])[: len(expected)] == expected
    recipes = {recipe.scene_id: recipe for recipe in corpus.recipes()}
    assert [row["mixture_id"] for row in rows] == [
        f"{scene_id}_{label}" for scene_id in recipes for label in ("TS1", "TS2", "TS3")
    ]
    _, _, planned = plan.read(rendered / "plan.jsonl")
    assert list(planned) == list(recipes.values())
    for row in rows:
        recipe, label, name = recipes[row["scene_id"]], row["scenario"], row["scene_id"]
        assert row["mixture_path"] == f"{label}/{name}.flac"
        assert row["reference_path"] == ("" if label == "TS3" else f"stems/target_early/{name}.flac")
        assert row["enrollment_path"] == f"enrollment/{name}.flac"
        assert row["mixture_sha256"] == atomic.sha256(rendered / row["mixture_path"])
        assert row["target_speaker"] == recipe.target.speaker_id
        assert row["text"] == ("" if label == "TS3" else recipe.target.text)
        assert float(row["snr_db"]) == recipe.snr_db
        assert abs(float(row["snr_achieved_db"]) - recipe.snr_db) <= 0.1
        assert float(row["rt60_s"]) == recipe.room.rt60_s
        assert float(row["rt60_achieved_s"]) == pytest.approx(recipe.room.rt60_s, rel=0.02)
        assert int(row["num_samples"]) == len(audio.read_pcm16(rendered / row["mixture_path"]))
        interferer = (
            row["interferer_speaker"],
            row["sir_db"],
            row["sir_achieved_db"],
            row["interferer_distance_m"],
        )
        if label == "TS1":
            assert interferer == ("", "", "", "")
            assert row["num_interferers"] == "0"
        else:
            (other,) = recipe.interferers
            assert interferer[0] == other.speaker_id
            assert float(interferer[1]) == recipe.sir_db
            assert abs(float(interferer[2]) - recipe.sir_db) <= 0.1
            assert float(interferer[3]) == other.distance_m
    assert rows[0]["text"].endswith('” – "naïve"')


def test_the_words_of_an_interferer_are_told_when_they_are_whole(corpus, run, tmp_path):
    changes = {"interferer": {"overlap": 1.0, "pause_s": 1.0}, "room": {"rooms": 1, "places": 1}}
    path = corpus.plan(tmp_path / "plan.jsonl", count=2, **changes)
    run(path, tmp_path / "dataset")
    texts = {
        u.speaker_id: {v.text for v in corpus.utterances if v.speaker_id == u.speaker_id}
        for u in corpus.utterances
    }
    for row in rows_of(tmp_path / "dataset"):
        if row["scenario"] == "TS1":
            assert row["interferer_text"] == ""
        else:
            assert row["interferer_text"] in texts[row["interferer_speaker"]]


def test_several_interferers_in_the_table(corpus, run, tmp_path):
    changes = {"interferer": {"count": 2}, "reference": "reverberant"}
    (recipe,) = corpus.recipes(1, **changes)
    run(corpus.plan(tmp_path / "plan.jsonl", count=1, **changes), tmp_path / "dataset")
    row = rows_of(tmp_path / "dataset")[1]
    assert row["interferer_speaker"] == ";".join(talker.speaker_id for talker in recipe.interferers)
    assert float(row["interferer_distance_m"]) == min(talker.distance_m for talker in recipe.interferers)
    assert (row["num_interferers"], row["interferer_text"], row["overlap"]) == ("2", "", "")
    assert row["reference_path"] == "stems/target/s000000.flac"


def test_a_training_set_renders_each_scene_once(corpus, run, tmp_path):
    changes = {"shares": {"TS1": 0.4, "TS2": 0.3, "TS3": 0.3}, "room": {"rooms": 2, "places": 2}}
    recipes = corpus.recipes(8, **changes)
    report = run(corpus.plan(tmp_path / "plan.jsonl", count=8, **changes), tmp_path / "dataset")
    assert (report.scenes, report.mixtures, report.problems) == (8, 8, [])
    opened = dataset.Dataset.open(tmp_path / "dataset")
    assert [(row.scene_id, row.scenario) for row in opened.mixtures] == [
        (recipe.scene_id, *recipe.scenarios) for recipe in recipes
    ]
    labels = Counter(row.scenario for row in opened.mixtures)
    assert set(labels) == {"TS1", "TS2", "TS3"}
    for label, count in labels.items():
        assert len(list((tmp_path / "dataset" / label).iterdir())) == count
    for row in opened.mixtures:
        assert opened.stem_path(row.scene_id, "interferer").exists() == (row.scenario != "TS1")
        if row.scenario == "TS1":
            assert not opened.read_activity(row.scene_id)["interferer"].any()
    assert len(list((tmp_path / "dataset/stems/interferer").iterdir())) == 8 - labels["TS1"]
    assert verify(tmp_path / "dataset", roots=corpus.roots, executor=Serial()).problems == []


# ---- from manifests in one go


def test_generate_is_plan_and_render(corpus, rendered, command, tmp_path, contents_of):
    scenario = tmp_path / "tiny.yaml"
    head = json.loads((rendered / "plan.jsonl").read_text(encoding="utf-8").split("\n")[0])
    scenario.write_text(json.dumps(head["scenario"]))  # JSON is YAML
    manifests = ("--speech", corpus.manifest("speech"), "--noise", corpus.manifest("noise"))
    chosen = (scenario, *manifests, "-n", 2, "--seed", 1)
    made = command("generate", *chosen, "-o", tmp_path / "one", "--jobs", 1, *corpus.options)
    assert made.exit_code == 0, made.stderr
    assert command("plan", *chosen, "-o", tmp_path / "plan.jsonl").exit_code == 0
    told = command(
        "render", tmp_path / "plan.jsonl", "-o", tmp_path / "two", "--jobs", 1, "--json", *corpus.options
    )
    assert contents_of(tmp_path / "one") == contents_of(tmp_path / "two")
    summary = json.loads(told.stdout)
    assert summary["fingerprint"] == dataset.Dataset.open(tmp_path / "one").description.fingerprint
    assert (summary["scenes"], summary["mixtures"], summary["problems"]) == (2, 6, [])
    # the first scenes of a longer plan
    assert (tmp_path / "one/TS2/s000001.flac").read_bytes() == (rendered / "TS2/s000001.flac").read_bytes()


# ---- more scenes for a dataset


@pytest.fixture
def generate(corpus, command, tmp_path):
    """pse-bench generate with the tiny scenario, changed or not."""

    def start(out, count, *more, seed=1, speech=None, **changes):
        scenario = tmp_path / "tiny.yaml"
        scenario.write_text(json.dumps(changed(**changes)))  # JSON is YAML
        manifests = ("--speech", speech or corpus.manifest("speech"), "--noise", corpus.manifest("noise"))
        given = (scenario, *manifests, "-n", count, "--seed", seed, "-o", out, "--jobs", 1, *corpus.options)
        return command("generate", *given, *more)

    return start


@pytest.mark.parametrize("room", [{}, {"rooms": 2}])
def test_more_scenes_are_added_to_a_dataset(generate, tmp_path, contents_of, room):
    """The first scenes are kept, all else is that of a run with as many from the beginning."""
    extended, fresh = tmp_path / "extended", tmp_path / "fresh"
    assert generate(extended, 2, room=room).exit_code == 0
    before = {path: path.stat().st_mtime_ns for path in extended.rglob("*.flac")}
    done = generate(extended, 4, room=room)
    assert done.exit_code == 0
    assert f"{extended}: 4 scenes (2 kept from an earlier run), 12 mixtures" in done.stdout
    assert {path: path.stat().st_mtime_ns for path in before} == before
    assert generate(fresh, 4, room=room).exit_code == 0
    assert contents_of(extended) == contents_of(fresh)


def test_what_was_damaged_meanwhile_is_made_again(generate, tmp_path, contents_of, rendered):
    extended = tmp_path / "extended"
    generate(extended, 2)
    (extended / "TS2/s000001.flac").write_bytes(b"no sound")
    assert "4 scenes (1 kept from an earlier run)" in generate(extended, 4).stdout
    generate(tmp_path / "fresh", 4)
    assert contents_of(extended) == contents_of(tmp_path / "fresh")


@pytest.mark.parametrize("finished", [True, False], ids=["complete", "interrupted"])
@pytest.mark.parametrize("after", [0, 1])
def test_adding_scenes_continues_after_an_interruption(
    corpus, rendered, run, tmp_path, contents_of, scene_by_scene, finished, after
):
    out = tmp_path / "dataset"
    short = corpus.plan(tmp_path / "short.jsonl", count=2)
    if finished:
        run(short, out)
    else:
        with pytest.raises(KeyboardInterrupt):
            run(short, out, executor=Interrupted(1))
    with pytest.raises(KeyboardInterrupt):
        run(rendered / "plan.jsonl", out, executor=Interrupted(after))
    report = run(rendered / "plan.jsonl", out)
    assert report.reused == (2 if finished else 1) + after
    assert contents_of(out) == contents_of(rendered)


def test_stopped_between_the_longer_plan_and_its_journal(
    corpus, rendered, run, tmp_path, contents_of, monkeypatch
):
    out = tmp_path / "dataset"
    run(corpus.plan(tmp_path / "short.jsonl", count=2), out)
    with monkeypatch.context() as patch:
        patch.setattr(resume, "open_journal", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            run(rendered / "plan.jsonl", out)
    assert run(rendered / "plan.jsonl", out).reused == 2
    assert contents_of(out) == contents_of(rendered)


CHANGES = {
    "fewer scenes": ({"count": 1}, "2 scenes, now 1"),
    "another seed": ({"count": 4, "seed": 5}, "seed 1, now 5; 2 scenes, now 4"),
    "a field": ({"count": 2, "noise": {"snr_db": 7}}, "noise.snr_db {uniform: [3, 15]}, now 7"),
    "fields": (
        {"count": 2, "version": 4, "interferer": {"sir_db": {"uniform": [0, 5]}, "count": 2}},
        "version 3, now 4; interferer.sir_db.uniform [0, 10], now [0, 5]; interferer.count none, now 2",
    ),
}


@pytest.mark.parametrize("case", CHANGES)
def test_what_has_changed_is_said_in_words_and_nothing_is_lost(generate, tmp_path, contents_of, case):
    changes, words = CHANGES[case]
    out = tmp_path / "dataset"
    generate(out, 2)
    before = contents_of(out)
    done = generate(out, **changes)
    assert done.exit_code == 1
    message = f"Error: {out}: begun with {words}; give a new folder, or --force to start again"
    assert done.stderr.splitlines()[-1] == message
    assert contents_of(out) == before


@pytest.mark.parametrize("kept", [slice(0, -1), slice(1, None)])
def test_changed_manifests_are_counted(corpus, generate, tmp_path, kept):
    out, speech = tmp_path / "dataset", tmp_path / "speech.csv"
    tables.write_table(speech, schemas.Utterance, corpus.utterances[:-1])
    generate(out, 2, speech=speech)
    tables.write_table(speech, schemas.Utterance, corpus.utterances[kept])
    done = generate(out, 2, speech=speech)
    if kept.start == 0:
        assert done.exit_code == 0
    else:
        assert f"{out}: begun with 19 clips of speech, now 19 others; give a new folder" in done.stderr
    done = generate(out, 2)
    assert f"{out}: begun with 19 clips of speech, now 20; give a new folder" in done.stderr


def test_a_plan_that_was_edited_is_told_by_its_line(corpus, rendered, copy_of_rendered, run, tmp_path):
    lines = (rendered / "plan.jsonl").read_text(encoding="utf-8").split("\n")
    recipe = json.loads(lines[2])
    lines[2] = json.dumps(recipe | {"snr_db": 1.5}, ensure_ascii=False)
    (tmp_path / "edited.jsonl").write_text("\n".join(lines), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"begun with other recipes from line 3 of its plan on; give a new folder"
    ):
        run(tmp_path / "edited.jsonl", copy_of_rendered)


def test_a_plan_whose_numbers_are_written_otherwise_is_rendered_as_it_is_read(
    rendered, run, tmp_path, contents_of
):
    """16000.0 is 16000 in JSON."""
    text = (rendered / "plan.jsonl").read_text()
    (tmp_path / "plan.jsonl").write_text(text.replace('"sample_rate":16000,', '"sample_rate":16000.0,'))
    assert (tmp_path / "plan.jsonl").read_text() != text
    report = run(tmp_path / "plan.jsonl", tmp_path / "out")
    assert not report.problems
    sounds = [name for name in contents_of(rendered) if name.endswith(".flac")]
    assert [contents_of(tmp_path / "out")[name] for name in sounds] == [
        contents_of(rendered)[name] for name in sounds
    ]
