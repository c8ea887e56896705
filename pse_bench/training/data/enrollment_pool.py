"""Enrollments for training: crops of every voice, and their embeddings, computed once.

A crop is cut from an utterance, clean, in a room or with noise as the scenario says. A step draws one of the crops
of the target's voice. A speaker with a single utterance is enrolled by one of its ends and is the target in the
rest, so that enrollment and target never share samples.
"""

from collections import Counter
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench import rng
from pse_bench.errors import RequestError
from pse_bench.io import audio
from pse_bench.planning.scenario import Scenario
from pse_bench.signal import vad
from pse_bench.signal.vad import active_power
from pse_bench.simulation.channel import apply
from pse_bench.speaker.encoders import Encoder
from pse_bench.training.data.clip_store import ClipStore
from pse_bench.training.data.prepared_folder import Preparation, PreparedFolder, resumable_array, stored_array
from pse_bench.training.data.rir_spectra import RIRSpectra

VERSION = 1
SEED = 1  # as rooms, crops do not depend on the seed of a training run
SHORTEST_CROP_S = 1.6
SHORTEST_REST_S = 1.5  # of one utterance beside its crop, for its speaker to be a target
AT_ONCE = 24


@dataclass(frozen=True)
class Crop:
    """A stretch of a clip (its index in the store); ``start`` counts from the clip's beginning."""

    clip: int
    start: int
    num_samples: int
    condition: str


class EnrollmentPool(PreparedFolder):
    """Enrollment crops and their embeddings, float32 of shape (crops, size), in a folder; size 0
    without an encoder."""

    NAME, DESCRIPTION = "enrollments", "enrollments.json"

    encoder: str
    crops: list[Crop]

    embeddings = stored_array("embeddings")

    @cached_property
    def of_clip(self) -> dict[int, list[tuple[int, Crop]]]:
        """Of each clip that has any, its crops with their rows in ``embeddings``."""
        found: dict[int, list[tuple[int, Crop]]] = {}
        for row, crop in enumerate(self.crops):
            found.setdefault(crop.clip, []).append((row, crop))
        return found


def prepare(
    preparation: Preparation,
    clips: ClipStore,
    rirs: RIRSpectra,
    scenario: Scenario,
    crops: int,
    encoder: Encoder | None,
) -> EnrollmentPool:
    """The pool of so many crops a clip and voice, with the durations, conditions, SNR and channels of a scenario's
    enrollments, each of one utterance; from the cache where it is there already. Raises RequestError where no clip
    is long enough to be cropped, or a worker died."""
    identity = encoder.sha256 if encoder else ""
    made_of = [VERSION, clips.fingerprint, rirs.fingerprint, repr(scenario.enrollment), crops, identity]
    if through := scenario.enrollment.channel:
        made_of.append(repr(through))

    def write(folder: Path) -> dict[str, Any]:
        drawn = _draw(clips, scenario, crops)
        if not drawn:
            raise RequestError("no utterance is long enough to enroll its speaker; give longer speech")
        if encoder is None:
            np.save(folder / "embeddings.npy", np.zeros((len(drawn), 0), dtype=np.float32))
            return {"encoder": "", "crops": [asdict(crop) for crop in drawn]}
        vectors = resumable_array(folder, "embeddings", np.float32, (len(drawn), encoder.size))
        starts = range(0, len(drawn), AT_ONCE)
        batches = [(clips, rirs, scenario, encoder, row, drawn[row : row + AT_ONCE]) for row in starts]
        label = "embedding enrollments"
        found = preparation.results(
            _embedded, batches, "embedding", "batches of enrollments", lambda _: label, resume=folder
        )
        for number, embedded in found:
            vectors[starts[number] : starts[number] + len(embedded)] = embedded
        return {"encoder": identity, "crops": [asdict(crop) for crop in drawn]}

    return EnrollmentPool.prepare(preparation.cache, made_of, write)


def _draw(store: ClipStore, scenario: Scenario, crops: int) -> list[Crop]:
    asked, rate = scenario.enrollment, store.sample_rate
    shortest, rest = (audio.seconds_to_samples(s, rate) for s in (SHORTEST_CROP_S, SHORTEST_REST_S))
    count = Counter(clip.voice for clip in store.clips)
    drawn = []
    for index, clip in enumerate(store.clips):
        alone = count[clip.voice] == 1
        longest = clip.num_samples - (rest if alone else 0)
        if longest < shortest:
            continue
        for number in range(crops):
            name = ("crop", clip.name, number)
            wanted = audio.seconds_to_samples(asked.duration_s.draw(SEED, *name, "duration_s"), rate)
            length = min(max(wanted, shortest), longest)
            free = clip.num_samples - length
            start = free * (number % 2) if alone else rng.integer(0, free, SEED, *name, "start")
            drawn.append(Crop(index, start, length, asked.condition.draw(SEED, *name, "condition")))
    return drawn


def _embedded(work: tuple[ClipStore, RIRSpectra, Scenario, Encoder, int, list[Crop]]) -> np.ndarray:
    store, rirs, scenario, encoder, first, crops = work
    sounds = [sound_of(store, rirs, scenario, crop, row, np.float64) for row, crop in enumerate(crops, first)]
    return encoder.embed_all(sounds, store.sample_rate)


def sound_of(
    store: ClipStore, rirs: RIRSpectra, scenario: Scenario, crop: Crop, row: int, dtype: type[np.floating]
) -> np.ndarray:
    """A crop as an encoder gets it, of a float type: peak 0.5, in its room or with its noise."""
    from scipy.signal import fftconvolve

    begin = store.clips[crop.clip].start + crop.start
    sound = store.speech[begin : begin + crop.num_samples].astype(dtype) / dtype(audio.FULL_SCALE)
    name = ("crop", "condition", row)
    if crop.condition == "reverberant":
        targets, _ = rng.choice(rirs.rooms, SEED, *name, "room")
        start, length = rng.choice(targets, SEED, *name, "place").raw
        response = rirs.samples[start : start + length].astype(dtype)
        sound = fftconvolve(sound, response)[rirs.pre_delay :][: crop.num_samples]
    elif crop.condition == "noisy" and (
        long_enough := [noise for noise in store.noises if noise.num_samples >= crop.num_samples]
    ):
        noise = rng.choice(long_enough, SEED, *name, "noise")
        first = noise.start + rng.integer(0, noise.num_samples - crop.num_samples, SEED, *name, "start")
        hiss = store.noise[first : first + crop.num_samples].astype(dtype)
        power = float(np.mean(hiss**2))
        hop = vad.hop_samples(store.sample_rate)
        frames = store.active[begin // hop : (begin + crop.num_samples) // hop]
        talking = vad.to_samples(frames, crop.num_samples, store.sample_rate)
        snr_db = scenario.enrollment.snr_db.draw(SEED, *name, "snr")
        wanted = active_power(sound, talking) / 10 ** (snr_db / 10)
        if power > 0:
            sound = sound + hiss * dtype(np.sqrt(wanted / power))
    rate = store.sample_rate
    if (asked := scenario.enrollment.channel) and (
        through := asked.draw(SEED, *name, "channel", num_samples=len(sound), sample_rate=rate)
    ):
        sound = apply(sound * (0.5 / max(float(np.abs(sound).max()), 1e-6)), through, rate).astype(dtype)
    return sound * dtype(0.5 / max(float(np.abs(sound).max()), 1e-6))
