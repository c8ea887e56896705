"""What is wrong with a submission, said so that its author can mend it: a fault once, however many files."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from pse_bench.errors import one_line

SHOWN = 5
"""How many files of a finding are named."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, with all files that share it.

    ``fatal``: those files cannot be scored, or what they hold is not a system's output. ``warning``: they can be
    scored, and the figures will probably not say what their author hopes. ``files`` are names below the
    submission, in order; ``of`` is how many of the kind there are, 0 where no files are meant.
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


@dataclass(frozen=True)
class Report:
    """Everything that a check found.

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


def counted(texts: Iterable[str]) -> str:
    """Texts with how often each occurs, the most frequent first; a text that stands alone is given as it is."""
    from collections import Counter

    counts = Counter(texts)
    if len(counts) == 1:
        return next(iter(counts))
    several = [f"{text} ({count})" for text, count in counts.most_common(3)]
    more = len(counts) - len(several)
    return ", ".join(several) + (f" and {more} others" if more > 0 else "")
