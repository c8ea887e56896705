"""Transcripts on disk, by recogniser and sound: nothing is transcribed twice."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pse_bench.asr.recogniser import Recogniser, sha256_of_sound
from pse_bench.errors import InputError
from pse_bench.io.atomic import ContentCache


@dataclass(frozen=True)
class CachedRecogniser:
    """Transcribes, or looks up what was transcribed before. ``recogniser`` is its key."""

    transcribe: Callable[[np.ndarray, str], str]
    recogniser: str
    folder: Path

    def __call__(self, samples: np.ndarray, mixture_id: str) -> str:
        """The words in 16 kHz samples."""
        cache, sound = ContentCache(self.folder), sha256_of_sound(samples)
        if (known := cache.get(sound, self.recogniser)) is not None:
            return known
        text = self.transcribe(samples, mixture_id)
        try:
            cache.put(sound, text, self.recogniser)
        except OSError as error:
            raise InputError(
                f"{self.folder}: a transcript cannot be kept there ({error.strerror}); make room or give another "
                "folder"
            ) from error
        return text


def remembered(recogniser: Recogniser, folder: Path) -> Recogniser:
    """The same recogniser, which keeps transcripts in ``folder`` and shares it with others, in any process.

    One that does not go by the sound is given back as it is.
    """
    if not recogniser.by_sound:
        return recogniser
    return replace(recogniser, decode=CachedRecogniser(recogniser.decode, recogniser.key, folder))
