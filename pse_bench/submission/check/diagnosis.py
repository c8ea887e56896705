"""Findings on the sound of a submission, from the statistics of its files: a shared fault once.

Shifts and gains that files share are faults of the tool that wrote them, not of the system.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from operator import attrgetter

import numpy as np

from pse_bench.submission import verdicts
from pse_bench.submission.check.file_stats import INTEGER_PEAK, FileStats, Match, names
from pse_bench.submission.check.findings import Finding, finding, summarize_counts

MATCHING = 0.5  # correlation from which an estimate's shift and level against another signal mean something
UNRELATED = 0.2  # correlation up to which an estimate has nothing to do with its mixture
MOST = 0.8  # share of files that makes a shift or a gain that of the whole submission
GAIN_DB = 3.0
GAIN_SPREAD_DB = 1.0
STRAY_S = 0.001  # a single file is out of place when it is off by so much
STRAY_MARGIN = 0.1  # and matches there so much better
LEVEL_DB = 0.1
SAME_LEVEL_SHARE = 0.9
MIXTURES_DIFFER_DB = 1.0


def diagnose(all_stats: list[FileStats], *, sample_rate: int, twins: Callable[[str, str], bool]) -> list[Finding]:
    """The findings on the sound of a submission, fatal ones first.

    Args:
        all_stats: one for each estimate, in the dataset's order.
        sample_rate: of the dataset, in Hz.
        twins: whether two mixtures are the same sound, so that their estimates may be, too.
    """
    audible = [stats for stats in all_stats if stats.sha256 and not stats.silent]
    best = {stats.name: match for stats in audible if (match := _best(stats))}
    findings = [
        *_faults(all_stats, sample_rate),
        *_copies(all_stats),
        *_delay(audible, best, sample_rate),
        *_gain(all_stats, audible, best),
        *_normalised(audible),
        *_clipped_or_silent(all_stats, audible),
        *_identical(all_stats, twins),
    ]
    return sorted(findings, key=lambda finding: finding.severity != "fatal")


def _best(stats: FileStats) -> Match | None:
    """The closer match of mixture and reference, where one is close enough to mean something."""
    best = max(stats.matches.values(), key=lambda match: abs(match.correlation), default=None)
    return best if best and abs(best.correlation) >= MATCHING else None


def _faults(all_stats: list[FileStats], sample_rate: int) -> Iterator[Finding]:
    grouped: dict[str, list[tuple[FileStats, str]]] = {}
    for stats in all_stats:
        for code, found in stats.faults:
            grouped.setdefault(code, []).append((stats, found))
    for code, group in grouped.items():
        concerned = [stats for stats, _ in group]
        found, note, remedy = summarize_counts(text for _, text in group), "", None
        if code == "wrong-length":
            found, note = _length(concerned, all_stats)
        elif code == "wrong-rate" and "number of samples" in found:
            remedy = f"if the samples are at {sample_rate} Hz already, correct the header; else resample them"
        yield finding(code, names(concerned), found, len(all_stats), remedy, rate=sample_rate, note=note)


def _length(concerned: list[FileStats], all_stats: list[FileStats]) -> tuple[str, str]:
    """The number of samples that are missing or too many, and a note on the likely cause."""
    excess = [stats.excess for stats in concerned]
    parts = []
    for word, group in (("short", [-n for n in excess if n < 0]), ("long", [n for n in excess if n > 0])):
        if group:
            low, high = min(group), max(group)
            span = f"{low}" if low == high else f"between {low} and {high}"
            parts.append(f"{span} samples too {word}" + (f" ({len(group)})" if len(group) < len(excess) else ""))
    note = ""
    hop = _common_step([stats.num_samples for stats in concerned])
    if hop and len(concerned) >= 3:
        if _common_step([stats.num_samples - stats.excess for stats in all_stats]) < hop:
            note = f" (all lengths are multiples of {hop}: a last frame that is not full is dropped or filled)"
    elif len(concerned) >= 3 and len(set(excess)) == 1:
        note = " (always the same number: the overlap of the last frame, or a filter's tail)"
    return " and ".join(parts), note


def _common_step(lengths: list[int]) -> int:
    """The step of a frame's size that all lengths are multiples of; 0 without one."""
    step = int(np.gcd.reduce(lengths))
    return step if step >= 32 else 0


def _copies(all_stats: list[FileStats]) -> Iterator[Finding]:
    of = len(all_stats)
    if stems := [stats for stats in all_stats if stats.same_as.startswith("stems/")]:
        found = f"the dataset's own {summarize_counts(stats.same_as for stats in stems)}, not a system's output"
        yield finding("reference-submitted", names(stems), found, of)
    if same := [stats for stats in all_stats if stats.same_as == "the mixture"]:
        found = "the mixture, unprocessed" + (": this is the system `mixture`" if len(same) == of else "")
        yield finding("mixture-unchanged", names(same), found, of)


def _clipped_or_silent(all_stats: list[FileStats], audible: list[FileStats]) -> Iterator[Finding]:
    if clipped := [stats for stats in audible if stats.clipped_runs]:
        found = f"{sum(stats.clipped_runs for stats in clipped)} stretches cut off at full scale"
        yield finding("clipping", names(clipped), found, len(all_stats))
    asked = [stats for stats in all_stats if stats.scenario != "TS3" and stats.sha256]
    if silent := [stats for stats in asked if stats.silent]:
        every = ": in all of TS1 and TS2, so this is the system `silence`" if len(silent) == len(asked) else ""
        found = f"nothing but zeros where the target talks{every}"
        yield finding("silent", names(silent), found, len(asked))


def _identical(all_stats: list[FileStats], twins: Callable[[str, str], bool]) -> Iterator[Finding]:
    by_bytes: dict[str, list[FileStats]] = {}
    for stats in all_stats:
        # the target is the same in TS1 and TS2, and said to be it already
        if stats.sha256 and not stats.silent and not stats.same_as.startswith("stems/"):
            by_bytes.setdefault(stats.sha256, []).append(stats)
    if groups := [
        group
        for group in by_bytes.values()
        if not all(twins(group[0].mixture_id, other.mixture_id) for other in group[1:])
    ]:
        concerned = [stats for group in groups for stats in group]
        example = " = ".join(names(groups[0][:2]))
        found = f"the same bytes under different names, in {len(groups)} groups ({example})"
        yield finding("identical-files", names(concerned), found, len(all_stats))


def _delay(audible: list[FileStats], best: dict[str, Match], sample_rate: int) -> Iterator[Finding]:
    """Findings on a shift that all share, on files that have one of their own, and on those that match nothing."""
    lags = Counter(match.lag for match in best.values())
    usual = max(lags, key=lambda lag: sum(lags[near] for near in (lag - 1, lag, lag + 1)) + lags[lag], default=0)
    in_place = [stats for stats in audible if stats.name in best and abs(best[stats.name].lag - usual) <= 1]
    if usual and len(in_place) >= MOST * len(best):
        against = [
            f"the {signal} in {count} of {len(in_place)}"
            for signal in ("mixture", "reference")
            if (count := sum(_agrees(stats.matches.get(signal), usual) for stats in in_place))
        ]
        how = f"{abs(usual)} samples ({1000 * abs(usual) / sample_rate:.1f} ms) {'late' if usual > 0 else 'early'}"
        found = f"{how} throughout (measured against {' and '.join(against)})"
        early = f"put {-usual} zeros in front of each output and drop as many samples at its end"
        yield finding("delay", names(in_place), found, len(best), None if usual > 0 else early, lag=usual)
    else:
        usual = 0
    if stray := [
        stats
        for stats in audible
        if (match := best.get(stats.name))
        and abs(match.lag - usual) >= max(2, STRAY_S * sample_rate)
        and abs(match.correlation) >= abs(match.at_zero) + STRAY_MARGIN
    ]:
        shifts = [best[stats.name].lag for stats in stray]
        found = f"shifted by {min(shifts):+d} to {max(shifts):+d} samples, each file by its own number"
        yield finding("delay-varies", names(stray), found, len(best))
    matched = [stats for stats in audible if stats.matches]
    if unrelated := [
        stats for stats in matched if all(abs(match.correlation) < UNRELATED for match in stats.matches.values())
    ]:
        found = "sound that has nothing in common with the mixture or the reference"
        yield finding("unrelated", names(unrelated), found, len(matched))


def _agrees(match: Match | None, lag: int) -> bool:
    return match is not None and abs(match.correlation) >= MATCHING and abs(match.lag - lag) <= 1


def _gain(all_stats: list[FileStats], audible: list[FileStats], best: dict[str, Match]) -> Iterator[Finding]:
    """Findings on integers taken for floating-point numbers, on inverted polarity, and on a common gain."""
    if integers := [stats for stats in audible if stats.peak > INTEGER_PEAK]:
        peak = max(stats.peak for stats in integers)
        found = f"peaks up to {peak:.5g}: integers kept as floating-point numbers"
        yield finding("integer-scale", names(integers), found, len(audible))
    if inverted := [name for name, match in best.items() if match.correlation < 0]:
        found = "upside down" + (" throughout" if len(inverted) == len(best) else "")
        yield finding("polarity", inverted, found, len(best))
    heard = [stats for stats in all_stats if stats.mixture_peak > 0 and stats.same_as != "the mixture"]
    gain_db = verdicts.constant_gain_db([stats.of_mixture for stats in heard])
    if gain_db is not None:
        found = f"{verdicts.gain_text(gain_db)}: each is its mixture at another level"
        yield finding("constant-gain", names(heard), found, len(heard))
        return
    # The reference is a part of the mixture, so a gain against the mixture means something only where next to
    # nothing was taken out of it.
    for signal, least in (("reference", MATCHING), ("mixture", 0.98)):
        gains = {
            stats.name: 20 * float(np.log10(abs(match.gain)))
            for stats in audible
            if (match := stats.matches.get(signal)) and abs(match.correlation) >= least
        }
        usual = float(np.median(list(gains.values()))) if gains else 0.0
        same = [name for name, gain in gains.items() if abs(gain - usual) <= GAIN_SPREAD_DB]
        if abs(usual) >= GAIN_DB and len(same) >= MOST * len(gains):
            found = f"{abs(usual):.1f} dB {'louder' if usual > 0 else 'quieter'} than the {signal} throughout"
            yield finding("gain", same, found, len(gains), factor=10 ** (-usual / 20))
            return


def _normalised(audible: list[FileStats]) -> Iterator[Finding]:
    """Files that were all brought to one peak, or to one level, although their mixtures differ."""
    audible = [stats for stats in audible if stats.mixture_peak > 0]
    for code, kind, what in (("peak-normalised", "peak", "peak"), ("level-normalised", "rms", "level (RMS)")):
        concerned: set[str] = set()
        levels: list[str] = []
        for label in ("TS1", "TS2", "TS3", "TS"):
            # what clips has the peak of all that clips, and is told of for that
            group = [stats for stats in audible if stats.scenario.startswith(label) and not stats.clipped_runs]
            same, level_db = _at_one_level(group, attrgetter(kind), attrgetter(f"mixture_{kind}"))
            concerned.update(names(same))
            levels += [f"{level_db:.1f} dBFS"] if same else []
        if concerned:
            found = f"all files have the same {what} ({summarize_counts(levels)}) although their mixtures have not"
            yield finding(code, [name for name in names(audible) if name in concerned], found, len(audible))
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
