"""Broken audio in a dataset: ``verify`` finds it, and nothing is computed from it; see ``dataset.csv``."""

import json
import shutil
from pathlib import Path

import pytest
from broken import table
from broken.conftest import adapt, good, run
from broken.makers import MAKERS, NAMES, encoded

from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.io import audio
from pse_bench.runtime.executor import Serial
from pse_bench.scoring import score
from pse_bench.submission.check import run as check

CASES = table.read("dataset.csv")
SCENE = "s000000"
MIXTURE = f"TS1/{SCENE}.flac"
ROLES = {
    "mixture": MIXTURE,
    "reference": f"stems/target_early/{SCENE}.flac",
    "enrollment": f"enrollment/{SCENE}.flac",
}
ACTIVITY = f"activity/{SCENE}.json"
REFUSED = [case for case, row in CASES.items() if row["fit use"] != "used"]


def break_it(dataset: Path, case: str, *names: str) -> None:
    """Put a broken file in the place of some of a dataset."""
    samples = {name: audio.read_pcm16(dataset / ROLES["mixture"]) / audio.FULL_SCALE for name in names}
    for name in names:
        if name != ACTIVITY:
            samples[name] = audio.read_pcm16(dataset / name) / audio.FULL_SCALE
        (dataset / name).unlink()
        MAKERS[case](dataset / name, samples[name])


def verified(dataset: Path) -> tuple[int, list[str]]:
    """The exit status of verify, and its lines but for the last, which counts them."""
    told = run("verify", dataset, "--jobs", 1)
    *problems, last = told.stdout.removesuffix("\n").split("\n")
    assert last.startswith(f"{dataset}: checked 9 files, 3 mixtures")
    return told.exit_code, problems


def enhanced(dataset: Path) -> str:
    """What enhance says, which leaves nothing behind that looks finished."""
    out = dataset.parent / "out"
    shutil.rmtree(out, ignore_errors=True)
    told = run("enhance", dataset, "--system", "mixture", "-o", out, "--force")
    assert told.exit_code == (not (out / "system.yaml").exists())
    *_, last = told.stderr.removesuffix("\n").split("\n")
    return last.removeprefix("Error: ") if told.exit_code else "used"


def scored(dataset: Path, submission: Path) -> str:
    """What score says."""
    out = dataset.parent / "result"
    shutil.rmtree(out, ignore_errors=True)
    try:
        score.score(Dataset.open(dataset), submission, out, executor=Serial(), names=["si_sdr"])
    except InputError as error:
        return str(error)
    return "used"


def checked(dataset: Path, submission: Path) -> str:
    """What check says of the dataset."""
    try:
        check.check(Dataset.open(dataset), submission, executor=Serial())
    except InputError as error:
        return str(error)
    return "used"


def test_the_table_has_every_case() -> None:
    assert list(CASES) == list(MAKERS)
    assert len(CASES) >= 60


@pytest.mark.parametrize("case", CASES)
def test_a_file_that_was_replaced_is_found_and_never_used(dataset: Path, case: str) -> None:
    others = (ROLES["reference"], ROLES["enrollment"], ACTIVITY)
    names = [MIXTURE, others[list(CASES).index(case) % 3]]
    break_it(dataset, case, *names)
    before = {path for path in dataset.rglob("*") if path.is_file()}
    status, problems = verified(dataset)
    row = CASES[case]
    for name in names:
        found = [line for line in problems if line.startswith(f"{dataset / name}: ")]
        if name == ACTIVITY:  # whatever sound it is, it is another file than it was
            assert len(found) == 1
        else:
            assert table.agrees(" | ".join(found), row["verify"], path=dataset / name), found
    assert status == int(row["status"] == "1" or ACTIVITY in names)
    line = enhanced(dataset)
    assert table.agrees(line, row["use"], path=dataset / MIXTURE), line
    assert {path for path in dataset.rglob("*") if path.is_file()} == before


@pytest.mark.parametrize("case", CASES)
def test_a_broken_mixture_whose_hash_fits_is_refused_or_used_as_it_is(
    dataset: Path, oracle: Path, case: str
) -> None:
    break_it(dataset, case, MIXTURE)
    adapt(dataset)
    row, path = CASES[case], dataset / MIXTURE
    status, problems = verified(dataset)
    assert status == int(row["fit status"])
    assert table.agrees(" | ".join(problems), row["fit verify"], path=path), problems
    users = (enhanced, lambda folder: scored(folder, oracle), lambda folder: checked(folder, oracle))
    line = users[list(CASES).index(case) % 3](dataset)  # all read it by the same function
    assert table.agrees(line, row["fit use"], path=path), line


@pytest.mark.parametrize("role", ["reference", "enrollment"])
def test_other_broken_files_whose_hash_fits_are_found_by_verify_in_a_line(
    one_scene: Path, oracle: Path, tmp_path: Path, role: str
) -> None:
    for number, case in enumerate(REFUSED[len(role) % 4 :: 4]):
        dataset = Path(shutil.copytree(one_scene, tmp_path / f"{number}" / "dataset"))
        path = dataset / ROLES[role]
        break_it(dataset, case, ROLES[role])
        adapt(dataset)
        status, (problem,) = verified(dataset)
        assert status == 1
        assert problem.startswith(f"{path}: "), (case, problem)
        if number % 2 == 0:
            line = scored(dataset, oracle)
            usable = role == "enrollment" and problem.endswith("expected 24000; restore it")
            assert line.startswith(f"{path}: ") or (usable and line == "used"), (case, line)


@pytest.mark.parametrize("content", [b"", b"{", b"\xff", b"[]", b"1" * 100_000, b'{"schema": 1}', b"[" * 100_000])
def test_broken_activity_whose_hash_fits_is_refused_in_a_line(dataset: Path, oracle: Path, content: bytes) -> None:
    path = dataset / ACTIVITY
    path.write_bytes(content)
    adapt(dataset)
    status, (problem,) = verified(dataset)
    assert status == 1
    for line in (problem, scored(dataset, oracle)):
        assert line.startswith(f"{path}: "), line
        assert "\n" not in line


@pytest.mark.parametrize("change", [-1, 1, 160, 10**9])
def test_activity_of_another_length_is_refused_in_a_line(dataset: Path, oracle: Path, change: int) -> None:
    path = dataset / ACTIVITY
    document = json.loads(path.read_text())
    document["num_samples"] += change
    path.write_text(json.dumps(document))
    adapt(dataset)
    assert verified(dataset)[0] == 1
    assert scored(dataset, oracle).startswith(f"{path}: of {document['num_samples']} samples, expected 52800; ")


def test_strangers_of_any_name_get_one_line_each(dataset: Path) -> None:
    for name in NAMES.values():
        (dataset / "stems" / "noise" / name).write_bytes(encoded(good(), "FLAC", "PCM_16"))
    status, problems = verified(dataset)
    assert status == 1
    assert len(problems) == len(NAMES)
    assert all(line.endswith(": not a file of this dataset") for line in problems)
    assert any("a b.wav" in line for line in problems)
    assert any("a\\udcffb.wav" in line for line in problems)
