"""What a recogniser wrote down of each estimate: ``hypotheses.csv``, and whether word errors follow from it.

It is the table that ``--recogniser csv:FILE`` takes, so words can be counted again without any sound.
"""

from collections.abc import Callable, Mapping
from functools import cache, lru_cache
from pathlib import Path

import numpy as np

from pse_bench import metrics
from pse_bench.asr.hypothesis_csv import Hypothesis
from pse_bench.io import tables
from pse_bench.schemas import Mixture
from pse_bench.scoring.cells import Cell
from pse_bench.scoring.summary import Scores

FILE = "hypotheses.csv"
OF_WORDS = {"estimate", "mixture", "text", "transcribe", "sample_rate"}
"""What metrics take that follow from words alone: of the sound they look at the length."""
Scorer = Callable[[str, str, int, int], tuple[float | None, str]]
"""Value and detail from the target's words, those that were heard, and the clip's samples and rate."""


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
    table = tables.read_columns(path, Hypothesis)
    said = dict(zip(table["mixture_id"], table["text"], strict=True))
    found = []
    for (label, name), scored in scores.cells.items():
        metric, cell = scores.known[name], Cell.of(scored)
        if "transcribe" in metric.needs and OF_WORDS.issuperset(metric.needs):
            score = _scorer(metric)
            each = zip(cell.names, cell.states, cell.values.tolist(), cell.details, strict=True)
            wrong = [
                clip
                for clip, status, *scored in each
                if status == "ok" and not _follows(score, scores.mixtures[clip], said.get(clip), *scored)
            ]
            if wrong:
                first, more = wrong[0], f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
                found.append(f"{path}: {label} {name} of {first}{more} is not that of its words; score again")
    return found


def _follows(score: Scorer, row: Mixture, said: str | None, value: float, detail: str) -> bool:
    """Whether a score is that of what was said."""
    return said is not None and score(row.text, said, row.num_samples, row.sample_rate) == (value, detail)


@cache
def _silence(num_samples: int) -> np.ndarray:
    return np.broadcast_to(0.0, num_samples)


@cache
def _scorer(metric: metrics.Metric) -> Scorer:
    """A metric of words. Its scores are kept, for systems on one board often hear the same."""

    @lru_cache(2**15)
    def scored(text: str, said: str, num_samples: int, sample_rate: int) -> tuple[float | None, str]:
        silence = _silence(num_samples)
        given = {
            **{"estimate": silence, "mixture": silence, "sample_rate": sample_rate},
            **{"text": text, "transcribe": lambda _: said},
        }
        found = metrics.computed(metric, {name: given[name] for name in metric.needs})
        return found.value, found.detail

    return scored
