"""What a fault is: one object with one method. `network.faults` has the ready ones; a new one is one class.

A cable asks its faults in turn about each packet that it took (a packet that found the queue full was never on the
wire). The answer is `PASS` or a `Verdict`; verdicts add up: two delays are one longer delay, and a drop ends the
questions. What a fault draws at random comes from the `rng` of the call, whose stream belongs to (cable, direction,
fault, packet number): one more draw elsewhere changes nothing here.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from netglass.build import mypyc_attr
from netglass.rng import Rng
from netglass.wire.ethernet import EthernetFrame
from netglass.wire.ip import IpPacket

Names = dict[bytes, str]
"""Which host owns an address: of IP, or a MAC (six bytes). The network keeps it up to date."""


class Verdict:
    """What shall happen to one packet. Compare with `PASS` by `is`."""

    __slots__ = ("answer", "delay", "drop", "duplicates", "frame", "packet")

    def __init__(
        self,
        drop: bool = False,
        delay: int = 0,
        duplicates: int = 0,
        packet: IpPacket | None = None,
        frame: bytes | None = None,
        answer: IpPacket | None = None,
    ) -> None:
        self.drop: bool = drop
        self.delay: int = delay  # longer on the way by so much; packets behind it may overtake it
        self.duplicates: int = duplicates  # copies that arrive right after it
        self.packet: IpPacket | None = packet  # arrives in its place
        self.frame: bytes | None = frame  # these bytes arrive in its place; in a frame, behind the frame's header
        self.answer: IpPacket | None = answer  # goes back to the end that sent it, from the far end


PASS: Final = Verdict()
"""Nothing happens to the packet."""
DROP: Final = Verdict(drop=True)
"""It never arrives."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Fault(ABC):
    """One way to make a cable misbehave. `name` is what traces say; `fired` counts the verdicts other than PASS."""

    __slots__ = ("fired", "name")

    def __init__(self, name: str) -> None:
        self.name: str = name
        self.fired: int = 0  # counted by the cable

    @abstractmethod
    def judge(self, packet: IpPacket, now: int, rng: Rng) -> Verdict:
        """What happens to `packet`, which is on the wire from `now` on. The packet must not be changed: a verdict may
        replace it."""
        raise NotImplementedError

    def judge_frame(self, frame: EthernetFrame, now: int, rng: Rng) -> Verdict:
        """The same for a frame that carries no IP packet, such as ARP. Of packets in frames `judge` is asked."""
        return PASS

    def attach(self, names: Names) -> None:
        """The fault was put on a cable of the network whose addresses are `names`."""
        return

    def twin(self) -> Fault:
        """The object that judges a cable's other direction: this one, unless what it remembers belongs to one
        direction."""
        return self
