"""Batches: a function of (seed, step), the same on any number of data workers, split over any number of ranks."""

import multiprocessing
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from multiprocessing import resource_tracker
from typing import Any, NamedTuple

import numpy as np

from pse_bench.runtime import interrupts
from pse_bench.training.data.scenes import Scenes, TrainingScene


class Batch(NamedTuple):
    """B chunks of sound; arrays, or tensors after ``loader``."""

    mixture: Any  # float32, (B, T), full scale ±1
    reference: Any  # the same; zero in an ITS item
    target_active: Any  # bool, (B, ceil(T / hop)), on the frames of vad.HOP_S
    interferer_active: Any
    is_its: Any  # bool, (B,): the enrolled speaker is silent (TS3)
    embedding: Any  # float32, (B, size), of the enrollment


def draw(scenes: Scenes, seed: int, step: int, items: range, pool: ThreadPoolExecutor | None = None) -> Batch:
    """Items of a step's batch. Item k is the same whichever others are drawn with it. The threads of a pool share
    the items: Fourier transforms run side by side."""
    names = (("step", step, index) for index in items)
    return of_parts(list((pool.map if pool else map)(partial(scenes.scene, seed), names)))


def of_parts(parts: list[TrainingScene], label: str | None = None) -> Batch:
    """A batch of scenes, each as what it is drawn to be, or all as one scenario."""
    each = [(one, label or one.label) for one in parts]
    mixture = np.stack([one.mixture(what) for one, what in each])
    silence, nobody = np.zeros_like(mixture[0]), np.zeros_like(parts[0].active["target"])
    return Batch(
        mixture=mixture,
        reference=np.stack([silence if what == "TS3" else one.stems["reference"] for one, what in each]),
        target_active=np.stack([nobody if what == "TS3" else one.active["target"] for one, what in each]),
        interferer_active=np.stack([nobody if what == "TS1" else one.active["interferer"] for one, what in each]),
        is_its=np.array([what == "TS3" for _, what in each]),
        embedding=np.stack([one.embedding for one in parts]),
    )


def loader(
    scenes: Scenes, *, seed: int, steps: range, batch: int, rank: int = 0, world: int = 1, workers: int = 0
) -> Iterator[Batch]:
    """The batches of some steps as tensors, in order.

    Args:
        scenes: where chunks come from; with workers it has to be picklable.
        seed, steps: of the run.
        batch: items of all ranks together.
        rank, world: this process makes the items of its part of the batch.
        workers: processes that mix ahead, each with one thread; 0 mixes here, with as many threads as torch has.
    """
    import torch
    from torch.utils.data import DataLoader

    part = range(batch * rank // world, batch * (rank + 1) // world)
    context = None
    if workers:
        with interrupts.deferred():
            resource_tracker.ensure_running()  # which lets SIGINT and SIGTERM through again
        # Workers start from a server without threads, which has loaded torch once for all of them. A fork of this
        # process would copy locks of threads that do not exist in the child.
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["torch.utils.data", "scipy.fft", "pse_bench.training.data.scenes"])
    # Workers keep what is put off: a signal that reaches the whole group ends a step and not what it waits for.
    with interrupts.deferred() if workers else nullcontext():
        dataset: Any = _Steps(scenes, seed, part, 1 if workers else torch.get_num_threads())
        return iter(
            DataLoader(
                dataset,
                batch_size=None,
                sampler=steps,
                num_workers=workers,
                multiprocessing_context=context,
                prefetch_factor=4 if workers else None,
                pin_memory=torch.cuda.is_available(),
                generator=torch.Generator(),  # or it would draw from the global one
            )
        )


class _Steps:
    """What the loader asks for a step's batch; a plain object, as it goes to worker processes."""

    def __init__(self, scenes: Scenes, seed: int, items: range, threads: int) -> None:
        self._scenes, self._seed, self._items = scenes, seed, items
        self._pool = ThreadPoolExecutor(threads) if threads > 1 else None

    def __getitem__(self, step: int) -> Batch:
        return draw(self._scenes, self._seed, step, self._items, self._pool)
