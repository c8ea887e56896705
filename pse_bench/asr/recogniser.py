"""What a recogniser is, as data, the one way to ask it, and its transcripts on disk."""

import hashlib
import importlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.io.atomic import ContentCache, sha256_of_text
from pse_bench.metrics.recognition import RATE_HZ
from pse_bench.metrics.signals import Signal, check_lengths

Decode = Callable[[Signal, str], str]
"""Samples at 16 kHz, float64, and the mixture's id to the words."""


@dataclass(frozen=True)
class Recogniser:
    """Gives the words in a sound, the same every time. Can be sent to another process.

    ``model`` is the SHA-256 of all that its answer depends on beside the package and the sound: weights, language
    model, settings, or the table of hypotheses.
    """

    name: str  # ``pocketsphinx``, ``faster-whisper`` or ``csv``
    version: str  # of the package
    model: str
    note: str  # what a reader of its word error rates has to know, in one line
    decode: Decode
    by_sound: bool = True  # the answer depends on the sound alone and not on the mixture's id

    def transcribe(self, samples: Signal, sample_rate: int, mixture_id: str = "") -> str:
        """The words in a sound, as the recogniser writes them; '' when there are none, as in digital silence.

        Args:
            samples: float64, shape (num_samples,), full scale ±1.
            sample_rate: Hz; other rates than 16 kHz are resampled.
            mixture_id: whose sound it is, for recognisers that look it up.
        """
        check_lengths(samples=samples)
        if self.by_sound and not np.any(samples):
            return ""
        return self.decode(audio.resample(samples, sample_rate, RATE_HZ), mixture_id)

    def for_clip(self, sample_rate: int, mixture_id: str = "") -> Callable[[Signal], str]:
        """``transcribe`` for the estimates of one mixture. It remembers the last sound, so that several metrics of
        one estimate cost one transcription."""
        last: dict[str, str] = {}

        def transcribe(samples: Signal) -> str:
            key = _sha256(samples)
            if key not in last:
                last.clear()
                last[key] = self.transcribe(samples, sample_rate, mixture_id)
            return last[key]

        return transcribe

    @property
    def identity(self) -> dict[str, str]:
        """What a result has to say about it."""
        return {"name": self.name, "version": self.version, "model": self.model, "note": self.note}

    @property
    def key(self) -> str:
        """SHA-256 that is the same exactly when the answers are."""
        return sha256_of_text(repr((self.name, self.version, self.model)))


@dataclass(frozen=True)
class CachedDecoder:
    """Decodes, or looks up what was decoded before by the recogniser of that key."""

    decode: Decode
    recogniser: str
    folder: Path

    def __call__(self, samples: Signal, mixture_id: str) -> str:
        """The words in 16 kHz samples."""
        cache, sound = ContentCache(self.folder), _sha256(samples)
        if (known := cache.get(sound, self.recogniser)) is not None:
            return known
        text = self.decode(samples, mixture_id)
        try:
            cache.put(sound, text, self.recogniser)
        except OSError as error:
            raise InputError(
                f"{self.folder}: a transcript cannot be kept there ({error.strerror}); make room or give another "
                "folder"
            ) from error
        return text


def remembered(recogniser: Recogniser, folder: Path) -> Recogniser:
    """The same recogniser, which keeps transcripts in ``folder`` and shares it with others, in any process: no
    sound is transcribed twice. One that does not go by the sound is given back as it is."""
    if not recogniser.by_sound:
        return recogniser
    return replace(recogniser, decode=CachedDecoder(recogniser.decode, recogniser.key, folder))


def _sha256(samples: Signal) -> str:
    return hashlib.sha256(np.ascontiguousarray(samples, dtype="<f8").tobytes()).hexdigest()


# ---- what recognisers share


def require(module: str, package: str, extra: str) -> None:
    """Raise InputError with the remedy where a package cannot be imported."""
    try:
        importlib.import_module(module)
    except ImportError as error:
        raise InputError(
            f"{package} is not installed ({error}); pip install 'pse-bench[{extra}]', or give csv:FILE"
        ) from error


def first_few(names: Sequence[str]) -> str:
    """Five names at most, for a message."""
    return ", ".join([*names[:5], *(["…"] if len(names) > 5 else [])])
