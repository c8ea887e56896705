"""Systems by name: the references, trained models, installed packages' and anybody's Python callable.

A system maps (mixture, enrollment, sample_rate) to an estimate as long as the mixture. One that detects gives the
probabilities of target speech, other speech and no speech in each frame, see ``submission.activity_csv``.
"""

import importlib
import inspect
import json
import sys
import sysconfig
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from numbers import Real
from operator import attrgetter
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np

from pse_bench import __version__
from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.registry import Registry, reason
from pse_bench.signal import vad
from pse_bench.submission.submission import System
from pse_bench.systems import trained
from pse_bench.systems.base import LoadedSystem, Output, SystemInput, num_frames, on_audio

FRAME_S, HOP_S = 0.032, 0.008  # of the oracle's mask


def oracle_mask(given: SystemInput) -> np.ndarray:
    """The ideal ratio mask of the early target over everything else: what a magnitude mask can reach.

    Source: D. Wang, J. Chen, "Supervised speech separation based on deep learning", TASLP 2018, eq. 5 (β = 1).
    """
    from scipy.signal import istft, stft

    frame = round(FRAME_S * given.sample_rate)
    overlap = frame - round(HOP_S * given.sample_rate)

    def spectrum(samples: np.ndarray) -> np.ndarray:
        return stft(samples, nperseg=frame, noverlap=overlap)[2]

    target, rest = np.abs(spectrum(given.target)) ** 2, np.abs(spectrum(given.rest)) ** 2
    mask = target / np.maximum(target + rest, 1e-20)
    estimate = istft(mask * spectrum(given.mixture), nperseg=frame, noverlap=overlap)[1]
    return estimate[: len(given.mixture)]


def chance(given: SystemInput) -> np.ndarray:
    """A third for each class in every frame: its average precision is the proportion of the class."""
    return np.full((num_frames(given), 3), 1 / 3)


def energy(given: SystemInput) -> np.ndarray:
    """Loud frames are speech, whoever speaks.

    A logistic curve of 3 dB about 10 dB below the clip's 95th percentile; target and other speech share the rest.
    """
    hop = vad.hop_samples(given.sample_rate)
    padded = np.pad(given.mixture, (0, -len(given.mixture) % hop)).reshape(-1, hop)
    level_db = 10 * np.log10(np.mean(padded.astype(np.float64) ** 2, axis=1) + 1e-12)
    speech = 1 / (1 + np.exp(-np.clip((level_db - np.percentile(level_db, 95) + 10) / 3, -30, 30)))
    return np.stack([speech / 2, speech / 2, 1 - speech], axis=1)


@dataclass(frozen=True)
class SystemSpec:
    """A system of the registry: a function of a ``SystemInput`` and what ``system.yaml`` says of it."""

    run: Callable[[SystemInput], Any]
    description: str
    causal: bool
    output: Output = "audio"
    latency_ms: float | None = None
    sample_rate: int | None = None


UNFIT = "is neither callable nor a SystemSpec; give enhance(mixture, enrollment, sample_rate)"
SYSTEMS: Registry[SystemSpec] = Registry(
    "system",
    {
        # never over-suppresses, leaks everything
        "mixture": SystemSpec(attrgetter("mixture"), "The unprocessed mixture.", causal=True, latency_ms=0.0),
        # perfect in TS3, useless elsewhere; it must lead no ranking
        "silence": SystemSpec(
            lambda given: np.zeros_like(given.mixture), "Digital silence.", causal=True, latency_ms=0.0
        ),
        "oracle-mask": SystemSpec(
            oracle_mask, "Ideal ratio mask of the early target, made from the stems.", causal=False
        ),
        "chance": SystemSpec(chance, "A third for each class in every frame.", causal=True, output="activity"),
        "energy": SystemSpec(
            energy,
            "The level of each frame against the clip's loud frames; it cannot tell talkers apart.",
            causal=False,
            output="activity",
        ),
    },
    group="pse_bench.systems",
    check=lambda entry: "" if isinstance(entry, SystemSpec) or callable(entry) else UNFIT,
)


def references(output: Output = "audio") -> list[str]:
    """The names of our own systems with an output."""
    return [name for name, spec in SYSTEMS.items() if spec.output == output]


EXPECTED = {
    "audio": "or module:callable, baseline:<recipe>, or the path of a .safetensors or .onnx file",
    "activity": "or module:callable, baseline:pvad, or the path of a .safetensors file",
}


def load(
    name: str,
    *,
    output: Output = "audio",
    streaming: bool = False,
    folder: Path | None = None,
    memory: Path | None = None,
) -> LoadedSystem:
    """A system by its name on the command line.

    Args:
        name: one of ``SYSTEMS``; ``baseline:<recipe>`` or the path of a .safetensors or .onnx file (see
            ``trained``); the name of an entry point; ``module:callable``, or ``module:factory?key=value``.
        output: what is asked of it.
        streaming: run a trained model hop by hop.
        folder: where a relative path and a module are looked for; the current one by default.
        memory: folder that keeps a trained model's speaker embeddings.

    Raises:
        InputError: no such system, it cannot be had, or it cannot be streamed.
    """
    model = name.startswith(trained.SHIPPED) or name.endswith((".safetensors", ".onnx"))
    if streaming and not model:
        streamed = "only baseline:<recipe>, a checkpoint and an .onnx file can"
        raise InputError(f"system {name}: cannot be streamed; {streamed}")
    if name in SYSTEMS and SYSTEMS[name].output == output:
        loaded = _from_spec(name, SYSTEMS[name], __version__)
    elif model:
        path = name if folder is None or name.startswith(trained.SHIPPED) else str(folder / name)
        loaded = trained.load(path, output=output, streaming=streaming, memory=memory)
    else:
        module, _, attribute = name.partition(":")
        if not (module and attribute) and name.partition("?")[0] not in SYSTEMS.outside():
            raise InputError(f"system {name!r}: expected {', '.join(references(output))} {EXPECTED[output]}")
        loaded = _from_outside(name, folder, output)
    if output == "audio":
        return loaded
    return replace(loaded, system=loaded.system.model_copy(update={"holds": ["activity"]}))


def _from_spec(name: str, spec: SystemSpec, version: str) -> LoadedSystem:
    about = System(name=name, version=version, description=spec.description, parameters=0)
    known = {"causal": spec.causal, "algorithmic_latency_ms": spec.latency_ms}
    return LoadedSystem(spec.run, about.model_copy(update=known), version, sample_rate=spec.sample_rate)


def _from_outside(name: str, folder: Path | None, output: Output) -> LoadedSystem:
    """The system of an entry point or of ``module:callable``; with arguments after a ``?`` the callable is a
    factory of it. The callable, the object that it is a method of, or its module may say in ``sample_rate`` which
    one it hears."""
    found, _, arguments = name.partition("?")
    entry = SYSTEMS.find(found, folder)
    point = SYSTEMS.outside().get(found)
    module = sys.modules[point.module if point else found.partition(":")[0]]
    if arguments:
        entry = _built(entry, arguments, name, "enhance" if output == "audio" else "detect")
    sources = _beside(module)
    hashes = sorted((name, atomic.sha256(path)) for name, path in sources.items())
    code = atomic.sha256_of_text(repr(hashes)) if hashes else ""
    if isinstance(entry, SystemSpec):
        if entry.output != output:
            raise InputError(f"system {name}: gives {entry.output}, not {output}")
        return replace(_from_spec(name, entry, code[:12]), code=code, complete=False)
    description = (inspect.getdoc(entry) or "").split("\n")[0]
    system = System(name=name, version=code[:12], description=description)
    said = (getattr(owner, "sample_rate", None) for owner in (entry, getattr(entry, "__self__", None), module))
    rate = next((rate for rate in said if rate is not None), None)
    if rate is not None and not (isinstance(rate, Real) and rate >= 1 and rate == int(rate)):
        raise InputError(f"system {name}: its sample_rate is {rate!r}; give a whole number of Hz, or none")
    rate = None if rate is None else int(rate)
    return LoadedSystem(on_audio(entry), system, code, complete=False, sample_rate=rate)


def with_arguments(name: str, arguments: Iterable[str]) -> str:
    """The name of a system that a factory makes of ``key=value`` arguments. Raises InputError on another form."""
    pairs = [argument.partition("=") for argument in arguments]
    for key, equals, value in pairs:
        if not (key.isidentifier() and equals):
            raise InputError(f"--arg {key}{equals}{value}: expected KEY=VALUE, for example size=64")
    return name + ("?" + urlencode(sorted((key, value) for key, _, value in pairs)) if pairs else "")


def _built(factory: Any, arguments: str, name: str, method: str) -> Any:
    """What a factory returns: a callable, or an object whose ``method`` is one. Values are read as JSON where they
    are that, else as text."""
    given = {key: _value(text) for key, text in parse_qsl(arguments, keep_blank_values=True)}
    try:
        entry = factory(**given)
    except (Exception, SystemExit) as error:  # whatever somebody else's factory raises
        raise InputError(f"system {name}: cannot be built ({reason(error)})") from error
    entry = getattr(entry, method, entry)
    if not callable(entry):
        raise InputError(f"system {name}: the factory gave {type(entry).__name__}, which {UNFIT}")
    return entry


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def forget(name: str) -> None:
    """Load a callable's module, and what its author wrote beside it, anew the next time."""
    module = sys.modules.get(name.partition(":")[0])
    for loaded in _beside(module) if module else ():
        del sys.modules[loaded]
    importlib.invalidate_caches()


def _beside(module: ModuleType) -> dict[str, Path]:
    """The sources by name of a module and of every loaded one that lies below the same folder and is not
    installed."""
    if not getattr(module, "__file__", None):
        return {}
    own = Path(str(module.__file__)).resolve()
    beside = own.parents[module.__name__.count(".") + (own.name == "__init__.py")]
    installed = [Path(path).resolve() for path in sysconfig.get_paths().values()]
    found = {}
    for name, loaded in list(sys.modules.items()):
        source = Path(getattr(loaded, "__file__", None) or ".").resolve()
        foreign = source == own or not any(source.is_relative_to(folder) for folder in installed)
        if foreign and source.is_file() and source.is_relative_to(beside):
            found[name] = source
    return found
