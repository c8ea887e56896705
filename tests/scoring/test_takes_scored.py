"""Takes of minutes from dataset to table and picture: figures by stretch are the default there, and only there."""

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from pse_bench import plot_sessions
from pse_bench.cli import cli
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.metrics import METRICS, OF_SESSIONS
from pse_bench.runtime.executor import Serial
from pse_bench.scoring import score as scoring
from pse_bench.scoring.results import Result
from pse_bench.simulation import render
from pse_bench.systems.enhance import enhance

SESSION = {
    "scenarios": ["TS2"],
    "duration_s": 16.0,
    "target": {"clip": "segment", "pause_s": 0.1, "deal": "speakers"},
    "interferer": {"overlap": 1.0, "pause_s": 0.1},
    "room": {"rooms": 1, "places": 1},
    "session": {"turn_s": 2.5, "pause_s": 4.0, "both": 0.5, "backchannels": 0.3, "backchannel_s": 1.2},
}
NAMES = [name for name, metric in OF_SESSIONS.items() if metric.family != "perceptual"]


@pytest.fixture(scope="module")
def dataset(corpus, tmp_path_factory) -> Dataset:
    out = tmp_path_factory.mktemp("takes")
    path = corpus.plan(out / "plan.jsonl", 3, **SESSION)
    render.render(path, out / "dataset", executor=Serial(), roots=corpus.roots, bank=out / "rooms")
    return Dataset.open(out / "dataset")


@pytest.fixture(scope="module")
def results(dataset: Dataset, tmp_path_factory) -> list[Path]:
    out, found = tmp_path_factory.mktemp("results"), []
    for system in ("mixture", "oracle-mask"):
        enhance(dataset, system, out / "submissions" / system, executor=Serial())
        where = out / system
        submission = out / "submissions" / system
        scoring.score(dataset, submission, where, executor=Serial(), names=["tsos", *NAMES])
        found.append(where)
    return found


def test_they_are_the_default_of_sessions_and_only_there() -> None:
    of_sessions, of_others = (
        list(scoring._metrics(None, None, "early", sessions=is_one)) for is_one in (True, False)
    )
    assert of_others == list(METRICS)
    assert set(of_sessions) == {*METRICS, *OF_SESSIONS}
    assert not set(scoring._metrics(["all"], None, "early", sessions=False)) & OF_SESSIONS.keys()
    assert set(scoring._metrics(["all"], None, "early", sessions=True)) >= OF_SESSIONS.keys()
    assert list(scoring._metrics(["return_tsos"], None, "early", sessions=False)) == ["return_tsos"]


def test_the_figures_of_systems_that_everybody_understands(results: list[Path]) -> None:
    mixture, oracle = ({row.metric: row for row in Result.open(result).summaries} for result in results)
    assert mixture["pause_leakage_to_1s_db"].value == mixture["pause_leakage_to_3s_db"].value == 0.0
    assert mixture["return_tsos"].value < 5
    assert mixture["pause_leakage_from_30s_db"].scored == 0, "nobody is away for so long"
    assert oracle["pause_leakage_to_3s_db"].value > 15
    assert all(oracle[name].ci_low is not None for name in ("pause_leakage_to_3s_db", "return_tsos"))


def test_the_command_prints_a_table_of_80_columns_and_draws_it(results: list[Path], tmp_path: Path) -> None:
    picture = tmp_path / "takes.svg"
    words = ["sessions", *map(str, results)]
    done = CliRunner(env={"COLUMNS": "80"}).invoke(cli, [*words, "--plot", str(picture)])
    assert done.exit_code == 0, done.output
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert "TS2.pause_leakage_to_3s_db" in done.stdout
    assert "TS2.tsos " not in done.stdout
    root = ElementTree.fromstring(picture.read_text())
    titles = [title.text for title in root.iter("{http://www.w3.org/2000/svg}title")]
    assert any(title.startswith("mixture, 1–3: 0.0") for title in titles)
    again = CliRunner().invoke(cli, [*words, "--plot", str(picture)])
    assert again.exit_code == 1
    assert "--force" in again.output
    found = json.loads(CliRunner().invoke(cli, [*words, "--json"]).stdout)
    assert {row["system"] for row in found} == {"mixture", "oracle-mask"}
    assert {row["metric"] for row in found} == set(NAMES)
    table = CliRunner().invoke(cli, [*words, "--format", "csv"]).stdout.splitlines()
    assert len(table) == 1 + 2 * len(NAMES)


def test_a_report_has_them_where_there_are_any(results: list[Path], tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["report", *map(str, results), "-o", str(tmp_path / "page.html")])
    assert done.exit_code == 0, done.output
    text = (tmp_path / "page.html").read_text()
    assert 'id="sessions"' in text
    assert "seconds since the target was last active" in text


def test_a_result_without_them_is_refused(results: list[Path], dataset: Dataset, tmp_path: Path) -> None:
    submission = results[0].parent / "submissions" / "mixture"
    scoring.score(dataset, submission, tmp_path / "result", executor=Serial(), names=["tsos"])
    done = CliRunner().invoke(cli, ["sessions", str(tmp_path / "result")])
    assert done.exit_code == 1
    assert "no figures by stretch; score a dataset whose scenario has a session" in done.output
    with pytest.raises(InputError, match="no result has figures of sessions"):
        plot_sessions([tmp_path / "result"])
