"""Fuzzing of one target that is guided by what its parser has not run yet, where atheris (3.0) is installed:

    pip install atheris
    python tests/fuzz/guided.py plan -max_total_time=300

The mistakes are those of ``mutations``; what libFuzzer keeps of them is what reaches new lines. A fault ends the
run and leaves the document in a file called crash-…; further options are libFuzzer's.
"""

import random
import sys
import tempfile
from pathlib import Path

import atheris

sys.path.insert(0, str(Path(__file__).parent))

with atheris.instrument_imports(include=["pse_bench", "yaml", "zipfile"]):
    import fuzz
    import mutations


def main() -> None:
    """Fuzz the target that is named first."""
    name, *options = sys.argv[1:]
    target = fuzz.BY_NAME[name]
    seeds = target.seeds()
    with tempfile.TemporaryDirectory() as place:
        read = target.open(Path(place))
        corpus = Path(tempfile.mkdtemp(prefix=f"{name}-"))
        for number, content in enumerate(seeds):
            (corpus / str(number)).write_bytes(content)

        def one(content: bytes) -> None:
            fault, _ = fuzz.judge(read, content)
            if fault:
                raise AssertionError(fault)

        def changed(content: bytes, most: int, seed: int) -> bytes:
            return mutations.mutate(random.Random(seed), [content, *seeds], target.kind)[:most]

        atheris.Setup([sys.argv[0], "-max_len=100000", *options, str(corpus)], one, custom_mutator=changed)
        atheris.Fuzz()


if __name__ == "__main__":
    main()
