"""The first losses of every recipe and the first batch; ``python tests/golden/test_training.py`` remakes them.

On one machine the values are equal to the last digit of the log. Transforms and products of float32 differ in
their last bits between processors, and every step of Adam magnifies that: hence a tolerance, far below what
another level, clip or label changes. The recipes that compare the guide's probability with a threshold are guided
by the true activity, for a detector of ten steps lies near every threshold.
"""

import csv
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")

HERE = Path(__file__).parent
STEPS = 10
LOSS_TOLERANCE = 3e-4
BATCH_TOLERANCE = 1e-5

RUNS: dict[str, dict[str, Any]] = {
    "pvad": {"task": "pvad"},
    "no-its": {"recipe": "no-its"},
    "its": {"recipe": "its"},
    "its-exclude": {"recipe": "its-exclude", "loss": {"guide": "interferer"}},
    "its-noisy-reference": {"recipe": "its-noisy-reference", "loss": {"guide": "interferer"}},
    "its-soft": {"recipe": "its-soft"},
}


def found(work: Path) -> dict[str, Any]:
    """The losses of each run, and statistics of each item of the first batch."""
    import tiny_training

    from pse_bench.training.data import batches
    from pse_bench.training.train import train

    tiny = tiny_training.make(work)
    quick = {"steps": STEPS, "validation": {"scenes": 1, "every": STEPS}, "save_every": STEPS}
    guide = work / "pvad" / "checkpoint.safetensors"
    losses: dict[str, list[float]] = {}
    for name, changes in RUNS.items():
        config = tiny.config(**changes, **quick)
        source = tiny.source(config)
        train(config, source, work / name, guide=guide if name == "its-soft" else None)
        with (work / name / "log.csv").open(encoding="utf-8") as stream:
            losses[name] = [float(row["loss"]) for row in csv.DictReader(stream)]
    batch = batches.draw(source.scenes, 1, 0, range(4))
    return {"losses": losses, "batch": {name: statistics(value) for name, value in batch._asdict().items()}}


def statistics(values: np.ndarray) -> list[list[float]]:
    """Of each item: its energy, and its sum weighted by a ramp, so that order counts."""
    items = np.reshape(values, (len(values), -1)).astype(np.float64)
    ramp = np.linspace(1, 2, items.shape[-1])
    return [[float(f"{number:.9g}") for number in (item @ item, np.abs(item) @ ramp)] for item in items]


def test_first_losses_and_the_first_batch_are_those_that_were_published(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        now = found(tmp_path)
    finally:
        torch.set_num_threads(before)
    published = json.loads((HERE / "losses.json").read_text())
    assert published["batch"].keys() == now["batch"].keys()
    for name, value in published["batch"].items():
        assert np.array(now["batch"][name]) == pytest.approx(np.array(value), rel=BATCH_TOLERANCE), name
    for name, value in published["losses"].items():
        assert now["losses"][name] == pytest.approx(value, rel=LOSS_TOLERANCE), name


def main() -> None:
    """Write the golden file."""
    sys.path.insert(0, str(HERE.parent / "helpers"))
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = str(Path(folder) / "home")
        text = json.dumps(found(Path(folder)))
    (HERE / "losses.json").write_text(text.replace(', "', ',\n "') + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
