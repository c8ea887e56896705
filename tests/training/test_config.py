"""Configurations: strict, with the nearest known key."""

import pytest

from pse_bench.errors import InputError
from pse_bench.planning.scenario import load as load_scenario
from pse_bench.training import config
from pse_bench.training.losses import LOSS_RECIPES
from pse_bench.training.models.e3net import E3NetConfig


def test_every_recipe_and_the_pvad_are_shipped() -> None:
    assert config.shipped() == sorted([*LOSS_RECIPES, "pvad"])
    for name in config.shipped():
        made = config.load(name, task="pvad" if name == "pvad" else "pse")
        assert made.recipe == ("" if name == "pvad" else name)
    assert config.load("no-its", task="pse").data.its_share == 0


def test_values_are_replaced() -> None:
    made = config.load("its", ("optimiser.lr=0.5", "model.lstm=24", "data.reference=early", "steps=7"), task="pse")
    assert (made.optimiser.lr, made.model, made.data.reference, made.steps) == (0.5, {"lstm": 24}, "early", 7)
    assert config.load("its", ("optimiser.lr=1e-4", "optimiser.last_lr=0"), task="pse").optimiser.lr == 0.0001
    assert made.optimiser.last_lr == config.load("its", task="pse").optimiser.last_lr


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("optimiser.ler=1", "unknown key 'optimiser.ler'; did you mean 'lr'"),
        ("stepz=1", "unknown key 'stepz'; did you mean 'steps'"),
        ("steps=many", "steps: Input should be a valid integer"),
        ("steps=0", "steps: "),
        ("steps", "expected key=value"),
        ("steps.x=1", "steps holds no keys"),
        ("recipe=none", "recipe 'none' is not known"),
        ("encoder=dvectr", "did you mean 'dvector'"),
        ("data.its_share=1", "its_share"),
    ],
)
def test_mistakes_are_named(change: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        config.load("its", (change,), task="pse")


def test_the_task_and_the_recipe_belong_together(tmp_path) -> None:
    with pytest.raises(InputError, match="task pse, expected pvad"):
        config.load("its", task="pvad")
    with pytest.raises(InputError, match="needs a recipe"):
        config.load("its", ('recipe=""',), task="pse")
    with pytest.raises(InputError, match="shipped: its"):
        config.load("itz", task="pse")


def test_models_are_checked() -> None:
    assert E3NetConfig.parse({"lstm": 12, "window_s": 0.02}).lstm == 12
    with pytest.raises(InputError, match=r"'model.lstn'; did you mean 'lstm'"):
        E3NetConfig.parse({"lstn": 12})
    with pytest.raises(InputError, match=r"model.lstm: expected int, found 'x'"):
        E3NetConfig.parse({"lstm": "x"})
    with pytest.raises(InputError, match=r"model.lstm: expected int, found True"):
        E3NetConfig.parse({"lstm": True})


def test_the_its_share_keeps_the_other_proportions() -> None:
    training, _ = load_scenario("training")
    shares = config.with_its_share(training, 0.5).shares
    assert shares == pytest.approx({"TS1": 0.2, "TS2": 0.3, "TS3": 0.5})
    assert config.with_its_share(training, None).shares == training.shares
    assert sum(config.with_its_share(training, 0.0).shares.values()) == pytest.approx(1)
