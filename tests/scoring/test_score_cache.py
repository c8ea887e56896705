"""Scores that are remembered: the same figures, nothing computed twice, and nothing taken for something else."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pytest
import tiny

from pse_bench import metrics
from pse_bench.dataset.dataset import Dataset
from pse_bench.io import audio
from pse_bench.metrics import Clip, Evaluation, Metric
from pse_bench.metrics.signals import Ratio
from pse_bench.runtime.executor import Serial
from pse_bench.scoring import score, score_cache
from pse_bench.scoring.score_cache import ScoreCache, package_versions
from pse_bench.submission import submission

Submitted = Callable[[str], Path]


@pytest.fixture
def clip() -> Clip:
    chance = np.random.default_rng(1)
    reference, noise = chance.standard_normal((2, 8000)) * 0.1
    active = np.ones(8000, dtype=bool)
    return Clip(
        estimate=reference + 0.1 * noise,
        mixture=reference + noise,
        reference=reference,
        target_active=active,
        interferer_active=~active,
        sample_rate=16_000,
        text="one two",
        transcribe=lambda samples: "one",
    )


class Counted:
    """A metric that counts how often it is computed."""

    def __init__(self, name: str = "si_sdr", **changes: object) -> None:
        self.count = 0
        self._inner = metrics.ALL_METRICS[name]
        self.metric: Metric = replace(self._inner, compute=self._compute, **changes)

    def _compute(self, **arguments: object) -> float | Ratio:
        self.count += 1
        return self._inner.compute(**arguments)


def memory(folder: Path, listener: str = "ears") -> ScoreCache:
    return ScoreCache(folder, listener)


def test_a_known_score_is_not_computed_again(tmp_path: Path, clip: Clip) -> None:
    counted = Counted()
    first = memory(tmp_path).evaluate([counted.metric], clip)
    again = memory(tmp_path).evaluate([counted.metric], clip)
    assert first == again == [metrics.evaluate(metrics.ALL_METRICS["si_sdr"], clip)]
    assert counted.count == 1


def test_a_longer_list_computes_only_what_is_new(tmp_path: Path, clip: Clip) -> None:
    old, new = Counted("si_sdr"), Counted("tsos")
    memory(tmp_path).evaluate([old.metric], clip)
    both = memory(tmp_path).evaluate([new.metric, old.metric], clip)
    memory(tmp_path).evaluate([old.metric, new.metric], clip)
    assert (old.count, new.count) == (1, 1)
    assert both == [metrics.evaluate(metrics.ALL_METRICS[name], clip) for name in ("tsos", "si_sdr")]


CHANGES: dict[str, Callable[[Clip], Clip]] = {
    "estimate": lambda clip: replace(clip, estimate=clip.estimate * 0.5),
    "one sample of it": lambda clip: replace(clip, estimate=clip.estimate + np.eye(1, 8000, 7)[0] * 1e-12),
    "reference": lambda clip: replace(clip, reference=clip.reference * 0.5),
    "activity": lambda clip: replace(clip, target_active=np.arange(8000) > 100),
    "rate": lambda clip: replace(clip, sample_rate=8000),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_whatever_a_metric_takes_is_part_of_its_key(
    tmp_path: Path, clip: Clip, change: Callable[[Clip], Clip]
) -> None:
    counted = Counted("tsos")
    memory(tmp_path).evaluate([counted.metric], clip)
    assert memory(tmp_path).evaluate([counted.metric], change(clip)) == [
        metrics.evaluate(metrics.ALL_METRICS["tsos"], change(clip))
    ]
    assert counted.count == 2


def test_what_it_does_not_take_is_not(tmp_path: Path, clip: Clip) -> None:
    counted = Counted("si_sdr")
    memory(tmp_path).evaluate([counted.metric], clip)
    memory(tmp_path).evaluate([counted.metric], replace(clip, text="other", interferer_active=clip.target_active))
    assert counted.count == 1


@pytest.mark.parametrize(
    ("first", "second"),
    [({"version": 1}, {"version": 2}), ({"model": "a"}, {"model": "b"})],
    ids=["version", "model"],
)
def test_another_version_or_model_is_another_score(tmp_path: Path, clip: Clip, first: dict, second: dict) -> None:
    one, two = Counted(**first), Counted(**second)
    memory(tmp_path).evaluate([one.metric], clip)
    memory(tmp_path).evaluate([two.metric], clip)
    assert (one.count, two.count) == (1, 1)


def test_another_version_of_its_packages_is_another_score(
    tmp_path: Path, clip: Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    uses, does_not = Counted("stoi"), Counted("si_sdr")
    memory(tmp_path).evaluate([uses.metric, does_not.metric], clip)
    monkeypatch.setattr(
        score_cache, "installed_version", lambda package: "9" if package == "pystoi" else version(package)
    )
    memory(tmp_path).evaluate([uses.metric, does_not.metric], clip)
    assert (uses.count, does_not.count) == (2, 1)


def test_every_recogniser_has_its_own_words(tmp_path: Path, clip: Clip) -> None:
    counted = Counted("wer")
    memory(tmp_path, "one").evaluate([counted.metric], clip)
    memory(tmp_path, "two").evaluate([counted.metric], replace(clip, transcribe=lambda samples: "one two"))
    assert counted.count == 2
    memory(tmp_path, "").evaluate([counted.metric], clip)  # one that does not go by the sound
    memory(tmp_path, "").evaluate([counted.metric], clip)
    assert counted.count == 4


def _text(path: Path) -> None:
    path.write_text("not JSON")


def _a_better_value(path: Path) -> None:
    content = json.loads(path.read_text())
    for entry in content["content"].values():
        entry[0] = 99.0
    path.write_text(json.dumps(content))


def _a_list(path: Path) -> None:
    path.write_text("[]")


def _of_another_estimate(path: Path) -> None:
    """What another estimate has, under this one's name."""
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "key": "0" * 64}))


@pytest.mark.parametrize("damage", [_text, _a_better_value, _a_list, _of_another_estimate])
def test_a_damaged_entry_is_computed_again(tmp_path: Path, clip: Clip, damage: Callable[[Path], None]) -> None:
    counted = Counted()
    right = memory(tmp_path).evaluate([counted.metric], clip)
    (entry,) = tmp_path.rglob("*.json")
    damage(entry)
    assert memory(tmp_path).evaluate([counted.metric], clip) == right
    assert counted.count == 2
    assert memory(tmp_path).evaluate([counted.metric], clip) == right
    assert counted.count == 2


def test_undefined_and_failed_are_remembered_too(tmp_path: Path, clip: Clip) -> None:
    silent = replace(clip, estimate=np.zeros(8000))
    undefined = replace(clip, reference=np.zeros(8000))
    counted = Counted("pesq_wb")
    first = [memory(tmp_path).evaluate([counted.metric], one)[0] for one in (silent, undefined)]
    assert [found.status for found in first] == ["failed", "undefined"]
    before = counted.count
    assert [memory(tmp_path).evaluate([counted.metric], one)[0] for one in (silent, undefined)] == first
    assert counted.count == before


def test_a_folder_that_cannot_be_written_costs_nothing_but_time(tmp_path: Path, clip: Clip) -> None:
    (tmp_path / "file").write_text("")
    found = memory(tmp_path / "file" / "below").evaluate([metrics.ALL_METRICS["si_sdr"]], clip)
    assert found[0].status == "ok"


def test_no_estimate_is_never_remembered(tmp_path: Path, clip: Clip) -> None:
    found = memory(tmp_path).evaluate([metrics.ALL_METRICS["si_sdr"]], replace(clip, estimate=None))
    assert (found[0].status, found[0].detail) == ("failed", "no estimate")
    assert list(tmp_path.iterdir()) == []


def test_the_packages_behind_scores_are_known() -> None:
    assert {"numpy", "pystoi", "pesq"} <= set(package_versions())
    chosen = replace(metrics.ALL_METRICS["tsos"], packages=("pytest", "not-there"))
    assert list(package_versions([chosen])) == [*package_versions(), "pytest"]


# ---- in a whole run


def test_a_second_run_gives_the_same_files_without_computing(
    dataset: Dataset, submitted: Submitted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["tsos", "leakage_reduction_db", "si_sdr", "stoi"]

    def run(folder: Path, out: str) -> dict[str, str]:
        score.score(dataset, folder, tmp_path / out, executor=Serial(), names=names, cache=tmp_path / "cache")
        return {path.name: path.read_text() for path in (tmp_path / out).iterdir()}

    first = run(submitted("oracle-mask"), "first")
    bare = tmp_path / "bare"
    score.score(dataset, submitted("oracle-mask"), bare, executor=Serial(), names=names)
    assert {path.name: path.read_text() for path in bare.iterdir()} == first

    def never(metric: Metric, clip: Clip) -> Evaluation:
        raise AssertionError(f"{metric.name} is computed again")

    monkeypatch.setattr(metrics, "evaluate", never)
    # the same sound from another person, in another container and under another name
    copy = tmp_path / "copy"
    shutil.copytree(submitted("oracle-mask"), copy)
    for row in dataset.mixtures:
        path = audio.find(copy / row.scenario, row.scene_id)[0]
        samples = submission.read_estimate(copy, row).samples
        path.unlink()
        tiny.write_float(path.with_suffix(".wav"), samples, subtype="DOUBLE")
    submission.write_system(copy, submission.read_system(copy).model_copy(update={"name": "somebody's"}))
    second = run(copy, "second")
    assert second["scores.csv"] == first["scores.csv"]
    assert json.loads(second["result.json"])["system"]["name"] == "somebody's"


def test_a_score_of_resampled_sound_is_another(clip: Clip, tmp_path: Path) -> None:
    """Versions that resampled nothing kept that PESQ has no score at 48 kHz."""
    counts = []
    for rate_hz in (None, 16_000, 8000, 8000):
        counted = Counted(rate_hz=rate_hz)
        memory(tmp_path).evaluate([counted.metric], clip)
        counts.append(counted.count)
    assert counts == [1, 0, 1, 0]
