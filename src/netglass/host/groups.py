"""Which multicast groups the sockets of this host listen to, on which interface and from which sources; and what is
told about it to the routers (RFC 3376 §3 and §4, RFC 3810; Linux's ip_mc_* and ipv6_sock_mc_*).

A membership belongs to a socket, a group and an interface. The interface's own filter is what all of them together
need (`multicast.filter.merge`); `multicast.member` tells the link of it.
"""

from __future__ import annotations

from typing import Final

from netglass.errnos import EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS
from netglass.errors import WireError
from netglass.host.egress import Egress
from netglass.host.interface import Interface
from netglass.host.schedule import Schedule
from netglass.multicast.filter import SourceFilter, merge
from netglass.multicast.groups import destination_of
from netglass.multicast.member import Member
from netglass.rng import Rng
from netglass.times import NEVER
from netglass.udp.port import UdpPort
from netglass.wire.address import in_network, is_multicast
from netglass.wire.icmp import IcmpMessage
from netglass.wire.igmp import ALL_HOSTS, ROUTER_ALERT, decode_igmp, encode_igmp
from netglass.wire.ip import ICMPV6, IGMP, IpPacket
from netglass.wire.membership import Message, OldReport, Query
from netglass.wire.mld import ALL_NODES, MLD_TYPES, decode_mld, encode_mld
from netglass.world import Endpoint, Service

# What `change_source` does (IP_ADD_SOURCE_MEMBERSHIP, IP_DROP_SOURCE_MEMBERSHIP, IP_BLOCK_SOURCE, IP_UNBLOCK_SOURCE).
JOIN_SOURCE: Final = 1
LEAVE_SOURCE: Final = 2
BLOCK_SOURCE: Final = 3
UNBLOCK_SOURCE: Final = 4

MOST_MEMBERSHIPS: Final = 20  # net.ipv4.igmp_max_memberships, for each socket
MOST_SOURCES_4: Final = 10  # net.ipv4.igmp_max_msf
MOST_SOURCES_6: Final = 64  # net.ipv6.mld_max_msf

_LINK_LOCAL: Final = b"\xfe\x80" + bytes(6)
_ROUTER_ALERT_6: Final = bytes([0, 0, 5, 2, 0, 0, 1, 0])
"""A Hop-by-Hop header with the router alert of RFC 2711 (0: MLD) and two bytes of padding, as in `IpPacket.options`."""
_INTERNETWORK_CONTROL: Final = 0xC0  # precedence of IGMP (RFC 3376 §4)

_Place = tuple[int, bytes]
"""(index of the interface, group)"""


class Groups(Service):
    """The memberships of one host. Everything here is about one link at a time: routing is `multicast_router`."""

    __slots__ = ("_egress", "_held", "_highest", "_listened", "_members", "_rng", "_schedule")

    def __init__(self, egress: Egress, schedule: Schedule, rng: Rng) -> None:
        super().__init__()
        self._egress: Egress = egress
        self._schedule: Schedule = schedule
        self._rng: Rng = rng
        self._held: dict[Endpoint, dict[_Place, SourceFilter]] = {}
        self._listened: dict[_Place, SourceFilter] = {}  # the interface's filter for each group that anybody wants
        self._members: dict[tuple[int, int], tuple[Interface, Member]] = {}  # by (interface, IP version)
        self._highest: dict[int, int] = {4: 3, 6: 3}

    # -- questions

    def listens(self, interface: Interface, group: bytes, source: bytes) -> bool:
        """Is what `source` sends to `group` let in here? All-hosts always is."""
        wanted = self._listened.get((interface.index, group))
        if wanted is None:
            return group in (ALL_HOSTS, ALL_NODES)
        return wanted.allows(source)

    def hearers(self, ports: list[UdpPort], interface: Interface, group: bytes, source: bytes) -> list[UdpPort]:
        """Those that hear it: the membership decides, and without one IP_MULTICAST_ALL."""
        place = (interface.index, group)
        found: list[UdpPort] = []
        for port in ports:
            held = self._held.get(port)
            wanted = held.get(place) if held is not None else None
            if wanted is None:
                hears = port.multicast_all_4 if len(group) == 4 else port.multicast_all_6
            else:
                hears = wanted.allows(source)
            if hears:
                found.append(port)
        return found

    def filter_of(self, endpoint: Endpoint, group: bytes, interface: Interface | None) -> SourceFilter | None:
        """The socket's own filter; None if it is no member. Without an interface: on the first."""
        place = self._place_of(endpoint, group, interface)
        return self._held[endpoint][place] if place is not None else None

    def memberships(self) -> list[tuple[int, bytes, SourceFilter]]:
        """(interface's index, group, filter) of all that is listened to, as /proc/net/igmp and mcfilter show it."""
        return [(place[0], place[1], wanted) for place, wanted in self._listened.items()]

    # -- from sockets: 0, or a negative errno as Linux gives it

    def join(self, endpoint: Endpoint, group: bytes, interface: Interface, now: int) -> int:
        """IP_ADD_MEMBERSHIP, IPV6_JOIN_GROUP, MCAST_JOIN_GROUP: -EINVAL, -EADDRINUSE or -ENOBUFS."""
        if not is_multicast(group):
            return -EINVAL
        if (interface.index, group) in self._held.get(endpoint, {}):
            return -EADDRINUSE
        return self._set(endpoint, group, interface, SourceFilter(True), now)

    def leave(self, endpoint: Endpoint, group: bytes, interface: Interface | None, now: int) -> int:
        """IP_DROP_MEMBERSHIP and its kin: -EADDRNOTAVAIL if there is none."""
        place = self._place_of(endpoint, group, interface)
        if place is None:
            return -EADDRNOTAVAIL
        self._drop(endpoint, place, now)
        return 0

    def change_source(
        self, endpoint: Endpoint, group: bytes, source: bytes, interface: Interface, change: int, now: int
    ) -> int:
        """One source of a group comes or goes: -EINVAL (no multicast address; the membership is of the other mode),
        -EADDRNOTAVAIL (it is so already), -ENOBUFS."""
        if not is_multicast(group) or len(source) != len(group):
            return -EINVAL
        excludes = change in (BLOCK_SOURCE, UNBLOCK_SOURCE)
        known = self._held.get(endpoint, {}).get((interface.index, group))
        if known is None:
            if change != JOIN_SOURCE:
                return -EINVAL if excludes else -EADDRNOTAVAIL
            known = SourceFilter(False)
        elif known.exclude is not excludes and known.sources:
            return -EINVAL
        elif known.exclude is not excludes and change != JOIN_SOURCE:
            return -EADDRNOTAVAIL if not excludes else -EINVAL
        adds = change in (JOIN_SOURCE, BLOCK_SOURCE)
        if (source in known.sources) is adds:
            return -EADDRNOTAVAIL
        rest = tuple([one for one in known.sources if one != source])
        return self._set(endpoint, group, interface, SourceFilter(excludes, (*rest, source) if adds else rest), now)

    def set_filter(self, endpoint: Endpoint, group: bytes, interface: Interface, wanted: SourceFilter, now: int) -> int:
        """IP_MSFILTER, MCAST_MSFILTER: the whole filter at once. -EINVAL unless the group was joined."""
        if (interface.index, group) not in self._held.get(endpoint, {}):
            return -EINVAL
        return self._set(endpoint, group, interface, wanted, now)

    def hold(self, endpoint: Endpoint, group: bytes, interface: Interface, wanted: SourceFilter, now: int) -> None:
        """For the host itself: a router that joins for others (RFC 4605), a neighbour that must hear its group. No
        limits."""
        self._held.setdefault(endpoint, {})[interface.index, group] = wanted
        self._renew((interface.index, group), now)

    def leave_all(self, endpoint: Endpoint, now: int) -> None:
        """The socket is closed."""
        for place in list(self._held.get(endpoint, ())):
            self._drop(endpoint, place, now)

    def _place_of(self, endpoint: Endpoint, group: bytes, interface: Interface | None) -> _Place | None:
        for place in self._held.get(endpoint, ()):
            if place[1] == group and (interface is None or interface.index == place[0]):
                return place
        return None

    def _set(self, endpoint: Endpoint, group: bytes, interface: Interface, wanted: SourceFilter, now: int) -> int:
        place = (interface.index, group)
        held = self._held.setdefault(endpoint, {})
        if len(wanted.sources) > (MOST_SOURCES_4 if len(group) == 4 else MOST_SOURCES_6):
            return -ENOBUFS
        if place not in held and len(held) >= MOST_MEMBERSHIPS:
            return -ENOBUFS
        held[place] = wanted
        if wanted.empty:
            self._drop(endpoint, place, now)
        else:
            self._renew(place, now)
        return 0

    def _drop(self, endpoint: Endpoint, place: _Place, now: int) -> None:
        held = self._held[endpoint]
        del held[place]
        if not held:
            del self._held[endpoint]
        self._renew(place, now)

    def _renew(self, place: _Place, now: int) -> None:
        """The interface's filter follows from those of the sockets; the link is told what changed."""
        wanted = merge([held[place] for held in self._held.values() if place in held])
        if wanted.empty:
            self._listened.pop(place, None)
        else:
            self._listened[place] = wanted
        interface = next(one for one in self._egress.interfaces.values() if one.index == place[0])
        if not interface.loopback:
            self._member(interface, 4 if len(place[1]) == 4 else 6).set_filter(place[1], wanted, now)
            self._schedule.mark(self)

    def _member(self, interface: Interface, version: int) -> Member:
        known = self._members.get((interface.index, version))
        if known is None:
            stream = self._rng.stream("membership", interface.name, version)
            known = self._members[interface.index, version] = (interface, Member(stream, self._highest[version]))
        return known[1]

    def force_level(self, version: int, level: int) -> None:
        """net.ipv4.conf.*.force_igmp_version, and MLD's: no member made from now on speaks a higher level."""
        self._highest[version] = level

    # -- from and to the link

    def receive(self, message: Message, interface: Interface, version: int, now: int) -> None:
        """A query, or somebody's report, that has been found believable (`read_membership`)."""
        known = self._members.get((interface.index, version))
        if known is None:
            return
        if isinstance(message, Query):
            known[1].receive_query(message, now)
        elif isinstance(message, OldReport):
            known[1].receive_report(message, now)
        self._schedule.mark(self)

    @property
    def deadline(self) -> int:
        at = NEVER
        for _, member in self._members.values():
            at = min(at, member.deadline)
        return at

    def handle_timeout(self, now: int) -> None:
        for _, member in self._members.values():
            if member.deadline <= now:
                member.handle_timeout(now)

    def drain(self, now: int) -> None:
        for (_, version), (interface, member) in self._members.items():
            message = member.poll_message(now)
            while message is not None:
                send_membership(self._egress, interface, version, message, now)
                message = member.poll_message(now)


# -- packets of IGMP and MLD


def carries_membership(packet: IpPacket) -> bool:
    payload = packet.payload
    if isinstance(payload, IcmpMessage):
        return payload.version == 6 and payload.type in MLD_TYPES
    return packet.protocol == IGMP and isinstance(payload, bytes) and not packet.fragment_offset


def read_membership(packet: IpPacket) -> Message:
    """What the packet says, if it may be believed. WireError says why it is none, or why not: MLD comes from a
    link-local address one hop away (RFC 3810 §5.1.14, §5.2.13), a general query goes to all hosts (RFC 3376 §9.1)."""
    payload = packet.payload
    if isinstance(payload, IcmpMessage):
        if packet.ttl != 1 or not (in_network(packet.source, _LINK_LOCAL + bytes(8), 10) or not any(packet.source)):
            raise WireError("mld-not-from-link")
        message = decode_mld(payload)
        if isinstance(message, Query) and not any(packet.source):
            raise WireError("mld-not-from-link")
    else:
        message = decode_igmp(payload if isinstance(payload, bytes) else b"")
    asks_all = isinstance(message, Query) and message.general and message.level > 1
    if asks_all and packet.destination not in (ALL_HOSTS, ALL_NODES):
        raise WireError("membership-query-destination")
    return message


def send_membership(egress: Egress, interface: Interface, version: int, message: Message, now: int) -> None:
    """One hop far, with a router alert, from the interface's own address (RFC 3376 §4, RFC 3810 §5)."""
    destination = destination_of(message, version)
    source = link_address(interface, version)
    if version == 4:
        old = isinstance(message, (Query, OldReport)) and message.level == 1
        options = b"" if old else ROUTER_ALERT
        ident = egress.next_ident(destination)
        payload = encode_igmp(message)
        packet = IpPacket(source, destination, IGMP, payload, 1, _INTERNETWORK_CONTROL, ident, options=options)
    else:
        icmp = encode_mld(message)
        packet = IpPacket(source, destination, ICMPV6, icmp, 1, options=_ROUTER_ALERT_6)
    egress.send(packet, now, interface)


def link_address(interface: Interface, version: int) -> bytes:
    """Our address on this link for such messages: of IPv6 the link-local one, or what would be it (fe80::/64 and the
    interface identifier of another address); unspecified if the interface has none."""
    found = bytes(4 if version == 4 else 16)
    for address, _ in interface.addresses:
        if len(address) != len(found):
            continue
        if version == 4 or in_network(address, _LINK_LOCAL + bytes(8), 10):
            return address
        if not any(found):
            found = _LINK_LOCAL + address[8:]
    return found
