"""How far long work has come: a bar on a terminal, plain lines elsewhere, always on stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_S = 10.0

Update = Callable[[int, int], None]
"""Called with how many are done of how many."""


def no_progress(done: int, total: int) -> None:
    """An update that shows nothing."""


@contextmanager
def progress(what: str, unit: str) -> Iterator[Update]:
    """Show work (``what``, "rendering") as it is done: count of ``unit`` ("scenes"), rate and time left."""
    yield from (_bar if sys.stderr.isatty() else _lines)(what, unit)


class _Pace:
    """How fast it goes, counted from the first update: what an earlier run had done is no speed."""

    def __init__(self) -> None:
        self._begin: tuple[float, int] | None = None

    def at(self, done: int) -> tuple[float, float]:
        """Items a second and seconds since the first update."""
        now = time.monotonic()
        begin, already = self._begin = self._begin or (now, done)
        return (done - already) / (now - begin) if now > begin else 0.0, now - begin


def _bar(what: str, unit: str) -> Iterator[Update]:
    from rich import progress as rich_progress
    from rich.console import Console

    columns = (
        rich_progress.TextColumn("{task.description}"),
        rich_progress.BarColumn(),
        rich_progress.MofNCompleteColumn(),
        rich_progress.TextColumn(f"{unit}  {{task.fields[rate]}}"),
        rich_progress.TimeRemainingColumn(),
    )
    with rich_progress.Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None, rate="", visible=False)
        pace = _Pace()

        def update(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, rate=f"{pace.at(done)[0]:.1f}/s", visible=True)

        yield update


def _lines(what: str, unit: str) -> Iterator[Update]:
    last = time.monotonic()
    pace = _Pace()

    def update(done: int, total: int) -> None:
        nonlocal last
        rate, elapsed = pace.at(done)
        now = time.monotonic()
        if done < total and now - last < EVERY_S:
            return
        last = now
        left = f", {_clock((total - done) / rate)} left" if rate > 0 and done < total else ""
        spent = f" in {_clock(elapsed)}" if done == total else ""
        speed = f", {rate:.1f}/s" if rate > 0 else ""
        print(f"{what}: {done}/{total} {unit}{speed}{left}{spent}", file=sys.stderr, flush=True)

    yield update


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else f"{minutes}:{seconds:02}"
