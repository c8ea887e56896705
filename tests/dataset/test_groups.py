"""Parts of a dataset by a column: bands with round edges, pairs of genders, and tables of them."""

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny
from hypothesis import given
from hypothesis import strategies as st
from made import BLANK, finish, means, result

from pse_bench.dataset.groups import MOST_BANDS, groups_of
from pse_bench.errors import InputError
from pse_bench.io import tables as csv_tables
from pse_bench.reporting import tables
from pse_bench.schemas import Mixture
from pse_bench.scoring.results import Result


def rows(column: str, values: list[Any], **more: Any) -> list[Mixture]:
    return [
        BLANK.model_copy(update={"mixture_id": f"m{k}", column: value, **more}) for k, value in enumerate(values)
    ]


def shown(mixtures: list[Mixture], column: str) -> dict[str, int]:
    return {group.label: len(group.mixtures) for group in groups_of(mixtures, column)}


@pytest.mark.parametrize(
    ("column", "values", "expected"),
    [
        (
            "snr_db",
            [-3.0, 0.0, 1.5, 4.99, 5.0, 12.0, 19.0],
            {"-5 to 0": 1, "0 to 5": 3, "5 to 10": 1, "10 to 15": 1, "15 to 20": 1, "all": 7},
        ),
        (
            "rt60_s",
            [0.2, 0.25, 0.3, 0.35, 0.41, 0.45, 0.6],
            {"0.2 to 0.3": 2, "0.3 to 0.4": 2, "0.4 to 0.5": 2, "0.6 to 0.7": 1, "all": 7},
        ),
        ("enrollment_s", [2.0, 5.0, 5.0], {"2": 1, "5": 2, "all": 3}),
        ("num_interferers", [2, 1, 10, 1], {"1": 2, "2": 1, "10": 1, "all": 4}),
        ("sir_db", [None, 3.0, None], {"3": 1, "not given": 2, "all": 3}),
        ("noise_category", ["hum", "", "babble"], {"babble": 1, "hum": 1, "not given": 1, "all": 3}),
    ],
)
def test_groups(column: str, values: list[Any], expected: dict[str, int]) -> None:
    found = shown(rows(column, values), column)
    assert found == expected
    assert list(found) == list(expected), "in the order of size or of the alphabet"


@given(st.lists(st.floats(-100, 100).map(lambda value: round(value, 3)), min_size=2, max_size=40, unique=True))
def test_every_number_lies_in_its_band(values: list[float]) -> None:
    found = groups_of(rows("snr_db", values), "snr_db")
    assert len(found) <= MOST_BANDS + 1
    whole = [name for part in found[:-1] for name in part.mixtures]
    assert sorted(whole) == sorted(found[-1].mixtures) == sorted(f"m{k}" for k in range(len(values)))
    for part in found[:-1]:
        low, _, high = part.label.partition(" to ")
        for name in part.mixtures:
            value = values[int(name[1:])]
            assert float(low) <= value < float(high) if high else value == pytest.approx(float(low), rel=1e-5)


def test_genders() -> None:
    people = [("F", "M", 1), ("F", "F", 1), ("M", "M;F", 2), ("M", "", 0), ("", "F", 1), ("F", "M;M", 2)]
    mixtures = [
        BLANK.model_copy(
            update={"mixture_id": f"m{k}", "target_gender": one, "interferer_gender": other, "num_interferers": n}
        )
        for k, (one, other, n) in enumerate(people)
    ]
    assert shown(mixtures, "gender_pair") == {
        "F-F": 1,
        "F-M": 1,
        "F-M+M": 1,
        "M alone": 1,
        "M-F+M": 1,
        "not given": 1,
        "all": 6,
    }
    assert shown(mixtures, "same_gender") == {
        "alone": 1,
        "different": 2,
        "same": 1,
        "some": 1,
        "not given": 1,
        "all": 6,
    }


@pytest.mark.parametrize(
    ("column", "values", "words"),
    [
        ("snr", [1.0, 2.0], "--by snr: not a column of mixtures.csv; did you mean 'snr_db'?"),
        ("rt60_s", [0.3, 0.3], "--by rt60_s: is '0.3' everywhere; nothing to break down"),
        ("overlap", [None, None], "--by overlap: is 'not given' everywhere"),
        ("target_speaker", [f"p{k}" for k in range(13)], "--by target_speaker: 13 different values, at most 12"),
    ],
)
def test_a_column_that_breaks_nothing_down(column: str, values: list[Any], words: str) -> None:
    mixtures = rows(column, values) if column in Mixture.model_fields else rows("snr_db", values)
    with pytest.raises(InputError, match=words.replace("?", r"\?")):
        groups_of(mixtures, column)


def banded(folder: Path) -> Path:
    """Ten speakers; half of the mixtures at 2 dB, half at 12 dB, where scores are 3 dB better."""
    speakers = [f"p{k % 10}" for k in range(40)]
    levels = np.repeat([2.0, 12.0], 20)
    made = result(folder, means(np.arange(40) % 7 + 0.3 * (levels - 2), speakers))
    mixtures = csv_tables.read_table(made / "mixtures.csv", Mixture)
    csv_tables.write_table(
        made / "mixtures.csv",
        Mixture,
        [row.model_copy(update={"snr_db": float(level)}) for row, level in zip(mixtures, levels, strict=True)],
    )
    finish(made)
    return made


def test_a_table_by_parts(tmp_path: Path) -> None:
    opened = Result.open(banded(tmp_path / "r"))
    text = tables.results_text([opened], "markdown", by="snr_db").splitlines()
    assert text[2] == "|  | snr_db (mixtures/speakers) | mine |"
    assert [line.split(" | ")[1] for line in text[4:7]] == ["2 (20/10)", "12 (20/10)", "all (40/10)"]
    told = list(csv.DictReader(io.StringIO(tables.results_text([opened], "csv", by="snr_db"))))
    assert [(row["part"], row["mixtures"], row["target_speakers"]) for row in told] == [
        ("2", "20", "10"),
        ("12", "20", "10"),
        ("all", "40", "10"),
    ]
    values = np.arange(40) % 7
    assert float(told[1]["value"]) == pytest.approx(values[20:].mean() + 3)
    assert float(told[2]["value"]) == pytest.approx(opened.summaries[0].value)
    assert "read intervals of fewer than 10 target speakers as a hint" in tables.results_text(
        [opened], by="snr_db"
    )


def test_the_command(tmp_path: Path) -> None:
    banded(tmp_path / "r")
    done = tiny.pse_bench("table", "r", "r", "--by", "snr_db", "--format", "csv", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 7
    refused = tiny.pse_bench("table", "r", "--by", "room_id", cwd=tmp_path)
    assert refused.returncode == 1
    assert refused.stderr.count("\n") == 1
