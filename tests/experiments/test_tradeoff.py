"""The trade-off experiment: its runs can be started, and its arithmetic is that of closed forms."""

import csv
import math
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

FOLDER = Path(__file__).parents[2] / "experiments" / "tradeoff"


@pytest.fixture(autouse=True)
def beside(monkeypatch) -> None:
    """The experiment's modules import each other by their names."""
    monkeypatch.syspath_prepend(str(FOLDER))
    yield
    for name in ("runs", "analysis", "run"):
        sys.modules.pop(name, None)


def test_every_run_has_a_configuration_and_comes_after_what_it_needs() -> None:
    pytest.importorskip("torch")
    from runs import COMPARED, KINDS, KNOWN, SEEDS, TRAININGS

    from pse_bench.training import config
    from pse_bench.training.losses import LOSS_RECIPES

    known: set[str] = set()
    for training in TRAININGS:
        assert training.name not in known
        assert known.issuperset(training.needs)
        made = config.load(str(FOLDER / training.config), training.changes, task=training.task)
        assert training.guided == (
            bool(made.recipe) and LOSS_RECIPES[made.recipe].needs_pvad and made.loss.guide == "pvad"
        )
        known.add(training.name)
    assert len(COMPARED) == len(KINDS) * len(SEEDS)
    held_out = config.load(str(FOLDER / "base.yaml"), task="pse").validation.people
    seen = config.load(str(FOLDER / KNOWN.config), KNOWN.changes, task="pse").validation.people
    assert set(seen).isdisjoint(held_out)
    table = FOLDER.parents[1] / "leaderboards" / "libri-mini-v1" / "speakers.csv"
    with table.open(encoding="utf-8", newline="") as stream:
        roles = {f"{row['corpus']}/{row['speaker_id']}": row["role"] for row in csv.DictReader(stream)}
    assert {roles[name] for name in seen} == {"training"}


def sums(values: list[float]) -> np.ndarray:
    return np.array([[value, 1.0] for value in values])


def test_an_interval_of_one_seed_is_that_of_a_mean_over_speakers() -> None:
    import analysis

    values = [3.0, 5.0, 4.0, 8.0, 1.0]
    key = ("TS2", "si_sdri")
    found = {"a": {key: [sums(values)]}}
    value, low, high, each = analysis.estimate(analysis.of("a", key), found)
    expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert (value, low, high) == pytest.approx((np.mean(values), *expected))
    assert each == [value]


def test_speakers_and_seeds_both_widen_an_interval() -> None:
    import analysis

    key = ("TS2", "si_sdri")
    seeds = [sums([1.0, 2.0, 3.0]), sums([2.0, 3.0, 4.0]), sums([3.0, 4.0, 5.0])]
    value, low, high, each = analysis.estimate(analysis.of("a", key), {"a": {key: seeds}})
    assert each == [2.0, 3.0, 4.0]
    variance = 1 / 3 + 1 / 3  # of the mean over three speakers, and over three seeds
    freedom = variance**2 / (2 * (1 / 3) ** 2 / 2)
    reach = stats.t.ppf(0.975, freedom) * math.sqrt(variance)
    assert (value, low, high) == pytest.approx((3.0, 3.0 - reach, 3.0 + reach))


def test_the_ends_keep_all_and_recover_all_and_lie_on_the_line() -> None:
    import analysis
    from runs import SHARES

    ends = {"no-its": (10.0, 8.0), "its": (30.0, 16.0)}
    points = {f"line-{share}": (10 + 20 * share, 8 + 8 * share) for share in SHARES}
    others = {"half": (20.0, 12.0), "better": (20.0, 14.0), "beyond": (35.0, 18.0)}
    found = {
        name: {analysis.TSOS: tsos, analysis.LEAKAGE: leakage}
        for name, (tsos, leakage) in {**ends, **points, **others}.items()
    }
    assert analysis.kept("its")(found) == pytest.approx(100)
    assert analysis.kept("no-its")(found) == pytest.approx(0)
    assert analysis.recovered("no-its")(found) == pytest.approx(100)
    assert analysis.recovered("its")(found) == pytest.approx(0)
    heights = {name: analysis.above_line(name)(found) for name in found}
    assert heights.pop("better") == pytest.approx(2)
    assert all(height == pytest.approx(0) for height in heights.values())
