"""Figures of a system: the causality proof holds for the baseline and catches what looks ahead."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pse_bench.errors import InputError
from pse_bench.systems import base, probes, profile, registry

HEAD = "import numpy as np\n\n\ndef enhance(mixture, enrollment, sample_rate):\n    "

CAUSAL = {
    "the mixture": ("return mixture", 0),
    "half of it": ("return 0.5 * mixture", 0),
    "a delay": ("return np.concatenate([np.zeros(50, mixture.dtype), mixture[:-50]])", 0),
    "a filter": ("return np.convolve(mixture, [0.5, 0.3, 0.2])[: len(mixture)]", 0),
    "a filter through one transform of the whole clip": (
        "n = 2 * len(mixture); h = np.fft.rfft([0.5, 0.3, 0.2], n)\n"
        "    return np.fft.irfft(np.fft.rfft(mixture, n) * h, n)[: len(mixture)].astype(np.float32)",
        0,
    ),
    "20 ms ahead": ("return np.concatenate([mixture[320:], np.zeros(320, mixture.dtype)])", 320),
}
NOT_CAUSAL = {
    "the peak to one": "return mixture / np.abs(mixture).max()",
    "the mean away": "return mixture - mixture.mean()",
    "backwards": "return mixture[::-1].copy()",
    "the level of the clip": "return 0.1 * mixture / np.sqrt(np.mean(mixture**2))",
    "a gate on the level of the clip": "return mixture * (np.abs(mixture) > mixture.std())",
    "25 ms ahead, softly": (
        "later = np.concatenate([mixture[400:], np.zeros(400, mixture.dtype)])\n    return mixture + 0.001 * later"
    ),
    "blocks of half a second": (
        "out = mixture.copy()\n    for i in range(0, len(out), 8000):\n"
        "        out[i : i + 8000] /= 1 + np.abs(out[i : i + 8000]).max()\n    return out"
    ),
}


def loaded(body: str, name: str = "mine") -> base.LoadedSystem:
    space: dict = {}
    exec(HEAD + body + "\n", space)
    system = registry.load("mixture").system.model_copy(update={"name": name})
    return base.LoadedSystem(lambda w: space["enhance"](w.mixture, w.enrollment, w.sample_rate), system, "")


@pytest.mark.parametrize("name", CAUSAL)
@pytest.mark.parametrize("sample_rate", [16_000, 8000])
def test_what_does_not_look_ahead(name: str, sample_rate: int) -> None:
    body, expected = CAUSAL[name]
    look_ahead, probes, responses = profile.look_ahead_samples(loaded(body), sample_rate)
    assert look_ahead == expected
    assert responses == probes == 2 * profile.PROBES


@pytest.mark.parametrize("name", NOT_CAUSAL)
def test_what_looks_ahead(name: str) -> None:
    look_ahead, _, _ = profile.look_ahead_samples(loaded(NOT_CAUSAL[name]), 16_000)
    assert look_ahead > 320


def test_a_frame_is_met_in_all_its_places() -> None:
    """Frames of 20 ms without overlap look up to 319 samples ahead; nearly all of it is seen."""
    body = (
        "out = mixture.copy()\n    for i in range(0, len(out), 320):\n"
        "        out[i : i + 320] /= 1 + np.abs(out[i : i + 320].sum())\n    return out"
    )
    look_ahead, _, _ = profile.look_ahead_samples(loaded(body), 16_000)
    assert 280 <= look_ahead <= 319


def test_oracles_are_probed_with_their_parts() -> None:
    name = "oracle-mask"
    measured = profile.measure(name)
    assert measured.causal is False
    assert measured.look_ahead_ms > 20
    assert not measured.kept


def test_silence_shows_nothing() -> None:
    look_ahead, probes, responses = profile.look_ahead_samples(registry.load("silence"), 16_000)
    assert (look_ahead, responses) == (0, 0)
    assert probes == 2 * profile.PROBES


def test_a_system_that_plays_dice_is_refused() -> None:
    body = "return mixture + 0.01 * np.random.default_rng().standard_normal(len(mixture))"
    with pytest.raises(InputError, match="system mine: gives another output for the same input"):
        profile.look_ahead_samples(loaded(body), 16_000)


def test_the_claim_is_asked_for_stated_or_the_baselines(
    monkeypatch: pytest.MonkeyPatch, module: Callable[[str], str]
) -> None:
    monkeypatch.setattr(profile, "look_ahead_samples", lambda loaded, rate: (160, 4, 4))
    monkeypatch.setattr(profile, "measure_speed", lambda loaded, rate: profile.Speed(0.01, 0.01))
    stated = profile.measure("mixture")
    assert (stated.latency_ms, stated.stated, stated.look_ahead_ms, stated.kept) == (0.0, True, 10.0, False)
    asked = profile.measure("mixture", latency_ms=10.0)
    assert (asked.latency_ms, asked.kept) == (10.0, True)
    unknown = profile.measure(f"{module(HEAD + 'return mixture')}:enhance")
    assert (unknown.latency_ms, unknown.stated, unknown.kept) == (20.0, False, True)


def test_the_baseline_keeps_its_latency_and_its_speed(checkpoint_path: Path, other_encoder: object) -> None:
    measured = profile.measure(str(checkpoint_path))
    assert measured.latency_ms == 20.0
    assert measured.kept
    assert measured.look_ahead_ms > 15, "it uses what it says it uses"
    assert measured.responses == measured.probes
    assert measured.rtf > 0
    tight = profile.measure(str(checkpoint_path), latency_ms=10.0)
    assert not tight.kept


# ---- the command


def pse_bench(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pse_bench", *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)


def test_the_command_says_yes(tmp_path: Path) -> None:
    (tmp_path / "good.py").write_text(HEAD + "return 0.5 * mixture\n")
    done = pse_bench("system", "good:enhance", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert answer["kept"] is True
    assert answer["look_ahead_ms"] == 0
    assert answer["parameters"] is None
    assert answer["rtf"] > 0


def test_the_command_says_no(tmp_path: Path) -> None:
    (tmp_path / "bad.py").write_text(HEAD + "return mixture / np.abs(mixture).max()\n")
    done = pse_bench("system", "bad:enhance", cwd=tmp_path)
    assert done.returncode == 1
    assert "look-ahead            broken" in done.stdout
    assert done.stderr.startswith("system bad:enhance: its output changes ")
    assert "more than the 20 ms" in done.stderr
    assert len(done.stderr.splitlines()) == 1


LATE_AND_QUIET = """\
import numpy as np

hop, delay = 160, {declared}


def reset(enrollment):
    global kept
    kept = np.zeros(128, np.float32)


def step(samples):
    global kept
    line = np.concatenate([kept, samples])
    kept = line[160:]
    return 0.29 * line[:160]
"""


def test_the_command_says_what_a_system_does_not_do(tmp_path: Path) -> None:
    """A delay line with a gain: its delay, the class of what is seen and late, and both verdicts."""
    (tmp_path / "late.py").write_text(LATE_AND_QUIET.format(declared=0))
    done = pse_bench("system", "late", "-o", "figures.json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    rows = {line[:22].strip(): line[22:] for line in done.stdout.splitlines()}
    assert rows["lag"] == "128 samples (8.00 ms) late; declare delay = 128"
    assert rows["latency class"] == "≤ 20 ms"
    assert rows["level"] == "follows the input, constant gain −10.8 dB"
    assert rows["enrollment"] == "ignores the enrollment"
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["constant_gain_db"] == pytest.approx(20 * np.log10(0.29), abs=0.001)
    assert (figures["uses_enrollment"], figures["delay_to_declare"], figures["latency_class"]) == (
        False,
        128,
        "≤ 20 ms",
    )
    assert list(figures).index("kept") == 12, "what came later stands at the end"
    again = pse_bench("system", "late", "-o", "figures.json", cwd=tmp_path)
    assert again.returncode == 1
    assert "figures.json: exists already" in again.stderr


@pytest.mark.parametrize("declared", [128, 100, 148])
def test_a_delay_that_is_declared_is_taken_back(declared: int, module: Callable[[str], str]) -> None:
    system = registry.load(module(LATE_AND_QUIET.format(declared=declared)))
    assert profile.lag_samples(system, 16_000) == 128 - declared


def test_one_core_is_one_core(tmp_path: Path) -> None:
    """Even where a library asks how many cores there are when it is loaded and starts as many threads."""
    if not hasattr(os, "sched_getaffinity"):
        pytest.skip("this system holds no process to a core")
    (tmp_path / "greedy.py").write_text(
        "import os\ncores = len(os.sched_getaffinity(0))\n\n\ndef enhance(mixture, enrollment, sample_rate):\n"
        "    assert cores == len(os.sched_getaffinity(0)) == 1\n    return mixture\n"
    )
    done = pse_bench("system", "greedy:enhance", "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert 0 < json.loads(done.stdout)["rtf_cpu"] < 0.1


def test_processor_time_is_that_of_programs_too(module: Callable[[str], str]) -> None:
    work = "import subprocess, sys\n\n\ndef enhance(mixture, enrollment, sample_rate):\n"
    work += "    subprocess.run([sys.executable, '-S', '-c', 'for _ in range(3_000_000): pass'], check=True)\n"
    speed = profile.measure_speed(registry.load(f"{module(work + '    return mixture')}:enhance"), 16_000)
    assert speed.rtf_cpu > 0.003


def test_numbers_are_the_same_every_time() -> None:
    one, other = (probes.parts("voice", 2000, 16_000, "a") for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))
    assert all(part.dtype == np.float32 for part in one)
