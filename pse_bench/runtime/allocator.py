"""The C library's handling of freed memory.

Set by a call and not by MALLOC_TRIM_THRESHOLD_ and MALLOC_MMAP_THRESHOLD_: those are read when a process starts,
and work also runs in the process of the command.
"""

import contextlib
import ctypes
from functools import lru_cache

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST = 32 << 20
"""The largest block, in bytes, that glibc can be told to take from its heap."""


@lru_cache(maxsize=1)
def keep_freed_memory() -> None:
    """Let this process keep up to 64 MB of what it frees, for its next arrays.

    Signals of seconds are megabytes. By default glibc hands each back to the system as soon as it is freed, and
    the next one comes page by page, zeroed: a sixth of the time that a scene takes. Other C libraries are left
    alone.
    """
    with contextlib.suppress(OSError, AttributeError):
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 - only glibc has it, and these numbers mean something else elsewhere
        library.mallopt(M_MMAP_THRESHOLD, LARGEST)
        library.mallopt(M_TRIM_THRESHOLD, 2 * LARGEST)
