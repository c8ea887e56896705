"""What these tests share: a corpus in which every clip is broken in its own way, and a dataset to break."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from broken.makers import MAKERS, NAMES, encoded
from click.testing import CliRunner, Result
from scoring import tiny

from pse_bench import files
from pse_bench.cli import cli
from pse_bench.corpora import sources
from pse_bench.records import Utterance


def run(*words: object) -> Result:
    """Run the command line in this process. What is not a clean exit is a fault and keeps its traceback."""
    result = CliRunner().invoke(cli, [str(word) for word in words])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def good(seed: int = 5) -> np.ndarray:
    """A clip that nothing is wrong with, shape (num_samples,)."""
    return tiny.voice(210.0, seed)


@dataclass(frozen=True)
class Listed:
    """What a manifest command made of a tree: exit status, rows by path, and what it said by path."""

    root: Path
    status: int
    rows: dict[str, Utterance]
    lines: list[str]

    def of(self, path: str) -> str:
        """What became of one file, in a line."""
        if path in self.rows:
            row = self.rows[path]
            return f"listed: {row.num_samples} samples at {row.sample_rate} Hz"
        shown = ascii(f"{self.root / path}")[1:-1]
        said = [line for line in self.lines if line.startswith((f"{self.root / path}: ", f"{shown}: "))]
        assert len(said) <= 1, said
        return said[0] if said else "passed over"


def listed(root: Path, out: Path, reader: str, record: type[files.Record] = Utterance, *more: object) -> Listed:
    """List a tree with one of the manifest commands."""
    told = run("manifest", reader, root, "-o", out, "--jobs", 1, "--force", *more)
    rows = {row.path: row for row in files.read_table(out, record)}
    return Listed(root, told.exit_code, rows, told.stderr.split("\n"))


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two good clips of each of four people, and a fifth whose clips are broken, each in a way of its own; the
    sixth has a good one under every name."""
    root = tmp_path_factory.mktemp("clips") / "voices"
    tiny.write_corpus(root.parent)
    (root.parent / "speech").rename(root)
    for number, maker in enumerate(MAKERS.values()):
        place = root / "eve" / f"{number:03}.wav"
        place.parent.mkdir(exist_ok=True)
        maker(place, good())
    for name in NAMES.values():
        place = root / "fay" / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(encoded(good(), "WAV", "PCM_16"))
    return root


@pytest.fixture(autouse=True)
def _as_in_a_new_process() -> None:
    """Forget the clips that a worker keeps in mind."""
    sources.forget()


Broken = Callable[[str], Path]
