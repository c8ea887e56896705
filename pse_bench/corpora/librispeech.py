"""LibriSpeech as it unpacks: ``<subset>/<speaker>/<chapter>/<speaker>-<chapter>-<utterance>.flac``.

Paths in the manifest are relative to the folder that holds SPEAKERS.TXT. Texts are kept as printed (upper
case, no punctuation). Source: V. Panayotov et al., "Librispeech: an ASR corpus based on public domain audio
books", ICASSP 2015; openslr.org/12.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pse_bench.corpora import scan
from pse_bench.errors import InputError
from pse_bench.io import documents
from pse_bench.registry import suggestion
from pse_bench.schemas import Utterance

LAYOUT = "<subset>/<speaker>/<chapter>/<speaker>-<chapter>-<utterance>.flac"
_NAME = re.compile(r"([0-9]+)-([0-9]+)-[0-9]+")


def read(
    root: Path,
    *,
    subsets: Sequence[str] | None = None,
    name: str = "librispeech",
    executor: Any,
    progress: scan.Progress | None = None,
    notice: scan.Notice | None = None,
) -> tuple[list[Utterance], list[str]]:
    """Utterances of a LibriSpeech tree, and problems (see ``clips``).

    A partial download is fine: transcript lines without a sound file are counted in a notice. A sound
    file without a transcript line, or of a speaker who is not listed, is a problem.

    Args:
        root: the folder that holds SPEAKERS.TXT.
        subsets: folders to read, such as ``test-other``; all by default.
        name: the corpus name in the rows.
        executor: an executor of pse_bench.runtime.executor.
        progress: called with files done and files in all.
        notice: called with lines worth saying.

    Raises:
        InputError: no LibriSpeech tree, an unknown subset, or SPEAKERS.TXT cannot be read.
    """
    root = Path(root)
    _check_root(root)
    genders = parse_speakers(documents.read_text(root / "SPEAKERS.TXT"), str(root / "SPEAKERS.TXT"))
    folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and entry.name[0] != ".")
    for subset in subsets or ():
        if subset not in folders:
            raise InputError(
                f"{root / subset}: no such subset; {suggestion(subset, folders, 'present', none='none')}"
            )
    paths, problems = scan.find(root, list(subsets or folders), endings=[".flac"])
    if not paths and not problems:
        raise scan.none_found(root, LAYOUT)

    entries: dict[str, dict[str, Any]] = {}
    texts: dict[str, dict[str, str] | None] = {}
    unlisted: dict[str, list[str]] = {}
    for path in paths:
        chapter, _, file = path.rpartition("/")
        utterance = scan.stem(file)
        match = _NAME.fullmatch(utterance)
        if not match or path.split("/")[1:-1] != list(match.groups()):
            problems.append(f"{root / path}: not a LibriSpeech name, expected {LAYOUT}; rename or remove it")
            continue
        if chapter not in texts:
            texts[chapter] = _texts_of(root / chapter / f"{match[1]}-{match[2]}.trans.txt", problems)
        known = texts[chapter]
        if known is None:
            continue  # said once for the whole chapter
        if match[1] not in genders:
            unlisted.setdefault(match[1], []).append(path)
        elif utterance not in known:
            problems.append(
                f"{root / path}: no line in {match[1]}-{match[2]}.trans.txt; restore the line or remove the file"
            )
        else:
            entries[path] = {
                "utterance_id": utterance,
                "speaker_id": match[1],
                "gender": genders[match[1]],
                "text": known[utterance],
            }
    for speaker, left_out in unlisted.items():
        problems.append(
            f"{root / left_out[0]}: speaker {speaker} is not in SPEAKERS.TXT, which leaves out "
            f"{len(left_out)} files; add the speaker's line"
        )
    _notice_absent(root, texts, paths, notice)
    rows, more = scan.rows_of(
        Utterance, name, root, entries, id_field="utterance_id", executor=executor, progress=progress
    )
    return rows, sorted(problems + more)


def _check_root(root: Path) -> None:
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; check the path")
    if (root / "SPEAKERS.TXT").is_file():
        return
    hint = "give the folder that holds SPEAKERS.TXT"
    for place in (root / "LibriSpeech", root.resolve().parent):
        if (place / "SPEAKERS.TXT").is_file():
            hint = f"give {place}, which has one"
    raise InputError(f"{root}: no SPEAKERS.TXT here, expected the LibriSpeech folder; {hint}")


def _texts_of(path: Path, problems: list[str]) -> dict[str, str] | None:
    """The transcripts of a chapter, or None after noting why there are none."""
    try:
        texts, faults = parse_transcripts(documents.read_text(path), str(path))
    except InputError as error:
        problems.append(f"{error} (its chapter is left out)")
        return None
    problems += faults
    return texts


def _notice_absent(
    root: Path, texts: dict[str, dict[str, str] | None], paths: list[str], notice: scan.Notice | None
) -> None:
    present = set(map(scan.stem, paths))
    lines = [f"{chapter}/{utterance}" for chapter, known in texts.items() for utterance in known or ()]
    absent = [line for line in lines if line not in present]
    if absent and notice:
        notice(
            f"{root}: {len(absent)} of {len(lines)} transcript lines have no sound file here, "
            f"the first {absent[0]}"
        )


def parse_speakers(text: str, where: str) -> dict[str, str]:
    """Genders (F or M) by speaker id, from SPEAKERS.TXT.

    Fields stand between bars; the last one, the reader's name, may hold bars itself (``|CBW|Simon``).
    Lines that begin with a semicolon are comments. Raises InputError naming the line.
    """
    genders: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.startswith(";"):
            continue
        fields = [part.strip() for part in line.split("|", 4)]
        if len(fields) < 5 or not fields[0] or fields[1] not in ("F", "M"):
            raise InputError(
                f"{where}:{number}: found {line.strip()!r:.80}, "
                "expected 'id | F or M | subset | minutes | name'; restore the original file"
            )
        if genders.setdefault(fields[0], fields[1]) != fields[1]:
            raise InputError(f"{where}:{number}: speaker {fields[0]!r} is listed as F and M; keep one line")
    return genders


def parse_transcripts(text: str, where: str) -> tuple[dict[str, str], list[str]]:
    """Texts by utterance id, from a ``.trans.txt`` with lines ``<id> <text>``, and problems."""
    texts: dict[str, str] = {}
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        utterance, *words = line.split()
        spoken = " ".join(words)
        if not words:
            problems.append(f"{where}:{number}: {utterance!r:.80} has no text; restore the line")
        elif texts.setdefault(utterance, spoken) != spoken:
            problems.append(f"{where}:{number}: {utterance!r:.80} has another text above; keep one line")
    return texts, problems
