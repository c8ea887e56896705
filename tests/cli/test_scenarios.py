"""pse-bench scenario: what is shipped, and what is wrong with one's own."""

from pathlib import Path

import pytest
import yaml
from work import call

from pse_bench.planning.scenario import SHIPPED, shipped


def test_every_shipped_scenario_has_a_line() -> None:
    lines = call("scenario", "list").stdout.splitlines()
    assert [line.split()[0] for line in lines] == shipped()
    for line, name in zip(lines, shipped(), strict=True):
        about = yaml.safe_load((SHIPPED / f"{name}.yaml").read_text())
        assert line.split(maxsplit=2)[1:] == [f"v{about['version']}", about["description"]]


def test_a_shipped_scenario_is_shown_as_it_is() -> None:
    for name in shipped():
        assert call("scenario", "show", name).stdout == (SHIPPED / f"{name}.yaml").read_text()


def test_a_misspelt_name_gets_the_nearest() -> None:
    done = call("scenario", "show", "standrd")
    assert done.exit_code == 1
    assert "did you mean 'standard'?" in done.stderr


@pytest.mark.parametrize("name", shipped())
def test_a_shipped_scenario_is_valid(name: str) -> None:
    done = call("scenario", "check", name)
    assert done.exit_code == 0
    assert done.stdout.startswith(f"{name}: valid, {name} version ")


def test_five_mistakes_are_five_lines(tmp_path: Path) -> None:
    content = yaml.safe_load((SHIPPED / "standard.yaml").read_text())
    content["interferer"]["sir"] = content["interferer"].pop("sir_db")
    content["room"] |= {"rt60_s": 20, "engine": "image-sorce"}
    content["version"] = "one"
    content["target"] |= {"clip": "segment", "utterances": 2}
    path = tmp_path / "mine.yaml"
    path.write_text(yaml.safe_dump(content))
    done = call("scenario", "check", path)
    assert done.exit_code == 1
    assert done.stdout.splitlines() == [
        f"{path}: unknown key 'interferer.sir'; did you mean 'sir_db'?",
        f"{path}: version: Input should be a valid integer, found 'one'",
        f"{path}: room.engine: expected one of image-source, pyroomacoustics, measured, found 'image-sorce'; "
        "did you mean 'image-source'?",
        f"{path}: room.rt60_s: expected a number from 0.1 to 2, found 20",
        f"{path}: target.utterances: several need clip: whole; a segment is cut from one utterance",
    ]
