"""Findings on a submission, said so that its author can mend them: a fault once, however many files have it."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pse_bench.errors import one_line
from pse_bench.submission import activity_csv

SHOWN = 5
"""Number of files that a finding names."""

NAMES = "<scenario>/<scene_id>.flac or .wav at the top of the submission"
ACTIVITY_NAMES = "activity/<scenario>/<scene_id>.csv of every mixture where system.yaml says holds: [activity]"
ACTIVITY = f"the header {activity_csv.HEADER}, then probabilities that add up to 1, a row each 10 ms"
AGAIN = "zip it again from scratch"
NOTHING_ELSE = "one file a mixture and system.yaml"
NO_SHIFT = "no shift: scores compare sample with sample"
OWN_LEVEL = "the level that the system gives: what is left of a talker is measured by it"
UNNORMALISED = "write the samples without normalising, as float where they exceed full scale"

FATAL = {
    # the names of files
    "missing-file": (NAMES, "enhance the missing mixtures and add them; a part of a dataset is not ranked"),
    "both-formats": ("one file a mixture", "remove the older one"),
    "wrong-case": (NAMES, "rename them: names are compared letter by letter"),
    "wrong-ending": (NAMES, "store the samples as FLAC or WAV, and never by way of a lossy format"),
    "wrong-folder": (NAMES, "move them, or give the folder in which TS1, TS2 and TS3 lie"),
    "wrong-name": (NAMES, "rename them like the mixture's file"),
    "missing-activity": (ACTIVITY_NAMES, "add the missing files, or say holds: [audio] in system.yaml"),
    # single estimates
    "unreadable": ("a FLAC or WAV file that can be opened", "restore it or enhance it again"),
    "empty": ("the mixture's length", "enhance it again"),
    "wrong-rate": ("{rate} Hz", "resample to {rate} Hz"),
    "wrong-length": (
        "the mixture's length to the sample",
        "pad the mixture before processing, and cut the output to the mixture's length at its end{note}",
    ),
    "wrong-channels": ("1 channel", "write one channel, the enhanced one"),
    "wrong-subtype": ("16, 24 or 32 bit PCM, or float", "store the original samples again, without lossy coding"),
    "not-finite": ("finite numbers", "find where the system divides by zero or overflows (often in silence)"),
    "reference-submitted": (
        "what a system makes of the mixture and the enrollment",
        "submit the system's output; --system oracle-mask shows what knowing the stems gives",
    ),
    # single files of who speaks
    "activity-unreadable": (ACTIVITY, "write comma-separated numbers, three a row, under the header"),
    "activity-columns": (ACTIVITY, "write three numbers a row"),
    "activity-length": (ACTIVITY, "give a row for each 10 ms, also for a last one that is cut off"),
    "activity-not-finite": (ACTIVITY, "give numbers"),
    "activity-range": (ACTIVITY, "give probabilities, not logits"),
    "activity-sums": (ACTIVITY, "give the softmax of the three classes"),
    # system.yaml
    "system-missing": ("a mapping with the keys {keys}", "write one with at least name: and version:"),
    "system-invalid": ("a mapping with the keys {keys}", "write it as key: value lines"),
    "system-unknown-key": ("a mapping with the keys {keys}", "remove it"),
    "system-missing-key": ("a mapping with the keys {keys}", "add {key}:"),
    "system-wrong-value": ("{wanted}", "correct {key}"),
    # zips
    "archive-unreadable": ("a folder, or a zip", "zip the submission again, and not as tar, 7z or rar"),
    "archive-too-many": ("at most {most}", f"zip the submission alone: {NOTHING_ELSE}"),
    "archive-too-big": (
        "at most {most:.1f} MB, several times what this dataset's estimates take",
        "zip the submission alone, as 16 or 24 bit FLAC",
    ),
    "archive-outside": ("names below the top of the zip", "zip the submission's folder itself"),
    "archive-name": (
        "plain names with / between folders",
        "zip it again with another tool (zip -r, or Python's shutil.make_archive)",
    ),
    "archive-duplicate": ("every name once", AGAIN),
    "archive-link": (
        "plain files and folders",
        "put the files themselves in place of the links (zip follows links unless told -y)",
    ),
    "archive-encrypted": ("no password", "zip it again without a password"),
    "archive-method": ("stored or deflated files", "zip it again with the plain zip method"),
    "archive-damaged": ("an undamaged zip", "zip it again, and compare its size after each transfer"),
}
"""Expectation and remedy by code. Those files cannot be scored, or what they hold is not a system's output."""

WARNING = {
    # the names of files
    "activity-not-held": (ACTIVITY_NAMES, "say holds: [audio, activity] in system.yaml, or remove them"),
    "unfinished": ("a finished submission", "run the same enhance again; it continues and cleans up"),
    "extra-file": (
        NOTHING_ELSE,
        "remove them; if they are estimates, make sure that they come from this dataset",
    ),
    "litter": (NOTHING_ELSE, "remove them"),
    # estimates held against mixture and stems
    "mixture-unchanged": (
        "enhanced sound",
        "make sure that the system ran on these files and its output was written",
    ),
    "delay": (
        NO_SHIFT,
        "drop the first {lag} samples of each output and add as many at the end (pad the mixture before "
        "processing); the latency itself belongs into system.yaml",
    ),
    "delay-varies": (
        NO_SHIFT,
        "look for state that one file leaves for the next, and for silence that is cut at the beginning",
    ),
    "unrelated": (
        "the enhanced mixture of the same name",
        "look whether files were exchanged, belong to another dataset, or hold raw bytes read as samples",
    ),
    "integer-scale": ("full scale at ±1", "divide by 32768 before writing"),
    "polarity": ("the polarity of the mixture", "multiply by -1"),
    "gain": (
        "the level of the mixture: an even loss of 11 dB counts as the target removed, and any loss as "
        "leakage avoided",
        "multiply by {factor:.3g}",
    ),
    "peak-normalised": (OWN_LEVEL, UNNORMALISED),
    "level-normalised": (OWN_LEVEL, UNNORMALISED),
    "clipping": ("no mixture clips, so no estimate has to", "keep the mixture's level, or store as float"),
    "silent": (
        "the target's speech in TS1 and TS2 (silence is asked for in TS3 only)",
        "look whether the system ran, its output was scaled to nothing, or the enrollment was not read",
    ),
    "identical-files": (
        "an estimate of its own for each mixture",
        "look whether outputs are kept by scene alone and not by scenario and scene, or were copied",
    ),
    "activity-constant": ("probabilities that follow the sound", "look at what the detector gives"),
    "system-absurd": ("{wanted}", "correct it, or leave out what is not known"),
}
"""Likewise. Those files can be scored, and the scores will probably not say what their author hopes."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, with all files that share it; see ``FATAL`` and ``WARNING``.

    ``files`` are names below the submission, in order; ``of`` is how many of the kind there are, 0 where no files
    are meant.
    """

    severity: Literal["fatal", "warning"]
    code: str
    found: str
    expected: str
    remedy: str
    files: tuple[str, ...] = ()
    of: int = 0

    def __str__(self) -> str:
        """All of it in one line."""
        count = f" ({len(self.files)} of {self.of})" if self.of else ""
        named = f" [{self.named()}]" if self.files else ""
        return f"{self.code}{count}: {self.found}; expected {self.expected}; {self.remedy}{named}"

    def named(self) -> str:
        """The first files, and how many more there are."""
        more = len(self.files) - SHOWN
        return ", ".join(map(printable, self.files[:SHOWN])) + (f", and {more} more" if more > 0 else "")


def finding(
    code: str, files: Iterable[str], found: str, of: int = 0, remedy: str | None = None, **values: Any
) -> Finding:
    """A finding with what the tables say of its code.

    Args:
        code: a key of ``FATAL`` or ``WARNING``.
        files: names below the submission.
        found: what is wrong with them.
        of: how many files of the kind there are; 0 where no files are meant.
        remedy: in place of the table's.
        values: for the places in braces in the table's texts.
    """
    expected, usual = (FATAL if code in FATAL else WARNING)[code]
    return Finding(
        "fatal" if code in FATAL else "warning",
        code,
        found,
        expected.format(**values),
        usual.format(**values) if remedy is None else remedy,
        tuple(files),
        of,
    )


@dataclass(frozen=True)
class CheckReport:
    """All findings of a check.

    ``expected`` counts the dataset's mixtures, ``present`` those that have exactly one file under the right name,
    of each kind that the submission holds.
    """

    submission: str
    dataset: str
    expected: int
    present: int
    findings: tuple[Finding, ...]

    @property
    def acceptable(self) -> bool:
        """Whether nothing is fatal."""
        return all(finding.severity != "fatal" for finding in self.findings)

    def document(self) -> dict[str, Any]:
        """The report for a script: files are the first five of ``count``."""
        return {
            "submission": self.submission,
            "dataset": self.dataset,
            "acceptable": self.acceptable,
            "expected": self.expected,
            "present": self.present,
            "findings": [
                {
                    "severity": finding.severity,
                    "code": finding.code,
                    "count": len(finding.files),
                    "of": finding.of,
                    "files": list(finding.files[:SHOWN]),
                    "found": finding.found,
                    "expected": finding.expected,
                    "remedy": finding.remedy,
                }
                for finding in self.findings
            ],
        }

    def terminal(self) -> str:
        """The report for a person: fatal findings first, the files of each below it."""
        groups = {
            severity: [finding for finding in self.findings if finding.severity == severity]
            for severity in ("fatal", "warning")
        }
        verdict = "acceptable" if self.acceptable else "not acceptable"
        counts = f"fatal: {len(groups['fatal'])}, warnings: {len(groups['warning'])}"
        lines = [
            f"{printable(self.submission)}: {verdict} ({counts if self.findings else 'nothing found'}); "
            f"{self.present} of {self.expected} estimates are there"
        ]
        for severity, findings in groups.items():
            if findings:
                lines += ["", severity]
            for finding in findings:
                count = f", {len(finding.files)} of {finding.of}" if finding.of else ""
                lines.append(f"  {finding.code}{count}: {finding.found}")
                lines.append(f"      expected: {finding.expected}")
                lines.append(f"      remedy:   {finding.remedy}")
                if finding.files:
                    lines.append(f"      files:    {finding.named()}")
        return "\n".join(lines)


def printable(name: str) -> str:
    """A name that a stranger chose, safe to show on a terminal and of a length to read."""
    return one_line(name, 200)


def summarize_counts(texts: Iterable[str]) -> str:
    """Texts with how often each occurs, the most frequent first; a text that stands alone is given as it is."""
    counts = Counter(texts)
    if len(counts) == 1:
        return next(iter(counts))
    several = [f"{text} ({count})" for text, count in counts.most_common(3)]
    more = len(counts) - len(several)
    return ", ".join(several) + (f" and {more} others" if more > 0 else "")
