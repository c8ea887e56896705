"""A checkpoint as a system: whole signals, or a stream whose output is put back into place."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch

from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.training import checkpoint
from pse_bench.training.models import streaming
from pse_bench.training.models.e3net import E3Net, macs_per_second, num_parameters


class Enhancer:
    """An E3Net from a file, always on one thread, so that its output does not depend on the number of cores.

    Attributes:
        sample_rate: Hz.
        embedding: entries of the speaker embedding.
        encoder: what has to make it.
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
        self.encoder = self.about.encoder
        self.latency_s, self.parameters = model.config.latency_s, num_parameters(model)
        self.macs_per_second = macs_per_second(model)
        self.digest = atomic.sha256(path)

    def __call__(self, mixture: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        """The estimate of a mixture, both float32 of shape (num_samples,)."""
        with one_thread():
            if self._by_hops:
                return streaming.run(self._model, embedding, mixture)
            with torch.inference_mode():
                samples, speaker = (torch.from_numpy(np.array(v, np.float32))[None] for v in (mixture, embedding))
                return self._model(samples, speaker)[0].numpy()


@contextmanager
def one_thread() -> Iterator[None]:
    """Torch on one thread for as long as it lasts."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
