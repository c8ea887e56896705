"""Sessions of a scenario: who has a turn when in a take of minutes."""

from typing import Annotated

from pse_bench import rng
from pse_bench.io.audio import seconds_to_samples
from pse_bench.io.documents import Record
from pse_bench.planning.quantity import NonNegative, Quantity, Share, number
from pse_bench.schemas import Turn

SHORTEST_TURN_S = 0.25
BACKCHANNEL_S = (SHORTEST_TURN_S, 1.5)


class SessionChoice(Record):
    """Scenes that are takes: the target is away and comes back, again and again, until ``duration_s`` is over.

    It is away for ``pause_s``, while interferers have turns of ``turn_s``, with ``gap_s`` before each. It comes
    back for a turn of ``turn_s``, of which the share ``both`` has an interferer talking all along; or, with the
    share ``backchannels``, for a backchannel of ``backchannel_s`` that interrupts nobody. The same share of its
    turns that are its own has a backchannel of an interferer in it."""

    turn_s: Annotated[Quantity, number(0.5, 600)] = Quantity(low=2.0, high=12.0)
    pause_s: Annotated[Quantity, number(0.5, 3600)] = Quantity(low=3.0, high=30.0)
    gap_s: NonNegative = Quantity(low=0.1, high=0.6)
    both: Share = Quantity(options=(0.25,))
    backchannels: Share = Quantity(options=(0.25,))
    backchannel_s: Annotated[Quantity, number(*BACKCHANNEL_S)] = Quantity(low=0.4, high=1.4)

    @property
    def longest_round_s(self) -> float:
        """The longest time in which the target and an interferer both have had a turn."""
        return self.pause_s.largest + self.turn_s.largest + self.gap_s.largest

    def draw(self, seed: rng.Seed, *name: rng.Name, num_samples: int, sample_rate: int, others: int) -> list[Turn]:
        """The turns of a take in the order of their onsets; ``others`` interferers have theirs one by one."""
        chance = rng.SeedPath(seed, *name)

        def length(quantity: str, *which: rng.Name) -> int:
            return seconds_to_samples(getattr(self, quantity).draw(chance, quantity, *which), sample_rate)

        def happens(share: str, *which: rng.Name) -> bool:
            return rng.unit(chance, share, "happens", *which) < float(getattr(self, share).draw(chance, share))

        own: list[tuple[int, int]] = []  # onset and end
        held: list[tuple[int, int]] = []  # when interferers have the word
        said: list[tuple[int, int]] = []  # backchannels of theirs
        now, count = 0, 0
        while now < num_samples:
            begin = now
            if count or rng.unit(chance, "begins") < 0.5:
                now += length("pause_s", count)
            back = now
            if happens("backchannels", count):
                now += length("backchannel_s", count)
                held.append((begin, now))
            else:
                now += length("turn_s", count)
                together = happens("both", count)
                held.append((begin, now if together else back))
                if not together and happens("backchannels", count, "other"):
                    short = min(length("backchannel_s", count, "other"), now - back)
                    onset = rng.integer(back, now - short, chance, "backchannel", count)
                    said.append((onset, onset + short))
            own.append((back, now))
            count += 1
        theirs, number = said, 0
        for span in _joined(held):
            at, end = span
            while (onset := at + length("gap_s", number)) < end:
                at = min(onset + length("turn_s", number, "other"), end)
                theirs.append((onset, at))
                number += 1
        shortest = seconds_to_samples(SHORTEST_TURN_S, sample_rate)

        def kept(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
            cut = ((onset, min(end, num_samples)) for onset, end in sorted(spans))
            return [span for span in cut if span[1] - span[0] >= shortest]

        spans = [(onset, end, 0) for onset, end in kept(own)]
        spans += [(*span, 1 + place % others) for place, span in enumerate(kept(theirs))]
        return [Turn(talker=talker, onset=onset, num_samples=end - onset) for onset, end, talker in sorted(spans)]


def _joined(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order, those that meet as one."""
    found: list[tuple[int, int]] = []
    for begin, end in spans:
        if found and found[-1][1] == begin:
            found[-1] = (found[-1][0], end)
        elif end > begin:
            found.append((begin, end))
    return found
