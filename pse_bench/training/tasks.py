"""What the one training loop is given: a model, the loss of a batch, and how the model is looked at."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from pse_bench.errors import InputError
from pse_bench.signal import vad
from pse_bench.training import checkpoint, validation
from pse_bench.training.config import TrainConfig, model_config
from pse_bench.training.data.batches import Batch
from pse_bench.training.data.dynamic_mixing import TrainingScene
from pse_bench.training.losses import LOSS_RECIPES, Recipe, recipe_loss
from pse_bench.training.models import pvad, stft
from pse_bench.training.models.e3net import E3Net, E3NetConfig


@dataclass(frozen=True)
class Task:
    """A model to train. ``loss`` takes the model's output and the batch; ``look`` gives figures by name.

    ``guide`` gives the probability of target speech for a batch, (B, labels), or is None.
    """

    model: torch.nn.Module
    loss: Callable[[torch.Tensor, Batch], torch.Tensor]
    look: Callable[[torch.nn.Module, list[TrainingScene], torch.device], dict[str, float]]


def make(config: TrainConfig, *, rate: int, guide: Path | None, begin: Path | None, low: bool = False) -> Task:
    """The task of a configuration.

    Args:
        config: of the run.
        rate: sample rate of the scenes, Hz.
        guide: checkpoint of the pVAD that guides a recipe.
        begin: checkpoint whose weights the model begins with.
        low: whether the guide computes in bfloat16, see ``is_low``.

    Raises:
        InputError: the model's sizes are not allowed, a checkpoint is missing or of another kind.
    """
    kind = E3NetConfig if config.task == "pse" else pvad.PVADConfig
    sizes = model_config(kind, {"sample_rate": rate, **config.model})
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = E3Net(sizes) if config.task == "pse" else pvad.PVAD(sizes)
    if begin is not None:
        other, _ = checkpoint.load(begin)
        if other.config != sizes:
            raise InputError(f"{begin}: holds {other.config}, the configuration asks for {sizes}")
        model.load_state_dict(other.state_dict())
    if config.task == "pvad":
        return Task(
            model, _pvad_loss, lambda m, parts, device: validation.at_pvad(m, parts, rate=rate, device=device)
        )
    recipe = LOSS_RECIPES.find(config.recipe)
    guiding = _guide(config, guide, low) if recipe.needs_pvad else None

    def loss(estimate: torch.Tensor, batch: Batch) -> torch.Tensor:
        return _pse_loss(estimate, batch, guiding, recipe, config, rate)

    return Task(model, loss, lambda m, parts, device: validation.at_enhancer(m, parts, rate=rate, device=device))


def _pvad_loss(logits: torch.Tensor, batch: Batch) -> torch.Tensor:
    truth = pvad.classes(batch.target_active, batch.interferer_active)
    return pvad.pairwise_loss(logits.float(), truth).mean()


def _pse_loss(
    estimate: torch.Tensor,
    batch: Batch,
    guide: Callable[[Batch], torch.Tensor] | None,
    recipe: Recipe,
    config: TrainConfig,
    rate: int,
) -> torch.Tensor:
    grid = {"label_hop": vad.hop_samples(rate), "num_samples": batch.mixture.shape[-1]}
    gain = _gain(batch.mixture, config.loss.level_dbfs)
    return recipe_loss(
        recipe,
        estimate=stft.spectrum(estimate * gain),
        reference=stft.spectrum(batch.reference * gain),
        activity=stft.to_spectrum_frames(batch.target_active, **grid) > 0.5,
        mixture=stft.spectrum(batch.mixture * gain) if recipe.reference else None,
        probability=None if guide is None else stft.to_spectrum_frames(guide(batch), **grid),
        its=batch.is_its,
        **config.loss.model_dump(exclude={"guide", "level_dbfs"}),
    )


def _gain(mixture: torch.Tensor, level_dbfs: float | None) -> torch.Tensor | float:
    """What brings every mixture of a batch to a level, (B, 1)."""
    if level_dbfs is None:
        return 1.0
    rms = mixture.square().mean(dim=-1, keepdim=True).sqrt()
    return 10 ** (level_dbfs / 20) / rms.clamp(min=1e-5)


def _guide(config: TrainConfig, path: Path | None, low: bool) -> Callable[[Batch], torch.Tensor]:
    """Where the probability of target speech comes from."""
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
    if about.kind != "pvad":
        raise InputError(f"{path}: holds a model of kind {about.kind}, expected a pvad")
    model.requires_grad_(False)

    def probability(batch: Batch) -> torch.Tensor:
        device = batch.mixture.device
        model.to(device)
        with torch.no_grad(), torch.autocast(device.type, dtype=torch.bfloat16, enabled=low):
            return model.probability(batch.mixture, batch.embedding)

    return probability


def is_low(config: TrainConfig, device: torch.device) -> bool:
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


def interpolate(one: Path, other: Path, *, share: float) -> tuple[torch.nn.Module, checkpoint.About]:
    """A model whose weights lie between those of two checkpoints: (1 − share) · one + share · other.

    The line from ``no-its`` to ``its`` costs no training; a recipe has to lie above it to be worth anything.

    Args:
        one, other: checkpoints of one configuration.
        share: 0 gives the first, 1 the second.

    Raises:
        InputError: the checkpoints are of different models.
    """
    (first, about), (second, other_about) = checkpoint.load(one), checkpoint.load(other)
    if about.kind != other_about.kind or about.model != other_about.model:
        raise InputError(
            f"{other}: another model than {one}; only weights of one configuration can be interpolated"
        )
    ends = second.state_dict()
    mixed = {name: torch.lerp(value, ends[name], share) for name, value in first.state_dict().items()}
    first.load_state_dict(mixed)
    line = f"{about.recipe or about.kind} to {other_about.recipe or other_about.kind} at {share:g}"
    named = about.model_copy(
        update={"recipe": line, "metrics": {}, "description": f"weights interpolated from {line}"}
    )
    return first, named
