"""Systems that say who speaks, by name: what any of them must beat, a trained pVAD, and anybody's callable.

A detector maps (mixture, enrollment, sample_rate) to the probabilities of target speech, other speech and no
speech in each frame, see ``probabilities``.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np

from pse_bench import __version__
from pse_bench.errors import InputError
from pse_bench.metrics import voice_activity
from pse_bench.signal import vad
from pse_bench.submission import activity_csv
from pse_bench.submission.submission import System
from pse_bench.systems import registry, trained
from pse_bench.systems.registry import Loaded, Work


def chance(work: Work) -> np.ndarray:
    """A third for each class in every frame: its average precision is the share of the class."""
    return voice_activity.chance(_num_frames(work))


def energy(work: Work) -> np.ndarray:
    """Speech is loud, whoever speaks."""
    return voice_activity.energy_detector(mixture=work.mixture, hop=vad.hop_samples(work.sample_rate))


FLOOR: dict[str, tuple[Callable[[Work], np.ndarray], str]] = {
    "chance": (chance, "A third for each class in every frame."),
    "energy": (energy, "The level of each frame against the clip's loud frames; it cannot tell talkers apart."),
}
"""What any detector must beat."""


def load(name: str, *, folder: Path | None = None, memory: Path | None = None) -> Loaded:
    """A detector by its name on the command line.

    Args:
        name: ``chance`` or ``energy``; ``baseline:pvad`` or the path of a pVAD's .safetensors file; or
            ``module:callable``.
        folder: where a relative path and a module are looked for; the current one by default.
        memory: folder that keeps a pVAD's speaker embeddings.

    Raises:
        InputError: no such detector, or it cannot be had.
    """
    if name in FLOOR:
        run, description = FLOOR[name]
        about = {"version": __version__, "description": description, "causal": name == "chance", "parameters": 0}
        loaded = Loaded(run, System(name=name, **about), __version__)
    elif name.endswith(".onnx"):
        raise InputError(f"system {name}: an .onnx file detects nothing; give a pVAD's .safetensors file")
    elif trained.is_one(name):
        loaded = registry.of_model(trained.load_detector(registry.located(name, folder), memory=memory))
    else:
        expected = f"{', '.join(FLOOR)} or module:callable, baseline:pvad, or the path of a .safetensors file"
        loaded = registry.of_callable(name, expected, folder)
    said = loaded.system.model_copy(update={"holds": ["activity"]})
    return Loaded(loaded.run, said, loaded.code, loaded.macs_per_second, loaded.complete)


def run(loaded: Loaded, work: Work, mixture_id: str) -> np.ndarray:
    """Who speaks in one mixture: float64, shape (num_frames, 3).

    Raises:
        InputError: the detector failed, or gave another shape or what are no probabilities.
    """
    found = registry.answer(loaded, work, mixture_id)
    if found.dtype.kind != "f":
        raise InputError(f"system {loaded.system.name}: gave {found.dtype} for {mixture_id}, expected floats")
    if problems := activity_csv.faults(found, _num_frames(work)):
        raise InputError(
            f"system {loaded.system.name}: gave {problems[0][1]}, for {mixture_id}; give the probabilities of "
            "target speech, other speech and no speech of each 10 ms, which add up to 1"
        )
    return found.astype(np.float64)


def _num_frames(work: Work) -> int:
    return -(-len(work.mixture) // vad.hop_samples(work.sample_rate))
