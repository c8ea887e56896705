"""What training minimises: power-law compressed spectra with an over-suppression term, and the five recipes.

Everything here is a pure function of spectra, (B, T, F) complex, and of frame values, (B, T), on the same frames.

The recipes are those of Taherian, Eskimez, Yoshioka, "Breaking the trade-off in personalized speech enhancement
with cross-task knowledge distillation" (arXiv 2211.02944). Of it the abstract and the captions of Fig. 1 were
available, so the formulas are OUR READING of them, and so are the names. With the frame loss ℓ(t), the target's
true activity a(t), the pVAD's probability of target speech q(t), and M = {t : a(t) = 0, q(t) > θ}, the inactive
frames that the pVAD takes for target speech:

    no-its               items with an inactive target (ITS) are not trained on; mean of ℓ over the others
    its                  ITS items with a zero reference; mean of ℓ
    its-exclude          Fig. 1(a)   Σ_{t∉M} ℓ(S, Ŝ) / #{t∉M}
    its-noisy-reference  Fig. 1(b)   mean of ℓ, where frames of M have the mixture Y as reference
    its-soft             Fig. 1(c)   Σ w ℓ(S, Ŝ) / Σ w with w(t) = 1 − q(t) where a(t) = 0, else 1

What the captions leave open is an option: whether M is looked for in all items or in ITS items only (``scope``),
what a sum is divided by (``normaliser``), and θ (``threshold``). A recipe of one's own is a ``Recipe`` that a
configuration names by ``module:attribute``.
"""

from __future__ import annotations  # which name torch: it is loaded when a loss is computed

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, get_args

from pse_bench.registry import Registry

if TYPE_CHECKING:
    import torch

Scope = Literal["all", "its"]
Normaliser = Literal["item", "batch", "frames"]


@dataclass(frozen=True)
class Frames:
    """What a recipe knows of the frames of a batch.

    The paper says a(t) = 0, so the ``scope`` "all" takes every target-inactive frame, the target's pauses too;
    "its" only the frames of ITS items. Our reading is open here.
    """

    activity: torch.Tensor  # a, (B, T), bool or 0 and 1
    probability: torch.Tensor | None = None  # q, (B, T), in [0, 1]; never trained through
    its: torch.Tensor | None = None  # (B,), true for items whose target is inactive
    threshold: float = 0.5  # θ; with θ = 1 M is empty
    scope: str = "all"

    @property
    def q(self) -> torch.Tensor:
        """The pVAD's probability of target speech, (B, T). Raises ValueError where there is none."""
        if self.probability is None:
            raise ValueError("the recipe needs the pVAD's probability")
        return self.probability

    @property
    def inactive(self) -> torch.Tensor:
        """Frames in scope in which the target is inactive, bool (B, T)."""
        silent = ~self.activity.bool()
        return silent if self.scope == "all" or self.its is None else silent & self.its.bool()[:, None]

    @property
    def misclassified(self) -> torch.Tensor:
        """M, bool (B, T): frames in scope in which the target is inactive, a(t) = 0, and q(t) > θ."""
        return self.inactive & (self.q > self.threshold)


@dataclass(frozen=True)
class Recipe:
    """Which frames count in the loss, and what the estimate is compared with."""

    # from frames to how much each counts, (B, T), float32 in [0, 1]; without it, 1
    weights: Callable[[Frames], torch.Tensor] | None = None
    # from frames, S and Y, (B, T, F), to what the estimate is compared with; without it, S
    reference: Callable[[Frames, torch.Tensor, torch.Tensor], torch.Tensor] | None = None
    needs_pvad: bool = False  # whether it looks at q
    uses_its: bool = True  # whether items with an inactive target are trained on


LOSS_RECIPES: Registry[Recipe] = Registry(
    "recipe",
    {
        "no-its": Recipe(uses_its=False),
        "its": Recipe(),
        "its-exclude": Recipe(lambda frames: (~frames.misclassified).float(), needs_pvad=True),
        "its-noisy-reference": Recipe(
            reference=lambda frames, wanted, mixture: mixture.where(frames.misclassified[..., None], wanted),
            needs_pvad=True,
        ),
        "its-soft": Recipe(
            lambda frames: (1 - frames.q.detach().float()).masked_fill(~frames.inactive, 1.0), needs_pvad=True
        ),
    },
    group="pse_bench.losses",
    check=lambda made: (
        "" if isinstance(made, Recipe) else f"expected a losses.Recipe, found a {type(made).__name__}"
    ),
)


def recipe_loss(
    recipe: Recipe,
    *,
    estimate: torch.Tensor,
    reference: torch.Tensor,
    activity: torch.Tensor,
    mixture: torch.Tensor | None = None,
    probability: torch.Tensor | None = None,
    its: torch.Tensor | None = None,
    threshold: float = 0.5,
    scope: str = "all",
    normaliser: str = "item",
    **shape: float,
) -> torch.Tensor:
    """The loss of a batch under a recipe: a scalar. Formulas at the top of this module.

    Args:
        recipe: an entry of ``LOSS_RECIPES``, or one's own.
        estimate, reference, mixture: Ŝ, S and Y, (B, T, F), complex; the reference is zero in ITS items. The
            mixture is needed by a recipe with a ``reference`` only.
        activity, probability, its, threshold, scope: see ``Frames``. ITS items count nothing in ``no-its``.
        normaliser: what the weighted sum is divided by. "item": an item's own weights, then the mean over items,
            so an item of which little is left counts as much as any other. "batch": all weights of the batch.
            "frames": the number of frames whether they count or not, so leaving frames out makes the loss smaller.
        shape: exponent, alpha and beta, see ``frame_loss``.

    Zero with a zero gradient when no frame counts. Raises ValueError at an option that is not known, or without an
    argument that the recipe needs.
    """
    import torch

    from pse_bench.training.frame_loss import frame_loss

    for name, value, known in (("normaliser", normaliser, Normaliser), ("scope", scope, Scope)):
        if value not in get_args(known):
            raise ValueError(f"{name} {value!r} is not known, expected one of {', '.join(get_args(known))}")
    if recipe.needs_pvad and scope == "its" and its is None:
        raise ValueError("scope 'its' needs to know which items are ITS")
    frames = Frames(activity, probability, its, threshold, scope)
    weights = recipe.weights(frames) if recipe.weights else torch.ones_like(activity, dtype=torch.float32)
    if not recipe.uses_its and its is not None:
        weights = weights * ~its.bool()[:, None]
    if recipe.reference:
        if mixture is None:
            raise ValueError("the recipe needs the mixture")
        reference = recipe.reference(frames, reference, mixture)
    weighted = weights * frame_loss(estimate=estimate, reference=reference, **shape)
    if normaliser == "frames":
        return weighted.mean()
    if normaliser == "batch":
        return _mean(weighted.sum(), weights.sum())
    items = weights.sum(dim=-1)
    return _mean(_mean(weighted.sum(dim=-1), items).sum(), (items > 0).sum().float())


def _mean(total: torch.Tensor, count: torch.Tensor) -> torch.Tensor:
    """A sum by what it is of; where nothing counts, it is zero."""
    return total / count.masked_fill(~(count > 0), 1.0)
