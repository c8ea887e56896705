"""Findings on a submission, said so that its author can mend them: a fault once, however many files have it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from pse_bench.errors import one_line
from pse_bench.submission import activity_csv

SHOWN = 5  # files that a finding names
ACTIVITY_NAMES = "activity/<scenario>/<scene_id>.csv of every mixture where system.yaml says holds: [activity]"
NOTHING_ELSE = "one file a mixture and system.yaml"

FATAL = {
    # the names of files
    "<scenario>/<scene_id>.flac or .wav at the top of the submission": {
        "missing-file": "enhance the missing mixtures and add them; a part of a dataset is not ranked",
        "wrong-case": "rename them (check --adopt does): names are compared letter by letter",
        "wrong-ending": "store the samples as FLAC or WAV, and never by way of a lossy format",
        "wrong-folder": "move them (check --adopt does), or give the folder in which TS1, TS2 and TS3 lie",
        "wrong-name": "rename them like the mixture's file (check --adopt does)",
    },
    "one file a mixture": {"both-formats": "remove the older one"},
    ACTIVITY_NAMES: {"missing-activity": "add the missing files, or say holds: [audio] in system.yaml"},
    # single estimates
    "a FLAC or WAV file that can be opened": {"unreadable": "restore it or enhance it again"},
    "the mixture's length": {"empty": "enhance it again"},
    "{rate} Hz": {"wrong-rate": "resample to {rate} Hz"},
    "the mixture's length to the sample": {
        "wrong-length": "pad the mixture before processing, and cut the output to the mixture's length at its "
        "end{note}"
    },
    "1 channel": {"wrong-channels": "write one channel, the enhanced one"},
    "16, 24 or 32 bit PCM, or float": {"wrong-subtype": "store the original samples again, without lossy coding"},
    "finite numbers": {"not-finite": "find where the system divides by zero or overflows (often in silence)"},
    "what a system makes of the mixture and the enrollment": {
        "reference-submitted": "submit the system's output; --system oracle-mask shows what knowing the stems "
        "gives"
    },
    # single files of who speaks
    f"the header {activity_csv.HEADER}, then probabilities that add up to 1, a row each 10 ms": {
        "activity-unreadable": "write comma-separated numbers, three a row, under the header",
        "activity-columns": "write three numbers a row",
        "activity-length": "give a row for each 10 ms, also for a last one that is cut off",
        "activity-not-finite": "give numbers",
        "activity-range": "give probabilities, not logits",
        "activity-sums": "give the softmax of the three classes",
    },
    # system.yaml
    "a mapping with the keys {keys}": {
        "system-missing": "write one with at least name: and version:",
        "system-invalid": "write it as key: value lines",
        "system-unknown-key": "remove it",
        "system-missing-key": "add {key}:",
    },
    "{wanted}": {"system-wrong-value": "correct {key}"},
    # zips
    "a folder, or a zip": {"archive-unreadable": "zip the submission again, and not as tar, 7z or rar"},
    "at most {most}": {"archive-too-many": f"zip the submission alone: {NOTHING_ELSE}"},
    "at most {most:.1f} MB, several times what this dataset's estimates take": {
        "archive-too-big": "zip the submission alone, as 16 or 24 bit FLAC"
    },
    "names below the top of the zip": {"archive-outside": "zip the submission's folder itself"},
    "plain names with / between folders": {
        "archive-name": "zip it again with another tool (zip -r, or Python's shutil.make_archive)"
    },
    "every name once": {"archive-duplicate": "zip it again from scratch"},
    "plain files and folders": {
        "archive-link": "put the files themselves in place of the links (zip follows links unless told -y)"
    },
    "no password": {"archive-encrypted": "zip it again without a password"},
    "stored or deflated files": {"archive-method": "zip it again with the plain zip method"},
    "an undamaged zip": {"archive-damaged": "zip it again, and compare its size after each transfer"},
}
"""Remedies by what is expected and code. Those files cannot be scored, or hold what is not a system's output."""

WARNING = {
    # the names of files
    ACTIVITY_NAMES: {"activity-not-held": "say holds: [audio, activity] in system.yaml, or remove them"},
    "a finished submission": {"unfinished": "run the same enhance again; it continues and cleans up"},
    NOTHING_ELSE: {
        "extra-file": "remove them; if they are estimates, make sure that they come from this dataset",
        "litter": "remove them",
    },
    # estimates held against mixture and stems
    "enhanced sound": {
        "mixture-unchanged": "make sure that the system ran on these files and its output was written",
        "constant-gain": "look whether the system ran, and whether what it works out is applied",
    },
    "no shift: scores compare sample with sample": {
        "delay": "drop the first {lag} samples of each output and add as many at the end (pad the mixture before "
        "processing); the latency itself belongs into system.yaml",
        "delay-varies": "look for state that one file leaves for the next, and for silence that is cut at the "
        "beginning",
    },
    "the enhanced mixture of the same name": {
        "unrelated": "look whether files were exchanged, belong to another dataset, or hold raw bytes read as "
        "samples"
    },
    "full scale at ±1": {"integer-scale": "divide by 32768 before writing"},
    "the polarity of the mixture": {"polarity": "multiply by -1"},
    "the level of the mixture: an even loss of 11 dB counts as the target removed, and any loss as leakage "
    "avoided": {"gain": "multiply by {factor:.3g}"},
    "the level that the system gives: what is left of a talker is measured by it": dict.fromkeys(
        ("peak-normalised", "level-normalised"),
        "write the samples without normalising, as float where they exceed full scale",
    ),
    "no mixture clips, so no estimate has to": {"clipping": "keep the mixture's level, or store as float"},
    "the target's speech in TS1 and TS2 (silence is asked for in TS3 only)": {
        "silent": "look whether the system ran, its output was scaled to nothing, or the enrollment was not read"
    },
    "an estimate of its own for each mixture": {
        "identical-files": "look whether outputs are kept by scene alone and not by scenario and scene, or were "
        "copied"
    },
    "probabilities that follow the sound": {"activity-constant": "look at what the detector gives"},
    "an output that follows the enrollment, unless the system is meant to have none": {
        "ignores-enrollment": "if it is meant to be blind, nothing; else look whether the enrollment is read"
    },
    "{wanted}": {"system-absurd": "correct it, or leave out what is not known"},
}
"""Likewise. Those files can be scored, and the scores will probably not say what their author hopes."""

Severity = Literal["fatal", "warning"]
GROUPS: dict[Severity, dict[str, dict[str, str]]] = {"fatal": FATAL, "warning": WARNING}
CODES = {
    code: (severity, expected, remedy)
    for severity, groups in GROUPS.items()
    for expected, remedies in groups.items()
    for code, remedy in remedies.items()
}
"""Severity, expectation and remedy by code."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, with all files that share it; see ``FATAL`` and ``WARNING``.

    ``files`` are names below the submission, in order; ``of`` is how many of the kind there are, 0 where no files
    are meant.
    """

    severity: Severity
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
        return first_names(self.files)


def finding(
    code: str, files: Iterable[str], found: str, of: int = 0, remedy: str | None = None, **values: Any
) -> Finding:
    """A finding with what the tables say of its code; ``values`` are for the places in braces in their texts, and
    ``remedy`` stands in place of theirs."""
    severity, expected, usual = CODES[code]
    remedy = usual.format(**values) if remedy is None else remedy
    return Finding(severity, code, found, expected.format(**values), remedy, tuple(files), of)


def fault(code: str, found: str, **values: Any) -> str:
    """What is wrong with one file, in the words of a finding."""
    return f"{code}: {found}, expected {CODES[code][1].format(**values)}"


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
        keys = ("severity", "code", "count", "of", "files", "found", "expected", "remedy")
        findings = [
            vars(one) | {"count": len(one.files), "files": list(one.files[:SHOWN])} for one in self.findings
        ]
        head = ("submission", "dataset", "acceptable", "expected", "present")
        listed = [{key: finding[key] for key in keys} for finding in findings]
        return {key: getattr(self, key) for key in head} | {"findings": listed}

    def terminal(self) -> str:
        """The report for a person: fatal findings first, the files of each below it."""
        groups = {level: [one for one in self.findings if one.severity == level] for level in GROUPS}
        verdict = "acceptable" if self.acceptable else "not acceptable"
        counts = f"fatal: {len(groups['fatal'])}, warnings: {len(groups['warning'])}"
        lines = [
            f"{printable(self.submission)}: {verdict} ({counts if self.findings else 'nothing found'}); "
            f"{self.present} of {self.expected} estimates are there"
        ]
        for severity, findings in groups.items():
            lines += ["", severity] if findings else []
            for finding in findings:
                count = f", {len(finding.files)} of {finding.of}" if finding.of else ""
                lines.append(f"  {finding.code}{count}: {finding.found}")
                lines += [f"      expected: {finding.expected}", f"      remedy:   {finding.remedy}"]
                lines += [f"      files:    {finding.named()}"] if finding.files else []
        return "\n".join(lines)


def first_names(names: Sequence[str]) -> str:
    """The first names, and how many more there are."""
    more = len(names) - SHOWN
    return ", ".join(map(printable, names[:SHOWN])) + (f", and {more} more" if more > 0 else "")


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
