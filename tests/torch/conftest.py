"""The tiny corpus, a dataset rendered from it, and scenes mixed from it on the fly."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import tiny_training
from tiny_training import CHUNK_S, Tiny

from pse_bench.torch import DynamicMixing


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Tiny:
    return tiny_training.make(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def rendered(tiny: Tiny) -> Path:
    return tiny_training.rendered(tiny)


@pytest.fixture(scope="session")
def mixing(tiny: Tiny) -> Callable[..., DynamicMixing]:
    """Scenes mixed on the fly, with options of one's own."""

    def make(**options: Any) -> DynamicMixing:
        defaults = {"batch": 6, "seed": 3, "chunk_s": CHUNK_S, "crops": 2}
        return DynamicMixing(
            str(tiny.folder / "speech.csv"),
            [tiny.folder / "noise.csv"],
            scenario=tiny.folder / "tiny.yaml",
            roots={name: tiny.folder / name for name in ("talk", "hush")},
            cache=tiny.cache,
            **{**defaults, **options},
        )

    return make
