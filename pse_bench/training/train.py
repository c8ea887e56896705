"""The training loop, from top to bottom. What it is given is in ``tasks``, ``data.sources`` and ``run``."""

import contextlib
import math
import os
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.runtime import interrupts
from pse_bench.runtime.progress import Update
from pse_bench.training import checkpoint
from pse_bench.training.config import Optimiser, TrainConfig
from pse_bench.training.data.batches import Batch, loader
from pse_bench.training.data.sources import Source
from pse_bench.training.run import Average, Log, TrainingRun, tensorboard, trained
from pse_bench.training.tasks import make, use_bfloat16


def train(  # noqa: PLR0915 - one flat loop, on purpose
    config: TrainConfig,
    source: Source,
    out: Path,
    *,
    guide: Path | None = None,
    begin: Path | None = None,
    workers: int = 0,
    device: str = "auto",
    stop_after: int | None = None,
    progress: Update | None = None,
    echo: Callable[[str], None] = lambda line: None,
) -> bool:
    """Train a model; an interrupted run goes on where it was last saved, to the same bits on a CPU.

    Args:
        guide, begin, workers, device, echo: see ``job.train_model``.
        stop_after: leave after this many steps of the run, as an interruption would.
        progress: told the seconds of audio that were trained on and of the whole run.

    Returns:
        whether the run is finished.

    Raises:
        InputError: see ``tasks.make`` and ``run.TrainingRun``.
        KeyboardInterrupt: after an interrupt, once the step is done and saved.
    """
    rank, world, at = join_ranks(device)
    rate = source.scenes.sample_rate
    low = use_bfloat16(config, at)
    task = make(config, rate=rate, guide=guide, begin=begin, low=low)
    model = task.model.to(at)
    told: dict[str, Any] = {name: getattr(config, name) for name in ("recipe", "encoder", "seed")}
    told |= {"training": config.model_dump(), "data": source.fingerprints}
    about = {
        "config": told["training"],
        "data": source.fingerprints,
        "begin": atomic.sha256(begin) if begin else "",
        "guide": atomic.sha256(guide) if guide else "",
    }
    with rank0_first(device):
        run = TrainingRun(out, about)
    parameters = list(trained(model).values())
    optimiser = torch.optim.AdamW(parameters, lr=config.optimiser.lr, weight_decay=config.optimiser.weight_decay)
    average = Average(model, config.optimiser.average)
    start = run.resume(model, optimiser, average)
    parallel = torch.nn.parallel.DistributedDataParallel(model) if world > 1 else model

    board = tensorboard(out) if rank == 0 else None
    logs = [Log(out / name, start, board) for name in ("log.csv", "looks.csv")] if rank == 0 else None
    seconds = config.batch * source.scenes.chunk / rate
    last = min(config.steps, stop_after or config.steps)
    asked = {"seed": config.seed, "batch": config.batch, "rank": rank, "world": world, "workers": workers}
    model.train()
    since, begun = time.perf_counter(), start

    with _interruptible() as interrupted:
        for step, drawn in enumerate(loader(source.scenes, steps=range(start, last), **asked), start):
            batch = Batch(*(tensor.to(at, non_blocking=True) for tensor in drawn))
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(config.optimiser, step, config.steps)
            with torch.autocast(at.type, dtype=torch.bfloat16, enabled=low):
                output = parallel(batch.mixture, batch.embedding)
            loss = task.loss(output.float(), batch)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            norm = torch.nn.utils.clip_grad_norm_(parameters, config.optimiser.clip)
            optimiser.step()
            average.update(model, step)

            done = step + 1
            stop = interrupted()
            ending = done == last or stop is not None
            if logs:
                log, validations = logs
                if done % config.log_every == 0 or done == last:
                    pace = (done - begun) * seconds / (time.perf_counter() - since)
                    since, begun = time.perf_counter(), done
                    figures = {"loss": loss.item(), "gradient": norm.item(), "lr": optimiser.param_groups[0]["lr"]}
                    log.add(done, {**figures, "audio_s_per_s": pace})
                if done % config.validation.every == 0 or done == config.steps:
                    average.swap(model)
                    found = task.validate(model.eval(), source.validation, rate)
                    model.train()
                    metrics = {name: round(value, 6) for name, value in found.items() if math.isfinite(value)}
                    named = checkpoint.describe(model, step=done, metrics=metrics, **told)
                    checkpoint.save(run.checkpoint_path, model, named)
                    average.swap(model)
                    validations.add(done, found)
                    echo(f"step {done}: " + ", ".join(f"{name} {value:.3g}" for name, value in found.items()))
                    since, begun = time.perf_counter(), done
                if done % config.save_every == 0 or ending:
                    run.save(model, optimiser, average, done)
                if progress:
                    progress(round(done * seconds), round(config.steps * seconds))
            if stop is not None:
                raise stop
    if board is not None:
        board.close()
    return last == config.steps


def learning_rate(asked: Optimiser, step: int, steps: int) -> float:
    """The step size: linear warm-up, then half a cosine down to ``last_lr``."""
    if step < asked.warmup_steps:
        return asked.lr * (step + 1) / asked.warmup_steps
    way = (step - asked.warmup_steps) / max(steps - asked.warmup_steps, 1)
    return asked.last_lr + (asked.lr - asked.last_lr) * 0.5 * (1 + math.cos(math.pi * way))


# ---- where it runs


def join_ranks(asked: str = "auto") -> tuple[int, int, torch.device]:
    """Rank, number of ranks and device, "auto" is a GPU where there is one; under torchrun, the group of processes
    is joined. Raises InputError where a GPU is asked for and there is none."""
    world, rank = int(os.environ.get("WORLD_SIZE", "1")), int(os.environ.get("RANK", "0"))
    if asked == "cuda" and not torch.cuda.is_available():
        raise InputError("--device cuda: torch finds no CUDA device here; give --device cpu, or another torch")
    cuda = asked != "cpu" and torch.cuda.is_available()
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0"))) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(device)
    if world > 1 and not distributed.is_initialized():
        distributed.init_process_group("nccl" if cuda else "gloo")
    return rank, world, device


@contextlib.contextmanager
def rank0_first(device: str = "auto") -> Iterator[None]:
    """Under torchrun, rank 0 does what is inside while the others wait, then they do; see ``join_ranks``."""
    rank, world, _ = join_ranks(device)
    if rank > 0:
        distributed.barrier()
    yield
    if rank == 0 and world > 1:
        distributed.barrier()


@contextlib.contextmanager
def _interruptible() -> Iterator[Callable[[], KeyboardInterrupt | None]]:
    """Let a step end and be saved when the process is asked to stop; gives what to raise then."""
    asked: list[int] = []

    def note(number: int, _: object) -> None:
        asked.append(number)
        if len(asked) > 1:  # asked twice: at once
            raise interrupts.Terminated(number)

    before = {}
    with contextlib.suppress(ValueError):  # not the main thread: nobody interrupts us
        heeded = [n for n in interrupts.SIGNALS if signal.getsignal(n) is not signal.SIG_IGN]
        before = {number: signal.signal(number, note) for number in heeded}
    try:
        yield lambda: interrupts.Terminated(asked[0]) if asked else None
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
