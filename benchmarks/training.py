"""How fast does the tiny enhancer train, and does it ever wait for data?

Steps with a new batch each and steps on one cached batch take turns, so that whatever else the machine does falls
on both alike. Printed are seconds of audio a second of wall time, medians over blocks, and their ratio. Exits with
status 1 when mixing leaves less than 85 % of the cached rate. The rate itself is told and not judged, since it is
the machine's: on two idle cores it should be 200. Without manifests the embedded corpus is made first.

    python benchmarks/training.py [--threads 2] [--workers 0] [--precision bfloat16] [--recipe no-its]
        [--speech M.csv --noise N.csv]
"""

import argparse
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.errors import PseBenchError

LEAST_RATIO = 0.85
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pse-bench"


def embedded(executor) -> tuple[Path, Path]:
    """Manifests of the embedded corpus's training voices and noise."""
    from pse_bench.corpora.synthetic import embedded as corpus

    folder = CACHE / "embedded"
    corpus.synthesize(folder, executor=executor)
    os.environ.setdefault("PSE_BENCH_ROOT_EMBEDDED", str(folder))
    return tuple(corpus.manifest(folder / "manifests", part) for part in ("train", "noise-train"))


def prepared(asked: argparse.Namespace) -> tuple[Any, Any]:
    """The configuration that is timed, and its scenes."""
    from pse_bench.corpora.roots import Roots
    from pse_bench.runtime.executor import Processes
    from pse_bench.runtime.progress import progress
    from pse_bench.training import config
    from pse_bench.training.data import sources
    from pse_bench.training.data.prepared_folder import Preparation

    executor = Processes(asked.threads)
    speech, noise = (asked.speech, asked.noise) if asked.speech else embedded(executor)
    changes = (
        f"data.rooms={asked.rooms}",
        f"batch={asked.batch}",
        f"precision={asked.precision}",
        "validation.speakers=2",
        "validation.scenes=1",
        "loss.guide=interferer",
    )
    chosen = config.load(asked.recipe, changes, task="pse")
    preparation = Preparation(asked.cache, asked.cache / "rooms", Roots.parse(()), executor, progress)
    source = sources.from_manifests(chosen, preparation, speech=[speech], noise=[noise])
    return chosen, source


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--workers", type=int, default=0, help="data workers; 0 mixes between the steps")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--rooms", type=int, default=8)
    parser.add_argument("--blocks", type=int, default=7)
    parser.add_argument("--steps", type=int, default=6, help="steps a block")
    parser.add_argument("--recipe", default="no-its")
    parser.add_argument(
        "--precision", default="auto", help="auto, float32 or bfloat16 where the processor knows it"
    )
    parser.add_argument("--speech", type=Path)
    parser.add_argument("--noise", type=Path)
    parser.add_argument("--cache", type=Path, default=CACHE / "training")
    asked = parser.parse_args()

    import torch

    from pse_bench.training import tasks
    from pse_bench.training.data import batches

    torch.set_num_threads(asked.threads)
    try:
        chosen, source = prepared(asked)
    except PseBenchError as error:
        print(error, file=sys.stderr)
        return 1

    low = tasks.use_bfloat16(chosen, torch.device("cpu"))
    task = tasks.make(chosen, rate=source.scenes.sample_rate, guide=None, begin=None)
    optimiser = torch.optim.AdamW(task.model.parameters(), lr=1e-4)
    seconds = asked.batch * chosen.data.chunk_s

    def step(batch: batches.Batch) -> None:
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=low):
            output = task.model(batch.mixture, batch.embedding)
        loss = task.loss(output.float(), batch)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(task.model.parameters(), 5.0)
        optimiser.step()

    count = (asked.blocks + 1) * asked.steps + 1
    stream = batches.loader(source.scenes, seed=1, steps=range(count), batch=asked.batch, workers=asked.workers)
    cached = next(stream)
    rates: dict[str, list[float]] = {"mixed": [], "cached": []}
    for block in range(asked.blocks + 1):
        for kind, found in rates.items():
            begin = time.perf_counter()
            for _ in range(asked.steps):
                step(cached if kind == "cached" else next(stream))
            if block:  # the first warms up
                found.append(asked.steps * seconds / (time.perf_counter() - begin))
    mixed, alone = (float(np.median(measured)) for measured in rates.values())
    ratios = [a / b for a, b in zip(*rates.values(), strict=True)]
    print(f"{sum(p.numel() for p in task.model.parameters())} parameters, batches of {seconds:g} s")
    kind = "bfloat16" if low else "float32"
    print(f"{asked.threads} threads, {asked.workers} data workers, {kind}, load {os.getloadavg()[0]:.1f}")
    print(f"with data     {mixed:8.1f} s of audio a second")
    print(f"cached batch  {alone:8.1f} s of audio a second")
    print(f"ratio         {np.median(ratios):8.3f}  (blocks {min(ratios):.3f} to {max(ratios):.3f})")
    return 0 if np.median(ratios) >= LEAST_RATIO else 1


if __name__ == "__main__":
    sys.exit(main())
