"""The protocol of systems: what any object or module offers, as a ``LoadedSystem``.

It has ``enhance(mixture, enrollment, sample_rate)``, or ``reset(enrollment)`` and ``step(hop)``, which gives a hop
for each hop; for activity, ``detect`` in place of ``enhance``. What holds for it, it says in attributes:
``sample_rate`` in Hz, ``hop`` and ``delay`` in samples at that rate, ``files`` that it reads, ``info`` for
``system.yaml``. What ``enroll(enrollment, sample_rate)`` returns takes the enrollment's place.
"""

import hashlib
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io import documents
from pse_bench.signal import streaming as hops
from pse_bench.submission.submission import NOT_STATED, System
from pse_bench.systems import sources
from pse_bench.systems.base import LoadedSystem, Output, SystemInput

METHODS = {"audio": "enhance", "activity": "detect"}
CALLED = ("reset", "step", "enroll")
KEPT = 256
"""Enrollments whose ``enroll`` is remembered."""


def is_system(entry: Any) -> bool:
    """Whether something can be called as a system."""
    return callable(entry) or any(callable(getattr(entry, name, None)) for name in (*METHODS.values(), "step"))


@dataclass(frozen=True)
class _Offered:
    """What an entry, the object that it is a method of, and its module say."""

    entry: Any
    module: ModuleType | None

    def __call__(self, attribute: str) -> Any:
        for owner in (self.entry, getattr(self.entry, "__self__", None), self.module):
            value = getattr(owner, attribute, None)
            # a module may have imported something else of that name
            if value is not None and (owner is not self.module or callable(value) == (attribute in CALLED)):
                return value
        return None

    def whole_number(self, attribute: str, least: int, unit: str) -> int | None:
        """A number of Hz or samples; None where it says none. Raises ValueError."""
        value = self(attribute)
        if value is None:
            return None
        if isinstance(value, int | float | np.number) and value >= least and float(value).is_integer():
            return int(value)
        raise ValueError(f"its {attribute} is {value!r}; give a whole number of {unit}")


def load(
    entry: Any,
    name: str,
    *,
    output: Output = "audio",
    streaming: bool = False,
    code: Mapping[str, Path] | None = None,
    reads: Sequence[Path] = (),
    module: ModuleType | None = None,
    folder: Path | None = None,
) -> LoadedSystem:
    """An object, a module or a function as a system.

    Args:
        entry: see above.
        name: of the system, for messages and for ``system.yaml``.
        output: what is asked of it.
        streaming: hop by hop, where it offers both.
        code: its source files by the names of their modules.
        reads: files that it reads, beside those that it names.
        module: where its attributes are looked for when it has none itself.
        folder: of relative paths in its ``files``; the current one by default.

    Raises:
        InputError: it offers nothing that can be called, or says what cannot be so.
    """
    offered = _Offered(entry, module)
    try:
        rate = offered.whole_number("sample_rate", 1, "Hz, or none")
        hop = offered.whole_number("hop", 1, "samples, at least 1")
        delay = offered.whole_number("delay", 0, "samples, at least 0") or 0
    except ValueError as error:
        raise InputError(f"system {name}: {error}") from error
    step, reset = offered("step"), offered("reset")
    whole: Any = getattr(entry, METHODS[output], None)
    if whole is None and callable(entry) and not hasattr(entry, "step"):
        whole = entry
    stepping = output == "audio" and (streaming or (whole is None and step is not None))
    if stepping and not (step and reset and hop):
        missing = [each for each, there in (("reset", reset), ("step", step), ("hop", hop)) if not there]
        needed = "reset(enrollment), step(hop) and hop, in samples"
        raise InputError(f"system {name}: cannot be streamed without {', '.join(missing)}; give {needed}")
    if not (stepping or whole):
        raise InputError(f"system {name}: offers no {METHODS[output]}(mixture, enrollment, sample_rate)")

    def by_steps(mixture: Iterable[np.ndarray], num_samples: int, enrollment: Any) -> Iterator[np.ndarray]:
        reset(enrollment)
        yield from hops.blocks(step, mixture, num_samples, hop=hop or 0, delay=delay)

    def joined(mixture: np.ndarray, enrollment: Any, sample_rate: int) -> np.ndarray:
        return np.concatenate(list(by_steps([mixture], len(mixture), enrollment)))

    enroll = remembering(offered("enroll"))
    stated = offered("files")
    files = sources.Sources.of(code or {}, [*_files(stated, name, folder or Path()), *reads])
    version, description = files.digest[:12], _first_line(entry, whole)
    return LoadedSystem(
        runner(joined if stepping else whole, enroll, rate),
        _described(offered("info"), name, version, description, causal=stepping or None),
        files.digest,
        complete=stated is not None,
        sample_rate=rate,
        hop=hop if step else None,
        delay=delay,
        sources=files,
        run_blocks=(
            (lambda mixture, length, enrollment, hz: by_steps(mixture, length, enroll(enrollment, hz)))
            if stepping
            else None
        ),
    )


Enroll = Callable[[np.ndarray, int], Any]
"""What takes an enrollment's place, of it and its rate in Hz."""


def remembering(enroll: Enroll | None) -> Enroll:
    """What ``enroll`` gives, called once for the content of an enrollment; the enrollment itself without one."""
    known: dict[tuple[int, bytes], Any] = {}

    def once(enrollment: np.ndarray, sample_rate: int) -> Any:
        if enroll is None:
            return enrollment
        key = (sample_rate, hashlib.sha256(enrollment.tobytes()).digest())
        if key not in known:
            if len(known) == KEPT:
                del known[next(iter(known))]
            known[key] = enroll(enrollment, sample_rate)
        return known[key]

    return once


def runner(
    whole: Callable[[np.ndarray, Any, int], Any], enroll: Enroll, sample_rate: int | None
) -> Callable[[SystemInput], Any]:
    """A function of (mixture, enrollment, sample_rate) as one of an input at the rate that it hears. What
    ``enroll`` gives takes the enrollment's place."""

    def run(given: SystemInput) -> Any:
        if sample_rate not in (None, given.sample_rate):
            rates = f"the mixture has {given.sample_rate} Hz and the system hears {sample_rate} Hz"
            raise InputError(f"{rates}; call it through systems.base, which resamples")
        return whole(given.mixture, enroll(given.enrollment, given.sample_rate), given.sample_rate)

    return run


def _first_line(*documented: Any) -> str:
    texts = (inspect.getdoc(each) for each in documented)
    return next((text for text in texts if text), "").split("\n")[0]


def _files(stated: Any, name: str, folder: Path) -> list[Path]:
    given = [stated] if isinstance(stated, str | Path) else stated or []
    if not (isinstance(given, list | tuple) and all(isinstance(each, str | Path) for each in given)):
        raise InputError(f"system {name}: its files are {given!r}; give a list of paths")
    paths = [folder / each for each in given]
    if gone := [path for path in paths if not path.exists()]:
        raise InputError(
            f"system {name}: its files name {gone[0]}, which is not there; put it there or correct it"
        )
    return paths


def _described(info: Any, name: str, version: str, description: str, causal: bool | None) -> System:
    said = {"name": name, "version": version, "description": description, "causal": causal}
    where = f"system {name}: its info"
    if not isinstance(info or {}, Mapping):
        raise InputError(f"{where} is {info!r}; give a dict of fields of system.yaml")
    if taken := [key for key in info or {} if key in NOT_STATED]:
        raise InputError(f"{where} says {', '.join(taken)}, which no system states; leave it out")
    return documents.parse(System, {**said, **(info or {})}, where)
