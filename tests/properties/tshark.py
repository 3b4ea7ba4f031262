"""What tshark, which shares no line with us, reads in a capture of ours; and why each thing that it remarks is so.

tshark knows what one host's interface saw. The trace knows what happened. Each flag of its TCP analysis has a rule
here that finds its reason in the trace; a flag without one is a defect of the stack, of the capture or of the rule.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from netglass.probe import Flow
from netglass.trace.pcapng import INBOUND, Frame, frames_of, pcapng_bytes
from netglass.trace.recorder import Recorder
from netglass.trace.records import Done, Sent, reverse
from netglass.trace.transmissions import Transmission
from netglass.wire.ethernet import frame_bytes
from netglass.wire.ip import IpPacket
from netglass.wire.packet import packet_bytes
from netglass.wire.seq import unwrap
from netglass.wire.tcp import ACK, FIN, RST, SYN

FLAGS = (
    "retransmission",
    "fast_retransmission",
    "spurious_retransmission",
    "out_of_order",
    "lost_segment",
    "ack_lost_segment",
    "duplicate_ack",
    "zero_window",
    "zero_window_probe",
    "zero_window_probe_ack",
    "window_full",
    "window_update",
    "keep_alive",
    "keep_alive_ack",
    "reused_ports",
)
STATUSES = (
    "ip.checksum.status",
    "tcp.checksum.status",
    "udp.checksum.status",
    "icmp.checksum.status",
    "icmpv6.checksum.status",
)
BAD = "0"
FIELDS = ("frame.number", "_ws.malformed", *STATUSES, *(f"tcp.analysis.{flag}" for flag in FLAGS))


@dataclass(frozen=True)
class Reading:
    """One frame as tshark reads it."""

    number: int
    malformed: bool
    bad_checksum: bool
    flags: frozenset[str]


def read(capture: bytes, directory: Path) -> list[Reading]:
    """All frames of a capture."""
    path = directory / "capture.pcapng"
    path.write_bytes(capture)
    command = ["tshark", "-n", "-r", str(path), "-T", "fields", "-E", "separator=|"]
    for name in ("ip.check_checksum", "tcp.check_checksum", "udp.check_checksum"):
        command += ["-o", f"{name}:TRUE"]
    # What we send is no HTTP, whatever the port: a reader that reassembles it anyway calls an overlap malformed.
    command += ["-o", "tcp.desegment_tcp_streams:FALSE"]
    for name in FIELDS:
        command += ["-e", name]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return [_reading(line) for line in done.stdout.splitlines()]


def _reading(line: str) -> Reading:
    columns = line.split("|")
    statuses = columns[2 : 2 + len(STATUSES)]
    flags = zip(FLAGS, columns[2 + len(STATUSES) :], strict=True)
    # Of an error message's quotation only the first status is the packet's own.
    bad = any(status.split(",")[0] == BAD for status in statuses)
    return Reading(int(columns[0]), columns[1] != "", bad, frozenset(flag for flag, value in flags if value))


# -- the reasons


@dataclass
class Side:
    """What the vantage has seen so far of one direction of a flow; numbers are relative."""

    end: int = -1  # one past the highest sequence number
    ack: int = -1
    window: int = -1
    edge: int = -1  # ack + window
    syns: set[int] = field(default_factory=set)
    probed: bool = False  # its last segment looked like a probe, and there was a reason


@dataclass
class Seen:
    """One frame, with all that bears on it."""

    frame: Frame
    carried: Transmission
    own: Side  # before this frame
    other: Side
    trace: Trace

    @property
    def length(self) -> int:
        segment = self.carried.segment
        assert segment is not None
        return segment.length + (segment.flags & SYN > 0) + (segment.flags & FIN > 0)

    @property
    def overtaken(self) -> bool:
        """Something that was sent after it arrived before it."""
        me = self.carried
        return any(
            each.order > me.order and each.arrives < me.arrives
            for each in self.trace.by_flow[me.flow]
            if not each.lost and each.source == me.source
        )


def sent_again(seen: Seen) -> bool:
    """Its host had sent the number before; or the cable made two of it, or held it back."""
    again = seen.trace.sent_before(seen.carried) or seen.carried.copy
    if seen.frame.direction != INBOUND:
        return again
    return again or seen.overtaken or seen.trace.duplicated(seen.carried)


def gap_before(seen: Seen) -> bool:
    """What lies before it was sent earlier, and was lost or is still on its way."""
    me = seen.carried
    first = seen.own.end
    return seen.frame.direction == INBOUND and any(
        each.order < me.order and each.seq <= first < each.seq + max(each.length, 1) and each.arrives > me.arrives
        for each in seen.trace.by_flow[me.flow]
    )


def nothing_new_came(seen: Seen) -> bool:
    """Its sender had just dealt with a segment that did not advance RCV.NXT; or the cable doubled the ACK itself."""
    me = seen.carried
    if me.copy or seen.trace.duplicated(me) or (seen.frame.direction == INBOUND and seen.overtaken):
        return True
    return seen.trace.last_arrival_was_useless(me)


def no_room(seen: Seen) -> bool:
    tcb = seen.carried.tcb_before
    return seen.carried.window == 0 and tcb is not None and tcb.rcv_wnd == 0


def window_used_up(seen: Seen) -> bool:
    return seen.carried.seq + seen.carried.length == seen.other.edge


def window_moved(seen: Seen) -> bool:
    return seen.carried.window != seen.own.window and seen.carried.length == 0


def asks(seen: Seen) -> bool:
    """A probe of ours is empty; a repeated single byte looks the same. So does a plain ACK of a new connection whose
    numbers begin where those of the one before did."""
    return seen.carried.probe or (seen.carried.length <= 1 and sent_again(seen)) or begun_again(seen)


def begun_again(seen: Seen) -> bool:
    me = seen.carried
    syns = [
        each
        for each in seen.trace.by_flow[me.flow]
        if each.order < me.order and each.segment is not None and each.segment.flags & SYN and not each.retransmission
    ]
    return len(syns) > 1 and me.length == 0


def asked(seen: Seen) -> bool:
    return seen.other.probed


def byte_into_closed_window(seen: Seen) -> bool:
    return seen.carried.length == 1 and seen.other.window == 0


def new_incarnation(seen: Seen) -> bool:
    segment = seen.carried.segment
    return segment is not None and segment.flags & SYN != 0 and bool(seen.own.syns - {segment.seq})


REASONS: dict[str, Callable[[Seen], bool]] = {
    "retransmission": sent_again,
    "fast_retransmission": sent_again,
    "spurious_retransmission": sent_again,
    "out_of_order": sent_again,
    "lost_segment": gap_before,
    "duplicate_ack": nothing_new_came,
    "zero_window": no_room,
    "window_full": window_used_up,
    "window_update": window_moved,
    "keep_alive": asks,
    "keep_alive_ack": asked,
    "zero_window_probe": byte_into_closed_window,
    "zero_window_probe_ack": asked,
    "reused_ports": new_incarnation,
}
"""There is none for "ack_lost_segment": a host never acknowledges what it has not got, and its interface sees all."""


class Trace:
    """A recording, ready for the rules."""

    def __init__(self, recorder: Recorder, vantage: str) -> None:
        self.vantage = vantage
        self.frames = [frame for frame in frames_of(recorder) if frame.host == vantage]
        self.by_number: dict[int, Transmission] = {}
        self.by_flow: dict[Flow | None, list[Transmission]] = {}
        self._copied: dict[int, int] = {}
        for each in recorder.transmissions():
            self.by_number[each.carried.number] = each
            self.by_flow.setdefault(each.flow, []).append(each)
            self._copied[id(each.packet)] = self._copied.get(id(each.packet), 0) + 1
        self._arrivals = self._useless_arrivals(recorder)
        self._again = self._numbers_used_again(recorder)

    def capture(self) -> bytes:
        return pcapng_bytes(self.frames)

    def damaged(self, frame: Frame) -> bool:
        """A fault changed its bytes on purpose."""
        carried = self.by_number.get(frame.number)
        return carried is not None and frame.direction == INBOUND and frame.data != _bytes_of(carried)

    def duplicated(self, carried: Transmission) -> bool:
        return self._copied[id(carried.packet)] > 1

    def last_arrival_was_useless(self, carried: Transmission) -> bool:
        return carried.sent_by is not None and self._arrivals.get(id(carried.sent_by), False)

    def sent_before(self, carried: Transmission) -> bool:
        first = carried
        while first.previous is not None:  # over another cable
            first = first.previous
        return id(first.sent_by) in self._again

    @staticmethod
    def _numbers_used_again(recorder: Recorder) -> set[int]:
        """The packets whose first sequence number their host had used before, whatever a cable made of them."""
        ends: dict[tuple[str, Flow], int] = {}
        found: set[int] = set()
        for event in recorder.events:
            segment = event.segment if isinstance(event, Sent) else None
            if not isinstance(event, Sent) or segment is None or event.flow is None:
                continue
            length = segment.length + (segment.flags & SYN > 0) + (segment.flags & FIN > 0)
            key = (event.host, event.flow)
            end = ends.get(key, segment.seq)
            seq = unwrap(segment.seq, end)
            if length and seq < end:
                found.add(id(event))
            if length:
                ends[key] = max(end, seq + length)
        return found

    @staticmethod
    def _useless_arrivals(recorder: Recorder) -> dict[int, bool]:
        """For each packet sent: did its host, since the one before of that flow, get a segment that brought it
        nothing?"""
        useless: dict[tuple[str, Flow], bool] = {}
        known: dict[tuple[str, Flow], int] = {}
        found: dict[int, bool] = {}
        for event in recorder.events:
            if not isinstance(event, (Sent, Done)) or event.flow is None:
                continue
            if isinstance(event, Sent):
                found[id(event)] = useless.pop((event.host, event.flow), False)
            elif event.tcb is not None:
                key = (event.host, reverse(event.flow))
                if event.tcb.rcv_nxt == known.get(key):
                    useless[key] = True
                known[key] = event.tcb.rcv_nxt
        return found

    def unexplained(self, readings: list[Reading]) -> list[str]:
        """What tshark remarked and no rule explains."""
        assert len(readings) == len(self.frames)
        found: list[str] = []
        sides: dict[Flow, Side] = {}
        for reading, frame in zip(readings, self.frames, strict=True):
            carried = self.by_number.get(frame.number)
            flow = None if carried is None else carried.flow
            if carried is None or flow is None or carried.segment is None:
                found += [f"frame {reading.number}: {flag}, no segment" for flag in reading.flags]
                continue
            own, other = sides.setdefault(flow, Side()), sides.setdefault(reverse(flow), Side())
            seen = Seen(frame, carried, own, other, self)
            for flag in sorted(reading.flags):
                if flag not in REASONS or not REASONS[flag](seen):
                    found.append(f"frame {reading.number}, {frame.time} ns, {carried.source}: {flag}")
            own.probed = bool(reading.flags & {"keep_alive", "zero_window_probe"})
            _remember(own, carried, seen.length)
        return found


def _bytes_of(carried: Transmission) -> bytes:
    ethernet = carried.carried.ethernet
    if ethernet is not None:
        return frame_bytes(ethernet)
    assert isinstance(carried.packet, IpPacket)
    return packet_bytes(carried.packet)


def _remember(own: Side, carried: Transmission, length: int) -> None:
    segment = carried.segment
    assert segment is not None
    if segment.flags & SYN:
        own.syns.add(segment.seq)
    if segment.flags & RST:
        return
    own.end = max(own.end, carried.seq + length)
    if segment.flags & ACK:
        own.ack = carried.ack
        own.window = carried.window
        own.edge = carried.ack + carried.window
