"""Statistics of one estimate: its header, its levels, and how it compares with the mixture and the stems."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import soundfile

from pse_bench.dataset.dataset import REFERENCE_STEMS, Dataset
from pse_bench.errors import InputError
from pse_bench.io import atomic, audio
from pse_bench.schemas import Mixture
from pse_bench.submission import submission
from pse_bench.submission.verdicts import UNLIKE, Fit, fit

REACH_S = 1.0  # largest shift of an estimate that is looked for
SAME = 1e-6  # share of power that two sounds may differ by and still be the same sound at some level: -60 dB
SAME_LEVEL_DB = 0.1
SILENT = 1 / audio.FULL_SCALE  # peak up to which an estimate is as good as silent: the last bit of 16
CLIPPED_RUN = 3  # so many equal samples at full scale are a clipped wave, and not one that just touches it
INTEGER_PEAK = 100.0  # a peak above is that of integers kept as floating-point numbers


@dataclass(frozen=True)
class Match:
    """The best match of an estimate with another signal. Correlations are within ±1."""

    lag: int  # in samples where the two match best, positive when the estimate is late
    correlation: float  # there
    at_zero: float  # correlation without shift
    gain: float  # the factor of the signal that is in the estimate
    fit: Fit  # likewise where the two overlap, and how much else is in the estimate there


@dataclass(frozen=True)
class FileStats:
    """Statistics of one estimate. ``faults`` are why it cannot be scored: code and what was found.

    Without ``sha256`` its samples were not looked at, and all that follows has no meaning.
    """

    mixture_id: str
    name: str
    scenario: str
    faults: tuple[tuple[str, str], ...] = ()
    excess: int = 0
    num_samples: int = 0
    sha256: str = ""
    peak: float = 0.0
    rms: float = 0.0
    mixture_peak: float = 0.0
    mixture_rms: float = 0.0
    clipped_runs: int = 0
    same_as: str = ""
    matches: dict[str, Match] = field(default_factory=dict)
    of_mixture: Fit = UNLIKE

    @property
    def silent(self) -> bool:
        """Nothing louder than the last bit of 16."""
        return self.peak <= SILENT


Work = tuple[Dataset, Path, Mixture, str]
"""A dataset, a submission's folder, a mixture, and the name of its estimate below the folder."""


def names(group: Iterable[FileStats]) -> tuple[str, ...]:
    """The files' names."""
    return tuple(stats.name for stats in group)


def cause(path: Path, error: InputError) -> str:
    """The middle part of an error about a file: neither its path nor the remedy."""
    return str(error).removeprefix(f"{path}: ").split("; ")[0]


def read(
    path: Path, *, sample_rate: int, num_samples: int
) -> tuple[audio.Info | None, np.ndarray | None, list[tuple[str, str]]]:
    """The header of an estimate and its samples, float64 of shape (num_samples, channels), finite, as far as they
    can be had, and why it cannot be scored: code and what was found.

    Args:
        path: a file.
        sample_rate, num_samples: of the mixture.
    """
    header, samples, faults = None, None, list[tuple[str, str]]()
    try:
        header = audio.info(path)
        faults += _header_faults(header, sample_rate, num_samples)
        most = 8 * num_samples + 10 * sample_rate  # of what is far too long, the header says enough
        if 0 < header.num_samples * header.channels <= most:
            samples = _read(path, header.num_samples)
    except InputError as error:
        faults.append(("unreadable", cause(path, error)))
    if samples is not None and not np.isfinite(samples).all():
        kinds = (("NaN", np.isnan(samples)), ("infinite samples", np.isinf(samples)))
        faults.append(("not-finite", " and ".join(word for word, there in kinds if there.any())))
        samples = None
    return header, samples, faults


def measure(work: Work) -> FileStats:
    """Statistics of the estimate of a mixture."""
    dataset, folder, row, name = work
    path = folder / name
    found: dict[str, Any] = {"mixture_id": row.mixture_id, "name": name, "scenario": row.scenario}
    header, samples, faults = read(path, sample_rate=row.sample_rate, num_samples=row.num_samples)
    if header:
        found |= {"excess": header.num_samples - row.num_samples, "num_samples": header.num_samples}
    if header and samples is not None:
        found |= {"sha256": atomic.sha256(path), **_levels(samples[:, 0])}
        if header.sample_rate == row.sample_rate and abs(found["excess"]) <= REACH_S * row.sample_rate:
            found |= _comparison(dataset, row, samples[:, 0], found["peak"])
    return FileStats(**found, faults=tuple(faults))


def _header_faults(header: audio.Info, sample_rate: int, num_samples: int) -> Iterator[tuple[str, str]]:
    if header.num_samples == 0:
        yield "empty", "no samples"
    if header.sample_rate != sample_rate:
        note = ", with the mixture's number of samples" if header.num_samples == num_samples else ""
        yield "wrong-rate", f"{header.sample_rate} Hz{note}"
    elif excess := header.num_samples and header.num_samples - num_samples:
        yield "wrong-length", f"{abs(excess)} samples too {'long' if excess > 0 else 'short'}"
    if header.channels != 1:
        yield "wrong-channels", f"{header.channels} channels"
    if header.subtype not in submission.SUBTYPES:
        yield "wrong-subtype", f"stored as {header.subtype}"


def _read(path: Path, num_samples: int) -> np.ndarray:
    """All samples: float64 of shape (num_samples, channels), as soundfile has them."""
    try:
        samples, _ = soundfile.read(str(path), dtype="float64", always_2d=True)
    except (soundfile.SoundFileError, RuntimeError) as error:
        raise InputError(f"{path}: damaged ({' '.join(str(error).split())}); restore it") from error
    if len(samples) != num_samples:
        raise InputError(f"{path}: ends after {len(samples)} samples, its header says {num_samples}; restore it")
    return samples


def _levels(samples: np.ndarray) -> dict[str, float]:
    """Peak, RMS and the number of clipped runs of a signal of shape (num_samples,)."""
    magnitude = np.abs(samples)
    peak = float(magnitude.max())
    stuck = (magnitude[1:] >= 1 - SILENT) & (samples[1:] == samples[:-1])
    edges = np.flatnonzero(np.diff(np.concatenate([[False], stuck, [False]]).astype(np.int8)))
    runs = edges[1::2] - edges[::2] + 1
    return {
        "peak": peak,
        "rms": peak * float(np.sqrt(np.mean((samples / peak) ** 2))) if peak > SILENT else 0.0,
        # whole numbers are equal now and then far from the loudest of them
        "clipped_runs": int(np.count_nonzero(runs >= CLIPPED_RUN)) if peak <= INTEGER_PEAK else 0,
    }


def _comparison(dataset: Dataset, row: Mixture, estimate: np.ndarray, peak: float) -> dict[str, Any]:
    """Levels of the mixture, what the estimate is a copy of, and its match with mixture and reference."""
    mixture = dataset.read_sound(row.mixture_path, row.num_samples).astype(np.float64)
    found: dict[str, Any] = {
        "mixture_peak": float(np.abs(mixture).max()),
        "mixture_rms": float(np.sqrt(np.mean(mixture**2))),
    }
    length = min(len(estimate), len(mixture))
    if peak <= SILENT or not estimate[:length].any():  # its peak may lie beyond the mixture
        return found
    estimate = estimate[:length] / peak
    signals = {"the mixture": mixture[:length]}  # first: it may itself be the target
    for stem in filter(lambda stem: dataset.has(dataset.stem_name(row.scene_id, stem)), REFERENCE_STEMS.values()):
        whole = dataset.read_stem(row.scene_id, stem, row.num_samples)
        signals[f"stems/{stem}"] = whole[:length].astype(np.float64)
    copy = next((name for name, signal in signals.items() if _same(estimate, signal)), "")
    if copy != "the mixture" or abs(20 * np.log10(peak / found["mixture_peak"])) <= SAME_LEVEL_DB:
        found["same_as"] = copy  # a mixture that is turned down is none: a system may do so
    if peak <= INTEGER_PEAK:
        others = {"mixture": signals["the mixture"]}
        stem = f"stems/{REFERENCE_STEMS.get(dataset.description.reference)}"
        if row.scenario != "TS3" and stem in signals:
            others["reference"] = signals[stem]
        reach = int(REACH_S * row.sample_rate)
        matches = {name: match(estimate * peak, other, reach) for name, other in others.items() if other.any()}
        found["of_mixture"] = matches["mixture"].fit if "mixture" in matches else UNLIKE
        found["matches"] = {} if row.scenario == "TS3" else matches  # without the target, it may be like nothing
    return found


def _product(one: np.ndarray, other: np.ndarray) -> float:
    """Inner product. Not by BLAS, whose threads cost more than they bring at this size."""
    return float(np.sum(one * other))


def _same(estimate: np.ndarray, signal: np.ndarray) -> bool:
    """Whether two signals are the same but for their level."""
    power = _product(estimate, estimate) * _product(signal, signal)
    return power > 0 and 1 - _product(estimate, signal) ** 2 / power < SAME


def match(estimate: np.ndarray, signal: np.ndarray, reach: int) -> Match:
    """The best match of two signals, shape (num_samples,), neither of them silent, by cross-correlation up to a
    shift of ``reach`` samples."""
    from scipy.fft import irfft, next_fast_len, rfft

    # Of one peak: the power of what is very quiet or loud is beyond what numbers hold.
    level, own = np.abs(estimate).max(), np.abs(signal).max()
    estimate, signal = estimate / level, signal / own
    reach = min(reach, len(signal) - 1)
    size = next_fast_len(len(signal) + reach, real=True)
    products = irfft(rfft(estimate, size) * np.conj(rfft(signal, size)), size)
    around = np.concatenate([products[size - reach :], products[: reach + 1]])  # lags -reach … reach
    best = int(np.argmax(np.abs(around)))
    power = _product(signal, signal)
    norm = np.sqrt(power * _product(estimate, estimate))
    lag = best - reach
    length = len(signal) - abs(lag)
    overlapping = fit(estimate[max(lag, 0) :][:length], signal[max(-lag, 0) :][:length])
    return Match(
        lag=lag,
        correlation=float(around[best] / norm),
        at_zero=float(around[reach] / norm),
        gain=float(around[best] / power * (level / own)),
        fit=replace(overlapping, gain_db=overlapping.gain_db + 20 * float(np.log10(level / own))),
    )
