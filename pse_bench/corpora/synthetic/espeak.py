"""Speech from espeak-ng, the same bits on every run.

espeak-ng carries state from one utterance to the next (wave phase, echo, filters) and draws its breath and
flutter from two generators, one of them seeded with the time of day. So every utterance is spoken by a
process that has not spoken before, with both generators seeded. This file is also that process: run as a
program it loads the library, selects the voice, and forks once an utterance. It has no other threads, so its
forks are safe whatever runs in the process that asked for speech, and nothing of it outlives the call.
"""

# Only the standard library here: the speaking process starts without site-packages (20 ms instead of 200).
import ctypes
import json
import os
import struct
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np

NATIVE_HZ = 22_050
"""The rate of espeak-ng's own sound, in Hz."""

PATIENCE_S = 300
"""An utterance takes milliseconds; a speaking process that is silent for so long will not answer."""

# espeak-ng/speak_lib.h
_SYNCHRONOUS = 2
_RATE, _PITCH, _PITCH_RANGE = 1, 3, 4
_CHARACTERS = 1
_UTF8 = 1
_SEED = 1


@dataclass(frozen=True)
class Voice:
    """How espeak-ng speaks.

    Attributes:
        variant: one of espeak-ng's voice variants, e.g. ``f3``.
        pitch, pitch_range: 0 to 99, 50 is the variant's own.
        words_per_minute: tempo before the change of rate, 80 to 450.
        play_hz: the rate at which the 22 050 Hz sound is played. The ratio of the two scales pitch, formants
            and tempo together, as a shorter or longer vocal tract does.
        language: an espeak-ng language.
    """

    variant: str
    pitch: int
    pitch_range: int
    words_per_minute: int
    play_hz: int = NATIVE_HZ
    language: str = "en"


def speak(text: str, *, voice: Voice) -> tuple["np.ndarray", int]:
    """One utterance: float64 samples of shape (num_samples,), full scale ±1, and their rate in Hz.

    Raises:
        InputError: espeakng-loader is not installed, or espeak-ng does not know the voice.
    """
    return speak_all([text], voice=voice)[0]


def speak_all(texts: Sequence[str], *, voice: Voice) -> list[tuple["np.ndarray", int]]:
    """Several utterances of one voice, each as ``speak`` gives it, from one speaking process."""
    import numpy as np

    from pse_bench.errors import InputError

    library, data = _installed()
    order = {"library": library, "data": data, "voice": asdict(voice), "texts": list(texts)}
    try:
        told = subprocess.run(
            [sys.executable, "-I", "-S", __file__],
            input=json.dumps(order).encode(),
            capture_output=True,
            timeout=PATIENCE_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"espeak-ng said nothing for {PATIENCE_S} s; run the command again") from error
    if told.returncode != 0:
        reason = (told.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise InputError(
            f"espeak-ng could not speak with voice {voice.language}+{voice.variant}: {reason} "
            f"(status {told.returncode}); reinstall it: pip install 'pse-bench[embedded]'"
        )
    utterances, place = [], 0
    for _ in texts:
        (num_bytes,) = struct.unpack_from("<q", told.stdout, place)
        place += 8
        pcm = np.frombuffer(told.stdout, dtype=np.int16, count=num_bytes // 2, offset=place)
        place += num_bytes
        utterances.append((pcm / 32768.0, voice.play_hz))
    return utterances


def _installed() -> tuple[str, str]:
    """Where the library and the folder that holds its data are."""
    from pse_bench.errors import InputError

    try:
        import espeakng_loader
    except ImportError as error:
        raise InputError(
            "espeak-ng, which speaks the embedded corpus, is not installed; pip install 'pse-bench[embedded]'"
        ) from error
    return espeakng_loader.get_library_path(), os.path.dirname(espeakng_loader.get_data_path())


# ---- the speaking process


def _serve() -> None:
    """Read an order from standard input, write length and samples of each utterance to standard output."""
    order = json.load(sys.stdin)
    library = ctypes.CDLL(order["library"])
    # espeak-ng keeps 160 characters of the path to its data and no error for more: hand it a short one
    os.chdir(order["data"])
    rate_hz = library.espeak_Initialize(_SYNCHRONOUS, 0, b".", 0)
    if rate_hz != NATIVE_HZ:
        sys.exit(f"espeak_Initialize gave {rate_hz}, expected {NATIVE_HZ}")
    chunks: list[bytes] = []

    @ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p)
    def collect(samples: int, count: int, _: int) -> int:
        chunks.append(ctypes.string_at(samples, 2 * count) if samples else b"")
        return 0

    library.espeak_SetSynthCallback(collect)
    _select(library, order["voice"])
    for text in order["texts"]:
        sound = _in_a_fork(library, text, chunks)
        sys.stdout.buffer.write(struct.pack("<q", len(sound)) + sound)
    sys.stdout.buffer.flush()


def _select(library: ctypes.CDLL, voice: dict[str, Any]) -> None:
    name = f"{voice['language']}+{voice['variant']}"
    variants = os.path.join("espeak-ng-data", "voices", "!v")
    if not os.path.isfile(os.path.join(variants, voice["variant"])):
        sys.exit(f"no such variant {voice['variant']!r}")  # espeak-ng itself would ignore it in silence
    if library.espeak_SetVoiceByName(name.encode()) != 0:
        sys.exit(f"no such voice {name!r}")
    for parameter, key in ((_RATE, "words_per_minute"), (_PITCH, "pitch"), (_PITCH_RANGE, "pitch_range")):
        if library.espeak_SetParameter(parameter, voice[key], 0) != 0:
            sys.exit(f"{key} {voice[key]} was refused")


def _in_a_fork(library: ctypes.CDLL, text: str, chunks: list[bytes]) -> bytes:
    """The samples of one utterance as int16 bytes, spoken by a child that ends with it."""
    inlet, outlet = os.pipe()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            library.espeak_ng_SetRandSeed(ctypes.c_long(_SEED))
            ctypes.CDLL(None).srand(_SEED)
            spoken = text.encode()
            size = ctypes.c_size_t(len(spoken) + 1)
            status = library.espeak_Synth(spoken, size, 0, _CHARACTERS, 0, _UTF8, None, None)
            with os.fdopen(outlet, "wb") as stream:
                stream.write(b"".join(chunks))
        finally:
            os._exit(min(abs(status), 255))
    os.close(outlet)
    with os.fdopen(inlet, "rb") as stream:
        sound = stream.read()
    _, status = os.waitpid(child, 0)
    if status != 0 or not sound:
        sys.exit(f"no sound for {text!r} (status {status})")
    return sound


if __name__ == "__main__":
    _serve()
