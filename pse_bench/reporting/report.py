"""A report: results side by side as one page, with what was measured, on what, and how it sounds."""

from collections.abc import Callable, Sequence
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
    estimates,
    html,
    result_tables,
    session_plot,
    tables,
    tradeoff,
)
from pse_bench.reporting.clip_panel import Media
from pse_bench.reporting.plot import ShownSystem, Systems, systems_of
from pse_bench.reporting.worst_clips import FAILURES, audible, choose_clips
from pse_bench.runtime.executor import Executor
from pse_bench.scoring.results import Result, check_comparable
from pse_bench.submission.check import run
from pse_bench.submission.check.findings import CheckReport

LARGEST = 13_500_000
"""Characters of a page: below what mail servers let through."""
PLOTS = (tradeoff.section, session_plot.section, distribution_plot.section, breakdown_plot.section)
"""The plots of a report in their order, each where there is something to draw; the tables come after the first."""
WITHOUT_DATASET: dict[str, Any] = {"clips": None, "checked": [], "scenario": "", "versions": {}}
"""What only a dataset and submissions can give: clips, findings of ``check``, scenario, versions."""


def build(
    folders: Sequence[Path],
    out: Path,
    *,
    executor: Executor,
    progress: Callable[[str, str], Any],
    dataset: Path | None = None,
    submissions: Sequence[Path] = (),
    worst: int = 2,
    title: str = "",
    force: bool = False,
) -> int:
    """Write the report; its size in bytes.

    Args:
        folders: results of one dataset, reference and version of the metrics.
        executor: where submissions are checked; a file made to crash its reader costs only a worker process.
        progress: as ``progress.progress``.
        dataset: what the results were scored on, for scenes to see and hear.
        submissions: what results were scored from.
        worst: how many of the worst scenes of each system and failure are shown.

    Raises InputError: results that cannot stand side by side, a dataset or submission that they were not scored on
    or from, or a page that is there.
    """
    if submissions and dataset is None:
        raise RequestError("--submission needs --dataset, the folder that the results were scored on")
    atomic.require_new(out, force)
    results = [Result.open(folder) for folder in folders]
    check_comparable(results)
    systems = systems_of(results)
    values = {
        "title": title or f"Report on {results[0].about.get('dataset', 'a dataset')}",
        "styles": [system.style for system in systems],
        "about": result_tables.about(systems[0]),
        "plots": [found for section in PLOTS if (found := section(systems))],
        "tables": result_tables.aggregates(systems),
        "descriptions": result_tables.descriptions(results),
        "controls": result_tables.controls(results),
        "definitions": result_tables.definitions(results),
        "warnings": result_tables.warnings(systems),
        "downloads": result_tables.downloads(systems),
        "failures": FAILURES,
        "few": tables.FEW_SPEAKERS,
        "resampled": tables.resampling_notes(results),
        "in_pieces": tables.in_pieces,
        "compared_values": tables.compared_values,
        **WITHOUT_DATASET,
    }
    kept = Media(budget=LARGEST - len(html.render("report.html", **values, media={})))
    if dataset is not None:
        opened = Dataset.open(dataset).require_unchanged()
        values |= _with_dataset(systems, opened, submissions, worst, kept, executor, progress)
    return html.write(out, "report.html", **values, media=kept.uris)


def _with_dataset(
    systems: Systems,
    dataset: Dataset,
    submissions: Sequence[Path],
    worst: int,
    kept: Media,
    executor: Executor,
    progress: Callable[[str, str], Any],
) -> dict[str, Any]:
    """The values of ``WITHOUT_DATASET``."""
    estimates.check_dataset(systems, dataset)
    _, header, _ = plan.read(dataset.folder / "plan.jsonl")
    values: dict[str, Any] = {"scenario": html.scenario_yaml(header), "versions": dataset.description.versions}
    checked: list[tuple[str, CheckReport]] = []
    with ExitStack() as stack:
        given: dict[ShownSystem, Path] = {}
        paths: dict[str, Path] = {}
        for path, folder, mine in estimates.opened(stack, systems, dataset, submissions):
            given |= dict.fromkeys(mine, folder)
            paths |= {system.style.name: path for system in mine if not system.style.reference}
        if given:
            with progress("drawing clips of", "scenes") as update:
                chosen = audible(given, systems)
                values["clips"] = choose_clips(dataset, chosen, kept, worst=worst, progress=update)
        for name, path in paths.items():
            with progress(f"checking {path.name}", "estimates") as update:
                checked.append((name, run.check(dataset, path, executor=executor, progress=update)))
    return {**values, "checked": checked}
