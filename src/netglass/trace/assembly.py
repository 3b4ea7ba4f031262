"""From a recording to a ladder's items: which arrow, and what belongs to which of its ends.

What belongs to an arrow's end: what the host told between "received" and "done". What belongs to an arrow's start:
what the host told at the same time before "sent". The rest stands alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from netglass.errors import MisuseError
from netglass.probe import Flow
from netglass.times import NEVER, duration, human
from netglass.trace.items import DROP, NOTE, QUEUE, STATE, TIMER, Arrow, Remark
from netglass.trace.records import (
    Carried,
    Done,
    Dropped,
    Event,
    Note,
    Packet,
    QueueChanged,
    Received,
    Sent,
    StateChanged,
    TimerFired,
    reverse,
)
from netglass.trace.transmissions import Transmission
from netglass.wire import address
from netglass.wire.arp import REQUEST, ArpMessage
from netglass.wire.ip import IpPacket
from netglass.wire.udp import UdpDatagram

if TYPE_CHECKING:
    from netglass.trace.recorder import Recorder


class Assembly:
    """Turns events into arrows and remarks."""

    def __init__(self, recorder: Recorder, hosts: list[str] | None, flow: Flow | None) -> None:
        self.events: list[Event] = list(recorder.events)
        self.flow = flow
        chosen = [each for each in recorder.transmissions() if self._concerns(each)]
        if hosts is None:
            # A switch has nothing to say: frames go through it.
            switches = recorder.switches()
            hosts = [each for each in _arranged(chosen, recorder.hosts()) if each not in switches]
        self.hosts: list[str] = hosts
        self.columns: dict[str, int] = {name: number for number, name in enumerate(self.hosts)}
        unknown = [name for name in self.hosts if name not in recorder.hosts()]
        if unknown and recorder.events:
            raise MisuseError(f"nothing was recorded of {unknown}; there are {', '.join(recorder.hosts())}")
        self.arrows: list[Arrow] = self._arrows(chosen)
        self.flows_of: dict[str, dict[Flow, None]] = {}
        for event in self.events:
            if isinstance(event, StateChanged) and self._is_flow(event.flow):
                self.flows_of.setdefault(event.host, {})[event.flow] = None
        self.queues: dict[tuple[str, int], tuple[int, int]] = {}

    def _concerns(self, transmission: Transmission) -> bool:
        if self.flow is None:
            return True
        found = transmission.flow
        if found is not None:
            return self._is_flow(found)
        ends = (self.flow[0], self.flow[2])
        packet = transmission.packet
        return isinstance(packet, IpPacket) and (packet.source in ends or packet.destination in ends)

    def _is_flow(self, flow: Flow) -> bool:
        return self.flow is None or flow == self.flow or reverse(flow) == self.flow

    # -- arrows

    def _arrows(self, transmissions: list[Transmission]) -> list[Arrow]:
        onward: dict[int, list[Transmission]] = {}
        for each in transmissions:
            if each.previous is not None:
                onward.setdefault(id(each.previous), []).append(each)
        found: list[Arrow] = []
        for each in transmissions:
            if each.source in self.columns:
                found += self._follow([each], onward)
        _tell_flows(found)
        return found

    def _follow(self, hops: list[Transmission], onward: dict[int, list[Transmission]]) -> list[Arrow]:
        # From a host that has a column to the next one that has.
        last = hops[-1]
        source = self.columns[hops[0].source]
        if last.destination in self.columns:
            destination = self.columns[last.destination]
            return [self._finished(Arrow(source, destination, hops))]
        further = [] if last.lost else onward.get(id(last), [])
        if further:
            return [arrow for each in further for arrow in self._follow([*hops, each], onward)]
        if (not last.lost and not last.drops) or len(self.hosts) == 1:
            # To a host that is not drawn, and not on its way to one that is; or there is no side to draw it to.
            return []
        arrow = Arrow(source, self._towards(source, last), hops)
        arrow.arrives = NEVER
        return [self._finished(arrow)]

    def _towards(self, source: int, lost: Transmission) -> int:
        # A neighbouring column: the side on which the next host lies, were it drawn.
        return source + 1 if source + 1 < len(self.hosts) else max(source - 1, 0)

    def _finished(self, arrow: Arrow) -> Arrow:
        first = arrow.first
        if first.retransmission:
            arrow.marks.append("retransmission")
        if first.probe:
            arrow.marks.append("probe")
        notes = [each.note for each in arrow.hops if each.note]
        if arrow.arrives == NEVER:
            last = arrow.last
            arrow.lost = last.note or ", ".join(last.drops) or "lost"
            notes = [note for note in notes if note != last.note]
        arrow.marks += dict.fromkeys(notes)
        return arrow

    # -- remarks

    def items(self) -> list[Arrow | Remark]:
        departures: dict[int, list[Arrow]] = {}
        arrivals: dict[int, Arrow] = {}
        for arrow in self.arrows:
            sent = arrow.first.sent_by
            departures.setdefault(id(sent) if sent is not None else -arrow.order, []).append(arrow)
            if arrow.arrival_order >= 0 and arrow.arrives != NEVER:
                arrivals[arrow.arrival_order] = arrow
        desk = _Desk()
        for order, event in enumerate(self.events):
            self._enter(desk, order, event, departures, arrivals)
        alone = desk.closed()
        self._tell_ignored()
        found: list[Arrow | Remark] = [*self.arrows, *alone]
        found.sort(key=lambda each: (each.time, each.order))
        for arrow in self.arrows:
            arrow.starts = _tidied(arrow.starts)
            arrow.ends = _tidied(arrow.ends)
        return found

    def _enter(
        self, desk: _Desk, order: int, event: Event, departures: dict[int, list[Arrow]], arrivals: dict[int, Arrow]
    ) -> None:
        if isinstance(event, Sent):
            for arrow in departures.get(id(event), []):
                arrow.order = min(arrow.order, order)
                desk.depart(event.host, arrow)
        elif isinstance(event, Received) or (isinstance(event, Dropped) and order in arrivals):
            came = arrivals.get(order)
            desk.arrive(event.host, came, event.time)
            if came is not None and came.last.stale:
                desk.remark(event.host, Remark(came.destination, NOTE, _stale(came), event.time, order), event.time)
            if isinstance(event, Dropped):
                desk.remark(event.host, self._dropped(event, order), event.time)
        elif isinstance(event, Done):
            desk.done(event.host)
        elif not isinstance(event, Carried):
            for remark in self._remarks(event, order):
                desk.remark(self.hosts[remark.column], remark, event.time)

    def _tell_ignored(self) -> None:
        """A RST that neither ends anything nor is answered leaves no other trace."""
        answers = {(each.source, each.sent, each.first.flow) for each in self.arrows}
        for arrow in self.arrows:
            after, flow = arrow.last.tcb_after, arrow.last.flow
            if arrow.kind != "rst" or after is None or flow is None or after.state == "CLOSED" or arrow.ends:
                continue
            if (arrow.destination, arrow.arrives, reverse(flow)) not in answers:
                arrow.ends.append(Remark(arrow.destination, DROP, "ignored", arrow.arrives, arrow.arrival_order))

    def _remarks(self, event: Event, order: int) -> list[Remark]:
        if isinstance(event, QueueChanged):
            return self._queue(event, order)
        if isinstance(event, Dropped):
            return [self._dropped(event, order)] if event.host in self.columns and self._is_about(event) else []
        if isinstance(event, Note):
            return self._remark(event.host, NOTE, event.text, event, order)
        if isinstance(event, StateChanged) and self._is_flow(event.flow):
            return self._remark(event.host, STATE, self._whose(event.host, event.flow) + event.new, event, order)
        if isinstance(event, TimerFired) and self._is_flow(event.flow):
            text = f"{self._whose(event.host, event.flow)}{event.timer} timer"
            return self._remark(event.host, TIMER, text, event, order)
        return []

    def _remark(self, host: str, kind: str, text: str, event: Event, order: int) -> list[Remark]:
        if host not in self.columns:
            return []
        clean = "".join([letter if letter.isprintable() else " " for letter in text])
        return [Remark(self.columns[host], kind, clean, event.time, order)]

    def _whose(self, host: str, flow: Flow) -> str:
        # Which connection is meant, if the host has several.
        flows = self.flows_of.get(host, {})
        if len(flows) < 2:
            return ""
        same_local = len({each[1] for each in flows}) < len(flows)
        return f":{flow[3] if same_local else flow[1]} "

    def _queue(self, event: QueueChanged, order: int) -> list[Remark]:
        before = self.queues.get((event.host, event.port), (0, 0))
        self.queues[event.host, event.port] = (event.half_open, event.complete)
        if event.host not in self.columns:
            return []
        column = self.columns[event.host]
        pairs = (
            ("SYN queue", before[0], event.half_open, event.most_half_open),
            ("accept queue", before[1], event.complete, event.most_complete),
        )
        return [
            Remark(column, QUEUE, f"{name} {new}{' (full)' if new >= most else ''}", event.time, order, f"{name} {old}")
            for name, old, new, most in pairs
            if old != new
        ]

    def _is_about(self, event: Dropped) -> bool:
        return self.flow is None or event.flow is None or self._is_flow(event.flow)

    def _dropped(self, event: Dropped, order: int) -> Remark:
        return Remark(self.columns[event.host], DROP, event.reason, event.time, order)

    # -- the head

    def labels(self) -> list[str]:
        """Each host's address (the first, and how many more), with the port if all its connections have the same."""
        return [_address_label(list(ends)) for ends in self._ends()]

    def _ends(self) -> list[dict[tuple[bytes, int], None]]:
        """(address, port) of each column's host: of its connections, else of what it sent or was to receive."""
        sure: list[dict[tuple[bytes, int], None]] = [dict.fromkeys(each) for each in self._own_ends()]
        guessed: list[dict[tuple[bytes, int], None]] = [{} for _ in self.hosts]
        speaking = {event.host for event in self.events if isinstance(event, (Note, StateChanged, QueueChanged))}
        # Who hears from an address, or sends to it, does not have it.
        packets = [(each, each.first.packet) for each in self.arrows]
        heard_of = {(each.destination, packet.source) for each, packet in packets if isinstance(packet, IpPacket)}
        sent_to = {(each.source, packet.destination) for each, packet in packets if isinstance(packet, IpPacket)}
        for arrow in self.arrows:
            flow, last = arrow.first.flow, arrow.last
            if flow is None:
                # ICMP, ARP, fragments: an address without a port.
                source = _speaker(arrow.first.packet)
                passed_on = arrow.first.previous is not None or (arrow.source, source) in heard_of
                if source and not passed_on and not guessed[arrow.source]:
                    guessed[arrow.source][source, 0] = None
                continue
            if arrow.first.previous is None and any(flow[0]):
                guessed[arrow.source][flow[0], flow[1]] = None
            if flow[2] == address.BROADCAST or address.is_multicast(flow[2]):
                continue
            routed = last.previous is not None and last.previous.received is not None  # by a router, not a switch
            is_end = last.done is not None or routed or last.destination in speaking
            is_end = is_end and (arrow.destination, flow[2]) not in sent_to
            if is_end and self.columns.get(last.destination) == arrow.destination:
                guessed[arrow.destination][flow[2], flow[3]] = None
        return [known or likely for known, likely in zip(sure, guessed, strict=True)]

    def _own_ends(self) -> list[list[tuple[bytes, int]]]:
        found: list[list[tuple[bytes, int]]] = [[] for _ in self.hosts]
        for host, flows in self.flows_of.items():
            if host in self.columns:
                found[self.columns[host]] += [(flow[0], flow[1]) for flow in flows]
        for arrow in self.arrows:
            flow = arrow.first.flow
            if flow is not None and arrow.arrives != NEVER and arrow.last.done is not None:
                found[arrow.destination].append((flow[2], flow[3]))
        return found

    def tell_sources(self) -> None:
        """On an arrow stands where its packet says that it comes from, if that is not its sender's address."""
        for column, ends in enumerate(self._own_ends()):
            own = {each[0] for each in ends}
            sent = [each for each in self.arrows if each.source == column and each.first.previous is None]
            sources = {each.first.packet.source for each in sent if each.first.flow is not None} - {bytes(4)}
            for arrow in sent:
                source = arrow.first.packet.source
                forged = any(source) and (source not in own if own else len(sources) > 1)
                if forged and arrow.first.flow is not None:
                    arrow.words.append(f"from {address.text(source)}")

    def banded(self) -> list[bool]:
        return [len(self.flows_of.get(host, {})) < 2 for host in self.hosts]

    def initial_states(self, items: Sequence[Arrow | Remark]) -> list[str]:
        states = [""] * len(self.hosts)
        if not items:
            return states
        now = [each for each in items if not isinstance(each, Arrow) or each.sent == each.first.sent]
        first = min([_first_order(each) for each in now or items])
        for order, event in enumerate(self.events):
            if not isinstance(event, StateChanged) or event.host not in self.columns or not self._is_flow(event.flow):
                continue
            column = self.columns[event.host]
            if order < first:
                states[column] = event.new
            elif not states[column]:
                states[column] = event.old
        for host in self._listening():
            states[self.columns[host]] = states[self.columns[host]] or "LISTEN"
        for host, flows in self.flows_of.items():
            if len(flows) > 1 and host in self.columns and states[self.columns[host]] != "LISTEN":
                states[self.columns[host]] = ""  # several connections have no one state
        return states

    def _listening(self) -> list[str]:
        """Hosts that answered a SYN, or said that they listen, and have no connection."""
        said = [each.host for each in self.events if isinstance(each, Note) and each.text == "listen()"]
        said += [self.hosts[each.source] for each in self.arrows if each.kind == "syn-ack"]
        return [host for host in said if host in self.columns and host not in self.flows_of]


def _tidied(remarks: list[Remark]) -> list[Remark]:
    """States first. Of a queue only what changed in sum: a connection that is accepted in the moment in which it
    becomes complete leaves no trace in the accept queue."""
    states = [each for each in remarks if each.kind == STATE]
    rest: list[Remark] = []
    for each in remarks:
        if each.kind == STATE:
            continue
        name = each.text.rpartition(" ")[0]
        same = [old for old in rest if each.kind == QUEUE == old.kind and old.text.rpartition(" ")[0] == name]
        for old in same:
            rest.remove(old)
            each.before = old.before
        if each.kind != QUEUE or each.text != each.before:
            rest.append(each)
    return states + rest


def _stale(arrow: Arrow) -> str:
    """What came of a segment of an earlier connection."""
    last = arrow.last
    after, segment = last.tcb_after, last.segment
    if last.drops or after is None or segment is None or not segment.length:
        return "old duplicate"
    taken = after.rcv_nxt & 0xFFFFFFFF == (segment.seq + segment.length) & 0xFFFFFFFF
    return "old duplicate, taken for new" if taken else "old duplicate"


def _first_order(item: Arrow | Remark) -> int:
    return min([item.order, *[each.order for each in item.starts]]) if isinstance(item, Arrow) else item.order


class _Desk:
    """Hands remarks to the arrows' ends."""

    def __init__(self) -> None:
        self.alone: list[Remark] = []
        self.here: dict[str, tuple[Arrow | None, int]] = {}  # last arrival at a host, and when
        self.busy: set[str] = set()  # hosts between "received" and "done"
        self.pending: dict[str, list[Remark]] = {}
        self.left: dict[str, int] = {}  # the order of the last departure

    def arrive(self, host: str, arrow: Arrow | None, time: int) -> None:
        self._settle(host)
        self.here[host] = (arrow, time)
        self.busy.add(host)

    def done(self, host: str) -> None:
        self.busy.discard(host)

    def remark(self, host: str, remark: Remark, time: int) -> None:
        arrow, when = self.here.get(host, (None, -1))
        if host in self.busy and arrow is not None and when == time:
            arrow.ends.append(remark)
        else:
            self.pending.setdefault(host, []).append(remark)

    def depart(self, host: str, arrow: Arrow) -> None:
        self.busy.discard(host)
        for remark in self.pending.pop(host, []):
            if remark.time == arrow.sent and remark.kind not in (QUEUE, NOTE):
                arrow.starts.append(remark)
            else:
                self._put(host, remark)
        self.left[host] = arrow.order

    def _settle(self, host: str) -> None:
        for remark in self.pending.pop(host, []):
            self._put(host, remark)

    def _put(self, host: str, remark: Remark) -> None:
        """To what came last, if it came just then: a queue changed, and an application spoke, because of it. But a
        state that ends after an answer went out stands below that answer."""
        came, when = self.here.get(host, (None, -1))
        if came is not None and when == remark.time:
            answered = self.left.get(host, -1) > came.arrival_order
            if not answered or remark.kind not in (STATE, TIMER):
                came.ends.append(remark)
                return
        self.alone.append(remark)

    def closed(self) -> list[Remark]:
        for host in list(self.pending):
            self._settle(host)
        return self.alone


def _arranged(transmissions: list[Transmission], names: list[str]) -> list[str]:
    # From the first sender along the cables, so that neighbours stand side by side: depth first.
    neighbours: dict[str, dict[str, None]] = {}
    for each in transmissions:
        neighbours.setdefault(each.source, {})[each.destination] = None
        neighbours.setdefault(each.destination, {})[each.source] = None
    if not neighbours:
        return names
    arranged: dict[str, None] = {}
    stack = list(reversed(list(neighbours)))
    while stack:
        name = stack.pop()
        if name not in arranged:
            arranged[name] = None
            stack += reversed(list(neighbours[name]))
    return list(arranged)


def _address_label(ends: list[tuple[bytes, int]]) -> str:
    if not ends:
        return ""
    addresses = {each[0] for each in ends}
    text = address.text(ends[0][0])
    if len(addresses) > 1:
        return f"{text} +{len(addresses) - 1}"
    if len(ends) > 1 or not ends[0][1]:
        return text
    return f"[{text}]:{ends[0][1]}" if ":" in text else f"{text}:{ends[0][1]}"


def _speaker(packet: Packet) -> bytes:
    """Whose address an arrow that is of no flow shows; b"" if none's."""
    if isinstance(packet, IpPacket):
        return packet.source if any(packet.source) else b""
    message = packet.payload
    # Who asks says who he is; who answers may lie.
    if not isinstance(message, ArpMessage) or message.operation != REQUEST:
        return b""
    return message.sender if any(message.sender) else b""


def _tell_flows(arrows: list[Arrow]) -> None:
    # Ports go into the labels only where there are several connections.
    flows = {frozenset((each.first.flow, reverse(each.first.flow))) for each in arrows if each.first.flow is not None}
    if len(flows) < 2:
        return
    for each in arrows:
        flow = each.first.flow
        if flow is not None and not isinstance(each.first.packet.payload, UdpDatagram):
            each.words.insert(0, f"{flow[1]}>{flow[3]}")


def tell_windows(items: Sequence[Arrow | Remark]) -> None:
    """A window is told at first, and again when it has halved or doubled since it was told, so zero always is."""
    told: dict[tuple[object, bool], int] = {}
    for each in items:
        if not isinstance(each, Arrow) or each.first.segment is None or each.first.flow is None or each.kind == "rst":
            continue
        window = each.first.window
        opening = each.kind in ("syn", "syn-ack")
        key = (each.source if opening else each.first.flow, opening)
        if key not in told or not told[key] < 2 * window < 4 * told[key] or (window == 0) != (told[key] == 0):
            each.words.append(f"win={window}")
            told[key] = window


# -- choosing


def between(
    items: list[Arrow | Remark], start: int | str | None, end: int | str | None
) -> tuple[list[Arrow | Remark], list[Arrow | Remark]]:
    """(what happens between these times, what happens later)"""
    first = 0 if start is None else duration(start)
    final = NEVER if end is None else duration(end)
    early = [each for each in items if isinstance(each, Arrow) and _is_late(each, first, final)]
    for arrow in early:
        arrow.marks.append(f"sent {human(first - arrow.sent)} before")
        arrow.sent = first
        arrow.starts = []
    inside = [each for each in items if first <= each.time <= final and each not in early]
    # What an application said when the picture begins, beside the end of an arrow that is not in it.
    gone = [each for each in items if isinstance(each, Arrow) and each.time < first and each not in early]
    said = [note for each in gone for note in each.ends if note.kind == NOTE and first <= note.time <= final]
    return [*early, *said, *inside], [each for each in items if each.time > final]


def _is_late(arrow: Arrow, first: int, final: int) -> bool:
    """Whether it was sent before the picture and, held up by a fault, arrives in it."""
    return arrow.sent < first < arrow.arrives <= final and not arrow.lost and any(each.note for each in arrow.hops)


def last_time(items: list[Arrow | Remark]) -> int:
    """When the last of these happens, or arrives."""
    arrivals = [each.arrives for each in items if isinstance(each, Arrow) and each.arrives != NEVER]
    return max([*arrivals, *[each.time for each in items]])


def last_packets(items: list[Arrow | Remark], count: int) -> list[Arrow | Remark]:
    places = [place for place, each in enumerate(items) if isinstance(each, Arrow)]
    if count < 1:
        raise MisuseError(f"last is a number of packets, 1 or more; this is {count}")
    return items[places[-count] :] if len(places) > count else items
