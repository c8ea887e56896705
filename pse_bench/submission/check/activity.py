"""What is wrong with what a submission says of who speaks."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.submission import activity_csv, submission
from pse_bench.submission.check.findings import Finding, counted

REMEDIES = {
    "unreadable": "write comma-separated numbers, three a row, under the header",
    "columns": "write three numbers a row",
    "length": "give a row for each 10 ms, also for a last one that is cut off",
    "not-finite": "give numbers",
    "range": "give probabilities, not logits",
    "sums": "give the softmax of the three classes",
}
WANTED = f"the header {activity_csv.HEADER}, then probabilities that add up to 1, a row each 10 ms"


def findings(dataset: Dataset, folder: Path, names: Mapping[str, str]) -> list[Finding]:
    """Everything that is wrong with the files of who speaks.

    Args:
        dataset: what was listened to.
        folder: the submission.
        names: of each mixture's file below it, by mixture id.
    """
    by_code: dict[str, list[tuple[str, str]]] = {}
    constant = []
    for row in dataset.mixtures:
        if row.mixture_id not in names:
            continue
        name, num_frames = names[row.mixture_id], submission.num_frames(row)
        try:
            values = activity_csv.parse(folder / name, num_frames)
        except InputError as error:
            faults = [("unreadable", str(error).removeprefix(f"{folder / name}: ").split("; ")[0])]
        else:
            faults = activity_csv.faults(values, num_frames)
            if not faults and np.ptp(values, axis=0).max() == 0:
                constant.append(name)
        for code, found in faults:
            by_code.setdefault(code, []).append((name, found))
    result = [
        Finding(
            "fatal",
            f"activity-{code}",
            counted(found for _, found in pairs),
            WANTED,
            REMEDIES[code],
            tuple(name for name, _ in pairs),
            len(names),
        )
        for code, pairs in by_code.items()
    ]
    if constant:
        result.append(
            Finding(
                "warning",
                "activity-constant",
                "the same in every frame, which is chance",
                "probabilities that follow the sound",
                "look at what the detector gives",
                tuple(constant),
                len(names),
            )
        )
    return result
