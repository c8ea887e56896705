"""A checkpoint as a system: whole signals, or hop by hop as a telephone would, equal within 1e-5.

Always on one thread, so that an output does not depend on the number of cores.
"""

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.signal import streaming
from pse_bench.training import checkpoint
from pse_bench.training.models.e3net import E3Net, macs_per_second, num_parameters
from pse_bench.training.models.pvad import PVAD

# Whenever the flags below are set, torch says that it knows no graphics processor of some maker.
warnings.filterwarnings("ignore", message="TF32 acceleration", category=UserWarning)


class Stream:
    """Enhancement of one call, fed a hop at a time; its state is all it keeps.

    Args:
        model: in evaluation mode, on the CPU.
        embedding: of the enrolled speaker, shape (embedding,).
    """

    def __init__(self, model: E3Net, embedding: np.ndarray) -> None:
        self.hop = model.config.hop
        self.delay = model.config.window - model.config.hop
        """By how many samples the output is late, beside the hop that has to be full before it can be fed."""
        self._model = model
        self._embedding = _batch_of_one(embedding)
        self._state = model.initial_state(1)

    def process(self, frame: np.ndarray) -> np.ndarray:
        """The estimate of the hop ``delay`` samples ago, for one hop more; float32 of shape (hop,)."""
        with torch.inference_mode():
            output, self._state = self._model.step(_batch_of_one(frame), self._embedding, self._state)
        return output[0].numpy()


def run_stream(model: E3Net, embedding: np.ndarray, mixture: np.ndarray) -> np.ndarray:
    """The estimate of a whole mixture, made hop by hop and aligned with it: float32, shape (num_samples,)."""
    # mkldnn puts an LSTM's weights in another order at each call, which takes longer than a hop's arithmetic; to
    # switch it off and on again for every hop takes a fifth of it
    with torch.backends.mkldnn.flags(enabled=False):
        return streaming.run(Stream(model, embedding), mixture)


class Enhancer:
    """An E3Net from a file.

    Attributes:
        sample_rate: Hz.
        embedding: entries of the speaker embedding.
        latency_s, parameters, macs_per_second: figures of the model.
        digest: SHA-256 of the file.
    """

    def __init__(self, path: Path, *, by_hops: bool = False) -> None:
        model, self.about = checkpoint.load(path)
        if not isinstance(model, E3Net):
            raise InputError(
                f"{path}: holds a {self.about.kind}, which enhances nothing; give an e3net, or run detect"
            )
        self._model, self._by_hops = model, by_hops
        self.sample_rate, self.embedding = model.config.sample_rate, model.config.embedding
        self.latency_s, self.parameters = model.config.latency_s, num_parameters(model)
        self.macs_per_second: int | None = macs_per_second(model)
        self.digest = atomic.sha256(path)

    def __call__(self, mixture: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        """The estimate of a mixture, both float32 of shape (num_samples,)."""
        with one_thread():
            if self._by_hops:
                return run_stream(self._model, embedding, mixture)
            return _run_whole(self._model, mixture, embedding).numpy()


class Detector:
    """A pVAD from a file.

    Attributes:
        sample_rate: Hz.
        embedding: entries of the speaker embedding.
        speaker: how the enrollment comes in, see ``pvad``.
        latency_s: a decision waits for the end of its frame.
        parameters: all that run over a mixture, the frozen d-vector network of a stream too.
        macs_per_second: not counted.
        digest: SHA-256 of the file.
    """

    macs_per_second: int | None = None

    def __init__(self, path: Path) -> None:
        model, self.about = checkpoint.load(path)
        if not isinstance(model, PVAD):
            raise InputError(f"{path}: holds an {self.about.kind}, which detects nothing; give a pvad")
        self._model, config = model, model.config
        self.sample_rate, self.embedding, self.speaker = config.sample_rate, config.embedding, config.speaker
        self.latency_s = config.hop / config.sample_rate
        self.parameters = sum(parameter.numel() for parameter in model.parameters())
        self.digest = atomic.sha256(path)

    def __call__(self, mixture: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        """Probabilities of the classes, (num_frames, 3), of a mixture, float32 of shape (num_samples,)."""
        with one_thread():
            return torch.softmax(_run_whole(self._model, mixture, embedding).double(), dim=-1).numpy()


def _run_whole(model: Callable[..., torch.Tensor], mixture: np.ndarray, embedding: np.ndarray) -> torch.Tensor:
    with torch.inference_mode():
        return model(_batch_of_one(mixture), _batch_of_one(embedding))[0]


def _batch_of_one(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32))[None]


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread for as long as it lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
