"""Channels of a scenario: what a microphone, a codec and a network do to a mixture, or to an enrollment."""

from typing import Annotated

from pydantic import BeforeValidator

from pse_bench import rng
from pse_bench.io.audio import seconds_to_samples
from pse_bench.io.documents import Record
from pse_bench.planning.quantity import DECIMALS, Quantity, number, word
from pse_bench.schemas import BANDS, CODECS, CONCEALMENTS, GAIN_CONTROLS, PACKET_S, Channel


class ChannelChoice(Record):
    """What mixtures pass through after they were mixed, or enrollments after they were made, in this order; by
    default nothing is done. Stems, references and activity stay as they are, and an enrollment passes through its
    own channel only.

    ``microphone_tilt_db`` an octave about 1 kHz; ``gain_control``, which brings speech to one level; ``clipping``,
    the share of samples at the limit; ``band``; ``codec``, with ``bitrate_kbps`` for opus; ``loss``, the share of
    packets of 20 ms that are lost, in bursts of ``loss_burst`` packets on average (Gilbert's model), and their
    ``concealment``."""

    microphone_tilt_db: Annotated[Quantity, number(-12, 12)] = Quantity(options=(0.0,))
    gain_control: Annotated[Quantity, word(*GAIN_CONTROLS)] = Quantity(options=("none",))
    clipping: Annotated[Quantity, number(0, 0.5)] = Quantity(options=(0.0,))
    band: Annotated[Quantity, word(*BANDS)] = Quantity(options=("full",))
    codec: Annotated[Quantity, word(*CODECS)] = Quantity(options=("none",))
    bitrate_kbps: Annotated[Quantity, number(6, 256)] = Quantity(options=(24.0,))
    loss: Annotated[Quantity, number(0, 0.5)] = Quantity(options=(0.0,))
    loss_burst: Annotated[Quantity, number(1, 50)] = Quantity(options=(1.0,))
    concealment: Annotated[Quantity, word(*CONCEALMENTS)] = Quantity(options=("repetition",))

    def draw(self, seed: rng.Seed, *name: rng.Name, num_samples: int, sample_rate: int) -> Channel | None:
        """The channel of a scene; None where it does nothing."""
        own = rng.SeedPath(seed, *name)
        loss, codec = self.loss.draw(own, "loss"), self.codec.draw(own, "codec")
        packets = -(-num_samples // seconds_to_samples(PACKET_S, sample_rate))
        lost = _lost(packets, loss, self.loss_burst.draw(own, "loss_burst"), own) if loss else []
        drawn = Channel(
            microphone_tilt_db=self.microphone_tilt_db.draw(own, "microphone_tilt_db"),
            gain_control=self.gain_control.draw(own, "gain_control"),
            clipping=self.clipping.draw(own, "clipping"),
            band=self.band.draw(own, "band"),
            codec=codec,
            bitrate_kbps=self.bitrate_kbps.draw(own, "bitrate_kbps") if codec == "opus" else None,
            loss=round(sum(count for _, count in lost) / packets, DECIMALS),
            lost=lost,
            concealment=self.concealment.draw(own, "concealment") if lost else "none",
        )
        return None if drawn == Channel() else drawn


Through = Annotated[ChannelChoice | None, BeforeValidator(lambda given: None if given == "none" else given)]
"""A channel of a scenario; ``none`` stands for nothing."""


def _lost(packets: int, loss: float, burst: float, seed: rng.Seed) -> list[tuple[int, int]]:
    """Stretches of lost packets: the first of each, and how many.

    A chain of two states (Gilbert, "Capacity of a burst-noise channel", 1960), which begins as it goes on: after a
    lost packet the next one is lost with probability 1 - 1 / burst, after another with what gives ``loss`` on
    average. Where the bursts are too short for so many losses, they become longer.
    """
    again = 1 - 1 / burst
    first = min(1.0, loss * (1 - again) / (1 - loss))
    again = 1 - first * (1 - loss) / loss
    found: list[tuple[int, int]] = []
    chance = loss
    for packet, unit in enumerate(rng.units(packets, seed, "lost")):
        if unit >= chance:
            chance = first
            continue
        begin, count = found.pop() if found and sum(found[-1]) == packet else (packet, 0)
        found.append((begin, count + 1))
        chance = again
    return found
