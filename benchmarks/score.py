"""Does scoring cost more than the libraries it calls, and do two processes halve it?

One process scores a submission; beside it the bare calls are made on the same clips, read already: pystoi twice,
pesq, the two DNSMOS models window by window, and our own functions for what has no library (tsos, leakage,
SI-SDR). The first ratio is of processor seconds, in which other processes do not count; those of scoring include
its start, reading, hashing and writing. The second is of wall seconds, one process to two.

    python benchmarks/score.py [--scenes 20] [--rounds 1] [--workers 2]

Exits with status 1 when scoring takes more than 1.1 times the bare calls, or two processes are not 1.8 times one.
"""

import argparse
import os
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.update(dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"))

import numpy as np
from executors import Bench  # beside this file

from pse_bench import metrics
from pse_bench.dataset.dataset import Dataset
from pse_bench.io import audio
from pse_bench.metrics import dnsmos
from pse_bench.runtime.executor import Processes
from pse_bench.schemas import Mixture
from pse_bench.scoring import score

NAMES = ["tsos", "leakage_reduction_db", "stoi", "estoi", "pesq_wb", "si_sdr"]
NAMES += [f"{kind}_{figure}" for kind in ("dnsmos", "pdnsmos") for figure in ("sig", "bak", "ovrl")]
MOST, SPEEDUP = 1.1, 1.8


def sessions() -> list[Any]:
    """The two models as anybody would open them, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return [
        onnxruntime.InferenceSession(dnsmos.model_path(name), options, providers=["CPUExecutionProvider"])
        for name in ("p835", "personalized")
    ]


def bare(dataset: Dataset, submission: Path, row: Mixture, models: list[Any]) -> dict[str, float]:
    """Processor seconds of each library's calls on one mixture."""
    from pesq import pesq
    from pystoi import stoi

    rate = row.sample_rate
    estimate, _ = audio.read(audio.find(submission / row.scenario, row.scene_id)[0])
    mixture = dataset.read_sound(row.mixture_path).astype(np.float64)
    active = dataset.read_activity(row.scene_id)
    if row.scenario == "TS3":
        return {"leakage": spent(metrics.leakage.leakage_energies, estimate=estimate, mixture=mixture)}
    reference = dataset.read_stem(row.scene_id, "target_early").astype(np.float64)
    windows = [window.astype(np.float32)[None] for window in dnsmos.windows_of(estimate)]
    pair = {"estimate": estimate, "reference": reference}
    tsos = metrics.oversuppression.tsos
    return {
        "tsos": spent(tsos, **pair, target_active=active["target"], sample_rate=rate),
        "si_sdr": spent(metrics.distortion.si_sdr, **pair),
        "stoi": spent(stoi, reference, estimate, rate),
        "estoi": spent(stoi, reference, estimate, rate, extended=True),
        "pesq": spent(pesq, rate, reference, estimate, "wb"),
        "dnsmos": spent(lambda: [model.run(None, {"input_1": w}) for model in models for w in windows]),
    }


def spent(work: Callable[..., Any], *given: Any, **named: Any) -> float:
    begin = time.process_time()
    work(*given, **named)
    return time.process_time() - begin


def processor_s() -> float:
    """Of this process and of the workers that have ended."""
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=1, help="of each, in turn; ratios are of medians")
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as folder:
        bench = Bench(Path(folder), asked.scenes, "standard")
        bench.render("serial", Processes(2))
        bench.enhance("serial", Processes(2))
        return compare(bench, asked.rounds, asked.workers)


def compare(bench: Bench, rounds: int, workers: int) -> int:
    dataset, submission = bench.dataset, bench.folder / "serial-audio"
    models = sessions()
    bare(dataset, submission, dataset.mixtures[0], models)  # imports do not count
    libraries, walls, processor = [], {1: [], workers: []}, {1: [], workers: []}
    for turn in range(rounds):
        calls: dict[str, float] = {}
        for row in dataset.mixtures:
            for name, seconds in bare(dataset, submission, row, models).items():
                calls[name] = calls.get(name, 0.0) + seconds
        libraries.append(sum(calls.values()))
        told = ", ".join(f"{name} {seconds:.1f}" for name, seconds in calls.items())
        print(f"bare calls      {libraries[-1]:8.2f} processor s ({told})", flush=True)
        for count in (1, workers):
            begin, used = time.perf_counter(), processor_s()
            out = bench.folder / f"scores-{turn}-{count}"
            score.score(dataset, submission, out, executor=Processes(count), names=NAMES, cache=None)
            walls[count].append(time.perf_counter() - begin)
            processor[count].append(processor_s() - used)
            print(
                f"{count} process{'es' if count > 1 else '  '}     {processor[count][-1]:8.2f} processor s, "
                f"{walls[count][-1]:.2f} s",
                flush=True,
            )
    taken = statistics.median(processor[1]) / statistics.median(libraries)
    speedup = statistics.median(walls[1]) / statistics.median(walls[workers])
    print(f"\n{len(dataset.mixtures)} mixtures, load {os.getloadavg()[0]:.1f}")
    print(f"scoring on one process to bare calls   {taken:6.3f}  (at most {MOST})")
    print(f"one process to {workers}                       {speedup:6.3f}  (at least {SPEEDUP} for 2)")
    return 0 if taken <= MOST and (workers != 2 or speedup >= SPEEDUP) else 1


if __name__ == "__main__":
    sys.exit(main())
