"""The records that stand in files between two stages, in the order of the flow: manifests of clips, plan (a fully
drawn recipe a scene), dataset, result. Every field is a column or key of design and docs.

Unit suffixes: ``_s`` seconds, ``_m`` metres, ``_db`` decibels, ``_dbfs`` decibels relative to full scale;
without a suffix, samples or no unit.
"""

from importlib.metadata import entry_points
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from pse_bench.io.documents import Record

SCHEMA = 1  # version of the plan, dataset and result documents; another one is refused

ScenarioLabel = Literal["TS1", "TS2", "TS3"]
Gender = Literal["F", "M", ""]
EnrollmentSource = Literal["other-utterance", "same-utterance"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
ClipSha256 = Annotated[str, Field(pattern=r"^(pcm:)?[0-9a-f]{64}$")]
"""A clip's identity: SHA-256 of its file's bytes or, after ``pcm:``, of its decoded 16-bit samples, which copies
of a corpus in other containers share."""
Count = Annotated[int, Field(ge=1, le=2**40)]
Rate = Annotated[int, Field(ge=100, le=768_000)]  # Hz
Position = tuple[float, float, float]

TableLabel = Literal["TS1", "TS2", "TS3", "all"]
DESCRIPTIONS: dict[TableLabel, str] = {
    "TS1": "target + noise",
    "TS2": "target + interferer + noise",
    "TS3": "inactive target: interferer + noise",
}
TABLES = {**DESCRIPTIONS, "all": "TS1, TS2 and TS3 pooled"}  # what tables and boards are divided into


class Utterance(Record):
    """A clip of one talker. ``text`` is empty when it is not known, ``gender`` likewise. A clip that is a part of
    its file begins at sample ``start`` of it."""

    optional_columns: ClassVar[tuple[str, ...]] = ("start",)

    corpus: str
    utterance_id: str
    speaker_id: str
    gender: Gender
    path: str
    num_samples: Count
    sample_rate: Rate
    text: str
    sha256: ClipSha256
    start: Annotated[int, Field(ge=0)] = 0

    @property
    def session(self) -> str:
        """The folder that holds the clip below its talker's (a LibriSpeech chapter); '' where there is none."""
        parts = self.path.split("/")
        return parts[-2] if len(parts) > 2 and parts[-3] == self.speaker_id else ""


class NoiseClip(Record):
    """A clip of noise of one category."""

    corpus: str
    noise_id: str
    category: str
    path: str
    num_samples: Count
    sample_rate: Rate
    sha256: ClipSha256


class MeasuredResponse(Record):
    """A measured room impulse response. ``rt60_s`` is fitted from -5 to -35 dB where the decay allows."""

    corpus: str
    rir_id: str
    room_id: str
    path: str
    num_samples: Count
    sample_rate: Rate
    rt60_s: float
    sha256: Sha256


class Segment(Record):
    """A stretch of a clip laid into a track. Samples are counted at the scene's rate."""

    clip_id: str
    path: str
    sha256: ClipSha256
    start: Annotated[int, Field(ge=0)]
    num_samples: Count
    onset: Annotated[int, Field(ge=0)]


class Talker(Record):
    """One person in a scene. ``source`` is the index of the room's source; ``text`` is what is said in full,
    empty where an utterance was cut or its words are not known."""

    corpus: str
    speaker_id: str
    gender: Gender
    segments: list[Segment]
    text: str
    source: Annotated[int, Field(ge=0)]
    distance_m: float | None
    overlap: float | None


class Noise(Record):
    corpus: str
    category: str
    segment: Segment


ENGINES = ("image-source", "pyroomacoustics")
ENGINE_GROUP = "pse_bench.engines"


def engine_name(name: str) -> str:
    """A room engine's name: ours, or one that an installed package announces. No file names code to import. Raises
    ValueError where there is none of this name."""
    if name not in ENGINES and not entry_points(group=ENGINE_GROUP, name=name):
        raise ValueError(f"expected one of {', '.join(ENGINES)}, or an entry point of {ENGINE_GROUP}")
    return name


class SimulatedRoom(Record):
    """A shoebox. All its sources are calibrated together, so that their mean RT60 is the asked one. ``tail``:
    images to the end, or noise from the end of the early sound on."""

    engine: Annotated[str, AfterValidator(engine_name)]
    room_id: str
    tail: Literal["specular", "diffuse"] = "specular"
    size_m: Position
    rt60_s: float
    microphone_m: Position
    sources_m: list[Position]


class MeasuredSource(Record):
    rir_id: str
    path: str
    sha256: Sha256


class MeasuredRoom(Record):
    """A room known by its measured responses, one a source."""

    engine: Literal["measured"]
    room_id: str
    corpus: str
    rt60_s: float
    sources: list[MeasuredSource]


class RecordedRoom(Record):
    """No room of ours, in imported plans only: a clip is what the microphone heard of its source, and the stems
    are the clips, sample for sample. How long it rings is not known."""

    engine: Literal["recorded"]
    room_id: str
    rt60_s: None = None


class RecordedMixture(Record):
    """No room and no sum of stems, in imported plans only: the mixture itself was recorded. The segments of those
    in ``stems`` are recordings of their own; those of all others say when somebody talks in the mixture."""

    engine: Literal["recorded-mixture"]
    room_id: str
    rt60_s: None = None
    mixture: Segment
    stems: list[Literal["target", "interferer"]]


def _kind_of_room(room: Any) -> str:
    engine = room.get("engine") if isinstance(room, dict) else getattr(room, "engine", None)
    return engine if engine in ("measured", "recorded", "recorded-mixture") else "simulated"


CODECS = ("none", "opus", "gsm", "mu-law", "a-law")
BANDS = ("full", "narrow", "telephone")
GAIN_CONTROLS = ("none", "automatic")
CONCEALMENTS = ("silence", "repetition")
PACKET_S = 0.020


class Channel(Record):
    """What the mixtures of a scene pass through, see ``simulation.channel``; by default nothing. ``lost`` has
    stretches of lost packets of ``PACKET_S``, the first of each and how many; ``loss`` is their share."""

    microphone_tilt_db: float = 0.0
    gain_control: Literal["none", "automatic"] = "none"
    clipping: Annotated[float, Field(ge=0, lt=1)] = 0.0
    band: Literal["full", "narrow", "telephone"] = "full"
    codec: Literal["none", "opus", "gsm", "mu-law", "a-law"] = "none"
    bitrate_kbps: float | None = None
    loss: float = 0.0
    lost: list[tuple[Annotated[int, Field(ge=0)], Count]] = Field(default_factory=list)
    concealment: Literal["none", "silence", "repetition"] = "none"


CHANNEL = ("codec", "bitrate_kbps", "band", "loss", "clipping", "gain_control", "microphone_tilt_db")
"""What ``mixtures.csv`` says of a channel."""


class Turn(Record):
    """A turn in a session: of the target, 0, or of an interferer, from 1 on in their order."""

    talker: Annotated[int, Field(ge=0)]
    onset: Annotated[int, Field(ge=0)]
    num_samples: Count


class Session(Record):
    """What a take of minutes has beside other scenes: turns in the order of their onsets, and the stretches of
    noise that follow the first one, each of which begins while the one before it fades out."""

    turns: Annotated[list[Turn], Field(min_length=1)]
    noise: list[Segment] = Field(default_factory=list)


class Enrollment(Record):
    """What the system knows of the target: other utterances of the same person, or another part of one. In what
    room and noise one that was ``recorded`` was made is not known. ``utterances``: how many it was to be cut from,
    where the scenario said so."""

    condition: Literal["clean", "reverberant", "noisy", "recorded"]
    segments: list[Segment]
    num_samples: Count
    noise: Noise | None
    snr_db: float | None
    utterances: Count | None = None
    channel: Channel | None = None


class Recipe(Record):
    """One scene, with nothing left to chance. Only one that was recorded may be without noise, and one whose
    mixture was, without ``level_dbfs``."""

    scene_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$")]  # it becomes a file's name
    sample_rate: Rate
    num_samples: Count
    scenarios: list[ScenarioLabel]
    target: Talker
    level_dbfs: float | None
    interferers: list[Talker]
    sir_db: float | None
    noise: Noise | None
    snr_db: float | None
    room: Annotated[
        Annotated[SimulatedRoom, Tag("simulated")]
        | Annotated[MeasuredRoom, Tag("measured")]
        | Annotated[RecordedRoom, Tag("recorded")]
        | Annotated[RecordedMixture, Tag("recorded-mixture")],
        Discriminator(_kind_of_room),
    ]
    enrollment: Enrollment
    channel: Channel | None = None
    session: Session | None = None

    @model_validator(mode="after")
    def _noisy(self) -> "Recipe":
        if isinstance(self.room, RecordedMixture):
            return self
        if self.level_dbfs is None:
            raise ValueError("level_dbfs: only a recorded mixture may be without; plan it again")
        if not isinstance(self.room, RecordedRoom) and (self.noise is None or self.snr_db is None):
            raise ValueError("noise and snr_db: only an imported scene may be without; plan it again")
        return self

    @property
    def corpora(self) -> set[str]:
        """The corpora that the scene's sound comes from."""
        sources = (self.target, *self.interferers, self.noise, self.enrollment.noise, self.room)
        return {source.corpus for source in sources if isinstance(source, Talker | Noise | MeasuredRoom)}

    @property
    def enrollment_source(self) -> EnrollmentSource:
        """Whether the enrollment shares a recording with what the target says in the scene."""
        spoken = {segment.path for segment in self.target.segments}
        spoken |= {self.room.mixture.path} if isinstance(self.room, RecordedMixture) else set()
        shared = any(segment.path in spoken for segment in self.enrollment.segments)
        return "same-utterance" if shared else "other-utterance"


class Imported(Record):
    """What a plan says in place of a scenario when its scenes were taken from another project's test set.
    ``metadata_sha256``: of the file that listed them. Without a reference, ``none``, nothing is known but what a
    microphone heard."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    version: Count
    description: str
    sample_rate: Rate
    reference: Literal["early", "reverberant", "none"]
    metadata_sha256: Sha256


class Mixture(Record):
    """A row of ``mixtures.csv``. In TS3 levels are those of the scene, whose target is left out."""

    optional_columns: ClassVar[tuple[str, ...]] = (
        "enrollment_source",
        *(f"channel_{name}" for name in CHANNEL),
        "session_turns",
        "enrollment_snr_db",
        "enrollment_utterances",
        *(f"enrollment_channel_{name}" for name in CHANNEL),
    )

    mixture_id: str
    scene_id: str
    scenario: ScenarioLabel
    mixture_path: str
    reference_path: str
    enrollment_path: str
    target_speaker: str
    interferer_speaker: str
    noise_id: str
    sir_db: float | None
    snr_db: float | None
    sir_achieved_db: float | None
    snr_achieved_db: float | None
    rt60_s: float | None
    rt60_achieved_s: float | None
    target_distance_m: float | None
    interferer_distance_m: float | None
    num_samples: Count
    sample_rate: Rate
    text: str
    interferer_text: str
    mixture_sha256: Sha256
    target_gender: Gender
    interferer_gender: str
    noise_category: str
    room_id: str
    overlap: float | None
    num_interferers: int
    enrollment_s: float
    enrollment_condition: str
    scene_gain_db: float
    enrollment_source: EnrollmentSource = "other-utterance"
    channel_codec: str = "none"
    channel_bitrate_kbps: float | None = None
    channel_band: str = "full"
    channel_loss: float = 0.0
    channel_clipping: float = 0.0
    channel_gain_control: str = "none"
    channel_microphone_tilt_db: float = 0.0
    session_turns: Annotated[int, Field(ge=0)] = 0
    enrollment_snr_db: float | None = None
    enrollment_utterances: int | None = None
    enrollment_channel_codec: str = "none"
    enrollment_channel_bitrate_kbps: float | None = None
    enrollment_channel_band: str = "full"
    enrollment_channel_loss: float = 0.0
    enrollment_channel_clipping: float = 0.0
    enrollment_channel_gain_control: str = "none"
    enrollment_channel_microphone_tilt_db: float = 0.0

    @property
    def has_channel(self) -> bool:
        """Whether it is more than the sum of its stems."""
        return any(getattr(self, f"channel_{name}") != getattr(Channel(), name) for name in CHANNEL)


class StoredFile(Record):
    """A row of ``files.csv``: bytes as stored, and the sound (or labels) whatever the container."""

    path: Annotated[str, Field(pattern=r"^([^/]*[^/.][^/]*/)*[^/]*[^/.][^/]*$")]  # of a file inside the dataset
    num_bytes: int
    sha256: Sha256
    content_sha256: Sha256


class Score(Record):
    """A row of ``scores.csv``. ``value`` is empty exactly when ``status`` is ``undefined``; ``detail`` is
    ``numerator/denominator`` of a ratio, or the reason where the status is not ``ok``."""

    mixture_id: str
    scenario: ScenarioLabel
    metric: str
    value: float | None
    status: Literal["ok", "undefined", "failed"]
    detail: str


Steps = Annotated[str, Field(pattern=r"^(-?(4000|[0-3]?[0-9]{1,3})(\*[0-9]{1,9})?( |$))*$")]


class Detection(Record):
    """A row of ``detections.csv``: what a system said of the frames of one mixture, beside the truth.

    ``target`` holds the log-odds given to target speech in frames of target speech, ``not_target`` in all others,
    and so on, in hundredths, highest first: ``312*12 -5`` is twelve times 3.12 and once -0.05 (see
    ``metrics.detection``). ``delays_ms`` are those of the onsets of target speech that were noticed, ``missed``
    counts those that were not. A failed row, whose ``detail`` says why, has the worst of everything.
    """

    mixture_id: str
    scenario: ScenarioLabel
    status: Literal["ok", "failed"]
    detail: str
    target: Steps
    not_target: Steps
    other: Steps
    not_other: Steps
    none: Steps
    not_none: Steps
    delays_ms: Annotated[str, Field(pattern=r"^([0-9]{1,9}( |$))*$")]
    missed: Annotated[int, Field(ge=0, le=10**9)]


class Summary(Record):
    """A row of ``summary.csv``: one metric over one scenario, or over ``all`` of them pooled."""

    scenario: TableLabel
    metric: str
    value: float | None
    ci_low: float | None
    ci_high: float | None
    unit: str
    higher_is_better: bool
    aggregation: str
    scored: int
    expected: int
