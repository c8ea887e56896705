"""A checkpoint as a system: whole signals, or hop by hop as a telephone would, equal within 1e-5.

Always on one thread, so that an output does not depend on the number of cores.
"""

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

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
    """Enhancement of one call by a model on the CPU, fed a hop at a time; its state is all it keeps."""

    def __init__(self, model: E3Net, embedding: np.ndarray) -> None:
        self.hop = model.config.hop
        # by how many samples the output is late, beside the hop that has to be full before it can be fed
        self.delay = model.config.window - model.config.hop
        self._model, self._embedding, self._state = model, _batch_of_one(embedding), model.initial_state(1)

    def step(self, frame: np.ndarray) -> np.ndarray:
        """The estimate of the hop ``delay`` samples ago, for one hop more; float32 of shape (hop,)."""
        with torch.inference_mode():
            output, self._state = self._model.run(_batch_of_one(frame), self._embedding, self._state)
        return output[0].numpy()


def run_stream(model: E3Net, embedding: np.ndarray, mixture: np.ndarray) -> np.ndarray:
    """The estimate of a whole mixture, made hop by hop and aligned with it: float32, shape (num_samples,)."""
    return np.concatenate(list(stream_blocks(model, embedding, [mixture], len(mixture))))


def stream_blocks(
    model: E3Net, embedding: np.ndarray, mixture: Iterable[np.ndarray], num_samples: int
) -> Iterator[np.ndarray]:
    """The estimate in blocks of a mixture in blocks, together of shape (num_samples,)."""
    # mkldnn puts an LSTM's weights in another order at each call, which takes longer than a hop's arithmetic; to
    # switch it off and on again for every hop takes a fifth of it
    with torch.backends.mkldnn.flags(enabled=False):
        stream = Stream(model, embedding)
        yield from streaming.blocks(stream.step, mixture, num_samples, hop=stream.hop, delay=stream.delay)


@contextmanager
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


class _FromFile:
    """A network from a file, on one thread, with what a system tells of it."""

    network: type
    refusal: str
    macs_per_second: int | None = None  # multiply-accumulates in a second of sound, where they are counted
    parameters: int  # all that run over a mixture

    def __init__(self, path: Path) -> None:
        model, self.about = checkpoint.load(path)
        if not isinstance(model, self.network):
            raise InputError(f"{path}: holds {self.refusal.format(self.about.kind)}")
        self._model: Any = model
        self.sample_rate, self.embedding = model.config.sample_rate, model.config.embedding
        self.latency_s, self.digest = model.config.latency_s, atomic.sha256(path)

    def __call__(self, mixture: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        """What the network makes of a mixture, float32 of shape (num_samples,)."""
        with _one_thread():
            return self._run(mixture, embedding)

    def _run(self, mixture: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        with torch.inference_mode():
            return self._model(_batch_of_one(mixture), _batch_of_one(embedding))[0].numpy()


class Enhancer(_FromFile):
    """An E3Net from a file; its estimate of a mixture is float32 of shape (num_samples,)."""

    network, refusal = E3Net, "a {}, which enhances nothing; give an e3net, or run detect"

    def __init__(self, path: Path, *, by_hops: bool = False) -> None:
        super().__init__(path)
        self._by_hops = by_hops
        self.parameters, self.macs_per_second = num_parameters(self._model), macs_per_second(self._model)

    def _run(self, mixture: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        if self._by_hops:
            return run_stream(self._model, embedding, mixture)
        return super()._run(mixture, embedding)

    def blocks(
        self, mixture: Iterable[np.ndarray], num_samples: int, embedding: np.ndarray
    ) -> Iterator[np.ndarray]:
        """The estimate hop by hop, in blocks, of a mixture in blocks, together of shape (num_samples,)."""
        with _one_thread():
            yield from stream_blocks(self._model, embedding, mixture, num_samples)


class Detector(_FromFile):
    """A pVAD from a file; it gives probabilities of the classes, (num_frames, 3). ``speaker`` is how the
    enrollment comes in; the frozen d-vector network of a stream counts among the parameters."""

    network, refusal = PVAD, "an {}, which detects nothing; give a pvad"

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.speaker = self._model.config.speaker
        self.parameters = sum(parameter.numel() for parameter in self._model.parameters())

    def _run(self, mixture: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        logits = torch.from_numpy(super()._run(mixture, embedding))
        return torch.softmax(logits.double(), dim=-1).numpy()


def _batch_of_one(values: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.array(values, dtype=np.float32))[None]
