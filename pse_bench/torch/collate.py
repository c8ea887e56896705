"""Items of different lengths in one batch."""

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from torch.utils.data import get_worker_info


def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A batch of items, for ``DataLoader(collate_fn=collate)``.

    Tensors are padded with zeros at their end to the longest and stacked; the key ``<name>_length`` beside each
    holds the lengths before, int64 of shape (batch,). Anything else becomes a list.
    """
    batch: dict[str, Any] = {}
    for name in items[0]:
        values = [item[name] for item in items]
        if isinstance(values[0], torch.Tensor):
            lengths = [len(value) for value in values]
            batch[name] = _zeros((len(values), max(lengths)), values[0].dtype)
            for row, value in zip(batch[name], values, strict=True):
                row[: len(value)] = value
            batch[f"{name}_length"] = torch.tensor(lengths)
        else:
            batch[name] = values
    return batch


def _zeros(shape: tuple[int, int], dtype: torch.dtype) -> torch.Tensor:
    """Zeros, in a data-loader worker in the memory that it shares, so that nothing is copied on its way."""
    if get_worker_info() is None:
        return torch.zeros(shape, dtype=dtype)
    empty = torch.empty(0, dtype=dtype)
    storage = torch.UntypedStorage._new_shared(prod(shape) * empty.element_size())
    return empty.set_(storage, 0, shape, (shape[1], 1))
