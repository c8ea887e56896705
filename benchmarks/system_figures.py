"""Whether the processor time that `pse-bench system` tells of a system depends on what else the machine does.

Each system is measured as `pse-bench system` does it, in a process of its own that is held to one core: as the
machine is, and with two busy loops beside it that this program starts, in turn. Printed are the medians over the
rounds of the real-time factors in processor time and in wall time, and by how much the busy one is off.

    python benchmarks/system_figures.py [SYSTEM ...] [--rounds 3]

Exits with status 1 when processor time differs by more than 15 %.
"""

import argparse
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pse_bench.runtime.executor import Processes, one_core
from pse_bench.systems.profile import Speed

SYSTEMS = ["public:gtcrn", "public:dtln", "public:webrtc", "baseline:its"]
LOOPS = 2
MOST = 0.15
RATE = 16_000


def speed(name: str) -> Speed:
    """In a worker process."""
    with one_core():
        from pse_bench.systems import profile, registry

        return profile.measure_speed(registry.load(name), RATE)


@contextmanager
def busy(loops: int) -> Iterator[None]:
    """So many processes that do nothing as fast as they can."""
    running = [subprocess.Popen([sys.executable, "-S", "-c", "while True: pass"]) for _ in range(loops)]
    try:
        yield
    finally:
        for process in running:
            process.kill()
            process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("systems", nargs="*", default=SYSTEMS, metavar="SYSTEM")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(f"{os.cpu_count()} cores, load before {os.getloadavg()[0]:.1f}")
    print(f"{'system':24}{'':11}{'as it is':>10}{f'{LOOPS} loops':>10}{'off':>8}")
    worst = 0.0
    for name in asked.systems:
        found: dict[int, list[Speed]] = {0: [], LOOPS: []}
        for _ in range(asked.rounds):
            for loops, speeds in found.items():
                with busy(loops):
                    (outcome,) = Processes(1).run(speed, [name])
                if outcome.lost:
                    sys.exit(f"{name}: {outcome.lost}")
                speeds.append(outcome.value)
        for kind, figure in (("processor", "rtf_cpu"), ("wall", "rtf")):
            quiet, loaded = (statistics.median(getattr(one, figure) for one in each) for each in found.values())
            print(f"{name:24}{kind:11}{quiet:10.4f}{loaded:10.4f}{loaded / quiet - 1:8.1%}", flush=True)
            if kind == "processor":
                worst = max(worst, abs(loaded / quiet - 1))
    sys.exit(f"processor time differs by {worst:.1%}, more than {MOST:.0%}" if worst > MOST else 0)


if __name__ == "__main__":
    main()
