"""Systems by name: the references, trained models, installed packages' and anybody's Python callable.

What anybody's object, module or function has to offer stands in ``protocol``. One that detects gives the
probabilities of target speech, other speech and no speech in each frame, see ``submission.activity_csv``.
"""

import importlib
import inspect
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from importlib.machinery import PathFinder
from operator import attrgetter
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import numpy as np

from pse_bench import __version__
from pse_bench.errors import InputError
from pse_bench.registry import Registry, load_module, reason
from pse_bench.signal import vad
from pse_bench.submission.submission import System
from pse_bench.systems import command, protocol, public, trained
from pse_bench.systems.base import LoadedSystem, Output, SystemInput, num_frames
from pse_bench.systems.sources import Sources, modules_beside

FRAME_S, HOP_S = 0.032, 0.008  # of the oracle's mask


def oracle_mask(given: SystemInput) -> np.ndarray:
    """The ideal ratio mask of the early target over everything else: what a magnitude mask can reach.

    Source: D. Wang, J. Chen, "Supervised speech separation based on deep learning", TASLP 2018, eq. 5 (β = 1).
    """
    if not len(given.target):
        raise InputError("oracle-mask hears the stems, and recordings have none; give another system")
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


UNFIT = (
    "is neither callable nor a SystemSpec; give enhance(mixture, enrollment, sample_rate), or reset(enrollment) "
    "and step(hop)"
)
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
    check=lambda entry: "" if isinstance(entry, SystemSpec) or protocol.is_system(entry) else UNFIT,
)


def references(output: Output = "audio") -> list[str]:
    """The names of our own systems with an output."""
    return [name for name, spec in SYSTEMS.items() if spec.output == output]


EXPECTED = {
    "audio": "or module:callable, public:<name>, baseline:<recipe>, or the path of a .safetensors or .onnx file",
    "activity": "or module:callable, baseline:pvad, or the path of a .safetensors file",
}


def load(
    name: str,
    *,
    output: Output = "audio",
    streaming: bool = False,
    folder: Path | None = None,
    memory: Path | None = None,
    time_limit_s: float | None = None,
) -> LoadedSystem:
    """A system by its name on the command line.

    Args:
        name: one of ``SYSTEMS``; ``public:<name>``; ``baseline:<recipe>`` or a .safetensors or .onnx file (see
            ``trained``); the name of an entry point; ``module``, ``module:attribute``, or
            ``module:factory?key=value``.
        output: what is asked of it.
        streaming: run it hop by hop.
        folder: where a relative path and a module are looked for; the current one by default.
        memory: folder that keeps a trained model's speaker embeddings.
        time_limit_s: of a program for a mixture, see ``command``.

    Raises:
        InputError: no such system, it cannot be had, or it cannot be streamed.
    """
    if command.is_command(name) and output == "audio":
        return command.load(name, streaming=streaming, folder=folder, time_limit_s=time_limit_s)
    if name in SYSTEMS and SYSTEMS[name].output == output:
        loaded = _from_spec(name, SYSTEMS[name], __version__, streaming=streaming)
    elif name.startswith(trained.SHIPPED) or name.endswith((".safetensors", ".onnx")):
        path = name if folder is None or name.startswith(trained.SHIPPED) else str(folder / name)
        loaded = trained.load(path, output=output, streaming=streaming, memory=memory)
    elif name.startswith(public.PREFIX):
        entry = public.load(name)
        adapter = {type(entry).__module__: Path(inspect.getfile(type(entry)))}
        loaded = protocol.load(entry, name, output=output, streaming=streaming, code=adapter)
    else:
        found = name.partition("?")[0]
        module, _, attribute = found.partition(":")
        here = folder or Path.cwd()
        if not (module and attribute) and found not in SYSTEMS.outside() and not _is_module(found, here):
            raise InputError(f"system {name!r}: expected {', '.join(references(output))} {EXPECTED[output]}")
        loaded = _from_outside(name, here, output, streaming)
    if output == "audio":
        return loaded
    return replace(loaded, system=loaded.system.model_copy(update={"holds": ["activity"]}))


def _from_spec(name: str, spec: SystemSpec, version: str, *, streaming: bool) -> LoadedSystem:
    if streaming:
        raise InputError(f"system {name}: cannot be streamed; only what has reset(enrollment) and step(hop) can")
    about = System(name=name, version=version, description=spec.description, parameters=0)
    known = {"causal": spec.causal, "algorithmic_latency_ms": spec.latency_ms}
    described = about.model_copy(update=known)
    return LoadedSystem(spec.run, described, version, sample_rate=spec.sample_rate, needs_stems=True)


def _from_outside(name: str, folder: Path, output: Output, streaming: bool) -> LoadedSystem:
    """The system of an entry point, of a module or of ``module:attribute``, imported anew when its files are
    others than when this process first loaded it."""
    loaded = _imported(name, folder, output, streaming)
    known = [_loaded.get(path) for path in loaded.sources.by_path]
    if any(known) and known != list(loaded.sources.by_path.values()):
        _forget(name)
        loaded = _imported(name, folder, output, streaming)
    _loaded.update(loaded.sources.by_path)
    return loaded


_loaded: dict[Path, str] = {}
"""The SHA-256 of the files of systems when this process loaded them."""


def _imported(name: str, folder: Path, output: Output, streaming: bool) -> LoadedSystem:
    """With arguments after a ``?``, and where it is a class or a function of no arguments, what is named is a
    factory of the system. An argument that is the path of a file counts among the files that it reads."""
    found, _, arguments = name.partition("?")
    if _is_module(found, folder):
        entry: Any = load_module(found, f"system {name}", folder)
        if not protocol.is_system(entry):
            raise InputError(
                f"system {name}: the module has neither enhance nor step; name what has, as {found}:attribute"
            )
    else:
        entry = SYSTEMS.find(found, folder)
    module = sys.modules[_module_name(found)]
    given = {key: _value(text) for key, text in parse_qsl(arguments, keep_blank_values=True)}
    if arguments or _is_factory(entry):
        entry = _built(entry, given, name)
    if isinstance(entry, SystemSpec):
        if entry.output != output:
            raise InputError(f"system {name}: gives {entry.output}, not {output}")
        files = Sources.of(modules_beside(module))
        loaded = _from_spec(name, entry, files.digest[:12], streaming=streaming)
        return replace(loaded, code=files.digest, complete=False, sources=files)
    reads = [folder / value for value in given.values() if isinstance(value, str) and (folder / value).is_file()]
    return protocol.load(
        entry,
        name,
        output=output,
        streaming=streaming,
        code=modules_beside(module),
        reads=reads,
        module=module,
        folder=folder,
    )


def with_arguments(name: str, arguments: Iterable[str]) -> str:
    """The name of a system that a factory makes of ``key=value`` arguments. Raises InputError on another form."""
    pairs = [argument.partition("=") for argument in arguments]
    for key, equals, value in pairs:
        if not (key.isidentifier() and equals):
            raise InputError(f"--arg {key}{equals}{value}: expected KEY=VALUE, for example size=64")
    return name + ("?" + urlencode(sorted((key, value) for key, _, value in pairs)) if pairs else "")


def _module_name(found: str) -> str:
    point = SYSTEMS.outside().get(found)
    return point.module if point else found.partition(":")[0]


def _is_module(name: str, folder: Path) -> bool:
    """Whether a name is a module's that could be imported, and no entry point's."""
    if not all(map(str.isidentifier, name.split("."))) or name in SYSTEMS.outside():
        return False
    spec = PathFinder.find_spec(name.partition(".")[0], [str(folder), *sys.path])
    return spec is not None and (spec.origin is not None or "." in name)  # not just any folder


def _is_factory(entry: Any) -> bool:
    """Whether it is a class, or a function that takes nothing where a system takes three arguments."""
    if not inspect.isfunction(entry):
        return inspect.isclass(entry)
    return _takes(entry, 0) and not _takes(entry, 3)


def _takes(function: Any, count: int) -> bool:
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    return True


def _built(factory: Any, given: dict[str, Any], name: str) -> Any:
    """What a factory returns."""
    try:
        entry = factory(**given)
    except (Exception, SystemExit) as error:  # whatever somebody else's factory raises
        raise InputError(f"system {name}: cannot be built ({reason(error, ours=[__file__])})") from error
    if not (isinstance(entry, SystemSpec) or protocol.is_system(entry)):
        raise InputError(f"system {name}: the factory gave {type(entry).__name__}, which {UNFIT}")
    return entry


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _forget(name: str) -> None:
    """Import a system's module, and what its author wrote beside it, anew the next time."""
    module = sys.modules.get(_module_name(name.partition("?")[0]))
    for loaded in modules_beside(module) if module else ():
        del sys.modules[loaded]
    importlib.invalidate_caches()
