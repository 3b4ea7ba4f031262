"""Plays a script against one host in virtual time.

An event that the script causes (a packet in, a call, a command) happens exactly at its time. A packet that comes out is
taken from what the host has sent, in order, and held against the next packet that the script expects, its time too: a
packet too many is found when the next one is expected. What comes after the last expectation does not matter.

A relative time counts from the end of the event before; between two packets that go in, from the first one's time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from netglass.host.config import HostConfig
from netglass.packetdrill.bench import Bench
from netglass.packetdrill.calls import Calls, Waiting
from netglass.packetdrill.compare import difference
from netglass.packetdrill.flow import Flow, Phase
from netglass.packetdrill.notation import packet_text, seconds, when_text
from netglass.packetdrill.parser import parse_script
from netglass.packetdrill.profile import default_config
from netglass.packetdrill.python_code import Interpreter
from netglass.packetdrill.result import Failure, Mismatch, Result
from netglass.packetdrill.script import (
    Action,
    Clock,
    Code,
    Command,
    Direction,
    Event,
    IcmpPacket,
    Packet,
    Script,
    ScriptError,
    Setting,
    SystemCall,
    TcpPacket,
    UdpPacket,
)
from netglass.packetdrill.settings import Settings, read_settings
from netglass.packetdrill.shell import Shell, Unsupported
from netglass.packetdrill.symbols import UnknownName
from netglass.probe import Probe
from netglass.times import NEVER, SECOND
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import TCP, IpPacket
from netglass.wire.tcp import ACK, CWR, FIN, PSH, SYN, TcpSegment
from netglass.wire.udp import UdpDatagram

PATIENCE: Final = 2 * SECOND
"""How long after its time a packet may still come, to be told as late and not as missing."""
_CALL_PATIENCE: Final = 1 * SECOND
"""How long a call waits for the one before it that still blocks."""
_FIRST_REMOTE_PORT: Final = 49152

Say = Callable[[str], None]


def run_script(
    text: str,
    path: str = "script",
    config: HostConfig | None = None,
    defines: dict[str, str] | None = None,
    options: Iterable[Setting] = (),
    probe: Probe | None = None,
    say: Say | None = None,
) -> Result:
    """Play the script in `text`. `options` are the command line's and go over its own; `say` hears the dialogue.

    `config` is the host's (changed by the script's sysctl commands); None: a new one with packetdrill's defaults.
    """
    try:
        given = tuple(options)
        words = {**read_settings((), given, path).defines, **(defines or {})}
        script = parse_script(text, path, words)
        settings = read_settings(script.settings, given, path)
        if settings.dry_run:
            return Result(path, None)
        return Runner(script, settings, config or default_config(), probe, say).run()
    except ScriptError as error:
        return Result(path, Failure(path, error.line, error.problem))


class Runner:
    """One script, once."""

    def __init__(
        self, script: Script, settings: Settings, config: HostConfig, probe: Probe | None = None, say: Say | None = None
    ) -> None:
        self._script = script
        self._settings = settings
        self._say = say
        self._bench = Bench(settings, config, probe)
        self._calls = Calls(self._bench, settings)
        self._shell = Shell(config, self._states, self._sleep)
        self._interpreter = Interpreter(script.path)
        self._last: Event | None = None  # with its times made absolute
        self._line = 0
        self._blocked: tuple[Event, SystemCall, int, Waiting] | None = None  # with the deadline at which it looks again
        self._warnings: list[Failure] = []
        self._next_port = _FIRST_REMOTE_PORT

    def run(self) -> Result:
        """Raises ScriptError if the script asks for what does not exist."""
        failure: Failure | None = None
        try:
            self._play_all()
        except Mismatch as mismatch:
            failure = self._failure(mismatch)
        except (UnknownName, Unsupported) as error:
            raise ScriptError(self._script.path, self._line, str(error)) from None
        return Result(self._script.path, failure, tuple(self._warnings), self._bench.now)

    def _play_all(self) -> None:
        for script in self._settings.init_scripts:
            self._shell.run(script)
        if self._script.opening is not None:
            self._line = self._script.opening[0]
            self._shell.run(self._script.opening[1].text)
        if self._script.events[0].when.start != 0:
            self._line = self._script.events[0].line
            raise Mismatch("the first event must be at time 0")
        for event in self._script.events:
            self._line = event.line
            self._play(event)
        if not self._wait_for_call(self._bench.now + _CALL_PATIENCE):
            assert self._blocked is not None
            self._line = self._blocked[0].line
            raise Mismatch("the call still blocks at the end of the script")
        if self._script.closing is not None:
            self._line = self._script.closing[0]
            self._shell.run(self._script.closing[1].text)

    def _failure(self, mismatch: Mismatch) -> Failure:
        return Failure(self._script.path, self._line, mismatch.reason, mismatch.expected, mismatch.got)

    # -- events and their times

    def _play(self, event: Event) -> None:
        event, offset = self._placed(event)
        action = event.action
        if isinstance(action, TcpPacket | UdpPacket | IcmpPacket) and action.direction is Direction.OUT:
            self._expect(event, action, offset)
        elif isinstance(action, SystemCall):
            self._call(event, action, offset)
        else:
            self._wait_until(event)
            self._act(action)
        self._last = event

    def _act(self, action: Action) -> None:
        if isinstance(action, TcpPacket | UdpPacket | IcmpPacket):
            self._inject(action)
        elif isinstance(action, Command):
            self._tell(f"`{action.text}`")
            self._shell.run(action.text)
        elif isinstance(action, Code):
            self._interpreter.run(action.text, self._line, self._calls.info())

    def _placed(self, event: Event) -> tuple[Event, int]:
        """The event with absolute times, and what its relative ones counted from."""
        when = event.when
        if when.clock is Clock.ABSOLUTE:
            self._refuse_the_past(event)
            return event, 0
        offset = self._bench.now
        if self._last is not None and _goes_in(self._last) and _goes_in(event):
            offset = self._last.when.start
        end = None if when.end is None else when.end + offset
        return replace(event, when=replace(when, start=when.start + offset, end=end)), offset

    def _refuse_the_past(self, event: Event) -> None:
        last = self._last
        if last is not None and last.when.clock is Clock.ABSOLUTE and event.when.start < last.when.start:
            raise Mismatch(f"time goes back from {seconds(last.when.start)} to {seconds(event.when.start)}")

    def _wait_until(self, event: Event) -> None:
        """Time passes up to the event's. It fails if it is past that, for an event before took too long."""
        self._advance(event.when.start)
        tolerance = self._tolerance(event.when.start, self._last)
        if self._last is not None and self._bench.now > event.when.start + tolerance:
            due, now = seconds(event.when.start), seconds(self._bench.now)
            raise Mismatch(f"the time for this is past: the event before ended at {now}", f"at {due}", f"at {now}")

    def _tolerance(self, due: int, before: Event | None) -> int:
        """The larger of the fixed tolerance and a share of the time since the event before."""
        fixed = self._settings.tolerance
        if before is None:
            return fixed
        return max(fixed, (due - before.when.start) * self._settings.tolerance_permille // 1000)

    # -- time passes

    def _advance(self, until: int) -> None:
        while self._step(until):
            pass

    def _step(self, limit: int) -> bool:
        """What happens next, by `limit`: a timer of the host, or of a call that blocks. False: nothing more."""
        blocked = self._blocked
        if blocked is not None and blocked[2] <= min(limit, self._bench.host.deadline - 1):
            self._bench.now = max(self._bench.now, blocked[2])
            self._resume()
            return True
        happened = self._bench.run_next(limit)
        if happened:
            self._resume()
        return happened

    def _sleep(self, time: int) -> None:
        self._advance(self._bench.now + time)

    # -- system calls

    def _call(self, event: Event, call: SystemCall, offset: int) -> None:
        done = self._wait_for_call(self._bench.now + _CALL_PATIENCE)
        if not done and call.end is not None:
            raise Mismatch("another call still blocks: there can be one at a time")
        self._wait_until(event)
        if call.end is not None:
            end = call.end + (offset if event.when.clock is Clock.RELATIVE else 0)
            call = replace(call, end=end)
        waiting = self._calls.start(call)
        self._bench.settle()
        if waiting is None:
            self._finish_call(event, call)
        elif call.end is not None:
            self._blocked = (event, call, 0, waiting)
            self._resume()
        else:
            self._block(event, call, waiting)

    def _block(self, event: Event, call: SystemCall, waiting: Waiting) -> None:
        """A call without an end time: the script waits for it, however long."""
        self._blocked = (event, call, 0, waiting)
        self._resume()
        while self._blocked is not None:
            if not self._step(NEVER):
                raise Mismatch("the call blocks for ever", self._source(event.line), "nothing more happens")

    def _resume(self) -> None:
        """Let the call that blocks look again."""
        if self._blocked is None:
            return
        event, call, _, waiting = self._blocked
        line, self._line = self._line, event.line
        try:
            deadline = next(waiting)
        except StopIteration:
            self._blocked = None
            self._bench.settle()
            self._finish_call(event, call)
        else:
            self._bench.settle()
            self._blocked = (event, call, deadline, waiting)
        self._line = line

    def _finish_call(self, event: Event, call: SystemCall) -> None:
        self._tell(f"{call.name}(...) = {self._calls.last_result}")
        if call.end is None:
            return
        now = self._bench.now
        tolerance = self._tolerance(call.end, event)
        if abs(now - call.end) > tolerance:
            due = seconds(call.end)
            reason = f"the call returned at the wrong time, by more than {seconds(tolerance)}"
            raise Mismatch(reason, f"at {due}", f"at {seconds(now)}")

    def _wait_for_call(self, until: int) -> bool:
        """True if no call blocks any more. Time passes only as long as one does."""
        while self._blocked is not None:
            if not self._step(until):
                return False
        return True

    # -- packets that go in

    def _inject(self, packet: Packet) -> None:
        self._refuse_unsupported(packet)
        flow = self._flow_of(packet)
        if isinstance(packet, TcpPacket):
            self._learn_from_remote(packet, flow)
        if isinstance(packet, TcpPacket) and packet.urgent:
            flow.patterned = False
        self._tell(packet_text(packet, self._settings.wire_version))
        self._bench.inject(flow.live_packet(packet))
        self._resume()

    def _learn_from_remote(self, packet: TcpPacket, flow: Flow) -> None:
        if flow.phase is Phase.SYNACK_SENT and packet.flags & ACK:
            flow.phase = Phase.SYNACK_ACKED
        elif flow.phase is Phase.SYN_SENT and packet.flags & (SYN | ACK) == SYN | ACK:
            flow.phase = Phase.SYN_ACKED
            flow.remote_isn = packet.seq or 0

    def _flow_of(self, packet: Packet) -> Flow:
        """Whose packet this is: that of the socket that the script dealt with last. A first packet to a listener, or to
        nobody, makes a new one."""
        flow = self._calls.under_test
        if isinstance(packet, TcpPacket):
            if packet.direction is Direction.IN and (flow is None or flow.phase is Phase.LISTENING):
                return self._new_remote(packet)
            connecting = flow is not None and flow.phase is Phase.CONNECTING and packet.direction is Direction.OUT
            if flow is not None and connecting and packet.flags & (SYN | ACK) == SYN:
                flow.phase = Phase.SYN_SENT
                flow.script_isn = packet.seq or 0
        if flow is None:
            raise Mismatch("there is no socket that this packet could belong to")
        if flow.local_port == 0 and packet.direction is Direction.IN:
            flow.local_port = self._settings.bind_port
        if flow.remote_port == 0:
            flow.remote_port = self._settings.connect_port
        return flow

    def _new_remote(self, packet: TcpPacket) -> Flow:
        flow = Flow(TCP, self._settings)
        flow.phase = Phase.PACKET_RECEIVED
        flow.remote_isn = packet.seq or 0
        flow.remote_port = packet.ports[0] or self._next_port
        flow.local_port = packet.ports[1] or self._settings.bind_port
        self._next_port += 1
        self._calls.add_remote(flow)
        return flow

    def _refuse_unsupported(self, packet: Packet) -> None:
        if isinstance(packet, TcpPacket | IcmpPacket) and packet.unsupported:
            raise Unsupported(f"{packet.unsupported} is not supported")

    # -- packets that come out

    def _expect(self, event: Event, expected: Packet, offset: int) -> None:
        self._refuse_unsupported(expected)
        flow = self._flow_of(expected)
        when = event.when
        limit = NEVER if when.clock is Clock.ANY else max(when.start, when.end or 0) + PATIENCE
        time, live = self._collect(flow, expected, limit, event)
        actual = flow.script_packet(live, expected)
        problem = difference(expected, actual, flow, self._settings, self._stamp_tolerance(event))
        if not problem and not flow.payload_fits(live):
            problem = "the payload is not what was written for this place of the stream"
        version = self._settings.wire_version
        if not problem:
            problem = self._time_problem(event, time)
        if not problem:
            self._tell(packet_text(actual, version), time)
            return
        wanted = f"{when_text(replace(when, clock=Clock.ABSOLUTE) if when.clock is not Clock.ANY else when, 0)} "
        mismatch = Mismatch(
            problem,
            wanted + packet_text(expected, version),
            f"{seconds(time)} {packet_text(_told(actual, expected), version)}",
        )
        if "packet" not in self._settings.non_fatal:
            raise mismatch
        self._warnings.append(self._failure(mismatch))

    def _stamp_tolerance(self, event: Event) -> int:
        return max(self._settings.tolerance, event.when.start * self._settings.tolerance_permille // 1000)

    def _time_problem(self, event: Event, time: int) -> str:
        when = event.when
        if when.clock is Clock.ANY:
            return ""
        tolerance = self._tolerance(when.start, self._last)
        end = when.start if when.end is None else when.end
        if time < when.start - tolerance:
            return f"{seconds(when.start - time)} s too early; the tolerance is {seconds(tolerance)} s"
        if time > end + tolerance:
            return f"{seconds(time - end)} s too late; the tolerance is {seconds(tolerance)} s"
        return ""

    def _collect(self, flow: Flow, expected: Packet, limit: int, event: Event) -> tuple[int, IpPacket]:
        """The next packet that the host sent, or several that together make up for a larger one that is expected."""
        time, packet = self._next_sent(flow, expected, limit, event)
        payload = packet.payload
        if isinstance(expected, TcpPacket) and isinstance(payload, TcpSegment):
            if flow.phase is Phase.PACKET_RECEIVED and expected.flags & (SYN | ACK) == SYN | ACK:
                flow.phase = Phase.SYNACK_SENT
                flow.script_isn = expected.seq or 0
                flow.live_isn = payload.seq
            if payload.length and not self._settings.strict_segments:
                return self._collect_more(flow, expected, limit, event, time, packet, payload)
        return time, packet

    def _collect_more(
        self,
        flow: Flow,
        expected: TcpPacket,
        limit: int,
        event: Event,
        time: int,
        packet: IpPacket,
        first: TcpSegment,
    ) -> tuple[int, IpPacket]:
        # A script may write as one what the host sends as several full segments: segmentation offload, told from above.
        whole, size = first, first.length
        while whole.length < expected.length and size == first.length:
            time, packet = self._next_sent(flow, expected, limit, event, whole, packet)
            part = packet.payload
            if not isinstance(part, TcpSegment) or not _continues(whole, part):
                return time, packet
            size = part.length
            whole = _joined(whole, part)
        return time, _with_segment(packet, whole)

    def _next_sent(
        self,
        flow: Flow,
        expected: Packet,
        limit: int,
        event: Event,
        so_far: TcpSegment | None = None,
        last: IpPacket | None = None,
    ) -> tuple[int, IpPacket]:
        sent = self._bench.sent
        while True:
            while sent:
                time, packet = sent.popleft()
                if self._concerns(packet, flow, expected):
                    return time, packet
                self._tell(f"(not of this connection: {packet.payload.__class__.__name__})", time)
            if not self._step(limit):
                break
        version = self._settings.wire_version
        got = f"nothing until {seconds(self._bench.now)}"
        if so_far is not None and last is not None:
            got = f"only {packet_text(flow.script_packet(_with_segment(last, so_far), expected), version)}, then {got}"
        when = event.when if event.when.clock is Clock.ANY else replace(event.when, clock=Clock.ABSOLUTE)
        raise Mismatch("the packet did not come", f"{when_text(when, 0)} {packet_text(expected, version)}", got)

    def _concerns(self, packet: IpPacket, flow: Flow, expected: Packet) -> bool:
        payload = packet.payload
        if isinstance(expected, IcmpPacket) and isinstance(payload, IcmpMessage):
            return packet.destination == flow.remote
        if isinstance(expected, TcpPacket | UdpPacket) and any(expected.ports):
            ports = (
                (payload.source_port, payload.destination_port)
                if isinstance(payload, TcpSegment | UdpDatagram)
                else (0, 0)
            )
            return packet.destination == flow.remote and ports == expected.ports
        if flow.sends(packet):
            return True
        if flow.may_begin_with(packet):
            flow.begin_with(packet)
            return True
        return False

    # -- for the shell and for people

    def _states(self) -> list[str]:
        return [entry.state for entry in self._bench.host.sockets()]

    def _source(self, line: int) -> str:
        return self._script.lines[line - 1].strip() if line <= len(self._script.lines) else ""

    def _tell(self, text: str, time: int = -1) -> None:
        if self._say is not None:
            self._say(f"{seconds(self._bench.now if time < 0 else time)} {text}")


def _goes_in(event: Event) -> bool:
    action = event.action
    return isinstance(action, TcpPacket | UdpPacket | IcmpPacket) and action.direction is Direction.IN


def _told(actual: Packet, expected: Packet) -> Packet:
    """`actual` without what the script does not speak of: the IP header's fields, the window, the ports."""
    ip = replace(
        actual.ip,
        tos=actual.ip.tos if expected.ip.tos is not None else None,
        ecn=actual.ip.ecn if expected.ip.ecn is not None else None,
        flow_label=actual.ip.flow_label if expected.ip.flow_label else 0,
        ttl_hops=actual.ip.ttl_hops if expected.ip.ttl_hops else 0,
    )
    if isinstance(actual, TcpPacket) and isinstance(expected, TcpPacket):
        window = actual.window if expected.window is not None else None
        ports = actual.ports if any(expected.ports) else (0, 0)
        return replace(actual, ip=ip, window=window, ports=ports)
    if isinstance(actual, UdpPacket) and isinstance(expected, UdpPacket):
        return replace(actual, ip=ip, ports=actual.ports if any(expected.ports) else (0, 0))
    return replace(actual, ip=ip)


# -- several segments as one

_ONCE: Final = FIN | PSH | CWR  # flags that only the last, or only the first, of several segments carries


def _continues(whole: TcpSegment, part: TcpSegment) -> bool:
    same = (whole.flags & ~_ONCE, whole.ack, whole.window, whole.urgent)
    follows = part.seq == (whole.seq + whole.length) & 0xFFFFFFFF
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
