"""The options that join and leave multicast groups, in their three dialects: IPv4's own, IPv6's own, and those of
RFC 3678 that serve both. Each is read into a `Change` first, whose meaning is the same in all of them.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from netglass.errnos import EADDRNOTAVAIL, EINVAL, ENODEV
from netglass.host.groups import BLOCK_SOURCE, JOIN_SOURCE, LEAVE_SOURCE, UNBLOCK_SOURCE
from netglass.host.host import Host
from netglass.host.interface import Interface
from netglass.multicast.filter import SourceFilter
from netglass.sockets.constants import (
    AF_INET,
    AF_INET6,
    IP_ADD_MEMBERSHIP,
    IP_ADD_SOURCE_MEMBERSHIP,
    IP_BLOCK_SOURCE,
    IP_DROP_MEMBERSHIP,
    IP_DROP_SOURCE_MEMBERSHIP,
    IP_MSFILTER,
    IP_UNBLOCK_SOURCE,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPV6_JOIN_GROUP,
    IPV6_LEAVE_GROUP,
    MCAST_BLOCK_SOURCE,
    MCAST_EXCLUDE,
    MCAST_JOIN_GROUP,
    MCAST_JOIN_SOURCE_GROUP,
    MCAST_LEAVE_GROUP,
    MCAST_LEAVE_SOURCE_GROUP,
    MCAST_MSFILTER,
    MCAST_UNBLOCK_SOURCE,
)
from netglass.world import Endpoint

_JOIN: Final = 5
_LEAVE: Final = 6
_FILTER: Final = 7

_IPV4: Final[dict[int, int]] = {
    IP_ADD_MEMBERSHIP: _JOIN,
    IP_DROP_MEMBERSHIP: _LEAVE,
    IP_ADD_SOURCE_MEMBERSHIP: JOIN_SOURCE,
    IP_DROP_SOURCE_MEMBERSHIP: LEAVE_SOURCE,
    IP_BLOCK_SOURCE: BLOCK_SOURCE,
    IP_UNBLOCK_SOURCE: UNBLOCK_SOURCE,
    IP_MSFILTER: _FILTER,
}
_IPV6: Final[dict[int, int]] = {IPV6_JOIN_GROUP: _JOIN, IPV6_LEAVE_GROUP: _LEAVE}
_BOTH: Final[dict[int, int]] = {
    MCAST_JOIN_GROUP: _JOIN,
    MCAST_LEAVE_GROUP: _LEAVE,
    MCAST_JOIN_SOURCE_GROUP: JOIN_SOURCE,
    MCAST_LEAVE_SOURCE_GROUP: LEAVE_SOURCE,
    MCAST_BLOCK_SOURCE: BLOCK_SOURCE,
    MCAST_UNBLOCK_SOURCE: UNBLOCK_SOURCE,
    MCAST_MSFILTER: _FILTER,
}

_STORAGE: Final = 128  # struct sockaddr_storage
_GROUP_AT: Final = 8  # in group_req, group_source_req and group_filter: after the interface and padding
_FILTER_AT: Final = _GROUP_AT + _STORAGE
_two_words: Final = Struct("=II").unpack_from
_word: Final = Struct("=I").unpack_from


class _Change:
    """What an option asks for. `index` 0 and no `address`: any interface."""

    __slots__ = ("address", "group", "index", "sources", "wanted")

    def __init__(self, group: bytes) -> None:
        self.group: bytes = group
        self.index: int = 0
        self.address: bytes = b""
        self.sources: list[bytes] = []
        self.wanted: SourceFilter | None = None


def action_of(level: int, option: int, family: int) -> int:
    """What the option does to a membership; 0 if it is none of these."""
    if level == IPPROTO_IP:
        return _IPV4.get(option, 0) or _BOTH.get(option, 0)
    if level == IPPROTO_IPV6 and family == AF_INET6:
        return _IPV6.get(option, 0) or _BOTH.get(option, 0)
    return 0


def change_membership(
    host: Host, endpoint: Endpoint, level: int, option: int, action: int, value: int | bytes, now: int
) -> int:
    """setsockopt(2) for such an option: 0 or a negative errno."""
    if isinstance(value, int):
        return -EINVAL
    change = _read(level, option, action, value)
    if change is None:
        return -EINVAL
    interface = _interface(host, change)
    if interface is None and (change.index or change.address):
        return -ENODEV if action != _LEAVE else -EADDRNOTAVAIL
    if action == _JOIN:
        return host.join_group(endpoint, change.group, now, interface)
    if action == _LEAVE:
        return host.leave_group(endpoint, change.group, now, interface)
    if interface is None:
        interface = host.group_interface(change.group, now)
    if interface is None:
        return -ENODEV
    if change.wanted is not None:
        return host.groups.set_filter(endpoint, change.group, interface, change.wanted, now)
    return host.groups.change_source(endpoint, change.group, change.sources[0], interface, action, now)


def _interface(host: Host, change: _Change) -> Interface | None:
    for interface in host.interfaces.values():
        if change.index:
            if interface.index == change.index:
                return interface
        elif change.address and interface.holds(change.address):
            return interface
    return None


def _read(level: int, option: int, action: int, value: bytes) -> _Change | None:
    """None if the value is too short, or of the wrong family."""
    if option in _BOTH:
        return _read_both(AF_INET if level == IPPROTO_IP else AF_INET6, action, value)
    if level == IPPROTO_IPV6:  # struct ipv6_mreq
        if len(value) < 20:
            return None
        change = _Change(value[:16])
        change.index = int(_word(value, 16)[0])
        return change
    if len(value) < 8:
        return None
    change = _Change(value[:4])
    if any(value[4:8]):
        change.address = value[4:8]
    if action in (_JOIN, _LEAVE):  # struct ip_mreq, or ip_mreqn with the interface's index
        change.index = int(_word(value, 8)[0]) if len(value) >= 12 else 0
    elif action == _FILTER:  # struct ip_msfilter
        return _read_filter(change, value, 8, 16, 4, 0, AF_INET)
    elif len(value) < 12:
        return None
    else:  # struct ip_mreq_source
        change.sources = [value[8:12]]
    return change


def _read_both(family: int, action: int, value: bytes) -> _Change | None:
    """struct group_req, group_source_req or group_filter, as the compiler lays them out on 64 bits."""
    group = _socket_address(value, _GROUP_AT, family)
    if not group:
        return None
    change = _Change(group)
    change.index = int(_word(value)[0])
    if action == _FILTER:
        return _read_filter(change, value, _FILTER_AT, _FILTER_AT + 8, _STORAGE, 4 if family == AF_INET else 8, family)
    if action not in (_JOIN, _LEAVE):
        source = _socket_address(value, _FILTER_AT, family)
        if not source:
            return None
        change.sources = [source]
    return change


def _read_filter(
    change: _Change, value: bytes, mode_at: int, sources_at: int, step: int, inside: int, family: int
) -> _Change | None:
    if len(value) < sources_at:
        return None
    mode, count = _two_words(value, mode_at)
    if mode not in (0, 1) or len(value) < sources_at + count * step:
        return None
    sources: list[bytes] = []
    for number in range(count):
        at = sources_at + number * step
        source = _socket_address(value, at, family) if inside else value[at : at + 4]
        if not source:
            return None
        sources.append(source)
    change.wanted = SourceFilter(mode == MCAST_EXCLUDE, tuple(sources))
    return change


def _socket_address(value: bytes, at: int, family: int) -> bytes:
    """The address in a `struct sockaddr_in` or `sockaddr_in6`; b"" if it is of another family or cut."""
    if len(value) < at + (16 if family == AF_INET else 28) or int.from_bytes(value[at : at + 2], "little") != family:
        return b""
    return value[at + 4 : at + 8] if family == AF_INET else value[at + 8 : at + 24]
