"""Flip single bits in every file of a dataset and of results, and see whether verify finds each of them.

    python tests/integrity/flips.py demo [--flips 1000] [--seed 1] [--csv docs/reliability/flips.csv]

FOLDER is what ``pse-bench demo`` wrote: ``dataset`` and ``results/*`` in it are copied to a temporary folder,
where one bit at a time is flipped, looked for with the hashes alone (nothing is decoded), and put back. Every file
is hit at least once; of the other flips, half fall on all kinds of file alike, half on all bytes alike. Every
hundredth is also shown to the real command. The table counts by kind of file; the CSV has a line a flip. The exit
status is 1 where one was not found.
"""

import argparse
import csv
import random
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pse_bench.corpora.roots import Roots
from pse_bench.errors import InputError
from pse_bench.runtime.executor import Serial
from pse_bench.scoring import results
from pse_bench.simulation.verify import verify

COMMAND_EVERY = 100


@dataclass(frozen=True)
class Flip:
    """A bit of a file: ``folder`` is the dataset or result that ``path`` lies in, relative to it."""

    folder: Path
    path: str
    offset: int
    bit: int


def draw(folders: list[Path], count: int, seed: int) -> list[Flip]:
    """Bits of all files below some datasets and results: one in every file, then as many for every kind of file
    (of which there are few tables and documents), then anywhere.

    Raises:
        ValueError: fewer flips than files.
    """
    chance = random.Random(seed)
    there = [
        (folder, str(path.relative_to(folder)), path.stat().st_size)
        for folder in folders
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    ]
    if count < len(there):
        raise ValueError(f"{len(there)} files need as many flips, asked for {count}; give --flips {len(there)}")
    kinds = [kind_of(folder, path) for folder, path, _ in there]
    by_kind = [1 / kinds.count(kind) for kind in kinds]
    by_bytes = [size for _, _, size in there]
    rest = count - len(there)
    hit = there + chance.choices(there, by_kind, k=rest // 2) + chance.choices(there, by_bytes, k=rest - rest // 2)
    return [Flip(folder, path, chance.randrange(size), chance.randrange(8)) for folder, path, size in hit]


@contextmanager
def flipped(flip: Flip) -> Iterator[Path]:
    """The file while its bit is flipped."""
    path = flip.folder / flip.path
    before = path.read_bytes()
    content = bytearray(before)
    content[flip.offset] ^= 1 << flip.bit
    path.write_bytes(content)
    try:
        yield path
    finally:
        path.write_bytes(before)


def complaints(folder: Path) -> list[str]:
    """What verify says of a dataset or a result, whatever way it says it."""
    try:
        if results.lies_in(folder):
            return results.verify(folder).problems
        return verify(folder, sums=False, roots=Roots({}), executor=Serial()).problems
    except InputError as error:
        return [str(error)]


def kind_of(folder: Path, path: str) -> str:
    """A file's row in the table: all scenes are of one kind, every other file by its name."""
    what = "dataset" if (folder / "dataset.json").is_file() else "result"
    return f"{what}: {re.sub(r's[0-9]+[.]', '*.', path)}"


def by_command(folder: Path) -> bool:
    """Whether the command itself complains, in lines and not in a traceback."""
    words = [sys.executable, "-m", "pse_bench", "verify", str(folder), "--jobs", "1"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.returncode == 1 and "Traceback" not in done.stderr


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path, help="what pse-bench demo wrote")
    parser.add_argument("--flips", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--csv", type=Path, help="write a line a flip")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as temporary:
        copy = Path(temporary)
        shutil.copytree(asked.folder / "dataset", copy / "dataset")
        shutil.copytree(asked.folder / "results", copy / "results")
        folders = [copy / "dataset", *sorted((copy / "results").iterdir())]
        if said := [line for folder in folders for line in complaints(folder)]:
            sys.exit(f"{asked.folder} is not sound to begin with: {said[0]}")
        try:
            drawn = draw(folders, asked.flips, asked.seed)
        except ValueError as error:
            sys.exit(str(error))
        found: dict[str, list[bool]] = defaultdict(list)
        lines, commands = [], []
        for number, flip in enumerate(drawn):
            with flipped(flip) as path:
                named = any(str(path) in line for line in complaints(flip.folder))
                if number % COMMAND_EVERY == 0:
                    commands.append(by_command(flip.folder))
            found[kind_of(flip.folder, flip.path)].append(named)
            lines.append((path.relative_to(copy), flip.offset, flip.bit, named))
        if said := [line for folder in folders for line in complaints(folder)]:
            sys.exit(f"not put back: {said[0]}")
    if asked.csv:
        asked.csv.parent.mkdir(parents=True, exist_ok=True)
        with asked.csv.open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream, lineterminator="\n")
            table.writerow(("file", "byte", "bit", "found"))
            table.writerows(lines)
    print("| file | flips | found |\n|---|---|---|")
    for kind in sorted(found):
        print(f"| {kind} | {len(found[kind])} | {sum(found[kind])} |")
    total = sum(sum(hits) for hits in found.values())
    print(f"| all {len({line[0] for line in lines})} files | {len(lines)} | {total} |")
    print(f"the command itself: {sum(commands)} of {len(commands)}")
    if total < len(lines) or not all(commands):
        sys.exit(1)


if __name__ == "__main__":
    main()
