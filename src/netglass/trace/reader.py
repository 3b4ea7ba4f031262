"""Captures read back: pcapng and pcap, either byte order, microseconds or nanoseconds. No more than packets and their
comments."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from netglass.errors import WireError
from netglass.trace.pcapng import (
    BYTE_ORDER,
    COMMENT,
    ENHANCED_PACKET,
    INTERFACE,
    INTERFACE_NAME,
    INTERFACE_RESOLUTION,
    PACKET_FLAGS,
    PACKET_ID,
    SECTION_HEADER,
)

_PCAP: Final[dict[bytes, tuple[str, int]]] = {
    b"\xd4\xc3\xb2\xa1": ("<", 1000),
    b"\xa1\xb2\xc3\xd4": (">", 1000),
    b"\x4d\x3c\xb2\xa1": ("<", 1),
    b"\xa1\xb2\x3c\x4d": (">", 1),
}
"""Magic number -> byte order, nanoseconds in a unit of time."""
_SIMPLE_PACKET: Final = 3


class CapturedPacket:
    """`time` is ns since the epoch; `data` may be shorter than `size`, the length on the wire."""

    __slots__ = ("comments", "data", "direction", "interface", "linktype", "number", "size", "time")

    def __init__(self, interface: str, linktype: int, time: int, data: bytes, size: int) -> None:
        self.interface: str = interface  # its name, or its number as text
        self.linktype: int = linktype
        self.time: int = time
        self.data: bytes = data
        self.size: int = size
        self.comments: list[str] = []
        self.direction: int = 0  # pcapng.INBOUND, pcapng.OUTBOUND, 0: not told
        self.number: int = 0  # epb_packetid


def read_capture(file: str | Path | bytes) -> list[CapturedPacket]:
    """Every packet in a capture: a path, or the bytes themselves. WireError: "capture-short", "capture-format"."""
    data = file if isinstance(file, bytes) else Path(file).read_bytes()
    try:
        if data[:4] in _PCAP:
            return list(_read_pcap(data))
        if data[:4] == struct.pack("<I", SECTION_HEADER):
            return list(_read_pcapng(data))
    except struct.error:
        raise WireError("capture-short") from None
    raise WireError("capture-format")


def _read_pcap(data: bytes) -> Iterator[CapturedPacket]:
    order, unit = _PCAP[data[:4]]
    (linktype,) = struct.unpack_from(order + "I", data, 20)
    at = 24
    while at < len(data):
        seconds, fraction, kept, size = struct.unpack_from(order + "IIII", data, at)
        at += 16
        if at + kept > len(data):
            raise WireError("capture-short")
        yield CapturedPacket("0", linktype & 0xFFFF, seconds * 10**9 + fraction * unit, data[at : at + kept], size)
        at += kept


class _Interface:
    def __init__(self, name: str, linktype: int, resolution: int) -> None:
        self.name = name
        self.linktype = linktype
        self.resolution = resolution

    def nanoseconds(self, units: int) -> int:
        # if_tsresol: a power of ten, or of two if the top bit is set.
        exponent = self.resolution & 0x7F
        return units * 10**9 // (1 << exponent if self.resolution & 0x80 else 10**exponent)


def _read_pcapng(data: bytes) -> Iterator[CapturedPacket]:
    order = "<"
    interfaces: list[_Interface] = []
    at = 0
    while at < len(data):
        if data[at : at + 4] == data[:4]:
            order = "<" if struct.unpack_from("<I", data, at + 8)[0] == BYTE_ORDER else ">"
            interfaces = []
        kind, size = struct.unpack_from(order + "II", data, at)
        if size < 12 or size & 3 or at + size > len(data):
            raise WireError("capture-short")
        body = data[at + 8 : at + size - 4]
        if kind == INTERFACE:
            interfaces.append(_read_interface(body, order, len(interfaces)))
        elif kind == ENHANCED_PACKET:
            yield _read_packet(body, order, interfaces)
        elif kind == _SIMPLE_PACKET:
            (length,) = struct.unpack_from(order + "I", body)
            yield CapturedPacket(interfaces[0].name, interfaces[0].linktype, 0, body[4 : 4 + length], length)
        at += size


def _read_interface(body: bytes, order: str, number: int) -> _Interface:
    (linktype,) = struct.unpack_from(order + "H", body)
    found = _Interface(str(number), linktype, 6)
    for code, value in _options(body[8:], order):
        if code == INTERFACE_NAME:
            found.name = value.decode(errors="replace")
        elif code == INTERFACE_RESOLUTION:
            found.resolution = value[0]
    return found


def _read_packet(body: bytes, order: str, interfaces: list[_Interface]) -> CapturedPacket:
    number, high, low, kept, size = struct.unpack_from(order + "IIIII", body)
    if number >= len(interfaces) or 20 + kept > len(body):
        raise WireError("capture-format")
    interface = interfaces[number]
    time = interface.nanoseconds(high << 32 | low)
    packet = CapturedPacket(interface.name, interface.linktype, time, body[20 : 20 + kept], size)
    for code, value in _options(body[20 + (kept + 3 & ~3) :], order):
        if code == COMMENT:
            packet.comments.append(value.decode(errors="replace"))
        elif code == PACKET_FLAGS:
            packet.direction = struct.unpack(order + "I", value)[0] & 3
        elif code == PACKET_ID:
            (packet.number,) = struct.unpack(order + "Q", value)
    return packet


def _options(body: bytes, order: str) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        if code == 0:
            return
        yield code, body[at + 4 : at + 4 + size]
        at += 4 + (size + 3 & ~3)
