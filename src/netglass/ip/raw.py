"""Raw ports: copies of every packet of one protocol that the host takes in; and the port of a ping socket, which is one
that takes only the replies to its own echo requests."""

from __future__ import annotations

from collections import deque
from typing import Final

from netglass.errnos import EAGAIN
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import IpPacket
from netglass.wire.packet import packet_size
from netglass.world import POLLERR, POLLIN, POLLOUT, Endpoint

DEFAULT_RCVBUF: Final = 212_992  # Linux net.core.rmem_default
_ECHO_REPLY: Final = {4: 0, 6: 129}


class RawPort(Endpoint):
    """Receives whole packets, in a queue bounded in bytes. `version` 0 takes IPv4 and IPv6."""

    __slots__ = (
        "blocked",
        "came_over",
        "error",
        "local",
        "protocol",
        "queued",
        "rcvbuf",
        "remote",
        "version",
        "waiting",
        "woken",
    )

    def __init__(self, protocol: int, version: int = 0, rcvbuf: int = DEFAULT_RCVBUF) -> None:
        super().__init__()
        self.protocol: int = protocol
        self.version: int = version
        self.local: bytes = b""  # b"": any
        self.remote: bytes = b""  # b"": anybody
        self.blocked: int = 0  # ICMP types that are not wanted, one bit each (ICMP_FILTER, ICMP6_FILTER)
        self.rcvbuf: int = rcvbuf
        self.waiting: deque[tuple[IpPacket, str]] = deque()  # with the interface's name
        self.came_over: str = ""  # the interface of what was received last
        self.queued: int = 0  # bytes in `waiting`
        self.error: int = 0  # errno for the next call (SO_ERROR)
        self.woken: int = 0

    def takes(self, packet: IpPacket) -> bool:
        if self.version and (4 if len(packet.source) == 4 else 6) != self.version:
            return False
        payload = packet.payload
        if self.blocked and isinstance(payload, IcmpMessage) and self.blocked >> payload.type & 1:
            return False
        return self.local in (b"", packet.destination) and self.remote in (b"", packet.source)

    def deliver(self, packet: IpPacket, interface: str = "") -> bool:
        """False if the queue is full."""
        size = packet_size(packet)
        if self.queued and self.queued + size > self.rcvbuf:
            return False
        self.waiting.append((packet, interface))
        self.queued += size
        self.woken |= POLLIN
        return True

    def sent(self, destination: bytes, mark: int) -> bool:
        """True if a packet to `destination` was this port's; `mark` are bytes 4 to 7 of what it carried."""
        return self.remote == destination

    def receive_error(self, errno: int, hard: bool) -> bool:
        """An ICMP error about a packet of ours. As Linux: told to who is connected, and only what is final."""
        if not hard or not self.remote:
            return False
        self.error = errno
        self.woken |= POLLERR | POLLIN | POLLOUT
        return True

    def receive(self, peek: bool = False) -> IpPacket | int:
        """The oldest packet, or -EAGAIN, or once the pending error negated."""
        if self.error:
            return -self.take_error()
        if not self.waiting:
            return -EAGAIN
        packet, self.came_over = self.waiting[0]
        if not peek:
            self.waiting.popleft()
            self.queued -= packet_size(packet)
        return packet

    def take_error(self) -> int:
        """The pending errno, which is then no longer pending (SO_ERROR)."""
        error = self.error
        self.error = 0
        return error

    def readiness(self) -> int:
        bits = POLLOUT | POLLIN if self.waiting else POLLOUT
        return bits | POLLERR if self.error else bits


class PingPort(RawPort):
    """Takes the echo replies with one identifier (Linux's ping sockets)."""

    __slots__ = ("ident",)

    def __init__(self, protocol: int, version: int, ident: int) -> None:
        super().__init__(protocol, version)
        self.ident: int = ident  # 16 bits

    def takes(self, packet: IpPacket) -> bool:
        payload = packet.payload
        if not isinstance(payload, IcmpMessage) or payload.type != _ECHO_REPLY[payload.version]:
            return False
        return payload.rest >> 16 == self.ident and super().takes(packet)

    def sent(self, destination: bytes, mark: int) -> bool:
        return mark >> 16 == self.ident and self.remote in (b"", destination)
