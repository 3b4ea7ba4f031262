"""Ethernet frames (RFC 894, IEEE 802.3) with or without a VLAN tag (IEEE 802.1Q), as a value and as bytes, and MAC
addresses.

A frame is a value like a packet: in the lab it travels as an object, and bytes are made only when somebody looks at
bytes. It has no preamble and no check sequence, as a capture has none.

Malformed bytes raise `WireError`: "ethernet-short", and those of `decode_packet` and `decode_arp`.
"""

from __future__ import annotations

import struct
from typing import Final

from netglass.errors import MisuseError, WireError
from netglass.wire.address import is_multicast
from netglass.wire.arp import ARP_SIZE, ArpMessage, decode_arp, encode_arp
from netglass.wire.checksum import Buffer
from netglass.wire.ip import IpPacket
from netglass.wire.packet import decode_packet, encode_packet, packet_size

IPV4: Final = 0x0800
ARP: Final = 0x0806
RARP: Final = 0x8035
VLAN: Final = 0x8100
IPV6: Final = 0x86DD

ETHERNET_HEADER: Final = 14
VLAN_TAG: Final = 4
UNTAGGED: Final = -1
TOLD_BY_PAYLOAD: Final = -1
BROADCAST_MAC: Final = b"\xff\xff\xff\xff\xff\xff"
NO_MAC: Final = bytes(6)
"""What ARP says where a MAC address is not known; nobody's address."""

FramePayload = IpPacket | ArpMessage | bytes

_VIEW_FROM: Final = 8192  # as in wire.packet
_unpack_header: Final = struct.Struct("!6s6sH").unpack_from
_unpack_tag: Final = struct.Struct("!HH").unpack_from


class EthernetFrame:
    """One frame. Never changed once sent. `type` is the payload's, not the tag's."""

    __slots__ = ("destination", "payload", "size", "source", "tag", "type")

    def __init__(
        self,
        destination: bytes,
        source: bytes,
        payload: FramePayload,
        type: int = TOLD_BY_PAYLOAD,  # noqa: A002  the standard's name
        tag: int = UNTAGGED,
        size: int = 0,
    ) -> None:
        self.destination: bytes = destination
        self.source: bytes = source
        self.payload: FramePayload = payload
        self.type: int = type_of(payload) if type < 0 else type  # 0 is none, but may come over the wire
        self.tag: int = tag  # UNTAGGED, or the 16 bits of 802.1Q: priority (3), drop eligible (1), VLAN (12)
        self.size: int = size or ETHERNET_HEADER + (VLAN_TAG if tag >= 0 else 0) + payload_size(payload)

    @property
    def vlan(self) -> int:
        """The VLAN's number; UNTAGGED, and 0 if the tag has only a priority."""
        return self.tag & 0xFFF if self.tag >= 0 else UNTAGGED

    def tagged(self, tag: int) -> EthernetFrame:
        """The same frame with this tag, or with none (UNTAGGED). The payload is shared."""
        return EthernetFrame(self.destination, self.source, self.payload, self.type, tag)


def type_of(payload: FramePayload) -> int:
    """The Ethernet type (IANA "IEEE 802 Numbers") of a parsed payload."""
    if isinstance(payload, IpPacket):
        return IPV4 if len(payload.source) == 4 else IPV6
    if isinstance(payload, ArpMessage):
        return RARP if payload.reverse else ARP
    raise MisuseError("a frame with bytes needs their Ethernet type, such as type=0x88cc")


def payload_size(payload: FramePayload) -> int:
    if isinstance(payload, IpPacket):
        return payload.size or packet_size(payload)
    return ARP_SIZE if isinstance(payload, ArpMessage) else len(payload)


# -- to bytes


def frame_bytes(frame: EthernetFrame) -> bytes:
    """The whole frame in one piece, not padded to 60 bytes: the device does that."""
    return b"".join(encode_frame(frame))


def encode_frame(frame: EthernetFrame) -> list[Buffer]:
    """All headers in the first buffer, then the payload's chunks, not copied."""
    header = frame_header(frame)
    payload = frame.payload
    if isinstance(payload, IpPacket):
        buffers = encode_packet(payload)
        buffers[0] = header + buffers[0]
        return buffers
    return [header + (encode_arp(payload) if isinstance(payload, ArpMessage) else payload)]


def frame_header(frame: EthernetFrame) -> bytes:
    """The 14 bytes before the payload, 18 with a tag."""
    for mac in (frame.destination, frame.source):
        if len(mac) != 6:
            raise MisuseError(f"a MAC address has 6 bytes; this has {len(mac)}")
    if not 0 <= frame.type <= 0xFFFF or not UNTAGGED <= frame.tag <= 0xFFFF:
        raise MisuseError(f"an Ethernet type and a tag have 16 bits; these are {frame.type} and {frame.tag}")
    tag = b"" if frame.tag < 0 else (VLAN << 16 | frame.tag).to_bytes(4, "big")
    return frame.destination + frame.source + tag + frame.type.to_bytes(2, "big")


# -- from bytes


def decode_frame(buffer: Buffer, verify: bool = True) -> EthernetFrame:
    """The frame in `buffer`, which must not change afterwards. Padding is cut off as far as the payload tells its
    length; what is neither IP nor ARP (a second tag, a length instead of a type) stays bytes. `verify=False` trusts
    the checksum of TCP, UDP and ICMP."""
    if len(buffer) >= _VIEW_FROM:
        buffer = memoryview(buffer)
    destination, source, kind, tag, start = _decode_header(buffer)
    return EthernetFrame(destination, source, decode_payload(kind, buffer[start:], verify), kind, tag)


def split_frame(buffer: Buffer) -> EthernetFrame:
    """Only the header is read; the payload stays bytes. That is all a switch looks at."""
    destination, source, kind, tag, start = _decode_header(buffer)
    return EthernetFrame(destination, source, bytes(buffer[start:]), kind, tag)


def _decode_header(buffer: Buffer) -> tuple[bytes, bytes, int, int, int]:
    # Destination, source, type, tag, where the payload begins.
    size = len(buffer)
    if size < ETHERNET_HEADER:
        raise WireError("ethernet-short")
    destination, source, kind = _unpack_header(buffer)
    if kind != VLAN:
        return destination, source, kind, UNTAGGED, ETHERNET_HEADER
    if size < ETHERNET_HEADER + VLAN_TAG:
        raise WireError("ethernet-short")
    tag, kind = _unpack_tag(buffer, ETHERNET_HEADER)
    return destination, source, kind, tag, ETHERNET_HEADER + VLAN_TAG


def decode_payload(kind: int, data: Buffer, verify: bool = True) -> FramePayload:
    """What a frame of Ethernet type `kind` carries."""
    if kind in (IPV4, IPV6):
        packet = decode_packet(data, verify)
        if (len(packet.source) == 4) != (kind == IPV4):
            raise WireError("ip-version")
        return packet
    if kind in (ARP, RARP):
        message = decode_arp(data)
        if message.reverse != (kind == RARP):
            raise WireError("arp-operation")
        return message
    return bytes(data)


# -- MAC addresses


def parse_mac(text: str) -> bytes:
    """The six bytes of "02:00:00:00:00:01" (or with hyphens)."""
    parts = text.replace("-", ":").split(":")
    digits = "0123456789abcdefABCDEF"
    if len(parts) != 6 or not all(len(part) in (1, 2) and all(each in digits for each in part) for part in parts):
        raise MisuseError(f'not a MAC address: {text!r}; write it like "02:00:00:00:00:01"')
    return bytes([int(part, 16) for part in parts])


def mac_text(mac: bytes) -> str:
    return ":".join([f"{each:02x}" for each in mac])


def is_group_mac(mac: bytes) -> bool:
    """Broadcast or multicast: the lowest bit of the first byte is set."""
    return mac[0] & 1 == 1


def group_mac(address: bytes) -> bytes:
    """Where a multicast address is sent: 01:00:5e and 23 bits (RFC 1112 §6.4), or 33:33 and 32 bits (RFC 2464 §7)."""
    if not is_multicast(address):
        raise MisuseError("only a multicast address has a group MAC; others are asked for (ARP, neighbour discovery)")
    if len(address) == 4:
        return b"\x01\x00\x5e" + bytes([address[1] & 0x7F]) + address[2:]
    return b"\x33\x33" + address[12:]
