"""Who is speaking, as 256 numbers: the d-vector network that the resemblyzer package carries.

The network is the speaker encoder of Wan et al., arXiv 1710.10467 (GE2E loss): 40 mel powers every 10 ms, three
LSTM layers of 256, a linear layer with ReLU, and L2 normalisation. It sees 1.6 s at a time; an utterance is the
renormalised mean of its windows. Window grid, level and front end are those of resemblyzer 0.1.4, whose
``pretrained.pt`` is read as data: neither resemblyzer nor torch is imported, and the file cannot run code.

One step differs from the package: it cuts long pauses out by voice activity detection. Here windows that lie more
than ``SILENT_DB`` below the loudest one do not count, so that a system which mutes pauses is not compared by them.
"""

import functools
import hashlib
from collections.abc import Callable, Iterable

import numpy as np

from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.signal.mel import mel_spectrogram
from pse_bench.speaker import dvector_weights

RATE_HZ = 16_000
SIZE = 256
SHORTEST_S = 0.5
SILENT_DB = 30.0
"""How far below the loudest window one may lie and still count. With 4 s of speech and 4 s of pause at −60 dBFS,
118 LibriSpeech speakers are told apart with an EER of 9.4 % without this rule, 6.0 % at 40 dB and 1.7 % at 30 dB;
without the pause with 1.7, 1.7 and 2.3 %, a difference of less than one speaker."""

LEVEL_DBFS = -30.0
"""To this, softer utterances are raised; none is lowered."""

FRAME = 400
HOP = 160
NUM_MELS = 40
WINDOW_FRAMES = 160
WINDOWS_PER_S = 1.3
MIN_COVERAGE = 0.75

_LAYERS = 3
_AT_ONCE = 64
_REMEMBERED = 4096
_known: dict[bytes, np.ndarray] = {}


def embed(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """The d-vector of an utterance: float32, shape (256,), unit length, no negative entries.

    The last few thousand signals are remembered by content within a process.

    Args:
        samples: shape (num_samples,), at least 0.5 s; below 1.6 s it is padded with silence.
        sample_rate: Hz; other rates than 16000 are resampled.

    Raises:
        InputError: too short, silent or not finite; or the weights are missing or not the known ones.
    """
    content = _content(samples, sample_rate)
    key = hashlib.sha256(content.tobytes()).digest()
    if key not in _known:
        vector = _embed_all([content], forward)[0]
        vector.flags.writeable = False
        if len(_known) >= _REMEMBERED:
            _known.pop(next(iter(_known)))
        _known[key] = vector
    return _known[key]


def unusable(samples: np.ndarray, sample_rate: int) -> str:
    """Why a signal has no d-vector; '' when it has one."""
    if np.ndim(samples) != 1:
        return f"it has shape {np.shape(samples)}, expected (num_samples,)"
    if len(samples) < SHORTEST_S * sample_rate:
        return f"it is {len(samples) / sample_rate:.2f} s long, shorter than {SHORTEST_S} s"
    if not np.isfinite(samples).all():
        return "it holds NaN or infinite samples"
    # What vanishes in float32 is silent too.
    if not np.any(np.square(samples, dtype=np.float32)):
        return "it is silent"
    return ""


# ---- front end


def window_starts(num_samples: int) -> list[int]:
    """The first frame of each window of 160 frames, for a signal at 16 kHz. A last window of which less than
    three quarters is sound is left out, unless it is the only one."""
    num_frames = -(-(num_samples + 1) // HOP)
    step = round(RATE_HZ / WINDOWS_PER_S / HOP)
    starts = list(range(0, max(1, num_frames - WINDOW_FRAMES + step + 1), step))
    covered = (num_samples - starts[-1] * HOP) / (WINDOW_FRAMES * HOP)
    return starts[:-1] if covered < MIN_COVERAGE and len(starts) > 1 else starts


def embed_all(sounds: Iterable[np.ndarray], sample_rate: int) -> np.ndarray:
    """The d-vectors of many utterances: float32, shape (N, 256), within 1e-6 of ``embed``, in half the time: all
    windows at once, in torch. Raises InputError as ``embed``."""
    from pse_bench.speaker.dvector_torch import forward as torch_forward

    return _embed_all([_content(sound, sample_rate) for sound in sounds], torch_forward)


def _content(samples: np.ndarray, sample_rate: int) -> np.ndarray:
    """What is embedded, float32 at the network's rate. Raises InputError where it cannot be."""
    if fault := unusable(samples, sample_rate):
        raise InputError(f"no d-vector: {fault}; give at least {SHORTEST_S} s of speech")
    # Two signals that differ only beyond float32 are one to the network.
    return np.ascontiguousarray(audio.resample(samples, sample_rate, RATE_HZ), dtype=np.float32)


def _embed_all(contents: list[np.ndarray], run: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    each = [_windows(content.astype(np.float64)) for content in contents]
    windows = np.concatenate(each)
    vectors = np.concatenate([run(windows[i : i + _AT_ONCE]) for i in range(0, len(windows), _AT_ONCE)])
    ends = np.cumsum([len(one) for one in each])[:-1]
    return np.stack([_unit(np.mean(own, axis=0)) for own in np.split(vectors, ends)])


def _windows(samples: np.ndarray) -> np.ndarray:
    """The windows of mel powers that count, (N, 160, 40), float32."""
    rms = np.sqrt(np.mean(np.square(samples)))
    samples = samples * max(1.0, 10 ** (LEVEL_DBFS / 20) / rms)
    starts = window_starts(len(samples))
    samples = np.pad(samples, (0, max((starts[-1] + WINDOW_FRAMES) * HOP - len(samples), 0)))
    mel = mel_spectrogram(samples, sample_rate=RATE_HZ, frame=FRAME, hop=HOP, num_mels=NUM_MELS)
    windows = np.stack([mel[start : start + WINDOW_FRAMES] for start in starts])  # (N, 160, 40)
    loudness = np.sum(windows, axis=(1, 2))
    return windows[loudness > 10 ** (-SILENT_DB / 10) * np.max(loudness)].astype(np.float32)


# ---- network


def forward(windows: np.ndarray) -> np.ndarray:
    """D-vectors of windows of mel powers: float32, from (N, 160, 40) to (N, 256), each of unit length."""
    layers, weight, bias = _network()
    outputs = np.ascontiguousarray(windows.transpose(1, 0, 2), dtype=np.float32)  # (T, N, inputs)
    for layer in layers:
        outputs = _run_layer(outputs, *layer)  # (T, N, 256)
    return _unit(np.maximum(outputs[-1] @ weight + bias, 0.0))


def _run_layer(
    inputs: np.ndarray, enter_weight: np.ndarray, recurrent: np.ndarray, bias: np.ndarray
) -> np.ndarray:
    num_frames, num_windows, width = inputs.shape
    gates = (inputs.reshape(-1, width) @ enter_weight + bias).reshape(num_frames, num_windows, -1)
    hidden = cell = np.zeros((num_windows, SIZE), dtype=np.float32)
    outputs = np.empty((num_frames, num_windows, SIZE), dtype=np.float32)
    for frame in range(num_frames):
        gate = gates[frame]
        gate += hidden @ recurrent
        np.tanh(gate, out=gate)
        # Three of the gates are sigmoids, 0.5 + 0.5 tanh(x / 2); the halved x is in the weights.
        sigmoid = gate[:, : 3 * SIZE]
        sigmoid *= 0.5
        sigmoid += 0.5
        enter, keep, emit, new = (gate[:, i * SIZE : (i + 1) * SIZE] for i in range(4))
        cell = keep * cell + enter * new
        hidden = np.multiply(emit, np.tanh(cell), out=outputs[frame])
    return outputs


def _unit(vectors: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return vectors / np.maximum(norms, np.finfo(np.float32).tiny)


@functools.cache
def _network() -> tuple[list[tuple[np.ndarray, ...]], np.ndarray, np.ndarray]:
    """The LSTM layers, each as input weights (inputs, 1024), recurrent weights (256, 1024) and bias (1024,), then
    weight and bias of the linear layer."""
    tensors = dvector_weights.read()
    layers = []
    for number in range(_LAYERS):
        inputs, recurrent, bias, more = (
            tensors[f"lstm.{name}_l{number}"] for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        )
        weights = (np.ascontiguousarray(_arranged(values).T) for values in (inputs, recurrent))
        layers.append((*weights, _arranged(bias + more)))
    return layers, np.ascontiguousarray(tensors["linear.weight"].T), tensors["linear.bias"]


def _arranged(values: np.ndarray) -> np.ndarray:
    """The file has the gates in the order enter, keep, new, emit; here the three sigmoids stand together."""
    enter, keep, new, emit = np.split(values, 4)
    return np.concatenate([0.5 * enter, 0.5 * keep, 0.5 * emit, new])
