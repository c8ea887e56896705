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

WORDS = re.compile(r"[^A-Za-z0-9]+")  # what stands between the words of a file's name
JOURNAL = "enhance.journal"  # kept beside a part of a dataset, to continue it
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
    # a folder given by mistake may hold a whole disk
    listed = list(itertools.islice(_files(folder), 20 * len(mixtures) + 10_000))
    left = dict.fromkeys(sorted(name for name in listed if not (part and name == JOURNAL)))
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
        left = {name: None for name in left if name.casefold() not in DESCRIPTIONS}
    of = len(mixtures)
    misnamed, missing = _misnamed(left, missing)
    layout.findings += [_finding_misnamed(code, pairs, of) for code, pairs in misnamed.items()]
    if missing:
        layout.findings.append(_finding_missing(missing, layout, of))
    if both:
        layout.findings.append(finding("both-formats", both, "there as .flac and as .wav", of))
    layout.findings += _extra(left, len(listed))
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
    wanted: dict[tuple[str, str], Mixture] = {(row.scenario, row.scene_id.casefold()): row for row in missing}
    explained: dict[str, list[tuple[str, Mixture]]] = {}
    for name in list(left):
        row = _meant(PurePosixPath(name), wanted)
        if row is not None and not archive.LITTER.search(name):
            del left[name]
            del wanted[row.scenario, row.scene_id.casefold()]
            explained.setdefault(_how(PurePosixPath(name), row), []).append((name, row))
    return explained, list(wanted.values())


def _meant(path: PurePosixPath, wanted: dict[tuple[str, str], Mixture]) -> Mixture | None:
    """The missing mixture that a file's path names by its scenario and scene, if there is just one."""
    labels = {word.upper() for part in path.parts for word in WORDS.split(part)} & SCENARIOS.keys()
    scenes = {path.stem.casefold(), path.name.casefold(), *WORDS.split(path.stem.casefold())}
    meant = [key for key in itertools.product(labels, scenes) if key in wanted]
    return wanted[meant[0]] if len(meant) == 1 else None


def _how(path: PurePosixPath, row: Mixture) -> str:
    """In what way the name is not the one that was asked for."""
    asked = {f"{submission.estimate_name(row)}{ending}".casefold() for ending in audio.FORMATS}
    if path.as_posix().casefold() in asked:
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
    unfinished = [name for name in names if name.endswith((".part", ".journal"))]
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
