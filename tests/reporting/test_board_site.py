"""Boards as a folder of pages: what is on them, and what cannot be shown."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

from pse_bench.cli import cli
from pse_bench.leaderboard import table

BOARDS = Path(__file__).parents[2] / "leaderboards"
NAMES = ("embedded-v1", "libri-mini-v1")


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


def test_a_folder_that_is_there_is_kept(site: Path) -> None:
    done = CliRunner().invoke(cli, ["leaderboard", "site", f"{BOARDS / NAMES[0]}.csv", "-o", str(site)])
    assert done.exit_code == 1
    assert "--force" in done.output
