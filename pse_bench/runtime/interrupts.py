"""Signals that end a command: Ctrl-C, a supervisor's SIGTERM, a terminal that closes. All of them end it in order:
workers are stopped, half-written files and temporary folders go, and the same command continues later."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Terminated(KeyboardInterrupt):
    """The KeyboardInterrupt of a signal other than Ctrl-C; ``number`` is the signal's."""

    number = property(lambda self: self.args[0])


def install_handlers() -> None:
    """Make the signals raise, as Ctrl-C does. One that is ignored from the beginning, as by nohup, stays so."""

    def terminate(number: int, _: FrameType | None) -> None:
        raise Terminated(number)

    for number in SIGNALS:
        if number != signal.SIGINT and signal.getsignal(number) is signal.SIG_DFL:
            signal.signal(number, terminate)


@contextmanager
def deferred() -> Iterator[None]:
    """Defer signals to the end of the block, and in processes started inside it until their ``worker_signals``."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    # The mask is what a worker inherits. It does not keep the signal from this process, whose other threads
    # (of a numerical library) may take it: so it is deferred until the worker has been told what to do.
    came: list[int] = []
    handlers = {}
    if threading.current_thread() is threading.main_thread():
        for number in SIGNALS:
            if signal.getsignal(number) not in (signal.SIG_IGN, None):
                handlers[number] = signal.signal(number, lambda number, _: came.append(number))
    try:
        yield
    finally:
        try:
            _handle(handlers)
        finally:
            # a signal that another thread took may raise as soon as its handler is back
            try:
                _handle(handlers)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if came:  # also where what was done meanwhile has failed, as it does when workers get the signal, too
            raise KeyboardInterrupt if came[0] == signal.SIGINT else Terminated(came[0])


def _handle(handlers: Mapping[signal.Signals, Any]) -> None:
    for number, handler in handlers.items():
        signal.signal(number, handler)


def worker_signals() -> None:
    """In a worker: end at a signal without a traceback, and when the process that started it has ended in any way.
    Left alone it would wait for work for ever."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
    if parent := multiprocessing.parent_process():

        def leave() -> None:
            parent.join()
            os._exit(1)

        threading.Thread(target=leave, daemon=True).start()
