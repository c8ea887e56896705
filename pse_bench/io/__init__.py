"""Files, tables, sound and storage."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """The folder of all caches."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "pse-bench"
