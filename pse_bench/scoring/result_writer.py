"""A result's folder: what an earlier run has left there, and the tables at the end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from pse_bench import metrics
from pse_bench.errors import InputError
from pse_bench.io import atomic, audio, documents, locks, tables
from pse_bench.runtime import journal, resume
from pse_bench.schemas import SCHEMA, Detection, Mixture, Score
from pse_bench.scoring import pvad
from pse_bench.scoring.pvad import Detected
from pse_bench.scoring.summary import summarise
from pse_bench.submission import submission

JOURNAL = "score.journal"
RESULT_FILES = (
    *("scores.csv", "summary.csv", "result.json", "mixtures.csv"),
    *(pvad.FILE, JOURNAL, resume.HEAD),
)
RESULT_KEYS = (
    *("schema", "kind", "dataset", "dataset_fingerprint", "submission_sha256", "reference", "complete"),
    *("mixtures", "target_speakers", "metrics", "recogniser", "scores_sha256", "mixtures_sha256"),
    *("detections_sha256", "summary_sha256", "pse_bench", "packages", "system"),
)


class _Entry(documents.Record):
    """A mixture in the journal."""

    mixture_id: str
    sha256: str
    problem: str = ""
    scores: list[Score]


class _Detected(documents.Record):
    """The activity of a mixture as a share keeps it."""

    row: Detection
    sha256: str
    problem: str


class _Own(documents.Record):
    """What a share alone knows."""

    detected: list[_Detected]


class _Identity(documents.Record):
    """What all shares agree on, as far as a merge asks."""

    model_config = ConfigDict(extra="ignore")

    system: submission.System


@dataclass(frozen=True)
class Scored:
    """One mixture's scores, the hash of its estimate ('' without one), and what was wrong with it."""

    mixture_id: str
    scores: list[Score]
    sha256: str
    problem: str = ""


@dataclass(frozen=True)
class Report:
    """How a scoring ended: a line for each of ``files`` that could not be used, and for what else is notable."""

    mixtures: int
    files: int
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def prepare(out: Path, force: bool) -> None:
    """Make sure that the folder is new, or ours to continue or (``force``) to replace. Looked at before anything
    is removed: a dataset has a mixtures.csv too."""
    strangers = sorted(path.name for path in out.iterdir() if path.name.removesuffix(".part") not in RESULT_FILES)
    if strangers:
        raise InputError(f"{out}: holds other files ({', '.join(strangers[:3])}); give a new or empty folder")
    if force:
        for name in RESULT_FILES:
            (out / name).unlink(missing_ok=True)
    elif (out / "result.json").exists():
        raise InputError(f"{out}: holds a result already; give a new folder, or --force to replace it")


def earlier(out: Path, identity: journal.Entry) -> list[Scored]:
    """What an interrupted run has scored."""
    known, entries = journal.read(out / JOURNAL)
    if known:
        journal.check(out, known, identity)
    return from_entries(entries, out / JOURNAL)


def entry_of(scored: Scored) -> journal.Entry:
    """What the journal keeps of a mixture."""
    return {
        "mixture_id": scored.mixture_id,
        "sha256": scored.sha256,
        "problem": scored.problem,
        "scores": [row.model_dump(mode="json") for row in scored.scores],
    }


def from_entries(entries: list[journal.Entry], path: Path) -> list[Scored]:
    """Back from the journal at ``path``. Raises InputError where it is damaged."""
    found = journal.checked(_Entry, entries, path)
    return [Scored(one.mixture_id, one.scores, one.sha256, one.problem) for one in found]


class Kept(Sequence[Scored]):
    """The scores of a run in the order of its dataset, each read from the journal when it is asked for."""

    def __init__(self, kept: journal.Journal, numbers: Sequence[int]) -> None:
        self._kept, self._numbers = kept, numbers

    def __len__(self) -> int:
        return len(self._numbers)

    def __getitem__(self, index: Any) -> Any:
        return from_entries([self._kept[self._numbers[index]]], Path(JOURNAL))[0]


def detected_entry_of(detected: Detected) -> journal.Entry:
    """What a share keeps of the activity of a mixture."""
    row = detected.row.model_dump(mode="json")
    return {"row": row, "sha256": detected.sha256, "problem": detected.problem}


def current(folder: Path, scored: Scored) -> bool:
    """Whether an earlier run's scores still stand: the estimate is the one that was scored."""
    scene_id, _, label = scored.mixture_id.rpartition("_")
    found = audio.find(folder / label, scene_id)
    return bool(scored.sha256) and len(found) == 1 and atomic.sha256(found[0]) == scored.sha256


def merged(out: Path, found: list[resume.Part]) -> Report:
    """Make the shares in a folder the result that one run would have made there.

    Interrupted, it is run again. Args: the output and what ``parts.gather`` found in it.

    Raises:
        InputError: the shares are not the whole of the dataset.
    """
    about = resume.identity(found[0], _Identity)
    with locks.locked(out, "merge"):
        made = {part.folder: from_entries(part.entries, part.folder / JOURNAL) for part in found}
        seen = {part.folder: resume.own(part, _Own).detected for part in found}
        if "audio" in about["system"].get("holds", ["audio"]):
            resume.check_whole(found, lambda part: [one.mixture_id for one in made[part.folder]])
        if "activity" in about["system"].get("holds", []):
            resume.check_whole(found, lambda part: [one.row.mixture_id for one in seen[part.folder]])
        resume.move(found[0], "mixtures.csv", out)
        scored = {one.mixture_id: one for share in made.values() for one in share}
        detected = [Detected(one.row, one.sha256, one.problem) for share in seen.values() for one in share]
        rows = tables.read_table(out / "mixtures.csv", Mixture)
        ordered = [scored[row.mixture_id] for row in rows if row.mixture_id in scored]
        done = finish(out, about, len(rows), ordered, detected)
        resume.remove(found)
    return done


def finish(
    out: Path, about: dict[str, Any], mixtures: int, ordered: Sequence[Scored], detected: list[Detected]
) -> Report:
    """Write the tables and what they were made from."""
    done = report(mixtures, ordered, detected)
    tables.write_table(out / "scores.csv", Score, (row for scored in ordered for row in scored.scores))
    content = {scored.mixture_id: scored.sha256 for scored in ordered}
    known = about | {
        "schema": SCHEMA,
        "kind": "pse-bench result",
        "complete": not done.problems,
        "mixtures": mixtures,
        "scores_sha256": atomic.sha256(out / "scores.csv"),
    }
    if detected:
        tables.write_table(out / pvad.FILE, Detection, [one.row for one in detected])
        known["detections_sha256"] = atomic.sha256(out / pvad.FILE)
        content |= {f"{one.row.mixture_id} activity": one.sha256 for one in detected}
    summarise(out, metrics.known(about["metrics"], str(out)))
    known["summary_sha256"] = atomic.sha256(out / "summary.csv")
    known["submission_sha256"] = submission.content_sha256(content)
    atomic.write_sealed(out / "result.json", {key: known[key] for key in RESULT_KEYS if key in known})
    (out / JOURNAL).unlink(missing_ok=True)
    return done


def report(mixtures: int, ordered: Sequence[Scored], detected: list[Detected]) -> Report:
    """How it ended, from everything in the order of the dataset."""
    problems = [scored.problem for scored in ordered if scored.problem]
    problems += [one.problem for one in detected if one.problem]
    said = warnings((row for one in ordered for row in one.scores), problems)
    return Report(mixtures, len(ordered) + len(detected), problems, said)


def warnings(scores: Iterable[Score], problems: list[str]) -> list[str]:
    """A line for each reason why usable estimates failed a metric, or a metric is undefined, with an example."""
    said = set(problems)
    found: dict[tuple[str, str], list[str]] = {}
    for row in scores:
        reason = row.detail.rsplit("; ", 1)[-1]
        if row.status == "failed" and not any(problem.endswith(reason) for problem in said):
            found.setdefault((reason, "given the worst value"), []).append(row.mixture_id)
        elif row.status == "undefined":
            found.setdefault((f"{row.metric} is undefined, {reason}", "left out"), []).append(row.mixture_id)
    return [
        f"{ids[0]}{f' and {count - 1} more' if (count := len(set(ids))) > 1 else ''}: {reason}; {outcome}"
        for (reason, outcome), ids in found.items()
    ]
