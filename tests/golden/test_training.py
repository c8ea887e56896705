"""The first losses of every recipe and their batches; ``python tests/golden/test_training.py`` remakes them.

On one machine and one version of the libraries, values are equal to the last digit of the log. Elsewhere products
of float32 differ in their last bits. The first steps of Adam follow the gradient's sign, so that one part in ten
million becomes one in a hundred after ten steps: later losses have a wide tolerance, batches and the first two
losses a narrow one. The recipes that compare the guide's probability with a threshold are guided by the true
activity, for a detector of ten steps lies near every threshold.
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
LOSS_TOLERANCE = np.array([1e-4] * 2 + [3e-2] * (STEPS - 2))
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
    """The losses of each run, and statistics of each item of its batches."""
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
    drawn = zip(*(batches.draw(source.scenes, 1, step, range(2)) for step in range(STEPS)), strict=True)
    items = {name: np.concatenate(parts) for name, parts in zip(batches.Batch._fields, drawn, strict=True)}
    return {"losses": losses, "batches": {name: statistics(value) for name, value in items.items()}}


def statistics(values: np.ndarray) -> list[list[float]]:
    """Of each item: its energy, and its sum weighted by a ramp, so that order counts."""
    items = np.reshape(values, (len(values), -1)).astype(np.float64)
    ramp = np.linspace(1, 2, items.shape[-1])
    return [[float(f"{number:.9g}") for number in (item @ item, np.abs(item) @ ramp)] for item in items]


def test_first_losses_and_their_batches_are_those_that_were_published(tmp_path: Path) -> None:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        now = found(tmp_path)
    finally:
        torch.set_num_threads(before)
    published = json.loads((HERE / "losses.json").read_text())
    assert published["batches"].keys() == now["batches"].keys()
    for name, value in published["batches"].items():
        assert np.array(now["batches"][name]) == pytest.approx(np.array(value), rel=BATCH_TOLERANCE), name
    for name, value in published["losses"].items():
        assert (np.abs(np.subtract(now["losses"][name], value)) <= LOSS_TOLERANCE * value).all(), name


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
