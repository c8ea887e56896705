"""README and pages of the documentation: their code blocks, and running them.

Before a block of commands stands a comment: ``<!-- run: name -->`` for one that a test runs,
``<!-- not run: why -->`` for one that none does. ``<!-- write: name -->`` is a file that a reader writes.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
PAGES = [README, *sorted(path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "reference")]
_BLOCK = re.compile(r"(?:<!-- (run|not run|write): (.+?) -->\n)?```(\w+)\n(.*?)```", re.DOTALL)
SHELLS = ("console", "bash")
TUTORIAL = ROOT / "docs" / "tutorial.md"
_HOW_TO = (
    *("generate", "scenario", "evaluate", "systems", "train", "compare", "own-metric", "report", "toolkits"),
    *("detect", "sample-rates", "public-systems", "measure-system", "listening-test", "sessions", "enrollment"),
)
FROM_THE_README = [ROOT / "docs" / "how-to" / f"{page}.md" for page in _HOW_TO]
"""Pages whose commands go on from what the README made, in order."""


def marked(page: Path) -> list[tuple[str, str, str, str]]:
    """All code blocks of a page: mark, what it says, language and code; the first two are '' without a mark."""
    return _BLOCK.findall(page.read_text(encoding="utf-8"))


def blocks(kind: str, page: Path = README) -> list[tuple[str, str]]:
    """The blocks of a page with a mark, and their names."""
    found = [(said, code) for mark, said, _, code in marked(page) if mark == kind]
    assert found, f"{page.name} has no {kind} blocks"
    return found


def commands(code: str) -> list[str]:
    """The commands of a block, a line each, without comments."""
    lines = code.replace("\\\n", " ").splitlines()
    return [" ".join(re.sub(r"(^|\s)#.*", "", line).split()) for line in lines if line.strip()]


def write_files(page: Path, place: Path) -> None:
    """Write the files that a page has its reader write."""
    for name, code in blocks("write", page):
        (place / name).write_text(code)


def run(script: str, place: Path) -> str:
    """Run a block with bash in a folder, and give what it prints; the package's own command is on the path."""
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "LIBRISPEECH": str(place / "LibriSpeech"),
        "LIBRI2MIX": str(place / "Libri2Mix"),
        "NOISE": str(place / "noise"),
        "XDG_CACHE_HOME": str(place / "cache"),
    }
    done = subprocess.run(
        ["bash", "-euc", script], cwd=place, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    return done.stdout
