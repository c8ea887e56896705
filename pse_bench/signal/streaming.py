"""Hop-by-hop processing of a whole signal, or of one that comes in blocks and never lies in memory."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np

from pse_bench.errors import InputError

BLOCK = 1 << 16
"""Answers of so many samples are joined to a block."""


def blocks(
    step: Callable[[np.ndarray], Any], mixture: Iterable[np.ndarray], num_samples: int, *, hop: int, delay: int
) -> Iterator[np.ndarray]:
    """The estimate of a mixture in blocks, together of shape (num_samples,) and aligned with it.

    Args:
        step: gives the next hop of output for the next one of input, float32 of shape (hop,). It sees nothing but
            one hop after the other, and silence after the end until its last answer is there.
        mixture: blocks of any length, together of shape (num_samples,).
        num_samples: their length.
        hop: samples of a hop.
        delay: by how many samples the output is late; they are taken back.

    Raises:
        InputError: a step gave another shape.
    """
    num_hops = -(-(num_samples + delay) // hop)
    begin, answers = -delay, list[np.ndarray]()
    for number, frame in enumerate(_frames(mixture, hop, num_hops), 1):
        answer = np.array(step(frame))  # a copy: many give the same buffer every time
        if answer.shape != (hop,):
            raise InputError(f"step gave shape {answer.shape} for hop {number - 1}, expected ({hop},)")
        answers.append(answer)
        if len(answers) * hop >= BLOCK or number == num_hops:
            block = np.concatenate(answers)
            yield block[max(0, -begin) : num_samples - begin]
            begin, answers = begin + len(block), []


def _frames(mixture: Iterable[np.ndarray], hop: int, num_hops: int) -> Iterator[np.ndarray]:
    """So many hops of the mixture and of the silence after it, float32."""
    left = np.zeros(0, dtype=np.float32)
    for block in mixture:
        left = np.concatenate([left, block], dtype=np.float32)
        frames = left[: len(left) // hop * hop].reshape(-1, hop)
        yield from frames
        left, num_hops = left[frames.size :], num_hops - len(frames)
    padded = np.zeros((num_hops, hop), dtype=np.float32)
    padded.reshape(-1)[: len(left)] = left
    yield from padded


def first(blocks: Iterable[np.ndarray], num_samples: int) -> np.ndarray:
    """The first so many samples of blocks, of which no more are asked for than that takes."""
    found = list[np.ndarray]()
    for block in blocks:
        found.append(block)
        if sum(map(len, found)) >= num_samples:
            break
    return np.concatenate(found)[:num_samples]
