"""What training mixes from, decoded once: speech in several voices with its activity, and noise.

All of it lies in a folder of plain arrays that every process maps into its memory, so that a batch costs no
decoding and workers share one copy. The folder's name is a hash of everything that it depends on.

Speech played at another speed, or with its formants moved, is another voice (``voices``), so a corpus of few
people trains a model for many. Two voices of one person are never mixed with each other.
"""

import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from pse_bench.corpora import clip_reader
from pse_bench.corpora.roots import Roots
from pse_bench.dataset.dataset import sound_versions
from pse_bench.errors import InputError, RequestError
from pse_bench.io import atomic, audio, documents, locks
from pse_bench.planning.clip_pool import NoisePool, SpeechPool, normalise_sentence, speaker_key
from pse_bench.runtime.executor import Executor
from pse_bench.schemas import NoiseClip, Utterance
from pse_bench.signal import vad
from pse_bench.simulation.source_image import highpass_speech
from pse_bench.training.data.augment import OWN, Voice, with_formants_moved

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


class About(documents.Record):
    """``material.json``."""

    fingerprint: str
    sample_rate: int
    clips: list[StoredClip]
    noises: list[StoredNoise]


@dataclass(frozen=True)
class ClipStore:
    """Speech and noise in a folder. Picklable: a worker process maps the arrays for itself."""

    folder: Path

    @cached_property
    def about(self) -> About:
        """What ``prepare`` wrote: rate, fingerprint, clips and stretches."""
        return documents.cached(About, self.folder / "material.json")

    @property
    def sample_rate(self) -> int:
        """Hz, of speech and noise."""
        return self.about.sample_rate

    @property
    def fingerprint(self) -> str:
        """A hash of everything that the arrays were made from."""
        return self.about.fingerprint

    @cached_property
    def clips(self) -> list[StoredClip]:
        """All clips of speech, in all voices."""
        return self.about.clips

    @cached_property
    def noises(self) -> list[StoredNoise]:
        """All stretches of noise."""
        return self.about.noises

    @cached_property
    def speech(self) -> np.ndarray:
        """int16, all clips one after the other."""
        return np.load(self.folder / "speech.npy", mmap_mode="r")

    @cached_property
    def active(self) -> np.ndarray:
        """bool, one a hop of ``speech``: whether somebody talks."""
        return np.load(self.folder / "active.npy", mmap_mode="r")

    @cached_property
    def noise(self) -> np.ndarray:
        """int16, all noise one after the other."""
        return np.load(self.folder / "noise.npy", mmap_mode="r")

    def __getstate__(self) -> dict:
        return {"folder": self.folder}  # not the arrays: pickled, a map would become a copy


Update = Callable[[int, int], None]


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
    """The material of these clips, from the cache where it is there already.

    Args:
        cache: where prepared folders lie.
        speech, noise: rows of manifests.
        voices: in which every utterance is heard; the own one among them.
        sample_rate: Hz.

    Raises:
        InputError: a file is missing, damaged, or not the one of its manifest; or one name stands for two clips.
        RequestError: nothing to mix from, or a worker died.
    """
    people = SpeechPool(speech, sample_rate)
    sounds = NoisePool(noise, sample_rate)
    if not len(people) or not len(sounds):
        raise RequestError("training needs speech and noise; give manifests with rows for both")
    utterances = sorted(people, key=people.name)
    noises = sorted(sounds, key=sounds.name)
    voices = list(voices)
    made_of = {
        "version": VERSION,
        "sample_rate": sample_rate,
        "voices": [asdict(voice) for voice in voices],
        "speech": [row.model_dump(mode="json") for row in utterances],
        "noise": [row.model_dump(mode="json") for row in noises],
        "versions": sound_versions(),
    }
    fingerprint = atomic.sha256_of_text(json.dumps(made_of))
    folder = cache / f"material-{fingerprint[:16]}"
    with locks.taking_turns(folder, "preparing training material"):
        if (folder / "material.json").is_file():
            return ClipStore(folder)
        work = [
            (roots.locate(row.corpus, row.path), row.sha256, row.sample_rate, voices, sample_rate, True)
            for row in utterances
        ]
        work += [
            (roots.locate(row.corpus, row.path), row.sha256, row.sample_rate, [OWN], sample_rate, False)
            for row in noises
        ]
        clips, speech_length = _lay_out(utterances, voices, sample_rate)
        stretches, noise_length = _lay_out_noise(noises, sample_rate)
        spoken = _new(folder / "speech.npy", np.int16, speech_length)
        active = _new(folder / "active.npy", bool, speech_length // vad.hop_samples(sample_rate))
        heard = _new(folder / "noise.npy", np.int16, noise_length)
        for done, outcome in enumerate(executor.run(_decode, work), 1):
            if outcome.lost:
                raise RequestError(f"{work[outcome.index][0]}: {outcome.lost}")
            if outcome.index < len(utterances):
                rows = clips[outcome.index]
                for row, (pcm, labels) in zip(rows, outcome.value, strict=True):
                    spoken[row.start : row.start + row.num_samples] = pcm
                    first = row.start // vad.hop_samples(sample_rate)
                    active[first : first + len(labels)] = labels
            else:
                row = stretches[outcome.index - len(utterances)]
                heard[row.start : row.start + row.num_samples] = outcome.value[0][0]
            if progress:
                progress(done, len(work))
        for array in (spoken, active, heard):
            array.flush()
        about = {
            "fingerprint": fingerprint,
            "sample_rate": sample_rate,
            "clips": [asdict(row) for rows in clips for row in rows],
            "noises": [asdict(row) for row in stretches],
        }
        atomic.write_json(folder / "material.json", about)  # last: with it the folder is whole
    return ClipStore(folder)


def _new(path: Path, dtype: type, length: int) -> np.memmap:
    return np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=(max(length, 1),))


def _lay_out(utterances: list[Utterance], voices: list[Voice], rate: int) -> tuple[list[list[StoredClip]], int]:
    """Where every utterance will lie in every voice, and the length of all."""
    hop = vad.hop_samples(rate)
    clips: list[list[StoredClip]] = []
    position = 0
    for row in utterances:
        rows = []
        for voice in voices:
            length = audio.resampled_length(row.num_samples, _heard_at(row.sample_rate, voice.speed), rate)
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


def _heard_at(sample_rate: int, speed: float) -> int:
    """The rate that samples have to be taken to have so that they play at a speed."""
    return round(sample_rate * speed)


def _decode(work: tuple[Path, str, int, list[Voice], int, bool]) -> list[tuple[np.ndarray, np.ndarray]]:
    """A file in each voice: int16 samples, and frame labels where it is speech."""
    path, sha256, own_rate, voices, rate, is_speech = work
    samples, found_rate = clip_reader.read(path, sha256)
    if found_rate != own_rate:
        raise InputError(
            f"{path}: {found_rate} Hz, its manifest says {own_rate} Hz; restore it or make the manifest again"
        )
    played = []
    for voice in voices:
        sound = audio.resample(samples, _heard_at(own_rate, voice.speed), rate)
        sound = with_formants_moved(sound, voice.formants, rate)
        labels = vad.speech_activity(sound, rate) if is_speech else np.zeros(0, dtype=bool)
        if is_speech:
            sound = highpass_speech(sound, rate)
        loudest = float(np.abs(sound).max())
        played.append((audio.to_pcm16(sound * (PEAK / loudest if loudest > 0 else 1.0)), labels))
    return played
