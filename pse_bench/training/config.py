"""The configuration of a training run: strict YAML or JSON, with single values replaced by ``--set key=value``."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, SerializerFunctionWrapHandler, model_serializer

from pse_bench.errors import InputError
from pse_bench.io import yaml_reader
from pse_bench.io.documents import Record, parse
from pse_bench.io.yaml_reader import PlainYaml
from pse_bench.planning.scenario import Scenario
from pse_bench.speaker.encoders import DEFAULT, ENCODERS
from pse_bench.training.losses import LOSS_RECIPES, Normaliser, Scope

SHIPPED = Path(__file__).parent / "configs"

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Share = Annotated[float, Field(ge=0, lt=1)]
Count = Annotated[int, Field(ge=1)]


class Data(Record):
    """What is mixed. None takes the scenario's."""

    scenario: str = "training"  # a scenario file or the name of a shipped one
    its_share: Share | None = None  # of scenes with an inactive target (TS3)
    reference: Literal["early", "reverberant"] | None = None  # what of the target's room the model should keep
    chunk_s: Positive = 4.0  # length of a training scene
    speeds: list[Positive] = Field(default_factory=lambda: [0.9, 1.0, 1.1])  # every utterance is played at each
    formants: list[Positive] = Field(default_factory=lambda: [1.0])  # and with its formants moved by each factor
    tilt_db: NonNegative = 1.5  # spectral tilt of speech, up to this many dB an octave up or down
    rooms: Count | None = None  # how many
    crops: Count = 4  # enrollments drawn of each utterance and voice


class Optimiser(Record):
    """AdamW with warm-up and cosine annealing; weights are also averaged, and the average is what is kept."""

    lr: Positive = 1e-3  # step size after the warm-up
    last_lr: NonNegative = 1e-5  # and at the end
    warmup_steps: Annotated[int, Field(ge=0)] = 200  # over which the step size rises from 0
    weight_decay: NonNegative = 1e-4
    clip: Positive = 5.0  # largest norm of the gradient
    average: Share = 0.999  # decay of the moving average of the weights, a step


class Loss(Record):
    """Options of the enhancer's loss; see ``losses``.

    ``guide`` is where the probability of target speech comes from: ``pvad`` (``--pvad CHECKPOINT``), or as a
    control from the true activity: ``target`` (a pVAD without faults, so no frame is spared) or ``interferer``
    (one that takes everybody for the target, so every frame in which somebody else talks is spared).
    ``level_dbfs`` is what every mixture is brought to for the loss, since power-law compressed spectra of
    a quiet one would count less. None leaves it as it is.
    """

    threshold: Annotated[float, Field(ge=0, le=1)] = 0.5
    scope: Scope = "all"
    normaliser: Normaliser = "item"
    exponent: Annotated[float, Field(gt=0, le=1)] = 0.3
    alpha: Annotated[float, Field(ge=0, le=1)] = 0.5
    beta: NonNegative = 1.0
    guide: Literal["pvad", "target", "interferer"] = "pvad"
    level_dbfs: float | None = None


class Validation(Record):
    """Validation every so many steps: people who are never trained on, ``scenes`` of each scenario.

    ``people`` names them as corpus/speaker_id; with none named, ``speakers`` of them are drawn."""

    speakers: Annotated[int, Field(ge=2)] = 8
    people: list[str] = Field(default_factory=list)
    scenes: Count = 32
    every: Count = 500


class TrainConfig(Record):
    """A whole run. A default encoder is not written into documents, which older versions read and compare."""

    task: Literal["pvad", "pse"]
    recipe: str = ""  # of losses.LOSS_RECIPES, or module:attribute; '' for a pVAD
    encoder: str = DEFAULT  # of speaker.encoders.ENCODERS, or module:attribute: what gives speaker embeddings
    seed: int = 1
    steps: Count = 20_000
    batch: Count = 16
    # bfloat16 lets layers, but not losses, compute in that; auto does so on a GPU
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    model: dict[str, Any] = Field(default_factory=dict)  # fields of E3NetConfig or PVADConfig
    data: Data = Data()
    optimiser: Optimiser = Optimiser()
    loss: Loss = Loss()
    validation: Validation = Validation()
    log_every: Count = 20
    save_every: Count = 500

    @model_serializer(mode="wrap")
    def _without_default_encoder(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        document = dump(self)
        return document if self.encoder != DEFAULT else {k: v for k, v in document.items() if k != "encoder"}


class _Yaml(PlainYaml):
    """Plain YAML in which 1e-5 is a number; in the YAML 1.1 of the library it is text."""


_Yaml.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+"), list("-+0123456789")
)


def shipped() -> list[str]:
    """Names of the configurations that come with the package."""
    return sorted(path.stem for path in SHIPPED.glob("*.yaml"))


def load(config: str, changes: Iterable[str] = (), *, task: str | None = None) -> TrainConfig:
    """A configuration from a file, or a shipped one by its name, with ``key=value`` changes (dots go deeper).

    Args:
        config: a path or a name. A recipe or encoder that it names by ``module:attribute`` is imported.
        changes: replace values.
        task: the one that it has to be of; None for any.

    Raises:
        InputError: no such file, not YAML, an unknown key, a value that is not allowed, or of another task.
    """
    path = Path(config)
    if not path.suffix and not path.exists():
        path = SHIPPED / f"{config}.yaml"
        if not path.is_file():
            raise InputError(
                f"{config}: neither a configuration file nor a shipped one; shipped: {', '.join(shipped())}"
            )
    content = yaml_reader.load_mapping(path, "task, recipe, steps …", _Yaml)
    for change in changes:
        _replace(content, change)
    made = parse(TrainConfig, content, str(path))
    if made.task != (task or made.task):
        raise InputError(f"{path}: a configuration for task {made.task}, expected {task}")
    if (made.task == "pse") != bool(made.recipe):
        raise InputError(f"{path}: task pse needs a recipe, task pvad has none; found {made.recipe!r}")
    try:
        ENCODERS.find(made.encoder)
        if made.recipe:
            LOSS_RECIPES.find(made.recipe)
    except InputError as error:
        raise InputError(f"{path}: {error}") from error
    return made


def _replace(content: dict[str, Any], change: str) -> None:
    """Put the value of ``key=value`` in its place."""
    key, separator, value = change.partition("=")
    if not separator or not key:
        raise InputError(f"--set {change}: expected key=value, for example optimiser.lr=0.0005")
    *outer, last = key.split(".")
    for name in outer:
        content = content.setdefault(name, {})
        if not isinstance(content, dict):
            raise InputError(f"--set {change}: {name} holds no keys of its own")
    content[last] = yaml_reader.read(value, f"--set {change}", _Yaml)


def with_its_share(scenario: Scenario, share: float | None) -> Scenario:
    """The scenario with another share of TS3; the other scenarios keep their proportion. Raises InputError where
    there is no TS3 to have a share, or nothing else."""
    if share is None:
        return scenario
    shares = scenario.shares or {label: 1 / len(scenario.scenarios) for label in scenario.scenarios}
    others = sum(value for label, value in shares.items() if label != "TS3")
    if others == 0 or (share > 0 and "TS3" not in shares):
        raise InputError(
            f"scenario {scenario.name}: an ITS share of {share:g} needs TS3 and another scenario in it"
        )
    new = {label: share if label == "TS3" else value * (1 - share) / others for label, value in shares.items()}
    return scenario.model_copy(update={"shares": new})
