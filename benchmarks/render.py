"""How fast are scenes rendered on one process, and how much of that is more than reading, convolving and writing?

Scenes of 10 s of the standard scenario: three mixtures, four stems, enrollment and activity, all of them FLAC. Ours is
``pse_bench.render`` whole, from the plan to the tables. It is compared with three scripts, which get the
levels for nothing and look at no file twice:

- the floor: the same files read, convolved and written with nothing else, in float32, rooms from the bank;
- the floor with rooms by pyroomacoustics, every scene simulated once;
- the same, simulated anew for every mixture with whoever is heard in it (two sources become four).

pyroomacoustics gets the absorption and the order that its ``inverse_sabine`` names for the asked RT60, as its users do;
scenes for which it refuses are left out on both sides. Blocks take turns. Times are processor times on one thread.

    python benchmarks/render.py [--scenes 100] [--speech M.csv --noise N.csv --root NAME=DIR ...]

Exits with status 1 when a bound is missed: 60 % of the floor with the bank, 6 times the script that simulates each scene
once, 15 times the one that simulates each mixture, 500 MB, and 10 % between 100 and 1,000 scenes.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

for _variable in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[_variable] = "1"

import material
import numpy as np
import soundfile

from pse_bench import render, rooms
from pse_bench.corpora.roots import Roots
from pse_bench.dataset import Dataset
from pse_bench.executor import Serial
from pse_bench.mixing import PARTS
from pse_bench.records import Recipe, SimulatedRoom, Talker
from pse_bench.response import EARLY_S, Responses

BLOCK = 20
FLOOR_SHARE, ONCE, EVERY, MOST_MB, GROWTH = 0.60, 6.0, 15.0, 500.0, 0.10

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

    def learn(self, dataset: Dataset, recipes: list[Recipe]) -> None:
        """Take the levels from a rendered dataset."""
        for recipe in recipes:
            images = self._images(recipe, self.from_bank(recipe), PARTS["TS2"])
            stems = {name: dataset.read_stem(recipe.scene_id, name) for name in images}
            self._gains[recipe.scene_id] = {
                name: float(np.sqrt(np.mean(stems[name].astype(float) ** 2) / np.mean(image.astype(float) ** 2)))
                for name, image in images.items()
            }

    def scene(self, recipe: Recipe, simulate: Callable[[Recipe], Any], *, every: bool = False) -> None:
        """Read, convolve and write one scene."""
        images = {}
        if every:
            for label in ("TS1", "TS3", "TS2"):
                images |= self._images(recipe, simulate(recipe, PARTS[label]), PARTS[label])
        else:
            images = self._images(recipe, simulate(recipe), PARTS["TS2"])
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
        with np.load(self._bank / rooms.bank_name(recipe.room, recipe.sample_rate)) as stored:
            people = {"target": recipe.target.source, "interferer": recipe.interferers[0].source}
            return {
                who: (stored[f"source{at}"], int(stored["about"][at][0]), int(stored["about"][at][1]))
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


def simulated(recipe: Recipe, parts: tuple[str, ...] = PARTS["TS2"]) -> dict[str, tuple[np.ndarray, int, int]]:
    """Responses by pyroomacoustics of those who are heard. Raises ValueError where it cannot."""
    import pyroomacoustics as pra

    room = recipe.room
    absorption, order = pra.inverse_sabine(room.rt60_s, list(room.size_m))
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
        who: (samples.astype(np.float32), lead, round(talker.distance_m / 343.0 * recipe.sample_rate))
        for (who, talker), samples in zip(people, shoebox.rir[0], strict=True)
    }


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
    folder: Path, content: dict[str, Any], recipes: list[Recipe], scripts: dict[str, Callable], roots: Roots
) -> dict[str, float]:
    """Processor seconds a scene of ours and of each script, block by block in turns."""
    bank = folder / "bank"

    folder.mkdir(exist_ok=True)

    def ours(name: str, block: list[Recipe]) -> Any:
        path = material.write_plan(folder / f"{name}.jsonl", content, block)
        return lambda: render.render(path, folder / name, roots=roots, executor=Serial(), bank=bank)

    ours("warm", recipes[:2])()  # imports do not count
    spent = dict.fromkeys(("ours", *scripts), 0.0)
    for number, block in enumerate(blocks(recipes)):
        report, seconds = material.timed(ours(f"block{number}", block))
        assert report.scenes == len(block), report.problems
        spent["ours"] += seconds
        for name, script in scripts.items():
            script(Dataset.open(report.dataset), block)  # untimed: it learns the levels, and imports
            spent[name] += material.timed(lambda work=script, block=block: work(None, block))[1]
    return {name: seconds / len(recipes) for name, seconds in spent.items()}


def script_of(script: Script, simulate: Callable, *, every: bool = False) -> Callable:
    """A script as ``compare`` wants it: called with a dataset it learns, without it works."""

    def work(dataset: Dataset | None, block: list[Recipe]) -> None:
        if dataset is not None:
            script.learn(dataset, block)
            script.scene(block[0], script.from_bank)
            return
        for recipe in block:
            script.scene(recipe, simulate, every=every)

    return work


def peak_mb(plan_path: Path, out: Path, bank: Path, roots: Roots, jobs: int) -> float:
    """The most memory that any process of a render took."""
    command = [sys.executable, "-m", "pse_bench", "render", plan_path, "-o", out, "--room-bank", bank]
    command += ["--jobs", str(jobs)]
    corpora = {corpus for recipe in recipes_of(plan_path) for corpus in recipe.corpora}
    command += [part for name in sorted(corpora) for part in ("--root", f"{name}={roots.locate(name, '')}")]
    process = subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, command
    return usage.ru_maxrss / (1024 if sys.platform != "darwin" else 1 << 20)


def recipes_of(path: Path) -> list[Recipe]:
    from pse_bench import plan

    return list(plan.read(path)[2])


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--scenes", type=int, default=100)
    parser.add_argument("--memory", type=int, nargs=2, default=(100, 1000), help="scenes of the two sizes")
    material.options(parser)
    asked = parser.parse_args()
    speech, noise, roots = material.corpora(asked)
    met = True
    print(material.machine(), flush=True)
    with tempfile.TemporaryDirectory(prefix="pse-bench-") as temporary:
        folder = Path(temporary)
        bank = folder / "bank"

        banked = material.scenario(rooms=50)
        drawn = material.planner(banked, speech, noise)
        recipes = [drawn.recipe(index) for index in range(max(asked.scenes, *asked.memory))]
        for room in {recipe.room.room_id: recipe.room for recipe in recipes}.values():
            rooms.from_bank(room, recipes[0].sample_rate, bank)
        script = Script(roots, folder / "script", bank)
        spent = compare(
            folder, banked, recipes[: asked.scenes], {"floor": script_of(script, script.from_bank)}, roots
        )
        share = spent["floor"] / spent["ours"]
        print(f"\n{asked.scenes} scenes of 10 s, rooms from the bank, one process")
        print(f"floor         {1 / spent['floor']:.1f} scenes/s ({1e3 * spent['floor']:.1f} ms each)")
        print(f"ours          {1 / spent['ours']:.1f} scenes/s ({1e3 * spent['ours']:.1f} ms each)")
        print(f"share         {100 * share:.0f} % of the floor", flush=True)
        met &= share >= FLOOR_SHARE

        fresh = material.scenario()
        drawn = material.planner(fresh, speech, noise)
        drawn_all = [drawn.recipe(index) for index in range(asked.scenes)]
        alone = [recipe for recipe in drawn_all if possible(recipe)][: asked.scenes // 2]
        for recipe in alone:
            rooms.from_bank(recipe.room, recipe.sample_rate, bank)  # only for the scripts' levels
        once, every = script_of(script, simulated), script_of(script, simulated, every=True)
        spent = compare(folder / "fresh", fresh, alone, {"once": once, "every": every}, roots)
        print(f"\n{len(alone)} scenes of 10 s, each in a room of its own, one process")
        print(
            f"ours                         {1e3 * spent['ours']:.0f} ms a scene, {1 / spent['ours']:.1f} scenes/s"
        )
        for name, what, least in (("once", "each scene simulated once", ONCE), ("every", "each mixture", EVERY)):
            ratio = spent[name] / spent["ours"]
            print(f"{what:28s} {1e3 * spent[name]:.0f} ms a scene, ratio {ratio:.1f}", flush=True)
            met &= ratio >= least

        print("\npeak memory of any process, MB")
        peaks = {}
        for count in asked.memory:
            path = material.write_plan(folder / f"memory{count}.jsonl", banked, recipes[:count])
            for jobs in (1, 2):
                peaks[jobs, count] = peak_mb(path, folder / f"memory{count}-{jobs}", bank, roots, jobs)
                print(f"{count} scenes, {jobs} jobs   {peaks[jobs, count]:.0f}", flush=True)
        few, many = asked.memory
        met &= max(peaks.values()) <= MOST_MB
        met &= all(abs(peaks[jobs, many] / peaks[jobs, few] - 1) <= GROWTH for jobs in (1, 2))
    print("\nall bounds are met" if met else "\na bound is missed")
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
