"""How far long work has come: a bar on a terminal, plain lines elsewhere, always on stderr."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_S = 10.0

Update = Callable[[int, int], None]  # called with how many are done of how many


def no_progress(done: int, total: int) -> None:
    """An update that shows nothing."""


@contextmanager
def progress(what: str, unit: str) -> Iterator[Update]:
    """Show work (``what``, "rendering") as it is done: count of ``unit`` ("scenes"), rate and time left."""
    begin: tuple[float, int] | None = None
    with (_bar if sys.stderr.isatty() else _lines)(what, unit) as show:

        def update(done: int, total: int) -> None:
            nonlocal begin
            now = time.monotonic()
            # counted from the first update: what an earlier run had done is no speed
            first, already = begin = begin or (now, done)
            show(done, total, now - first, (done - already) / (now - first) if now > first else 0.0)

        yield update


Show = Callable[[int, int, float, float], None]  # an Update with seconds since the first, and items a second


@contextmanager
def _bar(what: str, unit: str) -> Iterator[Show]:
    from rich import progress as bars
    from rich.console import Console

    columns = ("{task.description}", bars.BarColumn(), bars.MofNCompleteColumn(), f"{unit}  {{task.fields[rate]}}")
    with bars.Progress(*columns, bars.TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task(what, total=None, rate="", visible=False)
        yield lambda done, total, _, rate: bar.update(
            task, completed=done, total=total, rate=f"{rate:.1f}/s", visible=True
        )


@contextmanager
def _lines(what: str, unit: str) -> Iterator[Show]:
    last = time.monotonic()

    def show(done: int, total: int, elapsed: float, rate: float) -> None:
        nonlocal last
        now = time.monotonic()
        if done < total and now - last < EVERY_S:
            return
        last = now
        speed = f", {rate:.1f}/s" if rate > 0 else ""
        left = f", {_clock((total - done) / rate)} left" if rate > 0 and done < total else ""
        spent = f" in {_clock(elapsed)}" if done == total else ""
        print(f"{what}: {done}/{total} {unit}{speed}{left}{spent}", file=sys.stderr, flush=True)

    yield show


def _clock(seconds: float) -> str:
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{seconds:02}" if minutes >= 60 else f"{minutes}:{seconds:02}"
