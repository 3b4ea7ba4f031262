"""Packets: into the host as the script says, and out of it against what the script expects."""

from __future__ import annotations

from typing import Final

from netglass.packetdrill.bench import Bench
from netglass.packetdrill.compare import difference
from netglass.packetdrill.flow import Flow, Phase
from netglass.packetdrill.notation import packet_text, seconds, shown
from netglass.packetdrill.process import Process
from netglass.packetdrill.result import Mismatch
from netglass.packetdrill.script import Direction, IcmpPacket, Packet, TcpPacket, UdpPacket
from netglass.packetdrill.settings import Settings
from netglass.packetdrill.shell import Unsupported
from netglass.packetdrill.timeline import Timeline
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import TCP, IpPacket
from netglass.wire.seq import MASK
from netglass.wire.tcp import ACK, CWR, FIN, PSH, SYN, TcpSegment
from netglass.wire.udp import UdpDatagram

_FIRST_REMOTE_PORT: Final = 49152


class Outbound:
    """What came out: when, as it was, and in the script's numbers. `problem` is "" if it fits what was expected."""

    def __init__(self, time: int, packet: Packet, problem: str) -> None:
        self.time = time
        self.packet = packet
        self.problem = problem


class Exchange:
    """The packets of one script. One belongs to the socket that the script dealt with last, unless it names its ports:
    then to the connection between these, and a SYN that names new ones begins another connection beside the first."""

    def __init__(self, bench: Bench, process: Process, timeline: Timeline, settings: Settings) -> None:
        self._bench = bench
        self._process = process
        self._timeline = timeline
        self._settings = settings
        self._next_port = _FIRST_REMOTE_PORT

    # -- in

    def inject(self, packet: Packet) -> None:
        """`packet` reaches the host now."""
        _refuse_unsupported(packet)
        flow = self._flow_of(packet)
        if isinstance(packet, TcpPacket):
            self._learn_from_remote(packet, flow)
        self._bench.inject(flow.live_packet(packet))
        self._timeline.resume()

    def _learn_from_remote(self, packet: TcpPacket, flow: Flow) -> None:
        if packet.urgent:
            flow.patterned = False
        if flow.phase is Phase.SYNACK_SENT and packet.flags & ACK:
            flow.phase = Phase.SYNACK_ACKED
        elif flow.phase is Phase.SYN_SENT and packet.flags & (SYN | ACK) == SYN | ACK:
            flow.phase = Phase.SYN_ACKED
            flow.remote_isn = packet.seq or 0

    def _flow_of(self, packet: Packet) -> Flow:
        """A first packet to a listener, or to nobody, makes a new connection; a SYN that comes out is connect's."""
        flow = self._process.under_test
        inward = packet.direction is Direction.IN
        named = self._named_flow(packet) if isinstance(packet, TcpPacket) and any(packet.ports) else None
        if named is not None:
            return named
        if isinstance(packet, TcpPacket) and inward and (flow is None or flow.phase is Phase.LISTENING):
            self._process.under_test = self._new_remote(packet)
            return self._process.under_test
        if flow is None:
            raise Mismatch("there is no socket that this packet could belong to")
        opening = isinstance(packet, TcpPacket) and packet.flags & (SYN | ACK) == SYN
        if isinstance(packet, TcpPacket) and opening and not inward and flow.phase is Phase.CONNECTING:
            flow.phase = Phase.SYN_SENT
            flow.script_isn = packet.seq or 0
        if flow.local_port == 0 and inward:
            flow.local_port = self._settings.bind_port
        if flow.remote_port == 0:
            flow.remote_port = self._settings.connect_port
        return flow

    def _named_flow(self, packet: TcpPacket) -> Flow | None:
        source, destination = packet.ports
        inward = packet.direction is Direction.IN
        flow = self._process.flow_between(source if inward else destination, destination if inward else source)
        beside = flow is None and inward and packet.flags & (SYN | ACK) == SYN
        under_test = self._process.under_test
        if beside and under_test is not None and under_test.phase is not Phase.LISTENING:
            return self._new_remote(packet)
        return flow

    def _new_remote(self, packet: TcpPacket) -> Flow:
        flow = Flow(TCP, self._settings)
        flow.phase = Phase.PACKET_RECEIVED
        flow.remote_isn = packet.seq or 0
        flow.remote_port = packet.ports[0] or self._next_port
        flow.local_port = packet.ports[1] or self._settings.bind_port
        self._next_port += 1
        self._process.add_remote(flow)
        return flow

    # -- out

    def expect(self, expected: Packet, limit: int, tolerance: int) -> Outbound:
        """The next packet that comes out until `limit`, held against `expected`; `tolerance` is for its timestamp.

        Raises Mismatch if none comes. Several segments together may be the one that the script writes.
        """
        _refuse_unsupported(expected)
        flow = self._flow_of(expected)
        time, live = self._next_sent(flow, expected, limit)
        payload = live.payload
        if isinstance(expected, TcpPacket) and isinstance(payload, TcpSegment):
            self._learn_from_host(expected, payload, flow)
            if payload.length and not self._settings.strict_segments:
                time, live = self._gather(flow, expected, limit, time, live, payload)
        actual = flow.script_packet(live, expected)
        problem = difference(expected, actual, flow, self._settings, tolerance)
        if not problem and not flow.payload_fits(live):
            problem = "the payload is not what was written for this place of the stream"
        return Outbound(time, actual, problem)

    def _learn_from_host(self, expected: TcpPacket, segment: TcpSegment, flow: Flow) -> None:
        if flow.phase is Phase.PACKET_RECEIVED and expected.flags & (SYN | ACK) == SYN | ACK:
            flow.phase = Phase.SYNACK_SENT
            flow.script_isn = expected.seq or 0
            flow.live_isn = segment.seq

    def _gather(
        self, flow: Flow, expected: TcpPacket, limit: int, time: int, packet: IpPacket, first: TcpSegment
    ) -> tuple[int, IpPacket]:
        # A script may write as one what the host sends as several: that is how segmentation offload looks from above.
        whole, size = first, first.length
        while whole.length < expected.length and size == first.length:
            time, packet = self._next_sent(flow, expected, limit, _with_segment(packet, whole))
            part = packet.payload
            if not isinstance(part, TcpSegment) or not _continues(whole, part):
                break
            size = part.length
            whole = _joined(whole, part)
        return time, _with_segment(packet, whole)

    def _next_sent(
        self, flow: Flow, expected: Packet, limit: int, so_far: IpPacket | None = None
    ) -> tuple[int, IpPacket]:
        sent = self._bench.sent
        while True:
            while sent:
                time, packet = sent.popleft()
                if _concerns(packet, flow, expected):
                    return time, packet
            if not self._timeline.step(limit):
                break
        version = self._settings.wire_version
        got = f"nothing until {seconds(self._bench.now)}"
        if so_far is not None:
            got = f"{packet_text(shown(flow.script_packet(so_far, expected), expected), version)}, then {got}"
        raise Mismatch("the packet did not come", packet_text(expected, version), got)


def _refuse_unsupported(packet: Packet) -> None:
    if isinstance(packet, TcpPacket | IcmpPacket) and packet.unsupported:
        raise Unsupported(f"{packet.unsupported} is not supported")


def _concerns(packet: IpPacket, flow: Flow, expected: Packet) -> bool:
    """True if the script has to speak of `packet`. Other connections' packets it need not know."""
    payload = packet.payload
    if isinstance(expected, IcmpPacket) and isinstance(payload, IcmpMessage):
        return packet.destination == flow.remote
    if isinstance(expected, TcpPacket | UdpPacket) and any(expected.ports):
        named = isinstance(payload, TcpSegment | UdpDatagram) and packet.destination == flow.remote
        return named and _ports(payload) == expected.ports
    if flow.sends(packet):
        return True
    if not flow.may_begin_with(packet):
        return False
    flow.begin_with(packet)
    return True


def _ports(payload: object) -> tuple[int, int]:
    if isinstance(payload, TcpSegment | UdpDatagram):
        return (payload.source_port, payload.destination_port)
    return (0, 0)


# -- several segments as one

_ONCE: Final = FIN | PSH | CWR
"""Flags that only the last, or only the first, of several segments carries."""


def _continues(whole: TcpSegment, part: TcpSegment) -> bool:
    same = (whole.flags & ~_ONCE, whole.ack, whole.window, whole.urgent)
    follows = part.seq == (whole.seq + whole.length) & MASK
    return follows and same == (part.flags & ~_ONCE, part.ack, part.window, part.urgent)


def _joined(whole: TcpSegment, part: TcpSegment) -> TcpSegment:
    return TcpSegment(
        part.source_port,
        part.destination_port,
        whole.seq,
        part.ack,
        (part.flags & ~CWR) | (whole.flags & CWR),
        part.window,
        whole.chunks + part.chunks,
        whole.length + part.length,
        part.ts_val,
        part.ts_ecr,
        part.sack,
        part.options,
        part.urgent,
        part.raw_options,
    )


def _with_segment(packet: IpPacket, segment: TcpSegment) -> IpPacket:
    return IpPacket(
        packet.source,
        packet.destination,
        packet.protocol,
        segment,
        packet.ttl,
        packet.tos,
        packet.ident,
        packet.dont_fragment,
        flow_label=packet.flow_label,
    )
