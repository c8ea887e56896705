"""What these tests share: a plan of four scenes and what serial runs make of it."""

from collections.abc import Callable
from pathlib import Path

import pytest
import tiny
from work import Home, call


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Corpus, plan, dataset, submission and result, each made in one go. Not to be changed."""
    root = tmp_path_factory.mktemp("home")
    tiny.build(root)
    home = Home(root, root)
    for stage in ("enhance", "detect", "score", "score activity"):
        done = call(*home.words(stage, home.serial(stage).name))
        assert done.exit_code == 0, done.output
    return root


@pytest.fixture
def home(built: Path, tmp_path: Path) -> Home:
    return Home(built, tmp_path)


@pytest.fixture
def shared_out(home: Home) -> Callable[..., Path]:
    """Run a command in shares."""

    def run(stage: str, name: str, *shards: str) -> Path:
        for shard in shards:
            done = call(*home.words(stage, name), "--shard", shard)
            assert done.exit_code == 0, done.output
        return home.out / name

    return run
