"""On the path of a command, this makes its clock go backwards: an hour at a time, now and then."""

import time

_true = time.time
_asked = 0


def _backwards() -> float:
    global _asked  # noqa: PLW0603 - a clock is one for the whole process
    _asked += 1
    return _true() - 3600.0 * (_asked // 3)


time.time = _backwards
