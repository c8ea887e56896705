"""What an exporter is, and all of them; what they are told of each mixture, and the folder that they write into.

Each module of this package that defines ``EXPORTERS`` adds to them.
"""

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pse_bench.export
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.planning import plan
from pse_bench.registry import Registry, collect
from pse_bench.schemas import SCHEMA, Mixture, Recipe, RecordedMixture, Talker
from pse_bench.simulation.mixing import PARTS

ABOUT = "export.json"
KIND = "pse-bench export"


@dataclass(frozen=True)
class Exporter:
    """A form in which a dataset is written for other programs.

    ``write(dataset, items, out, force=…, progress=…)`` writes the folder and gives the path to name.
    """

    write: Callable[..., Path]
    help: str = ""  # of its command, by default the docstring of write; the first line says what is written
    unit: str = "mixtures"  # what is counted when it is done
    next_step: Callable[[Path], str] = str  # what to do with what was written, from its path

    def __post_init__(self) -> None:
        object.__setattr__(self, "help", self.help or self.write.__doc__ or "")


def exporters() -> Registry[Exporter]:
    """The exporters by the name of their command."""
    own = collect(pse_bench.export, "EXPORTERS")
    wrong = "is no pse_bench.export.exporter.Exporter; give one"
    return Registry(
        "exporter", own, group="pse_bench.exporters", check=lambda e: "" if isinstance(e, Exporter) else wrong
    )


# ---- what is exported


@dataclass(frozen=True)
class Speech:
    """One person in a mixture: from the first clip's begin to the last one's end, at the person's own mouth."""

    role: str
    speaker: str
    gender: str
    text: str  # what is said in full, empty where an utterance was cut or its words are not known
    start_s: float
    duration_s: float


@dataclass(frozen=True)
class Item:
    """One mixture. ``sounds`` are its files below the dataset's folder by their role: mixture, enrollment,
    reference (not in TS3), and the stems that the mixture is the sum of."""

    row: Mixture
    sounds: dict[str, str]
    speech: list[Speech]
    enrollment_samples: int


def items(dataset: Dataset, scenarios: Sequence[str] = ()) -> list[Item]:
    """The mixtures of a dataset, or those of some scenarios, in the order of ``mixtures.csv``. Raises InputError
    where a table or the plan was changed since the dataset was rendered, or nothing is left."""
    dataset.require_unchanged()
    dataset.require_kept("enrollment", "target", "interferer", "noise")
    _, _, planned = plan.read(dataset.folder / "plan.jsonl")
    recipes = {recipe.scene_id: recipe for recipe in planned}
    chosen = [row for row in dataset.mixtures if not scenarios or row.scenario in scenarios]
    if not chosen:
        held = ", ".join(sorted({row.scenario for row in dataset.mixtures}))
        raise InputError(f"{dataset.folder}: holds no mixture of {', '.join(scenarios)}; there are {held}")
    if recorded := [row.scene_id for row in chosen if isinstance(recipes[row.scene_id].room, RecordedMixture)]:
        raise InputError(
            f"{dataset.folder}: {recorded[0]} was recorded as it is, so there are no stems to export; give a "
            "dataset that was simulated"
        )
    return [_item(dataset, row, recipes[row.scene_id]) for row in chosen]


def _item(dataset: Dataset, row: Mixture, recipe: Recipe) -> Item:
    parts = PARTS[row.scenario]
    sounds = {"mixture": row.mixture_path, "enrollment": row.enrollment_path}
    if row.reference_path:
        sounds["reference"] = row.reference_path
    for part in parts:
        sounds[part] = dataset.stem_path(row.scene_id, part).relative_to(dataset.folder).as_posix()
    talkers = {"target": [recipe.target], "interferer": recipe.interferers, "noise": []}
    speech = [_speech(part, talker, recipe.sample_rate) for part in parts for talker in talkers[part]]
    return Item(row, sounds, speech, recipe.enrollment.num_samples)


def _speech(role: str, talker: Talker, rate: int) -> Speech:
    begin = min(segment.onset for segment in talker.segments)
    end = max(segment.onset + segment.num_samples for segment in talker.segments)
    seconds = (round(begin / rate, 6), round((end - begin) / rate, 6))
    return Speech(role, talker.speaker_id, talker.gender, talker.text, *seconds)


# ---- where it goes


@contextmanager
def folder(
    out: Path, dataset: Dataset, form: str, count: int, *, force: bool, more: Mapping[str, Any] | None = None
) -> Iterator[Path]:
    """A new folder that takes its place when all is written, with ``export.json``: what was exported of what, and
    what ``more`` says of how. Raises InputError where something else lies, or an export that ``force`` does not
    say to replace."""
    held = sorted(path.name for path in out.iterdir()) if out.is_dir() else []
    if held and ABOUT not in held:
        raise InputError(f"{out}: holds other files ({', '.join(held[:3])}); give a new or empty folder")
    if held and not force:
        raise InputError(f"{out}: holds an export already; give a new folder, or --force to replace it")
    part = out.with_name(f"{out.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        yield part
        about = dataset.description
        source = {"dataset": about.name, "version": about.version, "fingerprint": about.fingerprint}
        document = {"schema": SCHEMA, "kind": KIND, "format": form, **source, "mixtures": count, **(more or {})}
        atomic.write_json(part / ABOUT, document)
        if out.is_dir():
            shutil.rmtree(out)
        part.rename(out)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def lines(path: Path, rows: Iterable[str]) -> None:
    """Write a text file of one row a line."""
    with path.open("w", encoding="utf-8", newline="") as stream:
        stream.writelines(f"{row}\n" for row in rows)
