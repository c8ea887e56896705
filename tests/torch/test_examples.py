"""The examples train models of their own until they are better than at first."""

import re
import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"


@pytest.fixture
def run(tiny, tmp_path, monkeypatch, threads, capsys):
    """Run an example on the tiny corpus; gives what it printed."""

    def run(name: str, *words: str) -> str:
        for corpus in ("talk", "hush"):
            monkeypatch.setenv(f"PSE_BENCH_ROOT_{corpus.upper()}", str(tiny.folder / corpus))
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(EXAMPLES))
        manifests = [str(tiny.folder / f"{role}.csv") for role in ("speech", "noise")]
        scenario = ["--scenario", str(tiny.folder / "tiny.yaml")]
        monkeypatch.setattr(sys, "argv", [name, *manifests, *words, *scenario])
        runpy.run_path(str(EXAMPLES / name), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_plain_torch(run) -> None:
    losses = [float(value) for value in re.findall(r"loss ([\d.]+)", run("train_torch.py", "--steps", "41"))]
    assert losses[-1] < 0.6 * losses[0]
    assert Path("mask_model.pt").is_file()


def test_lightning(run, rendered) -> None:
    pytest.importorskip("pytorch_lightning")
    printed = run("train_lightning.py", str(rendered), "--steps", "40", "--workers", "1")
    found = re.findall(r"loss (TS\d): ([\d.]+) -> ([\d.]+)", printed)
    assert [label for label, *_ in found] == ["TS1", "TS2", "TS3"]
    assert all(float(after) < 0.8 * float(before) for _, before, after in found)
