"""The pictures of the experiment as SVG, from the tables in results/: nothing is computed here but places.

python experiments/tradeoff/picture.py
"""

import csv
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from statistics import mean

from runs import HERE, KINDS, SHARES

from pse_bench.reporting.plot import Axis, axis_over

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 840, 460, 64, 210, 34, 52
TSOS, LEAKAGE = "tsos", "leakage_reduction_db"
COLOURS = dict(
    zip(KINDS, ("#4269d0", "#d1402f", "#2e8b57", "#a463f2", "#c98500", "#00857c", "#8b5a2b"), strict=True)
)
COLOURS_OF_LEARNING = ("#4269d0", "#a463f2", "#00857c", "#d1402f", "#c98500", "#8b5a2b")
INK, FAINT = "#333", "#bbb"


class Drawing:
    """An SVG that is added to; white behind, so that it can be read on a dark page."""

    def __init__(self, title: str, x: Axis, y: Axis, x_name: str, y_name: str) -> None:
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
        axis_over(across, LEFT, WIDTH - RIGHT, low=0.0, high=100.0),
        axis_over(upwards, HEIGHT - BOTTOM, TOP, low=-40.0, high=120.0),
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
    """What more steps and more people are worth: SI-SDR improvement in TS2 on validation speakers. Runs that
    differ in their seed only have one colour, and their name at the mean of their ends."""
    curves: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for row in rows_of(results / "learning.csv"):
        name, _, seed = row["run"].rpartition(".") if row["run"][-2:-1] == "." else (row["run"], "", "")
        place = (float(row["step"]), float(row["TS2.si_sdri"]))
        curves.setdefault(name, {}).setdefault(seed, []).append(place)
    places = [place for seeds in curves.values() for curve in seeds.values() for place in curve]
    drawing = Drawing(
        "SI-SDR improvement on validation speakers over steps, for shares of the training people",
        axis_over([0.0, *(step for step, _ in places)], LEFT, WIDTH - RIGHT, low=0.0, high=1e9),
        axis_over([0.0, *(value for _, value in places)], HEIGHT - BOTTOM, TOP, low=-1e9, high=1e9),
        "steps of 32 s of audio",
        "TS2: SI-SDR improvement (dB) on validation speakers",
    )
    ends = {name: [curve[-1] for curve in seeds.values()] for name, seeds in curves.items()}
    heights = {name: drawing.y.at(mean(value for _, value in ends[name])) + 4 for name in curves}
    taken: dict[float, float] = {}
    for name in sorted(curves, key=heights.__getitem__):  # from the top, so that no name lies on another
        colour = COLOURS_OF_LEARNING[sorted(curves).index(name)]
        for curve in curves[name].values():
            dots = [(drawing.x.at(step), drawing.y.at(value)) for step, value in curve]
            drawing.line(dots, colour, 1.5)
            for dot in dots:
                drawing.dot(*dot, colour, 3.5)
        step = ends[name][0][0]
        taken[step] = max(heights[name], taken.get(step, 0.0) + 16)
        drawing.text(drawing.x.at(step) + 8, taken[step], name, colour)
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
