"""Any speech corpus laid out as ``<speaker>/<utterance>.<ending>`` or ``<speaker>/<session>/<utterance>.…``.

An utterance_id is the path below the root without its ending, such as ``p225/p225_001``: unique by
itself, and the same whatever else is in the folder.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pse_bench.corpora import csv_columns, scan
from pse_bench.errors import InputError
from pse_bench.schemas import Utterance

LAYOUT = "<speaker>/<utterance>.wav or <speaker>/<session>/<utterance>.wav"
GENDERS = {"f": "F", "female": "F", "m": "M", "male": "M", "": ""}


def read(
    root: Path,
    *,
    name: str,
    transcripts: Path | None = None,
    genders: Path | None = None,
    executor: Any,
    progress: scan.Progress | None = None,
    notice: scan.Notice | None = None,
) -> tuple[list[Utterance], list[str]]:
    """Utterances below the folders of their speakers, and problems (see ``clips``).

    Where an index is given, a file without a line in it is a problem; an empty cell says "not known".
    Lines without a file are counted in a notice.

    Args:
        root: the folder of speakers.
        name: the corpus name in the rows.
        transcripts: a CSV with the columns ``utterance_id`` (or ``utt_id``) and ``text``. A line names the
            file by its utterance_id, or by its stem (``p225_001``) where one file only is called so.
        genders: a CSV with the columns ``speaker_id`` (or ``speaker``) and ``gender`` (F, M or empty).
        executor: an executor of pse_bench.runtime.executor.
        progress: called with files done and files in all.
        notice: called with lines worth saying.

    Raises:
        InputError: no such folder, no sound in it, or an index cannot be read.
    """
    root = Path(root)
    texts = csv_columns.read(transcripts, key=("utterance_id", "utt_id"), value=("text",)) if transcripts else None
    known = _genders_of(genders) if genders else None
    paths, problems = scan.find(root)
    if not paths and not problems:
        raise scan.none_found(root, LAYOUT)

    stems = Counter(scan.stem(path).rpartition("/")[2] for path in paths)
    entries: dict[str, dict[str, Any]] = {}
    used: set[str] = set()
    for path in paths:
        speaker, *rest = path.split("/")
        if len(rest) not in (1, 2):
            problems.append(f"{root / path}: expected {LAYOUT} below {root}; move or remove it")
            continue
        key = _key_of(path, texts, stems)
        if texts is not None and key is None:
            problems.append(f"{root / path}: no line for it in {transcripts}; add one (an empty text: not known)")
            continue
        if known is not None and speaker not in known:
            problems.append(f"{root / path}: speaker {speaker!r} is not in {genders}; add the speaker's line")
            continue
        used.add(key or "")
        entries[path] = {
            "utterance_id": scan.stem(path),
            "speaker_id": speaker,
            "gender": known[speaker] if known is not None else "",
            "text": " ".join(texts[key].split()) if texts is not None and key is not None else "",
        }
    idle = sorted(set(texts or ()) - used)
    if idle and notice:
        notice(f"{transcripts}: {len(idle)} of {len(texts or ())} lines have no file in {root}, as {idle[0]}")
    rows, more = scan.rows_of(
        Utterance, name, root, entries, id_field="utterance_id", executor=executor, progress=progress
    )
    return rows, sorted(problems + more)


def _key_of(path: str, texts: Mapping[str, str] | None, stems: Mapping[str, int]) -> str | None:
    """What a file is called in the transcripts: its id, or its stem where that is not ambiguous."""
    if texts is None:
        return None
    utterance = scan.stem(path)
    short = utterance.rpartition("/")[2]
    if utterance in texts:
        return utterance
    return short if short in texts and stems[short] == 1 else None


def _genders_of(path: Path) -> dict[str, str]:
    listed = csv_columns.read(path, key=("speaker_id", "speaker"), value=("gender",))
    for speaker, gender in listed.items():
        if gender.strip().lower() not in GENDERS:
            raise InputError(f"{path}: speaker {speaker!r} has gender {gender!r}, expected F, M or nothing")
    return {speaker: GENDERS[gender.strip().lower()] for speaker, gender in listed.items()}
