"""Leaderboards: who may enter, who stands where, and that a board follows from its results."""

import csv
import json
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated, Any

import pytest
import tiny
from ranked import CORNERS, finish, result

from pse_bench.asr import probe
from pse_bench.errors import InputError
from pse_bench.io import atomic, tables
from pse_bench.leaderboard import leaderboard, shown, table, verification
from pse_bench.leaderboard.table import read
from pse_bench.schemas import Score

RANKED = {
    ("TS1", "tsos"),
    ("TS2", "tsos"),
    ("TS2", "wer"),
    ("TS2", "target_reduction_db"),
    ("TS2", "pause_leakage_db"),
    ("TS3", "leakage_reduction_db"),
}
NET = "TS3.net_leakage_reduction_db"
MADE_OF_OTHERS = dict.fromkeys((("TS2", "target_reduction_db"), ("TS3", "leakage_reduction_db")), NET)
Started = Callable[..., Path]


@pytest.fixture
def board(tmp_path: Path) -> Path:
    """A board that has the references."""
    path = tmp_path / "boards" / "tiny-v1.csv"
    for name, figures in CORNERS.items():
        leaderboard.add(path, result(tmp_path / name, name, **figures), kind="reference", date="2026-01-02")
    return path


def names(board: Path) -> list[str]:
    return [row.entry.system for row in read(board)]


# ---- entering


def test_a_board_fills_in_order(board: Path, tmp_path: Path) -> None:
    assert names(board) == ["oracle-mask", "mixture", "silence"]
    leaderboard.add(board, result(tmp_path / "good", "good", tsos=(4, 5), leakage=15), kind="baseline", rtf=0.02)
    leaderboard.add(board, result(tmp_path / "leaky", "leaky", tsos=(2, 3), leakage=9, pause=7))
    leaderboard.add(board, result(tmp_path / "worse", "worse", tsos=(9, 9), leakage=8, pause=6))
    leaderboard.add(board, result(tmp_path / "control", "good (wrong enrollment)", tsos=(50, 50), leakage=9))
    rows = {row.entry.system: row for row in read(board)}
    order = "oracle-mask,good,good (wrong enrollment),leaky,worse,mixture,silence"
    assert names(board) == order.split(",")
    assert [row.entry.rank for row in read(board)] == [None, 1, None, 2, 3, None, None]
    assert [name for name, row in rows.items() if row.entry.pareto] == ["oracle-mask", "good", "leaky", "mixture"]
    kinds = ["reference", "baseline", "control", "submission", "submission", "reference", "reference"]
    assert {name: row.entry.kind for name, row in rows.items()} == dict(zip(order.split(","), kinds, strict=True))
    good = rows["good"].entry
    known = (good.version, good.causal, good.latency_ms, good.parameters, good.rtf)
    assert known == ("1", True, 20, 810_000, 0.02)
    assert (good.trained_on, good.tuned_on, good.licence) == ("LibriSpeech", "tiny-v1-dev", "MIT")
    assert (rows["mixture"].entry.net_score, rows["silence"].entry.net_score) == (0, 0)
    assert rows["good"].cells["TS3.leakage_reduction_db"] == 15
    low, high = (rows["good"].cells[f"TS2.wer_{end}"] for end in ("low", "high"))
    assert low < rows["good"].cells["TS2.wer"] < high
    assert verification.verify(board) == []


@pytest.mark.parametrize("people", [1, 4], ids=["without-intervals", "with-intervals"])
def test_a_board_of_takes_is_ordered_by_their_stretches(tmp_path: Path, people: int) -> None:
    path = tmp_path / "tiny-v1.csv"
    for name, figures in CORNERS.items():
        folder = result(tmp_path / name, name, takes=True, people=people, **figures)
        leaderboard.add(path, folder, kind="reference")
    for name, figures in {"good": {"leakage": 14}, "forgets": {"leakage": 4}, "late": {"wer": 60}}.items():
        leaderboard.add(path, result(tmp_path / name, name, takes=True, people=people, **figures))
    assert names(path) == ["oracle-mask", "good", "late", "forgets", "mixture", "silence"]
    rows = {row.entry.system: row.entry for row in read(path)}
    assert rows["mixture"].net_score == rows["silence"].net_score == 0
    # one person's figures lie 0.15 below, and of four the mean is what was asked for
    kept, soon, late = (1 - (5 + 6 + 30) / 300, *(1 - 2 ** (-(db - 0.5) / 10) for db in (8, 14)))
    assert rows["good"].net_score == pytest.approx(300 / (1 / kept + 1 / soon + 1 / late), abs=0.3)
    assert (rows["good"].net_score_low is None) == (people == 1)
    assert rows["oracle-mask"].pareto
    assert not rows["silence"].pareto
    assert verification.verify(path) == []
    assert "(TS2.tsos_alone, TS2.tsos_together, TS2.return_tsos)" in " ".join(shown.text(path, read(path)).split())
    assert "TS2.pause_leakage_to_30s_db (dB)" in shown.text(path, read(path), "markdown")
    kept_of = table.evidence_folder(path, rows["good"])
    assert leaderboard.rescore(path)
    assert table.evidence_folder(path, {row.entry.system: row.entry for row in read(path)}["good"]) == kept_of


def test_takes_without_a_stretch_that_is_ranked_do_not_enter(tmp_path: Path) -> None:
    folder = result(tmp_path / "mixture", "mixture", takes=True, **CORNERS["mixture"])
    scores = [row for row in tables.read_table(folder / "scores.csv", Score) if row.metric != "return_tsos"]
    tables.write_table(folder / "scores.csv", Score, scores)
    finish(folder, json.loads((folder / "result.json").read_text()))
    with pytest.raises(InputError, match=r"no TS2\.return_tsos, which is ranked; score again with it"):
        leaderboard.add(tmp_path / "tiny-v1.csv", folder, kind="reference")


def test_the_result_of_a_blind_edition_is_on_the_board_as_such(board: Path, tmp_path: Path) -> None:
    unseen = result(tmp_path / "unseen", "unseen", evidence="blind")
    assert leaderboard.add(board, unseen).entry.evidence == "blind"
    assert leaderboard.add(board, unseen, replace=True, evidence="reproduced").entry.evidence == "reproduced"


def test_a_board_says_who_heard_the_words_and_how_much_that_one_makes_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    heard = {"name": "parrot", "version": "1", "model": "a" * 64, "note": "a bird"}
    path = tmp_path / "tiny-v1.csv"
    leaderboard.add(path, result(tmp_path / "mixture", "mixture", recogniser=heard), kind="reference")
    assert "words heard by parrot\n" in shown.text(path, read(path)) + "\n"
    monkeypatch.setattr(probe, "known", {"a" * 64: "parrot writes down 9.0 %"}.get)
    assert "words heard by parrot; parrot writes down 9.0 %" in shown.text(path, read(path))


def test_the_file_has_the_columns_of_the_contract(board: Path) -> None:
    with board.open() as stream:
        head, *lines = list(csv.reader(stream))
    fixed = "system,version,kind,date,causal,latency_ms,parameters,rtf,dataset_fingerprint,result_sha256"
    assert head[:10] == fixed.split(",")
    assert {f"{label}.{metric}" for label, metric in RANKED} <= set(head)
    assert head.index("TS2.wer_low") == head.index("TS2.wer") + 1 == head.index("TS2.wer_high") - 1
    assert len(lines) == 3


def test_the_order_of_entry_leaves_no_trace(board: Path, tmp_path: Path) -> None:
    other = tmp_path / "other" / "tiny-v1.csv"
    for name in reversed(CORNERS):
        leaderboard.add(other, tmp_path / name, kind="reference", date="2026-01-02")
    assert other.read_text() == board.read_text()


def _one_score(folder: Path) -> None:
    path = folder / "scores.csv"
    path.write_text(path.read_text().replace("ok", "failed", 1))


def _one_mixture(folder: Path) -> None:
    path = folder / "mixtures.csv"
    path.write_text(path.read_text().replace("ps000001", "ps000002"))


REFUSED: dict[str, tuple[dict[str, Any], Callable[[Path], None] | None, str]] = {
    "partial": ({"complete": False}, None, "partial, some estimates are missing or unusable"),
    "another dataset": (
        {"dataset": "tiny-v2"},
        None,
        "scored on tiny-v2, the board is of tiny-v1; give tiny-v2.csv",
    ),
    "another fingerprint": ({"dataset_fingerprint": "c" * 64}, None, "dataset fingerprint cccccccccccc"),
    "another reference": ({"reference": "reverberant"}, None, "reference reverberant"),
    "another metric": ({"metrics": {"tsos": {"version": 2}}}, None, "tsos of another version than in"),
    "another recogniser": (
        {"metrics": {"wer": {"version": 1, "model": "x"}}},
        None,
        "wer of another version than in",
    ),
    "a changed score": ({}, _one_score, "scores.csv: missing or changed since it was scored"),
    "a changed mixture": ({}, _one_mixture, "mixtures.csv: missing or changed since it was scored"),
    "no scores": ({}, lambda folder: (folder / "scores.csv").unlink(), "scores.csv: missing or changed"),
    "a formula": ({"system": {"name": "=1+1"}}, None, "begins as a formula does; rename it"),
    "a reference's name": ({"system": {"name": "silence"}}, None, "'silence' as submission; the references are"),
}


@pytest.mark.parametrize(("about", "damage", "words"), REFUSED.values(), ids=REFUSED)
def test_what_may_not_enter(
    board: Path, tmp_path: Path, about: dict[str, Any], damage: Callable[[Path], None] | None, words: str
) -> None:
    folder = result(tmp_path / "new", "new", **about)
    if damage:
        damage(folder)
    before = {path: path.read_bytes() for path in board.parent.rglob("*") if path.is_file()}
    with pytest.raises(InputError, match=re.escape(words)):
        leaderboard.add(board, folder)
    assert {path: path.read_bytes() for path in board.parent.rglob("*") if path.is_file()} == before


KEYS = ("dataset", "dataset_fingerprint", "reference", "complete", "metrics", "scores_sha256", "mixtures_sha256")


@pytest.mark.parametrize("key", [*KEYS, "summary_sha256", "system"])
def test_nothing_that_a_result_says_of_itself_can_be_edited(board: Path, tmp_path: Path, key: str) -> None:
    folder = result(tmp_path / "new", "new")
    document = json.loads((folder / "result.json").read_text())
    other = {"complete": False, "metrics": {}, "system": {"name": "other", "version": "1"}}.get(key, "b" * 64)
    atomic.write_json(folder / "result.json", {**document, key: other})
    before = board.read_bytes()
    with pytest.raises(InputError, match="changed since it was"):
        leaderboard.add(board, folder)
    assert board.read_bytes() == before


def test_a_result_that_is_not_sealed_is_scored_again_first(board: Path, tmp_path: Path) -> None:
    folder = result(tmp_path / "new", "new")
    document = json.loads((folder / "result.json").read_text())
    del document["seal_sha256"]
    atomic.write_json(folder / "result.json", document)
    with pytest.raises(InputError, match=r"result\.json: not sealed, .* earlier version; score again"):
        leaderboard.add(board, folder)


@pytest.mark.parametrize("key", ["dataset_fingerprint", "reference"])
def test_a_result_of_another_dataset_enters_no_board_even_if_its_seal_fits(
    board: Path, tmp_path: Path, key: str
) -> None:
    folder = result(tmp_path / "new", "new", **{key: "b" * 64})
    with pytest.raises(InputError, match=f"{key.replace('_', ' ')} bbbbbbbbbbbb, but .* has"):
        leaderboard.add(board, folder)


@pytest.mark.parametrize("column", sorted(RANKED))
def test_a_result_without_a_ranked_figure(board: Path, tmp_path: Path, column: tuple[str, str]) -> None:
    folder = result(tmp_path / "new", "new")
    scores = tables.read_table(folder / "scores.csv", Score)
    tables.write_table(
        folder / "scores.csv", Score, [row for row in scores if (row.scenario, row.metric) != column]
    )
    document = json.loads((folder / "result.json").read_text())
    finish(folder, document)
    missing = MADE_OF_OTHERS.get(column, ".".join(column))
    with pytest.raises(InputError, match=rf"no {missing}, which is ranked; score again"):
        leaderboard.add(board, folder)


def test_an_undefined_figure(board: Path, tmp_path: Path) -> None:
    folder = result(tmp_path / "new", "new")
    scores = [
        row.model_copy(update={"status": "undefined", "value": None, "detail": "no words"})
        if row.metric == "wer"
        else row
        for row in tables.read_table(folder / "scores.csv", Score)
    ]
    tables.write_table(folder / "scores.csv", Score, scores)
    document = json.loads((folder / "result.json").read_text())
    finish(folder, document)
    with pytest.raises(InputError, match=r"TS2.wer is undefined, so it cannot be ranked"):
        leaderboard.add(board, folder)


def test_two_that_are_added_at_once_are_both_there(board: Path, tmp_path: Path) -> None:
    """Each reads the board, puts its row in and writes it again."""
    folders = [result(tmp_path / name, name) for name in ("one", "two", "three", "four")]
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda folder: leaderboard.add(board, folder), folders))
    names = {row.entry.system for row in read(board)}
    assert {"one", "two", "three", "four"} <= names


def test_references_come_first(tmp_path: Path) -> None:
    board = tmp_path / "tiny-v1.csv"
    leaderboard.add(board, result(tmp_path / "m", "mixture", **CORNERS["mixture"]), kind="reference")
    with pytest.raises(InputError, match=r"silence, oracle-mask not there yet; enhance, score and add"):
        leaderboard.add(board, result(tmp_path / "new", "new"))
    with pytest.raises(InputError, match=r"'new' as reference; the references are"):
        leaderboard.add(board, tmp_path / "new", kind="reference")


def test_a_dataset_of_a_sets_name_is_not_the_set(tmp_path: Path) -> None:
    """Anybody's scenes of the scenario ``embedded`` have that name; the board is of the frozen ones."""
    folder = result(tmp_path / "mixture", "mixture", dataset="embedded-v1", **CORNERS["mixture"])
    with pytest.raises(
        InputError, match=r"fingerprint aaaaaaaaaaaa, the benchmark set embedded-v1 has [0-9a-f]{12};"
    ):
        leaderboard.add(tmp_path / "embedded-v1.csv", folder, kind="reference")


def test_a_row_is_replaced_only_when_asked(board: Path, tmp_path: Path) -> None:
    leaderboard.add(board, result(tmp_path / "one", "mine"))
    again = result(tmp_path / "two", "mine", tsos=(3, 3))
    with pytest.raises(InputError, match=r"mine 1 is there already; give the system another version"):
        leaderboard.add(board, again)
    leaderboard.add(board, again, replace=True)
    assert names(board).count("mine") == 1
    assert len(list((board.parent / "tiny-v1" / "results").iterdir())) == 4
    assert verification.verify(board, [again]) == []


# ---- verifying


def edited(board: Path, change: Callable[[list[dict[str, str]]], Iterable[dict[str, str]]]) -> None:
    with board.open() as stream:
        rows = list(csv.DictReader(stream))
    head = list(rows[0])
    with board.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, head, lineterminator="\n")
        writer.writeheader()
        writer.writerows(change(rows))


def _set(column: str, value: str, row: int = 0) -> Callable[[list[dict[str, str]]], list[dict[str, str]]]:
    def change(rows: list[dict[str, str]]) -> list[dict[str, str]]:
        rows[row][column] = value
        return rows

    return change


EDITS = {
    "a figure": (_set("TS2.tsos", "0.5"), "oracle-mask 1: TS2.tsos 0.5, but 2.0 in what its scores give"),
    "a bound": (_set("TS2.wer_high", "10.01"), "TS2.wer_high 10.01, but "),
    "a rank": (_set("rank", "2"), "ranks or order are not those of its figures"),
    "a mean rank": (_set("mean_rank", "1.0", 1), "ordered by an earlier version; pse-bench leaderboard rescore"),
    "a net score": (_set("net_score_high", "90.0"), "oracle-mask 1: net_score_high 90.0, but "),
    "a date": (_set("date", "2026-01-03"), "oracle-mask 1: date 2026-01-03, but 2026-01-02"),
    "a kind": (_set("kind", "baseline"), "oracle-mask 1: kind baseline, but reference"),
    "evidence": (_set("evidence", "reproduced"), "evidence reproduced, but self-reported"),
    "a licence": (_set("licence", "Apache-2.0"), "licence Apache-2.0, but MIT"),
    "the front": (_set("pareto", "True", 2), "ranks or order are not those of its figures"),
    "a hash": (_set("result_sha256", "d" * 64), "result.json: missing or changed since oracle-mask 1 was added"),
    "a fingerprint": (_set("dataset_fingerprint", "d" * 64), "dataset_fingerprint dddd"),
    "latency": (_set("latency_ms", "1.0"), "latency_ms 1.0, but 20.0"),
    "the order": (lambda rows: rows[::-1], "ranks or order are not those of its figures"),
    "a row less": (lambda rows: rows[1:], "oracle-mask is missing; every board has the references"),
}


@pytest.mark.parametrize(("change", "words"), EDITS.values(), ids=EDITS)
def test_an_edited_board_is_found_out(board: Path, change: Callable, words: str) -> None:
    assert verification.verify(board) == []
    edited(board, change)
    assert any(words in line for line in verification.verify(board)), verification.verify(board)


def test_edits_of_board_and_summary_together_are_found_with_the_result(board: Path, tmp_path: Path) -> None:
    edited(board, _set("TS2.tsos", "1.5"))
    (summary,) = (board.parent / "tiny-v1" / "results").glob("oracle*/summary.csv")
    summary.write_text(summary.read_text().replace("TS2,tsos,2.0,", "TS2,tsos,1.5,"))
    changed = f"{summary}: missing or changed since oracle-mask 1 was added; restore it"
    assert verification.verify(board) == [changed]
    _, line = verification.verify(board, [tmp_path / "oracle-mask"])
    assert "TS2.tsos 1.5, but 2.0 in" in line
    _, line = verification.verify(board, [result(tmp_path / "new", "new")])
    assert "no row of" in line


BROKEN = {
    "empty": ("", "expected the columns system, version"),
    "a column less": ("system,version\n", "expected the columns system, version"),
    "binary": ("\0\0", "expected the columns system, version"),
}


@pytest.mark.parametrize(("text", "words"), BROKEN.values(), ids=BROKEN)
def test_a_broken_board_is_one_line(board: Path, text: str, words: str) -> None:
    board.write_text(text)
    with pytest.raises(InputError, match=re.escape(words)):
        read(board)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: text.replace("TS2.wer_low", "TS4.wer_low"), "unknown column 'TS4.wer_low'"),
        (lambda text: text.replace("\noracle-mask,", "\noracle-mask,,"), ":2: "),
        (lambda text: text.replace(",20.0,", ",soon,", 1), ":2: latency_ms: "),
        (lambda text: text + text.splitlines()[-1] + "\n", "silence 1 is there twice; keep one"),
        (lambda text: text.replace("2026-01-02", "tomorrow", 1), ":2: date: "),
        (lambda text: re.sub(r"(120\.0,)+", "nan,", text, count=1), ":2: "),
    ],
)
def test_a_broken_line_is_named(board: Path, change: Callable[[str], str], words: str) -> None:
    board.write_text(change(board.read_text()))
    with pytest.raises(InputError, match=re.escape(words)):
        read(board)


# ---- the command


def test_the_command_from_results_to_a_printed_board(tmp_path: Path) -> None:
    board = tmp_path / "tiny-v1.csv"
    folders = [result(tmp_path / name, name, **figures) for name, figures in CORNERS.items()]
    done = tiny.pse_bench("leaderboard", "add", board, *folders, "--kind", "reference", "--date", "2026-01-02")
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == (
        f"{board}: oracle-mask 1: a reference, without a rank, net score 91.9 [91.8, 92.0]"
    )
    mine = result(tmp_path / "x", "mine | <b>")
    assert tiny.pse_bench("leaderboard", "add", board, mine).returncode == 0
    shown = tiny.pse_bench("leaderboard", "show", board)
    assert shown.returncode == 0
    first = shown.stdout.split("\n\n")[0]
    assert re.findall(r"^\d  +(\S+)", first, re.MULTILINE) == ["mine"]
    assert "mixture" not in first
    assert "3 references and controls are not shown; --all-rows shows them" in shown.stdout
    every = tiny.pse_bench("leaderboard", "show", board, "--all-rows", "--format", "markdown").stdout
    assert re.findall(r"^\| \d? \| (\S+)", every, re.MULTILINE) == ["oracle-mask", "mine", "mixture", "silence"]
    sorted_ = tiny.pse_bench("leaderboard", "show", board, "--sort", "TS2.tsos", "--format", "csv")
    assert [line.split(",")[0] for line in sorted_.stdout.splitlines()[1:]] == [
        "mixture",
        "oracle-mask",
        "mine | <b>",
        "silence",
    ]
    beside = tiny.pse_bench(
        "leaderboard", "show", board, "--format", "markdown", "--sort", "TS3.leakage_reduction_median_db"
    )
    assert "TS3.leakage_reduction_median_db (dB) ↑ |" in beside.stdout
    marked = tiny.pse_bench("leaderboard", "show", board, "--format", "markdown", "--sort", "system")
    assert r"| mine \| \<b\> 1 | a | submission | self-reported |" in marked.stdout
    assert tiny.pse_bench("leaderboard", "verify", board, *folders, mine).stdout == (
        f"{board}: all rows follow from their results, 4 of them from their scores\n"
    )
    edited(board, _set("TS1.tsos", "0"))
    bad = tiny.pse_bench("leaderboard", "verify", board)
    assert (bad.returncode, bad.stdout) == (1, "")
    assert "TS1.tsos 0.0, but 1.0 in" in bad.stderr
    again = tiny.pse_bench("leaderboard", "verify", board, "--json")
    assert json.loads(again.stdout)["problems"]
    assert again.returncode == 1
    wrong = tiny.pse_bench("leaderboard", "show", board, "--sort", "TS2.quality")
    assert (wrong.returncode, wrong.stderr.count("\n")) == (1, 1)
    assert "no column 'TS2.quality'; there are system, version" in wrong.stderr


def test_sorting_puts_the_better_end_first(board: Path) -> None:
    rows = read(board)
    by_leakage = [row.entry.system for row in shown.by_column(rows, "TS3.leakage_reduction_db")]
    assert by_leakage[-1] == "mixture"
    assert [row.entry.system for row in shown.by_column(rows, "TS2.wer")] == ["oracle-mask", "mixture", "silence"]
    without = [*rows, rows[0].__class__(rows[0].entry, {})]
    assert shown.by_column(without, "TS2.wer")[-1].cells == {}


COMMITTED = sorted((Path(__file__).parents[2] / "leaderboards").glob("*-v*.csv"))


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.stem)
def test_the_boards_that_come_with_the_project_are_what_they_say(path: Path) -> None:
    assert verification.verify(path) == []
    assert names(path)[0] not in ("mixture", "silence")
    assert set(leaderboard.REFERENCES) <= set(names(path))


class WithData(table.Entry):
    """The fixed columns with one more, as somebody would add it."""

    training_data: Annotated[str, table.FromResult(lambda found: found.about["system"].get("training_data"))] = ""


def test_a_new_column_leaves_older_boards_as_they_are(
    board: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = board.read_text()
    monkeypatch.setattr(table, "Entry", WithData)
    monkeypatch.setitem(table.FROM_RESULT, "training_data", WithData.model_fields["training_data"].metadata[0])
    monkeypatch.setattr(table, "OPTIONAL", (*table.OPTIONAL, "training_data"))
    assert verification.verify(board) == []
    assert table.text_of(read(board)) == before
    folder = result(tmp_path / "new", "new")
    about = json.loads((folder / "result.json").read_text())
    del about["seal_sha256"]
    about["system"]["training_data"] = "LibriSpeech"
    finish(folder, about)
    leaderboard.add(board, folder)
    with board.open() as stream:
        rows = {row["system"]: row["training_data"] for row in csv.DictReader(stream)}
    assert rows == {"mixture": "", "silence": "", "oracle-mask": "", "new": "LibriSpeech"}
    assert verification.verify(board, [folder]) == []


def test_who_extracts_nobody_is_named_below_the_board(board: Path, tmp_path: Path) -> None:
    known = json.loads((result(tmp_path / "plain", "plain") / "result.json").read_text())["system"]
    leaderboard.add(board, tmp_path / "plain")
    for name, more in (("knob", {"constant_gain_db": -10.75}), ("deaf", {"uses_enrollment": False})):
        leaderboard.add(board, result(tmp_path / name, name, system={**known, "name": name, **more}))
    told = " ".join(shown.text(board, shown.ranked(read(board)), width=200).split())
    assert "ignores the enrollment: deaf" in told
    assert "only changes the level: knob, constant gain −10.8 dB" in told
