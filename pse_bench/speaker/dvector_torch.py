"""The d-vector network in torch: faster over many windows than ``dvector``, and able to run along a stream."""

import functools

import numpy as np
import torch
from torch import nn

from pse_bench.speaker import dvector_weights


class DVectorNetwork(nn.Module):
    """The frozen network over mel powers, (B, N, 40), to vectors of unit length, (B, N, 256): who has been
    speaking up to each frame."""

    def __init__(self) -> None:
        super().__init__()
        tensors = dvector_weights.read()
        self.lstm = nn.LSTM(40, 256, 3, batch_first=True)
        self.linear = nn.Linear(256, 256)
        names = self.state_dict().keys()
        self.load_state_dict({name: torch.from_numpy(tensors[name]) for name in names})
        self.requires_grad_(False)
        self.eval()

    def forward(self, mel: torch.Tensor) -> torch.Tensor:
        """See the class; the network is never trained through."""
        with torch.no_grad():
            hidden, _ = self.lstm(mel)
            return self.embed(hidden)

    def embed(self, hidden: torch.Tensor) -> torch.Tensor:
        """Vectors of what the LSTM gives, (…, 256) both."""
        return nn.functional.normalize(torch.relu(self.linear(hidden)), dim=-1)


def forward(windows: np.ndarray) -> np.ndarray:
    """As ``dvector.forward``."""
    network = _network()
    with torch.inference_mode():
        hidden, _ = network.lstm(torch.from_numpy(windows))
        return network.embed(hidden[:, -1]).numpy()


@functools.cache
def _network() -> DVectorNetwork:
    return DVectorNetwork()
