"""Sending to a multicast group, and listening to one, with the calls of RFC 3678 that serve IPv4 and IPv6 alike."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Iterator
from ipaddress import ip_address
from struct import pack
from typing import Final

MARK: Final = b"netglass mcast "
"""How our datagrams begin; a number follows."""
_NUMBERED: Final = re.compile(rb"netglass mcast (\d{1,18})\b")

# Linux's numbers, which the socket module has not.
MCAST_JOIN_GROUP: Final = 42
MCAST_JOIN_SOURCE_GROUP: Final = 46
IP_MULTICAST_ALL: Final = 49
IPV6_MULTICAST_ALL: Final = 29


def send(
    group: str, port: int, count: int, interval: float, size: int, ttl: int, loop: bool, interface: str
) -> Iterator[bytes]:
    """`count` (0: without end) numbered datagrams of at least `size` bytes, one every `interval` seconds; each that was
    sent. `interface` "" is where the route leads."""
    family = family_of(group)
    with socket.socket(family, socket.SOCK_DGRAM) as sender:
        index = socket.if_nametoindex(interface) if interface else 0
        if family == socket.AF_INET:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, int(loop))
            if index:  # struct ip_mreqn
                sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, pack("=8xi", index))
        else:
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, ttl)
            sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, int(loop))
            if index:
                sender.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, index)
        number = 0
        while True:
            number += 1
            data = (MARK + b"%d" % number).ljust(size, b".")
            begin = time.monotonic()
            sender.sendto(data, (group, port))
            yield data
            if number == count:
                return
            time.sleep(max(begin + interval - time.monotonic(), 0))


def joined(group: str, port: int, source: str, interface: str) -> socket.socket:
    """A socket that hears what is sent to the group; with `source` only what that address sends."""
    family = family_of(group)
    receiver = socket.socket(family, socket.SOCK_DGRAM)
    try:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        level = socket.IPPROTO_IP if family == socket.AF_INET else socket.IPPROTO_IPV6
        # What others on this machine have joined is not for us.
        receiver.setsockopt(level, IP_MULTICAST_ALL if family == socket.AF_INET else IPV6_MULTICAST_ALL, 0)
        index = socket.if_nametoindex(interface) if interface else 0
        receiver.bind((group, port) if family == socket.AF_INET else ("::", port))
        wanted = pack("=i4x", index) + storage(group)  # struct group_req, group_source_req
        if source:
            receiver.setsockopt(level, MCAST_JOIN_SOURCE_GROUP, wanted + storage(source))
        else:
            receiver.setsockopt(level, MCAST_JOIN_GROUP, wanted)
    except OSError:
        receiver.close()
        raise
    return receiver


def number_of(data: bytes) -> int:
    """Which of ours it is; 0 if it is none."""
    found = _NUMBERED.match(data)
    return int(found[1]) if found else 0


def family_of(group: str) -> socket.AddressFamily:
    return socket.AF_INET if ip_address(group).version == 4 else socket.AF_INET6


def storage(address: str) -> bytes:
    """A struct sockaddr_storage."""
    family = family_of(address)
    packed = socket.inet_pton(family, address)
    return (pack("=H2x" if family == socket.AF_INET else "=H6x", family) + packed).ljust(128, b"\0")
