"""What do tricks gain? Systems that extract nobody, each a function of a few lines, scored beside honest ones.

    python benchmarks/tricks.py DATASET WORK [--scenes 20] [--honest baseline:its] [--blind public:gtcrn]

For each: net leakage reduction beside the plain one, over-suppression in TS2, the net score that orders boards and
its interval (over-suppression stands in for word errors, which take minutes), whether it is on the front, and what
names it. WORK takes submissions and results; run again, it continues. Exits with status 1 when a trick is not
behind every honest system, or lies on the front. Blind systems are enhancers that know nobody either: of these it
is said which tricks are ahead of one, and which are told apart from it, as a board does.
"""

import argparse
import hashlib
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

RATE_S = 0.032
"""Length of the frames that tricks decide by."""
METRICS = "tsos,target_loss_db,leakage_reduction_db,pause_leakage_db,target_reduction_db"
HONEST = "baseline:no-its,baseline:its,baseline:its-noisy-reference"

Trick = Callable[[np.ndarray, np.ndarray, int], np.ndarray]
TRICKS: dict[str, Trick] = {}


def trick(function: Trick) -> Trick:
    """A trick by its name; its docstring says what it does."""
    TRICKS[function.__name__] = function
    return function


def level_db(samples: np.ndarray) -> float:
    """Mean power in dBFS."""
    return float(10 * np.log10(np.mean(np.square(samples, dtype=float)) + 1e-20))


def in_frames(mixture: np.ndarray, rate: int, gain: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The mixture with a gain a frame, from the levels of all frames in dBFS."""
    size = round(RATE_S * rate)
    padded = np.pad(mixture, (0, -len(mixture) % size)).reshape(-1, size)
    levels = 10 * np.log10(np.mean(padded.astype(float) ** 2, axis=1) + 1e-20)
    return (padded * gain(levels)[:, None]).ravel()[: len(mixture)]


def in_bands(mixture: np.ndarray, rate: int, gain: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """The mixture with a gain a frame and frequency, from magnitudes of shape (frames, bins); half-overlapping
    frames, the square root of Hann twice."""
    size = round(RATE_S * rate)
    hop = size // 2
    window = np.sin(np.pi * (np.arange(size) + 0.5) / size)
    padded = np.pad(mixture, (hop, size + -len(mixture) % hop))
    frames = np.lib.stride_tricks.sliding_window_view(padded, size)[::hop] * window
    spectra = np.fft.rfft(frames, axis=1)
    shaped = np.fft.irfft(spectra * gain(np.abs(spectra)), size, axis=1) * window
    out = np.zeros(len(padded))
    for number, frame in enumerate(shaped):
        out[number * hop : number * hop + size] += frame
    return out[hop : hop + len(mixture)]


def hiss(mixture: np.ndarray, dbfs: float) -> np.ndarray:
    """Noise of a level, the same for the same length."""
    return 10 ** (dbfs / 20) * np.random.default_rng(len(mixture)).standard_normal(len(mixture))


# ---- of the level alone


@trick
def quieter(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """10.8 dB down, just above what counts as over-suppression."""
    return 0.29 * mixture


@trick
def hardly_heard(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """70 dB down, where 16 bits begin to round to zero."""
    return 3e-4 * mixture


@trick
def louder(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """10 dB up."""
    return 3.16 * mixture


@trick
def peak_normalised(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """Every clip to the same peak."""
    return 0.3 * mixture / np.max(np.abs(mixture))


@trick
def level_normalised(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """Every clip to -35 dBFS."""
    return 10 ** ((-35 - level_db(mixture)) / 20) * mixture


@trick
def quiet_clips_muted(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """Clips below -33 dBFS: without the target a mixture is quieter."""
    return mixture * (level_db(mixture) > -33)


@trick
def quiet_clips_down(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """A clip's gain is the square of its level, up to -28 dBFS."""
    return mixture * 10 ** (min(level_db(mixture) + 28, 0) / 10)


@trick
def clips_by_chance(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """Every other clip muted, by the hash of its samples."""
    return mixture * (hashlib.sha256(np.ascontiguousarray(mixture).tobytes()).digest()[0] % 2)


@trick
def most_clips_muted(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """All but the loudest clips, above -27 dBFS."""
    return mixture * (level_db(mixture) > -27)


# ---- gains over time


@trick
def quiet_frames_muted(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """Everything below -30 dBFS."""
    return in_frames(mixture, rate, lambda levels: levels > -30)


@trick
def only_peaks(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """Frames within 10 dB of the clip's loudest."""
    return in_frames(mixture, rate, lambda levels: levels > levels.max() - 10)


@trick
def voice_activity(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """Frames in which anybody talks, 8 dB above the clip's floor; the others 30 dB down."""
    return in_frames(mixture, rate, lambda levels: np.where(levels > np.percentile(levels, 10) + 8, 1, 0.03))


@trick
def expander(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """3 : 1 below -22 dBFS, a gain that follows the mixture."""
    return in_frames(mixture, rate, lambda levels: 10 ** (np.minimum(2 * (levels + 22), 0) / 20))


@trick
def holes_filled(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """Muted below -30 dBFS, and noise instead, so that no energy is missing."""
    kept = in_frames(mixture, rate, lambda levels: levels > -30)
    return np.where(kept == 0, hiss(mixture, -40), kept)


@trick
def first_second_muted(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """As of a system that has to find its target first."""
    return mixture * (np.arange(len(mixture)) >= rate)


@trick
def louder_half(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """The half of the clip with more energy; the other muted."""
    first = np.arange(len(mixture)) < len(mixture) // 2
    return mixture * (first == (level_db(mixture[first]) > level_db(mixture[~first])))


@trick
def blinking(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """Every third frame muted."""
    return in_frames(mixture, rate, lambda levels: np.arange(len(levels)) % 3 > 0)


# ---- gains over frequency


@trick
def loudest_bins(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """The loudest tenth of a frame's spectrum."""
    return in_bands(mixture, rate, lambda found: found >= np.quantile(found, 0.9, axis=1, keepdims=True))


@trick
def loud_bins(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """Whatever is loud in time and frequency: a gate in each bin, at the clip's 80th percentile."""
    return in_bands(mixture, rate, lambda found: found >= np.quantile(found, 0.8))


@trick
def spectral_subtraction(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """The clip's quiet spectrum taken away, thrice over: noise reduction that knows nobody."""

    def gain(found: np.ndarray) -> np.ndarray:
        floor = np.quantile(found, 0.2, axis=0, keepdims=True)
        return np.maximum(1 - 3 * floor / np.maximum(found, 1e-12), 0.05)

    return in_bands(mixture, rate, gain)


@trick
def low_pass(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """Nothing above 1 kHz."""
    return in_bands(mixture, rate, lambda found: np.arange(found.shape[1]) * rate / RATE_S / rate < 1000)


@trick
def spectrum_of_the_enrollment(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """A fixed filter that passes where the enrollment has energy."""
    frames = np.lib.stride_tricks.sliding_window_view(enrollment, round(RATE_S * rate))[:: round(rate * 0.016)]
    spectrum = np.mean(np.abs(np.fft.rfft(frames, axis=1)), axis=0)
    return in_bands(mixture, rate, lambda found: (spectrum / spectrum.max()) ** 0.3)


# ---- other than a gain


@trick
def inverted(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """The other polarity."""
    return -mixture


@trick
def delayed(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """20 ms late and 10 dB down."""
    return 0.3 * np.pad(mixture, (round(0.02 * rate), 0))[: len(mixture)]


@trick
def clipped(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """At 0.02 of full scale."""
    return np.clip(mixture, -0.02, 0.02)


@trick
def comfort_noise(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """10 dB down with noise over all of it."""
    return 0.3 * mixture + hiss(mixture, -45)


@trick
def enrollment_played(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """The enrollment over and over, as loud as the mixture: surely the right voice."""
    played = np.resize(enrollment, len(mixture))
    return played * 10 ** ((level_db(mixture) - level_db(played)) / 20)


@trick
def enrollment_added(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """The mixture 12 dB down, and the enrollment over it."""
    return 0.25 * mixture + 0.25 * enrollment_played(mixture, enrollment, rate)


@trick
def more_like_the_enrollment(mixture: np.ndarray, enrollment: np.ndarray, rate: int) -> np.ndarray:
    """The mixture, muted where its long-term spectrum is not much like the enrollment's."""

    def shape(samples: np.ndarray) -> np.ndarray:
        frames = np.lib.stride_tricks.sliding_window_view(samples, 512)[::256] * np.hanning(512)
        return np.log(np.mean(np.abs(np.fft.rfft(frames, axis=1)) ** 2, axis=0) + 1e-12)

    return mixture * (np.corrcoef(shape(mixture), shape(enrollment))[0, 1] > 0.85)


# ---- where each stands


def main() -> None:
    """Score all and print where they stand."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", type=Path)
    parser.add_argument("work", type=Path)
    parser.add_argument("--scenes", type=int, default=20)
    parser.add_argument("--honest", default=HONEST)
    parser.add_argument("--blind", default="")
    parser.add_argument("--jobs", type=int, default=1)
    given = parser.parse_args()
    honest, blind = given.honest.split(","), [name for name in given.blind.split(",") if name]
    sys.path.insert(0, str(Path(__file__).parent))
    rows = {name: _row(given, name) for name in ("mixture", "oracle-mask", *honest, *blind)}
    rows |= {name: _row(given, f"tricks:{name}") for name in TRICKS}
    ranked = [*honest, *blind, *TRICKS]
    front = dict(zip(ranked, _front([rows[name] for name in ranked]), strict=True))
    least = min(rows[name]["score"] for name in honest)
    wrong = [name for name in TRICKS if rows[name]["score"] >= least or front[name]]
    print(f"{'system':28} {'net dB':>7} {'dB':>6} {'TS2.tsos %':>11} {'score':>6} {'':12}  front  named")
    order = sorted(rows, key=lambda name: (-rows[name]["score"], -rows[name]["net"]))
    for name in order:
        one = rows[name]
        mark = "●" if front.get(name) else ""
        print(
            f"{name:28} {one['net']:7.1f} {one['plain']:6.1f} {one['tsos']:11.1f} {one['score']:6.1f} "
            f"{one['interval']:12}  {mark:5}  {one['named']}"
        )
    _beside_blind(rows, order, blind)
    print(f"{len(TRICKS) - len(wrong)} of {len(TRICKS)} tricks behind every honest system and off the front")
    if wrong:
        sys.exit(f"not so: {', '.join(wrong)}")


def _beside_blind(rows: dict[str, dict], order: list[str], blind: list[str]) -> None:
    """Say which tricks are ahead of blind systems, and which of those are told apart."""
    from pse_bench.leaderboard import ranking

    ahead = {name: [other for other in blind if rows[name]["score"] >= rows[other]["score"]] for name in TRICKS}
    pairs = ranking.pairs([rows[name]["sums"] for name in order])
    apart = {(order[pair.first], order[pair.second]) for pair in pairs if pair.told_apart}
    if blind:
        behind = [name for name, others in ahead.items() if not others]
        print(f"{len(behind)} of {len(TRICKS)} tricks behind every one of {len(blind)} blind systems")
    for name in sorted(TRICKS, key=order.index):
        told = [other for other in ahead[name] if (name, other) in apart]
        if ahead[name]:
            print(f"{name}: ahead of {', '.join(ahead[name])}; told apart from {', '.join(told) or 'none'}")


def _row(given: argparse.Namespace, system: str) -> dict:
    from pse_bench.cli import cli
    from pse_bench.leaderboard import evidence, ranking
    from pse_bench.scoring.cells import Cell
    from pse_bench.scoring.results import Result

    slug = system.replace(":", "-")
    made, scored = given.work / "submissions" / slug, given.work / "results" / slug
    some = ["--scenes", str(given.scenes), "--jobs", str(given.jobs)]
    cli(["enhance", str(given.dataset), "--system", system, "-o", str(made), *some], standalone_mode=False)
    words = ["score", str(given.dataset), str(made), "-o", str(scored), "--metrics", METRICS, "--quiet", *some]
    cli(words, standalone_mode=False)
    result = Result.open(scored)
    found = {f"{row.scenario}.{row.metric}": row.value or 0.0 for row in result.summaries}
    found = {"TS2.wer": found["TS2.tsos"], **found}
    scores = result.read_scores()
    instead = {("TS2", "wer"): replace(Cell.of(scores.cells["TS2", "tsos"]), metric="wer")}
    scores = replace(scores, cells={**scores.cells, **instead})
    sums = evidence.as_array(evidence.speaker_sums(scores), scored)
    score, interval = ranking.standing(sums)
    return {
        "net": found[ranking.NET],
        "plain": found[ranking.LEAKAGE],
        "tsos": found[ranking.OVER_SUPPRESSION],
        "score": score,
        "interval": "[{:.1f}, {:.1f}]".format(*interval) if interval else "",
        "sums": sums,
        "named": ", ".join(_names(given.dataset, TRICKS[slug[7:]])) if slug[7:] in TRICKS else "",
        "figures": found,
    }


def _names(folder: Path, function: Trick) -> list[str]:
    """What names a trick: a constant gain, or another enrollment that changes nothing."""
    from pse_bench.dataset.dataset import Dataset
    from pse_bench.submission import verdicts

    items = list(Dataset.open(folder))[:12]
    fits, changes = [], []
    for item, other in zip(items, items[6:] + items[:6], strict=True):
        out = function(item.mixture, item.enrollment, item.sample_rate)
        fits.append(verdicts.fit(out, item.mixture))
        changes.append(verdicts.differ(out, function(item.mixture, other.enrollment, item.sample_rate)))
    gain_db = verdicts.constant_gain_db(fits)
    found = [verdicts.gain_text(gain_db)] if gain_db is not None else []
    return found + ([verdicts.IGNORES] if verdicts.enrollment_used(changes) is False else [])


def _front(rows: list[dict]) -> list[bool]:
    from pse_bench.leaderboard import ranking

    return ranking.on_front([row["figures"] for row in rows], [False] * len(rows))


if __name__ == "__main__":
    main()
