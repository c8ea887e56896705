"""Hush: DeepFilterNet3 at 16 kHz without look-ahead, trained to remove the voices behind the nearest one.

This is the network alone: the plugin that holds it blends half of its input back in.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.systems.public.published import ONNXRUNTIME, Published, module_of

FOLDER = "livekit/plugins/hush"


class Hush:
    sample_rate, hop, delay = 16_000, 160, 160

    def __init__(self, folder: Path) -> None:
        self._code = module_of("_pse_bench_hush", folder / FOLDER, "_hush_model")
        self._model = self._code.HushModel()  # on one thread

    def reset(self, enrollment: Any) -> None:
        self._session = self._code.HushSession(self._model)

    def step(self, hop: np.ndarray) -> np.ndarray:
        return self._session.process_frame(hop)


PUBLIC = {
    "hush": Published(
        build=Hush,
        name="Hush",
        package="livekit-plugins-hush",
        tried="0.3.3",
        alone=True,
        needs=(ONNXRUNTIME,),
        licence="Apache-2.0",
        url="https://github.com/pulp-vision/Hush",
        description="Blind; DeepFilterNet3 at 16 kHz, trained to remove quieter talkers, too.",
        training_data="LibriSpeech train, LibriTTS, VCTK and Common Voice; noise of DNS Challenge and others",
        parameters=2_281_116,
        weights={
            f"{FOLDER}/models/enc.onnx": "eed80a17a2e4f33209e648cf35fdd3719499319771bdf2aa3fe4b56a48cfeaba",
            f"{FOLDER}/models/erb_dec.onnx": "dfda32e6d3ad8bf68e075c12b5319c3a9ed264e3eb1c9da20261eeda04ea1a9a",
            f"{FOLDER}/models/df_dec.onnx": "dae10024478a0cef057eeb91021a927c631af6387789fc88ce0f57621c7b269b",
        },
    )
}
