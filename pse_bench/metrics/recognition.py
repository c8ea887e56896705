"""Speech recognition: word errors against the target's words, and words recognised where there should be none.

Reference and hypothesis go through the same published normaliser, ``normalise``, before they are aligned word by
word with the fewest errors (jiwer). Errors are counted per clip and pooled over clips, never averaged as rates.
Deletions are the recogniser's sign of over-suppression, insertions its sign of leakage.

What a clip counts for is bounded, so that a system cannot gain by failing where it does badly: word errors and
insertions are held at 200 % of the clip's words, and words where the target is silent at 300 a minute. A missing
or unusable output takes the bound (100 % for deletions and substitutions, which cannot exceed it), which is worse
than a silent one, whose words are all deleted. Deletions, insertions and substitutions add up to the word errors
except in held and failed clips.

Sources: Levenshtein, Soviet Physics Doklady 10(8), 1966; jiwer 4. The bounds are our own.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Callable
from dataclasses import astuple, dataclass
from functools import lru_cache

from pse_bench.errors import UndefinedScore
from pse_bench.metrics.signals import Mask, Ratio, Signal, check_lengths

NORMALISER = "pse-bench-en-1"
"""Name and version of the normaliser; raised by every change that moves a word count."""

MOST_ERRORS = 2.0
"""Word errors, and insertions, at which a clip is held, per word of the reference."""

MOST_LEAKED_PER_MIN = 300.0
"""Words a minute at which a clip is held; fast speech has about 250."""

SHORTEST_S = 0.1
"""Words a minute have no meaning over less."""

RATE_HZ = 16_000
"""The rate that every recogniser takes."""

Transcribe = Callable[[Signal], str]
"""Gives the words in an estimate; see ``pse_bench.asr``."""


# ---- the normaliser

_APOSTROPHES = str.maketrans(dict.fromkeys("‘’‛ʼ′`", "'"))
_ANNOTATION = re.compile(r"\[[^\[\]]*\]|<[^<>]*>")
_THOUSANDS = re.compile(r"(?<![\d,])\d{1,3}(?:,\d{3})+(?!\d)")
_WORD = re.compile(r"(?P<whole>\d+)(?:\.(?P<decimals>\d+)|(?P<ordinal>st|nd|rd|th)\b)?|[^\W\d_]+(?:'[^\W\d_]+)*")

# fmt: off
_SMALL = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve",
    "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
_ORDINALS = {
    "one": "first", "two": "second", "three": "third", "five": "fifth", "eight": "eighth", "nine": "ninth",
    "twelve": "twelfth",
}
# fmt: on
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_SCALES = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))
_LONGEST_NUMBER = 12


def words(text: str) -> list[str]:
    """The words of an English text in lower case, with the apostrophes inside them.

    In this order: annotations in [ ] and < > go; accents go; commas between thousands go; ``%`` and
    ``&`` are read; numerals are read as cardinals without "and", with decimals digit by digit, or as ordinals
    (21st); numerals that begin with zero or have more than 12 digits are read digit by digit; whatever is not a
    letter or an apostrophe between letters separates words, and so does the step from letters to digits.
    Spelling variants, contractions, years and money are left as they are.
    """
    text = unicodedata.normalize("NFKD", _ANNOTATION.sub(" ", text))
    text = unicodedata.normalize("NFKD", text.casefold())
    text = "".join(c for c in text if not unicodedata.combining(c)).translate(_APOSTROPHES)
    text = _THOUSANDS.sub(lambda match: match[0].replace(",", ""), text)
    text = text.replace("%", " percent ").replace("&", " and ")
    spoken = (_number(match) if match["whole"] else [match[0]] for match in _WORD.finditer(text))
    return [word for group in spoken for word in group]


@lru_cache(2**14)  # a clip's texts come once a metric
def normalise(text: str) -> str:
    """A text as it is scored: its ``words`` without apostrophes, one space between them; '' when there are none.

    So "don't" equals "dont" and "it's" equals "its". Normalising twice changes nothing.
    """
    return " ".join(word.replace("'", "") for word in words(text))


def _number(match: re.Match[str]) -> list[str]:
    whole, decimals, ordinal = match["whole"], match["decimals"], match["ordinal"]
    if len(whole) > _LONGEST_NUMBER or (len(whole) > 1 and int(whole[0]) == 0):
        spoken = [_SMALL[int(digit)] for digit in whole]
    else:
        spoken = _cardinal(int(whole))
    if ordinal:
        last = spoken[-1]
        spoken[-1] = _ORDINALS.get(last) or (last[:-1] + "ie" if last.endswith("y") else last) + "th"
    if decimals:
        spoken += ["point", *(_SMALL[int(digit)] for digit in decimals)]
    return spoken


def _cardinal(number: int) -> list[str]:
    if number < len(_SMALL):
        return [_SMALL[number]]
    for scale, name in _SCALES:
        if number >= scale:
            rest = number % scale
            return [*_cardinal(number // scale), name, *(_cardinal(rest) if rest else [])]
    tens, ones = divmod(number, 10)
    return [_TENS[tens - 2], *([_SMALL[ones]] if ones else [])]


# ---- counting


@dataclass(frozen=True)
class WordCounts:
    """Word errors of one alignment, or of many added up (``sum(all_counts, start=WordCounts())``).

    Where a reference has no words, its insertions still count in the sum.
    """

    deletions: int = 0
    insertions: int = 0
    substitutions: int = 0
    reference_words: int = 0

    def __add__(self, other: "WordCounts") -> "WordCounts":
        return WordCounts(*map(sum, zip(astuple(self), astuple(other), strict=True)))

    @property
    def errors(self) -> int:
        return self.deletions + self.insertions + self.substitutions


def counts(reference: str, hypothesis: str) -> WordCounts:
    """Word errors of a hypothesis by an alignment with the fewest errors, after both were normalised.

    A word added or misheard never lowers the errors. A right word left out adds one only as far as the alignment
    goes: of a hypothesis longer than the reference, one word less may even be one error less ("x a" taken for
    "a p q r" has four errors, as "p q r" three).

    Where several alignments have the fewest, jiwer's is taken, which is the same every time. Either text may be
    without words: then all words of the other are inserted or deleted.
    """
    return _counts(normalise(reference), normalise(hypothesis))


@lru_cache(2**14)
def _counts(reference: str, hypothesis: str) -> WordCounts:
    import jiwer

    # its default would look for spaces that are not there: a third of its time
    by_words = jiwer.ReduceToListOfListOfWords()
    aligned = jiwer.process_words(reference, hypothesis, by_words, by_words)
    said = aligned.hits + aligned.substitutions + aligned.deletions
    return WordCounts(aligned.deletions, aligned.insertions, aligned.substitutions, said)


# ---- metrics of a clip. What a failed clip counts for is said without transcribing anything.


def word_errors(*, estimate: Signal, text: str, transcribe: Transcribe, kind: str = "errors") -> Ratio:
    """Word errors over the words of the reference (pooled over clips and times 100: %).

    ``wer`` is (S + D + I) / N: substitutions, deletions and insertions of the best alignment, over the N words
    that the target says, both texts normalised. ``sub`` is S / N, ``del`` D / N, ``ins`` I / N. Held at 200 %.

    Args:
        estimate: what to transcribe.
        text: what the target says; '' where it is not known.
        transcribe: the recogniser.
        kind: ``errors``, or the one that is counted, as ``WordCounts`` calls it.

    Raises:
        UndefinedScore: the target's words are not known, or the text has none.
    """
    bound = bound_of_errors(text=text, transcribe=transcribe)
    found = getattr(counts(text, transcribe(estimate)), kind)
    return Ratio(min(found, bound.numerator), bound.denominator)


def bound_of_errors(*, text: str, transcribe: Transcribe, per_word: float = MOST_ERRORS) -> Ratio:
    """The most errors that a clip counts for, over the words of its reference. Of the text alone, so all systems
    are undefined on the same clips."""
    number = len(normalise(text).split())
    if not number:
        raise UndefinedScore("the target's words are not known")
    return Ratio(int(per_word * number), number)


def leaked_words(*, estimate: Signal, mixture: Signal, transcribe: Transcribe, sample_rate: int) -> Ratio:
    """Words recognised in a TS3 clip over its seconds, held at 300 a minute (pooled over clips and times 60:
    words per minute).

    Raises:
        UndefinedScore: the clip is shorter than 0.1 s.
    """
    check_lengths(estimate=estimate, mixture=mixture)
    worst = leaked_words_of_failure(mixture=mixture, transcribe=transcribe, sample_rate=sample_rate)
    return Ratio(min(counts("", transcribe(estimate)).insertions, worst.numerator), worst.denominator)


def leaked_words_of_failure(*, mixture: Signal, transcribe: Transcribe, sample_rate: int) -> Ratio:
    """300 words a minute over a clip as long as the mixture."""
    duration_s = len(mixture) / sample_rate
    if duration_s < SHORTEST_S:
        raise UndefinedScore(f"shorter than {SHORTEST_S} s")
    return Ratio(MOST_LEAKED_PER_MIN / 60 * duration_s, duration_s)


def others_words(
    *,
    estimate: Signal,
    text: str,
    interferer_text: str,
    target_active: Mask,
    interferer_active: Mask,
    transcribe: Transcribe,
    sample_rate: int,
    invented: bool = False,
) -> Ratio:
    """Recognised words that the target did not say over the clip's seconds, held at 300 a minute (pooled over
    clips and times 60: words per minute): those of the interferer, or the ``invented`` ones, which nobody said.

    Words are counted whatever their order, each as often as it was said: of "a b b c" for a target who says "a b"
    and an interferer who says "b", the second "b" is the interferer's and "c" is invented.

    Raises:
        UndefinedScore: somebody is active whose words are not known, or the clip is shorter than 0.1 s.
    """
    check_lengths(estimate=estimate, target_active=target_active, interferer_active=interferer_active)
    worst = others_words_of_failure(
        text=text,
        interferer_text=interferer_text,
        target_active=target_active,
        interferer_active=interferer_active,
        transcribe=transcribe,
        sample_rate=sample_rate,
    )
    own, other, heard = (
        Counter(normalise(words).split()) for words in (text, interferer_text, transcribe(estimate))
    )
    beyond = heard - own
    counted = beyond - other if invented else beyond & other
    return Ratio(min(counted.total(), worst.numerator), worst.denominator)


def others_words_of_failure(
    *,
    text: str,
    interferer_text: str,
    target_active: Mask,
    interferer_active: Mask,
    transcribe: Transcribe,
    sample_rate: int,
) -> Ratio:
    """300 words a minute over the clip. Raises as ``others_words``."""
    for who, said, active in (("target", text, target_active), ("interferer", interferer_text, interferer_active)):
        if active.any() and not words(said):
            raise UndefinedScore(f"the {who}'s words are not known")
    duration_s = len(target_active) / sample_rate
    if duration_s < SHORTEST_S:
        raise UndefinedScore(f"shorter than {SHORTEST_S} s")
    return Ratio(MOST_LEAKED_PER_MIN / 60 * duration_s, duration_s)
