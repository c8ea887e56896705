"""Reading a clip that a manifest lists, after a check that it is the one."""

from pathlib import Path

import numpy as np

from pse_bench import audio, files
from pse_bench.errors import InputError

OF_SOUND = "pcm:"
"""Begins an identity that is a sum over the decoded samples and not over the file."""


def identity(path: Path, *, of_sound: bool) -> str:
    """What a manifest's ``sha256`` says of a file.

    Args:
        path: a sound file.
        of_sound: sum the decoded samples, so that every lossless container of the same sound is as good.

    Raises:
        InputError: the samples are asked for and the file is not 16-bit mono.
    """
    return OF_SOUND + audio.sha256_of_samples(audio.read_pcm16(path)) if of_sound else files.sha256(path)


def read(path: Path, sha256: str) -> tuple[np.ndarray, int]:
    """A whole file as float64 of shape (num_samples,), and its rate in Hz.

    Raises:
        InputError: it cannot be read, or it is not the file that ``sha256`` belongs to.
    """
    samples, sample_rate = audio.read(path)
    if identity(path, of_sound=sha256.startswith(OF_SOUND)) != sha256:
        raise InputError(
            f"{path}: not the file its manifest describes (sha256 differs); restore it or make "
            "the manifest and the plan again"
        )
    return samples, sample_rate
