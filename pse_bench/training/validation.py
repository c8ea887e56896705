"""Validation during training: the loss, and the metrics that it is for, on speakers who are never trained on."""

import numpy as np
import torch

from pse_bench.errors import PseBenchError
from pse_bench.metrics import detection
from pse_bench.metrics.distortion import si_sdri
from pse_bench.metrics.leakage import leakage_reduction_db
from pse_bench.metrics.oversuppression import tsos
from pse_bench.signal import vad
from pse_bench.training.data.batches import Batch, of_parts
from pse_bench.training.data.dynamic_mixing import TrainingScene
from pse_bench.training.frame_loss import frame_loss
from pse_bench.training.models import pvad, stft

AT_ONCE = 16


def batches(parts: list[TrainingScene], label: str) -> list[Batch]:
    """All scenes as one scenario, a few at once, as tensors."""
    return [
        Batch(
            *(torch.from_numpy(np.ascontiguousarray(array)) for array in of_parts(parts[i : i + AT_ONCE], label))
        )
        for i in range(0, len(parts), AT_ONCE)
    ]


@torch.no_grad()
def validate_enhancer(
    model: torch.nn.Module, parts: list[TrainingScene], *, rate: int, device: torch.device
) -> dict[str, float]:
    """TSOS in TS1 and TS2 (%), SI-SDR improvement in TS2 (dB), leakage reduction in TS3 (dB), and the frame loss
    with the plain reference in TS2 and TS3."""
    model.eval()
    found: dict[str, float] = {}
    for label in ("TS1", "TS2", "TS3"):
        flagged, frames, gains, values = 0.0, 0.0, [], []
        for batch in batches(parts, label):
            estimate = model(batch.mixture.to(device), batch.embedding.to(device)).float().cpu()
            reference = stft.spectrum(batch.reference)
            values.append(frame_loss(estimate=stft.spectrum(estimate), reference=reference).mean(dim=-1))
            for row in range(len(estimate)):
                samples, mixture, wanted = (
                    signal[row].double().numpy() for signal in (estimate, batch.mixture, batch.reference)
                )
                try:
                    if label == "TS3":
                        gains.append(leakage_reduction_db(estimate=samples, mixture=mixture))
                        continue
                    active = vad.to_samples(batch.target_active[row].numpy(), len(wanted), rate)
                    share = tsos(estimate=samples, reference=wanted, target_active=active, sample_rate=rate)
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
    model.train()
    return found


@torch.no_grad()
def validate_pvad(
    model: torch.nn.Module, parts: list[TrainingScene], *, rate: int, device: torch.device
) -> dict[str, float]:
    """AP of each class and their mean, EER of target speech, its median onset delay (s), over all scenarios."""
    model.eval()
    probabilities, labels, delays, missed = [], [], [], 0
    for label in ("TS1", "TS2", "TS3"):
        for batch in batches(parts, label):
            logits = model(batch.mixture.to(device), batch.embedding.to(device)).float().cpu()
            given = torch.softmax(logits, dim=-1).numpy()
            probabilities.append(given.reshape(-1, given.shape[-1]))
            labels.append(pvad.classes(batch.target_active, batch.interferer_active).numpy().ravel())
            for row in range(len(given)):
                late, never = detection.onset_delays_s(
                    probability=given[row, :, 0],
                    active=batch.target_active[row].numpy(),
                    hop_s=vad.HOP_S,
                )
                delays.append(late)
                missed += never
    model.train()
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
