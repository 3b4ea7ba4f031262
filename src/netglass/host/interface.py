"""One interface of a host: where packets leave and arrive."""

from __future__ import annotations

from typing import Final

from netglass.build import mypyc_attr
from netglass.neighbor.ethernet import Ethernet
from netglass.times import NEVER
from netglass.wire.ip import IpPacket
from netglass.world import Service

LARGEST_PACKET: Final = 65535
"""The most bytes that IPv4's total length can tell (RFC 791 §3.1)."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Taker(Service):
    """Something that takes packets from an Ethernet interface before IP sees them, as a DHCP client does."""

    __slots__ = ()

    def takes(self, packet: IpPacket) -> bool:
        raise NotImplementedError

    def receive(self, packet: IpPacket, now: int) -> str:
        """A packet that it takes: "" if it was good, else a counter's name."""
        raise NotImplementedError

    def drain(self, now: int) -> None:
        return

    @property
    def deadline(self) -> int:
        return NEVER


class Interface:
    """What the host knows of one device. The cable or link behind it belongs to whoever drives the host."""

    __slots__ = (
        "addresses",
        "broadcasts",
        "direct",
        "ethernet",
        "gso_size",
        "in_packets",
        "index",
        "loopback",
        "mtu",
        "name",
        "out_packets",
        "takers",
    )

    def __init__(self, name: str, index: int, mtu: int, offload: bool, loopback: bool) -> None:
        self.name: str = name
        self.index: int = index  # from 1, in the order of creation
        self.mtu: int = mtu
        self.gso_size: int = (
            LARGEST_PACKET if offload else 0
        )  # the longest packet it segments by itself; 0: it does not
        self.loopback: bool = loopback
        self.ethernet: Ethernet | None = None  # None: packets leave as they are, to the one machine at the other end
        self.direct: bool = not loopback  # so is it: neither to ourselves nor over Ethernet
        self.addresses: list[tuple[bytes, int]] = []  # (address, prefix length), oldest first
        self.broadcasts: list[bytes] = []  # the directed broadcast address of each IPv4 network (RFC 922)
        self.takers: list[Taker] = []
        self.in_packets: int = 0
        self.out_packets: int = 0

    def attach(self, ethernet: Ethernet) -> None:
        """Makes it an Ethernet interface: frames leave and arrive, and MAC addresses are found."""
        self.ethernet = ethernet
        self.direct = False

    def holds(self, address: bytes) -> bool:
        """Is it an address of this interface?"""
        return any(held == address for held, _ in self.addresses)
