"""A report: results side by side as one page, with what was measured, on what, and how it sounds."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pse_bench.dataset.dataset import Dataset
from pse_bench.planning import plan
from pse_bench.reporting import html, media, result_tables, sources, tables, tradeoff
from pse_bench.reporting.breakdown_plot import FEWEST, FIGURES, breakdowns
from pse_bench.reporting.definitions import definitions
from pse_bench.reporting.distribution_plot import Spread, spreads
from pse_bench.reporting.plot_style import Look, in_detail, looks_of, to_hear
from pse_bench.reporting.worst_clips import FAILURES, Cases, Heard, cases
from pse_bench.runtime.executor import Executor
from pse_bench.scoring.results import Result, check_comparable
from pse_bench.scoring.summary import Scores
from pse_bench.submission.check import run
from pse_bench.submission.check.findings import CheckReport

LARGEST = 13_500_000
"""Characters of a page: below what mail servers let through."""


@dataclass(frozen=True)
class Ask:
    """What a report is made of beside its results."""

    dataset: Path | None = None
    submissions: tuple[Path, ...] = ()
    worst: int = 2
    title: str = ""


@dataclass
class Sounds:
    """What only a dataset and submissions can give: scenes, what ``check`` says, and the scenario."""

    cases: Cases | None = None
    checked: list[tuple[str, CheckReport]] = field(default_factory=list)
    scenario: str = ""
    versions: dict[str, str] = field(default_factory=dict)


def build(
    folders: Sequence[Path],
    out: Path,
    ask: Ask,
    *,
    executor: Executor,
    progress: Callable[[str, str], Any],
    force: bool = False,
) -> int:
    """Write the report; its size in bytes.

    Args:
        folders: results of one dataset, reference and version of the metrics.
        out: the page.
        executor: where submissions are checked; a file made to crash its reader costs only a worker process.
        progress: as ``progress.progress``.
        force: replace the page that is there.

    Raises:
        InputError: results that cannot stand side by side, a dataset or submission that they were not scored on or
            from, or a page that is there.
    """
    html.require_new(out, force)
    results = [Result.open(folder) for folder in folders]
    check_comparable(results)
    scores = [result.read_scores() for result in results]
    looks = looks_of(results)
    kept = media.Media()
    parted, undivided = breakdowns(scores, looks)
    spread = sorted(spreads(scores, looks), key=_first_what_counts)
    points = tradeoff.points_of(results, looks)
    fixed = {
        "title": ask.title or f"Report on {results[0].about.get('dataset', 'a dataset')}",
        "looks": looks,
        "detailed": [looks[number] for number in in_detail(looks)],
        "about": result_tables.about(results[0], scores[0]),
        "points": points,
        "pictures": tradeoff.pictures(points),
        "tables": result_tables.figures(results, looks),
        "chosen": [found for found in spread if f"{found.scenario}.{found.metric}" in FIGURES],
        "rest": [found for found in spread if f"{found.scenario}.{found.metric}" not in FIGURES],
        "descriptions": result_tables.descriptions(results),
        "fewest": FEWEST,
        "breakdowns": parted,
        "undivided": undivided,
        "controls": result_tables.controls(results),
        "definitions": definitions(result_tables.names(results), result_tables.versions(results)),
        "warnings": result_tables.warnings(scores, looks),
        "downloads": result_tables.downloads(results, scores, looks),
        "failures": FAILURES,
        "few": tables.FEW_SPEAKERS,
        "in_pieces": tables.in_pieces,
    }
    room = LARGEST - len(html.render("report.html", **fixed, **vars(Sounds()), media={}))
    sounds = _sounds(results, scores, looks, ask, kept, room, executor, progress)
    return html.write(out, "report.html", **fixed, **vars(sounds), media=kept.uris)


# ---- what needs audio


def _sounds(
    results: Sequence[Result],
    scores: Sequence[Scores],
    looks: Sequence[Look],
    ask: Ask,
    kept: media.Media,
    room: int,
    executor: Executor,
    progress: Callable[[str, str], Any],
) -> Sounds:
    if ask.dataset is None:
        return Sounds()
    dataset = Dataset.open(ask.dataset).require_unchanged()
    sources.require_same(results, dataset)
    _, header, _ = plan.read(dataset.folder / "plan.jsonl")
    found = Sounds(scenario=html.as_yaml(html.origin(header)), versions=dataset.description.versions)
    with ExitStack() as stack:
        given = sources.opened(results, dataset, ask.submissions, stack)
        numbers = [n for n in to_hear(looks) if n in given] or list(given)
        heard = [Heard(looks[n], scores[n], results[n].about["reference"], given[n].folder) for n in numbers]
        if heard:
            with progress("listening", "scenes") as update:
                found.cases = cases(dataset, heard, kept, worst=ask.worst, room=room, progress=update)
        own = {looks[n].name: source.path for n, source in given.items() if not looks[n].reference}
        found.checked = _checked(dataset, own, executor, progress)
    return found


def _checked(
    dataset: Dataset, paths: Mapping[str, Path], executor: Executor, progress: Callable[[str, str], Any]
) -> list[tuple[str, CheckReport]]:
    """What ``check`` finds in each submission by the name of its system."""
    found = []
    for name, path in paths.items():
        with progress(f"checking {path.name}", "estimates") as update:
            found.append((name, run.check(dataset, path, executor=executor, progress=update)))
    return found


def _first_what_counts(spread: Spread) -> int:
    name = f"{spread.scenario}.{spread.metric}"
    return FIGURES.index(name) if name in FIGURES else len(FIGURES)
