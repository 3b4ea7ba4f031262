"""The ladder: a column for each host, an arrow for each packet, and beside an arrow's two ends what it did there: the
state it led to, the queue it filled, why it was dropped.

`Ladder.of` turns a recording into `items` in order of time; `text`, `svg`, `html`, `mermaid` and `json` draw them. An
arrow is one packet over one cable, or over all cables between two hosts if those between are not among `hosts`.

What belongs to an arrow's end: what the host told between "received" and "done". What belongs to an arrow's start:
what the host told at the same time before "sent". The rest stands alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Final

from netglass.errors import MisuseError
from netglass.probe import Flow
from netglass.times import NEVER, duration, human
from netglass.trace.describe import arrow_kind, arrow_words
from netglass.trace.records import (
    Carried,
    Done,
    Dropped,
    Event,
    Note,
    QueueChanged,
    Received,
    Sent,
    StateChanged,
    TimerFired,
    reverse,
)
from netglass.trace.transmissions import Transmission
from netglass.wire import address
from netglass.wire.udp import UdpDatagram

if TYPE_CHECKING:
    from netglass.trace.recorder import Recorder

STATE: Final = "state"
TIMER: Final = "timer"
QUEUE: Final = "queue"
DROP: Final = "drop"
NOTE: Final = "note"

_FAMILIAR: Final = 6
"""So often a kind of item is drawn before a run of such items is put into one line."""
_SHORTEST_RUN: Final = 4
_AFTER_NEWS: Final = 3
"""So many familiar items are drawn after something new before they are put into one line again."""


class Remark:
    """Something beside a lifeline. `column` is the host's."""

    __slots__ = ("before", "column", "kind", "order", "text", "time")

    def __init__(self, column: int, kind: str, text: str, time: int, order: int, before: str = "") -> None:
        self.column: int = column
        self.kind: str = kind  # STATE, TIMER, QUEUE, DROP, NOTE
        self.text: str = text
        self.time: int = time
        self.order: int = order
        self.before: str = before  # of a queue: the text that was true before


class Arrow:
    """One packet from the column `source` to the column `destination`; `arrives` is NEVER if it is lost."""

    __slots__ = (
        "arrival_order",
        "arrives",
        "destination",
        "ends",
        "hops",
        "kind",
        "lost",
        "marks",
        "order",
        "sent",
        "source",
        "starts",
        "words",
    )

    def __init__(self, source: int, destination: int, hops: list[Transmission]) -> None:
        first, last = hops[0], hops[-1]
        self.source: int = source
        self.destination: int = destination
        self.hops: list[Transmission] = hops
        self.sent: int = first.sent
        self.arrives: int = last.arrives
        self.lost: str = ""  # why, if it never arrives
        self.order: int = first.order
        self.arrival_order: int = last.arrival_order
        self.kind: str = arrow_kind(first.packet)
        self.words: list[str] = arrow_words(first)
        self.marks: list[str] = []
        self.starts: list[Remark] = []
        self.ends: list[Remark] = []

    @property
    def time(self) -> int:
        return self.sent

    @property
    def first(self) -> Transmission:
        return self.hops[0]

    @property
    def last(self) -> Transmission:
        return self.hops[-1]


class Gap:
    """A stretch that is not drawn, because it repeats what was."""

    __slots__ = ("arrows", "order", "payload", "remarks", "time", "until")

    def __init__(self, hidden: Sequence[Arrow | Remark]) -> None:
        arrows = [each for each in hidden if isinstance(each, Arrow)]
        self.time: int = hidden[0].time
        self.until: int = hidden[-1].time
        self.order: int = hidden[0].order
        self.arrows: int = len(arrows)
        self.payload: int = sum([each.first.length for each in arrows])
        self.remarks: int = len(hidden) - len(arrows)

    @property
    def text(self) -> str:
        parts = [f"{self.arrows:,} packets"] if self.arrows else [f"{self.remarks:,} events"]
        if self.payload:
            parts.append(f"{self.payload:,} bytes")
        parts.append(human(self.until - self.time))
        return ", ".join(parts)


Item = Arrow | Remark | Gap


class Moment:
    """An item at one time; an arrow has two of them, if it arrives."""

    __slots__ = ("is_arrival", "item", "order", "time")

    def __init__(self, item: Item, time: int, order: int, is_arrival: bool = False) -> None:
        self.item: Item = item
        self.time: int = time
        self.order: int = order
        self.is_arrival: bool = is_arrival


class Ladder:
    """What there is to draw. Times in ns; `origin` is the time of the first item, which pictures call 0."""

    def __init__(
        self, hosts: list[str], labels: list[str], initial: list[str], banded: list[bool], items: list[Item]
    ) -> None:
        self.hosts: list[str] = hosts
        self.labels: list[str] = labels  # a second line under the name: the address
        self.initial: list[str] = initial  # the state that each host's connection is in before the first item
        self.banded: list[bool] = banded  # whether the host has no more than one connection
        self.items: list[Item] = items
        self.origin: int = min([each.time for each in items], default=0)

    @classmethod
    def of(
        cls,
        recorder: Recorder,
        hosts: Iterable[str] | None = None,
        flow: Flow | None = None,
        last: int | None = None,
        start: int | str | None = None,
        end: int | str | None = None,
        elide: bool = True,
        remarks: Iterable[str] = (STATE, TIMER, QUEUE, DROP, NOTE),
    ) -> Ladder:
        """The ladder of a recording.

        `hosts`: these columns in this order; hosts between them are passed over. `flow`: only this connection, named
        from either end. `last`: only the last so many packets. `start`, `end`: only what happens between these times
        (ns, or text such as "1.5 s"). `elide=False` draws repeated stretches in full. `remarks`: what to say beside
        the arrows.
        """
        builder = _Builder(recorder, None if hosts is None else list(hosts), flow)
        kinds = set(remarks)
        items = builder.items()
        items = _between(items, start, end)
        if last is not None:
            items = _last(items, last)
        for each in items:
            if isinstance(each, Arrow):
                each.starts = [remark for remark in each.starts if remark.kind in kinds]
                each.ends = [remark for remark in each.ends if remark.kind in kinds]
        items = [each for each in items if isinstance(each, Arrow) or each.kind in kinds]
        _tell_windows(items)
        drawn: list[Item] = _elided(items) if elide else list(items)
        return cls(builder.hosts, builder.labels(), builder.initial_states(items), builder.banded(), drawn)

    def arrows(self) -> list[Arrow]:
        return [each for each in self.items if isinstance(each, Arrow)]

    def remarks(self) -> list[Remark]:
        """Every remark, at arrows and alone."""
        found: list[Remark] = []
        for each in self.items:
            if isinstance(each, Arrow):
                found += [*each.starts, *each.ends]
            elif isinstance(each, Remark):
                found.append(each)
        return found

    def moments(self) -> list[Moment]:
        """Everything in the order in which it happened."""
        found: list[Moment] = []
        for item in self.items:
            found.append(Moment(item, item.time, item.order))
            if isinstance(item, Arrow) and item.arrives != NEVER:
                # What has not arrived when the recording ends comes last among its time.
                order = item.arrival_order if item.arrival_order >= 0 else 1 << 60
                found.append(Moment(item, item.arrives, order, True))
        found.sort(key=lambda each: (each.time, each.order))
        return found

    def since(self, time: int) -> str:
        """A time as the gutter shows it."""
        return human(time - self.origin) if time != self.origin else "0"

    # -- the pictures

    def text(self, width: int = 80, colour: bool = False, ascii: bool = False) -> str:  # noqa: A002  says what it is
        """For a terminal of `width` columns; `colour` adds ANSI colours, `ascii` keeps to seven bits."""
        from netglass.trace.text import draw

        return draw(self, width, colour, ascii)

    def svg(self, title: str = "") -> str:
        """A picture of its own: one SVG element, light or dark as its reader's system is."""
        from netglass.trace.svg import draw

        return draw(self, title)

    def html(self, title: str = "", text: str = "") -> str:
        """A page of its own, with every arrow's headers and both ends' control blocks. `text` stands above the
        picture."""
        from netglass.trace.html import draw

        return draw(self, title, text)

    def mermaid(self) -> str:
        """A Mermaid sequence diagram."""
        from netglass.trace.mermaid import draw

        return draw(self)

    def json(self) -> str:
        """Everything as JSON: hosts, and items with times in ns since `origin`."""
        from json import dumps

        from netglass.trace.details import model

        return dumps(model(self), indent=1)


# -- building


class _Builder:
    """Turns events into arrows and remarks."""

    def __init__(self, recorder: Recorder, hosts: list[str] | None, flow: Flow | None) -> None:
        self.events: list[Event] = list(recorder.events)
        self.flow = flow
        chosen = [each for each in recorder.transmissions() if self._concerns(each)]
        self.hosts: list[str] = _arranged(chosen, recorder.hosts()) if hosts is None else hosts
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
        return transmission.packet.source in ends or transmission.packet.destination in ends

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
        if not last.lost and not last.drops:
            # To a host that is not drawn, and not on its way to one that is.
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
            desk.arrive(event.host, arrivals.get(order), event.time)
            if isinstance(event, Dropped):
                desk.remark(event.host, self._dropped(event, order), event.time)
        elif isinstance(event, Done):
            desk.done(event.host)
        elif not isinstance(event, Carried):
            for remark in self._remarks(event, order):
                desk.remark(self.hosts[remark.column], remark, event.time)

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
        pairs = (("SYN queue", before[0], event.half_open), ("accept queue", before[1], event.complete))
        return [
            Remark(column, QUEUE, f"{name} {new}", event.time, order, f"{name} {old}")
            for name, old, new in pairs
            if old != new
        ]

    def _is_about(self, event: Dropped) -> bool:
        return self.flow is None or event.flow is None or self._is_flow(event.flow)

    def _dropped(self, event: Dropped, order: int) -> Remark:
        return Remark(self.columns[event.host], DROP, event.reason, event.time, order)

    # -- the head

    def labels(self) -> list[str]:
        """Each host's address, if all its packets have the same one; with the port if that is the same too."""
        found: list[dict[tuple[bytes, int], None]] = [{} for _ in self.hosts]
        for arrow in self.arrows:
            flow = arrow.first.flow
            if flow is not None and arrow.first.previous is None:
                found[arrow.source][flow[0], flow[1]] = None
                if arrow.arrives != NEVER and arrow.last.done is not None:
                    found[arrow.destination][flow[2], flow[3]] = None
        return [_address_label(list(ends)) for ends in found]

    def banded(self) -> list[bool]:
        return [len(self.flows_of.get(host, {})) < 2 for host in self.hosts]

    def initial_states(self, items: Sequence[Arrow | Remark]) -> list[str]:
        states = [""] * len(self.hosts)
        if not items:
            return states
        first = min([_first_order(each) for each in items])
        for order, event in enumerate(self.events):
            if not isinstance(event, StateChanged) or event.host not in self.columns or not self._is_flow(event.flow):
                continue
            column = self.columns[event.host]
            if order < first:
                states[column] = event.new
            elif not states[column]:
                states[column] = event.old
        for host, flows in self.flows_of.items():
            if len(flows) > 1 and host in self.columns and states[self.columns[host]] != "LISTEN":
                states[self.columns[host]] = ""  # several connections have no one state
        return states


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


def _first_order(item: Arrow | Remark) -> int:
    return min([item.order, *[each.order for each in item.starts]]) if isinstance(item, Arrow) else item.order


class _Desk:
    """Hands remarks to the arrows' ends."""

    def __init__(self) -> None:
        self.alone: list[Remark] = []
        self.here: dict[str, tuple[Arrow | None, int]] = {}  # last arrival at a host, and when
        self.busy: set[str] = set()  # hosts between "received" and "done"
        self.pending: dict[str, list[Remark]] = {}

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
        waiting = self.pending.pop(host, [])
        came, when = self.here.get(host, (None, -1))
        for remark in waiting:
            if remark.time == arrow.sent and remark.kind not in (QUEUE, NOTE):
                arrow.starts.append(remark)
            elif came is not None and when == remark.time:
                # A queue changed, and an application spoke, because of what came.
                came.ends.append(remark)
            else:
                self.alone.append(remark)

    def _settle(self, host: str) -> None:
        arrow, when = self.here.get(host, (None, -1))
        for remark in self.pending.pop(host, []):
            if arrow is not None and when == remark.time:
                arrow.ends.append(remark)
            else:
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
    addresses = {each[0] for each in ends}
    if len(addresses) != 1:
        return ""
    text = address.text(ends[0][0])
    if len(ends) > 1:
        return text
    return f"[{text}]:{ends[0][1]}" if ":" in text else f"{text}:{ends[0][1]}"


def _tell_flows(arrows: list[Arrow]) -> None:
    # Ports go into the labels only where there are several connections.
    flows = {frozenset((each.first.flow, reverse(each.first.flow))) for each in arrows if each.first.flow is not None}
    if len(flows) < 2:
        return
    for each in arrows:
        flow = each.first.flow
        if flow is not None and not isinstance(each.first.packet.payload, UdpDatagram):
            each.words.insert(0, f"{flow[1]}>{flow[3]}")


def _tell_windows(items: Sequence[Arrow | Remark]) -> None:
    """A window is told at first, and again when it has halved or doubled since it was told; so zero always is."""
    told: dict[tuple[object, bool], int] = {}
    for each in items:
        if not isinstance(each, Arrow) or each.first.segment is None or each.first.flow is None or each.kind == "rst":
            continue
        window = each.first.window
        opening = each.kind in ("syn", "syn-ack")
        key = (each.source if opening else each.first.flow, opening)
        if key not in told or not told[key] <= 2 * window <= 4 * told[key] or (window == 0) != (told[key] == 0):
            each.words.append(f"win={window}")
            told[key] = window


# -- choosing


def _between(items: list[Arrow | Remark], start: int | str | None, end: int | str | None) -> list[Arrow | Remark]:
    first = 0 if start is None else duration(start)
    final = NEVER if end is None else duration(end)
    return [each for each in items if first <= each.time <= final]


def _last(items: list[Arrow | Remark], count: int) -> list[Arrow | Remark]:
    places = [place for place, each in enumerate(items) if isinstance(each, Arrow)]
    if count < 1:
        raise MisuseError(f"last is a number of packets, 1 or more; this is {count}")
    return items[places[-count] :] if len(places) > count else items


def _signature(item: Arrow | Remark) -> tuple[Any, ...]:
    if isinstance(item, Remark):
        return (item.column, item.kind, _without_digits(item.text))
    remarks = tuple([_signature(each) for each in (*item.starts, *item.ends)])
    return (item.source, item.destination, item.kind, item.lost, tuple(item.marks), remarks)


def _without_digits(text: str) -> str:
    return "".join([letter for letter in text if not letter.isdigit()])


def _elided(items: Sequence[Arrow | Remark]) -> list[Item]:
    """Runs of items that are familiar by now become gaps; what comes right before and after something new stays."""
    total: dict[tuple[Any, ...], int] = {}
    since_news: dict[tuple[Any, ...], int] = {}
    found: list[Item] = []
    run: list[Arrow | Remark] = []
    for each in items:
        signature = _signature(each)
        total[signature] = total.get(signature, 0) + 1
        is_news = total[signature] <= _FAMILIAR
        if is_news and run:
            since_news.clear()
        since_news[signature] = since_news.get(signature, 0) + 1
        if not is_news and since_news[signature] > _AFTER_NEWS:
            run.append(each)
            continue
        found += _closed_run(run)
        run = []
        found.append(each)
    return found + _closed_run(run)


def _closed_run(run: list[Arrow | Remark]) -> list[Item]:
    hidden = run[:-2]
    if len(hidden) < _SHORTEST_RUN:
        return list(run)
    return [Gap(hidden), *run[-2:]]
