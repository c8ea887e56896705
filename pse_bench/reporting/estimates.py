"""The estimates behind results: which submissions they were scored from, told by content."""

from collections.abc import Sequence
from contextlib import ExitStack, suppress
from pathlib import Path

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.reporting.plot import ShownSystem, Systems
from pse_bench.submission import submission


def check_dataset(systems: Systems, dataset: Dataset) -> None:
    """Raises InputError where a result was scored on another dataset."""
    fingerprint = dataset.description.fingerprint
    for result in (system.result for system in systems):
        if result.about["dataset_fingerprint"] != fingerprint:
            raise InputError(
                f"{dataset.folder}: fingerprint {fingerprint[:12]}, but {result.folder} was scored on "
                f"{result.about['dataset_fingerprint'][:12]}; give the dataset that it was scored on"
            )


def opened(
    stack: ExitStack, systems: Systems, dataset: Dataset, paths: Sequence[Path]
) -> list[tuple[Path, Path, list[ShownSystem]]]:
    """Each submission, a folder or a zip, the folder of its estimates, which lies there until ``stack`` is closed,
    and the systems whose results were scored from them. Raises InputError where no result was."""
    found = []
    for path in paths:
        folder = stack.enter_context(submission.opened(path, dataset.mixtures))
        mine = scored_from(folder, systems)
        if not mine:
            raise InputError(
                f"{path}: no result was scored from these files; give the submission as it was scored, or "
                "score it again"
            )
        found.append((path, folder, mine))
    return found


def scored_from(folder: Path, systems: Systems) -> list[ShownSystem]:
    """The systems whose results were scored from the estimates in a folder, by their content."""
    mixtures = systems[0].scores.mixtures  # of all of them
    found = dict.fromkeys(mixtures, "")
    for row in mixtures.values():
        with suppress(InputError):
            found[row.mixture_id] = submission.read_estimate(folder, row).sha256
    digest = submission.content_sha256(found)
    return [system for system in systems if system.result.about.get("submission_sha256") == digest]
