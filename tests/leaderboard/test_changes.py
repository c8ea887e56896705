"""What is kept with a row, what brings it up to date, and who checks what others send."""

import csv
import json
import lzma
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from ranked import CORNERS, finish, result

from pse_bench.asr.hypothesis_csv import Hypothesis
from pse_bench.cli import cli
from pse_bench.errors import InputError
from pse_bench.io import atomic, tables
from pse_bench.leaderboard import changes, evidence, leaderboard, table, verification
from pse_bench.leaderboard.table import read
from pse_bench.schemas import Mixture, Score
from pse_bench.scoring import hypotheses, results

ROOT = Path(__file__).parents[2]
PEOPLE = 9


def made(folder: Path, name: str, **figures: object) -> Path:
    return result(folder, name, people=PEOPLE, **figures)


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A board with the references and two systems that are told apart."""
    root = tmp_path_factory.mktemp("filled")
    board = root / "leaderboards" / "tiny-v1.csv"
    for name, figures in CORNERS.items():
        leaderboard.add(board, made(root / name, name, **figures), kind="reference", date="2026-01-02")
    for name, leakage in (("good", 15), ("fair", 9)):
        leaderboard.add(board, made(root / name, name, leakage=leakage), date="2026-01-02")
    return board


@pytest.fixture
def board(filled: Path, tmp_path: Path) -> Path:
    shutil.copytree(filled.parent, tmp_path / "leaderboards")
    return tmp_path / "leaderboards" / filled.name


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, ["leaderboard", *map(str, words)], env={"COLUMNS": "200"})


# ---- what is kept


def test_a_row_is_computed_again_from_its_scores_alone(board: Path) -> None:
    """No audio and no result folder: what lies beside the board is enough, and the same each time."""
    kept = table.evidence_folder(board, read(board)[1].entry)
    names = {"result.json", "summary.csv", "row.json", "scores.csv.xz", "speakers.csv"}
    assert {path.name for path in kept.iterdir()} == names
    before = {path: path.read_bytes() for path in board.parent.rglob("*") if path.is_file()}
    assert verification.verify(board) == []
    assert call("rescore", board).exit_code == 0
    assert {path: path.read_bytes() for path in board.parent.rglob("*") if path.is_file()} == before
    done = call("verify", board)
    assert (done.stdout, done.stderr) == (f"{board}: all rows follow from their results\n", "")


def digits(text: str, step: int) -> list[str]:
    """The text with one digit changed, for digits here and there."""
    places = [place for place, character in enumerate(text) if character.isdigit()][::step]
    return [text[:place] + str((int(text[place]) + 1) % 10) + text[place + 1 :] for place in places]


def test_a_digit_that_is_changed_anywhere_is_found(board: Path) -> None:
    good = next(row for row in read(board) if row.entry.system == "good")
    kept = table.evidence_folder(board, good.entry)
    steps = {board: 211, table.pairs_of(board): 5, kept / "row.json": 7, kept / "speakers.csv": 101}
    steps |= {kept / "result.json": 149, kept / "summary.csv": 331}
    for path, step in steps.items():
        text = path.read_text()
        for changed in digits(text, step):
            path.write_text(changed)
            found = call("verify", board)
            assert found.exit_code == 1, changed
            assert "Traceback" not in found.output
        path.write_text(text)
    packed = kept / "scores.csv.xz"
    scores = lzma.decompress(packed.read_bytes()).decode()
    for changed in digits(scores, 499):
        packed.write_bytes(lzma.compress(changed.encode()))
        (line,) = verification.verify(board)
        assert line.startswith(f"{kept / 'scores.csv'}: missing or changed since it was scored")
    packed.write_bytes(lzma.compress(scores.encode())[:-20])
    (line,) = verification.verify(board)
    assert line == f"{packed}: damaged (it ends too early, or is beyond all measure); restore it"
    packed.write_bytes(b"scores")
    (line,) = verification.verify(board)
    assert line.startswith(f"{packed}: damaged (")


CHANGES: dict[str, Callable[[list[str]], list[str]]] = {
    "changed": lambda words: [*words[:7], "sword", *words[8:]],
    "left out": lambda words: words[1:],
    "said twice": lambda words: [*words, *words],
    "all": lambda words: [],
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_a_word_that_is_changed_is_found_whatever_was_sealed(
    board: Path, tmp_path: Path, change: Callable[[list[str]], list[str]]
) -> None:
    """Words, hashes, seal and row fit together, but errors are not those of the words."""
    folder = made(tmp_path / "new", "new", words=True)
    leaderboard.add(board, folder)
    assert verification.verify(board) == []
    kept = table.evidence_folder(board, next(row.entry for row in read(board) if row.entry.system == "new"))
    assert (kept / "hypotheses.csv.xz").is_file()
    said = {row.mixture_id: row.text for row in tables.read_table(folder / "hypotheses.csv", Hypothesis)}
    name = list(said)[len(change(["a", "b"])) % PEOPLE]
    hypotheses.write(folder, said | {name: " ".join(change(said[name].split()))})
    about = json.loads((folder / "result.json").read_text())
    about["system"]["name"] = "forged"
    finish(folder, {key: value for key, value in about.items() if key != atomic.SEAL})
    forced(board, folder)
    found = [line for line in verification.verify(board) if ": forged 1" not in line]
    assert len(found) == 1
    assert found[0].endswith(f"TS2 wer of {name} is not that of its words; score again")


def test_a_board_of_before_has_no_groups_and_says_so(board: Path) -> None:
    """What earlier versions kept, and their columns: read, verified, shown, and ordered anew."""
    for path in [
        *board.parent.rglob("row.json"),
        *board.parent.rglob("*.xz"),
        *board.parent.rglob("speakers.csv"),
    ]:
        path.unlink()
    table.pairs_of(board).unlink()
    rows = [table.Row(row.entry.model_copy(update={"mean_rank": 1.0}), row.cells) for row in read(board)]
    new = set(table.OPTIONAL)
    bare = [table.Row(table.Entry(**row.entry.model_dump(exclude=new)), row.cells) for row in rows]
    board.write_text(table.text_of(bare))
    assert call("verify", board).stderr.splitlines()[-1] == (
        f"{board}: ordered by an earlier version; pse-bench leaderboard rescore {board} orders it anew"
    )
    done = call("rescore", board)
    assert f"{board}: good 1: as it was, no scores are kept of it" in done.stdout
    done = call("verify", board)
    assert done.exit_code == 0
    assert (
        f"{board}: no scores are kept of oracle-mask 1 and 4 more, which an earlier version added" in done.stderr
    )
    shown = call("show", board).stdout
    assert "no scores are kept of good 1 and 1 more: added by an earlier version" in shown
    assert "group" not in shown.splitlines()[1]


# ---- what a submission says


def test_a_submission_says_what_it_was_made_from(board: Path, tmp_path: Path) -> None:
    folder = made(tmp_path / "new", "new", system={"name": "new", "version": "1"})
    done = call("add", board, folder)
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert (
        "does not say trained_on, tuned_on, licence; give --trained-on TEXT --tuned-on TEXT --licence TEXT, or "
        "training_data, tuned_on, licence in system.yaml before it is scored"
    ) in done.stderr
    done = call("add", board, folder, "--trained-on", "VCTK", "--tuned-on", "nothing")
    assert "does not say licence; give --licence TEXT, or licence in" in done.stderr
    measured = tmp_path / "figures.json"
    measured.write_text(
        json.dumps({"system": "new", "rtf": 0.1, "rtf_cpu": 0.2, "latency_class": "≤ 20 ms", "probes": 9})
    )
    words = ("--trained-on", "VCTK", "--tuned-on", "nothing", "--licence", "MIT", "--figures", measured)
    done = call("add", board, folder, *words)
    assert done.exit_code == 0, done.output
    entry = next(row.entry for row in read(board) if row.entry.system == "new")
    assert (entry.trained_on, entry.tuned_on, entry.licence) == ("VCTK", "nothing", "MIT")
    assert (entry.rtf, entry.rtf_cpu, entry.latency_class, entry.evidence) == (
        0.1,
        0.2,
        "≤ 20 ms",
        "self-reported",
    )
    assert verification.verify(board) == []


def test_a_blind_scoring_is_told_from_its_result(board: Path, tmp_path: Path) -> None:
    leaderboard.add(board, made(tmp_path / "new", "new", evidence="blind"))
    assert {row.entry.system: row.entry.evidence for row in read(board)}["new"] == "blind"
    assert verification.verify(board) == []


def test_a_control_has_the_figures_of_its_system(board: Path, tmp_path: Path) -> None:
    (tmp_path / "figures.json").write_text('{"system": "good", "rtf_cpu": 0.2}')
    folder = made(tmp_path / "wrong", "good (wrong enrollment)")
    assert leaderboard.add(board, folder, figures=tmp_path / "figures.json").entry.rtf_cpu == 0.2


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "no figures of a system; give what pse-bench system SYSTEM -o FILE wrote"),
        ('{"system": "other"}', "figures of 'other', but the result is of 'new'"),
        ('{"system": "new", "rtf": "fast"}', "rtf: Input should be a valid number, found 'fast'"),
        ("", "not JSON"),
    ],
)
def test_figures_that_are_none(board: Path, tmp_path: Path, content: str, words: str) -> None:
    (tmp_path / "figures.json").write_text(content)
    done = call("add", board, made(tmp_path / "new", "new"), "--figures", tmp_path / "figures.json")
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert f"{tmp_path / 'figures.json'}: " in done.stderr
    assert words in done.stderr


# ---- rescore


def rescored(folder: Path, version: int, **figures: object) -> Path:
    """A result as a new version of the metrics would give it."""
    names = ("tsos", "wer", "target_loss_db", "pause_leakage_db", "leakage_reduction_db")
    return made(folder, folder.name, metrics={name: {"version": version} for name in names}, **figures)


def test_a_new_version_of_a_metric_reaches_all_rows_at_once(board: Path, tmp_path: Path) -> None:
    others = {**CORNERS, "good": {"leakage": 15}, "fair": {"leakage": 20}}
    folders = [rescored(tmp_path / name, 2, **figures) for name, figures in others.items()]
    before = board.read_bytes()
    done = call("rescore", board, folders[-1])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1)
    assert "tsos of another version than in" in done.stderr
    assert board.read_bytes() == before
    done = call("rescore", board, *folders, "--evidence", "rescored")
    assert done.stdout.splitlines()[-1] == f"{board}: silence 1: from {tmp_path / 'silence'}"
    assert verification.verify(board, folders) == []
    rows = {row.entry.system: row for row in read(board)}
    assert [name for name in rows if rows[name].entry.rank] == ["fair", "good"]
    assert rows["fair"].entry.evidence == "rescored"
    assert rows["fair"].entry.date == "2026-01-02"
    assert len(list((board.with_suffix("") / "results").iterdir())) == 5


def test_rescoring_takes_no_other_audio_and_no_other_system(board: Path, tmp_path: Path) -> None:
    before = board.read_bytes()
    assert "of no row of" in call("rescore", board, made(tmp_path / "x", "x")).stderr
    folder = made(tmp_path / "good", "good", submission_sha256="a" * 64)
    assert call("rescore", board, folder).exit_code == 0, "nothing is known of the audio of before"
    folder = made(tmp_path / "again", "good", submission_sha256="b" * 64)
    assert "scored from other audio than good 1 on" in call("rescore", board, folder).stderr
    assert board.read_bytes() != before


# ---- submit and review


def test_the_bundle_of_a_pull_request(board: Path, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in board.parent.rglob("*") if path.is_file()}
    done = call("submit", made(tmp_path / "mine", "mine", leakage=12), "--board", board, "-o", tmp_path / "bundle")
    assert done.exit_code == 0, done.output
    assert {path: path.read_bytes() for path in board.parent.rglob("*") if path.is_file()} == before
    inside = {f"{path.relative_to(tmp_path / 'bundle')}" for path in (tmp_path / "bundle").rglob("*.*")}
    assert {"PULL_REQUEST.md", "boards/tiny-v1.csv", "boards/tiny-v1/pairs.csv"} <= inside
    rows = [name for name in inside if name.startswith("boards/tiny-v1/results/mine-1-")]
    assert len(rows) == 5
    assert len(inside) == 3 + 5
    assert (
        "- trained on: LibriSpeech\n- tuned on: tiny-v1-dev\n- licence: MIT\n"
        in (tmp_path / "bundle" / "PULL_REQUEST.md").read_text()
    )
    shutil.copy(board, tmp_path / "before.csv")
    shutil.copytree(tmp_path / "bundle" / "boards", board.parent, dirs_exist_ok=True)
    done = call("review", board, "--base", tmp_path / "before.csv")
    assert (done.exit_code, done.stdout.count("\n")) == (0, 1)
    assert done.stdout.startswith(f"{board}: accepted: mine 1: new, rank 2 to 2, net score ")
    assert call("review", board, "--base", board).stdout == f"{board}: no row has changed\n"
    again = call("submit", tmp_path / "mine", "--board", board, "-o", tmp_path / "bundle")
    assert "exists already; give another folder" in again.stderr
    nowhere = call("submit", tmp_path / "mine", "--board", tmp_path / "no.csv", "-o", tmp_path / "b")
    assert "no such board; give the CSV of a checkout" in nowhere.stderr


def forced(board: Path, folder: Path) -> None:
    """Put a result on a board without asking, as whoever writes files by hand can."""
    found = results.Result.open(folder)
    said = evidence.Stated(kind="submission", date="2026-01-03")
    sums = evidence.speaker_sums(found.read_scores())
    row = table.row_of(found, said, evidence.as_array(sums, folder))
    evidence.keep(board, table.evidence_folder(board, row.entry), found, said, sums)
    board.write_text(table.text_of([*read(board), row]))


def without_a_clip(folder: Path) -> Path:
    """A result that leaves a mixture out, in every file and hash."""
    for name, record in (("scores.csv", Score), ("mixtures.csv", Mixture)):
        rows = tables.read_table(folder / name, record)
        tables.write_table(folder / name, record, [row for row in rows if row.mixture_id != "s000004_TS2"])
    about = json.loads((folder / "result.json").read_text())
    about.pop("seal_sha256")
    finish(folder, about | {"mixtures": 26, "mixtures_sha256": atomic.sha256(folder / "mixtures.csv")})
    return folder


def git(repository: Path, *words: str) -> str:
    own = ("-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(
        ["git", *own, *words], cwd=repository, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture
def repository(board: Path) -> Path:
    """A repository with the board and the script that checks it, at the revision that others start from."""
    root = board.parent.parent
    shutil.copy(ROOT / "leaderboards" / "ci.sh", board.parent)
    git(root, "init", "-q", "-b", "main")
    git(root, "add", "leaderboards")
    git(root, "commit", "-q", "-m", "Board")
    return root


def checked(repository: Path, base: str = "main") -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    script = repository / "leaderboards" / "ci.sh"
    return subprocess.run(
        [script, base],
        cwd=repository,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PATH": path},
    )


def test_a_pull_request_with_three_false_rows_and_an_honest_one(
    repository: Path, board: Path, tmp_path: Path
) -> None:
    assert (checked(repository).returncode, checked(repository).stdout) == (0, "")
    leaderboard.add(board, made(tmp_path / "honest", "honest", leakage=12, words=True))
    leaderboard.add(board, made(tmp_path / "forged", "forged", leakage=11))
    with board.open() as stream:
        rows = list(csv.DictReader(stream))
    for row in rows:
        if row["system"] == "forged":
            row["TS2.tsos_high"] = "6.0001"
    with board.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    forced(board, without_a_clip(made(tmp_path / "dropped", "dropped")))
    forced(board, made(tmp_path / "elsewhere", "elsewhere", dataset_fingerprint="c" * 64))
    git(repository, "add", "leaderboards")
    git(repository, "commit", "-q", "-m", "Rows")
    found = checked(repository, "HEAD~1")
    assert (found.returncode, found.stderr) == (1, "")
    said = {line.split(": ")[2].split()[0]: line for line in found.stdout.splitlines() if "1: " in line}
    assert list(said) == [row["system"] for row in rows if row["system"] in said] + ["dropped", "elsewhere"]
    assert said["honest"].startswith("leaderboards/tiny-v1.csv: accepted: honest 1: new, rank 2 to 2, net score ")
    assert "refused: forged 1: TS2.tsos_high 6.0001, but " in said["forged"]
    assert "refused: dropped 1: " in said["dropped"]
    assert "scored over 26 mixtures that are not the 27 of the board" in said["dropped"]
    assert "refused: elsewhere 1: " in said["elsewhere"]
    assert "dataset fingerprint cccccccccccc, but " in said["elsewhere"]
    assert len(said) == 4 == len(found.stdout.splitlines()) - 1, "and one line about the order"


FORGERIES: dict[str, tuple[Callable[[Path], object], str]] = {
    "no scores": (
        lambda board: [path.unlink() for path in board.parent.rglob("results/new*/row.json")],
        "refused: new 1: no scores are kept of it; add its result with leaderboard add",
    ),
    "a row less": (
        lambda board: leaderboard.write(board, [r for r in read(board) if r.entry.system != "fair"]),
        "removed: fair 1",
    ),
    "pairs": (
        lambda board: table.pairs_of(board).write_text(
            table.pairs_of(board).read_text().replace("True", "False", 1)
        ),
        "pairs.csv: not what the scores say of who is told apart; restore it",
    ),
    "ranks": (
        lambda board: board.write_text(board.read_text().replace(",1,,True,", ",2,,True,", 1)),
        "refused: ranks or order are not those of its figures; restore it",
    ),
}


@pytest.mark.parametrize(("forge", "words"), FORGERIES.values(), ids=FORGERIES)
def test_what_a_review_finds(board: Path, tmp_path: Path, forge: Callable[[Path], object], words: str) -> None:
    shutil.copy(board, tmp_path / "before.csv")
    leaderboard.add(board, made(tmp_path / "new", "new", leakage=20))
    forge(board)
    done = call("review", board, "--base", tmp_path / "before.csv")
    assert words in done.stdout
    assert done.exit_code == int("refused" in done.stdout)


def test_a_review_says_what_has_changed(board: Path, tmp_path: Path) -> None:
    shutil.copy(board, tmp_path / "before.csv")
    call("rescore", board, made(tmp_path / "fair", "fair", leakage=8), "--evidence", "rescored")
    (line,) = changes.review(board, tmp_path / "before.csv")
    assert line.words.startswith("accepted: fair 1: evidence self-reported to rescored, net_score 51.1")


def test_the_script_names_a_revision_that_is_not_there(repository: Path) -> None:
    found = checked(repository, "nowhere")
    assert (found.returncode, found.stderr.count("\n")) == (1, 1)
    assert "no revision nowhere here; fetch it" in found.stderr


def test_a_board_refuses_other_mixtures(board: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="scored over 26 mixtures that are not the 27 of the board"):
        leaderboard.add(board, without_a_clip(made(tmp_path / "new", "new")))
