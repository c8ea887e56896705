"""One training scene: parts at the microphone, float32, at the drawn levels; mixtures are sums of parts.

The same steps as ``mixing``, made cheap: clips are decoded, activity is known, rooms are transformed. What differs
is said here: activity follows a direct sound's delay to the nearest frame (5 ms at most), and nothing is rounded
to 16 bits.
"""

from dataclasses import dataclass

import numpy as np

from pse_bench import rng
from pse_bench.errors import RequestError
from pse_bench.io import audio
from pse_bench.planning.scenario import Scenario
from pse_bench.signal import vad
from pse_bench.simulation.mixing import PARTS, PEAK
from pse_bench.simulation.source_image import FADE_S
from pse_bench.training.data.clip_store import ClipStore, StoredNoise
from pse_bench.training.data.rir_spectra import RIRSpectra, SourceRIR
from pse_bench.training.data.speaker_sampler import Name, SpeakerSampler, SpeakerTrack

TILT_HZ = (100.0, 1000.0)
"""A tilt turns about the second frequency and ends below the first."""
TILTS = 16
"""Slopes to draw from; each is a curve that is computed once."""


@dataclass(frozen=True)
class TrainingScene:
    """What a scene is made of, float32 of shape (num_samples,), None where nobody is heard.

    ``label`` is what the scene is drawn to be, ``wanted`` the target as the reference has it (early or
    reverberant), ``active`` and ``interferer_active`` are bool of shape (num_samples / hop,), ``levels`` the
    drawn numbers.
    """

    label: str
    target: np.ndarray | None
    wanted: np.ndarray | None
    interferer: np.ndarray | None
    noise: np.ndarray
    active: np.ndarray
    interferer_active: np.ndarray
    embedding: np.ndarray
    levels: dict[str, float]

    def mixture(self, label: str) -> np.ndarray:
        """The sum of a scenario's parts."""
        total = self.noise.copy()
        for part in PARTS[label][:-1]:
            sound = getattr(self, part)
            if sound is not None:
                total += sound
        return total


class DynamicMixer:
    """Mixes scenes of ``chunk`` samples from prepared material.

    Args:
        scenario: its shares and distributions; the lengths of its scenes are not used.
        reference: ``early`` or ``reverberant``: what is kept of the target's room in ``wanted``.
        tilt_db: speech is tilted by up to this many dB an octave, up or down.

    Raises:
        RequestError: no noise is as long as a scene.
    """

    def __init__(
        self,
        *,
        material: ClipStore,
        acoustics: RIRSpectra,
        cast: SpeakerSampler,
        scenario: Scenario,
        reference: str,
        tilt_db: float,
        noises: list[StoredNoise] | None = None,
    ) -> None:
        self._material, self._acoustics, self._cast, self._scenario = material, acoustics, cast, scenario
        self._early = reference == "early"
        self.chunk, self.sample_rate = acoustics.chunk, material.sample_rate
        self._hop = vad.hop_samples(self.sample_rate)
        wanted = set(scenario.noise.categories)
        self._noises = [
            noise
            for noise in (material.noises if noises is None else noises)
            if noise.num_samples >= self.chunk and (not wanted or noise.category in wanted)
        ]
        if not self._noises:
            raise RequestError(
                f"no noise clip is {self.chunk / self.sample_rate:g} s long; give longer noise or a shorter "
                "data.chunk_s"
            )
        fade = audio.seconds_to_samples(FADE_S, self.sample_rate)
        self._ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(fade) + 0.5) / fade)).astype(np.float32)
        frequency = np.arange(acoustics.size // 2 + 1) * self.sample_rate / acoustics.size
        low, centre = TILT_HZ
        octaves = np.log2(np.maximum(frequency, low) / centre)
        slopes = np.linspace(-tilt_db, tilt_db, TILTS)
        self._tilts = [(10 ** (slope * octaves / 20)).astype(np.float32) for slope in slopes if tilt_db]

    def scene(self, seed: int, name: Name, *, everything: bool = False) -> TrainingScene:
        """A scene, a function of seed and name.

        Args:
            seed: any whole number.
            name: of the scene.
            everything: make all parts, whatever the scene is drawn to be.
        """
        asked = self._scenario
        label = self._label(seed, name)
        heard = {"target", "interferer"} if everything else set(PARTS[label])
        role, embedding = self._cast.target(seed, name)
        level_dbfs = asked.target.level_dbfs.draw(seed, *name, "level_dbfs")
        power = 10 ** (level_dbfs / 10)
        near, far = rng.choice(self._acoustics.rooms, seed, *name, "room")
        levels = {"level_dbfs": level_dbfs, "snr_db": asked.noise.snr_db.draw(seed, *name, "snr_db")}

        num_frames = -(-self.chunk // self._hop)
        target = wanted = interferer = None
        active, other_active = np.zeros((2, num_frames), dtype=bool)
        if "target" in heard:
            place = rng.choice(near, seed, *name, "place")
            rows = [place.whole, place.early] if self._early else [place.whole]
            images, active = self._images(role, place, rows, seed, (*name, "target"))
            gain = np.float32(np.sqrt(power / self._power(images[0], active)))
            target, wanted = gain * images[0], gain * images[-1]
        if "interferer" in heard:
            roles = self._cast.interferers(seed, name, role)
            order = sorted(range(len(far)), key=lambda number: rng.sort_key(seed, *name, "place", number))
            for number, other in enumerate(roles):
                place = far[order[number % len(order)]]
                (image,), own = self._images(other, place, [place.whole], seed, (*name, "interferer", number))
                image /= np.float32(np.sqrt(self._power(image, own)))
                interferer = image if interferer is None else interferer + image
                other_active = other_active | own
            if interferer is not None:
                levels["sir_db"] = asked.interferer.sir_db.draw(seed, *name, "sir_db")
                aim = power / 10 ** (levels["sir_db"] / 10)
                interferer *= np.float32(np.sqrt(aim / self._power(interferer, other_active)))
        noise = self._noise(seed, (*name, "noise"), power / 10 ** (levels["snr_db"] / 10))
        parts = TrainingScene(label, target, wanted, interferer, noise, active, other_active, embedding, levels)
        return self._within_full_scale(parts, everything)

    def _label(self, seed: int, name: Name) -> str:
        """As a plan draws it: by the shares, or each scenario as likely as the others."""
        labels = self._scenario.scenarios
        shares = self._scenario.shares or dict.fromkeys(labels, 1 / len(labels))
        remaining = rng.unit(seed, *name, "scenario")
        for label in labels:
            remaining -= shares[label]
            if remaining < 0:
                return label
        return max(shares, key=shares.__getitem__)

    def _images(
        self, role: SpeakerTrack, place: SourceRIR, rows: list[int], seed: int, name: Name
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """A person at the microphone through each of some responses, and when the person is heard."""
        from scipy.fft import irfft, rfft

        dry = np.zeros(self.chunk, dtype=np.float32)
        labels = np.zeros(-(-self.chunk // self._hop), dtype=bool)
        late = round(place.direct / self._hop)
        for piece in role.pieces:
            sound = dry[piece.onset : piece.onset + piece.num_samples]
            sound[:] = self._material.speech[piece.first : piece.first + piece.num_samples]
            fade = min(len(self._ramp), len(sound) // 2)
            sound[:fade] *= self._ramp[:fade]
            sound[len(sound) - fade :] *= self._ramp[:fade][::-1]
            first = piece.first // self._hop
            own = self._material.active[first : first + -(-piece.num_samples // self._hop)]
            begin = piece.onset // self._hop + late
            kept = own[: max(0, len(labels) - begin)]
            labels[begin : begin + len(kept)] |= kept
        dry *= np.float32(1 / audio.FULL_SCALE)
        spectrum = rfft(dry, self._acoustics.size)
        if self._tilts:
            spectrum *= rng.choice(self._tilts, seed, *name, "tilt_db")
        lead = self._acoustics.pre_delay
        responses = self._acoustics.spectra
        return [
            irfft(spectrum * responses[row], self._acoustics.size)[lead : lead + self.chunk] for row in rows
        ], labels

    def _power(self, image: np.ndarray, active: np.ndarray) -> float:
        """Mean power over active frames, never quite 0."""
        whole = len(image) // self._hop
        frames = image[: whole * self._hop].reshape(whole, self._hop)
        energy = np.einsum("ij,ij->i", frames, frames)
        marked = active[:whole]
        count = int(np.count_nonzero(marked))
        return max(float(energy[marked].sum(dtype=np.float64)) / max(count * self._hop, 1), 1e-14)

    def _noise(self, seed: int, name: Name, power: float) -> np.ndarray:
        clip = rng.choice(self._noises, seed, *name, "clip")
        first = clip.start + rng.integer(0, clip.num_samples - self.chunk, seed, *name, "start")
        noise = self._material.noise[first : first + self.chunk].astype(np.float32)
        found = float(np.dot(noise, noise)) / self.chunk
        return noise * np.float32(np.sqrt(power / max(found, 1e-6)))

    def _within_full_scale(self, parts: TrainingScene, everything: bool) -> TrainingScene:
        """The scene turned down, as a whole, where one of its mixtures would clip."""
        labels = self._scenario.scenarios if everything else [parts.label]
        loudest = max(float(np.abs(parts.mixture(label)).max()) for label in labels)
        if loudest <= PEAK:
            return parts
        for sound in (parts.target, parts.wanted, parts.interferer, parts.noise):
            if sound is not None:
                np.multiply(sound, np.float32(PEAK / loudest), out=sound)
        return parts
