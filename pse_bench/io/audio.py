"""Reading and writing sound: strict, mono, and exact to the sample.

Signals are float64 arrays of shape (num_samples,) with full scale at ±1; stored sound is 16-bit. Nothing is
repaired in silence: a wrong rate, channel count, length or a value that is not a number is an error that
names the file.
"""

import hashlib
import io
import math
import os
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import soundfile

from pse_bench.errors import InputError

FULL_SCALE = 32768.0
FORMATS = {".flac": "FLAC", ".wav": "WAV"}

BLOCK = 1 << 21
"""Samples that are decoded at a time: a header may promise more than memory holds."""

UNKNOWN_LENGTH = 1 << 62
"""Lengths from here on are how libsndfile says that a header tells none."""

RESAMPLING_TAPS = 10
"""Half the length of the resampling filter, in samples of the slower rate."""


@dataclass(frozen=True)
class Info:
    """The header of a sound file."""

    sample_rate: int
    num_samples: int
    channels: int
    subtype: str


def seconds_to_samples(seconds: float, sample_rate: int) -> int:
    """The one rounding from seconds to whole samples (half away from zero)."""
    return int(seconds * sample_rate + 0.5)


def info(path: Path) -> Info:
    """The header of a sound file. Raises InputError when it cannot be opened."""
    with _opened(path) as stream:
        return _header(stream, str(path))


def _opened(path: Path) -> soundfile.SoundFile:
    if not path.is_file():
        raise InputError(f"{path}: {_instead_of_a_file(path)}")
    return _open(str(path), str(path))


def _open(file: "str | _InMemory", where: str) -> soundfile.SoundFile:
    try:
        return soundfile.SoundFile(file)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise InputError(
            f"{where}: not a sound file that can be opened ({_reason(error)}); restore or remove it"
        ) from error


def _instead_of_a_file(path: Path) -> str:
    """The kind of what lies at a path that is no file, and the remedy."""
    try:
        mode = path.stat().st_mode
    except OSError:
        if path.is_symlink():
            return "no such file but a link that leads nowhere; restore or remove it"
        return "no such file; check the path and the --root it is relative to"
    kinds = ((stat.S_ISDIR, "folder"), (stat.S_ISFIFO, "pipe"), (stat.S_ISSOCK, "socket"))
    kind = next((word for of_kind, word in kinds if of_kind(mode)), "device")
    return f"no such file but a {kind}; rename or remove it"


def _header(stream: soundfile.SoundFile, where: str) -> Info:
    header = Info(stream.samplerate, stream.frames, stream.channels, stream.subtype)
    if header.num_samples >= UNKNOWN_LENGTH:
        raise InputError(f"{where}: its header does not say how long it is; store it again")
    return header


def read(
    path: Path,
    *,
    sample_rate: int | None = None,
    num_samples: int | None = None,
    start: int = 0,
    stop: int | None = None,
) -> tuple[np.ndarray, int]:
    """One channel of sound as float64 of shape (num_samples,), and its sample rate.

    Args:
        path: a mono file of any format libsndfile reads.
        sample_rate: the rate that is expected, in Hz; None accepts any.
        num_samples: the length that the whole file is expected to have; None accepts any.
        start, stop: the stretch to read, in samples of the file; nothing else of it is decoded.

    Raises:
        InputError: the file is missing, unreadable, truncated, not mono, empty, of another rate or length,
            or holds NaN or infinity.
    """
    with _opened(path) as stream:
        header = _mono(stream, path)
        if sample_rate is not None and header.sample_rate != sample_rate:
            raise InputError(f"{path}: sampled at {header.sample_rate} Hz, expected {sample_rate} Hz; resample it")
        if num_samples is not None and header.num_samples != num_samples:
            raise InputError(
                f"{path}: {header.num_samples} samples long, expected {num_samples}; "
                "keep the length and the alignment of the original"
            )
        stop = header.num_samples if stop is None else stop
        return _joined(_numbers(stream, header, path, start, stop)), header.sample_rate


def blocks(path: Path) -> Iterator[np.ndarray]:
    """Blocks of ``BLOCK`` samples of a whole file, however long it is, as ``read`` gives them. Raises as there."""
    with _opened(path) as stream:
        header = _mono(stream, path)
        yield from _numbers(stream, header, path, 0, header.num_samples)


def _mono(stream: soundfile.SoundFile, path: Path) -> Info:
    header = _header(stream, str(path))
    if header.channels != 1:
        raise InputError(f"{path}: has {header.channels} channels, expected 1; mix down to mono first")
    if header.num_samples == 0:
        raise InputError(f"{path}: holds no samples; restore or remove it")
    return header


def _numbers(stream: soundfile.SoundFile, header: Info, path: Path, start: int, stop: int) -> Iterator[np.ndarray]:
    """Blocks of float64, all of them finite."""
    # of 16 bits: quicker, and the same numbers
    kind, scale = ("int16", FULL_SCALE) if header.subtype == "PCM_16" else ("float64", None)
    for block in _decoded(stream, header, str(path), start, stop, kind):
        samples = block / scale if scale else block
        if not np.isfinite(samples).all():
            raise InputError(f"{path}: holds NaN or infinite samples; write finite numbers")
        yield samples


def _decoded(
    stream: soundfile.SoundFile, header: Info, where: str, start: int, stop: int, kind: str
) -> Iterator[np.ndarray]:
    """Blocks of a stretch, as many samples as were asked for."""
    done = start
    while done < stop:
        wanted = min(BLOCK, stop - done)
        try:
            if done == start and start:
                stream.seek(start)
            block = stream.read(wanted, dtype=kind)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise InputError(f"{where}: damaged ({_reason(error)}); restore or remove it") from error
        done += len(block)
        if len(block) < wanted:
            raise InputError(
                f"{where}: ends after {done} samples, its header says {header.num_samples}; "
                "the file is truncated, restore or remove it"
            )
        yield block


def _joined(blocks: Iterator[np.ndarray]) -> np.ndarray:
    found = list(blocks)
    if len(found) == 1:
        return found[0]
    return np.concatenate(found) if found else np.zeros(0)


def read_pcm16(path: Path, *, sample_rate: int | None = None, num_samples: int | None = None) -> np.ndarray:
    """The samples of a 16-bit mono file exactly as stored: int16, shape (num_samples,).

    Args:
        path: the file.
        sample_rate, num_samples: what is expected; None accepts any rate in Hz, and any length but none.

    Raises:
        InputError: the file is something else, or damaged.
    """
    with _opened(path) as stream:
        return _pcm16(stream, str(path), sample_rate, num_samples)


def pcm16_of(
    content: bytes, where: str, *, sample_rate: int | None = None, num_samples: int | None = None
) -> np.ndarray:
    """As ``read_pcm16``, of a file's bytes; ``where`` names it in the error."""
    with _open(_InMemory(content), where) as stream:
        return _pcm16(stream, where, sample_rate, num_samples)


def _pcm16(
    stream: soundfile.SoundFile, where: str, sample_rate: int | None, num_samples: int | None
) -> np.ndarray:
    header = _header(stream, where)
    if header.channels != 1 or header.subtype != "PCM_16":
        raise InputError(
            f"{where}: {header.channels} channels of {header.subtype}, expected mono PCM_16; restore it"
        )
    if sample_rate is not None and header.sample_rate != sample_rate:
        raise InputError(f"{where}: sampled at {header.sample_rate} Hz, expected {sample_rate} Hz; restore it")
    if header.num_samples == 0 or num_samples not in (None, header.num_samples):
        expected = "some" if num_samples is None else num_samples
        raise InputError(f"{where}: {header.num_samples} samples long, expected {expected}; restore it")
    return _joined(_decoded(stream, header, where, 0, header.num_samples, "int16"))


def encode(samples: np.ndarray, sample_rate: int, ending: str, subtype: str = "PCM_16") -> bytes:
    """A mono file of the format that belongs to an ending of ``FORMATS``, as bytes.

    In memory, because libsndfile makes the disk catch up with every file that it writes itself.
    """
    stream = io.BytesIO()
    soundfile.write(stream, samples, sample_rate, format=FORMATS[ending], subtype=subtype)
    return stream.getvalue()


class _InMemory(io.BytesIO):
    """A file's bytes; a place before the beginning, where a damaged header may point, is none, and no exception in
    a callback of libsndfile's, which would be printed and passed over."""

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


def write(path: Path, samples: np.ndarray, sample_rate: int, subtype: str = "PCM_16") -> None:
    """Write a mono file; the format follows from the name's ending (.flac or .wav).

    The caller writes to a temporary name first (see ``atomic.replacing``).
    """
    name = path.with_suffix("") if path.suffix == ".part" else path
    path.write_bytes(encode(samples, sample_rate, name.suffix, subtype))


def to_pcm16(samples: np.ndarray, gain: float = 1.0) -> np.ndarray:
    """Round full scale ±1, times a gain, to int16. The caller makes sure that nothing clips."""
    scaled = samples * (gain * FULL_SCALE)
    return np.rint(scaled, out=scaled).astype(np.int16)


def sha256_of_samples(pcm: np.ndarray) -> str:
    """SHA-256 of int16 samples in little-endian order: the sound itself, whatever file holds it."""
    return hashlib.sha256(np.ascontiguousarray(pcm, dtype="<i2").data).hexdigest()


def resample(samples: np.ndarray, from_hz: int, to_hz: int) -> np.ndarray:
    """Band-limited resampling by a rational factor (polyphase); the length becomes ceil(n · to / from)."""
    if from_hz == to_hz:
        return samples
    from scipy.signal import resample_poly

    up, down = _ratio(from_hz, to_hz)
    return resample_poly(samples, up, down, window=_low_pass(max(up, down)))


@lru_cache
def _ratio(from_hz: int, to_hz: int) -> tuple[int, int]:
    common = math.gcd(from_hz, to_hz)
    return to_hz // common, from_hz // common


@lru_cache
def _low_pass(most: int) -> np.ndarray:
    """The filter of a resampling whose larger factor is ``most``, as scipy designs it anew every time."""
    from scipy.signal import firwin

    return firwin(2 * RESAMPLING_TAPS * most + 1, 1 / most, window=("kaiser", 5.0))


def needed_to_resample(first: int, last: int, from_hz: int, to_hz: int) -> tuple[int, int, int]:
    """The stretch that resampled samples depend on.

    Args:
        first, last: the wanted samples, first included and last not, at ``to_hz``.

    Returns:
        The stretch's first and last sample at ``from_hz`` (the last may lie beyond the signal's end), and how many
        samples at ``to_hz`` come before the wanted ones when that stretch alone is resampled.
    """
    up, down = _ratio(from_hz, to_hz)
    margin = RESAMPLING_TAPS * max(up, down) // up + 2
    # a multiple of the factor: then the stretch meets the same taps as the whole signal
    start = max(0, first * down // up - margin) // down * down
    return start, last * down // up + margin, first - start * up // down


def resampled_length(num_samples: int, from_hz: int, to_hz: int) -> int:
    """The length that ``resample`` gives."""
    up, down = _ratio(from_hz, to_hz)
    return -(-num_samples * up // down)


def find(folder: Path, stem: str, endings: Iterable[str] = FORMATS) -> list[Path]:
    """The sound files in a folder that are called ``stem``, whatever their format; none where it is too long."""
    return [path for ending in endings if os.path.isfile(path := folder / f"{stem}{ending}")]


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    return text.rsplit(": ", 1)[-1] if text else type(error).__name__
