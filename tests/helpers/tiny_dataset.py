"""What the scoring tests share: one tiny dataset a session, and submissions of the reference systems."""

import importlib
import itertools
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny

from pse_bench.dataset.dataset import Dataset

_numbers = itertools.count()


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Four scenes of about three seconds as TS1, TS2 and TS3. Not to be changed."""
    return tiny.build(tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def submitted(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The submission of a reference system by its name. Not to be changed: copy it."""
    return tiny.submissions(dataset, tmp_path_factory.mktemp("submissions"))


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], str]:
    """Write a module into the current folder, which is a fresh one; its name, never used before."""
    folder = tmp_path / "mine"
    folder.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "path", list(sys.path))

    def write(text: str) -> str:
        name = f"strange_system_{next(_numbers)}"
        (folder / f"{name}.py").write_text(text)
        importlib.invalidate_caches()
        return name

    return write
