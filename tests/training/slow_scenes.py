"""Training's loop over scenes that are waited for, in a process group of its own, with a signal to all of it:
``python slow_scenes.py SIGTERM``. Prints how it was told to stop."""

import os
import signal
import sys
import threading
import time

import numpy as np

from pse_bench.runtime import interrupts
from pse_bench.training import train
from pse_bench.training.data import batches
from pse_bench.training.data.scenes import TrainingScene


def part() -> TrainingScene:
    silence, nobody = np.zeros(160, np.float32), np.zeros(1, bool)
    stems = {"noise": silence, "target": silence, "reference": silence}
    return TrainingScene("TS1", stems, {"target": nobody, "interferer": nobody}, np.zeros(4, np.float32), {})


class Slow:
    chunk, sample_rate = 160, 16_000

    def scene(self, seed: int, name: tuple, *, everything: bool = False) -> TrainingScene:
        time.sleep(0.4)
        return part()


def main() -> None:
    number = getattr(signal, sys.argv[1])
    interrupts.install_handlers()
    with train._interruptible() as asked:
        loaded = batches.loader(Slow(), seed=1, steps=range(100), batch=1, workers=1)
        for step, _ in enumerate(loaded):
            if step == 1:
                threading.Timer(0.1, os.killpg, (os.getpgrp(), number)).start()
            if stop := asked():
                print(f"a step has ended, then {stop.number}")
                return


if __name__ == "__main__":
    main()
