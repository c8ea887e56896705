"""The clips that training mixes from, decoded once: speech in several voices with its activity, and noise.

Reading a clip costs no decoding, and all processes share one copy in memory.

Speech played at another speed, or with its formants moved, is another voice (``augment``), so a corpus of few
people trains a model for many. Two voices of one person are never mixed with each other.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.corpora import clip_reader
from pse_bench.corpora.roots import Roots
from pse_bench.dataset.dataset import sound_versions
from pse_bench.errors import InputError, RequestError
from pse_bench.io import audio
from pse_bench.planning.clip_pool import Pool, SpeechPool, normalise_sentence, speaker_key
from pse_bench.runtime.executor import Executor
from pse_bench.schemas import NoiseClip, Utterance
from pse_bench.signal import vad
from pse_bench.simulation.source_image import highpass_speech
from pse_bench.training.data.augment import OWN, Voice, with_formants_moved
from pse_bench.training.data.prepared_folder import About, PreparedFolder, Update, new_array, results

VERSION = 1
"""Raised whenever the stored arrays change."""

PEAK = 0.9
"""Clips are stored at this peak: their own level says nothing, mixing sets it."""


@dataclass(frozen=True)
class StoredClip:
    """A stretch of the speech array: samples [start, start + num_samples), start a multiple of the activity hop.

    ``person`` is who speaks, ``voice`` the person as heard. ``sentence`` is empty where it is not known.
    """

    name: str
    person: str
    voice: str
    gender: str
    session: str
    sentence: str
    start: int
    num_samples: int


@dataclass(frozen=True)
class StoredNoise:
    """A stretch of the noise array."""

    name: str
    category: str
    start: int
    num_samples: int


class ClipStoreAbout(About):
    """``material.json``."""

    sample_rate: int
    clips: list[StoredClip]
    noises: list[StoredNoise]


class ClipStore(PreparedFolder[ClipStoreAbout]):
    """Speech and noise in a folder."""

    NAME, DESCRIPTION, ABOUT = "material", "material.json", ClipStoreAbout

    @property
    def sample_rate(self) -> int:
        """Hz, of speech and noise."""
        return self.about.sample_rate

    @cached_property
    def clips(self) -> list[StoredClip]:
        """All clips of speech, in all voices."""
        return self.about.clips

    @cached_property
    def noises(self) -> list[StoredNoise]:
        """All clips of noise."""
        return self.about.noises

    @cached_property
    def speech(self) -> np.ndarray:
        """int16, all clips one after the other."""
        return self.array("speech")

    @cached_property
    def active(self) -> np.ndarray:
        """bool, one a hop of ``speech``: whether somebody talks."""
        return self.array("active")

    @cached_property
    def noise(self) -> np.ndarray:
        """int16, all noise one after the other."""
        return self.array("noise")


def prepare(
    cache: Path,
    *,
    speech: Iterable[Utterance],
    noise: Iterable[NoiseClip],
    roots: Roots,
    voices: Iterable[Voice],
    sample_rate: int,
    executor: Executor,
    progress: Update | None = None,
) -> ClipStore:
    """The clips of manifests, decoded; from the cache where they are there already.

    Args:
        cache: where prepared folders lie.
        speech, noise: rows of manifests.
        roots: folders of the corpora.
        voices: every utterance is stored in each of them; the speaker's own is among them.
        sample_rate: Hz.
        executor: decodes.
        progress: told the number of files.

    Raises:
        InputError: a file is missing, damaged, or not the one of its manifest; or one name stands for two clips.
        RequestError: nothing to mix from, or a worker died.
    """
    people = SpeechPool(speech, sample_rate)
    sounds = Pool(noise, sample_rate)
    if not people or not sounds:
        raise RequestError("training needs speech and noise; give manifests with rows for both")
    utterances = sorted(people.values(), key=people.name)
    noises = sorted(sounds.values(), key=sounds.name)
    voices = list(voices)
    made_of = {
        "version": VERSION,
        "sample_rate": sample_rate,
        "voices": [asdict(voice) for voice in voices],
        "speech": [row.model_dump(mode="json") for row in utterances],
        "noise": [row.model_dump(mode="json") for row in noises],
        "versions": sound_versions(),
    }

    def write(folder: Path) -> dict[str, Any]:
        files = [
            _File(roots.locate(row.corpus, row.path), row.sha256, row.sample_rate, voices, sample_rate, True)
            for row in utterances
        ]
        files += [
            _File(roots.locate(row.corpus, row.path), row.sha256, row.sample_rate, [OWN], sample_rate, False)
            for row in noises
        ]
        hop = vad.hop_samples(sample_rate)
        clips, speech_length = _lay_out(utterances, voices, sample_rate)
        stretches, noise_length = _lay_out_noise(noises, sample_rate)
        speech = new_array(folder / "speech.npy", np.int16, (max(speech_length, 1),))
        active = new_array(folder / "active.npy", bool, (max(speech_length // hop, 1),))
        noise = new_array(folder / "noise.npy", np.int16, (max(noise_length, 1),))
        for index, decoded in results(executor, _decode, files, lambda file: str(file.path), progress):
            if index < len(utterances):
                for clip, (pcm, labels) in zip(clips[index], decoded, strict=True):
                    speech[clip.start : clip.start + clip.num_samples] = pcm
                    active[clip.start // hop : clip.start // hop + len(labels)] = labels
            else:
                row = stretches[index - len(utterances)]
                noise[row.start : row.start + row.num_samples] = decoded[0][0]
        for array in (speech, active, noise):
            array.flush()
        return {
            "sample_rate": sample_rate,
            "clips": [asdict(clip) for row in clips for clip in row],
            "noises": [asdict(row) for row in stretches],
        }

    return ClipStore.prepare(cache, made_of, write)


def _lay_out(utterances: list[Utterance], voices: list[Voice], rate: int) -> tuple[list[list[StoredClip]], int]:
    """Where every utterance will lie in every voice, and the length of all."""
    hop = vad.hop_samples(rate)
    clips: list[list[StoredClip]] = []
    position = 0
    for row in utterances:
        rows = []
        for voice in voices:
            length = audio.resampled_length(row.num_samples, _rate_at_speed(row.sample_rate, voice.speed), rate)
            rows.append(
                StoredClip(
                    name=f"{row.corpus}/{row.utterance_id}{voice.mark}",
                    person=speaker_key(row),
                    voice=f"{speaker_key(row)}{voice.mark}",
                    gender=row.gender,
                    session=row.session,
                    sentence=normalise_sentence(row.text),
                    start=position,
                    num_samples=length,
                )
            )
            position += -(-length // hop) * hop
        clips.append(rows)
    return clips, position


def _lay_out_noise(noises: list[NoiseClip], rate: int) -> tuple[list[StoredNoise], int]:
    stretches, position = [], 0
    for row in noises:
        length = audio.resampled_length(row.num_samples, row.sample_rate, rate)
        stretches.append(StoredNoise(f"{row.corpus}/{row.noise_id}", row.category, position, length))
        position += length
    return stretches, position


def _rate_at_speed(sample_rate: int, speed: float) -> int:
    """The rate that samples have to be taken to have so that they play at a speed."""
    return round(sample_rate * speed)


@dataclass(frozen=True)
class _File:
    """A file to decode; ``own_rate`` is what its manifest says."""

    path: Path
    sha256: str
    own_rate: int
    voices: list[Voice]
    rate: int
    is_speech: bool


def _decode(file: _File) -> list[tuple[np.ndarray, np.ndarray]]:
    """A file in each voice: int16 samples, and frame labels where it is speech."""
    samples, found_rate = clip_reader.read(file.path, file.sha256)
    if found_rate != file.own_rate:
        raise InputError(
            f"{file.path}: {found_rate} Hz, its manifest says {file.own_rate} Hz; restore it or make the manifest "
            "again"
        )
    decoded = []
    for voice in file.voices:
        sound = audio.resample(samples, _rate_at_speed(file.own_rate, voice.speed), file.rate)
        sound = with_formants_moved(sound, voice.formants, file.rate)
        labels = np.zeros(0, dtype=bool)
        if file.is_speech:
            labels = vad.speech_activity(sound, file.rate)
            sound = highpass_speech(sound, file.rate)
        loudest = float(np.abs(sound).max())
        decoded.append((audio.to_pcm16(sound * (PEAK / loudest if loudest > 0 else 1.0)), labels))
    return decoded
