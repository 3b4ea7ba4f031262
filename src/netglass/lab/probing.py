"""ping and traceroute, as programs of the lab ask for them: echo requests and what comes of them (RFC 1122 §3.2.2.6),
and packets whose time to live is too short on purpose, so that each router on the way must say that it is there."""

from __future__ import annotations

from collections.abc import Generator
from typing import Final

from netglass.errors import MisuseError
from netglass.host.icmp import read_quote
from netglass.ip.raw import RawPort
from netglass.lab.machine import Machine
from netglass.lab.process import Wait
from netglass.sockets.address import Address
from netglass.sockets.constants import (
    AF_INET,
    AF_INET6,
    IP_TTL,
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_UNICAST_HOPS,
    SOCK_DGRAM,
    SOCK_RAW,
)
from netglass.sockets.raw import RawSocket
from netglass.times import NEVER, human
from netglass.wire.address import text
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import UDP, IpPacket

TRACE_PORT: Final = 33434
"""Where traceroute's datagrams go, one port further for each: nobody should listen there."""

_NAMES: Final[dict[tuple[int, int], str]] = {
    (4, 3): "unreachable",
    (4, 11): "time exceeded",
    (4, 12): "parameter problem",
    (6, 1): "unreachable",
    (6, 2): "packet too big",
    (6, 3): "time exceeded",
    (6, 4): "parameter problem",
}
_PORT: Final = {4: 3, 6: 4}  # the code of "port unreachable"


class Answer:
    """What came of one probe. `says` is "echo reply", "port unreachable", "time exceeded" ..., "" if nothing came."""

    __slots__ = ("address", "says", "seq", "time", "ttl_hops")

    def __init__(self, seq: int) -> None:
        self.seq: int = seq  # from 1
        self.address: str = ""  # who answered
        self.time: int = NEVER  # how long it took, ns
        self.ttl_hops: int = 0  # what the answer had left on arrival
        self.says: str = ""

    def __repr__(self) -> str:
        if not self.says:
            return f"<{self.seq}: no answer>"
        return f"<{self.seq}: {self.says} from {self.address} after {human(self.time)}>"

    @property
    def reached(self) -> bool:
        """True if the destination itself has answered."""
        return self.says in ("echo reply", "port unreachable")


class Prober:
    """Sends echo requests or UDP datagrams to one address, and hears all ICMP that comes back."""

    __slots__ = ("address", "family", "fd", "ident", "machine", "sender", "seq", "udp")

    def __init__(self, machine: Machine, address: str, udp: bool) -> None:
        self.machine: Machine = machine
        self.address: str = address
        self.family: int = AF_INET6 if ":" in address else AF_INET
        self.udp: bool = udp
        sockets = machine.sockets
        protocol = IPPROTO_ICMP if self.family == AF_INET else IPPROTO_ICMPV6
        self.fd: int = sockets.socket(self.family, SOCK_RAW, protocol)
        self.sender: int = sockets.socket(self.family, SOCK_DGRAM, 0 if udp else protocol)
        sockets.bind(self.sender, ("", 0), machine.agenda.now)
        own = sockets.getsockname(self.sender)
        if isinstance(own, int) or self.fd < 0:
            raise MisuseError(f"{machine.name} has no descriptor left")
        self.ident: int = own[1]  # of the echo requests; for UDP the port that they come from
        self.seq: int = 0

    def close(self) -> None:
        for fd in (self.fd, self.sender):
            self.machine.sockets.close(fd, self.machine.agenda.now)

    def ask(self, size: int, ttl_hops: int, timeout: int) -> Generator[Wait, None, Answer]:
        """One probe with `size` bytes of data, and what came of it within `timeout`."""
        agenda = self.machine.agenda
        self.seq += 1
        answer = Answer(self.seq)
        sent = agenda.now
        self._send(size, ttl_hops)
        while agenda.now <= sent + timeout:
            packet = self._receive()
            if packet is None:
                if agenda.now == sent + timeout:
                    break
                description = self.machine.sockets.description(self.fd)
                yield Wait("wait for an answer from", self.address, description, deadline=sent + timeout)
                continue
            answer.says = self._meaning(packet)
            if answer.says:
                answer.address = text(packet.source)
                answer.time = agenda.now - sent
                answer.ttl_hops = packet.ttl
                break
        return answer

    def _send(self, size: int, ttl_hops: int) -> None:
        sockets, now = self.machine.sockets, self.machine.agenda.now
        level, option = (IPPROTO_IP, IP_TTL) if self.family == AF_INET else (IPPROTO_IPV6, IPV6_UNICAST_HOPS)
        sockets.setsockopt(self.sender, level, option, ttl_hops or -1, now)
        if self.udp:
            target: Address = (self.address, TRACE_PORT + self.seq - 1)
            data = bytes(size)
        else:
            target = (self.address, 0)
            kind = 8 if self.family == AF_INET else 128
            data = bytes([kind, 0, 0, 0, 0, 0]) + (self.seq & 0xFFFF).to_bytes(2, "big") + bytes(size)
        # An error is an answer of its own: it comes to the raw socket, or it is no route, and nothing comes.
        sockets.sendto(self.sender, data, target, now)

    def _receive(self) -> IpPacket | None:
        description = self.machine.sockets.description(self.fd)
        if not isinstance(description, RawSocket):
            return None
        port: RawPort = description.port
        packet = port.receive()
        return None if isinstance(packet, int) else packet

    def _meaning(self, packet: IpPacket) -> str:
        """What `packet` says about the last probe; "" if it is not about that."""
        message = packet.payload
        if not isinstance(message, IcmpMessage):
            return ""
        mark = self.ident << 16 | self.seq & 0xFFFF
        if message.type == (0 if message.version == 4 else 129):
            return "echo reply" if message.rest == mark and not self.udp else ""
        quote = read_quote(message)
        if quote is None or (message.version, message.type) not in _NAMES:
            return ""
        if self.udp:
            ours = quote.protocol == UDP and quote.source_port == self.ident
            ours = ours and quote.destination_port == TRACE_PORT + self.seq - 1
        else:
            ours = quote.protocol == packet.protocol and quote.seq == mark
        if not ours:
            return ""
        if message.type == (3 if message.version == 4 else 1) and message.code == _PORT[message.version]:
            return "port unreachable"
        return _NAMES[message.version, message.type]


class Hop:
    """One distance of a traceroute."""

    __slots__ = ("answers", "ttl_hops")

    def __init__(self, ttl_hops: int) -> None:
        self.ttl_hops: int = ttl_hops
        self.answers: list[Answer] = []

    def __repr__(self) -> str:
        times = ", ".join([human(each.time) if each.says else "*" for each in self.answers])
        return f"<hop {self.ttl_hops}: {self.address or '*'} {times}>"

    @property
    def address(self) -> str:
        """Who answered first; "" if nobody did."""
        return next((each.address for each in self.answers if each.says), "")


def ping(
    machine: Machine, address: str, count: int, size: int, interval: int, timeout: int, ttl_hops: int
) -> Generator[Wait, None, list[Answer]]:
    """`count` echo requests, one every `interval`, or later if the answer takes longer."""
    prober = Prober(machine, address, udp=False)
    answers: list[Answer] = []
    begin = machine.agenda.now
    try:
        for number in range(count):
            due = begin + number * interval
            while machine.agenda.now < due:
                yield Wait("sleep", "between pings", deadline=due)
            answers.append((yield from prober.ask(size, ttl_hops, timeout)))
    finally:
        prober.close()
    return answers


def traceroute(
    machine: Machine, address: str, most: int, probes: int, size: int, timeout: int, udp: bool
) -> Generator[Wait, None, list[Hop]]:
    """One hop further each time, until the destination answers or `most` is reached."""
    prober = Prober(machine, address, udp)
    hops: list[Hop] = []
    try:
        for ttl_hops in range(1, most + 1):
            hop = Hop(ttl_hops)
            hops.append(hop)
            for _ in range(probes):
                hop.answers.append((yield from prober.ask(size, ttl_hops, timeout)))
            if any(each.reached or each.says == "unreachable" for each in hop.answers):
                break
    finally:
        prober.close()
    return hops
