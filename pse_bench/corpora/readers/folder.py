"""Any speech corpus laid out as ``<speaker>/<utterance>.<ending>`` or ``<speaker>/<session>/<utterance>.…``.

An utterance_id is the path below the root without its ending, such as ``p225/p225_001``: unique by
itself, and the same whatever else is in the folder.
"""

from collections import Counter
from pathlib import Path, PurePosixPath

from pse_bench.corpora import csv_columns, scan
from pse_bench.corpora.reader import Genders, Layout, Option, Reader
from pse_bench.errors import InputError
from pse_bench.schemas import Utterance

PATTERN = "<speaker>/<utterance>.wav or <speaker>/<session>/<utterance>.wav"
GENDERS = {"f": "F", "female": "F", "m": "M", "male": "M", "": ""}


def layout(root: Path, transcripts: Path | None = None, genders: Path | None = None) -> Layout:
    """The layout of a folder of speakers.

    Where genders are given, a speaker without a line is a problem; an empty cell says "not known". Lines without a
    file are counted in a notice.

    Args:
        transcripts: a CSV with the columns ``utterance_id`` (or ``utt_id``) and ``text``. A line names the
            file by its utterance_id, or by its stem (``p225_001``) where one file only is called so.
        genders: a CSV with the columns ``speaker_id`` (or ``speaker``) and ``gender`` (F, M or empty).

    Raises:
        InputError: an index cannot be read.
    """
    texts = csv_columns.read(transcripts, key=("utterance_id", "utt_id"), value=("text",)) if transcripts else None
    known = _genders_of(genders) if genders else None
    stems: Counter[str] = Counter()

    def fields(path: str) -> dict[str, str]:
        speaker, *rest = path.split("/")
        if len(rest) not in (1, 2):
            raise InputError(f"{root / path}: expected {PATTERN} below {root}; move or remove it")
        utterance, name = scan.stem(path), scan.stem(rest[-1])
        key = name if texts is not None and utterance not in texts and stems[name] == 1 else utterance
        text = " ".join(texts.take(key).split()) if texts else ""
        gender = known[speaker] if known is not None else ""
        return {"utterance_id": utterance, "speaker_id": speaker, "gender": gender, "text": text}

    return Layout(
        PATTERN,
        fields,
        begin=lambda paths: stems.update(scan.stem(PurePosixPath(path).name) for path in paths),
        unused=lambda: texts.unused(root) if texts else "",
    )


def _genders_of(path: Path) -> Genders:
    genders = Genders(str(path))
    for speaker, given in csv_columns.read(path, key=("speaker_id", "speaker"), value=("gender",)).items():
        gender = GENDERS.get(given.strip().lower())
        if gender is None:
            raise InputError(f"{path}: speaker {speaker!r} has gender {given!r}, expected F, M or nothing")
        genders[speaker] = gender
    return genders


READER = Reader(
    layout,
    Utterance,
    "utterance_id",
    help="A plain folder: <speaker>/<utterance>.wav, or <speaker>/<session>/<utterance>.wav.",
    options=[
        Option("--transcripts", "transcripts", "CSV with columns utterance_id and text.", is_file=True),
        Option("--genders", "genders", "CSV with columns speaker_id and gender (F or M).", is_file=True),
    ],
)
