"""speechocean762 as it unpacks: ``WAVE/SPEAKER0024/000240010.WAV``, and for the parts ``train`` and ``test`` the
lists ``text``, ``utt2spk`` and ``spk2gender``, each line of which begins with an id.

Texts are kept as printed (upper case, no punctuation). FLAC of the same samples is read like WAV. Source: J. Zhang
et al., "speechocean762: An open-source non-native English speech corpus for pronunciation assessment", Interspeech
2021; openslr.org/101.
"""

from pathlib import Path

from pse_bench.corpora import scan
from pse_bench.corpora.reader import Genders, Layout, Option, Reader, root_with
from pse_bench.errors import InputError
from pse_bench.io import documents
from pse_bench.schemas import Utterance

PARTS = ("train", "test")
PATTERN = "WAVE/SPEAKER<speaker>/<utterance>.WAV"


def layout(root: Path, part: str | None = None) -> Layout:
    """The layout of speechocean762 below the folder that holds ``WAVE``, of one part or of all that are there. A
    sound file that no list names is a problem; one of the other part is passed over.

    Raises:
        InputError: no speechocean762 tree, a part that is not there, or a list that cannot be read.
    """
    if not (root / "WAVE").is_dir():
        remedy = root_with("test/utt2spk", root, ("speechocean762",))
        raise InputError(f"{root}: no WAVE here, expected the speechocean762 folder; {remedy}")
    there = [name for name in PARTS if (root / name / "utt2spk").is_file()]
    if not there or (part and part not in there):
        raise InputError(
            f"{root / (part or 'test') / 'utt2spk'}: no such file, expected the list of the part's utterances; "
            f"restore it{f' or take {there[0]}' if there else ''}"
        )
    asked = [part] if part else there
    owners = {utterance: who for name in there for utterance, who in _list(root / name / "utt2spk").items()}
    wanted = {utterance for name in asked for utterance in _list(root / name / "utt2spk")}
    texts = {utterance: said for name in asked for utterance, said in _list(root / name / "text").items()}
    genders = Genders(" and ".join(f"{name}/spk2gender" for name in asked))
    for name in asked:
        listed = root / name / "spk2gender"
        genders |= Genders.parse(documents.read_text(listed), str(listed), _gender, "'speaker f-or-m'")
    present: set[str] = set()

    def fields(path: str) -> dict[str, str] | None:
        utterance, folder = scan.stem(path.rpartition("/")[2]), path.split("/")[-2]
        speaker = owners.get(utterance)
        if speaker is None:
            raise InputError(f"{root / path}: in no utt2spk of {' and '.join(there)}; add its line or remove it")
        if path.count("/") != 2 or folder != f"SPEAKER{speaker}":
            raise InputError(f"{root / path}: not where it belongs, expected {PATTERN} with {speaker}; move it")
        if utterance not in wanted:
            return None
        present.add(utterance)
        gender, text = genders[speaker], texts.get(utterance, "")
        return {"utterance_id": utterance, "speaker_id": speaker, "gender": gender, "text": text}

    def unused() -> str:
        absent = sorted(wanted - present)
        count = f"{len(absent)} of {len(wanted)} listed utterances"
        return f"{root}: {count} have no sound file here, the first {absent[0]}" if absent else ""

    return Layout(PATTERN, fields, folders=["WAVE"], endings=[".wav", ".flac"], unused=unused)


def _list(path: Path) -> dict[str, str]:
    """A list's values by id. Raises InputError naming the line that has none, or gives an id another value."""
    values: dict[str, str] = {}
    for number, line in enumerate(documents.read_text(path).split("\n"), 1):
        key, *rest = line.split(None, 1)[:2] or [""]
        value = " ".join(rest).strip()
        if key and not value:
            raise InputError(f"{path}:{number}: {key} has nothing after it; restore the original file")
        if key and values.setdefault(key, value) != value:
            raise InputError(f"{path}:{number}: {key} has another value in an earlier line; keep one")
    return values


def _gender(line: str) -> tuple[str, str]:
    speaker, *gender = line.split()
    return speaker, "".join(gender).upper()


READER = Reader(
    layout,
    Utterance,
    "utterance_id",
    help="A speechocean762 tree: ROOT holds WAVE, train and test.",
    options=[Option("--part", "part", "Part to list; all that are there by default.", choices=PARTS)],
    corpus="speechocean762",
    licence="CC BY 4.0",
    citation="J. Zhang et al., speechocean762: An open-source non-native English speech corpus for pronunciation "
    "assessment, Interspeech 2021",
)
