"""The sentence with which the demo ends."""

from collections.abc import Callable
from pathlib import Path

from pse_bench import Result, Serial, score_submission
from pse_bench.cli.first_steps import _verdict
from pse_bench.dataset.dataset import Dataset


def test_the_verdict_is_what_the_results_show(
    dataset: Dataset, submitted: Callable[[str], Path], tmp_path: Path
) -> None:
    names = ["tsos", "leakage_reduction_db"]
    for system in ("mixture", "oracle-mask"):
        score_submission(dataset, submitted(system), tmp_path / system, executor=Serial(), names=names)
    said = _verdict([tmp_path / "mixture", tmp_path / "oracle-mask"])
    found = Result.open(tmp_path / "oracle-mask").compare(tmp_path / "mixture", metrics=names)
    leakage = found[found["metric"] == "leakage_reduction_db"].iloc[0]
    assert said.startswith(f"oracle-mask removes {leakage['difference']:.1f} dB more [{leakage['ci_low']:.1f}, ")
    assert " of other talkers while the target is silent than mixture, and over-suppresses " in said
    tsos = {
        row.scenario: row.value for row in Result.open(tmp_path / "oracle-mask").summaries if row.metric == "tsos"
    }
    assert f"{tsos['TS2']:.1f} points more" in said
    assert "no difference shown" in said, "four speakers are too few for a test"
