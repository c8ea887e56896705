"""The tiny corpus for training, and a dataset rendered from it."""

from pathlib import Path

import pytest

pytest.importorskip("torch")

import tiny_training
from tiny_training import Tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Tiny:
    """The corpus with its manifests; what is prepared from it is made once."""
    return tiny_training.make(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def dataset(tiny) -> Path:
    """A rendered dataset of scenes in all three scenarios."""
    return tiny_training.rendered(tiny)
