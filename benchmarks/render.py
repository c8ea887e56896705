"""How fast are scenes rendered on one process, and how much of that is more than reading, convolving and writing?

Scenes of 10 s of the standard scenario: three mixtures, four stems, enrollment and activity, all sound in FLAC.
Ours is ``pse_bench.simulation.render`` whole, from the plan to the tables. It is compared with scripts that
get the levels for nothing and look at no file twice:

- the floor: the same files read, convolved and written with nothing else, in float32, rooms from the bank;
- the floor with rooms by pyroomacoustics, every scene simulated once;
- the same, the scene simulated anew for every mixture;
- the same, but each time only who is heard in the mixture (four responses a scene and not six).

pyroomacoustics gets the absorption that we found for nothing, and the order that holds the images we have, so that
the responses are the same (``benchmarks/rooms.py``). Beside that, it gets what its own ``inverse_sabine`` names:
then the rooms are others, with another RT60 than was asked for. Scenes for which that refuses are left out on both
sides. Blocks of scenes take turns; times are processor times on one thread, the best of ``--repeats``.

    python benchmarks/render.py [--only bank|fresh|memory] [--scenes 100] [--repeats 2]
        [--speech M.csv --noise N.csv --root A=DIR]

Exits with status 1 when a bound is missed: 80 % of the floor with the bank; 6 times the script that simulates each
scene once and 15 times the one that simulates each mixture, with the same responses, or 85 % of what the floor
with our rooms would reach; 500 MB; 10 % between the memory that 100 and 1,000 scenes take.
"""

import argparse
import functools
import math
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import material  # first: it sees to it that there is one thread
import numpy as np
import rooms as rooms_alone
import soundfile

from pse_bench.corpora import clip_reader
from pse_bench.corpora.roots import Roots
from pse_bench.dataset.dataset import Dataset
from pse_bench.runtime.executor import Serial
from pse_bench.schemas import NoiseClip, Recipe, Talker, Utterance
from pse_bench.simulation import render
from pse_bench.simulation import room as rooms
from pse_bench.simulation.engines.image_source import SPEED_OF_SOUND
from pse_bench.simulation.mixing import PARTS
from pse_bench.simulation.rir import EARLY_S

BLOCK = 10
ROOMS = 50
FLOOR_SHARE, ONCE, EVERY, OF_ALLOWED, MOST_MB, GROWTH = 0.80, 6.0, 15.0, 0.85, 500.0, 0.10

Images = dict[str, np.ndarray]


class Script:
    """What a scene costs a script that does nothing but read, convolve and write."""

    def __init__(self, roots: Roots, out: Path, bank: Path) -> None:
        self._roots, self._out, self._bank = roots, out, bank
        self._gains: dict[str, dict[str, float]] = {}
        for folder in (*PARTS, "stems/target", "stems/target_early", "stems/interferer", "stems/noise"):
            (out / folder).mkdir(parents=True, exist_ok=True)
        for folder in ("enrollment", "activity"):
            (out / folder).mkdir(exist_ok=True)

    def clear(self) -> None:
        """Remove what was written, as before every render."""
        for path in self._out.rglob("*.*"):
            path.unlink()

    def learn(self, dataset: Dataset, recipes: list[Recipe]) -> None:
        """Take the levels from a rendered dataset."""
        for recipe in recipes:
            images = self._images(recipe, self.from_bank(recipe), PARTS["TS2"])
            stems = {name: dataset.read_stem(recipe.scene_id, name) * 32768 for name in images}
            self._gains[recipe.scene_id] = {
                name: float(np.sqrt(np.mean(stems[name].astype(float) ** 2) / np.mean(image.astype(float) ** 2)))
                for name, image in images.items()
            }

    def scene(self, recipe: Recipe, simulate: Callable[[Recipe, Any], Any], calls: list[Any]) -> None:
        """Read, convolve and write one scene. Each of the calls simulates some parts of it."""
        images = {}
        for parts in calls:
            images |= self._images(recipe, simulate(recipe, parts), parts)
        gains, rate, name = self._gains[recipe.scene_id], recipe.sample_rate, recipe.scene_id
        stems = {stem: (image * np.float32(gains[stem])).astype(np.int16) for stem, image in images.items()}
        for stem, pcm in stems.items():
            soundfile.write(self._out / f"stems/{stem}/{name}.flac", pcm, rate)
        for label, parts in PARTS.items():
            soundfile.write(self._out / f"{label}/{name}.flac", sum(stems[part] for part in parts), rate)
        talker = recipe.target.model_copy(update={"segments": recipe.enrollment.segments})
        enrollment = self._track(talker, recipe.enrollment.num_samples)
        soundfile.write(self._out / f"enrollment/{name}.flac", enrollment, rate, subtype="PCM_16")
        (self._out / f"activity/{name}.json").write_text("0" * (2 * recipe.num_samples * 100 // rate))

    def from_bank(self, recipe: Recipe, parts: tuple[str, ...] = ()) -> dict[str, tuple[np.ndarray, int, int]]:
        """The responses of target and interferer, with lead and delay of the direct sound."""
        with np.load(self._bank / rooms.cache_key(recipe.room, recipe.sample_rate)) as stored:
            samples, about = stored["samples"], stored["about"]
        ends = about[:, 3].cumsum().astype(int)
        people = {"target": recipe.target.source, "interferer": recipe.interferers[0].source}
        return {
            who: (samples[ends[at] - int(about[at, 3]) : ends[at]], int(about[at, 0]), int(about[at, 1]))
            for who, at in people.items()
        }

    def _images(self, recipe: Recipe, responses: dict[str, Any], parts: tuple[str, ...]) -> Images:
        from scipy.fft import irfft, next_fast_len, rfft

        images = {}
        length, rate = recipe.num_samples, recipe.sample_rate
        for who, talker in (("target", recipe.target), ("interferer", recipe.interferers[0])):
            if who not in parts:
                continue
            samples, lead, direct = responses[who]
            size = next_fast_len(length + len(samples) - 1, real=True)
            spectrum = rfft(self._track(talker, length), size)
            wanted = {who: samples}
            if who == "target":
                wanted["target_early"] = samples[: lead + direct + round(EARLY_S * rate)]
            for name, part in wanted.items():
                images[name] = irfft(spectrum * rfft(part, size), size)[lead : lead + length]
        images["noise"] = self._read(recipe.noise.corpus, recipe.noise.segment)
        return images

    def _track(self, talker: Talker, length: int) -> np.ndarray:
        track = np.zeros(length, dtype=np.float32)
        for segment in talker.segments:
            track[segment.onset : segment.onset + segment.num_samples] = self._read(talker.corpus, segment)
        return track

    def _read(self, corpus: str, segment: Any) -> np.ndarray:
        path = self._roots.locate(corpus, segment.path)
        stop = segment.start + segment.num_samples
        return soundfile.read(path, start=segment.start, stop=stop, dtype="float32")[0]


def simulated(
    recipe: Recipe, parts: tuple[str, ...] = PARTS["TS2"], *, walls: dict[str, tuple[float, int]] | None = None
) -> dict[str, tuple[np.ndarray, int, int]]:
    """Responses by pyroomacoustics of those who are heard, with walls and order as given or by its own rule."""
    import pyroomacoustics as pra

    room = recipe.room
    absorption, order = walls[recipe.scene_id] if walls else pra.inverse_sabine(room.rt60_s, list(room.size_m))
    shoebox = pra.ShoeBox(
        list(room.size_m), fs=recipe.sample_rate, materials=pra.Material(absorption), max_order=order
    )
    shoebox.add_microphone(list(room.microphone_m))
    people = [("target", recipe.target), ("interferer", recipe.interferers[0])]
    people = [(who, talker) for who, talker in people if who in parts]
    for _, talker in people:
        shoebox.add_source(list(room.sources_m[talker.source]))
    shoebox.compute_rir()
    lead = pra.constants.get("frac_delay_length") // 2
    return {
        who: (samples.astype(np.float32), lead, round(talker.distance_m / SPEED_OF_SOUND * recipe.sample_rate))
        for (who, talker), samples in zip(people, shoebox.rir[0], strict=True)
    }


def by_our_engine(recipe: Recipe, parts: tuple[str, ...] = ()) -> dict[str, tuple[np.ndarray, int, int]]:
    """Responses of target and interferer by our image sources."""
    found = rooms.simulate(recipe.room, recipe.sample_rate).sources
    people = {"target": found[recipe.target.source], "interferer": found[recipe.interferers[0].source]}
    return {who: (one.samples, one.pre_delay, one.direct_path) for who, one in people.items()}


def walls_of(recipes: list[Recipe]) -> dict[str, tuple[float, int]]:
    """Absorption and order with which pyroomacoustics has our images of each scene's room."""
    found = []
    calibrate = rooms.shoebox.calibrate
    rooms.shoebox.calibrate = lambda *given: found.append(calibrate(*given)) or found[-1]
    walls = {}
    for recipe in recipes:
        room = recipe.room
        rooms.simulate(room, recipe.sample_rate)
        reach_m = max(math.dist(at, room.microphone_m) for at in room.sources_m) + SPEED_OF_SOUND * room.rt60_s
        walls[recipe.scene_id] = 1 - found[-1].reflection[0] ** 2, rooms_alone.order_needed(room, reach_m)
    rooms.shoebox.calibrate = calibrate
    return walls


def possible(recipe: Recipe) -> bool:
    """Whether pyroomacoustics names an absorption for a scene's room."""
    import pyroomacoustics as pra

    try:
        pra.inverse_sabine(recipe.room.rt60_s, list(recipe.room.size_m))
    except ValueError:
        return False
    return True


def blocks(recipes: list[Recipe]) -> list[list[Recipe]]:
    return [recipes[first : first + BLOCK] for first in range(0, len(recipes), BLOCK)]


def compare(
    folder: Path,
    content: dict[str, Any],
    recipes: list[Recipe],
    scripts: dict[str, Callable],
    roots: Roots,
    repeats: int,
) -> dict[str, float]:
    """Processor seconds a scene of ours and of each script, block by block in turns, the best of some repeats."""
    folder.mkdir(exist_ok=True)
    spent = dict.fromkeys(("ours", *scripts), 0.0)
    for number, block in enumerate(blocks(recipes)):
        path = material.write_plan(folder / "block.jsonl", content, block)
        best = dict.fromkeys(spent, math.inf)
        for repeat in range(repeats + (number == 0)):
            if number == 0 and repeat == 1:  # the first time is for imports
                best = dict.fromkeys(spent, math.inf)
            clip_reader.forget()  # as with a corpus of which no clip was heard before
            shutil.rmtree(folder / "out", ignore_errors=True)  # nobody renders what is there already
            report, seconds = material.timed(
                lambda path=path: render.render(
                    path, folder / "out", roots=roots, executor=Serial(), bank=folder.parent / "bank"
                )
            )
            assert report.scenes == len(block), report.problems
            best["ours"] = min(best["ours"], seconds)
            for name, script in scripts.items():
                script(Dataset.open(report.dataset), block)  # it learns the levels
                seconds = material.timed(lambda work=script, block=block: work(None, block))[1]
                best[name] = min(best[name], seconds)
        for name, seconds in best.items():
            spent[name] += seconds
    return {name: seconds / len(recipes) for name, seconds in spent.items()}


WHOLE = PARTS["TS2"]


def script_of(script: Script, simulate: Callable, calls: Sequence[Any] = (WHOLE,)) -> Callable:
    """A script as ``compare`` wants it: called with a dataset it learns, without it works."""

    def work(dataset: Dataset | None, block: list[Recipe]) -> None:
        if dataset is not None:
            script.learn(dataset, block)
            script.clear()
            return
        for recipe in block:
            script.scene(recipe, simulate, calls)

    return work


def peak_mb(plan_path: Path, out: Path, bank: Path, roots: Roots, jobs: int) -> float:
    """The most memory that any process of a render took, parent or worker."""
    command = [sys.executable, "-m", "pse_bench", "render", plan_path, "-o", out, "--room-bank", bank]
    command += ["--jobs", str(jobs)]
    corpora = {corpus for recipe in recipes_of(plan_path) for corpus in recipe.corpora}
    command += [part for name in sorted(corpora) for part in ("--root", f"{name}={roots.locate(name, '')}")]
    return material.peak_mb(list(map(str, command)))


def recipes_of(path: Path) -> list[Recipe]:
    from pse_bench.planning import plan

    return list(plan.read(path)[2])


@dataclass(frozen=True)
class Bench:
    """What the parts of the benchmark share."""

    folder: Path
    speech: list[Utterance]
    noise: list[NoiseClip]
    roots: Roots
    scenes: int
    repeats: int
    memory: tuple[int, int]

    @property
    def bank(self) -> Path:
        return self.folder / "bank"

    def recipes(self, content: dict[str, Any], count: int) -> list[Recipe]:
        """The first scenes of a scenario, their rooms in the bank."""
        drawn = material.planner(content, self.speech, self.noise)
        recipes = [drawn.recipe(index) for index in range(count)]
        for room in {recipe.room.room_id: recipe.room for recipe in recipes}.values():
            rooms.from_bank(room, recipes[0].sample_rate, self.bank)
        return recipes


def with_the_bank(bench: Bench) -> bool:
    """Ours against the floor."""
    content = material.scenario(rooms=ROOMS)
    script = Script(bench.roots, bench.folder / "script", bench.bank)
    recipes = bench.recipes(content, bench.scenes)
    scripts = {"floor": script_of(script, script.from_bank)}
    spent = compare(bench.folder / "banked", content, recipes, scripts, bench.roots, bench.repeats)
    share = spent["floor"] / spent["ours"]
    print(f"\n{bench.scenes} scenes of 10 s, rooms from the bank, one process")
    for name in ("floor", "ours"):
        print(f"{name:32s} {1e3 * spent[name]:5.1f} ms a scene, {1 / spent[name]:.1f} scenes/s")
    print(f"{'share of the floor':32s} {100 * share:5.0f} %", flush=True)
    return share >= FLOOR_SHARE


def with_fresh_rooms(bench: Bench) -> bool:
    """Ours against scripts with pyroomacoustics."""
    import pyroomacoustics as pra

    pra.constants.set("num_threads", 1)
    content = material.scenario()
    script = Script(bench.roots, bench.folder / "script", bench.bank)
    # the scripts learn their levels with rooms from the bank; ours does not look there
    recipes = [recipe for recipe in bench.recipes(content, bench.scenes // 2) if possible(recipe)]
    same = functools.partial(simulated, walls=walls_of(recipes))
    scripts = {
        "each scene simulated once": (script_of(script, same), ONCE),
        "anew for each mixture": (script_of(script, same, [WHOLE] * 3), EVERY),
        "only who is heard in it": (script_of(script, same, list(PARTS.values())), 0),
        "once, by inverse_sabine": (script_of(script, simulated), 0),
        "the floor with our rooms": (script_of(script, by_our_engine), 0),
    }
    works = {name: work for name, (work, _) in scripts.items()}
    spent = compare(bench.folder / "fresh", content, recipes, works, bench.roots, bench.repeats)
    print(f"\n{len(recipes)} scenes of 10 s, each in a room of its own, one process")
    print(f"{'ours':32s} {1e3 * spent['ours']:5.1f} ms a scene, {1 / spent['ours']:.1f} scenes/s")
    met, allowed = True, spent["the floor with our rooms"] / spent["ours"]
    for name, (_, least) in scripts.items():
        ratio = spent[name] / spent["ours"]
        print(f"{name:32s} {1e3 * spent[name]:5.0f} ms a scene, ratio {ratio:.1f}, ", end="")
        print(f"at most {ratio / allowed:.1f} with nothing but the floor and our rooms", flush=True)
        met &= ratio >= least or allowed >= OF_ALLOWED
    print(f"{'of what the floor allows':32s} {100 * allowed:5.0f} %")
    return met


def memory(bench: Bench) -> bool:
    """The most memory that a process takes, for few scenes and for many."""
    content = material.scenario(rooms=ROOMS)
    recipes = bench.recipes(content, max(bench.memory))
    peaks = {}
    print("\npeak memory of any process")
    for count in bench.memory:
        path = material.write_plan(bench.folder / f"memory{count}.jsonl", content, recipes[:count])
        for jobs in (1, 2):
            peaks[jobs, count] = peak_mb(
                path, bench.folder / f"memory{count}-{jobs}", bench.bank, bench.roots, jobs
            )
            print(f"{count:5d} scenes, {jobs} jobs {' ' * 14} {peaks[jobs, count]:5.0f} MB", flush=True)
    few, many = bench.memory
    return max(peaks.values()) <= MOST_MB and all(
        abs(peaks[jobs, many] / peaks[jobs, few] - 1) <= GROWTH for jobs in (1, 2)
    )


MEASURED = {"bank": with_the_bank, "fresh": with_fresh_rooms, "memory": memory}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=100, help="with the bank; half as many in fresh rooms")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--memory", type=int, nargs=2, default=(100, 1000), help="scenes of the two sizes")
    parser.add_argument("--only", choices=MEASURED, help="one part of the benchmark")
    material.options(parser)
    asked = parser.parse_args()
    speech, noise, roots = material.corpora(asked)
    print(material.machine(), flush=True)
    met = True
    for name, measure in MEASURED.items():
        if asked.only in (None, name):
            with tempfile.TemporaryDirectory(prefix="pse-bench-") as folder:
                met &= measure(
                    Bench(Path(folder), speech, noise, roots, asked.scenes, asked.repeats, tuple(asked.memory))
                )
    print("\nall bounds are met" if met else "\na bound is missed")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
