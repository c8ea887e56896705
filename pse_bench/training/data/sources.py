"""Training and validation scenes from manifests or datasets; no speaker is in both."""

import csv
import io
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np

from pse_bench import rng
from pse_bench.errors import InputError, RequestError
from pse_bench.io import atomic, audio, documents
from pse_bench.io.tables import read_table
from pse_bench.planning import scenario as scenarios
from pse_bench.planning.clip_pool import speaker_key
from pse_bench.planning.scenario import Scenario
from pse_bench.schemas import NoiseClip, Utterance
from pse_bench.speaker.encoders import ENCODERS, Encoder
from pse_bench.training.config import Data, TrainConfig, Validation, with_its_share
from pse_bench.training.data import clip_store, enrollment_pool, rir_spectra
from pse_bench.training.data.augment import voices
from pse_bench.training.data.clip_store import ClipStore
from pse_bench.training.data.enrollment_pool import EnrollmentPool
from pse_bench.training.data.prepared_folder import Preparation
from pse_bench.training.data.rir_spectra import RIRSpectra
from pse_bench.training.data.scenes import DynamicMixer, Scenes, StoredScenes, TrainingScene
from pse_bench.training.data.speaker_sampler import SpeakerSampler

VALIDATION_SEED = 7  # who is held out and which scenes a run is watched with: the same in all runs


@dataclass(frozen=True)
class Source:
    """Training scenes, validation scenes with all their stems, and the fingerprints of their sources."""

    scenes: Scenes
    validation: list[TrainingScene]
    fingerprints: dict[str, str]
    notes: list[str]


@dataclass(frozen=True)
class PreparedMixing:
    """What scenes are mixed from, each in a folder of the cache, and how."""

    store: ClipStore
    rirs: RIRSpectra
    enrollments: EnrollmentPool
    scenario: Scenario
    reference: str

    def mixer(
        self, people: set[str], *, all_voices: bool, tilt_db: float, never_target: Collection[str] = ()
    ) -> DynamicMixer:
        """Scenes of some people, by their keys; of those in ``never_target`` none is a target."""
        clips = [number for number, clip in enumerate(self.store.clips) if clip.person in people]
        own = [number for number in clips if self.store.clips[number].voice == self.store.clips[number].person]
        allowed, chunk = clips if all_voices else own, self.rirs.chunk
        targets = [number for number in allowed if self.store.clips[number].person not in never_target]
        speakers = SpeakerSampler(
            self.store, self.enrollments, self.scenario, chunk=chunk, allowed=allowed, targets=targets
        )
        return DynamicMixer(self.store, self.rirs, speakers, reference=self.reference, tilt_db=tilt_db)

    def enrollment(self, crop: int) -> np.ndarray:
        """The sound of a crop, float32 of shape (num_samples,), peak 0.5."""
        found = self.enrollments.crops[crop]
        return enrollment_pool.sound_of(self.store, self.rirs, self.scenario, found, crop, np.float32)


def prepare(
    asked: Data,
    preparation: Preparation,
    *,
    speech: list[Utterance],
    noise: list[NoiseClip],
    encoder: Encoder | None,
) -> PreparedMixing:
    """Decode the clips of manifests, simulate rooms, and cut enrollments, which ``encoder`` embeds if given.
    What the cache holds already is not made again. Raises InputError and RequestError as its parts do."""
    scenario = with_its_share(scenarios.load(asked.scenario)[0], asked.its_share)
    if scenario.session:
        remedy = "leave session out of it, or render a dataset and train on that"
        raise InputError(f"scenario {scenario.name}: sessions are not mixed on the fly; {remedy}")
    heard_as, rate = voices(asked.speeds, asked.formants), scenario.sample_rate
    store = clip_store.prepare(preparation, speech=speech, noise=noise, voices=heard_as, sample_rate=rate)
    chunk = audio.seconds_to_samples(asked.chunk_s, rate)
    rirs = rir_spectra.prepare(preparation, scenario=scenario, num_rooms=asked.rooms, chunk=chunk)
    enrollments = enrollment_pool.prepare(preparation, store, rirs, scenario, asked.crops, encoder)
    return PreparedMixing(store, rirs, enrollments, scenario, asked.reference or scenario.reference)


def from_manifests(
    config: TrainConfig,
    preparation: Preparation,
    *,
    speech: Iterable[Path],
    noise: Iterable[Path],
    speakers: Path | None = None,
) -> Source:
    """Scenes mixed on the fly from the clips of manifests; ``speakers`` is a table of who may be trained on, see
    ``allowed``. Raises InputError and RequestError as the preparation of its parts does."""
    asked, encoder = config.data, ENCODERS.find(config.encoder)
    utterances = [row for path in speech for row in read_table(path, Utterance)]
    noises = [row for path in noise for row in read_table(path, NoiseClip)]
    preparation.roots.name_misspelt([*(row.corpus for row in utterances), *(row.corpus for row in noises)])
    chosen, beside = (utterances, set[str]()) if speakers is None else allowed(utterances, speakers)
    people = {speaker_key(row) for row in chosen} - beside
    held_out = split_validation(people, config.validation)
    trained = (people | beside) - held_out
    # Everybody is prepared, so that one cache serves every list of speakers.
    mixing = prepare(asked, preparation, speech=utterances, noise=noises, encoder=encoder)

    watching = mixing.mixer(held_out, all_voices=False, tilt_db=0.0)
    return Source(
        scenes=mixing.mixer(trained, all_voices=True, tilt_db=asked.tilt_db, never_target=beside),
        validation=validation_scenes(watching, config.validation.scenes),
        fingerprints={
            "material": mixing.store.fingerprint,
            "rooms": mixing.rirs.fingerprint,
            "enrollments": mixing.enrollments.fingerprint,
            "people": atomic.sha256_of_text("\n".join(sorted(trained))),
        },
        notes=[
            f"{len(people) - len(held_out)} people in {len(voices(asked.speeds, asked.formants))} voices to train "
            f"on, with {_minutes(chosen, people - held_out):.0f} min of speech in their own",
            f"{len(held_out)} to validate on, with {_minutes(chosen, held_out):.0f} min: "
            f"{', '.join(sorted(held_out))}",
        ],
    )


def _minutes(utterances: Iterable[Utterance], people: set[str]) -> float:
    return sum(row.num_samples / row.sample_rate for row in utterances if speaker_key(row) in people) / 60


def from_datasets(config: TrainConfig, *, folders: Iterable[object]) -> Source:
    """Scenes cut from rendered datasets, in folders or in shards (see ``pack``); people who are held out are heard
    in no scene that is trained on. Raises InputError as ``StoredScenes`` does."""
    everything = StoredScenes(folders, config)
    held_out = split_validation(everything.people, config.validation)
    training = everything.only(lambda people, target: not people & held_out)
    watching = everything.only(lambda people, target: target in held_out)
    return Source(
        scenes=training,
        validation=validation_scenes(watching, config.validation.scenes),
        fingerprints=everything.fingerprints,
        notes=[f"{len(training)} scenes to train on, {len(watching)} to look at"],
    )


def split_validation(people: Iterable[str], asked: Validation) -> set[str]:
    """Who is never trained on. Raises RequestError when fewer than two people would be left, or are asked for, and
    when somebody is named who is not there."""
    ordered = sorted(people, key=lambda who: rng.sort_key(VALIDATION_SEED, "validation", who))
    unknown = sorted(set(asked.people) - set(ordered))
    if unknown:
        raise RequestError(
            f"validation.people names {', '.join(unknown)}, not in the training speech; people are "
            f"corpus/speaker_id, for example {ordered[0]}"
        )
    chosen = asked.people or ordered[: asked.speakers]
    if len(set(chosen)) < 2 or len(ordered) < len(set(chosen)) + 2:
        raise RequestError(
            f"{len(ordered)} people in the training speech, {len(set(chosen))} of them for validation: at least "
            "two have to be on either side; give more speech or set another validation.speakers"
        )
    return set(chosen)


def validation_scenes(scenes: Scenes, count: int) -> list[TrainingScene]:
    """The scenes that a run is watched with, each with all its parts."""
    names = (("validation", index) for index in range(20 * count))
    drawn = (scenes.scene(VALIDATION_SEED, name, everything=True) for name in names)
    usable = (scene for scene in drawn if "interferer" in scene.stems and scene.active["target"].any())
    parts = list(islice(usable, count))
    if len(parts) < count:
        raise RequestError(
            "too few scenes with a target and an interferer to look at; give more speech for validation"
        )
    return parts


def allowed(utterances: list[Utterance], table: Path) -> tuple[list[Utterance], set[str]]:
    """The utterances of people who may be trained on, and the keys of those who are interferers only.

    The table is a CSV with the columns corpus and speaker_id, and perhaps role: then only rows with the role
    ``training`` count, and those with the role ``interferer``, who talk beside targets and never are one. Nobody
    of a corpus that it names is used beside them; corpora that it does not name are free. Raises InputError where
    such columns lack, or nobody is left.
    """
    try:
        rows = list(csv.DictReader(io.StringIO(documents.read_text(table))))
    except csv.Error as error:
        raise InputError(f"{table}: not CSV ({error}); repair it") from error
    if not rows or not {"corpus", "speaker_id"} <= set(rows[0]):
        raise InputError(f"{table}: expected a CSV with the columns corpus and speaker_id")
    named = {row["corpus"] for row in rows}
    roles = {(row["corpus"], row["speaker_id"]): row.get("role", "training") for row in rows}
    used = {who for who, role in roles.items() if role in ("training", "interferer")}
    left = [row for row in utterances if row.corpus not in named or (row.corpus, row.speaker_id) in used]
    beside = {speaker_key(row) for row in left if roles.get((row.corpus, row.speaker_id)) == "interferer"}
    if all(speaker_key(row) in beside for row in left):
        raise InputError(f"{table}: none of its training speakers is in the speech manifests")
    return left, beside
