"""The pictures of the experiment as SVG, from the tables in results/: nothing is computed here but places.

python experiments/tradeoff/picture.py
"""

import csv
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from runs import HERE, KINDS, SHARES

from pse_bench.pages.scales import Scale, scale_over

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 820, 460, 64, 170, 34, 52
TSOS, LEAKAGE = "tsos", "leakage_reduction_db"
COLOURS = dict(zip(KINDS, ("#4269d0", "#d1402f", "#2e8b57", "#a463f2", "#c98500", "#00857c"), strict=True))
INK, FAINT = "#333", "#bbb"


class Drawing:
    """An SVG that is added to; white behind, so that it can be read on a dark page."""

    def __init__(self, title: str, x: Scale, y: Scale, x_name: str, y_name: str) -> None:
        self.x, self.y = x, y
        self.parts = [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
            f'font-family="system-ui, sans-serif" font-size="13"><title>{escape(title)}</title>',
            f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>',
        ]
        for at, label in x.ticks():
            self.line([(at, y.start), (at, y.stop)], FAINT, 0.5)
            self.text(at, y.start + 18, label, anchor="middle")
        for at, label in y.ticks():
            self.line([(x.start, at), (x.stop, at)], FAINT, 0.5)
            self.text(x.start - 8, at + 4, label, anchor="end")
        self.text((x.start + x.stop) / 2, HEIGHT - 12, x_name, anchor="middle")
        self.text(LEFT, 20, y_name)

    def line(self, points: Iterable[tuple[float, float]], colour: str, width: float, dash: str = "") -> None:
        """A line through places in pixels."""
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="{width}"{dashed}/>'
        )

    def dot(self, x: float, y: float, colour: str, radius: float, faint: bool = False) -> None:
        """A dot at a place in pixels."""
        opacity = ' fill-opacity="0.35"' if faint else ""
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius}" fill="{colour}"{opacity}/>')

    def text(self, x: float, y: float, words: str, colour: str = INK, anchor: str = "start") -> None:
        """Words at a place in pixels."""
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" fill="{colour}" text-anchor="{anchor}">{escape(words)}</text>'
        )

    def write(self, path: Path) -> None:
        """The file."""
        path.write_text("\n".join([*self.parts, "</svg>"]) + "\n", encoding="utf-8")


def rows_of(path: Path) -> list[dict[str, str]]:
    """A table of results/."""
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def tradeoff(results: Path, set_name: str) -> None:
    """What each recipe takes from the target against what it removes of others, with the line of interpolated
    weights; large dots are all seeds together with their intervals, faint ones single seeds."""
    numbers: dict[tuple[str, str], list[float]] = {}
    for row in rows_of(results / f"{set_name}.systems.csv"):
        seeds = [value for key, value in row.items() if key.startswith("seed_") and value]
        numbers[row["system"], row["metric"] if row["scenario"] in ("TS2", "TS3") else ""] = [
            float(value) for value in (row["value"], row["low"], row["high"], *seeds)
        ]
    both = {
        name: (numbers[name, TSOS], numbers[name, LEAKAGE])
        for name in (*KINDS, *(f"line-{share}" for share in SHARES))
    }
    across = [value for name in KINDS for value in both[name][0]]
    upwards = [value for name in KINDS for value in both[name][1]]
    drawing = Drawing(
        f"Over-suppression and leakage reduction of the recipes on {set_name}",
        scale_over(across, LEFT, WIDTH - RIGHT, low=0.0, high=100.0),
        scale_over(upwards, HEIGHT - BOTTOM, TOP, low=-40.0, high=120.0),
        "TS2: target speech over-suppressed (%), less is better",
        "TS3: leakage reduction (dB), more is better",
    )
    x, y = drawing.x, drawing.y
    line = ["no-its", *(f"line-{share}" for share in SHARES), "its"]
    drawing.line([(x.at(both[name][0][0]), y.at(both[name][1][0])) for name in line], INK, 1.5, "5 4")
    for name in KINDS:
        (over, *over_ends), (leak, *leak_ends) = (values[:3] for values in both[name])
        colour = COLOURS[name]
        drawing.line([(x.at(end), y.at(leak)) for end in over_ends], colour, 1.5)
        drawing.line([(x.at(over), y.at(end)) for end in leak_ends], colour, 1.5)
        for one_over, one_leak in zip(both[name][0][3:], both[name][1][3:], strict=True):
            drawing.dot(x.at(one_over), y.at(one_leak), colour, 3.5, faint=True)
        drawing.dot(x.at(over), y.at(leak), colour, 6)
    for number, name in enumerate(KINDS):
        drawing.dot(WIDTH - RIGHT + 22, TOP + 12 + 20 * number, COLOURS[name], 5)
        drawing.text(WIDTH - RIGHT + 34, TOP + 16 + 20 * number, name, COLOURS[name])
    low = TOP + 12 + 20 * len(KINDS)
    drawing.line([(WIDTH - RIGHT + 14, low), (WIDTH - RIGHT + 30, low)], INK, 1.5, "5 4")
    drawing.text(WIDTH - RIGHT + 34, low + 4, "weights between")
    drawing.write(results / f"{set_name}.tradeoff.svg")


def learning(results: Path) -> None:
    """What more steps and more people are worth: SI-SDR improvement in TS2 on validation speakers."""
    table = rows_of(results / "learning.csv")
    curves: dict[str, list[tuple[float, float]]] = {}
    for row in table:
        curves.setdefault(row["run"], []).append((float(row["step"]), float(row["TS2.si_sdri"])))
    steps = [step for curve in curves.values() for step, _ in curve]
    values = [value for curve in curves.values() for _, value in curve]
    drawing = Drawing(
        "SI-SDR improvement on validation speakers over steps, for shares of the training people",
        scale_over([0.0, *steps], LEFT, WIDTH - RIGHT, low=0.0, high=1e9),
        scale_over([0.0, *values], HEIGHT - BOTTOM, TOP, low=-1e9, high=1e9),
        "steps of 32 s of audio",
        "TS2: SI-SDR improvement (dB) on validation speakers",
    )
    for (name, curve), colour in zip(sorted(curves.items()), COLOURS.values(), strict=False):
        places = [(drawing.x.at(step), drawing.y.at(value)) for step, value in curve]
        drawing.line(places, colour, 1.5)
        for place in places:
            drawing.dot(*place, colour, 3.5)
        drawing.text(places[-1][0] + 8, places[-1][1] + 4, name, colour)
    drawing.write(results / "learning.svg")


def draw(results: Path, sets: Sequence[str]) -> None:
    """All pictures."""
    for set_name in sets:
        tradeoff(results, set_name)
    learning(results)


if __name__ == "__main__":
    draw(
        HERE / "results",
        [path.name.removesuffix(".systems.csv") for path in (HERE / "results").glob("*.systems.csv")],
    )
