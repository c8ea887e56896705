"""AAC and ALAC (.m4a, .aac), which libsndfile does not read: decoded by PyAV, the extra ``m4a``.

FFmpeg removes the encoder's delay where the container tells it, as .m4a does; a bare .aac stream does not, and
begins with it (mostly 1,024 samples of near silence). The last frame stays whole.
"""

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.errors import InputError

ENDINGS = frozenset({".m4a", ".aac"})
REMEDY = "pip install 'pse-bench[m4a]'"
_MARGIN_S = 0.1  # by which sound may be shorter than its container says: the encoder's delay and a frame


def is_installed() -> bool:
    """Whether files of ``ENDINGS`` can be read."""
    return find_spec("av") is not None


def read(path: Path) -> tuple[np.ndarray, int]:
    """A whole file as float32 of shape (num_samples, channels), and its rate in Hz.

    Raises:
        InputError: PyAV is not installed, or the file cannot be decoded or ends before its container says.
    """
    if not is_installed():
        raise InputError(f"{path}: reading {path.suffix} needs PyAV; run {REMEDY}")
    import av

    try:
        with av.open(str(path)) as container:
            if not container.streams.audio:
                raise InputError(f"{path}: holds no sound; restore or remove it")
            stream: Any = container.streams.audio[0]
            rate = stream.codec_context.sample_rate
            # of a bare stream the length is only estimated
            promised = round(stream.duration * stream.time_base * rate) if stream.frames and stream.duration else 0
            samples = np.concatenate([np.zeros((0, stream.channels), np.float32), *_frames(container, stream)])
            if len(samples) < promised - _MARGIN_S * rate:
                fault = f"ends after {len(samples)} samples, its header says {promised}"
                raise InputError(f"{path}: {fault}; the file is truncated, restore or remove it")
            return samples, rate
    except av.error.FFmpegError as error:
        reason = error.strerror
        raise InputError(
            f"{path}: not a sound file that can be opened ({reason}); restore or remove it"
        ) from error


def _frames(container: Any, stream: Any) -> Iterator[np.ndarray]:
    """Decoded frames, shape (num_samples, channels)."""
    import av

    to_float = av.AudioResampler(format="fltp")
    for frame in container.decode(stream):
        for part in to_float.resample(frame):
            yield part.to_ndarray().T
