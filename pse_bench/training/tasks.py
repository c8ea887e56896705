"""What the one training loop is given: a model, the loss of a batch, and how the model is validated."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import torch

from pse_bench.errors import InputError
from pse_bench.signal import vad
from pse_bench.speaker.encoders import DEFAULT, ENCODERS
from pse_bench.training import checkpoint
from pse_bench.training.config import TrainConfig
from pse_bench.training.data.batches import Batch
from pse_bench.training.data.dynamic_mixing import TrainingScene
from pse_bench.training.losses import LOSS_RECIPES, Recipe, recipe_loss
from pse_bench.training.models import pvad, stft
from pse_bench.training.models.e3net import E3Net
from pse_bench.training.validation import validate_enhancer, validate_pvad

Guide = Callable[[Batch], torch.Tensor]
"""The probability of target speech in a batch, (B, labels)."""


class Validate(Protocol):
    """Metrics of a model on scenes, by name."""

    def __call__(
        self, model: torch.nn.Module, parts: list[TrainingScene], *, rate: int, device: torch.device
    ) -> dict[str, float]: ...


@dataclass(frozen=True)
class Task:
    """A model to train. ``loss`` takes the model's output and the batch."""

    model: checkpoint.Network
    loss: Callable[[torch.Tensor, Batch], torch.Tensor]
    validate: Validate


def make(config: TrainConfig, *, rate: int, guide: Path | None, begin: Path | None, low: bool = False) -> Task:
    """The task of a configuration.

    Args:
        config: of the run.
        rate: sample rate of the scenes, Hz.
        guide: checkpoint of the pVAD that guides a recipe.
        begin: checkpoint whose weights the model begins with.
        low: whether the guide computes in bfloat16, see ``use_bfloat16``.

    Raises:
        InputError: the model's sizes are not allowed, a checkpoint is missing or of another kind.
    """
    network: Any = E3Net if config.task == "pse" else pvad.PVAD
    size = ENCODERS.find(config.encoder).size
    sizes = network.Config.parse({"sample_rate": rate, "embedding": size, **config.model})
    if sizes.embedding != size:
        raise InputError(f"model.embedding: {sizes.embedding}, the encoder {config.encoder} gives {size} entries")
    if config.model.get("speaker") == "stream" and config.encoder != DEFAULT:
        raise InputError(f"model.speaker 'stream' runs the {DEFAULT} network; leave encoder as it is")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model: checkpoint.Network = network(sizes)
    if begin is not None:
        other, _ = checkpoint.load(begin)
        if other.config != sizes:
            raise InputError(f"{begin}: holds {other.config}, the configuration asks for {sizes}")
        model.load_state_dict(other.state_dict())
    if config.task == "pvad":
        return Task(model, _pvad_loss, validate_pvad)
    recipe = LOSS_RECIPES.find(config.recipe)
    guiding = _guide(config, guide, low) if recipe.needs_pvad else None
    return Task(model, partial(_pse_loss, recipe, guiding, config, rate), validate_enhancer)


def _pvad_loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    truth = pvad.classes(batch.target_active, batch.interferer_active)
    return pvad.pairwise_loss(logits.float(), truth).mean()


def _pse_loss(
    recipe: Recipe, guide: Guide | None, config: TrainConfig, rate: int, estimate: torch.Tensor, batch: Batch
) -> torch.Tensor:
    on_frames = partial(
        stft.to_spectrum_frames, label_hop=vad.hop_samples(rate), num_samples=batch.mixture.shape[-1]
    )
    gain = _gain(batch.mixture, config.loss.level_dbfs)
    return recipe_loss(
        recipe,
        estimate=stft.spectrum(estimate * gain),
        reference=stft.spectrum(batch.reference * gain),
        activity=on_frames(batch.target_active) > 0.5,
        mixture=stft.spectrum(batch.mixture * gain) if recipe.reference else None,
        probability=on_frames(guide(batch)) if guide else None,
        its=batch.is_its,
        **config.loss.model_dump(exclude={"guide", "level_dbfs"}),
    )


def _gain(mixture: torch.Tensor, level_dbfs: float | None) -> torch.Tensor | float:
    """What brings every mixture of a batch to a level, (B, 1)."""
    if level_dbfs is None:
        return 1.0
    rms = mixture.square().mean(dim=-1, keepdim=True).sqrt()
    return 10 ** (level_dbfs / 20) / rms.clamp(min=1e-5)


def _guide(config: TrainConfig, path: Path | None, low: bool) -> Guide:
    if config.loss.guide == "target":
        return lambda batch: batch.target_active.float()
    if config.loss.guide == "interferer":
        return lambda batch: (batch.target_active | batch.interferer_active).float()
    if path is None:
        raise InputError(
            f"recipe {config.recipe} is guided by a pVAD: give --pvad CHECKPOINT, or --set loss.guide=target or "
            "interferer for a control"
        )
    model, about = checkpoint.load(path)
    if not isinstance(model, pvad.PVAD):
        raise InputError(f"{path}: holds a model of kind {about.kind}, expected a pvad")
    if about.encoder != config.encoder:
        raise InputError(f"{path}: hears embeddings of {about.encoder}, the configuration names {config.encoder}")
    model.requires_grad_(False)

    def probability(batch: Batch) -> torch.Tensor:
        device = batch.mixture.device
        model.to(device)
        with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=low):
            return model.probability(batch.mixture, batch.embedding)

    return probability


def use_bfloat16(config: TrainConfig, device: torch.device) -> bool:
    """Whether layers, but not losses, compute in bfloat16.

    Raises:
        InputError: they were asked to, and the processor cannot.
    """
    if config.precision == "auto":
        return device.type == "cuda"
    if config.precision == "bfloat16" and not _knows_bfloat16(device):
        raise InputError(
            f"precision bfloat16: this {device.type} cannot compute an LSTM in it; give --set precision=float32"
        )
    return config.precision == "bfloat16"


def _knows_bfloat16(device: torch.device) -> bool:
    """Found out by trying: many processors compute products in it but no recurrent layer."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        layer = torch.nn.LSTM(2, 2).to(device)
        try:
            with torch.autocast(device.type, dtype=torch.bfloat16):
                layer(torch.zeros(1, 1, 2, device=device))
        except RuntimeError:
            return False
    return True
