"""Training as one job: from manifests or datasets and a configuration to a checkpoint."""

import os
import shutil
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pse_bench.corpora.roots import Roots
from pse_bench.errors import InputError
from pse_bench.io import locks
from pse_bench.runtime.executor import Executor
from pse_bench.training import REMEDY
from pse_bench.training import config as configs
from pse_bench.training.config import TrainConfig

if TYPE_CHECKING:
    from pse_bench.training.data.prepared_folder import Progress


def train_model(
    config: TrainConfig | str,
    out: str | Path,
    *,
    executor: Executor,
    speech: Iterable[str | Path] = (),
    noise: Iterable[str | Path] = (),
    speakers: str | Path | None = None,
    datasets: Iterable[str | Path] = (),
    roots: Roots | None = None,
    cache: str | Path | None = None,
    bank: str | Path | None = None,
    guide: str | Path | None = None,
    begin: str | Path | None = None,
    workers: int = 0,
    threads: int | None = None,
    device: str = "auto",
    force: bool = False,
    progress: "Progress" = lambda what, unit: nullcontext(lambda done, total: None),
    echo: Callable[[str], None] = lambda line: None,
) -> Path:
    """Train an enhancer or a pVAD; an interrupted run goes on when it is called again.

    Args:
        config: of the run, or the path or shipped name of one, such as "its".
        out: the run's folder.
        executor: runs the preparation, which ``datasets`` do not need.
        speech, noise: manifests, to mix scenes on the fly.
        speakers: CSV of who of them may be trained on, see ``data.sources.allowed``.
        datasets: rendered datasets to train from instead, folders or shards.
        roots: folders of the corpora; from the environment by default.
        cache: folder that keeps decoded speech, rooms and embeddings for other runs; ``out``/cache by default.
        bank: folder that keeps simulated rooms; ``cache``/rooms by default.
        guide: checkpoint of the pVAD that guides the recipe.
        begin: checkpoint whose weights the model begins with.
        workers: processes that mix ahead; 0 mixes in the loop.
        threads: of the model; as many as torch takes by default.
        device: "cpu", "cuda", or "auto": a GPU where there is one.
        force: begin anew where ``out`` holds a run.
        progress: makes a progress display from what is done and its unit.
        echo: told what was prepared and what each validation found, a line at a time; on rank 0 only.

    Returns:
        the checkpoint that was written.

    Raises:
        InputError, RequestError: torch is missing, or the configuration or the data cannot be used.
        KeyboardInterrupt: after an interrupt, once the step is done and saved.
    """
    if isinstance(config, str):
        config = configs.load(config)
    speech, noise = ([Path(path) for path in paths] for paths in (speech, noise))
    speakers, guide, begin = (Path(path) if path else None for path in (speakers, guide, begin))
    datasets, out = list(datasets), Path(out)
    if bool(datasets) == bool(speech or noise):
        raise InputError("give either --speech and --noise to mix on the fly, or --dataset")
    try:
        import torch
    except ImportError as error:
        raise InputError(f"training needs torch, which is not installed; run {REMEDY}") from error
    from pse_bench.planning import scenario as scenarios
    from pse_bench.training import tasks
    from pse_bench.training.data import prepared_folder, sources
    from pse_bench.training.run import CHECKPOINT
    from pse_bench.training.train import rank0_first, train

    if threads:
        torch.set_num_threads(threads)
    first = os.environ.get("RANK", "0") == "0"
    if force and first and (out / "run.json").exists():
        shutil.rmtree(out)
    said: dict[str, Any] = {"guide": guide, "begin": begin, "workers": workers, "echo": echo}
    with rank0_first(device):  # the others find everything prepared
        if datasets:
            source = sources.from_datasets(config, folders=datasets)
        else:
            cache = Path(cache or out / "cache")
            where = (cache, Path(bank or cache / "rooms"), roots or Roots.parse(()))
            preparation = prepared_folder.Preparation(*where, executor, progress)
            # what is wrong with a checkpoint or the model's sizes is said before minutes of preparation
            tasks.make(config, rate=scenarios.load(config.data.scenario)[0].sample_rate, guide=guide, begin=begin)
            source = sources.from_manifests(config, preparation, speech=speech, noise=noise, speakers=speakers)
    for note in source.notes if first else ():
        echo(f"note: {note}")
    own = locks.locked(out, "training") if first else nullcontext()
    with own, progress("training", "s of audio") as update:
        train(config, source, out, device=device, progress=update, **said)
    return out / CHECKPOINT
