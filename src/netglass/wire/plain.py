"""The short way from bytes to a packet: IPv4 without options, whole, with a TCP segment. That is nearly every packet,
so its headers are unpacked in one step."""

from __future__ import annotations

from struct import Struct
from typing import Final

from netglass.wire.checksum import Buffer, intact, pseudo_header_sum
from netglass.wire.ip import TCP, IpPacket
from netglass.wire.tcp import ABSENT, TcpSegment, read_options

_unpack: Final = Struct("!BBHHHBBxx4s4sHHIIHHxxH").unpack_from
_unpack_timestamps: Final = Struct("!III").unpack_from
_LEAST: Final = 40
_FIRST: Final = 0x45  # version 4, a header of 20 bytes
_FRAGMENT: Final = 0x3FFF  # more fragments, or not the first
_DONT_FRAGMENT: Final = 0x4000
_PADDED_TIMESTAMPS: Final = 0x0101080A


def decode_plain(buffer: Buffer, verify: bool) -> IpPacket | None:
    """The packet, or None: then `decode_packet` reads it the long way, and says what is wrong if something is."""
    size = len(buffer)
    if size < _LEAST:
        return None
    (
        first,
        tos,
        total,
        ident,
        fragment,
        ttl,
        protocol,
        source,
        destination,
        source_port,
        destination_port,
        seq,
        ack,
        word,
        window,
        urgent,
    ) = _unpack(buffer)
    if first != _FIRST or protocol != TCP or fragment & _FRAGMENT or total > size:
        return None
    # The header's sum with its checksum is all ones, a multiple of 65535 (see `wire.checksum`).
    if int.from_bytes(buffer[:20], "big") % 65535:
        return None
    offset = word >> 10 & 0x3C
    start = 20 + offset
    if offset < 20 or start > total:
        return None
    options = False
    ts_val = ts_ecr = ABSENT
    if offset == 32:
        # What nearly every segment carries; `encode_options` makes the same bytes, no need to keep them.
        lead, ts_val, ts_ecr = _unpack_timestamps(buffer, 40)
        if lead != _PADDED_TIMESTAMPS:
            ts_val = ts_ecr = ABSENT
            options = True
    elif offset != 20:
        options = True
    if verify and not intact(buffer[20:total], pseudo_header_sum(source, destination, TCP, total - 20)):
        return None
    length = total - start
    if length:
        chunk: Buffer = buffer[start:total]
        segment = TcpSegment(
            source_port, destination_port, seq, ack, word & 0xFFF, window, (chunk,), length, ts_val, ts_ecr
        )
    else:
        segment = TcpSegment(source_port, destination_port, seq, ack, word & 0xFFF, window, (), 0, ts_val, ts_ecr)
    segment.urgent = urgent
    if options:
        segment.raw_options = bytes(buffer[40:start])
        read_options(segment, segment.raw_options)
    packet = IpPacket(source, destination, TCP, segment, ttl, tos, ident, fragment & _DONT_FRAGMENT != 0)
    packet.size = total
    return packet
