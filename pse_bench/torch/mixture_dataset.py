"""A rendered dataset as torch reads it."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import Dataset

from pse_bench import rng
from pse_bench.dataset.dataset import MixtureItem, ReadableDataset
from pse_bench.dataset.webdataset import open_any
from pse_bench.errors import RequestError
from pse_bench.signal import vad

FIELDS = ("mixture", "reference", "enrollment", "target_active", "interferer_active")
"""What an item holds unless told otherwise."""

STEMS = ("target", "interferer", "noise")


class MixtureDataset(Dataset):
    """The mixtures of a rendered dataset, map-style: item i is a dictionary.

    Keys, as far as ``fields`` asks for them: ``mixture``, ``reference`` (the target's image that the output is
    compared with; zeros in TS3), the stems ``target``, ``interferer`` and ``noise`` (zeros where nobody talks):
    float32 of shape (num_samples,); ``enrollment``: float32 of its own length; ``target_active`` and
    ``interferer_active``: bool of shape (num_frames,), frames of 10 ms. ``metadata`` is always there: the
    mixture's row of ``mixtures.csv`` as a dictionary.

    Args:
        dataset: a folder that ``render`` wrote, tar shards that ``pack`` wrote, or an opened dataset.
        scenarios: only mixtures of these; all by default.
        fields: keys of an item.
        chunk_s: cut that many seconds out of each mixture, anew each epoch (see ``set_epoch``); shorter mixtures
            are left out. None gives whole mixtures, for which ``collate`` pads.
        seed: of the cuts.

    Raises:
        InputError: no dataset there.
        RequestError: an unknown field, or no mixture is left.
    """

    def __init__(
        self,
        dataset: str | Path | ReadableDataset,
        *,
        scenarios: Iterable[str] = ("TS1", "TS2", "TS3"),
        fields: Iterable[str] = FIELDS,
        chunk_s: float | None = None,
        seed: int = 0,
    ) -> None:
        self.source = dataset if isinstance(dataset, ReadableDataset) else open_any(str(dataset))
        self.sample_rate = self.source.description.sample_rate
        self.fields = checked(fields)
        self._hop = vad.hop_samples(self.sample_rate)
        self._chunk = round(chunk_s * self.sample_rate) if chunk_s else None
        self._seed, self._epoch = seed, 0
        if "reference" in self.fields and self.source.description.reference == "none":
            where = self.source.name_of("mixtures.csv")
            raise RequestError(f"{where}: recordings have no reference; leave it out of fields")
        wanted = set(scenarios)
        self.rows = [
            row for row in self.source.mixtures if row.scenario in wanted and row.num_samples >= (self._chunk or 0)
        ]
        if not self.rows:
            where, named = self.source.name_of("mixtures.csv"), ", ".join(sorted(wanted))
            raise RequestError(
                f"{where}: no mixture of {named} is long enough; give other scenarios or a shorter chunk_s"
            )

    def set_epoch(self, epoch: int) -> None:
        """Cut elsewhere from now on; call it before a new iteration over a DataLoader."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> dict[str, Any]:
        row = self.rows[index]
        start, stop = 0, row.num_samples
        if self._chunk:
            spare = (row.num_samples - self._chunk) // self._hop
            start = self._hop * rng.integer(0, spare, self._seed, "cut", self._epoch, row.mixture_id)
            stop = start + self._chunk
        item = MixtureItem(self.source, row)
        found: dict[str, Any] = {}
        for field in self.fields:
            if field == "enrollment":
                found[field] = torch.from_numpy(item.enrollment)
            elif field.endswith("_active"):
                frames = item.active[field.removesuffix("_active")]
                found[field] = torch.from_numpy(frames[start // self._hop : -(-stop // self._hop)])
            else:
                sound = getattr(item, field)
                silence = np.zeros(stop - start, dtype=np.float32)
                found[field] = torch.from_numpy(silence if sound is None else sound[start:stop])
        return {**found, "metadata": row.model_dump()}


def checked(fields: Iterable[str]) -> tuple[str, ...]:
    """Fields of an item. Raises RequestError where there is one that is not known."""
    known, asked = (*FIELDS, *STEMS), tuple(fields)
    for field in asked:
        if field not in known:
            raise RequestError(f"no field {field!r}; fields are {', '.join(known)}")
    return asked
