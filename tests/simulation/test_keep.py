"""Datasets of which only what is wanted was written: the same bytes, verified and continued as what they are."""

import json
import shutil

import pytest
from click.testing import CliRunner

from pse_bench.cli import cli
from pse_bench.dataset import dataset, webdataset
from pse_bench.errors import InputError, RequestError
from pse_bench.export import exporter
from pse_bench.runtime.executor import Serial
from pse_bench.runtime.merging import gather
from pse_bench.runtime.sharding import Shard
from pse_bench.scoring.score import score
from pse_bench.simulation import dataset_writer, render
from pse_bench.simulation.verify import verify
from pse_bench.systems.enhance import enhance

KEPT = ["target_early", "enrollment", "activity"]


@pytest.fixture
def plan_path(rendered):
    return rendered / "plan.jsonl"


@pytest.fixture
def run(corpus, tmp_path):
    def start(plan_path, out, **more):
        given = {"roots": corpus.roots, "executor": Serial(), "bank": tmp_path / "rooms", "keep": KEPT, **more}
        return render.render(plan_path, tmp_path / out, **given)

    return start


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_is_kept_has_the_bytes_that_it_has_among_everything(run, plan_path, rendered, tmp_path, corpus):
    run(plan_path, "some")
    found, whole = contents(tmp_path / "some"), contents(rendered)
    sounds = {path for path in found if "/" in path}
    assert {path.rsplit("/", 1)[0] for path in sounds} == {
        *("TS1", "TS2", "TS3"),
        *("stems/target_early", "enrollment", "activity"),
    }
    assert all(found[path] == whole[path] for path in sounds)
    assert json.loads(found["dataset.json"])["kept"] == KEPT
    assert "kept" not in json.loads(whole["dataset.json"])
    for rerender in (0, 2):
        report = verify(tmp_path / "some", rerender=rerender, roots=corpus.roots, executor=Serial())
        assert report.problems == []


@pytest.mark.parametrize("keep", ["mixture", "target,noise,activity", "interferer"])
def test_any_choice_is_verified_and_a_changed_bit_found(run, plan_path, tmp_path, corpus, keep):
    run(plan_path, "some", keep=keep.split(","))
    opened = dataset.Dataset.open(tmp_path / "some")
    assert opened.parts_kept == set(keep.split(",")) - {"mixture"}
    assert (
        {row.enrollment_path for row in opened.mixtures} == {row.reference_path for row in opened.mixtures} == {""}
    )
    assert verify(opened.folder, roots=corpus.roots, executor=Serial()).problems == []
    path = opened.folder / opened.mixtures[0].mixture_path
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert len(verify(opened.folder, roots=corpus.roots, executor=Serial()).problems) == 1


def test_it_is_continued_and_merged_only_with_the_same_choice(run, plan_path, tmp_path):
    whole = run(plan_path, "whole")
    for number in (1, 2):
        run(plan_path, "shards", share=Shard(number, 2))
    merged = dataset_writer.merge(tmp_path / "shards", gather(tmp_path / "shards"))
    assert merged.fingerprint == whole.fingerprint
    assert json.loads((tmp_path / "shards" / "dataset.json").read_text())["kept"] == KEPT
    assert run(plan_path, "whole").reused == whole.scenes
    for keep in (dataset.PARTS, ["target"]):
        with pytest.raises(InputError, match="begun with kept"):
            run(plan_path, "whole", keep=keep)
    run(plan_path, "mixed", share=Shard(1, 2))
    run(plan_path, "mixed", share=Shard(2, 2), keep=dataset.PARTS)
    with pytest.raises(InputError, match="has another kept than"):
        gather(tmp_path / "mixed")


def test_a_dataset_of_everything_is_not_continued_with_less(copy_of_rendered, run):
    with pytest.raises(InputError, match="begun with kept"):
        run(copy_of_rendered / "plan.jsonl", copy_of_rendered)


def test_what_is_needed_and_not_there_is_said_in_one_line(run, plan_path, tmp_path):
    run(plan_path, "some", keep=["target"])
    opened, out = dataset.Dataset.open(tmp_path / "some"), tmp_path / "out"
    uses = {
        "target_early, enrollment": lambda: enhance(opened, "mixture", out, executor=Serial()),
        "target_early, interferer, enrollment, activity": lambda: score(
            opened, rendered_submission(tmp_path, opened), out, executor=Serial(), names=["wrong_speaker", "tsos"]
        ),
        "interferer, noise, enrollment": lambda: exporter.items(opened),
        "activity": lambda: opened[0].active,
        "enrollment": lambda: opened[0].enrollment,
    }
    for missing, use in uses.items():
        with pytest.raises(
            InputError, match=f"rendered without {missing}, which this needs; render its plan again"
        ):
            use()
    assert opened[0].target is not None
    assert opened[0].reference is None


def rendered_submission(tmp_path, opened):
    """What is submitted where nothing is done."""
    folder = tmp_path / "submission"
    for row in opened.mixtures:
        (folder / row.scenario).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(opened.folder / row.mixture_path, folder / row.mixture_path)
    (folder / "system.yaml").write_text("name: nothing\nversion: 1\n")
    return folder


def test_shards_of_it_read_as_it_does(run, plan_path, tmp_path):
    run(plan_path, "some")
    webdataset.pack(dataset.Dataset.open(tmp_path / "some"), str(tmp_path / "tars"), size=10**9, executor=Serial())
    packed = webdataset.open_any(str(tmp_path / "tars"))
    assert packed.parts_kept == set(KEPT)
    assert len(packed[0].reference) == packed[0].row.num_samples
    with pytest.raises(InputError, match="rendered without noise"):
        packed.read_stem(packed[0].row.scene_id, "noise")


def test_an_unknown_part_is_named(run, plan_path, corpus, tmp_path):
    with pytest.raises(RequestError, match="no part 'targets' of a scene; there are mixture, target, "):
        run(plan_path, "some", keep=["targets"])
    out = str(tmp_path / "some")
    roots = [option for name, at in corpus.roots._folders.items() for option in ("--root", f"{name}={at}")]
    command = ["render", str(plan_path), "-o", out, "--jobs", "1", "--keep", "activity, mixture", *roots]
    done = CliRunner().invoke(cli, command)
    assert done.exit_code == 0, done.output
    assert dataset.Dataset.open(out).description.kept == ["activity"]
