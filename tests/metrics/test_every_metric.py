"""What holds for all metrics: their data, and what they do with good, bad and hostile estimates."""

import json
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields, replace

import numpy as np
import pytest

from pse_bench.errors import InputError
from pse_bench.metrics import METRICS, REGISTRY, WITHOUT_MODEL, Clip, Evaluation, Metric, Ratio, failed, ratio_of
from pse_bench.metrics import score as evaluate  # as submissions are scored, whatever they hold
from pse_bench.metrics.metric import AGGREGATIONS
from pse_bench.metrics.outside import defined, definition, fault

OUTSIDE = REGISTRY.find("outside_metric:PEAK")
RUNS = [
    pytest.param(metric, scenario, id=f"{metric.name}-{scenario}")
    for metric in (*WITHOUT_MODEL.values(), OUTSIDE)
    for scenario in metric.scenarios
]
NEEDS_SPEECH = {"stoi", "estoi", "pesq_wb", "si_sdr", "si_sdri", "wrong_speaker"}
NEITHER_IS_BETTER = {"output_reduction_db"}
BESIDE_THE_MIXTURE = {"target_reduction_db"}  # of which others and noise hold a trace of the target
PERFECT = {
    "tsos": 0.0,
    "tsos_paper": 0.0,
    "tsos_s_per_30min": 0.0,
    "tsos_longest_s": 0.0,
    "target_loss_db": 0.0,
    "onset_tsos": 0.0,
    "short_tsos": 0.0,
    "wrong_speaker": 0.0,
    "leakage_reduction_db": 120.0,
    "residual_dbfs": -120.0,
    "leaky_frames": 0.0,
    "stoi": 1.0,
    "estoi": 1.0,
    "pesq_wb": 4.644,
    "si_sdr": 100.0,
}


def badness(metric: Metric, value: float) -> float:
    return -value if metric.higher_is_better else value


def aggregate(metric: Metric, scores: list[Evaluation]) -> float:
    """A table's figure: the mean of values, or the ratio of sums."""
    assert all(score.status != "undefined" for score in scores)
    if metric.aggregation == "mean":
        return float(np.mean([score.value for score in scores]))
    return metric.value_of(sum((ratio_of(score.detail) for score in scores), start=Ratio(0, 0)))


# ---- as data


def test_the_table_is_complete_and_consistent() -> None:
    clip_fields = {field.name for field in fields(Clip)}
    for name, metric in WITHOUT_MODEL.items():
        assert metric.name == name
        assert metric.description
        assert metric.source
        assert metric.version >= 1
        assert metric.resolution.size > 0
        assert metric.resolution.reason
        assert set(metric.scenarios) <= {"TS1", "TS2", "TS3"}
        assert "estimate" in metric.needs
        assert set(metric.needs) <= clip_fields
        assert metric.aggregation in {"mean", "ratio"}
        assert (metric.scale == 1.0) or metric.aggregation == "ratio"
        assert not ("reference" in metric.needs and "TS3" in metric.scenarios)
        if metric.worst is None:
            assert metric.failure is not None
        else:
            assert metric.worst == (metric.low if metric.higher_is_better else metric.high)
    for name, metric in REGISTRY.items():
        assert metric.name == name
        assert metric.description
        assert metric.aggregation in AGGREGATIONS
        if metric.of == "scenarios":
            assert set(metric.needs) <= set(METRICS)
            assert metric.resolution.size > 0
        elif metric.of not in ("clip", "activity"):
            assert set(metric.scenarios) <= set(METRICS[metric.of].scenarios)
            assert metric.resolution.size > 0


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": "Crest"}, "not made of a-z"),
        ({"name": "tsos"}, "one of ours"),
        ({"needs": ("mixture",)}, "expected estimate and other fields of Clip"),
        ({"worst": None}, "what a failed clip gets"),
        ({"aggregation": "median"}, "expected mean or ratio"),
        ({"of": "tsos"}, "of clips only"),
        ({"high": np.inf}, "finite"),
    ],
)
def test_a_metric_from_outside_has_to_be_whole(changes: dict, words: str) -> None:
    assert words in fault(replace(OUTSIDE, **changes), REGISTRY)


def test_a_metric_from_outside_is_read_without_its_code() -> None:
    kept = json.loads(json.dumps(definition(OUTSIDE)))
    read = defined("peak_reduction_db", kept, "result.json")
    assert definition(read) == kept
    assert (read.low, read.worst, read.resolution) == (OUTSIDE.low, OUTSIDE.worst, OUTSIDE.resolution)
    for damage in ({"unit": 1}, {"aggregation": "median"}, {"low": "x"}):
        with pytest.raises(InputError, match=r"result.json: the definition of peak_reduction_db: .*restore it"):
            defined("peak_reduction_db", kept | damage, "result.json")


def test_metrics_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        METRICS["tsos"].version = 2


def test_importing_the_registry_imports_nothing_slow() -> None:
    program = (
        "import sys, pse_bench.metrics; print({'scipy', 'pystoi', 'pesq', 'torch', 'pandas'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


@pytest.mark.parametrize(
    ("detail", "ratio"),
    [
        ("12/40", Ratio(12, 40)),
        ("12/40; no estimate", Ratio(12, 40)),
        ("0.192/3.0", Ratio(0.192, 3.0)),
        ("0.30000000000000004/0.3333333333333333", Ratio(0.1 + 0.2, 1 / 3)),
    ],
)
def test_a_detail_holds_its_ratio_to_the_last_bit(detail: str, ratio: Ratio) -> None:
    assert ratio_of(detail) == ratio_of(str(ratio)) == ratio


@pytest.mark.parametrize("detail", ["", "no estimate", "12", "a/b", "; 1/2"])
def test_a_detail_without_a_ratio_is_refused(detail: str) -> None:
    with pytest.raises(ValueError, match="numerator/denominator"):
        ratio_of(detail)


# ---- evaluated


@pytest.mark.parametrize(("metric", "scenario"), RUNS)
def test_a_good_estimate_has_a_value_in_range(metric: Metric, scenario: str, make_clip) -> None:
    clip = make_clip(scenario)
    score = evaluate(metric, clip)
    assert score.status == "ok"
    assert isinstance(score.value, float)
    assert metric.low is None or score.value >= metric.low
    assert metric.high is None or score.value <= metric.high
    if metric.aggregation == "ratio" or metric.in_db:
        assert metric.value_of(ratio_of(score.detail)) == score.value
    else:
        assert score.detail == ""
    assert evaluate(metric, clip) == score


@pytest.mark.parametrize(("metric", "scenario"), RUNS)
def test_a_perfect_estimate_has_the_best_value(metric: Metric, scenario: str, make_clip) -> None:
    clip = make_clip(scenario)
    perfect = np.zeros_like(clip.mixture) if clip.reference is None else clip.reference
    score = evaluate(metric, replace(clip, estimate=perfect))
    assert score.status == "ok"
    if metric.name in PERFECT:
        assert score.value == pytest.approx(PERFECT[metric.name], abs=1e-3)
    if metric.name not in NEITHER_IS_BETTER:
        trace = 0.02 if metric.name in BESIDE_THE_MIXTURE else 0.0
        assert badness(metric, score.value) <= badness(metric, evaluate(metric, clip).value) + trace


@pytest.mark.parametrize(("metric", "scenario"), RUNS)
def test_silence_fails_only_where_speech_is_needed(metric: Metric, scenario: str, make_clip) -> None:
    clip = make_clip(scenario)
    score = evaluate(metric, replace(clip, estimate=np.zeros_like(clip.mixture)))
    if metric.name in NEEDS_SPEECH:
        assert score == Evaluation(metric.worst, "failed", "the estimate is silent")
    else:
        assert score.status == "ok"
    if metric.family == "over-suppression" and metric.name != "tsos_paper":
        assert score.value == failed(metric, clip, "missing").value
    if metric.family == "leakage":
        assert score.value == (metric.high if metric.higher_is_better else metric.low)


@pytest.mark.parametrize(("metric", "scenario"), RUNS)
@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda x: None, "no estimate"),
        (lambda x: np.where(np.arange(len(x)) == 7, np.nan, x), "NaN"),
        (lambda x: np.where(np.arange(len(x)) == 7, np.inf, x), "infinite"),
        (lambda x: np.where(np.arange(len(x)) == 7, 1e300, x), "beyond"),
        (lambda x: x[:-1], "shape"),
        (lambda x: np.stack([x, x]), "shape"),
        (lambda x: x[:0], "shape"),
    ],
    ids=["missing", "nan", "inf", "huge", "short", "stereo", "empty"],
)
def test_an_unusable_estimate_gets_the_stated_worst(
    metric: Metric, scenario: str, spoil, reason: str, make_clip
) -> None:
    clip = make_clip(scenario)
    score = evaluate(metric, replace(clip, estimate=spoil(clip.estimate)))
    assert score.status == "failed"
    assert reason in score.detail
    if metric.worst is not None:
        assert score.value == metric.worst
    if metric.aggregation == "ratio" or metric.in_db:
        assert metric.value_of(ratio_of(score.detail)) == pytest.approx(score.value)
    assert badness(metric, score.value) >= badness(metric, evaluate(metric, clip).value)


@pytest.mark.parametrize(("metric", "scenario"), RUNS)
def test_a_clip_too_short_for_a_frame_is_undefined_or_scored_but_never_a_crash(
    metric: Metric, scenario: str, make_clip
) -> None:
    whole = make_clip(scenario)
    for length in (1, 300):
        part = slice(20_000, 20_000 + length)  # where both talk
        arrays = {name: value[part] for name, value in vars(whole).items() if isinstance(value, np.ndarray)}
        clip = replace(whole, **arrays)
        score = evaluate(metric, clip)
        assert score.status == "ok" if not {"sample_rate"} & set(metric.needs) else "undefined"
        assert (score.value is None) == (score.status == "undefined")
        assert failed(metric, clip, "missing").status == ("undefined" if score.value is None else "failed")


@pytest.mark.parametrize(("metric", "scenario"), RUNS)
def test_undefined_is_decided_by_the_clip_and_never_by_the_estimate(
    metric: Metric, scenario: str, make_clip
) -> None:
    clip = make_clip(scenario)
    nobody = np.zeros_like(clip.target_active)
    silent = replace(
        clip,
        mixture=np.zeros_like(clip.mixture),
        reference=None if clip.reference is None else np.zeros_like(clip.reference),
        target=None if clip.target is None else np.zeros_like(clip.target),
        target_active=nobody,
        interferer_active=nobody,
    )
    estimates = (clip.estimate, silent.mixture, np.full_like(clip.mixture, np.nan), None)
    scores = [evaluate(metric, replace(silent, estimate=estimate)) for estimate in estimates]
    if metric.name == "residual_dbfs":
        assert [score.status for score in scores] == ["ok", "ok", "failed", "failed"]
    else:
        assert {(score.status, score.value) for score in scores} == {("undefined", None)}
        assert all(score.detail for score in scores)


@pytest.mark.parametrize(("metric", "scenario"), RUNS)
def test_failing_never_raises_a_mean(metric: Metric, scenario: str, make_clip) -> None:
    """Replacing any clip's estimate by one that is missing or NaN, or by silence where silence is not the
    right answer, never improves the figure, however bad the estimates were."""
    clips = [make_clip(scenario, seed) for seed in range(2)]
    rng = np.random.default_rng(5)
    shapes = [
        lambda clip: clip.estimate,
        lambda clip: clip.mixture,
        lambda clip: 1000 * rng.standard_normal(len(clip.mixture)),
        lambda clip: -clip.mixture[::-1],
    ]
    for shape in shapes:
        tried = [replace(clip, estimate=shape(clip)) for clip in clips]
        scores = [evaluate(metric, clip) for clip in tried]
        before = badness(metric, aggregate(metric, scores))
        for index, clip in enumerate(tried):
            worse = [None, np.full_like(clip.mixture, np.nan)]
            if metric.family != "leakage":
                worse.append(np.zeros_like(clip.mixture))
            for estimate in worse:
                replaced = evaluate(metric, replace(clip, estimate=estimate))
                after = aggregate(metric, [*scores[:index], replaced, *scores[index + 1 :]])
                assert badness(metric, after) >= before - 1e-12


@pytest.mark.parametrize(("metric", "scenario"), RUNS)
def test_inputs_are_left_as_they_were(metric: Metric, scenario: str, make_clip) -> None:
    clip = make_clip(scenario)
    arrays = [value for value in vars(clip).values() if isinstance(value, np.ndarray)]
    copies = [array.copy() for array in arrays]
    for array in arrays:
        array.flags.writeable = False
    evaluate(metric, clip)
    assert all(np.array_equal(array, copy) for array, copy in zip(arrays, copies, strict=True))


# PESQ searches for the delay and takes it out, so it is not here.
@pytest.mark.parametrize(
    "name", sorted((NEEDS_SPEECH | {"tsos", "tsos_longest_s"}) - {"pesq_wb", "wrong_speaker"})
)
def test_a_shifted_copy_is_worse_than_an_aligned_one(name: str, make_clip) -> None:
    clip = make_clip("TS2")
    aligned = evaluate(METRICS[name], replace(clip, estimate=clip.reference))
    shifted = evaluate(METRICS[name], replace(clip, estimate=np.roll(clip.reference, 1600)))
    assert badness(METRICS[name], shifted.value) > badness(METRICS[name], aligned.value)


@pytest.mark.parametrize("name", ["si_sdr", "si_sdri", "stoi", "estoi", "pesq_wb"])
def test_scaling_the_estimate_changes_no_quality_score(name: str, make_clip) -> None:
    clip = make_clip("TS2")
    scaled = evaluate(METRICS[name], replace(clip, estimate=0.25 * clip.estimate))
    assert scaled.value == pytest.approx(evaluate(METRICS[name], clip).value, abs=1e-3)


def test_a_metric_that_needs_a_reference_refuses_a_clip_without(make_clip) -> None:
    for call in (
        lambda: evaluate(METRICS["tsos"], make_clip("TS3")),
        lambda: failed(METRICS["tsos"], make_clip("TS3"), "x"),
    ):
        with pytest.raises(ValueError, match="tsos needs a reference"):
            call()


def test_a_clip_with_unequal_lengths_is_refused(make_clip) -> None:
    clip = make_clip("TS1")
    with pytest.raises(ValueError, match="one shape"):
        replace(clip, reference=clip.reference[:-1])
    with pytest.raises(ValueError, match="one shape"):
        replace(clip, target_active=clip.target_active[:-1])


@pytest.mark.parametrize("metric", [m for m in METRICS.values() if len(m.needs) > 1], ids=lambda m: m.name)
def test_functions_take_signals_by_keyword_and_refuse_unequal_lengths(metric: Metric, make_clip) -> None:
    clip = make_clip("TS2")
    arguments = {name: getattr(clip, name) for name in metric.needs}
    with pytest.raises(TypeError):
        metric.compute(*arguments.values())
    with pytest.raises(ValueError, match="one shape"):
        metric.compute(**{**arguments, "estimate": clip.estimate[:-1]})
