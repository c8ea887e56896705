"""Training scenes: mixed on the fly, or cut out of rendered datasets."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pse_bench import rng
from pse_bench.dataset.dataset import REFERENCE_STEMS
from pse_bench.dataset.webdataset import open_any
from pse_bench.errors import InputError, RequestError
from pse_bench.io import audio
from pse_bench.schemas import Channel
from pse_bench.signal import vad
from pse_bench.signal.vad import power_over
from pse_bench.simulation.channel import apply
from pse_bench.simulation.mixing import PARTS, headroom, level_gains, sum_images
from pse_bench.simulation.source_image import fade
from pse_bench.speaker.encoders import ENCODERS
from pse_bench.training.config import TrainConfig
from pse_bench.training.data.clip_store import ClipStore
from pse_bench.training.data.rir_spectra import RIRSpectra, SourceRIR
from pse_bench.training.data.speaker_sampler import Name, SpeakerSampler, SpeakerTrack

TILT_HZ = (100.0, 1000.0)  # a tilt turns about the second frequency and ends below the first
TILTS = 16  # slopes to draw from; each is a curve that is computed once

TRIES = 64
LEVEL_DB = 6.0  # by how much a stored scene's level moves at most, so that none is learned by heart


@dataclass(frozen=True)
class TrainingScene:
    """A scene as ``simulation.mixing.Scene``, in floating point. Among its stems are target and interferer only
    where they talk, and the ``reference``, the target's early or reverberant image."""

    label: str  # the scenario that was drawn
    stems: dict[str, np.ndarray]  # float32 of shape (num_samples,)
    active: dict[str, np.ndarray]  # of target and interferer, bool of shape (num_samples / hop,)
    embedding: np.ndarray
    levels: dict[str, float]  # as drawn
    people: tuple[str, ...] = ()  # the target, and who talks beside it
    crop: int = -1  # the target's enrollment, in its pool
    channel: Channel | None = None
    sample_rate: int = 0

    def mixture(self, label: str) -> np.ndarray:
        """The mixture of a scenario: the sum of its stems, through the scene's channel."""
        total = self.stems["noise"].copy()
        for part in PARTS[label][:-1]:
            if part in self.stems:
                total += self.stems[part]
        return total if self.channel is None else apply(total, self.channel, self.sample_rate).astype(np.float32)


class Scenes(Protocol):
    """Scenes by name: ``DynamicMixer`` mixes them, ``StoredScenes`` reads them."""

    chunk: int
    sample_rate: int

    def scene(self, seed: int, name: Name, *, everything: bool = False) -> TrainingScene:
        """A scene of ``chunk`` samples, a function of seed and name; ``everything`` asks for all stems, whichever
        scenario is drawn."""


class DynamicMixer:
    """Mixes scenes on the fly.

    The same steps as ``simulation.mixing`` and the same levels, made cheap: clips are decoded, activity is known,
    and responses are transformed. Two things differ: activity follows the direct sound's delay to the nearest
    frame (5 ms at most), and nothing is rounded to 16 bits.

    Args:
        store, rirs, speakers: what scenes are made of, as the speakers' scenario says, its lengths left aside.
        reference: ``early`` or ``reverberant``: the target's image that is the reference.
        tilt_db: speech is tilted by up to this many dB an octave, up or down.

    Raises:
        RequestError: no noise is as long as a scene.
    """

    def __init__(
        self, store: ClipStore, rirs: RIRSpectra, speakers: SpeakerSampler, *, reference: str, tilt_db: float
    ) -> None:
        self._store, self._rirs, self._speakers = store, rirs, speakers
        self._scenario, self._early = speakers.scenario, reference == "early"
        self.chunk, self.sample_rate = rirs.chunk, store.sample_rate
        self._hop = vad.hop_samples(self.sample_rate)
        wanted = set(self._scenario.noise.categories)
        long_enough = [noise for noise in store.noises if noise.num_samples >= self.chunk]
        self._noises = [noise for noise in long_enough if not wanted or noise.category in wanted]
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
        """See ``Scenes``."""
        asked = self._scenario
        label = asked.draw_label(seed, *name)
        present = {"target", "interferer"} if everything else set(PARTS[label])
        track, crop = self._speakers.target(seed, name)
        people = [track.clip.person]
        levels = {
            "level_dbfs": asked.target.level_dbfs.draw(seed, *name, "level_dbfs"),
            "snr_db": asked.noise.snr_db.draw(seed, *name, "snr_db"),
        }
        near, far = rng.choice(self._rirs.rooms, seed, *name, "room")
        sounds: dict[str, np.ndarray] = {}
        active = dict.fromkeys(("target", "interferer"), np.zeros(-(-self.chunk // self._hop), dtype=bool))
        reference = None
        if "target" in present:
            source = rng.choice(near, seed, *name, "place")
            rows = [source.whole, source.early] if self._early else [source.whole]
            images, active["target"] = self._images(track, source, rows, seed, (*name, "target"))
            sounds["target"], reference = images[0], images[-1]
        if "interferer" in present and (others := self._speakers.interferers(seed, name, track)):
            order = sorted(range(len(far)), key=lambda number: rng.sort_key(seed, *name, "place", number))
            heard = []
            people += [other.clip.person for other in others]
            for number, other in enumerate(others):
                source = far[order[number % len(order)]]
                (image,), frames = self._images(other, source, [source.whole], seed, (*name, "interferer", number))
                heard.append((image, frames))
            sounds["interferer"], active["interferer"] = sum_images(heard, self.sample_rate)
            levels["sir_db"] = asked.interferer.sir_db.draw(seed, *name, "sir_db")
        powers = {who: power_over(active[who], sound, self.sample_rate) for who, sound in sounds.items()}
        sounds["noise"], powers["noise"] = self._noise(seed, (*name, "noise"))

        gains = level_gains(
            powers, level_dbfs=levels["level_dbfs"], sir_db=levels.get("sir_db"), snr_db=levels["snr_db"]
        )
        gain = min(1.0, headroom(sounds, gains, asked.scenarios if everything else [label]))
        if reference is not None:
            sounds["reference"], gains["reference"] = reference, gains["target"]
        stems = {stem: sound * np.float32(gains[stem] * gain) for stem, sound in sounds.items()}
        return TrainingScene(
            label,
            stems,
            active,
            self._speakers.embedding(crop),
            levels,
            tuple(people),
            crop,
            asked.draw_channel(seed, *name, num_samples=self.chunk),
            self.sample_rate,
        )

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
        wet = (irfft(spectrum * self._rirs.spectra[row], self._rirs.size) for row in rows)
        return [image[self._rirs.pre_delay :][: self.chunk] for image in wet], labels

    def _noise(self, seed: int, name: Name) -> tuple[np.ndarray, float]:
        """A stretch of noise in the scale of its file, and its mean power."""
        clip = rng.choice(self._noises, seed, *name, "clip")
        first = clip.start + rng.integer(0, clip.num_samples - self.chunk, seed, *name, "start")
        noise = self._store.noise[first : first + self.chunk].astype(np.float32)
        return noise, float(np.dot(noise, noise)) / self.chunk


class StoredScenes:
    """Cuts chunks out of the mixtures of datasets: stored stems with the dataset's activity, at its levels.

    A mixture is drawn by ``data.its_share`` where that is set, else as often as the dataset has it. Places are
    folders, or shards of ``pack``. Raises InputError where one holds no dataset, rates differ, or nothing is long
    enough."""

    def __init__(self, places: Iterable[object], config: TrainConfig) -> None:
        self._datasets = [open_any(str(place)) for place in places]
        rates = {data.description.sample_rate for data in self._datasets}
        if len(rates) != 1:
            raise InputError(f"datasets at {sorted(rates)} Hz: give datasets of one sample rate")
        self.sample_rate = rates.pop()
        self.chunk = audio.seconds_to_samples(config.data.chunk_s, self.sample_rate)
        self._reference, self._its_share = config.data.reference, config.data.its_share
        self._embed = ENCODERS.find(config.encoder).embed
        self._embeddings: dict[tuple[int, str], np.ndarray] = {}  # of every enrollment that was met
        rows = [(number, row) for number, data in enumerate(self._datasets) for row in data.mixtures]
        self._rows = [(number, row) for number, row in rows if row.num_samples >= self.chunk]
        for data in self._datasets:
            reference = REFERENCE_STEMS.get(self._reference or data.description.reference, "")
            data.require_kept("target", reference, "interferer", "noise", "enrollment", "activity")
            if not data.has(data.stem_name(data.mixtures[0].scene_id, "noise")):
                raise InputError(
                    f"{data.description.name}: its mixtures were recorded as they are, so there are no stems to "
                    "train on; give datasets that were simulated"
                )
            if any(row.has_channel for row in data.mixtures):
                raise InputError(
                    f"{data.description.name}: its mixtures have channels, and what is stored is mixed without; "
                    "train with its scenario, which mixes on the fly"
                )
        if not self._rows:
            raise InputError(f"no mixture is {config.data.chunk_s:g} s long; set a shorter data.chunk_s")

    @property
    def people(self) -> set[str]:
        """Everybody who is a target somewhere."""
        return {row.target_speaker for _, row in self._rows}

    @property
    def fingerprints(self) -> dict[str, str]:
        """Of the datasets."""
        return {f"dataset{n}": data.description.fingerprint for n, data in enumerate(self._datasets)}

    def only(self, accept: Callable[[set[str], str], bool]) -> "StoredScenes":
        """The scenes that are accepted by everybody heard in them and by their target; none is an InputError."""
        chosen = StoredScenes.__new__(StoredScenes)
        chosen.__dict__ |= self.__dict__
        chosen._rows = [
            (number, row)
            for number, row in self._rows
            if accept({row.target_speaker, *row.interferer_speaker.split(";")}, row.target_speaker)
        ]
        if not chosen._rows:
            raise InputError("no scene is left beside the people held out; give more scenes or hold out fewer")
        return chosen

    def __len__(self) -> int:
        return len(self._rows)

    def scene(self, seed: int, name: Name, *, everything: bool = False) -> TrainingScene:
        """See ``Scenes``; a stored scene always has all stems."""
        its = None if self._its_share is None else rng.unit(seed, *name, "its") < self._its_share
        tries = (rng.choice(self._rows, seed, *name, "mixture", attempt) for attempt in range(TRIES))
        chosen = next(((n, row) for n, row in tries if its is None or (row.scenario == "TS3") == its), None)
        if chosen is None:
            raise InputError(
                f"the datasets have too few mixtures {'in' if its else 'beside'} TS3 for this data.its_share"
            )
        number, row = chosen
        data, hop = self._datasets[number], vad.hop_samples(self.sample_rate)
        start = hop * rng.integer(0, (row.num_samples - self.chunk) // hop, seed, *name, "cut")
        gain = 10 ** (rng.uniform(-LEVEL_DB, LEVEL_DB, seed, *name, "level_db") / 20)
        early = (self._reference or data.description.reference) == "early"
        stored = {"target": "target", "reference": "target_early" if early else "target", "noise": "noise"}
        if data.has(data.stem_name(row.scene_id, "interferer")):
            stored["interferer"] = "interferer"
        masks = data.read_activity(row.scene_id, row.num_samples)
        whole = {stem: data.read_stem(row.scene_id, file, row.num_samples) for stem, file in stored.items()}
        enrollment = (number, row.enrollment_path)
        if enrollment not in self._embeddings:
            sound = data.read_sound(row.enrollment_path).astype(np.float64)
            self._embeddings[enrollment] = self._embed(sound, self.sample_rate)
        return TrainingScene(
            label=row.scenario,
            stems={stem: sound[start : start + self.chunk] * np.float32(gain) for stem, sound in whole.items()},
            active={who: mask[start : start + self.chunk : hop] for who, mask in masks.items()},
            embedding=self._embeddings[enrollment],
            levels={name: level for name in ("snr_db", "sir_db") if (level := getattr(row, name)) is not None},
        )
