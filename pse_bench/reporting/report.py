"""A report: results side by side as one page, with what was measured, on what, and how it sounds."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import RequestError
from pse_bench.io import atomic
from pse_bench.planning import plan
from pse_bench.reporting import (
    breakdown_plot,
    distribution_plot,
    html,
    media,
    result_tables,
    sources,
    tables,
    tradeoff,
)
from pse_bench.reporting.definitions import definitions
from pse_bench.reporting.plot import PlotData, Section
from pse_bench.reporting.plot_style import audible, styles_of
from pse_bench.reporting.worst_clips import FAILURES, AudibleSystem, choose_clips
from pse_bench.runtime.executor import Executor
from pse_bench.scoring.results import Result, check_comparable
from pse_bench.submission.check import run
from pse_bench.submission.check.findings import CheckReport

LARGEST = 13_500_000
"""Characters of a page: below what mail servers let through."""
PLOTS: tuple[Callable[[PlotData], Section], ...] = (
    tradeoff.section,
    distribution_plot.section,
    breakdown_plot.section,
)
"""The plots of a report in their order; the tables come after the first."""
WITHOUT_DATASET: dict[str, Any] = {"clips": None, "checked": [], "scenario": "", "versions": {}}
"""What only a dataset and submissions can give: clips, findings of ``check``, scenario, versions."""

Progress = Callable[[str, str], Any]


def build(
    folders: Sequence[Path],
    out: Path,
    *,
    executor: Executor,
    progress: Progress,
    dataset: Path | None = None,
    submissions: Sequence[Path] = (),
    worst: int = 2,
    title: str = "",
    force: bool = False,
) -> int:
    """Write the report; its size in bytes.

    Args:
        folders: results of one dataset, reference and version of the metrics.
        out: the page.
        executor: where submissions are checked; a file made to crash its reader costs only a worker process.
        progress: as ``progress.progress``.
        dataset: what the results were scored on, for scenes to see and hear.
        submissions: what results were scored from.
        worst: how many of the worst scenes of each system and failure are shown.
        title: of the page.
        force: replace the page that is there.

    Raises:
        InputError: results that cannot stand side by side, a dataset or submission that they were not scored on or
            from, or a page that is there.
    """
    if submissions and dataset is None:
        raise RequestError("--submission needs --dataset, the folder that the results were scored on")
    atomic.require_new(out, force)
    results = [Result.open(folder) for folder in folders]
    check_comparable(results)
    scores = [result.read_scores() for result in results]
    styles = styles_of(results)
    data = PlotData(results, scores, styles)
    values = {
        "title": title or f"Report on {results[0].about.get('dataset', 'a dataset')}",
        "styles": styles,
        "about": result_tables.about(results[0], scores[0]),
        "plots": [section(data) for section in PLOTS],
        "tables": result_tables.aggregates(results, styles),
        "descriptions": result_tables.descriptions(results),
        "controls": result_tables.controls(results),
        "definitions": definitions(result_tables.names(results), result_tables.versions(results)),
        "warnings": result_tables.warnings(scores, styles),
        "downloads": result_tables.downloads(results, scores, styles),
        "failures": FAILURES,
        "few": tables.FEW_SPEAKERS,
        "in_pieces": tables.in_pieces,
        **WITHOUT_DATASET,
    }
    kept = media.Media(budget=LARGEST - len(html.render("report.html", **values, media={})))
    if dataset is not None:
        values |= _with_dataset(data, dataset, submissions, worst, kept, executor, progress)
    return html.write(out, "report.html", **values, media=kept.uris)


def _with_dataset(
    data: PlotData,
    folder: Path,
    submissions: Sequence[Path],
    worst: int,
    kept: media.Media,
    executor: Executor,
    progress: Progress,
) -> dict[str, Any]:
    """The values of ``WITHOUT_DATASET``."""
    dataset = Dataset.open(folder).require_unchanged()
    sources.require_same(data.results, dataset)
    _, header, _ = plan.read(dataset.folder / "plan.jsonl")
    values: dict[str, Any] = {
        "scenario": html.as_yaml(html.origin(header)),
        "versions": dataset.description.versions,
    }
    with ExitStack() as stack:
        given = sources.opened(data.results, dataset, submissions, stack)
        systems = [
            AudibleSystem(data.styles[n], data.scores[n], data.results[n].about["reference"], given[n].folder)
            for n in [n for n in audible(data.styles) if n in given] or given
        ]
        if systems:
            with progress("drawing clips of", "scenes") as update:
                values["clips"] = choose_clips(dataset, systems, kept, worst=worst, progress=update)
        paths = {data.styles[n].name: source.path for n, source in given.items() if not data.styles[n].reference}
        return values | {"checked": _checked(dataset, paths, executor, progress)}


def _checked(
    dataset: Dataset, paths: Mapping[str, Path], executor: Executor, progress: Progress
) -> list[tuple[str, CheckReport]]:
    """The findings of ``check`` in each submission by the name of its system."""
    found = []
    for name, path in paths.items():
        with progress(f"checking {path.name}", "estimates") as update:
            found.append((name, run.check(dataset, path, executor=executor, progress=update)))
    return found
