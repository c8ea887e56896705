"""The tiny corpus for training, and a dataset rendered from it."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

import tiny_training
from tiny_training import SCENARIO, Tiny

from pse_bench.io import tables
from pse_bench.planning import plan
from pse_bench.planning.scenario import parse_scenario
from pse_bench.runtime.executor import Serial
from pse_bench.schemas import NoiseClip, Utterance
from pse_bench.simulation import render


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Tiny:
    """The corpus with its manifests; what is prepared from it is made once."""
    return tiny_training.make(tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def threads():
    """One thread for torch, put back afterwards."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def dataset(tiny) -> Path:
    """A rendered dataset of scenes in all three scenarios."""
    content = {**SCENARIO, "name": "tiny-set", "duration_s": 3.0}
    content.pop("shares")
    planner = plan.Planner(
        parse_scenario(content, "the tiny scenario"),
        speech=tables.read_table(tiny.folder / "speech.csv", Utterance),
        noise=tables.read_table(tiny.folder / "noise.csv", NoiseClip),
        seed=1,
    )
    head = plan.header(content, manifests={}, seed=1)
    plan.write(tiny.folder / "plan.jsonl", head, (planner.recipe(index) for index in range(12)))
    where = tiny.folder / "dataset"
    bank = tiny.cache / "rooms"
    render.render(tiny.folder / "plan.jsonl", where, roots=tiny.roots, executor=Serial(), bank=bank)
    return where
