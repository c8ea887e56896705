"""Which file of a submission belongs to which mixture, and findings on their names."""

import itertools
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from pse_bench.io import audio
from pse_bench.schemas import DESCRIPTIONS as SCENARIOS
from pse_bench.schemas import Mixture
from pse_bench.submission import submission
from pse_bench.submission import zip as archive
from pse_bench.submission.check.findings import Finding, finding, printable, summarize_counts

WORD = re.compile(r"[A-Za-z0-9]+")
MOST_WORDS = 40  # of a file's name that are looked at
ByName = dict[tuple[str, str], Mixture]
"""Mixtures by their scenario and casefolded scene."""
JOURNAL = "enhance.journal"  # kept beside a part of a dataset, to continue it
UNFINISHED = (".part", ".journal")
DESCRIPTIONS = ("system.yaml", "system.yml", "system.yaml.txt", "system.json")  # what people call it, casefolded


@dataclass
class Layout:
    """The one estimate of each mixture by mixture id, as its name below the submission, likewise the file of who
    speaks in it, and the findings on names."""

    names: dict[str, str] = field(default_factory=dict)
    activity: dict[str, str] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)


def assign(
    folder: Path, mixtures: list[Mixture], holds: Sequence[str] = ("audio",), *, part: bool = False
) -> Layout:
    """Assign the files of a submission, which says what it ``holds``, to the mixtures of the dataset, or of the
    ``part`` of it that was enhanced."""
    files = listed(folder, mixtures)
    left = dict.fromkeys(name for name in files if not (part and name == JOURNAL))
    layout = Layout()
    _assign_activity(layout, left, mixtures, "activity" in holds)
    both, missing = [], []
    for row in mixtures if "audio" in holds else []:
        found = [name for ending in audio.FORMATS if (name := f"{submission.estimate_name(row)}{ending}") in left]
        for name in found:
            del left[name]
        if len(found) == 1:
            layout.names[row.mixture_id] = found[0]
        elif found:
            both.append(submission.estimate_name(row))
        else:
            missing.append(row)
    if submission.DESCRIPTION in left:
        del left[submission.DESCRIPTION]
    else:  # what was meant to be it, is said where it is missed
        left = {name: None for name in left if not describes(name)}
    of = len(mixtures)
    misnamed, missing = _misnamed(left, missing)
    layout.findings += [_finding_misnamed(code, pairs, of) for code, pairs in misnamed.items()]
    if missing:
        layout.findings.append(_finding_missing(missing, layout, of))
    if both:
        layout.findings.append(finding("both-formats", both, "there as .flac and as .wav", of))
    layout.findings += _extra(left, len(files))
    return layout


def _assign_activity(layout: Layout, left: dict[str, None], mixtures: list[Mixture], held: bool) -> None:
    """Take the files of who speaks out of ``left``."""
    names = {row.mixture_id: submission.activity_name(row) for row in mixtures}
    found = {mixture_id: name for mixture_id, name in names.items() if name in left}
    for name in found.values():
        del left[name]
    layout.activity = found if held else {}
    missing = [name for mixture_id, name in names.items() if mixture_id not in found]
    if held and missing:
        fault = f"no file; {len(found)} of {len(names)} are there"
        layout.findings.append(finding("missing-activity", missing, fault, len(names)))
    if found and not held:
        fault = "there, and system.yaml does not say so; they are not scored"
        layout.findings.append(finding("activity-not-held", found.values(), fault, len(names)))


def listed(folder: Path, mixtures: list[Mixture]) -> list[str]:
    """The names of all files below a folder in order; of a folder given by mistake, which may hold a whole disk,
    not all."""
    return sorted(itertools.islice(_files(folder), 20 * len(mixtures) + 10_000))


def describes(name: str) -> bool:
    """Whether a file at the top of a submission was meant to be its ``system.yaml``."""
    return name.casefold() in DESCRIPTIONS


def is_beside(name: str) -> bool:
    """Whether a file was never meant to be an estimate: what describes the submission, what an interrupted run or
    an operating system leaves."""
    return describes(name) or name.endswith(UNFINISHED) or archive.LITTER.search(name) is not None


def _files(folder: Path) -> Iterator[str]:
    """The names of all files below a folder, with / between folders; linked folders are entered once."""
    seen = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        state = os.stat(place)
        if (state.st_dev, state.st_ino) in seen:
            folders.clear()
            continue
        seen.add((state.st_dev, state.st_ino))
        yield from ((Path(place) / name).relative_to(folder).as_posix() for name in names)


def _misnamed(
    left: dict[str, None], missing: list[Mixture]
) -> tuple[dict[str, list[tuple[str, Mixture]]], list[Mixture]]:
    """By code, the files that stand for a missing mixture under another name; and the mixtures still missing.

    Files that are explained are taken out of ``left``.
    """
    wanted = by_name(missing)
    explained: dict[str, list[tuple[str, Mixture]]] = {}
    for name in list(left):
        rows = [] if archive.LITTER.search(name) else named(PurePosixPath(name), wanted)
        if len(rows) == 1:
            (row,) = rows
            del left[name]
            del wanted[row.scenario, row.scene_id.casefold()]
            explained.setdefault(how_named(PurePosixPath(name), row), []).append((name, row))
    return explained, list(wanted.values())


def by_name(mixtures: Iterable[Mixture]) -> ByName:
    return {(row.scenario, row.scene_id.casefold()): row for row in mixtures}


def named(path: PurePosixPath, wanted: ByName) -> list[Mixture]:
    """The mixtures that a file's path names by scenario and scene, in whatever words stand around them; of scenes
    whose names hold one another, the longest."""
    words = [[match.span() for match in itertools.islice(WORD.finditer(part), MOST_WORDS)] for part in path.parts]
    labels = {part[a:b].upper() for part, spans in zip(path.parts, words, strict=True) for a, b in spans}
    scenes = {path.stem.casefold(), path.name.casefold()}
    for part, spans in zip(path.parts, words, strict=True):
        ends = itertools.combinations_with_replacement(spans, 2)
        scenes |= {part[first[0] : last[1]].casefold() for first, last in ends}
    found = [key for key in itertools.product(labels & SCENARIOS.keys(), scenes) if key in wanted]
    longest = max((len(scene) for _, scene in found), default=0)
    return [wanted[key] for key in found if len(key[1]) == longest]


def how_named(path: PurePosixPath, row: Mixture) -> str:
    """In what way the name is not the one that was asked for: the code of a finding, ``in-place`` where it is."""
    asked = [f"{submission.estimate_name(row)}{ending}" for ending in audio.FORMATS]
    if path.as_posix() in asked:
        return "in-place"
    if path.as_posix().casefold() in map(str.casefold, asked):
        return "wrong-case"
    if path.parent.as_posix() == row.scenario and row.scene_id in (path.stem, path.name):
        return "wrong-ending"
    return "wrong-folder" if path.stem == row.scene_id and path.suffix in audio.FORMATS else "wrong-name"


def _finding_misnamed(code: str, pairs: list[tuple[str, Mixture]], of: int) -> Finding:
    names, rows = zip(*pairs, strict=True)
    paths = [PurePosixPath(name) for name in names]
    if code == "wrong-ending":
        found = summarize_counts(f"the ending {printable(path.suffix) or 'is missing'}" for path in paths)
    elif code == "wrong-folder":
        found = summarize_counts(f"the folder {printable(str(path.parent))}" for path in paths)
    else:
        found = (
            f"named like {printable(names[0])}, which should be {submission.estimate_name(rows[0])}.flac or .wav"
        )
    return finding(code, names, found, of)


def _finding_missing(missing: list[Mixture], layout: Layout, of: int) -> Finding:
    present = {name.partition("/")[0] for name in layout.names.values()}
    whole = dict.fromkeys(row.scenario for row in missing if row.scenario not in present)
    found = f"no file; {len(layout.names)} of {of} are there" + (
        f", and none of {', '.join(whole)}" if whole else ""
    )
    remedy = None if present else "give the folder that holds TS1, TS2 and TS3, made from this dataset"
    return finding("missing-file", map(submission.estimate_name, missing), found, of, remedy)


def _extra(names: Iterable[str], of: int) -> Iterator[Finding]:
    litter = [name for name in names if archive.LITTER.search(name)]
    unfinished = [name for name in names if name.endswith(UNFINISHED)]
    others = [name for name in names if name not in {*litter, *unfinished}]
    if unfinished:
        yield finding("unfinished", unfinished, "what an interrupted pse-bench enhance leaves", of)
    if others:
        fault = "files that are no estimate of this dataset's mixtures; they are not scored"
        yield finding("extra-file", others, fault, of)
    if litter:
        yield litter_finding(litter, of)


def litter_finding(names: list[str], of: int) -> Finding:
    """The finding on what operating systems leave behind, in a folder or a zip."""
    return finding("litter", names, "files that an operating system left; they are passed over", of)
