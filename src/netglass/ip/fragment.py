"""Cutting a datagram into fragments (RFC 791 §2.3 and §3.2; RFC 8200 §4.5)."""

from __future__ import annotations

from typing import Final

from netglass.wire.extension import FRAGMENT_HEADER, fragment_header, split_chain, write_chain
from netglass.wire.ip import IpPacket
from netglass.wire.packet import IPV4_HEADER, IPV6_HEADER, encode_payload

_COPIED: Final = 0x80
"""The bit of an IPv4 option's type that says: into every fragment (RFC 791 §3.1)."""
_END: Final = 0
_NO_OPERATION: Final = 1


def fragments(packet: IpPacket, mtu: int, ident: int) -> list[IpPacket]:
    """`packet`, which may be a fragment itself, in pieces of at most `mtu` bytes; [] if not even eight bytes of it fit
    beside the headers. `ident` is what an IPv6 datagram's pieces have in common; IPv4 has its own."""
    if len(packet.source) == 4:
        return _cut_ipv4(packet, mtu)
    return _cut_ipv6(packet, mtu, ident)


def _payload_bytes(packet: IpPacket) -> bytes:
    return b"".join(encode_payload(packet))


def _cut_ipv4(packet: IpPacket, mtu: int) -> list[IpPacket]:
    room = (mtu - IPV4_HEADER - len(packet.options)) & ~7
    if room <= 0:
        return []
    data = _payload_bytes(packet)
    header_size = IPV4_HEADER + len(packet.options)
    pieces: list[IpPacket] = []
    options = packet.options
    for at in range(0, len(data), room):
        piece = data[at : at + room]
        pieces.append(
            IpPacket(
                packet.source,
                packet.destination,
                packet.protocol,
                piece,
                packet.ttl,
                packet.tos,
                packet.ident,
                False,
                packet.more_fragments or at + room < len(data),
                packet.fragment_offset + at,
                options,
                0,
                header_size + len(piece),
            )
        )
        options = _copied(packet.options) if options else options
    return pieces


def _copied(options: bytes) -> bytes:
    """The options of a later fragment: those that do not belong into it become padding, as Linux does it."""
    out = bytearray(options)
    at = 0
    while at < len(out) and out[at] != _END:
        size = 1 if out[at] == _NO_OPERATION or at + 1 >= len(out) else max(out[at + 1], 1)
        if not out[at] & _COPIED:
            end = min(at + size, len(out))
            out[at:end] = bytes([_NO_OPERATION]) * (end - at)
        at += size
    return bytes(out)


def _cut_ipv6(packet: IpPacket, mtu: int, ident: int) -> list[IpPacket]:
    repeated, rest = split_chain(packet.options)
    header_size = IPV6_HEADER + len(repeated) + FRAGMENT_HEADER
    room = (mtu - header_size) & ~7
    if room <= 0:
        return []
    protocol, chain = write_chain(rest, packet.protocol)
    data = chain + _payload_bytes(packet)
    pieces: list[IpPacket] = []
    for at in range(0, len(data), room):
        piece = data[at : at + room]
        more = at + room < len(data)
        pieces.append(
            IpPacket(
                packet.source,
                packet.destination,
                protocol,
                piece,
                packet.ttl,
                packet.tos,
                ident,
                True,
                more,
                at,
                repeated + fragment_header(ident, at, more),
                packet.flow_label,
                header_size + len(piece),
            )
        )
    return pieces
