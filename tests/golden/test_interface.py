"""Nothing that others hold on to goes or changes; what is new is written down by ``interface.py``."""

import json
from pathlib import Path

import interface
import pytest


@pytest.mark.usefixtures("scores")
def test_the_interface_is_the_published_one(dataset: Path, work: Path, tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="torch is not installed: pip install 'pse-bench[baseline]'")
    known = json.loads(interface.GOLDEN.read_text(encoding="utf-8"))
    found = interface.interface(dataset, work, tmp_path)
    assert "\n".join(interface.differences(known, found)) == ""
