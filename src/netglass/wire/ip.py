"""The IP packet as a value, version 4 (RFC 791) or 6 (RFC 8200), and what it carries.

An address is its packed bytes, 4 or 16 of them; its length is the version. `wire.address` turns text into it and back.
"""

from __future__ import annotations

from typing import Final

from netglass.wire.icmp import IcmpMessage
from netglass.wire.tcp import TcpSegment
from netglass.wire.udp import UdpDatagram

ICMP: Final = 1
IGMP: Final = 2
TCP: Final = 6
UDP: Final = 17
ICMPV6: Final = 58

Payload = TcpSegment | UdpDatagram | IcmpMessage | bytes


class IpPacket:
    """One packet. Never changed once sent: `forwarded()` makes the copy that a router passes on."""

    __slots__ = (
        "destination",
        "dont_fragment",
        "flow_label",
        "fragment_offset",
        "ident",
        "more_fragments",
        "options",
        "payload",
        "protocol",
        "size",
        "source",
        "tos",
        "ttl",
    )

    def __init__(
        self,
        source: bytes,
        destination: bytes,
        protocol: int,
        payload: Payload,
        ttl: int = 64,
        tos: int = 0,
        ident: int = 0,
        dont_fragment: bool = True,
        more_fragments: bool = False,
        fragment_offset: int = 0,
        options: bytes = b"",
        flow_label: int = 0,
        size: int = 0,
    ) -> None:
        self.source: bytes = source
        self.destination: bytes = destination
        self.protocol: int = protocol
        self.payload: Payload = payload
        self.ttl: int = ttl  # hops left
        self.tos: int = tos  # 8 bits: DSCP and, in the low two, ECN (RFC 3168); IPv6 traffic class
        self.ident: int = ident
        self.dont_fragment: bool = dont_fragment  # IPv6: always, for routers
        self.more_fragments: bool = more_fragments
        self.fragment_offset: int = fragment_offset  # bytes, a multiple of 8
        self.options: bytes = options  # IPv4: as on the wire; IPv6: the extension headers (`wire.extension`)
        self.flow_label: int = flow_label
        self.size: int = size  # bytes on the wire with all headers; 0: not reckoned yet (see `packet_size`)

    @property
    def version(self) -> int:
        return 4 if len(self.source) == 4 else 6
