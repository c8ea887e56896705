"""Blind editions of a dataset: mixtures and enrollments under names that say nothing, and the key to the names.

Who enhances a folder called TS3 knows that silence is best there. A blind edition has neither scenarios nor
references, its clips are named and listed in an order by chance, and its files have one date. What the sound
itself says stays: the three mixtures of a scene share their enrollment and their length, and whoever can render
the dataset can compare. So it keeps honest systems from knowing, and does not catch who wants to deceive.

    mixtures/<name>.flac  enrollments/<name>.flac  list.csv (mixture, enrollment, output; paths below the folder)
    submission: <name>.flac or .wav for each, and system.yaml
"""

import contextlib
import os
import secrets
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import atomic, audio, documents, tables
from pse_bench.schemas import SCHEMA, Sha256
from pse_bench.submission import submission

KIND: Literal["pse-bench blind key"] = "pse-bench blind key"
LISTED = "list.csv"
DATE_S = 946_684_800
"""When all files of a blind edition were last changed: the beginning of the year 2000."""


class Key(documents.Record):
    """The key of a blind edition: the mixture of the dataset behind each name."""

    schema_: Annotated[int, Field(alias="schema")] = SCHEMA
    kind: Literal["pse-bench blind key"] = KIND
    dataset: str
    fingerprint: Sha256
    names: dict[str, str]
    seal_sha256: Sha256 | None = None


class Clip(documents.Record):
    """A row of ``list.csv``."""

    mixture: str
    enrollment: str
    output: str


def check(out: Path, key: Path) -> None:
    """Raise InputError where the folder is not empty, or the key is there already or would lie in the folder."""
    if out.exists() and any(out.iterdir()):
        raise InputError(f"{out}: not empty; give a new folder for the blind edition")
    if key.exists():
        raise InputError(f"{key}: there already, and a submission may need it; give another --blind-key")
    if key.resolve().is_relative_to(out.resolve()):
        raise InputError(f"{key}: lies in the blind edition, and would be given away with it; put it elsewhere")


def write(dataset: Dataset, out: Path, key: Path) -> int:
    """Write the blind edition of a dataset into a folder and its key elsewhere; the number of clips.

    Raises:
        InputError: as ``check``, or the dataset is not as it was rendered.
    """
    check(out, key)
    dataset.require_kept("enrollment")
    rows = {secrets.token_hex(8): row for row in dataset.mixtures}
    ending, about = dataset.description.format, dataset.description
    clips = [
        Clip(mixture=f"mixtures/{name}.{ending}", enrollment=f"enrollments/{name}.{ending}", output=f"{name}.wav")
        for name in sorted(rows)
    ]
    atomic.write_sealed(
        key,
        Key(
            dataset=f"{about.name}-v{about.version}",
            fingerprint=about.fingerprint,
            names={name: rows[name].mixture_id for name in sorted(rows)},
        ).model_dump(mode="json", by_alias=True, exclude={"seal_sha256"}),
    )
    for name, clip in zip(sorted(rows), clips, strict=True):
        for path, source in (
            (clip.mixture, rows[name].mixture_path),
            (clip.enrollment, rows[name].enrollment_path),
        ):
            (out / path).parent.mkdir(parents=True, exist_ok=True)
            atomic.write_bytes(out / path, dataset.read_bytes(source))
    tables.write_table(out / LISTED, Clip, clips)
    for written in (*out.rglob("*"), out):
        os.utime(written, (DATE_S, DATE_S))
    return len(rows)


@contextlib.contextmanager
def opened(path: Path, dataset: Dataset, key: Path | None = None) -> Iterator[Path]:
    """The folder of a submission to a dataset or, with a key, to its blind edition, as if it were to the dataset.

    Raises:
        InputError: not a key, that of another dataset, or the submission has not one file of the blind edition.
    """
    with submission.opened(path, dataset.mixtures) as folder, _named(folder, key, dataset) as found:
        yield found


@contextlib.contextmanager
def _named(folder: Path, key: Path | None, dataset: Dataset) -> Iterator[Path]:
    """A folder with links to a submission's files by the names that the key says they have."""
    if key is None:
        yield folder
        return
    found = documents.read_record(Key, key)
    atomic.sealed(documents.read_json(key), key)
    if found.fingerprint != dataset.description.fingerprint:
        raise InputError(
            f"{key}: the key of another dataset, {found.dataset} with fingerprint {found.fingerprint:.12}; give "
            f"the key of this one ({dataset.description.fingerprint:.12})"
        )
    files = {name: audio.find(folder, name) for name in found.names}
    if not any(files.values()):
        raise InputError(
            f"{folder}: no file of this blind edition here, expected names as {next(iter(found.names))}"
        )
    mixtures = {row.mixture_id: row for row in dataset.mixtures}
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as place:
        for name, paths in files.items():
            for path in paths:
                link = Path(place, f"{submission.estimate_name(mixtures[found.names[name]])}{path.suffix}")
                link.parent.mkdir(exist_ok=True)
                link.symlink_to(path.resolve())
        if (description := folder / submission.DESCRIPTION).is_file():
            Path(place, submission.DESCRIPTION).symlink_to(description.resolve())
        yield Path(place)
