"""The submissions that results were scored from, found by the content of their files."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.scoring.results import Result
from pse_bench.submission import submission


@dataclass(frozen=True)
class Source:
    """A submission as it was given, a folder or a zip, and the folder where its audio lies for the time being."""

    path: Path
    folder: Path


def opened(
    results: Sequence[Result], dataset: Dataset, paths: Sequence[Path], stack: ExitStack
) -> dict[int, Source]:
    """The submission of each result that has one among ``paths``, by the result's number. What was unpacked goes
    when ``stack`` closes.

    Raises:
        InputError: a submission that none of the results was scored from.
    """
    found: dict[int, Source] = {}
    for path in paths:
        folder = stack.enter_context(submission.opened(path, dataset.mixtures))
        digest = submission.content_sha256({row.mixture_id: _sha256(folder, row) for row in dataset.mixtures})
        mine = [n for n, result in enumerate(results) if result.about.get("submission_sha256") == digest]
        if not mine:
            raise InputError(
                f"{path}: no result was scored from these files; give the submission as it was scored, or "
                "score it again"
            )
        found |= dict.fromkeys(mine, Source(path, folder))
    return found


def _sha256(folder: Path, row: submission.Mixture) -> str:
    try:
        return submission.read_estimate(folder, row).sha256
    except InputError:
        return ""


def require_same(results: Sequence[Result], dataset: Dataset) -> None:
    """Raises InputError where the results belong to another dataset."""
    for result in results:
        if result.about["dataset_fingerprint"] != dataset.description.fingerprint:
            raise InputError(
                f"{dataset.folder}: fingerprint {dataset.description.fingerprint[:12]}, but {result.folder} was "
                f"scored on {result.about['dataset_fingerprint'][:12]}; give the dataset that it was scored on"
            )
