"""Processing of a whole signal by a frame processor with a delay."""

from typing import Protocol

import numpy as np


class FrameProcessor(Protocol):
    """Processes a signal hop by hop; its output is ``delay`` samples late."""

    hop: int
    delay: int

    def process(self, frame: np.ndarray) -> np.ndarray:
        """The next hop of output for the next hop of input, float32 of shape (hop,)."""


def run(stream: FrameProcessor, mixture: np.ndarray) -> np.ndarray:
    """The estimate of a whole mixture, aligned with it: float32, shape (num_samples,).

    The stream sees nothing but one hop after the other, and silence after the end until its last answer is there.
    """
    num_hops = -(-(len(mixture) + stream.delay) // stream.hop)
    padded = np.zeros(num_hops * stream.hop, dtype=np.float32)
    padded[: len(mixture)] = mixture
    answers = [stream.process(frame) for frame in padded.reshape(num_hops, stream.hop)]
    return np.concatenate(answers)[stream.delay : stream.delay + len(mixture)]
