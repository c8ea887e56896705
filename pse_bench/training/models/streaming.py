"""Frame by frame, as a telephone would: the estimate a hop at a time, equal to the offline one within 1e-5."""

import warnings

import numpy as np
import torch

from pse_bench.signal import streaming
from pse_bench.training.models.e3net import E3Net

# Whenever the flags below are set, torch says that it knows no graphics processor of some maker.
warnings.filterwarnings("ignore", message="TF32 acceleration", category=UserWarning)


class Stream:
    """One call's enhancement. Feed hops, get hops; state is all it keeps.

    Args:
        model: in evaluation mode, on the CPU.
        embedding: of the enrolled speaker, shape (embedding,).
    """

    def __init__(self, model: E3Net, embedding: np.ndarray) -> None:
        self.hop = model.config.hop
        self.delay = model.config.window - model.config.hop
        """By how many samples the output is late, beside the hop that has to be full before it can be fed."""
        self._model = model
        self._embedding = torch.from_numpy(np.array(embedding, dtype=np.float32))[None]
        self._state = model.initial_state(1)

    def process(self, frame: np.ndarray) -> np.ndarray:
        """Hear one hop, float32 of shape (hop,), and give one: the estimate of ``delay`` samples ago."""
        with torch.inference_mode():
            samples = torch.from_numpy(np.array(frame, dtype=np.float32))[None]
            output, self._state = self._model.step(samples, self._embedding, self._state)
        return output[0].numpy()


def run(model: E3Net, embedding: np.ndarray, mixture: np.ndarray) -> np.ndarray:
    """The estimate of a whole mixture, aligned with it, heard hop by hop: float32, shape (num_samples,)."""
    # mkldnn puts an LSTM's weights in another order at each call, which takes longer than a hop's arithmetic; to
    # switch it off and on again for every hop takes a fifth of it
    with torch.backends.mkldnn.flags(enabled=False):
        return streaming.run(Stream(model, embedding), mixture)
