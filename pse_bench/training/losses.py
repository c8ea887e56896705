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
what a sum is divided by (``normaliser``), and θ (``threshold``).
"""

import torch

from pse_bench.training.frame_loss import ALPHA, BETA, EXPONENT, frame_loss

THRESHOLD = 0.5

RECIPES = ("no-its", "its", "its-exclude", "its-noisy-reference", "its-soft")
GUIDED = ("its-exclude", "its-noisy-reference", "its-soft")
"""The recipes that look at the pVAD."""

SCOPES = ("all", "its")
NORMALISERS = ("item", "batch", "frames")


# ---- the recipes


def misclassified(
    *, activity: torch.Tensor, probability: torch.Tensor, threshold: float = THRESHOLD
) -> torch.Tensor:
    """M, bool (B, T): frames in which the target is inactive, a(t) = 0, and q(t) > θ."""
    return ~activity.bool() & (probability > threshold)


def frame_weights(
    recipe: str,
    *,
    activity: torch.Tensor,
    probability: torch.Tensor | None = None,
    its: torch.Tensor | None = None,
    threshold: float = THRESHOLD,
    scope: str = "all",
) -> torch.Tensor:
    """How much each frame counts, (B, T), in [0, 1]; see ``recipe_loss`` for the arguments."""
    _check(recipe, probability, its, scope)
    weights = torch.ones_like(activity, dtype=torch.float32)
    if recipe == "no-its" and its is not None:
        weights = weights * ~its.bool()[:, None]
    if recipe == "its-exclude":
        left_out = misclassified(activity=activity, probability=probability, threshold=threshold)
        weights = torch.where(left_out & _in_scope(activity, its, scope), 0.0, weights)
    if recipe == "its-soft":
        inactive = ~activity.bool() & _in_scope(activity, its, scope)
        weights = torch.where(inactive, 1 - probability.detach().float(), weights)
    return weights


def recipe_reference(
    recipe: str,
    *,
    reference: torch.Tensor,
    mixture: torch.Tensor | None = None,
    activity: torch.Tensor,
    probability: torch.Tensor | None = None,
    its: torch.Tensor | None = None,
    threshold: float = THRESHOLD,
    scope: str = "all",
) -> torch.Tensor:
    """What the estimate is compared with, (B, T, F): the reference S, but the mixture Y on the frames of M in
    ``its-noisy-reference``; see ``recipe_loss`` for the arguments."""
    _check(recipe, probability, its, scope)
    if recipe != "its-noisy-reference":
        return reference
    if mixture is None:
        raise ValueError(f"{recipe} needs the mixture")
    wrong = misclassified(activity=activity, probability=probability, threshold=threshold)
    return torch.where((wrong & _in_scope(activity, its, scope))[..., None], mixture, reference)


def recipe_loss(
    recipe: str,
    *,
    estimate: torch.Tensor,
    reference: torch.Tensor,
    activity: torch.Tensor,
    mixture: torch.Tensor | None = None,
    probability: torch.Tensor | None = None,
    its: torch.Tensor | None = None,
    threshold: float = THRESHOLD,
    scope: str = "all",
    normaliser: str = "item",
    exponent: float = EXPONENT,
    alpha: float = ALPHA,
    beta: float = BETA,
) -> torch.Tensor:
    """The loss of a batch under one of ``RECIPES``: a scalar. Formulas at the top of this module.

    Args:
        recipe: one of ``RECIPES``.
        estimate, reference, mixture: Ŝ, S and Y, (B, T, F), complex; the reference is zero in ITS items. The
            mixture is needed by ``its-noisy-reference`` only.
        activity: a, (B, T), bool or 0 and 1.
        probability: q, (B, T), in [0, 1]; needed by the guided recipes. Never trained through.
        its: (B,), true for ITS items. Such items count nothing in ``no-its``; needed by ``scope`` "its".
        threshold: θ. With θ = 1 M is empty.
        scope: the design says a(t) = 0, so "all" takes every target-inactive frame, the target's pauses too; "its"
            only the frames of ITS items. Our reading is open here.
        normaliser: what the weighted sum is divided by. "item": an item's own weights, then the mean over items,
            so an item of which little is left counts as much as any other. "batch": all weights of the batch.
            "frames": the number of frames whether they count or not, so leaving frames out makes the loss smaller.
        exponent, alpha, beta: see ``frame_loss``.

    Returns:
        zero with a zero gradient when no frame counts.

    Raises:
        ValueError: the recipe or an option is not known, or an argument is missing that it needs.
    """
    if normaliser not in NORMALISERS:
        raise ValueError(f"normaliser {normaliser!r} is not known, expected one of {', '.join(NORMALISERS)}")
    chosen = {"activity": activity, "probability": probability, "its": its, "threshold": threshold, "scope": scope}
    weights = frame_weights(recipe, **chosen)
    compared = recipe_reference(recipe, reference=reference, mixture=mixture, **chosen)
    losses = frame_loss(estimate=estimate, reference=compared, exponent=exponent, alpha=alpha, beta=beta)
    weighted = weights * losses
    if normaliser == "frames":
        return weighted.mean()
    if normaliser == "batch":
        return weighted.sum() / _at_least_something(weights.sum())
    items = weights.sum(dim=-1)
    means = weighted.sum(dim=-1) / _at_least_something(items)
    return means.sum() / _at_least_something((items > 0).sum().float())


def _at_least_something(total: torch.Tensor) -> torch.Tensor:
    """A divisor; where nothing counts, the sum above it is zero too."""
    return torch.where(total > 0, total, torch.ones_like(total))


def _in_scope(activity: torch.Tensor, its: torch.Tensor | None, scope: str) -> torch.Tensor:
    everywhere = torch.ones_like(activity, dtype=torch.bool)
    return everywhere if scope == "all" or its is None else everywhere & its.bool()[:, None]


def _check(recipe: str, probability: torch.Tensor | None, its: torch.Tensor | None, scope: str) -> None:
    if recipe not in RECIPES:
        raise ValueError(f"recipe {recipe!r} is not known, expected one of {', '.join(RECIPES)}")
    if scope not in SCOPES:
        raise ValueError(f"scope {scope!r} is not known, expected one of {', '.join(SCOPES)}")
    if recipe in GUIDED and probability is None:
        raise ValueError(f"{recipe} needs the pVAD's probability")
    if recipe in GUIDED and scope == "its" and its is None:
        raise ValueError("scope 'its' needs to know which items are ITS")
