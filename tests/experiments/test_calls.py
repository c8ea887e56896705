"""What is written about calls follows from their board."""

import runpy
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
FOUND = runpy.run_path(str(ROOT / "experiments" / "calls" / "differences.py"))


def test_the_page_about_calls_has_the_figures_of_the_board() -> None:
    page = (ROOT / "docs" / "explanation" / "calls.md").read_text(encoding="utf-8")
    for lines in FOUND["lines_of"](ROOT / "leaderboards" / "speechocean-call-v1.csv", ["mixture", "GTCRN"]):
        assert len(lines) == 4
        assert all(line in page for line in lines)


def test_a_difference_is_that_of_the_takes_that_have_both() -> None:
    """Of levels, the mean of the differences and Student's interval, but for a correction of skewness."""
    from made import BLANK

    from pse_bench.schemas import Score
    from pse_bench.scoring.summary import Scores

    names = [f"s{number}_TS2" for number in range(9)]
    mixtures = {
        name: BLANK.model_copy(update={"mixture_id": name, "scenario": "TS2", "target_speaker": name})
        for name in names
    }
    levels = {"early_db": [3.0, 1, 4, 1, 5, 9, 2, 6, None], "late_db": [4.0, 3, 7, 2, 6, 10, 5, 9, 99]}
    cells = {
        ("TS2", metric): [
            Score(
                mixture_id=name,
                scenario="TS2",
                metric=metric,
                value=value,
                status="undefined" if value is None else "ok",
                detail="",
            )
            for name, value in zip(names, values, strict=True)
        ]
        for metric, values in levels.items()
    }
    scores = Scores(ROOT, mixtures, cells, [], {})
    differences = np.array([b - a for a, b in zip(*levels.values(), strict=True) if a is not None])
    value, low, high = (
        float(text.strip("[],")) for text in FOUND["difference"](scores, "early_db", "late_db", names).split()
    )
    half = 2.3646 * differences.std(ddof=1) / np.sqrt(len(differences))
    assert value == pytest.approx(differences.mean(), abs=0.05)
    assert (high - low) / 2 == pytest.approx(half, rel=0.25)
