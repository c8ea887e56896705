"""Findings on the sound of a submission, from the statistics of its files: a shared fault once."""

from collections.abc import Callable, Iterator

import numpy as np

from pse_bench.submission.check import alignment
from pse_bench.submission.check.file_stats import FileStats, names
from pse_bench.submission.check.findings import Finding, finding, summarize_counts


def diagnose(all_stats: list[FileStats], *, sample_rate: int, twins: Callable[[str, str], bool]) -> list[Finding]:
    """The findings on the sound of a submission, fatal ones first.

    Args:
        all_stats: one for each estimate, in the dataset's order.
        sample_rate: of the dataset, in Hz.
        twins: whether two mixtures are the same sound, so that their estimates may be, too.
    """
    audible = [stats for stats in all_stats if stats.sha256 and not stats.silent]
    findings = [
        *_faults(all_stats, sample_rate),
        *_copies(all_stats),
        *alignment.delay(audible, sample_rate),
        *alignment.gain(audible),
        *alignment.normalised(audible),
        *_clipping(audible, all_stats),
        *_silent(all_stats),
        *_identical(all_stats, twins),
    ]
    return sorted(findings, key=lambda finding: finding.severity != "fatal")


# ---- what cannot be scored


def _faults(all_stats: list[FileStats], sample_rate: int) -> Iterator[Finding]:
    grouped: dict[str, list[tuple[FileStats, str]]] = {}
    for stats in all_stats:
        for code, found in stats.faults:
            grouped.setdefault(code, []).append((stats, found))
    for code, group in grouped.items():
        concerned = [stats for stats, _ in group]
        of, note, remedy = len(all_stats), "", None
        found = summarize_counts(text for _, text in group)
        if code == "wrong-length":
            found, note = _length(concerned, all_stats)
        elif code == "wrong-rate" and "number of samples" in found:
            remedy = f"if the samples are at {sample_rate} Hz already, correct the header; else resample them"
        yield finding(code, names(concerned), found, of, remedy, rate=sample_rate, note=note)


def _length(concerned: list[FileStats], all_stats: list[FileStats]) -> tuple[str, str]:
    """The number of samples that are missing or too many, and a note on the likely cause."""
    parts = []
    for word, group in (
        ("too short", [-stats.excess for stats in concerned if stats.excess < 0]),
        ("too long", [stats.excess for stats in concerned if stats.excess > 0]),
    ):
        if group:
            low, high = min(group), max(group)
            span = f"{low}" if low == high else f"between {low} and {high}"
            parts.append(f"{span} samples {word}" + (f" ({len(group)})" if len(group) < len(concerned) else ""))
    note = ""
    hop = _common_step([stats.num_samples for stats in concerned])
    if hop and len(concerned) >= 3:
        asked = [stats.num_samples - stats.excess for stats in all_stats]
        if _common_step(asked) < hop:
            note = f" (all lengths are multiples of {hop}: a last frame that is not full is dropped or filled)"
    elif len(concerned) >= 3 and len({stats.excess for stats in concerned}) == 1:
        note = " (always the same number: the overlap of the last frame, or a filter's tail)"
    return " and ".join(parts), note


def _common_step(lengths: list[int]) -> int:
    """The step of a frame's size that all lengths are multiples of; 0 without one."""
    step = int(np.gcd.reduce(lengths))
    return step if step >= 32 else 0


# ---- copies


def _copies(all_stats: list[FileStats]) -> Iterator[Finding]:
    stems = [stats for stats in all_stats if stats.same_as.startswith("stems/")]
    if stems:
        found = f"the dataset's own {summarize_counts(stats.same_as for stats in stems)}, not a system's output"
        yield finding("reference-submitted", names(stems), found, len(all_stats))
    same = [stats for stats in all_stats if stats.same_as == "the mixture"]
    if same:
        every = len(same) == len(all_stats)
        found = "the mixture, unprocessed" + (": this is the system `mixture`" if every else "")
        yield finding("mixture-unchanged", names(same), found, len(all_stats))


# ---- clipped, nothing, and the same again


def _clipping(audible: list[FileStats], all_stats: list[FileStats]) -> Iterator[Finding]:
    clipped = [stats for stats in audible if stats.clipped_runs]
    if clipped:
        found = f"{sum(stats.clipped_runs for stats in clipped)} stretches cut off at full scale"
        yield finding("clipping", names(clipped), found, len(all_stats))


def _silent(all_stats: list[FileStats]) -> Iterator[Finding]:
    asked = [stats for stats in all_stats if stats.scenario != "TS3" and stats.sha256]
    silent = [stats for stats in asked if stats.silent]
    if silent:
        every = len(silent) == len(asked)
        found = "nothing but zeros where the target talks" + (
            ": in all of TS1 and TS2, so this is the system `silence`" if every else ""
        )
        yield finding("silent", names(silent), found, len(asked))


def _identical(all_stats: list[FileStats], twins: Callable[[str, str], bool]) -> Iterator[Finding]:
    by_bytes: dict[str, list[FileStats]] = {}
    for stats in all_stats:
        # the target is the same in TS1 and TS2, and said to be it already
        if stats.sha256 and not stats.silent and not stats.same_as.startswith("stems/"):
            by_bytes.setdefault(stats.sha256, []).append(stats)
    groups = [
        group
        for group in by_bytes.values()
        if len(group) > 1 and not all(twins(group[0].mixture_id, other.mixture_id) for other in group[1:])
    ]
    if groups:
        concerned = [stats for group in groups for stats in group]
        example = " = ".join(names(groups[0][:2]))
        found = f"the same bytes under different names, in {len(groups)} groups ({example})"
        yield finding("identical-files", names(concerned), found, len(all_stats))
