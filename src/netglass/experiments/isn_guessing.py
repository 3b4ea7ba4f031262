"""Why must initial sequence numbers not be guessable?"""

from __future__ import annotations

from typing import Any, Final

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.scene import Steps
from netglass.host.config import HostConfig
from netglass.lab.host import LabHost
from netglass.lab.io import Io, Stream
from netglass.lab.network import Network
from netglass.lab.segments import forge
from netglass.network.faults import drop
from netglass.network.match import ALL, anything
from netglass.times import duration
from netglass.trace.recorder import Recorder
from netglass.wire.ip import IpPacket

ORDER: Final = b"open the door"
FORGED_SEQ: Final = 7000
FORGED_PORT: Final = 1023


class Attack:
    """A server that believes whoever speaks from the address of "trusted"; "trusted" is switched off; and an attacker
    who sees nothing of what the server sends there."""

    def __init__(self, rtt: str, fixed_isn: int) -> None:
        self.net = Network(seed=1)
        self.trace = Recorder()
        self.net.observe(self.trace)
        config = HostConfig()
        config.tcp.fixed_isn = fixed_isn
        router = self.net.router("router")
        delay = duration(rtt) // 4
        self.attacker: LabHost = self._leaf("attacker", router, delay)
        self.server: LabHost = self._leaf("server", router, delay, config)
        self.trusted: LabHost = self.net.host("trusted")
        off = drop(anything, times=ALL)
        off.name = "switched off"
        self.net.cable(self.trusted, router, delay=delay, faults=[off])
        self.orders: list[str] = []
        self.guess: int = 0

    def _leaf(self, name: str, router: LabHost, delay: int, config: HostConfig | None = None) -> LabHost:
        host = self.net.host(name, config=config)
        self.net.cable(host, router, delay=delay)
        return host

    def run(self) -> None:
        self.server.spawn(self.serve)
        self.attacker.spawn(self.attack)
        self.net.run(until="2 min")

    def serve(self, io: Io) -> Steps:
        listener = io.listen(80, address="0.0.0.0")
        while True:
            stream = yield from listener.accept()
            io.spawn(self.obey, stream)

    def obey(self, io: Io, stream: Stream) -> Steps:
        if not stream.name.startswith(f"{self.trusted.address} "):
            io.note("a stranger: ignored")
            return
        io.note("accept() returns: it is trusted!")
        words = yield from stream.receive()
        io.note(f"obeys: {words.decode()!r}")
        self.orders.append(words.decode())

    def attack(self, io: Io) -> Steps:
        io.note("connects as itself, to see an ISN")
        stream = yield from io.connect("server", 80)
        syn_ack = self.trace.received("attacker", "SA")[0].segment
        assert syn_ack is not None
        self.guess = syn_ack.seq
        stream.abort()
        yield from io.sleep("100ms")
        io.note("forges a SYN from trusted")
        io.inject(self.forged("S", FORGED_SEQ, 0, b""))
        yield from io.sleep("100ms")
        io.note("forges the ACK, by guess")
        io.inject(self.forged("PA", FORGED_SEQ + 1, self.guess + 1, ORDER))

    def forged(self, flags: str, seq: int, ack: int, data: bytes) -> IpPacket:
        return forge(self.trusted.address, FORGED_PORT, self.server.address, 80, flags, seq=seq, ack=ack, data=data)

    def figures(self) -> dict[str, Any]:
        numbers = [each.segment.seq for each in self.trace.sent("server", "SA") if each.segment is not None]
        to_trusted = [
            each.segment
            for each in self.trace.sent("server", "SA")
            if each.segment is not None and each.segment.destination_port == FORGED_PORT
        ]
        return {
            "guess": self.guess,
            "isn": to_trusted[0].seq,
            "missed_by": abs(to_trusted[0].seq - self.guess),
            "isns": sorted(set(numbers)),
            "orders": list(self.orders),
            "resets_to_trusted": len(
                [
                    each
                    for each in self.trace.sent("server", "R")
                    if each.flow is not None and each.flow[3] == FORGED_PORT
                ]
            ),
            "seen_by_attacker": len(
                [
                    each
                    for each in self.trace.received("attacker")
                    if each.flow is not None and each.flow[3] == FORGED_PORT
                ]
            ),
        }


def run(rtt: str, isn: int) -> Outcome:
    fixed, keyed = Attack(rtt, isn), Attack(rtt, -1)
    fixed.run()
    keyed.run()
    weak, strong = fixed.figures(), keyed.figures()
    obeyed = f"the server obeyed {weak['orders'][0]!r}" if weak["orders"] else "the server did nothing"
    refused = "did nothing" if not strong["orders"] else "obeyed"
    answer = (
        f"Because a guess is as good as having seen it. The attacker forges the address of a host that the server trusts. The SYN-ACK goes to "
        f"that host, and the attacker sees {weak['seen_by_attacker']} segments of the conversation; but to complete the handshake it only has to "
        f"acknowledge the right number. The server always begins at {weak['isn']}, which the attacker learned with a connection of its own: {obeyed}.\n"
        f"With RFC 6528 a connection begins at a clock plus a secret hash of both addresses and ports. What the attacker learns of its own "
        f"connection says nothing of another's: the guess missed by {strong['missed_by']:,}, the server sent {strong['resets_to_trusted']} RST "
        f"and {refused}. (The trusted host is silent here, as the attacker needs it: awake, it would answer the SYN-ACK with a RST.)"
    )
    hosts = ("attacker", "server", "trusted")
    parts = [
        Part("fixed initial sequence numbers", fixed.trace, hosts),
        Part("RFC 6528", keyed.trace, hosts, end="1 s"),
    ]
    return Outcome(answer, {"fixed": weak, "rfc6528": strong}, parts)


EXPERIMENT = Experiment(
    "isn-guessing",
    "opening",
    "Why must nobody be able to guess an initial sequence number?",
    run,
    (
        Parameter("rtt", "40ms", "round-trip time between any two hosts", "1us", "900ms"),
        Parameter("isn", 1000, "where the careless server begins every connection", 0, (1 << 32) - 1),
    ),
)
