"""What every device under a host has in common.

A link moves whole IP packets (or Ethernet frames, if it has a hardware address) in bursts: one call reads or writes
what there is, so that a host can answer a burst with one acknowledgement and wake its programs once. Reading gives
bytes and says for each frame whether its transport checksum must still be verified. Writing takes packets as the host
made them: how they become bytes is the device's own affair, because it knows what the device does by itself
(checksums, cutting a super-segment into segments).
"""

from __future__ import annotations

from abc import ABC, abstractmethod

from netglass.build import mypyc_attr
from netglass.wire.checksum import Buffer
from netglass.wire.ethernet import EthernetFrame
from netglass.wire.ip import IpPacket

Received = tuple[Buffer, bool]
"""(frame, verify): the bytes, which do not change any more, and False if the device vouches for the transport
checksum."""

Outgoing = IpPacket | EthernetFrame
"""What a link sends: frames if it has a hardware address, else packets."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Link(ABC):
    """One device. Its calls never wait; a device that has gone raises `LinkError`, once, from whatever call sees it."""

    __slots__ = ("gso_size", "hardware_address", "mtu", "name")

    def __init__(self, name: str, mtu: int, gso_size: int = 0, hardware_address: bytes = b"") -> None:
        self.name: str = name
        self.mtu: int = mtu  # bytes of the longest IP packet
        self.gso_size: int = gso_size  # the longest IP packet with TCP that the device cuts into such; 0: it cuts none
        self.hardware_address: bytes = hardware_address  # 6 bytes: frames are Ethernet's; b"": they are IP packets

    @abstractmethod
    def fileno(self) -> int:
        """The descriptor that poll(2) finds readable when there is something to read, writable when there is room."""
        raise NotImplementedError

    @abstractmethod
    def read(self, most: int) -> list[Received]:
        """Up to `most` frames that have arrived; [] if there is none now."""
        raise NotImplementedError

    @abstractmethod
    def write(self, packets: list[Outgoing]) -> int:
        """Sends `packets` in order. How many the device took: fewer than all if it is full, and poll(2) tells when it
        is writable again. A packet that the device refuses for good counts as taken, and `counters` says why."""
        raise NotImplementedError

    @abstractmethod
    def close(self) -> None:
        """Lets the device go. A second call does nothing."""
        raise NotImplementedError
