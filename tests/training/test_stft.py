"""Spectra and labels are on the frames in which over-suppression is scored."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'pse-bench[baseline]'")

from pse_bench.metrics.signals import frames_of  # noqa: E402
from pse_bench.signal import vad  # noqa: E402
from pse_bench.training import frame_loss  # noqa: E402


def test_the_frames_are_those_of_the_metrics() -> None:
    samples = np.random.default_rng(0).standard_normal(5000)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512)
    expected = np.fft.rfft(frames_of(samples, 16_000) * window)
    found = frame_loss.spectrum(torch.from_numpy(samples)[None])[0].numpy()
    assert found.shape == expected.shape == (18, 257)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@given(num_samples=st.integers(512, 4000), seed=st.integers(0, 99))
def test_labels_on_frames_are_means_over_their_samples(num_samples: int, seed: int) -> None:
    labels = np.random.default_rng(seed).random((2, -(-num_samples // 160)))
    found = frame_loss.to_spectrum_frames(torch.from_numpy(labels), label_hop=160, num_samples=num_samples).numpy()
    samples = np.repeat(labels, 160, axis=1)[:, :num_samples]
    starts = range(0, num_samples - 511, 256)
    expected = np.stack([samples[:, start : start + 512].mean(axis=1) for start in starts], axis=1)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    hard = labels > 0.5
    active = frame_loss.to_spectrum_frames(torch.from_numpy(hard), label_hop=160, num_samples=num_samples) > 0.5
    for one, ours in zip(hard, active.numpy(), strict=True):
        theirs = vad.frames_with(vad.to_samples(one, num_samples, 16_000), 512, 256)
        assert np.array_equal(ours, theirs)


@pytest.mark.parametrize(("frame", "hop", "num_samples"), [(512, 256, 2000), (8, 4, 37), (9, 3, 30), (8, 5, 31)])
def test_the_gradient_is_that_of_automatic_differentiation(frame: int, hop: int, num_samples: int) -> None:
    generator = torch.Generator().manual_seed(frame)
    samples = torch.randn(2, num_samples, generator=generator).requires_grad_()
    window = torch.hann_window(frame, periodic=True)
    plain = torch.fft.rfft(samples.unfold(-1, frame, hop) * window)
    outer = torch.randn(plain.shape, dtype=plain.dtype, generator=generator)
    found = frame_loss.spectrum(samples, frame=frame, hop=hop)
    assert torch.equal(found, plain)
    (expected,) = torch.autograd.grad(plain, samples, outer)
    (gradient,) = torch.autograd.grad(found, samples, outer)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5)


def test_labels_of_another_length_are_refused() -> None:
    with pytest.raises(ValueError, match="6 labels for 1000 samples, expected 7"):
        frame_loss.to_spectrum_frames(torch.zeros(1, 6), label_hop=160, num_samples=1000)
