"""A dataset as tar shards in the WebDataset layout, for training sets with more files than a disk likes: written,
and read back file by file.

A shard is a tar of whole scenes in the order of the plan; the files of a scene follow each other as
``<scene_id>.<field>``: ``target.flac`` and the other stems, ``ts1.flac`` and the other mixtures,
``enrollment.flac``, ``activity.json``, and ``scene.json`` with the scene's rows of ``mixtures.csv``. Beside each
tar lies a JSON file that says where in it every file begins; ``index.json``, written last, lists the shards (also
in the form that the ``wids`` reader of WebDataset takes).

What is written is a function of the dataset and the size alone.
"""

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

from pse_bench.dataset.dataset import Dataset, Description, ReadableDataset
from pse_bench.errors import InputError
from pse_bench.io import atomic, documents, storage, tables
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update, no_progress
from pse_bench.schemas import Mixture, Sha256, StoredFile

KIND = "pse-bench shards"
INDEX, TABLE = "index.json", "mixtures.csv"
OWN = re.compile(r".+-\d{6,}\.(tar|json)")
BLOCK = 512
RECORD = tarfile.RECORDSIZE
UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30}

Place = Annotated[int, Field(ge=0, lt=2**62)]
"""Bytes, of which no store holds more."""
Scene = tuple[list[Mixture], list[StoredFile]]
"""The rows and the files of a scene."""


class Shard(documents.Record):
    """A line of the index. ``url`` is relative to the index."""

    url: Annotated[str, Field(pattern=r"^[^/\x00]{1,200}\.tar$")]
    nsamples: Annotated[int, Field(ge=0)]
    filesize: Annotated[int, Field(ge=0)]
    sha256: Sha256


class Index(documents.Record):
    """``index.json``."""

    wids: Annotated[Literal["wids-shard-index-v1"], Field(alias="__kind__")]
    wids_version: Literal[1]
    schema_: Annotated[Literal[1], Field(alias="schema")]
    kind: Literal["pse-bench shards"]
    name: str
    size: int
    dataset: Description
    shardlist: list[Shard]


class Contents(documents.Record):
    """The JSON file beside a tar: offset, length and SHA-256 by path in the dataset."""

    shard: Shard
    dataset_fingerprint: Sha256
    members: dict[str, tuple[Place, Place, Sha256]]


@dataclass(frozen=True)
class Work:
    """What is needed to write one shard."""

    dataset: Dataset
    place: str
    name: str
    scenes: list[Scene]


def parse_size(text: str) -> int:
    """Bytes from "500MB", "1 GiB" or "1000000". Raises InputError."""
    found = re.fullmatch(r"([0-9]{1,15}(?:\.[0-9]{1,15})?) ?([kMG]i?|)B?", text.strip().replace("K", "k"))
    if not found or not float(found[1]):
        raise InputError(f"--size {text}: expected a number of bytes such as 500MB or 1GB")
    return int(float(found[1]) * UNITS[found[2]])


def pack(
    dataset: Dataset,
    place: str,
    *,
    size: int,
    executor: Executor,
    force: bool = False,
    progress: Update = no_progress,
) -> Index:
    """Write a dataset as shards. Run again after an interruption, it continues.

    Args:
        dataset: what to write; every file is held against its recorded hash.
        place: a folder or a URL of fsspec.
        size: bytes that a shard may have; a single scene that is larger has a shard of its own.
        executor: where shards are written.
        force: replace the shards of another dataset or size that lie there.

    Raises InputError: a file of the dataset is missing or changed, or something else lies at ``place``.
    """
    dataset.require_unchanged()
    description, table = dataset.description, (dataset.folder / TABLE).read_bytes()
    with storage.held(place, "pack"):
        _check_free(dataset, place, size, force)
        for left in storage.names(place):  # what killed processes have left half-written
            found = re.fullmatch(r"[0-9a-f]{32}\.(.+)\.part", left)
            if found and (found[1] in (INDEX, TABLE) or OWN.fullmatch(found[1])):
                storage.remove(place, left)
        shards = _write(dataset, place, size, executor, progress)
        with storage.writing(place, TABLE) as part:
            part.write_bytes(table)
        document = {
            "__kind__": "wids-shard-index-v1",
            "wids_version": 1,
            "schema": 1,
            "kind": KIND,
            "name": f"{description.name}-v{description.version}",
            "size": size,
            "dataset": description.model_dump(by_alias=True),
            "shardlist": [shard.model_dump() for shard in shards],
        }
        _write_json(place, INDEX, document)
        current = {f"{Path(shard.url).stem}{ending}" for shard in shards for ending in (".tar", ".json")}
        for left in storage.names(place):
            if OWN.fullmatch(left) and left not in current:
                storage.remove(place, left)  # of the shards that these replace
        return read_index(place)


def _write(dataset: Dataset, place: str, size: int, executor: Executor, progress: Update) -> list[Shard]:
    reader = replace(dataset, folder=dataset.folder.resolve(), mixtures=[])
    name = dataset.description.name
    work = [Work(reader, place, f"{name}-{n:06d}", group) for n, group in enumerate(_groups(dataset, size))]
    shards: dict[int, Shard] = {}
    progress(0, len(work))
    for outcome in executor.run(write_shard, work):
        if outcome.lost:
            raise InputError(f"{place}/{work[outcome.index].name}.tar: not written, {outcome.lost}; run it again")
        shards[outcome.index] = outcome.value
        progress(len(shards), len(work))
    return [shards[number] for number in range(len(work))]


def _check_free(dataset: Dataset, place: str, size: int, force: bool) -> None:
    """Refuse a place that holds something else."""
    there = storage.names(place)
    if INDEX in there:
        known = read_index(place)
        same = (known.dataset.fingerprint, known.size) == (dataset.description.fingerprint, size)
        if not same and not force:
            raise InputError(
                f"{place}: holds shards of {known.name} with at most {known.size} bytes; give another place, or "
                "--force to replace them"
            )
        return
    table = dataset.description.tables[TABLE]
    ours = [name for name in there if OWN.fullmatch(name) or name.endswith(".part")]
    if TABLE in there and hashlib.sha256(storage.read(place, TABLE)).hexdigest() == table:
        ours.append(TABLE)
    if strangers := sorted(set(there) - set(ours)):
        raise InputError(f"{place}: holds other files ({', '.join(strangers[:3])}); give a new or empty place")


def read_index(place: str) -> Index:
    """The index of shards. Raises InputError when there is none or it is of another version."""
    return _read(Index, place, INDEX, strict=True)


def read_contents(place: str, shard: Shard) -> Contents:
    """Where in a shard what lies. Raises InputError when it is missing or of another shard."""
    name = shard.url.removesuffix(".tar") + ".json"
    found = _read(Contents, place, name)
    if found.shard != shard:
        raise InputError(f"{place}/{name}: of another shard than the index lists; write the shards again")
    return found


def _read(record: type[documents.R], place: str, name: str, *, strict: bool = False) -> documents.R:
    where = f"{place}/{name}"
    document = documents.parse_json(storage.read(place, name).decode(errors="replace"), where)
    return documents.parse(record, document, where, strict=strict)


def _write_json(place: str, name: str, document: Any) -> None:
    with storage.writing(place, name) as part:
        part.write_text(json.dumps(document, ensure_ascii=False) + "\n", encoding="utf-8")


def field_of(path: str) -> str:
    """What a file of a dataset is called behind its scene: ``stems/noise/x.flac`` is ``x.noise.flac``."""
    return Path(path).parent.name.lower() + Path(path).suffix


# ---- one shard, in a worker


def write_shard(work: Work) -> Shard:
    """Write one shard and its table of contents, unless an earlier run has left both."""
    name, table = f"{work.name}.tar", f"{work.name}.json"
    fingerprint = work.dataset.description.fingerprint
    with suppress(InputError):
        there = _read(Contents, work.place, table)
        paths = [file.path for _, stored in work.scenes for file in stored]
        same = there.dataset_fingerprint == fingerprint and list(there.members) == paths
        if same and storage.size(work.place, name) == there.shard.filesize:
            return there.shard
    members: dict[str, tuple[int, int, str]] = {}
    with storage.writing(work.place, name) as part:
        with part.open("wb") as stream, tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for rows, stored in work.scenes:
                scene_id = rows[0].scene_id
                for file in stored:
                    content = work.dataset.read_bytes(file.path)
                    _add(tar, f"{scene_id}.{field_of(file.path)}", content)
                    members[file.path] = (tar.offset - _padded(len(content)), len(content), file.sha256)
                _add(tar, f"{scene_id}.scene.json", _scene_document(rows))
        filesize, sha256 = part.stat().st_size, atomic.sha256(part)
    shard = Shard(url=name, nsamples=len(work.scenes), filesize=filesize, sha256=sha256)
    contents = {"shard": shard.model_dump(), "dataset_fingerprint": fingerprint, "members": members}
    _write_json(work.place, table, contents)
    return shard


def _scene_document(rows: list[Mixture]) -> bytes:
    document = {"scene_id": rows[0].scene_id} | {row.scenario.lower(): row.model_dump(mode="json") for row in rows}
    return (json.dumps(document, ensure_ascii=False) + "\n").encode()


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    member = tarfile.TarInfo(name)  # no owner and no time: the same bytes wherever it is written
    member.size, member.mode = len(content), 0o644
    tar.addfile(member, io.BytesIO(content))


def _groups(dataset: Dataset, size: int) -> Iterator[list[Scene]]:
    """Scenes in the order of the plan, as many together as fit into a shard."""
    scenes: dict[str, Scene] = {}
    for row in dataset.mixtures:
        scenes.setdefault(row.scene_id, ([], []))[0].append(row)
    for file in dataset.files:
        scenes[Path(file.path).stem][1].append(file)
    group: list[Scene] = []
    total = 2 * BLOCK
    for rows, stored in scenes.values():
        sizes = [*(file.num_bytes for file in stored), len(_scene_document(rows))]
        own = sum(BLOCK + _padded(length) for length in sizes)
        if group and -(-(total + own) // RECORD) * RECORD > size:
            yield group
            group, total = [], 2 * BLOCK
        group.append((rows, stored))
        total += own
    if group:
        yield group


def _padded(length: int) -> int:
    return -(-length // BLOCK) * BLOCK


# ---- read back


@dataclass(frozen=True)
class ShardedDataset(ReadableDataset):
    """A dataset in tar shards: to a reader it is the dataset itself."""

    place: str
    description: Description
    mixtures: list[Mixture]
    shards: list[Shard]

    @classmethod
    def open(cls, place: str) -> "ShardedDataset":
        """Raises InputError when there are no shards, or their table is not the one that was written."""
        index, where = read_index(place), f"{place}/{TABLE}"
        content = storage.read(place, TABLE)
        if hashlib.sha256(content).hexdigest() != index.dataset.tables.get(TABLE):
            raise InputError(f"{where}: not the table of these shards; write them again")
        rows = tables.table_of(documents.text_of(content, where), Mixture, where)
        listed, scenes = sum(shard.nsamples for shard in index.shardlist), len({row.scene_id for row in rows})
        if listed != scenes:
            raise InputError(
                f"{place}/{INDEX}: lists {listed} scenes, {where} has {scenes}; write the shards again"
            )
        return cls(place, index.dataset, rows, index.shardlist)

    @cached_property
    def _shard_of(self) -> dict[str, Shard]:
        """Each scene's shard: scenes lie in the order of the table."""
        scenes = dict.fromkeys(row.scene_id for row in self.mixtures)
        return dict(zip(scenes, (shard for shard in self.shards for _ in range(shard.nsamples)), strict=True))

    def name_of(self, path: str) -> str:
        return f"{self.place}: {path}"

    def has(self, path: str) -> bool:
        return path in self._members(path)

    def read_bytes(self, path: str) -> bytes:
        url = self._shard_of[Path(path).stem].url
        if (member := self._members(path).get(path)) is None:
            raise InputError(f"{self.place}/{url}: holds no {path}; write the shards again")
        offset, num_bytes, sha256 = member
        content = storage.read(self.place, url, offset, offset + num_bytes)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise InputError(f"{self.place}/{url}: {path} in it is damaged; write the shards again")
        return content

    def _members(self, path: str) -> dict[str, tuple[int, int, str]]:
        return _contents(self.place, self._shard_of[Path(path).stem]).members


_contents = lru_cache(maxsize=64)(read_contents)


def open_any(place: str) -> ReadableDataset:
    """A dataset in a folder, or in shards. Raises InputError when there is neither."""
    if storage.is_url(place) or storage.size(place, INDEX) is not None:
        return ShardedDataset.open(place)
    return Dataset.open(storage.folder(place))
