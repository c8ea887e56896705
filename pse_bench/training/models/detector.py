"""A pVAD's checkpoint as a system that says who speaks."""

from pathlib import Path

import numpy as np
import torch

from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.training import checkpoint
from pse_bench.training.models.enhancer import one_thread
from pse_bench.training.models.pvad import PVAD


class Detector:
    """A pVAD from a file, always on one thread, so that its output does not depend on the number of cores.

    Attributes:
        sample_rate: Hz.
        embedding: entries of the speaker embedding.
        speaker: how the enrollment comes in, see ``pvad``.
        latency_s: a decision waits for the end of its frame.
        parameters: all that run over a mixture, the frozen d-vector network of a stream too.
        macs_per_second: not counted.
        digest: SHA-256 of the file.
    """

    macs_per_second = None

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
        """Probabilities of the classes, (num_frames, 3), of a mixture; both float32 of shape (num_samples,)."""
        with one_thread(), torch.inference_mode():
            samples, speaker = (torch.from_numpy(np.array(v, np.float32))[None] for v in (mixture, embedding))
            return torch.softmax(self._model(samples, speaker).double(), dim=-1)[0].numpy()
