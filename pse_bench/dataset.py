"""A dataset on disk: where everything lies, and reading it back."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from pse_bench import activity, audio
from pse_bench.errors import InputError
from pse_bench.files import Record, parse, parse_json, read_table, read_text, sha256_of_text
from pse_bench.records import SCHEMA, Count, Mixture, Sha256, StoredFile

STEMS = ("target", "target_early", "interferer", "noise")
SOUND_PACKAGES = ("numpy", "scipy", "soundfile", "pyroomacoustics")
"""Packages whose release can change what a dataset sounds like; their versions are part of it."""


class Description(Record):
    """``dataset.json``."""

    schema_: Annotated[int, Field(alias="schema")]
    kind: str
    name: str
    version: int
    reference: Literal["early", "reverberant"]
    sample_rate: Count
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


class Activity(Record):
    """``activity/<scene_id>.json``: one character a frame, 1 where somebody speaks. Frames do not overlap:
    frame t covers samples [t · hop, (t + 1) · hop)."""

    schema_: Annotated[int, Field(alias="schema")]
    scene_id: str
    sample_rate: Count
    num_samples: Count
    hop: Count
    target: str
    interferer: str


def activity_document(scene_id: str, rate: int, num_samples: int, labels: dict[str, np.ndarray]) -> str:
    """The text of a scene's activity file."""
    document = {
        "schema": SCHEMA,
        "scene_id": scene_id,
        "sample_rate": rate,
        "num_samples": num_samples,
        "hop": activity.hop_samples(rate),
        **{who: "".join("1" if frame else "0" for frame in active) for who, active in labels.items()},
    }
    return json.dumps(document) + "\n"


def sound_versions() -> dict[str, str]:
    """Installed versions of pse-bench and of the packages that affect sound."""
    found = {}
    for package in ("pse-bench", *SOUND_PACKAGES):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    return found


def fingerprint(plan_sha256: str, files: Iterable[StoredFile]) -> str:
    """One number for a dataset: its plan, and the sound and labels of every file, whatever their container."""
    contents = sorted((str(Path(file.path).with_suffix("")), file.content_sha256) for file in files)
    return sha256_of_text(json.dumps([plan_sha256, contents]))


@dataclass(frozen=True)
class Dataset:
    """A finished dataset in a folder."""

    folder: Path
    description: Description
    mixtures: list[Mixture]

    @classmethod
    def open(cls, folder: Path) -> "Dataset":
        """Raises InputError when the folder holds no dataset, or one of another schema."""
        path = folder / "dataset.json"
        if not path.is_file():
            hint = (
                "its render was interrupted: run the same render again"
                if (folder / "render.journal").exists()
                else "give the folder that render or generate wrote"
            )
            raise InputError(f"{folder}: no dataset here (dataset.json is missing); {hint}")
        content = parse_json(read_text(path), str(path))
        if isinstance(content, dict) and content.get("schema") != SCHEMA:
            raise InputError(f"{path}: schema {content.get('schema')!r}, expected {SCHEMA}; render it again")
        description = parse(Description, content, str(path))
        mixtures = read_table(folder / "mixtures.csv", Mixture)
        if len(mixtures) != description.mixtures:
            raise InputError(
                f"{folder / 'mixtures.csv'}: {len(mixtures)} rows, dataset.json says {description.mixtures}; "
                "restore it"
            )
        return cls(folder, description, mixtures)

    @cached_property
    def files(self) -> list[StoredFile]:
        """The rows of ``files.csv``."""
        return read_table(self.folder / "files.csv", StoredFile)

    def stem_path(self, scene_id: str, stem: str) -> Path:
        """Where a scene's stem lies."""
        return self.folder / "stems" / stem / f"{scene_id}.{self.description.format}"

    def has_interferer(self, scene_id: str) -> bool:
        """Whether a scene has an interferer at all (a TS1-only scene of a training set has none)."""
        return self.stem_path(scene_id, "interferer").exists()

    def read_stem(self, scene_id: str, stem: str) -> np.ndarray:
        """A stem as stored: int16, shape (num_samples,)."""
        return audio.read_pcm16(self.stem_path(scene_id, stem))

    def read_activity(self, scene_id: str) -> dict[str, np.ndarray]:
        """Sample masks of speech activity at the microphone: target and interferer, bool, (num_samples,)."""
        path = self.folder / "activity" / f"{scene_id}.json"
        document = parse(Activity, parse_json(read_text(path), str(path)), str(path))
        masks = {}
        for who in ("target", "interferer"):
            labels = np.frombuffer(getattr(document, who).encode(), dtype=np.uint8) == ord("1")
            if len(labels) != -(-document.num_samples // document.hop):
                raise InputError(f"{path}: {len(labels)} frames of {who} do not fit its grid; restore it")
            masks[who] = activity.to_samples(labels, document.num_samples, document.sample_rate)
        return masks
