"""``inspect``: what it says of a dataset is what is in its files, and a wrong dataset is seen."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import tiny
from click.testing import CliRunner, Result
from parsing import Page
from reporting.conftest import SCENE, Scored

from pse_bench.cli import cli
from pse_bench.dataset.dataset import Dataset
from pse_bench.reporting import dataset_page, scene_page
from pse_bench.reporting.clip_panel import Media
from pse_bench.schemas import Mixture


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, words)])


def changed(plain: Dataset, out: Path, **values: object) -> Dataset:
    """A copy of the dataset in which the first scene's rows say something else."""
    shutil.copytree(plain.folder, out)
    first = plain.mixtures[0].scene_id
    rows = [row.model_copy(update=values) if row.scene_id == first else row for row in plain.mixtures]
    return tiny.with_mixtures(Dataset(out, plain.description, rows))


def test_the_overview_is_that_of_the_tables(plain: Dataset) -> None:
    found = dataset_page.overview(plain)
    scenes = {row.scene_id: row for row in plain.mixtures if row.scenario == "TS2"}
    assert found.mixtures == [(label, words, 4) for label, words, _ in found.mixtures]
    by_name = {quantity.name: quantity for quantity in found.quantities}
    snr = [row.snr_achieved_db for row in scenes.values()]
    assert sorted(by_name["SNR"].values) == sorted(snr)
    assert by_name["SNR"].quartiles == [float(value) for value in np.percentile(snr, [0, 25, 50, 75, 100])]
    assert sum(count for _, count in found.counts["target speakers"]) == len(scenes)
    assert {name for name, _ in found.counts["target speakers"]} == {r.target_speaker for r in scenes.values()}
    use = {name: (clips, mean, most) for name, clips, mean, most in found.use}
    assert use["rooms"][0] == len({row.room_id for row in scenes.values()})
    for clips, mean, most in use.values():
        assert 1 <= mean <= most
        assert clips >= 1
    plots = [quantity.figure() for quantity in found.quantities]
    assert all("<rect" in plot and 'height="0' not in plot for plot in plots)


def test_talking_is_measured_on_the_labels(plain: Dataset) -> None:
    found = {quantity.name: quantity for quantity in dataset_page.overview(plain).quantities}
    shares = [
        100 * plain.read_activity(name)["target"].mean() for name in {row.scene_id for row in plain.mixtures}
    ]
    assert sorted(found["target talks"].values) == pytest.approx(sorted(shares))
    both = found["both talk"].values
    assert (both <= np.minimum(found["target talks"].values, found["interferer talks"].values) + 1e-9).all()


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"snr_achieved_db": 40.0}, "SNR: 3 of 12 mixtures are off what was asked"),
        ({"rt60_achieved_s": 0.9}, "RT60: 3 of 12 mixtures are off"),
        ({"interferer_speaker": "anna", "target_speaker": "anna"}, "the target is also an interferer"),
        ({"text": "said"}, "no transcript, while others have one"),
    ],
)
def test_what_is_wrong_is_seen(plain: Dataset, tmp_path: Path, values: dict[str, object], words: str) -> None:
    found = dataset_page.overview(changed(plain, tmp_path / "d", **values)).anomalies
    assert any(words in line for line in found), found


def test_the_command_prints_a_summary_and_writes_a_page(plain: Dataset, tmp_path: Path) -> None:
    done = run("inspect", plain.folder, "-o", tmp_path / "d.html")
    assert done.exit_code == 0, done.output
    for words in ("tiny-v1, 4 scenes, 12 mixtures (4 TS1, 4 TS2, 4 TS3)", "RT60 (s)", "Use of clips", "look at: "):
        assert words in done.stdout
    page = Page(tmp_path / "d.html")
    assert plain.description.fingerprint in page.words
    assert "target talks" in page.words
    assert len([found for found in page.all("svg") if found.get("role") == "img"]) >= 10
    again = run("inspect", plain.folder, "-o", tmp_path / "d.html")
    assert again.exit_code == 1
    assert "--force" in again.stderr


def test_a_scene_is_all_of_its_sounds(plain: Dataset) -> None:
    row: Mixture = plain.mixtures[0]
    kept = Media()
    found = scene_page.scene(plain, row.scene_id, kept)
    names = [track.name for track in found.panel.tracks]
    assert names[:3] == ["mixture TS1", "mixture TS2", "mixture TS3"]
    assert {"target (early)", "interferer", "noise"} <= set(names)
    levels = {level.name: level for level in found.levels}
    target = plain.read_stem(row.scene_id, "target").astype(float)
    assert levels["target (reverberant)"].whole_dbfs == pytest.approx(10 * np.log10(np.mean(target**2)))
    assert levels["target (reverberant)"].peak_dbfs == pytest.approx(20 * np.log10(np.abs(target).max()))
    assert levels["noise"].active_dbfs is None
    assert all(track.wave for track in found.panel.tracks)
    assert {track.audio for track in found.panel.tracks if track.audio} <= set(kept.uris)


def test_the_command_shows_one_scene(scored: Scored, tmp_path: Path) -> None:
    done = run("inspect", scored.dataset.folder, "--scene", SCENE, "-o", tmp_path / "s.html")
    assert done.exit_code == 0, done.output
    for words in (SCENE, "Levels in dBFS", "where active", "target talks", "█"):
        assert words in done.stdout
    page = Page(tmp_path / "s.html")
    assert f"Scene {SCENE}" in page.words
    assert page.all("i") == []
    assert len(page.all("audio")) == len(page.all("img")) == 8
    assert len(page.all("svg", **{"class": "wave"})) == 8


def test_a_scene_that_is_not_there_is_named(plain: Dataset) -> None:
    done = run("inspect", plain.folder, "--scene", "s00001")
    assert done.exit_code == 1
    assert "no scene 's00001'; did you mean 's000001'?" in done.stderr
