"""What is trained, from what, and which systems are compared: the experiment as data."""

from dataclasses import dataclass
from pathlib import Path

from pse_bench.training.losses import LOSS_RECIPES

HERE = Path(__file__).parent
SEEDS = (1, 2, 3)
RECIPES = tuple(LOSS_RECIPES)
VARIANTS = {
    "its-exclude-low": ("its-exclude", "loss.threshold=0.3"),
    "its-noisy-reference-high": ("its-noisy-reference", "loss.threshold=0.83", "data.its_share=0.3"),
}
"""Recipes with other settings, chosen on validation speakers: the README says why."""
KINDS = (*RECIPES, *VARIANTS)
"""What is compared, each with all seeds."""
HEARD = "its-noisy-reference"
"""What is held against the mixture by personalized DNSMOS, too, which takes longer than all else: the recipe that
takes the least from the target."""
ITS_SHARE = 0.25
SHARES = (0.25, 0.5, 0.75)
"""Where the line from ``no-its`` to ``its`` is looked at."""


@dataclass(frozen=True)
class Training:
    """One run of ``pse-bench train``.

    Attributes:
        name: of its folder.
        config: file beside this one.
        changes: for ``--set``.
        begin: name of the run whose weights it begins with.
        guided: whether the pVAD takes part.
        people: share of the training people who are heard.
        draw: which draw of them.
    """

    name: str
    config: str
    changes: tuple[str, ...] = ()
    begin: str = ""
    guided: bool = False
    people: float = 1.0
    draw: int = 1

    @property
    def task(self) -> str:
        """``pvad`` or ``pse``."""
        return "pvad" if self.config == "pvad.yaml" else "pse"

    @property
    def needs(self) -> tuple[str, ...]:
        """Names of the runs that come first."""
        return tuple(name for name in (self.begin, "pvad" if self.guided else "") if name)


def recipe(
    name: str, kind: str, seed: int, *changes: str, begin: str = "base", guided: bool | None = None
) -> Training:
    """A recipe from a common beginning."""
    share = ITS_SHARE if LOSS_RECIPES[kind].uses_its else 0.0
    own = (f"recipe={kind}", f"seed={seed}", f"data.its_share={share}", *changes)
    guided = LOSS_RECIPES[kind].needs_pvad if guided is None else guided
    return Training(name, "recipe.yaml", own, begin, guided)


def swept(what: str, kind: str, *changes: str, seed: int = 1, guided: bool | None = None) -> Training:
    """A recipe with something else."""
    return recipe(f"sweep.{kind}.{what}.{seed}", kind, seed, *changes, guided=guided)


COMPARED = [
    *(recipe(f"{kind}.{seed}", kind, seed) for seed in SEEDS for kind in RECIPES),
    *(
        recipe(f"{name}.{seed}", kind, seed, *changes)
        for name, (kind, *changes) in VARIANTS.items()
        for seed in SEEDS
    ),
]
"""What the test sets are scored with."""

SWEEPS = [
    swept("theta-0.8", "its-exclude", "loss.threshold=0.8"),
    # M from the true activity: every inactive frame in which somebody else talks
    swept("oracle", "its-exclude", "loss.guide=interferer", guided=False),
    *(
        swept(f"share-{share}", kind, f"data.its_share={share}")
        for share in (0.5, 0.1)
        for kind in ("its", "its-exclude")
    ),
    swept("scope-its", "its-exclude", "loss.scope=its"),
    swept("share-0.5", "its-soft", "data.its_share=0.5"),
    swept("theta-0.3.share-0.5", "its-exclude", "loss.threshold=0.3", "data.its_share=0.5"),
    swept("theta-0.8.share-0.5", "its-noisy-reference", "loss.threshold=0.8", "data.its_share=0.5"),
    *(
        swept(f"theta-{threshold}", "its-noisy-reference", f"loss.threshold={threshold}", seed=seed)
        for threshold, seeds in ((0.8, (1, 2)), (0.83, SEEDS), (0.86, (1, 2)), (0.9, (1,)))
        for seed in seeds
    ),
]
"""Looked at on validation speakers only, against COMPARED of the same seed."""

BEGINNINGS = [Training("base", "base.yaml"), Training("pvad", "pvad.yaml")]

LEARNING = [
    *(
        Training(
            f"people-{people:g}.{seed}", "base.yaml", ("steps=3000", f"seed={seed}"), people=people, draw=seed
        )
        for seed in (1, 2)
        for people in (0.25, 0.5, 1.0)
    ),
    Training("wide", "base.yaml", ("steps=3000", "model.bottleneck=320", "model.fc=320", "model.lstm=320")),
    Training("published-loss", "base.yaml", ("steps=3000", "loss.exponent=0.3", "loss.level_dbfs=null")),
]
"""What more people are worth, each with the whole of its annealing, what twice the width, and what the loss;
``base`` says what more time is worth."""

SEEN = ("19", "26", "150", "198", "201", "248", "254", "332")
"""The first people by number who are trained on, from LibriSpeech."""

KNOWN = Training(
    "seen",
    "base.yaml",
    (
        "steps=1",
        "optimiser.lr=1e-12",
        "optimiser.last_lr=1e-12",
        "optimiser.warmup_steps=0",
        f"validation.people=[{', '.join(f'librispeech/{name}' for name in SEEN)}]",
    ),
    begin="base",
)
"""``base`` looked at with people whom it knows: its one step is too small to change anything."""

TRAININGS = [*BEGINNINGS, *COMPARED, *SWEEPS, *LEARNING, KNOWN]
