"""Metadata of LibriMix, and of what is laid out like it (SpeakerBeam): mixtures and the sources that they sum.

LibriMix (Cosentino et al., arXiv 2005.11262) writes beside its audio files ``mixture_<split>_<type>.csv`` with
``mixture_ID, mixture_path, source_1_path, source_2_path, noise_path, length``. The id is that of the utterances,
joined by ``_``; a LibriSpeech utterance begins with its speaker.
"""

import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pse_bench.errors import InputError
from pse_bench.io import documents, tables

LONGEST_PATH = 4096
"""Characters of the longest path that a file can have."""


@dataclass(frozen=True)
class Row:
    """One mixture. Paths are below the root; ``mixture`` is '' where its file is not there, ``noise`` where there
    is none; ``utterances`` has the id of what each source says."""

    mixture_id: str
    mixture: str
    sources: list[str]
    utterances: list[str]
    noise: str


def speaker_of(utterance_id: str) -> str:
    """The speaker of a LibriSpeech utterance."""
    return utterance_id.split("-", maxsplit=1)[0]


def read(path: Path, root: Path) -> list[Row]:
    """The mixtures of a metadata file.

    Paths in it are looked for below ``root``, also when they begin with folders of the machine that wrote them.

    Raises:
        InputError: not such a file, a source that is not there, or an id that does not name the utterances.
    """
    table = tables.csv_lines(documents.read_text(path), path)
    header = [name.strip().lower() for name in next(table)[1]]
    _check_header(path, header)
    numbered = [name for name in header if name.startswith("source_") and name.endswith("_path")]
    rows, seen = [], set()
    for where, cells in table:
        line = dict(zip(header, cells, strict=True))
        name = line["mixture_id"]
        if name in seen:
            raise InputError(f"{where}: mixture {name} stands twice; remove one line")
        seen.add(name)
        utterances = name.split("_")
        if len(utterances) != len(numbered):
            raise InputError(
                f"{where}: mixture_ID {name!r} and {len(numbered)} sources; expected the ids of their utterances "
                "joined by _"
            )
        sources = [_found(where, line[column], root) for column in numbered]
        noise = _found(where, line["noise_path"], root) if line.get("noise_path") else ""
        mixture = below(line.get("mixture_path", ""), root)
        rows.append(Row(name, mixture, sources, utterances, noise))
    if not rows:
        raise InputError(f"{path}: lists no mixtures; give the metadata of a split")
    return rows


def read_enrollments(path: Path) -> dict[tuple[str, str], str]:
    """SpeakerBeam's ``map_mixture2enrollment``: for each mixture and target utterance, the source that is the
    enrollment, as ``s<k>/<mixture_ID>``. Raises InputError when a line is not of three words."""
    chosen = {}
    for number, line in enumerate(documents.read_text(path).splitlines(), 1):
        words = line.split()
        if not words:
            continue
        if len(words) != 3:
            raise InputError(f"{path}:{number}: {len(words)} words, expected mixture, utterance and enrollment")
        chosen[words[0], words[1]] = words[2]
    return chosen


def below(path: str, root: Path) -> str:
    """A path of the metadata below the root, '' where there is no such file: as it stands, or without as many
    leading folders as it takes."""
    parts = PurePosixPath(path).parts
    if len(path) > LONGEST_PATH:
        return ""
    if path and Path(path).is_absolute() and Path(path).is_relative_to(root):
        return Path(path).relative_to(root).as_posix()
    for first in range(len(parts)):
        shorter = PurePosixPath(*parts[first:])
        if not shorter.is_absolute() and os.path.isfile(root / shorter):
            return str(shorter)
    return ""


def _found(where: str, path: str, root: Path) -> str:
    found = below(path, root)
    if not found:
        raise InputError(f"{where}: {path}: not found below {root}; give the folder that holds it as --root")
    return found


def _check_header(path: Path, header: list[str]) -> None:
    if "source_1_gain" in header:
        raise InputError(
            f"{path}: lists gains, so LibriMix is made from it; give a file that lies beside the audio, as "
            "wav16k/max/metadata/mixture_test_mix_both.csv"
        )
    for name in ("mixture_id", "source_1_path", "source_2_path"):
        if name not in header:
            raise InputError(f"{path}: no column {name!r}; found {', '.join(header) or 'an empty file'}")
