"""From events to transmissions: what one cable did with one packet, joined with what both its ends said of it.

A probe tells "sent", "carried", "received", "done" and "dropped" one after another; a packet is the same object from
end to end unless a cable made bytes of it. What arrives at one host at one time arrives in the order in which it was
carried, and that is how bytes find the packet that they were.

Sequence numbers become relative here: to the initial ones that the sender's control block has, else to the last SYN
of that direction. A number that is nowhere near stays as it is on the wire.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from netglass.probe import Flow, TcbSnapshot
from netglass.times import NEVER
from netglass.trace.records import (
    UNKNOWN,
    Carried,
    Done,
    Dropped,
    Event,
    Packet,
    Received,
    Sent,
    StateChanged,
    flow_of,
    reverse,
    segment_of,
)
from netglass.wire.tcp import ACK, FIN, RST, SYN, TcpSegment

_FAR: Final = 1 << 26
"""A number so far beyond what its direction has sent has nothing to do with it: a guess, or a RST to somebody else."""


class Transmission:
    """One packet over one cable, or from a host to itself (the cable's name is the interface's then). Times in ns;
    `seq` and `ack` are relative, 0 if it is no TCP segment, and UNKNOWN if they are nowhere near a known initial
    number."""

    __slots__ = (
        "ack",
        "arrival_order",
        "carried",
        "copy",
        "direction",
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
        "stale",
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
        self.stale: bool = False  # when it arrived, its connection had been followed by another one between these ports
        self.direction: _Direction | None = None  # where its sequence numbers are counted
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
    def packet(self) -> Packet:
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

    __slots__ = ("end", "isn", "scale", "scale_offered", "sure", "syn_flags")

    def __init__(self, isn: int) -> None:
        self.isn: int = isn
        self.end: int = 0  # relative; one past the last sequence number sent
        self.scale_offered: int = -1
        self.scale: int = 0
        self.sure: bool = False  # a control block said where it begins
        self.syn_flags: int = 0  # of the last SYN

    def relative(self, number: int) -> int:
        """`number` counted from the initial one, or UNKNOWN."""
        distance = (number - self.isn) & 0xFFFFFFFF
        return UNKNOWN if distance > self.end + _FAR else distance


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
            if carried.ethernet is not None:
                self._pass_switch(carried)
            sent = self._take_sent(carried.source, packet, carried.ethernet is not None)
            if sent is None and carried.note:
                sent = self._take_replaced(carried)
            made.sent_by = sent
            payload = packet.payload if sent is None or sent.packet is None else sent.packet.payload
            made.previous = self.passing.get((carried.source, id(payload)))
        self._number(made)
        self.found.append(made)
        if not made.lost:
            self.coming.setdefault((carried.destination, carried.arrives), []).append(made)

    def _pass_switch(self, carried: Carried) -> None:
        """A switch says nothing of what it receives: what it sends on has arrived."""
        source = carried.source
        for made in self.coming.get((source, carried.time), []):
            if made.packet.payload is carried.packet.payload or made.carried.frame is not None:
                self.passing[source, id(carried.packet.payload)] = made

    def _take_sent(self, host: str, packet: Packet, patient: bool = False) -> Sent | None:
        """`patient`: others may wait still, until a MAC is known."""
        waiting = self.waiting.get(host, [])
        for place, sent in enumerate(waiting):
            if sent.packet is packet:
                if patient:
                    return waiting.pop(place)
                # Those before it on the same interface were replaced on the way.
                later = waiting[place + 1 :]
                self.waiting[host] = [each for each in waiting[:place] if each.interface != sent.interface] + later
                return sent
        return None

    def _take_replaced(self, carried: Carried) -> Sent | None:
        """What the host sent, if a fault put another packet in its place."""
        flow = flow_of(carried.packet)
        waiting = self.waiting.get(carried.source, [])
        for place, sent in enumerate(waiting):
            if sent.time == carried.time and flow is not None and sent.flow == flow:
                return waiting.pop(place)
        return None

    def arrive(self, host: str, packet: Packet | None, time: int, order: int) -> Transmission | None:
        """The transmission that brought `packet` (None: bytes that are no packet) to `host` now."""
        coming = self.coming.get((host, time), [])
        for place, made in enumerate(coming):
            if made.packet is packet or made.carried.frame is not None:
                del coming[place]
                made.arrival_order = order
                line = None if made.flow is None else self.directions.get(made.flow)
                made.stale = made.direction is not None and line is not made.direction
                self._note_arrival(made, host, packet)
                return made
        return None if packet is None else self._return(host, packet, time, order)

    def _note_arrival(self, made: Transmission, host: str, packet: Packet | None) -> None:
        if packet is not None:
            self.arrived[host, id(packet)] = made
            self.passing[host, id(packet.payload)] = made

    def _return(self, host: str, packet: Packet, time: int, order: int) -> Transmission | None:
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

    def change(self, event: StateChanged) -> None:
        """A new connection between the same ports has its own numbers, even if they are the same."""
        flow = event.flow
        if flow not in self.directions:
            return
        if event.old in ("CLOSED", "") and event.new == "SYN-SENT":
            del self.directions[flow]
            self.directions.pop(reverse(flow), None)
        elif event.new == "SYN-RECEIVED" and event.old != "SYN-SENT":
            # Its peer's SYN was carried before.
            del self.directions[flow]

    def _number(self, made: Transmission) -> None:
        segment = made.segment
        flow = made.flow
        if segment is None or flow is None:
            return
        if made.previous is not None and made.previous.segment is not None:
            self._inherit(made, made.previous)
            return
        # What a fault made of a segment says nothing of where its sender is.
        meant = segment if made.sent_by is None else segment_of(made.sent_by.packet) or segment
        own = made.direction = self._direction(flow, meant, made.tcb_before)
        other = self.directions.get(reverse(flow))
        if own is not None:
            made.seq = own.relative(segment.seq)
        elif segment.seq:
            made.seq = UNKNOWN
        if segment.flags & ACK:
            if other is None:
                other = self.directions[reverse(flow)] = _Direction((segment.ack - 1) & 0xFFFFFFFF)
            made.ack = other.relative(segment.ack)
        if own is None:
            made.window = segment.window
            return
        made.window = segment.window if segment.flags & SYN else segment.window << own.scale
        if meant.flags & SYN:
            _offer_scale(segment, own, other)
        if not made.copy and not segment.flags & RST:
            self._compare(made, meant, own)

    def _direction(self, flow: Flow, segment: TcpSegment, tcb: TcbSnapshot | None) -> _Direction | None:
        own = self.directions.get(flow)
        isn = segment.seq if segment.flags & SYN else (segment.seq - 1) & 0xFFFFFFFF
        if segment.flags & RST:
            return own  # it may have any number
        if tcb is not None:
            isn = tcb.iss & 0xFFFFFFFF
        elif own is not None and (not segment.flags & SYN or (own.sure and not segment.flags & ACK)):
            return own  # a SYN of nobody's control block was forged
        if own is None or own.isn != isn:
            own = self.directions[flow] = _Direction(isn)
        own.sure = own.sure or tcb is not None
        return own

    @staticmethod
    def _compare(made: Transmission, meant: TcpSegment, own: _Direction) -> None:
        seq = own.relative(meant.seq)
        length = meant.length + (meant.flags & SYN > 0) + (meant.flags & FIN > 0)
        made.retransmission = length > 0 and UNKNOWN < seq < own.end
        if meant.flags & SYN:
            # The SYN of a simultaneous open that comes again with an ACK has something new to say.
            made.retransmission = made.retransmission and meant.flags == own.syn_flags
            own.syn_flags = meant.flags
        made.probe = length == 0 and seq == own.end - 1
        if made.sent_by is not None or not own.end:
            # What something else put in between is none of the sender's numbers.
            own.end = max(own.end, seq + length)

    @staticmethod
    def _inherit(made: Transmission, previous: Transmission) -> None:
        made.seq = previous.seq
        made.ack = previous.ack
        made.window = previous.window
        made.retransmission = previous.retransmission
        made.probe = previous.probe
        made.direction = previous.direction


def _offer_scale(segment: TcpSegment, own: _Direction, other: _Direction | None) -> None:
    offered = -1 if segment.options is None else segment.options.window_scale
    own.scale_offered = offered
    if segment.flags & ACK and offered >= 0 and other is not None and other.scale_offered >= 0:
        own.scale = min(offered, 14)  # RFC 7323 §2.3
        other.scale = min(other.scale_offered, 14)


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
        elif isinstance(event, StateChanged):
            joiner.change(event)
        elif isinstance(event, Dropped):
            _drop(joiner, event, order)
    return joiner.found


def _drop(joiner: _Joiner, event: Dropped, order: int) -> None:
    if event.packet is None or (event.unseen and (event.host, id(event.packet)) not in joiner.arrived):
        made = joiner.arrive(event.host, event.packet, event.time, order)
    else:
        made = joiner.arrived.get((event.host, id(event.packet)))
    if made is not None:
        made.drops.append(event.reason)
