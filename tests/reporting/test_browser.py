"""Pages in headless Chromium, as a reader has them: nothing fails, nothing is fetched, everything answers."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from ranked import CORNERS, result
from reporting.conftest import SCENE, SCRIPT, SYSTEMS, Scored

from pse_bench.leaderboard import leaderboard

pytestmark = pytest.mark.browser

WIDE, PHONE = (1280, 900), (390, 844)


@pytest.fixture(scope="module")
def demo(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page whose path the demo ends with, and whose systems lie beside it."""
    out = tmp_path_factory.mktemp("demo") / "demo"
    command = [sys.executable, "-m", "pse_bench", "demo", "--out", str(out), "-n", "2", "--jobs", "2"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    path = Path(done.stdout.splitlines()[-1])
    assert path == out / "report.html"
    return path


@pytest.fixture(scope="module")
def hostile(scored: Scored, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A report with names that try to be more than names."""
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    command = [sys.executable, "-m", "pse_bench", "report", *scored.words(), "-o", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return path


def opened(browser: Any, path: Path, size: tuple[int, int], dark: bool = False) -> None:
    """Open a page in a window of this size, with nothing left of the one before."""
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": size == PHONE}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    feature = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
    browser.get("about:blank")
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(path.as_uri())


def assert_quiet(browser: Any, path: Path) -> None:
    """No word on the console, and nothing asked of the network."""
    assert browser.get_log("browser") == []
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = [m["params"]["request"]["url"] for m in messages if m["method"] == "Network.requestWillBeSent"]
    assert path.as_uri() in asked
    assert [url for url in asked if url != path.as_uri() and not url.startswith("data:")] == []


WAIT_FOR_SOUND = """
const [done, sounds] = [arguments[1], [...document.querySelectorAll(arguments[0])]];
const loaded = sounds.map((sound) => new Promise((yes) => {
  const look = () => sound.readyState >= 3 ? yes(sound.duration) : sound.error ? yes(-1) : setTimeout(look, 20);
  look();
}));
Promise.all(loaded).then(done);
"""
IN_SIGHT = "return [...document.querySelectorAll(arguments[0])].filter((e) => e.getBoundingClientRect().width > 0)"
WIDTHS = "return [document.documentElement.scrollWidth, window.innerWidth]"
FIRST_CELLS = "return [...arguments[0].tBodies[0].rows].map((row) => row.cells[1].dataset.value)"


@pytest.mark.parametrize("size", [WIDE, PHONE], ids=["wide", "phone"])
def test_the_report_of_the_demo_works(browser: Any, demo: Path, size: tuple[int, int]) -> None:
    systems = sorted(folder.name for folder in (demo.parent / "results").iterdir())
    opened(browser, demo, size)

    pictures = browser.execute_script(IN_SIGHT, "figure.picture:not(.near)")
    assert len(pictures) == 1  # the one that is made for this width
    points = pictures[0].find_elements("css selector", "[data-point]")
    assert len({point.get_attribute("data-point") for point in points}) == len(points) == len(systems)
    scroll, window = browser.execute_script(WIDTHS)
    assert scroll <= window == size[0]

    table = browser.find_element("css selector", "#tables table")
    head = table.find_elements("css selector", "thead th")[1]
    for wanted, order in (("ascending", 1), ("descending", -1)):
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", head)
        head.find_element("css selector", "button").click()
        assert head.get_attribute("aria-sort") == wanted
        values = [order * float(value) for value in browser.execute_script(FIRST_CELLS, table)]
        assert values == sorted(values)
        assert len(values) == len(systems)

    durations = browser.execute_async_script(WAIT_FOR_SOUND, "details.case[open] audio")
    assert len(durations) >= 2
    assert all(3 < duration < 30 for duration in durations)
    pictures = browser.execute_script(IN_SIGHT, "details.case[open] img.spectrogram")
    assert pictures
    assert all(browser.execute_script("return arguments[0].naturalWidth", picture) > 100 for picture in pictures)
    assert_quiet(browser, demo)


def test_a_definition_is_a_click_away(browser: Any, demo: Path) -> None:
    opened(browser, demo, WIDE)
    link = browser.find_element("css selector", "#tables a.what[href='#metric-tsos']")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)
    link.click()
    shown = browser.find_element("id", "popover")
    assert shown.is_displayed()
    assert "target-active frames that were over-suppressed" in shown.text


def test_scenes_load_when_they_are_opened(browser: Any, demo: Path) -> None:
    opened(browser, demo, WIDE)
    closed = browser.find_elements("css selector", "details.case:not([open])")[0]
    assert closed.find_elements("css selector", "audio[src]") == []
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", closed)
    closed.find_element("css selector", "summary").click()
    assert all(d > 0 for d in browser.execute_async_script(WAIT_FOR_SOUND, "details.case[open] audio"))
    assert closed.find_elements("css selector", "audio[src]")
    assert_quiet(browser, demo)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_both_themes_are_legible(browser: Any, demo: Path, dark: bool) -> None:
    opened(browser, demo, WIDE, dark)
    colours = browser.execute_script(
        "const s = getComputedStyle(document.documentElement), b = document.body;"
        "return [['--ink', '--muted', '--accent', '--c0', '--c1', '--c2', '--c3', '--c4', '--c5', '--c6', '--c7',"
        "'--reference'].map((name) => s.getPropertyValue(name)), s.getPropertyValue('--surface'),"
        "getComputedStyle(b).backgroundColor]"
    )
    names, surface, ground = colours
    assert (_light(*map(int, re.findall(r"\d+", ground)[:3])) < 0.1) == dark
    contrasts = [_contrast(colour, surface) for colour in names]
    assert min(contrasts) >= 4.5, contrasts
    button = browser.find_element("id", "theme")
    button.click()
    assert browser.execute_script("return document.documentElement.dataset.theme") == ("light" if dark else "dark")


def _contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2 of two colours written as #rrggbb."""
    first, second = sorted(_light(*bytes.fromhex(colour.strip().lstrip("#"))) for colour in (one, other))
    return (second + 0.05) / (first + 0.05)


def _light(*channels: int) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in channels)]
    return float(sum(weight * value for weight, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True)))


def test_hostile_names_are_shown_and_do_nothing(browser: Any, hostile: Path) -> None:
    opened(browser, hostile, WIDE)
    points = {e.get_attribute("data-point") for e in browser.find_elements("css selector", "[data-point]")}
    assert points == set(SYSTEMS)
    text = browser.execute_script("return document.body.textContent")
    assert SCRIPT in text
    assert f"{SCENE}_TS" in text
    assert len(browser.find_elements("tag name", "script")) == 2
    assert_quiet(browser, hostile)  # an alert would have failed every command before


@pytest.fixture(scope="module")
def boards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pages of a board on which a dozen systems, one with a hostile name, are close to each other."""
    root = tmp_path_factory.mktemp("boards")
    board = root / "tiny-v1.csv"
    for name, figures in CORNERS.items():
        leaderboard.add(board, result(root / name, name, **figures), kind="reference")
    for number in range(12):
        tsos, leakage = 8 + 13 * number % 40, 1.5 + 0.7 * (5 * number % 12)
        name = f"A system of {number}" if number else SCRIPT
        leaderboard.add(board, result(root / f"{number}", name, tsos=(5, tsos), leakage=leakage))
    command = [sys.executable, "-m", "pse_bench", "leaderboard", "site", str(board), "-o", str(root / "site")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return root / "site"


COVERED = """
const seen = (e) => e.getBoundingClientRect().width > 0;
const over = (a, b) => Math.min(
  Math.min(a.right, b.right) - Math.max(a.left, b.left), Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));
return [...document.querySelectorAll("figure.picture")].filter(seen).map((picture) => {
  const names = [...picture.querySelectorAll("[data-point] > text")].filter(seen);
  const boxes = names.map((name) => name.getBoundingClientRect());
  return boxes.flatMap((box, n) => boxes.slice(n + 1).map((other) => over(box, other)));
});
"""
"""Of every two names of each picture, by how many pixels one covers the other."""
COLUMN = (
    "return [...document.querySelectorAll('#board tbody tr')].map((row) => row.cells[arguments[0]].dataset.value)"
)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [(1400, 900), PHONE], ids=["wide", "phone"])
def test_boards_are_filtered_and_sorted(browser: Any, boards: Path, size: tuple[int, int], dark: bool) -> None:
    page = boards / "tiny-v1.html"
    opened(browser, page, size, dark)
    scroll, window = browser.execute_script(WIDTHS)
    assert scroll <= window == size[0]

    def shown(selector: str, attribute: str) -> set[str]:
        return {e.get_attribute(attribute) for e in browser.execute_script(IN_SIGHT, selector)}

    systems = shown("#board tr[data-kind]", "data-of")
    assert len(systems) == 12
    assert shown("[data-point]", "data-point") == systems
    for pixels in browser.execute_script(COVERED):
        assert len(pixels) == 12 * 11 / 2
        assert max(pixels) < 5  # a text's box is higher than its letters
    browser.find_element("name", "references").click()
    everything = shown("#board tr[data-kind]", "data-of")
    assert everything == systems | {"mixture", "silence", "oracle-mask"} == shown("[data-point]", "data-point")
    choice = browser.find_element("css selector", "select[name=kind]")
    choice.find_element("xpath", "option[.='reference']").click()
    assert shown("#board tr[data-kind]", "data-kind") == {"reference"}
    assert browser.find_element("tag name", "output").text == "3 of 15 systems"
    for number in (3, 4):
        head, values = browser.find_elements("css selector", "#board thead th")[number], []
        for _ in range(2):
            browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", head)
            head.find_element("css selector", "button").click()
            values.append([float(value) for value in browser.execute_script(COLUMN, number)])
        assert values[0] == values[1][::-1] == sorted(values[0], reverse=values[0][0] > values[0][-1])
    assert_quiet(browser, page)
    link = browser.find_element("css selector", "#board tr[data-kind=reference] a")
    opened(browser, Path(link.get_attribute("href").removeprefix("file://")), size, dark)
    assert browser.find_element("tag name", "h1").text in everything
    scroll, window = browser.execute_script(WIDTHS)
    assert scroll <= window
