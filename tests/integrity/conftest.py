"""Tiny datasets with everything that can lie in one, and results. Not to be changed: the tests copy them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny

from pse_bench.corpora.roots import Roots
from pse_bench.runtime.executor import Serial
from pse_bench.scoring import score
from pse_bench.simulation import render
from pse_bench.submission import submission
from pse_bench.systems.enhance import enhance

NAMES = ("dataset", "partial", "result", "both")


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """``dataset`` (whole), ``partial`` (with a quarantine.csv), ``result`` and ``both`` (with detections.csv)."""
    root = tmp_path_factory.mktemp("integrity")
    whole = tiny.build(root)
    shutil.copytree(root / "noise", root / "less-noise")
    (root / "less-noise" / "hum" / "a.wav").unlink()
    roots = Roots({"voices": root / "speech", "noises": root / "less-noise"})
    given = {"roots": roots, "executor": Serial(), "bank": root / "rooms"}
    assert render.render(root / "plan.jsonl", root / "partial", **given).problems
    enhance(whole, "mixture", root / "audio", executor=Serial())
    score.score(whole, root / "audio", root / "result", executor=Serial(), names=tiny.QUICK)
    for row in whole.mixtures:
        frames = len(whole.read_frames(row)["target"])
        submission.write_activity(root / "audio", row, np.tile([0.5, 0.25, 0.25], (frames, 1)))
    submission.write_system(root / "audio", submission.System(name="both", holds=["audio", "activity"]))
    score.score(whole, root / "audio", root / "both", executor=Serial(), names=["tsos"])
    return root


@pytest.fixture
def copied(made: Path, tmp_path: Path) -> Path:
    """A copy of all four."""
    for name in NAMES:
        shutil.copytree(made / name, tmp_path / name)
    return tmp_path
