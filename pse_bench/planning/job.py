"""Planning as one call: from a scenario and manifests, in files or at hand, to a plan in a file."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pse_bench.errors import InputError
from pse_bench.io import atomic
from pse_bench.io.documents import Record
from pse_bench.io.tables import read_table
from pse_bench.planning import plan
from pse_bench.planning import scenario as scenarios
from pse_bench.runtime.progress import Update
from pse_bench.schemas import MeasuredResponse, NoiseClip, Recipe, Utterance

R = TypeVar("R", bound=Record)


def plan_dataset(
    scenario: str | Path | Mapping[str, Any],
    out: Path,
    *,
    speech: Sequence[Path | Sequence[Utterance]],
    noise: Sequence[Path | Sequence[NoiseClip]],
    interferer_speech: Sequence[Path | Sequence[Utterance]] = (),
    rir: Sequence[Path | Sequence[MeasuredResponse]] = (),
    scenes: int,
    seed: int,
    force: bool = False,
    progress: Update = lambda done, total: None,
    echo: Callable[[str], None] = lambda line: None,
) -> Path:
    """Draw the recipes of a dataset and write its plan; gives the plan's path.

    Nothing is left to chance afterwards: the same plan renders to the same bytes.

    Args:
        scenario: a scenario file, the name of a shipped scenario, or a scenario's content.
        out: the plan to write.
        speech: manifests of speech, as files or as rows.
        noise: manifests of noise.
        interferer_speech: manifests of speakers who only interfere; without them, every speaker may be either.
        rir: manifests of measured responses.
        scenes: number of scenes.
        seed: any whole number; the same seed gives the same plan.
        force: replace a plan that is there.
        progress: called with scenes done and scenes in all.
        echo: called with lines worth saying.

    Raises:
        InputError: the plan is there already, or the scenario or a manifest cannot be read.
        RequestError: the manifests cannot give what the scenario asks for.
    """
    atomic.require_new(out, force)
    if isinstance(scenario, Mapping):
        content, named = dict(scenario), "the scenario"
        chosen = scenarios.parse_scenario(content, named)
    else:
        named = str(scenario)
        chosen, content = scenarios.load(named)
    manifests: dict[str, list[list[Any]]] = {
        "speech": _tables(speech, Utterance, "--speech"),
        "interferer_speech": _tables(interferer_speech, Utterance, "--interferer-speech"),
        "noise": _tables(noise, NoiseClip, "--noise"),
        "rir": _tables(rir, MeasuredResponse),
    }
    rows = {role: [row for table in tables for row in table] for role, tables in manifests.items()}
    planner = plan.Planner(
        chosen,
        speech=rows["speech"],
        interferer_speech=rows["interferer_speech"] or None,
        noise=rows["noise"],
        rirs=rows["rir"],
        seed=seed,
    )
    if scenarios.is_changed(chosen.name, content):
        echo(
            f"{named} has the name of the shipped scenario {chosen.name} but differs from it; give it a name of "
            "its own, or its results will be taken for that one's"
        )
    for note in planner.notes:
        echo(note)

    def recipes() -> Iterator[Recipe]:
        for index in range(scenes):
            yield planner.recipe(index)
            progress(index + 1, scenes)

    plan.write(out, plan.header(content, manifests=manifests, seed=seed), recipes())
    return out


def _tables(manifests: Sequence[Path | Sequence[R]], record: type[R], needed: str = "") -> list[list[R]]:
    """The rows of each manifest. Raises InputError where manifests that are ``needed`` hold none together."""
    tables = [read_table(each, record) if isinstance(each, Path) else list(each) for each in manifests]
    if needed and tables and not any(tables):
        where = f"{manifests[0]}: " if isinstance(manifests[0], Path) else ""
        raise InputError(f"{where}lists no clips; give a manifest with rows for {needed}")
    return tables
