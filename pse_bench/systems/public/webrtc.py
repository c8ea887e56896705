"""The noise suppression of WebRTC's audio processing, at its strongest level and without gain control: a Wiener
filter on an estimate of the noise. There is nothing trained in it.
"""

from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.systems.public.published import Published, from_pcm, to_pcm


class WebRtc:
    sample_rate, hop, delay = 16_000, 160, 96

    def __init__(self, folder: Path) -> None:
        from webrtc_noise_gain import AudioProcessor

        self._new = AudioProcessor

    def reset(self, enrollment: Any) -> None:
        self._processor = self._new(0, 4)  # gain in dB, level of suppression

    def step(self, hop: np.ndarray) -> np.ndarray:
        return from_pcm(self._processor.Process10ms(to_pcm(hop)).audio)


PUBLIC = {
    "webrtc": Published(
        build=WebRtc,
        name="WebRTC NS",
        package="webrtc-noise-gain",
        tried="1.3.0",
        licence="Apache-2.0 (package), BSD-3-Clause (WebRTC)",
        url="https://webrtc.googlesource.com/src",
        description="Blind; a Wiener filter without anything trained, level 4 of 4.",
        training_data="none",
        parameters=0,
    )
}
