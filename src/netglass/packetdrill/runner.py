"""Plays a script against one host in virtual time.

An event that the script causes (a packet in, a call, a command) happens exactly at its time. A packet that comes out is
taken from what the host has sent, in order, and held against the next packet that the script expects, its time too: a
packet too many is found when the next one is expected. What comes after the last expectation does not matter.

A relative time counts from the end of the event before; between two packets that go in, from the first one's time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

from netglass.host.config import HostConfig
from netglass.packetdrill.bench import Bench
from netglass.packetdrill.calls import Calls
from netglass.packetdrill.exchange import Exchange, Outbound
from netglass.packetdrill.notation import packet_text, seconds, shown, when_text
from netglass.packetdrill.parser import parse_script
from netglass.packetdrill.process import Process
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
from netglass.packetdrill.timeline import Timeline
from netglass.probe import Probe
from netglass.times import NEVER, SECOND

PATIENCE: Final = 2 * SECOND
"""How long after its time a packet may still come, to be told as late and not as missing."""
_CALL_PATIENCE: Final = 1 * SECOND
"""How long a call waits for the one before it that still blocks."""

Say = Callable[[str], None]


def run_script(
    source: str | Path,
    config: HostConfig | None = None,
    defines: dict[str, str] | None = None,
    options: Iterable[Setting] = (),
    probe: Probe | None = None,
    say: Say | None = None,
) -> Result:
    """Play a script: its text, or the path of its file.

    `config` is the host's (the script's sysctl commands change it), by default a new one as packetdrill expects it.
    `defines` replaces words, `options` are the command line's and go over the script's own, `say` hears the dialogue.
    """
    path = str(source) if isinstance(source, Path) else "script"
    text = source.read_text("utf-8", "replace") if isinstance(source, Path) else source
    given = tuple(options)
    try:
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
        self._process = Process(self._bench, settings)
        self._calls = Calls(self._process)
        self._timeline = Timeline(self._bench, self._returned)
        self._exchange = Exchange(self._bench, self._process, self._timeline, settings)
        self._shell = Shell(config, self._states, self._sleep)
        self._interpreter = Interpreter(script.path)
        self._last: Event | None = None  # with its times made absolute
        self._line = 0
        self._warnings: list[Failure] = []

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
        for command in self._settings.init_scripts:
            self._shell.run(command)
        if self._script.opening is not None:
            self._line = self._script.opening[0]
            self._shell.run(self._script.opening[1].text)
        self._line = self._script.events[0].line
        if self._script.events[0].when.start != 0:
            raise Mismatch("the first event must be at time 0")
        for event in self._script.events:
            self._line = event.line
            self._play(event)
        if not self._timeline.wait_for_call(self._bench.now + _CALL_PATIENCE):
            self._line = self._timeline.blocked.line if self._timeline.blocked else self._line
            raise Mismatch("the call still blocks at the end of the script")
        if self._script.closing is not None:
            self._line = self._script.closing[0]
            self._shell.run(self._script.closing[1].text)

    def _failure(self, mismatch: Mismatch) -> Failure:
        line = mismatch.line or self._line
        return Failure(self._script.path, line, mismatch.reason, mismatch.expected, mismatch.got)

    def _forgive(self, mismatch: Mismatch, kind: str) -> None:
        """Raises it again, unless --non_fatal makes differences of this kind warnings."""
        if kind not in self._settings.non_fatal:
            raise mismatch
        self._warnings.append(self._failure(mismatch))

    # -- events and their times

    def _play(self, event: Event) -> None:
        event = self._placed(event)
        action = event.action
        if isinstance(action, TcpPacket | UdpPacket | IcmpPacket) and action.direction is Direction.OUT:
            self._expect(event, action)
        elif isinstance(action, SystemCall):
            self._call(event, action)
        else:
            self._wait_until(event)
            self._act(action)
        self._last = event

    def _act(self, action: Action) -> None:
        if isinstance(action, TcpPacket | UdpPacket | IcmpPacket):
            self._tell(packet_text(action, self._settings.wire_version))
            self._exchange.inject(action)
        elif isinstance(action, Command):
            self._tell(f"`{action.text}`")
            self._shell.run(action.text)
        elif isinstance(action, Code):
            self._interpreter.run(action.text, self._line, self._process.info())

    def _placed(self, event: Event) -> Event:
        """The event with absolute times."""
        when, last = event.when, self._last
        if when.clock is Clock.ABSOLUTE:
            absolute = last is not None and last.when.clock is Clock.ABSOLUTE
            if last is not None and absolute and when.start < last.when.start:
                raise Mismatch(f"time goes back from {seconds(last.when.start)} to {seconds(when.start)}")
            return event
        offset = self._bench.now
        if last is not None and _goes_in(last) and _goes_in(event):
            offset = last.when.start
        end = None if when.end is None else when.end + offset
        action = event.action
        if isinstance(action, SystemCall) and action.end is not None:
            action = replace(action, end=action.end + offset)
        return replace(event, when=replace(when, start=when.start + offset, end=end), action=action)

    def _wait_until(self, event: Event) -> None:
        """Time passes up to the event's. It fails if it is past that, for an event before took too long."""
        self._timeline.advance(event.when.start)
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

    # -- system calls

    def _call(self, event: Event, call: SystemCall) -> None:
        free = self._timeline.wait_for_call(self._bench.now + _CALL_PATIENCE)
        if not free and call.end is not None:
            raise Mismatch("another call still blocks: there can be one at a time")
        self._wait_until(event)
        try:
            waiting = self._calls.start(call)
        except Mismatch as mismatch:
            self._bench.settle()
            self._forgive(mismatch, "syscall")
            return
        self._bench.settle()
        if waiting is None:
            self._returned(event, None)
            return
        self._timeline.block(event, waiting)
        if call.end is None and not self._timeline.wait_for_call(NEVER):
            raise Mismatch("the call blocks for ever", self._source(event.line), "nothing more happens")

    def _returned(self, event: Event, mismatch: Mismatch | None) -> None:
        """The call of `event` is over. One that may block has a time to return at."""
        call = event.action
        assert isinstance(call, SystemCall), "only calls return"
        if mismatch is not None:
            self._forgive(mismatch, "syscall")
            return
        self._tell(f"{self._call_text(event.line, call.name)} = {self._process.last_result}")
        if call.end is None:
            return
        now, tolerance = self._bench.now, self._tolerance(call.end, event)
        if abs(now - call.end) > tolerance:
            reason = f"{call.name} returned at the wrong time; the tolerance is {seconds(tolerance)} s"
            late = Mismatch(reason, f"at {seconds(call.end)}", f"at {seconds(now)}")
            late.line = event.line
            raise late

    # -- packets that come out

    def _expect(self, event: Event, expected: Packet) -> None:
        when = event.when
        limit = NEVER if when.clock is Clock.ANY else max(when.start, when.end or 0) + PATIENCE
        stamps = max(self._settings.tolerance, when.start * self._settings.tolerance_permille // 1000)
        version = self._settings.wire_version
        try:
            out = self._exchange.expect(expected, limit, stamps)
        except Mismatch as missing:
            missing.expected = f"{when_text(when)} {missing.expected}"
            raise
        problem = out.problem or self._time_problem(event, out)
        if not problem:
            self._tell(packet_text(shown(out.packet, expected), version), out.time)
            return
        got = f"{seconds(out.time)} {packet_text(shown(out.packet, expected), version)}"
        self._forgive(Mismatch(problem, f"{when_text(when)} {packet_text(expected, version)}", got), "packet")

    def _time_problem(self, event: Event, out: Outbound) -> str:
        when = event.when
        if when.clock is Clock.ANY:
            return ""
        tolerance = self._tolerance(when.start, self._last)
        end = when.start if when.end is None else when.end
        if out.time < when.start - tolerance:
            return f"{seconds(when.start - out.time)} s too early; the tolerance is {seconds(tolerance)} s"
        if out.time > end + tolerance:
            return f"{seconds(out.time - end)} s too late; the tolerance is {seconds(tolerance)} s"
        return ""

    # -- for the shell and for people

    def _states(self) -> list[str]:
        return [entry.state for entry in self._bench.host.sockets() if entry.proto.startswith("tcp")]

    def _sleep(self, time: int) -> None:
        self._timeline.advance(self._bench.now + time)

    def _call_text(self, line: int, name: str) -> str:
        """The call as the script writes it, if it stands on one line."""
        _, found, rest = self._source(line).partition(f"{name}(")
        arguments, ended, _ = rest.rpartition(") = ")
        return f"{name}({arguments})" if found and ended else f"{name}(...)"

    def _source(self, line: int) -> str:
        return self._script.lines[line - 1].strip() if line <= len(self._script.lines) else ""

    def _tell(self, text: str, time: int = -1) -> None:
        if self._say is not None:
            self._say(f"{seconds(self._bench.now if time < 0 else time)} {text}")


def _goes_in(event: Event) -> bool:
    action = event.action
    return isinstance(action, TcpPacket | UdpPacket | IcmpPacket) and action.direction is Direction.IN
