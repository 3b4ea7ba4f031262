"""What an application asks of the host about UDP: bind, connect, send, groups (RFC 768, RFC 1122 §4.1.4 with Linux's
errors)."""

from __future__ import annotations

from typing import Final

from netglass.errnos import (
    EACCES,
    EADDRNOTAVAIL,
    EDESTADDRREQ,
    EINVAL,
    EMSGSIZE,
    ENETUNREACH,
    EPIPE,
)
from netglass.errors import MisuseError
from netglass.host.demux import Demux
from netglass.host.egress import Egress
from netglass.host.groups import Groups
from netglass.host.interface import LARGEST_PACKET, Interface
from netglass.host.ports import Binding, Ports, is_wildcard
from netglass.host.schedule import Schedule
from netglass.host.tcp_calls import check_local, reachable
from netglass.ip.options import recorded
from netglass.udp.port import PMTU_DO, PMTU_INTERFACE, PMTU_PROBE, PMTU_WANT, ReceivedDatagram, UdpPort
from netglass.wire.address import is_multicast
from netglass.wire.ip import UDP, IpPacket
from netglass.wire.packet import packet_size
from netglass.wire.udp import UDP_HEADER, UdpDatagram

_HEADERS_4: Final = 20 + UDP_HEADER
_MOST_4: Final = 65535 - _HEADERS_4
_MOST_6: Final = 65535 - UDP_HEADER


class UdpCalls:
    """The calls, over the tables of one host."""

    __slots__ = ("_demux", "_egress", "_groups", "_schedule", "ports")

    def __init__(self, egress: Egress, demux: Demux, ports: Ports, schedule: Schedule, groups: Groups) -> None:
        self._egress: Egress = egress
        self._demux: Demux = demux
        self._schedule: Schedule = schedule
        self._groups: Groups = groups
        self.ports: Ports = ports

    def bind(self, local: bytes, port: int, reuse_address: bool, reuse_port: bool) -> UdpPort | int:
        check_local(local)
        if not self._may_bind(local):
            return -EADDRNOTAVAIL
        made = UdpPort(local, self._egress.config.default_ttl_hops)
        result = self.ports.bind(port, made, Binding(local, reuse_address, reuse_port))
        if result < 0:
            return result
        made.local_port = result
        made.reuse_address = reuse_address
        made.reuse_port = reuse_port
        self._demux.add_udp(made)
        return made

    def _may_bind(self, local: bytes) -> bool:
        egress = self._egress
        return is_wildcard(local) or egress.is_local(local) or is_multicast(local) or local in egress.broadcasts

    def close(self, port: UdpPort, now: int) -> None:
        if not self._demux.remove_udp(port):
            raise MisuseError(f"UDP port {port.local_port} is closed already")
        self.ports.release(port.local_port, port)
        self._groups.leave_all(port, now)

    def connect(self, port: UdpPort, remote: bytes, remote_port: int, now: int) -> int:
        """Only `remote` is heard from now on, and its ICMP errors are told: 0, -ENETUNREACH, -EACCES, -EADDRINUSE or
        -EINVAL."""
        remote = reachable(remote)
        egress = self._egress
        if remote in egress.broadcasts and not port.broadcast:
            return -EACCES
        bound = port.bound_local
        if bound and len(bound) != len(remote):
            return -ENETUNREACH
        source = egress.source_for(remote, now) if is_wildcard(bound) else bound
        if not source:
            return -ENETUNREACH
        port.remote = remote
        port.remote_port = remote_port
        self._narrow(port, source)
        return 0

    def disconnect(self, port: UdpPort) -> None:
        """connect(AF_UNSPEC): hears everybody again."""
        port.remote = b""
        port.remote_port = 0
        self._narrow(port, port.bound_local)

    def _narrow(self, port: UdpPort, local: bytes) -> None:
        port.local = local
        self.ports.binding(port.local_port, port).local = local

    # -- sending

    def send(self, port: UdpPort, payload: bytes, destination: bytes, destination_port: int, now: int) -> int:
        """One datagram: its length, or what is wrong, negated. b"" as destination means the connected one."""
        if port.error:
            return -port.take_error()
        if port.write_closed:
            return -EPIPE
        if not destination:
            if not port.remote:
                return -EDESTADDRREQ
            destination, destination_port = port.remote, port.remote_port
        if destination_port == 0:
            return -EINVAL
        destination = reachable(destination)
        if len(payload) > (_MOST_4 if len(destination) == 4 else _MOST_6):
            return -EMSGSIZE
        if is_multicast(destination):
            return self._send_to_group(port, payload, destination, destination_port, now)
        if destination in self._egress.broadcasts and not port.broadcast:
            return -EACCES
        return self._send_to_one(port, payload, destination, destination_port, now)

    def _send_to_one(self, port: UdpPort, payload: bytes, destination: bytes, destination_port: int, now: int) -> int:
        egress = self._egress
        path = egress.path(destination, now)
        if path is None or (port.local and len(port.local) != len(destination)):
            return -ENETUNREACH
        source = egress.source_for(destination, now) if is_wildcard(port.local) else port.local
        if not source:
            return -EADDRNOTAVAIL
        packet = self._packet(port, source, payload, destination, destination_port, port.ttl_hops, now)
        return self._send(port, packet, len(payload), path.mtu, path.interface, now)

    def _send(self, port: UdpPort, packet: IpPacket, size: int, path_mtu: int, interface: Interface, now: int) -> int:
        """Whole, in fragments, or not at all: what path MTU discovery says (Linux ip_append_data, ip6_append_data)."""
        four = len(packet.source) == 4
        mode = port.mtu_discover if four else port.mtu_discover_6
        mtu = path_mtu if mode <= PMTU_DO else min(interface.mtu, LARGEST_PACKET)
        fits = packet_size(packet) <= mtu
        whole = mode in (PMTU_DO, PMTU_PROBE, PMTU_INTERFACE) or (port.dont_fragment_6 and not four)
        if whole and not fits:
            return -EMSGSIZE
        if four:
            packet.dont_fragment = mode in (PMTU_DO, PMTU_PROBE) or (mode == PMTU_WANT and fits)
        via = interface if mode > PMTU_DO or is_multicast(packet.destination) else None
        error = self._egress.send(packet, now, via)
        return error if error else size

    def _send_to_group(self, port: UdpPort, payload: bytes, group: bytes, group_port: int, now: int) -> int:
        interface = self._group_interface(port, group, now)
        if interface is None:
            return -ENETUNREACH
        source = port.local
        if is_wildcard(source) or is_multicast(source):
            source = next((address for address, _ in interface.addresses if len(address) == len(group)), b"")
        if len(source) != len(group):
            return -EADDRNOTAVAIL
        packet = self._packet(port, source, payload, group, group_port, port.multicast_ttl_hops, now)
        if port.multicast_loop and not interface.loopback and self._groups.listens(interface, group, source):
            self._loop(packet, payload, port.local_port, interface)
        if port.multicast_ttl_hops == 0:  # RFC 1112 §6.1: not beyond this host
            return len(payload)
        return self._send(port, packet, len(payload), min(interface.mtu, LARGEST_PACKET), interface, now)

    def _group_interface(self, port: UdpPort, group: bytes, now: int) -> Interface | None:
        """IP_MULTICAST_IF, else where the route leads."""
        if port.multicast_interface:
            return self._egress.interfaces.get(port.multicast_interface)
        return self._egress.group_interface(group, now)

    def _loop(self, packet: IpPacket, payload: bytes, source_port: int, interface: Interface) -> None:
        """RFC 1112 §6.1: members on the sending host hear the datagram too."""
        datagram = packet.payload
        if not isinstance(datagram, UdpDatagram):
            return
        heard = ReceivedDatagram(
            packet.source, source_port, payload, packet.destination, packet.ttl, packet.tos, interface.name
        )
        ports = self._demux.udp_listeners(packet.destination, datagram.destination_port, packet.source, source_port)
        for member in self._groups.hearers(ports, interface, packet.destination, packet.source):
            if member.deliver(heard):
                self._schedule.mark(member)
            else:
                self._egress.counters.add("udp-receive-queue-full")

    def _packet(
        self, port: UdpPort, source: bytes, payload: bytes, to: bytes, to_port: int, ttl: int, now: int
    ) -> IpPacket:
        datagram = UdpDatagram(port.local_port, to_port, payload)
        packet = IpPacket(source, to, UDP, datagram, ttl, port.tos, self._egress.next_ident(to))
        if port.ip_options and len(to) == 4:
            packet.options = recorded(port.ip_options, source, now, True)
        return packet
