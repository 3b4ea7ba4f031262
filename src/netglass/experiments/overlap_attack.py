"""What if fragments overlap?"""

from __future__ import annotations

from typing import Any, Final

from netglass.experiments.experiment import Experiment, Outcome, Part, Table
from netglass.experiments.scene import Steps
from netglass.ip.reassembly import DROP_ALL, FIRST_WINS, LAST_WINS
from netglass.lab.host import LabHost
from netglass.lab.io import Io
from netglass.lab.network import Network
from netglass.lab.segments import forge
from netglass.network.fault import DROP, PASS, Fault, Verdict
from netglass.network.faults import drop
from netglass.network.match import ALL, rst
from netglass.rng import Rng
from netglass.trace.recorder import Recorder
from netglass.wire.ip import TCP, IpPacket
from netglass.wire.packet import packet_bytes
from netglass.wire.tcp import ACK, SYN, TcpSegment

POLICIES: Final = {
    "last wins": LAST_WINS,
    "first wins": FIRST_WINS,
    "drop all": DROP_ALL,
}
PORT: Final = 2323
SECRET: Final = b"the secret"
FLAGS_AT: Final = 13  # where a TCP header has them
OVERLAP_FROM: Final = 8  # where the second fragment begins: an offset counts units of eight bytes


class NoConnectionsFromOutside(Fault):
    """A packet filter without a memory: what opens a connection is dropped, what answers one of ours may come in. It
    reads what it is shown: the flags in a segment or in a first fragment; later fragments have none, and pass."""

    __slots__ = ("outside",)

    def __init__(self, outside: bytes) -> None:
        super().__init__("filter: no SYN from outside")
        self.outside: bytes = outside

    def judge(self, packet: IpPacket, now: int, rng: Rng) -> Verdict:
        if packet.source != self.outside or packet.protocol != TCP:
            return PASS
        flags = ACK
        if isinstance(packet.payload, TcpSegment):
            flags = packet.payload.flags
        elif isinstance(packet.payload, bytes) and packet.fragment_offset == 0:
            flags = packet.payload[FLAGS_AT]
        return DROP if flags & SYN and not flags & ACK else PASS


class Attack:
    """attacker - filter - server: first an honest connect(), then a SYN in two fragments, of which the second writes
    over the flags that the filter has read in the first."""

    def __init__(self, policy: int) -> None:
        self.trace = Recorder()
        self.net = Network(seed=1)
        self.net.observe(self.trace)
        self.attacker: LabHost = self.net.host("attacker")
        self.filter: LabHost = self.net.router("filter")
        self.server: LabHost = self.net.host("server")
        # The attacker's own kernel knows nothing of all this and would answer the SYN-ACK with a RST.
        self.net.cable(self.attacker, self.filter, delay="5ms", faults=drop(rst.from_("attacker"), times=ALL))
        guard = NoConnectionsFromOutside(self.attacker.core.interfaces["eth0"].addresses[0][0])
        self.net.cable(self.filter, self.server, delay="5ms", faults=guard)
        self.server.config.fragment_overlap = policy
        self.heard = b""
        self.stolen = b""
        self.server.spawn(self.serve)
        self.attacker.spawn(self.attack)
        self.net.run(until="3 s")

    def serve(self, io: Io) -> Steps:
        listener = io.listen(PORT)
        while True:
            stream = yield from listener.accept()
            io.note("accept() returns")
            self.heard = yield from stream.receive()
            yield from stream.send(SECRET)

    def attack(self, io: Io) -> Steps:
        io.note("connect(), as anybody would")
        try:
            stream = yield from io.connect("server", PORT, timeout="500ms")
            stream.close()
        except OSError:
            io.note("connect() fails")
        io.note("a SYN in two fragments")
        ears = self.attacker.core.open_raw(TCP, 4, io.now())
        own, target = self.attacker.address, self.server.address
        syn = forge(own, 4000, target, PORT, "S", seq=999)
        for piece in overlapping(syn):
            io.inject(piece)
        yield from io.sleep("100ms")
        answer = ears.receive()
        if not isinstance(answer, IpPacket) or not isinstance(answer.payload, TcpSegment):
            io.note("no answer")
            return
        number = answer.payload.seq + 1
        io.inject(forge(own, 4000, target, PORT, "A", seq=1000, ack=number))
        io.inject(forge(own, 4000, target, PORT, "PA", seq=1000, ack=number, data=b"give"))
        yield from io.sleep("100ms")
        while isinstance(answer, IpPacket):
            if isinstance(answer.payload, TcpSegment):
                self.stolen += b"".join(answer.payload.chunks)
            answer = ears.receive()
        io.note(f"read {self.stolen.decode()!r}")


def overlapping(syn: IpPacket) -> list[IpPacket]:
    """Two fragments of `syn`. The first says ACK where the segment says SYN; the second says it right, over it."""
    header = packet_bytes(syn)[20:]
    first = header[:FLAGS_AT] + bytes([ACK]) + header[FLAGS_AT + 1 : 16]
    ends = syn.source, syn.destination, TCP
    return [
        IpPacket(*ends, first, ident=77, dont_fragment=False, more_fragments=True),
        IpPacket(*ends, header[OVERLAP_FROM:], ident=77, dont_fragment=False, fragment_offset=OVERLAP_FROM),
    ]


def run() -> Outcome:
    attacks = {name: Attack(policy) for name, policy in POLICIES.items()}
    honest = attacks["drop all"]
    figures: dict[str, Any] = {
        "stolen": {name: each.stolen.decode() for name, each in attacks.items()},
        "drops": {name: each.server.core.counters.counts for name, each in attacks.items()},
        "states": {name: each.trace.states("server") for name, each in attacks.items()},
        "filtered": len(honest.trace.losses("filter: no SYN from outside")),
    }
    worst = attacks["last wins"]
    reasons = {name: ", ".join(each.server.core.counters.counts) for name, each in attacks.items()}
    answer = (
        f"Then the machine that puts them together may see another packet than the filter that let them pass. Here a filter lets no SYN "
        f"in (it dropped {figures['filtered']} of the honest connect()), but it can read flags only in a first fragment. The attacker's first one says ACK there, "
        f"and the second, which has no flags of its own, begins at byte {OVERLAP_FROM} and writes a SYN over it. RFC 791's own procedure copies what comes "
        f"into a buffer, the last one wins: the server took a SYN, {'and the attacker read ' + repr(worst.stolen.decode()) if worst.stolen else 'and answered'} (RFC 1858, RFC 3128).\n"
        f"If the first one wins, it comes to nothing here ({reasons['first wins']}), but the same trick works the other way round against a "
        f"filter that believes the last. So neither: a datagram whose fragments overlap is thrown away whole ({reasons['drop all']}; RFC 5722 for IPv6, Linux "
        f"for both since 2018). Nobody honest sends such fragments; exact duplicates are allowed."
    )
    rows = [
        (
            name,
            " -> ".join(figures["states"][name]) or "-",
            reasons[name] or "-",
            repr(each.stolen.decode()) if each.stolen else "nothing",
        )
        for name, each in attacks.items()
    ]
    hosts = ("attacker", "filter", "server")
    parts = [
        Part("the last fragment wins, as in RFC 791", worst.trace, hosts, start="500ms", end="800ms"),
        Part("overlaps are dropped, as in Linux", honest.trace, hosts, start="500ms", end="800ms"),
    ]
    return Outcome(
        answer, figures, parts, Table(("overlap", "server's connection", "dropped as", "attacker read"), rows)
    )


EXPERIMENT = Experiment("overlap-attack", "below", "What if fragments overlap, and a filter sees only the first?", run)
