"""Plots of a report by themselves, for notebooks and papers: an SVG each, with its style inside."""

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pse_bench.errors import InputError
from pse_bench.io.atomic import write_text
from pse_bench.reporting import distribution_plot, html, plot, session_plot, tradeoff
from pse_bench.scoring.results import Result

Results = Sequence[Result | str | Path]


@dataclass(frozen=True)
class Plot:
    """A plot as the text of an SVG file; a notebook shows it where it is the value of a cell."""

    svg: str

    def save(self, path: str | Path) -> None:
        """Write it as an SVG file."""
        write_text(Path(path), self.svg)

    def _repr_html_(self) -> str:
        content = base64.b64encode(self.svg.encode()).decode()
        return f'<img src="data:image/svg+xml;base64,{content}">'


def plot_tradeoff(results: Results) -> Plot:
    """Over-suppression in TS2 against net leakage reduction in TS3, a point with its 95 % interval a system.

    Args:
        results: results or their folders.

    Raises:
        InputError: no result there, or none has both figures.
    """
    body = tradeoff.section(plot.systems_of(_opened(results))).body
    drawn = re.findall(r'<svg class="plot tradeoff".*?</svg>', body, re.DOTALL)
    if not drawn:
        raise InputError("no result has both tsos of TS2 and leakage_reduction_db of TS3; score with them")
    return Plot(_standalone(drawn[0]))


def plot_distributions(results: Results, figure: str = "TS2.tsos") -> Plot:
    """How the clips of each system are distributed over a figure: a histogram with median and quartiles.

    Args:
        results: results or their folders.
        figure: ``<scenario>.<metric>``.

    Raises:
        InputError: no result there, or none has the figure.
    """
    found = distribution_plot.plots(plot.systems_of(_opened(results)))
    if figure not in found:
        raise InputError(f"no result has {figure}; there are {', '.join(found)}")
    return Plot(_standalone(re.findall(r"<svg.*?</svg>", found[figure], re.DOTALL)[0]))


def plot_sessions(results: Results) -> Plot:
    """Figures of takes of minutes by stretch: leakage against the time since the target was last active, and
    over-suppression by the length of its turns, each with its 95 % interval.

    Args:
        results: results or their folders.

    Raises:
        InputError: no result there, or none is of sessions.
    """
    drawn = session_plot.picture(plot.systems_of(_opened(results)))
    if drawn is None:
        raise InputError("no result has figures of sessions; score a dataset whose scenario has a session")
    return Plot(_standalone(drawn))


def _opened(results: Results) -> list[Result]:
    return [one if isinstance(one, Result) else Result.open(one) for one in results]


def _standalone(drawn: str) -> str:
    """A drawing of a page as a file of its own."""
    style = html.render("plot.css")
    width, height = re.findall(r'viewBox="0 0 (\S+) (\S+)"', drawn)[0]
    head, _, rest = drawn.partition(">")
    size = f'xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}"'
    ground = f'<rect class="ground" width="{width}" height="{height}"/>'
    return f"{head} {size}>\n<style>{style}</style>{ground}{rest}\n"
