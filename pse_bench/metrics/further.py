"""Figures that came after those of the first tables, as data; they stand behind all others.

Who is heard while the target is there or is not, when the target is lost, and what a leakage reduction is worth.
Most follow from the scores of another metric, so they cost nothing.
"""

from functools import partial

from pse_bench.metrics import absence, distortion, leakage, modelled, oversuppression, recognition
from pse_bench.metrics.metric import Metric, Resolution
from pse_bench.metrics.modelled import WORD
from pse_bench.schemas import TableLabel
from pse_bench.speaker import dvector
from pse_bench.speaker.encoders import DEFAULT, ENCODERS

TURNED_DOWN_DB = 15.0
"""A clip whose output lies further below its mixture is taken as one in which the system heard no target."""

_CLIP = Resolution(0.1, "one clip in a thousand")
_LEVEL = Resolution(0.5, "half of the smallest difference of level that is heard")
_FRAMES = Resolution(2.0, "as tsos")
_PRESENT: tuple[TableLabel, ...] = ("TS1", "TS2")

_share = partial(Metric, unit="%", higher_is_better=False, low=0.0, high=100.0, worst=100.0, source="own")
_of_frames = partial(
    _share,
    family="over-suppression",
    scenarios=_PRESENT,
    aggregation="ratio",
    scale=100.0,
    resolution=_FRAMES,
    source="rule of tsos",
    needs=("estimate", "reference", "target_active", "sample_rate"),
)
_of_clips = partial(_share, aggregation="share", needs=("value",), resolution=_CLIP, worst=None)
_of_leakage = partial(_of_clips, family="leakage", scenarios=("TS3",), of="leakage_reduction_db")
_words = partial(
    Metric,
    family="recognition",
    unit="words/min",
    higher_is_better=False,
    aggregation="ratio",
    scale=60.0,
    low=0.0,
    high=recognition.MOST_LEAKED_PER_MIN,
    worst=recognition.MOST_LEAKED_PER_MIN,
    resolution=WORD,
    source="as wer",
    needs=(
        *("estimate", "text", "interferer_text", "target_active", "interferer_active"),
        *("transcribe", "sample_rate"),
    ),
    failure=recognition.others_words_of_failure,
    packages=("jiwer",),
    rate_hz=recognition.RATE_HZ,
)

FURTHER = (
    Metric(
        name="target_reduction_db",
        description="level of the target below its level in the mixture",
        family="over-suppression",
        unit="dB",
        higher_is_better=False,
        scenarios=_PRESENT,
        needs=("estimate", "reference", "mixture"),
        compute=distortion.target_reduction_db,
        low=0.0,
        high=distortion.GREATEST_LOSS_DB,
        worst=distortion.GREATEST_LOSS_DB,
        resolution=Resolution(0.1, "the last figure that is printed in the field"),
        compared=False,  # target_loss_db says it
        source="own, with the projection of arXiv 1811.02508",
    ),
    _of_clips(
        name="fully_muted",
        description="clips whose target lost more than 20 dB",
        family="over-suppression",
        scenarios=_PRESENT,
        of="target_loss_db",
        compute=partial(absence.share, above=20.0),
    ),
    _of_frames(
        name="onset_tsos",
        description="over-suppressed frames in the first second after the target sets in, or again after 3 s",
        compute=oversuppression.onset_tsos,
    ),
    _of_frames(
        name="short_tsos",
        description="over-suppressed frames in stretches of the target under 1.5 s",
        compute=oversuppression.short_tsos,
    ),
    Metric(
        name="net_leakage_reduction_db",
        description="leakage reduction less what the target itself lost, a target speaker, never below 0",
        family="leakage",
        unit="dB",
        higher_is_better=True,
        scenarios=("TS3",),
        of="scenarios",
        needs=("leakage_reduction_db", "target_reduction_db"),
        compute=leakage.net_reduction_db,
        aggregation="energies",
        low=0.0,
        high=leakage.CAP_DB,
        worst=0.0,
        in_db=True,
        resolution=_LEVEL,
        source="own",
    ),
    _of_leakage(
        name="fully_leaked",
        description="clips reduced by less than 3 dB while the target is silent",
        compute=partial(absence.share, below=3.0),
    ),
    _of_leakage(
        name="absent_false_alarm",
        description="clips without the target whose output is less than 15 dB below the mixture",
        compute=partial(absence.share, below=TURNED_DOWN_DB),
    ),
    Metric(
        name="output_reduction_db",
        description="output energy below the mixture's while the target is there",
        family="over-suppression",
        unit="dB",
        higher_is_better=False,
        scenarios=_PRESENT,
        needs=("estimate", "mixture"),
        compute=leakage.leakage_energies,
        failure=leakage.output_energies_of_failure,
        low=leakage.WORST_DB,
        high=leakage.CAP_DB,
        worst=leakage.CAP_DB,
        in_db=True,
        quiet="energy",
        compared=False,
        resolution=_LEVEL,
        source="own",
    ),
    _of_clips(
        name="present_miss",
        description="clips with the target whose output is more than 15 dB below the mixture",
        family="over-suppression",
        scenarios=_PRESENT,
        of="output_reduction_db",
        compute=partial(absence.share, above=TURNED_DOWN_DB),
    ),
    _share(
        name="absence_eer",
        description="where as many clips without the target are louder than a level below the mixture's as clips "
        "with it are quieter",
        family="leakage",
        scenarios=("all",),
        of="scenarios",
        needs=("leakage_reduction_db", "output_reduction_db"),
        compute=absence.absence_eer,
        aggregation="clips",
        compared=False,
        resolution=_CLIP,
    ),
    _share(
        name="wrong_speaker",
        description="clips whose output is nearer to the interferer than to the target",
        family="distortion",
        scenarios=("TS2",),
        needs=("estimate", "target", "interferer"),
        compute=distortion.wrong_speaker,
        resolution=_CLIP,
        source="own, with the SI-SDR of arXiv 1811.02508",
    ),
    _of_clips(
        name="si_sdri_negative",
        description="clips whose SI-SDR is worse than the mixture's by more than 0.1 dB",
        family="distortion",
        scenarios=_PRESENT,
        of="si_sdri",
        compute=partial(absence.share, below=-0.1),  # dither alone makes a zero negative,
    ),
    _words(
        name="interferer_words_per_min",
        description="words recognised that the interferer said and the target did not",
        scenarios=("TS2",),
        compute=recognition.others_words,
    ),
    _words(
        name="invented_words_per_min",
        description="words recognised that nobody said",
        scenarios=("TS1", "TS2", "TS3"),
        compute=partial(recognition.others_words, invented=True),
    ),
    Metric(
        name="activity_f1",
        description="F1 between the frames in which the target talks and those in which the output is loud",
        family="activity",
        unit="%",
        higher_is_better=True,
        scenarios=_PRESENT,
        needs=("estimate", "mixture", "target_active", "sample_rate"),
        compute=absence.activity_f1,
        low=0.0,
        high=100.0,
        worst=0.0,
        resolution=Resolution(1.0, "labels by hand are no finer"),
        source="own",
        only_without_reference=True,
    ),
    Metric(
        name="interferer_similarity",
        description="cosine of the d-vectors of the output and of the mixture where only others talk",
        family="speaker",
        unit="",
        higher_is_better=False,
        scenarios=("TS2",),
        needs=("estimate", "mixture", "target_active", "interferer_active", "sample_rate"),
        compute=modelled.interferer_similarity,
        failure=modelled.interferer_similarity_of_failure,
        low=0.0,
        high=1.0,
        worst=1.0,
        resolution=modelled.SIMILARITY,
        source=modelled.D_VECTOR,
        missing=ENCODERS[DEFAULT].missing,
        model=ENCODERS[DEFAULT].sha256,
        rate_hz=dvector.RATE_HZ,
    ),
)
"""In the order of tables."""
