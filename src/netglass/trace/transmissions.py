"""From events to transmissions: what one cable did with one packet, joined with what both its ends said of it.

A probe tells "sent", "carried", "received", "done" and "dropped" one after another; a packet is the same object from
end to end unless a cable made bytes of it. What arrives at one host at one time arrives in the order in which it was
carried, and that is how bytes find the packet that they were.

Sequence numbers become relative here: to the initial ones that the sender's control block has, else to the last SYN
of that direction.
"""

from __future__ import annotations

from collections.abc import Iterable

from netglass.probe import Flow, TcbSnapshot
from netglass.times import NEVER
from netglass.trace.records import Carried, Done, Dropped, Event, Received, Sent, flow_of, reverse
from netglass.wire.ip import IpPacket
from netglass.wire.tcp import ACK, FIN, RST, SYN, TcpSegment

_TOP = 1 << 31


class Transmission:
    """One packet over one cable, or from a host to itself (the cable's name is the interface's then). Times in ns;
    `seq` and `ack` are relative, 0 if it is no TCP segment."""

    __slots__ = (
        "ack",
        "arrival_order",
        "carried",
        "copy",
        "done",
        "drops",
        "order",
        "previous",
        "probe",
        "received",
        "retransmission",
        "segment",
        "sent_by",
        "seq",
        "window",
    )

    def __init__(self, carried: Carried, order: int) -> None:
        payload = carried.packet.payload
        self.carried: Carried = carried
        self.order: int = order  # place among all events
        self.arrival_order: int = -1
        self.segment: TcpSegment | None = payload if isinstance(payload, TcpSegment) else None
        self.sent_by: Sent | None = None  # None: something on the cable made it
        self.received: Received | None = None
        self.done: Done | None = None
        self.drops: list[str] = []  # why its receiver dropped it
        self.previous: Transmission | None = None  # over the cable before, if a router passed it on
        self.copy: bool = False  # a duplicate that the cable made
        self.retransmission: bool = False  # its sender had sent these sequence numbers before
        self.probe: bool = False  # of a zero window or keep-alive: below what was acknowledged, and empty
        self.seq: int = 0
        self.ack: int = 0
        self.window: int = 0  # bytes, scaled where the scale was seen

    @property
    def time(self) -> int:
        return self.carried.time

    @property
    def sent(self) -> int:
        return self.carried.time

    @property
    def arrives(self) -> int:
        return self.carried.arrives

    @property
    def source(self) -> str:
        return self.carried.source

    @property
    def destination(self) -> str:
        return self.carried.destination

    @property
    def packet(self) -> IpPacket:
        return self.carried.packet

    @property
    def note(self) -> str:
        """The faults that touched it, "" if none did."""
        return self.carried.note

    @property
    def lost(self) -> bool:
        return self.carried.arrives == NEVER

    @property
    def flow(self) -> Flow | None:
        return flow_of(self.carried.packet)

    @property
    def length(self) -> int:
        """Bytes of payload; 0 if it is no TCP segment."""
        return 0 if self.segment is None else self.segment.length

    @property
    def tcb_before(self) -> TcbSnapshot | None:
        """The sender's control block when it sent this."""
        return None if self.sent_by is None else self.sent_by.tcb

    @property
    def tcb_after(self) -> TcbSnapshot | None:
        """The receiver's control block when it had dealt with this."""
        return None if self.done is None else self.done.tcb


class _Direction:
    """What is known of one direction of a flow."""

    __slots__ = ("end", "isn", "scale", "scale_offered", "syn_flags")

    def __init__(self, isn: int) -> None:
        self.isn: int = isn
        self.end: int = 0  # relative; one past the last sequence number sent
        self.scale_offered: int = -1
        self.scale: int = 0
        self.syn_flags: int = 0  # of the last SYN


class _Joiner:
    def __init__(self) -> None:
        self.found: list[Transmission] = []
        self.waiting: dict[str, list[Sent]] = {}  # sent, not yet carried, by host
        self.coming: dict[tuple[str, int], list[Transmission]] = {}  # (destination, arrival time)
        self.arrived: dict[tuple[str, int], Transmission] = {}  # (host, identity of the packet): last arrival
        self.passing: dict[tuple[str, int], Transmission] = {}  # (host, identity of the payload): last arrival
        self.directions: dict[Flow, _Direction] = {}

    def carry(self, carried: Carried, order: int) -> None:
        made = Transmission(carried, order)
        packet = carried.packet
        before = self.found[-1] if self.found else None
        if before is not None and before.packet is packet and before.carried.link == carried.link:
            made.copy = before.source == carried.source and before.sent_by is not None
            made.sent_by = before.sent_by
            made.previous = before.previous
        else:
            made.sent_by = self._take_sent(carried.source, packet)
            made.previous = self.passing.get((carried.source, id(packet.payload)))
        self._number(made)
        self.found.append(made)
        if not made.lost:
            self.coming.setdefault((carried.destination, carried.arrives), []).append(made)

    def _take_sent(self, host: str, packet: IpPacket) -> Sent | None:
        waiting = self.waiting.get(host, [])
        for place, sent in enumerate(waiting):
            if sent.packet is packet:
                # Those before it on the same interface were replaced on the way.
                later = waiting[place + 1 :]
                self.waiting[host] = [each for each in waiting[:place] if each.interface != sent.interface] + later
                return sent
        return None

    def arrive(self, host: str, packet: IpPacket | None, time: int, order: int) -> Transmission | None:
        """The transmission that brought `packet` (None: bytes that are no packet) to `host` now."""
        coming = self.coming.get((host, time), [])
        for place, made in enumerate(coming):
            if made.packet is packet or made.carried.frame is not None:
                del coming[place]
                made.arrival_order = order
                self._note_arrival(made, host, packet)
                return made
        return None if packet is None else self._return(host, packet, time, order)

    def _note_arrival(self, made: Transmission, host: str, packet: IpPacket | None) -> None:
        if packet is not None:
            self.arrived[host, id(packet)] = made
            self.passing[host, id(packet.payload)] = made

    def _return(self, host: str, packet: IpPacket, time: int, order: int) -> Transmission | None:
        """What a host sent to itself came back without a cable."""
        sent = self._take_sent(host, packet)
        if sent is None:
            return None
        made = Transmission(Carried(sent.interface, host, host, 0, packet, None, sent.time, time, ""), order)
        made.sent_by = sent
        made.arrival_order = order
        self._number(made)
        self.found.append(made)
        self._note_arrival(made, host, packet)
        return made

    # -- sequence numbers

    def _number(self, made: Transmission) -> None:
        segment = made.segment
        flow = made.flow
        if segment is None or flow is None:
            return
        if made.previous is not None and made.previous.segment is not None:
            self._inherit(made, made.previous)
            return
        own = self._direction(flow, segment, made)
        made.seq = _relative(segment.seq, own.isn)
        other = self.directions.get(reverse(flow))
        if segment.flags & ACK:
            if other is None:
                other = self.directions[reverse(flow)] = _Direction((segment.ack - 1) & 0xFFFFFFFF)
            made.ack = _relative(segment.ack, other.isn)
        made.window = segment.window if segment.flags & SYN else segment.window << own.scale
        self._compare(made, segment, own, other)

    def _direction(self, flow: Flow, segment: TcpSegment, made: Transmission) -> _Direction:
        tcb = made.tcb_before
        own = self.directions.get(flow)
        isn = segment.seq if segment.flags & SYN else (segment.seq - 1) & 0xFFFFFFFF
        if tcb is not None and not segment.flags & RST:
            isn = tcb.iss & 0xFFFFFFFF
        elif own is not None and not segment.flags & SYN:
            return own
        if own is None or own.isn != isn:
            own = self.directions[flow] = _Direction(isn)
        return own

    def _compare(self, made: Transmission, segment: TcpSegment, own: _Direction, other: _Direction | None) -> None:
        if segment.flags & SYN:
            offered = -1 if segment.options is None else segment.options.window_scale
            own.scale_offered = offered
            if segment.flags & ACK and offered >= 0 and other is not None and other.scale_offered >= 0:
                own.scale = min(offered, 14)  # RFC 7323 §2.3
                other.scale = min(other.scale_offered, 14)
        if made.copy or segment.flags & RST:
            return
        length = segment.length + (segment.flags & SYN > 0) + (segment.flags & FIN > 0)
        made.retransmission = length > 0 and made.seq < own.end
        if segment.flags & SYN:
            # The SYN of a simultaneous open that comes again with an ACK has something new to say.
            made.retransmission = made.retransmission and segment.flags == own.syn_flags
            own.syn_flags = segment.flags
        made.probe = length == 0 and made.seq == own.end - 1
        own.end = max(own.end, made.seq + length)

    @staticmethod
    def _inherit(made: Transmission, previous: Transmission) -> None:
        made.seq = previous.seq
        made.ack = previous.ack
        made.window = previous.window
        made.retransmission = previous.retransmission
        made.probe = previous.probe


def _relative(number: int, base: int) -> int:
    distance = (number - base) & 0xFFFFFFFF
    return distance - (1 << 32) if distance >= _TOP else distance  # before the base: an old duplicate


def join(events: Iterable[Event]) -> list[Transmission]:
    """Every transmission in the order in which the cables took them."""
    joiner = _Joiner()
    for order, event in enumerate(events):
        if isinstance(event, Sent):
            joiner.waiting.setdefault(event.host, []).append(event)
        elif isinstance(event, Carried):
            joiner.carry(event, order)
        elif isinstance(event, Received):
            made = joiner.arrive(event.host, event.packet, event.time, order)
            if made is not None:
                made.received = event
        elif isinstance(event, Done):
            made = joiner.arrived.get((event.host, id(event.packet)))
            if made is not None and made.done is None:
                made.done = event
        elif isinstance(event, Dropped):
            _drop(joiner, event, order)
    return joiner.found


def _drop(joiner: _Joiner, event: Dropped, order: int) -> None:
    if event.packet is None:
        made = joiner.arrive(event.host, None, event.time, order)
    else:
        made = joiner.arrived.get((event.host, id(event.packet)))
    if made is not None:
        made.drops.append(event.reason)
