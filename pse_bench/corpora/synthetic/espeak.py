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
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np

NATIVE_HZ = 22_050
"""The rate of espeak-ng's own sound, in Hz."""

PATIENCE_S = 300
"""An utterance takes milliseconds; a speaking process that is silent for so long will not answer."""

_SEED = 1
# espeak-ng/speak_lib.h
_SYNCHRONOUS, _CHARACTERS, _UTF8 = 2, 1, 1
_PARAMETERS = {"words_per_minute": 1, "pitch": 3, "pitch_range": 4}


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


def speak_all(texts: Sequence[str], *, voice: Voice) -> list[tuple["np.ndarray", int]]:
    """Utterances of one voice from one speaking process: of each float64 samples of shape (num_samples,), full
    scale ±1, and their rate in Hz.

    Raises:
        InputError: espeakng-loader is not installed, or espeak-ng does not know the voice.
    """
    import numpy as np

    from pse_bench.errors import InputError

    try:
        import espeakng_loader
    except ImportError as error:
        raise InputError(
            "espeak-ng, which speaks the embedded corpus, is not installed; pip install 'pse-bench[embedded]'"
        ) from error
    library, data = espeakng_loader.get_library_path(), os.path.dirname(espeakng_loader.get_data_path())
    order = json.dumps({"library": library, "data": data, "voice": asdict(voice), "texts": list(texts)})
    command = [sys.executable, "-I", "-S", __file__]
    try:
        told = subprocess.run(command, input=order.encode(), capture_output=True, timeout=PATIENCE_S, check=False)
    except subprocess.TimeoutExpired as error:
        raise InputError(f"espeak-ng said nothing for {PATIENCE_S} s; run the command again") from error
    if told.returncode != 0:
        reason = (told.stderr.decode(errors="replace").strip().splitlines() or ["no message"])[-1]
        raise InputError(
            f"espeak-ng could not speak with voice {voice.language}+{voice.variant}: {reason} "
            f"(status {told.returncode}); reinstall it: pip install 'pse-bench[embedded]'"
        )
    sizes, _, pcm = told.stdout.partition(b"\n")
    sounds = np.split(np.frombuffer(pcm, np.int16), np.cumsum(json.loads(sizes), dtype=int)[:-1] // 2)
    return [(sound / 32768.0, voice.play_hz) for sound in sounds]


# ---- the speaking process


def _serve() -> None:
    """Read an order from standard input, write to standard output the sizes of all utterances in bytes, as a line
    of JSON, and then their samples."""
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
    voice = order["voice"]
    name = f"{voice['language']}+{voice['variant']}"
    if not os.path.isfile(os.path.join("espeak-ng-data", "voices", "!v", voice["variant"])):
        sys.exit(f"no such variant {voice['variant']!r}")  # espeak-ng itself would ignore it in silence
    if library.espeak_SetVoiceByName(name.encode()) != 0:
        sys.exit(f"no such voice {name!r}")
    for key, parameter in _PARAMETERS.items():
        if library.espeak_SetParameter(parameter, voice[key], 0) != 0:
            sys.exit(f"{key} {voice[key]} was refused")
    sounds = [_in_a_fork(library, text, chunks) for text in order["texts"]]
    sys.stdout.buffer.write(json.dumps([len(sound) for sound in sounds]).encode() + b"\n" + b"".join(sounds))
    sys.stdout.buffer.flush()


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
