"""Results, boards, and what a recogniser heard."""

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import valid
from target import Read, Target, of_file

from pse_bench import schemas
from pse_bench.asr import hypothesis_csv
from pse_bench.leaderboard import leaderboard, table
from pse_bench.leaderboard.evidence import Stated
from pse_bench.reporting import tables
from pse_bench.scoring import results
from pse_bench.scoring import summary as summaries


def _scores(name: str) -> Callable[[Path], Read]:
    """scores.csv, detections.csv or mixtures.csv of a result whose other tables are whole."""

    def opened(folder: Path) -> Read:
        (folder / "mixtures.csv").write_bytes(valid.table(schemas.Mixture, valid.mixtures()))
        (folder / "scores.csv").write_bytes(valid.table(schemas.Score, valid.scores()))
        if name == "detections.csv":
            (folder / "detections.csv").write_bytes(valid.table(schemas.Detection, valid.detections()))

        def read(content: bytes) -> None:
            (folder / name).write_bytes(content)
            summaries.summaries_of(summaries.Scores.read(folder))

        return read

    return opened


def _result_seeds() -> list[bytes]:
    scores, mixtures = valid.table(schemas.Score, valid.scores()), valid.table(schemas.Mixture, valid.mixtures())
    hashes = {
        "scores_sha256": hashlib.sha256(scores).hexdigest(),
        "mixtures_sha256": hashlib.sha256(mixtures).hexdigest(),
    }
    return [valid.text(valid.ABOUT | hashes)]


def _result(folder: Path) -> Read:
    other = results.Result(folder / "other", json.loads(_result_seeds()[0]), valid.SUMMARY)
    path = folder / "result.json"

    def read(content: bytes) -> None:
        path.write_bytes(content)
        result = results.Result(folder, results.about_of(path), valid.SUMMARY)
        results.check_comparable([result, other])
        table.row_of(result, Stated(kind="submission", date="2026-01-01"))
        tables.results_text([result, other])

    return read


def _board(path: Path) -> None:
    rows = table.read(path)
    path.write_text(table.text_of(leaderboard.order(rows)[0]), encoding="utf-8")
    assert {row.entry.name for row in table.read(path)} == {row.entry.name for row in rows}


def _entry(name: str) -> Callable[[Path], Read]:
    """What is kept behind a row of a board, which has the hash of it as whoever made both would see to."""

    def opened(folder: Path) -> Read:
        rows, kept = valid.entries()
        entry, (about, summary) = rows[0].entry, kept[0]
        path = folder / "embedded-v1.csv"

        def read(content: bytes) -> None:
            files_ = {"result.json": about, "summary.csv": summary, name: content}
            own = entry.model_copy(update={"result_sha256": hashlib.sha256(files_["result.json"]).hexdigest()})
            place = table.evidence_folder(path, own)
            place.mkdir(parents=True, exist_ok=True)
            for file, there in files_.items():
                (place / file).write_bytes(there)
            result = table.evidence(path, own)
            results.check_comparable([result, result])
            table.row_of(result, Stated(kind="reference", date="2026-01-01"))
            if name == "result.json":
                shutil.rmtree(place)

        return read

    return opened


TARGETS: tuple[Target, ...] = (
    Target(
        *("scores", "summaries.Scores.read, summaries_of", "csv"),
        lambda: [valid.table(schemas.Score, valid.scores())],
        _scores("scores.csv"),
        10_000,
    ),
    Target(
        *("detections", "detections.read, summaries", "csv"),
        lambda: [valid.table(schemas.Detection, valid.detections())],
        _scores("detections.csv"),
        10_000,
    ),
    Target(
        *("result-mixtures", "summaries.Scores.read, summaries_of", "csv"),
        lambda: [valid.table(schemas.Mixture, valid.mixtures())],
        _scores("mixtures.csv"),
        10_000,
    ),
    Target("result.json", "results.Result.open, tables", "json", _result_seeds, _result, 20_000),
    Target(
        *("board", "boards.board.read", "csv"),
        lambda: [valid.shipped_board()],
        of_file("embedded-v1.csv", _board),
        10_000,
    ),
    Target(
        *("entry-result", "boards.board.evidence, row_of", "json"),
        lambda: [about for about, _ in valid.entries()[1]],
        _entry("result.json"),
        10_000,
    ),
    Target(
        *("entry-summary", "boards.board.evidence, row_of", "csv"),
        lambda: [summary for _, summary in valid.entries()[1]],
        _entry("summary.csv"),
        10_000,
    ),
    Target(
        *("hypotheses", "recognisers.hypotheses.from_csv", "csv"),
        lambda: [b"mixture_id,text\ns0_TS1,good day\ns0_TS2,\n"],
        of_file("said.csv", lambda path: hypothesis_csv.from_csv(path, ["s0_TS1", "s0_TS2"])),
        80_000,
    ),
)
