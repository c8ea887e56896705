"""Trained models by name: shipped weights, a checkpoint, or an ONNX file.

A model takes a mixture and a speaker embedding. The embedding comes from the encoder of ``speaker.encoders`` that
the model names, unless a caller hands in another.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pse_bench import __version__
from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.registry import suggestion
from pse_bench.speaker.encoders import ENCODERS, CachedEncoder, Embed
from pse_bench.submission.submission import System
from pse_bench.systems import onnx, protocol
from pse_bench.systems.base import LoadedSystem, Output
from pse_bench.systems.sources import Sources

SHIPPED = "baseline:"


def load(
    name: str,
    *,
    output: Output = "audio",
    streaming: bool = False,
    encoder: Embed | None = None,
    memory: Path | None = None,
) -> LoadedSystem:
    """The model that ``baseline:<recipe>``, a path of a checkpoint or a path of an ONNX file asks for. Running it
    raises InputError for another sample rate than the model's.

    Args:
        name: see above.
        output: ``audio`` for an enhancer, ``activity`` for a pVAD.
        streaming: hop by hop; an ONNX file knows no other way.
        encoder: instead of the one that the model names.
        memory: folder that keeps the embeddings of the encoder that the model names.

    Raises:
        InputError: no such model, or it cannot be used, or something that it needs is not installed.
    """
    model: Any
    figures: Any  # what has its rate, parameters and so on
    path = Path(name) if name.endswith(".onnx") else _checkpoint(name)
    if name.endswith(".onnx"):
        if output == "activity":
            raise InputError(f"system {name}: an .onnx file detects nothing; give a pVAD's .safetensors file")
        model = onnx.open_model(path)
        about = figures = model.about
        latency_ms = 1000 * about.window / about.sample_rate
        title = f"{about.name} ({path.name})"
        described = f"{about.name} through onnxruntime, {about.hop} samples at a time."
    else:
        from pse_bench.training.models.inference import Detector, Enhancer

        model = figures = Detector(path) if output == "activity" else Enhancer(path, by_hops=streaming)
        about, latency_ms = model.about, 1000 * model.latency_s
        title = name if name.startswith(SHIPPED) else f"{about.recipe or about.kind} ({path.name})"
        enhances = f"E3Net, {about.recipe or 'no recipe named'}"
        kind = f"Personal VAD, speaker {model.speaker}" if output == "activity" else enhances
        described = f"{kind}, step {about.step}."
    system = System(
        name=title,
        version=model.digest[:12],
        description=about.description or described,
        causal=True,
        algorithmic_latency_ms=latency_ms,
        parameters=figures.parameters,
        training_data=about.training_data,
    )
    embed = _encoder(name, about.encoder, encoder, memory)

    def enroll(enrollment: np.ndarray, sample_rate: int) -> np.ndarray:
        embedding = embed(enrollment, sample_rate)
        if np.shape(embedding) != (figures.embedding,):
            raise InputError(
                f"the encoder gave shape {np.shape(embedding)}, {name} expects ({figures.embedding},)"
            )
        return embedding

    known = protocol.remembering(enroll)
    by_hops = output == "audio" and (streaming or name.endswith(".onnx"))
    return LoadedSystem(
        protocol.runner(lambda mixture, embedding, _: model(mixture, embedding), known, figures.sample_rate),
        system,
        model.digest,
        figures.macs_per_second,
        sample_rate=figures.sample_rate,
        sources=Sources({path.name: path}, {path.name: model.digest}, model.digest),
        run_blocks=(lambda mixture, length, enrollment, hz: model.blocks(mixture, length, known(enrollment, hz)))
        if by_hops
        else None,
    )


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
