"""The words that a recogniser wrote down stay with a result, and word errors are held against them."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from helpers import tiny

from pse_bench.asr import Recogniser
from pse_bench.asr.hypothesis_csv import Hypothesis, from_csv
from pse_bench.dataset.dataset import Dataset
from pse_bench.io import atomic, documents, tables
from pse_bench.runtime.executor import Serial
from pse_bench.scoring import results, score

NAMES = ["wer", "del", "ins", "sub", "leaked_words_per_min", "tsos"]
SAID = 'Two words,\nand a "third" – one more'


def hear(samples: object, mixture_id: str) -> str:
    return "" if mixture_id.endswith("TS3") else f"{SAID} {mixture_id[3:7]}"


@pytest.fixture(scope="module")
def spoken(dataset: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """The dataset, in which the target says something in TS1 and TS2."""
    copy = tiny.some_scenes(dataset, tmp_path_factory.mktemp("spoken") / "dataset", 0, 1)
    texts = [
        row.model_copy(update={"text": "two words and more"}) for row in copy.mixtures if row.scenario != "TS3"
    ]
    silent = [row for row in copy.mixtures if row.scenario == "TS3"]
    rows = sorted(
        [*texts, *silent], key=lambda row: [one.mixture_id for one in copy.mixtures].index(row.mixture_id)
    )
    return tiny.with_mixtures(Dataset(copy.folder, copy.description, rows))


@pytest.fixture(scope="module")
def scored(spoken: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    root = tmp_path_factory.mktemp("scored")
    system = tiny.submissions(spoken, root)("mixture")
    (system / "TS2" / f"{spoken.mixtures[0].scene_id}.flac").unlink()

    def result(out: str, recogniser: Recogniser | None, names: list[str]) -> Path:
        score.score(spoken, system, root / out, executor=Serial(), names=names, recogniser=recogniser)
        return root / out

    return result


def test_each_clip_has_its_words(spoken: Dataset, scored: Callable[..., Path]) -> None:
    folder = scored("all", Recogniser("other", "1", "m", "", hear), NAMES)
    said = {row.mixture_id: row.text for row in tables.read_table(folder / "hypotheses.csv", Hypothesis)}
    first = spoken.mixtures[0].scene_id
    expected = {row.mixture_id: hear(None, row.mixture_id) for row in spoken.mixtures}
    assert said == expected | {f"{first}_TS2": ""}
    assert list(said) == [row.mixture_id for row in spoken.mixtures]
    assert results.verify(folder).problems == []
    # the table is one that a later scoring takes
    again = scored("again", from_csv(folder / "hypotheses.csv"), NAMES)
    assert [row.value for row in results.Result.open(again).summaries] == [
        row.value for row in results.Result.open(folder).summaries
    ]


def test_without_a_recogniser_or_its_metrics_there_is_no_table(scored: Callable[..., Path]) -> None:
    assert not (scored("none", None, ["tsos"]) / "hypotheses.csv").exists()
    folder = scored("unasked", Recogniser("other", "1", "m", "", hear), ["tsos"])
    assert not (folder / "hypotheses.csv").exists()
    assert results.verify(folder).problems == []


def test_a_changed_word_is_found_whatever_was_sealed(scored: Callable[..., Path], tmp_path: Path) -> None:
    folder = tmp_path / "forged"
    shutil.copytree(scored("forged", Recogniser("other", "1", "m", "", hear), NAMES), folder)
    table = folder / "hypotheses.csv"
    table.write_text(table.read_text().replace("Two words", "Two turds", 1))
    about = documents.read_json(folder / "result.json")
    del about[atomic.SEAL]
    atomic.write_sealed(folder / "result.json", about | {"hypotheses_sha256": atomic.sha256(table)})
    problems = results.verify(folder).problems
    assert [line.partition("hypotheses.csv: ")[2].split(" of ")[0] for line in problems] == ["TS1 wer", "TS1 sub"]
