"""What the tests of the baseline share. Without torch they are skipped, each file for itself."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pse_bench.speaker.encoders import ENCODERS


def unit_embedding(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """A speaker encoder that needs no weights: how strong each of 256 bands of the signal is."""
    spectrum = np.abs(np.fft.rfft(samples, 2 * 256 * 20))[: 256 * 20].reshape(256, 20).mean(axis=1)
    return (spectrum / np.linalg.norm(spectrum)).astype(np.float32)


@pytest.fixture(scope="session")
def model() -> object:
    """A tiny E3Net with random weights whose mask moves."""
    torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'pse-bench[baseline]'")
    from pse_bench.training.models.e3net import E3Net

    torch.manual_seed(1)
    net = E3Net().eval()
    with torch.no_grad():
        net.mask.weight.mul_(20)
        net.mask.bias.zero_()
    return net


@pytest.fixture(scope="session")
def checkpoint_path(model: object, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """That model as a checkpoint. Not to be changed."""
    from pse_bench.training import checkpoint

    path = tmp_path_factory.mktemp("checkpoint") / "its.safetensors"
    about = checkpoint.describe(
        model, recipe="its", seed=3, step=10, metrics={"tsos": 0.5}, data={"speech": "abc"}
    )
    checkpoint.save(path, model, about)
    return path


@pytest.fixture
def other_encoder(monkeypatch: pytest.MonkeyPatch) -> Callable[[np.ndarray, int], np.ndarray]:
    """Puts ``unit_embedding`` in the place of the d-vector, so that its weights need not be installed."""
    replace_dvector(monkeypatch, unit_embedding)
    return unit_embedding


def replace_dvector(
    monkeypatch: pytest.MonkeyPatch, embed: Callable[[np.ndarray, int], np.ndarray], sha256: str = "unit"
) -> None:
    """Another function, and the hash of its weights, under the d-vector's name."""
    other = dataclasses.replace(ENCODERS["dvector"], embed=embed, sha256=sha256)
    monkeypatch.setitem(ENCODERS, "dvector", other)
