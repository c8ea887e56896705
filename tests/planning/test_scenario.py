"""Scenario files: strict, explained in one line, and drawn from as written."""

import math
from collections import Counter
from pathlib import Path

import builders
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pse_bench.errors import InputError
from pse_bench.planning import scenario
from pse_bench.planning.quantity import Quantity
from pse_bench.planning.scenario import Scenario


def load_text(folder: Path, text: str) -> Scenario:
    path = folder / "test.yaml"
    path.write_text(text, encoding="utf-8", newline="")
    return scenario.load(str(path))[0]


def refused(folder: Path, text: str) -> str:
    """The one-line message that a scenario file is refused with; it begins with the file's name."""
    with pytest.raises(InputError) as refusal:
        load_text(folder, text)
    message = str(refusal.value)
    assert message.startswith(f"{folder / 'test.yaml'}: ")
    assert "\n" not in message
    return message.removeprefix(f"{folder / 'test.yaml'}: ")


def dumped(**changes) -> str:
    return yaml.safe_dump(builders.content(**changes), allow_unicode=True)


# ---- shipped scenarios


@pytest.mark.parametrize("name", scenario.shipped())
def test_every_shipped_scenario_loads_by_its_name(name):
    loaded, content = scenario.load(name)
    assert loaded.name == name, "a scenario is called as its file"
    assert loaded.description
    assert content["schema"] == 1
    assert scenario.parse_scenario(content, "again") == loaded
    assert scenario.load(str(scenario.SHIPPED / f"{name}.yaml"))[0] == loaded


def test_a_test_set_a_training_set_and_stress_sets_are_shipped():
    names = scenario.shipped()
    assert {"embedded", "standard", "training"} <= set(names)
    assert len([name for name in names if name.startswith("stress-")]) >= 5
    assert scenario.load("training")[0].shares["TS3"] > 0


def test_the_channel_set_draws_the_standard_set_beside_its_channels():
    wanted, drawn = (scenario.load(name)[1] for name in ("standard", "stress-channel"))
    chosen = drawn.pop("channel")
    assert {**drawn, **{key: wanted[key] for key in ("name", "description")}} == wanted
    plain, through = builders.recipes(6), builders.recipes(6, channel=chosen)
    assert [one.model_copy(update={"channel": None}) for one in through] == plain
    assert any(one.channel for one in through)


@pytest.mark.parametrize("name", scenario.shipped())
def test_every_shipped_scenario_can_be_planned(name):
    """With a corpus such as it is made for: enough people of both genders, sessions and measured rooms."""
    drawn = scenario.load(name)[0]
    lengths_s = (2.0, 2.4, 2.9)
    planner = builders.plan.Planner(
        drawn,
        speech=builders.speech(
            8, sessions=3, each=6, seconds=[max(drawn.target.shortest_s, s) for s in lengths_s]
        ),
        noise=[builders.noise_clip(number, seconds=30) for number in range(3)],
        rirs=[builders.response("hall", number) for number in range(3)],
        seed=1,
    )
    for index in range(10):
        planner.recipe(index)


def test_an_unknown_name_gets_the_list_of_shipped_ones():
    with pytest.raises(InputError, match=r"standrad: neither a scenario file nor .* shipped: .*standard"):
        scenario.load("standrad")
    with pytest.raises(InputError, match=r"none\.yaml: no such file"):
        scenario.load("none.yaml")


def test_a_file_without_an_ending_is_still_a_file(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "standard").write_text(dumped(name="mine"))
    assert scenario.load("standard")[0].name == "mine"


def test_the_content_is_given_as_written(tmp_path):
    (tmp_path / "a.yaml").write_text(dumped())
    assert scenario.load(str(tmp_path / "a.yaml"))[1] == builders.content()


# ---- what is not YAML as it is used here


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected a mapping"),
        ("- a\n- b\n", "expected a mapping"),
        ("just words", "expected a mapping"),
        ("a: [1, 2", "not YAML"),
        ("a: 1\n\tb: 2", "not YAML"),
        ("a: 1\n---\nb: 2", "not YAML"),
        ("a: 1\nb: 2\na: 3", "key 'a' given twice"),
        ("a: {b: 1, b: 1}", "key 'b' given twice"),
        ("1: a\n1: b", "key 1 given twice"),
        ("a: &x 1\nb: *x", "aliases are not used here"),
        ("a: &x [*x]", "aliases are not used here"),
        ("<<: {a: 1}", "not YAML"),
        ("!!python/object/apply:os.system [echo]", "tags are not used here"),
        ("a: !!int ''", "tags are not used here"),
        ("a: !!bool maybe", "tags are not used here"),
        ("!!timestamp soon", "tags are not used here"),
        ("!!map [a]", "tags are not used here"),
        ("a: !mine b", "tags are not used here"),
        ("? [a]\n: 1", "not YAML"),
        ("? {a: 1}\n: 1", "not YAML"),
        ("a: 2024-13-45", "not YAML"),
        ("a: \x00", "not YAML"),
        ("a: 1" + "0" * 5000, "not YAML"),
        ("a: " + "1:" * 300 + "1.5", "not YAML"),
        ("[" * 700, "not YAML"),
    ],
)
def test_what_is_not_plain_yaml_is_refused(tmp_path, text, expected):
    assert expected in refused(tmp_path, text)


def test_a_laughing_bomb_of_aliases_is_refused_at_once(tmp_path):
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    assert "aliases are not used here" in refused(tmp_path, "\n".join(lines))


def test_a_file_in_another_encoding_is_refused(tmp_path):
    (tmp_path / "test.yaml").write_bytes("description: caf\xe9".encode("latin-1"))
    with pytest.raises(InputError, match="not UTF-8"):
        scenario.load(str(tmp_path / "test.yaml"))


# ---- keys


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"sample_rat": 16000}, "unknown key 'sample_rat'; did you mean 'sample_rate'?"),
        ({"intereferer": {}}, "unknown key 'intereferer'; did you mean 'interferer'?"),
        ({"target": {"distanc_m": 1}}, "unknown key 'target.distanc_m'; did you mean 'distance_m'?"),
        ({"interferer": {"sir": 1}}, "unknown key 'interferer.sir'; did you mean 'sir_db'?"),
        ({"noise": {"category": []}}, "unknown key 'noise.category'; did you mean 'categories'?"),
        ({"room": {"rt60": 1}}, "unknown key 'room.rt60'; did you mean 'rt60_s'?"),
        ({"enrollment": {"conditions": "clean"}}, "did you mean 'condition'?"),
        ({"schema_": 1}, "unknown key 'schema_'; did you mean 'schema'?"),
        ({"colour": "red"}, "unknown key 'colour'; known keys: channel, description"),
    ],
)
def test_a_typo_gets_the_nearest_key(tmp_path, changes, expected):
    assert expected in refused(tmp_path, dumped(**changes))


@pytest.mark.parametrize("key", [key for key in builders.PLAIN if key != "schema"])
def test_a_missing_key_is_named(tmp_path, key):
    content = builders.content()
    del content[key]
    assert f"key {key!r} is missing; add it" in refused(tmp_path, yaml.safe_dump(content))


def test_all_mistakes_are_told_at_once_and_what_follows_from_them_is_not():
    """A wrong value hides no contradiction, and makes none."""
    wrong = builders.content(
        scenarios=["TS1", "TS9"],
        shares={"TS1": 0.5, "TS2": 0.5},
        target={"clip": "segment", "utterances": 2, "distanse_m": 1.0},
        room={"engine": "pyroomacoustic", "tail": "diffuse"},
        noise=5,
        referense="early",
    )
    del wrong["target"]["distance_m"]
    found = scenario.mistakes(wrong, "test.yaml")
    assert [line.split("; ")[0].split(", found")[0].split(": ", 1)[1] for line in found] == [
        "unknown key 'target.distanse_m'",
        "unknown key 'referense'",
        "scenarios.1: Input should be 'TS1', 'TS2' or 'TS3'",
        "noise: Input should be a valid dictionary or instance of NoiseField",
        "room.engine: expected one of image-source, pyroomacoustics, measured",
        "target.utterances: several need clip: whole",
    ]
    assert scenario.mistakes(builders.content(), "test.yaml") == []


def test_a_misspelt_key_is_called_misspelt_and_not_missing(tmp_path):
    content = builders.content()
    content["target"]["distnce_m"] = content["target"].pop("distance_m")
    assert "unknown key 'target.distnce_m'; did you mean 'distance_m'?" in refused(
        tmp_path, yaml.safe_dump(content)
    )


# ---- values

NAN, INF = math.nan, math.inf
BAD_QUANTITIES = [
    True,
    False,
    None,
    "1",
    "a lot",
    NAN,
    INF,
    -INF,
    -1,
    10**400,
    1e300,
    [1, 2],
    [],
    {},
    {"uniform": [2, 1]},
    {"uniform": [1]},
    {"uniform": [1, 2, 3]},
    {"uniform": [1, NAN]},
    {"uniform": [1, INF]},
    {"uniform": [True, 2]},
    {"uniform": ["a", "b"]},
    {"uniform": 3},
    {"uniform": [1, 2], "choice": [1]},
    {"normal": [1, 2]},
    {"choice": []},
    {"choice": 3},
    {"choice": [1, True]},
    {"choice": [1, NAN]},
    {"choice": [1, [2]]},
    {"choice": [1, {"uniform": [1, 2]}]},
    {1: [1, 2]},
]


@pytest.mark.parametrize("value", BAD_QUANTITIES, ids=lambda value: repr(value)[:30])
@pytest.mark.parametrize(
    ("section", "key"),
    [
        (None, "duration_s"),
        ("target", "distance_m"),
        ("interferer", "overlap"),
        ("room", "rt60_s"),
        ("enrollment", "duration_s"),
    ],
)
def test_a_value_that_is_no_distribution_of_numbers_is_refused(section, key, value):
    changes = {section: {key: value}} if section else {key: value}
    with pytest.raises(InputError) as refusal:
        builders.scenario(**changes)
    message = str(refusal.value)
    assert message.startswith(f"test.yaml: {section}.{key}: " if section else f"test.yaml: {key}: ")
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"interferer": {"overlap": 1.01}}, "interferer.overlap: expected a number from 0 to 1, found 1.01"),
        ({"interferer": {"sir_db": 101}}, "interferer.sir_db: expected a number from -100 to 100"),
        ({"noise": {"snr_db": {"uniform": [-101, 0]}}}, "noise.snr_db: expected a number from -100 to 100"),
        ({"target": {"level_dbfs": 1}}, "target.level_dbfs: expected a number from -70 to 0, found 1"),
        ({"room": {"rt60_s": 0.05}}, "room.rt60_s: expected a number from 0.1 to 2, found 0.05"),
        ({"target": {"distance_m": 0}}, "target.distance_m: expected a number from 0.001"),
        ({"interferer": {"count": 0}}, "interferer.count: expected a whole number from 1"),
        ({"interferer": {"count": 1.0}}, "interferer.count: expected a whole number"),
        ({"interferer": {"count": True}}, "interferer.count: expected a whole number"),
        ({"interferer": {"count": {"uniform": [1, 2]}}}, "a whole number or {choice: [1, 2]}, found a uniform"),
        ({"interferer": {"gender": "female"}}, "interferer.gender: expected one of any, same, different"),
        ({"interferer": {"gender": {"choice": ["same", 1]}}}, "expected one of any, same, different, found 1"),
        ({"interferer": {"gender": {"uniform": ["any", "same"]}}}, "interferer.gender: "),
        ({"enrollment": {"condition": "dirty"}}, "expected one of clean, reverberant, noisy"),
        ({"room": {"engine": "gpuRIR"}}, "expected one of image-source, pyroomacoustics, measured"),
        ({"room": {"tail": "soft"}}, "expected one of specular, diffuse"),
        (
            {"room": {"engine": "pyroomacoustics", "tail": "diffuse"}},
            "room.tail: diffuse needs room.engine image-source",
        ),
        ({"room": {"rooms": 0}}, "room.rooms: "),
        ({"room": {"rooms": True}}, "room.rooms: "),
        ({"room": {"rooms": 2.5}}, "room.rooms: "),
        ({"room": {"places": 0}}, "room.places: "),
        ({"room": {"wall_distance_m": 0}}, "room.wall_distance_m: "),
        ({"room": {"wall_distance_m": INF}}, "room.wall_distance_m: "),
        ({"room": {"measured_rt60_max_s": "short"}}, "room.measured_rt60_max_s: "),
        ({"noise": {"categories": "street"}}, "noise.categories: "),
        ({"noise": {"categories": [1]}}, "noise.categories.0: "),
        ({"target": {"clip": "part"}}, "target.clip: Input should be 'whole' or 'segment'"),
        ({"target": {"clip": "segment", "utterances": 2}}, "target.utterances: several need clip: whole"),
        ({"sample_rate": 11025}, "sample_rate: "),
        ({"sample_rate": "16000"}, "sample_rate: "),
        ({"version": True}, "version: "),
        ({"version": 0}, "version: "),
        ({"version": "1"}, "version: "),
        ({"schema": 2}, "schema: 2 is not known, expected 1"),
        ({"schema": "1"}, "schema: "),
        ({"name": "Bad Name"}, "name: "),
        ({"name": "../up"}, "name: "),
        ({"name": "line\n"}, "name: "),
        ({"name": 7}, "name: "),
        ({"description": None}, "description: "),
        ({"reference": "dry"}, "reference: "),
        ({"target": 3}, "target: "),
        ({"target": []}, "target: "),
        ({"scenarios": []}, "scenarios: "),
        ({"scenarios": ["TS4"]}, "scenarios.0: "),
        ({"scenarios": "TS1"}, "scenarios: "),
        ({"scenarios": ["TS1", "TS1"]}, "one is named twice"),
        ({"shares": {"TS1": 0.5, "TS2": 0.5}}, "needs exactly the labels of scenarios"),
        ({"shares": {}}, "needs exactly the labels of scenarios"),
        ({"shares": {"TS1": 0.5, "TS2": 0.4, "TS3": 0.2}}, "add up to 1"),
        ({"shares": {"TS1": 1.5, "TS2": -0.5, "TS3": 0.0}}, "add up to 1"),
        ({"shares": {"TS1": NAN, "TS2": 0.5, "TS3": 0.5}}, "shares.TS1: "),
        ({"shares": {"TS1": True, "TS2": 0.0, "TS3": 0.0}}, "shares.TS1: "),
        ({"shares": {"TS1": "1", "TS2": 0.0, "TS3": 0.0}}, "shares.TS1: "),
        ({"shares": {"a\nb": 1.0}}, "shares"),
    ],
    ids=lambda value: str(value)[:50],
)
def test_a_value_out_of_bounds_is_refused(tmp_path, changes, expected):
    assert expected in refused(tmp_path, dumped(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"duration_s": 6},
        {"duration_s": {"uniform": [6, 6]}},
        {"interferer": {"overlap": 0}},
        {"interferer": {"overlap": {"choice": [0, 0.5, 1]}}},
        {"interferer": {"sir_db": {"uniform": [-5, 5]}}},
        {"shares": {"TS1": 1, "TS2": 0, "TS3": 0}},
        {"shares": {"TS1": 0.1, "TS2": 0.2, "TS3": 0.7}},
        {"scenarios": ["TS3"]},
        {"noise": {"categories": ["street"]}},
        {"description": "Größe 😀"},
    ],
    ids=str,
)
def test_what_is_allowed_is_taken(tmp_path, changes):
    load_text(tmp_path, dumped(**changes))


# ---- any text at all

WORDS = ["uniform", "choice", "!!", "!!int", "!!set", "&a", "*a", "~", "true", ".inf", ".nan", "0x1f", "1_0"]
WORDS += ["1:30", "2001-01-01", "1e400", "\\ud800", "TS1", "é"]
MARKS = ["\n  ", ": ", "- ", "<<: ", "---\n", "\u2028", "\x85", "\ufeff", "\x00", "\x1b"]
yaml_pieces = st.sampled_from([*builders.PLAIN, *"{}[]:,?!&*|>-#%@`'\"\n\t ", *WORDS, *MARKS])


@settings(max_examples=150)
@given(st.one_of(st.text(max_size=80), st.lists(yaml_pieces, max_size=25).map("".join)))
def test_any_text_is_a_scenario_or_one_line(tmp_path, text):
    message = ""
    try:
        load_text(tmp_path, text)
    except InputError as error:
        message = str(error)
    assert "\n" not in message


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.dates(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["uniform", "choice", "count", "a\nb", ""]) | st.integers(0, 3), inner, max_size=3
        )
    ),
    max_leaves=6,
)
places = st.sampled_from([(key, None) for key in builders.PLAIN] + [
    (section, key) for section, model in Scenario.model_fields.items() if hasattr(model.annotation, "model_fields")
    for key in model.annotation.model_fields
])  # fmt: skip


@settings(max_examples=150)
@given(places, values)
def test_any_value_anywhere_is_taken_or_refused_in_one_line(place, value):
    """What is taken can be drawn from."""
    section, key = place
    content = builders.content()
    if key is None:
        content[section] = value
    else:
        content[section][key] = value
    message = ""
    try:
        loaded = scenario.parse_scenario(content, "test.yaml")
    except InputError as error:
        message = str(error)
    else:
        assert 0 < loaded.duration_s.draw(1, "x") < INF
    assert "\n" not in message
    assert bool(scenario.mistakes(content, "test.yaml")) == bool(message)


# ---- drawing

bounds = st.floats(0.001, 1000).flatmap(lambda low: st.tuples(st.just(low), st.floats(low, 1000)))


@given(bounds, st.integers(0, 1000))
def test_a_uniform_draw_is_within_its_bounds_and_rounded(ends, number):
    """Also where the bounds have more decimals than a draw."""
    low, high = ends
    value = Quantity(low=low, high=high).draw(1, "x", number)
    assert low <= value <= high
    assert value in {round(value, 3), low, high}


@given(bounds, st.floats(0, 1), st.integers(0, 1000))
def test_a_draw_on_condition_is_within_what_is_left(ends, share, number):
    low, high = ends
    bound = min(high, high * share)
    value = Quantity(low=low, high=high).draw(1, "x", number, least=bound)
    assert max(low, bound) <= value <= high


def test_a_draw_on_condition_has_the_distribution_of_what_is_left():
    quantity = Quantity(low=2.0, high=6.0)
    drawn = sorted(quantity.draw(1, "x", number, least=4.0) for number in range(2000))
    distance = max(abs((value - 4) / 2 - number / 2000) for number, value in enumerate(drawn))
    assert distance < 1.95 / math.sqrt(2000)
    options = Quantity(options=(1.0, 2.0, 2.0, 3.0))
    counts = Counter(options.draw(1, "x", number, least=1.5) for number in range(3000))
    assert set(counts) == {2.0, 3.0}
    assert abs(counts[2.0] - 2000) < 4.5 * math.sqrt(3000 * 2 / 9)


def test_smallest_and_largest_are_the_ends():
    assert Quantity(options=(3, 1, 2)).largest == 3
    assert Quantity(low=1, high=4).largest == 4


def test_parameters_keep_their_type():
    loaded = builders.scenario(interferer={"count": {"choice": [1, 2]}, "overlap": 1})
    assert all(type(option) is int for option in loaded.interferer.count.options)
    assert all(type(option) is float for option in loaded.interferer.overlap.options)
    assert type(builders.scenario(duration_s={"uniform": [6, 8]}).duration_s.low) is float


def test_a_changed_scenario_under_a_shipped_name_is_told():
    _, content = scenario.load("standard")
    assert not scenario.is_changed("standard", content)
    assert scenario.is_changed("standard", {**content, "duration_s": 5.0})
    assert not scenario.is_changed("my-own", content)
