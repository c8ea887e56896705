"""A dataset read back from tar shards, file by file where each begins: to a reader it is the dataset itself."""

import hashlib
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path

from pse_bench.dataset import webdataset
from pse_bench.dataset.dataset import Dataset, Description, ReadableDataset
from pse_bench.errors import InputError
from pse_bench.io import documents, storage, tables
from pse_bench.schemas import Mixture


@dataclass(frozen=True)
class ShardedDataset(ReadableDataset):
    """A dataset in tar shards."""

    place: str
    description: Description
    mixtures: list[Mixture]
    shards: list[webdataset.Shard]

    @classmethod
    def open(cls, place: str) -> "ShardedDataset":
        """Raises InputError when there are no shards, or their table is not the one that was written."""
        index = webdataset.read_index(place)
        content = storage.read(place, "mixtures.csv")
        if hashlib.sha256(content).hexdigest() != index.dataset.tables.get("mixtures.csv"):
            raise InputError(f"{place}/mixtures.csv: not the table of these shards; write them again")
        where = f"{place}/mixtures.csv"
        rows = tables.table_of(documents.text_of(content, where), Mixture, where)
        scenes = len({row.scene_id for row in rows})
        listed = sum(shard.nsamples for shard in index.shardlist)
        if listed != scenes:
            raise InputError(
                f"{place}/{webdataset.INDEX}: lists {listed} scenes, {where} has {scenes}; write the shards again"
            )
        return cls(place, index.dataset, rows, index.shardlist)

    @property
    def where(self) -> str:
        return self.place

    @cached_property
    def _shard_of(self) -> dict[str, webdataset.Shard]:
        """Each scene's shard: scenes lie in the order of the table."""
        ends = list(accumulate(shard.nsamples for shard in self.shards))
        scenes = dict.fromkeys(row.scene_id for row in self.mixtures)
        return {scene_id: self.shards[bisect_right(ends, number)] for number, scene_id in enumerate(scenes)}

    def name_of(self, path: str) -> str:
        return f"{self.place}: {path}"

    def has(self, path: str) -> bool:
        return path in self._members(path)

    def read_bytes(self, path: str) -> bytes:
        shard = self._shard_of[Path(path).stem]
        if (member := self._members(path).get(path)) is None:
            raise InputError(f"{self.place}/{shard.url}: holds no {path}; write the shards again")
        offset, num_bytes, sha256 = member
        content = storage.read(self.place, shard.url, offset, offset + num_bytes)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise InputError(f"{self.place}/{shard.url}: {path} in it is damaged; write the shards again")
        return content

    def _members(self, path: str) -> dict[str, tuple[int, int, str]]:
        shard = self._shard_of[Path(path).stem]
        return _contents(self.place, shard.model_dump_json())


@lru_cache(maxsize=64)
def _contents(place: str, shard: str) -> dict[str, tuple[int, int, str]]:
    return webdataset.read_contents(place, webdataset.Shard.model_validate_json(shard)).members


def open_any(place: str) -> ReadableDataset:
    """A dataset in a folder, or in shards. Raises InputError when there is neither."""
    if storage.is_url(place) or storage.size(place, webdataset.INDEX) is not None:
        return ShardedDataset.open(place)
    return Dataset.open(storage.folder(place))
