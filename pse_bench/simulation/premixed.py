"""Recorded or already mixed scenes: their clips are added without change."""

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.schemas import Recipe, Talker
from pse_bench.signal import vad
from pse_bench.simulation.mixing import Load, Scene, headroom_db, measure_levels


def mix(recipe: Recipe, load: Load) -> Scene:
    """The scene of a recipe whose room is ``recorded``.

    Stems are the clips, sample for sample, unless their sum clips: then one gain, which is told, turns all of them
    down. Of a target nothing is known but how it sounds at the microphone, so that is its early part too. Without
    noise, its stem is silence.

    Raises:
        InputError: a clip cannot be read, or holds no speech.
    """
    length = recipe.num_samples
    labels = {"target": _activity(recipe.target, load, recipe), "interferer": _silent(recipe)}
    target = _track(recipe.target, length, load)
    stems = {"target": target, "target_early": target}
    if recipe.interferers:
        stems["interferer"] = np.sum([_track(talker, length, load) for talker in recipe.interferers], axis=0)
        labels["interferer"] = np.any([_activity(talker, load, recipe) for talker in recipe.interferers], axis=0)
    stems["noise"] = load(recipe.noise.corpus, recipe.noise.segment) if recipe.noise else np.zeros(length)
    gain_db = headroom_db(stems, dict.fromkeys(stems, 1.0), recipe.scenarios)
    stored = {name: audio.to_pcm16(stem * 10 ** (gain_db / 20)) for name, stem in stems.items()}
    masks = {who: vad.to_samples(frames, length, recipe.sample_rate) for who, frames in labels.items()}
    if not recipe.interferers:
        masks.pop("interferer")
    enrolled = recipe.target.model_copy(update={"segments": recipe.enrollment.segments})
    return Scene(
        stems=stored,
        enrollment=audio.to_pcm16(_track(enrolled, recipe.enrollment.num_samples, load)),
        active=labels,
        gain_db=gain_db,
        **measure_levels(stored, masks),
    )


def _track(talker: Talker, length: int, load: Load) -> np.ndarray:
    """A talker's clips laid into silence, float64, shape (length,)."""
    track = np.zeros(length)
    for segment in talker.segments:
        track[segment.onset : segment.onset + segment.num_samples] = load(talker.corpus, segment)
    return track


def _activity(talker: Talker, load: Load, recipe: Recipe) -> np.ndarray:
    labels = vad.speech_activity(_track(talker, recipe.num_samples, load), recipe.sample_rate)
    if not labels.any():
        first = talker.segments[0]
        raise InputError(
            f"{first.path}: no speech found in it; remove its mixture from the metadata and import again"
        )
    return labels


def _silent(recipe: Recipe) -> np.ndarray:
    return np.zeros(-(-recipe.num_samples // vad.hop_samples(recipe.sample_rate)), dtype=bool)
