"""Plots by themselves: a file that a browser shows alone, with every system and what a notebook takes."""

import base64
import re
from collections.abc import Callable
from pathlib import Path
from xml.etree import ElementTree

import pytest

from pse_bench import plot_distributions, plot_tradeoff
from pse_bench.dataset.dataset import Dataset
from pse_bench.errors import InputError
from pse_bench.runtime.executor import Serial
from pse_bench.scoring.results import Result
from pse_bench.scoring.score import score

SYSTEMS = ("mixture", "oracle-mask")


@pytest.fixture(scope="module")
def results(
    dataset: Dataset, submitted: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> list[Path]:
    out = tmp_path_factory.mktemp("results")
    for name in SYSTEMS:
        names = ["tsos", "leakage_reduction_db", "si_sdr"]
        score(dataset, submitted(name), out / name, executor=Serial(), names=names)
    return [out / name for name in SYSTEMS]


def test_the_tradeoff_is_an_image_of_its_own_with_every_system(results: list[Path], tmp_path: Path) -> None:
    found = plot_tradeoff([results[0], Result.open(results[1])])
    found.save(tmp_path / "plot.svg")
    root = ElementTree.fromstring((tmp_path / "plot.svg").read_text())
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {mark.get("data-point") for mark in root.iter() if mark.get("data-point")} == set(SYSTEMS)
    assert "http" not in (tmp_path / "plot.svg").read_text().replace("http://www.w3.org/2000/svg", "")
    shown = re.search(r"base64,([^\"]+)", found._repr_html_())[1]
    assert base64.b64decode(shown).decode() == found.svg


def test_distributions_of_a_figure(results: list[Path]) -> None:
    svg = plot_distributions(results, "TS2.si_sdr").svg
    assert all(f"{name}: median" in svg for name in SYSTEMS)
    with pytest.raises(InputError, match=r"no result has TS2.wer; there are TS1.tsos, "):
        plot_distributions(results, "TS2.wer")
    with pytest.raises(InputError, match="no result here"):
        plot_tradeoff([results[0].parent / "nothing"])
