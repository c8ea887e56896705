"""Trained models by name: shipped weights, a checkpoint, or an ONNX file.

A model takes a mixture and a speaker embedding. The embedding comes from the encoder of ``speaker.encoders`` that
the model names, unless a caller hands in another.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench import __version__
from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.registry import suggestion
from pse_bench.signal.streaming import run as run_stream
from pse_bench.speaker.cache import CachedEncoder
from pse_bench.speaker.encoders import ENCODERS, Embed
from pse_bench.submission.submission import System
from pse_bench.systems import onnx
from pse_bench.systems.base import Output

SHIPPED = "baseline:"
ENDINGS = (".safetensors", ".onnx")


@dataclass(frozen=True)
class TrainedModel:
    """A model ready to run: (mixture, enrollment, sample_rate) to an estimate, or to who speaks when.

    Attributes:
        run: the function; raises InputError for another sample rate than the model's.
        system: its description.
        digest: changes when its weights do.
        macs_per_second: multiply-accumulates in a second of sound, where known.
    """

    run: Callable[[np.ndarray, np.ndarray, int], np.ndarray]
    system: System
    digest: str
    macs_per_second: int | None


def is_one(name: str) -> bool:
    """Whether a system's name asks for a trained model."""
    return name.startswith(SHIPPED) or name.endswith(ENDINGS)


def load(
    name: str,
    *,
    output: Output = "audio",
    streaming: bool = False,
    encoder: Embed | None = None,
    memory: Path | None = None,
) -> TrainedModel:
    """The model that ``baseline:<recipe>``, a path of a checkpoint or a path of an ONNX file asks for.

    Args:
        name: see above.
        output: ``audio`` for an enhancer, ``activity`` for a pVAD.
        streaming: hop by hop; an ONNX file knows no other way.
        encoder: instead of the one that the model names.
        memory: folder that keeps the embeddings of the encoder that the model names.

    Raises:
        InputError: no such model, or it cannot be used, or something that it needs is not installed.
    """
    if name.endswith(".onnx"):
        if output == "activity":
            raise InputError(f"system {name}: an .onnx file detects nothing; give a pVAD's .safetensors file")
        return _from_onnx(name, encoder, memory)
    path = _checkpoint(name)
    from pse_bench.training.models.inference import Detector, Enhancer

    model: Any = Detector(path) if output == "activity" else Enhancer(path, by_hops=streaming)
    about = model.about
    kind = (
        f"Personal VAD, speaker {model.speaker}"
        if output == "activity"
        else f"E3Net, {about.recipe or 'no recipe named'}"
    )
    system = System(
        name=name if name.startswith(SHIPPED) else f"{about.recipe or about.kind} ({path.name})",
        version=model.digest[:12],
        description=about.description or f"{kind}, step {about.step}.",
        causal=True,
        algorithmic_latency_ms=1000 * model.latency_s,
        parameters=model.parameters,
        training_data=about.training_data,
    )
    embed = _encoder(name, about.encoder, encoder, memory)
    run = _with_embedding(model, embed, name, model.sample_rate, model.embedding)
    return TrainedModel(run, system, model.digest, model.macs_per_second)


def _checkpoint(name: str) -> Path:
    """Where the weights lie."""
    try:
        from pse_bench.training import checkpoint
    except ImportError as error:
        raise InputError(f"system {name}: needs {error.name}; run pip install 'pse-bench[baseline]'") from error

    if not name.startswith(SHIPPED):
        return Path(name)
    recipe, known = name.removeprefix(SHIPPED), checkpoint.shipped()
    if recipe not in known:
        hint = suggestion(name, [SHIPPED + one for one in known], "shipped")
        raise InputError(f"system {name}: no weights of that name come with this version; {hint}")
    return known[recipe]


def _from_onnx(name: str, encoder: Embed | None, memory: Path | None) -> TrainedModel:
    path = Path(name)
    model = onnx.open_model(path)
    about, digest = model.about, atomic.sha256(path)
    system = System(
        name=f"{about.name} ({path.name})",
        version=digest[:12],
        description=about.description or f"{about.name} through onnxruntime, {about.hop} samples at a time.",
        causal=True,
        algorithmic_latency_ms=1000 * about.window / about.sample_rate,
        parameters=about.parameters,
        training_data=about.training_data,
    )

    def run(mixture: np.ndarray, embedding: np.ndarray) -> np.ndarray:
        return run_stream(onnx.Stream(model, embedding), mixture)

    embed = _encoder(name, about.encoder, encoder, memory)
    personal = _with_embedding(run, embed, name, about.sample_rate, about.embedding)
    return TrainedModel(personal, system, digest, about.macs_per_second)


def _encoder(name: str, wanted: str, given: Embed | None, memory: Path | None) -> Embed:
    if given:
        return given
    known = [*ENCODERS, *ENCODERS.outside()]  # no module:attribute, since a file names it and not a person
    if wanted not in known:
        raise InputError(
            f"system {name}: was trained with the speaker encoder {wanted!r}, known here: {', '.join(known)}; "
            "load it from Python with systems.trained.load(…, encoder=…)"
        )
    found = ENCODERS.find(wanted)
    if memory is None:
        return found.embed
    return CachedEncoder(found.embed, atomic.sha256_of_text(f"{wanted} {found.sha256} {__version__}"), memory)


def _with_embedding(
    run: Callable[[np.ndarray, np.ndarray], np.ndarray], encoder: Embed, name: str, rate: int, size: int
) -> Callable[[np.ndarray, np.ndarray, int], np.ndarray]:
    def personal(mixture: np.ndarray, enrollment: np.ndarray, sample_rate: int) -> np.ndarray:
        if sample_rate != rate:
            raise InputError(
                f"the mixture has {sample_rate} Hz and the model hears {rate} Hz; resample the dataset"
            )
        embedding: Any = encoder(enrollment, sample_rate)
        if np.shape(embedding) != (size,):
            raise InputError(f"the encoder gave shape {np.shape(embedding)}, {name} expects ({size},)")
        return run(mixture, embedding)

    return personal
