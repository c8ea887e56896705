"""Which figures are shown, and how: within the width of the terminal, alike wherever they stand, and as LaTeX."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from ranked import CORNERS, result

import pse_bench
from pse_bench.cli import cli
from pse_bench.io import tables as grids
from pse_bench.leaderboard import leaderboard
from pse_bench.metrics import REGISTRY
from pse_bench.scoring import figures

SYSTEMS = {
    **CORNERS,
    "baseline:its": {"tsos": (5.24, 12.35), "leakage": 18.45, "pause": 0.04, "wer": 30.05},
    "baseline:its-noisy-reference": {"tsos": (3.9, 10.3), "leakage": 18.949, "pause": 15.3, "wer": 29},
    "baseline:its-noisy-reference (wrong enrollment)": {"tsos": (40, 41), "leakage": 18, "pause": 15, "wer": 80},
}
WIDTHS = (80, 120, 200)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("results")
    return {name: result(root / f"{n}", name, **given) for n, (name, given) in enumerate(SYSTEMS.items())}


@pytest.fixture(scope="module")
def board(results: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("board") / "tiny-v1.csv"
    for name, folder in results.items():
        leaderboard.add(path, folder, kind="reference" if name in CORNERS else "submission", date="2026-01-02")
    return path


def printed(*words: object, width: int = 120) -> str:
    done = CliRunner().invoke(cli, [*map(str, words)], env={"COLUMNS": str(width)})
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*words: object) -> str:
    done = CliRunner().invoke(cli, [*map(str, words)])
    assert (done.exit_code, done.stderr.count("\n")) == (1, 1), done.output
    return done.stderr


# ---- within the width


def assert_fits(text: str, width: int, words: list[str]) -> None:
    lines = text.splitlines()
    assert max(map(len, lines)) <= width
    assert "…" not in text
    found = {word for line in lines for word in line.split()}
    assert {*words} <= found, "every word of a name is whole in some line"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize(
    "options",
    [(), ("--all",), ("--no-intervals",), ("--by", "target_speaker"), ("--all", "--by", "target_speaker")],
)
def test_table_keeps_names_whole(results: dict[str, Path], width: int, options: tuple[str, ...]) -> None:
    text = printed("table", *results.values(), *options, width=width)
    names = [word for name in SYSTEMS for word in name.split()]
    every = "--all" in options
    figure = (
        ["leakage_reduction_pooled_db", "target_loss_db", "tsos"] if every else [*figures.HEADLINE[:4], "TS2.wer"]
    )
    assert_fits(text, width, [*names, *figure])
    assert ("[" in text.partition("\n\n")[0]) == ("--no-intervals" not in options)


@pytest.mark.parametrize("width", WIDTHS)
def test_compare_keeps_names_whole(results: dict[str, Path], width: int) -> None:
    one, other = "baseline:its", "baseline:its-noisy-reference"
    text = printed("compare", results[one], results[other], width=width)
    assert_fits(text, width, ["leakage_reduction_median_db", f"{one};", other, "corrected", "difference"])
    assert ("[" in text.partition("corrected:")[0]) is True
    assert "[" not in printed("compare", results[one], results[other], "--no-intervals")


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("options", [(), ("--all",), ("--no-intervals",)])
def test_a_board_keeps_names_whole(board: Path, width: int, options: tuple[str, ...]) -> None:
    names = [word for name in SYSTEMS for word in name.split()]
    some = ["TS3.net_leakage_reduction_db", "TS2.wer", *(["TS2.target_loss_db"] if "--all" in options else [])]
    assert_fits(printed("leaderboard", "show", board, "--all-rows", *options, width=width), width, [*names, *some])


@pytest.mark.parametrize("width", WIDTHS)
def test_a_published_board_fits(width: int) -> None:
    path = Path(__file__).parents[2] / "leaderboards" / "libri-mini-v1.csv"
    shown = figures.headline(path.read_text(encoding="utf-8").partition("\n")[0].split(","))
    known = [name for name in (*figures.HEADLINE, *figures.INSTEAD.values()) if name in shown]
    names = ["baseline:its-noisy-reference", "oracle-mask", "(wrong", "enrollment)", *known]
    assert_fits(printed("leaderboard", "show", path, "--all-rows", width=width), width, names)


def test_the_interval_stands_below_its_value_before_systems_do(results: dict[str, Path]) -> None:
    three = [*results.values()][:3]
    assert re.search(
        r"^TS2\.tsos \(%\) ↓ +0\.\d \[0\.\d, 1\.\d\] ", printed("table", *three, width=120), re.MULTILINE
    )
    narrow = printed("table", *three, width=80)
    assert re.search(r"^TS2\.tsos \(%\) ↓ +0\.\d +100\.0 +2\.0\n +\[.*\] +\[.*\] +\[", narrow, re.MULTILINE)
    below = printed("table", *results.values(), width=80).split("\n\n")
    rows = [re.findall(r"^TS\d\.\w+", part, re.MULTILINE) for part in below[:-1]]
    assert len(rows) > 1
    assert all(own == rows[0] for own in rows), "the same rows, the next systems"


def test_a_name_that_is_wider_than_all_is_the_only_one_broken(tmp_path: Path) -> None:
    folder = result(tmp_path / "r", "n" * 300)
    text = printed("table", folder, width=80)
    assert max(map(len, text.splitlines())) <= 80
    assert text.count("n" * 10) >= 10
    assert "TS3.net_leakage_reduction_db" in text


# ---- which


def labels(text: str) -> list[str]:
    return re.findall(r"^\| (TS\d\.\w+)", text, re.MULTILINE)


def test_six_figures_unless_others_are_asked_for(results: dict[str, Path]) -> None:
    folder = results["baseline:its"]
    text = printed("table", folder, "--format", "markdown")
    assert labels(text) == [name for name in figures.HEADLINE if name != "TS2.si_sdri"], "those that are there"
    assert "5 of 14 figures; --all shows every one" in text
    assert "| leakage_reduction_median_db (dB) ↑ |" in printed("table", folder, "--all", "--format", "markdown")
    asked = printed("table", folder, "--metrics", "TS2.wer, tsos", "--format", "markdown")
    assert labels(asked) == ["TS2.wer", "TS1.tsos", "TS2.tsos"]
    assert "--all" not in asked


def test_stoi_stands_in_for_word_errors_that_nobody_counted() -> None:
    assert figures.headline(["TS1.stoi", "TS2.stoi", "TS2.tsos"]) == ["TS2.tsos", "TS2.stoi"]
    assert figures.headline(["TS2.stoi", "TS2.wer"]) == ["TS2.wer"]
    assert figures.headline(["TS1.mine", "TS1.stoi"]) == ["TS1.mine"], "somebody asked for a metric of their own"
    assert all(name.partition(".")[2] in REGISTRY for name in (*figures.HEADLINE, *figures.INSTEAD.values()))


def test_csv_keeps_every_figure_unless_some_are_asked_for(results: dict[str, Path]) -> None:
    folder = results["baseline:its"]
    assert len(printed("table", folder, "--format", "csv").splitlines()) == 1 + 14
    assert len(printed("table", folder, "--format", "csv", "--metrics", "TS2.wer").splitlines()) == 2


def test_systems_are_ordered_by_a_figure(results: dict[str, Path]) -> None:
    def order(name: str) -> list[str]:
        text = printed("table", *results.values(), "--sort", name, "--format", "markdown")
        return [head.strip() for head in text.splitlines()[2].split("|")[2:-1]]

    assert order("TS2.tsos")[:2] == ["mixture", "oracle-mask"]
    assert order("leakage_reduction_db")[-1] == "mixture"


def test_a_figure_that_is_not_there_is_one_line(results: dict[str, Path], board: Path) -> None:
    folder = results["baseline:its"]
    assert "no figure 'TS2.tsoss' here; did you mean 'TS2.tsos'?" in refused(
        "table", folder, "--metrics", "TS2.tsoss"
    )
    assert "no figure 'pesq' here; there are: tsos, target_loss_db" in refused("table", folder, "--sort", "pesq")
    assert "tsos is there more than once; give one of TS1.tsos, TS2.tsos" in refused(
        "table", folder, "--sort", "tsos"
    )
    assert "no figure 'TS2.were' here; did you mean 'TS2.wer'?" in refused(
        "leaderboard", "show", board, "--metrics", "TS2.were"
    )


def test_a_breakdown_has_a_row_a_group(results: dict[str, Path]) -> None:
    two = results["baseline:its"], results["oracle-mask"]
    one = printed("table", two[0], "--by", "target_speaker", "--format", "markdown").splitlines()
    assert one[0] == "### baseline:its by target_speaker"
    assert one[2].startswith(
        "| target_speaker (mixtures/speakers) | TS2.tsos (%) ↓ | TS3.net_leakage_reduction_db (dB) ↑ |"
    )
    assert [line.split(" | ")[0] for line in one[4:6]] == ["| ps000000 (1/1)", "| ps000001 (1/1)"]
    both = printed("table", *two, "--by", "target_speaker", "--format", "markdown").splitlines()
    assert [line.split(" | ")[1] for line in both[4:8]] == ["baseline:its", "oracle-mask"] * 2


# ---- alike wherever it stands


def test_a_key_figure_is_the_same_everywhere(results: dict[str, Path], board: Path, tmp_path: Path) -> None:
    three = [name for name in SYSTEMS if name.startswith("baseline")]
    folders = [results[name] for name in three]
    digits: dict[str, dict[str, list[str]]] = {}

    rows = [line.split(" | ") for line in printed("table", *folders, "--format", "markdown").splitlines()]
    digits["table"] = {
        row[0][2:].split()[0]: [cell.split()[0] for cell in row[1:]] for row in rows if row[0].startswith("| TS")
    }
    names = list(digits["table"])
    assert set(names) == {*figures.HEADLINE} - {"TS2.si_sdri"}

    lines = [
        line.strip("| ").split(" | ")
        for line in printed("leaderboard", "show", board, "--all-rows", "--format", "markdown").splitlines()
    ]
    heads = [head.split()[0] for head in next(line for line in lines if line[0] == "rank")]
    mine = {line[-len(heads) + 1]: line for line in lines if len(line) >= len(heads) - 1}
    by_system = {name: next(line for key, line in mine.items() if key == f"{name} 1") for name in three}
    digits["board"] = {
        name: [by_system[system][heads.index(name) - len(heads)].split()[0] for system in three] for name in names
    }

    run = printed("report", *folders, "-o", tmp_path / "r.html")
    assert run
    table = re.search(
        r'<table class="sortable figures">(.*?)</table>', (tmp_path / "r.html").read_text(), re.DOTALL
    )
    assert table
    columns = [".".join(head) for head in re.findall(r"(TS\d)<br><code>(\w+)</code>", table[1])]
    cells = [re.findall(r"<td[^>]*>([-\d.]+)<small>", row) for row in table[1].split("<tr>")[2:]]
    digits["report"] = {name: [row[columns.index(name)] for row in cells] for name in names}

    digits["Python"] = {name: [] for name in names}
    for folder in folders:
        summary = pse_bench.Result.open(folder).summary.set_index(["scenario", "metric"])["value"]
        for name in names:
            digits["Python"][name].append(f"{summary[tuple(name.split('.'))]:.1f}")

    digits["compare"] = {name: [] for name in names}
    for other in folders[1:]:
        label, found = "", {}
        for line in printed("compare", folders[0], other, "--format", "markdown").splitlines():
            label = line[4:7] if line.startswith("### ") else label
            parts = line.strip("| ").split(" | ")
            if len(parts) == 7:
                found[f"{label}.{parts[0].split()[0]}"] = parts[1:3]
        for name in names:
            digits["compare"][name] += found[name][len(digits["compare"][name]) > 0 :]

    for place in ("board", "report", "Python", "compare"):
        assert digits[place] == digits["table"], place


def test_compare_says_where_table_has_another_value(results: dict[str, Path], tmp_path: Path) -> None:
    silent = result(tmp_path / "r", "silent", leakage=90, level=1e-6)
    text = " ".join(printed("compare", results["baseline:its"], silent).split())
    assert "table shows TS3.leakage_reduction_db 18.4 and 90.0" in text
    assert "table shows" not in printed("compare", results["baseline:its"], results["mixture"])


@pytest.mark.parametrize(
    ("value", "unit", "text"), [(-0.04, "dB", "0.0"), (0.049996, "%", "0.1"), (0.876, "", "0.88")]
)
def test_a_value_is_written_as_a_board_keeps_it(value: float, unit: str, text: str) -> None:
    assert figures.written(value, unit) == text == figures.written(round(value, figures.DECIMALS), unit)


# ---- LaTeX


@pytest.fixture(scope="module")
def latex(results: dict[str, Path], board: Path, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """What the three commands print, one of it with a name that LaTeX would compute."""
    hostile = result(tmp_path_factory.mktemp("latex") / "r", r"*50 % of $x_1$ & {a} #1 ~^\input{x}<|>")
    words = (
        ("table", hostile, results["silence"]),
        ("table", hostile, results["silence"], "--by", "target_speaker", "--all"),
        ("compare", results["baseline:its"], hostile),
        ("leaderboard", "show", board),
    )
    return [printed(*one, "--format", "latex") for one in words]


def test_latex_shows_names_as_they_are(latex: list[str]) -> None:
    assert (
        r"50 \% of \$x\_1\$ \& \{a\} \#1 \textasciitilde{}\textasciicircum{}\textbackslash{}input\{x\}" in latex[0]
    )
    assert r"TS2.tsos (\%) $\downarrow$ & " in latex[0]
    for text in latex:
        lines = [line for line in text.splitlines() if line and not line.startswith("%")]
        rows = [line for line in lines if line.endswith(r" \\")]
        pattern = r"\\begin\{tabular\}\{([lrc]+)\}|\\(top|mid|bottom)rule|\\end\{tabular\}"
        assert all(re.fullmatch(pattern, line) for line in lines if line not in rows)
        sides = re.findall(r"\\begin\{tabular\}\{(\w+)\}", text)
        assert {len(re.split(r"(?<!\\)&", row)) for row in rows} == {len(side) for side in sides}
        assert not re.search(r"[^\x00-\x7f]", "".join(lines)), "nothing that a font may lack"
        assert not any(line.startswith(("[", "*")) for line in lines)


def test_a_title_stays_a_comment_of_latex() -> None:
    text = grids.printed("latex", [grids.Grid("a\n\\input{b}", ["", "c"], [])], ["d\r\\input{e}"])
    assert "% a \\input{b}" in text.splitlines()
    assert text.splitlines()[-1] == "% d \\input{e}"


@pytest.mark.skipif(not shutil.which("pdflatex"), reason="pdflatex is not installed")
def test_latex_compiles(latex: list[str], tmp_path: Path) -> None:
    head = "\\documentclass{article}\n\\usepackage{booktabs}\n\\begin{document}\n"
    (tmp_path / "a.tex").write_text(head + "\n\n".join(latex) + "\n\\end{document}\n", encoding="utf-8")
    words = ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "-draftmode", "a.tex"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]
