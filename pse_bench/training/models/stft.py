"""Spectra for the losses, and labels brought from their own grid of frames to that of the spectra."""

import math

import torch

FRAME, HOP = 512, 256
"""32 ms and 16 ms at 16 kHz, the frames in which over-suppression is scored (``metrics.signals``)."""


def spectrum(samples: torch.Tensor, *, frame: int = FRAME, hop: int = HOP) -> torch.Tensor:
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


def num_frames(num_samples: int, *, frame: int = FRAME, hop: int = HOP) -> int:
    """How many frames ``spectrum`` gives."""
    return 1 + (num_samples - frame) // hop


def to_spectrum_frames(
    labels: torch.Tensor, *, label_hop: int, num_samples: int, frame: int = FRAME, hop: int = HOP
) -> torch.Tensor:
    """Labels or probabilities, (B, L), one for every ``label_hop`` samples, on the frames of ``spectrum``.

    A frame's value is the mean over its samples. For activity, ``> 0.5`` of it is the metrics' rule for an active
    frame (``vad.frames_with``).

    Args:
        labels: (B, L) with L = ceil(num_samples / label_hop): label l is for [l · label_hop, (l + 1) · label_hop).
        label_hop: in samples; 160 for activity and the pVAD at 16 kHz.
        num_samples: of the signals.

    Returns:
        (B, N), float32.
    """
    expected = math.ceil(num_samples / label_hop)
    if labels.shape[-1] != expected:
        raise ValueError(f"{labels.shape[-1]} labels for {num_samples} samples, expected {expected}")
    # Sums up to a sample are linear between the labels' edges: no repetition for every sample is needed.
    sums = torch.nn.functional.pad(labels.double().cumsum(-1), (1, 0)) * label_hop  # (B, L + 1)
    starts = hop * torch.arange(num_frames(num_samples, frame=frame, hop=hop), device=labels.device)

    def until(sample: torch.Tensor) -> torch.Tensor:
        whole = torch.div(sample, label_hop, rounding_mode="floor").clamp(max=expected - 1)
        return sums[..., whole] + labels[..., whole].double() * (sample - whole * label_hop)

    return ((until(starts + frame) - until(starts)) / frame).float()
