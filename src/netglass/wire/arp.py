"""ARP (RFC 826) and RARP (RFC 903) for IPv4 over Ethernet, as a value and as bytes: one format, two Ethernet types.

Malformed bytes raise `WireError`: "arp-short", "arp-format" (not IPv4 over Ethernet), "arp-operation".
"""

from __future__ import annotations

import struct
from typing import Final

from netglass.errors import MisuseError, WireError
from netglass.wire.checksum import Buffer

REQUEST: Final = 1
REPLY: Final = 2
REVERSE_REQUEST: Final = 3
REVERSE_REPLY: Final = 4

ARP_SIZE: Final = 28

_ETHERNET: Final = 1
_IPV4: Final = 0x0800
_format: Final = struct.Struct("!HHBBH6s4s6s4s")
_pack: Final = _format.pack
_unpack: Final = _format.unpack_from


class ArpMessage:
    """One message: who says it, and whom it is about. MAC addresses have 6 bytes, IPv4 addresses 4."""

    __slots__ = ("operation", "sender", "sender_mac", "target", "target_mac")

    def __init__(self, operation: int, sender_mac: bytes, sender: bytes, target_mac: bytes, target: bytes) -> None:
        self.operation: int = operation
        self.sender_mac: bytes = sender_mac
        self.sender: bytes = sender
        self.target_mac: bytes = target_mac
        self.target: bytes = target

    @property
    def reverse(self) -> bool:
        """RARP: it asks for, or tells, the IP address of a MAC."""
        return self.operation >= REVERSE_REQUEST

    @property
    def probe(self) -> bool:
        """Asks whether an address is in use, before using it (RFC 5227 §1.1)."""
        return self.operation == REQUEST and self.sender == bytes(4)

    @property
    def announcement(self) -> bool:
        """Gratuitous: tells everybody whose this address is (RFC 5227 §1.1)."""
        return not self.reverse and self.sender == self.target and self.sender != bytes(4)


def encode_arp(message: ArpMessage) -> bytes:
    if not REQUEST <= message.operation <= REVERSE_REPLY:
        raise MisuseError(
            f"an ARP operation is 1 to 4 (request, reply, and those of RARP); this is {message.operation}"
        )
    for mac in (message.sender_mac, message.target_mac):
        if len(mac) != 6:
            raise MisuseError(f"a MAC address has 6 bytes; this has {len(mac)}")
    for address in (message.sender, message.target):
        if len(address) != 4:
            raise MisuseError(f"ARP is for IPv4 addresses of 4 bytes; this has {len(address)}")
    return _pack(
        _ETHERNET,
        _IPV4,
        6,
        4,
        message.operation,
        message.sender_mac,
        message.sender,
        message.target_mac,
        message.target,
    )


def decode_arp(buffer: Buffer) -> ArpMessage:
    """The message at the start of `buffer`; padding after it is ignored."""
    if len(buffer) < ARP_SIZE:
        raise WireError("arp-short")
    hardware, protocol, mac_size, address_size, operation, sender_mac, sender, target_mac, target = _unpack(buffer)
    if (hardware, protocol, mac_size, address_size) != (_ETHERNET, _IPV4, 6, 4):
        raise WireError("arp-format")
    if not REQUEST <= operation <= REVERSE_REPLY:
        raise WireError("arp-operation")
    return ArpMessage(operation, sender_mac, sender, target_mac, target)
