"""pse-bench: scenarios, scoring and a baseline for causal personalized speech enhancement.

``from pse_bench import Dataset, score_submission`` and the like load what they need when they are first used, so
that importing the package costs nothing. ``__init__.pyi`` says the same to type checkers.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

_API = {
    "Clip": "metrics:Clip",
    "Dataset": "dataset.dataset:Dataset",
    "InputError": "errors:InputError",
    "METRICS": "metrics:ALL_METRICS",
    "Planner": "planning.plan:Planner",
    "Processes": "runtime.executor:Processes",
    "PseBenchError": "errors:PseBenchError",
    "Recipe": "schemas:Recipe",
    "Result": "scoring.results:Result",
    "Roots": "corpora.roots:Roots",
    "Scenario": "planning.scenario:Scenario",
    "Serial": "runtime.executor:Serial",
    "check_submission": "submission.check.run:check",
    "compare_results": "scoring.comparison:compare",
    "enhance_dataset": "systems.enhance:enhance",
    "evaluate": "metrics:evaluate",
    "load_scenario": "planning.scenario:load",
    "plan_dataset": "planning.plan:plan_dataset",
    "plan_header": "planning.plan:header",
    "plot_distributions": "reporting.figures:plot_distributions",
    "plot_sessions": "reporting.figures:plot_sessions",
    "plot_tradeoff": "reporting.figures:plot_tradeoff",
    "read_plan": "planning.plan:read",
    "read_table": "io.tables:read_table",
    "render_plan": "simulation.render:render",
    "score_submission": "scoring.score:score",
    "train_model": "training.job:train_model",
    "verify_dataset": "simulation.verify:verify",
    "write_plan": "planning.plan:write",
}
"""What each public name is: a module of the package and what it is called there."""

__all__ = ["__version__", *_API]  # noqa: PLE0604 - strings, each of them


def __getattr__(name: str) -> Any:
    if name not in _API:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, _, inner = _API[name].partition(":")
    value = getattr(import_module(f"{__name__}.{module}"), inner)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_API})
