"""Systems: the reference systems, and what a stranger's callable is given and may give back."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pse_bench.errors import InputError
from pse_bench.systems import base, registry

Write = Callable[[str], str]

HEAD = "import numpy as np\n\n\ndef enhance(mixture, enrollment, sample_rate):\n"


@pytest.fixture
def work() -> base.SystemInput:
    chance = np.random.default_rng(2)
    target, rest = (0.1 * chance.standard_normal((2, 8000))).astype(np.float32)
    enrollment = chance.standard_normal(5000).astype(np.float32)
    return base.SystemInput(target + rest, enrollment, 16_000, target, rest)


def run(name: str, work: base.SystemInput) -> np.ndarray:
    return base.enhance(registry.load(name), work, "s000007_TS2")


# ---- reference systems


def test_mixture_and_silence(work: base.SystemInput) -> None:
    assert np.array_equal(run("mixture", work), work.mixture)
    silent = run("silence", work)
    assert silent.shape == work.mixture.shape
    assert not silent.any()


def test_the_oracle_mask_keeps_the_target_where_it_is_alone(work: base.SystemInput) -> None:
    target, rest = work.target.copy(), work.rest.copy()
    target[4000:], rest[:4000] = 0, 0
    estimate = run("oracle-mask", base.SystemInput(target + rest, work.enrollment, 16_000, target, rest))
    assert np.allclose(estimate[:3000], target[:3000], atol=1e-5)
    assert np.abs(estimate[5000:]).max() < 1e-5


@pytest.mark.parametrize("name", registry.references())
def test_reference_systems_describe_themselves(name: str) -> None:
    loaded = registry.load(name)
    assert loaded.system.name == name
    assert loaded.system.version
    assert loaded.system.description
    assert loaded.system.causal is (name != "oracle-mask")


# ---- a stranger's callable


def test_what_a_callable_is_given(work: base.SystemInput, module: Write) -> None:
    name = module(HEAD + "    return np.float32([mixture.ndim, enrollment.ndim, len(enrollment), sample_rate])\n")
    loaded = registry.load(f"{name}:enhance")
    assert list(loaded.run(work)) == [1, 1, 5000, 16_000]
    seen = []
    given = base.LoadedSystem(
        lambda work: seen.append((work.mixture.dtype, work.enrollment.dtype)) or work.mixture, loaded.system, ""
    )
    base.enhance(given, work, "s")
    assert seen == [(np.float32, np.float32)]


def test_a_callable_from_the_current_folder(work: base.SystemInput, module: Write) -> None:
    name = module(HEAD + '    """Halve it.\n\n    More."""\n    return mixture / 2\n')
    loaded = registry.load(f"{name}:enhance")
    assert np.array_equal(base.enhance(loaded, work, "s"), (work.mixture / 2).astype(np.float64))
    assert loaded.system.name == f"{name}:enhance"
    assert loaded.system.description == "Halve it."
    assert loaded.code == registry.load(f"{name}:enhance").code
    assert loaded.system.version == loaded.code[:12]


def test_the_code_of_a_callable_is_also_what_it_imports(tmp_path: Path) -> None:
    """A model whose helper module has changed is another system, though the callable's own file is the same."""
    (tmp_path / "outer.py").write_text("import inner\n\n\ndef enhance(m, e, r):\n    return inner.GAIN * m\n")
    program = "from pse_bench.systems import registry; print(registry.load('outer:enhance').code)"
    codes = []
    for gain in (0.5, 0.25, 0.5):
        (tmp_path / "inner.py").write_text(f"GAIN = {gain}\n")
        command = [sys.executable, "-B", "-c", program]
        codes.append(subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True).stdout)
    assert codes[0] == codes[2] != codes[1]


def test_a_callable_may_be_an_object(work: base.SystemInput, module: Write) -> None:
    name = module(
        "class Model:\n    def __call__(self, mixture, enrollment, sample_rate):\n        return mixture\n\n\n"
        "model = Model()\n"
    )
    assert np.array_equal(run(f"{name}:model", work), work.mixture)


@pytest.mark.parametrize("name", ["nothing", "", "a:", ":b", "mixture:", "Mixture", "oracle mask"])
def test_a_name_that_is_none(name: str) -> None:
    with pytest.raises(InputError) as caught:
        registry.load(name)
    assert f"system {name!r}: expected mixture, silence, oracle-mask or module:callable" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "attribute", "words"),
    [
        (None, "enhance", r"cannot import .* No module named 'no_such_module_anywhere'\)$"),
        ("x = 1\n", "enhance", "has no 'enhance'$"),
        ("class Enhance: ...\n", "enhance", "has no 'enhance'; did you mean 'Enhance'"),
        ("enhance = 3\n", "enhance", "is neither callable nor"),
        ("import no_such_package_at_all\n", "enhance", "No module named 'no_such_package_at_all' at .*:1"),
        ("x = 1\n1 / 0\n", "enhance", r"ZeroDivisionError: division by zero at .*\.py:2"),
        ("def enhance(:\n", "enhance", r"cannot import .* \(SyntaxError: invalid syntax \(.*\.py, line 1\)\)$"),
        ("raise ValueError('two\\nlines')\n", "enhance", "ValueError: two lines at"),
        ("import sys\nsys.exit('usage: me')\n", "enhance", "SystemExit: usage: me at"),
    ],
)
def test_a_module_that_cannot_be_used(module: Write, text: str | None, attribute: str, words: str) -> None:
    name = "no_such_module_anywhere" if text is None else module(text)
    with pytest.raises(InputError, match=words) as caught:
        registry.load(f"{name}:{attribute}")
    assert f"system {name}:{attribute}: " in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_in_place_of_its_module(module: Write) -> None:
    name = module("def enhance(mixture, enrollment, sample_rate): return mixture\n")
    with pytest.raises(InputError, match=rf"{name}\.py .*; give the module, {name}, and not its file"):
        registry.load(f"{name}.py:enhance")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("return mixture[:-1]", r"gave shape \(7999,\) for s000007_TS2, expected \(8000,\); keep the length"),
        ("return mixture[None]", r"gave shape \(1, 8000\)"),
        ("return None", r"gave shape \(\)"),
        ("return mixture * np.nan", "gave NaN or infinity for s000007_TS2"),
        ("mixture[4] = np.inf; return mixture", "gave NaN or infinity"),
        ("return np.int16(mixture * 32767)", "gave int16 for s000007_TS2, expected floats with full scale"),
        ("return mixture.astype(complex)", "gave complex128"),
        ("return mixture > 0", "gave bool"),
        ("return {'estimate': mixture}", r"gave shape \(\)"),
        ("return 'done'", r"gave shape \(\)"),
        (
            "raise RuntimeError('CUDA out of\\n memory')",
            r"failed on s000007_TS2 \(RuntimeError: CUDA out of memory at",
        ),
        ("return mixture + enrollment", r"failed on s000007_TS2 \(ValueError: operands could not be broadcast"),
        ("raise AssertionError", r"failed on s000007_TS2 \(AssertionError at .*\.py:5\)"),
        ("import sys; sys.exit(3)", r"failed on s000007_TS2 \(SystemExit: 3 at"),
    ],
)
def test_a_callable_that_fails_is_named_with_the_mixture(
    work: base.SystemInput, module: Write, body: str, words: str
) -> None:
    name = module(f"{HEAD}    {body}\n")
    with pytest.raises(InputError, match=words) as caught:
        run(f"{name}:enhance", work)
    assert str(caught.value).startswith(f"system {name}:enhance: ")
    assert "\n" not in str(caught.value)


def test_wrong_number_of_arguments(work: base.SystemInput, module: Write) -> None:
    name = module("def enhance(mixture):\n    return mixture\n")
    with pytest.raises(InputError, match=r"TypeError: enhance\(\) takes 1 positional argument but 3 were given"):
        run(f"{name}:enhance", work)


def test_an_interruption_is_not_a_failure(work: base.SystemInput, module: Write) -> None:
    name = module(HEAD + "    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        run(f"{name}:enhance", work)


def test_float64_and_lists_are_welcome(work: base.SystemInput, module: Write) -> None:
    name = module(HEAD + "    return list(mixture.astype(float) / 3)\n")
    assert np.array_equal(run(f"{name}:enhance", work), work.mixture.astype(float) / 3)


def test_loading_adds_only_the_current_folder_to_the_path(module: Write) -> None:
    name = module("def enhance(*_):\n    return 0\n")
    before = list(sys.path)
    registry.load(f"{name}:enhance")
    registry.load(f"{name}:enhance")
    added = [entry for entry in sys.path if entry not in before]
    assert added in ([], [str(Path.cwd())])
    assert len(sys.path) - len(before) == len(added)


# ---- factories

FACTORY = """
class Gain:
    def __init__(self, factor=1.0, name="", rate=None):
        self.factor, self.name, self.sample_rate = factor, name, rate

    def enhance(self, mixture, enrollment, sample_rate):
        return self.factor * mixture


def build(factor, kind="object"):
    if kind == "function":
        return lambda mixture, enrollment, sample_rate: factor * mixture
    return {"object": Gain(factor)}[kind] if kind != "nothing" else None
"""


def test_a_factory_builds_a_system_from_arguments(work: base.SystemInput, module: Write) -> None:
    name = module(FACTORY)
    for asked in (["factor=0.25"], ["kind=function", "factor=0.25"]):
        system = registry.with_arguments(f"{name}:build", asked)
        assert np.array_equal(run(system, work), np.float32(0.25) * work.mixture)
        assert registry.load(system).system.name == system
    assert registry.with_arguments(f"{name}:Gain", ["name=a b", "factor=2"]) == f"{name}:Gain?factor=2&name=a+b"
    assert np.array_equal(run(f"{name}:Gain?factor=2&name=a+b", work), 2 * work.mixture)
    assert registry.load(f"{name}:Gain?rate=8000").sample_rate == 8000


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["factor"], "--arg factor: expected KEY=VALUE, for example size=64"),
        (["2=factor"], "--arg 2=factor: expected KEY=VALUE"),
        (["gain=2"], r"cannot be built \(TypeError: .*gain"),
        (["factor=2", "kind=tube"], r"cannot be built \(KeyError: 'tube' at "),
        (["factor=2", "kind=nothing"], "the factory gave NoneType, which is neither callable nor"),
    ],
)
def test_what_cannot_be_built_is_said(module: Write, arguments: list[str], words: str) -> None:
    name = module(FACTORY)
    with pytest.raises(InputError, match=words):
        registry.load(registry.with_arguments(f"{name}:build", arguments))
