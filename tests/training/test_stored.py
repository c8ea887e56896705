"""Training from rendered datasets, and the command."""

import csv
import json
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from pse_bench import train_model
from pse_bench.cli import cli
from pse_bench.dataset import webdataset
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.runtime.executor import Serial
from pse_bench.training import checkpoint, config
from pse_bench.training import train as loop
from pse_bench.training.config import Validation
from pse_bench.training.data import batches, sources
from pse_bench.training.data.scenes import StoredScenes

pytestmark = pytest.mark.usefixtures("threads")


def test_a_chunk_is_cut_out_of_the_stored_mixture(tiny, dataset) -> None:
    """At one gain for all of it, with the activity that lies at the same place."""
    scenes = StoredScenes([dataset], tiny.config())
    stored = Dataset.open(dataset)
    for index in range(6):
        part = scenes.scene(1, ("cut", index))
        found = None
        for row in stored.mixtures:
            if row.scenario != part.label:
                continue
            noise = stored.read_stem(row.scene_id, "noise").astype(np.float64)
            for start in range(0, row.num_samples - scenes.chunk + 1, 160):
                stretch = noise[start : start + scenes.chunk]
                gain = np.dot(stretch, part.stems["noise"]) / np.dot(stretch, stretch)
                if np.allclose(gain * stretch, part.stems["noise"], atol=1e-6):
                    found = row.scene_id, start, gain
        assert found
        name, start, gain = found
        stems = ["target"] * (part.label != "TS3") + ["interferer"] * (part.label != "TS1") + ["noise"]
        total = sum(stored.read_stem(name, stem)[start : start + scenes.chunk].astype(float) for stem in stems)
        assert np.allclose(part.mixture(part.label), gain * total, atol=1e-6)
        early = stored.read_stem(name, "target_early")[start : start + scenes.chunk]
        assert np.allclose(part.stems["reference"], gain * early, atol=1e-6)
        mask = stored.read_activity(name)["target"][start : start + scenes.chunk]
        assert np.array_equal(np.repeat(part.active["target"], 160), mask)


def test_the_its_share_is_drawn_where_it_is_given(tiny, dataset) -> None:
    asked = tiny.config(data={"its_share": 0.0})
    scenes = StoredScenes([dataset], asked)
    assert {scenes.scene(1, ("share", i)).label for i in range(30)} == {"TS1", "TS2"}
    batch = batches.draw(StoredScenes([dataset], tiny.config(data={"its_share": 0.9})), 1, 0, range(20))
    assert 12 <= batch.is_its.sum() < 20
    assert not batch.reference[batch.is_its].any()


def test_people_who_are_looked_at_are_in_no_scene_that_is_trained_on(tiny, dataset) -> None:
    source = sources.from_datasets(tiny.config(), folders=[dataset])
    stored = Dataset.open(dataset)
    held_out = sources.split_validation({row.target_speaker for row in stored.mixtures}, Validation(speakers=2))
    for _, row in source.scenes._rows:
        assert row.target_speaker not in held_out
        assert not set(row.interferer_speaker.split(";")) & held_out
    assert len(source.validation) == 3


def test_a_run_from_a_dataset_resumes_to_the_same_bits(tiny, dataset, tmp_path) -> None:
    asked = tiny.config()
    for folder, stop in (("once", None), ("twice", 2), ("twice", None)):
        loop.train(asked, sources.from_datasets(asked, folders=[dataset]), tmp_path / folder, stop_after=stop)
    once, twice = (tmp_path / name / "state.safetensors" for name in ("once", "twice"))
    assert once.read_bytes() == twice.read_bytes()


def test_shards_train_as_the_dataset_does(tiny, dataset, tmp_path) -> None:
    place = f"memory://{tmp_path}/shards"
    webdataset.pack(Dataset.open(dataset), place, size=1_500_000, executor=Serial())
    asked = tiny.config()
    folder, shards = (sources.from_datasets(asked, folders=[where]) for where in (dataset, place))
    assert shards.fingerprints == folder.fingerprints
    for step in range(2):
        ours, theirs = (batches.draw(source.scenes, 1, step, range(4)) for source in (shards, folder))
        assert all(np.array_equal(a, b) for a, b in zip(ours, theirs, strict=True))
    assert len(pickle.loads(pickle.dumps(shards.scenes))) == len(folder.scenes), "data workers get it too"


def test_chunks_longer_than_every_scene_are_refused(tiny, dataset) -> None:
    with pytest.raises(InputError, match=r"no mixture is 9 s long; set a shorter data\.chunk_s"):
        StoredScenes([dataset], tiny.config(data={"chunk_s": 9.0}))


# ---- the command


def call(*words: object):
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="pse-bench")


@pytest.fixture
def options(tiny, tmp_path) -> list[object]:
    """A configuration in a file, and everything else that the command needs."""
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(tiny.config().model_dump()))
    return [
        *("--config", path, "--speech", tiny.folder / "speech.csv", "--noise", tiny.folder / "noise.csv"),
        *("--root", f"talk={tiny.folder / 'talk'}", "--root", f"hush={tiny.folder / 'hush'}", "--jobs", 1),
        *("--cache", tiny.cache, "--room-bank", tiny.cache / "rooms"),
    ]


def test_the_command_trains_continues_and_interpolates(options, tmp_path) -> None:
    done = call("train", "pse", *options, "--set", "steps=2", "-o", tmp_path / "run")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{tmp_path / 'run' / 'checkpoint.safetensors'}\n"
    assert "s of audio" in done.stderr
    assert "4 people in 2 voices to train on, with 1 min of speech in their own" in done.stderr
    with (tmp_path / "run" / "log.csv").open() as stream:
        assert len(list(csv.DictReader(stream))) == 2
    again = call("train", "pse", *options, "--set", "steps=2", "-o", tmp_path / "run")
    assert again.exit_code == 0
    other = call("train", "pse", *options, "--set", "steps=3", "--set", "seed=2", "-o", tmp_path / "run")
    assert other.exit_code == 1
    assert "holds a run with another config" in other.stderr
    longer = call("train", "pse", *options, "--set", "steps=3", "--device", "cpu", "-o", tmp_path / "run")
    assert longer.exit_code == 0, longer.output
    with (tmp_path / "run" / "log.csv").open() as stream:
        assert [row["step"] for row in csv.DictReader(stream)] == ["1", "2", "3"]
    shorter = call("train", "pse", *options, "--set", "steps=2", "-o", tmp_path / "run")
    assert "holds a run with another config" in shorter.stderr
    anew = call("train", "pse", *options, "--set", "steps=1", "-o", tmp_path / "run", "--force")
    assert anew.exit_code == 0
    path = tmp_path / "run" / "checkpoint.safetensors"
    between = call("train", "interpolate", path, path, "--share", 0.5, "-o", tmp_path / "half.safetensors")
    assert between.exit_code == 0, between.output


def test_what_is_missing_is_said_before_anything_is_prepared(options, tmp_path) -> None:
    fresh = [*options, "--cache", tmp_path / "cache", "-o", tmp_path / "run"]
    assert "give --pvad CHECKPOINT" in call("train", "pse", *fresh, "--set", "recipe=its-soft").stderr
    assert "5 of them for validation" in call("train", "pse", *fresh, "--set", "validation.speakers=5").stderr
    if not torch.cuda.is_available():
        assert "--device cuda: torch finds no CUDA" in call("train", "pse", *fresh, "--device", "cuda").stderr
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (("--set", "optimiser.ler=1"), "unknown key 'optimiser.ler'; did you mean 'lr'?"),
        (("--set", "model.lstn=1"), "unknown key 'model.lstn'; did you mean 'lstm'?"),
        (("--dataset", "somewhere"), "give either --speech and --noise to mix on the fly, or --dataset"),
        (("--set", "validation.speakers=5"), "6 people in the training speech, 5 of them for validation"),
    ],
)
def test_mistakes_are_one_line(options, tmp_path, changes, words) -> None:
    done = call("train", "pse", *options, *changes, "-o", tmp_path / "run")
    assert done.exit_code == 1
    assert words in done.stderr
    assert done.stderr.splitlines()[-1].startswith("Error: ")


def test_two_ranks_train_as_one_process_does(tiny, dataset, tmp_path) -> None:
    """Under torchrun each rank takes half of every batch; the averaged gradient is that of the whole."""
    path = tmp_path / "tiny.json"
    path.write_text(json.dumps(tiny.config(steps=3, loss={"normaliser": "frames"}).model_dump()))
    words = ["train", "pse", "--config", path, "--dataset", dataset, "--threads", 1]
    alone = call(*words, "-o", tmp_path / "alone")
    assert alone.exit_code == 0, alone.output
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    done = subprocess.run(
        [*torchrun, "-m", "pse_bench", *map(str, words), "-o", str(tmp_path / "two")],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    norms = []
    for name in ("alone", "two"):
        with (tmp_path / name / "log.csv").open() as stream:
            norms.append([float(row["gradient"]) for row in csv.DictReader(stream)])
    assert norms[0][0] == pytest.approx(norms[1][0], rel=1e-4)
    # later ones are compared loosely: Adam makes a whole step of a gradient that differs in its last bits
    assert norms[0] == pytest.approx(norms[1], rel=0.5)


def test_train_model_takes_a_recipe_and_an_encoder_of_ones_own(tiny, tmp_path, monkeypatch) -> None:
    (tmp_path / "own_parts.py").write_text(
        "import dataclasses, numpy as np\n"
        "from pse_bench.speaker.encoders import ENCODERS\n"
        "from pse_bench.training.losses import Recipe\n"
        "RECIPE = Recipe(lambda frames: 1 - 0.5 * frames.inactive.float())\n"
        "def embed(samples, sample_rate):\n"
        "    return np.full(4, 0.5, dtype=np.float32)\n"
        "ENCODER = dataclasses.replace(ENCODERS['dvector'], embed=embed, size=4, sha256='4' * 64)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "its.json").write_text(json.dumps(tiny.config(steps=1).model_dump()))
    chosen = config.load("its.json", ("recipe=own_parts:RECIPE", "encoder=own_parts:ENCODER"), task="pse")
    heard: list[str] = []
    path = train_model(
        chosen,
        "run",
        executor=Serial(),
        speech=[tiny.folder / "speech.csv"],
        noise=[tiny.folder / "noise.csv"],
        roots=tiny.roots,
        cache=tiny.cache,
        echo=heard.append,
    )
    model, about = checkpoint.load(path)
    assert (about.recipe, about.encoder, model.config.embedding) == ("own_parts:RECIPE", "own_parts:ENCODER", 4)
    assert [line.partition(" ")[0] for line in heard] == ["note:", "note:", "step"]
