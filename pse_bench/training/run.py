"""A training run on disk: what it is, how far it came, and what it logged. Everything is written whole.

run.json                 configuration and data fingerprints; a run is continued only by its own
log.csv, looks.csv       what was logged; rows after the last saved step are dropped when a run continues
state.safetensors        weights, their average and the optimiser's moments, with the step, to go on from
checkpoint.safetensors   the averaged weights and their description: what is used afterwards
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from pse_bench.errors import InputError
from pse_bench.io import atomic, documents
from pse_bench.training import checkpoint

CHECKPOINT = "checkpoint.safetensors"
STEP = "[0-9]{1,18}"


def trained(model: torch.nn.Module) -> dict[str, torch.nn.Parameter]:
    """The parameters that are trained, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


class Average:
    """The moving average of a model's trained weights; young averages forget faster."""

    def __init__(self, model: torch.nn.Module, decay: float) -> None:
        self._decay = decay
        self.weights = {name: parameter.detach().clone() for name, parameter in trained(model).items()}

    @torch.no_grad()
    def update(self, model: torch.nn.Module, step: int) -> None:
        """Take in the weights after a step (counted from 0)."""
        decay = min(self._decay, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.weights.values()), list(trained(model).values()), 1 - decay)

    @torch.no_grad()
    def swap(self, model: torch.nn.Module) -> None:
        """Exchange the model's weights with the average; the second time puts them back."""
        for name, parameter in trained(model).items():
            kept = parameter.detach().clone()
            parameter.copy_(self.weights[name])
            self.weights[name].copy_(kept)


class TrainingRun:
    """A run's folder, made where there is none. One with fewer steps goes on to as many as are asked for now.
    Raises InputError where it holds another run than the one that is described."""

    def __init__(self, folder: Path, about: dict[str, Any]) -> None:
        path = folder / "run.json"
        self.state_path, self.checkpoint_path = folder / "state.safetensors", folder / CHECKPOINT
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True)
            atomic.write_json(path, about)
            return
        about, found = json.loads(json.dumps(about)), documents.read_json(path)
        if not isinstance(found, dict):
            raise InputError(f"{path}: damaged; give another folder, or --force to begin anew")
        if _without_steps(found) == _without_steps(about) and _steps(about) > _steps(found):
            atomic.write_json(path, about)
            return
        for key in sorted({*found, *about}):
            if found.get(key) != about.get(key):
                raise InputError(
                    f"{folder}: holds a run with another {key}; give another folder, or --force to begin anew"
                )

    def save(self, model: torch.nn.Module, optimiser: torch.optim.Optimizer, average: Average, step: int) -> None:
        """Keep everything that the next step depends on."""
        tensors: dict[str, torch.Tensor] = {}
        for index, (name, parameter) in enumerate(trained(model).items()):
            tensors |= {f"weight.{name}": parameter, f"average.{name}": average.weights[name]}
            for key, value in optimiser.state_dict()["state"].get(index, {}).items():
                tensors[f"moment.{key}.{name}"] = torch.as_tensor(value)
        checkpoint.write(self.state_path, tensors, {"step": step})

    def resume(self, model: torch.nn.Module, optimiser: torch.optim.Optimizer, average: Average) -> int:
        """Put everything back as it was saved; the number of steps done, 0 when nothing was."""
        if not self.state_path.exists():
            return 0
        tensors, document = checkpoint.read(self.state_path)
        state = optimiser.state_dict()
        moments: dict[str, dict[str, torch.Tensor]] = {}
        try:
            for key in [key for key in tensors if key.startswith("moment.")]:
                _, kind, name = key.split(".", 2)
                moments.setdefault(name, {})[kind] = tensors[key]
            with torch.no_grad():
                for index, (name, parameter) in enumerate(trained(model).items()):
                    parameter.copy_(tensors[f"weight.{name}"])
                    average.weights[name].copy_(tensors[f"average.{name}"])
                    if name in moments:
                        state["state"][index] = moments[name]
        except (KeyError, ValueError, RuntimeError) as error:
            raise InputError(
                f"{self.state_path}: does not fit the model ({error}); begin anew with --force"
            ) from error
        optimiser.load_state_dict(state)
        return int(document["step"])


def _steps(about: dict[str, Any]) -> int:
    config = about.get("config")
    steps = config.get("steps") if isinstance(config, dict) else None
    return steps if isinstance(steps, int) else 0


def _without_steps(about: dict[str, Any]) -> dict[str, Any]:
    config = about.get("config")
    return about | {"config": config | {"steps": None}} if isinstance(config, dict) else about


class Log:
    """Rows of figures by step in a CSV file, and on a board of TensorBoard where that is installed. Rows of an
    earlier part of the run are kept up to the steps that are done, later ones dropped."""

    def __init__(self, path: Path, step: int, board: Any = None) -> None:
        self._path, self._board = path, board
        self._columns: list[str] = []
        if path.exists():
            header, *lines = documents.read_text(path).splitlines() or [""]
            self._columns = header.split(",") if header else []
            kept = [line for number, line in enumerate(lines, 2) if -1 < self._step(line, number) <= step]
            atomic.write_text(path, "".join(f"{line}\n" for line in [header, *kept] if line))

    def _step(self, line: str, number: int) -> int:
        """The step of a line; −1 for one that was cut off. Raises InputError where it is damaged."""
        cells = line.split(",")
        if len(cells) < len(self._columns):
            return -1
        if self._columns[:1] != ["step"] or len(cells) > len(self._columns) or not re.fullmatch(STEP, cells[0]):
            raise InputError(f"{self._path}:{number}: damaged; repair the line, or --force to begin anew")
        return int(cells[0])

    def add(self, step: int, figures: Mapping[str, float]) -> None:
        """One row; the first one's figures are the columns."""
        row = {"step": str(step), **{name: f"{value:.6g}" for name, value in figures.items()}}
        with self._path.open("a", encoding="utf-8", newline="") as stream:
            if not self._columns:
                self._columns = list(row)
                stream.write(",".join(row) + "\n")
            stream.write(",".join(row.get(name, "") for name in self._columns) + "\n")
        for name, value in figures.items() if self._board is not None else ():
            self._board.add_scalar(f"{self._path.stem}/{name}", value, step)


def tensorboard(folder: Path) -> Any:
    """A TensorBoard writer where TensorBoard is installed, else None."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        return None
    return SummaryWriter(str(folder / "tensorboard"))
