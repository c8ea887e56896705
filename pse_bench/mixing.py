"""From a recipe and dry clips to stems at the asked levels, and to mixtures that are exactly their sum."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from pse_bench import activity, audio
from pse_bench.activity import active_power, power_db
from pse_bench.errors import InputError, RequestError
from pse_bench.records import Enrollment, Noise, Recipe, Segment, Talker
from pse_bench.response import Response, Responses

FADE_S = 0.005
"""Every clip is faded in and out over this time, so that a cut does not click."""

RUMBLE_HZ = 65.0
"""Dry speech is heard above this frequency only; voices begin at about 75 Hz."""

PEAK = 0.98
"""The loudest sample of a scene, as a share of full scale, when the scene has to be turned down."""

ENROLLMENT_DBFS = -26.0
LEVEL_TOLERANCE_DB = 0.1

Load = Callable[[str, Segment], np.ndarray]
"""Gives a stretch of a corpus's clip at the scene's rate: float64, shape (segment.num_samples,)."""

PARTS = {"TS1": ("target", "noise"), "TS2": ("target", "interferer", "noise"), "TS3": ("interferer", "noise")}
"""The stems that each scenario is the sum of."""


@dataclass(frozen=True)
class Scene:
    """A rendered scene. Stems and enrollment are int16; stems have shape (num_samples,).

    ``stems`` holds target, target_early, noise and, where the scene has one, interferer; ``active`` holds
    frame labels of target and interferer on the grid of ``activity.HOP_S``.
    """

    stems: dict[str, np.ndarray]
    enrollment: np.ndarray
    active: dict[str, np.ndarray]
    gain_db: float
    sir_achieved_db: float | None
    snr_achieved_db: float | None

    def mixture(self, label: str) -> np.ndarray:
        """The mixture of a scenario: the integer sum of its stems, int16."""
        return sum_of(self.stems, label)


def sum_of(stems: dict[str, np.ndarray], label: str) -> np.ndarray:
    """The integer sum of a scenario's stems. Raises OverflowError when it does not fit 16 bits."""
    total = sum(stems[part].astype(np.int32) for part in PARTS[label])
    if np.abs(total).max() > 32767:
        raise OverflowError("the sum of the stems clips")
    return total.astype(np.int16)


def mix(recipe: Recipe, responses: Responses, load: Load) -> Scene:
    """Render a scene.

    SNR and SIR are set on the reverberant images at the microphone: power of the target over its active
    samples, of the interferers' sum over theirs, of the noise over the whole scene. The early target is the
    direct sound and 50 ms after it, with the same gain and alignment.

    Raises:
        InputError: a clip holds no speech, or the noise is silent.
        RequestError: the levels cannot be kept in 16 bits.
    """
    rate, length = recipe.sample_rate, recipe.num_samples
    response = responses.sources[recipe.target.source]
    dry = _track(recipe.target, length, rate, load)
    target, early = _images(dry, [(response.samples, response), (response.early(rate), response)])
    labels = {"target": _activity(recipe.target, response, length, rate, load)}
    masks = {"target": activity.to_samples(labels["target"], length, rate)}
    gain = 10 ** (recipe.level_dbfs / 20) / np.sqrt(active_power(target, masks["target"]))
    stems = {"target": gain * target, "target_early": gain * early}
    power = active_power(stems["target"], masks["target"])

    labels["interferer"] = np.zeros_like(labels["target"])
    if recipe.interferers:
        images = []
        for talker in recipe.interferers:
            source = responses.sources[talker.source]
            (image,) = _images(_track(talker, length, rate, load), [(source.samples, source)])
            active = _activity(talker, source, length, rate, load)
            own = active_power(image, activity.to_samples(active, length, rate))
            images.append(image / np.sqrt(own))
            labels["interferer"] = labels["interferer"] | active
        masks["interferer"] = activity.to_samples(labels["interferer"], length, rate)
        together = np.sum(images, axis=0)
        wanted = power / 10 ** (recipe.sir_db / 10)
        stems["interferer"] = together * np.sqrt(wanted / active_power(together, masks["interferer"]))

    stems["noise"] = _noise(recipe.noise, load, power / 10 ** (recipe.snr_db / 10))
    gain_db = headroom_db(stems, recipe.scenarios)
    stored = {name: audio.to_pcm16(stem * 10 ** (gain_db / 20)) for name, stem in stems.items()}
    scene = Scene(
        stems=stored,
        enrollment=_enrollment(recipe.enrollment, recipe.target, response, rate, load),
        active=labels,
        gain_db=gain_db,
        **achieved(stored, masks),
    )
    _check_levels(recipe, scene)
    return scene


def achieved(stems: dict[str, np.ndarray], masks: dict[str, np.ndarray]) -> dict[str, float | None]:
    """SIR and SNR in dB as stored, from integer stems and sample masks of activity; rounded to 3 decimals, and
    None where there is nobody else, or no noise."""
    power = {name: active_power(stems[name].astype(np.float64), mask) for name, mask in masks.items()}
    noise = float(np.mean(stems["noise"].astype(np.float64) ** 2))
    sir = power_db(power["target"]) - power_db(power["interferer"]) if "interferer" in power else None
    return {
        "sir_achieved_db": None if sir is None else round(sir, 3),
        "snr_achieved_db": round(power_db(power["target"]) - power_db(noise), 3) if noise else None,
    }


def _check_levels(recipe: Recipe, scene: Scene) -> None:
    for what, asked, found in (
        ("SIR", recipe.sir_db, scene.sir_achieved_db),
        ("SNR", recipe.snr_db, scene.snr_achieved_db),
    ):
        if asked is not None and found is not None and abs(asked - found) > LEVEL_TOLERANCE_DB:
            raise RequestError(
                f"{recipe.scene_id}: {what} of {asked:g} dB becomes {found:g} dB in 16 bits; raise "
                "target.level_dbfs or narrow the range"
            )


def _track(talker: Talker, length: int, rate: int, load: Load) -> np.ndarray:
    """A talker's clips laid into silence, float64, shape (length,)."""
    track = np.zeros(length)
    for segment in talker.segments:
        speech = without_rumble(load(talker.corpus, segment), rate)
        track[segment.onset : segment.onset + segment.num_samples] = _faded(speech, rate)
    return track


def without_rumble(speech: np.ndarray, rate: int) -> np.ndarray:
    """Speech without what lies below every voice: hum and rumble of a recording would otherwise be counted into
    its level, by up to 10 dB in read corpora, and sound on where the talker pauses."""
    from scipy.signal import sosfiltfilt

    padding = min(3 * rate // int(RUMBLE_HZ), len(speech) - 1)
    return sosfiltfilt(_above_rumble(rate), speech, padlen=padding)


@lru_cache
def _above_rumble(rate: int) -> np.ndarray:
    from scipy.signal import butter

    return butter(4, RUMBLE_HZ, btype="highpass", fs=rate, output="sos")


def _faded(samples: np.ndarray, rate: int) -> np.ndarray:
    count = min(audio.seconds_to_samples(FADE_S, rate), len(samples) // 2)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / count)
    window = np.ones(len(samples))
    window[:count], window[len(samples) - count :] = ramp, ramp[::-1]
    return samples * window


def _activity(talker: Talker, response: Response, length: int, rate: int, load: Load) -> np.ndarray:
    """Frame labels of a talker at the microphone: of the dry clips, later by the direct sound's delay."""
    hop = activity.hop_samples(rate)
    labels = np.zeros(-(-length // hop), dtype=bool)
    for segment in talker.segments:
        first, offset = divmod(segment.onset + response.direct, hop)
        # Zeros in front put the clip onto the scene's grid.
        dry = np.concatenate([np.zeros(offset), load(talker.corpus, segment)])
        own = activity.speech_activity(dry, rate)[: max(0, len(labels) - first)]
        labels[first : first + len(own)] |= own
    if not labels.any():
        raise InputError(
            f"{talker.segments[0].path}: no speech found in it; remove {talker.segments[0].clip_id} from the "
            "manifest and plan again"
        )
    return labels


def _images(dry: np.ndarray, responses: list[tuple[np.ndarray, Response]]) -> list[np.ndarray]:
    """A dry track through several responses, transformed once; each as long as the track."""
    from scipy.fft import irfft, next_fast_len, rfft

    size = next_fast_len(len(dry) + max(len(samples) for samples, _ in responses) - 1, real=True)
    spectrum = rfft(dry, size)
    return [
        irfft(spectrum * rfft(samples.astype(np.float64), size), size)[response.lead :][: len(dry)]
        for samples, response in responses
    ]


def _noise(noise: Noise, load: Load, power: float) -> np.ndarray:
    """A stretch of noise at a mean power."""
    samples = load(noise.corpus, noise.segment)
    found = float(np.mean(samples**2))
    if found < 1e-12:
        raise InputError(
            f"{noise.segment.path}: silent from sample {noise.segment.start} for {noise.segment.num_samples}; "
            f"remove {noise.segment.clip_id} from the noise manifest and plan again"
        )
    return samples * np.sqrt(power / found)


def headroom_db(stems: dict[str, np.ndarray], labels: Sequence[str]) -> float:
    """The gain, at most 0 dB, with which neither a stem nor a mixture clips; rounded down to 0.01 dB."""
    mixtures = [sum(stems[part] for part in PARTS[label]) for label in labels]
    peak = max(float(np.abs(signal).max()) for signal in [*stems.values(), *mixtures])
    return min(0.0, float(np.floor(2000 * np.log10(PEAK / peak)) / 100))


def _enrollment(enrollment: Enrollment, target: Talker, response: Response, rate: int, load: Load) -> np.ndarray:
    """The enrollment at -26 dBFS over its active samples, int16."""
    talker = target.model_copy(update={"segments": enrollment.segments})
    length = enrollment.num_samples
    samples = _track(talker, length, rate, load)
    active = _activity(talker, Response(np.ones(1), 0, 0, 0.0), length, rate, load)
    mask = activity.to_samples(active, length, rate)
    if enrollment.condition == "reverberant":
        (samples,) = _images(samples, [(response.samples, response)])
    samples *= 10 ** (ENROLLMENT_DBFS / 20) / np.sqrt(active_power(samples, mask))
    if enrollment.noise is not None:
        power = active_power(samples, mask) / 10 ** (enrollment.snr_db / 10)
        samples = samples + _noise(enrollment.noise, load, power)
    return audio.to_pcm16(samples * min(1.0, PEAK / np.abs(samples).max()))
