"""What is known of a published system, and how it is had from the package that holds it."""

import importlib
import sys
from dataclasses import dataclass, field
from importlib.metadata import distribution
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.registry import installed_version, reason

ONNXRUNTIME = "onnxruntime"
NOT_SOURCES = (".dist-info/", "/__pycache__/", "/bin/")


@dataclass(frozen=True)
class Published:
    """A published system.

    Args:
        build: its class, which is given the folder that packages are installed in.
        name: of the system, for people.
        package: holds its code and weights.
        tried: the release of the package that the adapter was tried with.
        alone: installed without its dependencies, which the adapter does not need, but for ``needs``.
        needs: packages that the adapter imports beside it.
        licence: of code and weights.
        url: where it comes from.
        description: in a sentence.
        training_data: what it was trained on; '' where its makers do not say.
        parameters: how many; None where that is not known.
        latency_ms: algorithmic, where hop and delay do not say it.
        personalized: whether it hears the enrollment.
        weights: SHA-256 of each file of weights, by its path in the folder of packages.
    """

    build: Any
    name: str
    package: str
    tried: str
    licence: str
    url: str
    description: str
    training_data: str = ""
    parameters: int | None = None
    latency_ms: float | None = None
    personalized: bool = False
    alone: bool = False
    needs: tuple[str, ...] = ()
    weights: dict[str, str] = field(default_factory=dict)

    @property
    def install(self) -> str:
        """The command that installs the release that was tried."""
        first = f"pip install {' '.join(self.needs)} && " if self.needs else ""
        return f"{first}pip install {'--no-deps ' if self.alone else ''}{self.package}=={self.tried}"

    @property
    def installed(self) -> str:
        """The installed release; '' where it, or what it needs, is not there."""
        complete = all(find_spec(needed) for needed in self.needs)
        return installed_version(self.package) if complete else ""

    @property
    def folder(self) -> Path:
        """Where its package is installed."""
        return Path(str(distribution(self.package).locate_file("")))

    def files(self) -> list[Path]:
        """The code and weights that its package installed."""
        names = [str(name) for name in distribution(self.package).files or ()]
        return sorted(self.folder / name for name in names if not any(part in f"/{name}" for part in NOT_SOURCES))

    def about(self) -> dict[str, Any]:
        """The fields of ``system.yaml``."""
        known = {
            "name": self.name,
            "version": f"{self.package} {self.installed}",
            "description": self.description,
            "causal": True,
            "algorithmic_latency_ms": self.latency_ms,
            "parameters": self.parameters,
            "training_data": self.training_data,
            "url": self.url,
            "licence": self.licence,
            "uses_enrollment": None if self.personalized else False,  # of one that should, it is to be seen
        }
        return {key: value for key, value in known.items() if value is not None}

    def load(self, name: str) -> Any:
        """The system. Raises InputError, which calls it ``name``, where it is not installed, its weights are
        others than those that were tried, or it does not start."""
        if not self.installed:
            raise InputError(f"system {name}: {self.package} is not installed; run {self.install}")
        for file, expected in self.weights.items():
            path = self.folder / file
            if path.is_file() and (found := atomic.sha256(path)) != expected:
                raise InputError(
                    f"system {name}: {path}: SHA-256 {found}, expected {expected}, the weights of {self.package} "
                    f"{self.tried}; run {self.install}"
                )
        try:
            system = self.build(self.folder)
        except Exception as error:  # code of somebody else
            raise InputError(
                f"system {name}: {self.package} {self.installed} does not start ({reason(error)}); it was tried "
                f"with {self.tried}: {self.install}"
            ) from error
        system.files, system.info = self.files(), self.about()
        return system


def module_of(package: str, folder: Path, name: str) -> ModuleType:
    """A module of an installed package without running the package's ``__init__``, which may want what the module
    does not need. ``package`` is what it is called here."""
    if package not in sys.modules:
        sys.modules[package] = ModuleType(package)
        sys.modules[package].__path__ = [str(folder)]
    return importlib.import_module(f"{package}.{name}")


def to_pcm(samples: np.ndarray) -> bytes:
    """Samples of full scale ±1 as the bytes of 16-bit ones."""
    return np.clip(np.round(samples * 32768), -32768, 32767).astype("<i2").tobytes()


def from_pcm(sound: bytes) -> np.ndarray:
    """The bytes of 16-bit samples as float32 of full scale ±1."""
    return np.frombuffer(sound, "<i2").astype(np.float32) / 32768
