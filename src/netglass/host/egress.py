"""The way out: route, source address, identification, then the interface, or the loop back to ourselves."""

from __future__ import annotations

from collections import deque
from typing import Final

from netglass.counters import Counters
from netglass.errnos import EMSGSIZE, ENETUNREACH
from netglass.errors import MisuseError
from netglass.host.config import HostConfig
from netglass.host.interface import LARGEST_PACKET, Interface
from netglass.host.routes import Path, Route, Routes
from netglass.ip.fragment import fragments
from netglass.neighbor.ethernet import Ethernet
from netglass.neighbor.port import Outgoing
from netglass.probe import Probe
from netglass.tcp.tcb import Tcb
from netglass.times import MINUTE, NEVER
from netglass.wire.address import (
    BROADCAST,
    LOOPBACK_4,
    LOOPBACK_6,
    broadcast_of,
    in_network,
    is_link_local,
    is_loopback,
    is_multicast,
    network_of,
    text,
)
from netglass.wire.ip import TCP, IpPacket
from netglass.wire.packet import packet_size
from netglass.wire.tcp import TcpSegment

PATHS_KEPT: Final = 4096
"""Paths and learned MTUs that are remembered. A flood of forged sources must not fill the memory: at the limit all
are forgotten and found again."""

LEARNED_MTU_LIFETIME: Final = 10 * MINUTE  # RFC 1191 §6.3; Linux net.ipv4.route.mtu_expires
REDIRECT_LIFETIME: Final = 5 * MINUTE  # Linux net.ipv4.route.gc_timeout
_LEAST_MTU_4: Final = 552  # Linux net.ipv4.route.min_pmtu: below that an attacker slows us down
_LEAST_MTU_6: Final = 1280  # RFC 8201 §4
_LINK_LOCAL: Final = b"\xfe\x80" + bytes(14)  # fe80::/10 (RFC 4291 §2.5.6)


class Egress:
    """Interfaces, addresses and routes of one host, and what waits to leave: `ready` for the interfaces, `looped`
    for ourselves."""

    __slots__ = (
        "_ident",
        "_ident_6",
        "_learned",
        "_paths",
        "_redirected",
        "addresses",
        "broadcasts",
        "by_index",
        "config",
        "counters",
        "dropped",
        "frames",
        "interfaces",
        "loopback",
        "looped",
        "name",
        "probe",
        "ready",
        "routes",
    )

    def __init__(self, name: str, config: HostConfig, counters: Counters, probe: Probe | None, ident: int) -> None:
        self.name: str = name
        self.config: HostConfig = config
        self.counters: Counters = counters
        self.probe: Probe | None = probe
        self.routes: Routes = Routes()
        self.interfaces: dict[str, Interface] = {}
        self.by_index: list[Interface] = []  # those again: number 1 first
        self.addresses: dict[bytes, Interface] = {}  # every address of ours
        self.broadcasts: set[bytes] = {BROADCAST}
        self.ready: deque[tuple[Interface, IpPacket]] = deque()
        self.frames: Outgoing = deque()  # what waits to leave over Ethernet
        self.looped: deque[IpPacket] = deque()
        self.dropped: int = 0  # packets, in either direction; `counters` says why
        self._ident: int = ident
        # RFC 7739: not from zero, and not one counter for all hosts; the seed decides.
        self._ident_6: int = ident * 0x9E3779B1 & 0xFFFFFFFF
        self._paths: dict[bytes, Path] = self.routes.paths
        self._learned: dict[bytes, tuple[int, int]] = {}  # destination -> (path MTU, when to forget it)
        self._redirected: dict[bytes, tuple[bytes, int]] = {}  # destination -> (gateway, when to forget it)
        self.loopback: Interface = self.add_interface("lo", 65536, False, True)
        self.add_address(self.loopback, LOOPBACK_4, 8)
        self.add_address(self.loopback, LOOPBACK_6, 128)

    # -- set-up

    def add_interface(self, name: str, mtu: int, offload: bool, loopback: bool) -> Interface:
        if name in self.interfaces:
            raise MisuseError(f"{self.name} has an interface {name!r} already; each name is used once")
        if mtu < 68:
            raise MisuseError(f"an MTU is at least 68 bytes (RFC 791 §3.2); this is {mtu}")
        interface = Interface(name, len(self.interfaces) + 1, mtu, offload, loopback)
        self.interfaces[name] = interface
        self.by_index.append(interface)
        return interface

    def add_address(self, interface: Interface, address: bytes, prefix: int) -> None:
        network = network_of(address, prefix)
        if address in self.addresses:
            raise MisuseError(f"{self.name} has the address {text(address)} already, on {self.addresses[address].name}")
        self.add_route(Route(network, prefix, interface, b"", 0))
        interface.addresses.append((address, prefix))
        self.addresses[address] = interface
        if len(address) == 4 and prefix < 31 and not interface.loopback:  # RFC 3021: a /31 has no broadcast address
            broadcast = broadcast_of(network, prefix)
            interface.broadcasts.append(broadcast)
            self.broadcasts.add(broadcast)

    def remove_address(self, interface: Interface, address: bytes) -> bool:
        """Takes an address away, and the route to its network if no other address lies in it. False if the interface
        does not have it."""
        prefixes = [prefix for own, prefix in interface.addresses if own == address]
        if not prefixes:
            return False
        prefix = prefixes[0]
        interface.addresses.remove((address, prefix))
        del self.addresses[address]
        self.routes.paths.clear()
        network = network_of(address, prefix)
        if any(length == prefix and network_of(own, length) == network for own, length in interface.addresses):
            return True
        self.routes.remove(network, prefix, b"")
        if len(address) == 4 and prefix < 31 and not interface.loopback:
            broadcast = broadcast_of(network, prefix)
            interface.broadcasts.remove(broadcast)
            self.broadcasts.discard(broadcast)
        return True

    def add_route(self, route: Route) -> None:
        if self.interfaces.get(route.interface.name) is not route.interface:
            raise MisuseError(f"{route.interface.name!r} is not an interface of {self.name}")
        self.routes.add(route)

    # -- questions

    def path(self, destination: bytes, now: int) -> Path | None:
        """How a packet for `destination` leaves; None if no route leads there."""
        path = self._paths.get(destination)
        if path is not None and now < path.expires:
            return path
        path = self._find_path(destination, now)
        if path is not None:
            if len(self._paths) >= PATHS_KEPT:
                self._paths.clear()
            self._paths[destination] = path
        return path

    def _find_path(self, destination: bytes, now: int) -> Path | None:
        version = 4 if len(destination) == 4 else 6
        if self.is_local(destination):
            # All of 127.0.0.0/8 is ours. What is in use is listed, so that ingress knows a forged source at a glance.
            self.addresses.setdefault(destination, self.loopback)
            return Path(version, self.loopback, b"", LARGEST_PACKET, NEVER)
        route = self.routes.find(destination)
        if route is None and destination == BROADCAST:
            route = self._first_link()
        if route is None:
            return None
        mtu = min(route.interface.mtu, LARGEST_PACKET)
        expires = NEVER
        learned = self._learned.get(destination)
        if learned is not None and now < learned[1]:
            mtu = min(mtu, learned[0])
            expires = learned[1]
        gateway = route.gateway
        redirected = self._redirected.get(destination)
        if redirected is not None and now < redirected[1]:
            gateway = redirected[0]
            expires = min(expires, redirected[1])
        return Path(version, route.interface, gateway, mtu, expires)

    def _first_link(self) -> Route | None:
        # The limited broadcast needs no route (RFC 919): it goes out on the first interface that has an IPv4 address.
        for interface in self.interfaces.values():
            if interface.broadcasts:
                return Route(BROADCAST, 32, interface, b"", 0)
        return None

    def group_interface(self, group: bytes, now: int) -> Interface | None:
        """Where a multicast group is joined, and sent to, unless somebody says otherwise: where the route leads, else
        the first interface that is not the loopback."""
        path = self.path(group, now)
        if path is not None:
            return path.interface
        for interface in self.interfaces.values():
            if not interface.loopback:
                return interface
        return None

    def learn_mtu(self, destination: bytes, mtu: int, now: int) -> int:
        """A router told the MTU of its next hop (RFC 1191, RFC 8201). Returns what we make of it."""
        least = _LEAST_MTU_4 if len(destination) == 4 else _LEAST_MTU_6
        if mtu < least:
            self.counters.add("path-mtu-raised")
            mtu = least
        if len(self._learned) >= PATHS_KEPT:
            self._learned.clear()
        self._learned[destination] = (mtu, now + LEARNED_MTU_LIFETIME)
        self._paths.pop(destination, None)
        return mtu

    def redirect(self, destination: bytes, sender: bytes, gateway: bytes, now: int) -> bool:
        """A router says that `gateway` is the better way to `destination` (RFC 1122 §3.2.2.2). False if it is not the
        one that we use, or that gateway is none on the same link."""
        path = self.path(destination, now)
        if path is None or path.gateway != sender or path.interface.loopback or gateway in self.addresses:
            return False
        if is_multicast(gateway) or gateway in self.broadcasts:
            return False
        if not any(in_network(gateway, address, prefix) for address, prefix in path.interface.addresses):
            return False
        if len(self._redirected) >= PATHS_KEPT:
            self._redirected.clear()
        # To the destination itself, if that is on the link (RFC 1122 §3.3.1.2).
        self._redirected[destination] = (b"" if gateway == destination else gateway, now + REDIRECT_LIFETIME)
        self._paths.pop(destination, None)
        return True

    def is_local(self, address: bytes) -> bool:
        """One of our addresses. All of 127.0.0.0/8 is."""
        return address in self.addresses or is_loopback(address)

    def source_for(self, destination: bytes, now: int) -> bytes:
        """The address that we speak from to `destination`; b"" if it cannot be reached.

        To ourselves it is the destination itself. Else an address of the interface that the route takes: one in the
        gateway's or the destination's own network first, else the longest common prefix (RFC 6724 §5, rules 5 and
        8), else the oldest; else any address of ours.
        """
        path = self.path(destination, now)
        if path is None:
            return b""
        if self.is_local(destination):
            return LOOPBACK_4 if len(destination) == 4 and is_loopback(destination) else destination
        gateway = path.gateway
        # An IPv6 router's address on the link says nothing of ours.
        near = gateway if gateway and not is_link_local(gateway) else destination
        best = _closest(path.interface.addresses, near)
        if best:
            return best
        for interface in self.interfaces.values():
            best = b"" if interface.loopback else _closest(interface.addresses, destination)
            if best:
                return best
        return b""

    # -- packets

    def send_segment(self, tcb: Tcb, segment: TcpSegment, now: int) -> None:
        """The hot path of everything that a connection sends."""
        remote = tcb.remote
        path = self._paths.get(remote)
        if path is None:
            path = self.path(remote, now)
        settings = tcb.settings
        packet = IpPacket(tcb.local, remote, TCP, segment, settings.ttl, settings.tos)
        if path is None:
            self.drop(packet, "ip-no-route", now)
            return
        if path.version == 4:
            # Every packet has its own identification, a retransmission too, so that a capture can tell them apart.
            self._ident = packet.ident = (self._ident + 1) & 0xFFFF
        if packet_size(packet) > path.limit:
            self.drop(packet, "ip-too-big", now)
            return
        interface = path.interface
        interface.out_packets += 1
        probe = self.probe
        if probe is not None:
            probe.packet_sent(self.name, interface.name, packet, tcb.snapshot(), now)
        if interface.direct:
            self.ready.append((interface, packet))
        elif interface.ethernet is not None:
            interface.ethernet.send(packet, path.gateway or remote, now)
        else:
            self.looped.append(packet)

    def send(self, packet: IpPacket, now: int, interface: Interface | None = None) -> int:
        """Any other packet, through `interface` or where its route leads: 0, -ENETUNREACH or -EMSGSIZE. The source
        address is not looked at. What is longer than the MTU goes out in fragments, unless it may not be cut: IPv4 with
        DF set, and TCP, which knows better."""
        if interface is None:
            path = self.path(packet.destination, now)
            if path is None:
                self.drop(packet, "ip-no-route", now)
                return -ENETUNREACH
            interface = path.interface
            mtu = path.mtu
        else:
            mtu = min(interface.mtu, LARGEST_PACKET)
        size = packet_size(packet)
        if size > mtu and not isinstance(packet.payload, TcpSegment):
            if len(packet.source) == 16 or not packet.dont_fragment:
                return self._send_fragments(packet, mtu, interface, now)
            mtu = min(interface.mtu, LARGEST_PACKET)
        elif size > mtu:
            mtu = max(interface.gso_size, min(interface.mtu, LARGEST_PACKET))
        if size > mtu:
            self.drop(packet, "ip-too-big", now)
            return -EMSGSIZE
        self._emit(packet, interface, now)
        return 0

    def _send_fragments(self, packet: IpPacket, mtu: int, interface: Interface, now: int) -> int:
        ident = 0
        if len(packet.source) == 16:
            self._ident_6 = ident = self._ident_6 + 1 & 0xFFFFFFFF
        pieces = fragments(packet, mtu, ident)
        if not pieces:
            self.drop(packet, "ip-too-big", now)
            return -EMSGSIZE
        for piece in pieces:
            self._emit(piece, interface, now)
        return 0

    def _emit(self, packet: IpPacket, interface: Interface, now: int) -> None:
        interface.out_packets += 1
        if self.probe is not None:
            self.probe.packet_sent(self.name, interface.name, packet, None, now)
        if interface.direct:
            self.ready.append((interface, packet))
        elif interface.ethernet is not None:
            self._send_framed(packet, interface, interface.ethernet, now)
        else:
            self.looped.append(packet)

    def _send_framed(self, packet: IpPacket, interface: Interface, ethernet: Ethernet, now: int) -> None:
        destination = packet.destination
        if destination == BROADCAST or destination in interface.broadcasts:
            ethernet.broadcast(packet)
            return
        path = None if is_multicast(destination) else self.path(destination, now)
        if path is not None and path.interface is interface and path.gateway:
            ethernet.send(packet, path.gateway, now)
        else:
            ethernet.send(packet, destination, now)

    def next_ident(self, destination: bytes) -> int:
        """IPv4's identification for one more packet; IPv6's header has none."""
        if len(destination) != 4:
            return 0
        self._ident = (self._ident + 1) & 0xFFFF
        return self._ident

    def drop(self, packet: IpPacket | None, reason: str, now: int) -> None:
        """The one place where a packet ends without having reached anybody (None: bytes that are no packet)."""
        self.dropped += 1
        self.counters.add(reason)
        if self.probe is not None:
            self.probe.packet_dropped(self.name, packet, reason, now)


def _closest(addresses: list[tuple[bytes, int]], target: bytes) -> bytes:
    """The address nearest to `target`, of its version; b"" if there is none."""
    best = b""
    most = -1
    for address, prefix in addresses:
        if len(address) != len(target):
            continue
        points = 8 * len(target) - (int.from_bytes(address, "big") ^ int.from_bytes(target, "big")).bit_length()
        if in_network(target, address, prefix):
            points += 128
        # RFC 6724 rule 2: a link-local address speaks to link-local ones and not to others.
        if len(target) == 16 and in_network(address, _LINK_LOCAL, 10) != in_network(target, _LINK_LOCAL, 10):
            points -= 256
        if points > most or not best:
            best = address
            most = points
    return best
