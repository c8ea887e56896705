"""Findings on the files of who speaks."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.submission import activity_csv, submission
from pse_bench.submission.check.file_stats import cause
from pse_bench.submission.check.findings import Finding, finding, summarize_counts


def findings(dataset: Dataset, folder: Path, names: Mapping[str, str]) -> Iterator[Finding]:
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
            faults = [("unreadable", cause(folder / name, error))]
        else:
            faults = activity_csv.faults(values, num_frames)
            if not faults and np.ptp(values, axis=0).max() == 0:
                constant.append(name)
        for code, found in faults:
            by_code.setdefault(code, []).append((name, found))
    for code, pairs in by_code.items():
        concerned, texts = zip(*pairs, strict=True)
        yield finding(f"activity-{code}", concerned, summarize_counts(texts), len(names))
    if constant:
        yield finding("activity-constant", constant, "the same in every frame, which is chance", len(names))
