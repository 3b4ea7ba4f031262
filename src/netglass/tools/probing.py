"""ping and traceroute: echo requests and what comes of them (RFC 1122 §3.2.2.6), and packets whose time to live is too
short on purpose, so that each router on the way must say that it is there. Needs the right to raw sockets."""

from __future__ import annotations

import random
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from types import TracebackType
from typing import Final

TRACE_PORT: Final = 33434
"""Where traceroute's datagrams go, one port further for each: nobody should listen there."""

_ECHO: Final = {4: 8, 6: 128}
_REPLY: Final = {4: 0, 6: 129}
_EXCEEDED: Final = {4: 11, 6: 3}
_UNREACHABLE: Final = {4: 3, 6: 1}
_OTHER: Final = {(4, 12): "parameter problem", (6, 2): "packet too big", (6, 4): "parameter problem"}
_WHY: Final[dict[tuple[int, int], str]] = {
    (4, 0): "network unreachable",
    (4, 1): "host unreachable",
    (4, 2): "protocol unreachable",
    (4, 3): "port unreachable",
    (4, 4): "fragmentation needed",
    (4, 9): "network prohibited",
    (4, 10): "host prohibited",
    (4, 13): "prohibited",
    (6, 0): "no route",
    (6, 1): "prohibited",
    (6, 3): "address unreachable",
    (6, 4): "port unreachable",
}
_REACHED: Final = ("echo reply", "port unreachable", "protocol unreachable")

_HEADER_6: Final = 40
_FRAGMENT: Final = 44  # IPv6's extension header, 8 bytes


@dataclass
class Answer:
    """What came of one probe. `says` is "echo reply", "time exceeded", "port unreachable" ..., the operating system's
    own words if it could not even be sent, "" if nothing came."""

    seq: int  # from 1
    says: str = ""
    address: str = ""  # who says so
    time_ns: int = 0
    ttl_hops: int = 0  # what the answer had left on arrival
    size: int = 0  # bytes of the answer's ICMP message

    @property
    def reached(self) -> bool:
        """True if the destination itself has answered."""
        return self.says in _REACHED


@dataclass
class Hop:
    """One distance of a traceroute."""

    ttl_hops: int
    answers: list[Answer] = field(default_factory=list)

    @property
    def last(self) -> bool:
        """True if it makes no sense to go on: the destination has answered, or somebody knows no way to it."""
        return any(each.says not in ("", "time exceeded") for each in self.answers)


class Prober:
    """Sends echo requests or UDP datagrams to one address, and hears all ICMP that comes back."""

    def __init__(self, address: str, udp: bool = False) -> None:
        self.version: int = 6 if ":" in address else 4
        self._target: str = address
        self._udp: bool = udp
        self._seq: int = 0
        family = socket.AF_INET6 if self.version == 6 else socket.AF_INET
        self._packed: bytes = socket.inet_pton(family, address)
        protocol = socket.IPPROTO_ICMPV6 if self.version == 6 else socket.IPPROTO_ICMP
        try:
            self._ears = socket.socket(family, socket.SOCK_RAW, protocol)
        except PermissionError as error:
            line = "no right to raw sockets (CAP_NET_RAW): be root, if only in a namespace: unshare -Urn COMMAND"
            raise PermissionError(error.errno, line) from None
        self._mouth = self._ears
        self._ident: int = random.randrange(1, 1 << 16)
        if self.version == 6:
            self._ears.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        if udp:
            self._mouth = socket.socket(family, socket.SOCK_DGRAM)
            self._mouth.bind(("", 0))
            self._ident = self._mouth.getsockname()[1]

    def close(self) -> None:
        self._ears.close()
        self._mouth.close()

    def __enter__(self) -> Prober:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def ask(self, size: int, ttl_hops: int, timeout: float) -> Answer:
        """One probe with `size` bytes of data, and what came of it within `timeout` seconds. `ttl_hops` 0: the
        system's own."""
        self._seq += 1
        answer = Answer(self._seq)
        begin = time.monotonic_ns()
        try:
            self._send(size, ttl_hops)
        except OSError as error:
            answer.says = error.strerror or str(error)
            return answer
        until = begin + round(timeout * 1e9)
        while (now := time.monotonic_ns()) < until:
            self._ears.settimeout((until - now) / 1e9)
            try:
                data, control, _, sender = self._ears.recvmsg(65535, 64)
            except TimeoutError:
                break
            if self.version == 4:
                ttl, message = data[8], data[(data[0] & 15) * 4 :]
            else:
                ttl, message = hop_limit(control), data
            answer.says = self._meaning(message)
            if answer.says:
                answer.time_ns = time.monotonic_ns() - begin
                answer.address, answer.ttl_hops, answer.size = sender[0], ttl, len(message)
                break
        return answer

    def _send(self, size: int, ttl_hops: int) -> None:
        if ttl_hops and self.version == 4:
            self._mouth.setsockopt(socket.IPPROTO_IP, socket.IP_TTL, ttl_hops)
        elif ttl_hops:
            self._mouth.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, ttl_hops)
        if self._udp:
            self._mouth.sendto(bytes(size), (self._target, self._port()))
            return
        mark = self._ident.to_bytes(2, "big") + (self._seq & 0xFFFF).to_bytes(2, "big")
        message = bytes([_ECHO[self.version], 0, 0, 0]) + mark + bytes(size)
        if self.version == 4:  # the system does it for ICMPv6
            message = message[:2] + checksum(message).to_bytes(2, "big") + message[4:]
        self._mouth.sendto(message, (self._target, 0))

    def _port(self) -> int:
        return TRACE_PORT + (self._seq - 1) % 1000

    def _meaning(self, message: bytes) -> str:
        """What it says about the last probe; "" if it is not about that."""
        if len(message) < 8:
            return ""
        kind, code = message[0], message[1]
        if kind == _REPLY[self.version]:
            return "echo reply" if not self._udp and self._is_ours(message[4:8]) else ""
        if not self._quotes_ours(message[8:]):
            return ""
        if kind == _EXCEEDED[self.version]:
            return "time exceeded"
        if kind == _UNREACHABLE[self.version]:
            return _WHY.get((self.version, code), "unreachable")
        return _OTHER.get((self.version, kind), "")

    def _is_ours(self, mark: bytes) -> bool:
        return mark == self._ident.to_bytes(2, "big") + (self._seq & 0xFFFF).to_bytes(2, "big")

    def _quotes_ours(self, quote: bytes) -> bool:
        """Does an error quote the last probe? Anybody can send errors: whatever can be compared is."""
        if self.version == 4:
            if len(quote) < 20 or quote[16:20] != self._packed:
                return False
            protocol, inner = quote[9], quote[(quote[0] & 15) * 4 :]
        else:
            if len(quote) < _HEADER_6 or quote[24:40] != self._packed:
                return False
            protocol, inner = quote[6], quote[_HEADER_6:]
            if protocol == _FRAGMENT:
                protocol, inner = inner[0] if inner else 0, inner[8:]
        if len(inner) < 8:
            return False
        if self._udp:
            ports = self._ident.to_bytes(2, "big") + self._port().to_bytes(2, "big")
            return protocol == socket.IPPROTO_UDP and inner[:4] == ports
        own = socket.IPPROTO_ICMPV6 if self.version == 6 else socket.IPPROTO_ICMP
        return protocol == own and inner[0] == _ECHO[self.version] and self._is_ours(inner[4:8])


def ping(prober: Prober, count: int, interval: float, size: int, ttl_hops: int, timeout: float) -> Iterator[Answer]:
    """`count` echo requests (0: without end), one every `interval` seconds, or later if the answer takes longer."""
    number = 0
    while True:
        begin = time.monotonic()
        yield prober.ask(size, ttl_hops, timeout)
        number += 1
        if number == count:
            return
        time.sleep(max(begin + interval - time.monotonic(), 0))


def trace(prober: Prober, most: int, probes: int, size: int, timeout: float) -> Iterator[Hop]:
    """One hop further each time, until the destination answers, somebody knows no way to it, or `most` is reached."""
    for ttl_hops in range(1, most + 1):
        hop = Hop(ttl_hops, [prober.ask(size, ttl_hops, timeout) for _ in range(probes)])
        yield hop
        if hop.last:
            return


def resolve(name: str) -> str:
    """The first address of `name`; OSError if it has none."""
    try:
        return str(socket.getaddrinfo(name, None, type=socket.SOCK_RAW)[0][4][0])
    except socket.gaierror as error:
        raise OSError(error.errno, f"{name}: {error.strerror}") from None


def checksum(data: bytes) -> int:
    """RFC 1071."""
    total = sum(data[0::2]) * 256 + sum(data[1::2])
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def hop_limit(control: list[tuple[int, int, bytes]]) -> int:
    for level, kind, value in control:
        if (level, kind) == (socket.IPPROTO_IPV6, socket.IPV6_HOPLIMIT):
            return int.from_bytes(value[:4], "little")
    return 0
