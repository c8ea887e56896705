"""LibriSpeech as it unpacks: ``<subset>/<speaker>/<chapter>/<speaker>-<chapter>-<utterance>.flac``.

Paths in the manifest are relative to the folder that holds SPEAKERS.TXT. Texts are kept as printed (upper
case, no punctuation). Source: V. Panayotov et al., "Librispeech: an ASR corpus based on public domain audio
books", ICASSP 2015; openslr.org/12.
"""

import re
from collections.abc import Sequence
from pathlib import Path

from pse_bench.corpora import scan
from pse_bench.corpora.reader import Genders, Layout, Option, Reader, root_with
from pse_bench.errors import InputError
from pse_bench.io import documents
from pse_bench.registry import suggestion
from pse_bench.schemas import Utterance

PATTERN = "<subset>/<speaker>/<chapter>/<speaker>-<chapter>-<utterance>.flac"
_NAME = re.compile(r"([0-9]+)-([0-9]+)-[0-9]+")


def layout(root: Path, subsets: Sequence[str] = ()) -> Layout:
    """The layout of a LibriSpeech tree below the folder that holds SPEAKERS.TXT.

    A partial download is fine: transcript lines without a sound file are counted in a notice. A sound file without
    a transcript has an empty text; one of a speaker who is not listed is a problem. ``subsets`` are the folders to
    read, such as ``test-other``; all by default.

    Raises:
        InputError: no LibriSpeech tree, an unknown subset, or SPEAKERS.TXT cannot be read.
    """
    listed = root / "SPEAKERS.TXT"
    if not listed.is_file():
        remedy = root_with(listed.name, root, ("LibriSpeech",))
        raise InputError(f"{root}: no SPEAKERS.TXT here, expected the LibriSpeech folder; {remedy}")
    genders = parse_speakers(documents.read_text(listed), str(listed))
    folders = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and entry.name[0] != ".")
    for subset in subsets:
        if subset not in folders:
            raise InputError(f"{root / subset}: no such subset; {suggestion(subset, folders, 'present')}")
    problems: list[str] = []
    chapters: dict[str, dict[str, str] | None] = {}
    present: set[str] = set()

    def fields(path: str) -> dict[str, str] | None:
        chapter, _, file = path.rpartition("/")
        utterance = scan.stem(file)
        match = _NAME.fullmatch(utterance)
        if not match or path.split("/")[1:-1] != list(match.groups()):
            raise InputError(f"{root / path}: not a LibriSpeech name, expected {PATTERN}; rename or remove it")
        transcripts = root / chapter / f"{match[1]}-{match[2]}.trans.txt"
        if chapter not in chapters and not transcripts.exists():
            chapters[chapter] = {}
        elif chapter not in chapters:
            chapters[chapter] = None
            try:
                chapters[chapter], faults = parse_transcripts(documents.read_text(transcripts), str(transcripts))
                problems.extend(faults)
            except InputError as error:
                problems.append(f"{error} (its chapter is left out)")
        texts = chapters[chapter]
        if texts is None:
            return None  # said once for the whole chapter
        spoken, gender = texts.get(utterance, ""), genders[match[1]]
        return {"utterance_id": utterance, "speaker_id": match[1], "gender": gender, "text": spoken}

    def unused() -> str:
        lines = [f"{chapter}/{utterance}" for chapter, texts in chapters.items() for utterance in texts or ()]
        absent = [line for line in lines if line not in present]
        count = f"{len(absent)} of {len(lines)} transcript lines"
        return f"{root}: {count} have no sound file here, the first {absent[0]}" if absent else ""

    return Layout(
        PATTERN,
        fields,
        folders=list(subsets or folders),
        endings=[".flac"],
        problems=problems,
        begin=lambda paths: present.update(map(scan.stem, paths)),
        unused=unused,
    )


def parse_speakers(text: str, where: str) -> Genders:
    """Genders (F or M) by speaker id, from SPEAKERS.TXT. Raises InputError naming the line.

    Fields stand between bars; the last one, the reader's name, may hold bars itself (``|CBW|Simon``).
    """

    def entry(line: str) -> tuple[str, str]:
        fields = [part.strip() for part in line.split("|", 4)]
        return (fields[0], fields[1]) if len(fields) == 5 else ("", "")

    return Genders.parse(text, where, entry, "'id | F or M | subset | minutes | name'")


def parse_transcripts(text: str, where: str) -> tuple[dict[str, str], list[str]]:
    """Texts by utterance id, from a ``.trans.txt`` with lines ``<id> <text>``, and problems; an id without text is
    passed over."""
    texts: dict[str, str] = {}
    problems: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        utterance, *words = line.split() or [""]
        spoken = " ".join(words)
        if words and texts.setdefault(utterance, spoken) != spoken:
            problems.append(f"{where}:{number}: {utterance!r:.80} has another text above; keep one line")
    return texts, problems


READER = Reader(
    layout,
    Utterance,
    "utterance_id",
    help="A LibriSpeech tree: ROOT holds SPEAKERS.TXT.",
    options=[Option("--subset", "subsets", "Subset to list, such as test-other; repeatable.", repeatable=True)],
    corpus="librispeech",
    licence="CC BY 4.0",
    citation="V. Panayotov et al., Librispeech: an ASR corpus based on public domain audio books, ICASSP 2015",
)
