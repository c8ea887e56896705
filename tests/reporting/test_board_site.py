"""Boards as a folder of pages: what is on them, and what cannot be shown."""

import json
import re
import shutil
import tempfile
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ranked import CORNERS, result

from pse_bench.cli import cli
from pse_bench.dataset.dataset import Dataset
from pse_bench.leaderboard import leaderboard, table
from pse_bench.reporting import board_site
from pse_bench.runtime.executor import Serial
from pse_bench.runtime.progress import progress
from pse_bench.submission import submission
from pse_bench.systems.enhance import enhance

BOARDS = Path(__file__).parents[2] / "leaderboards"
NAMES = ("embedded-v1",)
"""Boards that are shown whole; tests of pages in a browser have made ones."""


class Page(HTMLParser):
    """The links and the rows of the table of systems of a page."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.rows: list[dict[str, str | None]] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        if tag == "tr" and "data-kind" in given:
            self.rows.append(given)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("boards") / "site"
    done = CliRunner().invoke(
        cli, ["leaderboard", "site", *(f"{BOARDS / name}.csv" for name in NAMES), "-o", str(out)]
    )
    assert done.exit_code == 0, done.output
    assert done.output.startswith(f"{out / 'index.html'}: ")
    return out


def test_every_link_leads_somewhere(site: Path) -> None:
    for path in site.rglob("*.html"):
        own = re.findall(r' id="([^"]+)"', path.read_text(encoding="utf-8"))
        for link in Page(path).links:
            name, _, place = link.partition("#")
            assert (path.parent / name).is_file() if name else place in own, f"{path}: {link}"


def test_a_board_shows_every_system_and_each_has_a_page(site: Path) -> None:
    for name in NAMES:
        rows = [row for row in table.read(BOARDS / f"{name}.csv") if row.entry.kind != "control"]
        shown = Page(site / f"{name}.html").rows
        assert len(shown) == len(rows) == len(list((site / name).iterdir()))
        assert {row["data-kind"] for row in shown} == {row.entry.kind for row in rows}
        for row in rows:
            (page,) = [
                p
                for p in (site / name).iterdir()
                if f"<h1>{row.entry.system}</h1>" in p.read_text(encoding="utf-8")
            ]
            assert row.entry.version in page.read_text(encoding="utf-8")


def test_a_board_that_was_changed_is_not_shown(tmp_path: Path) -> None:
    board = tmp_path / "embedded-v1.csv"
    board.write_text((BOARDS / "embedded-v1.csv").read_text().replace("oracle-mask", "oracle", 1))
    done = CliRunner().invoke(cli, ["leaderboard", "site", str(board), "-o", str(tmp_path / "site")])
    assert done.exit_code == 1
    assert done.output.count("\n") == 1
    assert not (tmp_path / "site").exists()


def test_a_board_of_takes_shows_their_stretches(tmp_path: Path) -> None:
    board = tmp_path / "tiny-v1.csv"
    for name, figures in CORNERS.items():
        leaderboard.add(board, result(tmp_path / name, name, takes=True, **figures), kind="reference")
    done = CliRunner().invoke(cli, ["leaderboard", "site", str(board), "-o", str(tmp_path / "site")])
    assert done.exit_code == 0, done.output
    page = (tmp_path / "site" / "tiny-v1.html").read_text(encoding="utf-8")
    assert 'id="sessions"' in page
    assert 'href="#sessions"' in page
    assert "TS2.return_tsos) and how far" in page


def test_a_folder_that_is_there_is_kept(site: Path) -> None:
    done = CliRunner().invoke(cli, ["leaderboard", "site", f"{BOARDS / NAMES[0]}.csv", "-o", str(site)])
    assert done.exit_code == 1
    assert "--force" in done.output


def test_kept_scores_show_groups_controls_and_how_clips_are_spread(tmp_path: Path) -> None:
    board = tmp_path / "boards" / "tiny-v1.csv"
    for name, figures in CORNERS.items():
        leaderboard.add(board, result(tmp_path / name, name, **figures), kind="reference")
    leaderboard.add(board, result(tmp_path / "good", "good", tsos=(4, 5), leakage=15))
    leaderboard.add(board, result(tmp_path / "control", "good (wrong enrollment)", tsos=(50, 50), leakage=9))
    leaderboard.add(board, result(tmp_path / "like", "like", tsos=(4.1, 5), leakage=15))
    board_site.write([board], tmp_path / "site", progress=progress)
    rows = {row["data-of"]: row for row in Page(tmp_path / "site" / "tiny-v1.html").rows}
    assert set(rows) == {"good", "like", *CORNERS}
    text = (tmp_path / "site" / "tiny-v1" / "good-1.html").read_text(encoding="utf-8")
    assert "Rank 1–2, group a: net score " in text
    assert "Wrong enrollment" in text
    assert 'id="distributions"' in text
    assert 'id="breakdowns"' in text
    # nothing of the folder that the scores were unpacked into
    pages = (tmp_path / "site").rglob("*.html")
    assert not any(tempfile.gettempdir() in page.read_text(encoding="utf-8") for page in pages)


# ---- examples


@pytest.fixture(scope="module")
def heard(plain: Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A board of a dataset, and the submission of a system on it."""
    root = tmp_path_factory.mktemp("heard")
    board, audio = root / "tiny-v1.csv", root / "audio"
    enhance(plain, "mixture", audio, executor=Serial())
    content = {row.mixture_id: submission.read_estimate(audio, row).sha256 for row in plain.mixtures}
    about = {"of": plain.mixtures, "dataset_fingerprint": plain.description.fingerprint}
    for name, figures in CORNERS.items():
        leaderboard.add(board, result(root / name, name, **about, **figures), kind="reference")
    about["submission_sha256"] = submission.content_sha256(content)
    leaderboard.add(board, result(root / "good", "good", **about, leakage=15))
    return board, audio


def site_of(board: Path, out: Path, *words: object) -> Result:
    return CliRunner().invoke(cli, ["leaderboard", "site", str(board), "-o", str(out), *map(str, words)])


def test_examples_are_heard_where_audio_is_given(plain: Dataset, heard: tuple[Path, Path], tmp_path: Path) -> None:
    board, audio = heard
    done = site_of(board, tmp_path / "site", "--dataset", plain.folder, "--submission", audio)
    assert done.exit_code == 0, done.output
    pages = {path.stem: path.read_text(encoding="utf-8") for path in (tmp_path / "site").rglob("*.html")}
    own = pages.pop("good-1")
    assert own.count('<details class="case"') >= 3
    assert own.count("data:audio/mpeg;base64,") >= 2
    keys = set(re.findall(r'data-media="([^"]+)"', own))
    assert keys == set(json.loads(own.split('id="media">')[1].split("</script>")[0]))
    assert not any("<audio" in page or "data:audio" in page for page in pages.values())
    assert str(tmp_path) not in own
    assert tempfile.gettempdir() not in own


def test_audio_that_belongs_to_no_row_is_refused(plain: Dataset, heard: tuple[Path, Path], tmp_path: Path) -> None:
    board, audio = heard
    done = site_of(board, tmp_path / "site", "--submission", audio)
    assert "--submission needs --dataset" in done.output
    shutil.copytree(audio, tmp_path / "audio")
    next((tmp_path / "audio" / "TS1").iterdir()).unlink()
    done = site_of(board, tmp_path / "site", "--dataset", plain.folder, "--submission", tmp_path / "audio")
    assert (done.exit_code, done.output.count("\n")) == (1, 1)
    assert f"{tmp_path / 'audio'}: no system whose scores are kept was scored from these files" in done.output
    done = site_of(BOARDS / "embedded-v1.csv", tmp_path / "site", "--dataset", plain.folder)
    assert done.exit_code == 1
    assert "that of no board; give the dataset of one" in done.output
    assert not (tmp_path / "site").exists()
