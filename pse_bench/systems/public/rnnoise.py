"""RNNoise 0.2: J.-M. Valin, "A hybrid DSP/deep learning approach to real-time full-band speech enhancement", MMSP
2018, with the larger network of 2024. The weights are part of its library.
"""

import ctypes
import weakref
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.systems.public.published import Published, module_of

LINUX = "pyrnnoise/librnnoise.so"


class RNNoise:
    sample_rate, hop, delay = 48_000, 480, 960

    def __init__(self, folder: Path) -> None:
        self._c = module_of("_pse_bench_pyrnnoise", folder / "pyrnnoise", "rnnoise")
        self._free = lambda: None

    def reset(self, enrollment: Any) -> None:
        self._free()
        self._state = self._c.create()
        self._free = weakref.finalize(self, self._c.destroy, self._state)

    def step(self, hop: np.ndarray) -> np.ndarray:
        frame = np.ascontiguousarray(hop * np.float32(32768), np.float32)  # its floats are of 16-bit size
        pointer = frame.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
        self._c.lib.rnnoise_process_frame(self._state, pointer, pointer)
        return frame / np.float32(32768)


PUBLIC = {
    "rnnoise": Published(
        build=RNNoise,
        name="RNNoise",
        package="pyrnnoise",
        tried="0.4.5",
        licence="Apache-2.0 (package), BSD-3-Clause (RNNoise)",
        url="https://github.com/xiph/rnnoise",
        description="Blind; recurrent gains on bands and a comb filter at the pitch, at 48 kHz; release 0.2.",
        weights={LINUX: "de5120abce147a72ba343296744ae7cc0a97298e19307c7d3f01cce8c34b18ff"},
    )
}
