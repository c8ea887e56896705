"""The wheel holds all that the package needs away from the checkout, as ``make release`` shows in full."""

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import pse_bench

ROOT = Path(pse_bench.__file__).parent.parent


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree, unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    tree = folder / "tree"  # setuptools leaves its traces beside the sources
    kept = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    for name in kept.stdout.split("\0"):
        if name and not name.startswith(("tests/", "docs/")) and (ROOT / name).is_file():
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            (tree / name).write_bytes((ROOT / name).read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "-o", str(folder), str(tree)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    (built,) = folder.glob("*.whl")
    with zipfile.ZipFile(built) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def test_scenarios_manifests_and_sets_travel_inside(wheel: Path, tmp_path: Path) -> None:
    code = """
import json, pse_bench
from pse_bench.dataset import frozen_sets
from pse_bench.asr import probe
from pse_bench.planning import scenario
from pse_bench.training import config
from pse_bench.corpora.synthetic import embedded
chosen = frozen_sets.load("embedded-v1")
print(json.dumps({
    "package": pse_bench.__file__,
    "scenarios": scenario.shipped(),
    "sets": frozen_sets.shipped(),
    "plan": chosen.plan.is_file(),
    "probes": probe.KNOWN.is_file(),
    "clips": len(embedded.shipped()),
    "chunk_s": config.load("its-exclude", task="pse").data.chunk_s,
}))
"""
    environment = {**os.environ, "PYTHONPATH": str(wheel)}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert Path(found["package"]).is_relative_to(wheel)
    assert found["scenarios"] == sorted(path.stem for path in (ROOT / "scenarios").glob("*.yaml"))
    assert found["sets"] == [
        "embedded-call-v1",
        "embedded-v1",
        "embedded-v1-dev",
        "libri-mini-v1",
        "libri-mini-v1-dev",
        "speechocean-call-v1",
        "speechocean-v1",
    ]
    assert found["plan"]
    assert found["probes"]
    assert found["clips"] > 100
    assert found["chunk_s"] > 0


def test_it_is_typed_and_holds_no_tests(wheel: Path) -> None:
    assert (wheel / "pse_bench" / "py.typed").is_file()
    assert (wheel / "pse_bench" / "__init__.pyi").is_file()
    assert sorted(path.name for path in wheel.iterdir() if path.suffix != ".dist-info") == ["pse_bench"]
    packaged = {path.relative_to(wheel / "pse_bench") for path in (wheel / "pse_bench").rglob("*.py")}
    own = {path.relative_to(ROOT / "pse_bench") for path in (ROOT / "pse_bench").rglob("*.py")}
    assert own <= packaged, "a sub-package is missing in pyproject.toml"
