"""The clips that training mixes from, decoded once: speech in several voices with its activity, and noise.

Reading a clip costs no decoding, and all processes share one copy in memory.

Speech played at another speed, or with its formants moved, is another voice (``augment``), so a corpus of few
people trains a model for many. Two voices of one person are never mixed with each other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.corpora import clip_reader
from pse_bench.dataset.dataset import sound_versions
from pse_bench.errors import InputError, RequestError
from pse_bench.io import audio
from pse_bench.planning.clip_pool import Pool, SpeechPool, normalise_sentence, speaker_key
from pse_bench.schemas import NoiseClip, Utterance
from pse_bench.signal import vad
from pse_bench.simulation.source_image import highpass_speech
from pse_bench.training.data.augment import OWN, Voice, with_formants_moved
from pse_bench.training.data.prepared_folder import Preparation, PreparedFolder, resumable_array, stored_array

VERSION = 1  # raised whenever the stored arrays change
PEAK = 0.9  # of every clip that is stored: its own level says nothing, mixing sets it


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


class ClipStore(PreparedFolder):
    """Speech and noise in a folder, each in one array, all clips one after the other."""

    NAME, DESCRIPTION = "material", "material.json"

    sample_rate: int  # Hz, of speech and noise
    clips: list[StoredClip]  # of speech, in all voices
    noises: list[StoredNoise]

    speech = stored_array("speech")  # int16
    active = stored_array("active")  # bool, one a hop of speech: whether somebody talks
    noise = stored_array("noise")  # int16


def prepare(
    preparation: Preparation,
    *,
    speech: Iterable[Utterance],
    noise: Iterable[NoiseClip],
    voices: Sequence[Voice],
    sample_rate: int,
) -> ClipStore:
    """The clips of manifests, decoded; from the cache where they are there already. Every utterance is stored in
    each of the voices; the speaker's own is among them. Raises InputError where a file is missing, damaged, or not
    the one of its manifest, or one name stands for two clips; RequestError without clips or when a worker died."""
    people, sounds = SpeechPool(speech, sample_rate), Pool(noise, sample_rate)
    if not people or not sounds:
        raise RequestError("training needs speech and noise; give manifests with rows for both")
    utterances, noises = sorted(people.values(), key=people.name), sorted(sounds.values(), key=sounds.name)
    made_of = {
        "version": VERSION,
        "sample_rate": sample_rate,
        "voices": [asdict(voice) for voice in voices],
        "speech": [row.model_dump(mode="json") for row in utterances],
        "noise": [row.model_dump(mode="json") for row in noises],
        "versions": sound_versions(),
    }

    def write(folder: Path) -> dict[str, Any]:
        hop = vad.hop_samples(sample_rate)
        placed, speech_length = _lay_out(utterances, voices, sample_rate, hop)
        clips = []
        for row, voice, *where in placed:
            name, person = f"{row.corpus}/{row.utterance_id}{voice.mark}", speaker_key(row)
            about = (row.gender, row.session, normalise_sentence(row.text))
            clips.append(StoredClip(name, person, f"{person}{voice.mark}", *about, *where))
        placed, noise_length = _lay_out(noises, [OWN], sample_rate, 1)
        stretches = [
            StoredNoise(f"{row.corpus}/{row.noise_id}", row.category, *where) for row, _, *where in placed
        ]
        speech = resumable_array(folder, "speech", np.int16, (max(speech_length, 1),))
        active = resumable_array(folder, "active", bool, (max(speech_length // hop, 1),))
        noise = resumable_array(folder, "noise", np.int16, (max(noise_length, 1),))
        files = [
            (preparation.roots.locate(row.corpus, row.path), row, kept, sample_rate)
            for rows, kept in ((utterances, voices), (noises, [OWN]))
            for row in rows
        ]
        decoded = preparation.results(
            _decode, files, "decoding", "files", lambda file: str(file[0]), resume=folder
        )
        for index, sounds in decoded:
            if index < len(utterances):
                first = index * len(voices)
                for clip, (pcm, labels) in zip(clips[first : first + len(voices)], sounds, strict=True):
                    speech[clip.start : clip.start + clip.num_samples] = pcm
                    active[clip.start // hop : clip.start // hop + len(labels)] = labels
            else:
                row = stretches[index - len(utterances)]
                noise[row.start : row.start + row.num_samples] = sounds[0][0]
        for array in (speech, active, noise):
            array.flush()
        return {
            "sample_rate": sample_rate,
            "clips": [asdict(clip) for clip in clips],
            "noises": [asdict(row) for row in stretches],
        }

    return ClipStore.prepare(preparation.cache, made_of, write)


def _lay_out(
    rows: Iterable[Any], voices: Sequence[Voice], rate: int, grid: int
) -> tuple[list[tuple[Any, Voice, int, int]], int]:
    """Every clip in every voice with its start, a multiple of ``grid``, and its length; and the length of all."""
    placed, position = [], 0
    for row, voice in product(rows, voices):
        length = audio.resampled_length(row.num_samples, _rate_at_speed(row.sample_rate, voice.speed), rate)
        placed.append((row, voice, position, length))
        position += -(-length // grid) * grid
    return placed, position


def _rate_at_speed(sample_rate: int, speed: float) -> int:
    """The rate that samples have to be taken to have so that they play at a speed."""
    return round(sample_rate * speed)


def _decode(
    work: tuple[Path, Utterance | NoiseClip, Sequence[Voice], int],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """A clip's file in each voice: int16 samples, and frame labels where it is speech."""
    path, row, voices, rate = work
    samples, found_rate = clip_reader.read(path, row.sha256)
    if found_rate != row.sample_rate:
        raise InputError(
            f"{path}: {found_rate} Hz, its manifest says {row.sample_rate} Hz; restore it or make the manifest "
            "again"
        )
    decoded = []
    for voice in voices:
        sound = audio.resample(samples, _rate_at_speed(row.sample_rate, voice.speed), rate)
        sound = with_formants_moved(sound, voice.formants, rate)
        labels = np.zeros(0, dtype=bool)
        if isinstance(row, Utterance):
            labels, sound = vad.speech_activity(sound, rate), highpass_speech(sound, rate)
        loudest = float(np.abs(sound).max())
        decoded.append((audio.to_pcm16(sound * (PEAK / loudest if loudest > 0 else 1.0)), labels))
    return decoded
