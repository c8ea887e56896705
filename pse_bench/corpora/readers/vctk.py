"""CSTR VCTK, release 0.92 (two microphones, FLAC) and release 0.80 (one, WAV).

0.92: ``wav48_silence_trimmed/p225/p225_001_mic1.flac``; 0.80: ``wav48/p225/p225_001.wav``; both: texts in
``txt/p225/p225_001.txt`` and ``speaker-info.txt``, whose ids carry no ``p`` in 0.80. Source: J. Yamagishi,
C. Veaux, K. MacDonald, "CSTR VCTK Corpus", University of Edinburgh, doi.org/10.7488/ds/2645.
"""

import re
from pathlib import Path

from pse_bench.corpora import scan
from pse_bench.corpora.reader import Genders, Layout, Option, Reader, root_with
from pse_bench.errors import InputError
from pse_bench.io import documents
from pse_bench.schemas import Utterance

TWO_MICROPHONES, ONE_MICROPHONE = "wav48_silence_trimmed", "wav48"
MICROPHONES = ("mic1", "mic2")
NOT_ALWAYS_LISTED = {"p280": "F", "s5": ""}
"""Speakers that a complete release has in sound and may lack in speaker-info.txt. 0.92 lists p280 as F."""
_NAME = re.compile(r"(([ps][0-9]+)_[0-9]+)(?:_(mic[0-9]))?")


def layout(root: Path, mic: str | None = None) -> Layout:
    """The layout of VCTK below the folder that holds speaker-info.txt, for one microphone: ``mic1`` (the default
    where there are two) or ``mic2``, which p280 and p315 lack. Utterance ids are such as ``p225_001``.

    Texts are kept as printed, blanks at their ends removed. Speaker p315 has none, so an empty one.

    Raises:
        InputError: no VCTK tree, an unknown microphone, or speaker-info.txt cannot be read.
    """
    folder = next((name for name in (TWO_MICROPHONES, ONE_MICROPHONE) if (root / name).is_dir()), None)
    if folder is None:
        remedy = root_with("speaker-info.txt", root, ("VCTK-Corpus-0.92", "VCTK-Corpus"))
        kinds = f"{TWO_MICROPHONES} (release 0.92) nor {ONE_MICROPHONE} (0.80)"
        raise InputError(f"{root}: neither {kinds} here; {remedy}")
    if mic not in (None, *MICROPHONES):
        raise InputError(f"microphone {mic!r} is unknown, expected {' or '.join(MICROPHONES)}")
    if folder == ONE_MICROPHONE and mic:
        raise InputError(f"{root / folder}: this release has one microphone; leave {mic} out")
    wanted = (mic or "mic1") if folder == TWO_MICROPHONES else None
    pattern = f"{folder}/<speaker>/<speaker>_<number>{f'_{wanted}.flac' if wanted else '.wav'}"
    listed = root / "speaker-info.txt"
    genders = parse_speakers(documents.read_text(listed), str(listed))
    for speaker, gender in NOT_ALWAYS_LISTED.items():
        genders.setdefault(speaker, gender)

    def fields(path: str) -> dict[str, str] | None:
        match = _NAME.fullmatch(scan.stem(path.rpartition("/")[2]))
        if not match or path.split("/")[1:-1] != [match[2]] or (match[3] is None) != (wanted is None):
            raise InputError(f"{root / path}: not a VCTK name, expected {pattern}; rename or remove it")
        utterance, speaker, microphone = match.groups()
        if microphone != wanted:
            return None
        gender = genders[speaker]
        spoken = root / "txt" / speaker / f"{utterance}.txt"
        try:
            text = " ".join(documents.read_text(spoken).split()) if spoken.exists() else ""
        except InputError as error:
            raise InputError(f"{error} ({path} is left out)") from error
        return {"utterance_id": utterance, "speaker_id": speaker, "gender": gender, "text": text}

    return Layout(pattern, fields, folders=[folder], endings=[".flac", ".wav"])


def parse_speakers(text: str, where: str) -> Genders:
    """Genders (F or M) by speaker id (``p225``), from speaker-info.txt with or without its header.

    Columns stand between blanks: id, age, gender, then accent and region. Raises InputError naming the line.
    """

    def entry(line: str) -> tuple[str, str]:
        speaker, _, gender = [*line.split(), "", ""][:3]
        return speaker if speaker[0] in "ps" else f"p{speaker}", gender

    return Genders.parse(text, where, entry, "'id age F-or-M accent region'")


READER = Reader(
    layout,
    Utterance,
    "utterance_id",
    help="A VCTK tree (0.80 or 0.92).",
    options=[Option("--mic", "mic", "Microphone of VCTK 0.92; mic1 by default.", choices=MICROPHONES)],
    corpus="vctk",
    licence="CC BY 4.0 (release 0.92), ODC-By 1.0 (release 0.80)",
    citation='J. Yamagishi, C. Veaux, K. MacDonald, "CSTR VCTK Corpus", University of Edinburgh, 10.7488/ds/2645',
)
