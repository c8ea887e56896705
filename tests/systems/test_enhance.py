"""Running a system over a dataset: every mixture, continued after an interruption, nothing foreign touched."""

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny
from checkpoints import replace_dvector

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError, RequestError
from pse_bench.io import atomic, audio, locks
from pse_bench.metrics.distortion import si_sdr
from pse_bench.runtime import merging
from pse_bench.runtime.executor import Processes, Serial
from pse_bench.runtime.sharding import Shard
from pse_bench.submission import submission
from pse_bench.systems import base, enhance, registry

Write = Callable[[str], str]

# Gives up when a file called "fail" lies in the current folder and four mixtures have been worked on.
FRAGILE = """\
from pathlib import Path

seen = Path("seen")
info = {{"uses_enrollment": False}}  # so that it is called once a mixture


def enhance(mixture, enrollment, sample_rate):
    count = len(seen.read_text()) if seen.exists() else 0
    if Path("fail").exists() and count >= 5:
        raise {error}
    seen.write_text("x" * (count + 1))
    return 0.5 * mixture
"""


def run(dataset: Dataset, system: str, out: Path, **options: object) -> int:
    return enhance.enhance(dataset, system, out, executor=Serial(), **options)


def begun(dataset: Dataset, module: Write, out: Path) -> str:
    """Enhance five mixtures with a system that then fails; its name. It does not fail again."""
    system = f"{module(FRAGILE.format(error='RuntimeError'))}:enhance"
    Path("fail").touch()
    with pytest.raises(InputError):
        run(dataset, system, out)
    Path("fail").unlink()
    return system


def contents(folder: Path) -> dict[str, str]:
    """Hash of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_the_mixture_system_gives_exactly_the_mixtures(dataset: Dataset, submitted: Callable[[str], Path]) -> None:
    folder = submitted("mixture")
    for row in dataset.mixtures:
        estimate = submission.read_estimate(folder, row).samples
        assert np.array_equal(estimate * audio.FULL_SCALE, audio.read_pcm16(dataset.folder / row.mixture_path))
    expected = {f"{row.scenario}/{row.scene_id}.flac" for row in dataset.mixtures} | {"system.yaml"}
    assert set(contents(folder)) == expected, "and nothing else, no journal either"
    assert submission.read_system(folder).name == "mixture"


def test_the_oracle_mask_improves_every_mixture(dataset: Dataset, submitted: Callable[[str], Path]) -> None:
    folder = submitted("oracle-mask")
    for row in dataset.mixtures:
        if row.scenario == "TS3":
            assert not submission.read_estimate(folder, row).samples.any()
            continue
        reference = dataset.read_stem(row.scene_id, "target_early").astype(np.float64)
        mixture = audio.read_pcm16(dataset.folder / row.mixture_path) / audio.FULL_SCALE
        before = si_sdr(estimate=mixture, reference=reference)
        after = si_sdr(estimate=submission.read_estimate(folder, row).samples, reference=reference)
        assert after > before + 5, row.mixture_id


def test_progress_counts_every_mixture(dataset: Dataset, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    count = run(dataset, "silence", tmp_path / "out", progress=lambda *step: seen.append(step))
    assert count == len(dataset.mixtures)
    assert seen[-1] == (count, count)
    assert seen == sorted(seen)


def test_processes_give_the_same_files(dataset: Dataset, submitted: Callable[[str], Path], tmp_path: Path) -> None:
    enhance.enhance(dataset, "oracle-mask", tmp_path / "out", executor=Processes(2))
    assert contents(tmp_path / "out") == contents(submitted("oracle-mask"))


@pytest.mark.parametrize("streaming", [False, True])
def test_a_checkpoint_enhances_a_dataset(
    dataset: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, streaming: bool
) -> None:
    """Whole or hop by hop: the same audio, and it continues only what was made in the same way."""
    pytest.importorskip("torch", reason="torch is not installed: pip install 'pse-bench[baseline]'")
    from pse_bench.training import checkpoint
    from pse_bench.training.models.e3net import E3Net, E3NetConfig

    replace_dvector(monkeypatch, lambda samples, rate: np.full(256, 1 / 16))
    net = E3Net(E3NetConfig(bottleneck=8, fc=8, lstm=8, layers=1))
    checkpoint.save(tmp_path / "its.safetensors", net, checkpoint.describe(net, recipe="its"))
    few = tiny.some_scenes(dataset, tmp_path / "few", 0)
    system = str(tmp_path / "its.safetensors")
    run(few, system, tmp_path / "out", streaming=streaming)
    whole = registry.load(system)
    for row in few.mixtures:
        work = enhance._work(few, row, row.enrollment_path)
        expected = base.enhance(whole, work, row.mixture_id)
        found = submission.read_estimate(tmp_path / "out", row).samples
        assert np.abs(found - expected).max() < 1e-5
    described = submission.read_system(tmp_path / "out")
    assert described.algorithmic_latency_ms == 20.0
    assert described.version == whole.code[:12]


# ---- interruptions


@pytest.mark.parametrize("error", ["RuntimeError('no more')", "KeyboardInterrupt"])
def test_it_continues_where_it_stopped(dataset: Dataset, tmp_path: Path, module: Write, error: str) -> None:
    system = f"{module(FRAGILE.format(error=error))}:enhance"
    Path("fail").touch()
    out = tmp_path / "out"
    with pytest.raises((InputError, KeyboardInterrupt)) as caught:
        run(dataset, system, out)
    if caught.type is KeyboardInterrupt:
        assert not (out / "system.yaml").exists(), "an unfinished submission has no system.yaml"
    else:
        failed = f"7 of 12 mixtures failed, first {dataset.mixtures[5].mixture_id} (RuntimeError: no more"
        assert failed in str(caught.value)
    finished = contents(out)
    Path("fail").unlink()
    seen: list[tuple[int, int]] = []
    assert run(dataset, system, out, progress=lambda *step: seen.append(step)) == len(dataset.mixtures) - 5
    assert seen[-1] == (len(dataset.mixtures), len(dataset.mixtures))
    whole = contents(out)
    finished.pop("enhance.journal")
    assert {name: whole[name] for name in finished} == finished
    assert not (out / "enhance.journal").exists()
    run(dataset, system, tmp_path / "straight")
    assert contents(tmp_path / "straight") == whole


def test_what_was_damaged_meanwhile_is_made_again(dataset: Dataset, tmp_path: Path, module: Write) -> None:
    out = tmp_path / "out"
    system = begun(dataset, module, out)
    first, second = (next(out.glob(f"{row.scenario}/{row.scene_id}.*")) for row in dataset.mixtures[:2])
    good = atomic.sha256(first)
    first.write_bytes(b"not sound")
    second.unlink()
    assert run(dataset, system, out) == len(dataset.mixtures) - 3
    assert atomic.sha256(first) == good
    assert second.is_file()


@pytest.mark.parametrize("what", ["code", "enrollment", "system", "dataset"])
def test_it_refuses_to_continue_something_else(
    dataset: Dataset, tmp_path: Path, module: Write, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    system, options, used = begun(dataset, module, out), {}, dataset
    before, named = contents(out), what
    if what == "code":
        path = Path(named := f"{system.removesuffix(':enhance')}.py")
        path.write_text(path.read_text().replace("0.5", "0.6"))
    elif what == "enrollment":
        options = {"enrollment": "wrong"}
    elif what == "system":
        system = "silence"
    else:
        other = dataset.description.model_copy(update={"fingerprint": "0" * 64})
        used = Dataset(dataset.folder, other, dataset.mixtures)
    with pytest.raises(
        InputError, match=rf"begun with (another )?{named}.*, now .*; give a new folder, or --force"
    ):
        run(used, system, out, **options)
    assert contents(out) == before, "what was written stays"
    assert run(used, system, out, force=True, **options) == len(dataset.mixtures)


def test_a_last_line_that_was_cut_off_is_done_again(dataset: Dataset, tmp_path: Path, module: Write) -> None:
    out = tmp_path / "out"
    system = begun(dataset, module, out)
    path = out / "enhance.journal"
    path.write_bytes(path.read_bytes()[:-7])
    assert run(dataset, system, out) == len(dataset.mixtures) - 4


@pytest.mark.parametrize("line", ["{}", "[]", "7", "{", '{"mixture_id": "s000000_TS1"}'])
def test_a_damaged_journal_is_one_line(dataset: Dataset, tmp_path: Path, module: Write, line: str) -> None:
    out = tmp_path / "out"
    system = begun(dataset, module, out)
    with (out / "enhance.journal").open("a") as stream:
        stream.write(f"{line}\n")
    with pytest.raises(InputError, match=r"enhance\.journal.*; "):
        run(dataset, system, out)


CRASHING = """\
import os


def enhance(mixture, enrollment, sample_rate):
    if abs(mixture).max() == {peak!r}:
        os._exit(1)
    return mixture
"""


def test_a_mixture_on_which_the_worker_dies_costs_only_itself(
    dataset: Dataset, tmp_path: Path, module: Write
) -> None:
    dead = dataset.mixtures[6]
    peak = float(np.abs(dataset.read_sound(dead.mixture_path)).max())
    system, out = f"{module(CRASHING.format(peak=peak))}:enhance", tmp_path / "out"
    with pytest.raises(enhance.MixturesFailed, match="1 of 12 mixtures failed") as caught:
        enhance.enhance(dataset, system, out, executor=Processes(1))
    assert caught.value.failed.keys() == {dead.mixture_id}
    assert "its worker process died twice" in caught.value.failed[dead.mixture_id]
    assert len(list(out.glob("TS*/*.flac"))) == len(dataset.mixtures) - 1


# ---- failures

PICKY = """import numpy as np
from pathlib import Path

seen = []
info = {"uses_enrollment": False}  # so that it is called once a mixture


def enhance(mixture, enrollment, sample_rate):
    seen.append(len(mixture))
    if len(seen) in [int(number) for number in Path("bad").read_text().split()]:
        return mixture[:-1] if len(seen) % 2 else 1 / 0
    return mixture
"""


def test_a_mixture_that_fails_costs_only_itself(dataset: Dataset, tmp_path: Path, module: Write) -> None:
    out, system = tmp_path / "out", f"{module(PICKY)}:enhance"
    Path("bad").write_text("1 2 8")
    with pytest.raises(enhance.MixturesFailed) as caught:
        run(dataset, system, out)
    names = [row.mixture_id for row in dataset.mixtures]
    assert [*caught.value.failed] == [names[0], names[1], names[7]]
    assert "gave shape" in caught.value.failed[names[0]]
    assert "ZeroDivisionError" in caught.value.failed[names[1]]
    assert submission.read_system(out).name == system, "the rest can be scored"
    Path("bad").write_text("14")
    with pytest.raises(enhance.MixturesFailed, match=f"1 of 12 mixtures failed, first {names[1]}"):
        run(dataset, system, out)
    assert run(dataset, system, out) == 1
    run(dataset, "mixture", tmp_path / "straight")
    described = {"system.yaml": contents(out)["system.yaml"]}
    assert contents(out) == contents(tmp_path / "straight") | described, "and no journal"


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_system_that_fails_on_everything_is_given_up(
    dataset: Dataset, tmp_path: Path, module: Write, jobs: int
) -> None:
    system = f"{module('def enhance(mixture, enrollment, sample_rate): return mixture[7:]')}:enhance"
    executor = Serial() if jobs == 1 else Processes(jobs)
    with pytest.raises(
        InputError, match=rf"system {system}: failed on .* \(gave shape .*\), and likewise on the next 4"
    ):
        enhance.enhance(dataset, system, tmp_path / "out", executor=executor)
    assert not (tmp_path / "out" / "system.yaml").exists()


def test_shards_with_failures_are_merged(dataset: Dataset, tmp_path: Path, module: Write) -> None:
    out, system = tmp_path / "out", f"{module(PICKY)}:enhance"
    Path("bad").write_text("3")
    with pytest.raises(enhance.MixturesFailed):
        run(dataset, system, out, share=Shard(1, 2))
    run(dataset, system, out, share=Shard(2, 2))
    with pytest.raises(enhance.MixturesFailed, match=r"1 of 12 mixtures failed, .*; what is there is merged"):
        enhance.merge(out, merging.gather(out))
    assert len(contents(out)) == len(dataset.mixtures)
    assert not list(out.glob("part-*"))


# ---- what lies there already


def test_a_finished_submission_is_not_replaced_unasked(
    dataset: Dataset, tmp_path: Path, submitted: Callable[[str], Path]
) -> None:
    out = tmp_path / "out"
    shutil.copytree(submitted("silence"), out)
    with pytest.raises(InputError, match="holds a submission already; give a new folder, or --force"):
        run(dataset, "mixture", out)
    assert contents(out) == contents(submitted("silence"))
    (out / "TS1" / "of-an-older-dataset.wav").touch()
    run(dataset, "mixture", out, force=True)
    assert contents(out) == contents(submitted("mixture"))


@pytest.mark.parametrize("force", [False, True])
def test_a_dataset_is_never_written_over(dataset: Dataset, tmp_path: Path, force: bool) -> None:
    copy = tmp_path / "dataset"
    shutil.copytree(dataset.folder, copy)
    before = contents(copy)
    with pytest.raises(InputError, match=r"holds other files .*; give a new or empty folder"):
        run(Dataset.open(copy), "silence", copy, force=force)
    assert contents(copy) == before


def test_audio_of_another_origin_is_not_replaced_unasked(dataset: Dataset, tmp_path: Path) -> None:
    out = tmp_path / "out"
    tiny.write_float(out / "TS1" / "s000000.wav", np.zeros(10))
    before = contents(out)
    with pytest.raises(InputError, match="holds audio of another origin"):
        run(dataset, "silence", out)
    assert contents(out) == before


def test_two_at_once_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    with (
        locks.locked(tmp_path / "out", "test"),
        pytest.raises(InputError, match="another process is at work here"),
    ):
        run(dataset, "silence", tmp_path / "out")


# ---- the control with a wrong enrollment

ECHO = """\
import numpy as np


def enhance(mixture, enrollment, sample_rate):
    return np.resize(enrollment, len(mixture))
"""


@pytest.mark.parametrize("which", ["right", "wrong"])
def test_whose_enrollment_a_system_gets(dataset: Dataset, tmp_path: Path, module: Write, which: str) -> None:
    system = f"{module(ECHO)}:enhance"
    run(dataset, system, tmp_path / "out", enrollment=which)
    owners = {
        audio.read_pcm16(dataset.folder / row.enrollment_path)[:8000].tobytes(): row.target_speaker
        for row in dataset.mixtures
    }
    voices: dict[str, set[str]] = {}
    for row in dataset.mixtures:
        voices.setdefault(row.scene_id, set()).update({row.target_speaker, row.interferer_speaker})
    for row in dataset.mixtures:
        estimate = submission.read_estimate(tmp_path / "out", row).samples[:8000] * audio.FULL_SCALE
        owner = owners[estimate.astype(np.int16).tobytes()]
        if which == "right":
            assert owner == row.target_speaker
        else:
            assert owner not in voices[row.scene_id]
    name = submission.read_system(tmp_path / "out").name
    assert name == (system if which == "right" else f"{system} (wrong enrollment)")


def test_no_wrong_enrollment_where_everybody_is_in_the_scene(dataset: Dataset, tmp_path: Path) -> None:
    pair = tiny.some_scenes(dataset, tmp_path / "pair", 0, 1)
    people = {name for row in pair.mixtures for name in (row.target_speaker, row.interferer_speaker) if name}
    assert len(people) == 2, "the two scenes are of the same two people"
    with pytest.raises(RequestError, match=r"s000000_TS1: everybody enrolled is in this scene"):
        run(pair, "silence", tmp_path / "out", enrollment="wrong")
