"""The public names with their types; ``__init__.py`` loads them when they are used."""

from pse_bench.corpora.roots import Roots
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError, PseBenchError
from pse_bench.io.tables import read_table
from pse_bench.metrics import ALL_METRICS as METRICS
from pse_bench.metrics import Clip, evaluate
from pse_bench.planning.plan import Planner, plan_dataset
from pse_bench.planning.plan import header as plan_header
from pse_bench.planning.plan import read as read_plan
from pse_bench.planning.plan import write as write_plan
from pse_bench.planning.scenario import Scenario
from pse_bench.planning.scenario import load as load_scenario
from pse_bench.reporting.figures import plot_distributions, plot_sessions, plot_tradeoff
from pse_bench.runtime.executor import Processes, Serial
from pse_bench.schemas import Recipe
from pse_bench.scoring.comparison import compare as compare_results
from pse_bench.scoring.results import Result
from pse_bench.scoring.score import score as score_submission
from pse_bench.simulation.render import render as render_plan
from pse_bench.simulation.verify import verify as verify_dataset
from pse_bench.submission.check.run import check as check_submission
from pse_bench.systems.enhance import enhance as enhance_dataset
from pse_bench.training.job import train_model as train_model

__version__: str

__all__ = [
    "METRICS",
    "Clip",
    "Dataset",
    "InputError",
    "Planner",
    "Processes",
    "PseBenchError",
    "Recipe",
    "Result",
    "Roots",
    "Scenario",
    "Serial",
    "__version__",
    "check_submission",
    "compare_results",
    "enhance_dataset",
    "evaluate",
    "load_scenario",
    "plan_dataset",
    "plan_header",
    "plot_distributions",
    "plot_sessions",
    "plot_tradeoff",
    "read_plan",
    "read_table",
    "render_plan",
    "score_submission",
    "train_model",
    "verify_dataset",
    "write_plan",
]
