"""Being asked to stop: Ctrl-C, a supervisor's SIGTERM, a terminal that closes. All of them end a command in order:
workers are stopped, half-written files and temporary folders go, and the same command continues later."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = tuple(
    number for name in ("SIGINT", "SIGTERM", "SIGHUP") if (number := getattr(signal, name, None)) is not None
)


class Stopped(KeyboardInterrupt):
    """What Ctrl-C raises, for the other signals. ``number`` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def heed() -> None:
    """Let the signals raise, as Ctrl-C does. One that is ignored from the beginning, as by nohup, stays so."""
    for number in SIGNALS:
        if number != signal.SIGINT and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, _stop)


def _stop(number: int, _: FrameType | None) -> None:
    raise Stopped(number)


@contextmanager
def put_off() -> Iterator[None]:
    """Hold signals back, here and in processes that are started meanwhile, until those say ``follow``."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    # The mask is what a worker inherits. It does not keep the signal from this process, whose other threads
    # (of a numerical library) may take it: so it is put off until the worker has been told what to do.
    came: list[int] = []
    in_charge = threading.current_thread() is threading.main_thread()
    handlers = {}
    if in_charge:
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                handlers[number] = signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if came:  # also where what was done meanwhile has failed, as it does when workers get the signal, too
            raise KeyboardInterrupt if came[0] == signal.SIGINT else Stopped(came[0])


def follow() -> None:
    """In a worker: end at a signal without a traceback, and when the process that started it is gone, however it
    went. Left alone it would wait for work for ever."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    if parent := multiprocessing.parent_process():

        def leave() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=leave, daemon=True).start()
