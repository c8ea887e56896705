"""Anomalies of a dataset: levels and rooms off the requested values, unbalanced speakers, silent talkers."""

from collections import Counter
from collections.abc import Sequence

from pse_bench.reporting.tables import FEW_SPEAKERS
from pse_bench.schemas import Mixture, Recipe

OFF_DB = 0.1
"""How far an achieved level may lie from the asked one."""
OFF_RT60 = 0.15
LEAST_ACTIVE = 0.15
"""A target that is active for a smaller share of its clip is an anomaly."""

ActiveShares = tuple[float, float, float]
"""Shares of a scene's time in which the target talks, the interferer, and both."""


def anomalies(
    rows: Sequence[Mixture], scenes: Sequence[Mixture], recipes: Sequence[Recipe], shares: dict[str, ActiveShares]
) -> list[str]:
    """A line for each anomaly that a person should look at.

    Args:
        rows: all mixtures.
        scenes: of each scene, the most complete mixture.
        recipes: of the same scenes.
        shares: by scene.
    """
    return [*_off(rows), *_speakers(scenes, recipes), *_inactive(scenes, shares)]


def _off(rows: Sequence[Mixture]) -> list[str]:
    """Levels and reverberation times that miss the requested values."""
    found = []
    for name, unit, least, off in (
        ("SNR", "dB", OFF_DB, lambda row: _distance(row.snr_achieved_db, row.snr_db)),
        ("SIR", "dB", OFF_DB, lambda row: _distance(row.sir_achieved_db, row.sir_db)),
        ("RT60", "", OFF_RT60, lambda row: _distance(row.rt60_achieved_s, row.rt60_s) / (row.rt60_s or 1.0)),
    ):
        worst = max(rows, key=off)
        count = sum(off(row) > least for row in rows)
        if count:
            size = f"{off(worst):.2f} {unit}" if unit else f"{100 * off(worst):.0f} %"
            found.append(
                f"{name}: {count} of {len(rows)} mixtures are off what was asked, {worst.mixture_id} by {size}"
            )
    return found


def _distance(one: float | None, other: float | None) -> float:
    return 0.0 if one is None or other is None else abs(one - other)


def _speakers(scenes: Sequence[Mixture], recipes: Sequence[Recipe]) -> list[str]:
    found = []
    targets = Counter(row.target_speaker for row in scenes)
    if len(targets) < FEW_SPEAKERS:
        found.append(
            f"{len(targets)} target speakers: intervals rest on speakers, and are a hint below {FEW_SPEAKERS}"
        )
    name, most = targets.most_common(1)[0]
    if len(targets) > 1 and most > 3 * len(scenes) / len(targets):
        found.append(f"{name} is the target of {most} of {len(scenes)} scenes; figures are mostly theirs")
    alone = [row.scene_id for row in scenes if row.target_speaker in row.interferer_speaker.split(";")]
    if alone:
        found.append(f"{alone[0]}{_more(alone)}: the target is also an interferer")
    enrolled = [
        recipe.scene_id
        for recipe in recipes
        if {(s.clip_id, s.start) for s in recipe.enrollment.segments}
        & {(s.clip_id, s.start) for s in recipe.target.segments}
    ]
    if enrolled:
        found.append(f"{enrolled[0]}{_more(enrolled)}: enrolled with what is said in the scene")
    both = set(targets) & {name for row in scenes for name in row.interferer_speaker.split(";")}
    if both and len(both) < len(targets):
        found.append(
            f"{len(both)} of {len(targets)} target speakers are interferers in other scenes, the rest are not"
        )
    silent = [row.scene_id for row in scenes if not row.text]
    if silent and len(silent) < len(scenes):
        found.append(f"{silent[0]}{_more(silent)}: no transcript, while others have one")
    return found


def _inactive(scenes: Sequence[Mixture], shares: dict[str, ActiveShares]) -> list[str]:
    found = []
    little = [row.scene_id for row in scenes if shares[row.scene_id][0] < LEAST_ACTIVE]
    if little:
        found.append(
            f"{little[0]}{_more(little)}: the target talks for less than {100 * LEAST_ACTIVE:.0f} % of the time"
        )
    mute = [row.scene_id for row in scenes if row.num_interferers and not shares[row.scene_id][1]]
    if mute:
        found.append(f"{mute[0]}{_more(mute)}: the interferer is never heard")
    return found


def _more(names: Sequence[str]) -> str:
    return f" and {len(names) - 1} more" if len(names) > 1 else ""
