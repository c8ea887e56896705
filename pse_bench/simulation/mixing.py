"""From a recipe and its clips to stems, and to mixtures that are exactly their sum.

Dry clips are put into a room at the asked levels; what was recorded or mixed already is added without change.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import starmap

import numpy as np

from pse_bench.errors import InputError, RequestError
from pse_bench.io import audio
from pse_bench.schemas import Enrollment, Noise, Recipe, RecordedMixture, Segment
from pse_bench.signal import vad
from pse_bench.signal.vad import mean_power, power_db, power_over
from pse_bench.simulation.channel import received
from pse_bench.simulation.rir import RIR, RoomRIRs
from pse_bench.simulation.source_image import Load, SourceImage

PEAK = 0.98
"""The loudest sample of a scene, as a share of full scale, when the scene has to be turned down."""

ENROLLMENT_DBFS = -26.0
LEVEL_TOLERANCE_DB = 0.1

LEAST_POWER = 1e-14
"""Below every sound; where a power is divided by, it counts as at least this."""

PARTS = {"TS1": ("target", "noise"), "TS2": ("target", "interferer", "noise"), "TS3": ("interferer", "noise")}
"""The stems that each scenario is the sum of."""

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Scene:
    """A rendered scene. ``stems``, int16 of shape (num_samples,), are target, target_early, noise and, where the
    scene has one, interferer; ``active`` holds frame labels of target and interferer on the grid of ``vad.HOP_S``;
    ``enrollment`` is int16. Of a ``recorded`` mixture, stems are those that are known."""

    stems: Arrays
    enrollment: np.ndarray
    active: Arrays
    gain_db: float
    sir_achieved_db: float | None
    snr_achieved_db: float | None
    recorded: np.ndarray | None = None

    def mixture(self, label: str) -> np.ndarray:
        """The mixture of a scenario: the integer sum of its stems, int16, or the one that was recorded."""
        return mix_stems(self.stems, label) if self.recorded is None else self.recorded


def mix_stems(stems: dict[str, np.ndarray], label: str) -> np.ndarray:
    """The integer sum of a scenario's stems. Raises OverflowError when it does not fit 16 bits."""
    parts = [stems[part] for part in PARTS[label]]
    if sum(map(_peak, parts)) <= 32767:  # even if all peaks met
        return sum(parts[1:], parts[0])
    total = reduce(np.add, (part.astype(np.int32) for part in parts))
    if _peak(total) > 32767:
        raise OverflowError("the sum of the stems clips")
    return total.astype(np.int16)


def _peak(samples: np.ndarray) -> float:
    return max(float(samples.max()), -float(samples.min()))


def mix(recipe: Recipe, responses: RoomRIRs, load: Load) -> Scene:
    """Render a scene.

    SNR and SIR are set on the reverberant images at the microphone: power of the target over its active samples,
    of the interferers' sum over theirs, of the noise over the whole scene. The early target is the direct sound
    and 50 ms after it, with the same gain and alignment. Raises InputError where a clip holds no speech or the
    noise is silent, RequestError where the levels cannot be kept in 16 bits."""
    rate, length = recipe.sample_rate, recipe.num_samples
    response = responses.sources[recipe.target.source]
    heard = SourceImage(recipe.target.corpus, recipe.target.segments, length, rate, load)
    target, early = heard.convolve(response, [response.samples, response.early(rate)])
    labels = {"target": heard.active(response.direct_path)}
    labels["interferer"] = np.zeros_like(labels["target"])
    # sounds as they come, and the gains that they are stored with
    sounds = {"target": target, "target_early": early}
    powers = {"target": power_over(labels["target"], target, rate)}
    if recipe.interferers:
        others = (SourceImage(who.corpus, who.segments, length, rate, load) for who in recipe.interferers)
        sources = (responses.sources[who.source] for who in recipe.interferers)
        images = (other.through(source) for other, source in zip(others, sources, strict=True))
        sounds["interferer"], labels["interferer"] = sum_images(images, rate)
        powers["interferer"] = power_over(labels["interferer"], sounds["interferer"], rate)
    assert recipe.noise is not None  # only an imported scene, which is not simulated, may be without
    assert recipe.snr_db is not None
    assert recipe.level_dbfs is not None  # nor without a level
    more = recipe.session.noise if recipe.session else ()
    sounds["noise"], powers["noise"] = _noise(recipe.noise, load, more)
    gains = level_gains(powers, level_dbfs=recipe.level_dbfs, sir_db=recipe.sir_db, snr_db=recipe.snr_db)
    gains["target_early"] = gains["target"]
    enrollment = _enrollment(recipe.enrollment, recipe.target.corpus, response, rate, load)
    enrollment = received(enrollment, recipe.enrollment.channel, rate)
    scene = _scene(recipe, sounds, gains, labels, enrollment)
    for what in ("sir", "snr"):
        asked, found = getattr(recipe, f"{what}_db"), getattr(scene, f"{what}_achieved_db")
        if asked is not None and found is not None and abs(asked - found) > LEVEL_TOLERANCE_DB:
            raise RequestError(
                f"{recipe.scene_id}: {what.upper()} of {asked:g} dB becomes {found:g} dB in 16 bits; raise "
                "target.level_dbfs or narrow the range"
            )
    return scene


def mix_recorded(recipe: Recipe, load: Load) -> Scene:
    """The scene of a recipe whose room is ``recorded``. Raises InputError where a clip cannot be read or holds no
    speech.

    Stems are the clips, sample for sample, unless their sum clips: then one gain, which is told, turns all of them
    down. Of a target nothing is known but how it sounds at the microphone, so that is its early part too. Without
    noise, its stem is silence."""
    length, target, others = recipe.num_samples, recipe.target, recipe.interferers
    tracks = [_track(talker.corpus, talker.segments, length, load) for talker in (target, *others)]
    active = [vad.speech_activity(track, recipe.sample_rate) for track in tracks]
    for talker, frames in zip((target, *others), active, strict=True):
        if not frames.any():
            raise InputError(
                f"{talker.segments[0].path}: no speech found in it; remove its mixture from the metadata and "
                "import again"
            )
    labels = {"target": active[0], "interferer": np.any([np.zeros_like(active[0]), *active[1:]], axis=0)}
    sounds = {"target": tracks[0], "target_early": tracks[0]}
    if others:
        sounds["interferer"] = np.sum(tracks[1:], axis=0)
    sounds["noise"] = load(recipe.noise.corpus, recipe.noise.segment) if recipe.noise else np.zeros(length)
    known = recipe.enrollment
    enrollment = audio.to_pcm16(_track(target.corpus, known.segments, known.num_samples, load))
    return _scene(recipe, sounds, dict.fromkeys(sounds, 1.0), labels, enrollment)


def take_recorded(recipe: Recipe, room: RecordedMixture, load: Load) -> Scene:
    """The scene of a recipe whose mixture was recorded: every sound as it is, rounded to 16 bits. Raises
    InputError where one cannot be read, lies beyond full scale, or is a talker's own and holds no speech.

    Who is known by a stem talks where speech is found in it; of all others the segments say it. Where a target is
    silent and nobody says when others talk, they do where speech is found in the mixture."""
    rate, length, corpus = recipe.sample_rate, recipe.num_samples, recipe.target.corpus
    talkers = {"target": [recipe.target], "interferer": recipe.interferers}
    segments = {who: [segment for one in found for segment in one.segments] for who, found in talkers.items()}
    mixture = load(corpus, room.mixture)
    sounds: Arrays = {who: _track(corpus, segments[who], length, load) for who in room.stems}
    active = {who: spoken_frames(segments[who], length, rate) for who in talkers}
    for who, sound in sounds.items():
        active[who] = vad.speech_activity(sound, rate)
        if not active[who].any():
            raise InputError(
                f"{segments[who][0].path}: no speech found in it; remove its mixture and import again"
            )
    if recipe.scenarios == ["TS3"] and not active["interferer"].any():
        active["interferer"] = vad.speech_activity(mixture, rate)
    known = recipe.enrollment
    enrollment = _track(corpus, known.segments, known.num_samples, load)
    stems = {who: _whole(sound, segments[who][0]) for who, sound in sounds.items()}
    sir_db = None
    if "target" in stems:
        stems["target_early"] = stems["target"]
    if len(sounds) > 1:
        powers = (power_db(power_over(active[who], sounds[who], rate)) for who in ("target", "interferer"))
        sir_db = round(next(powers) - next(powers), 3)
    given = _whole(enrollment, known.segments[0])
    return Scene(stems, given, active, 0.0, sir_db, None, _whole(mixture, room.mixture))


def spoken_frames(segments: Sequence[Segment], length: int, rate: int) -> np.ndarray:
    """Frames on the grid of ``vad.HOP_S`` of which segments cover at least half: bool, shape (num_frames,)."""
    hop = vad.hop_samples(rate)
    mask = np.zeros(-(-length // hop) * hop, dtype=bool)
    for segment in segments:
        mask[segment.onset : segment.onset + segment.num_samples] = True
    return 2 * mask.reshape(-1, hop).sum(axis=1) >= hop


def _whole(samples: np.ndarray, segment: Segment) -> np.ndarray:
    """A sound as int16, of which nothing is turned down. Raises InputError beyond full scale."""
    if (peak := _peak(samples)) > 1:
        raise InputError(
            f"{segment.path}: samples up to {peak:.3g}, full scale is 1; turn all sounds of the set down alike"
        )
    return audio.to_pcm16(np.minimum(samples, 1 - 1 / audio.FULL_SCALE))


def _track(corpus: str, segments: list[Segment], length: int, load: Load) -> np.ndarray:
    """Clips as they are, laid into silence: float64, shape (length,)."""
    track = np.zeros(length)
    for segment in segments:
        track[segment.onset : segment.onset + segment.num_samples] = load(corpus, segment)
    return track


def _scene(
    recipe: Recipe, sounds: Arrays, gains: dict[str, float], labels: Arrays, enrollment: np.ndarray
) -> Scene:
    """Sounds with their gains as they are stored, turned down where they would clip, and their levels."""
    # rounded down to 0.01 dB
    gain_db = min(0.0, float(np.floor(2000 * np.log10(headroom(sounds, gains, recipe.scenarios))) / 100))
    stems = {name: audio.to_pcm16(sound, gains[name] * 10 ** (gain_db / 20)) for name, sound in sounds.items()}
    length, rate = recipe.num_samples, recipe.sample_rate
    masks = {who: vad.to_samples(active, length, rate) for who, active in labels.items() if who in stems}
    levels = measure_levels(stems, masks)
    return Scene(stems, enrollment, labels, gain_db, levels["sir_achieved_db"], levels["snr_achieved_db"])


def sum_images(images: Iterable[tuple[np.ndarray, np.ndarray]], rate: int) -> tuple[np.ndarray, np.ndarray]:
    """The sum of talkers who are equally loud, of the images' type, and the frames in which anybody talks. Each of
    the images, shape (num_samples,), is changed to a power of 1 over its own frame labels; there is at least
    one."""

    def at_one(image: np.ndarray, active: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        power = max(power_over(active, image, rate), LEAST_POWER)
        return np.divide(image, image.dtype.type(math.sqrt(power)), out=image), active

    return reduce(lambda one, other: (one[0] + other[0], one[1] | other[1]), starmap(at_one, images))


def level_gains(
    powers: Mapping[str, float], *, level_dbfs: float, sir_db: float | None, snr_db: float
) -> dict[str, float]:
    """The gain of each stem that brings it to its level, from its mean power: of target and interferer over their
    active samples, of noise over the whole scene. ``sir_db`` is None where nobody interferes."""
    below_db = {"target": 0.0, "interferer": sir_db, "noise": snr_db}
    return {name: gain_to(10 ** (level_dbfs / 10), below_db[name] or 0.0, found) for name, found in powers.items()}


def gain_to(power: float, below_db: float, found: float) -> float:
    """The gain that brings a signal of mean power ``found`` to ``below_db`` dB below ``power``."""
    return math.sqrt(power / 10 ** (below_db / 10) / max(found, LEAST_POWER))


def measure_levels(stems: dict[str, np.ndarray], masks: dict[str, np.ndarray]) -> dict[str, float | None]:
    """SIR and SNR in dB as stored, from integer stems and sample masks of activity; rounded to 3 decimals, and
    None where there is nobody else, or no noise."""
    power = {name: _whole_power(stems[name] * mask, int(mask.sum())) for name, mask in masks.items()}
    noise = _whole_power(stems["noise"], len(stems["noise"]))
    sir = power_db(power["target"]) - power_db(power["interferer"]) if "interferer" in power else None
    return {
        "sir_achieved_db": None if sir is None else round(sir, 3),
        "snr_achieved_db": round(power_db(power["target"]) - power_db(noise), 3) if noise else None,
    }


def _whole_power(samples: np.ndarray, count: int) -> float:
    """The sum of the squares of whole numbers, exact in any order, for each of so many samples; 0 without any."""
    numbers = samples.astype(np.float64)
    return float(np.dot(numbers, numbers)) / count if count else 0.0


def _noise(noise: Noise, load: Load, more: Sequence[Segment] = ()) -> tuple[np.ndarray, float]:
    """A stretch of noise, or several that are equally loud and fade into each other, and its mean power."""
    parts = [_stretch(noise.corpus, segment, load) for segment in (noise.segment, *more)]
    if not more:
        return parts[0]
    track = np.zeros(more[-1].onset + more[-1].num_samples)
    end = 0
    for segment, (samples, power) in zip((noise.segment, *more), parts, strict=True):
        own = samples / math.sqrt(power)
        if overlap := end - segment.onset:  # with gains whose squares add up to 1
            rising = np.sin(np.pi / 2 * (np.arange(overlap) + 0.5) / overlap)
            own[:overlap] *= rising
            track[segment.onset : end] *= rising[::-1]
        end = segment.onset + segment.num_samples
        track[segment.onset : end] += own
    return track, mean_power(track)


def _stretch(corpus: str, segment: Segment, load: Load) -> tuple[np.ndarray, float]:
    samples = load(corpus, segment)
    found = mean_power(samples)
    if found < 1e-12:
        raise InputError(
            f"{segment.path}: silent from sample {segment.start} for {segment.num_samples}; "
            f"remove {segment.clip_id} from the noise manifest and plan again"
        )
    return samples, found


def headroom(sounds: Mapping[str, np.ndarray], gains: Mapping[str, float], labels: Sequence[str]) -> float:
    """The factor that brings the loudest sample of stems, shape (num_samples,), and of the mixtures of some
    scenarios to ``PEAK``; a bound where it is above 1. A scenario's stem that lacks is silent."""
    peaks = {name: gains[name] * _peak(sound) for name, sound in sounds.items()}
    parts = [[part for part in PARTS[label] if part in sounds] for label in labels]
    sums = [sum(peaks[part] for part in present) for present in parts]
    if max(*peaks.values(), *sums) > PEAK:  # where the parts' peaks do not meet, there may still be room
        sums = [_peak(reduce(np.add, (gains[part] * sounds[part] for part in present))) for present in parts]
    return PEAK / max(*peaks.values(), *sums)


def _enrollment(enrollment: Enrollment, corpus: str, response: RIR, rate: int, load: Load) -> np.ndarray:
    """The enrollment at -26 dBFS over its active samples, int16."""
    heard = SourceImage(corpus, enrollment.segments, enrollment.num_samples, rate, load)
    active = heard.active(0)
    if enrollment.condition == "reverberant":
        (samples,) = heard.convolve(response, [response.samples])
    else:
        samples = heard.dry()
    samples *= 10 ** (ENROLLMENT_DBFS / 20) / np.sqrt(power_over(active, samples, rate))
    if enrollment.noise is not None and enrollment.snr_db is not None:
        noise, found = _noise(enrollment.noise, load)
        samples += noise * gain_to(power_over(active, samples, rate), enrollment.snr_db, found)
    return audio.to_pcm16(samples, min(1.0, PEAK / _peak(samples)))
