"""faster-whisper with a model that the user has on disk (extra ``whisper``); nothing is ever downloaded.

English, one thread, no sampling, no voice activity detection and no text carried from one stretch to the next, in
32-bit floats on the CPU, so that a transcript depends on the sound and the model alone. For large models on an
accelerator, write a CSV of hypotheses instead.
"""

import hashlib
from functools import cache, partial
from importlib.metadata import version
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


def from_folder(folder: Path) -> Recogniser:
    """The recogniser of a model in CTranslate2's format.

    Raises:
        InputError: there is no such model, or faster-whisper is not installed.
    """
    for name in NEEDED:
        if not (folder / name).is_file():
            raise InputError(
                f"{folder}: no whisper model here ({name} is missing); give the folder of a model in CTranslate2 "
                "format with its tokenizer, nothing is downloaded"
            )
    require("faster_whisper", "faster-whisper", "whisper")
    digest = hashlib.sha256(str(BEAM).encode())
    for path in sorted(path for path in folder.iterdir() if path.is_file()):
        digest.update(f"{path.name} {atomic.sha256(path)}\n".encode())
    return Recogniser(
        name="faster-whisper",
        version=f"{version('faster-whisper')} with ctranslate2 {version('ctranslate2')}",
        model=digest.hexdigest(),
        note=f"model {folder.name}: English, beam {BEAM}, no sampling",
        decode=partial(_decode, str(folder.resolve())),
    )


def _decode(folder: str, samples: Signal, mixture_id: str) -> str:
    segments, _ = _model(folder).transcribe(
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
def _model(folder: str) -> Any:
    """The model of a folder, loaded once in each process."""
    from faster_whisper import WhisperModel

    try:
        return WhisperModel(folder, device="cpu", compute_type="float32", cpu_threads=1, local_files_only=True)
    except (RuntimeError, ValueError, OSError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{folder}: cannot be loaded by faster-whisper ({reason}); restore it") from error
