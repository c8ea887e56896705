"""What is heard in a listening test: which mixtures, and of each the reference, anchors and estimates."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np

from pse_bench import rng
from pse_bench.dataset.dataset import REFERENCE_STEMS, Dataset
from pse_bench.errors import InputError, RequestError
from pse_bench.reporting.plot import ShownSystem, Systems
from pse_bench.schemas import Mixture
from pse_bench.scoring.figures import HEADLINE, INSTEAD
from pse_bench.signal.vad import active_power
from pse_bench.submission import submission

REFERENCE = "reference"
CUTOFF_HZ = {"anchor35": 3500, "anchor70": 7000}
"""The anchors of ITU-R BS.1534: the reference below this frequency."""
ANCHORS = ("mixture", *CUTOFF_HZ)
MOST_GAIN_DB = 30.0
"""What is raised to the reference's level is raised by so much at most: silence stays silence."""
FULL = 1 - 2**-15
STOPBAND_DB = 60.0
TRANSITION_HZ = 500


def choose_mixtures(
    systems: Systems, scenario: str, count: int, *, seed: int, by_chance: bool = False
) -> list[Mixture]:
    """The mixtures of a scenario on which the figures of the systems differ most (see ``disagreement``), or any
    ``by_chance``: of every target speaker one before of anyone a second. Raises RequestError where there are
    fewer."""
    mixtures = [row for row in systems[0].scores.mixtures.values() if row.scenario == scenario]
    if len(mixtures) < count:
        raise RequestError(
            f"--scenes {count}: the results have {len(mixtures)} mixtures of {scenario}; ask for no more"
        )
    chance = {row.mixture_id: rng.sort_key(seed, "scene", row.mixture_id) for row in mixtures}
    differ = {} if by_chance else disagreement(systems, scenario)
    mixtures.sort(key=lambda row: (-differ.get(row.mixture_id, 0.0), chance[row.mixture_id]))
    of: dict[str, list[Mixture]] = {}
    for row in mixtures:
        of.setdefault(row.target_speaker, []).append(row)
    dealt = [row for turn in zip_longest(*of.values()) for row in turn if row]
    return dealt[:count]


def disagreement(systems: Systems, scenario: str) -> dict[str, float]:
    """How much systems differ on each mixture: the standard deviation of a figure over systems, as a share of its
    own over all mixtures and systems, a mean over the headline figures that all have. References count only where
    there are fewer than two systems."""
    own = [system for system in systems if not system.style.reference]
    counted = own if len(own) > 1 else systems
    there = set.intersection(
        *({metric for label, metric in one.scores.cells if label == scenario} for one in counted)
    )
    names = {name: INSTEAD.get(name, name) for name in HEADLINE}
    wanted = [
        metric
        for pair in names.items()
        for label, _, metric in (one.partition(".") for one in pair)
        if label == scenario
    ]
    found: dict[str, list[float]] = {}
    for metric in dict.fromkeys(one for one in wanted if one in there):
        values = [{row.mixture_id: row.value for row in one.scores.cells[scenario, metric]} for one in counted]
        table = {name: [one[name] for one in values] for name in values[0]}
        whole = {name: [v for v in row if v is not None] for name, row in table.items() if None not in row}
        spread = float(np.std(list(whole.values()))) if whole else 0.0
        for name, row in whole.items() if spread > 0 else ():
            found.setdefault(name, []).append(float(np.std(row)) / spread)
    return {name: float(np.mean(shares)) for name, shares in found.items()}


def low_pass(samples: np.ndarray, cutoff_hz: int, sample_rate: int) -> np.ndarray:
    """The signal below a frequency, in phase with it, shape (num_samples,). Of 3.5 kHz as ITU-R BS.1534 asks for:
    within 0.1 dB up to there, at least 25 dB down at 4 kHz and 50 dB at 4.5 kHz.

    Raises:
        RequestError: the signal has nothing above.
    """
    from scipy.signal import fftconvolve, firwin, kaiserord

    if 2 * (cutoff_hz + TRANSITION_HZ) >= sample_rate:
        raise RequestError(f"no anchor of {cutoff_hz} Hz at a sample rate of {sample_rate} Hz; ask for others")
    taps, beta = kaiserord(STOPBAND_DB, 2 * TRANSITION_HZ / sample_rate)
    middle_hz = cutoff_hz + TRANSITION_HZ / 2
    used = firwin(taps | 1, middle_hz, window=("kaiser", beta), fs=sample_rate)
    return fftconvolve(samples, used)[len(used) // 2 :][: len(samples)]


def conditions_of(systems: Sequence[ShownSystem], anchors: Sequence[str]) -> list[str]:
    """The names of what is rated on each mixture: reference, systems, anchors; an anchor that is among the systems
    is no second condition. Raises InputError where a system is called as the reference or an anchor is."""
    names = [system.style.name for system in systems]
    if taken := {REFERENCE, *CUTOFF_HZ} & set(names):
        raise InputError(f"system {min(taken)!r}: a listening test calls something else so; give it another name")
    return list(dict.fromkeys([REFERENCE, *names, *anchors]))


def sounds_of(
    dataset: Dataset,
    row: Mixture,
    given: Mapping[ShownSystem, Path],
    anchors: Sequence[str],
    reference: str,
    *,
    match_level: bool,
) -> Iterator[tuple[str, np.ndarray, float]]:
    """Every condition of a mixture: its name, its samples (float64, shape (num_samples,), within full scale) and
    the gain that they were given, in dB.

    Args:
        given: the folders of the systems' estimates.
        reference: early or reverberant, as the systems were scored.
        match_level: give each the reference's power over samples in which the target speaks. Otherwise levels
            differ as the systems left them. What exceeds full scale turns down all of the mixture alike.

    Raises:
        InputError: a file is missing or damaged.
    """
    wanted = dataset.read_stem(row.scene_id, REFERENCE_STEMS[reference], row.num_samples).astype(np.float64)
    sounds = {REFERENCE: wanted}
    sounds |= {
        system.style.name: submission.read_estimate(folder, row).samples for system, folder in given.items()
    }
    for name in anchors:
        if name in CUTOFF_HZ:
            sounds[name] = low_pass(wanted, CUTOFF_HZ[name], row.sample_rate)
        elif name not in sounds:
            sounds[name] = dataset.read_sound(row.mixture_path, row.num_samples).astype(np.float64)
    gains = dict.fromkeys(sounds, 1.0)
    if match_level:
        active = dataset.read_activity(row.scene_id, row.num_samples)["target"]
        powers = {name: active_power(samples, active) for name, samples in sounds.items()}
        least = powers[REFERENCE] * 10 ** (-MOST_GAIN_DB / 10)
        gains |= {
            name: (powers[REFERENCE] / max(power, least)) ** 0.5 for name, power in powers.items() if power > 0
        }
    peak = max(gains[name] * float(np.abs(samples).max()) for name, samples in sounds.items())
    down = min(1.0, FULL / peak) if peak > 0 else 1.0
    for name, samples in sounds.items():
        gain = gains[name] * down
        yield name, samples * gain, round(20 * float(np.log10(gain)), 2)
