"""Multicast through a router: it asks on each of its links who listens (`multicast.querier`), and passes on what
somebody wants, once, into each such link.

A packet is taken only on the link that leads back to its source (reverse path forwarding), so that no loop can turn
it round. There is no routing protocol between routers: one interface may be the way up (RFC 4605, IGMP proxying). What
the other links want is joined there, and everything from below is sent up.
"""

from __future__ import annotations

from netglass.errors import MisuseError
from netglass.host.egress import Egress
from netglass.host.groups import Groups, link_address, send_membership
from netglass.host.interface import Interface
from netglass.host.schedule import Schedule
from netglass.multicast.filter import SourceFilter, merge
from netglass.multicast.groups import routable
from netglass.multicast.querier import Querier, QuerierSettings
from netglass.times import NEVER
from netglass.wire.address import is_link_local
from netglass.wire.ip import IpPacket
from netglass.wire.membership import Message, OldReport, Query, Report
from netglass.wire.packet import forwarded, packet_size
from netglass.world import Endpoint, Service


class MulticastRouter(Service):
    """The router's side of all links of one host. It does nothing until `serve` names a link."""

    __slots__ = ("_egress", "_groups", "_proxied", "_queriers", "_schedule", "_up", "_up_member", "forwarded")

    def __init__(self, egress: Egress, schedule: Schedule, groups: Groups) -> None:
        super().__init__()
        self._egress: Egress = egress
        self._schedule: Schedule = schedule
        self._groups: Groups = groups
        self._queriers: dict[tuple[int, int], tuple[Interface, Querier]] = {}  # by (interface, IP version)
        self._up: Interface | None = None
        self._up_member: Endpoint = Endpoint()  # holds the memberships on the way up
        self._proxied: dict[bytes, SourceFilter] = {}
        self.forwarded: int = 0  # copies sent on

    @property
    def active(self) -> bool:
        return bool(self._queriers) or self._up is not None

    def serve(self, interface: Interface, now: int, settings: QuerierSettings | None = None) -> None:
        """Asks for listeners on this link from now on, for each IP version of which it has an address."""
        if interface.loopback:
            raise MisuseError("nobody is asked on the loopback; multicast is routed between links")
        for version in (4, 6):
            address = link_address(interface, version)
            if any(address) and (interface.index, version) not in self._queriers:
                querier = Querier(address, settings if settings is not None else QuerierSettings(), now)
                self._queriers[interface.index, version] = (interface, querier)
        self._schedule.mark(self)

    def proxy_to(self, interface: Interface) -> None:
        """The way up: the link towards the rest of the network."""
        self._up = interface

    def querier(self, interface: Interface, version: int) -> Querier | None:
        found = self._queriers.get((interface.index, version))
        return found[1] if found is not None else None

    # -- from the link

    def receive(self, message: Message, source: bytes, interface: Interface, now: int) -> None:
        """A query or report that has been found believable."""
        querier = self.querier(interface, 4 if len(source) == 4 else 6)
        if querier is None:
            return
        if isinstance(message, Query):
            querier.receive_query(message, source, now)
        elif isinstance(message, (Report, OldReport)):
            querier.receive_report(message, now)
        self._schedule.mark(self)

    def forward(self, packet: IpPacket, interface: Interface, now: int) -> str:
        """Sends copies to every link that wants the packet: "" if any did, else the counter that says why not."""
        group = packet.destination
        source = packet.source
        if not routable(group) or (len(source) == 16 and is_link_local(source)):
            return "multicast-local-scope"
        back = self._egress.path(source, now)
        if back is None or back.interface is not interface:
            return "multicast-wrong-way"
        version = 4 if len(source) == 4 else 6
        out: list[Interface] = []
        if self._up is not None and self._up is not interface:
            out.append(self._up)
        for (_, which), (other, querier) in self._queriers.items():
            if which == version and other is not interface and other is not self._up and querier.wants(group, source):
                out.append(other)
        if not out:
            return "multicast-not-wanted"
        if packet.ttl <= 1:
            return "ip-ttl"  # and no ICMP about it (RFC 1112 §7.2)
        copy = forwarded(packet)
        for other in out:
            if packet_size(copy) > other.mtu and (version == 6 or copy.dont_fragment):
                self._egress.counters.add("multicast-too-big")
            else:
                self.forwarded += 1
                self._egress.send(copy, now, other)
        return ""

    # -- to the link

    @property
    def deadline(self) -> int:
        at = NEVER
        for _, querier in self._queriers.values():
            at = min(at, querier.deadline)
        return at

    def handle_timeout(self, now: int) -> None:
        for _, querier in self._queriers.values():
            if querier.deadline <= now:
                querier.handle_timeout(now)

    def drain(self, now: int) -> None:
        for (_, version), (interface, querier) in self._queriers.items():
            message = querier.poll_message(now)
            while message is not None:
                send_membership(self._egress, interface, version, message, now)
                # The host in us answers its own router as others do, but needs no packet for it.
                self._groups.receive(message, interface, version, now)
                message = querier.poll_message(now)
        if self._up is not None:
            self._proxy(self._up, now)

    def _proxy(self, up: Interface, now: int) -> None:
        """RFC 4605 §4.1: we are a member, on the way up, of what the other links want."""
        wanted: dict[bytes, list[SourceFilter]] = {}
        for interface, querier in self._queriers.values():
            if interface is up:
                continue
            for group, one in querier.groups().items():
                if routable(group):
                    wanted.setdefault(group, []).append(one)
        for group, filters in wanted.items():
            merged = merge(filters)
            known = self._proxied.get(group)
            if known is None or not known.same(merged):
                self._proxied[group] = merged
                self._groups.hold(self._up_member, group, up, merged, now)
        for group in [group for group in self._proxied if group not in wanted]:
            del self._proxied[group]
            self._groups.leave(self._up_member, group, up, now)
