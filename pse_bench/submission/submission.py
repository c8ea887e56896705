"""Submissions, made of a dataset by a system: enhanced audio (``TS1/<scene_id>.flac|wav``, ``TS2/…``, …),
who speaks when (``activity/TS1/<scene_id>.csv``, …), or both, and ``system.yaml``, which describes them.
"""

from collections.abc import Callable, Container, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import numpy as np
import yaml
from pydantic import Field, SerializerFunctionWrapHandler, StringConstraints, ValidationError, model_serializer

from pse_bench.errors import InputError
from pse_bench.io import atomic, audio, documents, yaml_reader
from pse_bench.io.spool import Spool
from pse_bench.registry import suggestion
from pse_bench.schemas import Mixture
from pse_bench.signal import vad
from pse_bench.submission import activity_csv
from pse_bench.submission import zip as archive

SUBTYPES = ("PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE")
DESCRIPTION = "system.yaml"
LATER = ("tuned_on", "licence", "uses_enrollment", "constant_gain_db", "scenes")
"""Keys of ``system.yaml`` that came after the others: written only where they are known, so that what was written
before stays as it is."""


class System(documents.Record):
    """``system.yaml``: what made the submission. What is not known is left out. ``holds`` says what there is to
    score: ``audio``, ``activity``, or both. With ``dataset_fingerprint`` (which ``enhance`` and ``detect`` write,
    from ``dataset.json``) it is scored against no other dataset. ``enhance`` measures ``uses_enrollment`` and
    ``constant_gain_db`` (only where the gain is constant) on its first scenes. With ``scenes`` only the first so
    many scenes of the dataset were enhanced."""

    name: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]
    version: str = ""
    description: str = ""
    causal: bool | None = None
    algorithmic_latency_ms: float | None = None
    parameters: int | None = None
    training_data: str = ""
    url: str = ""
    dataset_fingerprint: str = ""
    holds: list[Literal["audio", "activity"]] = Field(default=["audio"], min_length=1, max_length=2)
    tuned_on: str | None = None
    licence: str | None = None
    uses_enrollment: bool | None = None
    constant_gain_db: float | None = None
    scenes: int | None = Field(default=None, ge=1)

    @model_serializer(mode="wrap")
    def _without_unknown(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {key: value for key, value in dump(self).items() if value is not None or key not in LATER}


NOT_STATED = ("dataset_fingerprint", "holds", "constant_gain_db", "scenes")
"""Fields of ``system.yaml`` that are measured or follow from the run, and that nobody states."""
SETTABLE = [name for name in System.model_fields if name not in (*NOT_STATED, "uses_enrollment")]
"""Fields that whoever has the submission may state; that it hears no enrollment, only the system itself."""


@dataclass(frozen=True)
class Estimate:
    """One file of a submission: float64 samples of shape (num_samples,), and the SHA-256 of its bytes."""

    samples: np.ndarray
    sha256: str


def opened(
    path: Path, mixtures: list[Mixture], passed_over: Callable[[str], None] = lambda name: None
) -> AbstractContextManager[Path]:
    """The folder of a submission that is a folder or a zip; see ``zip.opened``.

    A zip may unpack to eight times the mixtures in 32-bit float and 16 MiB, and hold four files a mixture (macOS
    puts one of its own beside each) and a thousand.
    """
    limit_bytes = 8 * 4 * sum(row.num_samples for row in mixtures) + (16 << 20)
    return archive.opened(path, limit_bytes, max_members=4 * len(mixtures) + 1000, passed_over=passed_over)


def read_system(folder: Path) -> System:
    """The submission's ``system.yaml``. Raises InputError when it is missing or not as it should be."""
    return documents.parse(System, system_content(folder), str(folder / DESCRIPTION))


def system_content(folder: Path, name: str = DESCRIPTION) -> dict[str, Any]:
    """The content of ``system.yaml``, its keys unchecked. Raises InputError when it holds no mapping."""
    path = folder / name
    if not path.is_file():
        raise InputError(
            f"{path}: missing; write one with at least name: and version:, keys: {', '.join((*SETTABLE, 'holds'))}"
        )
    content = yaml_reader.load_mapping(path, "name, version, …")
    if isinstance(content.get("version"), int | float):
        content = {**content, "version": str(content["version"])}  # 1.0 without quotes is what people write
    return content


def parse_fields(texts: Iterable[str]) -> dict[str, Any]:
    """Fields of ``system.yaml`` from texts ``field=value``, each of its type. Raises InputError on another form, a
    field that is not there or not for people to set, and a value of another type."""
    given = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or name not in SETTABLE:
            raise InputError(f"--set {text}: expected FIELD=VALUE; {suggestion(name, SETTABLE, 'fields')}")
        given[name] = value
    try:
        checked = System.model_validate_strings({"name": "unset", **given}, strict=False)
    except ValidationError as error:
        raise InputError(f"--set {documents.explain(error, System)}") from error
    return {name: getattr(checked, name) for name in given}


def write_system(folder: Path, system: System) -> None:
    """Write ``system.yaml``."""
    content = yaml.safe_dump(system.model_dump(exclude_none=True), sort_keys=False, allow_unicode=True)
    atomic.write_text(folder / DESCRIPTION, content)


def holds_any(folder: Path, mixtures: Iterable[Mixture], kinds: Container[str]) -> bool:
    """Whether a submission has a file of one of the kinds, ``audio`` and ``activity``, for any mixture."""
    return any(
        ("audio" in kinds and audio.find(folder / row.scenario, row.scene_id))
        or ("activity" in kinds and (folder / activity_name(row)).is_file())
        for row in mixtures
    )


def estimate_name(mixture: Mixture) -> str:
    """The path of a mixture's estimate below a submission, without the ending."""
    return f"{mixture.scenario}/{mixture.scene_id}"


def content_sha256(estimates: Mapping[str, str]) -> str:
    """The SHA-256 of a whole submission, from that of each estimate's file, '' where no file can be used."""
    return atomic.sha256_of_text(repr(sorted(estimates.items())))


def read_estimate(folder: Path, mixture: Mixture) -> Estimate:
    """Read the estimate of a mixture. Raises InputError when it is missing, there twice, unreadable, of another
    rate, length, channel count or sample type than asked for, or holds NaN."""
    name = estimate_name(mixture)
    found = audio.find(folder / mixture.scenario, mixture.scene_id)
    if not found:
        raise InputError(f"{folder / name}.flac: missing (nor .wav); enhance {mixture.mixture_id} and add it")
    if len(found) > 1:
        raise InputError(f"{folder / name}: there as .flac and as .wav; keep one")
    path = found[0]
    subtype = audio.info(path).subtype
    if subtype not in SUBTYPES:
        raise InputError(f"{path}: stored as {subtype}, expected 16 or 24 bit PCM or float; store it again")
    samples, _ = audio.read(path, sample_rate=mixture.sample_rate, num_samples=mixture.num_samples)
    return Estimate(samples, atomic.sha256(path))


def write_estimate(folder: Path, mixture: Mixture, samples: np.ndarray | Spool) -> Path:
    """Write an estimate without losing anything: 16 bit where that is exact, else 24 bit, and float where full
    scale is exceeded; the file's path."""
    blocks = [samples] if isinstance(samples, np.ndarray) else samples
    peak, exact = 0.0, True
    for block in blocks:
        peak = max(peak, float(np.abs(block).max(initial=0.0)))
        scaled = block * audio.FULL_SCALE
        exact = exact and np.array_equal(scaled, np.round(scaled))
    if peak > 1 - 1 / audio.FULL_SCALE:
        ending, subtype = "wav", "FLOAT"
    else:
        ending, subtype = "flac", "PCM_16" if exact else "PCM_24"
    path = folder / f"{estimate_name(mixture)}.{ending}"
    # shared: a worker that was given up for lost may still be writing
    with atomic.replacing(path, shared=True) as part:
        audio.write(part, blocks, mixture.sample_rate, subtype)
    for other in audio.find(path.parent, mixture.scene_id):
        if other != path:
            other.unlink()  # of an earlier run, which would make the estimate ambiguous
    return path


def num_frames(mixture: Mixture) -> int:
    """The number of activity frames of a mixture; a last one that is cut off counts."""
    return -(-mixture.num_samples // vad.hop_samples(mixture.sample_rate))


def activity_name(mixture: Mixture) -> str:
    """The path of the file of who speaks in a mixture below a submission."""
    return f"activity/{estimate_name(mixture)}.csv"


def read_activity(folder: Path, mixture: Mixture) -> tuple[np.ndarray, str]:
    """Read who speaks in a mixture: probabilities of shape (num_frames, 3), see ``activity_csv``, and the SHA-256
    of the file's bytes. Raises InputError when it is missing or not as asked."""
    path = folder / activity_name(mixture)
    if not path.is_file():
        raise InputError(f"{path}: missing; say who speaks in {mixture.mixture_id} and add it")
    return activity_csv.read(path, num_frames(mixture)), atomic.sha256(path)


def write_activity(folder: Path, mixture: Mixture, values: np.ndarray) -> Path:
    """Write probabilities of shape (num_frames, 3), to four digits; the file's path."""
    path = folder / activity_name(mixture)
    activity_csv.write(path, values)
    return path
