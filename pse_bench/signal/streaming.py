"""Hop-by-hop processing of a whole signal."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pse_bench.errors import InputError


def run(step: Callable[[np.ndarray], Any], mixture: np.ndarray, *, hop: int, delay: int) -> np.ndarray:
    """The estimate of a whole mixture, aligned with it: shape (num_samples,).

    Args:
        step: gives the next hop of output for the next one of input, float32 of shape (hop,). It sees nothing but
            one hop after the other, and silence after the end until its last answer is there.
        mixture: shape (num_samples,).
        hop: samples of a hop.
        delay: by how many samples the output is late; they are taken back.

    Raises:
        InputError: a step gave another shape.
    """
    num_hops = -(-(len(mixture) + delay) // hop)
    padded = np.zeros(num_hops * hop, dtype=np.float32)
    padded[: len(mixture)] = mixture
    answers = []
    for number, frame in enumerate(padded.reshape(num_hops, hop)):
        answer = np.array(step(frame))  # a copy: many give the same buffer every time
        if answer.shape != (hop,):
            raise InputError(f"step gave shape {answer.shape} for hop {number}, expected ({hop},)")
        answers.append(answer)
    return np.concatenate(answers)[delay : delay + len(mixture)]
