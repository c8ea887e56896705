"""What a recogniser wrote down of each estimate: ``hypotheses.csv``, and whether word errors follow from it.

It is the table that ``--recogniser csv:FILE`` takes, so words can be counted again without any sound.
"""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from pse_bench import metrics
from pse_bench.asr.hypothesis_csv import Hypothesis
from pse_bench.io import tables
from pse_bench.schemas import Mixture, Score
from pse_bench.scoring.summary import Scores

FILE = "hypotheses.csv"
OF_WORDS = {"estimate", "mixture", "text", "transcribe", "sample_rate"}
"""What metrics take that follow from words alone: of the sound they look at the length."""


def write(folder: Path, words: Mapping[str, str]) -> None:
    """Write the words by their mixtures."""
    rows = (Hypothesis(mixture_id=name, text=text) for name, text in words.items())
    tables.write_table(folder / FILE, Hypothesis, rows)


def differences(folder: Path, scores: Scores) -> list[str]:
    """A line for each metric of a result whose scores do not follow from its hypotheses, with the first clip; none
    where there are no hypotheses. Raises InputError when the table is damaged."""
    path = folder / FILE
    if not path.is_file():
        return []
    said = {row.mixture_id: row.text for row in tables.read_table(path, Hypothesis)}
    found = []
    for (label, name), cell in scores.cells.items():
        metric = scores.known[name]
        if "transcribe" in metric.needs and OF_WORDS.issuperset(metric.needs):
            wrong = [one for one in cell if not _follows(metric, one, scores.mixtures, said)]
            if wrong:
                first, more = wrong[0].mixture_id, f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
                found.append(f"{path}: {label} {name} of {first}{more} is not that of its words; score again")
    return found


def _follows(metric: metrics.Metric, one: Score, mixtures: Mapping[str, Mixture], said: Mapping[str, str]) -> bool:
    if one.status != "ok":
        return True
    if one.mixture_id not in said:
        return False
    row = mixtures[one.mixture_id]
    silence, nobody = np.zeros(row.num_samples), np.zeros(row.num_samples, dtype=bool)
    clip = metrics.Clip(
        estimate=silence,
        mixture=silence,
        reference=None,
        target_active=nobody,
        interferer_active=nobody,
        sample_rate=row.sample_rate,
        text=row.text,
        transcribe=lambda _: said[row.mixture_id],
    )
    again = metrics.score(metric, clip)
    return (again.value, again.detail) == (one.value, one.detail)
