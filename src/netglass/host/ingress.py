"""The way in: is the packet for us, and whose is it. TCP segments of known connections take the short way at the
top."""

from __future__ import annotations

from collections import deque
from typing import Final

from netglass.errors import WireError
from netglass.host.demux import Demux, Key
from netglass.host.egress import Egress
from netglass.host.groups import Groups, carries_membership, read_membership
from netglass.host.icmp import (
    ECHO_4,
    ECHO_6,
    NET_UNREACHABLE,
    PARAMETER_PROBLEM,
    PORT_UNREACHABLE,
    PROTOCOL_UNREACHABLE,
    REDIRECT_4,
    SOURCE_QUENCH_4,
    TIME_EXCEEDED,
    TIMESTAMP_4,
    TOO_BIG,
    UNKNOWN_HEADER,
    UNKNOWN_OPTION,
    UNKNOWN_OPTION_TO_MANY,
    IcmpSender,
    Quote,
    errno_of,
    is_error,
    next_hop_mtu,
    read_quote,
)
from netglass.host.interface import LARGEST_PACKET, Interface
from netglass.host.multicast_router import MulticastRouter
from netglass.host.ports import Binding, Ports
from netglass.host.reassembly import Assembler
from netglass.host.routes import Path
from netglass.host.schedule import Schedule
from netglass.ip import options as ip_options
from netglass.ip.options import fault_of, recorded
from netglass.ip.raw import RawPort
from netglass.neighbor.ethernet import Ethernet
from netglass.tcp.connection import Connection
from netglass.tcp.listener import Listener
from netglass.tcp.reset import reset_for
from netglass.tcp.state import CLOSED, TIME_WAIT
from netglass.udp.port import PMTU_DONT, ReceivedDatagram
from netglass.wire.address import BROADCAST, in_network, is_link_local, is_loopback, is_multicast, is_unspecified
from netglass.wire.checksum import Buffer
from netglass.wire.ethernet import EthernetFrame
from netglass.wire.extension import NO_NEXT_HEADER
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, ICMPV6, TCP, UDP, IpPacket
from netglass.wire.packet import decode_packet, forwarded, packet_bytes, packet_size, with_options
from netglass.wire.seq import unwrap
from netglass.wire.tcp import SYN, TcpSegment
from netglass.wire.udp import UdpDatagram
from netglass.world import Endpoint

_ECN: Final = (
    3  # of the traffic class; a reset is not part of a congestion-controlled flow (RFC 3168 §6.1.4 on pure ACKs)
)

_ANSWERS: Final = {
    ip_options.WRONG_FIELD: PARAMETER_PROBLEM,
    ip_options.UNKNOWN_HEADER: UNKNOWN_HEADER,
    ip_options.UNKNOWN: UNKNOWN_OPTION,
    ip_options.UNKNOWN_TO_MANY: UNKNOWN_OPTION_TO_MANY,
}
"""What is told about options that cannot be taken."""


class Ingress:
    """Takes packets in. Every one ends in exactly one of three counts: `delivered` (somebody here took it or
    answered it), `forwarded`, or `Egress.dropped` (with a counter that says why)."""

    __slots__ = (
        "_assembler",
        "_connections",
        "_demux",
        "_dirty",
        "_egress",
        "_groups",
        "_icmp",
        "_ports",
        "_raw",
        "_router",
        "_schedule",
        "delivered",
        "forwarded",
        "received",
    )

    def __init__(
        self,
        egress: Egress,
        demux: Demux,
        schedule: Schedule,
        icmp: IcmpSender,
        tcp_ports: Ports,
        groups: Groups,
        router: MulticastRouter,
    ) -> None:
        self._egress: Egress = egress
        self._demux: Demux = demux
        self._schedule: Schedule = schedule
        self._icmp: IcmpSender = icmp
        self._ports: Ports = tcp_ports
        self._groups: Groups = groups
        self._router: MulticastRouter = router
        self._assembler: Assembler = Assembler(egress, icmp, schedule)
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
        # A source address of ours comes from outside only if it is forged, raw ports get copies, and options are looked
        # at: all of these take the long way.
        if (
            isinstance(segment, TcpSegment)
            and not self._raw
            and not packet.options
            and packet.source not in egress.addresses
        ):
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

    def offer(self, packet: IpPacket, interface: Interface, now: int) -> bool:
        """A packet on an Ethernet interface: True if one of its `takers` took it, before IP sees it."""
        for taker in interface.takers:
            if not taker.takes(packet):
                continue
            self.received += 1
            interface.in_packets += 1
            egress = self._egress
            if egress.probe is not None:
                egress.probe.packet_received(egress.name, interface.name, packet, now)
            reason = taker.receive(packet, now)
            self._schedule.mark(taker)
            if reason:
                egress.drop(packet, reason, now)
            else:
                self.delivered += 1
            return True
        return False

    def is_for_many(self, destination: bytes) -> bool:
        return is_multicast(destination) or destination in self._egress.broadcasts

    def refuse(self, packet: IpPacket, reason: str, interface: Interface, now: int) -> None:
        """A packet that the way in which it came forbids. A frame to a group may carry only what is for a group
        (RFC 1122 §3.3.6, RFC 1812 §5.3.4): else all routers of a link would pass on, or answer, the same packet."""
        self.received += 1
        interface.in_packets += 1
        egress = self._egress
        if egress.probe is not None:
            egress.probe.packet_received(egress.name, interface.name, packet, now)
        egress.drop(packet, reason, now)

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
            if reason and not (is_unspecified(source) and carries_membership(packet)):
                egress.drop(packet, reason, now)
                return
        if egress.is_local(destination):
            self._deliver(packet, interface, now)
        elif is_multicast(destination):
            self._receive_multicast(packet, interface, now)
        elif destination in egress.broadcasts:
            self._deliver_to_many(packet, interface, now)
        elif egress.config.forwarding:
            self._forward(packet, interface, now)
        else:
            egress.drop(packet, "ip-not-for-us", now)

    def _receive_multicast(self, packet: IpPacket, interface: Interface, now: int) -> None:
        """For us if somebody here listens, for others if this is a router: for both, perhaps."""
        if carries_membership(packet):
            self._receive_membership(packet, interface, now)
            return
        reason = "ip-group-not-joined"
        if self._router.active:
            reason = self._router.forward(packet, interface, now)
        if self._groups.listens(interface, packet.destination, packet.source):
            self._deliver_to_many(packet, interface, now)
        elif reason:
            self._egress.drop(packet, reason, now)
        else:
            self.forwarded += 1

    def _receive_membership(self, packet: IpPacket, interface: Interface, now: int) -> None:
        copied = bool(self._raw) and self._deliver_raw(packet, interface)
        try:
            message = read_membership(packet)
        except WireError as error:
            if copied:
                self.delivered += 1
            else:
                self._egress.drop(packet, error.reason, now)
            return
        self.delivered += 1
        self._groups.receive(message, interface, 4 if len(packet.source) == 4 else 6, now)
        self._router.receive(message, packet.source, interface, now)

    def _martian(self, source: bytes, destination: bytes) -> str:
        """RFC 1812 §5.3.7, RFC 6890: addresses that cannot come in from outside. The name of the counter, or ""."""
        if is_loopback(destination) or is_unspecified(destination):
            return "ip-martian-destination"
        if source in self._egress.addresses or is_loopback(source) or is_multicast(source):
            return "ip-martian-source"
        # RFC 6890: 0.0.0.0 is a source only of hosts that ask everybody for their address (DHCP).
        if source in self._egress.broadcasts or (is_unspecified(source) and destination != BROADCAST):
            return "ip-martian-source"
        return ""

    def _forward(self, packet: IpPacket, interface: Interface, now: int) -> None:
        egress = self._egress
        if len(packet.source) == 16 and (is_link_local(packet.source) or is_link_local(packet.destination)):
            egress.drop(packet, "ip-link-local", now)  # RFC 4291 §2.5.6; no router has a way back to tell the sender
            return
        if packet.ttl <= 1:
            egress.drop(packet, "ip-ttl", now)
            self._icmp.error(packet, TIME_EXCEEDED, now)
            return
        path = egress.path(packet.destination, now)
        if path is None:
            egress.drop(packet, "ip-no-route", now)
            self._icmp.error(packet, NET_UNREACHABLE, now)
            return
        if packet.options:
            if self._has_fault(packet, True, now):
                return
            if len(packet.source) == 4:
                own = egress.source_for(packet.destination, now)
                packet = with_options(packet, recorded(packet.options, own, now))
        if packet_size(packet) > self._longest(packet, path) and (len(packet.source) == 16 or packet.dont_fragment):
            egress.drop(packet, "ip-too-big", now)
            self._icmp.error(packet, TOO_BIG, now, path.mtu)
            return
        if path.interface is interface and egress.config.send_redirects:
            self._redirect(packet, path, interface, now)
        self.forwarded += 1
        egress.send(forwarded(packet), now, path.interface)

    def _longest(self, packet: IpPacket, path: Path) -> int:
        # Only TCP is cut into segments by a device.
        return path.limit if isinstance(packet.payload, TcpSegment) else min(path.interface.mtu, LARGEST_PACKET)

    def _redirect(self, packet: IpPacket, path: Path, interface: Interface, now: int) -> None:
        """RFC 1812 §5.2.7.2: it goes back to where it came from, so its sender has a shorter way."""
        gateway = path.gateway or packet.destination
        if len(gateway) != 4 or interface.loopback:
            return
        for address, prefix in interface.addresses:
            if in_network(packet.source, address, prefix) and in_network(gateway, address, prefix):
                self._icmp.redirect(packet, gateway, now)
                return

    # -- options and fragments

    def _has_fault(self, packet: IpPacket, on_the_way: bool, now: int) -> bool:
        """True if the options of `packet` do not let it pass; it is dropped then, and its sender told."""
        fault = fault_of(packet, on_the_way)
        if fault is None:
            return False
        self._egress.drop(packet, fault.reason, now)
        if fault.answer:
            self._icmp.error(packet, _ANSWERS[fault.answer], now, fault.pointer)
        return True

    def _opened(self, packet: IpPacket, now: int) -> IpPacket | None:
        """A packet for us, with its options looked at: the whole datagram, if it was the last of its fragments. None:
        it has been dealt with."""
        if packet.options and self._has_fault(packet, False, now):
            return None
        if packet.more_fragments or packet.fragment_offset:
            whole = self._assembler.take(packet, now)
            if whole is None:
                self.delivered += self._assembler.kept
                return None
            if len(whole.source) == 16 and whole.options and self._has_fault(whole, False, now):
                return None
            packet = whole
        if packet.options and len(packet.source) == 4 and self._egress.is_local(packet.destination):
            packet = with_options(packet, recorded(packet.options, packet.destination, now))
        if packet.protocol in (TCP, UDP, ICMP, ICMPV6) and isinstance(packet.payload, bytes):
            return self._read(packet, now)
        return packet

    def _read(self, packet: IpPacket, now: int) -> IpPacket | None:
        """What was made by hand (a raw socket) and nobody could read on the way."""
        try:
            return decode_packet(packet_bytes(packet))
        except WireError as error:
            self._egress.drop(packet, error.reason, now)
            return None

    # -- to a protocol

    def _deliver(self, arrived: IpPacket, interface: Interface, now: int) -> None:
        packet = self._opened(arrived, now)
        if packet is None:
            return
        payload = packet.payload
        copied = bool(self._raw) and self._deliver_raw(packet, interface)
        if isinstance(payload, TcpSegment):
            self._deliver_segment(packet, payload, now)
        elif isinstance(payload, UdpDatagram):
            self._deliver_datagram(packet, payload, interface, now)
        elif isinstance(payload, IcmpMessage):
            self._deliver_icmp(packet, payload, copied, now)
        elif copied:
            self.delivered += 1
        elif packet.protocol == NO_NEXT_HEADER and len(packet.source) == 16:
            self._egress.drop(packet, "ip-no-next-header", now)
        else:
            self._egress.drop(packet, "ip-unknown-protocol", now)
            self._icmp.error(packet, PROTOCOL_UNREACHABLE, now)

    def _deliver_to_many(self, arrived: IpPacket, interface: Interface, now: int) -> None:
        packet = self._opened(arrived, now)
        if packet is None:
            return
        # TCP is between two ends (RFC 1122 §4.2.3.10), and a broadcast echo request amplifies (RFC 1122 §3.2.2.6
        # lets us be silent).
        copied = bool(self._raw) and self._deliver_raw(packet, interface)
        payload = packet.payload
        takers = 0
        if isinstance(payload, UdpDatagram):
            ports = self._demux.udp_listeners(
                packet.destination, payload.destination_port, packet.source, payload.source_port
            )
            if is_multicast(packet.destination):
                ports = self._groups.hearers(ports, interface, packet.destination, packet.source)
            datagram = _received(packet, payload, interface)
            for port in ports:
                if port.deliver(datagram):
                    takers += 1
                    self._schedule.mark(port)
                else:
                    self._egress.counters.add("udp-receive-queue-full")
        if isinstance(payload, IcmpMessage) and payload.version == 6 and payload.type == ECHO_6 and not copied:
            self._deliver_icmp(packet, payload, copied, now)  # RFC 4443 §4.2: a group may be asked
        elif takers or copied:
            self.delivered += 1
        else:
            self._egress.drop(packet, "ip-no-taker-for-broadcast", now)

    def _deliver_raw(self, packet: IpPacket, interface: Interface) -> bool:
        """A copy for each raw port that takes it. True if any did."""
        taken = False
        for port in self._raw.get(packet.protocol, ()):
            if not port.takes(packet):
                continue
            if port.deliver(packet, interface.name):
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
        if message.version == 4 and message.type == TIMESTAMP_4 and len(message.payload) >= 4:
            self.delivered += 1
            self._icmp.reply_with_time(packet, message, now)
            return
        reason = self._take_error(packet.source, message, now) if is_error(message) else "icmp-not-asked-for"
        if not reason or copied:
            self.delivered += 1
        else:
            self._egress.drop(packet, reason, now)

    def _take_error(self, sender: bytes, message: IcmpMessage, now: int) -> str:
        """Hands an error to the socket whose packet caused it. The counter's name if nobody wants it, or ""."""
        if message.version == 4 and message.type == REDIRECT_4:
            return self._take_redirect(sender, message, now)
        if message.version == 4 and message.type == SOURCE_QUENCH_4:
            return "icmp-source-quench-ignored"  # RFC 6633
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
                # Linux udp_err: the datagram is lost, and who speaks to one end only is told so.
                hard = (port.mtu_discover if len(quote.source) == 4 else port.mtu_discover_6) != PMTU_DONT
            if port.receive_error(errno, hard):
                self._schedule.mark(port)
            return ""
        return self._tell_raw(quote, errno, hard, mtu, now)

    def _tell_raw(self, quote: Quote, errno: int, hard: bool, mtu: int, now: int) -> str:
        """An error about a packet of a raw or a ping socket."""
        if mtu:
            self._egress.learn_mtu(quote.destination, mtu, now)
        told = False
        for port in self._raw.get(quote.protocol, ()):
            if port.sent(quote.destination, quote.seq) and port.receive_error(errno, hard or mtu > 0):
                self._schedule.mark(port)
                told = True
        return "" if told or mtu else "icmp-no-socket"

    def _take_redirect(self, sender: bytes, message: IcmpMessage, now: int) -> str:
        """RFC 1122 §3.2.2.2: from the router that we use, to one on the same link; what it says is for one
        destination, of which it must quote a packet."""
        egress = self._egress
        if not egress.config.accept_redirects or egress.config.forwarding:
            return "icmp-redirect-ignored"
        quote = read_quote(message)
        if quote is None:
            return "icmp-bad-quote"
        gateway = message.rest.to_bytes(4, "big")
        if not egress.is_local(quote.source) or not egress.redirect(quote.destination, sender, gateway, now):
            return "icmp-redirect-refused"
        return ""

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
