"""activity_f1 and interferer_similarity: closed forms, a brute-force twin, silence and pass-through."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.signal import butter, sosfiltfilt

from pse_bench.errors import UndefinedScore
from pse_bench.metrics import ALL_METRICS, evaluate
from pse_bench.metrics.absence import RANGE_DB, activity_f1

RATE = 16_000
HOP = 160


def spans(seconds: float, *talks: tuple[float, float]) -> np.ndarray:
    mask = np.zeros(round(seconds * RATE), dtype=bool)
    for start, stop in talks:
        mask[round(start * RATE) : round(stop * RATE)] = True
    return mask


def tone(mask: np.ndarray, level: float = 0.1) -> np.ndarray:
    """1 kHz where somebody talks."""
    return level * np.sin(2 * np.pi * 1000 * np.arange(len(mask)) / RATE) * mask


def f1(estimate: np.ndarray, mixture: np.ndarray, target: np.ndarray) -> float:
    return activity_f1(estimate=estimate, mixture=mixture, target_active=target, sample_rate=RATE)


def test_silence_and_what_lets_everything_through_are_at_the_ends() -> None:
    target, other = spans(10, (1, 3), (6, 7)), spans(10, (4, 5.5))
    mixture = tone(target | other)
    assert f1(np.zeros_like(mixture), mixture, target) == 0.0
    share = 3.0 / 4.5
    assert f1(mixture, mixture, target) == pytest.approx(100 * 2 * share / (1 + share), abs=1.0)
    assert f1(tone(target), mixture, target) > 98.0  # frames at the edges hear what lies beside them
    assert f1(tone(other), mixture, target) < 2.0


def test_a_target_who_talks_all_of_the_time_has_exactly_100_when_all_is_let_through() -> None:
    target = spans(2, (0, 2))
    assert f1(tone(target), tone(target), target) == 100.0


@pytest.mark.parametrize(("below_db", "heard"), [(RANGE_DB - 1, True), (RANGE_DB + 1, False)])
def test_what_is_quieter_than_the_range_is_not_heard(below_db: float, heard: bool) -> None:
    target = spans(4, (1, 3))
    mixture = tone(target)
    assert (f1(mixture * 10 ** (-below_db / 20), mixture, target) > 98.0) == heard
    assert heard or f1(mixture * 10 ** (-below_db / 20), mixture, target) == 0.0


def test_one_gain_for_mixture_and_output_changes_nothing() -> None:
    chance = np.random.default_rng(3)
    target = spans(4, (1, 3))
    mixture = tone(target) + 0.02 * chance.standard_normal(len(target))
    assert f1(0.1 * mixture, 0.1 * mixture, target) == f1(mixture, mixture, target)


def twin(estimate: np.ndarray, mixture: np.ndarray, target: np.ndarray) -> float:
    """The definition, frame by frame."""
    band = butter(2, (180.0, 5000.0), "bandpass", fs=RATE, output="sos")

    def level_db(signal: np.ndarray, frame: int) -> float:
        begin, end = frame * HOP - HOP, frame * HOP + 2 * HOP
        power = sum(signal[n] ** 2 for n in range(max(begin, 0), min(end, len(signal)))) / (3 * HOP)
        return 10 * np.log10(max(power, 1e-12))

    def levels(signal: np.ndarray) -> list[float]:
        silence = np.zeros(RATE)  # nothing at the ends of the sound is an edge to the filter
        filtered = sosfiltfilt(band, np.concatenate([silence, signal, silence]))[RATE:-RATE]
        return [level_db(filtered, frame) for frame in range(len(signal) // HOP)]

    talks = [sum(target[frame * HOP : (frame + 1) * HOP]) > HOP / 2 for frame in range(len(target) // HOP)]
    own = sorted(level for level, talking in zip(levels(mixture), talks, strict=True) if talking)
    place = 0.95 * (len(own) - 1)
    loud = own[int(place)] + (place - int(place)) * (own[min(int(place) + 1, len(own) - 1)] - own[int(place)])
    heard = [level > loud - RANGE_DB for level in levels(estimate)]
    for value, longest in ((False, 8), (True, 3)):  # gaps are filled first
        frame = 0
        while frame < len(heard):
            end = frame
            while end < len(heard) and heard[end] == heard[frame]:
                end += 1
            inner = frame > 0 and end < len(heard)
            if heard[frame] == value and end - frame <= longest and (inner or value):
                heard[frame:end] = [not value] * (end - frame)
            frame = end
    both = sum(one and other for one, other in zip(heard, talks, strict=True))
    return 100 * 2 * both / (sum(heard) + sum(talks))


@pytest.mark.parametrize("seed", range(3))
def test_it_is_what_the_definition_gives_frame_by_frame(seed: int, make_clip) -> None:
    clip = make_clip("TS2", seed)
    for estimate in (clip.mixture, clip.reference, 0.7 * clip.reference + 0.05 * clip.interferer):
        found = f1(estimate, clip.mixture, clip.target_active)
        assert found == pytest.approx(twin(estimate, clip.mixture, clip.target_active), abs=1.0)


def test_it_is_undefined_where_the_target_hardly_talks_or_cannot_be_heard() -> None:
    target = spans(1, (0.5, 0.55))
    with pytest.raises(UndefinedScore, match=r"less than 0\.1 s"):
        f1(tone(target), tone(target), target)
    target = spans(1, (0.2, 0.7))
    with pytest.raises(UndefinedScore, match="silent where the target talks"):
        f1(tone(target), tone(~target), target & (np.arange(RATE) % RATE < 8000) & spans(1, (0.3, 0.5)))


def test_the_similarity_to_others_tells_the_target_from_the_interferer(make_clip) -> None:
    metric = ALL_METRICS["interferer_similarity"]
    if missing := metric.missing():
        pytest.skip(missing)
    clip = make_clip("TS2", 1, 4.0)
    near, far = (evaluate(metric, replace(clip, estimate=sound)) for sound in (clip.interferer, clip.reference))
    assert near.value > far.value
    silent = evaluate(metric, replace(clip, estimate=np.zeros_like(clip.mixture)))
    assert (silent.value, silent.status) == (1.0, "failed")
    short = replace(clip, interferer_active=clip.target_active)  # nobody talks alone
    assert evaluate(metric, short).status == "undefined"
