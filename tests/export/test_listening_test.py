"""Listening tests: what raters are given, and that the order of systems comes back from what a panel answers."""

import csv
import http.server
import json
import os
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar
from urllib.parse import unquote_plus

import numpy as np
import pytest
import scipy.signal
import soundfile
import tiny
import yaml
from click.testing import CliRunner, Result

from pse_bench.cli import cli
from pse_bench.dataset.dataset import Dataset
from pse_bench.export.listening_test import SHEETS, Design, Stimulus
from pse_bench.export.stimuli import choose_mixtures, disagreement, low_pass
from pse_bench.importing import ratings
from pse_bench.io import tables
from pse_bench.reporting.plot import systems_of
from pse_bench.scoring import results
from pse_bench.submission import submission

SYSTEMS = ("half", "oracle-mask", "silence")
RATERS, SCENES = 6, 4
PAGE = {
    *("type", "id", "name", "content", "showWaveform", "enableLooping", "strict", "reference", "createAnchor35"),
    *("createAnchor70", "randomize", "showConditionNames", "stimuli"),
}
"""The keys of a mushra page in webMUSHRA's doc/experimenter.md."""
PAGES = {
    "generic": {"type", "id", "name", "content"},
    "volume": {"type", "id", "name", "content", "stimulus", "defaultVolume"},
    "mushra": PAGE,
    "finish": {"type", "name", "content", "popupContent", "showResults", "writeResults", "questionnaire"},
}
TEST = {
    *("testname", "testId", "bufferSize", "stopOnErrors", "showButtonPreviousPage", "remoteService", "pages"),
}


def call(*words: object) -> Result:
    return CliRunner().invoke(cli, [str(word) for word in words], prog_name="pse-bench")


@dataclass(frozen=True)
class Scored:
    dataset: Dataset
    results: list[Path]
    submissions: list[Path]

    @property
    def words(self) -> list[object]:
        given = [word for path in self.submissions for word in ("--submission", path)]
        return [*self.results, "--dataset", self.dataset.folder, *given]


@pytest.fixture(scope="module")
def scored(dataset: Dataset, submitted: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Scored:
    """Three systems, one of which is the mixture at half its level but for TS2's last quarter."""
    root = tmp_path_factory.mktemp("scored")
    for row in dataset.mixtures:
        samples = 0.5 * dataset.read_sound(row.mixture_path).astype(float)
        samples[int(0.75 * len(samples)) :] *= float(row.scene_id[-1]) / 4
        submission.write_estimate(root / "half", row, samples)
    submission.write_system(root / "half", submission.System(name="half", version="1"))
    folders = [root / "half", submitted("oracle-mask"), submitted("silence")]
    for folder in folders:
        tiny.scored(dataset, folder, root / "results" / folder.name)
    return Scored(dataset, sorted((root / "results").iterdir()), folders)


@pytest.fixture(scope="module")
def exported(scored: Scored, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("exported") / "My test"
    more = ("--scenes", SCENES, "--raters", RATERS, "--seed", 7)
    done = call("export", "listening-test", *scored.words, *more, "-o", out)
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{out}: 4 mixtures in 6 conditions for 6 raters\n"
    return out


@pytest.fixture(scope="module")
def key(exported: Path) -> dict[str, Stimulus]:
    return {row.stimulus: row for row in tables.read_table(exported / "key.csv", Stimulus)}


def pages_of(path: Path) -> list[dict]:
    document = yaml.safe_load(path.read_text())
    return [page for page in document["pages"] if page["type"] == "mushra"]


# ---- what is written


def test_configurations_are_as_webmushra_documents_them(exported: Path, key: dict[str, Stimulus]) -> None:
    files = sorted((exported / "raters").glob("*.yaml"))
    assert [path.name for path in files] == [f"r{number:02d}.yaml" for number in range(1, RATERS + 1)]
    orders = set()
    for path in files:
        document = yaml.safe_load(path.read_text())
        assert set(document) == TEST
        assert document["testId"] == f"my-test-{path.stem}"
        assert document["bufferSize"] in (256, 512, 1024, 2048, 4096, 8192, 16384)
        kinds = [page["type"] for page in document["pages"]]
        assert kinds == ["generic", "volume", *["mushra"] * SCENES, "finish"]
        assert all(set(page) <= PAGES[page["type"]] for page in document["pages"])
        for page in pages_of(path):
            assert {key[code].system for code in page["stimuli"]} == {*SYSTEMS, "mixture", "anchor35"}
            assert {key[code].trial for code in page["stimuli"]} == {page["id"]}
            sounds = {**page["stimuli"], "reference": page["reference"]}
            lengths = set()
            for name, at in sounds.items():
                assert at.startswith("configs/my-test/audio/")
                info = soundfile.info(exported / "raters" / at.removeprefix("configs/my-test/"))
                assert (info.format, info.subtype, info.channels) == ("WAV", "PCM_16", 1)
                lengths.add(info.frames)
                assert name == "reference" or at.endswith(f"/{name}.wav")
            assert len(lengths) == 1, "webMUSHRA refuses a page whose sounds differ in length"
            assert key[Path(page["reference"]).stem].system == "reference"
        orders.add(tuple(page["id"] for page in pages_of(path)))
    assert len(orders) > 1


def test_nothing_that_raters_get_tells_a_system(exported: Path, scored: Scored, key: dict[str, Stimulus]) -> None:
    names = [*SYSTEMS, "mixture", "anchor", "oracle", *(row.scene_id for row in scored.dataset.mixtures)]
    for path in sorted((exported / "raters").rglob("*")):
        if path.is_file():
            said = path.name if path.suffix == ".wav" else path.name + path.read_text()
            told = said.replace("configs/my-test", "").replace("one of the versions is the reference", "")
            assert [name for name in names if name in told] == []
    assert len({row.mixture_id for row in key.values()}) == SCENES
    about = json.loads((exported / "export.json").read_text())
    assert about["conditions"] == ["reference", *SYSTEMS, "mixture", "anchor35"]


def test_sounds_are_those_of_the_systems(exported: Path, scored: Scored, key: dict[str, Stimulus]) -> None:
    rows = {row.mixture_id: row for row in scored.dataset.mixtures}
    for row in key.values():
        samples, _ = soundfile.read(exported / "raters" / "audio" / f"{row.stimulus}.wav")
        assert row.gain_db == 0.0
        if row.role == "system":
            folder = scored.submissions[SYSTEMS.index(row.system)]
            wanted = submission.read_estimate(folder, rows[row.mixture_id]).samples
        elif row.system != "anchor35":
            path = (
                rows[row.mixture_id].mixture_path if row.role == "anchor" else rows[row.mixture_id].reference_path
            )
            wanted = scored.dataset.read_sound(path)
        assert row.system == "anchor35" or np.abs(samples - wanted).max() <= 0.51 / 32768


@pytest.mark.parametrize("per_rater", [None, 2])
def test_every_condition_is_heard_as_often(
    scored: Scored, key: dict[str, Stimulus], tmp_path: Path, per_rater: int | None
) -> None:
    out = tmp_path / "t"
    more = ("--scenes", SCENES, "--raters", RATERS, *(("--per-rater", per_rater) if per_rater else ()))
    assert call("export", "listening-test", *scored.words, *more, "-o", out).exit_code == 0
    of = {row.stimulus: row for row in tables.read_table(out / "key.csv", Stimulus)}
    size = per_rater or SCENES
    for form, scales in SHEETS.items():
        over_all: Counter[tuple[str, str]] = Counter()
        first = Counter()
        for number in range(1, RATERS + 1):
            lines = list(csv.DictReader((out / "raters" / f"{form}-r{number:02d}.csv").open()))
            assert [int(line["position"]) for line in lines] == list(range(1, len(lines) + 1))
            heard = [of[Path(line["stimulus"]).stem] for line in lines]
            assert Counter(one.system for one in heard) == dict.fromkeys(
                ["reference", *SYSTEMS, "mixture", "anchor35"], size
            )
            scenes = Counter(one.mixture_id for one in heard)
            assert len(scenes) == SCENES
            assert max(scenes.values()) - min(scenes.values()) <= 1
            assert all((out / "raters" / line["enrollment"]).is_file() for line in lines)
            over_all.update((one.mixture_id, one.system) for one in heard)
            columns = list(lines[0])[4:]
            assert sorted(columns) == sorted(scales)
            first[columns[0]] += 1
        assert max(over_all.values()) - min(over_all.values()) <= 1
        assert len(over_all) == SCENES * 6
        assert form == "p808" or first["sig"] == first["bak"]
    heard = Counter(
        page["id"] for number in range(1, RATERS + 1) for page in pages_of(out / "raters" / f"r{number:02d}.yaml")
    )
    assert set(heard.values()) == {RATERS * size // SCENES}


@pytest.mark.parametrize("scenes", [3, 7, 10])
@pytest.mark.parametrize("per_rater", [1, 2, 3])
def test_shares_are_even_after_any_number_of_raters(scenes: int, per_rater: int) -> None:
    design = Design(scenes=scenes, per_rater=per_rater)
    heard = Counter(dict.fromkeys(range(scenes), 0))
    for rater in range(30):
        heard.update(design.share(rater))
        assert max(heard.values()) - min(heard.values()) <= 1


def test_the_same_seed_writes_the_same_and_another_does_not(
    scored: Scored, exported: Path, tmp_path: Path
) -> None:
    written = {}
    for seed in (7, 8):
        out = tmp_path / f"{seed}" / "My test"
        more = ("--scenes", SCENES, "--raters", RATERS, "--seed", seed)
        assert call("export", "listening-test", *scored.words, *more, "-o", out).exit_code == 0
        found = sorted(path for path in out.rglob("*") if path.is_file())
        written[seed] = {str(path.relative_to(out)): path.read_bytes() for path in found}
    before = {str(path.relative_to(exported)): path.read_bytes() for path in exported.rglob("*") if path.is_file()}
    assert written[7] == before
    assert not set(written[8]) & {name for name in before if name.endswith(".wav")}


def test_levels_are_matched_where_the_target_speaks(scored: Scored, tmp_path: Path) -> None:
    out = tmp_path / "matched"
    more = ("--scenes", SCENES, "--raters", 2, "--match-level")
    assert call("export", "listening-test", *scored.words, *more, "-o", out).exit_code == 0
    rows = {row.mixture_id: row for row in scored.dataset.mixtures}
    levels: dict[str, dict[str, float]] = defaultdict(dict)
    for one in tables.read_table(out / "key.csv", Stimulus):
        samples, _ = soundfile.read(out / "raters" / "audio" / f"{one.stimulus}.wav")
        row = rows[one.mixture_id]
        active = scored.dataset.read_activity(row.scene_id)["target"]
        levels[one.mixture_id][one.system] = float(np.mean(samples[active] ** 2))
        assert one.system != "half" or one.gain_db > 3
    for level in levels.values():
        assert level.pop("silence") == 0.0
        assert 10 * np.log10(max(level.values()) / min(level.values())) < 0.05


def test_mixtures_are_those_on_which_figures_differ(scored: Scored) -> None:
    systems = systems_of([results.Result.open(folder) for folder in scored.results])
    found = disagreement(systems, "TS2")
    assert len(found) == tiny.SCENES
    own = [system for system in systems if not system.style.reference]
    assert len(own) == 1  # so references count
    twins = []
    for metric in ("tsos", "pause_leakage_db", "si_sdri"):
        cells = [one.scores.cells["TS2", metric] for one in systems]
        table = np.array([[row.value for row in rows] for rows in cells], dtype=float)
        complete = ~np.isnan(table).any(axis=0)
        share = table.std(axis=0) / table[:, complete].std()
        twins.append(np.where(complete, share, np.nan))
    assert np.array(list(found.values())) == pytest.approx(np.nanmean(twins, axis=0))
    chosen = [row.mixture_id for row in choose_mixtures(systems, "TS2", 1, seed=1)]
    assert chosen == [max(found, key=lambda name: found[name])]


@pytest.mark.parametrize("rate", [16_000, 48_000])
def test_the_anchor_is_filtered_as_the_recommendation_says(rate: int) -> None:
    impulse = np.zeros(rate // 4)
    impulse[rate // 8] = 1.0
    frequencies, response = scipy.signal.freqz(low_pass(impulse, 3500, rate), worN=8192, fs=rate)
    level_db = 20 * np.log10(np.maximum(np.abs(response), 1e-12))
    assert np.abs(level_db[frequencies <= 3500]).max() <= 0.1
    assert level_db[frequencies >= 4000].max() <= -25
    assert level_db[frequencies >= 4500].max() <= -50
    peak = int(np.argmax(np.abs(low_pass(impulse, 3500, rate))))
    assert peak == rate // 8


# ---- what is refused


def test_what_cannot_be_is_said(scored: Scored, tmp_path: Path) -> None:
    words = scored.words
    for more, said in (
        (("--scenes", 99), "--scenes 99: the results have 4 mixtures of TS2"),
        (("--scenes", 4, "--per-rater", 5), "--per-rater 5: of --scenes 4"),
        (("--scenes", 4, "--anchor", "anchor70"), None),
    ):
        done = call("export", "listening-test", *words, *more, "-o", tmp_path / "t")
        assert (done.exit_code, said is None or said in done.stderr) == (0 if said is None else 1, True), (
            done.output
        )
    alone = [scored.results[0], "--dataset", scored.dataset.folder, "-o", tmp_path / "u"]
    assert (
        "1 system beside the anchors; give the results of two or more"
        in call("export", "listening-test", *alone).stderr
    )
    without = [*scored.results, "--dataset", scored.dataset.folder, "--scenes", 2, "-o", tmp_path / "u"]
    assert (
        "no --submission that it was scored from; add that of half"
        in call("export", "listening-test", *without).stderr
    )
    assert not (tmp_path / "u").exists()


# ---- what comes back

QUALITY = {"reference": 97.0, "oracle-mask": 80.0, "half": 55.0, "mixture": 40.0, "anchor35": 35.0, "silence": 5.0}
CARELESS = "r03"


def panel(exported: Path, key: dict[str, Stimulus], rater: str) -> Iterator[tuple[str, str, float]]:
    """Page, name of the stimulus in webMUSHRA, and the rating of one member of a panel: each has a bias of its
    own, scenes differ, and one member does not listen."""
    chance = np.random.default_rng(int(rater[1:]))
    bias = chance.normal(0, 5)
    for page in pages_of(exported / "raters" / f"{rater}.yaml"):
        for name in ("reference", *page["stimuli"]):
            system = "reference" if name == "reference" else key[name].system
            wanted = QUALITY[system] + (0 if system == "reference" else bias + chance.normal(0, 8))
            score = chance.uniform(0, 100) if rater == CARELESS else min(max(wanted, 0), 100)
            yield page["id"], name, float(round(score))


def write_mushra(exported: Path, key: dict[str, Stimulus], path: Path, rater: str, session: str | None) -> None:
    """As webMUSHRA's service/write.php does; since version 1.4.1 with the session."""
    head = ["session_test_id", *(["session_uuid"] if session else []), "trial_id"]
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow([*head, "rating_stimulus", "rating_score", "rating_time", "rating_comment"])
        for page, name, score in panel(exported, key, rater):
            start = [f"my-test-{rater}", *([session] if session else []), page]
            writer.writerow([*start, name, f"{score:.0f}", 31500, ""])


@pytest.fixture(scope="module")
def answered(exported: Path, key: dict[str, Stimulus], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """webMUSHRA's results, a folder a configuration, and the sheets of two raters."""
    root = tmp_path_factory.mktemp("answers")
    for number in range(1, RATERS + 1):
        rater = f"r{number:02d}"
        (root / f"my-test-{rater}").mkdir()
        session = f"{number}0e0b9cd-4fb7" if number % 2 else None
        write_mushra(exported, key, root / f"my-test-{rater}" / "mushra.csv", rater, session)
    for form in SHEETS:
        for rater in ("r01", "r02"):
            with (exported / "raters" / f"{form}-{rater}.csv").open() as stream:
                rows = list(csv.DictReader(stream))
            for row in rows:
                quality = QUALITY[key[Path(row["stimulus"]).stem].system]
                row.update(dict.fromkeys(SHEETS[form], str(1 + round(quality / 25))))
            rows[0][SHEETS[form][0]] = ""  # forgotten
            with (root / f"{form}-{rater}.csv").open("w", newline="") as stream:
                writer = csv.DictWriter(stream, list(rows[0]))
                writer.writeheader()
                writer.writerows(rows)
    return root


def test_the_order_of_systems_comes_back(exported: Path, answered: Path, tmp_path: Path) -> None:
    out = tmp_path / "ratings.csv"
    done = call("import", "ratings", exported, answered, "-o", out)
    assert done.exit_code == 0, done.output
    assert "my-test-r03 is left out: the hidden reference below 90 on " in done.stderr
    assert f"{answered / 'p808-r01.csv'}: 1 without an answer" in done.stderr
    found = ratings.figures(tables.read_table(out, ratings.Rating))
    by_metric: dict[str, list[ratings.Figure]] = defaultdict(list)
    for one in found:
        by_metric[one.metric].append(one)
    assert list(by_metric) == ["mushra", "mos_sig", "mos_bak", "mos_ovrl", "mos"]
    mushra = by_metric["mushra"]
    assert [one.system for one in mushra] == sorted(QUALITY, key=lambda name: -QUALITY[name])
    for one in mushra:
        low, high = one.interval
        assert 0 <= low <= one.value <= high <= 100
        assert (one.raters, one.mixtures, one.ratings) == (RATERS - 1, SCENES, (RATERS - 1) * SCENES)
    assert abs(mushra[1].value - QUALITY["oracle-mask"]) < 12
    assert [one.system for one in by_metric["mos"]][:2] == ["reference", "oracle-mask"]
    assert by_metric["mos"][0].value == 1 + round(97 / 25)
    table = call("import", "ratings", exported, answered, "--format", "csv").stdout
    assert table.splitlines()[0] == "metric,system,role,value,ci_low,ci_high,raters,mixtures,ratings"
    assert len(table.splitlines()) == 1 + 5 * 6
    again = call("import", "ratings", exported, answered, "-o", out)
    assert (again.exit_code, again.stderr.count("\n")) == (1, 1)


def test_two_sessions_of_one_configuration_are_two_raters(
    exported: Path, key: dict[str, Stimulus], tmp_path: Path
) -> None:
    for session in ("11111111-a", "22222222-b"):
        write_mushra(exported, key, tmp_path / f"{session}.csv", "r01", session)
    first, second = ((tmp_path / f"{s}.csv").read_text() for s in ("11111111-a", "22222222-b"))
    both = tmp_path / "mushra.csv"
    both.write_text(first + second.partition("\n")[2])
    found = {one.rater for one in ratings.read(exported, [both])}
    assert found == {"my-test-r01/11111111", "my-test-r01/22222222"}
    both.write_text(first + first.partition("\n")[2])
    done = call("import", "ratings", exported, both)
    assert "rated" in done.stderr
    assert "before; keep one of the two answers" in done.stderr


HEAD = "session_test_id,trial_id,rating_stimulus,rating_score\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "neither webMUSHRA's mushra.csv"),
        (f"{HEAD}t,nothing,reference,90\n", "'reference' of page 'nothing' is not of this test"),
        ("rater,stimulus,mos\nr01,audio/x.wav,3\n", "'audio/x.wav' is not of this test"),
        ("rater,stimulus,mos\nr01,{stimulus},6\n", "'6' is no rating from 1 to 5"),
        ("rater,stimulus,mos\nr01,{stimulus},good\n", "'good' is no rating from 1 to 5"),
        ("rater,stimulus,mos\nr01,{stimulus},\n", "no rating is left"),
        ("rater,stimulus,mos,mos\n", "a column is named twice"),
    ],
    ids=["columns", "page", "stimulus", "range", "words", "empty", "twice"],
)
def test_answers_that_are_not_ours(
    exported: Path, key: dict[str, Stimulus], tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "answers.csv"
    path.write_text(text.format(stimulus=f"audio/{min(key)}.wav"))
    done = call("import", "ratings", exported, path)
    assert (done.exit_code, done.stderr.splitlines()[-1].count(said)) == (1, 1), done.stderr
    assert call("import", "ratings", tmp_path, path).exit_code == 1


# ---- webMUSHRA's own page

FOLDER = "PSE_BENCH_WEBMUSHRA"


class Site(http.server.SimpleHTTPRequestHandler):
    """webMUSHRA with the export below its ``configs``; what is sent to it is kept."""

    raters: Path
    sent: ClassVar[list[str]] = []

    def translate_path(self, path: str) -> str:
        inside = path.partition("?")[0].removeprefix("/configs/my-test/")
        return str(self.raters / inside) if inside in path and inside[0] != "/" else super().translate_path(path)

    def do_POST(self) -> None:
        self.sent.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def site(exported: Path) -> Iterator[str]:
    folder = os.environ.get(FOLDER, "")
    if not (Path(folder) / "startup.js").is_file():
        pytest.skip(f"set {FOLDER} to the folder of webMUSHRA, https://github.com/audiolabs/webMUSHRA")
    Site.raters = exported / "raters"
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Site, directory=folder)) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.browser
def test_a_rater_takes_the_test_in_webmushra(
    site: str, browser: Any, exported: Path, key: dict[str, Stimulus], tmp_path: Path
) -> None:
    """From the first page to the answers, which are brought back."""
    browser.set_window_size(1280, 900)
    browser.get(f"{site}/index.html?config=my-test/r01.yaml")

    def value(script: str) -> Any:
        return browser.execute_script(f"return {script}")

    def wait(script: str) -> None:
        for _ in range(600):
            if value(script):
                return
            time.sleep(0.1)
        raise AssertionError(f"{script}: {value('errorHandler.getErrors()')}, {browser.get_log('browser')}")

    wait("typeof pageManager !== 'undefined' && pageManager && pageManager.getPageIndex() === 0")
    assert value("errorHandler.getErrors()") == []
    scores = dict[str, dict[str, float]]()
    for page, name, score in panel(exported, key, "r01"):
        scores.setdefault(page, {})[name] = score
    for number, page in enumerate(pages_of(exported / "raters" / "r01.yaml"), 2):
        while value("pageManager.getPageIndex()") < number:
            browser.execute_script("document.getElementById('__button_next').click()")
        wait("$('.scales').length > 0 && $('.scales').parent().hasClass('ui-slider')")
        assert value("$('#page_header').text()") == page["name"]
        names = value("$('.scales').map(function() { return this.name; }).get()")
        assert sorted(names) == sorted(["reference", *page["stimuli"]]), "with the hidden reference"
        assert names == value("pageManager.getCurrentPage().mushraAudioControl.conditions.map(c => c.id)")
        assert value("$('#mushra_items').text()").count("Cond.") == len(names), "and nothing that tells them apart"
        if number == 2:
            browser.save_screenshot(str(tmp_path / "page.png"))
            browser.execute_script("document.getElementById('buttonConditions0').click()")
            assert value("$('#buttonConditions0').text()") == "Pause"
        for name, score in scores[page["id"]].items():
            browser.execute_script(f"$(\"[name='{name}']\").val({score}).slider('refresh')")
    browser.execute_script("document.getElementById('__button_next').click()")
    wait("$('#send_results').length > 0 && !$('#send_results').prop('disabled')")
    Site.sent.clear()
    browser.execute_script("document.getElementById('send_results').click()")
    (text,) = Site.sent
    session = json.loads(unquote_plus(text.removeprefix("sessionJSON=")))
    assert session["testId"] == "my-test-r01"
    found = {
        trial["id"]: {one["stimulus"]: float(one["score"]) for one in trial["responses"]}
        for trial in session["trials"]
    }
    assert found == scores
    assert [line for line in browser.get_log("browser") if line["level"] == "SEVERE"] == []
