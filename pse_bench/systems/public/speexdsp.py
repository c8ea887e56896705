"""The preprocessor of SpeexDSP as a noise suppressor: a Wiener filter with the estimate of noise by minima. There
is nothing trained in it.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.systems.public.published import Published, from_pcm, to_pcm


class SpeexDsp:
    sample_rate, hop, delay = 16_000, 160, 160

    def __init__(self, folder: Path) -> None:
        from speexdsp_ns import NoiseSuppression

        self._create = NoiseSuppression.create

    def reset(self, enrollment: Any) -> None:
        self._suppressor = self._create(self.hop, self.sample_rate)

    def step(self, hop: np.ndarray) -> np.ndarray:
        return from_pcm(self._suppressor.process(to_pcm(hop)))


PUBLIC = {
    "speexdsp": Published(
        build=SpeexDsp,
        name="SpeexDSP",
        package="speexdsp-ns",
        tried="0.1.2",
        licence="Apache-2.0 (package), BSD-3-Clause (SpeexDSP)",
        url="https://github.com/xiph/speexdsp",
        description="Blind; a Wiener filter without anything trained.",
        training_data="none",
        parameters=0,
    )
}
