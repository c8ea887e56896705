"""Tables by columns are those that are read row by row, mistakes included."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pse_bench.errors import InputError
from pse_bench.io import tables
from pse_bench.schemas import Mixture, Score, Summary
from pse_bench.scoring import cells
from pse_bench.scoring.cells import Cell

HEAD = "mixture_id,scenario,metric,value,status,detail\n"
NUMBERS = st.text("0123456789.e+-", max_size=6) | st.floats(allow_nan=False, allow_infinity=False).map(repr)
VALUES = NUMBERS | st.sampled_from(["", "nan", "inf", "1e999", " 1", "1_0", "٣", "1,5"])
ROW = st.tuples(
    st.text("ab\n\"',", max_size=3),
    st.sampled_from(["TS1"] * 8 + ["TS3", "TS4", ""]),
    st.sampled_from(["tsos", ""]),
    VALUES,
    st.sampled_from(["ok"] * 8 + ["undefined", "OK"]),
    st.text("1/; x", max_size=4),
)


def by_rows(path: Path, record: type) -> dict[str, list]:
    rows = tables.read_table(path, record)
    return {name: [getattr(row, name) for row in rows] for name in record.model_fields}


def outcome(read, *given) -> object:
    try:
        found = {name: list(column) for name, column in read(*given).items()}
        return repr(found)  # so that 0.0 is not -0.0, and 1 not 1.0
    except InputError as error:
        return str(error)


@settings(max_examples=150)
@given(rows=st.lists(ROW, max_size=3), blank=st.sampled_from(["", "\n", "x\n"]))
def test_columns_are_those_of_rows(tmp_path_factory: pytest.TempPathFactory, rows: list, blank: str) -> None:
    path = tmp_path_factory.mktemp("columns") / "scores.csv"
    path.write_text(HEAD + "".join(tables.as_csv(row, []) + "\n" for row in rows) + blank, encoding="utf-8")
    assert outcome(tables.read_columns, path, Score) == outcome(by_rows, path, Score)


@pytest.mark.parametrize(
    "text",
    ["", "\n", HEAD, HEAD.replace("value", "values"), HEAD[7:], HEAD + "a,TS1,tsos,1\n", HEAD + '"a', "a\0b\n"],
    ids=lambda text: repr(text)[:20],
)
def test_what_is_no_table_is_refused_in_the_same_words(tmp_path: Path, text: str) -> None:
    (tmp_path / "scores.csv").write_text(text)
    expected = outcome(by_rows, tmp_path / "scores.csv", Score)
    assert outcome(tables.read_columns, tmp_path / "scores.csv", Score) == expected


def test_counts_labels_and_defaults(tmp_path: Path) -> None:
    from made import BLANK

    rows = [BLANK, BLANK.model_copy(update={"num_samples": 7, "channel_loss": 0.25, "sir_db": -0.0})]
    for number, found in enumerate((rows[:1], rows)):  # without and with the columns that may be absent
        path = tmp_path / f"{number}.csv"
        tables.write_table(path, Mixture, found)
        assert outcome(tables.read_columns, path, Mixture) == outcome(by_rows, path, Mixture)
    line = Summary(
        **dict.fromkeys(("value", "ci_low", "ci_high"), 1.5),
        **dict.fromkeys(("unit", "aggregation"), "%"),
        scenario="all",
        metric="x",
        higher_is_better=True,
        scored=1,
        expected=2,
    )
    tables.write_table(tmp_path / "summary.csv", Summary, [line])
    assert outcome(tables.read_columns, tmp_path / "summary.csv", Summary) == outcome(
        by_rows, tmp_path / "summary.csv", Summary
    )


def test_cells_give_the_rows_again(tmp_path: Path) -> None:
    rows = [
        Score(mixture_id=f"m{n}", scenario="TS1", metric=metric, value=value, status=status, detail=detail)
        for metric in ("tsos", "si_sdr")
        for n, (value, status, detail) in enumerate(
            [(50.0, "ok", "1/2"), (None, "undefined", "silent"), (0.0, "failed", "0/3; x")]
        )
    ]
    tables.write_table(tmp_path / "scores.csv", Score, rows)
    found = cells.read(tmp_path / "scores.csv")
    assert [list(cell) for cell in found.values()] == [rows[:3], rows[3:]]
    (tsos, _) = found.values()
    assert list(tsos.counted) == [rows[0], rows[2]]
    assert tsos[1:] == rows[1:3]
    assert tsos.counted.ratios.tolist() == [[1.0, 2.0], [0.0, 3.0]]
    assert list(tsos.among(["m2"])) == [rows[2]]
    assert list(Cell.of(rows[:3])) == rows[:3]


@pytest.mark.parametrize("detail", ["", "1", "1/2/3", "a/b", "1/", "nan/x"])
def test_a_detail_without_a_ratio_is_told(detail: str) -> None:
    rows = [
        Score(mixture_id="m", scenario="TS1", metric="tsos", value=1.0, status="ok", detail=d)
        for d in ("1/2", detail)
    ]
    with pytest.raises(ValueError, match="no 'numerator/denominator' in the detail"):
        Cell.of(rows).ratios  # noqa: B018
