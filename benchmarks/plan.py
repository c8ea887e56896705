"""How long does planning take, and how much memory?

The standard scenario over manifests as large as those of LibriSpeech's train-clean-100, but made up: planning
opens no audio. ``pse-bench plan`` runs as a process of its own. It is compared with writing the same plan with
nothing drawn: its recipes as plain objects through ``json.dumps``, in the same run.

    python benchmarks/plan.py [--scenes 100000] [--speakers 251] [--utterances 114]

Exits with status 1 when 100,000 scenes would take more than 30 s, or more than 1 GB is needed.
"""

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import material

from pse_bench import rng
from pse_bench.io import atomic, tables
from pse_bench.schemas import NoiseClip, Utterance

MOST_S, MOST_MB = 30.0, 1000.0
RATE = 16_000
NOISES = 1000


def utterances(speakers: int, each: int) -> list[Utterance]:
    """Utterances of 2 to 17 s."""
    return [
        Utterance(
            corpus="speech",
            utterance_id=f"{speaker}-{chapter}-{number:04d}",
            speaker_id=str(speaker),
            gender="FM"[speaker % 2],
            path=f"train/{speaker}/{chapter}/{speaker}-{chapter}-{number:04d}.flac",
            num_samples=rng.integer(2 * RATE, 17 * RATE, 1, speaker, number),
            sample_rate=RATE,
            text=f"SENTENCE {number} OF {speaker} " + "WITH AS MANY WORDS AS ARE SAID IN TWELVE SECONDS " * 3,
            sha256=atomic.sha256_of_text(f"{speaker}-{number}"),
        )
        for speaker in range(speakers)
        for number in range(each)
        for chapter in [number * 4 // each]
    ]


def noises() -> list[NoiseClip]:
    return [
        NoiseClip(
            corpus="noise",
            noise_id=f"n{number}",
            category=f"kind{number % 20}",
            path=f"kind{number % 20}/n{number}.wav",
            num_samples=60 * RATE,
            sample_rate=RATE,
            sha256=atomic.sha256_of_text(str(number)),
        )
        for number in range(NOISES)
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=100_000)
    parser.add_argument("--speakers", type=int, default=251)
    parser.add_argument("--utterances", type=int, default=114, help="a speaker")
    asked = parser.parse_args()
    print(material.machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as temporary:
        folder = Path(temporary)
        tables.write_table(folder / "speech.csv", Utterance, utterances(asked.speakers, asked.utterances))
        tables.write_table(folder / "noise.csv", NoiseClip, noises())
        out = folder / "plan.jsonl"
        command = [sys.executable, "-m", "pse_bench", "plan", "standard"]
        command += ["--speech", folder / "speech.csv", "--noise", folder / "noise.csv", "--seed", "1"]
        command += ["-n", str(asked.scenes), "-o", out]
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        peak_mb = material.peak_mb(list(map(str, command)))
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        planned_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

        written_s, count = 0.0, 0
        with out.open(encoding="utf-8") as lines, (folder / "again.jsonl").open("w", encoding="utf-8") as again:
            for line in lines:
                recipe = json.loads(line)
                begin = time.process_time()
                again.write(json.dumps(recipe, ensure_ascii=False) + "\n")
                written_s += time.process_time() - begin
                count += 1
        size = out.stat().st_size
    num_utterances = asked.speakers * asked.utterances
    print(f"{asked.scenes} scenes from {num_utterances} utterances of {asked.speakers} speakers")
    rate = asked.scenes / planned_s
    print(f"planned in    {planned_s:.1f} s of processor time with its start, {rate:.0f} scenes/s")
    print(f"written alone {written_s:.1f} s, ratio {planned_s / written_s:.1f}")
    print(f"peak memory   {peak_mb:.0f} MB")
    print(f"plan          {size / asked.scenes:.0f} bytes a scene")
    met = planned_s / asked.scenes * 100_000 <= MOST_S and peak_mb <= MOST_MB
    print("all bounds are met" if met else "a bound is missed")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
