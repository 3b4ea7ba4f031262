"""Packets as a device with IFF_VNET_HDR takes them: a header of ten bytes (linux/virtio_net.h), then the packet, of
which TCP's checksum is not finished and which may be longer than the MTU.

The header says where the checksum starts and stands, and how long the segments shall be that the device cuts. In the
checksum field stands the sum of the pseudo-header (RFC 9293 §3.1) alone, not complemented: the device adds the rest
when it touches the bytes anyway, or never, if the packet stays on this machine.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from netglass.wire.checksum import Buffer, fold, ones_sum
from netglass.wire.ethernet import EthernetFrame, encode_frame, frame_header
from netglass.wire.ip import IpPacket
from netglass.wire.packet import encode_packet
from netglass.wire.tcp import ABSENT, TcpSegment, encode_options

VNET_SIZE: Final = 10
_NEEDS_CHECKSUM: Final = 1
_GSO_TCP4: Final = 1
_GSO_TCP6: Final = 4

_pack_vnet: Final = Struct("=BBHHHH").pack  # flags, kind of GSO, header length, segment size, checksum start and offset
_pack_4: Final = Struct("!BBHHHBBH4s4sHHIIHHHH").pack
_pack_4_timed: Final = Struct("!BBHHHBBH4s4sHHIIHHHHIII").pack
_pack_6: Final = Struct("!IHBB16s16sHHIIHHHH").pack
_PADDED_TIMESTAMPS: Final = 0x0101080A
_PLAIN: Final = bytes(VNET_SIZE)


def vnet_buffers(packet: IpPacket) -> list[Buffer]:
    """[vnet header and all other headers, *chunks of payload]."""
    segment = packet.payload
    if not isinstance(segment, TcpSegment) or packet.options:
        return [_PLAIN, *encode_packet(packet)]
    if len(packet.source) == 4:
        return [_headers_4(packet, segment, b""), *segment.chunks]
    return [_headers_6(packet, segment, b""), *segment.chunks]


def vnet_frame_buffers(frame: EthernetFrame) -> list[Buffer]:
    """The same of an Ethernet frame, whose header stands between the two."""
    packet = frame.payload
    if not isinstance(packet, IpPacket) or packet.options:
        return [_PLAIN, *encode_frame(frame)]
    segment = packet.payload
    if not isinstance(segment, TcpSegment):
        return [_PLAIN, *encode_frame(frame)]
    headers = _headers_4 if len(packet.source) == 4 else _headers_6
    return [headers(packet, segment, frame_header(frame)), *segment.chunks]


def _headers_4(packet: IpPacket, segment: TcpSegment, ethernet: bytes) -> bytes:
    source = packet.source
    destination = packet.destination
    addresses = int.from_bytes(source, "big") + int.from_bytes(destination, "big")
    timed = segment.ts_val != ABSENT and not segment.sack and segment.options is None and segment.raw_options is None
    options = b"" if timed else encode_options(segment)
    size = 32 if timed else 20 + len(options)
    length = segment.length
    total = 20 + size + length
    fragment = 0x4000 if packet.dont_fragment else 0
    tos = packet.tos
    life = packet.ttl << 8 | 6
    checksum = 0xFFFF - fold(0x4500 + tos + total + packet.ident + fragment + life + addresses)
    partial = fold(addresses + 6 + size + length)
    word = size << 10 | segment.flags
    before = _vnet(_GSO_TCP4, len(ethernet) + 20, size, segment) + ethernet
    if timed:
        return before + _pack_4_timed(
            0x45,
            tos,
            total,
            packet.ident,
            fragment,
            packet.ttl,
            6,
            checksum,
            source,
            destination,
            segment.source_port,
            segment.destination_port,
            segment.seq,
            segment.ack,
            word,
            segment.window,
            partial,
            segment.urgent,
            _PADDED_TIMESTAMPS,
            segment.ts_val,
            segment.ts_ecr,
        )
    head = _pack_4(
        0x45,
        tos,
        total,
        packet.ident,
        fragment,
        packet.ttl,
        6,
        checksum,
        source,
        destination,
        segment.source_port,
        segment.destination_port,
        segment.seq,
        segment.ack,
        word,
        segment.window,
        partial,
        segment.urgent,
    )
    return before + head + options


def _headers_6(packet: IpPacket, segment: TcpSegment, ethernet: bytes) -> bytes:
    options = encode_options(segment)
    size = 20 + len(options)
    length = size + segment.length
    head = _pack_6(
        6 << 28 | packet.tos << 20 | packet.flow_label,
        length,
        6,
        packet.ttl,
        packet.source,
        packet.destination,
        segment.source_port,
        segment.destination_port,
        segment.seq,
        segment.ack,
        size << 10 | segment.flags,
        segment.window,
        fold(ones_sum(packet.source) + ones_sum(packet.destination) + 6 + length),
        segment.urgent,
    )
    return _vnet(_GSO_TCP6, len(ethernet) + 40, size, segment) + ethernet + head + options


def _vnet(kind: int, network: int, transport: int, segment: TcpSegment) -> bytes:
    if segment.length > segment.mss > 0:
        return _pack_vnet(_NEEDS_CHECKSUM, kind, network + transport, segment.mss, network, 16)
    return _pack_vnet(_NEEDS_CHECKSUM, 0, 0, 0, network, 16)
