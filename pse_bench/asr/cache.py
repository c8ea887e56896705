"""Transcripts on disk, by recogniser and sound: nothing is listened to twice.

An entry is one small JSON file. One that is damaged, or not what its name says, is made again.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import Field

from pse_bench.asr.recogniser import Recogniser, sha256_of_sound
from pse_bench.errors import InputError
from pse_bench.io import atomic, documents
from pse_bench.schemas import SCHEMA


class Transcript(documents.Record):
    """What was heard. ``text_sha256`` tells a damaged text from a whole one."""

    schema_: Annotated[int, Field(alias="schema")]
    recogniser: str
    sound: str
    text: str
    text_sha256: str


@dataclass(frozen=True)
class Remembering:
    """Listens, or looks up what was heard before. ``recogniser`` is its key."""

    listen: Callable[[np.ndarray, str], str]
    recogniser: str
    folder: Path

    def __call__(self, samples: np.ndarray, mixture_id: str) -> str:
        """The words in 16 kHz samples."""
        sound = sha256_of_sound(samples)
        path = self.folder / self.recogniser[:16] / sound[:2] / f"{sound}.json"
        text = self._known(path, sound)
        if text is None:
            text = self.listen(samples, mixture_id)
            self._keep(path, sound, text)
        return text

    def _known(self, path: Path, sound: str) -> str | None:
        try:
            entry = documents.read_record(Transcript, path)
        except InputError:
            return None
        whole = entry == self._entry(sound, entry.text)
        return entry.text if whole else None

    def _entry(self, sound: str, text: str) -> Transcript:
        content = {
            "schema": SCHEMA,
            "recogniser": self.recogniser,
            "sound": sound,
            "text": text,
            "text_sha256": atomic.sha256_of_text(text),
        }
        return Transcript.model_validate(content)

    def _keep(self, path: Path, sound: str, text: str) -> None:
        entry = self._entry(sound, text)
        try:
            with atomic.replacing(path, shared=True) as part:
                part.write_text(entry.model_dump_json(by_alias=True) + "\n", encoding="utf-8")
        except OSError as error:
            raise InputError(
                f"{path}: a transcript cannot be kept there ({error.strerror}); make room or give another folder"
            ) from error


def remembered(recogniser: Recogniser, folder: Path) -> Recogniser:
    """The same recogniser, which keeps transcripts in ``folder`` and shares it with others, in any process.

    One that does not go by the sound is given back as it is.
    """
    if not recogniser.by_sound:
        return recogniser
    return replace(recogniser, listen=Remembering(recogniser.listen, recogniser.key, folder))
