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
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile

from pse_bench.errors import InputError
from pse_bench.io import pyav

FULL_SCALE = 32768.0
FAR_BEYOND = 100.0
"""No sound is 40 dB above full scale: floats that are were never scaled."""
FORMATS = {".flac": "FLAC", ".wav": "WAV"}
BLOCK = 1 << 21  # samples that are decoded at a time: a header may promise more than memory holds
UNKNOWN_LENGTH = 1 << 62  # from here on libsndfile says that a header tells no length
MPEG_FRAME = (
    1152  # samples at most; by two of them libsndfile may overestimate an MP3 that does not say its length
)


class LowPass(NamedTuple):
    """A resampling filter: half its length in samples of the slower rate, and the beta of its Kaiser window."""

    taps: int
    beta: float

    def look_ahead_s(self, from_hz: int, to_hz: int) -> float:
        """How far resampling looks ahead, in seconds; 0 between equal rates."""
        return 0.0 if from_hz == to_hz else self.taps / min(from_hz, to_hz)


SCENES = LowPass(10, 5.0)  # of the clips that scenes are made of, and of what encoders and recognisers hear
SYSTEMS = LowPass(16, 8.0)  # around systems: 1 ms at 16 kHz, -75 dB off up to 0.85 of half the slower rate
METRICS = LowPass(64, 8.0)  # for metrics: the same up to 0.96


@dataclass(frozen=True)
class Info:
    """The header of a sound file."""

    sample_rate: int
    num_samples: int
    channels: int
    subtype: str


def to_float(samples: Any, what: str) -> np.ndarray:
    """Samples of any common kind as float64 of full scale ±1, shape (num_samples,).

    Takes arrays, lists and tensors of floats, which are held to have that scale already, and of int16 and int32,
    which are divided by theirs.

    Args:
        samples: shape (num_samples,).
        what: names them in messages.

    Raises:
        InputError: of another kind or shape, or floats that are scaled as integers.
    """
    if hasattr(samples, "detach"):  # a tensor, maybe of another device
        samples = samples.detach().cpu()
    found = np.asarray(samples)
    if found.dtype in (np.int16, np.int32):
        return found / -float(np.iinfo(found.dtype).min)
    if found.dtype.kind != "f":
        raise InputError(f"{what}: {found.dtype} samples; give floats of full scale ±1, or int16 or int32")
    if found.size and np.abs(found).max() > FAR_BEYOND:
        raise InputError(
            f"{what}: samples up to {np.abs(found).max():g}, full scale is ±1; divide those of 16 bits by "
            f"{FULL_SCALE:g}"
        )
    return np.ascontiguousarray(found, dtype=np.float64)


def seconds_to_samples(seconds: float, sample_rate: int) -> int:
    """The one rounding from seconds to whole samples (half away from zero)."""
    return int(seconds * sample_rate + 0.5)


class FileContent(io.BytesIO):
    """A file's bytes, read as the file ``where``.

    A place before the beginning, where a damaged header may point, is none, and no exception in a callback of
    libsndfile's, which would be printed and passed over.
    """

    def __init__(self, content: bytes, where: str) -> None:
        super().__init__(content)
        self.where = where

    def __str__(self) -> str:
        return self.where

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return self.tell()


class _Stream(soundfile.SoundFile):
    """An open file that is read from one place on to its end, or to another place."""

    def seekable(self) -> bool:  # else soundfile jumps to where it is after each block, which decodes it again
        return False

    def jumps(self) -> bool:
        """Whether libsndfile can jump into it exactly: what follows a jump into MP3 or Opus differs in the last
        bits or worse, near the end of Ogg Vorbis it is other sound."""
        return self.format not in ("MP3", "OGG") and super().seekable()


def _open(file: Path | FileContent) -> _Stream:
    """An open file, whose ``name`` names it in errors."""
    if isinstance(file, Path) and not file.is_file():
        raise InputError(f"{file}: {_instead_of_a_file(file)}")
    if isinstance(file, Path) and file.suffix.lower() in pyav.ENDINGS:
        samples, rate = pyav.read(file)
        file = FileContent(encode(samples, rate, ".wav", "FLOAT"), str(file))
    try:
        stream = _Stream(file)
    except (soundfile.SoundFileError, RuntimeError) as error:
        fault = f"not a sound file that can be opened ({_reason(error)})"
        raise InputError(f"{file}: {fault}; restore or remove it") from error
    if stream.frames >= UNKNOWN_LENGTH:
        raise InputError(f"{file}: its header does not say how long it is; store it again")
    return stream


def _instead_of_a_file(path: Path) -> str:
    """The kind of what lies at a path that is no file, and the remedy."""
    try:
        mode = path.stat().st_mode
    except OSError:
        if path.is_symlink():
            return "no such file but a link that leads nowhere; restore or remove it"
        return "no such file; check the path and the --root it is relative to"
    kind = {"d": "folder", "p": "pipe", "s": "socket"}.get(stat.filemode(mode)[0], "device")
    return f"no such file but a {kind}; rename or remove it"


def info(path: Path) -> Info:
    """The header of a sound file, but the length of an MP3 as it is decoded. Raises InputError when it cannot be
    opened."""
    with _open(path) as stream:
        frames = stream.frames
        if stream.format == "MP3":
            frames = sum(map(len, _decoded(stream, 0, frames, "float32")))
        return Info(stream.samplerate, frames, stream.channels, stream.subtype)


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
        path: a mono file of any format that libsndfile reads, or PyAV (``pyav.ENDINGS``).
        sample_rate: the rate that is expected, in Hz; None accepts any.
        num_samples: the length that the whole file is expected to have; None accepts any.
        start, stop: the stretch to read, in samples of the file; nothing after it is decoded and, where
            libsndfile can jump into the format exactly, nothing before it.

    Raises:
        InputError: the file is missing, unreadable, truncated, not mono, empty, of another rate or length,
            or holds NaN or infinity.
    """
    with _open(path) as stream:
        _check_mono(stream)
        if sample_rate not in (None, stream.samplerate):
            raise InputError(f"{path}: sampled at {stream.samplerate} Hz, expected {sample_rate} Hz; resample it")
        if num_samples not in (None, stream.frames):
            remedy = "keep the length and the alignment of the original"
            raise InputError(f"{path}: {stream.frames} samples long, expected {num_samples}; {remedy}")
        stop = stream.frames if stop is None else stop
        return _joined(_numbers(stream, start, stop)), stream.samplerate


def blocks(path: Path) -> Iterator[np.ndarray]:
    """Blocks of ``BLOCK`` samples of a whole file, however long it is, as ``read`` gives them. Raises as there."""
    with _open(path) as stream:
        _check_mono(stream)
        yield from _numbers(stream, 0, stream.frames)


def _check_mono(stream: _Stream) -> None:
    if stream.channels != 1:
        raise InputError(f"{stream.name}: has {stream.channels} channels, expected 1; mix down to mono first")
    if stream.frames == 0:
        raise InputError(f"{stream.name}: holds no samples; restore or remove it")


def _numbers(stream: _Stream, start: int, stop: int) -> Iterator[np.ndarray]:
    """Blocks of float64, all of them finite."""
    of_16_bits = stream.subtype == "PCM_16"  # quicker, and the same numbers
    for block in _decoded(stream, start, stop, "int16" if of_16_bits else "float64"):
        samples = block / FULL_SCALE if of_16_bits else block
        if not of_16_bits and not np.isfinite(samples).all():
            raise InputError(f"{stream.name}: holds NaN or infinite samples; write finite numbers")
        yield samples


def _decoded(stream: _Stream, start: int, stop: int, kind: str) -> Iterator[np.ndarray]:
    """Blocks of a stretch, as many samples as were asked for."""
    begin = start if stream.jumps() else 0
    for done in range(begin, stop, BLOCK):
        wanted = min(BLOCK, stop - done)
        try:
            if done == begin and begin:
                stream.seek(begin)
            block = stream.read(wanted, dtype=kind)
        except (soundfile.SoundFileError, RuntimeError) as error:
            raise InputError(f"{stream.name}: damaged ({_reason(error)}); restore or remove it") from error
        estimated = stream.format == "MP3" and stop == stream.frames
        if wanted - len(block) > (2 * MPEG_FRAME if estimated else 0):
            fault = f"ends after {done + len(block)} samples, its header says {stream.frames}"
            raise InputError(f"{stream.name}: {fault}; the file is truncated, restore or remove it")
        if done + len(block) > start:
            yield block[max(0, start - done) :]


def _joined(blocks: Iterator[np.ndarray]) -> np.ndarray:
    found = list(blocks)
    if len(found) == 1:
        return found[0]
    return np.concatenate(found) if found else np.zeros(0)


def read_pcm16(
    file: Path | FileContent, *, sample_rate: int | None = None, num_samples: int | None = None
) -> np.ndarray:
    """The samples of a 16-bit mono file exactly as stored: int16, shape (num_samples,).

    ``sample_rate`` (Hz) and ``num_samples`` are what is expected; None accepts any rate, and any length but none.
    Raises InputError when the file is something else, or damaged.
    """
    return _joined(pcm16_blocks(file, sample_rate=sample_rate, num_samples=num_samples))


def pcm16_blocks(
    file: Path | FileContent, *, sample_rate: int | None = None, num_samples: int | None = None
) -> Iterator[np.ndarray]:
    """Blocks of ``BLOCK`` samples of what ``read_pcm16`` gives. Raises as there."""
    with _open(file) as stream:
        if stream.channels != 1 or stream.subtype != "PCM_16":
            found = f"{stream.channels} channels of {stream.subtype}"
            raise InputError(f"{file}: {found}, expected mono PCM_16; restore it")
        if sample_rate not in (None, stream.samplerate):
            rate = stream.samplerate
            raise InputError(f"{file}: sampled at {rate} Hz, expected {sample_rate} Hz; restore it")
        if stream.frames == 0 or num_samples not in (None, stream.frames):
            expected = "some" if num_samples is None else num_samples
            raise InputError(f"{file}: {stream.frames} samples long, expected {expected}; restore it")
        yield from _decoded(stream, 0, stream.frames, "int16")


def find(folder: Path, stem: str, endings: Iterable[str] = FORMATS) -> list[Path]:
    """The sound files in a folder that are called ``stem``, whatever their format; none where it is too long."""
    return [path for ending in endings if os.path.isfile(path := folder / f"{stem}{ending}")]


def _reason(error: Exception) -> str:
    text = str(error).strip().rstrip(".")
    return text.rsplit(": ", 1)[-1] if text else type(error).__name__


def encode(samples: np.ndarray, sample_rate: int, ending: str, subtype: str = "PCM_16") -> bytes:
    """A mono file of the format that belongs to an ending of ``FORMATS``, as bytes.

    In memory, because libsndfile makes the disk catch up with every file that it writes itself.
    """
    stream = io.BytesIO()
    soundfile.write(stream, samples, sample_rate, format=FORMATS[ending], subtype=subtype)
    return stream.getvalue()


def write(
    path: Path, samples: np.ndarray | Iterable[np.ndarray], sample_rate: int, subtype: str = "PCM_16"
) -> None:
    """Write a mono file of samples, or of blocks of them; the format follows from the name's ending (.flac or
    .wav), below a .part that ``atomic.replacing`` has put on it."""
    name = path.with_suffix("") if path.suffix == ".part" else path
    blocks = [samples] if isinstance(samples, np.ndarray) else samples
    kind = {"format": FORMATS[name.suffix], "subtype": subtype}
    with _Sink(path) as sink, soundfile.SoundFile(sink, "w", sample_rate, 1, **kind) as stream:
        for block in blocks:
            stream.write(block)


class _Sink:
    """A file that libsndfile writes to, which does not make the disk catch up, as for files of its own. An error,
    which would be printed in its callback and passed over, is raised when all is written."""

    def __init__(self, path: Path) -> None:
        self._path, self._file = path, path.open("w+b")
        self._error: OSError | None = None

    def __enter__(self) -> "_Sink":
        return self

    def __exit__(self, *_: object) -> None:
        with self._file:
            self._try(self._file.flush, 0)
            if self._error:
                raise OSError(self._error.errno, self._error.strerror, str(self._path)) from self._error

    def _try(self, method: Callable[[], int | None], otherwise: int) -> int:
        if self._error is None:
            try:
                return method() or 0
            except OSError as error:
                self._error = error
        return otherwise

    def write(self, data: bytes) -> int:
        return self._try(lambda: self._file.write(data), len(data))

    def seek(self, offset: int, whence: int = 0) -> int:
        return self._try(lambda: self._file.seek(offset, whence), 0)

    def tell(self) -> int:
        return self._try(self._file.tell, 0)

    def read(self, count: int) -> bytes:
        return self._file.read(count)


def to_pcm16(samples: np.ndarray, gain: float = 1.0) -> np.ndarray:
    """Round full scale ±1, times a gain, to int16. The caller makes sure that nothing clips."""
    scaled = samples * (gain * FULL_SCALE)
    return np.rint(scaled, out=scaled).astype(np.int16)


def sha256_of_samples(pcm: np.ndarray) -> str:
    """SHA-256 of int16 samples in little-endian order: the sound itself, whatever file holds it."""
    return hashlib.sha256(np.ascontiguousarray(pcm, dtype="<i2").data).hexdigest()


def resample(samples: np.ndarray, from_hz: int, to_hz: int, low_pass: LowPass = SCENES) -> np.ndarray:
    """Band-limited resampling by a rational factor (polyphase): of linear phase, aligned to the sample; the length
    becomes ceil(n · to / from)."""
    if from_hz == to_hz:
        return samples
    from scipy.signal import resample_poly

    up, down = _ratio(from_hz, to_hz)
    return resample_poly(samples, up, down, window=_designed(low_pass, max(up, down)))


@lru_cache
def _ratio(from_hz: int, to_hz: int) -> tuple[int, int]:
    common = math.gcd(from_hz, to_hz)
    return to_hz // common, from_hz // common


@lru_cache
def _designed(low_pass: LowPass, most: int) -> np.ndarray:
    """The filter of a resampling whose larger factor is ``most``, as scipy designs it anew every time."""
    from scipy.signal import firwin

    return firwin(2 * low_pass.taps * most + 1, 1 / most, window=("kaiser", low_pass.beta))


def needed_to_resample(first: int, last: int, from_hz: int, to_hz: int) -> tuple[int, int, int]:
    """The stretch that the samples from ``first`` to before ``last`` at ``to_hz`` depend on, with ``SCENES``.

    Returns:
        The stretch's first and last sample at ``from_hz`` (the last may lie beyond the signal's end), and how many
        samples at ``to_hz`` come before the wanted ones when that stretch alone is resampled.
    """
    up, down = _ratio(from_hz, to_hz)
    margin = SCENES.taps * max(up, down) // up + 2
    # a multiple of the factor: then the stretch meets the same taps as the whole signal
    start = max(0, first * down // up - margin) // down * down
    return start, last * down // up + margin, first - start * up // down


def resampled_length(num_samples: int, from_hz: int, to_hz: int) -> int:
    """The length that ``resample`` gives."""
    up, down = _ratio(from_hz, to_hz)
    return -(-num_samples * up // down)
