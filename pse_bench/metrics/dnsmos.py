"""DNSMOS: opinion scores predicted from the estimate alone, by the model files of the speechmos package.

Three models: P.835 (signal, background, overall) and its personalized variant, which also hears other talkers as
background, both from the waveform, and P.808 (overall) from a mel spectrogram. The model sees 9.01 s at a time,
every second; a clip that is shorter is repeated to twice its length until it is long enough, and the score is the
mean over windows. onnxruntime runs the files on one thread; speechmos itself is never imported.

The published script computes where a window ends in floating point, comes out one sample short for some windows
(among them all that start 7 to 23 s into the clip), and leaves those out. Here every window counts; clips of less
than 17 s score the same either way.

Sources: Reddy et al., ICASSP 2022, arXiv 2110.01763 (P.835); Reddy et al., ICASSP 2021, arXiv 2010.15258 (P.808);
the DNS-Challenge's ``dnsmos_local.py`` (windows and polynomials), also in speechmos 0.0.1.1.
"""

import hashlib
import importlib.util
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from pse_bench.errors import FailedScore, InputError, UndefinedScore
from pse_bench.io import audio
from pse_bench.metrics.signals import Signal, energy
from pse_bench.signal.mel import mel_spectrogram

RATE_HZ = 16_000
WINDOW = 144_160  # samples: 9.01 s
HOP = 16_000

SILENT_DBFS = -70.0
"""Softer estimates than this count as silent. The models do not hear level as people do: noise that nobody can
hear scores an overall of 1.8 to 2.2 (personalized 2.2 to 2.5), the same noise at −26 dBFS 1.1 (1.5)."""

LOW = WORST = 1.0
HIGH = 5.0
REMEDY = "pip install 'pse-bench[dnsmos]'"


@dataclass(frozen=True)
class Model:
    """A model file and what its outputs mean: in ``figures``, a name and a polynomial for each, which maps it to
    the opinion scale; the coefficients begin at the highest power."""

    file: str  # its path within the speechmos package
    sha256: str  # of the file of speechmos 0.0.1.1. Another file is refused, so this is what was used
    figures: dict[str, tuple[float, ...]]
    on_mel: bool = False  # whether it takes a mel spectrogram instead of the waveform


MODELS = {
    "p835": Model(
        "dnsmos_models/sig_bak_ovr.onnx",
        "269fbebdb513aa23cddfbb593542ecc540284a91849ac50516870e1ac78f6edd",
        {
            "sig": (-0.08397278, 1.22083953, 0.0052439),
            "bak": (-0.13166888, 1.60915514, -0.39604546),
            "ovrl": (-0.06766283, 1.11546468, 0.04602535),
        },
    ),
    "personalized": Model(
        "pdnsmos_models/sig_bak_ovr.onnx",
        "9e3a197449ca2177f0997afec3bd6b890117ce2f17b89d6eea7fa0d47272c81c",
        {
            "sig": (-0.01019296, 0.02751166, 1.19576786, -0.24348726),
            "bak": (-0.04976499, 0.44276479, -0.1644611, 0.96883132),
            "ovrl": (-0.00533021, 0.005101, 1.18058466, -0.11236046),
        },
    ),
    "p808": Model(
        "dnsmos_models/model_v8.onnx",
        "9246480c58567bc6affd4200938e77eef49468c8bc7ed3776d109c07456f6e91",
        {"mos": (1.0, 0.0)},
        on_mel=True,
    ),
}

METRICS = {
    "dnsmos_sig": ("p835", "sig", "speech quality"),
    "dnsmos_bak": ("p835", "bak", "background quality"),
    "dnsmos_ovrl": ("p835", "ovrl", "overall quality"),
    "pdnsmos_sig": ("personalized", "sig", "speech quality by the personalized model"),
    "pdnsmos_bak": ("personalized", "bak", "background quality by the personalized model"),
    "pdnsmos_ovrl": ("personalized", "ovrl", "overall quality by the personalized model"),
    "dnsmos_p808": ("p808", "mos", "overall quality after ITU-T P.808"),
}
"""Each metric's model and figure, the arguments of ``opinion``, and what is predicted."""

_REMEMBERED = 256
_known: dict[tuple[str, bytes], dict[str, float]] = {}


def opinion(*, estimate: Signal, sample_rate: int, model: str, figure: str) -> float:
    """One predicted opinion score, about 1 to 5. The figures of one model come from one run.

    Args, Raises: as ``opinions``.
    """
    return opinions(estimate=estimate, sample_rate=sample_rate, model=model)[figure]


def opinions(*, estimate: Signal, sample_rate: int, model: str) -> dict[str, float]:
    """All figures of one model from one run, remembered by content within a process.

    Args:
        estimate: within ±1.
        sample_rate: Hz; above 16000 it is resampled to that, below there is no score.
        model: a key of ``MODELS``.

    Raises:
        UndefinedScore: a lower rate, or no samples.
        FailedScore: the estimate is silent (below −70 dBFS RMS) or goes beyond full scale.
        InputError: a package is missing, or its model file is not the known one.
    """
    opinion_of_failure(sample_rate=sample_rate)
    if len(estimate) == 0:
        raise UndefinedScore("the clip holds no samples")
    peak = np.max(np.abs(estimate))
    if sample_rate != RATE_HZ:  # held at full scale, which the filter may exceed
        estimate = np.clip(audio.resample(estimate, sample_rate, RATE_HZ, audio.METRICS), -1.0, 1.0)
    if energy(estimate) < 10 ** (SILENT_DBFS / 10) * len(estimate):
        raise FailedScore(f"the estimate is silent (below {SILENT_DBFS:.0f} dBFS)")
    if not peak <= 1.0:
        raise FailedScore("the estimate goes beyond full scale (±1), where DNSMOS has no score")
    samples = np.ascontiguousarray(estimate, dtype=np.float32)
    key = (model, hashlib.sha256(samples.tobytes()).digest())
    if key not in _known:
        scores = _run(model, samples)
        if len(_known) >= _REMEMBERED:
            _known.pop(next(iter(_known)))
        _known[key] = scores
    return _known[key]


def opinion_of_failure(*, sample_rate: int) -> float:
    """What a clip without a usable estimate counts for: 1. Raises UndefinedScore below 16 kHz."""
    if sample_rate < RATE_HZ:
        raise UndefinedScore(f"DNSMOS needs {RATE_HZ} Hz, the clip has {sample_rate} Hz")
    return WORST


def _run(name: str, samples: np.ndarray) -> dict[str, float]:
    model, session = MODELS[name], _session(name)
    rows = []
    for window in windows_of(samples):
        features = p808_features(window) if model.on_mel else window
        rows.append(session.run(None, {"input_1": features[None].astype(np.float32)})[0][0])
    raw = np.array(rows, dtype=np.float64).T  # (figures, windows)
    polynomials = zip(model.figures.items(), raw, strict=False)
    return {figure: float(np.mean(np.polyval(polynomial, row))) for (figure, polynomial), row in polynomials}


def windows_of(samples: np.ndarray) -> np.ndarray:
    """What the models see of a clip: shape (num_windows, 144160), windows of 9.01 s that start every second."""
    while len(samples) < WINDOW:
        samples = np.concatenate([samples, samples])
    # A clip's last fraction of a second opens no window, be there room for one.
    count = max(1, len(samples) // HOP - WINDOW // HOP)
    return np.lib.stride_tricks.sliding_window_view(samples, WINDOW)[::HOP][:count]


def p808_features(window: np.ndarray) -> np.ndarray:
    """The input of P.808, shape (900, 120): mel powers in dB below their maximum, at most 80, brought from
    [−80, 0] to [−1, 1]."""
    power = mel_spectrogram(window[:-160], sample_rate=RATE_HZ, frame=321, hop=160, num_mels=120)
    level_db = 10 * np.log10(np.maximum(power, 1e-10) / max(np.max(power), 1e-10))
    return np.maximum(level_db, -80.0) / 40 + 1


# ---- model files


def missing() -> str:
    """Why no score can be computed here, with the remedy; '' when all is in place."""
    if importlib.util.find_spec("onnxruntime") is None:
        return f"DNSMOS needs the onnxruntime package; {REMEDY}"
    try:
        for name in MODELS:
            model_path(name)
    except InputError as error:
        return str(error)
    return ""


def model_path(name: str) -> Path:
    """A model's file in the installed speechmos package. Raises InputError when it is not there."""
    # Finding a top-level package does not run it.
    package = importlib.util.find_spec("speechmos")
    for folder in (package and package.submodule_search_locations) or ():
        path = Path(folder) / MODELS[name].file
        if path.is_file():
            return path
    raise InputError(f"DNSMOS needs the model files of the speechmos package; {REMEDY}")


@cache
def _session(name: str) -> Any:
    """A model ready to run; one a process."""
    if reason := missing():
        raise InputError(reason)
    path, known = model_path(name), MODELS[name].sha256
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); {REMEDY}") from error
    if (found := hashlib.sha256(content).hexdigest()) != known:
        raise InputError(
            f"{path}: not the known model file (sha256 {found:.12}, expected {known:.12}); "
            "pip install --force-reinstall speechmos==0.0.1.1"
        )
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
