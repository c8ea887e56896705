"""What can be wrong with a sound file, as functions that put it where a good file belongs.

A maker gets the place, which is free, and the samples that belong there: float64, shape (num_samples,), at 16 kHz.
What it makes is the same wherever it is put: among the clips of a corpus, in a dataset, in a submission.
"""

import io
import os
import socket
import struct
import uuid
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import soundfile

RATE = 16_000
Maker = Callable[[Path, np.ndarray], None]
Change = Callable[[np.ndarray], np.ndarray]

MAKERS: dict[str, Maker] = {}
"""All of them by the names that the tables have."""

FMT, DATA = 20, 44
"""Where in a plain WAV the fields of the format begin, and where its samples do."""
STREAMINFO = 8
"""Where in a FLAC the fields of STREAMINFO begin: 2 + 2 bytes of block sizes, 3 + 3 of frame sizes, then 64 bits
of rate, channels, bits and length."""


def encoded(samples: np.ndarray, form: str, subtype: str, rate: int = RATE) -> bytes:
    """A sound file's bytes."""
    stream = io.BytesIO()
    soundfile.write(stream, samples, rate, format=form, subtype=subtype)
    return stream.getvalue()


# ---- other bytes


def bytes_of(name: str, change: Callable[[bytes], bytes], form: str = "WAV", subtype: str = "PCM_16") -> None:
    """A maker that writes a correct file and changes its bytes."""
    MAKERS[name] = lambda path, samples: path.write_bytes(change(encoded(samples, form, subtype))) and None


def put(content: bytes, position: int, form: str, *values: int) -> bytes:
    """Bytes with numbers put over some of them."""
    field = struct.pack(form, *values)
    return content[:position] + field + content[position + len(field) :]


def streaminfo(content: bytes, *, rate: int | None = None, channels: int | None = None, length: str = "") -> bytes:
    """A FLAC whose STREAMINFO says something else; ``length`` is put behind the true one, as in ``* 2``."""
    (word,) = struct.unpack_from(">Q", content, STREAMINFO + 10)
    if rate is not None:
        word = word & ~(0xFFFFF << 44) | rate << 44
    if channels is not None:
        word = word & ~(0x7 << 41) | (channels - 1) << 41
    if length:
        true = word & 0xFFFFFFFFF
        lie = {"0": 0, "half": true // 2, "one more": true + 1, "three hours": 3 * 3600 * RATE, "all": 2**36 - 1}
        word = word & ~0xFFFFFFFFF | lie[length]
    return put(content, STREAMINFO + 10, ">Q", word)


def flip(content: bytes, share: float) -> bytes:
    """One bit turned over, at a share of the length."""
    position = int(share * len(content))
    return put(content, position, "B", content[position] ^ 0x10)


bytes_of("WAV cut in the RIFF header", lambda x: x[:10])
bytes_of("WAV cut in its format", lambda x: x[:30])
bytes_of("WAV cut after the header", lambda x: x[:DATA])
bytes_of("WAV cut in the middle", lambda x: x[: len(x) // 2])
bytes_of("WAV without the last byte", lambda x: x[:-1])
bytes_of("WAV without the last sample", lambda x: x[:-2])
bytes_of("FLAC cut in its mark", lambda x: x[:3], "FLAC")
bytes_of("FLAC cut in STREAMINFO", lambda x: x[:20], "FLAC")
bytes_of("FLAC cut after STREAMINFO", lambda x: x[: STREAMINFO + 34], "FLAC")
bytes_of("FLAC cut in the middle", lambda x: x[: len(x) // 2], "FLAC")
bytes_of("FLAC without the last byte", lambda x: x[:-1], "FLAC")
bytes_of("no bytes", lambda x: b"")
bytes_of("one byte", lambda x: b"\0")
bytes_of("a page of zeros", lambda x: bytes(4096))
bytes_of("random bytes", lambda x: np.random.default_rng(2).bytes(5000))
bytes_of("a text", lambda x: b"This is no sound.\n" * 40)
bytes_of("a web page", lambda x: b"<!DOCTYPE html><html><body>404 Not Found</body></html>\n")
bytes_of("a zip", lambda x: b"PK\x05\x06" + bytes(18))
bytes_of("WAV with 40 bytes before it", lambda x: bytes(40) + x)
bytes_of("RIFF size 0", lambda x: put(x, 4, "<I", 0))
bytes_of("RIFF size without limit", lambda x: put(x, 4, "<I", 0xFFFFFFFF))
bytes_of("data size 0", lambda x: put(x, 40, "<I", 0))
bytes_of("data size doubled", lambda x: put(x, 40, "<I", 2 * (len(x) - DATA)))
bytes_of("data size of two gigabytes", lambda x: put(x, 40, "<I", 0x7FFEFFFE))
bytes_of("data size of a pipe", lambda x: put(put(x, 4, "<I", 0xFFFFFFFF), 40, "<I", 0xFFFFFFFF))
bytes_of("WAV without a format", lambda x: put(x, 12, "4s", b"note"))
bytes_of("WAV without data", lambda x: put(x, 36, "4s", b"note"))
bytes_of("WAV at 0 Hz", lambda x: put(x, FMT + 4, "<I", 0))
bytes_of("WAV at 1 Hz", lambda x: put(x, FMT + 4, "<I", 1))
bytes_of("WAV at 2 GHz", lambda x: put(x, FMT + 4, "<I", 0x7FFFFFFF))
bytes_of("WAV of no channels", lambda x: put(x, FMT + 2, "<H", 0))
bytes_of("WAV of 65535 channels", lambda x: put(x, FMT + 2, "<H", 0xFFFF))
bytes_of("WAV of 13 bits", lambda x: put(x, FMT + 14, "<H", 13))
bytes_of("WAV whose blocks are of 3 bytes", lambda x: put(x, FMT + 12, "<H", 3))
bytes_of("WAV of an unknown kind", lambda x: put(x, FMT, "<H", 0x1234))
bytes_of("FLAC of unknown length", lambda x: streaminfo(x, length="0"), "FLAC")
bytes_of("FLAC of 2**36 - 1 samples", lambda x: streaminfo(x, length="all"), "FLAC")
bytes_of("FLAC that claims three hours", lambda x: streaminfo(x, length="three hours"), "FLAC")
bytes_of("FLAC longer than it says", lambda x: streaminfo(x, length="half"), "FLAC")
bytes_of("FLAC one sample shorter than it says", lambda x: streaminfo(x, length="one more"), "FLAC")
bytes_of("FLAC that says 0 Hz", lambda x: streaminfo(x, rate=0), "FLAC")
bytes_of("FLAC that says 8000 Hz", lambda x: streaminfo(x, rate=8000), "FLAC")
bytes_of("FLAC that says two channels", lambda x: streaminfo(x, channels=2), "FLAC")
bytes_of("FLAC with a wrong checksum of its sound", lambda x: put(x, STREAMINFO + 18, "<Q", 1), "FLAC")
bytes_of("FLAC with one bit turned over", lambda x: flip(x, 0.5), "FLAC")
bytes_of("FLAC with a hole", lambda x: x[: len(x) // 2] + bytes(3000) + x[len(x) // 2 + 3000 :], "FLAC")


# ---- other formats


def stored_as(name: str, form: str, subtype: str, rate: int = RATE, change: Change = lambda x: x) -> None:
    """A maker that writes the sound in another way; ``change`` as in ``sound_of``."""
    MAKERS[name] = lambda path, samples: path.write_bytes(encoded(change(samples), form, subtype, rate)) and None


def resampled(rate: int) -> Change:
    """The same sound at another rate, roughly."""
    return lambda samples: np.interp(np.arange(0, len(samples), RATE / rate), np.arange(len(samples)), samples)


stored_as("8 kHz", "WAV", "PCM_16", 8000, resampled(8000))
stored_as("44.1 kHz", "WAV", "PCM_16", 44100, resampled(44100))
stored_as("48 kHz", "WAV", "PCM_16", 48000, resampled(48000))
stored_as("96 kHz", "FLAC", "PCM_24", 96000, resampled(96000))
stored_as("16 kHz that is said to be 48", "WAV", "PCM_16", 48000)
stored_as("8 bit", "WAV", "PCM_U8")
stored_as("24 bit", "WAV", "PCM_24")
stored_as("24 bit FLAC", "FLAC", "PCM_24")
stored_as("32 bit", "WAV", "PCM_32")
stored_as("float", "WAV", "FLOAT")
stored_as("double", "WAV", "DOUBLE")
stored_as("mu-law", "WAV", "ULAW")
stored_as("A-law", "WAV", "ALAW")
stored_as("ADPCM", "WAV", "MS_ADPCM")
stored_as("GSM", "WAV", "GSM610", 8000, resampled(8000))
stored_as("MP3", "MP3", "MPEG_LAYER_III")
stored_as("Ogg Vorbis", "OGG", "VORBIS")
stored_as("Opus", "OGG", "OPUS")
stored_as("AIFF", "AIFF", "PCM_16")
stored_as("stereo", "WAV", "PCM_16", change=lambda x: np.stack([x, x], axis=1))
stored_as("six channels", "FLAC", "PCM_16", change=lambda x: np.stack([x] * 6, axis=1))


# ---- other samples


def sound_of(name: str, change: Change, subtype: str = "FLOAT") -> None:
    """A maker that writes other samples, as WAV."""
    stored_as(name, "WAV", subtype, change=lambda samples: change(samples.copy()))


def one(value: float) -> Change:
    """The same with one sample that is something else."""

    def change(samples: np.ndarray) -> np.ndarray:
        samples[len(samples) // 2] = value
        return samples

    return change


sound_of("one NaN", one(np.nan))
sound_of("all NaN", lambda x: np.full_like(x, np.nan))
sound_of("plus infinity", one(np.inf))
sound_of("minus infinity", one(-np.inf), "DOUBLE")
sound_of("NaN and infinity", lambda x: np.where(np.arange(len(x)) % 2, np.nan, np.inf))
sound_of("only zeros", np.zeros_like, "PCM_16")
sound_of("a constant", lambda x: np.full_like(x, 0.25), "PCM_16")
sound_of("one sample", lambda x: x[:1] + 0.1, "PCM_16")
sound_of("no samples", lambda x: x[:0], "PCM_16")
sound_of("clipped", lambda x: np.clip(8 * x, -1, 1), "PCM_16")
sound_of("full scale throughout", lambda x: np.sign(np.sin(0.3 * np.arange(len(x)))), "PCM_16")
sound_of("16-bit integers as float", lambda x: 32768 * x)
sound_of("values of 1e30", lambda x: 1e30 * x)
sound_of("values of 1e300", lambda x: 1e300 * x, "DOUBLE")
sound_of("values of 1e-300", lambda x: 1e-300 * x, "DOUBLE")
sound_of("one value of 1e30", one(1e30))
sound_of("75 s of 60 bursts", lambda x: bursts(60, 75.0), "PCM_16")


@cache
def bursts(count: int, seconds: float) -> np.ndarray:
    """Noise that comes and goes, shape (num_samples,): what overruns the arrays of the PESQ library."""
    time = np.arange(int(seconds * RATE)) / RATE
    there = (time * count / seconds) % 1 < 0.5
    return np.where(there, 0.1, 1e-5) * np.random.default_rng(0).standard_normal(len(time))


# ---- something else in the place of a file


def elsewhere(path: Path) -> Path:
    """A place for what a link leads to, outside of the corpus, dataset or submission."""
    return path.parents[3] / f"{path.parent.name} {path.name} {uuid.uuid4().hex[:6]}"


def unix_socket(path: Path, samples: np.ndarray) -> None:
    here = Path.cwd()
    os.chdir(path.parent)  # the name of a socket may be 100 characters long
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path.name)
    finally:
        os.chdir(here)


def link_to_pipe(path: Path, samples: np.ndarray) -> None:
    target = elsewhere(path)
    os.mkfifo(target)
    path.symlink_to(target)


def link_to_good(path: Path, samples: np.ndarray, link: Callable[[Path, Path], None] = Path.symlink_to) -> None:
    target = elsewhere(path)
    target.write_bytes(encoded(samples, "FLAC", "PCM_16"))
    link(path, target)


MAKERS |= {
    "nothing": lambda path, samples: None,
    "a folder": lambda path, samples: path.mkdir(),
    "a pipe": lambda path, samples: os.mkfifo(path),
    "a socket": unix_socket,
    "a link to nothing": lambda path, samples: path.symlink_to("gone.wav"),
    "a link to itself": lambda path, samples: path.symlink_to(path.name),
    "a link to a folder": lambda path, samples: path.symlink_to("."),
    "a link to endless zeros": lambda path, samples: path.symlink_to("/dev/zero"),
    "a link to a terminal's input": lambda path, samples: path.symlink_to("/dev/ptmx"),
    "a link to a pipe": link_to_pipe,
    # a plain file whose first byte is an input/output error, for root too
    "a file that cannot be read": lambda path, samples: path.symlink_to("/proc/self/mem"),
    "a link to a text": lambda path, samples: path.symlink_to("/proc/version"),
    "a link to a good file": link_to_good,
    "a second name of a good file": lambda path, samples: link_to_good(path, samples, Path.hardlink_to),
}


# ---- names

LONGEST = "n" * 251
NAMES = {
    "blanks": "two words.wav",
    "a blank at the end": "end .wav",
    "an apostrophe": "it's.wav",
    "quotation marks": 'say "yes".wav',
    "a comma": "one, two.wav",
    "a semicolon": "one; two.wav",
    "a dollar sign": "$HOME.wav",
    "a formula": "=1+1.wav",
    "a dash in front": "-rf.wav",
    "two dashes in front": "--jobs.wav",
    "a dot in front": ".hidden.wav",
    "two dots": "a..b.wav",
    "a backslash": "a\\b.wav",
    "a colon": "C:a.wav",
    "a per cent sign": "%s%n.wav",
    "braces": "{path}.wav",
    "a star": "*.wav",
    "a line break": "a\nb.wav",
    "a carriage return": "a\rb.wav",
    "a tabulator": "a\tb.wav",
    "a bell": "a\x07b.wav",
    "a colour of the terminal": "\x1b[31mred.wav",
    "a next line": "a\x85b.wav",
    "a line separator": "a\u2028b.wav",
    "a paragraph separator": "a\u2029b.wav",
    "letters that are composed": "caf\u00e9.wav",
    "letters that are not composed": "cafe\u0301.wav",
    "another writing": "\u58f0\u97f3.wav",
    "a picture": "\U0001f3a4.wav",
    "a turned direction": "a\u202egpj.wav",
    "no UTF-8": os.fsdecode(b"a\xffb.wav"),
    "capitals": "CLIP.WAV",
    "the same in small letters": "clip.wav",
    "255 bytes": f"{LONGEST}.wav",
    "two endings": "clip.flac.wav",
    "no ending": "clip",
    "another ending": "clip.wav.bak",
}
"""Names of files, in a folder of their own, by what is special about them."""
