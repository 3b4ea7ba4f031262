"""The way in: is the packet for us, and whose is it. TCP segments of known connections take the short way at the
top."""

from __future__ import annotations

from collections import deque
from typing import Final

from netglass.errors import WireError
from netglass.host.demux import Demux, Key
from netglass.host.egress import Egress
from netglass.host.icmp import (
    ECHO_4,
    ECHO_6,
    NET_UNREACHABLE,
    PORT_UNREACHABLE,
    PROTOCOL_UNREACHABLE,
    TIME_EXCEEDED,
    TOO_BIG,
    IcmpSender,
    errno_of,
    is_error,
    next_hop_mtu,
    read_quote,
)
from netglass.host.interface import Interface
from netglass.host.ports import Binding, Ports
from netglass.host.schedule import Schedule
from netglass.ip.raw import RawPort
from netglass.neighbor.ethernet import Ethernet
from netglass.tcp.connection import Connection
from netglass.tcp.listener import Listener
from netglass.tcp.reset import reset_for
from netglass.tcp.state import CLOSED, TIME_WAIT
from netglass.udp.port import ReceivedDatagram
from netglass.wire.address import is_loopback, is_multicast, is_unspecified
from netglass.wire.checksum import Buffer
from netglass.wire.ethernet import EthernetFrame
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import TCP, UDP, IpPacket
from netglass.wire.packet import decode_packet, forwarded, packet_size
from netglass.wire.seq import unwrap
from netglass.wire.tcp import SYN, TcpSegment
from netglass.wire.udp import UdpDatagram
from netglass.world import Endpoint

_ECN: Final = (
    3  # of the traffic class; a reset is not part of a congestion-controlled flow (RFC 3168 §6.1.4 on pure ACKs)
)


class Ingress:
    """Takes packets in. Every one ends in exactly one of three counts: `delivered` (somebody here took it or
    answered it), `forwarded`, or `Egress.dropped` (with a counter that says why)."""

    __slots__ = (
        "_connections",
        "_demux",
        "_dirty",
        "_egress",
        "_icmp",
        "_ports",
        "_raw",
        "_schedule",
        "delivered",
        "forwarded",
        "received",
    )

    def __init__(self, egress: Egress, demux: Demux, schedule: Schedule, icmp: IcmpSender, tcp_ports: Ports) -> None:
        self._egress: Egress = egress
        self._demux: Demux = demux
        self._schedule: Schedule = schedule
        self._icmp: IcmpSender = icmp
        self._ports: Ports = tcp_ports
        self._connections: dict[Key, Connection] = demux.connections
        self._raw: dict[int, list[RawPort]] = demux.raw
        self._dirty: deque[Endpoint] = schedule.dirty
        self.received: int = 0  # frames and packets
        self.delivered: int = 0
        self.forwarded: int = 0

    def receive_frame(self, frame: Buffer, interface: Interface, verify: bool, now: int) -> None:
        """Bytes that claim to be an IP packet. `verify=False`: the device has checked the transport checksum."""
        try:
            packet = decode_packet(frame, verify)
        except WireError as error:
            self.received += 1
            interface.in_packets += 1
            self._egress.drop(None, error.reason, now)
            return
        self.receive(packet, interface, now)

    def receive(self, packet: IpPacket, interface: Interface, now: int) -> None:
        """A packet whose checksums hold. The hot path."""
        self.received += 1
        interface.in_packets += 1
        egress = self._egress
        probe = egress.probe
        if probe is not None:
            probe.packet_received(egress.name, interface.name, packet, now)
        segment = packet.payload
        # A source address of ours comes from outside only if it is forged, and raw ports get copies: both take the
        # long way.
        if isinstance(segment, TcpSegment) and not self._raw and packet.source not in egress.addresses:
            connection = self._connections.get(
                (packet.destination, segment.destination_port, packet.source, segment.source_port)
            )
            if connection is not None:
                tcb = connection.tcb
                state = tcb.state
                if state is not TIME_WAIT and state is not CLOSED:
                    self.delivered += 1
                    connection.receive_segment(segment, now)
                    if not connection.dirty:
                        connection.dirty = True
                        self._dirty.append(connection)
                    if probe is not None:
                        probe.packet_done(egress.name, packet, tcb.snapshot(), now)
                    return
        self._receive_other(packet, interface, now)

    def receive_nd(
        self, frame: EthernetFrame, packet: IpPacket, ethernet: Ethernet, interface: Interface, now: int
    ) -> None:
        """Neighbour discovery stays on its link: the interface deals with it, before anybody asks whom it is for."""
        self.received += 1
        interface.in_packets += 1
        egress = self._egress
        if egress.probe is not None:
            egress.probe.packet_received(egress.name, interface.name, packet, now)
        reason = ethernet.receive_nd(frame, packet, now)
        if reason:
            egress.drop(packet, reason, now)
        else:
            self.delivered += 1

    # -- for us, for others, or for nobody

    def _receive_other(self, packet: IpPacket, interface: Interface, now: int) -> None:
        egress = self._egress
        source = packet.source
        destination = packet.destination
        if not interface.loopback:
            reason = self._martian(source, destination)
            if reason:
                egress.drop(packet, reason, now)
                return
        if egress.is_local(destination):
            self._deliver(packet, interface, now)
        elif is_multicast(destination):
            if destination in self._demux.groups:
                self._deliver_to_many(packet, interface, now)
            else:
                egress.drop(packet, "ip-group-not-joined", now)
        elif destination in egress.broadcasts:
            self._deliver_to_many(packet, interface, now)
        elif egress.config.forwarding:
            self._forward(packet, interface, now)
        else:
            egress.drop(packet, "ip-not-for-us", now)

    def _martian(self, source: bytes, destination: bytes) -> str:
        """RFC 1812 §5.3.7, RFC 6890: addresses that cannot come in from outside. The name of the counter, or ""."""
        if is_loopback(destination) or is_unspecified(destination):
            return "ip-martian-destination"
        if source in self._egress.addresses or is_loopback(source) or is_multicast(source):
            return "ip-martian-source"
        # RFC 6890: 0.0.0.0 is a source only of hosts that ask for their address; nothing here does.
        if source in self._egress.broadcasts or is_unspecified(source):
            return "ip-martian-source"
        return ""

    def _forward(self, packet: IpPacket, interface: Interface, now: int) -> None:
        egress = self._egress
        if packet.ttl <= 1:
            egress.drop(packet, "ip-ttl", now)
            self._icmp.error(packet, TIME_EXCEEDED, now)
            return
        path = egress.path(packet.destination, now)
        if path is None:
            egress.drop(packet, "ip-no-route", now)
            self._icmp.error(packet, NET_UNREACHABLE, now)
            return
        if packet_size(packet) > path.limit:
            if len(packet.source) == 4 and not packet.dont_fragment:
                egress.drop(packet, "ip-fragmentation-not-supported", now)
                return
            egress.drop(packet, "ip-too-big", now)
            self._icmp.error(packet, TOO_BIG, now, path.mtu)
            return
        self.forwarded += 1
        egress.send(forwarded(packet), now, path.interface)

    # -- to a protocol

    def _deliver(self, packet: IpPacket, interface: Interface, now: int) -> None:
        payload = packet.payload
        copied = bool(self._raw) and self._deliver_raw(packet)
        if isinstance(payload, TcpSegment):
            self._deliver_segment(packet, payload, now)
        elif isinstance(payload, UdpDatagram):
            self._deliver_datagram(packet, payload, interface, now)
        elif isinstance(payload, IcmpMessage):
            self._deliver_icmp(packet, payload, copied, now)
        elif packet.more_fragments or packet.fragment_offset:
            self._egress.drop(packet, "ip-reassembly-not-supported", now)
        elif copied:
            self.delivered += 1
        else:
            self._egress.drop(packet, "ip-unknown-protocol", now)
            self._icmp.error(packet, PROTOCOL_UNREACHABLE, now)

    def _deliver_to_many(self, packet: IpPacket, interface: Interface, now: int) -> None:
        # TCP is between two ends (RFC 1122 §4.2.3.10), and a broadcast echo request amplifies (RFC 1122 §3.2.2.6
        # lets us be silent).
        copied = bool(self._raw) and self._deliver_raw(packet)
        payload = packet.payload
        takers = 0
        if isinstance(payload, UdpDatagram):
            ports = self._demux.udp_listeners(
                packet.destination, payload.destination_port, packet.source, payload.source_port
            )
            datagram = _received(packet, payload, interface)
            for port in ports:
                if port.deliver(datagram):
                    takers += 1
                    self._schedule.mark(port)
                else:
                    self._egress.counters.add("udp-receive-queue-full")
        if takers or copied:
            self.delivered += 1
        else:
            self._egress.drop(packet, "ip-no-taker-for-broadcast", now)

    def _deliver_raw(self, packet: IpPacket) -> bool:
        """A copy for each raw port that takes it. True if any did."""
        taken = False
        for port in self._raw.get(packet.protocol, ()):
            if not port.takes(packet):
                continue
            if port.deliver(packet):
                taken = True
                self._schedule.mark(port)
            else:
                self._egress.counters.add("raw-receive-queue-full")
        return taken

    def _deliver_datagram(self, packet: IpPacket, datagram: UdpDatagram, interface: Interface, now: int) -> None:
        port = self._demux.udp_port(packet.destination, datagram.destination_port, packet.source, datagram.source_port)
        if port is None:
            self._egress.drop(packet, "udp-closed-port", now)
            self._icmp.error(packet, PORT_UNREACHABLE, now)
        elif port.deliver(_received(packet, datagram, interface)):
            self.delivered += 1
            self._schedule.mark(port)
        else:
            self._egress.drop(packet, "udp-receive-queue-full", now)

    # -- TCP

    def _deliver_segment(self, packet: IpPacket, segment: TcpSegment, now: int) -> None:
        destination = packet.destination
        source = packet.source
        connection = self._connections.get((destination, segment.destination_port, source, segment.source_port))
        iss = -1
        listener = None
        if connection is None or connection.tcb.state is TIME_WAIT or connection.tcb.state is CLOSED:
            listener = self._demux.listener(destination, segment.destination_port, source, segment.source_port)
        if connection is not None:
            if connection.tcb.state is CLOSED:
                # It died in this very burst and no longer stands in the way.
                self._schedule.drain(connection, now)
                self._schedule.forget(connection)
                connection = None
            elif listener is not None and segment.flags & SYN and connection.replaceable_by(segment, now):
                iss = connection.make_way(now)
                self._schedule.forget(connection)
                connection = None
        if connection is not None:
            self.delivered += 1
            connection.receive_segment(segment, now)
            self._schedule.mark(connection)
            self._tell_done(packet, connection, now)
        elif listener is not None:
            self._to_listener(packet, segment, listener, iss, now)
        else:
            self._refuse(packet, segment, now)

    def _to_listener(self, packet: IpPacket, segment: TcpSegment, listener: Listener, iss: int, now: int) -> None:
        egress = self._egress
        path = egress.path(packet.source, now)
        if path is None:
            egress.drop(packet, "ip-no-route", now)
            return
        self.delivered += 1
        made = listener.receive_segment(segment, packet.source, packet.destination, path.mtu, path.gso_size, now, iss)
        if listener.drop_reason and egress.probe is not None:
            egress.probe.packet_dropped(egress.name, packet, listener.drop_reason, now)
        self._schedule.mark(listener)
        if made is not None:
            tcb = made.tcb
            self._connections[tcb.local, tcb.local_port, tcb.remote, tcb.remote_port] = made
            # Like Linux, what a listener made inherits its sharing: a new listener may bind beside it if both have
            # SO_REUSEADDR.
            held = self._ports.binding(tcb.local_port, listener)
            binding = Binding(tcb.local, listener.settings.reuse_address, held.reuse_port)
            self._ports.hold(tcb.local_port, made, binding)
            self._schedule.mark(made)
        self._tell_done(packet, made, now)

    def _refuse(self, packet: IpPacket, segment: TcpSegment, now: int) -> None:
        egress = self._egress
        egress.drop(packet, "tcp-closed-port", now)
        self._tell_done(packet, None, now)
        reset = reset_for(segment)
        if reset is not None:
            ident = egress.next_ident(packet.source)
            ttl = egress.config.default_ttl_hops
            egress.send(IpPacket(packet.destination, packet.source, TCP, reset, ttl, packet.tos & ~_ECN, ident), now)

    def _tell_done(self, packet: IpPacket, connection: Connection | None, now: int) -> None:
        egress = self._egress
        if egress.probe is not None:
            snapshot = None if connection is None else connection.tcb.snapshot()
            egress.probe.packet_done(egress.name, packet, snapshot, now)

    # -- ICMP

    def _deliver_icmp(self, packet: IpPacket, message: IcmpMessage, copied: bool, now: int) -> None:
        if message.type == (ECHO_4 if message.version == 4 else ECHO_6):
            if self._egress.config.echo_ignore_all:
                self._egress.drop(packet, "icmp-echo-ignored", now)
                return
            self.delivered += 1
            self._icmp.reply(packet, message, now)
            return
        reason = self._take_error(message, now) if is_error(message) else "icmp-not-asked-for"
        if not reason or copied:
            self.delivered += 1
        else:
            self._egress.drop(packet, reason, now)

    def _take_error(self, message: IcmpMessage, now: int) -> str:
        """Hands an error to the socket whose packet caused it. The counter's name if nobody wants it, or ""."""
        errno, hard = errno_of(message)
        if errno == 0:
            return "icmp-unknown-error"
        quote = read_quote(message)
        if quote is None:
            return "icmp-bad-quote"
        # Only about packets that we sent: anybody can forge an error (RFC 5927).
        if not self._egress.is_local(quote.source):
            return "icmp-not-our-packet"
        mtu = next_hop_mtu(message, quote)
        if quote.protocol == TCP:
            key = (quote.source, quote.source_port, quote.destination, quote.destination_port)
            connection = self._connections.get(key)
            if connection is None:
                return "icmp-no-socket"
            self._tell_connection(connection, errno, hard, mtu, quote.seq, now)
            return ""
        if quote.protocol == UDP:
            port = self._demux.udp_port(quote.source, quote.source_port, quote.destination, quote.destination_port)
            if port is None:
                return "icmp-no-socket"
            if mtu:
                self._egress.learn_mtu(quote.destination, mtu, now)
            elif port.receive_error(errno, hard):
                self._schedule.mark(port)
            return ""
        return "icmp-no-socket"

    def _tell_connection(self, connection: Connection, errno: int, hard: bool, mtu: int, seq: int, now: int) -> None:
        tcb = connection.tcb
        if mtu:
            # What is learned counts for everybody who goes there, so the proof that the error is genuine comes first
            # (RFC 5927 §7).
            if tcb.snd_una <= unwrap(seq, tcb.snd_una) < tcb.snd_nxt:
                mtu = self._egress.learn_mtu(tcb.remote, mtu, now)
            connection.path_mtu_changed(mtu, seq, now)
        else:
            connection.receive_error(errno, hard, seq, now)
        self._schedule.mark(connection)


def _received(packet: IpPacket, datagram: UdpDatagram, interface: Interface) -> ReceivedDatagram:
    return ReceivedDatagram(
        packet.source,
        datagram.source_port,
        datagram.payload,
        packet.destination,
        packet.ttl,
        packet.tos,
        interface.name,
    )
