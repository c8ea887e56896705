"""Runs a program for ``command``, as a script that needs nothing but the standard library.

    python -I -S supervisor.py FOLDER

FOLDER is made, and a line says so. The first line that comes in, JSON of a list of words, starts the program, and
a line says how it ended: its status, or why it could not be started. The second line ends it. When no more can
come, since whoever started this is done or was killed, the program ends, too, and FOLDER is removed.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading

GRACE_S = 2.0  # between being asked to end, which a container passes on, and being killed


def run(folder: str, words: list[str]) -> None:
    """Start the program, and end it at the next line."""
    with open(os.path.join(folder, "stderr"), "wb") as stderr:
        try:
            program = subprocess.Popen(
                words,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=stderr,
                start_new_session=True,  # its process group has its number
            )
        except (OSError, ValueError) as error:
            print(getattr(error, "strerror", None) or error, flush=True)
            return
    watching = threading.Thread(target=watch, args=(program,), daemon=True)
    watching.start()
    sys.stdin.readline()
    for number in (signal.SIGTERM, signal.SIGKILL):
        if watching.is_alive():
            send(program.pid, number)
            watching.join(GRACE_S)


def watch(program: "subprocess.Popen[bytes]") -> None:
    """Wait for the program's end, end what it has left running, and say its status."""
    status = program.wait()
    send(program.pid, signal.SIGKILL)
    print(status, flush=True)


def send(group: int, number: int) -> None:
    """Send a signal to a process group that may be gone."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


def main() -> None:
    """See above."""
    folder = sys.argv[1]
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda *_: None)  # ends with whoever started it; the program has the defaults
    os.mkdir(folder, 0o700)
    try:
        print("ready", flush=True)
        if line := sys.stdin.readline():
            run(folder, json.loads(line))
            sys.stdin.readline()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
