"""A result's folder: what an earlier run has left there, and the tables at the end."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import ConfigDict

from pse_bench import metrics
from pse_bench.io import atomic, audio, documents, tables
from pse_bench.runtime import merging
from pse_bench.runtime.resume import Stage
from pse_bench.schemas import SCHEMA, Detection, Mixture, Score
from pse_bench.scoring import hypotheses, pvad
from pse_bench.scoring.pvad import Detected
from pse_bench.scoring.summary import summarise
from pse_bench.submission import submission

RESULT_KEYS = (
    *("schema", "kind", "dataset", "dataset_fingerprint", "submission_sha256", "reference", "complete"),
    *("mixtures", "target_speakers", "metrics", "recogniser", "scores_sha256", "mixtures_sha256"),
    *("detections_sha256", "hypotheses_sha256", "summary_sha256", "pse_bench", "packages", "system", "scenes"),
    "evidence",
)


class Scored(documents.Record):
    """One mixture's scores, the hash of its estimate ('' without one), what was wrong with it, and the words that
    the recogniser gave, None where nothing asked for them."""

    mixture_id: str
    sha256: str
    problem: str = ""
    words: str | None = None
    scores: list[Score]


class ShardState(documents.Record):
    """The activity estimates that a shard has scored."""

    detected: list[Detected]


class RunIdentity(documents.Record):
    """What all shards of a result agree on, as far as a merge asks."""

    model_config = ConfigDict(extra="ignore")

    system: submission.System


STAGE = Stage(
    "score",
    entry=Scored,
    key="mixture_id",
    state=ShardState,
    identity=RunIdentity,
    finished="result.json",
    complete="holds a result already",
    files=("scores.csv", "summary.csv", "mixtures.csv", pvad.FILE, hypotheses.FILE),
)


@dataclass(frozen=True)
class ScoreReport:
    """The outcome of a scoring: a line for each of ``files`` that was unusable, and for what else is notable."""

    mixtures: int
    files: int
    problems: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def current(folder: Path, scored: Scored) -> bool:
    """Whether an earlier run's scores still stand: the estimate is the one that was scored."""
    scene_id, _, label = scored.mixture_id.rpartition("_")
    found = audio.find(folder / label, scene_id)
    return bool(scored.sha256) and len(found) == 1 and atomic.sha256(found[0]) == scored.sha256


def merge(out: Path, shards: list[merging.FinishedShard]) -> ScoreReport:
    """Make the shards that ``merging.gather`` found the result that one run would have made. Raises InputError
    where they are not the whole of the dataset."""
    with merging.merging(STAGE, out, shards) as found:
        holds = found.identity["system"].get("holds", ["audio"])
        if "audio" in holds:
            found.check([[one.mixture_id for one in entries] for entries in found.entries])
        if "activity" in holds:
            found.check([[one.row.mixture_id for one in state.detected] for state in found.states])
        found.move([[] for _ in shards])
        found.copy("mixtures.csv")
        scored = {one.mixture_id: one for entries in found.entries for one in entries}
        detected = [one for state in found.states for one in state.detected]
        rows = tables.read_table(out / "mixtures.csv", Mixture)
        ordered = [scored[row.mixture_id] for row in rows if row.mixture_id in scored]
        return finish(out, found.identity, len(rows), ordered, detected)


def finish(
    out: Path, about: dict[str, Any], mixtures: int, ordered: Sequence[Scored], detected: list[Detected]
) -> ScoreReport:
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
    if said := {one.mixture_id: one.words for one in ordered if one.words is not None}:
        hypotheses.write(out, said)
        known["hypotheses_sha256"] = atomic.sha256(out / hypotheses.FILE)
    if detected:
        tables.write_table(out / pvad.FILE, Detection, [one.row for one in detected])
        known["detections_sha256"] = atomic.sha256(out / pvad.FILE)
        content |= {f"{one.row.mixture_id} activity": one.sha256 for one in detected}
    summarise(out, metrics.known(about["metrics"], str(out)))
    known["summary_sha256"] = atomic.sha256(out / "summary.csv")
    known["submission_sha256"] = submission.content_sha256(content)
    atomic.write_sealed(out / "result.json", {key: known[key] for key in RESULT_KEYS if key in known})
    return done


def report(mixtures: int, ordered: Sequence[Scored], detected: list[Detected]) -> ScoreReport:
    """The report of everything scored, in the order of the dataset."""
    problems = [scored.problem for scored in ordered if scored.problem]
    problems += [one.problem for one in detected if one.problem]
    said = warnings((row for one in ordered for row in one.scores), problems)
    return ScoreReport(mixtures, len(ordered) + len(detected), problems, said)


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
