"""Making the clips of a corpus: those that are not there yet, and what a manifest says of them."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from pse_bench.corpora.scan import ScannedFile
from pse_bench.errors import RequestError
from pse_bench.io import atomic, audio
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update

Order = TypeVar("Order")


def make_all(
    make: Callable[[Order], Any],
    orders: Sequence[Order],
    name: Callable[[Order], str],
    executor: Executor,
    progress: Update,
    folders: Sequence[Path],
) -> list[Any]:
    """What ``make`` gives of all orders. What dead processes left half-written in the folders is removed, before
    and after. Raises RequestError naming one whose worker died, after all others."""
    found, lost = [], ""
    for folder in folders:
        atomic.remove_unfinished(folder)
    for done, outcome in enumerate(executor.run(make, orders), start=1):
        found.append(outcome.value)
        lost = f"{name(orders[outcome.index])} was not made: {outcome.lost}" if outcome.lost else lost
        progress(done, len(orders))
    for folder in folders:
        atomic.remove_unfinished(folder)  # a worker may have been lost on the way
    if lost:
        raise RequestError(f"{lost}; run the command again, what was made is kept")
    return found


def is_there(path: Path, sha256: str) -> bool:
    """Whether a clip lies there and is the one with a hash; '' is that of none."""
    return bool(sha256) and path.is_file() and atomic.sha256(path) == sha256


def write(path: Path, samples: np.ndarray, sample_rate: int) -> None:
    """Store a clip in 16 bits."""
    # shared: a worker of a command that was killed may still be writing
    with atomic.replacing(path, shared=True) as part:
        audio.write(part, audio.to_pcm16(samples), sample_rate)


def fields_of(root: Path, path: str) -> dict[str, Any]:
    """The fields of a clip's row that come from its file."""
    header = audio.info(root / path)
    return ScannedFile(path, header.num_samples, header.sample_rate, atomic.sha256(root / path)).fields
