"""Items of different lengths in one batch."""

from collections.abc import Sequence
from typing import Any

import torch


def collate(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """A batch of items, for ``DataLoader(collate_fn=collate)``.

    Tensors are padded with zeros at their end to the longest and stacked; the key ``<name>_length`` beside each
    holds the lengths before, int64 of shape (batch,). Anything else becomes a list.
    """
    batch: dict[str, Any] = {}
    for name in items[0]:
        values = [item[name] for item in items]
        if isinstance(values[0], torch.Tensor):
            batch[name] = torch.nn.utils.rnn.pad_sequence(values, batch_first=True)
            batch[f"{name}_length"] = torch.tensor([len(value) for value in values])
        else:
            batch[name] = values
    return batch
