"""Training scenes mixed on the fly, as torch reads them."""

import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import IterableDataset, get_worker_info

from pse_bench.corpora.roots import Roots
from pse_bench.errors import RequestError
from pse_bench.io import cache_folder
from pse_bench.io.documents import parse
from pse_bench.io.tables import read_table
from pse_bench.planning.clip_pool import speaker_key
from pse_bench.runtime.executor import Executor, Serial
from pse_bench.schemas import NoiseClip, Utterance
from pse_bench.torch.collate import collate
from pse_bench.torch.mixture_dataset import FIELDS, checked
from pse_bench.training.config import Data
from pse_bench.training.data import sources
from pse_bench.training.data.prepared_folder import Preparation
from pse_bench.training.data.scenes import TrainingScene


class DynamicMixing(IterableDataset):
    """Batches of scenes that are mixed while they are read, without end.

    A batch is a function of ``seed`` and its step: the same on any number of data-loader workers and of ranks.
    Give it to ``DataLoader(mixing, batch_size=None, num_workers=N)``. Keys and shapes are those
    of ``MixtureDataset`` with a first dimension of ``batch``; enrollments are padded, with ``enrollment_length``
    beside them. ``metadata`` is a list of dictionaries: ``scenario``, ``target_speaker``, ``interferer_speakers``,
    ``enrollment_condition``, and the levels that were drawn.

    Clips, rooms and enrollments are prepared once, in ``cache``, when the object is made; that takes minutes for
    hours of speech, and seconds from then on.

    Args:
        speech, noise: manifests.
        scenario: a scenario file or the name of a shipped one; lengths of scenes are ``chunk_s`` instead.
        roots: folders of the corpora by name, for those that ``PSE_BENCH_ROOT_<NAME>`` does not give.
        cache: folder of what is prepared; in ``~/.cache/pse-bench`` by default.
        batch: scenes a step, of all ranks together.
        seed: any whole number.
        fields: keys of a batch.
        people: keys (``corpus/speaker_id``) of those who may be heard; all by default. ``people`` of the object
            lists them, which is how to hold some out.
        start, stop: first step, and the one before which to end.
        rank, world: this process gives its share of every batch; from the environment by default.
        executor: prepares; here and now by default.
        options: of what is mixed, as in a training's configuration under ``data``: ``chunk_s``, ``its_share``,
            ``reference``, ``speeds``, ``formants``, ``tilt_db``, ``rooms``, ``crops``.

    Raises:
        InputError: a manifest, a clip or an option cannot be used.
        RequestError: an unknown field, a batch that the ranks cannot share, or too few people.
    """

    def __init__(
        self,
        speech: str | Path | Iterable[str | Path],
        noise: str | Path | Iterable[str | Path],
        *,
        scenario: str | Path = "training",
        roots: Mapping[str, str | Path] | None = None,
        cache: str | Path | None = None,
        batch: int = 16,
        seed: int = 0,
        fields: Iterable[str] = FIELDS,
        people: Iterable[str] | None = None,
        start: int = 0,
        stop: int | None = None,
        rank: int | None = None,
        world: int | None = None,
        executor: Executor | None = None,
        **options: Any,
    ) -> None:
        self.fields = checked(fields)
        self.seed, self.start, self.stop = seed, start, stop
        rank = int(os.environ.get("RANK", "0")) if rank is None else rank
        world = int(os.environ.get("WORLD_SIZE", "1")) if world is None else world
        if not 0 <= rank < world or batch < world:
            raise RequestError(f"rank {rank} of {world} cannot share a batch of {batch}; give a larger batch")
        self._items = range(batch * rank // world, batch * (rank + 1) // world)
        plain = {"speeds": [1.0], "tilt_db": 0.0}  # unlike our own trainings
        asked = parse(Data, {**plain, **options, "scenario": str(scenario)}, "DynamicMixing")
        utterances = [row for path in _paths(speech) for row in read_table(path, Utterance)]
        folder = Path(cache) if cache else cache_folder() / "training"
        preparation = Preparation(
            cache=folder,
            bank=folder / "rooms",
            roots=Roots.parse(tuple(f"{name}={root}" for name, root in (roots or {}).items())),
            executor=executor or Serial(),
            progress=lambda what, unit: nullcontext(lambda done, total: None),
        )
        noises = [row for path in _paths(noise) for row in read_table(path, NoiseClip)]
        self._prepared = sources.prepare(asked, preparation, speech=utterances, noise=noises, encoder=None)
        everybody = sorted({speaker_key(row) for row in utterances})
        self.people = everybody if people is None else sorted(set(people))
        for name in set(self.people).difference(everybody):
            raise RequestError(f"{name} is not in the manifests; there are {', '.join(everybody[:3])}, …")
        self._mixer = self._prepared.mixer(set(self.people), all_voices=True, tilt_db=asked.tilt_db)
        self.sample_rate = self._mixer.sample_rate

    def __iter__(self) -> Iterator[dict[str, Any]]:
        worker = get_worker_info()
        first, stride = (worker.id, worker.num_workers) if worker else (0, 1)
        for step in count(self.start + first, stride):
            if self.stop is not None and step >= self.stop:
                return
            yield self.batch(step)

    def batch(self, step: int) -> dict[str, Any]:
        """The batch of a step, or this rank's share of it."""
        return collated([self._item(self._mixer.scene(self.seed, ("step", step, item))) for item in self._items])

    def _item(self, scene: TrainingScene) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for field in self.fields:
            if field == "mixture":
                value = scene.mixture(scene.label)
            elif field == "enrollment":
                value = self._prepared.enrollment(scene.crop)
            elif field.endswith("_active"):
                value = scene.active[field.removesuffix("_active")]
            else:
                value = scene.stems.get(field, np.zeros_like(scene.stems["noise"]))
            found[field] = torch.from_numpy(value)
        crop = self._prepared.enrollments.crops[scene.crop]
        target, *others = scene.people
        about = {"scenario": scene.label, "target_speaker": target, "interferer_speakers": others, **scene.levels}
        return {**found, "metadata": {**about, "enrollment_condition": crop.condition}}


def collated(items: list[dict[str, Any]]) -> dict[str, Any]:
    """A batch of items that differ in the length of the enrollment only."""
    return {k: v for k, v in collate(items).items() if not k.endswith("_length") or k == "enrollment_length"}


def _paths(given: str | Path | Iterable[str | Path]) -> list[Path]:
    return [Path(given)] if isinstance(given, str | Path) else [Path(path) for path in given]
