"""The losses: against NumPy twins and finite differences, and the limits that make the recipes what they are."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'pse-bench[baseline]'")

from pse_bench.errors import InputError  # noqa: E402
from pse_bench.metrics.signals import frames_of  # noqa: E402
from pse_bench.signal import vad  # noqa: E402
from pse_bench.training import frame_loss, losses  # noqa: E402
from pse_bench.training.losses import LOSS_RECIPES, Recipe  # noqa: E402

NORMALISERS = get_args(losses.Normaliser)
GUIDED = [name for name, recipe in LOSS_RECIPES.items() if recipe.needs_pvad]

SHAPE = (3, 7, 9)
ITS = torch.tensor([False, True, False])


def spectra(seed: int, scale: float = 1.0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(SHAPE, dtype=torch.complex128, generator=generator)


@pytest.fixture
def batch() -> dict:
    """Estimate, reference, mixture, activity and probability; the second item is ITS."""
    generator = torch.Generator().manual_seed(9)
    activity = torch.rand(SHAPE[:2], generator=generator) > 0.4
    activity[1] = False
    reference = spectra(2) * activity[..., None]
    probability = torch.rand(SHAPE[:2], generator=generator)
    return {
        "estimate": spectra(1).requires_grad_(),
        "reference": reference,
        "mixture": reference + spectra(3),
        "activity": activity,
        "probability": probability,
    }


def recipe_loss(name: str, **arguments: object) -> torch.Tensor:
    return losses.recipe_loss(LOSS_RECIPES.find(name), **arguments)


def wrong(batch: dict, threshold: float = 0.5) -> torch.Tensor:
    return ~batch["activity"] & (batch["probability"] > threshold)


# ---- the frame loss


def test_the_frame_loss_is_its_numpy_twin() -> None:
    estimate, reference = spectra(1), spectra(2)
    s, e = reference.numpy(), estimate.numpy()
    expected = np.zeros(SHAPE[:2])
    for b, t, f in np.ndindex(*SHAPE):
        wanted, given = abs(s[b, t, f]) ** 0.3, abs(e[b, t, f]) ** 0.3
        loudness = (wanted - given) ** 2
        phase = abs(wanted * np.exp(1j * np.angle(s[b, t, f])) - given * np.exp(1j * np.angle(e[b, t, f]))) ** 2
        missing = max(wanted - given, 0) ** 2
        expected[b, t] += (0.5 * loudness + 0.5 * phase + 1.0 * missing) / SHAPE[2]
    found = frame_loss.frame_loss(estimate=estimate, reference=reference).numpy()
    np.testing.assert_allclose(found, expected, rtol=2e-4)


def plcpa(estimate: torch.Tensor, reference: torch.Tensor, alpha: float = 0.5) -> torch.Tensor:
    return frame_loss.frame_loss(estimate=estimate, reference=reference, alpha=alpha, beta=0.0)


def over_suppression(estimate: torch.Tensor, reference: torch.Tensor) -> torch.Tensor:
    return frame_loss.frame_loss(estimate=estimate, reference=reference) - plcpa(estimate, reference)


def test_the_weights_of_the_terms() -> None:
    given = {"estimate": spectra(1), "reference": spectra(2)}
    plain, missing = plcpa(**given), over_suppression(**given)
    assert torch.allclose(frame_loss.frame_loss(**given, beta=3.0), plain + 3 * missing)
    loud, phase = plcpa(**given, alpha=1.0), plcpa(**given, alpha=0.0)
    assert torch.allclose(plcpa(**given, alpha=0.2), 0.2 * loud + 0.8 * phase)
    assert torch.allclose(plcpa(given["estimate"] * np.exp(0.7j), given["reference"], alpha=1.0), loud)


@pytest.mark.parametrize("seed", range(3))
def test_the_gradient_is_that_of_automatic_differentiation(seed: int) -> None:
    """Of the formulas as they are written, from silence to loud."""
    some = torch.rand(SHAPE[:2], generator=torch.Generator().manual_seed(seed)) > 0.3
    reference = spectra(seed + 10) * some[..., None]
    estimate = (spectra(seed) * 10 ** torch.linspace(-6, 1, SHAPE[2])).requires_grad_()
    outer = torch.rand(SHAPE[:2], dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    above = [x.real.square() + x.imag.square() + frame_loss.FLOOR for x in (reference, estimate)]
    wanted, given = ((power - frame_loss.FLOOR) * power ** (0.3 / 2 - 1) for power in above)
    apart = reference * above[0] ** ((0.3 - 1) / 2) - estimate * above[1] ** ((0.3 - 1) / 2)
    phase = apart.real.square() + apart.imag.square()
    bins = 0.5 * (wanted - given).square() + 0.5 * phase + (wanted - given).clamp(min=0).square()
    (expected,) = torch.autograd.grad((bins.mean(dim=-1) * outer).sum(), estimate)
    found = frame_loss.frame_loss(estimate=estimate, reference=reference)
    torch.testing.assert_close(found, bins.mean(dim=-1))
    (gradient,) = torch.autograd.grad((found * outer).sum(), estimate)
    torch.testing.assert_close(gradient, expected)


def test_only_what_is_missing_is_over_suppression() -> None:
    reference = spectra(2)
    assert not over_suppression(1.5 * reference, reference).any()
    assert not over_suppression(reference, 0 * reference).any()
    muted = over_suppression(0 * reference, reference)
    assert torch.allclose(muted, reference.abs().pow(0.6).mean(-1), rtol=1e-3)
    more = over_suppression(0.1 * reference, reference)
    assert (more > over_suppression(0.5 * reference, reference)).all()


@pytest.mark.parametrize("estimate", ["zero", "sound"])
@pytest.mark.parametrize("reference", ["zero", "sound"])
@pytest.mark.parametrize("dtype", [torch.complex64, torch.complex128])
def test_the_gradient_is_finite_at_zero(estimate: str, reference: str, dtype: torch.dtype) -> None:
    given = {"zero": torch.zeros(SHAPE, dtype=dtype), "sound": spectra(1).to(dtype)}
    other = {"zero": torch.zeros(SHAPE, dtype=dtype), "sound": spectra(2).to(dtype)}
    start = given[estimate].clone().requires_grad_()
    value = frame_loss.frame_loss(estimate=start, reference=other[reference]).mean()
    value.backward()
    assert value.isfinite()
    assert torch.view_as_real(start.grad).isfinite().all()
    assert start.grad.abs().max() < 1e3


@pytest.mark.parametrize("recipe", LOSS_RECIPES)
@pytest.mark.parametrize("scale", [1.0, 1e-3])
def test_gradients_against_finite_differences(batch: dict, recipe: str, scale: float) -> None:
    fixed = {**batch, "reference": scale * batch["reference"], "mixture": scale * batch["mixture"], "its": ITS}
    start = scale * fixed.pop("estimate").detach()

    def value(real: torch.Tensor) -> torch.Tensor:
        return recipe_loss(recipe, estimate=torch.view_as_complex(real), **fixed)

    real = torch.view_as_real(start).contiguous().requires_grad_()
    (gradient,) = torch.autograd.grad(value(real), real)
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        direction = scale * torch.randn(real.shape, dtype=real.dtype, generator=generator)
        step = 1e-5
        slope = (value(real + step * direction) - value(real - step * direction)) / (2 * step)
        assert float(slope.detach()) == pytest.approx(float((gradient * direction).sum()), rel=1e-4, abs=1e-9)


# ---- the recipes


@pytest.mark.parametrize("normaliser", NORMALISERS)
@pytest.mark.parametrize("recipe", LOSS_RECIPES)
def test_each_recipe_is_its_brute_force_twin(batch: dict, recipe: str, normaliser: str) -> None:
    plain = frame_loss.frame_loss(estimate=batch["estimate"], reference=batch["reference"]).tolist()
    noisy = frame_loss.frame_loss(estimate=batch["estimate"], reference=batch["mixture"]).tolist()
    sums, weights = np.zeros(3), np.zeros(3)
    for b, t in np.ndindex(*SHAPE[:2]):
        active, q = bool(batch["activity"][b, t]), float(batch["probability"][b, t])
        in_m = not active and q > 0.5
        weight, value = 1.0, plain[b][t]
        if recipe == "no-its" and ITS[b]:
            weight = 0.0
        if recipe == "its-exclude" and in_m:
            weight = 0.0
        if recipe == "its-noisy-reference" and in_m:
            value = noisy[b][t]
        if recipe == "its-soft" and not active:
            weight = 1 - q
        sums[b] += weight * value
        weights[b] += weight
    counted = weights > 0
    expected = {
        "item": np.mean(sums[counted] / weights[counted]),
        "batch": np.sum(sums) / np.sum(weights),
        "frames": np.sum(sums) / (SHAPE[0] * SHAPE[1]),
    }[normaliser]
    found = recipe_loss(recipe, **batch, its=ITS, normaliser=normaliser)
    assert float(found.detach()) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("recipe", ["its-exclude", "its-noisy-reference"])
def test_a_threshold_of_one_is_its(batch: dict, recipe: str) -> None:
    batch["probability"][0, 0] = 1.0
    assert torch.equal(recipe_loss(recipe, **batch, threshold=1.0), recipe_loss("its", **batch))
    assert not torch.equal(recipe_loss(recipe, **batch, threshold=0.5), recipe_loss("its", **batch))


@pytest.mark.parametrize("recipe", GUIDED)
def test_a_pvad_that_hears_no_target_is_its(batch: dict, recipe: str) -> None:
    batch["probability"] = torch.zeros(SHAPE[:2])
    assert torch.equal(recipe_loss(recipe, **batch), recipe_loss("its", **batch))


@pytest.mark.parametrize("recipe", GUIDED)
def test_where_the_target_speaks_the_pvad_does_not_matter(batch: dict, recipe: str) -> None:
    batch["activity"] = torch.ones(SHAPE[:2], dtype=torch.bool)
    assert torch.equal(recipe_loss(recipe, **batch), recipe_loss("its", **batch))


@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_excluded_frames_have_no_gradient_at_all(batch: dict, normaliser: str) -> None:
    recipe_loss("its-exclude", **batch, normaliser=normaliser).backward()
    gradient = batch["estimate"].grad.abs().sum(dim=-1)
    assert wrong(batch).any()
    assert torch.equal(gradient == 0, wrong(batch))


def test_the_mixture_itself_costs_nothing_on_m(batch: dict) -> None:
    estimate = torch.where(wrong(batch)[..., None], batch["mixture"], batch["reference"])
    batch["estimate"] = estimate.clone().requires_grad_()
    value = recipe_loss("its-noisy-reference", **batch)
    value.backward()
    assert value == 0
    assert not batch["estimate"].grad.any()
    assert recipe_loss("its", **batch) > 0


def test_a_certain_pvad_makes_soft_and_exclude_the_same(batch: dict) -> None:
    batch["probability"] = (batch["probability"] > 0.5).double()
    assert torch.allclose(recipe_loss("its-soft", **batch), recipe_loss("its-exclude", **batch))


@pytest.mark.parametrize("recipe", GUIDED)
def test_the_pvad_is_not_trained_through(batch: dict, recipe: str) -> None:
    batch["probability"].requires_grad_()
    recipe_loss(recipe, **batch).backward()
    assert batch["probability"].grad is None


@pytest.mark.parametrize("recipe", GUIDED)
def test_the_scope_its_leaves_other_items_alone(batch: dict, recipe: str) -> None:
    guided = recipe_loss(recipe, **batch, its=ITS, scope="its", normaliser="batch")
    batch["probability"] = torch.where(ITS[:, None], batch["probability"], 0.0)
    assert torch.equal(guided, recipe_loss(recipe, **batch, normaliser="batch"))
    nobody = torch.zeros(3, dtype=torch.bool)
    assert torch.equal(recipe_loss(recipe, **batch, its=nobody, scope="its"), recipe_loss("its", **batch))


@pytest.mark.parametrize("normaliser", NORMALISERS)
def test_when_nothing_counts_nothing_is_learned(batch: dict, normaliser: str) -> None:
    batch["activity"] = torch.zeros(SHAPE[:2], dtype=torch.bool)
    batch["probability"] = torch.ones(SHAPE[:2])
    value = recipe_loss("its-exclude", **batch, normaliser=normaliser)
    value.backward()
    assert value == 0
    assert not batch["estimate"].grad.any()


def test_no_its_does_not_learn_from_its_items(batch: dict) -> None:
    recipe_loss("no-its", **batch, its=ITS).backward()
    gradient = batch["estimate"].grad.abs().sum(dim=(1, 2))
    assert torch.equal(gradient == 0, ITS)
    assert torch.equal(recipe_loss("no-its", **batch), recipe_loss("its", **batch)), "where there are none"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"scope": "frames"}, "scope 'frames' is not known"),
        ({"normaliser": "none"}, "normaliser 'none' is not known"),
        ({"probability": None}, "the recipe needs the pVAD's probability"),
        ({"mixture": None}, "the recipe needs the mixture"),
        ({"scope": "its"}, "needs to know which items are ITS"),
    ],
)
def test_what_is_missing_is_said(batch: dict, change: dict, words: str) -> None:
    arguments = {"recipe": "its-noisy-reference", **batch, **change}
    with pytest.raises(ValueError, match=words):
        recipe_loss(arguments.pop("recipe"), **arguments)


def test_a_recipe_of_ones_own(batch: dict, tmp_path, monkeypatch) -> None:
    (tmp_path / "own_recipe.py").write_text(
        "from pse_bench.training.losses import Recipe\n"
        "HALF = Recipe(lambda frames: (~frames.misclassified).float() * 0.5 + 0.5, needs_pvad=True)\n"
        "NONE = 3\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    half = losses.LOSS_RECIPES.find("own_recipe:HALF")
    assert isinstance(half, Recipe)
    kept, left = (recipe_loss(name, **batch, normaliser="frames") for name in ("its", "its-exclude"))
    assert torch.allclose(recipe_loss("own_recipe:HALF", **batch, normaliser="frames"), (kept + left) / 2)
    for name, words in (("own_recipe:NONE", "expected a losses.Recipe"), ("its-excluded", "mean 'its-exclude'")):
        with pytest.raises(InputError, match=words):
            LOSS_RECIPES.find(name)


# ---- spectra, and labels on their frames


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
def test_the_gradient_of_a_spectrum_is_that_of_automatic_differentiation(
    frame: int, hop: int, num_samples: int
) -> None:
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
