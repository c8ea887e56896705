"""The personal VAD: causal, a decision for every label, and the loss that its paper writes down."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'pse-bench[baseline]'")

from pse_bench.errors import InputError  # noqa: E402
from pse_bench.signal import mel  # noqa: E402
from pse_bench.speaker import dvector, dvector_weights  # noqa: E402
from pse_bench.training import checkpoint  # noqa: E402
from pse_bench.training.models import pvad  # noqa: E402
from pse_bench.training.models.e3net import num_parameters  # noqa: E402
from pse_bench.training.models.pvad import PVAD, PVADConfig, pairwise_loss  # noqa: E402


def made(speaker: str) -> PVAD:
    if speaker == "stream" and (reason := dvector_weights.missing()):
        pytest.skip(reason)
    torch.manual_seed(0)
    return PVAD(PVADConfig(speaker=speaker)).eval()


def inputs(num_samples: int = 4000) -> tuple:
    generator = torch.Generator().manual_seed(1)
    embedding = torch.nn.functional.normalize(torch.rand(2, 256, generator=generator), dim=-1)
    return 0.1 * torch.randn(2, num_samples, generator=generator), embedding


@pytest.mark.parametrize("speaker", pvad.SPEAKERS)
def test_a_decision_for_every_label_and_none_looks_ahead(speaker: str) -> None:
    model = made(speaker)
    mixture, embedding = inputs()
    with torch.no_grad():
        before = model(mixture, embedding)
        assert before.shape == (2, 25, 3)
        assert model(mixture[:, :3841], embedding).shape == (2, 25, 3)
        assert model(mixture[:, :3840], embedding).shape == (2, 24, 3)
        probability = model.probability(mixture, embedding)
        assert torch.allclose(probability, before.softmax(-1)[..., pvad.TARGET])
        for start in (1600, 1601, 1759):
            changed = mixture.clone()
            changed[:, start:] = 0.5
            after = model(changed, embedding)
            assert torch.equal(after[:, :10], before[:, :10])
            assert not torch.allclose(after[:, 11:], before[:, 11:])
        assert not torch.allclose(before, model(mixture, embedding.flip(0)), atol=1e-5)


def test_the_mels_are_those_of_the_package_shifted_to_the_end_of_a_label() -> None:
    model = made("vector")
    mixture, _ = inputs()
    expected = mel.mel_spectrogram(mixture[0].numpy(), sample_rate=16_000, frame=400, hop=40, num_mels=40)
    # there frame t is centred on sample t · hop; ours ends at (t + 1) · 160
    centres = (np.arange(25) * 160 + 160 - 200) // 40
    found = model.mel(mixture)[0].numpy()
    np.testing.assert_allclose(found[1:], expected[centres[1:]], rtol=1e-3)


def test_the_stream_is_the_frozen_network_over_the_mixture() -> None:
    model = made("stream")
    windows = np.random.default_rng(0).exponential(0.01, (3, 160, 40)).astype(np.float32)
    found = model.listener(torch.from_numpy(windows))[:, -1].numpy()
    np.testing.assert_allclose(found, dvector.forward(windows), atol=2e-6)
    assert num_parameters(model) < 0.15e6, "the network is not trained"
    model.train()
    pairwise_loss(model(*inputs()), torch.zeros(2, 25, dtype=torch.long)).mean().backward()
    assert all(parameter.grad is None for parameter in model.listener.parameters())
    assert all(parameter.grad is not None for parameter in model.lstm.parameters())


def test_the_frozen_network_is_not_stored(tmp_path) -> None:
    model = made("stream")
    checkpoint.save(tmp_path / "pvad.safetensors", model, checkpoint.describe(model, seed=1))
    assert (tmp_path / "pvad.safetensors").stat().st_size < 0.8e6
    back, about = checkpoint.load(tmp_path / "pvad.safetensors")
    assert about.kind == "pvad"
    with torch.no_grad():
        assert torch.equal(back(*inputs()), model(*inputs()))


def test_its_size_is_the_papers() -> None:
    assert 0.12e6 < num_parameters(made("vector")) < 0.14e6


@pytest.mark.parametrize("confusion", [0.1, 1.0, 0.0])
def test_the_pairwise_loss_is_its_brute_force_twin(confusion: float) -> None:
    generator = torch.Generator().manual_seed(2)
    logits = 3 * torch.randn(4, 5, 3, dtype=torch.float64, generator=generator)
    truth = torch.randint(0, 3, (4, 5), generator=generator)
    found = pairwise_loss(logits, truth, confusion=confusion)
    for b, n in np.ndindex(4, 5):
        z, y, total = logits[b, n].tolist(), int(truth[b, n]), 0.0
        for k in range(3):
            if k != y:
                weight = confusion if pvad.TARGET not in (k, y) else 1.0
                total -= weight * math.log(math.exp(z[y]) / (math.exp(z[y]) + math.exp(z[k])))
        assert float(found[b, n]) == pytest.approx(total / 2)
    huge = pairwise_loss(torch.tensor([[[1e4, -1e4, 0.0]]]), torch.tensor([[1]]))
    assert huge.isfinite().all()


def test_the_pairwise_loss_is_learned() -> None:
    """A few steps take the model to the right classes of two signals that differ."""
    torch.manual_seed(0)
    model = PVAD(PVADConfig(hidden=16, layers=1))
    mixture, embedding = inputs(8000)
    mixture[:, 4000:] *= 1e-3
    truth = torch.where(torch.arange(50) < 25, pvad.TARGET, pvad.NOBODY).expand(2, -1)
    optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
    for _ in range(30):
        loss = pairwise_loss(model(mixture, embedding), truth).mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert (model(mixture, embedding).argmax(-1) == truth).float().mean() > 0.9


def test_classes() -> None:
    target, other = torch.tensor([True, True, False, False]), torch.tensor([True, False, True, False])
    assert pvad.classes(target, other).tolist() == [pvad.TARGET, pvad.TARGET, pvad.OTHER, pvad.NOBODY]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"speaker": "cosine"}, "speaker 'cosine' is not known, expected one of vector, stream"),
        ({"hidden": 0}, "every size has to be positive"),
        ({"frame_s": 0.005}, "frame 0.005 s is shorter than the hop"),
        ({"speaker": "stream", "mels": 64}, "leave sample_rate, frame_s, hop_s, mels and embedding as they are"),
    ],
)
def test_sizes_that_cannot_be(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        PVADConfig(**change)
