"""Put on PYTHONPATH, this denies the network to every Python process that starts: whoever tries gets an error.

    PYTHONPATH=tests/offline PSE_BENCH_OFFLINE_LOG=tried.txt pse-bench demo

Sockets of this machine alone (AF_UNIX, and pipes) are left to it, since worker processes talk through them. With
``PSE_BENCH_OFFLINE_LOG`` each try is also written down, for a library that swallows the error.
"""

import os
import socket
import sys

ASKS = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr", "socket.getnameinfo")
GOES = ("socket.bind", "socket.connect", "socket.sendto", "socket.sendmsg")


def deny(event, arguments):
    """An audit hook: raises where a name is looked up, or a socket is used that leads elsewhere."""
    if event in ASKS or (event in GOES and arguments[0].family != socket.AF_UNIX):
        if log := os.environ.get("PSE_BENCH_OFFLINE_LOG"):
            with open(log, "a", encoding="utf-8") as stream:
                stream.write(f"{event} {arguments[-1]!r} in {' '.join(sys.argv)}\n")
        raise OSError(f"no network here: {event} {arguments[-1]!r}")


sys.addaudithook(deny)
