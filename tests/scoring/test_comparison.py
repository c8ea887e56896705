"""Two results compared: what is named a difference, what never is, and which mixtures are paired."""

import csv
import io
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import tiny
from made import BLANK, finish, means, result

from pse_bench import metrics
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.io import tables as csv_tables
from pse_bench.reporting import tables
from pse_bench.schemas import Mixture, Score
from pse_bench.scoring.comparison import Comparison, Line, audible, compare
from pse_bench.scoring.results import Result

SPEAKERS = 10
CLIPS = [f"p{k % SPEAKERS}" for k in range(40)]


def compared(first: Path, second: Path, **options: Any) -> Comparison:
    return compare(Result.open(first), Result.open(second), **options)


def two(tmp_path: Path, first: Any, second: Any, metric: str = "si_sdr", **options: Any) -> Line:
    """The one line of two results over the same clips."""
    folders = [
        result(tmp_path / name, means(values, CLIPS[: len(values)], metric))
        for name, values in (("a", first), ("b", second))
    ]
    (line,) = compared(*folders, **options).lines
    return line


BASE = np.random.default_rng(1).normal(8, 4, size=40)


# ---- verdicts


def test_a_clear_difference_is_named_and_turns_with_the_systems(tmp_path: Path) -> None:
    better = BASE + 1 + np.random.default_rng(2).normal(0, 0.3, size=40)
    (tmp_path / "one").mkdir()
    line = two(tmp_path / "one", BASE, better)
    assert (line.winner, line.verdict) == ("second", "B better")
    assert line.difference == pytest.approx(np.mean(better - BASE))
    assert line.ci_low < line.difference < line.ci_high
    assert line.p == line.p_corrected == 2**-9
    (tmp_path / "other").mkdir()
    turned = two(tmp_path / "other", better, BASE)
    assert (turned.winner, turned.verdict) == ("first", "A better")
    assert (turned.ci_low, turned.ci_high) == pytest.approx((-line.ci_high, -line.ci_low))
    assert turned.p == line.p


def test_lower_is_better_where_the_metric_says_so(tmp_path: Path) -> None:
    more = np.random.default_rng(2).uniform(0.2, 0.3, size=40)
    line = two(tmp_path, 0 * more, more, "tsos_longest_s")
    assert (line.winner, line.verdict) == ("first", "A better")


@pytest.mark.parametrize(
    ("second", "verdict"),
    [
        (BASE, "no difference shown (equal)"),
        (BASE + 0.0003, "no difference shown (equal to within 0.1 dB)"),
        (BASE + np.linspace(-0.04, 0.06, 40), "no difference shown (equal to within 0.1 dB)"),
        (BASE + np.tile([0.01, 0.02, 0.03, 0.2, 0.2] * 2, 4), "no difference shown (less than 0.1 dB)"),
        (BASE + np.random.default_rng(3).normal(0, 3, size=40), "no difference shown"),
    ],
)
def test_no_difference_is_shown(tmp_path: Path, second: np.ndarray, verdict: str) -> None:
    line = two(tmp_path, BASE, second)
    assert (line.winner, line.verdict) == ("", verdict)


def test_few_speakers_cannot_reject_and_it_is_said(tmp_path: Path) -> None:
    first, second = means(BASE[:20], CLIPS[:5] * 4), means(BASE[:20] + 5, CLIPS[:5] * 4)
    found = compared(result(tmp_path / "a", first), result(tmp_path / "b", second))
    assert found.lines[0].p == 1 / 16
    assert found.lines[0].verdict == "no difference shown (too few speakers for a test)"
    assert found.notes == [
        "5 target speakers: no test can reject, the smallest p there is is 0.062; it takes at least 6"
    ]
    assert found.notes[0] in tables.comparison_text(found, [Result.open(tmp_path / name) for name in "ab"])


def test_one_speaker_has_neither_interval_nor_test(tmp_path: Path) -> None:
    first, second = means(BASE[:3], ["p"] * 3), means(BASE[:3] + 5, ["p"] * 3)
    (line,) = compared(result(tmp_path / "a", first), result(tmp_path / "b", second)).lines
    assert (line.ci_low, line.p, line.verdict) == (None, None, "no difference shown (one speaker)")


def test_a_ratio_is_compared_as_a_ratio_of_sums(tmp_path: Path) -> None:
    chance = np.random.default_rng(4)
    totals = chance.integers(50, 300, size=40)
    counts = [chance.binomial(totals, rate) for rate in (0.2, 0.4)]
    folders = [
        result(
            tmp_path / f"{number}",
            [(p, "tsos", 100 * a / b, "ok", f"{a}/{b}") for p, a, b in zip(CLIPS, count, totals, strict=True)],
        )
        for number, count in enumerate(counts)
    ]
    (line,) = compared(*folders).lines
    assert line.difference == pytest.approx(100 * (counts[1].sum() - counts[0].sum()) / totals.sum())
    per_speaker = [np.bincount(np.arange(40) % SPEAKERS, values) for values in (counts[1] - counts[0], totals)]
    twin = scipy.stats.permutation_test(
        (per_speaker[0], np.zeros(SPEAKERS)),
        lambda a, b: np.sum(a) - np.sum(b),
        permutation_type="samples",
        n_resamples=np.inf,
    )
    assert line.p == pytest.approx(twin.pvalue)
    assert line.verdict == "A better"


# ---- which mixtures


def test_only_mixtures_that_both_have_a_value_for_are_paired(tmp_path: Path) -> None:
    rows = means([1.0, 2.0, 3.0, 4.0], ["p", "p", "q", "r"])
    first = [*rows[:3], ("r", "si_sdr", None, "undefined", "why")]
    second = [(speaker, name, value + 1, "ok", "") for speaker, name, value, *_ in rows]
    second[0] = ("p", "si_sdr", -50.0, "failed", "silent")
    found = compared(result(tmp_path / "a", first), result(tmp_path / "b", second))
    (line,) = found.lines
    assert (line.pairs, line.expected, line.speakers) == (3, 4, 2)
    assert (line.first, line.second) == pytest.approx((2.0, -43 / 3))
    assert " 3/4" in tables.comparison_text(found, [Result.open(tmp_path / name) for name in "ab"], "markdown")


def test_nothing_in_common_is_said(tmp_path: Path) -> None:
    first = [("p", "si_sdr", None, "undefined", "why"), ("q", "si_sdr", 1.0, "ok", "")]
    second = [("p", "si_sdr", 1.0, "ok", ""), ("q", "si_sdr", None, "undefined", "why")]
    found = compared(result(tmp_path / "a", first), result(tmp_path / "b", second))
    assert found.lines[0].verdict == "not scored in both"
    assert found.lines[0].difference is None


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"dataset_fingerprint": "b" * 64}, "dataset fingerprint bbbbbbbbbbbb, but"),
        ({"dataset_fingerprint": "b" * 64, "mixtures": 1}, "mixtures 1, but .* has"),
        ({"dataset_fingerprint": "b" * 64, "dataset": "another-name-v1"}, "dataset another-name-v1, but .* has"),
        ({"reference": "reverberant"}, "reference reverberant"),
        ({"metrics": {"tsos": {"version": 2}}}, "tsos of another version"),
    ],
)
def test_what_cannot_be_compared_is_refused(tmp_path: Path, about: dict[str, Any], words: str) -> None:
    first = result(tmp_path / "a", means([1], ["p"]))
    with pytest.raises(InputError, match=words):
        compared(first, result(tmp_path / "b", means([1], ["p"]), **about))


def test_other_mixtures_are_refused(tmp_path: Path) -> None:
    first, second = result(tmp_path / "a", means([1], ["p"])), result(tmp_path / "b", means([1, 2], ["p", "p"]))
    with pytest.raises(InputError, match="other mixtures than in"):
        compared(first, second)


# ---- the family


def family(folder: Path, shift: float) -> Path:
    chance = np.random.default_rng(5)
    rows = means(BASE + shift, CLIPS)
    for metric in ("stoi", "estoi", "pesq_wb"):
        noise = chance.uniform(0.3, 0.7, size=40) + 0.02 * np.random.default_rng(int(10 * shift)).normal(size=40)
        rows += means(noise + (metric == "pesq_wb"), CLIPS, metric)
    return result(folder, rows)


def test_the_family_is_what_is_asked_for(tmp_path: Path) -> None:
    folders = family(tmp_path / "a", 0.0), family(tmp_path / "b", 1.0)
    whole = compared(*folders)
    assert [line.metric for line in whole.lines] == ["stoi", "estoi", "pesq_wb", "si_sdr"]
    assert [line.winner for line in whole.lines] == ["", "", "", "second"]
    alone = compared(*folders, names=["estoi"]).lines
    assert [line.metric for line in alone] == ["estoi"]
    assert alone[0].p_corrected == alone[0].p <= whole.lines[1].p_corrected
    with pytest.raises(InputError, match="metric 'stoy' is not in both results; did you mean 'stoi'"):
        compared(*folders, names=["stoy"])


def test_metrics_of_one_result_only_are_left_out(tmp_path: Path) -> None:
    first = result(tmp_path / "a", means([0.5], ["p"], "stoi") + means([1], ["p"]))
    second = result(tmp_path / "b", means([2], ["p"]))
    assert [line.metric for line in compared(first, second).lines] == ["si_sdr"]
    third = result(tmp_path / "c", means([0.5], ["p"], "estoi"))
    with pytest.raises(InputError, match="no metric in common"):
        compared(second, third)


def test_parts_of_the_dataset_belong_to_the_family(tmp_path: Path) -> None:
    folders = []
    for name, shift in (("a", 0.0), ("b", 1.0)):
        folders.append(result(tmp_path / name, means(BASE + shift, CLIPS)))
        rows = csv_tables.read_table(folders[-1] / "mixtures.csv", Mixture)
        for number, row in enumerate(rows):
            rows[number] = row.model_copy(update={"noise_category": "hum" if number % SPEAKERS < 6 else "hiss"})
        csv_tables.write_table(folders[-1] / "mixtures.csv", Mixture, rows)
        finish(folders[-1])
    lines = compared(*folders, by="noise_category").lines
    assert [(line.part, line.expected, line.speakers) for line in lines] == [
        ("hiss", 16, 4),
        ("hum", 24, 6),
        ("all", 40, 10),
    ]
    assert [line.verdict for line in lines] == [
        "no difference shown (too few speakers for a test)",
        "B better",
        "B better",
    ]


# ---- silence


def test_what_nobody_hears_is_no_difference(tmp_path: Path) -> None:
    """Exact zeros, and dither of one step of 16 bits (a mean power of 2/3 steps): 120 dB and about 60 dB."""
    folders = []
    step = 2 / 3 / 32768**2
    for name, power in (("a", 0.0), ("b", step)):
        rows = []
        for k in range(12):
            before = 16000 * 10 ** (-0.1 * (28 + k % 5))
            ratio = metrics.Ratio(before, 16000 * power)
            value = metrics.METRICS["leakage_reduction_db"].value_of(ratio)
            rows.append((f"p{k}", "leakage_reduction_db", value, "ok", str(ratio)))
            rows.append((f"p{k}", "residual_dbfs", max(10 * np.log10(power + 1e-30), -120.0), "ok", ""))
        folders.append(result(tmp_path / name, rows, "TS3"))
    plain = [{row.metric: row.value for row in Result.open(folder).summaries} for folder in folders]
    assert plain[0]["leakage_reduction_db"] - plain[1]["leakage_reduction_db"] > 50
    found = compared(*folders)
    assert {line.verdict for line in found.lines} == {"no difference shown (equal)"}
    assert [line.metric for line in found.lines] == [
        "leakage_reduction_db",
        "leakage_reduction_pooled_db",
        "leakage_reduction_median_db",
        "residual_dbfs",
        "fully_leaked",
        "absent_false_alarm",
    ]
    assert found.notes == ["outputs below -80 dBFS are taken as being there: nobody hears the difference"]


@pytest.mark.parametrize("name", ["leakage_reduction_db", "pause_leakage_db", "residual_dbfs"])
def test_what_is_heard_stays_as_it_is(name: str) -> None:
    metric = metrics.METRICS[name]
    label = metric.scenarios[0]
    clip = 1 if metric.quiet == "power" else 16000
    ratio = metrics.Ratio(clip * 1e-3, clip * 1e-7)
    value = -70.0 if metric.quiet == "level" else metric.value_of(ratio)
    score = Score(mixture_id="m", scenario=label, metric=name, value=value, status="ok", detail=str(ratio))
    (heard,) = audible(metric, [score], {"m": BLANK})
    assert heard.value == pytest.approx(value)
    quiet = score.model_copy(update={"value": -100.0, "detail": str(metrics.Ratio(clip * 1e-3, clip * 1e-11))})
    (raised,) = audible(metric, [quiet], {"m": BLANK})
    assert raised.value == pytest.approx(-80.0 if metric.quiet == "level" else 50.0)


# ---- systems


def dithered(folder: Path, out: Path, seed: int) -> Path:
    """The same submission with every sample moved by at most one step of 16 bits."""
    shutil.copytree(folder, out)
    chance = np.random.default_rng(seed)
    for path in sorted(out.glob("TS*/*")):
        samples, rate = audio.read(path)
        moved = audio.to_pcm16(samples).astype(int) + chance.integers(-1, 2, size=len(samples))
        audio.write(path, np.clip(moved, -32768, 32767) / audio.FULL_SCALE, rate)
    return out


@pytest.mark.parametrize("system", ["mixture", "oracle-mask"])
def test_a_system_does_not_differ_from_itself_nor_from_itself_with_dither(
    dataset: Dataset, submitted: Callable[[str], Path], tmp_path: Path, system: str
) -> None:
    names = [*tiny.QUICK, "stoi", "estoi"]
    tiny.scored(dataset, submitted(system), tmp_path / "plain", names)
    for seed in (1, 2):
        tiny.scored(
            dataset, dithered(submitted(system), tmp_path / f"moved{seed}", seed), tmp_path / f"d{seed}", names
        )
    same = compared(tmp_path / "plain", tmp_path / "plain")
    assert {line.verdict for line in same.lines} == {"no difference shown (equal)"}
    assert {line.p_corrected for line in same.lines} == {1.0}
    # three speakers reject nothing anyway, so look at the sizes too
    for line in compared(tmp_path / "d1", tmp_path / "d2").lines:
        assert not line.winner
        assert abs(line.difference) < line.resolution, line.metric
    # These voices are pure tones above digital silence, whose faint bins dither fills: tsos moves more than on
    # speech (by 0.8 on the embedded corpus, 1.7 on LibriSpeech, for the ideal mask).
    for line in compared(tmp_path / "plain", tmp_path / "d1").lines:
        assert not line.winner
        assert abs(line.difference) < line.resolution or line.metric.startswith("tsos"), line.metric


# ---- as text


def test_forms(tmp_path: Path) -> None:
    folders = family(tmp_path / "a", 0.0), family(tmp_path / "b", 1.0)
    opened = [Result.open(folder) for folder in folders]
    found = compare(*opened)
    text = tables.comparison_text(found, opened)
    assert "A: mine (a); B: mine (b)" in text
    assert "corrected: for the family of 4 figures shown" in text
    assert "TS1: target + noise (40 mixtures, 10 target speakers)" in text
    assert max(map(len, text.splitlines()[:20])) <= 120
    marked = tables.comparison_text(found, opened, "markdown").splitlines()
    assert marked[2] == "|  | A | B | B − A | p | corrected | verdict |"
    assert marked[-1].startswith("- ")
    rows = list(csv.DictReader(io.StringIO(tables.comparison_text(found, opened, "csv"))))
    assert [row["metric"] for row in rows] == [line.metric for line in found.lines]
    assert float(rows[-1]["difference"]) == found.lines[-1].difference


def test_the_command(tmp_path: Path) -> None:
    family(tmp_path / "a", 0.0), family(tmp_path / "b", 1.0)
    done = tiny.pse_bench("compare", "a", "b", "--metrics", "si_sdr,stoi", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert [line["metric"] for line in told["lines"]] == ["stoi", "si_sdr"]
    assert told["lines"][1]["winner"] == "second"
    shown = tiny.pse_bench("compare", "a", "b", "--format", "markdown", cwd=tmp_path)
    assert "B better" in shown.stdout
    refused = tiny.pse_bench("compare", "a", "b", "--by", "rt60", cwd=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr == ("Error: --by rt60: not a column of mixtures.csv; did you mean 'rt60_s'?\n")
