"""A system that changes between two runs or in the middle of one: refused, with what has changed, never mixed."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from checkpoints import replace_dvector
from work import call, contents

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.runtime.executor import Processes, Serial
from pse_bench.submission import submission
from pse_bench.systems import enhance

Write = Callable[[str], str]

# Reads its weights when it is built, as most do, or with each mixture.
WEIGHTED = """\
from pathlib import Path


class Model:
    def __init__(self, weights="gain.txt", late=False):
        self.files, self.late = [weights], late
        self.gain = float(Path(weights).read_text())

    def enhance(self, mixture, enrollment, sample_rate):
        gain = float(Path(self.files[0]).read_text()) if self.late else self.gain
        return mixture.dtype.type(gain) * mixture
"""


def gains(dataset: Dataset, out: Path) -> set[float]:
    """By how much what is in the journal, or in a whole submission, differs from its mixture."""
    journal = out / "enhance.journal"
    done = [row for row in dataset.mixtures if not journal.exists() or row.mixture_id in journal.read_text()]
    found = set()
    for row in done:
        mixture = dataset.read_sound(row.mixture_path, row.num_samples)
        estimate = submission.read_estimate(out, row).samples
        found.add(round(float(np.sum(estimate * mixture) / np.sum(mixture.astype(float) ** 2)), 3))
    return found


def half_way(change: Callable[[], object]) -> Callable[[int, int], None]:
    """A progress that changes something once a few mixtures are there."""
    changed = []

    def progress(done: int, total: int) -> None:
        if done and not changed:
            changed.append(change())

    return progress


def interrupted(dataset: Dataset, system: str, out: Path) -> None:
    """A few mixtures, and no more."""

    def stop(done: int, total: int) -> None:
        if done:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        enhance.enhance(dataset, system, out, executor=Serial(), progress=stop)


@pytest.mark.parametrize("late", [False, True])
@pytest.mark.parametrize("executor", [Serial(), Processes(2)])
def test_weights_replaced_in_the_middle(
    dataset: Dataset, module: Write, executor: Serial | Processes, late: bool
) -> None:
    Path("gain.txt").write_text("0.5")
    system, out = f"{module(WEIGHTED)}:Model?late={str(late).lower()}", Path("out")
    with pytest.raises(InputError) as caught:
        enhance.enhance(
            dataset, system, out, executor=executor, progress=half_way(lambda: Path("gain.txt").write_text("0.25"))
        )
    assert str(caught.value) == (
        f"system {system}: gain.txt changed while it was running; run the same command with the files as they "
        "were, or with --force to start again"
    )
    assert gains(dataset, out) == {0.5}
    before = contents(out)
    done = call("enhance", dataset.folder, "--system", system, "-o", out)
    assert done.exit_code == 1
    assert done.stderr == (
        "Error: out: begun with another gain.txt (sha256 d2cbad71ff33, now a30a043314fa); give a new folder, "
        "or --force to start again\n"
    )
    assert contents(out) == before
    Path("gain.txt").write_text("0.5")
    assert call("enhance", dataset.folder, "--system", system, "-o", out).exit_code == 0
    assert gains(dataset, out) == {0.5}
    Path("gain.txt").write_text("0.25")
    assert call("enhance", dataset.folder, "--system", system, "-o", out, "--force").exit_code == 0
    assert gains(dataset, out) == {0.25}


def test_code_edited_in_the_middle(dataset: Dataset, module: Write) -> None:
    name = module("def enhance(mixture, enrollment, sample_rate):\n    return mixture / 2\n")
    path = Path(f"{name}.py")
    with pytest.raises(InputError, match=rf"^system {name}:enhance: {name}\.py changed while it was running; run"):
        enhance.enhance(
            dataset,
            f"{name}:enhance",
            Path("out"),
            executor=Serial(),
            progress=half_way(lambda: path.write_text(path.read_text().replace("2", "1"))),
        )
    assert gains(dataset, Path("out")) == {0.5}


def test_a_module_that_is_imported_later_is_no_change(dataset: Dataset, module: Write) -> None:
    """Not even in a second run in the same process, which knows it already."""
    helper = module("GAIN = 0.5\n")
    text = "def enhance(mixture, enrollment, sample_rate):\n    import {0}\n    return {0}.GAIN * mixture\n"
    name = module(text.format(helper))

    interrupted(dataset, f"{name}:enhance", Path("out"))
    enhance.enhance(dataset, f"{name}:enhance", Path("out"), executor=Serial())
    assert gains(dataset, Path("out")) == {0.5}


def test_a_checkpoint_replaced_in_the_middle(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install 'pse-bench[baseline]'")
    from pse_bench.training import checkpoint
    from pse_bench.training.models.e3net import E3Net, E3NetConfig

    replace_dvector(monkeypatch, lambda samples, rate: np.full(256, 1 / 16))
    path, out = tmp_path / "its.safetensors", tmp_path / "out"

    def train() -> None:
        net = E3Net(E3NetConfig(bottleneck=8, fc=8, lstm=8, layers=1))
        checkpoint.save(path, net, checkpoint.describe(net, recipe="its"))

    train()
    with pytest.raises(InputError, match=r"its\.safetensors changed while it was running"):
        enhance.enhance(dataset, str(path), out, executor=Serial(), progress=half_way(train))
    done = call("enhance", dataset.folder, "--system", path, "-o", out)
    assert done.exit_code == 1
    assert "begun with another its.safetensors (sha256 " in done.stderr


def test_named_files_need_no_warning(dataset: Dataset, module: Write) -> None:
    """A callable without ``files`` may read what nobody knows of; that is said when it goes on."""
    Path("gain.txt").write_text("0.5")
    name = module(WEIGHTED)
    silent = module("def enhance(mixture, enrollment, sample_rate):\n    return mixture\n")
    for system, told in ((f"{name}:Model", 0), (f"{silent}:enhance", 1)):
        notes: list[str] = []
        out = Path(system.replace(":", "-"))

        interrupted(dataset, system, out)
        enhance.enhance(dataset, system, out, executor=Serial(), notice=notes.append)
        assert len([note for note in notes if "if weights or other files" in note]) == told


def test_a_run_that_an_earlier_version_began(dataset: Dataset, module: Write) -> None:
    """Its journal names no files: the digest of the code decides."""
    name = module("def enhance(mixture, enrollment, sample_rate):\n    return mixture / 2\n")

    interrupted(dataset, f"{name}:enhance", Path("out"))
    journal = Path("out/enhance.journal")
    head, *rest = journal.read_text().splitlines(keepends=True)
    identity = json.loads(head)
    del identity["files"]
    journal.write_text(json.dumps(identity) + "\n" + "".join(rest))
    kept = enhance.enhance(dataset, f"{name}:enhance", Path("out"), executor=Serial())
    assert kept == len(dataset.mixtures) - len(rest)
