"""What the checking tests share: a tiny dataset, submissions of the reference systems, and a good one to break."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny

from pse_bench.dataset.dataset import Dataset
from pse_bench.io import audio
from pse_bench.submission import submission


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Three scenes of about three seconds as TS1, TS2 and TS3. Not to be changed."""
    root = tmp_path_factory.mktemp("tiny")
    return tiny.some_scenes(tiny.build(root), root / "three", 0, 1, 2)


@pytest.fixture(scope="session")
def submitted(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The submission of a reference system by its name. Not to be changed: copy it."""
    return tiny.submissions(dataset, tmp_path_factory.mktemp("submissions"))


@pytest.fixture(scope="session")
def whole(dataset: Dataset, submitted: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A correct submission that is not silent anywhere. Not to be changed."""
    folder = Path(shutil.copytree(submitted("oracle-mask"), tmp_path_factory.mktemp("whole") / "good"))
    for row in dataset.mixtures:
        if row.scenario == "TS3":
            mixture, _ = audio.read(dataset.folder / row.mixture_path)
            muffled = np.convolve(mixture, [0.02, 0.06, 0.02], mode="same")
            submission.write_estimate(folder, row, muffled)
    return folder


@pytest.fixture
def good(whole: Path, tmp_path: Path) -> Path:
    """A correct submission of its own for a test to break."""
    return Path(shutil.copytree(whole, tmp_path / "good"))
