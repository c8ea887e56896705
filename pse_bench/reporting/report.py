"""A report: results side by side as one page, with what was measured, on what, and how it sounds."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError, RequestError
from pse_bench.io import atomic
from pse_bench.planning import plan
from pse_bench.reporting import breakdown_plot, distribution_plot, html, result_tables, tables, tradeoff
from pse_bench.reporting.clip_panel import Media
from pse_bench.reporting.plot import PlotData, Section, styles_of
from pse_bench.reporting.worst_clips import FAILURES, audible_systems, choose_clips
from pse_bench.runtime.executor import Executor
from pse_bench.scoring.results import Result, check_comparable
from pse_bench.submission import submission
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
    data = PlotData(results, [result.read_scores() for result in results], styles_of(results))
    values = {
        "title": title or f"Report on {results[0].about.get('dataset', 'a dataset')}",
        "styles": data.styles,
        "about": result_tables.about(data),
        "plots": [section(data) for section in PLOTS],
        "tables": result_tables.aggregates(data),
        "descriptions": result_tables.descriptions(results),
        "controls": result_tables.controls(results),
        "definitions": result_tables.definitions(results),
        "warnings": result_tables.warnings(data),
        "downloads": result_tables.downloads(data),
        "failures": FAILURES,
        "few": tables.FEW_SPEAKERS,
        "in_pieces": tables.in_pieces,
        **WITHOUT_DATASET,
    }
    kept = Media(budget=LARGEST - len(html.render("report.html", **values, media={})))
    if dataset is not None:
        opened = Dataset.open(dataset).require_unchanged()
        values |= _with_dataset(data, opened, submissions, worst, kept, executor, progress)
    return html.write(out, "report.html", **values, media=kept.uris)


def _with_dataset(
    data: PlotData,
    dataset: Dataset,
    submissions: Sequence[Path],
    worst: int,
    kept: Media,
    executor: Executor,
    progress: Progress,
) -> dict[str, Any]:
    """The values of ``WITHOUT_DATASET``."""
    fingerprint = dataset.description.fingerprint
    for result in data.results:
        if result.about["dataset_fingerprint"] != fingerprint:
            raise InputError(
                f"{dataset.folder}: fingerprint {fingerprint[:12]}, but {result.folder} was scored on "
                f"{result.about['dataset_fingerprint'][:12]}; give the dataset that it was scored on"
            )
    _, header, _ = plan.read(dataset.folder / "plan.jsonl")
    values: dict[str, Any] = {"scenario": html.scenario_yaml(header), "versions": dataset.description.versions}
    checked: list[tuple[str, CheckReport]] = []
    with ExitStack() as stack:
        given = _opened(data.results, dataset, submissions, stack)
        if systems := audible_systems(data, {number: folder for number, (_, folder) in given.items()}):
            with progress("drawing clips of", "scenes") as update:
                values["clips"] = choose_clips(dataset, systems, kept, worst=worst, progress=update)
        paths = {data.styles[n].name: path for n, (path, _) in given.items() if not data.styles[n].reference}
        for name, path in paths.items():
            with progress(f"checking {path.name}", "estimates") as update:
                checked.append((name, run.check(dataset, path, executor=executor, progress=update)))
    return {**values, "checked": checked}


def _opened(
    results: Sequence[Result], dataset: Dataset, paths: Sequence[Path], stack: ExitStack
) -> dict[int, tuple[Path, Path]]:
    """The submission of each result that has one among ``paths``, found by the content of its files: the path that
    was given, a folder or a zip, and the folder of its audio, by the result's number. What was unpacked goes when
    ``stack`` closes.

    Raises InputError for a submission that none of the results was scored from.
    """
    found: dict[int, tuple[Path, Path]] = {}
    for path in paths:
        folder = stack.enter_context(submission.opened(path, dataset.mixtures))
        digest = submission.content_sha256({row.mixture_id: _sha256(folder, row) for row in dataset.mixtures})
        mine = [n for n, result in enumerate(results) if result.about.get("submission_sha256") == digest]
        if not mine:
            raise InputError(
                f"{path}: no result was scored from these files; give the submission as it was scored, or "
                "score it again"
            )
        found |= dict.fromkeys(mine, (path, folder))
    return found


def _sha256(folder: Path, row: submission.Mixture) -> str:
    try:
        return submission.read_estimate(folder, row).sha256
    except InputError:
        return ""
