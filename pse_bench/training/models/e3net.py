"""E3Net: the causal personalized enhancer, one code for whole signals and for a stream.

After Thakker et al., "Fast real-time personalized speech enhancement: End-to-end enhancement network (E3Net) and
knowledge distillation" (arXiv 2204.00771): learned encoder, d-vector beside its features, projection, blocks of
FC and LSTM with residuals, sigmoid mask on the encoder's output, learned decoder with overlap-add.

Where we differ from the paper, and why:

- Encoder and decoder begin as a Fourier basis under a square-root Hann window that gives the input back exactly,
  and the mask begins near 0.88, so an untrained model passes its input on. Learned from noise they took most of a
  short training only to stop distorting.
- Filters come in pairs, at first cosine and sine of one frequency. The recurrent part sees the pair's magnitude to
  the power 0.3, not each filter after a PReLU: a magnitude does not depend on where in a period the frame begins.
  The mask still has a value for each filter and multiplies the linear encoder output.
- LayerNorm takes the level of a frame away, so that the model does not depend on how loud a recording is; what it
  takes is given beside it as one more feature, the frame's log energy. Nothing looks beyond the frame.
- The d-vector is scaled to unit variance an entry (it has unit length), or LayerNormed features would drown it.

Latency: a sample's output is complete when the last frame that holds it has been heard, at most window − 1 samples
later. The algorithmic latency is the window, 20 ms.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import nn

from pse_bench.errors import InputError
from pse_bench.training.models import ModelConfig

# sigmoid(2) = 0.88: the first estimates are a little softer than the mixture, and no gradient has vanished
MASK_BIAS = 2.0
EXPONENT = 0.3
FLOOR = 1e-8  # added to energies of a pair of filters; white noise at the rounding error of 16 bit has about this


@dataclass(frozen=True)
class E3NetConfig(ModelConfig):
    """The sizes of an E3Net. ``filters`` is even and at least the window; the window is a whole number of hops, at
    least two."""

    sample_rate: int = 16_000  # Hz
    window_s: float = 0.020  # frame of the encoder
    hop_s: float = 0.010  # distance of two frames
    filters: int = 384  # of encoder and decoder
    bottleneck: int = 160  # width between the blocks
    fc: int = 160  # width of a block's two layers
    lstm: int = 160
    layers: int = 2  # number of blocks
    embedding: int = 256  # entries of the speaker embedding

    def __post_init__(self) -> None:
        self.check_positive()
        if self.window % self.hop or self.window < 2 * self.hop:
            raise InputError(
                f"window {self.window_s} s and hop {self.hop_s} s: the window has to be two hops or a larger "
                "whole number of them"
            )
        if self.filters % 2 or self.filters < self.window:
            raise InputError(
                f"{self.filters} filters for a window of {self.window} samples: give an even number, at least as "
                "many as samples, so that an untrained model can pass its input on"
            )

    @property
    def window(self) -> int:
        """Samples of a frame, which is also the algorithmic latency."""
        return round(self.window_s * self.sample_rate)

    @property
    def latency_s(self) -> float:
        """Algorithmic latency: no output sample depends on input this much later, or more."""
        return self.window / self.sample_rate


TINY = E3NetConfig()  # 0.84 M parameters
# 8.5 M parameters: the sizes that the paper names
PAPER = E3NetConfig(filters=2048, bottleneck=256, fc=1024, lstm=256, layers=4)


class State(NamedTuple):
    """What a stream carries from one step to the next."""

    heard: torch.Tensor  # the newest input that later frames still hold, (B, window − hop)
    owed: torch.Tensor  # output to which later frames still add, (B, window − hop)
    hidden: torch.Tensor  # of the blocks' LSTMs, (layers, B, lstm)
    cell: torch.Tensor


class Block(nn.Module):
    """FC, PReLU, LSTM, LayerNorm, residual."""

    def __init__(self, config: E3NetConfig) -> None:
        super().__init__()
        self.fc = nn.Linear(config.bottleneck, config.fc)
        self.bend = nn.PReLU()
        self.lstm = nn.LSTM(config.fc, config.lstm, batch_first=True)
        same = config.lstm == config.bottleneck
        self.back = nn.Identity() if same else nn.Linear(config.lstm, config.bottleneck)
        self.norm = nn.LayerNorm(config.bottleneck)

    def forward(self, inputs: torch.Tensor, hidden: torch.Tensor, cell: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outputs, (hidden, cell) = self.lstm(self.bend(self.fc(inputs)), (hidden, cell))  # (B, N, lstm)
        return inputs + self.norm(self.back(outputs)), hidden, cell


class E3Net(nn.Module):
    """Mixture and speaker embedding to an estimate of that speaker.

    ``forward`` takes whole signals, ``run`` any hops of a stream; the one is the other, so they share all code.
    """

    Config = E3NetConfig
    config: E3NetConfig

    def __init__(self, config: E3NetConfig = TINY) -> None:
        super().__init__()
        self.config = config
        self.analysis = nn.Linear(config.window, config.filters, bias=False)
        self.synthesis = nn.Linear(config.filters, config.window, bias=False)
        self.norm = nn.LayerNorm(config.filters // 2)
        self.project = nn.Linear(config.filters // 2 + 1, config.bottleneck)
        # Beside the projection of the features this is the projection of both in one vector.
        self.enroll = nn.Linear(config.embedding, config.bottleneck, bias=False)
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.layers))
        self.mask = nn.Linear(config.bottleneck, config.filters)
        with torch.no_grad():
            basis, dual = fourier_basis(config)
            self.analysis.weight.copy_(basis)
            self.synthesis.weight.copy_(dual)
            self.mask.weight.mul_(0.1)
            self.mask.bias.fill_(MASK_BIAS)

    def forward(self, mixture: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """The estimate of whole signals, (B, T), aligned with the mixture.

        Args:
            mixture: (B, T), full scale ±1, at the configuration's rate.
            embedding: (B, embedding), of unit length.
        """
        late, num_samples = self.config.window - self.config.hop, mixture.shape[-1]
        padded = nn.functional.pad(mixture, (0, -num_samples % self.config.hop + late))
        output, _ = self.run(padded, embedding, self.initial_state(len(mixture)))
        return output[:, late : late + num_samples]

    def initial_state(self, batch: int) -> State:
        """The state before the first sample of ``batch`` streams: digital silence came before it."""
        config, like = self.config, self.mask.weight
        past = like.new_zeros(batch, config.window - config.hop)
        memory = like.new_zeros(config.layers, batch, config.lstm)
        return State(past, past, memory, memory)

    def run(self, samples: torch.Tensor, embedding: torch.Tensor, state: State) -> tuple[torch.Tensor, State]:
        """As many samples of the estimate, late by window − hop, as are given, any whole number of hops,
        (B, n · hop); and the state after them."""
        hop, overlap = self.config.hop, self.config.window // self.config.hop
        heard = torch.cat([state.heard, samples], dim=1)
        num_frames = samples.shape[1] // hop
        hops = heard.reshape(len(heard), num_frames + overlap - 1, hop)
        frames = torch.cat([hops[:, i : i + num_frames] for i in range(overlap)], dim=-1)  # (B, N, window)
        coded = self.analysis(frames)  # (B, N, filters)
        mask, hidden, cell = self._mask(coded, embedding, state)
        pieces = self.synthesis(mask * coded)  # (B, N, window)
        added = _overlap_add(pieces, overlap)  # (B, (N + overlap − 1) · hop)
        num_owed = (overlap - 1) * hop
        rest = added.shape[1] - num_owed
        added = added + nn.functional.pad(state.owed, (0, rest))
        return added[:, :rest], State(heard[:, -num_owed:], added[:, rest:], hidden, cell)

    def _mask(self, coded: torch.Tensor, embedding: torch.Tensor, state: State) -> tuple[torch.Tensor, ...]:
        energy = coded[..., 0::2].square() + coded[..., 1::2].square() + FLOOR  # (B, N, filters / 2)
        # −0.5 for speech at −26 dBFS, −8 in silence: brought to about the size of the other features
        level = torch.log10(energy.mean(dim=-1, keepdim=True)) / 2 + 1
        features = torch.cat([self.norm(energy ** (EXPONENT / 2)), level], dim=-1)
        speaker = self.enroll(embedding * math.sqrt(self.config.embedding))
        outputs = self.project(features) + speaker.unsqueeze(1)  # (B, N, bottleneck)
        hidden, cell = [], []
        for number, block in enumerate(self.blocks):
            outputs, h, c = block(outputs, state.hidden[number : number + 1], state.cell[number : number + 1])
            hidden.append(h)
            cell.append(c)
        return torch.sigmoid(self.mask(outputs)), torch.cat(hidden), torch.cat(cell)


def _overlap_add(pieces: torch.Tensor, overlap: int) -> torch.Tensor:
    """Frames, (B, N, overlap · hop), added up where they overlap: (B, (N + overlap − 1) · hop)."""
    batch, num_frames, window = pieces.shape
    parts = pieces.reshape(batch, num_frames, overlap, window // overlap)
    shifted = [nn.functional.pad(parts[:, :, i], (0, 0, i, overlap - 1 - i)) for i in range(overlap)]
    return sum(shifted[1:], start=shifted[0]).reshape(batch, -1)


def fourier_basis(config: E3NetConfig) -> tuple[torch.Tensor, torch.Tensor]:
    """Encoder (filters, window) and decoder (window, filters) weights that give the input back.

    Filter 2k is the cosine and 2k + 1 the sine of k + ½ cycles in ``filters`` samples, under a square-root Hann
    window. At odd multiples of half a bin every frequency has both, without the special cases of 0 and the Nyquist
    frequency, and Σ_k cos(2π(k + ½)d / filters) = 0 for every d ≠ 0 that a frame can hold: a tight frame. The
    squared windows of a sample's frames add up to overlap / 2.
    """
    overlap = config.window // config.hop
    time = torch.arange(config.window, dtype=torch.float64)
    window = torch.sin(math.pi * time / config.window)  # the square root of a periodic Hann window
    frequency = torch.arange(config.filters // 2, dtype=torch.float64)[:, None] + 0.5
    angle = 2 * math.pi * frequency * time / config.filters
    basis = torch.stack([torch.cos(angle), torch.sin(angle)], dim=1).reshape(config.filters, config.window)
    basis = basis * window
    dual = basis.T * (2 / config.filters) * (2 / overlap)
    return basis.float(), dual.float()


def macs_per_second(model: E3Net) -> int:
    """Multiply-accumulates of the matrices in a second of sound. Each is used once a frame, but for that of the
    embedding, whose product is the same for a whole stream and not counted. Elementwise work is below 2 %."""
    matrices = sum(p.numel() for name, p in model.named_parameters() if p.dim() == 2 and name != "enroll.weight")
    return round(matrices * model.config.sample_rate / model.config.hop)


def num_parameters(model: nn.Module) -> int:
    """Trainable numbers of a model."""
    return sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
