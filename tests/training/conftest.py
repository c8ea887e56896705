"""The tiny corpus for training, and a dataset rendered from it."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

import tiny_training
from tiny_training import SCENARIO, Tiny

from pse_bench.planning.plan import plan_dataset
from pse_bench.runtime.executor import Serial
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
    manifests = {role: [tiny.folder / f"{role}.csv"] for role in ("speech", "noise")}
    plan_dataset(content, tiny.folder / "plan.jsonl", **manifests, scenes=12, seed=1)
    where = tiny.folder / "dataset"
    bank = tiny.cache / "rooms"
    render.render(tiny.folder / "plan.jsonl", where, roots=tiny.roots, executor=Serial(), bank=bank)
    return where
