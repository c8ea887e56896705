"""Anybody's objects and modules as systems: whole or hop by hop, at any rate, with what they say of themselves."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from work import call

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.submission import submission
from pse_bench.systems import base, enhance, registry

Write = Callable[[str], str]

# A gain that follows the level: 10 ms a hop, 8 ms late, with a state that `reset` clears.
FOLLOWER = '''\
import numpy as np


class Follower:
    """Turns down what is loud."""

    hop, delay = 160, 128

    def reset(self, enrollment):
        self.level, self.late = float(np.abs(enrollment).mean()), np.zeros(self.delay, np.float32)

    def step(self, hop):
        self.level = 0.9 * self.level + 0.1 * float(np.abs(hop).mean())
        line = np.concatenate([self.late, hop / np.float32(1 + self.level)])
        self.late = line[self.hop :]
        return line[: self.hop]

    def enhance(self, mixture, enrollment, sample_rate):
        self.reset(enrollment)
        padded = np.pad(mixture, (0, -len(mixture) % self.hop + 2 * self.hop))
        late = np.concatenate([self.step(hop) for hop in padded.reshape(-1, self.hop)])
        return late[self.delay :][: len(mixture)]


class Steps(Follower):
    enhance = None
'''


def given(num_samples: int = 8123, sample_rate: int = 16_000, seed: int = 2) -> base.SystemInput:
    chance = np.random.default_rng(seed)
    target, rest = (0.1 * chance.standard_normal((2, num_samples))).astype(np.float32)
    return base.SystemInput(
        target + rest, chance.standard_normal(5000).astype(np.float32), sample_rate, target, rest
    )


def run(name: str, work: base.SystemInput, **asked: bool) -> np.ndarray:
    return base.enhance(registry.load(name, **asked), work, "s000007_TS2")


@pytest.mark.parametrize("num_samples", [1, 32, 33, 160, 8123])
def test_whole_and_hop_by_hop_are_the_same_samples(module: Write, num_samples: int) -> None:
    name, work = module(FOLLOWER), given(num_samples)
    whole = run(f"{name}:Follower", work)
    assert np.abs(whole).max() > 0
    assert np.array_equal(run(f"{name}:Follower", work, streaming=True), whole)
    assert np.array_equal(run(f"{name}:Steps", work), whole)
    assert np.array_equal(run(f"{name}:Steps", work, streaming=True), whole)
    assert registry.load(f"{name}:Steps").described(16_000).algorithmic_latency_ms == 18.0
    assert registry.load(f"{name}:Steps").system.causal


def test_the_commands_give_the_same_samples(dataset: Dataset, module: Write) -> None:
    name = module(FOLLOWER)
    row = dataset.mixtures[0]
    expected = run(f"{name}:Follower", enhance._work(dataset, row, row.enrollment_path))
    for out, system, *asked in [("a", "Follower"), ("b", "Follower", "--streaming"), ("c", "Steps")]:
        done = call(
            "enhance", dataset.folder, "--system", f"{name}:{system}", "--scenes", 1, "-o", Path(out), *asked
        )
        assert done.exit_code == 0, done.output
        found = submission.read_estimate(Path(out), row).samples
        assert np.abs(found - expected).max() < 2**-23, "but for the 24 bits of the file"
    figures = []
    for asked in ([], ["--streaming"]):
        done = call("system", f"{name}:Follower", "--json", *asked)
        assert done.exit_code == 0, done.output
        figures.append(json.loads(done.stdout))
    assert figures[0]["look_ahead_ms"] == figures[1]["look_ahead_ms"] <= figures[1]["latency_ms"] == 18.0
    assert figures[1]["look_ahead_ms"] > 9.5, "of a hop; a pure delay that is taken back looks no further"


WIDE = """\
import numpy as np


class Wide:
    sample_rate, hop, delay = 48000, 480, 960

    def reset(self, enrollment):
        assert len(enrollment) == 15000
        self.line = np.zeros(960, np.float32)

    def step(self, hop):
        assert hop.dtype == np.float32
        self.line = np.concatenate([self.line, hop])
        answer, self.line = self.line[:480], self.line[480:]
        return answer
"""


@pytest.mark.parametrize("num_samples", [16_001, 32_000])
def test_48_khz_by_steps_on_16_khz_is_aligned_to_the_sample(module: Write, num_samples: int) -> None:
    loaded, work = registry.load(f"{module(WIDE)}:Wide"), given(num_samples)
    estimate = base.enhance(loaded, work, "s")
    spectra = np.fft.rfft(estimate), np.fft.rfft(work.mixture)
    assert np.argmax(np.fft.irfft(spectra[0] * np.conj(spectra[1]), num_samples)) == 0
    window = np.hanning(num_samples)
    passed = np.fft.rfftfreq(num_samples, 1 / 16_000) < 6800
    error, signal = (np.fft.rfft(window * each)[passed] for each in (estimate - work.mixture, work.mixture))
    assert 20 * np.log10(np.linalg.norm(error) / np.linalg.norm(signal)) < -60
    assert loaded.described(16_000).algorithmic_latency_ms == 30.0 + 2.0
    assert loaded.described(48_000).algorithmic_latency_ms == 30.0


def test_a_step_that_reuses_its_buffer(module: Write) -> None:
    """As bindings of C libraries do: what was answered before is not written over."""
    name = module(
        "import numpy as np\n\nhop = 100\nbuffer = np.zeros(100, np.float32)\n\n\n"
        "def reset(enrollment):\n    pass\n\n\ndef step(hop):\n    buffer[:] = hop\n    return buffer\n"
    )
    work = given()
    assert np.array_equal(run(name, work), work.mixture), "a module is a system, too"


# ---- enroll

ENROLLING = """\
class Model:
    heard = 0

    def enroll(self, enrollment, sample_rate):
        self.heard += 1
        return float(abs(enrollment).max())

    def enhance(self, mixture, enrolled, sample_rate):
        return mixture * mixture.dtype.type(enrolled)


model = Model()
"""


def test_what_enroll_gives_is_kept_for_the_content_of_an_enrollment(module: Write) -> None:
    import sys

    name = module(ENROLLING)
    loaded = registry.load(f"{name}:model")
    works = [given(seed=seed) for seed in (1, 2, 1, 2, 1)]
    for work in works:
        gain = np.float32(np.abs(work.enrollment).max())
        assert np.array_equal(base.enhance(loaded, work, "s"), work.mixture * gain)
    assert sys.modules[name].model.heard == 2


def test_what_detects_is_an_object_too(module: Write) -> None:
    text = ENROLLING.replace("enhance", "detect").replace(
        "return mixture * mixture.dtype.type(enrolled)", "return [[1.0, 0.0, 0.0]] * -(-len(mixture) // 160)"
    )
    loaded = registry.load(f"{module(text)}:model", output="activity")
    assert base.detect(loaded, given(), "s").shape == (51, 3)
    with pytest.raises(InputError, match=r"offers no enhance\(mixture, enrollment, sample_rate\)"):
        registry.load(f"{module(text)}:model")


# ---- what it says of itself

SAYS = """\
class Model:
    \"\"\"A model.\"\"\"

    {said}

    def enhance(self, mixture, enrollment, sample_rate):
        return mixture


model = Model()


def build(weights="", size=1):
    return model
"""


def test_info_fills_system_yaml(dataset: Dataset, module: Write) -> None:
    said = (
        'info = {"name": "Ours", "version": "2", "parameters": 7, "algorithmic_latency_ms": 5, "url": "http://x"}'
    )
    name = module(SAYS.format(said=said))
    done = call("enhance", dataset.folder, "--system", f"{name}:model", "--scenes", 1, "-o", "out")
    assert done.exit_code == 0, done.output
    found = submission.read_system(Path("out"))
    assert (found.name, found.version, found.parameters, found.url) == ("Ours", "2", 7, "http://x")
    assert (found.algorithmic_latency_ms, found.description) == (5.0, "A model.")


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ("info = {'trained_data': 'x'}", r"its info: .*trained_data.*training_data"),
        ("info = {'parameters': 'many'}", r"its info: parameters"),
        ("info = ['x']", r"its info is \['x'\]; give a dict of fields of system.yaml"),
        ("info = {'holds': ['audio']}", r"its info says holds, which no system states; leave it out"),
        ("files = ['gone.pt']", r"its files name .*gone\.pt, which is not there; put it there or correct it"),
        ("files = 3", r"its files are 3; give a list of paths"),
        ("files = [3]", r"its files are \[3\]; give a list of paths"),
        ("hop = 0.5", r"its hop is 0\.5; give a whole number of samples, at least 1"),
        ("delay = -1", r"its delay is -1; give a whole number of samples, at least 0"),
    ],
)
def test_what_cannot_be_so_is_one_line(module: Write, said: str, words: str) -> None:
    name = f"{module(SAYS.format(said=said))}:model"
    with pytest.raises(InputError, match=rf"^system {name}: {words}") as caught:
        registry.load(name)
    assert "\n" not in str(caught.value)


def test_a_module_may_import_what_is_called_as_an_attribute(module: Write) -> None:
    imports = "from importlib.resources import files\nfrom logging import info\n\n\n"
    name = module(f"{imports}def enhance(mixture, enrollment, sample_rate):\n    return mixture\n")
    assert not registry.load(f"{name}:enhance").complete


STEPS = "hop = 160\n\n\ndef reset(enrollment):\n    pass\n\n\ndef step(hop):\n    return {}\n"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("hop[1:]", r"failed on s000007_TS2 \(step gave shape \(159,\) for hop 0, expected \(160,\)\)"),
        ("hop[None]", r"step gave shape \(1, 160\) for hop 0, expected \(160,\)"),
        ("None", r"step gave shape \(\) for hop 0, expected \(160,\)"),
        ("(99 * hop).astype(int)", "gave int64 for s000007_TS2, expected floats"),
        ("hop / 0 * 0", "gave NaN or infinity for s000007_TS2"),
        ("hop.no_such", r"failed on s000007_TS2 \(AttributeError: .* at strange_system_\d+.py:9\)"),
    ],
)
def test_a_step_that_fails_is_named_with_the_mixture(module: Write, answer: str, words: str) -> None:
    name = module(STEPS.format(answer))
    with pytest.raises(InputError, match=words), np.errstate(all="ignore"):
        run(name, given())


@pytest.mark.parametrize(("left_out", "named"), [("hop = 160", "hop"), ("def reset", "reset")])
def test_steps_alone_are_not_enough(module: Write, left_out: str, named: str) -> None:
    name = module(
        STEPS.format("hop").replace(left_out, left_out.replace("hop =", "jump =").replace("reset", "clear"))
    )
    needed = r"give reset\(enrollment\), step\(hop\) and hop, in samples"
    with pytest.raises(InputError, match=f"system {name}: cannot be streamed without {named}; {needed}"):
        registry.load(name)


def test_what_offers_no_steps_is_not_streamed(module: Write) -> None:
    name = module(SAYS.format(said=""))
    with pytest.raises(InputError, match=f"system {name}:model: cannot be streamed without reset, step, hop"):
        registry.load(f"{name}:model", streaming=True)
    with pytest.raises(InputError, match=r"has neither enhance nor step; name what has, as \w+:attribute$"):
        registry.load(module("x = 1\n"))


def test_a_class_and_a_function_of_nothing_are_factories(module: Write) -> None:
    name, work = module(SAYS.format(said="")), given()
    for attribute in ("model", "Model", "build", "build?size=2"):
        assert np.array_equal(run(f"{name}:{attribute}", work), work.mixture)


# ---- its files


def test_the_files_that_it_names_are_part_of_what_it_is(module: Write) -> None:
    for path in (Path("weights.pt"), Path("model/a.bin"), Path("model/deep/b.bin")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"1")
    name = module(SAYS.format(said="files = ['weights.pt', 'model']"))
    before = registry.load(f"{name}:model")
    assert before.complete
    assert set(before.sources.sha256) == {f"{name}.py", "weights.pt", "model/a.bin", "model/deep/b.bin"}
    assert registry.load(f"{name}:model").code == before.code
    Path("model/deep/b.bin").write_bytes(b"2")
    assert before.sources.changed(before.sources.sha256) == ["model/deep/b.bin"]
    assert registry.load(f"{name}:model").code != before.code


def test_the_files_of_a_package_have_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "strange_package" / "deep").mkdir(parents=True)
    (tmp_path / "strange_package" / "deep" / "__init__.py").write_text("")
    (tmp_path / "strange_package" / "deep" / "gain.py").write_text("def enhance(m, e, r):\n    return m\n")
    monkeypatch.syspath_prepend(tmp_path)
    found = registry.load("strange_package.deep.gain:enhance").sources.sha256
    assert sorted(found) == ["strange_package/deep/__init__.py", "strange_package/deep/gain.py"]
    assert np.array_equal(run("strange_package.deep.gain", given()), given().mixture)


def test_an_argument_that_is_a_file_is_watched(module: Write) -> None:
    Path("weights.pt").write_bytes(b"1")
    loaded = registry.load(f"{module(SAYS.format(said=''))}:build?weights=weights.pt")
    assert "weights.pt" in loaded.sources.sha256
    assert not loaded.complete, "it may read others"
