"""The network that a test is handed: it records everything, knows the mark's defaults for cables, and puts the faults
of the command line and of a sweep on them."""

from __future__ import annotations

from typing import Any, NamedTuple

from netglass.lab.fault_text import fault_of
from netglass.lab.network import Network, Pluggable
from netglass.network import match
from netglass.network.cable import Cable
from netglass.network.fault import PASS, Fault, Verdict
from netglass.network.match import Sightings
from netglass.pytest_plugin.marks import CABLE_OPTIONS
from netglass.rng import Rng
from netglass.trace.recorder import Recorder
from netglass.wire.ethernet import EthernetFrame
from netglass.wire.ip import IpPacket


class ObservedNetwork(Network):
    """A `Network` whose `trace` records everything.

    Every cable gets the `faults` (texts, see `planned_fault`) that are meant for it and, if `counts`, a `Census`.
    """

    def __init__(
        self,
        seed: int = 1,
        serialise: bool = False,
        cable_defaults: dict[str, Any] | None = None,
        faults: tuple[str, ...] = (),
        counts: bool = False,
    ) -> None:
        super().__init__(seed, serialise)
        self.seed: int = seed
        self.trace: Recorder = Recorder()
        self.observe(self.trace)
        self.censuses: dict[str, Census] = {}
        """By the names of cables."""
        self.planned: list[tuple[str, Fault]] = []
        """What of `faults` is on cables."""
        self._defaults: dict[str, Any] = cable_defaults or {}
        self._faults: tuple[str, ...] = faults
        self._counts: bool = counts

    def cable(self, a: Pluggable, b: Pluggable, *args: Any, **options: Any) -> Cable:
        """As `Network.cable`; what it is not told it takes from the mark."""
        told = CABLE_OPTIONS[: len(args)]
        defaults = {name: value for name, value in self._defaults.items() if name not in told}
        cable = super().cable(a, b, *args, **{**defaults, **options})
        for text in self._faults:
            where, fault = planned_fault(text)
            if where in ("", cable.name):
                cable.add_fault(fault)
                self.planned.append((text, fault))
        if self._counts:
            self.censuses[cable.name] = Census()
            cable.add_fault(self.censuses[cable.name])
        return cable

    def unplugged(self) -> dict[str, str]:
        """Those of `faults` that are for a cable that there is not, and what is wrong with them."""
        placed = {text for text, _ in self.planned}
        names = ", ".join([each.name for each in self.cables]) or "none"
        named = [(text, text.partition(":")[0].strip()) for text in self._faults if planned_fault(text)[0]]
        return {text: f"no cable is called {name!r}; there are {names}" for text, name in named if text not in placed}

    def hits(self) -> dict[str, int]:
        """How often each of `faults` fired, on all cables together."""
        counts = dict.fromkeys(self._faults, 0)
        for text, fault in self.planned:
            counts[text] += fault.fired
        return counts


def planned_fault(text: str) -> tuple[str, Fault]:
    """(the cable's name, "" for all; the fault) of text such as "drop(segment(7))" or "client-server: drop(syn)".
    MisuseError if it is no such text."""
    head, colon, rest = text.partition(": ")
    return (head.strip(), fault_of(rest)) if colon and "(" not in head else ("", fault_of(text))


class Passed(NamedTuple):
    """One packet that passed a cable, and how a fault in that place can name it: the `nth` that `matcher` selects."""

    packet: IpPacket | EthernetFrame
    matcher: str
    nth: int


class Census(Fault):
    """A fault that lets everything pass, and keeps how it could have been hit."""

    def __init__(self) -> None:
        super().__init__("census")
        self.passed: list[Passed] = []
        self._sightings: Sightings = Sightings(follows=True)
        self._counts: dict[str, int] = {}

    def judge(self, packet: IpPacket, now: int, rng: Rng) -> Verdict:
        seen = self._sightings.look(packet)
        if seen.segment is not None:
            self._count(packet, f"match.segment({seen.number})")
        elif match.udp.matches(packet, seen):
            self._count(packet, "match.udp")
        elif match.icmp.matches(packet, seen):
            self._count(packet, "match.icmp")
        return PASS

    def judge_frame(self, frame: EthernetFrame, now: int, rng: Rng) -> Verdict:
        if match.arp.matches_frame(frame, self._sightings.look_frame(frame)):
            self._count(frame, "match.arp")
        return PASS

    def _count(self, packet: IpPacket | EthernetFrame, matcher: str) -> None:
        nth = self._counts.get(matcher, 0) + 1
        self._counts[matcher] = nth
        self.passed.append(Passed(packet, matcher, nth))
