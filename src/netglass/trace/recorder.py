"""The recorder: keeps everything that a probe is told, and answers questions about it.

    trace = Recorder()
    net.observe(trace)
    net.run()
    trace.states("client")                  ["CLOSED", "SYN-SENT", "ESTABLISHED", ...]
    trace.times("server", flags="SA")       when the server sent its SYN-ACKs, in ns
    print(Ladder.of(trace).text())

Flags are letters as in "S", "SA" (or "S."), "FA", "R": SYN, ACK, FIN and RST must be set as named and no other of
these four; PSH, URG, ECE and CWR (P, U, E, W) only count if they are named.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

from netglass.errors import MisuseError
from netglass.probe import Flow, Probe, TcbSnapshot
from netglass.trace.describe import flags_match
from netglass.trace.records import (
    Carried,
    Done,
    Dropped,
    Event,
    HostEvent,
    Note,
    PacketEvent,
    QueueChanged,
    Received,
    Sent,
    StateChanged,
    TimerFired,
    reverse,
)
from netglass.trace.transmissions import Transmission, join
from netglass.wire.ethernet import EthernetFrame
from netglass.wire.ip import IpPacket


class Recorder(Probe):
    """Everything in order, in `events`. With `limit` only the last so many events are kept; `forgotten` counts the
    others."""

    def __init__(self, limit: int = 0) -> None:
        if limit < 0:
            raise MisuseError(f"limit is the number of events to keep, 0 for all; this is {limit}")
        self.events: deque[Event] = deque(maxlen=limit or None)
        self.count: int = 0
        self.secrets: list[str] = []
        """Lines of a TLS key log; `write_pcapng` puts them into the capture."""
        self._joined: list[Transmission] = []
        self._joined_at: int = 0

    @property
    def forgotten(self) -> int:
        return self.count - len(self.events)

    # -- the probe

    def packet_sent(self, host: str, interface: str, packet: IpPacket, tcb: TcbSnapshot | None, now: int) -> None:
        self.count += 1
        self.events.append(Sent(host, interface, packet, tcb, now))

    def packet_received(self, host: str, interface: str, packet: IpPacket, now: int) -> None:
        self.count += 1
        self.events.append(Received(host, interface, packet, now))

    def packet_done(self, host: str, packet: IpPacket, tcb: TcbSnapshot | None, now: int) -> None:
        self.count += 1
        self.events.append(Done(host, packet, tcb, now))

    def packet_dropped(self, host: str, packet: IpPacket | None, reason: str, now: int) -> None:
        self.count += 1
        self.events.append(Dropped(host, packet, reason, now))

    def state_changed(self, host: str, flow: Flow, old: str, new: str, now: int) -> None:
        self.count += 1
        self.events.append(StateChanged(host, flow, old, new, now))

    def timer_fired(self, host: str, flow: Flow, timer: str, now: int) -> None:
        self.count += 1
        self.events.append(TimerFired(host, flow, timer, now))

    def queue_changed(
        self, host: str, port: int, half_open: int, complete: int, most_half_open: int, most_complete: int, now: int
    ) -> None:
        self.count += 1
        self.events.append(QueueChanged(host, port, half_open, complete, most_half_open, most_complete, now))

    def carried(
        self,
        link: str,
        source: str,
        destination: str,
        number: int,
        packet: IpPacket,
        frame: bytes | None,
        sent: int,
        arrives: int,
        note: str,
    ) -> None:
        self.count += 1
        self.events.append(Carried(link, source, destination, number, packet, frame, sent, arrives, note))

    def tls_secrets(self, host: str, lines: str, now: int) -> None:
        self.secrets += lines.splitlines()

    def frame_carried(
        self,
        link: str,
        source: str,
        destination: str,
        number: int,
        frame: EthernetFrame,
        data: bytes | None,
        sent: int,
        arrives: int,
        note: str,
    ) -> None:
        self.count += 1
        packet = frame.payload if isinstance(frame.payload, IpPacket) else frame
        self.events.append(Carried(link, source, destination, number, packet, data, sent, arrives, note, frame))

    def frame_sent(self, host: str, interface: str, frame: EthernetFrame, now: int) -> None:
        self.count += 1
        self.events.append(Sent(host, interface, frame, None, now))

    def frame_received(self, host: str, interface: str, frame: EthernetFrame, now: int) -> None:
        self.count += 1
        self.events.append(Received(host, interface, frame, now))

    def frame_dropped(self, host: str, frame: EthernetFrame | None, reason: str, now: int) -> None:
        self.count += 1
        packet = frame.payload if frame is not None and isinstance(frame.payload, IpPacket) else frame
        self.events.append(Dropped(host, packet, reason, now, True))

    def note(self, host: str, subject: str, text: str, now: int) -> None:
        self.count += 1
        self.events.append(Note(host, subject, text, now))

    # -- packets on hosts

    def sent(self, host: str | None = None, flags: str | None = None, flow: Flow | None = None) -> list[Sent]:
        """What `host` (None: any) sent. `flow` is meant in both directions."""
        return [each for each in self.events if isinstance(each, Sent) and _fits(each, host, flags, flow)]

    def received(self, host: str | None = None, flags: str | None = None, flow: Flow | None = None) -> list[Received]:
        """What reached `host` whole."""
        return [each for each in self.events if isinstance(each, Received) and _fits(each, host, flags, flow)]

    def drops(self, host: str | None = None, reason: str | None = None, flags: str | None = None) -> list[Dropped]:
        """What `host` dropped; what cables lost: `losses`."""
        return [
            each
            for each in self.events
            if isinstance(each, Dropped) and reason in (None, each.reason) and _fits(each, host, flags, None)
        ]

    def drop_counts(self, host: str | None = None) -> dict[str, int]:
        """How often each reason came, the reasons in alphabetical order."""
        counts: dict[str, int] = {}
        for each in self.drops(host):
            counts[each.reason] = counts.get(each.reason, 0) + 1
        return dict(sorted(counts.items()))

    def times(self, host: str | None = None, flags: str | None = None, flow: Flow | None = None) -> list[int]:
        """When `host` sent such packets, in ns."""
        return [each.time for each in self.sent(host, flags, flow)]

    def gaps(self, host: str | None = None, flags: str | None = None, flow: Flow | None = None) -> list[int]:
        """The time from each such packet to the next, in ns: [1 s, 2 s, 4 s] for a timer that backs off."""
        times = self.times(host, flags, flow)
        return [after - before for before, after in pairwise(times)]

    # -- packets on cables

    def transmissions(
        self,
        source: str | None = None,
        destination: str | None = None,
        flags: str | None = None,
        flow: Flow | None = None,
    ) -> list[Transmission]:
        """What cables carried from the host `source` to the host `destination`, each joined with what both ends said
        of it."""
        if self._joined_at != self.count:
            self._joined = join(self.events)
            self._joined_at = self.count
        return [
            each
            for each in self._joined
            if source in (None, each.source)
            and destination in (None, each.destination)
            and (flags is None or flags_match(each.segment, flags))
            and (flow is None or _same(each.flow, flow))
        ]

    def losses(self, note: str | None = None) -> list[Transmission]:
        """What never arrived; `note` is the name of a fault."""
        return [each for each in self.transmissions() if each.lost and note in (None, each.note)]

    def retransmissions(self, host: str | None = None, flow: Flow | None = None) -> list[Transmission]:
        """Segments with sequence numbers that `host` had sent before; each once, however many cables it took."""
        found = self.transmissions(source=host, flow=flow)
        return [each for each in found if each.retransmission and each.previous is None]

    # -- connections

    def hosts(self) -> list[str]:
        """Every host that was heard of, in that order."""
        found: dict[str, None] = {}
        for each in self.events:
            if isinstance(each, HostEvent):
                found[each.host] = None
            elif isinstance(each, Carried):
                found[each.source] = None
                found[each.destination] = None
        return list(found)

    def switches(self) -> list[str]:
        """Those of `hosts` that frames came from though they sent none."""
        sources = dict.fromkeys(
            [each.source for each in self.events if isinstance(each, Carried) and each.ethernet is not None]
        )
        heard = {each.host for each in self.events if isinstance(each, (Sent, Received))}
        return [name for name in sources if name not in heard]

    def flows(self, host: str) -> list[Flow]:
        """The host's connections, in the order in which they were first heard of."""
        changes = self.state_changes(host)
        return list(dict.fromkeys([each.flow for each in changes]))

    def state_changes(self, host: str | None = None, flow: Flow | None = None) -> list[StateChanged]:
        """`flow` is meant in both directions."""
        return [
            each
            for each in self.events
            if isinstance(each, StateChanged) and host in (None, each.host) and (flow is None or _same(each.flow, flow))
        ]

    def states(self, host: str, flow: Flow | None = None) -> list[str]:
        """The states that the host's connection went through, the first one included. Name the `flow` if the host had
        several connections."""
        changes = self.state_changes(host, self._only_flow(host) if flow is None else flow)
        return [each.old for each in changes[:1]] + [each.new for each in changes]

    def state_at(self, host: str, time: int, flow: Flow | None = None) -> str:
        """The connection's state at the end of the nanosecond `time`; "CLOSED" if it was not heard of."""
        changes = self.state_changes(host, self._only_flow(host) if flow is None else flow)
        state = changes[0].old if changes else "CLOSED"
        for each in changes:
            if each.time <= time:
                state = each.new
        return state

    def _only_flow(self, host: str) -> Flow | None:
        flows = self.flows(host)
        if len(flows) > 1:
            raise MisuseError(f"{host!r} had {len(flows)} connections; say which: flow=trace.flows({host!r})[0]")
        return flows[0] if flows else None

    def snapshots(self, host: str, flow: Flow | None = None) -> list[tuple[int, TcbSnapshot]]:
        """(time, control block) after each segment that `host` sent or dealt with."""
        return [
            (each.time, each.tcb)
            for each in self.events
            if isinstance(each, (Sent, Done)) and each.tcb is not None and _fits(each, host, None, flow)
        ]

    # -- the rest

    def timers(self, host: str | None = None, timer: str | None = None) -> list[TimerFired]:
        return [
            each
            for each in self.events
            if isinstance(each, TimerFired) and host in (None, each.host) and timer in (None, each.timer)
        ]

    def queues(self, host: str | None = None, port: int | None = None) -> list[QueueChanged]:
        """How the queues of listeners changed."""
        return [
            each
            for each in self.events
            if isinstance(each, QueueChanged) and host in (None, each.host) and port in (None, each.port)
        ]

    def notes(self, host: str | None = None, subject: str | None = None) -> list[Note]:
        return [
            each
            for each in self.events
            if isinstance(each, Note) and host in (None, each.host) and subject in (None, each.subject)
        ]


def _fits(event: PacketEvent, host: str | None, flags: str | None, flow: Flow | None) -> bool:
    if host is not None and event.host != host:
        return False
    if flags is not None and not flags_match(event.segment, flags):
        return False
    return flow is None or _same(event.flow, flow)


def _same(one: Flow | None, other: Flow) -> bool:
    return one is not None and (one == other or reverse(one) == other)


def payload_bytes(transmissions: Sequence[Transmission]) -> int:
    """Bytes of TCP payload in all of them."""
    return sum([each.length for each in transmissions])
