"""The loop: interrupted and resumed, on any number of workers, from datasets, under every recipe."""

import csv
import json
from itertools import pairwise

import pytest
import torch

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.runtime.executor import Serial
from pse_bench.scoring import score, summary
from pse_bench.speaker import dvector
from pse_bench.submission import submission
from pse_bench.systems import enhance, registry
from pse_bench.training import checkpoint, config, tasks
from pse_bench.training import train as loop
from pse_bench.training.data.batches import loader
from pse_bench.training.losses import LOSS_RECIPES
from pse_bench.training.models.e3net import E3Net, E3NetConfig

pytestmark = pytest.mark.usefixtures("threads")


def rows(path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream))


def without_pace(path) -> list[dict[str, str]]:
    return [{key: value for key, value in row.items() if key != "audio_s_per_s"} for row in rows(path)]


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory):
    """A run of six steps that nothing disturbed."""
    folder = tmp_path_factory.mktemp("finished")
    asked = tiny.config()
    torch.set_num_threads(1)
    assert loop.train(asked, tiny.source(asked), folder)
    return folder


@pytest.mark.parametrize("stop", [2, 3])
def test_interrupted_and_resumed_equals_uninterrupted_bit_for_bit(tiny, finished, tmp_path, stop) -> None:
    asked = tiny.config()
    assert not loop.train(asked, tiny.source(asked), tmp_path, stop_after=stop)
    assert loop.train(asked, tiny.source(asked), tmp_path)
    for name in ("checkpoint.safetensors", "state.safetensors", "checkpoint.json"):
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes(), name
    assert without_pace(tmp_path / "log.csv") == without_pace(finished / "log.csv")
    assert (tmp_path / "looks.csv").read_bytes() == (finished / "looks.csv").read_bytes()


def test_killed_after_steps_that_were_not_saved_equals_uninterrupted(
    tiny, finished, tmp_path, monkeypatch
) -> None:
    """A crash in step 5: step 4 was saved, what was logged later is dropped and made again."""
    asked = tiny.config()
    calls = []

    def rate(*arguments):
        calls.append(1)
        if len(calls) == 6:
            raise RuntimeError("killed")
        return original(*arguments)

    original = loop.learning_rate
    monkeypatch.setattr(loop, "learning_rate", rate)
    with pytest.raises(RuntimeError, match="killed"):
        loop.train(asked, tiny.source(asked), tmp_path)
    assert rows(tmp_path / "log.csv")[-1]["step"] == "5"
    monkeypatch.setattr(loop, "learning_rate", original)
    assert loop.train(asked, tiny.source(asked), tmp_path)
    assert (tmp_path / "state.safetensors").read_bytes() == (finished / "state.safetensors").read_bytes()
    assert without_pace(tmp_path / "log.csv") == without_pace(finished / "log.csv")


def test_bfloat16_trains_or_is_refused_before_anything_is_written(tiny, tmp_path, monkeypatch) -> None:
    asked = tiny.config(precision="bfloat16", steps=2)
    out = tmp_path / "run"
    if tasks._knows_bfloat16(torch.device("cpu")):
        assert loop.train(asked, tiny.source(asked), out)
    monkeypatch.setattr(tasks, "_knows_bfloat16", lambda device: False)
    with pytest.raises(InputError, match="this cpu cannot compute an LSTM in it; give --set precision=float32"):
        loop.train(asked, tiny.source(asked), tmp_path / "refused")
    assert not (tmp_path / "refused").exists()


def test_any_number_of_workers_gives_the_same_first_ten_losses(tiny, tmp_path) -> None:
    asked = tiny.config(steps=10, validation={"every": 100}, save_every=100)
    source = tiny.source(asked)
    seen = []
    for workers in range(3):
        loop.train(asked, source, tmp_path / str(workers), workers=workers)
        seen.append([(row["loss"], row["gradient"]) for row in rows(tmp_path / str(workers) / "log.csv")])
    assert len(seen[0]) == 10
    assert seen[0] == seen[1] == seen[2]


def test_training_lowers_the_loss(tiny, tmp_path) -> None:
    asked = tiny.config(
        steps=40,
        batch=4,
        optimiser={"lr": 0.01, "warmup_steps": 5, "average": 0.8},
        validation={"every": 20},
        save_every=40,
    )
    loop.train(asked, tiny.source(asked), tmp_path)
    looks = rows(tmp_path / "looks.csv")
    log = [float(row["loss"]) for row in rows(tmp_path / "log.csv")]
    assert float(looks[-1]["TS3.leakage_reduction_db"]) > 1
    assert sum(log[-10:]) < sum(log[:10])


def test_a_checkpoint_says_what_it_is(finished) -> None:
    model, about = checkpoint.load(finished / "checkpoint.safetensors")
    assert (about.kind, about.recipe, about.seed, about.step) == ("e3net", "its", 1, 6)
    assert set(about.data) == {"material", "rooms", "enrollments", "people"}
    assert about.training["optimiser"]["average"] == 0.9
    assert "TS2.si_sdri" in about.metrics
    assert model.config.bottleneck == 16
    look = rows(finished / "looks.csv")[-1]
    assert float(look["TS2.tsos"]) == pytest.approx(about.metrics["TS2.tsos"], abs=1e-3)


def test_the_checkpoint_holds_the_average_and_not_the_last_weights(finished) -> None:
    tensors, document = checkpoint.read(finished / "state.safetensors")
    weights = checkpoint.load(finished / "checkpoint.safetensors")[0].state_dict()
    assert document == {"step": 6}
    for name, value in weights.items():
        assert torch.equal(value, tensors[f"average.{name}"])
    assert not torch.equal(tensors["average.mask.weight"], tensors["weight.mask.weight"])


def test_another_run_is_not_continued(tiny, finished) -> None:
    asked = tiny.config(seed=2)
    with pytest.raises(InputError, match="another config"):
        loop.train(asked, tiny.source(asked), finished)


@pytest.fixture(scope="module")
def detector(tiny, tmp_path_factory):
    """A pVAD of a few steps."""
    folder = tmp_path_factory.mktemp("pvad")
    asked = tiny.config("pvad")
    assert loop.train(asked, tiny.source(asked), folder)
    return folder


def test_the_pvad_is_trained_and_looked_at(detector) -> None:
    _, about = checkpoint.load(detector / "checkpoint.safetensors")
    assert about.kind == "pvad"
    assert {"ap_target", "ap_other", "ap_no", "mean_ap", "eer_target"} <= set(about.metrics)


def test_a_trained_pvad_says_who_speaks_in_a_dataset(detector, dataset, tmp_path) -> None:
    opened, path = Dataset.open(dataset), detector / "checkpoint.safetensors"
    enhance.enhance(opened, str(path), tmp_path / "said", executor=Serial(), gives="activity")
    system = submission.read_system(tmp_path / "said")
    assert system.name == "pvad (checkpoint.safetensors)"
    assert system.description.startswith("Personal VAD, speaker ")
    assert (system.causal, system.algorithmic_latency_ms, system.holds) == (True, 10.0, ["activity"])
    model, _ = checkpoint.load(path)
    row = opened.mixtures[1]
    heard, known = (torch.from_numpy(opened.read_sound(name)) for name in (row.mixture_path, row.enrollment_path))
    embedding = torch.from_numpy(dvector.embed(known.numpy(), row.sample_rate).copy())
    with torch.no_grad():
        expected = torch.softmax(model(heard[None], embedding[None]), dim=-1)[0].numpy()
    given = submission.read_activity(tmp_path / "said", row)[0]
    assert abs(given - expected).max() < 1e-4
    score.score(opened, tmp_path / "said", tmp_path / "result", executor=Serial())
    found = {(line.scenario, line.metric): line for line in summary.summarise(tmp_path / "result")}
    assert 0 < found["all", "pvad_ap_target"].value < 100
    other, net = tmp_path / "other.safetensors", E3Net(E3NetConfig(filters=320, bottleneck=16, fc=16, lstm=16))
    checkpoint.save(other, net, checkpoint.describe(net))
    with pytest.raises(InputError, match="holds an e3net, which detects nothing; give a pvad"):
        registry.load(str(other), output="activity")


@pytest.mark.parametrize("recipe", LOSS_RECIPES)
def test_every_recipe_trains(tiny, detector, tmp_path, recipe) -> None:
    asked = tiny.config(recipe=recipe, steps=2)
    assert loop.train(asked, tiny.source(asked), tmp_path, guide=detector / "checkpoint.safetensors")
    assert json.loads((tmp_path / "run.json").read_text())["guide"]


def test_a_guide_without_faults_spares_nothing(tiny, tmp_path) -> None:
    """With q = a no frame is misclassified, so the first recipe is ``its``; with q of everybody it is not."""
    losses = {}
    for name, changes in {
        "its": {"recipe": "its"},
        "target": {"recipe": "its-exclude", "loss": {"guide": "target"}},
        "interferer": {"recipe": "its-exclude", "loss": {"guide": "interferer"}},
    }.items():
        asked = tiny.config(steps=3, **changes)
        loop.train(asked, tiny.source(asked), tmp_path / name)
        losses[name] = [row["loss"] for row in rows(tmp_path / name / "log.csv")]
    assert losses["its"] == losses["target"] != losses["interferer"]


@pytest.mark.parametrize("recipe", ["its", "its-noisy-reference"])
def test_at_one_level_it_does_not_matter_how_loud_a_mixture_is(tiny, recipe) -> None:
    """Without that, a quieter one counts less."""
    scenes = tiny.source(tiny.config()).scenes
    batch = next(iter(loader(scenes, seed=1, steps=range(1), batch=4)))
    quieter = batch._replace(mixture=batch.mixture * 0.1, reference=batch.reference * 0.1)

    def values(**options):
        asked = tiny.config(recipe=recipe, loss={"guide": "interferer", **options})
        loss = tasks.make(asked, rate=scenes.sample_rate, guide=None, begin=None).loss
        return float(loss(batch.mixture * 0.5, batch)), float(loss(quieter.mixture * 0.5, quieter))

    loud, quiet = values(level_dbfs=-26.0)
    assert quiet == pytest.approx(loud, rel=1e-4)
    loud, quiet = values()
    assert quiet < 0.6 * loud


def test_a_guided_recipe_asks_for_its_guide(tiny, tmp_path, finished) -> None:
    asked = tiny.config(recipe="its-soft")
    with pytest.raises(InputError, match="give --pvad"):
        loop.train(asked, tiny.source(asked), tmp_path)
    with pytest.raises(InputError, match="kind e3net, expected a pvad"):
        loop.train(asked, tiny.source(asked), tmp_path, guide=finished / "checkpoint.safetensors")


def test_a_run_begins_with_the_weights_of_another(tiny, finished, tmp_path) -> None:
    begin = finished / "checkpoint.safetensors"
    task = tasks.make(tiny.config(), rate=16_000, guide=None, begin=begin)
    weights = checkpoint.load(begin)[0].state_dict()
    assert all(torch.equal(value, weights[name]) for name, value in task.model.state_dict().items())
    with pytest.raises(InputError, match="the configuration asks for"):
        tasks.make(tiny.config(model={"fc": 24}), rate=16_000, guide=None, begin=begin)


def test_weights_are_interpolated(tiny, finished, detector, tmp_path) -> None:
    asked = tiny.config(recipe="no-its")
    loop.train(asked, tiny.source(asked), tmp_path)
    ends = [tmp_path / "checkpoint.safetensors", finished / "checkpoint.safetensors"]
    one, other = (checkpoint.load(path)[0].state_dict() for path in ends)
    middle, about = checkpoint.interpolate(*ends, share=0.25)
    for name, value in middle.state_dict().items():
        assert torch.allclose(value, 0.75 * one[name] + 0.25 * other[name], atol=1e-7)
    assert about.recipe == "no-its to its at 0.25"
    for share, end in ((0, one), (1, other)):
        same = checkpoint.interpolate(*ends, share=share)[0].state_dict()
        assert all(torch.equal(value, end[name]) for name, value in same.items())
    with pytest.raises(InputError, match="another model than"):
        checkpoint.interpolate(ends[0], detector / "checkpoint.safetensors", share=0.5)


def test_the_learning_rate_rises_and_falls() -> None:
    asked = config.Optimiser(lr=1.0, last_lr=0.1, warmup_steps=10)
    rates = [loop.learning_rate(asked, step, 100) for step in range(101)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9] == rates[10] == 1.0
    assert rates[100] == pytest.approx(0.1)
    assert all(a >= b for a, b in pairwise(rates[10:]))
