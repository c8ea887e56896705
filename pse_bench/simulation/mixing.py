"""From a recipe and dry clips to stems at the asked levels, and to mixtures that are exactly their sum."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pse_bench.errors import InputError, RequestError
from pse_bench.io import audio
from pse_bench.schemas import Enrollment, Noise, Recipe, Talker
from pse_bench.signal import vad
from pse_bench.signal.vad import active_power, mean_power, power_db, power_over
from pse_bench.simulation.rir import Response, Responses
from pse_bench.simulation.source_image import Load, SourceImage

PEAK = 0.98
"""The loudest sample of a scene, as a share of full scale, when the scene has to be turned down."""

ENROLLMENT_DBFS = -26.0
LEVEL_TOLERANCE_DB = 0.1

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
        return mix_stems(self.stems, label)


def mix_stems(stems: dict[str, np.ndarray], label: str) -> np.ndarray:
    """The integer sum of a scenario's stems. Raises OverflowError when it does not fit 16 bits."""
    parts = [stems[part] for part in PARTS[label]]
    if sum(map(_peak, parts)) <= 32767:  # even if all peaks met
        return sum(parts[1:], parts[0])
    total = sum(part.astype(np.int32) for part in parts)
    if _peak(total) > 32767:
        raise OverflowError("the sum of the stems clips")
    return total.astype(np.int16)


def _peak(samples: np.ndarray) -> float:
    return max(float(samples.max()), -float(samples.min()))


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
    heard = SourceImage(recipe.target, length, rate, load)
    target, early = heard.convolve(response, [response.samples, response.early(rate)])
    labels = {"target": heard.active(response.direct)}
    labels["interferer"] = np.zeros_like(labels["target"])
    # sounds as they come, and the factors that they are stored with
    power = 10 ** (recipe.level_dbfs / 10)
    gain = np.sqrt(power / power_over(labels["target"], target, rate))
    sounds, gains = {"target": target, "target_early": early}, {"target": gain, "target_early": gain}
    if recipe.interferers:
        images = []
        for talker in recipe.interferers:
            source = responses.sources[talker.source]
            heard = SourceImage(talker, length, rate, load)
            images += heard.convolve(source, [source.samples])
            active = heard.active(source.direct)
            images[-1] /= np.sqrt(power_over(active, images[-1], rate))
            labels["interferer"] |= active
        sounds["interferer"] = sum(images[1:], images[0])
        wanted = power / 10 ** (recipe.sir_db / 10)
        gains["interferer"] = np.sqrt(wanted / power_over(labels["interferer"], sounds["interferer"], rate))
    sounds["noise"], found = _noise(recipe.noise, load)
    gains["noise"] = np.sqrt(power / 10 ** (recipe.snr_db / 10) / found)

    gain_db = headroom_db(sounds, gains, recipe.scenarios)
    stored = {name: audio.to_pcm16(sound, gains[name] * 10 ** (gain_db / 20)) for name, sound in sounds.items()}
    masks = {who: vad.to_samples(active, length, rate) for who, active in labels.items() if who in stored}
    scene = Scene(
        stems=stored,
        enrollment=_enrollment(recipe.enrollment, recipe.target, response, rate, load),
        active=labels,
        gain_db=gain_db,
        **measure_levels(stored, masks),
    )
    _check_levels(recipe, scene)
    return scene


def measure_levels(stems: dict[str, np.ndarray], masks: dict[str, np.ndarray]) -> dict[str, float | None]:
    """SIR and SNR in dB as stored, from integer stems and sample masks of activity; rounded to 3 decimals, and
    None where there is nobody else, or no noise."""
    power = {name: active_power(stems[name].astype(np.float64), mask) for name, mask in masks.items()}
    noise = mean_power(stems["noise"].astype(np.float64))
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


def _noise(noise: Noise, load: Load) -> tuple[np.ndarray, float]:
    """A stretch of noise, and its mean power."""
    samples = load(noise.corpus, noise.segment)
    found = mean_power(samples)
    if found < 1e-12:
        raise InputError(
            f"{noise.segment.path}: silent from sample {noise.segment.start} for {noise.segment.num_samples}; "
            f"remove {noise.segment.clip_id} from the noise manifest and plan again"
        )
    return samples, found


def headroom_db(sounds: Mapping[str, np.ndarray], gains: Mapping[str, float], labels: Sequence[str]) -> float:
    """The gain, at most 0 dB, with which neither a stem nor a mixture clips; rounded down to 0.01 dB."""
    peaks = {name: gains[name] * _peak(sound) for name, sound in sounds.items()}
    sums = [sum(peaks[part] for part in PARTS[label]) for label in labels]
    if max(*peaks.values(), *sums) > PEAK:  # where the parts' peaks do not meet, there may still be room
        sums = [_peak(sum(gains[part] * sounds[part] for part in PARTS[label])) for label in labels]
    peak = max(*peaks.values(), *sums)
    return min(0.0, float(np.floor(2000 * np.log10(PEAK / peak)) / 100))


def _enrollment(enrollment: Enrollment, target: Talker, response: Response, rate: int, load: Load) -> np.ndarray:
    """The enrollment at -26 dBFS over its active samples, int16."""
    talker = target.model_copy(update={"segments": enrollment.segments})
    heard = SourceImage(talker, enrollment.num_samples, rate, load)
    active = heard.active(0)
    if enrollment.condition == "reverberant":
        (samples,) = heard.convolve(response, [response.samples])
    else:
        samples = heard.dry()
    samples *= 10 ** (ENROLLMENT_DBFS / 20) / np.sqrt(power_over(active, samples, rate))
    if enrollment.noise is not None:
        noise, found = _noise(enrollment.noise, load)
        power = power_over(active, samples, rate) / 10 ** (enrollment.snr_db / 10)
        samples += noise * np.sqrt(power / found)
    return audio.to_pcm16(samples, min(1.0, PEAK / _peak(samples)))
