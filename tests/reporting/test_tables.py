"""Tables: aggregates against pandas, intervals against brute force, and text that stays text."""

import csv
import io
import json
import re
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas
import pytest
import scipy.stats
import tiny
from made import Row, means, result

from pse_bench import metrics
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import tables as csv_tables
from pse_bench.reporting import tables
from pse_bench.schemas import Summary
from pse_bench.scoring.results import Result, check_comparable
from pse_bench.scoring.summary import summarise


def percentiles(values: Iterable[float]) -> tuple[float, float]:
    low, high = np.percentile(list(values), [2.5, 97.5])
    return float(low), float(high)


def test_a_recogniser_s_probe_stands_below_its_deletions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tables.probe, "known", {"a": "parrot writes down 9.0 %"}.get)
    heard, other, none = (
        SimpleNamespace(about={"recogniser": one}) for one in ({"model": "a"}, {"model": "b"}, None)
    )
    (line,) = tables.probe_notes([heard, heard, other, none], ["del", "tsos"])
    assert line == "parrot writes down 9.0 %: its deletions understate what is missing"
    assert tables.probe_notes([heard], ["tsos"]) == tables.probe_notes([other, none], ["wer"]) == []


# ---- values


def test_aggregates_are_those_of_a_data_frame(tmp_path: Path) -> None:
    chance = np.random.default_rng(4)
    rows: list[Row] = []
    for _ in range(60):
        speaker = f"p{chance.integers(7)}"
        status = ("ok", "failed", "undefined")[chance.choice(3, p=[0.6, 0.2, 0.2])]
        reason = "" if status == "ok" else 'why, "it" said; 3/4 of it'
        value = {"ok": chance.normal(8, 3), "failed": -50.0, "undefined": None}[status]
        rows.append((speaker, "si_sdr", value, status, reason))
        total = int(chance.integers(1, 200))
        flagged = total if status == "failed" else int(chance.integers(0, total + 1))
        detail = reason if status == "undefined" else f"{flagged}/{total}" + (f"; {reason}" if reason else "")
        ratio = None if status == "undefined" else 100 * flagged / total
        rows.append((speaker, "tsos", ratio, status, detail))
    folder = result(tmp_path / "r", rows)
    summary = {row.metric: row for row in summarise(folder)}

    frame = pandas.read_csv(folder / "scores.csv")
    frame = frame[frame.status != "undefined"]
    pairs = frame[frame.metric == "tsos"].detail.str.extract(r"^(\d+)/(\d+)").astype(int).sum()
    assert summary["si_sdr"].value == pytest.approx(frame[frame.metric == "si_sdr"].value.mean(), rel=1e-12)
    assert summary["tsos"].value == pytest.approx(100 * pairs[0] / pairs[1], rel=1e-12)
    assert summary["tsos"].value != pytest.approx(frame[frame.metric == "tsos"].value.mean(), rel=1e-3)
    ok = frame[frame.status == "ok"].groupby("metric").size()
    for name in ("tsos", "si_sdr"):
        assert (summary[name].scored, summary[name].expected) == (ok[name], 60)
    assert summary["tsos"].aggregation == "ratio of sums over clips"
    assert summary["si_sdr"].aggregation == "mean over clips"
    assert (summary["tsos"].unit, summary["tsos"].higher_is_better) == ("%", False)
    assert csv_tables.read_table(folder / "summary.csv", Summary) == list(summary.values())


def test_figures_beside_the_mean_of_leakage(tmp_path: Path) -> None:
    energies = [(4.0, 0.04), (1.0, 1.0), (9.0, 0.0)]
    values = [20.0, 0.0, 120.0]
    rows = [
        (f"p{k}", "leakage_reduction_db", value, "ok", f"{before!r}/{after!r}")
        for k, (value, (before, after)) in enumerate(zip(values, energies, strict=True))
    ]
    rows.append(("p9", "leakage_reduction_db", None, "undefined", "the mixture is silent"))
    summary = {row.metric: row for row in summarise(result(tmp_path / "r", rows, "TS3"))}
    assert summary["leakage_reduction_db"].value == pytest.approx(140 / 3)
    assert summary["leakage_reduction_pooled_db"].value == pytest.approx(10 * np.log10(14 / 1.04))
    assert summary["leakage_reduction_median_db"].value == 20.0
    assert summary["leakage_at_cap"].value == pytest.approx(100 / 3)
    assert {(row.scored, row.expected) for row in summary.values()} == {(3, 4)}


def test_failed_counts_and_undefined_does_not(tmp_path: Path) -> None:
    rows = [
        ("a", "si_sdr", 10.0, "ok", ""),
        ("b", "si_sdr", -50.0, "failed", "the estimate is silent"),
        ("c", "si_sdr", None, "undefined", "the reference is silent"),
    ]
    (row,) = summarise(result(tmp_path / "r", rows))
    assert (row.value, row.scored, row.expected) == (-20.0, 1, 3)


def test_a_metric_that_is_undefined_everywhere_has_no_value(tmp_path: Path) -> None:
    rows = [("a", "leakage_reduction_db", None, "undefined", "silent")] * 2
    folder = result(tmp_path / "r", rows, "TS3")
    for row in summarise(folder):
        assert (row.value, row.ci_low, row.ci_high, row.scored, row.expected) == (None, None, None, 0, 2)
    assert "undefined 0/2" in tables.results_text([Result.open(folder)], "markdown")


# ---- intervals


def test_the_interval_is_that_of_scipy_when_each_speaker_has_one_clip(tmp_path: Path) -> None:
    values = np.random.default_rng(5).gamma(2.0, 5.0, size=40)
    (row,) = summarise(result(tmp_path / "r", means(values, [f"p{k}" for k in range(40)])))
    twin = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=9999, method="percentile", rng=np.random.default_rng(0)
    ).confidence_interval
    width = twin.high - twin.low
    assert row.ci_low == pytest.approx(twin.low, abs=0.06 * width)
    assert row.ci_high == pytest.approx(twin.high, abs=0.06 * width)


def clustered(groups: list[list[Any]], compute: Callable[[list[Any]], float], count: int = 4000) -> Any:
    """Percentile interval by drawing whole speakers, written as plainly as possible."""
    chance = np.random.default_rng(99)
    found = []
    for _ in range(count):
        drawn = [groups[k] for k in chance.integers(len(groups), size=len(groups))]
        found.append(compute([clip for group in drawn for clip in group]))
    return percentiles(found)


def assert_wider(row: Summary, low: float, high: float) -> None:
    """Around the percentile interval, which is too narrow with so few speakers, and not beyond all measure."""
    assert row.ci_low < low < high < row.ci_high
    assert row.ci_high - row.ci_low < 2 * (high - low)


def test_the_interval_is_clustered_by_speaker(tmp_path: Path) -> None:
    chance = np.random.default_rng(6)
    groups = [list(5 * chance.normal() + chance.normal(size=chance.integers(1, 12))) for _ in range(9)]
    speakers = [f"p{k}" for k, group in enumerate(groups) for _ in group]
    order = chance.permutation(len(speakers))
    values = np.concatenate(groups)[order]
    (row,) = summarise(result(tmp_path / "r", means(values, np.array(speakers)[order])))
    low, high = clustered(groups, lambda clips: float(np.mean(clips)))
    assert_wider(row, low, high)
    naive = percentiles(np.mean(chance.choice(values, (2000, len(values))), axis=1))
    assert naive[1] - naive[0] < 0.6 * (high - low), "taking clips as independent would be far too sure"


def test_the_interval_of_a_ratio(tmp_path: Path) -> None:
    chance = np.random.default_rng(7)
    groups = []
    for _ in range(8):
        rate = chance.uniform(0, 0.5)
        totals = chance.integers(20, 300, size=chance.integers(1, 6))
        groups.append([(int(chance.binomial(total, rate)), int(total)) for total in totals])
    rows = [(f"p{k}", "tsos", 100 * a / b, "ok", f"{a}/{b}") for k, group in enumerate(groups) for a, b in group]
    (row,) = summarise(result(tmp_path / "r", rows))

    def pooled(clips: list[tuple[int, int]]) -> float:
        return 100 * sum(a for a, _ in clips) / sum(b for _, b in clips)

    low, high = clustered(groups, pooled)
    assert row.value == pytest.approx(pooled([clip for group in groups for clip in group]))
    assert_wider(row, low, high)


def test_the_interval_of_a_median(tmp_path: Path) -> None:
    chance = np.random.default_rng(8)
    groups = [list(20 + 5 * chance.normal() + chance.normal(size=4)) for _ in range(12)]
    rows = [
        (f"p{k}", "leakage_reduction_db", float(v), "ok", f"{10 ** (v / 10)!r}/1.0")
        for k, group in enumerate(groups)
        for v in map(float, group)
    ]
    summary = {row.metric: row for row in summarise(result(tmp_path / "r", rows, "TS3"))}
    row = summary["leakage_reduction_median_db"]
    low, high = clustered(groups, lambda clips: float(np.median(clips)))
    assert row.ci_low == pytest.approx(low, abs=0.15 * (high - low))
    assert row.ci_high == pytest.approx(high, abs=0.15 * (high - low))


def test_the_interval_is_the_same_every_time_and_in_any_order(tmp_path: Path) -> None:
    values = np.random.default_rng(9).normal(size=20)
    speakers = [f"p{k % 5}" for k in range(20)]
    rows = means(values, speakers)
    first = summarise(result(tmp_path / "a", rows))
    again = summarise(tmp_path / "a")
    turned = summarise(result(tmp_path / "b", rows[::-1]))
    assert first == again
    for one, other in zip(first, turned, strict=True):
        assert other.value == pytest.approx(one.value, rel=1e-12)
        assert other.ci_low == pytest.approx(one.ci_low, rel=1e-9)


def test_one_speaker_has_no_interval(tmp_path: Path) -> None:
    rows = means([1, 2, 3], ["p"] * 3)
    rows += [("p", "tsos", 50.0, "ok", "1/2")] * 3
    for row in summarise(result(tmp_path / "r", rows)):
        assert row.value is not None
        assert (row.ci_low, row.ci_high) == (None, None)
    leaks = [("p", "leakage_reduction_db", 3.0, "ok", "2.0/1.0")] * 3
    for row in summarise(result(tmp_path / "s", leaks, "TS3")):
        assert (row.ci_low, row.ci_high) == (None, None)


def test_a_speaker_whose_clips_are_all_undefined_is_not_counted(tmp_path: Path) -> None:
    rows = means([1, 2, 3], ["p"] * 3)
    rows.append(("q", "si_sdr", None, "undefined", "why"))
    (row,) = summarise(result(tmp_path / "r", rows))
    assert (row.value, row.ci_low, row.ci_high) == (2.0, None, None)


# ---- results that are not as score wrote them


def scores_with(folder: Path, change: Callable[[list[list[str]]], None]) -> None:
    """Edit the cells of scores.csv (the header is row 0)."""
    path = folder / "scores.csv"
    rows = list(csv.reader(io.StringIO(path.read_text())))
    change(rows)
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    path.write_text(stream.getvalue())


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda rows: rows.pop(), "2 rows of tsos over 2 mixtures of TS1, expected 3"),
        (lambda rows: rows.append(rows[-1]), "4 rows of tsos over 3 mixtures of TS1, expected 3"),
        (lambda rows: rows.__setitem__(-1, rows[-2]), "3 rows of tsos over 2 mixtures of TS1, expected 3"),
        (lambda rows: rows[1].__setitem__(0, "s000099_TS1"), "s000099_TS1 of TS1 is not in mixtures.csv"),
        (lambda rows: rows[1].__setitem__(1, "TS2"), "s000001_TS1 of TS2 is not in mixtures.csv"),
        (lambda rows: rows[1].__setitem__(2, "tsoss"), "metric 'tsoss' is not known"),
        (lambda rows: rows[1].__setitem__(3, "nan"), "scores.csv:2: value"),
        (lambda rows: rows[1].__setitem__(3, ""), "tsos of s000001_TS1 is ok with the value None"),
        (lambda rows: rows[1].__setitem__(4, "undefined"), "tsos of s000001_TS1 is undefined with the value 50"),
        (lambda rows: rows[1].__setitem__(5, "half"), "no 'numerator/denominator' in the detail 'half'"),
        (lambda rows: rows[1].__setitem__(4, "fine"), "scores.csv:2: status"),
        (lambda rows: rows[1].pop(), "scores.csv:2: 5 cells, expected 6"),
        (lambda rows: rows[0].__setitem__(3, "score"), "scores.csv: unknown column 'score'"),
        (
            lambda rows: [row.__setitem__(5, "0/0") for row in rows[1:]],
            "scores.csv: tsos: no ratio in the detail '0/0' of s000001_TS1",
        ),
    ],
)
def test_damaged_scores_are_refused_in_one_line(tmp_path: Path, change: Any, words: str) -> None:
    folder = result(tmp_path / "r", [(f"p{k}", "tsos", 50.0, "ok", "1/2") for k in range(3)])
    scores_with(folder, change)
    with pytest.raises(InputError, match=re.escape(words)) as caught:
        summarise(folder)
    assert "\n" not in str(caught.value)
    assert not (folder / "summary.csv").exists()


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"schema": 2}, "schema 2, expected 1; score again"),
        ({"kind": "pse-bench dataset"}, "not a result of pse-bench"),
        ({"system": None}, "damaged (no system name"),
        ({"system": {"name": 3}}, "damaged (no system name"),
        ({"metrics": None}, "damaged (no system name or no metrics)"),
        ({"reference": None}, "damaged (no reference)"),
        ({"dataset_fingerprint": 7}, "damaged (no dataset_fingerprint)"),
    ],
)
def test_a_damaged_result_is_refused_in_one_line(tmp_path: Path, about: dict[str, Any], words: str) -> None:
    folder = result(tmp_path / "r", means([1], ["p"]), **about)
    with pytest.raises(InputError, match=re.escape(words)):
        Result.open(folder)


@pytest.mark.parametrize("text", ["", "[]", "{", "null"])
def test_a_result_that_is_not_json(tmp_path: Path, text: str) -> None:
    folder = result(tmp_path / "r", means([1], ["p"]))
    (folder / "result.json").write_text(text)
    with pytest.raises(InputError, match=r"result\.json: not "):
        Result.open(folder)


def test_no_result(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no result here \(result\.json is missing\)"):
        Result.open(tmp_path)


def test_a_missing_summary_is_made_again(tmp_path: Path) -> None:
    folder = result(tmp_path / "r", means([1, 2], ["p", "q"]))
    rows = summarise(folder)
    (folder / "summary.csv").unlink()
    assert Result.open(folder).summaries == rows


# ---- side by side


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"dataset_fingerprint": "b" * 64}, "dataset fingerprint bbbbbbbbbbbb, but"),
        ({"reference": "reverberant"}, "reference reverberant, but"),
        ({"metrics": {"tsos": {"version": 2}}}, "tsos of another version than in"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, about: dict[str, Any], words: str) -> None:
    folders = [result(tmp_path / "a", means([1], ["p"])), result(tmp_path / "b", means([1], ["p"]), **about)]
    opened = [Result.open(folder) for folder in folders]
    with pytest.raises(InputError, match=words) as caught:
        check_comparable(opened)
    assert str(caught.value).startswith(str(folders[1]))
    assert str(folders[0]) in str(caught.value)
    check_comparable(opened[:1])
    check_comparable([opened[0], opened[0]])


def test_results_with_other_metrics_stand_side_by_side(tmp_path: Path) -> None:
    one = result(tmp_path / "a", means([1.04, 3.0], ["p", "p"]), system={"name": "one"})
    other = result(tmp_path / "b", [("p", "stoi", 0.5, "ok", ""), ("p", "stoi", 0.7, "ok", "")])
    opened = [Result.open(one), Result.open(other)]
    (grid,) = tables.grids(opened)
    assert grid.title == "TS1: target + noise"
    assert grid.head == ["", "one", "mine"]
    assert grid.lines == [["si_sdr (dB) ↑", "2.0", ""], ["stoi ↑", "", "0.60"]]


# ---- the three forms


def test_markdown(tmp_path: Path) -> None:
    rows = [("p", "tsos", 50.0, "ok", "1/2"), ("q", "tsos", 100.0, "failed", "2/2; why")]
    text = tables.results_text([Result.open(result(tmp_path / "r", rows))], "markdown")
    assert text.splitlines() == [
        "### mixtures: 2 of TS1",
        "",
        "|  | mine |",
        "|---|---|",
        "| TS1.tsos (%) ↓ | 75.0 [0.0, 100.0] 1/2 |",
        "",
        r"- value \[95 % interval over target speakers\]; scored/expected where not all are; ↑ higher is better",
        "- TS1: target + noise",
    ]


def test_csv(tmp_path: Path) -> None:
    folder = result(tmp_path / "r", means([1 / 3, 2], ["p", "q"]), system={"name": 'a, "b"'})
    opened = Result.open(folder)
    rows = list(csv.DictReader(io.StringIO(tables.results_text([opened, opened], "csv"))))
    assert len(rows) == 2
    assert list(rows[0]) == ["system", *Summary.model_fields]
    assert rows[0]["system"] == 'a, "b"'
    assert float(rows[0]["value"]) == opened.summaries[0].value, "all digits"
    assert rows[0]["expected"] == "2"


def test_the_terminal_shows_every_figure(tmp_path: Path) -> None:
    folder = result(tmp_path / "r", means([1, 2], ["p", "p"]))
    text = tables.results_text([Result.open(folder)])
    assert "TS1: target + noise" in text
    assert re.search(r"^si_sdr \(dB\) ↑ +1\.5$", text, re.MULTILINE)
    assert text.endswith(tables.FOOT)
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 120


NAMES = ["a|b", "[bold]x[/bold]", "[/]", "[link=http://x]y", "<b>x</b>", ":smile:", "*x*", "`x`", "back\\slash|"]


@pytest.mark.parametrize("name", NAMES)
def test_a_name_is_printed_as_text(tmp_path: Path, name: str) -> None:
    opened = Result.open(result(tmp_path / "r", means([1], ["p"]), system={"name": name}))
    assert name in tables.results_text([opened])
    head = tables.results_text([opened], "markdown").splitlines()[2]
    cells = re.split(r"(?<!\\)(?:\\\\)*\|", head)
    assert len(cells) == 4, "an empty head, the name, and what is outside of the bars"
    assert re.sub(r"\\([\\`*\[\]<>|])", r"\1", cells[2].strip()) == name
    assert not re.search(r"(?<!\\)[<\[*`]", cells[2]), "nothing in it is markup"
    assert next(csv.DictReader(io.StringIO(tables.results_text([opened], "csv"))))["system"] == name


@pytest.mark.parametrize(
    ("name", "shown"), [("two\nlines", "two lines"), ("a\x1b[31mred", "a [31mred"), ("\u202eabc", "abc")]
)
def test_a_name_cannot_break_the_table(tmp_path: Path, name: str, shown: str) -> None:
    opened = Result.open(result(tmp_path / "r", means([1], ["p"]), system={"name": name}))
    assert opened.system == shown
    for form in ("terminal", "markdown", "csv"):
        assert name not in tables.results_text([opened], form)
    assert shown in tables.results_text([opened])


def test_many_systems_and_long_names_fit(tmp_path: Path) -> None:
    opened = []
    for number in range(6):
        name = f"a-very-long-name-of-a-system-{number}" * 2
        folder = result(tmp_path / f"r{number}", means([number, 1], ["p", "q"]), system={"name": name})
        opened.append(Result.open(folder))
    text = tables.results_text(opened)
    assert max(map(len, text.splitlines())) <= 120
    assert text.count("…") == 0, "nothing is cut away"
    assert tables.results_text(opened, width=600).count("a-very-long-name-of-a-system-5") == 2


def test_the_summary_of_a_real_result_is_in_the_order_of_the_registry(
    dataset: Any, submitted: Callable[[str], Path], tmp_path: Path
) -> None:
    import tiny

    table = tiny.scored(dataset, submitted("mixture"), tmp_path / "r")
    order = list(metrics.METRICS)
    for label in ("TS1", "TS2", "TS3"):
        names = [name for scenario, name in table if scenario == label and name in order]
        assert names == sorted(names, key=order.index)
    shutil.copytree(tmp_path / "r", tmp_path / "s")
    about = json.loads((tmp_path / "s" / "result.json").read_text())
    assert about["dataset_fingerprint"] == dataset.description.fingerprint
    check_comparable([Result.open(tmp_path / name) for name in "rs"])


def test_two_results_of_one_name_are_told_apart_by_their_folders(
    dataset: Dataset, submitted: Callable[[str], Path], tmp_path: Path
) -> None:
    results = []
    for name in ("first", "second"):
        tiny.scored(dataset, submitted("mixture"), tmp_path / name, ["si_sdr"])
        summarise(tmp_path / name)
        results.append(Result.open(tmp_path / name))
    head = tables.results_text(results, "markdown").splitlines()[2]
    assert "mixture (first)" in head
    assert "mixture (second)" in head
    assert "(4 mixtures, 3 target speakers)" in tables.results_text(results, "markdown")
    assert "intervals rest on 3 target speakers only" in tables.results_text(results)


def test_a_result_gives_data_frames(tmp_path: Path) -> None:
    folder = result(tmp_path / "r", means([1.0, 2.0, 4.0], ["p0", "p1", "p2"]))
    opened = Result.open(folder)
    assert list(opened.summary.columns) == ["system", *Summary.model_fields]
    assert opened.summary["value"].tolist() == pytest.approx([7 / 3])
    assert opened.scores.groupby("metric")["value"].mean().to_dict() == pytest.approx({"si_sdr": 7 / 3})
    assert len(opened.frame(by="target_speaker")) == 4, "each of them, and all"
    assert opened.frame(by="target_speaker")["ci_low"].isna().tolist() == [True, True, True, False]
