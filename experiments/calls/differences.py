"""What systems do along calls, from the scores kept beside a board of takes: do they forget the target while it is
away, do they lose it when it comes back, and what of that has the channel taken?

    python experiments/calls/differences.py leaderboards/speechocean-call-v1.csv

Prints two Markdown tables, a line a system, everything with its 95 % interval over target speakers: how far
interferers are reduced (dB) by the time since the target was last active, and how much of the target is
over-suppressed (%) where it talks alone and in the first second of its returns, apart for channels that keep the
band and for those that end at 4 kHz or below. Differences are within the takes of one system.
"""

import argparse
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from pse_bench.leaderboard import evidence, table
from pse_bench.scoring import statistics
from pse_bench.scoring.cells import Cell
from pse_bench.scoring.summary import Scores

LEFT_OUT = "silence"
SINCE = ("to_1s", "to_3s", "to_10s", "to_30s")
TSOS = ("tsos_alone", "return_tsos")


def pairs_of(scores: Scores, metric: str, mixtures: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """Numerators and denominators of a metric by mixture, shape (num_mixtures, 2), zeros where it is undefined,
    and whose mixture each is. Of levels in dB these are the level and 1."""
    names = list(mixtures)
    cell = Cell.of(scores.cells["TS2", metric]).counted
    counted = np.stack([cell.values, np.ones(len(cell))], axis=-1) if metric.endswith("_db") else cell.ratios
    known = dict(zip(cell.names, counted, strict=True))
    people = statistics.clusters_of([scores.mixtures[name].target_speaker for name in names])
    return np.array([known.get(name, np.zeros(2)) for name in names]), people


def link(sums: np.ndarray) -> np.ndarray:
    return sums[..., 0] / sums[..., 1]


def percent(sums: np.ndarray) -> np.ndarray:
    return 100 * link(sums)


def figure(scores: Scores, metric: str, mixtures: Iterable[str]) -> str:
    """A figure with its interval over these mixtures."""
    pairs, people = pairs_of(scores, metric, mixtures)
    pairs, people = pairs[pairs[:, 1] > 0], people[pairs[:, 1] > 0]
    people = statistics.clusters_of(people.tolist())
    share = not metric.endswith("_db")
    low, high, of = (0.0, 100.0, percent) if share else (-40.0, 120.0, link)
    interval = statistics.quotient_interval(pairs, people, link=of, low=low, high=high)
    return written(float(of(pairs.sum(axis=0))), interval)


def difference(scores: Scores, first: str, second: str, mixtures: Iterable[str]) -> str:
    """Second less first over the mixtures that have both, with its interval."""
    names = list(mixtures)
    (one, people), (other, _) = (pairs_of(scores, metric, names) for metric in (first, second))
    both = (one[:, 1] > 0) & (other[:, 1] > 0)
    of = link if first.endswith("_db") else percent
    given = one[both], other[both], statistics.clusters_of(people[both].tolist())
    value = float(of(given[1].sum(axis=0)) - of(given[0].sum(axis=0)))
    return written(value, statistics.quotient_difference(*given, link=of, span=160.0), sign="+")


def written(value: float, interval: tuple[float, float] | None, sign: str = "") -> str:
    low, high = interval or (float("nan"),) * 2
    return f"{value + 0.0:{sign}.1f} [{low + 0.0:.1f}, {high + 0.0:.1f}]".replace("-0.0", "0.0")


def is_narrow(scores: Scores, name: str) -> bool:
    """Whether the channel of a mixture ends at 4 kHz or below."""
    row = scores.mixtures[name]
    return row.channel_band in ("narrow", "telephone") or row.channel_codec in ("gsm", "mu-law", "a-law")


def lines_of(board: Path, systems: Collection[str] = ()) -> tuple[list[str], list[str]]:
    """The lines of both tables, of these systems or of all but silence, in the order of the board."""
    leaks = [
        "| system | 0 to 1 s | 1 to 3 s | 3 to 10 s | 10 to 30 s | 10 to 30 s less 1 to 3 s |",
        "|---" * 6 + "|",
    ]
    losses: list[str] = []
    for entry in (row.entry for row in table.read(board)):
        if entry.system not in systems if systems else entry.system == LEFT_OUT:
            continue
        with tempfile.TemporaryDirectory(prefix="pse-bench-") as folder:
            _, scores = evidence.unpacked(board, table.evidence_folder(board, entry), Path(folder))
        every = list(scores.mixtures)
        levels = [f"pause_leakage_{end}_db" for end in SINCE]
        found = [*(figure(scores, one, every) for one in levels), difference(scores, levels[1], levels[3], every)]
        leaks.append(f"| `{entry.system}` | {' | '.join(found)} |")
        narrow = [name for name in every if is_narrow(scores, name)]
        wide = [name for name in every if name not in set(narrow)]
        found = [figure(scores, TSOS[1], every), *(figure(scores, one, wide) for one in TSOS)]
        found += [difference(scores, *TSOS, wide), figure(scores, TSOS[1], narrow)]
        if not losses:
            heads = ("return", f"wide band ({len(wide)} takes): alone", "return", "return less alone")
            losses = [f"| system | {' | '.join(heads)} | narrow band ({len(narrow)}): return |", "|---" * 6 + "|"]
        losses.append(f"| `{entry.system}` | {' | '.join(found)} |")
    return leaks, losses


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0])
    parser.add_argument("board", type=Path)
    leaks, losses = lines_of(parser.parse_args().board)
    print("\n".join([*leaks, "", *losses]))


if __name__ == "__main__":
    main()
