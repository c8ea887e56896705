"""Systems by name: the reference systems, trained models, and anybody's Python callable.

A system maps (mixture, enrollment, sample_rate) to an estimate as long as the mixture.
"""

import importlib
import inspect
import sys
import sysconfig
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pse_bench import __version__
from pse_bench.errors import InputError, PseBenchError
from pse_bench.io import atomic
from pse_bench.submission.submission import System
from pse_bench.systems import trained as models

FRAME_S, HOP_S = 0.032, 0.008


@dataclass(frozen=True)
class Work:
    """What a system is given. Arrays are float32 with full scale ±1, time last. ``target`` and ``rest`` are
    the parts of the mixture, which only an oracle looks at."""

    mixture: np.ndarray
    enrollment: np.ndarray
    sample_rate: int
    target: np.ndarray
    rest: np.ndarray


def silence(work: Work) -> np.ndarray:
    """Nothing at all: perfect in TS3, useless elsewhere. It must lead no ranking."""
    return np.zeros_like(work.mixture)


def mixture(work: Work) -> np.ndarray:
    """The mixture as it is: never over-suppresses, leaks everything."""
    return work.mixture


def oracle_mask(work: Work) -> np.ndarray:
    """The ideal ratio mask of the early target over everything else: what a magnitude mask can reach.

    Source: D. Wang, J. Chen, "Supervised speech separation based on deep learning", TASLP 2018, eq. 5 (β = 1).
    """
    from scipy.signal import istft, stft

    frame = round(FRAME_S * work.sample_rate)
    overlap = frame - round(HOP_S * work.sample_rate)

    def spectrum(samples: np.ndarray) -> np.ndarray:
        return stft(samples, nperseg=frame, noverlap=overlap)[2]

    target, rest = np.abs(spectrum(work.target)) ** 2, np.abs(spectrum(work.rest)) ** 2
    mask = target / np.maximum(target + rest, 1e-20)
    estimate = istft(mask * spectrum(work.mixture), nperseg=frame, noverlap=overlap)[1]
    return estimate[: len(work.mixture)]


REFERENCES: dict[str, tuple[Callable[[Work], np.ndarray], System]] = {
    "mixture": (
        mixture,
        System(
            name="mixture",
            version=__version__,
            description="The unprocessed mixture.",
            causal=True,
            algorithmic_latency_ms=0.0,
            parameters=0,
        ),
    ),
    "silence": (
        silence,
        System(
            name="silence",
            version=__version__,
            description="Digital silence.",
            causal=True,
            algorithmic_latency_ms=0.0,
            parameters=0,
        ),
    ),
    "oracle-mask": (
        oracle_mask,
        System(
            name="oracle-mask",
            version=__version__,
            description="Ideal ratio mask of the early target, made from the stems.",
            causal=False,
            parameters=0,
        ),
    ),
}


@dataclass(frozen=True)
class Loaded:
    """A system ready to run, its description, a digest that changes when its code or weights do, and the
    multiply-accumulates that it takes for a second of sound, where they are known. ``complete`` says that the
    digest covers all that the system reads, weights too."""

    run: Callable[[Work], Any]
    system: System
    code: str
    macs_per_second: int | None = None
    complete: bool = True


def load(name: str, *, streaming: bool = False, folder: Path | None = None, memory: Path | None = None) -> Loaded:
    """A system by its name on the command line.

    Args:
        name: a reference system; ``baseline:<recipe>`` or the path of a .safetensors or .onnx file (see
            ``models``); or ``module:callable``.
        streaming: run a trained model hop by hop.
        folder: where a relative path and a module are looked for; the current one by default.
        memory: folder that keeps a trained model's speaker embeddings.

    Raises:
        InputError: no such system, it cannot be had, or it cannot be streamed.
    """
    if streaming and not models.is_one(name):
        raise InputError(
            f"system {name}: cannot be streamed; only baseline:<recipe>, a checkpoint and an .onnx file can"
        )
    if name in REFERENCES:
        run, system = REFERENCES[name]
        return Loaded(run, system, __version__)
    if models.is_one(name):
        return of_model(models.load(located(name, folder), streaming=streaming, memory=memory))
    return of_callable(
        name,
        f"{', '.join(REFERENCES)} or module:callable, baseline:<recipe>, "
        "or the path of a .safetensors or .onnx file",
        folder,
    )


def located(name: str, folder: Path | None) -> str:
    """A trained model's name, with its path looked for in ``folder``."""
    return name if folder is None or name.startswith(models.SHIPPED) else str(folder / name)


def of_model(trained: models.Trained) -> Loaded:
    """A trained model as a system."""
    return Loaded(_run_on_audio(trained.run), trained.system, trained.digest, trained.macs_per_second)


def of_callable(name: str, expected: str, folder: Path | None = None) -> Loaded:
    """The system that ``module:callable`` names, looked for in ``folder`` or the current one. Raises InputError,
    with what was ``expected`` where it is no such name."""
    module_name, separator, attribute = name.partition(":")
    if not separator or not module_name or not attribute:
        raise InputError(f"system {name!r}: expected {expected}")
    here = folder or Path.cwd()
    if ("" not in sys.path or here != Path.cwd()) and str(here) not in sys.path:
        sys.path.insert(0, str(here))  # a console script does not look where it was called
    try:
        module = importlib.import_module(module_name)
    except (Exception, SystemExit) as error:  # whatever a stranger's module raises is for its author to read
        raise InputError(f"system {name}: cannot import {module_name} ({_reason(error)})") from error
    function = getattr(module, attribute, None)
    if not callable(function):
        raise InputError(f"system {name}: {module_name} has no callable {attribute!r}")
    code = _code(module)
    description = (inspect.getdoc(function) or "").split("\n")[0]
    system = System(name=name, version=code[:12], description=description)
    return Loaded(_run_on_audio(function), system, code, complete=False)


def _run_on_audio(function: Callable[..., Any]) -> Callable[[Work], Any]:
    return lambda work: function(work.mixture, work.enrollment, work.sample_rate)


def forget(name: str) -> None:
    """Load a callable's module, and what its author wrote beside it, anew the next time."""
    module = sys.modules.get(name.partition(":")[0])
    for loaded in _beside(module) if module else ():
        del sys.modules[loaded]
    importlib.invalidate_caches()


def _code(module: ModuleType) -> str:
    """SHA-256 of the source of a module and of what its author wrote beside it."""
    found = {name: atomic.sha256(path) for name, path in _beside(module).items()}
    return atomic.sha256_of_text(repr(sorted(found.items()))) if found else ""


def _beside(module: ModuleType) -> dict[str, Path]:
    """The sources by name of a module and of every loaded one that lies below the same folder and is not
    installed."""
    path = getattr(module, "__file__", None)
    if not path:
        return {}
    own = Path(path).resolve()
    beside = own.parents[module.__name__.count(".") + (own.name == "__init__.py")]
    installed = [Path(path).resolve() for path in sysconfig.get_paths().values()]
    found = {}
    for name, loaded in list(sys.modules.items()):
        source = getattr(loaded, "__file__", None)
        path = Path(source).resolve() if source else None
        if not path or not path.is_file() or not path.is_relative_to(beside):
            continue
        if path == own or not any(path.is_relative_to(folder) for folder in installed):
            found[name] = path
    return found


def run(loaded: Loaded, work: Work, mixture_id: str) -> np.ndarray:
    """The estimate of one mixture: float64, shape of the mixture.

    Raises:
        InputError: the system failed, or gave another shape or numbers that are not finite floats.
    """
    name, estimate = loaded.system.name, answer(loaded, work, mixture_id)
    if estimate.shape != work.mixture.shape:
        raise InputError(
            f"system {name}: gave shape {estimate.shape} for {mixture_id}, expected {work.mixture.shape}; "
            "keep the length and the alignment of the mixture"
        )
    if estimate.dtype.kind != "f":
        raise InputError(
            f"system {name}: gave {estimate.dtype} for {mixture_id}, expected floats with full scale ±1; "
            "convert the samples"
        )
    if not np.isfinite(estimate).all():
        raise InputError(f"system {name}: gave NaN or infinity for {mixture_id}; give finite samples")
    return estimate.astype(np.float64)


def answer(loaded: Loaded, work: Work, mixture_id: str) -> np.ndarray:
    """Whatever a system gives for a mixture, as an array. Raises InputError when it fails."""
    try:
        return np.asarray(loaded.run(work))
    except (Exception, SystemExit) as error:  # a stranger's code
        raise InputError(f"system {loaded.system.name}: failed on {mixture_id} ({_reason(error)})") from error


def _reason(error: BaseException) -> str:
    """An exception in one line, with the place in the code that raised it; ours say themselves what to do."""
    if isinstance(error, PseBenchError):
        return str(error)
    ours = (__file__, importlib.__file__)
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename not in ours and not frame.filename.startswith("<")
    ]
    place = f" at {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}{': ' if text else ''}{text}{place}"
