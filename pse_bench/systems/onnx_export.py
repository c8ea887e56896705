"""An E3Net as an ONNX file that enhances one hop at a time, with its state as inputs and outputs.

Inputs: ``frame`` (1, hop), ``embedding`` (1, embedding), and ``heard``, ``owed``, ``hidden``, ``cell`` of
``e3net.State``, which begin as zeros. Outputs: ``estimate`` (1, hop), late by window − hop samples, and
``next_heard`` and so on. What a program has to know beside them (rate, sizes, what it is) stands in the file's
metadata under ``pse_bench`` as JSON; ``systems.onnx`` runs it without torch.
"""

import json
import warnings
from pathlib import Path

import numpy as np
import torch

from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.rng import white_noise
from pse_bench.systems import onnx as onnx_system
from pse_bench.training import checkpoint
from pse_bench.training.models.e3net import E3Net, State, macs_per_second, num_parameters
from pse_bench.training.models.inference import run_stream

OPSET = 17
TOLERANCE = 1e-4  # largest difference to torch that is accepted, of full scale ±1


class _Step(torch.nn.Module):
    """One hop, with the state spread out as ONNX wants it."""

    def __init__(self, model: E3Net) -> None:
        super().__init__()
        self.model = model

    def forward(self, frame: torch.Tensor, embedding: torch.Tensor, *state: torch.Tensor) -> tuple:
        output, after = self.model.run(frame, embedding, State(*state))
        return (output, *after)


def export(source: Path, out: Path) -> float:
    """Write the checkpoint ``source`` as an ONNX file and compare the two on noise; the largest difference of a
    sample, full scale ±1.

    Raises:
        InputError: the checkpoint is no enhancer, a package is missing, or the file does not do what torch does.
    """
    try:
        import onnx
    except ImportError as error:
        raise InputError("export needs the package onnx; run pip install 'pse-bench[baseline]'") from error

    model, about = checkpoint.load(source)
    if not isinstance(model, E3Net):
        raise InputError(f"{source}: holds a {about.kind}, and only an e3net can be exported; give another one")
    config = model.config
    description = onnx_system.Description(
        name=about.recipe or "e3net",
        parameters=num_parameters(model),
        macs_per_second=macs_per_second(model),
        **{key: getattr(about, key) for key in ("description", "training_data", "encoder")},
        **{key: getattr(config, key) for key in ("sample_rate", "hop", "window", "embedding")},
    )
    inputs = (torch.zeros(1, config.hop), torch.zeros(1, config.embedding), *model.initial_state(1))
    with atomic.replacing(out) as part:
        with warnings.catch_warnings():
            # The tracing exporter: it needs no further package, writes LSTM nodes, and is said to go one day.
            warnings.simplefilter("ignore")
            torch.onnx.export(
                _Step(model).eval(),
                inputs,
                str(part),
                input_names=["frame", "embedding", *State._fields],
                output_names=["estimate", *(f"next_{name}" for name in State._fields)],
                opset_version=OPSET,
                dynamo=False,
            )
        stored = onnx.load(part)
        entry = stored.metadata_props.add()
        entry.key, entry.value = onnx_system.KEY, json.dumps(description.model_dump(), sort_keys=True)
        onnx.save(stored, part)
        difference = _difference(model, part)
        if not difference <= TOLERANCE:
            raise InputError(f"{out}: differs from torch by {difference:.1e}, more than {TOLERANCE}; not written")
    return difference


def _difference(model: E3Net, path: Path) -> float:
    noise = (0.1 * white_noise(2 * model.config.sample_rate, 0, "export")).astype(np.float32)
    embedding = np.abs(white_noise(model.config.embedding, 0, "export embedding")).astype(np.float32)
    embedding /= np.linalg.norm(embedding)
    ours = run_stream(model, embedding, noise)
    return float(np.max(np.abs(ours - onnx_system.open_model(path)(noise, embedding))))
