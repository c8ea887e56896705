"""How often the 95 % intervals hold, where the truth is known.

    python benchmarks/coverage.py [--repetitions 1000] [--case NAME ...]

Speakers are drawn from an endless population: each has a level of its own and 1 to 15 clips (geometric, 4.8 on
average), so that a few have many. The truth is the figure over 200,000 speakers. Printed for each case and number
of speakers: the share of repetitions whose interval holds the truth, the shares in which it lies below and above,
the median width, and for comparison how often the percentile bootstrap over speakers holds (200 repetitions).
"""

import argparse
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pse_bench import metrics, rng
from pse_bench.scoring.summary import Aggregate, aggregates_of

SPEAKERS = (5, 8, 12, 24, 47)
POPULATION = 200_000

Clips = tuple[np.ndarray, np.ndarray]
"""Numerators and denominators of one speaker's clips, each of shape (num_clips,)."""


@dataclass(frozen=True)
class Case:
    """A figure and a population to draw it from. ``compare`` draws two systems, whose difference is looked at."""

    name: str
    aggregate: Aggregate
    draw: Callable[[np.random.Generator, int], Clips | tuple[Clips, Clips]]
    compare: bool = False


# ---- populations: what one speaker's clips score


def levels(chance: np.random.Generator, clips: int) -> Clips:
    """SI-SDR: speakers spread by 2 dB, clips by 3 dB."""
    return 10 + 2 * chance.normal() + 3 * chance.normal(size=clips), np.ones(clips)


def suppressed(chance: np.random.Generator, clips: int) -> Clips:
    """Over-suppressed frames: most clips have none, some have many, and speakers differ in how often."""
    frames = chance.integers(100, 300, clips)
    rate = np.where(chance.random(clips) < chance.beta(2, 1.5), 0, chance.beta(0.7, 4, size=clips))
    return chance.binomial(frames, rate), frames


def longest(chance: np.random.Generator, clips: int) -> Clips:
    """The longest stretch, s: mostly none, now and then very long."""
    none, scale = chance.beta(2, 1.5), chance.gamma(2, 0.3)
    stretch = np.minimum(chance.gamma(1, scale, size=clips), 10.0)
    return np.where(chance.random(clips) < none, 0.0, stretch), np.ones(clips)


def words(chance: np.random.Generator, clips: int) -> Clips:
    """Word errors over words, 4 to 24 a clip."""
    count, rate = chance.integers(4, 25, clips), chance.beta(2, 6)
    return chance.binomial(count, np.clip(rate * chance.gamma(2, 0.5, clips), 0, 1)), count


def at_cap(chance: np.random.Generator, clips: int) -> Clips:
    """Clips that are exact zeros: three in ten, and speakers differ much."""
    return 100.0 * (chance.random(clips) < chance.beta(1, 2.5)), np.ones(clips)


def rarely_at_cap(chance: np.random.Generator, clips: int) -> Clips:
    """The same, one in ten: some speakers have none at all."""
    return 100.0 * (chance.random(clips) < chance.beta(0.5, 4.5)), np.ones(clips)


def reductions(chance: np.random.Generator, clips: int) -> Clips:
    """Leakage reduction, dB, a share of the clips at the cap."""
    capped = chance.random(clips) < chance.beta(1, 3)
    return np.where(capped, 120.0, 20 + 5 * chance.normal() + 8 * chance.normal(size=clips)), np.ones(clips)


def energies(chance: np.random.Generator, clips: int) -> Clips:
    """Energies before and after: loud leaks dominate the sum."""
    before = 10 ** (0.3 * chance.normal(size=clips) - 3)
    return before, before * 10 ** (-(20 + 3 * chance.normal() + 5 * chance.normal(size=clips)) / 10)


def two_levels(chance: np.random.Generator, clips: int) -> tuple[Clips, Clips]:
    """Two systems on the same clips, the second 0.5 dB better, more for some speakers."""
    first, ones = levels(chance, clips)
    return (first, ones), (first + 0.5 + chance.normal() + chance.normal(size=clips), ones)


def two_suppressed(chance: np.random.Generator, clips: int) -> tuple[Clips, Clips]:
    """Two systems on the same frames, the second keeping a part of what the first removes."""
    first, frames = suppressed(chance, clips)
    return (first, frames), (chance.binomial(first, chance.beta(3, 2)), frames)


def two_on_other_clips(chance: np.random.Generator, clips: int) -> tuple[Clips, Clips]:
    """Two systems, equal on half of the clips and on the others each with losses of its own."""
    first, frames = suppressed(chance, clips)
    other = chance.binomial(frames, np.clip(first / frames * chance.gamma(2, 0.6, size=clips), 0, 1))
    return (first, frames), (np.where(chance.random(clips) < 0.5, first, other), frames)


def two_reductions(chance: np.random.Generator, clips: int) -> tuple[Clips, Clips]:
    """Two systems on the same clips, one near the other."""
    first, ones = reductions(chance, clips)
    return (first, ones), (np.minimum(first + 2 + chance.normal() + 2 * chance.normal(size=clips), 120.0), ones)


def aggregate(metric: str, scenario: str = "TS2", name: str = "") -> Aggregate:
    """One of the registry."""
    found = aggregates_of(metrics.ALL_METRICS[metric], scenario, 10.0)
    return next(one for one in found if one.metric.name == (name or metric))


LEAKAGE = "leakage_reduction_db"
CASES = (
    Case("mean, normal (si_sdr)", aggregate("si_sdr"), levels),
    Case("ratio, many zeros (tsos)", aggregate("tsos"), suppressed),
    Case("mean, heavy tail (tsos_longest_s)", aggregate("tsos_longest_s"), longest),
    Case("ratio of words (wer)", aggregate("wer"), words),
    Case("share at the cap, 29 %", aggregate(LEAKAGE, "TS3", "leakage_at_cap"), at_cap),
    Case("share at the cap, 10 %", aggregate(LEAKAGE, "TS3", "leakage_at_cap"), rarely_at_cap),
    Case("median, some at the cap", aggregate(LEAKAGE, "TS3", "leakage_reduction_median_db"), reductions),
    Case("energies pooled, dB", aggregate(LEAKAGE, "TS3", "leakage_reduction_pooled_db"), energies),
    Case("difference of means", aggregate("si_sdr"), two_levels, compare=True),
    Case("difference of ratios", aggregate("tsos"), two_suppressed, compare=True),
    Case("difference of ratios, each its own", aggregate("tsos"), two_on_other_clips, compare=True),
    Case(
        "median of differences",
        aggregate(LEAKAGE, "TS3", "leakage_reduction_median_db"),
        two_reductions,
        compare=True,
    ),
)


# ---- repetitions


def sample(case: Case, chance: np.random.Generator, speakers: int) -> tuple[list[np.ndarray], np.ndarray]:
    """Pairs of one or two systems, each of shape (num_clips, 2), and whose clips they are."""
    counts = np.clip(chance.geometric(0.2, size=speakers), 1, 15)
    drawn = [case.draw(chance, int(count)) for count in counts]
    systems = list(zip(*drawn, strict=True)) if case.compare else [drawn]
    pairs = [np.concatenate([np.stack(clips, axis=-1) for clips in one]).astype(float) for one in systems]
    return pairs, np.repeat(np.arange(speakers), counts)


def value(case: Case, pairs: list[np.ndarray]) -> float:
    """The figure, or the difference of two."""
    return case.aggregate.difference(*pairs) if case.compare else case.aggregate.value(*pairs)


def truth(case: Case) -> float:
    """The figure over the whole population."""
    return value(case, sample(case, rng.generator(1, "truth", case.name), POPULATION)[0])


def repetition(case: Case, speakers: int, number: int) -> tuple[list[np.ndarray], np.ndarray]:
    """The sample of one repetition."""
    return sample(case, rng.generator(1, "coverage", case.name, speakers, number), speakers)


def interval(case: Case, pairs: list[np.ndarray], clusters: np.ndarray) -> tuple[float, float]:
    """What pse-bench says."""
    of = case.aggregate.difference_interval if case.compare else case.aggregate.interval
    found = of(*pairs, clusters)
    assert found is not None
    return found


def percentile(case: Case, pairs: list[np.ndarray], clusters: np.ndarray) -> tuple[float, float]:
    """The percentile bootstrap over speakers."""
    chance = rng.generator(2, "percentile")
    members = [np.flatnonzero(clusters == number) for number in range(clusters.max() + 1)]
    found = []
    for _ in range(200):
        chosen = np.concatenate([members[k] for k in chance.integers(len(members), size=len(members))])
        found.append(value(case, [one[chosen] for one in pairs]))
    low, high = np.percentile(found, [2.5, 97.5])
    return float(low), float(high)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repetitions", type=int, default=1000)
    parser.add_argument("--case", action="append", help="part of a case's name; repeatable")
    arguments = parser.parse_args()
    print("| case | speakers | holds % | below % | above % | median width | percentile bootstrap holds % |")
    print("|---|---|---|---|---|---|---|")
    for case in CASES:
        if arguments.case and not any(part in case.name for part in arguments.case):
            continue
        true = truth(case)
        for speakers in SPEAKERS:
            samples = [repetition(case, speakers, number) for number in range(arguments.repetitions)]
            ends = np.array([interval(case, *one) for one in samples])
            before = np.array([percentile(case, *one) for one in samples[:200]])
            holds, was = ((one[:, 0] <= true) & (true <= one[:, 1]) for one in (ends, before))
            shares = [100 * np.mean(found) for found in (holds, ends[:, 1] < true, ends[:, 0] > true)]
            width = np.median(ends[:, 1] - ends[:, 0])
            print(
                f"| {case.name} | {speakers} | {' | '.join(f'{share:.1f}' for share in shares)} | {width:.3g} | "
                f"{100 * was.mean():.0f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
