"""Training scenes mixed on the fly: float32 stems at the drawn levels, whose sums are mixtures.

The same steps as ``simulation.mixing`` and the same levels, made cheap: clips are decoded, activity is known, and
responses are transformed. Two things differ: activity follows the direct sound's delay to the nearest frame (5 ms
at most), and nothing is rounded to 16 bits.
"""

from dataclasses import dataclass

import numpy as np

from pse_bench import rng
from pse_bench.errors import RequestError
from pse_bench.io import audio
from pse_bench.planning.scenario import Scenario
from pse_bench.signal import vad
from pse_bench.signal.vad import power_over
from pse_bench.simulation.mixing import PARTS, headroom, level_gains, sum_images
from pse_bench.simulation.source_image import fade
from pse_bench.training.data.clip_store import ClipStore, StoredNoise
from pse_bench.training.data.rir_spectra import RIRSpectra, SourceRIR
from pse_bench.training.data.speaker_sampler import Name, SpeakerSampler, SpeakerTrack

TILT_HZ = (100.0, 1000.0)
"""A tilt turns about the second frequency and ends below the first."""
TILTS = 16
"""Slopes to draw from; each is a curve that is computed once."""


@dataclass(frozen=True)
class TrainingScene:
    """The stems of a scene, float32 of shape (num_samples,), None where nobody talks.

    ``label`` is the scenario that was drawn, ``reference`` the target's early or reverberant image, ``active`` (of
    the target) and ``interferer_active`` are bool of shape (num_samples / hop,), ``levels`` the drawn levels.
    """

    label: str
    target: np.ndarray | None
    reference: np.ndarray | None
    interferer: np.ndarray | None
    noise: np.ndarray
    active: np.ndarray
    interferer_active: np.ndarray
    embedding: np.ndarray
    levels: dict[str, float]

    def mixture(self, label: str) -> np.ndarray:
        """The mixture of a scenario: the sum of its stems."""
        total = self.noise.copy()
        for part in PARTS[label][:-1]:
            sound = getattr(self, part)
            if sound is not None:
                total += sound
        return total


class DynamicMixer:
    """Mixes scenes of ``chunk`` samples.

    Args:
        store, rirs, speakers: what scenes are made of.
        scenario: its shares and distributions; the lengths of its scenes are not used.
        reference: ``early`` or ``reverberant``: the target's image that is the reference.
        tilt_db: speech is tilted by up to this many dB an octave, up or down.

    Raises:
        RequestError: no noise is as long as a scene.
    """

    def __init__(
        self,
        *,
        store: ClipStore,
        rirs: RIRSpectra,
        speakers: SpeakerSampler,
        scenario: Scenario,
        reference: str,
        tilt_db: float,
        noises: list[StoredNoise] | None = None,
    ) -> None:
        self._store, self._rirs, self._speakers, self._scenario = store, rirs, speakers, scenario
        self._early = reference == "early"
        self.chunk, self.sample_rate = rirs.chunk, store.sample_rate
        self._hop = vad.hop_samples(self.sample_rate)
        wanted = set(scenario.noise.categories)
        self._noises = [
            noise
            for noise in (store.noises if noises is None else noises)
            if noise.num_samples >= self.chunk and (not wanted or noise.category in wanted)
        ]
        if not self._noises:
            raise RequestError(
                f"no noise clip is {self.chunk / self.sample_rate:g} s long; give longer noise or a shorter "
                "data.chunk_s"
            )
        frequency = np.arange(rirs.size // 2 + 1) * self.sample_rate / rirs.size
        low, centre = TILT_HZ
        octaves = np.log2(np.maximum(frequency, low) / centre)
        slopes = np.linspace(-tilt_db, tilt_db, TILTS)
        self._tilts = [(10 ** (slope * octaves / 20)).astype(np.float32) for slope in slopes if tilt_db]

    def scene(self, seed: int, name: Name, *, everything: bool = False) -> TrainingScene:
        """A scene, a function of seed and name.

        Args:
            seed: any whole number.
            name: of the scene.
            everything: make all stems, whichever scenario is drawn.
        """
        asked = self._scenario
        label = asked.draw_label(seed, *name)
        present = {"target", "interferer"} if everything else set(PARTS[label])
        track, embedding = self._speakers.target(seed, name)
        levels = {"level_dbfs": asked.target.level_dbfs.draw(seed, *name, "level_dbfs")}
        levels["snr_db"] = asked.noise.snr_db.draw(seed, *name, "snr_db")
        near, far = rng.choice(self._rirs.rooms, seed, *name, "room")

        active = dict.fromkeys(("target", "interferer"), np.zeros(-(-self.chunk // self._hop), dtype=bool))
        sounds: dict[str, np.ndarray] = {}
        powers: dict[str, float] = {}
        reference = None
        if "target" in present:
            source = rng.choice(near, seed, *name, "place")
            rows = [source.whole, source.early] if self._early else [source.whole]
            images, active["target"] = self._images(track, source, rows, seed, (*name, "target"))
            sounds["target"], reference = images[0], images[-1]
            powers["target"] = power_over(active["target"], images[0], self.sample_rate)
        if "interferer" in present and (others := self._speakers.interferers(seed, name, track)):
            order = sorted(range(len(far)), key=lambda number: rng.sort_key(seed, *name, "place", number))
            sounds["interferer"], active["interferer"] = sum_images(
                (
                    self._interferer(other, far[order[number % len(order)]], seed, (*name, "interferer", number))
                    for number, other in enumerate(others)
                ),
                self.sample_rate,
            )
            powers["interferer"] = power_over(active["interferer"], sounds["interferer"], self.sample_rate)
            levels["sir_db"] = asked.interferer.sir_db.draw(seed, *name, "sir_db")
        sounds["noise"], powers["noise"] = self._noise(seed, (*name, "noise"))

        gains = level_gains(
            powers, level_dbfs=levels["level_dbfs"], sir_db=levels.get("sir_db"), snr_db=levels["snr_db"]
        )
        gain = min(1.0, headroom(sounds, gains, asked.scenarios if everything else [label]))
        stems = {stem: sound * np.float32(gains[stem] * gain) for stem, sound in sounds.items()}
        return TrainingScene(
            label=label,
            target=stems.get("target"),
            reference=None if reference is None else reference * np.float32(gains["target"] * gain),
            interferer=stems.get("interferer"),
            noise=stems["noise"],
            active=active["target"],
            interferer_active=active["interferer"],
            embedding=embedding,
            levels=levels,
        )

    def _interferer(
        self, track: SpeakerTrack, source: SourceRIR, seed: int, name: Name
    ) -> tuple[np.ndarray, np.ndarray]:
        """An interferer's image at the microphone, and its activity there."""
        (image,), active = self._images(track, source, [source.whole], seed, name)
        return image, active

    def _images(
        self, track: SpeakerTrack, source: SourceRIR, rows: list[int], seed: int, name: Name
    ) -> tuple[list[np.ndarray], np.ndarray]:
        """A speaker's image at the microphone through each of some responses, and the frames of activity there."""
        from scipy.fft import irfft, rfft

        dry = np.zeros(self.chunk, dtype=np.float32)
        labels = np.zeros(-(-self.chunk // self._hop), dtype=bool)
        late = round(source.direct / self._hop)
        for segment in track.segments:
            sound = dry[segment.onset : segment.onset + segment.num_samples]
            sound[:] = self._store.speech[segment.first : segment.first + segment.num_samples]
            fade(sound, self.sample_rate)
            first = segment.first // self._hop
            own = self._store.active[first : first + -(-segment.num_samples // self._hop)]
            begin = segment.onset // self._hop + late
            kept = own[: max(0, len(labels) - begin)]
            labels[begin : begin + len(kept)] |= kept
        dry *= np.float32(1 / audio.FULL_SCALE)
        spectrum = rfft(dry, self._rirs.size)
        if self._tilts:
            spectrum *= rng.choice(self._tilts, seed, *name, "tilt_db")
        lead = self._rirs.pre_delay
        responses = self._rirs.spectra
        return [
            irfft(spectrum * responses[row], self._rirs.size)[lead : lead + self.chunk] for row in rows
        ], labels

    def _noise(self, seed: int, name: Name) -> tuple[np.ndarray, float]:
        """A stretch of noise in the scale of its file, and its mean power."""
        clip = rng.choice(self._noises, seed, *name, "clip")
        first = clip.start + rng.integer(0, clip.num_samples - self.chunk, seed, *name, "start")
        noise = self._store.noise[first : first + self.chunk].astype(np.float32)
        return noise, float(np.dot(noise, noise)) / self.chunk
