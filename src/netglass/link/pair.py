"""Two links joined in memory: what one writes the other reads, in order, whole. For tests, and for two hosts in one
process that shall not need a kernel."""

from __future__ import annotations

import os
from collections import deque
from contextlib import suppress

from netglass.errors import LinkError
from netglass.link.link import Link, Outgoing, Received
from netglass.wire.ethernet import frame_bytes
from netglass.wire.ip import IpPacket
from netglass.wire.packet import packet_bytes

QUEUE = 1000
"""Packets under way in one direction before the link is full."""


class Pair(Link):
    """One of two ends; `pair` makes them. Packets travel as bytes, as over a device."""

    __slots__ = ("_checksums", "arrived", "bell", "closed", "peer")

    def __init__(self, name: str, mtu: int, gso_size: int, checksums: bool, hardware_address: bytes) -> None:
        super().__init__(name, mtu, gso_size, hardware_address)
        self.peer: Pair = self
        self.closed: bool = False
        self._checksums: bool = checksums
        self.arrived: deque[bytes] = deque()
        self.bell: int = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    def fileno(self) -> int:
        return self.bell

    def read(self, most: int) -> list[Received]:
        if self.closed or self.peer.closed:
            raise LinkError(f"{self.name}: an end of the pair was closed")
        arrived = self.arrived
        taken: list[Received] = [(arrived.popleft(), self._checksums) for _ in range(min(most, len(arrived)))]
        if not arrived:
            self._quiet()
        return taken

    def _quiet(self) -> None:
        with suppress(BlockingIOError):
            os.eventfd_read(self.bell)

    def write(self, packets: list[Outgoing]) -> int:
        if self.closed or self.peer.closed:
            raise LinkError(f"{self.name}: an end of the pair was closed")
        peer = self.peer
        room = QUEUE - len(peer.arrived)
        taken = packets[:room] if room > 0 else []
        peer.arrived += [bytes_of(packet) for packet in taken]
        if taken:
            os.eventfd_write(peer.bell, 1)
        return len(taken)

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            os.close(self.bell)
            if not self.peer.closed:
                os.eventfd_write(self.peer.bell, 1)


def bytes_of(packet: Outgoing) -> bytes:
    return packet_bytes(packet) if isinstance(packet, IpPacket) else frame_bytes(packet)


def pair(
    mtu: int = 1500,
    gso_size: int = 0,
    checksums: bool = True,
    names: tuple[str, str] = ("a", "b"),
    ethernet: bool = False,
) -> tuple[Pair, Pair]:
    """Two ends. `checksums=False`: both vouch for them, so nobody looks."""
    macs = (b"\x02\0\0\0\0\x01", b"\x02\0\0\0\0\x02") if ethernet else (b"", b"")
    a = Pair(names[0], mtu, gso_size, checksums, macs[0])
    b = Pair(names[1], mtu, gso_size, checksums, macs[1])
    a.peer, b.peer = b, a
    return a, b
