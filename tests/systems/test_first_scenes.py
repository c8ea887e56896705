"""What enhance says of a system after its first scenes, and what it writes into system.yaml."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tiny
from click.testing import CliRunner

from pse_bench.cli import cli
from pse_bench.dataset.dataset import Dataset
from pse_bench.runtime import merging
from pse_bench.runtime.executor import Serial
from pse_bench.runtime.sharding import Shard
from pse_bench.submission import submission
from pse_bench.systems import enhance, enrollments

Write = Callable[[str], str]

HEAD = "import numpy as np\n\n\ndef enhance(mixture, enrollment, sample_rate):\n    return "
QUIET = HEAD + "np.float32(0.29) * mixture\n"
HEARING = HEAD + "np.convolve(mixture, enrollment[:30])[: len(mixture)]\n"
SOFT = HEAD + "np.convolve(mixture, [0.6, 0.4])[: len(mixture)].astype(np.float32)\n"
BLIND = "info = {'uses_enrollment': False}\n" + SOFT
LATE = HEAD + "np.pad(np.float32(0.29) * mixture, (96, 0))[: len(mixture)] * (1 + abs(enrollment).max())\n"
IGNORES = "warning: system {}: ignores the enrollment: the first scenes come out the same with another person's"
CONSTANT = (
    "warning: system {}: constant gain −10.8 dB: each estimate of the first scenes is its mixture at that level"
)
SAYS: dict[str, tuple[str, list[str], bool | None, float | None]] = {
    "a gain": (QUIET, [IGNORES, CONSTANT], False, -10.752),
    "a filter of the enrollment": (HEARING, [], True, None),
    "a filter": (SOFT, [IGNORES], False, None),
    "a blind one": (BLIND, ["system {}: ignores the enrollment: blind"], False, None),
}


def run(dataset: Dataset, system: str, out: Path, **options: object) -> list[str]:
    """Enhance; what the person is told."""
    told: list[str] = []
    enhance.enhance(dataset, system, out, executor=Serial(), notice=told.append, **options)
    return told


@pytest.mark.parametrize("name", SAYS)
def test_first_scenes_say_what_a_system_does(dataset: Dataset, tmp_path: Path, module: Write, name: str) -> None:
    source, lines, uses, gain_db = SAYS[name]
    system = f"{module(source)}:enhance"
    told = run(dataset, system, tmp_path / "out")
    assert [line.partition(";")[0] for line in told] == [line.format(system) for line in lines]
    about = submission.read_system(tmp_path / "out")
    assert (about.uses_enrollment, about.constant_gain_db) == (uses, gain_db)


def test_it_is_said_before_the_rest_is_enhanced(dataset: Dataset, tmp_path: Path, module: Write) -> None:
    events: list[str] = []
    run = {
        "progress": lambda done, total: events.append(str(done)),
        "notice": lambda line: events.append(line[:7]),
    }
    system = f"{module(QUIET)}:enhance"
    enhance.enhance(dataset, system, tmp_path / "out", executor=Serial(), **run)
    assert events.index("warning") < events.index(str(len(dataset.mixtures)))


def test_ours_are_known(dataset: Dataset, tmp_path: Path) -> None:
    assert run(dataset, "mixture", tmp_path / "out") == []
    assert "constant_gain_db" not in (tmp_path / "out" / "system.yaml").read_text()


def test_a_run_that_is_continued_says_the_same(dataset: Dataset, tmp_path: Path, module: Write) -> None:
    system = f"{module(QUIET)}:enhance"
    run(dataset, system, tmp_path / "whole")
    told = run(dataset, system, tmp_path / "out", scenes=1)
    assert [line[:7] for line in told] == ["warning"] * 2, "of the one that was asked for"
    run(dataset, system, tmp_path / "out")
    assert (tmp_path / "out" / "system.yaml").read_text() == (tmp_path / "whole" / "system.yaml").read_text()


def test_shards_say_the_same(dataset: Dataset, tmp_path: Path, module: Write) -> None:
    system = f"{module(QUIET)}:enhance"
    run(dataset, system, tmp_path / "whole")
    for number in (1, 2, 3):
        run(dataset, system, tmp_path / "out", share=Shard(number, 3))
    enhance.merge(tmp_path / "out", merging.gather(tmp_path / "out"))
    assert (tmp_path / "out" / "system.yaml").read_text() == (tmp_path / "whole" / "system.yaml").read_text()


def test_a_control_that_fails_costs_nothing(dataset: Dataset, tmp_path: Path, module: Write) -> None:
    right = {row.enrollment_path for row in dataset.mixtures if row.scene_id == dataset.mixtures[0].scene_id}
    known = float(np.abs(dataset.read_sound(right.pop())).max())
    body = f"mixture if abs(abs(enrollment).max() - {known!r}) < 1e-6 else 1 / 0\n"
    few = tiny.some_scenes(dataset, tmp_path / "few", 0)
    run(few, f"{module(HEAD + body)}:enhance", tmp_path / "out")
    about = submission.read_system(tmp_path / "out")
    assert (about.uses_enrollment, about.constant_gain_db) == (None, 0.0)


def test_where_one_person_is_enrolled_nothing_is_tried(dataset: Dataset) -> None:
    rows = [row for row in dataset.mixtures if row.target_speaker == dataset.mixtures[0].target_speaker]
    tried = enrollments.of_others(rows, {row.mixture_id: row.enrollment_path for row in rows})
    assert set(tried.values()) == {""}


def test_a_mixture_of_each_scene_has_somebody_elses_enrollment(dataset: Dataset) -> None:
    owners = {row.enrollment_path: row.target_speaker for row in dataset.mixtures}
    rows = {row.mixture_id: row for row in dataset.mixtures}
    tried = enrollments.of_others(dataset.mixtures, {name: row.enrollment_path for name, row in rows.items()})
    assert len(tried) == 9
    others = {name: path for name, path in tried.items() if path}
    assert [rows[name].scenario for name in others] == ["TS2"] * 3
    assert all(owners[path] != rows[name].target_speaker for name, path in others.items())


def test_the_commands_call_it_by_name(dataset: Dataset, tmp_path: Path, module: Write) -> None:
    """enhance warns, check finds it in the estimates, and the delay of a late one does not hide it."""
    system = f"{module(QUIET)}:enhance"
    done = CliRunner().invoke(cli, ["enhance", str(dataset.folder), "--system", system, "-o", "quiet"])
    assert done.exit_code == 0, done.output
    assert f"warning: system {system}: ignores the enrollment: " in done.stderr
    assert f"warning: system {system}: constant gain −10.8 dB: " in done.stderr
    checked = CliRunner().invoke(cli, ["check", str(dataset.folder), "quiet", "--jobs", "1"])
    assert (
        "constant-gain, 12 of 12: constant gain −10.8 dB: each is its mixture at another level" in checked.stdout
    )
    assert "ignores-enrollment: ignores the enrollment (uses_enrollment: false)" in checked.stdout


def test_a_delay_does_not_hide_a_gain(dataset: Dataset, tmp_path: Path, module: Write) -> None:
    few = tiny.some_scenes(dataset, tmp_path / "few", 0)
    run(few, f"{module(LATE.split(' * (1')[0])}:enhance", tmp_path / "out")
    assert submission.read_system(tmp_path / "out").constant_gain_db == pytest.approx(-10.752, abs=0.01)


@pytest.mark.skipif(not hasattr(os, "sched_getaffinity"), reason="this system holds no process to a core")
def test_a_library_finds_one_core(dataset: Dataset, tmp_path: Path, module: Write) -> None:
    """Some size their pools of threads by the cores that they find when they are loaded."""
    counts = "import os\n" + HEAD.replace("    return ", "    open('cores', 'a').write(f'{CORES} ')\n    return ")
    counts = counts.replace("import numpy as np\n", "import numpy as np\nCORES = len(os.sched_getaffinity(0))\n")
    system = f"{module(counts + 'mixture')}:enhance"
    before = os.sched_getaffinity(0)
    done = CliRunner().invoke(
        cli, ["enhance", str(dataset.folder), "--system", system, "-o", str(tmp_path / "out")]
    )
    assert done.exit_code == 0, done.output
    assert {*Path("cores").read_text().split()} == {"1"}
    assert os.sched_getaffinity(0) == before
