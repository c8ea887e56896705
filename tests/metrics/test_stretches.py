"""Figures by stretch against slow twins, and against the stretches of a take scored alone."""

import numpy as np
import pytest

from pse_bench.errors import UndefinedScore
from pse_bench.metrics import METRICS, OF_SESSIONS, Clip, Ratio, evaluate, failed, oversuppression, ratio_of
from pse_bench.metrics.stretches import AWAY_S, TURNS_S

RATE = 16_000
FRAME, HOP = 512, 256
LENGTH_S = 60.0
TARGET_S = ((1.0, 4.0), (9.0, 9.8), (14.0, 21.0), (21.4, 23.0), (54.0, 55.0), (57.0, 58.6))
INTERFERER_S = ((0.2, 0.9), (3.0, 8.5), (9.2, 13.5), (16.0, 18.0), (23.5, 53.0), (55.2, 56.8))
CLASSES = [name for name in OF_SESSIONS if name.startswith("pause_leakage")]
TURNS = [name for name in OF_SESSIONS if name.startswith("turn_tsos")]


def active(spans: tuple[tuple[float, float], ...]) -> np.ndarray:
    mask = np.zeros(round(LENGTH_S * RATE), dtype=bool)
    for start_s, stop_s in spans:
        mask[round(start_s * RATE) : round(stop_s * RATE)] = True
    return mask


@pytest.fixture(scope="module")
def take() -> Clip:
    chance = np.random.default_rng(1)
    target_active, interferer_active = active(TARGET_S), active(INTERFERER_S)
    reference = 0.05 * chance.standard_normal(len(target_active)) * target_active
    mixture = reference + 0.03 * chance.standard_normal(len(reference)) * interferer_active
    mixture += 0.001 * chance.standard_normal(len(reference))
    gains = np.repeat(10 ** (chance.uniform(-40, 0, 600) / 20), RATE // 10)
    return Clip(
        estimate=gains * mixture,
        mixture=mixture,
        reference=reference,
        target_active=target_active,
        interferer_active=interferer_active,
        sample_rate=RATE,
    )


def part(clip: Clip, start: int, stop: int) -> Clip:
    """A stretch as a clip of its own."""
    sounds = ("estimate", "mixture", "reference", "target_active", "interferer_active")
    return Clip(**{name: getattr(clip, name)[start:stop] for name in sounds}, sample_rate=RATE)


def scored(name: str, clip: Clip) -> Ratio:
    found = evaluate(OF_SESSIONS.get(name) or METRICS[name], clip)
    assert found.status == "ok", f"{name}: {found.detail}"
    return ratio_of(found.detail)


# ---- leakage against time since the target was last active


def slow_leakage(clip: Clip, since_s: float, until_s: float) -> tuple[float, float]:
    """Mean powers over samples of frames of the interferer alone, one frame after the other."""
    chosen = np.zeros(len(clip.mixture), dtype=bool)
    for start in range(0, len(clip.mixture) - FRAME + 1, HOP):
        frame = slice(start, start + FRAME)
        if clip.interferer_active[frame].sum() > FRAME / 2 and not clip.target_active[frame].any():
            chosen[frame] = True
    last, kept = None, []
    talks = clip.target_active.tolist()
    for n, counts in enumerate(chosen.tolist()):
        last = n if talks[n] else last
        if counts and last is not None and since_s * RATE <= n - last - 1 < until_s * RATE:
            kept.append(n)
    return np.mean(clip.mixture[kept] ** 2), np.mean(clip.estimate[kept] ** 2)


def test_leakage_by_time_since_the_target_agrees_with_a_slow_twin(take: Clip) -> None:
    assert len(CLASSES) == len(AWAY_S) == 5
    for name, since_s, until_s in zip(CLASSES, AWAY_S, (*AWAY_S[1:], np.inf), strict=True):
        if since_s == 30.0:
            with pytest.raises(UndefinedScore, match=r"less than 0\.1 s"):
                OF_SESSIONS[name].compute(
                    estimate=take.estimate,
                    mixture=take.mixture,
                    target_active=take.target_active,
                    interferer_active=take.interferer_active,
                    sample_rate=RATE,
                )
            continue
        before, after = slow_leakage(take, since_s, until_s)
        found = scored(name, take)
        assert found.numerator == pytest.approx(before, rel=1e-9)
        assert found.denominator == pytest.approx(after, rel=1e-9)


def test_a_gate_that_opens_after_three_seconds_leaks_only_then(take: Clip) -> None:
    """What a system forgets: closed while the target was just there, open when it has been away."""
    last = np.maximum.accumulate(np.where(take.target_active, np.arange(len(take.mixture)), -(10**9)))
    away_s = (np.arange(len(take.mixture)) - last - 1) / RATE
    gate = Clip(**{**vars(take), "estimate": take.mixture * np.where(away_s < 3, 0.01, 1.0)})
    levels_db = [evaluate(OF_SESSIONS[name], gate).value for name in CLASSES[:4]]
    assert levels_db == pytest.approx([40.0, 40.0, 0.0, 0.0], abs=1e-6)


def test_leakage_of_a_take_is_that_of_its_pauses_scored_alone(take: Clip) -> None:
    """A pause with a moment of the target before it, cut where frames begin, has the samples that it has in the
    take."""
    name = "pause_leakage_to_3s_db"
    whole, parts = scored(name, take), []
    stops = [round(stop_s * RATE) for _, stop_s in TARGET_S]
    starts = [round(start_s * RATE) for start_s, _ in TARGET_S[1:]] + [len(take.mixture)]
    for stop, back in zip(stops, starts, strict=True):
        alone = part(take, (stop - 1) // HOP * HOP, back)
        if evaluate(OF_SESSIONS[name], alone).status == "ok":
            count = slow_count(alone)
            found = scored(name, alone)
            parts.append((found.numerator * count, found.denominator * count, count))
    total = np.sum(parts, axis=0)
    assert len(parts) == 4
    assert whole.numerator == pytest.approx(total[0] / total[2], rel=1e-9)
    assert whole.denominator == pytest.approx(total[1] / total[2], rel=1e-9)


def slow_count(clip: Clip) -> int:
    """How many samples count between 1 and 3 s after the target."""
    chosen = np.zeros(len(clip.mixture), dtype=bool)
    for start in range(0, len(chosen) - FRAME + 1, HOP):
        frame = slice(start, start + FRAME)
        chosen[frame] |= clip.interferer_active[frame].sum() > FRAME / 2 and not clip.target_active[frame].any()
    since = int(np.flatnonzero(clip.target_active)[-1]) + 1
    return int(np.sum(chosen[since + RATE : since + 3 * RATE]))


# ---- over-suppression


def test_frames_alone_and_together_are_all_frames(take: Clip) -> None:
    alone, together, whole = (scored(name, take) for name in ("tsos_alone", "tsos_together", "tsos"))
    assert alone + together == whole
    assert 0 < together.denominator < alone.denominator
    nobody = Clip(**{**vars(take), "interferer_active": np.zeros_like(take.target_active)})
    assert scored("tsos_alone", nobody) == whole
    assert evaluate(OF_SESSIONS["tsos_together"], nobody).status == "undefined"


def test_turns_by_length_are_those_turns_scored_alone(take: Clip) -> None:
    """Each turn as a clip of its own, cut in silence where frames begin."""
    turns_s = ((1.0, 4.0), (9.0, 9.8), (14.0, 23.0), (54.0, 55.0), (57.0, 58.6))  # 0.4 s of pause ends none
    for name, since_s, until_s in zip(TURNS, TURNS_S, (*TURNS_S[1:], np.inf), strict=True):
        mine = [(a, b) for a, b in turns_s if since_s <= round(b - a, 6) < until_s]
        if not mine:
            assert evaluate(OF_SESSIONS[name], take).status == "undefined"
            continue
        parts = [
            scored("tsos", part(take, int((a - 0.1) * RATE) // HOP * HOP, int((b + 0.1) * RATE))) for a, b in mine
        ]
        assert scored(name, take) == sum(parts, start=Ratio(0, 0))
    assert sum((scored(name, take) for name in TURNS[:3]), start=Ratio(0, 0)) == scored("tsos", take)


def test_a_return_is_not_the_first_onset(take: Clip) -> None:
    """With what ``onset_tsos`` counts at the first onset, it is ``onset_tsos``."""
    first = scored("onset_tsos", part(take, 0, 4 * RATE))
    assert scored("return_tsos", take) + first == scored("onset_tsos", take)
    assert evaluate(OF_SESSIONS["return_tsos"], part(take, 0, 4 * RATE)).status == "undefined"


# ---- quality


def test_quality_of_turns_is_the_mean_of_turns_scored_alone(voice) -> None:
    chance = np.random.default_rng(2)
    spans_s = ((0.5, 2.0), (3.5, 4.1), (5.5, 7.0))
    mask = active(spans_s)[: 8 * RATE]
    reference = voice(1, 8.0) * mask
    estimate = reference + 0.02 * chance.standard_normal(len(reference))
    nobody = np.zeros_like(mask)
    clip = Clip(estimate, estimate, reference, mask, nobody, RATE)
    turns = [slice(int((a - 0.25) * RATE), int((b + 0.25) * RATE)) for a, b in spans_s]
    for name, metric in (("turn_stoi", "stoi"), ("turn_pesq_wb", "pesq_wb")):
        values = []
        for turn in turns:
            alone = evaluate(
                METRICS[metric], Clip(*(x[turn] for x in (estimate, estimate, reference, mask, nobody)), RATE)
            )
            values += [alone.value] if alone.status == "ok" else []
        found = scored(name, clip)
        assert len(values) >= 2
        assert found.denominator == len(values)
        assert found.numerator == pytest.approx(sum(values), rel=1e-12)
        muted = evaluate(OF_SESSIONS[name], Clip(np.zeros(len(mask)), estimate, reference, mask, nobody, RATE))
        assert muted.value == OF_SESSIONS[name].worst


# ---- what all of them share


def test_they_are_the_default_of_sessions_only() -> None:
    assert not OF_SESSIONS.keys() & METRICS.keys()


@pytest.mark.parametrize("name", OF_SESSIONS)
def test_no_output_is_worse_than_a_missing_one(take: Clip, name: str) -> None:
    metric = OF_SESSIONS[name]
    if metric.family == "perceptual":
        pytest.skip("noise is no speech; quality has its own test")
    worst, found = failed(metric, take, "no estimate"), evaluate(metric, take)
    assert (worst.status == "undefined") == (found.status == "undefined")
    if found.value is not None:
        assert worst.value == metric.worst
        assert metric.low <= found.value <= metric.high
        assert "; no estimate" in worst.detail
    missing = evaluate(metric, Clip(**{**vars(take), "estimate": None}))
    assert missing == worst


def test_frames_are_the_same_however_many_are_looked_at_at_once(take: Clip, monkeypatch) -> None:
    whole = {name: scored(name, take) for name in ("tsos", "tsos_paper", "return_tsos")}
    assert 0 < whole["tsos"].numerator < whole["tsos"].denominator
    monkeypatch.setattr(oversuppression, "BLOCK", 100)
    assert {name: scored(name, take) for name in whole} == whole
