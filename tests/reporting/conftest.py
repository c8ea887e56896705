"""What the tests of pages share: a tiny dataset whose names are hostile, submissions that fail in known ways, and
their results."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import tiny

from pse_bench.dataset.dataset import Dataset
from pse_bench.io import atomic
from pse_bench.runtime.executor import Serial
from pse_bench.scoring.score import score
from pse_bench.submission import submission
from pse_bench.systems.enhance import enhance

SCRIPT = "<script>alert(1)</script>"
SCENE = "s'\"><i>1"
"""The scene that is called so stands for the first of the tiny dataset."""
SYSTEMS = ("mixture", "silence", SCRIPT, f"{SCRIPT} (wrong enrollment)")


@dataclass(frozen=True)
class Scored:
    """A dataset, and by system the submission and the result of each."""

    dataset: Dataset
    submissions: dict[str, Path]
    results: dict[str, Path]

    def words(self) -> list[str]:
        """The options of a command that give all of it."""
        given = [word for path in self.submissions.values() for word in ("--submission", str(path))]
        return [*map(str, self.results.values()), "--dataset", str(self.dataset.folder), *given]


@pytest.fixture(scope="session")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """Four scenes of about three seconds, as they were rendered. Not to be changed."""
    return tiny.build(tmp_path_factory.mktemp("pages"))


@pytest.fixture(scope="session")
def scored(plain: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Not to be changed, see ``make_scored``."""
    return make_scored(plain, tmp_path_factory.mktemp("scored"))


def make_scored(plain: Dataset, root: Path) -> Scored:
    """Two references, a system that mutes half of every clip, and its control; a scene has a name with quotes."""
    dataset = _renamed(plain, root / "dataset")
    submissions, results = {}, {}
    for number, name in enumerate(SYSTEMS):
        folder = root / "submissions" / f"{number}"
        if name in ("mixture", "silence"):
            enhance(dataset, name, folder, executor=Serial())
        else:
            _mute(dataset, folder, name, share=0.5 if name == SCRIPT else 0.9)
        out = root / "results" / f"{number}"
        score(dataset, folder, out, executor=Serial(), names=tiny.QUICK)
        submissions[name], results[name] = folder, out
    return Scored(dataset, submissions, results)


def _renamed(plain: Dataset, out: Path) -> Dataset:
    """A copy whose first scene is called ``SCENE``, as if somebody else's program had written it."""
    shutil.copytree(plain.folder, out)
    old = plain.mixtures[0].scene_id
    for path in [found for found in out.rglob(f"{old}.*") if found.is_file()]:
        if path.suffix == ".json":
            path.write_text(path.read_text().replace(f'"{old}"', '"x"'))
        path.rename(path.with_name(f"{SCENE}{path.suffix}"))
    for name in ("mixtures.csv", "files.csv"):
        quoted = SCENE.replace('"', '""')
        lines = (out / name).read_text().splitlines(keepends=True)
        changed = [
            ",".join(f'"{cell.replace(old, quoted)}"' if old in cell else cell for cell in line.split(","))
            for line in lines
        ]
        (out / name).write_text("".join(changed))
    tables = {name: atomic.sha256(out / name) for name in plain.description.tables}
    about = plain.description.model_copy(update={"tables": tables})
    atomic.write_sealed(out / "dataset.json", about.model_dump(by_alias=True))
    return tiny.with_mixtures(Dataset.open(out))


def _mute(dataset: Dataset, folder: Path, name: str, share: float) -> None:
    """A system that lets the mixture through and mutes the end of each clip."""
    for row in dataset.mixtures:
        samples = dataset.read_sound(row.mixture_path).astype(float)
        samples[int((1 - share) * len(samples)) :] = 0.0
        submission.write_estimate(folder, row, np.asarray(samples))
    about = submission.System(name=name, version="1", description="<b>bold</b>", url="javascript:alert(2)")
    submission.write_system(folder, about)
