"""Reading clips that a manifest lists, after a check that they are the ones."""

from functools import lru_cache
from pathlib import Path

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io import atomic, audio

OF_SOUND = "pcm:"
"""Begins an identity that is a sum over the decoded samples and not over the file."""

BLOCK = 1 << 17
BLOCKS = 64
"""What is resampled is kept in blocks of this many samples, and this many of them: 64 MB a process."""


def identity(path: Path, *, of_sound: bool) -> str:
    """What a manifest's ``sha256`` says of a file. ``of_sound`` sums the decoded samples, so that every lossless
    container of the same sound is as good, and raises InputError where they are not 16-bit mono."""
    return OF_SOUND + audio.sha256_of_samples(audio.read_pcm16(path)) if of_sound else atomic.sha256(path)


def read(path: Path, sha256: str) -> tuple[np.ndarray, int]:
    """A whole file as float64 of shape (num_samples,), and its rate in Hz.

    Raises:
        InputError: it cannot be read, or it is not the file that ``sha256`` belongs to.
    """
    _checked(path, sha256, _touched(path))
    return audio.read(path)


def stretch(path: Path, sha256: str, *, start: int, num_samples: int, sample_rate: int) -> np.ndarray:
    """A stretch of a clip at a rate, float64, shape (num_samples,); of the file only what it takes is decoded.

    ``start`` and ``num_samples`` count samples at ``sample_rate``, in Hz. That the file is the one that was
    planned with is looked at once a process, as long as it is not touched.

    Raises:
        InputError: it cannot be read, is not the file that ``sha256`` belongs to, or ends before the stretch.
    """
    touched = _touched(path)
    rate, length = _checked(path, sha256, touched)
    if start + num_samples > audio.resampled_length(length, rate, sample_rate):
        raise InputError(f"{path}: shorter than its manifest says; make the manifest and plan again")
    if rate == sample_rate:
        return audio.read(path, start=start, stop=start + num_samples)[0]
    first, last = start // BLOCK, -(-(start + num_samples) // BLOCK)
    blocks = [_block(path, sha256, touched, sample_rate, index) for index in range(first, last)]
    return np.concatenate(blocks)[start - first * BLOCK :][:num_samples]


def _touched(path: Path) -> tuple[int, int]:
    """What changes when somebody writes to a file."""
    try:
        status = path.stat()
    except OSError:  # opening it says what is wrong
        return 0, 0
    return status.st_mtime_ns, status.st_size


@lru_cache(maxsize=4096)
def _checked(path: Path, sha256: str, touched: tuple[int, int]) -> tuple[int, int]:
    """A file's rate in Hz and number of samples, after a check that it is the one."""
    header = audio.info(path)
    if identity(path, of_sound=sha256.startswith(OF_SOUND)) != sha256:
        raise InputError(
            f"{path}: not the file its manifest describes (sha256 differs); restore it or make "
            "the manifest and the plan again"
        )
    return header.sample_rate, header.num_samples


@lru_cache(maxsize=BLOCKS)
def _block(path: Path, sha256: str, touched: tuple[int, int], sample_rate: int, index: int) -> np.ndarray:
    """A part of a clip at another rate than its own, to the bit what all of it would be there."""
    rate, length = _checked(path, sha256, touched)
    begin = index * BLOCK
    end = min(begin + BLOCK, audio.resampled_length(length, rate, sample_rate))
    start, stop, before = audio.needed_to_resample(begin, end, rate, sample_rate)
    samples, _ = audio.read(path, start=start, stop=min(stop, length))
    return audio.resample(samples, rate, sample_rate)[before : before + end - begin]


def forget() -> None:
    """As in a new process: check files again, resample them again."""
    _checked.cache_clear()
    _block.cache_clear()
