"""Shifts and gains that the files of a submission share: faults of the tool that wrote them, not of the system."""

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from pse_bench.submission.check.file_stats import INTEGER_PEAK, FileStats, Match, names
from pse_bench.submission.check.findings import Finding, finding, summarize_counts

MATCHING = 0.5
"""Correlation from which an estimate's shift and level against another signal mean something."""

UNRELATED = 0.2
"""Correlation up to which an estimate has nothing to do with its mixture."""

MOST = 0.8
"""Share of files that makes a shift or a gain that of the whole submission."""

GAIN_DB = 3.0
GAIN_SPREAD_DB = 1.0
STRAY_S = 0.001
STRAY_MARGIN = 0.1
"""A single file is out of place when it is off by so much and matches there so much better."""

LEVEL_DB = 0.1
SAME_LEVEL_SHARE = 0.9
MIXTURES_DIFFER_DB = 1.0


# ---- shift


def _best(stats: FileStats) -> Match | None:
    """The closer match of the two, where one is close enough to mean something."""
    best = max(stats.matches.values(), key=lambda match: abs(match.correlation), default=None)
    return best if best and abs(best.correlation) >= MATCHING else None


def delay(audible: list[FileStats], sample_rate: int) -> Iterator[Finding]:
    """Findings on a shift that all share, on files that have one of their own, and on those that match nothing."""
    best = {stats.name: match for stats in audible if (match := _best(stats))}
    lags = Counter(match.lag for match in best.values())
    usual = max(lags, key=lambda lag: sum(lags[near] for near in (lag - 1, lag, lag + 1)) + lags[lag], default=0)
    in_place = [stats for stats in audible if stats.name in best and abs(best[stats.name].lag - usual) <= 1]
    if usual and len(in_place) >= MOST * len(best):
        late = usual > 0
        against = [
            f"the {signal} in {count} of {len(in_place)}"
            for signal in ("mixture", "reference")
            if (count := sum(_agrees(stats.matches.get(signal), usual) for stats in in_place))
        ]
        how = f"{abs(usual)} samples ({1000 * abs(usual) / sample_rate:.1f} ms)"
        found = f"{how} {'late' if late else 'early'} throughout (measured against {' and '.join(against)})"
        early = f"put {-usual} zeros in front of each output and drop as many samples at its end"
        yield finding("delay", names(in_place), found, len(best), None if late else early, lag=usual)
    else:
        usual = 0
    stray = [
        stats
        for stats in audible
        if (match := best.get(stats.name))
        and abs(match.lag - usual) >= max(2, STRAY_S * sample_rate)
        and abs(match.correlation) >= abs(match.at_zero) + STRAY_MARGIN
    ]
    if stray:
        shifts = [best[stats.name].lag for stats in stray]
        found = f"shifted by {min(shifts):+d} to {max(shifts):+d} samples, each file by its own number"
        yield finding("delay-varies", names(stray), found, len(best))
    unrelated = [
        stats
        for stats in audible
        if stats.matches and all(abs(match.correlation) < UNRELATED for match in stats.matches.values())
    ]
    if unrelated:
        found = "sound that has nothing in common with the mixture or the reference"
        yield finding("unrelated", names(unrelated), found, sum(bool(stats.matches) for stats in audible))


def _agrees(match: Match | None, lag: int) -> bool:
    return match is not None and abs(match.correlation) >= MATCHING and abs(match.lag - lag) <= 1


# ---- level


def gain(audible: list[FileStats]) -> Iterator[Finding]:
    """Findings on integers taken for floating-point numbers, on inverted polarity, and on a common gain."""
    integers = [stats for stats in audible if stats.peak > INTEGER_PEAK]
    if integers:
        peak = max(stats.peak for stats in integers)
        found = f"peaks up to {peak:.5g}: integers kept as floating-point numbers"
        yield finding("integer-scale", names(integers), found, len(audible))
    matched = [(stats, match) for stats in audible if (match := _best(stats))]
    inverted = [stats for stats, match in matched if match.correlation < 0]
    if inverted:
        found = "upside down" + (" throughout" if len(inverted) == len(matched) else "")
        yield finding("polarity", names(inverted), found, len(matched))
    against = {signal: _gains(audible, signal) for signal in ("reference", "mixture")}
    for signal, gains in against.items():
        if not gains:
            continue
        usual = float(np.median(list(gains.values())))
        same = [name for name, gain in gains.items() if abs(gain - usual) <= GAIN_SPREAD_DB]
        if abs(usual) >= GAIN_DB and len(same) >= MOST * len(gains):
            found = f"{abs(usual):.1f} dB {'louder' if usual > 0 else 'quieter'} than the {signal} throughout"
            yield finding("gain", same, found, len(gains), factor=10 ** (-usual / 20))
            return


def _gains(audible: list[FileStats], signal: str) -> dict[str, float]:
    """Gain in dB against a signal by file, where it means something.

    The reference is a part of the mixture, so a gain against the mixture means something only where next to
    nothing was taken out of it.
    """
    least = MATCHING if signal == "reference" else 0.98
    return {
        stats.name: 20 * float(np.log10(abs(match.gain)))
        for stats in audible
        if (match := stats.matches.get(signal)) and abs(match.correlation) >= least
    }


def normalised(audible: list[FileStats]) -> Iterator[Finding]:
    """Files that were all brought to one peak, or to one level, although their mixtures differ."""
    audible = [stats for stats in audible if stats.mixture_peak > 0]
    for code, what, own, given in (
        ("peak-normalised", "peak", lambda f: f.peak, lambda f: f.mixture_peak),
        ("level-normalised", "level (RMS)", lambda f: f.rms, lambda f: f.mixture_rms),
    ):
        concerned: dict[str, FileStats] = {}
        levels: list[float] = []
        for label in ("TS1", "TS2", "TS3", "TS"):
            # what clips has the peak of all that clips, and is told of for that
            group = [f for f in audible if f.scenario.startswith(label) and not f.clipped_runs]
            same, level_db = _at_one_level(group, own, given)
            concerned |= {stats.name: stats for stats in same}
            levels += [level_db] if same else []
        if concerned:
            span = summarize_counts(f"{level:.1f} dBFS" for level in levels)
            found = f"all files have the same {what} ({span}) although their mixtures have not"
            yield finding(code, [stats.name for stats in audible if stats.name in concerned], found, len(audible))
            return


def _at_one_level(
    group: list[FileStats], own: Callable[[FileStats], float], given: Callable[[FileStats], float]
) -> tuple[list[FileStats], float]:
    """The files at the usual level in dB, if they are nearly all and their mixtures' levels differ."""
    if len(group) < 3:
        return [], 0.0
    levels = np.array([20 * np.log10(own(stats)) for stats in group])
    usual = float(np.median(levels))
    same = [stats for stats, level in zip(group, levels, strict=True) if abs(level - usual) <= LEVEL_DB]
    mixtures = [20 * np.log10(given(stats)) for stats in same]
    if len(same) < SAME_LEVEL_SHARE * len(group) or np.ptp(mixtures) < MIXTURES_DIFFER_DB:
        return [], 0.0
    return same, usual
