"""What a report shows stays: ``python tests/golden/test_report_skeleton.py`` writes the golden file."""

import sys
import tempfile
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest
from click.testing import CliRunner

HERE = Path(__file__).parent
GOLDEN = HERE / "report.txt"
TEXT = {"h1", "h2", "h3", "h4", "th", "summary", "figcaption", "dt"}
"""Elements whose words are part of the skeleton."""
VOID = {"meta", "link", "img", "br", "input"}


class Skeleton(HTMLParser):
    """A page reduced to a line for each element with an id or a landmark's role, for each heading, table header
    and caption with its words, and for each drawing with its size and its number of elements by kind and class."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.lines: list[str] = []
        self._open: list[str] = []
        self._words: list[str] | None = None
        self._drawing: Counter[str] | None = None
        self._head = ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if tag not in VOID:
            self._open.append(tag)
        self._seen(tag, found)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._seen(tag, dict(attrs))

    def _seen(self, tag: str, found: dict[str, str | None]) -> None:
        named = f".{found['class']}" if found.get("class") else ""
        if tag == "svg":
            self._drawing, self._head = Counter(), f"svg{named} {found.get('viewbox', '')}"
        elif self._drawing is not None:
            self._drawing[f"{tag}{named}"] += 1
        elif tag in TEXT:
            self._words = []
        elif found.get("id") or found.get("role") or tag in ("section", "figure", "details", "audio", "table"):
            self.lines.append(f"{tag}{named} {found.get('id') or ''} {found.get('aria-label') or ''}".rstrip())

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass
        if tag == "svg" and self._drawing is not None:
            counts = ", ".join(f"{count} {name}" for name, count in sorted(self._drawing.items()))
            self.lines.append(f"{self._head}: {counts}")
            self._drawing = None
        elif tag in TEXT and self._words is not None:
            self.lines.append(f"{tag} {' '.join(' '.join(self._words).split())}")
            self._words = None

    def handle_data(self, data: str) -> None:
        if self._words is not None and self._drawing is None:
            self._words.append(data)


def skeleton(folder: Path) -> list[str]:
    """The skeleton of the report on the results that the tests of pages share, made in an empty folder."""
    import tiny
    from reporting.conftest import make_scored

    from pse_bench.cli import cli

    scored = make_scored(tiny.build(folder / "plain"), folder / "scored")
    page = folder / "report.html"
    done = CliRunner().invoke(cli, ["report", *scored.words(), "-o", str(page), "--jobs", "1"])
    assert done.exit_code == 0, done.output
    return Skeleton(page.read_text(encoding="utf-8")).lines


def test_the_report_is_built_as_it_was(tmp_path: Path) -> None:
    pytest.importorskip("PIL")
    assert skeleton(tmp_path) == GOLDEN.read_text(encoding="utf-8").splitlines()


if __name__ == "__main__":
    sys.path[:0] = [str(HERE.parent), str(HERE.parent / "helpers")]
    with tempfile.TemporaryDirectory() as work:
        GOLDEN.write_text("".join(f"{line}\n" for line in skeleton(Path(work))), encoding="utf-8")
