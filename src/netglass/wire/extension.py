"""IPv6 extension headers (RFC 8200 §4): the chain between the fixed header and what the packet carries.

On the wire each header tells the type of the one behind it, so that a chain can be read only from its front. In
`IpPacket.options` each header begins with its own type instead: the chain says what it is, may be cut anywhere, and is
as long as on the wire, so that a pointer into it is a pointer into the packet.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from netglass.errors import MisuseError, WireError
from netglass.wire.checksum import Buffer

HOP_BY_HOP: Final = 0
ROUTING: Final = 43
FRAGMENT: Final = 44
DESTINATION_OPTIONS: Final = 60
NO_NEXT_HEADER: Final = 59

FRAGMENT_HEADER: Final = 8
_KNOWN: Final = (HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS)


def is_extension(protocol: int) -> bool:
    """True for the types of header that a chain is made of. (ESP hides what it carries, AH proves what nobody here can
    check: to us they are protocols.)"""
    return protocol in _KNOWN


class Chain:
    """What a chain of headers says. `size` bytes of the packet belong to it; `protocol` is what follows."""

    __slots__ = ("fragment_offset", "ident", "more_fragments", "options", "protocol", "rerouted", "size")

    def __init__(self, protocol: int) -> None:
        self.protocol: int = protocol
        self.options: bytes = b""  # the headers, each with its own type in front
        self.size: int = 0
        self.ident: int = 0  # of the Fragment header
        self.more_fragments: bool = False
        self.fragment_offset: int = 0
        self.rerouted: bool = False  # a Routing header has stations left: the destination is not the last one

    @property
    def is_fragment(self) -> bool:
        """False also for an "atomic" fragment (RFC 6946), which is whole."""
        return self.more_fragments or self.fragment_offset != 0


def read_chain(first: int, data: Buffer) -> Chain:
    """The headers at the start of `data`, of which the first has type `first`. It ends behind the Fragment header of a
    packet that is not whole: what follows there belongs to the datagram.

    WireError: "ip-extension-short".
    """
    chain = Chain(first)
    pieces: list[bytes] = []
    at = 0
    while is_extension(chain.protocol):
        kind = chain.protocol
        if at + 8 > len(data):
            raise WireError("ip-extension-short")
        size = FRAGMENT_HEADER if kind == FRAGMENT else 8 + 8 * data[at + 1]
        if at + size > len(data):
            raise WireError("ip-extension-short")
        chain.protocol = data[at]
        pieces.append(bytes([kind]) + data[at + 1 : at + size])
        if kind == ROUTING and data[at + 3]:
            chain.rerouted = True
        at += size
        if kind == FRAGMENT:
            _read_fragment(chain, pieces[-1])
            if chain.is_fragment:
                break
    chain.options = b"".join(pieces)
    chain.size = at
    return chain


def _read_fragment(chain: Chain, header: bytes) -> None:
    word = int.from_bytes(header[2:4], "big")
    chain.fragment_offset = word & 0xFFF8
    chain.more_fragments = word & 1 != 0
    chain.ident = int.from_bytes(header[4:8], "big")


def write_chain(options: bytes, protocol: int) -> tuple[int, bytes]:
    """(type of the first header, the headers as on the wire) for `options` before a payload of `protocol`."""
    out = bytearray(options)
    before = -1  # where the type of the next header belongs
    end = 0
    for kind, at, size in headers(options):
        if not is_extension(kind):
            raise MisuseError(f"{kind} is no type of extension header; a chain begins each with its own: {_KNOWN}")
        if before >= 0:
            out[before] = kind
        before = at
        end = at + size
    if end != len(options):
        raise MisuseError(f"the last extension header ends at {end}; the chain has {len(options)} bytes")
    if before < 0:
        return protocol, b""
    out[before] = protocol
    return options[0], bytes(out)


def headers(options: bytes) -> Iterator[tuple[int, int, int]]:
    """(type, offset, size) of each header in `options`."""
    at = 0
    while at + 8 <= len(options):
        kind = options[at]
        size = FRAGMENT_HEADER if kind == FRAGMENT else 8 + 8 * options[at + 1]
        yield kind, at, size
        at += size


def has_header(options: bytes, wanted: int) -> bool:
    return any(kind == wanted for kind, _, _ in headers(options))


def fragment_header(ident: int, offset: int, more: bool) -> bytes:
    """A Fragment header (RFC 8200 §4.5) as it stands in `options`."""
    return bytes([FRAGMENT, 0]) + (offset | more).to_bytes(2, "big") + ident.to_bytes(4, "big")


def split_chain(options: bytes) -> tuple[bytes, bytes]:
    """(what every fragment repeats: all up to the last Hop-by-Hop or Routing header, the rest) (RFC 8200 §4.5)."""
    cut = 0
    for kind, at, size in headers(options):
        if kind in (HOP_BY_HOP, ROUTING):
            cut = at + size
    return options[:cut], options[cut:]
