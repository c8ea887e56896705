"""Do our DNSMOS and d-vectors reproduce what is known of the published VoiceFilter outputs?

Six cases of the VoiceFilter demo (see ``voicefilter_check.py``): a clean target, a mixture with one interfering
talker, the output of the published system, and an enrollment of the target. The known mean overall scores of
clean, mixture and output are 4.13, 2.47 and 3.42 (personalized) and 3.32, 2.80 and 3.08 (P.835); the output
should be nearer to the enrollment's voice than the mixture in at least five cases. The script prints all of them,
and exits with status 1 when a mean is off by more than 0.02 or fewer cases come nearer. The outputs are 240 to 320
samples longer than the clean target and are cut to its length. About half a minute on one core.

    python benchmarks/dnsmos_check.py [--dev-corpus DIR]
"""

import argparse
import os
import sys
from pathlib import Path

import numpy as np

from pse_bench.errors import PseBenchError
from pse_bench.io import audio
from pse_bench.metrics.dnsmos import opinion
from pse_bench.speaker.encoders import speaker_similarity

DEFAULT = Path(__file__).resolve().parents[2] / "shared" / "data" / "dev-corpus"
SYSTEMS = ("clean", "mixture", "enhanced")
KNOWN = {"personalized": (4.13, 2.47, 3.42), "p835": (3.32, 2.80, 3.08)}
TOLERANCE = 0.02
NEARER = 5


def scores_of(case: Path) -> dict[tuple[str, str], float]:
    """Overall scores and speaker similarity of the three signals of a case, by measure and system."""
    enrollment, sample_rate = audio.read(case / "enroll.flac")
    num_samples = audio.info(case / "clean.flac").num_samples
    scores = {}
    for system in SYSTEMS:
        estimate, _ = audio.read(case / f"{system}.flac", sample_rate=sample_rate)
        estimate = estimate[:num_samples]
        for model in KNOWN:
            scores[model, system] = opinion(estimate=estimate, sample_rate=sample_rate, model=model, figure="ovrl")
        scores["voice", system] = speaker_similarity(
            estimate=estimate, enrollment=enrollment, sample_rate=sample_rate
        )
    return scores


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--dev-corpus", type=Path, default=os.environ.get("PSE_BENCH_DEV_CORPUS", DEFAULT))
    folder = Path(parser.parse_args().dev_corpus) / "extras" / "voicefilter_demo"
    cases = sorted(path.parent for path in folder.glob("*/clean.flac"))
    if not cases:
        print(f"{folder}: no cases found; give the development corpus with --dev-corpus", file=sys.stderr)
        return 1
    keys = [(measure, system) for measure in (*KNOWN, "voice") for system in SYSTEMS]
    print(f"{'case':<18}" + "".join(f"{measure[:5] + ' ' + system[:5]:>13}" for measure, system in keys))
    rows = []
    try:
        for case in cases:
            rows.append(scores_of(case))
            print(f"{case.name:<18}" + "".join(f"{rows[-1][key]:>13.3f}" for key in keys), flush=True)
    except PseBenchError as error:
        print(error, file=sys.stderr)
        return 1
    means = {key: float(np.mean([row[key] for row in rows])) for key in keys}
    print(f"{'mean':<18}" + "".join(f"{means[key]:>13.3f}" for key in keys))
    wrong = [
        f"{model} overall of {system}: {means[model, system]:.3f}, expected {known} within {TOLERANCE}"
        for model, expected in KNOWN.items()
        for system, known in zip(SYSTEMS, expected, strict=True)
        if abs(means[model, system] - known) > TOLERANCE
    ]
    nearer = sum(row["voice", "enhanced"] > row["voice", "mixture"] for row in rows)
    if nearer < NEARER:
        wrong.append(f"the output is nearer to the enrollment in {nearer} cases, expected at least {NEARER}")
    print(
        "\n".join(wrong) or f"reproduced: six mean scores, and nearer to the enrollment in {nearer} of {len(rows)}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
