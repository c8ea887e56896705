"""How the cost of a scene grows with RT60, length and number of scenes, and what large datasets take.

Rendered as in ``benchmarks/render.py`` on one process, a few scenes for every point, the best of ``--repeats``.
Large datasets are computed from the cost and the bytes that were measured for scenes of 10 s from the bank and in
rooms of their own: three mixtures a scene, a task every ``--task`` scenes.

    python benchmarks/growth.py [--scenes 10] [--repeats 2] [--task 100]
        [--speech M.csv --noise N.csv --root A=DIR]
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import material
from render import recipes_of

from pse_bench.corpora.roots import Roots
from pse_bench.dataset.dataset import Dataset
from pse_bench.runtime.executor import Serial
from pse_bench.simulation import render, room

MIXTURES = (10**6, 10**8)


class Cost:
    """Renders scenes of a scenario and takes the time."""

    def __init__(self, folder: Path, asked: argparse.Namespace) -> None:
        self._folder, self._asked = folder, asked
        self._speech, self._noise, self._roots = material.corpora(asked)

    def of(self, content: dict[str, Any], count: int, *, banked: bool = False) -> tuple[float, float]:
        """Processor seconds and bytes of a scene."""
        drawn = material.planner(content, self._speech, self._noise)
        path = material.write_plan(self._folder / "plan.jsonl", content, [drawn.recipe(k) for k in range(count)])
        if banked:
            for recipe in recipes_of(path):
                room.from_bank(recipe.room, recipe.sample_rate, self._folder / "bank")
        return min(self._once(path, self._roots) for _ in range(self._asked.repeats))

    def _once(self, path: Path, roots: Roots) -> tuple[float, float]:
        out, bank = self._folder / "out", self._folder / "bank"
        report, seconds = material.timed(
            lambda: render.render(path, out, roots=roots, executor=Serial(), bank=bank, force=True)
        )
        size = sum(row.num_bytes for row in Dataset.open(report.dataset).files)
        return seconds / report.scenes, size / report.scenes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=10, help="for every point")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--task", type=int, default=100)
    material.options(parser)
    asked = parser.parse_args()
    print(material.machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as folder:
        cost = Cost(Path(folder), asked)
        cost.of(material.scenario(), 2)  # imports do not count
        print("\nRT60 s   ms a scene of 10 s in a room of its own")
        for rt60_s in (0.2, 0.3, 0.4, 0.5, 0.6, 0.8):
            print(
                f"{rt60_s:6.1f} {1e3 * cost.of(material.scenario(rt60_s=rt60_s), asked.scenes)[0]:10.1f}",
                flush=True,
            )
        print("\nlength s ms a scene, room from the bank")
        for duration_s in (2.5, 5.0, 10.0, 15.0):
            content = material.scenario(duration_s, rooms=10)
            print(f"{duration_s:6.1f} {1e3 * cost.of(content, asked.scenes, banked=True)[0]:10.1f}", flush=True)
        print("\nscenes   ms a scene of 10 s, rooms from the bank")
        for count in (10, 100, 300):
            seconds, size = cost.of(material.scenario(rooms=10), count, banked=True)
            print(f"{count:6d} {1e3 * seconds:10.1f}", flush=True)
        fresh, _ = cost.of(material.scenario(), 5 * asked.scenes)
        print(f"\nmixtures  core-hours (bank)  core-hours (own rooms)  TB  tasks of {asked.task} scenes")
        for mixtures in MIXTURES:
            scenes = mixtures / 3
            hours = [scenes * each / 3600 for each in (seconds, fresh)]
            print(
                f"{mixtures:9.0e} {hours[0]:17.1f} {hours[1]:23.1f} {scenes * size / 1e12:5.2f} "
                f"{scenes / asked.task:7.0f}"
            )


if __name__ == "__main__":
    main()
