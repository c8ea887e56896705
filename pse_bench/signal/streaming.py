"""A whole signal through something that takes it hop by hop and answers late."""

from typing import Protocol

import numpy as np


class FrameProcessor(Protocol):
    """Takes a hop of samples and gives one, ``delay`` samples late."""

    hop: int
    delay: int

    def process(self, frame: np.ndarray) -> np.ndarray:
        """Hear one hop, float32 of shape (hop,), and give one."""


def run(stream: FrameProcessor, mixture: np.ndarray) -> np.ndarray:
    """The estimate of a whole mixture, aligned with it: float32, shape (num_samples,).

    The stream sees nothing but one hop after the other, and silence after the end until its last answer is there.
    """
    num_hops = -(-(len(mixture) + stream.delay) // stream.hop)
    padded = np.zeros(num_hops * stream.hop, dtype=np.float32)
    padded[: len(mixture)] = mixture
    answers = [stream.process(frame) for frame in padded.reshape(num_hops, stream.hop)]
    return np.concatenate(answers)[stream.delay : stream.delay + len(mixture)]
