"""The UDP datagram (RFC 768), as a value and as bytes."""

from __future__ import annotations

import struct
from typing import Final

from netglass.errors import MisuseError, WireError
from netglass.wire.checksum import Buffer, checksum, intact, ones_sum, pseudo_header_sum
from netglass.wire.fields import misfit

UDP_HEADER: Final = 8
_PROTOCOL: Final = 17

_header: Final = struct.Struct("!HHHH")
_pack: Final = _header.pack
_unpack: Final = _header.unpack_from


class UdpDatagram:
    """One datagram."""

    __slots__ = ("checksummed", "destination_port", "payload", "source_port")

    def __init__(self, source_port: int, destination_port: int, payload: bytes, checksummed: bool = True) -> None:
        self.source_port: int = source_port
        self.destination_port: int = destination_port
        self.payload: bytes = payload
        self.checksummed: bool = checksummed  # False: a checksum of zero, "none", allowed on IPv4 (RFC 768)


def encode_udp(datagram: UdpDatagram, source: bytes, destination: bytes) -> list[Buffer]:
    """The header and the payload."""
    payload = datagram.payload
    length = UDP_HEADER + len(payload)
    field = 0
    if datagram.checksummed:
        total = pseudo_header_sum(source, destination, _PROTOCOL, length) + length
        total += (datagram.source_port + datagram.destination_port) + ones_sum(payload)
        field = checksum(total) or 0xFFFF  # RFC 768: zero means "none", so a sum of zero goes out as all ones
    elif len(source) != 4:
        raise MisuseError("UDP over IPv6 needs its checksum (RFC 8200 §8.1); set checksummed=True")
    try:
        header = _pack(datagram.source_port, datagram.destination_port, length, field)
    except struct.error:
        ports = [("source_port", datagram.source_port, 16), ("destination_port", datagram.destination_port, 16)]
        raise misfit("UDP", [*ports, ("length with header", length, 16)]) from None
    return [header, payload]


def decode_udp(buffer: Buffer, source: bytes, destination: bytes, verify: bool = True) -> UdpDatagram:
    """The datagram in `buffer`; bytes after its own length are cut off. `verify=False` trusts the checksum.

    WireError: "udp-short", "udp-length", "udp-checksum".
    """
    size = len(buffer)
    if size < UDP_HEADER:
        raise WireError("udp-short")
    source_port, destination_port, length, field = _unpack(buffer)
    if length < UDP_HEADER or length > size:
        raise WireError("udp-length")
    if length < size:
        buffer = buffer[:length]
    if field == 0:
        if len(source) != 4:
            raise WireError("udp-checksum")  # RFC 8200 §8.1: IPv6 must have one
    elif verify and not intact(buffer, pseudo_header_sum(source, destination, _PROTOCOL, length)):
        raise WireError("udp-checksum")
    return UdpDatagram(source_port, destination_port, bytes(buffer[UDP_HEADER:]), field != 0)
