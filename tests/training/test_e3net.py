"""E3Net: gives its input back before training, streams as it runs offline, and never looks ahead of its window."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'pse-bench[baseline]'")

from pse_bench.errors import InputError  # noqa: E402
from pse_bench.training.models import e3net  # noqa: E402
from pse_bench.training.models.e3net import PAPER, TINY, E3Net, E3NetConfig  # noqa: E402

SMALL = {"bottleneck": 12, "fc": 16, "lstm": 8, "layers": 2, "embedding": 6}
CONFIGS = [
    E3NetConfig(filters=64, window_s=0.004, hop_s=0.002, **SMALL),
    E3NetConfig(filters=70, window_s=0.004, hop_s=0.001, **SMALL),
    E3NetConfig(filters=96, window_s=0.006, hop_s=0.002, **SMALL),
]


def random_model(config: E3NetConfig, seed: int = 0) -> E3Net:
    torch.manual_seed(seed)
    model = E3Net(config).eval()
    with torch.no_grad():
        model.mask.weight.mul_(30)
        model.mask.bias.zero_()
    return model


def inputs(config: E3NetConfig, num_samples: int, batch: int = 2, seed: int = 0) -> tuple:
    generator = torch.Generator().manual_seed(seed)
    mixture = 0.1 * torch.randn(batch, num_samples, generator=generator)
    embedding = torch.nn.functional.normalize(torch.rand(batch, config.embedding, generator=generator), dim=-1)
    return mixture, embedding


def test_sizes() -> None:
    tiny, paper = (e3net.num_parameters(E3Net(config)) for config in (TINY, PAPER))
    assert 0.75e6 < tiny <= 1e6
    assert 8e6 < paper < 10e6
    assert TINY.window == 320
    assert TINY.latency_s == 0.020


@pytest.mark.parametrize("config", [*CONFIGS, TINY])
def test_an_open_mask_gives_the_input_back(config: E3NetConfig) -> None:
    model = E3Net(config).eval()
    mixture, embedding = inputs(config, 1001)
    with torch.no_grad():
        first = model(mixture, embedding)
        gain = (first * mixture).sum() / mixture.square().sum()
        assert 0.8 < gain < 0.95
        assert (first - gain * mixture).square().mean() < 1e-3 * mixture.square().mean()
        model.mask.bias.fill_(50.0)
        assert torch.allclose(model(mixture, embedding), mixture, atol=2e-6)


@settings(max_examples=15)
@given(
    config=st.sampled_from(CONFIGS),
    num_samples=st.integers(1, 300),
    seed=st.integers(0, 99),
    chunks=st.lists(st.integers(1, 4), min_size=1, max_size=5),
)
def test_a_stream_gives_what_the_whole_gives(
    config: E3NetConfig, num_samples: int, seed: int, chunks: list
) -> None:
    """Whatever the length and however many hops come at once."""
    model = random_model(config, seed)
    mixture, embedding = inputs(config, num_samples, seed=seed)
    delay = config.window - config.hop
    with torch.no_grad():
        whole = model(mixture, embedding)
        state, rest, outputs = model.initial_state(2), mixture, []
        number = 0
        while sum(part.shape[1] for part in outputs) < num_samples + delay:
            size = config.hop * chunks[number % len(chunks)]
            frame = torch.nn.functional.pad(rest[:, :size], (0, max(0, size - rest.shape[1])))
            output, state = model.run(frame, embedding, state)
            assert output.shape == frame.shape
            outputs.append(output)
            rest, number = rest[:, size:], number + 1
    streamed = torch.cat(outputs, dim=1)[:, delay : delay + num_samples]
    assert whole.shape == mixture.shape
    assert (streamed - whole).abs().max() < 1e-5


@pytest.mark.parametrize("config", CONFIGS)
def test_the_look_ahead_is_a_sample_less_than_the_window(config: E3NetConfig) -> None:
    """Each sample's own proof: the input is changed from there on, and the first output that differs is found."""
    model = random_model(config)
    mixture, embedding = inputs(config, 400, batch=1)
    with torch.no_grad():
        before = model(mixture, embedding)
        furthest = 0
        for start in range(150, 150 + config.hop):
            changed = mixture.clone()
            changed[:, start:] = 3.0
            different = (model(changed, embedding) != before).nonzero()[:, 1]
            furthest = max(furthest, start - int(different.min()))
    assert furthest <= config.window - 1
    # the first sample of a frame has the weight 0 in the analysis window, the last one has not
    assert furthest >= config.window - 3


def test_items_of_a_batch_do_not_meet() -> None:
    model = random_model(CONFIGS[0])
    mixture, embedding = inputs(CONFIGS[0], 200, batch=3)
    with torch.no_grad():
        together = model(mixture, embedding)
        alone = torch.cat([model(mixture[i : i + 1], embedding[i : i + 1]) for i in range(3)])
    assert torch.allclose(together, alone, atol=1e-6)


def test_the_embedding_is_used_and_silence_stays_silent() -> None:
    model = random_model(CONFIGS[0])
    mixture, embedding = inputs(CONFIGS[0], 200)
    with torch.no_grad():
        assert not torch.allclose(model(mixture, embedding), model(mixture, embedding.flip(0)), atol=1e-4)
        assert not model(torch.zeros_like(mixture), embedding).any()


def test_every_weight_learns_from_sound_and_none_breaks_on_silence() -> None:
    model = random_model(CONFIGS[0])
    mixture, embedding = inputs(CONFIGS[0], 200)
    for signal in (mixture, torch.zeros_like(mixture)):
        model.zero_grad()
        (model(signal, embedding) - 0.01).square().mean().backward()
        gradients = [parameter.grad for parameter in model.parameters()]
        assert all(gradient is not None and gradient.isfinite().all() for gradient in gradients)
        if signal is mixture:
            assert all(gradient.any() for gradient in gradients)


def test_multiply_accumulates_are_those_of_the_matrices() -> None:
    """Written out by hand for the tiny model."""
    c = TINY
    block = c.bottleneck * c.fc + 4 * c.lstm * (c.fc + c.lstm)
    frame = 2 * c.window * c.filters + (c.filters // 2 + 1) * c.bottleneck + c.layers * block
    frame += c.bottleneck * c.filters
    assert e3net.macs_per_second(E3Net(c)) == 100 * frame


def test_the_basis_is_a_tight_frame() -> None:
    config = CONFIGS[1]
    basis, dual = e3net.fourier_basis(config)
    window = torch.sin(math.pi * torch.arange(config.window) / config.window)
    overlap = config.window / config.hop
    assert torch.allclose(dual @ basis, torch.diag(window**2) * 2 / overlap, atol=1e-6)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"filters": 318}, "318 filters for a window of 320 samples"),
        ({"filters": 385}, "give an even number"),
        ({"hop_s": 0.02}, "the window has to be two hops"),
        ({"hop_s": 0.007}, "the window has to be two hops"),
        ({"layers": 0}, "every size has to be positive"),
        ({"hop_s": 0.0}, "every size has to be positive"),
    ],
)
def test_sizes_that_cannot_be(change: dict, words: str) -> None:
    with pytest.raises(InputError, match=words):
        E3NetConfig(**change)
