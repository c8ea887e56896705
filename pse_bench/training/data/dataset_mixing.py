"""Scenes from rendered datasets, in folders or in tar shards: chunks of stored stems, with the dataset's activity,
at the dataset's levels."""

from collections.abc import Callable, Iterable

import numpy as np

from pse_bench import rng
from pse_bench.dataset.dataset import ReadableDataset
from pse_bench.dataset.webdataset import open_any
from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.schemas import Mixture
from pse_bench.signal import vad
from pse_bench.speaker.encoders import ENCODERS, Embed
from pse_bench.training.config import TrainConfig
from pse_bench.training.data.dynamic_mixing import TrainingScene
from pse_bench.training.data.speaker_sampler import Name

TRIES = 8


class StoredScenes:
    """Cuts chunks out of the mixtures of datasets.

    A mixture is drawn by ``data.its_share`` where that is set, else as often as the dataset has it. A level is
    drawn anew (±6 dB for the whole scene), so that a small dataset is not learned by heart.

    Args:
        places: datasets of one sample rate, folders or shards of ``pack``.
        config: of the run.

    Raises:
        InputError: a place holds no dataset, rates differ, or nothing is long enough.
    """

    LEVEL_DB = 6.0

    def __init__(self, places: Iterable[object], config: TrainConfig) -> None:
        self._datasets = [open_any(str(place)) for place in places]
        rates = {data.description.sample_rate for data in self._datasets}
        if len(rates) != 1:
            raise InputError(f"datasets at {sorted(rates)} Hz: give datasets of one sample rate")
        self.sample_rate = rates.pop()
        self.chunk = audio.seconds_to_samples(config.data.chunk_s, self.sample_rate)
        self._reference, self._its_share = config.data.reference, config.data.its_share
        self._encoder, self._embed = config.encoder, ENCODERS.find(config.encoder).embed
        self._rows = [
            (number, row)
            for number, data in enumerate(self._datasets)
            for row in data.mixtures
            if row.num_samples >= self.chunk
        ]
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
        """The scenes that are accepted by everybody heard in them and by their target.

        Raises:
            InputError: none is.
        """
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
        """A chunk of a stored scene, a function of seed and name; see ``batches.Scenes``."""
        its = None if self._its_share is None else rng.unit(seed, *name, "its") < self._its_share
        number, row = self._draw(seed, name, its)
        data = self._datasets[number]
        hop = vad.hop_samples(self.sample_rate)
        start = hop * rng.integer(0, (row.num_samples - self.chunk) // hop, seed, *name, "cut")
        gain = 10 ** (rng.uniform(-self.LEVEL_DB, self.LEVEL_DB, seed, *name, "level_db") / 20) / audio.FULL_SCALE

        def stem(what: str) -> np.ndarray:
            whole = data.read_stem(row.scene_id, what, row.num_samples)
            return whole[start : start + self.chunk] * np.float32(gain)

        reference = self._reference or data.description.reference
        masks = data.read_activity(row.scene_id, row.num_samples)
        frames = {who: mask[start : start + self.chunk : hop] for who, mask in masks.items()}
        interferer = stem("interferer") if data.has(_interferer(data, row)) else None
        return TrainingScene(
            label=row.scenario,
            target=stem("target"),
            reference=stem("target_early" if reference == "early" else "target"),
            interferer=interferer,
            noise=stem("noise"),
            active=frames["target"],
            interferer_active=frames["interferer"],
            embedding=_embedding(data, row.enrollment_path, self._encoder, self._embed),
            levels={name: level for name in ("snr_db", "sir_db") if (level := getattr(row, name)) is not None},
        )

    def _draw(self, seed: int, name: Name, its: bool | None) -> tuple[int, Mixture]:
        for attempt in range(TRIES * 8):
            number, row = rng.choice(self._rows, seed, *name, "mixture", attempt)
            if its is None or (row.scenario == "TS3") == its:
                return number, row
        raise InputError(
            f"the datasets have too few mixtures {'in' if its else 'beside'} TS3 for this data.its_share"
        )


def _interferer(data: ReadableDataset, row: Mixture) -> str:
    return f"stems/interferer/{row.scene_id}.{data.description.format}"


_embeddings: dict[tuple[str, str, str], np.ndarray] = {}
"""Of every enrollment that this process has met."""


def _embedding(data: ReadableDataset, path: str, encoder: str, embed: Embed) -> np.ndarray:
    key = (data.where, path, encoder)
    if key not in _embeddings:
        samples = data.read_sound(path) / audio.FULL_SCALE
        _embeddings[key] = embed(samples, data.description.sample_rate)
    return _embeddings[key]
