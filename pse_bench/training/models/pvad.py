"""Personal VAD: who speaks in each 10 ms, the enrolled target, somebody else, or nobody. Causal.

After Ding et al., "Personal VAD: Speaker-conditioned voice activity detection" (arXiv 1908.04284): 40 log-mels,
a speaker embedding beside them, two LSTM layers of 64, three classes, weighted pairwise loss. Two forms:

- ``speaker: vector``: the enrollment's d-vector beside the log-mels of every frame (their ET).
- ``speaker: stream``: the frozen d-vector network runs over the mixture as a stream, without windows; its output
  compared with the enrollment, entry by entry and as a cosine, stands beside the log-mels (near their SET). The
  network is no part of the checkpoint; it is read from its own file (``dvector_weights``).

Alignment: frame t ends with sample (t + 1) · hop − 1 and is 25 ms long: it looks back from the end of label t of
``signal.vad``, whose frames of 10 ms do not overlap. There is a frame for every label, ceil(T / hop); the last one
may be filled up with silence. No output depends on samples after its own 10 ms. ``to_spectrum_frames``
brings probabilities to the frames of the loss.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn

from pse_bench.errors import InputError
from pse_bench.signal.mel import mel_filters
from pse_bench.speaker.dvector_torch import DVectorNetwork
from pse_bench.training.models import ModelConfig

TARGET, OTHER, NOBODY = 0, 1, 2
CLASSES = ("target speech", "other speech", "no speech")
SPEAKERS = ("vector", "stream")

# weight of taking other speech for no speech and the reverse: neither is the target (arXiv 1908.04284)
CONFUSION = 0.1
FLOOR = 1e-6  # added to mel powers, full scale ±1; rounding at 16 bit gives about 1e-9, a quiet room 1e-6


@dataclass(frozen=True)
class PVADConfig(ModelConfig):
    """The sizes of a pVAD."""

    sample_rate: int = 16_000  # Hz
    frame_s: float = 0.025  # of the mel spectrogram
    hop_s: float = 0.010  # of it, and the distance of the decisions
    mels: int = 40  # number of mel bands
    hidden: int = 64  # width of the LSTM
    layers: int = 2  # of the LSTM
    embedding: int = 256  # entries of the speaker embedding
    speaker: str = "vector"  # how the enrollment comes in, one of SPEAKERS

    def __post_init__(self) -> None:
        if self.speaker not in SPEAKERS:
            raise InputError(f"speaker {self.speaker!r} is not known, expected one of {', '.join(SPEAKERS)}")
        self.check_positive()
        if self.frame < self.hop:
            raise InputError(f"frame {self.frame_s} s is shorter than the hop, {self.hop_s} s")
        sizes = (self.sample_rate, self.frame, self.hop, self.mels, self.embedding)
        if self.speaker == "stream" and sizes != (16_000, 400, 160, 40, 256):
            raise InputError(
                "speaker 'stream' runs the d-vector network, which hears 40 mels of 25 ms every 10 ms at 16 kHz; "
                "leave sample_rate, frame_s, hop_s, mels and embedding as they are"
            )

    @property
    def frame(self) -> int:
        """Samples of a frame."""
        return round(self.frame_s * self.sample_rate)

    @property
    def latency_s(self) -> float:
        """Algorithmic latency: a decision waits for the end of its hop."""
        return self.hop / self.sample_rate


class PVAD(nn.Module):
    """Mixture and speaker embedding to a decision every hop."""

    Config = PVADConfig
    config: PVADConfig
    filters: torch.Tensor
    window: torch.Tensor

    def __init__(self, config: PVADConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or PVADConfig()
        filters = torch.from_numpy(mel_filters(config.sample_rate, config.frame, config.mels)).float()
        self.register_buffer("filters", filters.T.contiguous(), persistent=False)  # (bins, mels)
        self.register_buffer("window", torch.hann_window(config.frame, periodic=True), persistent=False)
        # the cosine, which the entries' products add up to, is given too
        beside = config.embedding + (config.speaker == "stream")
        self.lstm = nn.LSTM(config.mels + beside, config.hidden, config.layers, batch_first=True)
        self.decide = nn.Linear(config.hidden, len(CLASSES))
        self.listener = _Listener() if config.speaker == "stream" else None

    def forward(self, mixture: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """Logits of ``CLASSES``, (B, ceil(T / hop), 3), for mixtures (B, T) and embeddings (B, embedding)."""
        mel = self.mel(mixture)  # (B, N, mels)
        # −14 in silence and about 0 for loud speech: brought to about unit variance
        features = torch.log(mel + FLOOR) / 4 + 1.5
        scale = math.sqrt(self.config.embedding)
        wanted = embedding.unsqueeze(1).expand(-1, mel.shape[1], -1)
        beside = wanted * scale
        if self.listener is not None:
            products = self.listener(mel) * wanted
            # the embeddings of two voices have a cosine of about 0.5
            cosine = products.sum(dim=-1, keepdim=True) * 4 - 2
            beside = torch.cat([products * scale**2, cosine], dim=-1)
        hidden, _ = self.lstm(torch.cat([features, beside], dim=-1))
        return self.decide(hidden)

    def probability(self, mixture: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """q, the probability of target speech, (B, ceil(T / hop))."""
        return torch.softmax(self(mixture, embedding).float(), dim=-1)[..., TARGET]

    def mel(self, mixture: torch.Tensor) -> torch.Tensor:
        """Mel powers, (B, ceil(T / hop), mels), of frames that end where their label ends."""
        config = self.config
        after = -mixture.shape[-1] % config.hop
        padded = nn.functional.pad(mixture.float(), (config.frame - config.hop, after))
        spectrum = torch.fft.rfft(padded.unfold(-1, config.frame, config.hop) * self.window)
        return (spectrum.real.square() + spectrum.imag.square()) @ self.filters


class _Listener(DVectorNetwork):
    """The frozen d-vector network over a stream. Its weights belong to their own file: they are never stored, and
    come back with the model."""

    def __init__(self) -> None:
        super().__init__()
        self.register_state_dict_post_hook(_forget)
        self.register_load_state_dict_pre_hook(_remember)


def _forget(module: nn.Module, state: dict, prefix: str, metadata: dict) -> None:
    for name in [name for name in state if name.startswith(prefix)]:
        del state[name]


def _remember(module: nn.Module, state: dict, prefix: str, *_: object) -> None:
    for name, value in [*module.named_parameters(), *module.named_buffers()]:
        state[prefix + name] = value


def classes(target_active: torch.Tensor, other_active: torch.Tensor) -> torch.Tensor:
    """True classes from activity, both bool of one shape: the target counts wherever it speaks, alone or not."""
    other = torch.where(other_active.bool(), OTHER, NOBODY)
    return torch.where(target_active.bool(), TARGET, other)


def pairwise_loss(logits: torch.Tensor, truth: torch.Tensor, *, confusion: float = CONFUSION) -> torch.Tensor:
    """Weighted pairwise loss a frame, (B, N): −E_{k≠y} [ w_{k,y} log( e^{z_y} / (e^{z_y} + e^{z_k}) ) ].

    w is 1, and ``confusion`` between other speech and no speech. The mean is over the classes k that are wrong
    (arXiv 1908.04284).

    Args:
        logits: z, (B, N, 3).
        truth: y, (B, N), indices of ``CLASSES``.
    """
    weights = logits.new_ones(len(CLASSES), len(CLASSES))
    weights[OTHER, NOBODY] = weights[NOBODY, OTHER] = confusion
    weights.fill_diagonal_(0)
    right = logits.gather(-1, truth.unsqueeze(-1))
    return (weights[truth] * nn.functional.softplus(logits - right)).sum(dim=-1) / (len(CLASSES) - 1)
