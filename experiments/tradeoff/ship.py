"""Put chosen checkpoints of the experiment into the package, rounded to 16 bit.

    python experiments/tradeoff/ship.py --work DIR no-its.1 its.1 its-noisy-reference-high.1 pvad

A run ``its.1`` becomes ``baseline:its``, after its recipe. Weights of 16 bit halve the package; what is scored and
put on a board is what is shipped.
"""

import argparse
from pathlib import Path

from pse_bench.training import checkpoint

WEIGHTS = Path(checkpoint.__file__).parent / "weights"
DATA = (
    "52 LibriSpeech speakers (train-clean-100, CC BY 4.0), 8 of them for validation; 3 of VCTK, 2 of CMU ARCTIC, "
    "12 espeak-ng voices of the embedded corpus; at five speeds, with three moves of the formants. "
    "Recorded and made noise. Simulated rooms."
)


def main() -> None:
    """Round and describe each run's checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("runs", nargs="+")
    asked = parser.parse_args()
    for run in asked.runs:
        seed = run.partition(".")[2]
        model, about = checkpoint.load(asked.work / "runs" / run / "checkpoint.safetensors")
        name = about.recipe or about.kind
        what = f"recipe {name}, seed {seed}" if seed else name
        described = about.model_copy(
            update={"description": f"Baseline of pse-bench: {what}; see its model card.", "training_data": DATA}
        )
        checkpoint.save(WEIGHTS / f"{name}.safetensors", model.half(), described)
        print(WEIGHTS / f"{name}.safetensors")


if __name__ == "__main__":
    main()
