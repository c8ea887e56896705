"""What the tests of the models share."""

import json
from pathlib import Path

import pytest

from pse_bench.metrics import dnsmos
from pse_bench.speaker import dvector_weights


@pytest.fixture(scope="session")
def goldens() -> dict:
    """What ``make_model_goldens.py`` wrote."""
    return json.loads((Path(__file__).parent / "model_goldens.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def _dnsmos_models() -> None:
    if reason := dnsmos.missing():
        pytest.skip(reason)


@pytest.fixture(scope="session")
def _dvector_weights() -> None:
    if reason := dvector_weights.missing():
        pytest.skip(reason)
