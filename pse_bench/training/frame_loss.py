"""The loss of a frame: power-law compressed spectra, phase-aware, with an over-suppression term; and the spectra.

``losses`` says which frames count and what they are compared with.
"""

import math

import torch
from torch import Tensor

# 32 ms and 16 ms at 16 kHz, the frames in which over-suppression is scored (``metrics.signals``)
FRAME, HOP = 512, 256

FLOOR = 1e-8
"""Added to |S|² before a negative power, so that the gradient at zero is finite (|S|^0.3 has none there). Then
|S| = 1e-4, what 16-bit rounding leaves in a bin of a 32 ms frame, is the knee; from 1e-3 on |S|^0.3 is less than
1 % off."""


def frame_loss(
    *, estimate: Tensor, reference: Tensor, exponent: float = 0.3, alpha: float = 0.5, beta: float = 1.0
) -> Tensor:
    """ℓ(t), (B, T), of spectra, (B, T, F) complex: power-law compressed phase-aware loss (PLCPA), and β times what
    is missing in the estimate.

        PLCPA               1/F Σ_f [ α (|S|^p − |Ŝ|^p)² + (1 − α) | |S|^p e^{jφ_S} − |Ŝ|^p e^{jφ_Ŝ} |² ]
        over-suppression    1/F Σ_f h(|S|^p − |Ŝ|^p)²  with h(x) = max(x, 0)

    The second term is zero wherever the estimate is at least as loud; a zero reference
    cannot be over-suppressed. |S|^p is |S|² |S|^{p − 2}, and |S|^p e^{jφ} is S |S|^{p − 1}, which are smooth at
    zero, so that a muted bin has lost all of itself.

    Source: arXiv 2110.09625, PLCPA (there averaged over frames too) and the asymmetric term. Ours is ``FLOOR``.

    The gradient, for the estimate only, is worked out beside the value: left to automatic differentiation it took
    as long as the model.
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


def _parts(real: Tensor, imag: Tensor, exponent: float) -> tuple[Tensor, ...]:
    """E, a^{p/2 − 1}, |S|^p and the factor of compression a^{(p − 1)/2}."""
    energy = (real * real).addcmul_(imag, imag)
    above = energy + FLOOR
    bent = above ** (exponent / 2 - 1)
    return energy, bent, energy * bent, above.sqrt_().mul_(bent)


# ---- spectra, and labels on their frames


def spectrum(samples: Tensor, *, frame: int = FRAME, hop: int = HOP) -> Tensor:
    """Complex spectra, (B, N, frame / 2 + 1), of signals (B, T) under a periodic Hann window.

    As in the metrics: frame t covers [t · hop, t · hop + frame), nothing is padded or normalised. In float32 also
    under autocast, since powers of 0.3 need the small values.
    """
    return _Spectrum.apply(samples.float(), frame, hop)


class _Spectrum(torch.autograd.Function):
    """The gradient of a real transform is a real transform; torch's own takes a complex one of twice the size."""

    @staticmethod
    def forward(ctx, samples, frame, hop):
        window = torch.hann_window(frame, periodic=True, dtype=samples.dtype, device=samples.device)
        ctx.save_for_backward(window)
        ctx.sizes = (*samples.shape, hop)
        return torch.fft.rfft(samples.unfold(-1, frame, hop) * window)

    @staticmethod
    def backward(ctx, outer):
        (window,) = ctx.saved_tensors
        rows, num_samples, hop = ctx.sizes
        # irfft counts every bin twice, for those of negative frequency, but those that have no such twin
        halves = outer * 0.5
        single = [0, -1] if len(window) % 2 == 0 else [0]
        halves[..., single] = outer[..., single]
        pieces = torch.fft.irfft(halves, n=len(window), norm="forward") * window  # (B, N, frame)
        spread = pieces.new_zeros(rows, num_samples)
        for start in range(0, len(window), hop):
            part = pieces[..., start : start + hop]  # these of all frames do not overlap
            spread.as_strided(part.shape, (num_samples, hop, 1), start).add_(part)
        return spread, None, None


def to_spectrum_frames(labels: Tensor, *, label_hop: int, num_samples: int) -> Tensor:
    """Labels or probabilities on the frames of ``spectrum``, (B, N), float32, of (B, ceil(num_samples /
    label_hop)): label l is for the samples [l · label_hop, (l + 1) · label_hop).

    A frame's value is the mean over its samples. For activity, ``> 0.5`` of it is the metrics' rule for an active
    frame (``vad.frames_with``).
    """
    expected = math.ceil(num_samples / label_hop)
    if labels.shape[-1] != expected:
        raise ValueError(f"{labels.shape[-1]} labels for {num_samples} samples, expected {expected}")
    # Sums up to a sample are linear between the labels' edges: no repetition for every sample is needed.
    sums = torch.nn.functional.pad(labels.double().cumsum(-1), (1, 0)) * label_hop  # (B, L + 1)
    starts = HOP * torch.arange(1 + (num_samples - FRAME) // HOP, device=labels.device)

    def until(sample: Tensor) -> Tensor:
        whole = torch.div(sample, label_hop, rounding_mode="floor").clamp(max=expected - 1)
        return sums[..., whole] + labels[..., whole].double() * (sample - whole * label_hop)

    return ((until(starts + FRAME) - until(starts)) / FRAME).float()
