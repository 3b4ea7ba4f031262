"""ICMP for IPv4 (RFC 792) and IPv6 (RFC 4443), as a value and as bytes: one shape, two number spaces."""

from __future__ import annotations

import struct
from typing import Final

from netglass.errors import MisuseError, WireError
from netglass.wire.checksum import Buffer, checksum, intact, ones_sum, pseudo_header_sum
from netglass.wire.fields import misfit

ICMP_HEADER: Final = 8
_ICMPV6: Final = 58

_header: Final = struct.Struct("!BBHI")
_pack: Final = _header.pack
_unpack: Final = _header.unpack_from


class IcmpMessage:
    """One message. `rest` is the second 32-bit word (identifier and sequence of an echo, next-hop MTU, pointer ...).

    `version` is 4 or 6 and says which number space `type` and `code` belong to.
    """

    __slots__ = ("code", "payload", "rest", "type", "version")

    def __init__(
        self,
        version: int,
        type: int,  # noqa: A002  the RFC's name
        code: int,
        rest: int = 0,
        payload: bytes = b"",
    ) -> None:
        self.version: int = version
        self.type: int = type
        self.code: int = code
        self.rest: int = rest  # 32 bits
        self.payload: bytes = payload  # echo data, or the head of the packet that caused the error


def _pseudo(source: bytes, destination: bytes, length: int) -> int:
    # RFC 4443 §2.3: ICMPv6 counts the pseudo-header; RFC 792 does not know one.
    return pseudo_header_sum(source, destination, _ICMPV6, length) if len(source) != 4 else 0


def encode_icmp(message: IcmpMessage, source: bytes, destination: bytes) -> list[Buffer]:
    """The header and the payload."""
    if message.version != (4 if len(source) == 4 else 6):
        raise MisuseError(
            f"an ICMP message of version {message.version} cannot go between addresses of {len(source)} bytes"
        )
    payload = message.payload
    try:
        header = _pack(message.type, message.code, 0, message.rest)
    except struct.error:
        raise misfit(
            "ICMP", [("type", message.type, 8), ("code", message.code, 8), ("rest", message.rest, 32)]
        ) from None
    total = ones_sum(header) + ones_sum(payload) + _pseudo(source, destination, ICMP_HEADER + len(payload))
    return [_pack(message.type, message.code, checksum(total), message.rest), payload]


def decode_icmp(buffer: Buffer, source: bytes, destination: bytes, verify: bool = True) -> IcmpMessage:
    """The message in `buffer`; the addresses say which version. `verify=False` trusts the checksum.

    WireError: "icmp-short", "icmp-checksum".
    """
    size = len(buffer)
    if size < ICMP_HEADER:
        raise WireError("icmp-short")
    if verify and not intact(buffer, _pseudo(source, destination, size)):
        raise WireError("icmp-checksum")
    kind, code, _, rest = _unpack(buffer)
    return IcmpMessage(4 if len(source) == 4 else 6, kind, code, rest, bytes(buffer[ICMP_HEADER:]))
