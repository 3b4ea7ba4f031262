"""Socket addresses: Python's tuples outside, packed bytes and a port inside.

AF_INET: ("10.0.0.1", 80). AF_INET6: ("fe80::1", 80, flow, scope), of which flow and scope may be left out and mean
nothing here. "" is any address, "<broadcast>" is 255.255.255.255. On an IPv6 socket an IPv4 end reads
"::ffff:10.0.0.1" (RFC 4291 §2.5.5.2); inside it is always the four bytes.
"""

from __future__ import annotations

from typing import Final

from netglass.errnos import EAFNOSUPPORT
from netglass.errors import MisuseError
from netglass.sockets.constants import AF_INET, AF_INET6
from netglass.wire.address import BROADCAST, LOOPBACK_4, LOOPBACK_6, UNSPECIFIED_4, UNSPECIFIED_6, parse, text

Address = tuple[str, int] | tuple[str, int, int, int]

_MAPPED: Final = bytes(10) + b"\xff\xff"
NO_ADDRESS: Final = (b"", -EAFNOSUPPORT)


def pack_address(family: int, address: Address) -> tuple[bytes, int]:
    """(packed, port), four bytes for a mapped IPv4 address; (b"", -EAFNOSUPPORT) if the address is not of `family`.

    Text that is no address and a port beyond 16 bits are mistakes that a kernel never sees: MisuseError.
    """
    port = address[1]
    if not 0 <= port <= 65535:
        raise MisuseError(f"a port lies between 0 and 65535; this is {port}")
    packed = _pack_host(family, address[0])
    if len(packed) != (4 if family == AF_INET else 16):
        return NO_ADDRESS
    if packed.startswith(_MAPPED) and len(packed) == 16:
        return packed[12:], port
    return packed, port


def _pack_host(family: int, host: str) -> bytes:
    if not host:
        return UNSPECIFIED_4 if family == AF_INET else UNSPECIFIED_6
    if host == "<broadcast>":
        return BROADCAST
    return parse(host.partition("%")[0])


def show_address(family: int, packed: bytes, port: int) -> Address:
    """The tuple that a program sees. `packed` may be b"", any address."""
    if family != AF_INET6:
        return (text(packed or UNSPECIFIED_4), port)
    if len(packed) == 4:
        return (text(_MAPPED + packed), port, 0, 0)
    return (text(packed or UNSPECIFIED_6), port, 0, 0)


def local_of(packed: bytes, dual: bool) -> bytes:
    """What a bind to `packed` claims, in the host's terms: b"" is any address of both versions."""
    return b"" if dual and packed == UNSPECIFIED_6 else packed


def loopback_for(packed: bytes) -> bytes:
    """Where a connect goes: the unspecified address means this host (Linux ip_route_connect, tcp_v6_connect)."""
    if packed == UNSPECIFIED_4:
        return LOOPBACK_4
    return LOOPBACK_6 if packed == UNSPECIFIED_6 else packed
