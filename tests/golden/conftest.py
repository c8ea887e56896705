"""The first scenes of a published set, and what two systems and a fade score on them."""

from pathlib import Path

import published
import pytest


@pytest.fixture(scope="session")
def work(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("golden")


@pytest.fixture(scope="session")
def dataset(work: Path) -> Path:
    """The first scenes of embedded-v1."""
    pytest.importorskip("espeakng_loader", reason="espeak-ng is not installed: pip install 'pse-bench[embedded]'")
    plan = published.first_scenes("embedded-v1", work)
    corpus = published.embedded_corpus(plan, work / "corpus")
    return published.rendered(plan, work / "embedded-v1", f"embedded={corpus}")


@pytest.fixture(scope="session")
def scores(dataset: Path, work: Path) -> dict[str, list[str]]:
    """The lines of scores.csv of each system; submissions and results lie in ``work``."""
    return published.scores(dataset, work)
