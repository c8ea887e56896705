"""How cost grows: of a scene with RT60, length, interferers, scenes and speakers, of a board with its systems; and
what large datasets take.

Rendered as in ``benchmarks/render.py`` on one process, a few scenes for every point, the best of ``--repeats``.
The recordings of ``length`` are as long as its longest scene; the manifests of ``planned`` and ``speakers`` are
made up, and so are the sums of ``board``. Below a series stands the exponent k of a fit cost ~ size^k: 0 where
the cost of one does not grow, 1 where it grows as the size does. Large datasets are computed from the cost and
the bytes that were measured for scenes of 10 s from the bank, with everything and with what a training set keeps,
and in rooms of their own: three mixtures a scene, a task every ``--task`` scenes.

    python benchmarks/growth.py [--only rt60 length …] [--scenes 10] [--repeats 2] [--task 100] [--million]
        [--speech M.csv --noise N.csv --root A=DIR]
"""

import argparse
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import material
import numpy as np
from plan import noises, utterances
from render import recipes_of

from pse_bench import rng
from pse_bench.corpora.roots import Roots
from pse_bench.dataset.dataset import PARTS, Dataset
from pse_bench.io import atomic, audio
from pse_bench.leaderboard import ranking
from pse_bench.planning import plan
from pse_bench.planning import scenario as scenarios
from pse_bench.runtime.executor import Serial
from pse_bench.schemas import NoiseClip, Utterance
from pse_bench.simulation import render, room

MIXTURES = (10**6, 10**8)
TRAINING = ("target_early", "enrollment", "activity")
LONGEST_S = 600.0
RATE = 16_000


class Cost:
    """Renders scenes of a scenario and takes the time."""

    def __init__(self, folder: Path, asked: argparse.Namespace) -> None:
        self.folder, self.asked = folder, asked
        self.speech, self.noise, self.roots = material.corpora(asked)

    def of(
        self, content: dict[str, Any], count: int, *, banked: bool = False, keep: Iterable[str] = PARTS
    ) -> tuple[float, float]:
        """Processor seconds and bytes of a scene."""
        drawn = material.planner(content, self.speech, self.noise)
        path = material.write_plan(self.folder / "plan.jsonl", content, [drawn.recipe(k) for k in range(count)])
        if banked:
            for recipe in recipes_of(path):
                room.from_bank(recipe.room, recipe.sample_rate, self.folder / "bank")
        return min(self._once(path, keep) for _ in range(self.asked.repeats))

    def _once(self, path: Path, keep: Iterable[str]) -> tuple[float, float]:
        out, bank = self.folder / "out", self.folder / "bank"
        given: dict[str, Any] = {"roots": self.roots, "executor": Serial(), "bank": bank, "keep": keep}
        report, seconds = material.timed(lambda: render.render(path, out, force=True, **given))
        size = sum(row.num_bytes for row in Dataset.open(report.dataset).files)
        return seconds / report.scenes, size / report.scenes

    def long(self) -> "Cost":
        """The same with two recordings of each of two speakers, and noise, that are longer than any scene."""
        made = object.__new__(Cost)
        made.__dict__ |= self.__dict__
        where, length = self.folder / "long", int(LONGEST_S * RATE) + RATE

        def stored(name: str, sound: np.ndarray) -> dict[str, Any]:
            path = where / f"{name}.flac"
            atomic.write_bytes(path, audio.encode(sound, RATE, ".flac"))
            known = {"corpus": "long", "path": path.name, "num_samples": len(sound), "sample_rate": RATE}
            return {**known, "sha256": atomic.sha256(path)}

        people: dict[str, list[Utterance]] = {}
        for clip in self.speech:
            people.setdefault(clip.speaker_id, []).append(clip)
        made.speech = []
        for who, clips in list(people.items())[:2]:
            whole = np.concatenate([audio.read_pcm16(self.roots.locate(c.corpus, c.path)) for c in clips])
            for part in range(2):
                sound = np.resize(np.roll(whole, part * len(whole) // 2), length)
                about = stored(f"{who}-{part}", sound)
                made.speech.append(
                    Utterance(utterance_id=f"{who}-{part}", speaker_id=who, gender="", text="", **about)
                )
        hiss = audio.to_pcm16(rng.white_noise(length, 1, "noise") / 50)
        made.noise = [NoiseClip(noise_id="hiss", category="hiss", **stored("hiss", hiss))]
        made.roots = Roots({"long": where})
        return made


def series(what: str, sizes: Iterable[float], cost: Callable[[Any], float], unit: str) -> None:
    """Print the cost at every size, and the exponent of its growth."""
    print(f"\n{what}", flush=True)
    found = []
    for size in sizes:
        found.append((size, cost(size)))
        print(f"{size:10g} {found[-1][1]:12.4g} {unit}", flush=True)
    logs = np.log(np.array(found))
    print(f"exponent   {np.polyfit(*logs.T, 1)[0]:12.2f}, of the last step {_slope(logs[-2:]):.2f}", flush=True)


def _slope(logs: np.ndarray) -> float:
    return float((logs[1, 1] - logs[0, 1]) / (logs[1, 0] - logs[0, 0]))


# ---- the series


def rt60(cost: Cost) -> None:
    series(
        "RT60 in s: a scene of 10 s in a room of its own",
        (0.2, 0.3, 0.4, 0.5, 0.6, 0.8),
        lambda size: 1e3 * cost.of(material.scenario(rt60_s=size), cost.asked.scenes)[0],
        "ms",
    )


def length(cost: Cost) -> None:
    long = cost.long()
    series(
        "length in s: a scene, room from the bank",
        (10.0, 30.0, 120.0, LONGEST_S),
        lambda size: 1e3 * long.of(material.scenario(size, rooms=2), 2, banked=True)[0],
        "ms",
    )


def interferers(cost: Cost) -> None:
    def of(count: int) -> float:
        content = material.scenario(rooms=10)
        content["interferer"]["count"] = count
        return 1e3 * cost.of(content, cost.asked.scenes, banked=True)[0]

    series("interferers: a scene of 10 s, room from the bank", (1, 2, 4), of, "ms")


def rendered(cost: Cost) -> None:
    series(
        "scenes rendered: one of 10 s, room from the bank",
        (10, 100, 300),
        lambda count: 1e3 * cost.of(material.scenario(rooms=10), count, banked=True)[0],
        "ms",
    )


def _planned_us(speakers: int, count: int) -> float:
    chosen, content = scenarios.load("standard")
    planner = plan.Planner(chosen, speech=utterances(speakers, 10), noise=noises(), seed=1)
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as folder:
        recipes = (planner.recipe(number) for number in range(count))
        out = Path(folder) / "plan.jsonl"
        _, seconds = material.timed(lambda: plan.write(out, plan.header(content, manifests={}, seed=1), recipes))
    return 1e6 * seconds / count


def planned(cost: Cost) -> None:
    sizes = (100, 10_000, *((1_000_000,) if cost.asked.million else ()))
    series("scenes planned: one, of 251 speakers", sizes, lambda size: _planned_us(251, size), "us")


def speakers(cost: Cost) -> None:
    sizes = (100, 1000, 10_000)
    series("speakers of ten utterances: one scene of 2,000 planned", sizes, lambda n: _planned_us(n, 2000), "us")


def board(cost: Cost) -> None:
    """Sums that a board keeps of 40 speakers, made up."""

    def of(count: int) -> float:
        draws = rng.generator(1, "board")
        systems = []
        for _ in range(count):
            clips = np.full((40, 5, 1), 4.0)
            systems.append(np.concatenate([clips * draws.uniform(0.1, 0.9, clips.shape), clips], axis=-1))

        def order() -> None:
            found = ranking.pairs(systems)
            ranking.rank_intervals(count, found)
            ranking.groups(count, [(pair.first, pair.second) for pair in found if pair.told_apart])

        return 1e3 * min(material.timed(order)[1] for _ in range(cost.asked.repeats))

    series("systems on a board: its order", (3, 10, 30, 100), of, "ms")


def large(cost: Cost) -> None:
    content, count = material.scenario(rooms=10), 10 * cost.asked.scenes
    everything = cost.of(content, count, banked=True)
    training = cost.of(content, count, banked=True, keep=TRAINING)
    fresh = cost.of(material.scenario(), count // 2)
    print(f"\n--keep {','.join(TRAINING)}: {training[0] / everything[0]:.2f} of the time of everything,", end="")
    print(f" {training[1] / everything[1]:.2f} of the bytes")
    print(f"mixtures  core-hours: bank, bank with --keep, own rooms  TB: all, --keep  tasks of {cost.asked.task}")
    for mixtures in MIXTURES:
        scenes = mixtures / 3
        hours = "".join(f"{scenes * each[0] / 3600:10.1f}" for each in (everything, training, fresh))
        disk = "".join(f"{scenes * each[1] / 1e12:8.2f}" for each in (everything, training))
        print(f"{mixtures:9.0e}{hours}{disk} {scenes / cost.asked.task:9.0f}")


SERIES: dict[str, Callable[[Cost], None]] = {
    one.__name__: one for one in (rt60, length, interferers, rendered, planned, speakers, board, large)
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--only", nargs="+", choices=SERIES, default=list(SERIES), help="some of the series")
    parser.add_argument("--scenes", type=int, default=10, help="for every point")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--task", type=int, default=100)
    parser.add_argument("--million", action="store_true", help="plan a million scenes, too: some minutes")
    material.options(parser)
    asked = parser.parse_args()
    print(material.machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as folder:
        cost = Cost(Path(folder), asked)
        cost.of(material.scenario(), 2)  # imports do not count
        for name in asked.only:
            SERIES[name](cost)


if __name__ == "__main__":
    main()
