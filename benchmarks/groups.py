"""How often the groups of a board are right, where the truth is known, and how long they take.

    python benchmarks/groups.py [--repetitions 200]

Boards of six systems are drawn: three pairs that are equal in truth, about twelve points of net score apart. One
pair is equal in a trade: what one takes less from others it keeps more of the target. Speakers are hard or easy
for every system, and each system finds some of them harder than others do. Printed for each number of speakers:
the boards on which no equal systems are told apart and no others stand in the wrong order, the different systems
that are told apart, and the intervals that hold the truth. Then the time for boards of 30 and of 100 rows and 40
speakers.
"""

import argparse
import time
from dataclasses import dataclass

import numpy as np

from pse_bench import rng
from pse_bench.leaderboard import ranking

SPEAKERS = (12, 24, 40)
POPULATION = 100_000
CLIPS, FRAMES, WORDS = 3, 200, 12  # of a speaker and scenario; of a clip


@dataclass(frozen=True)
class System:
    """What a system does to a speaker of middling difficulty: shares, and reductions in dB."""

    tsos: float
    wer: float
    net_db: float

    def sums(self, chance: np.random.Generator, hard: np.ndarray) -> np.ndarray:
        """Sums of ``ranking.NEEDED`` over speakers of a difficulty each, shape (speakers, 5, 2)."""
        own, count = chance.normal(size=len(hard)), len(hard)

        def share(middle: float, number: int) -> np.ndarray:
            logit = np.log(middle / (1 - middle)) + 0.5 * hard + 0.3 * own + 0.3 * chance.normal(size=count)
            return np.stack([chance.binomial(number, 1 / (1 + np.exp(-logit))), np.full(count, number)], -1)

        def level(middle: float, spread: float) -> np.ndarray:
            return middle + spread / np.sqrt(CLIPS) * chance.normal(size=count)

        reductions = [self.net_db - less - hard - 0.8 * own + level(0.0, 2.5) for less in (0.0, 2.0)]
        return np.stack(
            [
                *(share(part * self.tsos, CLIPS * FRAMES) for part in (0.6, 1.0)),
                share(self.wer, CLIPS * WORDS),
                *(
                    np.stack([CLIPS * np.maximum(one, 0.0), np.full(count, float(CLIPS))], -1)
                    for one in reductions
                ),
            ],
            axis=1,
        )


SYSTEMS = (
    *(System(0.10, 0.30, 14.0), System(0.08, 0.1806, 13.6)),
    *(System(0.14, 0.36, 10.0), System(0.14, 0.36, 10.0)),
    *(System(0.25, 0.50, 7.0), System(0.25, 0.50, 7.0)),
)
"""The first two, the next two, and the last two are equal in truth."""


def truth() -> list[float]:
    """The net scores over endless speakers."""
    hard = rng.generator(0, "groups", "truth").normal(size=POPULATION)
    return [
        ranking.standing(one.sums(rng.generator(0, "groups", "truth", n), hard))[0]
        for n, one in enumerate(SYSTEMS)
    ]


def board(number: int, speakers: int, systems: int = len(SYSTEMS)) -> tuple[list[np.ndarray], list[int]]:
    """The sums of the first systems on a board, by net score, and which of ``SYSTEMS`` each is."""
    hard = rng.generator(number, "groups", speakers).normal(size=speakers)
    found = [
        one.sums(rng.generator(number, "groups", speakers, n), hard) for n, one in enumerate(SYSTEMS[:systems])
    ]
    order = sorted(range(systems), key=lambda n: -ranking.standing(found[n])[0])
    return [found[n] for n in order], order


def right(number: int, speakers: int, systems: int = len(SYSTEMS)) -> tuple[bool, float]:
    """Whether a board is right, and the share of different systems that are told apart on it."""
    sums, order = board(number, speakers, systems)
    told = [(order[pair.first] // 2, order[pair.second] // 2) for pair in ranking.pairs(sums) if pair.told_apart]
    different = 2 * systems * (systems - 2) / 4
    return all(first < second for first, second in told), sum(a != b for a, b in told) / different


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repetitions", type=int, default=200)
    repetitions, actual = parser.parse_args().repetitions, truth()
    print("net scores in truth:", *(f"{value:.2f}" for value in actual))
    for speakers in SPEAKERS:
        found = [right(number, speakers) for number in range(1, repetitions + 1)]
        held = []
        for number in range(1, repetitions + 1):
            for sums, which in zip(*board(number, speakers), strict=True):
                low, high = ranking.standing(sums)[1] or (0.0, 0.0)
                held.append(low <= actual[which] <= high)
        means = (100 * np.mean(one) for one in ([one for one, _ in found], [share for _, share in found], held))
        print(speakers, "speakers: boards right {:.1f} %, told apart {:.1f} %, intervals {:.1f} %".format(*means))
    hard = rng.generator(0, "groups", "time").normal(size=40)
    for number in (30, 100):
        systems = (System(0.1 + 0.005 * n, 0.3, 14.0) for n in range(number))
        rows = [one.sums(rng.generator(n, "groups", "time"), hard) for n, one in enumerate(systems)]
        began = time.process_time()
        ranking.pairs(rows)
        print(f"{number} rows, 40 speakers: {time.process_time() - began:.1f} s of a processor")


if __name__ == "__main__":
    main()
