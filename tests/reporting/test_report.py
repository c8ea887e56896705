"""The report: what it shows follows from the results, it holds all it needs, and no name gets the better of it."""

import base64
import csv
import hashlib
import io
import json
import re
import shutil
from pathlib import Path

import made
import pytest
from click.testing import CliRunner, Result
from parsing import Page
from reporting.conftest import SCENE, SCRIPT, SYSTEMS, Scored

from pse_bench.cli import cli
from pse_bench.io.tables import read_table
from pse_bench.leaderboard.table import DECIMALS
from pse_bench.schemas import Score, Summary
from pse_bench.submission.submission import estimate_name


def run(*words: object) -> Result:
    return CliRunner().invoke(cli, [*map(str, words)])


@pytest.fixture(scope="module")
def page(scored: Scored, tmp_path_factory: pytest.TempPathFactory) -> Page:
    """The full report on everything."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    done = run("report", *scored.words(), "-o", path, "--jobs", 1)
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith(f"{path}: 4 results, ")
    return Page(path)


def media(page: Page) -> dict[str, str]:
    return json.loads(page.scripts[0])


# ---- it holds all it needs, and trusts nobody


def test_nothing_is_fetched_from_anywhere(page: Page) -> None:
    addresses = [
        (tag, value)
        for tag, found in page.elements
        for key, value in found.items()
        if key in ("src", "href", "srcset", "action", "poster", "data", "xlink:href") and value
    ]
    assert len(addresses) > 20
    assert [address for address in addresses if not address[1].startswith(("#", "data:"))] == []
    style = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert style is not None
    assert "default-src 'none'" in style


def test_no_script_runs_but_the_page_s_own(page: Page) -> None:
    assert len(page.scripts) == 2
    policy = page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"] or ""
    digest = base64.b64encode(hashlib.sha256(page.scripts[1].encode()).digest()).decode()
    assert f"script-src 'sha256-{digest}'" in policy
    assert not any(key.startswith("on") for _, found in page.elements for key in found)


def test_hostile_names_are_text(page: Page) -> None:
    assert SCRIPT in page.words
    assert f"{SCENE}_TS" in page.words
    assert "<b>bold</b>" in page.words
    assert "alert" not in "".join(page.scripts)
    assert page.all("b") == page.all("i") == []
    points = {found["data-point"] for _, found in page.elements if "data-point" in found}
    assert points == set(SYSTEMS)
    assert all("javascript" not in (found.get("href") or "") for found in page.all("a"))


def test_every_link_inside_has_its_place(page: Page) -> None:
    places = [found["id"] for _, found in page.elements if found.get("id")]
    assert len(places) == len(set(places))
    links = [found["href"][1:] for found in page.all("a") if (found["href"] or "").startswith("#")]
    assert set(links) <= set(places)
    assert "metric-tsos" in links


def test_what_is_drawn_has_words(page: Page) -> None:
    drawn = [found for tag, found in page.elements if tag == "svg" and found.get("aria-hidden") != "true"]
    assert drawn
    assert all(found.get("role") == "img" for found in drawn)
    assert all(found.get("aria-label") or found.get("aria-labelledby") for found in drawn)
    assert all(found.get("alt") for found in page.all("img"))
    assert all(found.get("aria-label") for found in page.all("audio"))


# ---- it says what the results say


def test_the_csvs_inside_are_those_of_the_results(page: Page, scored: Scored) -> None:
    files = {found["download"]: found["href"] for found in page.all("a") if "download" in found}
    assert set(files) == {"summary.csv", "scores.csv", "mixtures.csv"}

    def rows(name: str) -> list[dict[str, str]]:
        head, _, content = files[name].partition(",")
        assert head == "data:text/csv;base64"
        return list(csv.DictReader(io.StringIO(base64.b64decode(content).decode())))

    for system, folder in scored.results.items():
        mine = [row for row in rows("scores.csv") if row["system"] == system]
        same = sorted((row.mixture_id, row.metric, row.value) for row in read_table(folder / "scores.csv", Score))
        assert sorted((row["mixture_id"], row["metric"], float(row["value"])) for row in mine) == same
    for row in rows("summary.csv"):
        kept = scored.results[row["system"]] / "summary.csv"
        if kept.exists():
            found = [
                r for r in read_table(kept, Summary) if (r.scenario, r.metric) == (row["scenario"], row["metric"])
            ]
            assert round(float(row["value"]), DECIMALS) == round(found[0].value or 0.0, DECIMALS)
    assert rows("mixtures.csv")[0]["scene_id"] == SCENE


def test_the_worst_scene_is_the_worst(page: Page, scored: Scored) -> None:
    scores = read_table(scored.results[SCRIPT] / "scores.csv", Score)
    for label, metric, worst in (("TS2", "tsos", max), ("TS3", "leakage_reduction_db", min)):
        mine = [row for row in scores if (row.scenario, row.metric) == (label, metric) and row.value is not None]
        value = worst(row.value for row in mine)
        name = next(row.mixture_id for row in sorted(mine, key=lambda row: row.mixture_id) if row.value == value)
        assert re.search(rf"worst {value:.1f} (%|dB) · {re.escape(name)}", page.words), (value, name)
    assert "median" in page.words


def test_scenes_have_sound_and_pictures_once_each(page: Page, scored: Scored) -> None:
    kept = media(page)
    sounds = [found["data-media"] for found in page.all("audio")]
    pictures = [found["data-media"] for found in page.all("img")]
    assert {*sounds, *pictures} == set(kept)
    assert all(kept[key].startswith("data:audio/mpeg;base64,") for key in sounds)
    assert all(kept[key].startswith("data:image/webp;base64,") for key in pictures)
    assert len(sounds) > len(set(sounds))  # a mixture is in more than one scene
    lanes = {found["class"] for found in page.all("rect") if found.get("class")}
    assert {"target", "interferer", "lost", "leaking"} <= lanes


def test_what_was_measured_is_said(page: Page, scored: Scored) -> None:
    assert scored.dataset.description.fingerprint in page.words
    assert "duration_s: uniform: - 3.0 - 3.4" in page.words
    assert "with the enrollment of somebody who is not in the scene" in page.words
    assert "Σ f h(|S| p − |Ŝ| p )² > γ Σ f |S| 2p" in page.words  # with sub- and superscripts
    assert "Warnings of check" in page.words
    assert "acceptable; 12 of 12 estimates are there" in page.words


def test_without_sounds_the_page_says_what_to_give(scored: Scored, tmp_path: Path) -> None:
    done = run("report", *scored.results.values(), "-o", tmp_path / "r.html")
    assert done.exit_code == 0, done.output
    assert "--dataset DIR" in done.stderr
    page = Page(tmp_path / "r.html")
    assert page.all("audio") == []
    assert "--submission DIR" in page.words


def test_corners_are_drawn_where_no_result_shows_them(scored: Scored, tmp_path: Path) -> None:
    run("report", scored.results[SCRIPT], "-o", tmp_path / "r.html")
    page = Page(tmp_path / "r.html")
    assert len(page.all("g", **{"class": "corner"})) == 4  # two on each size
    assert "Crosses stand where mixture and silence would be" in page.words


def test_a_result_without_the_two_figures_has_no_trade_off(tmp_path: Path) -> None:
    folder = made.result(tmp_path / "r", made.means([1.0, 2.0, 3.0], "abc"))
    assert run("report", folder, "-o", tmp_path / "r.html").exit_code == 0
    page = Page(tmp_path / "r.html")
    assert "No result has both tsos of TS2 and leakage_reduction_db of TS3" in page.words
    assert "si_sdr" in page.words


def test_a_zip_with_a_missing_estimate_is_reported(scored: Scored, tmp_path: Path) -> None:
    folder = tmp_path / "part"
    shutil.copytree(scored.submissions[SCRIPT], folder)
    lost = next(row for row in scored.dataset.mixtures if row.scenario == "TS2")
    next((folder / "TS2").glob(f"{lost.scene_id[:2]}*")).unlink()
    archive = shutil.make_archive(str(tmp_path / "part"), "zip", folder)
    assert run("score", scored.dataset.folder, archive, "-o", tmp_path / "r", "--metrics", "tsos").exit_code == 1
    given = ["--dataset", scored.dataset.folder, "--submission", archive]
    done = run("report", tmp_path / "r", *given, "-o", tmp_path / "r.html")
    assert done.exit_code == 0, done.output
    page = Page(tmp_path / "r.html")
    assert "some missing or unusable" in page.words
    assert f"missing (nor .wav); enhance {lost.mixture_id} and add it" in page.words
    assert "not acceptable; 11 of 12 estimates are there" in page.words
    assert page.all("audio")


# ---- what it refuses


def test_a_page_is_not_replaced_unasked(scored: Scored, tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text("mine")
    done = run("report", *scored.results.values(), "-o", tmp_path / "r.html")
    assert done.exit_code == 1
    assert "--force" in done.stderr
    assert (tmp_path / "r.html").read_text() == "mine"


def test_a_submission_of_nobody_is_refused(scored: Scored, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(scored.submissions[SCRIPT], other)
    row = scored.dataset.mixtures[0]
    shutil.copyfile(scored.dataset.folder / row.mixture_path, other / f"{estimate_name(row)}.flac")
    given = ["--dataset", scored.dataset.folder, "--submission", other]
    done = run("report", *scored.results.values(), *given, "-o", tmp_path / "r.html")
    assert done.exit_code == 1
    assert f"{other}: no result was scored from these files" in done.stderr
    assert not (tmp_path / "r.html").exists()


def test_another_dataset_is_refused(scored: Scored, tmp_path: Path) -> None:
    folder = made.result(tmp_path / "r", made.means([1.0, 2.0, 3.0], "abc"))
    done = run("report", folder, "--dataset", scored.dataset.folder, "-o", tmp_path / "r.html")
    assert done.exit_code == 1
    assert "give the dataset that it was scored on" in done.stderr


def test_a_submission_needs_its_dataset(scored: Scored, tmp_path: Path) -> None:
    result, folder = scored.results[SCRIPT], scored.submissions[SCRIPT]
    done = run("report", result, "--submission", folder, "-o", tmp_path / "r.html")
    assert done.exit_code == 1
    assert "--submission needs --dataset" in done.stderr
