"""What takes of 1, 5, 15 and 60 minutes hold in memory: rendering, enhancing hop by hop, and scoring.

One take of the shipped scenario ``session`` for each length, from the embedded corpus, each step by its command in
processes of its own; takes longer than ``--score-to`` minutes are not scored. Memory is the most that any process
held at a time. What a minute adds since the length before is told in MB, and as arrays: a minute at 16 kHz is one
of 3.7 MB in float32, and two in float64.

    python benchmarks/sessions.py [--minutes 1,5,15,60] [--score-to 15] [--system baseline:its-noisy-reference]
        [--embedded DIR]
"""

import argparse
import json
import subprocess
import tempfile
from pathlib import Path

import material

from pse_bench.metrics import OF_SESSIONS
from pse_bench.planning import scenario as scenarios

ARRAY_MB = 60 * 16_000 * 4 / 2**20
METRICS = [name for name, metric in OF_SESSIONS.items() if metric.family != "perceptual"]


def commands(folder: Path, corpus: Path, minutes: float, system: str) -> dict[str, list[str]]:
    """The steps of one take in their order, and their commands."""
    _, content = scenarios.load("session")
    content = {**content, "name": "benchmark", "duration_s": 60 * minutes}
    content["room"] = {**content["room"], "rooms": 1, "places": 2}
    path = folder / "scenario.yaml"
    path.write_text(json.dumps(content), encoding="utf-8")
    speech, noise = (corpus / "manifests" / f"embedded.{part}.csv" for part in ("test", "noise-test"))
    take, submission, result = (str(folder / name) for name in ("take", "submission", "result"))
    asked = [
        *("--speech", speech),
        *("--noise", noise),
        *("--root", f"embedded={corpus}"),
        *("-n", 1, "--seed", 1),
    ]
    return {
        "render": ["generate", str(path), *map(str, asked), "--jobs", "1", "-o", take],
        "enhance": ["enhance", take, "--system", system, "--streaming", "--jobs", "1", "-o", submission],
        "score": [
            "score",
            take,
            submission,
            "--metrics",
            ",".join(METRICS),
            "--jobs",
            "1",
            "--no-cache",
            "-o",
            result,
        ],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", default="1,5,15,60")
    parser.add_argument("--score-to", type=float, default=15)
    parser.add_argument("--system", default="baseline:its-noisy-reference")
    parser.add_argument("--embedded", type=Path, help="the embedded corpus; made where it is not given")
    asked = parser.parse_args()
    print(material.machine(), flush=True)
    before: dict[str, tuple[float, float]] = {}
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as folder:
        corpus = asked.embedded or Path(folder) / "embedded"
        if not asked.embedded:
            subprocess.run(["pse-bench", "corpus", "synth", str(corpus)], check=True, capture_output=True)
        print("minutes  step        peak MB  MB a minute  float32 arrays", flush=True)
        for minutes in map(float, asked.minutes.split(",")):
            own = Path(folder) / f"{minutes:g}"
            own.mkdir()
            for step, words in commands(own, corpus, minutes, asked.system).items():
                if step == "score" and minutes > asked.score_to:
                    continue
                peak = material.peak_mb(["pse-bench", *words])
                shorter, held = before.get(step, (0.0, 0.0))
                before[step] = minutes, peak
                growth = (peak - held) / (minutes - shorter)
                more = f"{growth:12.1f} {growth / ARRAY_MB:15.1f}" if held else ""
                print(f"{minutes:7g}  {step:8} {peak:10.0f} {more}", flush=True)


if __name__ == "__main__":
    main()
