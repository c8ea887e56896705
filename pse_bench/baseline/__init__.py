"""The old name of ``pse_bench.training``, for one release: each module under what it was called there."""

import sys
import warnings
from importlib import import_module

warnings.warn("pse_bench.baseline is pse_bench.training now", DeprecationWarning, stacklevel=2)
for _old, _new in {
    **{name: name for name in ("checkpoint", "config", "frame_loss", "losses", "tasks", "train")},
    **{"e3net": "models.e3net", "pvad": "models.pvad", "spectra": "frame_loss", "journey": "run"},
    **{name: "models.inference" for name in ("detector", "enhancer", "streaming")},
    **{"batches": "data.batches", "sources": "data.sources", "look": "tasks"},
}.items():
    sys.modules[f"{__name__}.{_old}"] = globals()[_old] = import_module(f"pse_bench.training.{_new}")
