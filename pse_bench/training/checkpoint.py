"""A trained model in one file that describes itself: safetensors, with a JSON copy of the description for people.

The description lies in the header of the safetensors file, so weights and description cannot come apart when a
process is killed between two writes; the JSON beside it is never read. Nothing is unpickled.
"""

import dataclasses
import json
from collections.abc import Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import Field
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialised

from pse_bench import __version__
from pse_bench.errors import InputError
from pse_bench.io import atomic, documents
from pse_bench.speaker.encoders import DEFAULT
from pse_bench.training.models.e3net import E3Net
from pse_bench.training.models.pvad import PVAD

ENDING, KEY = ".safetensors", "pse_bench"

Network = E3Net | PVAD
Kind = Literal["e3net", "pvad"]
KINDS: dict[Kind, type[Network]] = {"e3net": E3Net, "pvad": PVAD}


class About(documents.Record):
    """What a checkpoint says about itself."""

    schema_: Literal[1] = Field(default=1, alias="schema")
    kind: Kind
    model: dict[str, Any]  # its configuration, the fields of its Config
    recipe: str = ""  # of its training, for example "its-exclude"; "" where there is none
    seed: int = 0
    step: int = 0  # of its training
    encoder: str = DEFAULT  # what made the speaker embeddings
    training: dict[str, Any] = Field(default_factory=dict)  # the training's whole configuration
    data: dict[str, str] = Field(default_factory=dict)  # a fingerprint of each source of training data
    metrics: dict[str, float] = Field(default_factory=dict)  # what was measured
    description: str = ""  # what the model is, for system.yaml
    training_data: str = ""  # and what it was trained on
    pse_bench: str = __version__  # version of the package that wrote it


def describe(model: Network, **about: Any) -> About:
    """The description of a model: kind and configuration are its own, the rest is given by name."""
    kind = next(kind for kind, made in KINDS.items() if type(model) is made)
    return About(kind=kind, model=dataclasses.asdict(model.config), **about)


def save(path: Path, model: Network, about: About) -> None:
    """Write a checkpoint, whole or not at all, and its description beside it as JSON; see ``describe``."""
    own = dataclasses.asdict(model.config)
    if about.model != own:
        raise ValueError(f"the description is of another model: {about.model}, the model has {own}")
    document = about.model_dump(by_alias=True)
    write(path, model.state_dict(), document)
    atomic.write_json(path.with_suffix(".json"), document)


def load(path: Path) -> tuple[Network, About]:
    """The model of a checkpoint, on the CPU and in evaluation mode, and what it says about itself. Raises
    InputError where it is missing, damaged or none of ours, or its weights do not fit its configuration."""
    tensors, document = read(path)
    about = documents.parse(About, document, str(path))
    network: Any = KINDS[about.kind]
    try:
        model = network(network.Config.parse(about.model))
    except (InputError, ValueError, OverflowError) as error:  # NaN or infinite sizes
        raise InputError(f"{path}: its configuration cannot be used ({error})") from error
    try:
        model.load_state_dict(tensors)
    except RuntimeError as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path}: its weights do not fit its configuration ({reason:.200})") from error
    return model.eval(), about


def interpolate(one: Path, other: Path, *, share: float) -> tuple[Network, About]:
    """A model whose weights lie between those of two checkpoints: (1 − share) · one + share · other.

    The line from ``no-its`` to ``its`` costs no training; a recipe has to lie above it to be worth anything.
    Raises InputError where the checkpoints are of different models."""
    (first, about), (second, other_about) = load(one), load(other)
    if about.kind != other_about.kind or about.model != other_about.model:
        raise InputError(
            f"{other}: another model than {one}; only weights of one configuration can be interpolated"
        )
    ends = second.state_dict()
    mixed = {name: torch.lerp(value, ends[name], share) for name, value in first.state_dict().items()}
    first.load_state_dict(mixed)
    line = f"{about.recipe or about.kind} to {other_about.recipe or other_about.kind} at {share:g}"
    named = {"recipe": line, "metrics": {}, "description": f"weights interpolated from {line}"}
    return first, about.model_copy(update=named)


def write(path: Path, tensors: Mapping[str, torch.Tensor], document: dict[str, Any]) -> None:
    """Write tensors and a JSON document as one safetensors file, whole or not at all."""
    if path.suffix != ENDING:
        raise ValueError(f"{path}: expected a name that ends in {ENDING}")
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    # as bytes, since a file that the library opens itself can be read by its owner only
    content = serialised(plain, metadata={KEY: json.dumps(document, sort_keys=True)})
    atomic.write_bytes(path, content)


def read(path: Path) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """The tensors, on the CPU, and the document of a file that ``write`` made. Raises InputError where it is
    missing, damaged or none of ours."""
    if not path.is_file():
        raise InputError(f"{path}: no such file; check the path")
    try:
        with safe_open(path, framework="pt", device="cpu") as stored:
            metadata = stored.metadata() or {}
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118 - no mapping
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: damaged or no safetensors file ({error}); restore it") from error
    if KEY not in metadata:
        raise InputError(
            f"{path}: holds weights without their description; give a checkpoint of `pse-bench train`"
        )
    document = documents.parse_json(metadata[KEY], str(path))
    if not isinstance(document, dict):
        raise InputError(f"{path}: its description is no mapping; restore it")
    return tensors, document


def shipped() -> dict[str, Path]:
    """The checkpoints that come with the package, by their names."""
    folder = Path(str(resources.files("pse_bench") / "training" / "weights"))
    return {path.stem: path for path in sorted(folder.glob(f"*{ENDING}"))}
