"""The addresses that the lab gives out, and how people write those that they want."""

from __future__ import annotations

from typing import Final

from netglass.errors import MisuseError
from netglass.wire.address import parse

ASKED: Final = frozenset({"slaac", "dhcp", "rarp"})
"""How a host finds addresses by itself."""

_PREFIXES: Final = (24, 64)
"""Of the networks that the lab makes, and of an address that was given without one: IPv4, IPv6."""


def with_prefix(text: str) -> tuple[bytes, int]:
    """(packed, prefix length) of "192.0.2.1/24" or "2001:db8::1"; without a prefix /24 and /64."""
    address, slash, prefix = text.partition("/")
    packed = parse(address)
    if not slash:
        return packed, default_prefix(packed)
    if not prefix.isdecimal() or int(prefix) > 8 * len(packed):
        most = 8 * len(packed)
        raise MisuseError(f'a prefix length lies between 0 and {most}, as in "192.0.2.1/24"; this is {text!r}')
    return packed, int(prefix)


def default_prefix(packed: bytes) -> int:
    return _PREFIXES[0] if len(packed) == 4 else _PREFIXES[1]


def automatic_addresses(cable: int, number: int) -> list[tuple[bytes, int]]:
    """10.0.N.h/24 and fd00:0:0:N::h/64 for cable N (from 0) and host number h; beyond 255 cables the N takes two
    bytes."""
    if cable > 0xFFFF:
        raise MisuseError("there are 65,536 automatic networks; give further hosts addresses of their own")
    four = bytes((10, cable >> 8, cable & 0xFF, number))
    six = b"\xfd\x00\x00\x00\x00\x00" + cable.to_bytes(2, "big") + number.to_bytes(8, "big")
    return [(four, _PREFIXES[0]), (six, _PREFIXES[1])]


def automatic_mac(number: int, port: int) -> bytes:
    """02:00:hh:hh:hh:pp for host number h and its port p: locally administered, so nobody's (IEEE 802)."""
    return b"\x02\x00" + number.to_bytes(3, "big") + bytes([port & 0xFF])
