"""How far long work has come: a bar on a terminal, plain lines elsewhere, always on stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_S = 10.0

Update = Callable[[int, int], None]
"""Called with how many are done of how many."""


@contextmanager
def progress(what: str, unit: str) -> Iterator[Update]:
    """Show work as it is done: count, rate and time left.

    Args:
        what: the work, "rendering".
        unit: what is counted, "scenes".
    """
    if sys.stderr.isatty():
        yield from _bar(what, unit)
    else:
        yield from _lines(what, unit)


def _bar(what: str, unit: str) -> Iterator[Update]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{unit}  {{task.fields[rate]}}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None, rate="")
        begin = time.monotonic()

        def update(done: int, total: int) -> None:
            rate = done / max(time.monotonic() - begin, 1e-9)
            bar.update(task, completed=done, total=total, rate=f"{rate:.1f}/s")

        yield update


def _lines(what: str, unit: str) -> Iterator[Update]:
    begin = last = time.monotonic()

    def update(done: int, total: int) -> None:
        nonlocal last
        now = time.monotonic()
        if done < total and now - last < EVERY_S:
            return
        last = now
        rate = done / max(now - begin, 1e-9)
        left = f", {_clock((total - done) / rate)} left" if 0 < done < total else f" in {_clock(now - begin)}"
        print(f"{what}: {done}/{total} {unit}, {rate:.1f}/s{left}", file=sys.stderr, flush=True)

    yield update


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else f"{minutes}:{seconds:02}"
