"""A dataset read back from tar shards, file by file where each begins: to a reader it is the dataset itself."""

import hashlib
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import accumulate
from pathlib import Path

import numpy as np

from pse_bench.dataset import webdataset
from pse_bench.dataset.dataset import Dataset, Description, activity_frames, activity_masks
from pse_bench.errors import InputError
from pse_bench.io import audio, documents, storage, tables
from pse_bench.schemas import Mixture


@dataclass(frozen=True)
class Packed:
    """A dataset in shards; see ``Dataset``, whose methods these are."""

    where: str
    index: webdataset.Index
    mixtures: list[Mixture]

    @classmethod
    def open(cls, place: str) -> "Packed":
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
        return cls(place, index, rows)

    @property
    def description(self) -> Description:
        """Of the dataset that was packed."""
        return self.index.dataset

    @cached_property
    def _shard_of(self) -> dict[str, webdataset.Shard]:
        """Each scene's shard: scenes lie in the order of the table."""
        ends = list(accumulate(shard.nsamples for shard in self.index.shardlist))
        scenes = dict.fromkeys(row.scene_id for row in self.mixtures)
        return {
            scene_id: self.index.shardlist[bisect_right(ends, number)] for number, scene_id in enumerate(scenes)
        }

    def has(self, path: str) -> bool:
        """Whether a file of the tables is there."""
        return path in self._members(path)

    def read_bytes(self, path: str) -> bytes:
        """A file of the dataset. Raises InputError when it is not the one that was packed."""
        shard = self._shard_of[Path(path).stem]
        if (member := self._members(path).get(path)) is None:
            raise InputError(f"{self.where}/{shard.url}: holds no {path}; write the shards again")
        offset, num_bytes, sha256 = member
        content = storage.read(self.where, shard.url, offset, offset + num_bytes)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise InputError(f"{self.where}/{shard.url}: {path} in it is damaged; write the shards again")
        return content

    def read_sound(self, path: str, num_samples: int | None = None) -> np.ndarray:
        """A sound file as stored: int16, shape (num_samples,). Raises InputError as ``read_bytes``, and where it
        is not of the dataset's rate or of this length."""
        rate = self.description.sample_rate
        where = f"{self.where}: {path}"
        return audio.pcm16_of(self.read_bytes(path), where, sample_rate=rate, num_samples=num_samples)

    def read_stem(self, scene_id: str, stem: str, num_samples: int | None = None) -> np.ndarray:
        """A stem as stored: int16, shape (num_samples,)."""
        return self.read_sound(f"stems/{stem}/{scene_id}.{self.description.format}", num_samples)

    def read_activity(self, scene_id: str, num_samples: int | None = None) -> dict[str, np.ndarray]:
        """Sample masks of speech activity: target and interferer, bool, (num_samples,)."""
        path = f"activity/{scene_id}.json"
        where = f"{self.where}: {path}"
        return activity_masks(
            *activity_frames(documents.text_of(self.read_bytes(path), where), where, num_samples)
        )

    def _members(self, path: str) -> dict[str, tuple[int, int, str]]:
        shard = self._shard_of[Path(path).stem]
        return _contents(self.where, shard.model_dump_json())


@lru_cache(maxsize=64)
def _contents(place: str, shard: str) -> dict[str, tuple[int, int, str]]:
    return webdataset.read_contents(place, webdataset.Shard.model_validate_json(shard)).members


def open_any(place: str) -> Dataset | Packed:
    """A dataset in a folder, or in shards. Raises InputError when there is neither."""
    if storage.is_url(place) or storage.size(place, webdataset.INDEX) is not None:
        return Packed.open(place)
    return Dataset.open(storage.folder(place))
