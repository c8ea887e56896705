"""What the one training loop is given: a model, the loss of a batch, and how the model is validated.

Validation computes the loss, and the metrics that it is for, on speakers who are never trained on.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pse_bench.errors import InputError, PseBenchError
from pse_bench.metrics import detection
from pse_bench.metrics.distortion import si_sdri
from pse_bench.metrics.leakage import leakage_reduction_db
from pse_bench.metrics.oversuppression import tsos
from pse_bench.signal import vad
from pse_bench.speaker.encoders import DEFAULT, ENCODERS
from pse_bench.training import checkpoint
from pse_bench.training.config import TrainConfig
from pse_bench.training.data.batches import Batch, of_parts
from pse_bench.training.data.scenes import TrainingScene
from pse_bench.training.frame_loss import frame_loss, spectrum, to_spectrum_frames
from pse_bench.training.losses import LOSS_RECIPES, Recipe, recipe_loss
from pse_bench.training.models import pvad
from pse_bench.training.models.e3net import E3Net

AT_ONCE = 16  # scenes in a batch of validation
Guide = Callable[[Batch], torch.Tensor]  # the probability of target speech in a batch, (B, labels)


@dataclass(frozen=True)
class Task:
    """A model to train."""

    model: checkpoint.Network
    loss: Callable[[torch.Tensor, Batch], torch.Tensor]  # from the model's output and the batch to a scalar
    # from the model in evaluation mode, scenes and their rate in Hz to metrics by name
    validate: Callable[[torch.nn.Module, list[TrainingScene], int], dict[str, float]]


def make(config: TrainConfig, *, rate: int, guide: Path | None, begin: Path | None, low: bool = False) -> Task:
    """The task of a configuration; ``rate`` is that of the scenes in Hz, ``low`` whether the guide computes in
    bfloat16. Raises InputError where the model's sizes are not allowed, or a checkpoint is missing or of another
    kind."""
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
    return pvad.pairwise_loss(logits.float(), pvad.classes(batch.target_active, batch.interferer_active)).mean()


def _pse_loss(
    recipe: Recipe, guide: Guide | None, config: TrainConfig, rate: int, estimate: torch.Tensor, batch: Batch
) -> torch.Tensor:
    asked, mixture = config.loss, batch.mixture
    on_frames = partial(to_spectrum_frames, label_hop=vad.hop_samples(rate), num_samples=mixture.shape[-1])
    gain: torch.Tensor | float = 1.0
    if asked.level_dbfs is not None:
        rms = mixture.square().mean(dim=-1, keepdim=True).sqrt()  # (B, 1)
        gain = 10 ** (asked.level_dbfs / 20) / rms.clamp(min=1e-5)
    return recipe_loss(
        recipe,
        estimate=spectrum(estimate * gain),
        reference=spectrum(batch.reference * gain),
        activity=on_frames(batch.target_active) > 0.5,
        mixture=spectrum(mixture * gain) if recipe.reference else None,
        probability=on_frames(guide(batch)) if guide else None,
        its=batch.is_its,
        **asked.model_dump(exclude={"guide", "level_dbfs"}),
    )


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
    """Whether layers, but not losses, compute in bfloat16. Raises InputError where the processor cannot, but was
    asked to."""
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


# ---- validation


@torch.no_grad()
def validate_enhancer(model: torch.nn.Module, parts: list[TrainingScene], rate: int) -> dict[str, float]:
    """TSOS in TS1 and TS2 (%), SI-SDR improvement in TS2 (dB), leakage reduction in TS3 (dB), and the frame loss
    with the plain reference in TS2 and TS3."""
    found: dict[str, float] = {}
    for label in ("TS1", "TS2", "TS3"):
        flagged, frames, gains, values = 0.0, 0.0, [], []
        for batch, estimate in _outputs(model, parts, label):
            reference = spectrum(batch.reference)
            values.append(frame_loss(estimate=spectrum(estimate), reference=reference).mean(dim=-1))
            signals = (tensor.double().numpy() for tensor in (estimate, batch.mixture, batch.reference))
            for samples, mixture, wanted, active in zip(*signals, batch.target_active.numpy(), strict=True):
                try:
                    if label == "TS3":
                        gains.append(leakage_reduction_db(estimate=samples, mixture=mixture))
                        continue
                    mask = vad.to_samples(active, len(wanted), rate)
                    share = tsos(estimate=samples, reference=wanted, target_active=mask, sample_rate=rate)
                    flagged, frames = flagged + share.numerator, frames + share.denominator
                    if label == "TS2":
                        gains.append(si_sdri(estimate=samples, reference=wanted, mixture=mixture))
                except PseBenchError:  # nothing of the target in a scene, or an output of zeros
                    continue
        if label != "TS3":
            found[f"{label}.tsos"] = 100 * flagged / max(frames, 1)
        if label != "TS1":
            found[f"{label}.loss"] = float(torch.cat(values).mean())
            name = "si_sdri" if label == "TS2" else "leakage_reduction_db"
            found[f"{label}.{name}"] = float(np.mean(gains)) if gains else float("nan")
    return found


@torch.no_grad()
def validate_pvad(model: torch.nn.Module, parts: list[TrainingScene], rate: int) -> dict[str, float]:
    """AP of each class and their mean, EER of target speech, its median onset delay (s), over all scenarios."""
    probabilities, labels, delays, missed = [], [], [], 0
    for label in ("TS1", "TS2", "TS3"):
        for batch, logits in _outputs(model, parts, label):
            given = torch.softmax(logits, dim=-1).numpy()
            probabilities.append(given.reshape(-1, given.shape[-1]))
            labels.append(pvad.classes(batch.target_active, batch.interferer_active).numpy().ravel())
            for target, active in zip(given[..., 0], batch.target_active.numpy(), strict=True):
                late, never = detection.onset_delays_s(probability=target, active=active, hop_s=vad.HOP_S)
                delays.append(late)
                missed += never
    scores, truth = np.concatenate(probabilities), np.concatenate(labels)
    found = {
        f"ap_{name.split()[0]}": detection.average_precision(scores=scores[:, k], positive=truth == k)
        for k, name in enumerate(detection.CLASSES)
        if (truth == k).any()
    }
    found["mean_ap"] = float(np.mean(list(found.values())))
    found["eer_target"] = detection.equal_error_rate(scores=scores[:, 0], positive=truth == 0)
    every = np.concatenate(delays)
    found["onset_delay_s"] = float(np.median(every)) if len(every) else float("nan")
    found["onsets_missed"] = float(missed)
    return found


def _outputs(
    model: torch.nn.Module, parts: list[TrainingScene], label: str
) -> Iterator[tuple[Batch, torch.Tensor]]:
    """All scenes as one scenario, a few at once, as tensors, and what the model makes of them, on the CPU."""
    device = next(model.parameters()).device
    for first in range(0, len(parts), AT_ONCE):
        arrays = of_parts(parts[first : first + AT_ONCE], label)
        batch = Batch(*(torch.from_numpy(np.ascontiguousarray(array)) for array in arrays))
        yield batch, model(batch.mixture.to(device), batch.embedding.to(device)).float().cpu()
