"""Ancillary data: what the IP header of a received packet told, if it was asked for, and what that of a packet to be
sent shall say (ip(7), RFC 3542 §6)."""

from __future__ import annotations

from struct import Struct
from typing import Final

from netglass.errnos import EINVAL
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
    SO_MARK,
    SOL_SOCKET,
)
from netglass.sockets.description import Control, Description

_PKTINFO: Final = Struct("<i4s4s")
_PKTINFO_6: Final = Struct("<16si")
_INT: Final = Struct("<i")
_PASSED_OVER: Final = (1, 2, SO_MARK)
"""Of SOL_SOCKET (SCM_RIGHTS, SCM_CREDENTIALS): no business of IP's."""


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


class Header:
    """What one datagram says instead of what its socket's options do."""

    __slots__ = ("index", "source", "tos", "ttl_hops")

    def __init__(self) -> None:
        self.ttl_hops: int = -1  # -1: as the socket says
        self.tos: int = -1
        self.source: bytes = b""  # b"": as the socket says
        self.index: int = 0  # of the interface; 0: any

    def take(self, control: Control, family: int) -> int:
        """0, or -EINVAL, as Linux's ip_cmsg_send and ip6_datagram_send_ctl."""
        for level, kind, value in control:
            if level == SOL_SOCKET:
                result = 0 if kind in _PASSED_OVER else -EINVAL
            elif level == IPPROTO_IP:
                result = self._take_4(kind, value)
            else:
                result = self._take_6(kind, value) if level == IPPROTO_IPV6 and family == AF_INET6 else 0
            if result < 0:
                return result
        return 0

    def _take_4(self, kind: int, value: bytes) -> int:
        if kind == IP_PKTINFO and len(value) == _PKTINFO.size:
            self.index, source, _ = _PKTINFO.unpack(value)
            self.source = source if any(source) else b""
            return 0
        number = value[0] if kind == IP_TOS and len(value) == 1 else _number(value, 0, 255)
        if kind == IP_TTL and number > 0:
            self.ttl_hops = number
        elif kind == IP_TOS and number >= 0:
            self.tos = number
        else:
            return -EINVAL
        return 0

    def _take_6(self, kind: int, value: bytes) -> int:
        if kind == IPV6_PKTINFO and len(value) >= _PKTINFO_6.size:
            source, self.index = _PKTINFO_6.unpack_from(value)
            self.source = source if any(source) else b""
            return 0
        number = _number(value, -1, 255)
        if kind not in (IPV6_HOPLIMIT, IPV6_TCLASS) or number < -1:
            return -EINVAL
        if kind == IPV6_HOPLIMIT:
            self.ttl_hops = number
        else:
            self.tos = number
        return 0


def _number(value: bytes, least: int, most: int) -> int:
    """An int of C's within its limits; -2 for anything else."""
    number = int(_INT.unpack(value)[0]) if len(value) == _INT.size else -2
    return number if least <= number <= most else -2
