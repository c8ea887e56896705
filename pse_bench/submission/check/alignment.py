"""Shifts and gains that the files of a submission share: faults of the tool that wrote them, not of the system."""

from collections import Counter
from collections.abc import Callable, Iterator

import numpy as np

from pse_bench.submission.check.file_stats import INTEGER_PEAK, Facts, Match, names
from pse_bench.submission.check.findings import Finding, counted

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


def _best(facts: Facts) -> Match | None:
    """The closer match of the two, where one is close enough to mean something."""
    best = max(facts.matches.values(), key=lambda match: abs(match.correlation), default=None)
    return best if best and abs(best.correlation) >= MATCHING else None


def delay(heard: list[Facts], sample_rate: int) -> Iterator[Finding]:
    """Findings on a shift that all share, on files that have one of their own, and on those that match nothing."""
    best = {facts.name: match for facts in heard if (match := _best(facts))}
    lags = Counter(match.lag for match in best.values())
    usual = max(lags, key=lambda lag: sum(lags[near] for near in (lag - 1, lag, lag + 1)) + lags[lag], default=0)
    in_place = [facts for facts in heard if facts.name in best and abs(best[facts.name].lag - usual) <= 1]
    if usual and len(in_place) >= MOST * len(best):
        late = usual > 0
        against = [
            f"the {signal} in {count} of {len(in_place)}"
            for signal in ("mixture", "reference")
            if (count := sum(_agrees(facts.matches.get(signal), usual) for facts in in_place))
        ]
        how = f"{abs(usual)} samples ({1000 * abs(usual) / sample_rate:.1f} ms)"
        yield Finding(
            "warning",
            "delay",
            f"{how} {'late' if late else 'early'} throughout (measured against {' and '.join(against)})",
            "no shift: scores compare sample with sample",
            f"drop the first {usual} samples of each output and add as many at the end (pad the mixture before "
            "processing); the latency itself belongs into system.yaml"
            if late
            else f"put {-usual} zeros in front of each output and drop as many samples at its end",
            names(in_place),
            len(best),
        )
    else:
        usual = 0
    stray = [
        facts
        for facts in heard
        if (match := best.get(facts.name))
        and abs(match.lag - usual) >= max(2, STRAY_S * sample_rate)
        and abs(match.correlation) >= abs(match.at_zero) + STRAY_MARGIN
    ]
    if stray:
        shifts = [best[facts.name].lag for facts in stray]
        yield Finding(
            "warning",
            "delay-varies",
            f"shifted by {min(shifts):+d} to {max(shifts):+d} samples, each file by its own number",
            "no shift: scores compare sample with sample",
            "look for state that one file leaves for the next, and for silence that is cut at the beginning",
            names(stray),
            len(best),
        )
    unrelated = [
        facts
        for facts in heard
        if facts.matches and all(abs(match.correlation) < UNRELATED for match in facts.matches.values())
    ]
    if unrelated:
        yield Finding(
            "warning",
            "unrelated",
            "sound that has nothing in common with the mixture or the reference",
            "the enhanced mixture of the same name",
            "look whether files were exchanged, belong to another dataset, or hold raw bytes read as samples",
            names(unrelated),
            sum(bool(facts.matches) for facts in heard),
        )


def _agrees(match: Match | None, lag: int) -> bool:
    return match is not None and abs(match.correlation) >= MATCHING and abs(match.lag - lag) <= 1


# ---- level


def gain(heard: list[Facts]) -> Iterator[Finding]:
    """Findings on integers taken for floating-point numbers, on inverted polarity, and on a common gain."""
    integers = [facts for facts in heard if facts.peak > INTEGER_PEAK]
    if integers:
        yield Finding(
            "warning",
            "integer-scale",
            f"peaks up to {max(facts.peak for facts in integers):.5g}: integers kept as floating-point numbers",
            "full scale at ±1",
            "divide by 32768 before writing",
            names(integers),
            len(heard),
        )
    matched = [(facts, match) for facts in heard if (match := _best(facts))]
    inverted = [facts for facts, match in matched if match.correlation < 0]
    if inverted:
        yield Finding(
            "warning",
            "polarity",
            "upside down" + (" throughout" if len(inverted) == len(matched) else ""),
            "the polarity of the mixture",
            "multiply by -1",
            names(inverted),
            len(matched),
        )
    against = {signal: _gains(heard, signal) for signal in ("reference", "mixture")}
    for signal, gains in against.items():
        if not gains:
            continue
        usual = float(np.median(list(gains.values())))
        same = [name for name, gain in gains.items() if abs(gain - usual) <= GAIN_SPREAD_DB]
        if abs(usual) >= GAIN_DB and len(same) >= MOST * len(gains):
            yield Finding(
                "warning",
                "gain",
                f"{abs(usual):.1f} dB {'louder' if usual > 0 else 'quieter'} than the {signal} throughout",
                "the level of the mixture: an even loss of 11 dB counts as the target removed, and any loss as "
                "leakage avoided",
                f"multiply by {10 ** (-usual / 20):.3g}",
                tuple(same),
                len(gains),
            )
            return


def _gains(heard: list[Facts], signal: str) -> dict[str, float]:
    """Gain in dB against a signal by file, where it means something.

    The reference is a part of the mixture, so a gain against the mixture means something only where next to
    nothing was taken out of it.
    """
    least = MATCHING if signal == "reference" else 0.98
    return {
        facts.name: 20 * float(np.log10(abs(match.gain)))
        for facts in heard
        if (match := facts.matches.get(signal)) and abs(match.correlation) >= least
    }


def normalised(heard: list[Facts]) -> Iterator[Finding]:
    """Files that were all brought to one peak, or to one level, although their mixtures differ."""
    heard = [facts for facts in heard if facts.mixture_peak > 0]
    for code, what, own, given in (
        ("peak-normalised", "peak", lambda f: f.peak, lambda f: f.mixture_peak),
        ("level-normalised", "level (RMS)", lambda f: f.rms, lambda f: f.mixture_rms),
    ):
        concerned: dict[str, Facts] = {}
        levels: list[float] = []
        for label in ("TS1", "TS2", "TS3", "TS"):
            # what clips has the peak of all that clips, and is told of for that
            group = [f for f in heard if f.scenario.startswith(label) and not f.clipped_runs]
            same, level_db = _at_one_level(group, own, given)
            concerned |= {facts.name: facts for facts in same}
            levels += [level_db] if same else []
        if concerned:
            span = counted(f"{level:.1f} dBFS" for level in levels)
            yield Finding(
                "warning",
                code,
                f"all files have the same {what} ({span}) although their mixtures have not",
                "the level that the system gives: what is left of a talker is measured by it",
                "write the samples without normalising, as float where they exceed full scale",
                names(facts for facts in heard if facts.name in concerned),
                len(heard),
            )
            return


def _at_one_level(
    group: list[Facts], own: Callable[[Facts], float], given: Callable[[Facts], float]
) -> tuple[list[Facts], float]:
    """The files at the usual level in dB, if they are nearly all and their mixtures' levels differ."""
    if len(group) < 3:
        return [], 0.0
    levels = np.array([20 * np.log10(own(facts)) for facts in group])
    usual = float(np.median(levels))
    same = [facts for facts, level in zip(group, levels, strict=True) if abs(level - usual) <= LEVEL_DB]
    mixtures = [20 * np.log10(given(facts)) for facts in same]
    if len(same) < SAME_LEVEL_SHARE * len(group) or np.ptp(mixtures) < MIXTURES_DIFFER_DB:
        return [], 0.0
    return same, usual
