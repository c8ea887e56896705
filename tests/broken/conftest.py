"""What these tests share: a corpus in which every clip is broken in its own way, and a dataset to break."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import tiny
from broken.makers import MAKERS, NAMES, encoded
from work import call as run

from pse_bench.corpora import clip_reader
from pse_bench.dataset.dataset import Dataset, fingerprint
from pse_bench.io import atomic, documents, tables
from pse_bench.schemas import Mixture, StoredFile, Utterance


@cache
def good() -> np.ndarray:
    """A clip that nothing is wrong with, shape (num_samples,). Not to be changed."""
    samples = tiny.voice(210.0, 5)
    samples.flags.writeable = False
    return samples


@dataclass(frozen=True)
class Listed:
    """What a manifest command made of a tree: its exit status, the rows by path, and what it said."""

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


def listed(
    root: Path, out: Path, reader: str, record: type[documents.Record] = Utterance, *more: object
) -> Listed:
    """List a tree with one of the manifest commands."""
    told = run("manifest", reader, root, "-o", out, "--jobs", 1, "--force", *more)
    rows = {row.path: row for row in tables.read_table(out, record)}
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
    clip_reader.forget()


# ---- a dataset


@pytest.fixture(scope="session")
def one_scene(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of one scene as TS1, TS2 and TS3. Not to be changed."""
    root = tmp_path_factory.mktemp("one")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tiny, "SCENES", 1)
        return tiny.build(root).folder


@pytest.fixture(scope="session")
def oracle(one_scene: Path) -> Path:
    """A submission that nothing is wrong with. Not to be changed."""
    folder = one_scene.parent / "oracle"
    run("enhance", one_scene, "--system", "oracle-mask", "-o", folder)
    (folder / "system.yaml").write_text("name: oracle\nversion: '1'\n")  # of no dataset in particular
    return folder


@pytest.fixture(scope="session")
def breakable(one_scene: Path) -> Path:
    """A copy of the dataset, of which every test breaks a little."""
    return Path(shutil.copytree(one_scene, one_scene.parent / "breakable" / "dataset"))


@pytest.fixture
def dataset(breakable: Path, one_scene: Path) -> Iterator[Path]:
    """The copy, which is put right again afterwards."""
    yield breakable
    whole = {path.relative_to(one_scene) for path in one_scene.rglob("*")}
    for path in breakable.rglob("*"):
        kept = path.is_file() and not path.is_symlink() and path.relative_to(breakable) in whole
        original = one_scene / path.relative_to(breakable)
        if path.is_symlink() or not path.is_dir():
            if not kept or path.stat().st_mtime_ns != original.stat().st_mtime_ns:
                path.unlink()
        elif path.relative_to(breakable) not in whole or original.is_file():
            path.rmdir()
    for name in whole:
        if not (breakable / name).exists():
            shutil.copy2(one_scene / name, breakable / name)


def adapt(folder: Path) -> None:
    """Make the tables of a dataset say the hashes of its files as they are now, as another tool's would."""
    opened = Dataset.open(folder)
    stored = []
    for row in opened.files:
        path = folder / row.path
        try:
            digest = atomic.sha256(path) if path.is_file() else row.sha256
        except OSError:
            digest = row.sha256
        changes = {"sha256": digest, "content_sha256": digest}
        stored.append(row if digest == row.sha256 else row.model_copy(update=changes))
    digests = {row.path: row.sha256 for row in stored}
    mixtures = [row.model_copy(update={"mixture_sha256": digests[row.mixture_path]}) for row in opened.mixtures]
    tables.write_table(folder / "files.csv", StoredFile, stored)
    tables.write_table(folder / "mixtures.csv", Mixture, mixtures)
    document = json.loads((folder / "dataset.json").read_text())
    document["tables"] = {name: atomic.sha256(folder / name) for name in document["tables"]}
    document["fingerprint"] = fingerprint(document["plan_sha256"], stored)
    atomic.write_sealed(folder / "dataset.json", document)
