"""The later figures against slow twins, and what they are of outputs that everybody understands."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pse_bench.errors import InputError, UndefinedScore
from pse_bench.metrics import ALL_METRICS, METRICS, Ratio, absence, evaluate, leakage, recognition
from pse_bench.metrics.distortion import target_reduction_db, wrong_speaker
from pse_bench.metrics.oversuppression import onset_tsos, short_tsos, tsos

RATE = 16_000
FRAME, HOP = 512, 256


def active(*spans_s: tuple[float, float], length_s: float = 8.0) -> np.ndarray:
    mask = np.zeros(round(length_s * RATE), dtype=bool)
    for start_s, stop_s in spans_s:
        mask[round(start_s * RATE) : round(stop_s * RATE)] = True
    return mask


# ---- when the target is lost


def slow_within(estimate, reference, mask, wanted) -> tuple[int, int]:
    """Flagged and active frames more than half of whose samples are ``wanted``, one frame after the other."""
    window = np.array([0.5 - 0.5 * np.cos(2 * np.pi * n / FRAME) for n in range(FRAME)])
    flagged = counted = 0
    for start in range(0, len(reference) - FRAME + 1, HOP):
        samples = range(start, start + FRAME)
        if sum(map(bool, mask[samples])) <= FRAME / 2 or sum(n in wanted for n in samples) <= FRAME / 2:
            continue
        clean, found = (
            abs(np.fft.fft(window * x[start : start + FRAME])[: FRAME // 2 + 1]) ** 0.3
            for x in (reference, estimate)
        )
        counted += 1
        flagged += sum(max(a - b, 0) ** 2 for a, b in zip(clean, found, strict=True)) > 0.1 * sum(clean**2)
    return flagged, counted


def runs(mask: np.ndarray) -> list[tuple[int, int]]:
    found, start = [], None
    for n, value in enumerate([*mask, False]):
        if value and start is None:
            start = n
        if not value and start is not None:
            found.append((start, n))
            start = None
    return found


def joined(spans: list[tuple[int, int]], pause: int) -> list[tuple[int, int]]:
    kept = spans[:1]
    for start, stop in spans[1:]:
        if start - kept[-1][1] < pause:
            kept[-1] = (kept[-1][0], stop)
        else:
            kept.append((start, stop))
    return kept


@pytest.mark.parametrize("seed", [0, 1])
def test_onsets_and_short_stretches_agree_with_slow_twins(seed: int, voice) -> None:
    rng = np.random.default_rng(seed)
    mask = active((0.3, 0.7), (0.8, 2.6), (2.9, 3.4), (6.5, 7.7))
    reference = voice(seed, 8.0) * mask
    gains = np.repeat(10 ** (rng.uniform(-30, 0, 160) / 20), 800)
    given = {"estimate": gains * reference, "reference": reference, "target_active": mask, "sample_rate": RATE}
    onsets = {n for start, _ in joined(runs(mask), 3 * RATE) for n in range(start, start + RATE)}
    flagged, counted = slow_within(given["estimate"], reference, mask, onsets)
    assert 0 < flagged < counted
    assert onset_tsos(**given) == Ratio(flagged, counted)
    stretches = [span for span in joined(runs(mask), RATE // 4) if span[1] - span[0] < 1.5 * RATE]
    assert [span[0] / RATE for span in stretches] == [2.9, 6.5], "0.1 s of pause ends nothing"
    flagged, counted = slow_within(
        given["estimate"], reference, mask, {n for span in stretches for n in range(*span)}
    )
    assert 0 < flagged < counted
    assert short_tsos(**given) == Ratio(flagged, counted)


def test_a_first_second_that_is_muted_is_all_that_onsets_see(voice) -> None:
    mask = active((0.0, 3.0), (6.5, 8.0))
    reference = voice(3, 8.0) * mask
    given = {"reference": reference, "target_active": mask, "sample_rate": RATE}
    time_s = np.arange(8 * RATE) / RATE
    muted = reference * (time_s >= 1.0)
    found = onset_tsos(estimate=muted, **given)
    assert found.numerator == pytest.approx(found.denominator / 2, abs=2), "one of two onsets"
    again = reference * (time_s >= 1.0) * ~((time_s >= 6.5) & (time_s < 7.5))
    both = onset_tsos(estimate=again, **given)
    assert both.denominator - both.numerator <= 4
    whole = tsos(estimate=again, **given)
    assert whole.numerator / whole.denominator < 0.5
    assert onset_tsos(estimate=reference, **given).numerator == 0


def test_no_short_stretch_is_no_figure(voice) -> None:
    mask = active((0.5, 4.0))
    with pytest.raises(UndefinedScore, match="lies there"):
        short_tsos(estimate=voice(1, 8.0), reference=voice(1, 8.0) * mask, target_active=mask, sample_rate=RATE)


# ---- who is heard


def test_the_nearer_speaker_agrees_with_si_sdr(make_clip) -> None:
    clip = make_clip("TS2")
    rng = np.random.default_rng(0)
    seen = set()
    for share in rng.uniform(0, 1, 12):
        mix = share * clip.target + (1 - share) * clip.interferer + 0.01 * rng.standard_normal(len(clip.target))
        one, other = (
            METRICS["si_sdr"](estimate=mix, reference=image, sample_rate=RATE)
            for image in (clip.target, clip.interferer)
        )
        found = wrong_speaker(estimate=mix, target=clip.target, interferer=clip.interferer)
        assert found == (100.0 if other > one else 0.0)
        seen.add(found)
    assert seen == {0.0, 100.0}


def test_who_is_wrong_does_not_hang_on_level_or_polarity(make_clip) -> None:
    clip = make_clip("TS2")
    images = {"target": clip.target, "interferer": clip.interferer}
    for gain in (1e-3, -1.0, 30.0):
        assert wrong_speaker(estimate=gain * clip.interferer, **images) == 100.0
        assert wrong_speaker(estimate=gain * clip.target, **images) == 0.0
    with pytest.raises(UndefinedScore, match="did not keep"):
        wrong_speaker(estimate=clip.target, target=clip.target, interferer=None)
    with pytest.raises(InputError, match="wrong_speaker needs target, interferer"):
        METRICS["wrong_speaker"](estimate=clip.target, sample_rate=RATE)


# ---- level


@settings(max_examples=30)
@given(gain_db=st.floats(-115, 20))
def test_a_gain_on_the_mixture_is_the_reduction_of_the_target_to_the_last_digit(gain_db: float, make_clip) -> None:
    clip = make_clip("TS2")
    estimate = 10 ** (gain_db / 20) * clip.mixture
    found = target_reduction_db(estimate=estimate, reference=clip.reference, mixture=clip.mixture)
    assert found == pytest.approx(max(-gain_db, 0.0), abs=1e-9)
    assert leakage.reduction_db(
        leakage.leakage_energies(estimate=estimate, mixture=clip.mixture)
    ) == pytest.approx(max(-gain_db, -40.0), abs=1e-9)


def test_output_reduction_counts_a_missing_output_as_muted(make_clip) -> None:
    clip = make_clip("TS1")
    metric = METRICS["output_reduction_db"]
    assert evaluate(metric, replace(clip, estimate=0.1 * clip.mixture)).value == pytest.approx(20.0)
    assert evaluate(metric, replace(clip, estimate=None)).value == 120.0
    assert evaluate(metric, replace(clip, estimate=0 * clip.mixture)).value == 120.0


# ---- absence


def slow_eer(absent: list[float], present: list[float]) -> float:
    """The crossing of both errors over every level between two outputs, by going through all of them."""
    levels = [np.inf, *sorted({*absent, *present}, reverse=True)]
    points = [
        (sum(x < level for x in absent) / len(absent), sum(x >= level for x in present) / len(present))
        for level in levels
    ]
    for (fa, miss), (next_fa, next_miss) in itertools.pairwise(points):
        if next_miss >= next_fa:
            share = (fa - miss) / ((fa - miss) + (next_miss - next_fa))
            return 100 * (fa + share * (next_fa - fa))
    raise AssertionError


@given(
    absent=st.lists(st.integers(-10, 40), min_size=1, max_size=12),
    present=st.lists(st.integers(-10, 40), min_size=1, max_size=12),
)
def test_absence_eer_agrees_with_the_slow_twin(absent: list[int], present: list[int]) -> None:
    found = absence.absence_eer(absent_db=np.array(absent, dtype=float), present_db=np.array(present, dtype=float))
    assert found == pytest.approx(slow_eer(absent, present), abs=1e-9)


@pytest.mark.parametrize(
    ("absent", "present", "expected"),
    [([30, 40], [0, 2], 0.0), ([0, 0], [0, 0], 50.0), ([120] * 3, [120] * 2, 50.0), ([0, 1], [30, 40], 100.0)],
)
def test_absence_eer_of_what_everybody_understands(absent, present, expected) -> None:
    assert absence.absence_eer(absent_db=np.array(absent), present_db=np.array(present)) == pytest.approx(expected)
    with pytest.raises(UndefinedScore, match="with and without"):
        absence.absence_eer(absent_db=np.array(absent), present_db=np.array([]))


def test_shares_of_clips() -> None:
    assert absence.share([1.0, 2.9, 3.0, 40.0], below=3.0) == 50.0
    assert absence.share([20.0, 20.1], above=20.0) == 50.0
    with pytest.raises(ValueError, match="no clip"):
        absence.share([])


# ---- words


WORDS = ("place", "blue", "at", "f", "two", "now", "set", "red", "by", "green")


def heard(words: str, **changes) -> dict:
    mask = np.ones(30 * RATE, dtype=bool)
    given = {"text": "place blue at f two now", "interferer_text": "set red by f two"} | changes
    return {
        "estimate": np.zeros(30 * RATE),
        **given,
        "target_active": mask & bool(given["text"]),
        "interferer_active": mask & bool(given["interferer_text"]),
        "transcribe": lambda samples: words,
        "sample_rate": RATE,
    }


def slow_words(hypothesis: str, text: str, interferer_text: str) -> tuple[int, int]:
    """Words of the interferer and of nobody: strike out what each said, one word at a time."""
    left = hypothesis.split()
    for word in text.split():
        if word in left:
            left.remove(word)
    others = 0
    for word in interferer_text.split():
        if word in left:
            left.remove(word)
            others += 1
    return others, len(left)


@given(
    words=st.lists(
        st.sampled_from(["place", "blue", "at", "f", "two", "now", "set", "red", "by", "green"]), max_size=14
    )
)
def test_words_of_others_agree_with_the_slow_twin(words: list[str]) -> None:
    given = heard(" ".join(words))
    others, invented = slow_words(" ".join(words), given["text"], given["interferer_text"])
    assert recognition.others_words(**given) == Ratio(others, 30.0)
    assert recognition.others_words(**given, invented=True) == Ratio(invented, 30.0)


def test_words_of_others_without_one_of_the_two() -> None:
    assert recognition.others_words(**heard("green now", interferer_text=""), invented=True).numerator == 1
    assert recognition.others_words(**heard("f f", text=""), invented=True).numerator == 1
    unknown = heard("green") | {"interferer_text": ""}
    with pytest.raises(UndefinedScore, match="interferer's words are not known"):
        recognition.others_words(**unknown)
    assert recognition.others_words(**heard("so " * 400), invented=True).numerator == 150, "300 a minute at most"
    assert ALL_METRICS["interferer_words_per_min"].value_of(Ratio(150, 30.0)) == 300.0
