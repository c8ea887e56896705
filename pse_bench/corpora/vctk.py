"""CSTR VCTK, release 0.92 (two microphones, FLAC) and release 0.80 (one, WAV).

0.92: ``wav48_silence_trimmed/p225/p225_001_mic1.flac``; 0.80: ``wav48/p225/p225_001.wav``; both: texts in
``txt/p225/p225_001.txt`` and ``speaker-info.txt``, whose ids carry no ``p`` in 0.80. Source: J. Yamagishi,
C. Veaux, K. MacDonald, "CSTR VCTK Corpus", University of Edinburgh, doi.org/10.7488/ds/2645.
"""

import re
from pathlib import Path
from typing import Any

from pse_bench.corpora import scan
from pse_bench.errors import InputError
from pse_bench.io import documents
from pse_bench.schemas import Utterance

TWO_MICROPHONES, ONE_MICROPHONE = "wav48_silence_trimmed", "wav48"
MICROPHONES = ("mic1", "mic2")
WITHOUT_TEXT = frozenset({"p315"})
"""Speakers whose texts the makers lost."""
NOT_ALWAYS_LISTED = {"p280": "F", "s5": ""}
"""Speakers that a complete release has in sound and may lack in speaker-info.txt. 0.92 lists p280 as F."""
_NAME = re.compile(r"(([ps][0-9]+)_[0-9]+)(?:_(mic[0-9]))?")


def read(
    root: Path,
    *,
    mic: str | None = None,
    name: str = "vctk",
    executor: Any,
    progress: scan.Progress | None = None,
) -> tuple[list[Utterance], list[str]]:
    """Utterances of one microphone of VCTK, with ids such as ``p225_001``, and problems (see ``clips``).

    Texts are kept as printed, blanks at their ends removed. Speaker p315 has none, so an empty one.

    Args:
        root: the folder that holds speaker-info.txt.
        mic: ``mic1`` (the default where there are two) or ``mic2``; p280 and p315 have no ``mic2``.
        name: the corpus name in the rows.
        executor: an executor of pse_bench.runtime.executor.
        progress: called with files done and files in all.

    Raises:
        InputError: no VCTK tree, an unknown microphone, or speaker-info.txt cannot be read.
    """
    root = Path(root)
    folder = _sound_folder(root)
    if mic not in (None, *MICROPHONES):
        raise InputError(f"microphone {mic!r} is unknown, expected {' or '.join(MICROPHONES)}")
    if folder == ONE_MICROPHONE and mic:
        raise InputError(f"{root / folder}: this release has one microphone; leave {mic} out")
    wanted = (mic or "mic1") if folder == TWO_MICROPHONES else None
    genders = NOT_ALWAYS_LISTED | parse_speakers(
        documents.read_text(root / "speaker-info.txt"), str(root / "speaker-info.txt")
    )
    layout = f"{folder}/<speaker>/<speaker>_<number>{f'_{wanted}.flac' if wanted else '.wav'}"
    paths, problems = scan.find(root, [folder], endings=[".flac", ".wav"])

    entries: dict[str, dict[str, Any]] = {}
    unlisted: dict[str, list[str]] = {}
    for path in paths:
        match = _NAME.fullmatch(scan.stem(path.rpartition("/")[2]))
        if not match or path.split("/")[1:-1] != [match[2]] or (match[3] is None) != (wanted is None):
            problems.append(f"{root / path}: not a VCTK name, expected {layout}; rename or remove it")
            continue
        utterance, speaker, microphone = match.groups()
        if microphone != wanted:
            continue
        if speaker not in genders:
            unlisted.setdefault(speaker, []).append(path)
            continue
        try:
            text = "" if speaker in WITHOUT_TEXT else _text_of(root / "txt" / speaker / f"{utterance}.txt")
        except InputError as error:
            problems.append(f"{error} ({path} is left out)")
            continue
        entries[path] = {
            "utterance_id": utterance,
            "speaker_id": speaker,
            "gender": genders[speaker],
            "text": text,
        }
    if not entries and not problems and not unlisted:
        raise scan.none_found(root / folder, layout)
    for speaker, left_out in unlisted.items():
        problems.append(
            f"{root / left_out[0]}: speaker {speaker} is not in speaker-info.txt, which leaves out "
            f"{len(left_out)} files; add the speaker's line"
        )
    rows, more = scan.rows_of(
        Utterance, name, root, entries, id_field="utterance_id", executor=executor, progress=progress
    )
    return rows, sorted(problems + more)


def _sound_folder(root: Path) -> str:
    if not root.is_dir():
        raise InputError(f"{root}: no such folder; check the path")
    for folder in (TWO_MICROPHONES, ONE_MICROPHONE):
        if (root / folder).is_dir():
            return folder
    hint = "give the folder that holds speaker-info.txt"
    for place in (root / "VCTK-Corpus-0.92", root / "VCTK-Corpus", root.resolve().parent):
        if (place / "speaker-info.txt").is_file():
            hint = f"give {place}, which has speaker-info.txt"
            break
    raise InputError(f"{root}: neither {TWO_MICROPHONES} (release 0.92) nor {ONE_MICROPHONE} (0.80) here; {hint}")


def _text_of(path: Path) -> str:
    text = " ".join(documents.read_text(path).split())
    if not text:
        raise InputError(f"{path}: holds no text; restore it")
    return text


def parse_speakers(text: str, where: str) -> dict[str, str]:
    """Genders (F or M) by speaker id (``p225``), from speaker-info.txt with or without its header.

    Columns stand between blanks: id, age, gender, then accent and region. Raises InputError naming the line.
    """
    genders: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        fields = line.split()
        if not fields or fields[0] == "ID":
            continue
        if len(fields) < 3 or fields[2] not in ("F", "M"):
            raise InputError(
                f"{where}:{number}: found {line.strip()!r:.80}, expected 'id age F-or-M accent region'; "
                "restore the original file"
            )
        speaker = fields[0] if fields[0][0] in "ps" else f"p{fields[0]}"
        if genders.setdefault(speaker, fields[2]) != fields[2]:
            raise InputError(f"{where}:{number}: speaker {speaker!r} is listed as F and M; keep one line")
    return genders
