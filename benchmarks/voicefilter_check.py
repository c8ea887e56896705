"""Do our metrics reproduce the known scores of the published VoiceFilter outputs?

Six cases of the VoiceFilter demo (google/speaker-id, ``publications/VoiceFilter/audios``): a clean target, a
mixture with one interfering talker, and the output of the published system. On average SI-SDR is known to go from
0.2 to 10.8 dB and wide-band PESQ from 1.29 to 2.39; this script computes both with ``pse_bench.metrics`` and exits
with status 1 when a mean differs after rounding.

Alignment: the mixture has the length of the clean target; the system's outputs are 240 to 320 samples longer at
the end and are cut to the clean length. Nothing is shifted: the cross-correlation of output and clean target peaks
at lag 0 in all six cases; the script prints the lag and fails when it is another.

    python benchmarks/voicefilter_check.py [--dev-corpus DIR]
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from pse_bench.errors import PseBenchError
from pse_bench.io import audio
from pse_bench.metrics import METRICS, Clip, evaluate

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "data" / "dev-corpus"
COLUMNS = ("si_sdr", "pesq_wb", "stoi", "estoi")
KNOWN = {
    ("mixture", "si_sdr"): 0.2,
    ("enhanced", "si_sdr"): 10.8,
    ("mixture", "pesq_wb"): 1.29,
    ("enhanced", "pesq_wb"): 2.39,
}
DIGITS = {"si_sdr": 1, "pesq_wb": 2, "stoi": 3, "estoi": 3}


def lag_of(estimate: np.ndarray, reference: np.ndarray) -> int:
    """The delay of the estimate against the reference in samples, by cross-correlation over all lags."""
    from scipy.signal import correlate

    correlation = correlate(estimate, reference, method="fft")
    return int(np.argmax(np.abs(correlation))) - (len(reference) - 1)


def scores_of(case: Path) -> tuple[int, dict[tuple[str, str], float]]:
    """The lag of the system's output in samples, and the scores of mixture and output."""
    clean, sample_rate = audio.read(case / "clean.flac")
    mixture, _ = audio.read(case / "mixture.flac", sample_rate=sample_rate, num_samples=len(clean))
    enhanced, _ = audio.read(case / "enhanced.flac", sample_rate=sample_rate)
    lag = lag_of(enhanced, clean)
    everywhere = np.ones(len(clean), dtype=bool)
    scores = {}
    for system, estimate in (("mixture", mixture), ("enhanced", enhanced[: len(clean)])):
        clip = Clip(estimate, mixture, clean, everywhere, everywhere, sample_rate)
        for name in COLUMNS:
            scores[system, name] = evaluate(METRICS[name], clip).value
    return lag, scores


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dev-corpus", type=Path, default=os.environ.get("PSE_BENCH_DEV_CORPUS", DEFAULT))
    folder = Path(parser.parse_args().dev_corpus) / "extras" / "voicefilter_demo"
    cases = sorted(path.parent for path in folder.glob("*/clean.flac"))
    if not cases:
        print(f"{folder}: no cases found; give the development corpus with --dev-corpus", file=sys.stderr)
        return 1
    keys = [(system, name) for name in COLUMNS for system in ("mixture", "enhanced")]
    print(f"{'case':<20} {'lag':>4} " + " ".join(f"{name + ' ' + system[:3]:>11}" for system, name in keys))
    rows, lags = [], []
    try:
        for case in cases:
            lag, scores = scores_of(case)
            print(f"{case.name:<20} {lag:>4} " + " ".join(f"{scores[key]:>11.3f}" for key in keys), flush=True)
            rows.append(scores)
            lags.append(lag)
    except PseBenchError as error:
        print(error, file=sys.stderr)
        return 1
    means = {key: float(np.mean([row[key] for row in rows])) for key in keys}
    print(f"{'mean':<20} {'':>4} " + " ".join(f"{means[key]:>11.3f}" for key in keys))
    wrong = [
        f"{system} {name}: {means[system, name]:.4f}, expected {known}"
        for (system, name), known in KNOWN.items()
        if round(means[system, name], DIGITS[name]) != known
    ]
    if any(lags):
        wrong.append(f"the outputs are delayed by {lags} samples, expected 0")
    print("\n".join(wrong) or "reproduced: SI-SDR 0.2 -> 10.8 dB, PESQ-wb 1.29 -> 2.39")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
