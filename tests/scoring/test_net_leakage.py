"""Figures that take several scenarios: against a slow twin, and for systems that everybody understands."""

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from pse_bench import metrics
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.metrics import Ratio, detection
from pse_bench.schemas import Score
from pse_bench.scoring import score
from pse_bench.scoring.scenarios import losses_of, net_leakage
from pse_bench.scoring.summary import Scores, summaries_of
from pse_bench.systems.base import SystemInput
from pse_bench.systems.registry import oracle_mask

ROOT = Path(__file__).parents[2]
LABELS = ("TS1", "TS2", "TS3")


def made(label: str, metric: str, number: int, value: float, detail: str = "") -> Score:
    return Score(
        mixture_id=f"s{number}_{label}", scenario=label, metric=metric, value=value, status="ok", detail=detail
    )


def result(clips: list[tuple[str, float, float, float, float]]) -> Scores:
    """Scores of scenes: speaker, energy of the TS3 mixture, its reduction, and what TS1 and TS2 lost, in dB."""
    from ranked import mixture

    rows, cells = (
        {},
        {key: [] for key in [("TS3", "leakage_reduction_db"), *((x, "target_reduction_db") for x in LABELS[:2])]},
    )
    for number, (speaker, before, reduced, *losses) in enumerate(clips):
        for label in LABELS:
            row = mixture(f"s{number}", label).model_copy(update={"target_speaker": speaker, "num_samples": 1})
            rows[row.mixture_id] = row
        detail = str(Ratio(before, before * 10 ** (-reduced / 10)))
        cells["TS3", "leakage_reduction_db"].append(made("TS3", "leakage_reduction_db", number, reduced, detail))
        for label, lost in zip(LABELS, losses, strict=False):
            cells[label, "target_reduction_db"].append(made(label, "target_reduction_db", number, lost))
    known = dict(metrics.ALL_METRICS) | {"net_leakage_reduction_db": metrics.REGISTRY["net_leakage_reduction_db"]}
    return Scores(Path("made"), rows, cells, (), known, losses_of(cells, rows))


def slow_net(clips: list[tuple[str, float, float, float, float]]) -> float:
    """Speaker after speaker, as docs/explanation/figures.md has it."""
    total = left = 0.0
    for speaker in {clip[0] for clip in clips}:
        own = [clip for clip in clips if clip[0] == speaker]
        before = sum(clip[1] for clip in own)
        after = sum(max(clip[1] * 10 ** (-clip[2] / 10), 1e-8) for clip in own)
        lost = max(sum(clip[3] for clip in own), sum(clip[4] for clip in own)) / len(own)
        net = min(max(10 * np.log10(before / after) - lost, 0.0), 120.0)
        total += before
        left += before * 10 ** (-net / 10)
    return 10 * np.log10(total / left)


CLIP = st.tuples(
    st.sampled_from("abc"),
    st.floats(1e-4, 1.0),
    st.floats(-40, 120),
    st.floats(0, 120),
    st.floats(0, 120),
)


def net_of(scores: Scores) -> float:
    found = {row.metric: row for row in summaries_of(scores)}
    return found["net_leakage_reduction_db"].value


@settings(max_examples=60)
@given(clips=st.lists(CLIP, min_size=1, max_size=8))
def test_net_leakage_agrees_with_the_slow_twin(clips) -> None:
    assert net_of(result(clips)) == pytest.approx(slow_net(clips), abs=1e-6)


@settings(max_examples=40)
@given(gain_db=st.floats(-110, 30), energies=st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=8))
def test_a_constant_gain_of_any_size_has_nothing(gain_db: float, energies: list[float]) -> None:
    lost = max(-gain_db, 0.0)
    clips = [("ab"[n % 2], energy, max(-gain_db, -40.0), lost, lost) for n, energy in enumerate(energies)]
    assert net_of(result(clips)) == pytest.approx(0.0, abs=1e-9)


@settings(max_examples=60)
@given(
    energies=st.lists(st.floats(1e-3, 1.0), min_size=4, max_size=8),
    gains=st.lists(st.floats(1e-3, 1.0), min_size=4, max_size=4),
)
def test_gains_over_time_that_do_not_know_who_talks_have_nothing(energies, gains) -> None:
    """The same gains for the same shares of energy of target and others: of the others Σg²e is let through, and of
    the target's projection Σge is left."""
    shares = np.array(energies[:4]) / sum(energies[:4])
    through, kept = float(np.sum(np.square(gains) * shares)), float(np.sum(gains * shares))
    lost, reduced = float(-20 * np.log10(kept)), float(-10 * np.log10(through))
    clips = [("a", energy, reduced, lost, lost) for energy in energies]
    assert net_of(result(clips)) == pytest.approx(0.0, abs=1e-9)


def test_muting_what_is_quiet_gains_no_more_than_its_energy() -> None:
    quiet, loud = ("a", 0.01, 120.0, 0.0, 0.0), ("b", 0.99, 0.0, 0.0, 0.0)
    found = result([quiet, loud])
    assert net_of(found) == pytest.approx(10 * np.log10(1 / 0.99), abs=1e-3)
    plain = {row.metric: row.value for row in summaries_of(found)}
    assert plain["leakage_reduction_db"] == 60.0


def test_whom_one_scenario_alone_loses_has_lost() -> None:
    assert net_of(result([("a", 0.1, 30.0, 40.0, 0.0)])) == 0.0
    assert net_of(result([("a", 0.1, 30.0, 0.0, 10.0)])) == pytest.approx(20.0)


def test_what_the_target_lost_may_be_unknown() -> None:
    scores = result([("a", 0.1, 30.0, 1.0, 1.0), ("b", 0.1, 30.0, 1.0, 1.0)])
    kept = {key: value for key, value in scores.losses.items() if key[0] == "s0"}
    found = net_leakage(scores.cells, scores.mixtures, kept)
    assert [row.status for row in found] == ["ok", "undefined"]
    assert "not known" in found[1].detail
    assert net_leakage(scores.cells, scores.mixtures, {}) == []


# ---- whole systems on a tiny dataset

NAMES = [
    *tiny.QUICK,
    "target_loss_db",
    "target_reduction_db",
    "output_reduction_db",
    "onset_tsos",
    "wrong_speaker",
]


def tricks() -> dict[str, Callable]:
    spec = importlib.util.spec_from_file_location("tricks", ROOT / "benchmarks" / "tricks.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.TRICKS


@pytest.fixture(scope="module")
def scored(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str, Callable], dict]:
    """The figures of a function of an item of the dataset."""
    root = tmp_path_factory.mktemp("systems")
    known: dict[str, dict] = {}

    def figures(name: str, system: Callable) -> dict:
        if name not in known:
            cells: dict = {(label, metric): [] for metric in NAMES for label in metrics.METRICS[metric].scenarios}
            for item in dataset:
                job = score.ScoreJob(dataset, root, name, dataset.description.reference, tuple(NAMES))
                clip = score._clip(job, item.row, np.asarray(system(item), dtype=np.float64))
                wanted = score._chosen(job, item.row)
                for row in score._rows(item.row, wanted, [metrics.score(one, clip) for one in wanted]):
                    cells[row.scenario, row.metric].append(row)
            mixtures = {row.mixture_id: row for row in dataset.mixtures}
            more = {"net_leakage_reduction_db": metrics.REGISTRY["net_leakage_reduction_db"]}
            all_scores = Scores(
                root, mixtures, cells, (), {**metrics.ALL_METRICS, **more}, losses_of(cells, mixtures)
            )
            known[name] = {f"{row.scenario}.{row.metric}": row.value for row in summaries_of(all_scores)}
        return known[name]

    return figures


def nobody(item) -> np.ndarray:
    return np.zeros_like(item.mixture)


SYSTEMS: dict[str, Callable] = {
    "mixture": lambda item: item.mixture,
    "silence": nobody,
    "target": lambda item: nobody(item) if item.reference is None else item.reference,
    "interferer": lambda item: item.mixture if item.interferer is None else item.interferer,
    "oracle": lambda item: oracle_mask(_with_stems(item)),
    "late": lambda item: item.mixture * (np.arange(len(item.mixture)) >= 16_000 + _onset(item)),
}


def _with_stems(item) -> SystemInput:
    target = nobody(item) if item.reference is None else item.reference
    return SystemInput(item.mixture, item.enrollment, item.sample_rate, target, item.mixture - target)


def _onset(item) -> int:
    return int(np.argmax(item.active["target"])) * 160


EXPECTED = {
    "TS3.net_leakage_reduction_db": {
        **{
            "mixture": 0,
            "silence": 0,
            "target": (40, 120),
            "interferer": (0, 1),
            "late": (0, 3),
            "oracle": (20, 120),
        }
    },
    "TS3.fully_leaked": {"mixture": 100, "silence": 0, "target": 0, "interferer": 100, "late": (50, 100)},
    "TS2.fully_muted": {"mixture": 0, "silence": 100, "target": 0, "interferer": (50, 100), "late": 0},
    "TS3.absent_false_alarm": {"mixture": 100, "silence": 0, "target": 0, "interferer": 100},
    "TS2.present_miss": {"mixture": 0, "silence": 100, "target": 0, "interferer": 0},
    "all.absence_eer": {"mixture": 50, "target": 0, "interferer": (50, 100)},
    "TS2.wrong_speaker": {"mixture": 0, "silence": 100, "target": 0, "interferer": 100, "late": 0, "oracle": 0},
    "TS2.si_sdri_negative": {
        **{"mixture": 0, "silence": 100, "target": 0, "interferer": 100, "late": (50, 100), "oracle": 0}
    },
    "TS2.onset_tsos": {"mixture": 0, "silence": 100, "target": 0, "interferer": (20, 100), "late": (90, 100)},
    "TS2.target_reduction_db": {"mixture": 0, "silence": 120, "target": (0, 0.5)},
}


@pytest.mark.parametrize("figure", EXPECTED)
def test_each_figure_moves_as_it_must(figure: str, scored) -> None:
    for name, expected in EXPECTED[figure].items():
        low, high = expected if isinstance(expected, tuple) else (expected, expected)
        found = scored(name, SYSTEMS[name])[figure]
        assert low - 1e-6 <= found <= high + 1e-6, (name, found)


def test_silence_is_told_by_the_level_of_its_mixtures(dataset: Dataset, scored) -> None:
    """It is no end of ``absence_eer``: an output at one level everywhere lies below each mixture by that one's."""
    absent = np.array([item.scenario == "TS3" for item in dataset])
    levels_db = np.array([10 * np.log10(np.mean(item.mixture.astype(float) ** 2)) for item in dataset])
    expected = 100 * detection.equal_error_rate(scores=levels_db, positive=absent)
    assert scored("silence", SYSTEMS["silence"])["all.absence_eer"] == pytest.approx(expected)


@pytest.mark.parametrize("name", tricks())
def test_no_trick_has_much_net_leakage_reduction(name: str, scored) -> None:
    function = tricks()[name]
    found = scored(f"trick {name}", lambda item: function(item.mixture, item.enrollment, item.sample_rate))
    assert found["TS3.net_leakage_reduction_db"] < 3.5


def test_net_leakage_is_not_asked_for_by_name(dataset: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="with leakage_reduction_db and target_reduction_db; leave it out"):
        tiny.scored(dataset, tmp_path, tmp_path / "out", ["net_leakage_reduction_db"])
