"""Benchmark sets: plans that do not change, and the fingerprint of the one dataset that each of them becomes.

A set is a folder ``<name>-v<version>`` of ``leaderboards``: ``set.json``, the plan, what every file of the dataset
must sound like (``contents.csv``), manifests and ``speakers.csv``. ``leaderboards/freeze.py`` makes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from pse_bench.corpora.roots import Roots
from pse_bench.corpora.synthetic import benchmark_noise, embedded
from pse_bench.corpora.synthetic.benchmark_noise import NoiseSpec
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import documents, locks, tables
from pse_bench.runtime.executor import Executor
from pse_bench.runtime.progress import Update, no_progress
from pse_bench.schemas import SCHEMA, Count, EnrollmentSource, Gender, NoiseClip, Sha256, StoredFile, Utterance

KIND: Literal["pse-bench benchmark set"] = "pse-bench benchmark set"
_HERE = Path(__file__).parents[1]
SHIPPED = next((path for path in (_HERE / "leaderboards", _HERE.parent / "leaderboards") if path.is_dir()), _HERE)
"""The sets that come with the package: inside it when installed, beside it in a checkout."""


class Group(documents.Record):
    """Scenes whose targets come from manifests of their own."""

    speech: list[str]
    scenes: Count


class Description(documents.Record):
    """``set.json``. Manifests are named relative to it; ``roots`` are the corpora that a user has to have.

    ``made_noise`` and ``babble`` (manifest of its talkers) say what noise is made on the spot. What stands behind
    ``made_with`` is written by the freezing.
    """

    schema_: Annotated[int, Field(alias="schema")] = SCHEMA
    kind: Literal["pse-bench benchmark set"] = KIND
    name: str
    version: Count
    description: str
    scenario: str
    seed: int
    groups: list[Group]
    interferer_speech: list[str]
    noise: list[str]
    roots: list[str]
    made_noise: NoiseSpec | None
    babble: str | None
    made_with: list[str]
    scenes: int = 0
    mixtures: int = 0
    plan_sha256: Sha256 | None = None
    fingerprint: Sha256 | None = None
    versions: Annotated[dict[str, str], Field(default_factory=dict)]
    development_of: str = ""  # the set whose development twin this is


class Speaker(documents.Record):
    """A row of ``speakers.csv``. ``training``: heard nowhere in the set, so free for training a system;
    ``target_group`` tells how a target is enrolled."""

    corpus: str
    speaker_id: str
    gender: Gender
    role: Literal["target", "target+interferer", "interferer", "babble", "training"]
    target_group: EnrollmentSource | Literal[""]


class Content(documents.Record):
    """A row of ``contents.csv``: a file of the dataset without its ending, and the sound or labels in it."""

    path: str
    content_sha256: Sha256


@dataclass(frozen=True)
class BenchmarkSet:
    """A set in its folder."""

    folder: Path
    about: Description

    @property
    def title(self) -> str:
        """Its name with its version; of a development twin, that of its set with ``-dev``."""
        about = self.about
        return f"{about.development_of}-dev" if about.development_of else f"{about.name}-v{about.version}"

    @property
    def embedded_splits(self) -> Sequence[str]:
        """The parts of the embedded corpus that a set without noise of its own is made of."""
        return (embedded.DEV,) if self.about.development_of else embedded.SPLITS

    @property
    def plan(self) -> Path:
        return self.folder / "plan.jsonl"

    def manifest(self, name: str) -> Path:
        """A manifest that ``set.json`` names."""
        return (self.folder / name).resolve()


def shipped() -> list[str]:
    """The sets that come with the package."""
    return sorted(path.parent.name for path in SHIPPED.glob("*/set.json"))


def load(name: str) -> BenchmarkSet:
    """A shipped set by its name, or one in a folder. Raises InputError when there is none."""
    folder = Path(name) if (Path(name) / "set.json").is_file() else SHIPPED / name
    if not (folder / "set.json").is_file():
        raise InputError(f"{name}: no such benchmark set; there are {', '.join(shipped()) or 'none'}")
    return BenchmarkSet(folder, documents.read_record(Description, folder / "set.json"))


# ---- what it needs


def prepare(
    chosen: BenchmarkSet, cache: Path, *, roots: Roots, executor: Executor, progress: Update = no_progress
) -> dict[str, Path]:
    """Make in ``cache`` the corpora of a set that nobody has to have: the embedded one, synthetic noise, babble;
    their folders by corpus. Clips that are there already are kept. Raises InputError where a corpus has no folder,
    or a clip of it is not the one that the set lists."""
    noise = chosen.about.made_noise
    roots.check(chosen.about.roots)
    folder = cache / chosen.title / "noise"
    if noise is None:
        folder = cache / ("embedded-dev" if chosen.about.development_of else "embedded")
    with locks.locked(folder, "benchmark"):
        if noise is None:
            embedded.synthesize(folder, executor=executor, progress=progress, splits=chosen.embedded_splits)
        else:
            benchmark_noise.make(noise_orders(chosen, folder, roots), executor=executor, progress=progress)
    return {embedded.CORPUS if noise is None else noise.corpus: folder}


def noise_orders(chosen: BenchmarkSet, folder: Path, roots: Roots) -> list[benchmark_noise.Order]:
    """The clips of noise that a set makes, with the hashes that its manifest gives (none before it is frozen)."""
    spec = chosen.about.made_noise
    if spec is None:
        return []
    talkers = tables.read_table(chosen.manifest(chosen.about.babble), Utterance) if chosen.about.babble else []
    manifests = [path for name in chosen.about.noise if (path := chosen.manifest(name)).is_file()]
    known = {row.path: row.sha256 for path in manifests for row in tables.read_table(path, NoiseClip)}
    return benchmark_noise.orders(folder, spec, talkers=talkers, roots=roots, known=known)


def unlisted_clips(chosen: BenchmarkSet, made: dict[str, Path], roots: Roots) -> list[str]:
    """Clips that were made and are not what the set lists: what is rendered from them cannot be the set."""
    if chosen.about.made_noise is None:
        return embedded.differing(made[embedded.CORPUS], chosen.embedded_splits)
    return benchmark_noise.differing(noise_orders(chosen, made[chosen.about.made_noise.corpus], roots))


# ---- is it the set?


def contents(stored: list[StoredFile]) -> list[Content]:
    """What the files of a dataset hold, sorted by path."""
    rows = [Content(path=str(Path(row.path).with_suffix("")), content_sha256=row.content_sha256) for row in stored]
    return sorted(rows, key=lambda row: row.path)


def differences(chosen: BenchmarkSet, folder: Path) -> list[str]:
    """Why a dataset is not the set, a line each; none when it is the identical one. The dataset is taken at its
    word: ``verify`` it first."""
    there, about = Dataset.open(folder), chosen.about
    if there.description.plan_sha256 != about.plan_sha256:
        return [f"{folder}: rendered from another plan than that of {chosen.title}; render {chosen.plan}"]
    if there.description.fingerprint == about.fingerprint:
        return []
    expected = tables.read_table(chosen.folder / "contents.csv", Content)
    found, versions = {(row.path, row.content_sha256) for row in contents(there.files)}, there.description.versions
    other = [row.path for row in expected if (row.path, row.content_sha256) not in found]
    return [
        f"{folder}: not {chosen.title}: {len(other)} of {len(expected)} files sound different or are missing, as "
        f"{', '.join(other[:3])}",
        *(
            f"{package} {versions.get(package, 'is missing')} here, frozen with {version}; install that release"
            for package, version in about.versions.items()
            if package != "pse-bench" and versions.get(package) != version
        ),
    ]
