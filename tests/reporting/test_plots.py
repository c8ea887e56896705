"""Laws of what is drawn and heard: axes, lanes, levels, choice of scenes, and what a page has room for."""

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from reporting.conftest import SCRIPT, Scored

from pse_bench.metrics import ratio_of
from pse_bench.metrics.signals import hop_samples
from pse_bench.reporting import breakdown_plot, clip_panel, labels, tradeoff, worst_clips
from pse_bench.reporting.plot import Axis, ShownSystem, Style, axis_over, detailed, systems_of
from pse_bench.schemas import Summary
from pse_bench.scoring.results import Result
from pse_bench.scoring.summary import Scores, summaries_of
from pse_bench.signal.vad import power_db

numbers = st.floats(-1e3, 1e3).map(lambda value: round(value, 3))
RATE = 16_000


@given(low=numbers, span=st.floats(0.01, 1e3), values=st.lists(numbers, min_size=2), root=st.booleans())
def test_an_axis_keeps_the_order_of_values_and_its_ends(
    low: float, span: float, values: list[float], root: bool
) -> None:
    axis = Axis(low, low + span, 10, 300, root=root)
    places = [axis.at(value) for value in sorted(values)]
    assert places == sorted(places)
    assert (axis.at(low), axis.at(low + span)) == (10, 300)
    assert all(10 <= place <= 300 for place, _ in axis.ticks())


@given(
    values=st.lists(numbers, max_size=20), low=st.sampled_from([-np.inf, 0.0]), high=st.sampled_from([np.inf, 100])
)
def test_an_axis_over_values_has_room_for_them_and_ticks(values: list[float], low: float, high: float) -> None:
    inside = [value for value in values if low <= value <= high]
    axis = axis_over(inside, 0, 100, low=low, high=high)
    assert axis.low < axis.high
    assert all(axis.low <= value <= axis.high for value in inside)
    assert 1 <= len(axis.ticks()) <= 7


@given(st.lists(st.booleans(), min_size=1, max_size=400))
def test_a_lane_is_its_mask(labels: list[bool]) -> None:
    mask = np.array(labels)
    lane = clip_panel.lane("target", "target", mask)
    again = np.zeros(len(mask), dtype=bool)
    for begin, length in lane.runs:
        again[round(begin * len(mask) / 1000) : round((begin + length) * len(mask) / 1000)] = True
    assert np.array_equal(again, mask)
    assert lane.share == pytest.approx(mask.mean())


@pytest.mark.parametrize("gain_db", [0.0, -60.0])
def test_sounds_keep_their_level_and_length(gain_db: float) -> None:
    chance = np.random.default_rng(1)
    samples = 0.1 * 10 ** (gain_db / 20) * np.convolve(chance.standard_normal(3 * RATE), np.ones(8) / 3, "same")
    kind, content = clip_panel.encode_sound(samples, RATE)
    heard, rate = soundfile.read(io.BytesIO(content))
    assert (kind, rate, len(heard)) == ("audio/mpeg", RATE, len(samples))
    assert power_db(np.mean(heard**2)) == pytest.approx(power_db(np.mean(samples**2)), abs=0.5)


def test_a_rate_that_mp3_does_not_have_is_kept() -> None:
    kind, content = clip_panel.encode_sound(np.full(5000, 0.25), 10_000)
    heard, rate = soundfile.read(io.BytesIO(content))
    assert (kind, rate) == ("audio/flac", 10_000)
    assert np.abs(heard - 0.25).max() < 1e-4


def test_a_tone_stands_where_it_sounds() -> None:
    tone = 0.5 * np.sin(2 * np.pi * 2000 * np.arange(2 * RATE) / RATE)
    tone[: RATE // 2] = 0.0
    levels = clip_panel.levels_db(tone, RATE)
    assert levels.shape[0] == clip_panel.ROWS
    row, column = np.unravel_index(levels.argmax(), levels.shape)
    assert abs(row - clip_panel.ROWS * 0.75) <= 2  # 2 of 8 kHz, from above
    assert levels[:, : levels.shape[1] // 4 - 2].max() < -100
    assert levels.max() == pytest.approx(-6, abs=3)
    assert column >= levels.shape[1] // 4 - 2


def test_the_marked_frames_are_those_that_are_scored(scored: Scored) -> None:
    scores = Scores.read(scored.results[SCRIPT])
    for label, metric, kind in (("TS2", "tsos", "lost"), ("TS3", "leaky_frames", "leaking")):
        for score in scores.cells[label, metric]:
            row = scores.mixtures[score.mixture_id]
            found = clip_panel.estimate_panel(
                scored.dataset, row, scored.submissions[SCRIPT], "early", clip_panel.Media()
            )
            lane = next(lane for lane in found.lanes if lane.kind == kind)
            frames = ratio_of(score.detail).numerator
            assert lane.share * row.num_samples == pytest.approx(frames * hop_samples(row.sample_rate))


def test_the_front_is_that_of_the_systems(scored: Scored) -> None:
    results = [Result.open(folder) for folder in scored.results.values()]
    points = {p.style.name: p for p in tradeoff.points_of(systems_of(results))}
    assert not points[
        SCRIPT
    ].on_front  # muting half of everything removes hardly more of others than of the target
    assert points["mixture"].on_front
    assert points["silence"].on_front
    assert not points[f"{SCRIPT} (wrong enrollment)"].on_front
    assert points[f"{SCRIPT} (wrong enrollment)"].style.colour == points[SCRIPT].style.colour


@settings(max_examples=15)
@given(st.lists(st.tuples(st.floats(0, 100), st.floats(-40, 120)), min_size=1, max_size=9))
def test_points_stay_inside_the_picture(places: list[tuple[float, float]]) -> None:
    shared = {"scenario": "TS3", "unit": "", "higher_is_better": False, "aggregation": ""}

    def row(metric: str, value: float) -> Summary:
        counts = {"scored": 1, "expected": 1, "ci_low": value, "ci_high": None}
        return Summary(metric=metric, value=value, **shared, **counts)

    points = [
        tradeoff.Point(Style(f"s{n}", "c0", "circle"), row("tsos", x), row("net_leakage_reduction_db", y), n == 0)
        for n, (x, y) in enumerate(places)
    ]
    for picture in tradeoff.pictures(points):
        assert len(picture.marks) == len(points)
        for mark in picture.marks:
            assert picture.x.start <= mark.x <= picture.x.stop
            assert picture.y.stop <= mark.y <= picture.y.start


def test_names_of_a_crowd_stand_apart_and_inside() -> None:
    """Fifteen systems as blind ones lie: near each other, and near nothing gained."""
    points = [(20 + 17.0 * (number * 7 % 15), 330 + 3.0 * (number * 4 % 15)) for number in range(15)]
    widths = [50.0 + 9 * (number % 6) for number in range(15)]
    inside = (10.0, 8.0, 346.0, 400.0)
    found = labels.placed(points, widths, [(x - 9, y - 9, x + 9, y + 9) for x, y in points], inside)
    lefts = [one.x - labels.ANCHORS[one.anchor] * width for one, width in zip(found, widths, strict=True)]
    boxes = [
        (left, one.y - labels.ABOVE, left + width, one.y + labels.BELOW)
        for left, one, width in zip(lefts, found, widths, strict=True)
    ]
    for number, (left, top, right, bottom) in enumerate(boxes):
        assert left >= inside[0]
        assert right <= inside[2]
        assert (top, bottom) >= (inside[1], 0)
        for other in boxes[:number]:
            assert right <= other[0] or other[2] <= left or bottom <= other[1] or other[3] <= top
    assert all((one.leader is None) == (abs(one.y - y) <= 34) for one, (_, y) in zip(found, points, strict=True))


def test_breakdowns_are_the_figures_of_their_parts(scored: Scored) -> None:
    results = [Result.open(folder) for folder in scored.results.values()]
    systems = systems_of(results)
    scores = [system.scores for system in systems]
    found, notes = breakdown_plot.breakdowns(detailed(systems))
    assert set(found) >= {"TS2.tsos", "TS3.leakage_reduction_db"}
    panel = found["TS2.tsos"]["SNR (dB)"]
    assert [style.name for style, _ in panel] == ["mixture", SCRIPT]
    table = breakdown_plot.table_rows("TS2.tsos", panel)
    ts2 = scores[2].among(name for name, row in scores[2].mixtures.items() if row.scenario == "TS2")
    assert sum(int(row[1].split("/")[0]) for row in table) == len(ts2.mixtures)
    one = min(ts2.mixtures.values(), key=lambda row: row.snr_db)
    lowest = [name for name, row in ts2.mixtures.items() if row.snr_db == one.snr_db]
    value = next(row.value for row in summaries_of(ts2.among(lowest)) if row.metric == "tsos")
    if table[0][1] == f"{len(lowest)}/1":
        assert table[0][3].startswith(f"{value:.1f}")
    assert any("enrollment_s" in note or "enrollment" in note for note in notes) or len(found["TS2.tsos"]) == 5


def nothing(done: int, total: int) -> None:
    pass


def test_what_there_is_no_room_for_is_said(scored: Scored) -> None:
    heard = _heard(scored)
    everything = worst_clips.choose_clips(scored.dataset, heard, clip_panel.Media(), worst=2, progress=nothing)
    kept = clip_panel.Media(budget=100_000)
    some = worst_clips.choose_clips(scored.dataset, heard, kept, worst=2, progress=nothing)
    assert 0 < len(some.found) < len(everything.found)
    assert some.found == everything.found[: len(some.found)]
    assert some.notes[-1].startswith(
        f"{len(everything.found) - len(some.found)} of {len(everything.found)} scenes"
    )
    # the worst of each failure comes before the second worst of any
    assert [clip.place for clip in everything.found[:3]] == ["worst"] * 3


def test_who_does_not_fail_has_no_scenes(scored: Scored) -> None:
    def clips_of(name: str) -> worst_clips.ShownClips:
        heard = _heard(scored, name)
        return worst_clips.choose_clips(scored.dataset, heard, clip_panel.Media(), worst=1, progress=nothing)

    assert any("mixture: no over-suppression in any of 4 clips" in note for note in clips_of("mixture").notes)
    assert any("silence: no leakage in any of 4 clips" in note for note in clips_of("silence").notes)


def _heard(scored: Scored, name: str = SCRIPT) -> dict[ShownSystem, Path]:
    return {system: scored.submissions[name] for system in systems_of([Result.open(scored.results[name])])}


def test_values_that_differ_by_rounding_alone_have_an_axis() -> None:
    for value in (0.0, 0.35, -40.0, 1e4):
        axis = axis_over([value, np.nextafter(value, np.inf)], 0, 100)
        assert np.histogram([value], 32, (axis.low, axis.high))[0].sum() == 1
        assert axis.at(value) == pytest.approx(50, abs=1)
