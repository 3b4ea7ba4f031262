"""Ancillary data of what was received: what the IP header told, if it was asked for (ip(7), RFC 3542 §6)."""

from __future__ import annotations

from struct import Struct
from typing import Final

from netglass.sockets.constants import (
    AF_INET6,
    IP_PKTINFO,
    IP_RECVTOS,
    IP_RECVTTL,
    IP_TOS,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_HOPLIMIT,
    IPV6_PKTINFO,
    IPV6_RECVHOPLIMIT,
    IPV6_RECVPKTINFO,
    IPV6_RECVTCLASS,
    IPV6_TCLASS,
)
from netglass.sockets.description import Control, Description

_PKTINFO: Final = Struct("<i4s4s")
_PKTINFO_6: Final = Struct("<16si")
_INT: Final = Struct("<i")


def control_of(socket: Description, destination: bytes, ttl: int, tos: int, interface: str) -> Control:
    """In Linux's order, for a packet to `destination` that came over `interface`."""
    control: Control = []
    if socket.family == AF_INET6:
        if socket.flag(IPPROTO_IPV6, IPV6_RECVPKTINFO):
            mapped = bytes(10) + b"\xff\xff" + destination if len(destination) == 4 else destination
            value = _PKTINFO_6.pack(mapped, _index(socket, interface))
            control.append((IPPROTO_IPV6, IPV6_PKTINFO, value))
        if socket.flag(IPPROTO_IPV6, IPV6_RECVHOPLIMIT):
            control.append((IPPROTO_IPV6, IPV6_HOPLIMIT, _INT.pack(ttl)))
        if socket.flag(IPPROTO_IPV6, IPV6_RECVTCLASS):
            control.append((IPPROTO_IPV6, IPV6_TCLASS, _INT.pack(tos)))
    if len(destination) == 4:
        if socket.flag(IPPROTO_IP, IP_PKTINFO):
            value = _PKTINFO.pack(_index(socket, interface), destination, destination)
            control.append((IPPROTO_IP, IP_PKTINFO, value))
        if socket.flag(IPPROTO_IP, IP_RECVTTL):
            control.append((IPPROTO_IP, IP_TTL, _INT.pack(ttl)))
        if socket.flag(IPPROTO_IP, IP_RECVTOS):
            control.append((IPPROTO_IP, IP_TOS, bytes([tos])))
    return control


def _index(socket: Description, interface: str) -> int:
    found = socket.host.interfaces.get(interface)
    return found.index if found is not None else 0
