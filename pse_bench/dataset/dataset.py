"""A dataset on disk: where everything lies, and reading it back."""

import hashlib
import itertools
import json
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Annotated, Literal, TypeVar, get_args

import numpy as np
from pydantic import Field, field_validator

from pse_bench.errors import InputError, RequestError
from pse_bench.io import audio
from pse_bench.io.atomic import sealed, sha256
from pse_bench.io.documents import Record, parse, parse_json, read_json, text_of
from pse_bench.io.tables import read_table
from pse_bench.registry import installed_version
from pse_bench.schemas import DESCRIPTIONS, SCHEMA, Count, Mixture, Rate, Sha256, StoredFile
from pse_bench.signal import vad

T = TypeVar("T")

REFERENCE_STEMS = {"early": "target_early", "reverberant": "target"}
"""The stem that a target is compared with, by the name of the reference."""

ABSENT = {"TS1": "interferer", "TS3": "target"}
"""Who of a scene is not heard in its mixture, by scenario."""

SOUND_PACKAGES = ("numpy", "scipy", "soundfile", "pyroomacoustics")
"""Packages whose release can change what a dataset sounds like; their versions are part of it."""

Part = Literal["target", "target_early", "interferer", "noise", "enrollment", "activity"]
PARTS: tuple[Part, ...] = get_args(Part)
"""What a dataset keeps of a scene beside its mixtures, unless it was rendered with some of it only."""

TABLES = {"mixtures.csv", "files.csv"}
"""The tables of every dataset; ``quarantine.csv`` is there when scenes were left out."""


class Description(Record):
    """``dataset.json``."""

    schema_: Annotated[int, Field(alias="schema")]
    kind: str
    name: str
    version: int
    reference: Literal["early", "reverberant", "none"]
    sample_rate: Rate
    format: Literal["flac", "wav"]
    plan_sha256: Sha256
    fingerprint: Sha256
    planned_scenes: int
    scenes: int
    mixtures: int
    complete: bool
    tables: dict[str, Sha256]
    versions: dict[str, str]
    timings_s: dict[str, float]
    kept: list[Part] | None = None

    @field_validator("tables")
    @classmethod
    def _known_tables(cls, tables: dict[str, str]) -> dict[str, str]:
        if set(tables) - {"quarantine.csv"} != TABLES:
            raise ValueError(f"expected {', '.join(sorted(TABLES))} and perhaps quarantine.csv; restore it")
        return tables

    seal_sha256: Sha256 | None = None


class Activity(Record):
    """``activity/<scene_id>.json``: one character a frame, 1 where somebody speaks. Frames do not overlap:
    frame t covers samples [t · hop, (t + 1) · hop)."""

    schema_: Annotated[int, Field(alias="schema")]
    scene_id: str
    sample_rate: Rate
    num_samples: Count
    hop: Count
    target: str
    interferer: str

    @cached_property
    def frames(self) -> dict[str, np.ndarray]:
        """Labels by who speaks, bool of shape (num_frames,)."""
        labels = {"target": self.target, "interferer": self.interferer}
        return {who: np.frombuffer(text.encode(), dtype=np.uint8) == ord("1") for who, text in labels.items()}

    @property
    def masks(self) -> dict[str, np.ndarray]:
        """Sample masks by who speaks, bool of shape (num_samples,)."""
        length, rate = self.num_samples, self.sample_rate
        return {who: vad.to_samples(labels, length, rate) for who, labels in self.frames.items()}


def activity_document(scene_id: str, rate: int, num_samples: int, labels: dict[str, np.ndarray]) -> str:
    """The text of a scene's activity file."""
    about = {"schema": SCHEMA, "scene_id": scene_id, "sample_rate": rate, "num_samples": num_samples}
    texts = {who: (active + np.uint8(ord("0"))).tobytes().decode("ascii") for who, active in labels.items()}
    return json.dumps({**about, "hop": vad.hop_samples(rate), **texts}) + "\n"


def parse_activity(text: str, where: str, num_samples: int | None = None) -> Activity:
    """An activity file from its text. Raises InputError when it is damaged, or not of the length that is given."""
    document = parse(Activity, parse_json(text, where), where)
    if document.hop != vad.hop_samples(document.sample_rate):
        raise InputError(f"{where}: hop {document.hop} at {document.sample_rate} Hz is not 10 ms; restore it")
    if num_samples not in (None, document.num_samples):
        raise InputError(f"{where}: of {document.num_samples} samples, expected {num_samples}; restore it")
    for who, labels in document.frames.items():
        if len(labels) != -(-document.num_samples // document.hop):
            raise InputError(f"{where}: {len(labels)} frames of {who} do not fit its grid; restore it")
    return document


def parts(names: Iterable[str]) -> list[Part]:
    """Parts of a scene by their names, in the order of ``PARTS``; ``mixture`` is one that is always kept. Raises
    RequestError where there is no such part."""
    wanted = set(names)
    if unknown := sorted(wanted - {*PARTS, "mixture"}):
        raise RequestError(f"--keep: no part {unknown[0]!r} of a scene; there are mixture, {', '.join(PARTS)}")
    return [part for part in PARTS if part in wanted]


def sound_versions() -> dict[str, str]:
    """Installed versions of pse-bench and of the packages that affect sound."""
    return {package: installed_version(package) or "unknown" for package in ("pse-bench", *SOUND_PACKAGES)}


def fingerprint(plan_sha256: str, files: Iterable[StoredFile], *, ordered: bool = False) -> str:
    """One number for a dataset: its plan, and the sound and labels of every file, whatever their container. Files
    that are ``ordered`` come sorted by their path without its ending, and need not all be held for that."""
    found: Iterable[tuple[str, str]] = ((os.path.splitext(f.path)[0], f.content_sha256) for f in files)
    # The JSON of [plan, [[path, content], …]], piece by piece.
    digest = hashlib.sha256(f"[{json.dumps(plan_sha256)}, [".encode())
    for number, pair in enumerate(found if ordered else sorted(found)):
        digest.update(f"{', ' if number else ''}{json.dumps(pair)}".encode())
    digest.update(b"]]")
    return digest.hexdigest()


CHANGED = "missing or changed since it was rendered; run pse-bench verify, then restore it or render again"


@lru_cache(maxsize=4)
def _hashes(folder: Path, table_sha256: str) -> dict[str, str]:
    """Hashes by path from a dataset's ``files.csv``, read once a process and content."""
    return {row.path: row.sha256 for row in read_table(folder / "files.csv", StoredFile)}


@dataclass(frozen=True)
class MixtureItem:
    """One mixture of a dataset; its sound is read when it is first asked for.

    Sounds are float32 of full scale ±1, shape (num_samples,); the enrollment has a length of its own.

    Attributes:
        dataset: where it lies.
        row: its row of ``mixtures.csv``.
    """

    dataset: "ReadableDataset"
    row: Mixture

    @property
    def scenario(self) -> str:
        """TS1, TS2 or TS3."""
        return self.row.scenario

    @property
    def sample_rate(self) -> int:
        """Hz."""
        return self.row.sample_rate

    @cached_property
    def mixture(self) -> np.ndarray:
        """What a system is given."""
        return self.dataset.read_sound(self.row.mixture_path, self.row.num_samples)

    @cached_property
    def enrollment(self) -> np.ndarray:
        """Another recording of the target."""
        return self.dataset.read_sound(self.row.enrollment_path)

    @cached_property
    def reference(self) -> np.ndarray | None:
        """What an output is compared with: the dataset's image of the target; None in TS3, and of recordings."""
        stem = REFERENCE_STEMS.get(self.dataset.description.reference)
        return self._stem(stem) if stem else None

    @cached_property
    def target(self) -> np.ndarray | None:
        """The target at the microphone; None in TS3, and where it is not known."""
        return self._stem("target")

    @cached_property
    def interferer(self) -> np.ndarray | None:
        """All interferers at the microphone; None in TS1, and where they are not known."""
        return self._stem("interferer")

    @cached_property
    def noise(self) -> np.ndarray | None:
        """The noise; None where the dataset did not keep it."""
        return self._stem("noise")

    @cached_property
    def active(self) -> dict[str, np.ndarray]:
        """Who speaks in each frame of 10 ms: ``target`` and ``interferer``, bool of shape (num_frames,)."""
        return self.dataset.read_frames(self.row)

    def _stem(self, stem: str) -> np.ndarray | None:
        path = self.dataset.stem_name(self.row.scene_id, stem)
        if stem.split("_", maxsplit=1)[0] == ABSENT.get(self.row.scenario) or not self.dataset.has(path):
            return None
        return self.dataset.read_sound(path, self.row.num_samples)


class ReadableDataset(ABC):
    """What is read from a dataset, wherever its files lie: a folder, or tar shards. ``description`` is its
    ``dataset.json``, ``mixtures`` the rows of ``mixtures.csv``."""

    description: Description
    mixtures: list[Mixture]

    @abstractmethod
    def read_bytes(self, path: str) -> bytes:
        """A file of the dataset by its path in the tables. Raises InputError when it is not the one that was
        rendered."""

    @abstractmethod
    def has(self, path: str) -> bool:
        """Whether a file of the tables is there."""

    @abstractmethod
    def name_of(self, path: str) -> str:
        """What messages call a file; no file of another dataset is called so."""

    @property
    def parts_kept(self) -> set[str]:
        """What is there of a scene beside its mixtures, of ``PARTS``."""
        kept = self.description.kept
        return set(PARTS if kept is None else kept)

    def require_kept(self, *needed: str) -> None:
        """Refuse a dataset that was rendered without some parts of its scenes that are needed, all of them of
        ``PARTS``. Raises InputError."""
        kept = self.parts_kept
        if missing := [part for part in PARTS if part in needed and part not in kept]:
            wanted = ",".join(part for part in PARTS if part in kept or part in missing)
            raise InputError(
                f"{self.name_of('dataset.json')}: rendered without {', '.join(missing)}, which this needs; render "
                f"its plan again into another folder, with --keep {wanted} or with everything"
            )

    def read_sound(self, path: str, num_samples: int | None = None) -> np.ndarray:
        """A sound file of the dataset by its path in the tables: float32 of full scale ±1, shape (num_samples,).
        Raises InputError when it is not the one that was rendered, nor of the dataset's rate and the length, if
        given."""
        return self.read_pcm16(path, num_samples) / np.float32(audio.FULL_SCALE)

    def read_pcm16(self, path: str, num_samples: int | None = None) -> np.ndarray:
        """The samples of a sound file as they are stored: int16; raises as ``read_sound``."""
        self.require_kept(Path(path).parent.name or "enrollment")  # a row says nothing of one that was not kept
        rate = self.description.sample_rate
        content = audio.FileContent(self.read_bytes(path), self.name_of(path))
        return audio.read_pcm16(content, sample_rate=rate, num_samples=num_samples)

    def stem_name(self, scene_id: str, stem: str) -> str:
        """The path of a scene's stem in the tables."""
        return f"stems/{stem}/{scene_id}.{self.description.format}"

    def __len__(self) -> int:
        return len(self.mixtures)

    def __getitem__(self, index: int) -> MixtureItem:
        return MixtureItem(self, self.mixtures[index])

    def __iter__(self) -> Iterator[MixtureItem]:
        return (MixtureItem(self, row) for row in self.mixtures)

    def first_scenes(self, count: int | None) -> list[Mixture]:
        """The mixtures of the first scenes; of all without a count."""
        chosen = set(itertools.islice(dict.fromkeys(row.scene_id for row in self.mixtures), count))
        return [row for row in self.mixtures if row.scene_id in chosen]

    def filter(self, *scenarios: str) -> list[MixtureItem]:
        """The mixtures of some scenarios. Raises InputError when there is no such scenario."""
        if unknown := set(scenarios) - set(DESCRIPTIONS):
            raise InputError(f"no scenario {min(unknown)!r}; there are {', '.join(DESCRIPTIONS)}")
        return [item for item in self if item.scenario in scenarios]

    def read_stem(self, scene_id: str, stem: str, num_samples: int | None = None) -> np.ndarray:
        """A stem: float32 of full scale ±1, shape (num_samples,); raises as ``read_sound``."""
        return self.read_sound(self.stem_name(scene_id, stem), num_samples)

    def read_activity(self, scene_id: str, num_samples: int | None = None) -> dict[str, np.ndarray]:
        """Sample masks of speech activity at the microphone: target and interferer, bool, (num_samples,). Raises
        InputError when the file is not the one that was rendered, or not of the length that is given."""
        return self._activity(scene_id, num_samples).masks

    def read_frames(self, mixture: Mixture) -> dict[str, np.ndarray]:
        """Who speaks in each frame of a mixture: target and interferer, bool, (num_frames,)."""
        frames, absent = self._activity(mixture.scene_id, mixture.num_samples).frames, ABSENT.get(mixture.scenario)
        return {who: labels & (who != absent) for who, labels in frames.items()}

    def _activity(self, scene_id: str, num_samples: int | None) -> Activity:
        self.require_kept("activity")
        path = f"activity/{scene_id}.json"
        name = self.name_of(path)
        return parse_activity(text_of(self.read_bytes(path), name), name, num_samples)


@dataclass(frozen=True)
class Dataset(ReadableDataset):
    """A finished dataset in a folder."""

    folder: Path
    description: Description
    mixtures: list[Mixture]

    @classmethod
    def open(cls, folder: str | Path) -> "Dataset":
        """Raises InputError when the folder holds no dataset, one of another schema, or one whose dataset.json was
        changed."""
        folder = Path(folder)
        path = folder / "dataset.json"
        if not path.is_file():
            hint = "give the folder that render or generate wrote"
            if (folder / "render.journal").exists():
                hint = "its render was interrupted: run the same render again"
            raise InputError(f"{folder}: no dataset here (dataset.json is missing); {hint}")
        content = read_json(path)
        if isinstance(content, dict) and content.get("schema") != SCHEMA:
            raise InputError(f"{path}: schema {content.get('schema')!r}, expected {SCHEMA}; render it again")
        description = parse(Description, content, str(path))
        sealed(content, path)
        table = folder / "mixtures.csv"
        mixtures = read_table(table, Mixture)
        if len(mixtures) != (said := description.mixtures):
            raise InputError(f"{table}: {len(mixtures)} rows, dataset.json says {said}; restore it")
        return cls(folder, description, mixtures)

    def require_unchanged(self) -> "Dataset":
        """Refuse a dataset whose tables are not those that were rendered; what is read later is held against
        them. Raises InputError naming the file."""
        wanted = {**self.description.tables, "plan.jsonl": self.description.plan_sha256}
        for name, expected in wanted.items():
            path = self.folder / name
            if not path.is_file() or sha256(path) != expected:
                raise InputError(f"{path}: {CHANGED}")
        return self

    @cached_property
    def files(self) -> list[StoredFile]:
        """The rows of ``files.csv``."""
        return read_table(self.folder / "files.csv", StoredFile)

    def stem_path(self, scene_id: str, stem: str) -> Path:
        """Where a scene's stem lies."""
        return self.folder / "stems" / stem / f"{scene_id}.{self.description.format}"

    def read_bytes(self, path: str) -> bytes:
        return self._as_rendered(path, Path.read_bytes, lambda content: hashlib.sha256(content).hexdigest())

    def sound_blocks(self, path: str, num_samples: int | None = None) -> Iterator[np.ndarray]:
        """What ``read_sound`` gives in blocks, of which one at a time lies in memory. Raises as there."""
        self._as_rendered(path, sha256, str)
        found, rate = self.folder / path, self.description.sample_rate
        blocks = audio.pcm16_blocks(found, sample_rate=rate, num_samples=num_samples)
        return (block / np.float32(audio.FULL_SCALE) for block in blocks)

    def _as_rendered(self, path: str, read: Callable[[Path], T], digest: Callable[[T], str]) -> T:
        expected = _hashes(self.folder, self.description.tables["files.csv"]).get(path)
        found = self.folder / path
        try:
            content = read(found) if found.is_file() else None
        except OSError as error:
            raise InputError(f"{found}: cannot be read ({error.strerror}); restore it or render again") from error
        if content is None or digest(content) != expected:
            raise InputError(f"{found}: {CHANGED}")
        return content

    def has(self, path: str) -> bool:
        return (self.folder / path).is_file()

    def name_of(self, path: str) -> str:
        return f"{self.folder}/{path}"
