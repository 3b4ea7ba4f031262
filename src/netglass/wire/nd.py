"""Neighbour discovery (RFC 4861) as values, to and from the ICMPv6 messages that carry them.

Malformed messages raise `WireError`: "nd-short", "nd-option" (a length of zero, or beyond the end), "nd-address" (a
target that is multicast), "nd-code".
"""

from __future__ import annotations

from typing import Final

from netglass.errors import MisuseError, WireError
from netglass.wire.address import is_multicast
from netglass.wire.icmp import IcmpMessage

ROUTER_SOLICITATION: Final = 133
ROUTER_ADVERTISEMENT: Final = 134
NEIGHBOR_SOLICITATION: Final = 135
NEIGHBOR_ADVERTISEMENT: Final = 136
REDIRECT: Final = 137

ALL_NODES: Final = b"\xff\x02" + bytes(13) + b"\x01"
ALL_ROUTERS: Final = b"\xff\x02" + bytes(13) + b"\x02"
_SOLICITED: Final = b"\xff\x02" + bytes(9) + b"\x01\xff"  # and the last three bytes of the address

# Flags of a neighbour advertisement, in its second word.
ROUTER: Final = 1 << 31
SOLICITED: Final = 1 << 30
OVERRIDE: Final = 1 << 29

# Options (RFC 4861 §4.6, RFC 8106 §5.1).
_SOURCE_MAC: Final = 1
_TARGET_MAC: Final = 2
_PREFIX: Final = 3
_REDIRECTED: Final = 4
_MTU: Final = 5
_DNS: Final = 25

FOREVER: Final = 0xFFFFFFFF
"""A lifetime without end, in seconds."""


def solicited_node(address: bytes) -> bytes:
    """The group that whoever has `address` listens to (RFC 4291 §2.7.1)."""
    return _SOLICITED + address[13:]


class Prefix:
    """A prefix information option (RFC 4861 §4.6.2). Lifetimes in seconds, FOREVER without end."""

    __slots__ = ("autonomous", "length", "network", "on_link", "preferred_s", "valid_s")

    def __init__(
        self, network: bytes, length: int, valid_s: int, preferred_s: int, on_link: bool = True, autonomous: bool = True
    ) -> None:
        self.network: bytes = network
        self.length: int = length
        self.valid_s: int = valid_s
        self.preferred_s: int = preferred_s
        self.on_link: bool = on_link  # L: its addresses are reached without a router
        self.autonomous: bool = autonomous  # A: hosts make themselves addresses in it


class NdOptions:
    """The options of any of the five messages; an absent one is b"", 0 or empty. Unknown ones are skipped."""

    __slots__ = ("dns", "dns_lifetime_s", "mac", "mtu", "prefixes", "quote")

    def __init__(self) -> None:
        self.mac: bytes = b""  # source's in a solicitation or router advertisement, target's in the two others
        self.mtu: int = 0
        self.prefixes: list[Prefix] = []
        self.quote: bytes = b""  # of a redirect: the packet that caused it
        self.dns: list[bytes] = []
        self.dns_lifetime_s: int = 0


class RouterAdvertisement:
    """What a router tells (RFC 4861 §4.2)."""

    __slots__ = ("hop_limit", "lifetime_s", "managed", "options", "other", "reachable_ms", "retransmit_ms")

    def __init__(self, lifetime_s: int = 1800, hop_limit: int = 64) -> None:
        self.hop_limit: int = hop_limit  # 0: not told
        self.managed: bool = False  # M: addresses by DHCPv6
        self.other: bool = False  # O: other things by DHCPv6
        self.lifetime_s: int = lifetime_s  # as a default router; 0: it is none
        self.reachable_ms: int = 0  # 0: not told
        self.retransmit_ms: int = 0
        self.options: NdOptions = NdOptions()


# -- to messages


def neighbor_solicitation(target: bytes, mac: bytes) -> IcmpMessage:
    """Asks who has `target`. `mac` is the sender's; b"" if its address is still unspecified."""
    return IcmpMessage(6, NEIGHBOR_SOLICITATION, 0, 0, target + _mac_option(_SOURCE_MAC, mac))


def neighbor_advertisement(target: bytes, mac: bytes, flags: int) -> IcmpMessage:
    """Tells that `target` is at `mac`. Flags: ROUTER, SOLICITED, OVERRIDE."""
    return IcmpMessage(6, NEIGHBOR_ADVERTISEMENT, 0, flags, target + _mac_option(_TARGET_MAC, mac))


def router_solicitation(mac: bytes) -> IcmpMessage:
    return IcmpMessage(6, ROUTER_SOLICITATION, 0, 0, _mac_option(_SOURCE_MAC, mac))


def redirect(target: bytes, destination: bytes, mac: bytes, quote: bytes) -> IcmpMessage:
    """Tells that packets to `destination` better go to `target` (itself if it is on the link)."""
    room = 1280 - 40 - 40 - 16  # the whole message fits the least MTU (RFC 4861 §4.5)
    cut = quote[: room & ~7]
    padded = cut + bytes(-len(cut) % 8)
    option = bytes([_REDIRECTED, 1 + len(padded) // 8]) + bytes(6) + padded if quote else b""
    return IcmpMessage(6, REDIRECT, 0, 0, target + destination + _mac_option(_TARGET_MAC, mac) + option)


def router_advertisement(told: RouterAdvertisement) -> IcmpMessage:
    options = told.options
    rest = told.hop_limit << 24 | (told.managed << 7 | told.other << 6) << 16 | told.lifetime_s
    data = told.reachable_ms.to_bytes(4, "big") + told.retransmit_ms.to_bytes(4, "big")
    data += _mac_option(_SOURCE_MAC, options.mac)
    if options.mtu:
        data += bytes([_MTU, 1, 0, 0]) + options.mtu.to_bytes(4, "big")
    for prefix in options.prefixes:
        data += _prefix_option(prefix)
    if options.dns:
        data += bytes([_DNS, 1 + 2 * len(options.dns), 0, 0]) + options.dns_lifetime_s.to_bytes(4, "big")
        data += b"".join(options.dns)
    return IcmpMessage(6, ROUTER_ADVERTISEMENT, 0, rest, data)


def _mac_option(kind: int, mac: bytes) -> bytes:
    return bytes([kind, 1]) + mac if mac else b""


def _prefix_option(prefix: Prefix) -> bytes:
    if len(prefix.network) != 16 or not 0 <= prefix.length <= 128:
        raise MisuseError(f"a prefix is an IPv6 network and a length up to 128; this is /{prefix.length}")
    flags = prefix.on_link << 7 | prefix.autonomous << 6
    times = prefix.valid_s.to_bytes(4, "big") + prefix.preferred_s.to_bytes(4, "big")
    return bytes([_PREFIX, 4, prefix.length, flags]) + times + bytes(4) + prefix.network


# -- from messages


def is_nd(message: IcmpMessage) -> bool:
    return message.version == 6 and ROUTER_SOLICITATION <= message.type <= REDIRECT


def read_target(message: IcmpMessage) -> bytes:
    """The target address of a neighbour solicitation or advertisement, or of a redirect."""
    if message.code != 0:
        raise WireError("nd-code")
    if len(message.payload) < 16:
        raise WireError("nd-short")
    target = message.payload[:16]
    if is_multicast(target):
        raise WireError("nd-address")
    return target


def read_redirected(message: IcmpMessage) -> bytes:
    """The destination that a redirect is about."""
    if len(message.payload) < 32:
        raise WireError("nd-short")
    destination = message.payload[16:32]
    if is_multicast(destination):
        raise WireError("nd-address")
    return destination


def read_router_advertisement(message: IcmpMessage) -> RouterAdvertisement:
    if message.code != 0:
        raise WireError("nd-code")
    data = message.payload
    if len(data) < 8:
        raise WireError("nd-short")
    told = RouterAdvertisement(message.rest & 0xFFFF, message.rest >> 24)
    told.managed = message.rest >> 16 & 0x80 != 0
    told.other = message.rest >> 16 & 0x40 != 0
    told.reachable_ms = int.from_bytes(data[0:4], "big")
    told.retransmit_ms = int.from_bytes(data[4:8], "big")
    told.options = read_options(message)
    return told


_OPTIONS_FROM: Final[dict[int, int]] = {
    ROUTER_SOLICITATION: 0,
    ROUTER_ADVERTISEMENT: 8,
    NEIGHBOR_SOLICITATION: 16,
    NEIGHBOR_ADVERTISEMENT: 16,
    REDIRECT: 32,
}


def read_options(message: IcmpMessage) -> NdOptions:
    """The options behind the fixed part of any of the five messages."""
    data = message.payload
    wanted = _SOURCE_MAC if message.type < NEIGHBOR_ADVERTISEMENT else _TARGET_MAC
    found = NdOptions()
    at = _OPTIONS_FROM[message.type]
    if len(data) < at:
        raise WireError("nd-short")
    while at < len(data):
        size = data[at + 1] * 8 if at + 1 < len(data) else 0
        if size == 0 or at + size > len(data):
            raise WireError("nd-option")  # RFC 4861 §6.1.1: the whole message is void
        kind = data[at]
        option = data[at : at + size]
        if kind == wanted and size == 8:
            found.mac = option[2:8]
        elif kind == _PREFIX and size == 32:
            found.prefixes.append(_read_prefix(option))
        elif kind == _MTU and size == 8:
            found.mtu = int.from_bytes(option[4:8], "big")
        elif kind == _REDIRECTED:
            found.quote = option[8:]
        elif kind == _DNS and size >= 24:
            found.dns_lifetime_s = int.from_bytes(option[4:8], "big")
            found.dns += [option[i : i + 16] for i in range(8, size - 15, 16)]
        at += size
    return found


def _read_prefix(option: bytes) -> Prefix:
    valid = int.from_bytes(option[4:8], "big")
    preferred = int.from_bytes(option[8:12], "big")
    flags = option[3]
    return Prefix(option[16:32], option[2], valid, preferred, flags & 0x80 != 0, flags & 0x40 != 0)
