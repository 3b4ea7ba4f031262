"""Scripts with one expectation made wrong, each with the line where that must be noticed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from netglass.packetdrill.script import (
    Action,
    Array,
    Clock,
    Code,
    Command,
    Direction,
    Event,
    Field,
    Option,
    Script,
    Struct,
    SystemCall,
    TcpPacket,
    UdpPacket,
    Value,
    When,
)
from netglass.times import MILLISECOND
from netglass.wire.tcp import ACK, FIN, PSH, RST, SYN, TIMESTAMPS, URG

OPENS = ("socket", "accept")  # any descriptor will do for these
FLAGS = {"FIN": FIN, "SYN": SYN, "RST": RST, "PSH": PSH, "ACK": ACK, "URG": URG}


@dataclass(frozen=True)
class Mutant:
    what: str
    line: int
    script: Script


SEQUENCE = ("sequence number + 1", "sequence number - 1")
STAMP = f"option {TIMESTAMPS}: other value"


def mutants(script: Script) -> Iterator[Mutant]:
    """All but two kinds, which nothing could notice: the sequence number of the first SYN that comes out is only the
    script's name for the ISN that the host has drawn, and the first timestamp is its name for the host's clock."""
    names = {*SEQUENCE, STAMP}
    for index, event in enumerate(script.events):
        for what, action in _actions(event.action):
            if what not in names:
                yield _mutant(script, index, what, replace(event, action=action))
        if isinstance(event.action, TcpPacket) and event.action.direction is Direction.OUT:
            names -= set(SEQUENCE) if event.action.flags & SYN else set()
            names -= {STAMP} if any(option.kind == TIMESTAMPS for option in event.action.options or ()) else set()
        for what, when in _times(script, index):
            yield _mutant(script, index, what, replace(event, when=when))


def _mutant(script: Script, index: int, what: str, event: Event) -> Mutant:
    events = (*script.events[:index], event, *script.events[index + 1 :])
    return Mutant(what, event.line, replace(script, events=events))


def _actions(action: Action) -> Iterator[tuple[str, Action]]:
    if isinstance(action, TcpPacket) and action.direction is Direction.OUT:
        yield from _segments(action)
    elif isinstance(action, UdpPacket) and action.direction is Direction.OUT:
        yield "length", replace(action, length=action.length + 1)
    elif isinstance(action, SystemCall):
        yield from _calls(action)
    elif isinstance(action, Command) and action.text.startswith("sockets "):
        words = action.text.split()
        yield "count of sockets", Command(f"sockets {words[1]} {int(words[2]) + 1}")
    elif isinstance(action, Code) and "assert" in action.text:
        yield "assertion", Code(action.text.replace("==", "!=", 1))


# -- segments


def _segments(packet: TcpPacket) -> Iterator[tuple[str, TcpPacket]]:
    for name, bit in FLAGS.items():
        yield f"flag {name}", replace(packet, flags=packet.flags ^ bit)
    if packet.seq is not None:
        yield "sequence number + 1", replace(packet, seq=(packet.seq + 1) & 0xFFFFFFFF)
        yield "sequence number - 1", replace(packet, seq=(packet.seq - 1) & 0xFFFFFFFF)
    yield "length + 1", replace(packet, length=packet.length + 1)
    if packet.length:
        yield "length - 1", replace(packet, length=packet.length - 1)
    yield "acknowledgment number", replace(packet, ack=packet.ack ^ 1)
    if packet.window is not None:
        yield "window", replace(packet, window=packet.window ^ 1)
    yield "urgent pointer", replace(packet, urgent=packet.urgent + 1)
    options = packet.options
    if options is not None:
        yield "one option more", replace(packet, options=(*options, *[Option(1)] * 4))
        for index, option in enumerate(options):
            for what, changed in _options(option):
                mutated = (*options[:index], *changed, *options[index + 1 :])
                yield f"option {option.kind}: {what}", replace(packet, options=mutated)


def _options(option: Option) -> Iterator[tuple[str, tuple[Option, ...]]]:
    yield "missing", ()
    yield "another kind", (Option(99, option.body),)
    if option.kind == TIMESTAMPS:
        value, echo = option.body[:4], option.body[4:]
        # By ten minutes: timestamps have the tolerance of times, and an eighth of the time that the script has run.
        yield "other value", (Option(TIMESTAMPS, bytes([value[0], value[1] ^ 8]) + value[2:] + echo),)
        yield "other echo", (Option(TIMESTAMPS, value + bytes([echo[0] ^ 1]) + echo[1:]),)
    elif option.body:
        yield "other value", (Option(option.kind, option.body[:-1] + bytes([option.body[-1] ^ 1])),)


# -- calls


def _calls(call: SystemCall) -> Iterator[tuple[str, SystemCall]]:
    if isinstance(call.result, int):
        wrong = -1 if call.name in OPENS and call.result >= 0 else call.result + 1
        yield "result", replace(call, result=wrong)
    if call.errno:
        yield "errno", replace(call, errno="EDOM")
    if call.end is not None:
        yield "returns later", replace(call, end=call.end + _beyond_tolerance(call.end))
    for index, argument in _told_arguments(call):
        arguments = (*call.arguments[:index], _wrong(argument), *call.arguments[index + 1 :])
        yield f"argument {index + 1}", replace(call, arguments=arguments)


def _told_arguments(call: SystemCall) -> Iterator[tuple[int, Value]]:
    """Arguments into which the call writes something that the script states."""
    told = {"getsockopt": (3, 4), "ioctl": (2,), "poll": (0,)}
    for index in told.get(call.name, ()):
        if index < len(call.arguments):
            yield index, call.arguments[index]


def _wrong(value: Value) -> Value:
    if isinstance(value, Array):
        return Array((_wrong(value.items[0]), *value.items[1:]))
    if isinstance(value, Struct):
        *rest, last = value.fields
        return Struct((*rest, Field(last.name, 0x4000 if last.name == "revents" else 1, last.count)))
    return value + 1 if isinstance(value, int) else 12345


# -- times


def _times(script: Script, index: int) -> Iterator[tuple[str, When]]:
    event = script.events[index]
    packet = event.action
    if not isinstance(packet, TcpPacket | UdpPacket) or packet.direction is Direction.IN:
        return
    when = event.when
    if when.clock is Clock.ANY:
        return
    before = script.events[index - 1].when.start if index and when.clock is Clock.ABSOLUTE else 0
    shift = _beyond_tolerance(when.start - before)
    yield "later", _shifted(when, shift)
    # A time before the event that precedes it would be an error of another kind.
    if when.start - shift >= before:
        yield "earlier", _shifted(when, -shift)


def _shifted(when: When, shift: int) -> When:
    end = None if when.end is None else when.end + shift
    if shift > 0 and when.end is not None:
        shift += when.end - when.start
        end = when.end + shift
    return replace(when, start=when.start + shift, end=end)


def _beyond_tolerance(gap: int) -> int:
    """More than 4 ms, and more than an eighth of the time since the event before, even when that grows by as much."""
    return 10 * MILLISECOND + gap // 4
