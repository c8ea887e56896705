"""From facts about single estimates to findings about the submission: what many files share is said once."""

from collections.abc import Callable, Iterator

import numpy as np

from pse_bench.submission.check import alignment
from pse_bench.submission.check.file_stats import Facts, names
from pse_bench.submission.check.findings import Finding, counted

FAULTS = {
    "unreadable": ("a FLAC or WAV file that can be opened", "restore it or enhance it again"),
    "empty": ("the mixture's length", "enhance it again"),
    "wrong-channels": ("1 channel", "write one channel, the enhanced one"),
    "wrong-subtype": ("16, 24 or 32 bit PCM, or float", "store the original samples again, without lossy coding"),
    "not-finite": ("finite numbers", "find where the system divides by zero or overflows (often in silence)"),
}
"""Expectation and remedy of what makes a single file useless."""


def judge(all_facts: list[Facts], *, sample_rate: int, twins: Callable[[str, str], bool]) -> list[Finding]:
    """The findings on the sound of a submission, fatal ones first.

    Args:
        all_facts: one for each estimate, in the dataset's order.
        sample_rate: of the dataset, in Hz.
        twins: whether two mixtures are the same sound, so that their estimates may be, too.
    """
    heard = [facts for facts in all_facts if facts.sha256 and not facts.silent]
    findings = [
        *_faults(all_facts, sample_rate),
        *_copies(all_facts),
        *alignment.delay(heard, sample_rate),
        *alignment.gain(heard),
        *alignment.normalised(heard),
        *_clipping(heard, all_facts),
        *_silent(all_facts),
        *_identical(all_facts, twins),
    ]
    return sorted(findings, key=lambda finding: finding.severity != "fatal")


# ---- what cannot be scored


def _faults(all_facts: list[Facts], sample_rate: int) -> Iterator[Finding]:
    grouped: dict[str, list[tuple[Facts, str]]] = {}
    for facts in all_facts:
        for code, found in facts.faults:
            grouped.setdefault(code, []).append((facts, found))
    for code, group in grouped.items():
        concerned = [facts for facts, _ in group]
        found = counted(text for _, text in group)
        if code == "wrong-length":
            found, expected, remedy = _length(concerned, all_facts)
        elif code == "wrong-rate":
            expected = f"{sample_rate} Hz"
            remedy = (
                f"if the samples are at {sample_rate} Hz already, correct the header; else resample them"
                if "number of samples" in found
                else f"resample to {sample_rate} Hz"
            )
        else:
            expected, remedy = FAULTS[code]
        yield Finding("fatal", code, found, expected, remedy, names(concerned), len(all_facts))


def _length(concerned: list[Facts], all_facts: list[Facts]) -> tuple[str, str, str]:
    """How many samples are missing or too many, and where they may have gone."""
    parts = []
    for word, group in (
        ("too short", [-facts.excess for facts in concerned if facts.excess < 0]),
        ("too long", [facts.excess for facts in concerned if facts.excess > 0]),
    ):
        if group:
            low, high = min(group), max(group)
            span = f"{low}" if low == high else f"between {low} and {high}"
            parts.append(f"{span} samples {word}" + (f" ({len(group)})" if len(group) < len(concerned) else ""))
    remedy = "pad the mixture before processing, and cut the output to the mixture's length at its end"
    hop = _common_step([facts.num_samples for facts in concerned])
    if hop and len(concerned) >= 3:
        asked = [facts.num_samples - facts.excess for facts in all_facts]
        if _common_step(asked) < hop:
            remedy += f" (all lengths are multiples of {hop}: a last frame that is not full is dropped or filled)"
    elif len(concerned) >= 3 and len({facts.excess for facts in concerned}) == 1:
        remedy += " (always the same number: the overlap of the last frame, or a filter's tail)"
    return " and ".join(parts), "the mixture's length to the sample", remedy


def _common_step(lengths: list[int]) -> int:
    """The step of a frame's size that all lengths are multiples of; 0 without one."""
    step = int(np.gcd.reduce(lengths))
    return step if step >= 32 else 0


# ---- copies


def _copies(all_facts: list[Facts]) -> Iterator[Finding]:
    stems = [facts for facts in all_facts if facts.same_as.startswith("stems/")]
    if stems:
        yield Finding(
            "fatal",
            "reference-submitted",
            f"the dataset's own {counted(facts.same_as for facts in stems)}, not a system's output",
            "what a system makes of the mixture and the enrollment",
            "submit the system's output; --system oracle-mask shows what knowing the stems gives",
            names(stems),
            len(all_facts),
        )
    same = [facts for facts in all_facts if facts.same_as == "the mixture"]
    if same:
        every = len(same) == len(all_facts)
        yield Finding(
            "warning",
            "mixture-unchanged",
            "the mixture, unprocessed" + (": this is the system `mixture`" if every else ""),
            "enhanced sound",
            "make sure that the system ran on these files and its output was written",
            names(same),
            len(all_facts),
        )


# ---- clipped, nothing, and the same again


def _clipping(heard: list[Facts], all_facts: list[Facts]) -> Iterator[Finding]:
    clipped = [facts for facts in heard if facts.clipped_runs]
    if clipped:
        yield Finding(
            "warning",
            "clipping",
            f"{sum(facts.clipped_runs for facts in clipped)} stretches cut off at full scale",
            "no mixture clips, so no estimate has to",
            "keep the mixture's level, or store as float",
            names(clipped),
            len(all_facts),
        )


def _silent(all_facts: list[Facts]) -> Iterator[Finding]:
    asked = [facts for facts in all_facts if facts.scenario != "TS3" and facts.sha256]
    silent = [facts for facts in asked if facts.silent]
    if silent:
        every = len(silent) == len(asked)
        yield Finding(
            "warning",
            "silent",
            "nothing but zeros where the target talks"
            + (": in all of TS1 and TS2, so this is the system `silence`" if every else ""),
            "the target's speech in TS1 and TS2 (silence is asked for in TS3 only)",
            "look whether the system ran, its output was scaled to nothing, or the enrollment was not read",
            names(silent),
            len(asked),
        )


def _identical(all_facts: list[Facts], twins: Callable[[str, str], bool]) -> Iterator[Finding]:
    by_bytes: dict[str, list[Facts]] = {}
    for facts in all_facts:
        # the target is the same in TS1 and TS2, and said to be it already
        if facts.sha256 and not facts.silent and not facts.same_as.startswith("stems/"):
            by_bytes.setdefault(facts.sha256, []).append(facts)
    groups = [
        group
        for group in by_bytes.values()
        if len(group) > 1 and not all(twins(group[0].mixture_id, other.mixture_id) for other in group[1:])
    ]
    if groups:
        concerned = [facts for group in groups for facts in group]
        example = " = ".join(names(groups[0][:2]))
        yield Finding(
            "warning",
            "identical-files",
            f"the same bytes under different names, in {len(groups)} groups ({example})",
            "an estimate of its own for each mixture",
            "look whether outputs are kept by scene alone and not by scenario and scene, or were copied",
            names(concerned),
            len(all_facts),
        )
