"""The loss of a frame: power-law compressed spectra, phase-aware, with an over-suppression term.

Everything here is a pure function of spectra, (B, T, F) complex, that gives a value a frame, (B, T).
``losses`` says which frames count and what they are compared with.
"""

import torch

EXPONENT = 0.3
ALPHA = 0.5
BETA = 1.0

FLOOR = 1e-8
"""Added to |S|² before a negative power, so that the gradient at zero is finite (|S|^0.3 has none there). Then
|S| = 1e-4, what 16-bit rounding leaves in a bin of a 32 ms frame, is the knee; from 1e-3 on |S|^0.3 is less than
1 % off."""


def frame_loss(
    *,
    estimate: torch.Tensor,
    reference: torch.Tensor,
    exponent: float = EXPONENT,
    alpha: float = ALPHA,
    beta: float = BETA,
) -> torch.Tensor:
    """ℓ(t), (B, T): power-law compressed phase-aware loss (PLCPA), and β times what is missing in the estimate.

        PLCPA               1/F Σ_f [ α (|S|^p − |Ŝ|^p)² + (1 − α) | |S|^p e^{jφ_S} − |Ŝ|^p e^{jφ_Ŝ} |² ]
        over-suppression    1/F Σ_f h(|S|^p − |Ŝ|^p)²  with h(x) = max(x, 0)

    p = 0.3, α = 0.5, β = 1. The second term is zero wherever the estimate is at least as loud; a zero reference
    cannot be over-suppressed. |S|^p is |S|² |S|^{p − 2}, and |S|^p e^{jφ} is S |S|^{p − 1}, which are smooth at
    zero, so that a muted bin has lost all of itself.

    Source: arXiv 2110.09625, PLCPA (there averaged over frames too) and the asymmetric term. Ours is ``FLOOR``.

    The gradient, for the estimate only, is worked out beside the value: left to automatic differentiation it took
    as long as the model.

    Args:
        estimate, reference: (B, T, F), complex.
    """
    return _FrameLoss.apply(estimate, reference, exponent, alpha, beta)


class _FrameLoss(torch.autograd.Function):
    """With E = |Ŝ|², a = E + FLOOR, m = E a^{p/2 − 1} and the compressed Ĉ = Ŝ c, c = a^{(p − 1)/2}, and m_S and
    C_S of the reference, a bin's loss is α (m_S − m)² + (1 − α) |C_S − Ĉ|² + β h(m_S − m)²."""

    @staticmethod
    def forward(ctx, estimate, reference, exponent, alpha, beta):
        real, imag = estimate.real.contiguous(), estimate.imag.contiguous()
        energy, bent, loud, scale = _parts(real, imag, exponent)
        s_real, s_imag = reference.real.contiguous(), reference.imag.contiguous()
        _, _, wanted, s_scale = _parts(s_real, s_imag, exponent)
        lost = wanted.sub_(loud)  # m_S − m
        # C_S − Ĉ; each product rounded on its own, so that equal spectra are exactly equal
        apart_real, apart_imag = s_real.mul_(s_scale).sub_(real * scale), s_imag.mul_(s_scale).sub_(imag * scale)
        missing = lost.clamp(min=0)
        bins = alpha * lost.square() + beta * missing.square()
        bins.addcmul_(apart_real, apart_real, value=1 - alpha).addcmul_(apart_imag, apart_imag, value=1 - alpha)
        if ctx.needs_input_grad[0]:
            above = energy + FLOOR
            # by m and by c, each by E
            by_loud = lost.mul_(-2 * alpha).add_(missing, alpha=-2 * beta)
            by_energy = (energy / above).mul_(exponent / 2 - 1).add_(1).mul_(bent).mul_(by_loud)
            by_scale = (apart_real * real).addcmul_(apart_imag, imag).mul_(scale).div_(above)
            by_energy.add_(by_scale, alpha=-(1 - alpha) * (exponent - 1)).mul_(2)
            by_real = real.mul_(by_energy).addcmul_(apart_real, scale, value=-2 * (1 - alpha))
            by_imag = imag.mul_(by_energy).addcmul_(apart_imag, scale, value=-2 * (1 - alpha))
            ctx.save_for_backward(by_real, by_imag)
        return bins.mean(dim=-1)

    @staticmethod
    def backward(ctx, outer):
        by_real, by_imag = ctx.saved_tensors
        share = (outer / by_real.shape[-1]).unsqueeze(-1)
        return torch.complex(by_real * share, by_imag * share), None, None, None, None


def _parts(
    real: torch.Tensor, imag: torch.Tensor, exponent: float
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """E, a^{p/2 − 1}, |S|^p and the factor of compression a^{(p − 1)/2}."""
    energy = (real * real).addcmul_(imag, imag)
    above = energy + FLOOR
    bent = above ** (exponent / 2 - 1)
    return energy, bent, energy * bent, above.sqrt_().mul_(bent)
