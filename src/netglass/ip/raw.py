"""A raw port: copies of every packet of one protocol that the host takes in."""

from __future__ import annotations

from collections import deque
from typing import Final

from netglass.errnos import EAGAIN
from netglass.wire.ip import IpPacket
from netglass.wire.packet import packet_size
from netglass.world import POLLIN, POLLOUT, Endpoint

DEFAULT_RCVBUF: Final = 212_992  # Linux net.core.rmem_default


class RawPort(Endpoint):
    """Receives whole packets, in a queue bounded in bytes. `version` 0 takes IPv4 and IPv6."""

    __slots__ = ("local", "protocol", "queued", "rcvbuf", "remote", "version", "waiting", "woken")

    def __init__(self, protocol: int, version: int = 0, rcvbuf: int = DEFAULT_RCVBUF) -> None:
        super().__init__()
        self.protocol: int = protocol
        self.version: int = version
        self.local: bytes = b""  # b"": any
        self.remote: bytes = b""  # b"": anybody
        self.rcvbuf: int = rcvbuf
        self.waiting: deque[IpPacket] = deque()
        self.queued: int = 0  # bytes in `waiting`
        self.woken: int = 0

    def takes(self, packet: IpPacket) -> bool:
        if self.version and (4 if len(packet.source) == 4 else 6) != self.version:
            return False
        return self.local in (b"", packet.destination) and self.remote in (b"", packet.source)

    def deliver(self, packet: IpPacket) -> bool:
        """False if the queue is full."""
        size = packet_size(packet)
        if self.queued and self.queued + size > self.rcvbuf:
            return False
        self.waiting.append(packet)
        self.queued += size
        self.woken |= POLLIN
        return True

    def receive(self, peek: bool = False) -> IpPacket | int:
        """The oldest packet, or -EAGAIN."""
        if not self.waiting:
            return -EAGAIN
        if peek:
            return self.waiting[0]
        packet = self.waiting.popleft()
        self.queued -= packet_size(packet)
        return packet

    def readiness(self) -> int:
        return POLLOUT | POLLIN if self.waiting else POLLOUT
