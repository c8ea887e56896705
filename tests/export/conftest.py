"""What the tests of other toolkits' layouts share: a LibriMix tree of ten mixtures."""

import pytest
import sets


@pytest.fixture(scope="session")
def librimix(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> sets.LibriMix:
    """Of the development corpus where it is there, of the embedded one else. Not to be changed."""
    try:
        corpus = request.getfixturevalue("dev_corpus")
    except pytest.skip.Exception:
        corpus = None
    said = list(sets.spoken(corpus, tmp_path_factory.mktemp("embedded")))
    return sets.write(tmp_path_factory.mktemp("Libri2Mix"), said)
