"""The packetdrill language, Google's dialect with some of FreeBSD's words, by recursive descent.

script   = { --option } [ `command` ] event { event } [ `command` ]
event    = time ( packet | call | `command` | %{ code }% )
time     = 0.5 | +0.5 | * | 0.1~0.3 | +0.1~+0.3                       seconds
call     = [ ...end ] name ( arguments ) = result [ ERRNO ] [ (note) ]
"""

from __future__ import annotations

from netglass.packetdrill.cursor import Cursor
from netglass.packetdrill.lexer import CODE, COMMAND, DECIMAL, ELLIPSIS, END, INT, TEXT, WORD, settings, tokens
from netglass.packetdrill.packet_grammar import parse_packet
from netglass.packetdrill.script import (
    Action,
    Array,
    Call,
    Clock,
    Code,
    Command,
    Direction,
    Either,
    Event,
    Field,
    IcmpPacket,
    Name,
    Script,
    Struct,
    SystemCall,
    TcpPacket,
    Text,
    UdpPacket,
    Value,
    When,
    Wildcard,
)
from netglass.times import SECOND


def parse_script(text: str, path: str = "script", defines: dict[str, str] | None = None) -> Script:
    """The script in `text`; raises ScriptError. `defines` replaces words, as -D NAME=value; messages use `path`."""
    head, start = settings(text)
    words = dict(defines or {})
    for setting in head:
        if setting.name == "define":
            name, _, value = setting.value.partition("=")
            words.setdefault(name, value)
    cursor = Cursor(tokens(text, start, words, path), path)
    opening = _bare_command(cursor)
    events: list[Event] = []
    while cursor.token.kind not in (END, COMMAND):
        events.append(_event(cursor))
    closing = _bare_command(cursor)
    if cursor.token.kind != END:
        raise cursor.error(f"{cursor.token} after the last command; an event begins with a time")
    if not events:
        raise cursor.error("the script has no events")
    return Script(path, head, tuple(events), opening, closing, tuple(text.splitlines()))


def _bare_command(cursor: Cursor) -> tuple[int, Command] | None:
    token = cursor.accept(COMMAND)
    return (token.line, Command(token.text)) if token else None


# -- events


def _event(cursor: Cursor) -> Event:
    line = cursor.token.line
    when = _when(cursor)
    action = _action(cursor)
    if isinstance(action, TcpPacket | UdpPacket | IcmpPacket) and action.direction is Direction.OUT:
        return Event(line, when, action)
    if when.clock is Clock.ANY:
        raise cursor.error("the time * means whenever it comes: only a packet that comes out can have it", line)
    if when.end is not None:
        raise cursor.error(
            "a range of times is for packets that come out; a blocking call is written 0.1...0.3 call()", line
        )
    return Event(line, when, action)


def _when(cursor: Cursor) -> When:
    line = cursor.token.line
    if cursor.accept_sign("*"):
        return When(Clock.ANY, 0)
    clock = Clock.RELATIVE if cursor.accept_sign("+") else Clock.ABSOLUTE
    start = _time(cursor)
    if not cursor.accept_sign("~"):
        return When(clock, start)
    if cursor.accept_sign("+") != (clock is Clock.RELATIVE):
        raise cursor.error("both ends of a range are absolute, 0.1~0.3, or both relative, +0.1~+0.3", line)
    end = _time(cursor)
    if end < start:
        raise cursor.error("the range ends before it begins", line)
    return When(clock, start, end)


def _time(cursor: Cursor) -> int:
    """Seconds in decimal, as nanoseconds, without floats."""
    token = cursor.token
    if token.kind not in (INT, DECIMAL):
        raise cursor.error(f"expected a time in seconds, such as 0.5 or +0.5 or *, not {token}")
    if token.text.startswith(("-", "0x")):
        raise cursor.error(f"{token.text} is no time")
    cursor.next()
    whole, _, fraction = token.text.partition(".")
    return int(whole or "0") * SECOND + int(fraction[:9].ljust(9, "0"))


def _action(cursor: Cursor) -> Action:
    token = cursor.token
    if cursor.at_sign("<") or cursor.at_sign(">"):
        return parse_packet(cursor)
    if token.kind == COMMAND:
        return Command(cursor.next().text)
    if token.kind == CODE:
        return Code(cursor.next().text)
    if token.kind in (WORD, ELLIPSIS):
        return _call(cursor)
    raise cursor.error(f"expected < or > and a packet, a system call, `a command` or %{{ code }}%, not {token}")


# -- system calls


def _call(cursor: Cursor) -> SystemCall:
    end = _time(cursor) if cursor.accept(ELLIPSIS) else None
    name = cursor.expect(WORD, "the name of a system call").text
    cursor.expect_sign("(")
    arguments = _values(cursor, ")")
    cursor.expect_sign("=")
    result = _value(cursor)
    error = cursor.accept(WORD)
    return SystemCall(name, arguments, result, error.text if error else "", _note(cursor), end)


def _note(cursor: Cursor) -> str:
    """`(Resource temporarily unavailable)`: for the reader only."""
    if not cursor.accept_sign("("):
        return ""
    words: list[str] = []
    while not cursor.accept_sign(")"):
        if cursor.token.kind == END:
            raise cursor.error("the note in parentheses has no end")
        words.append(cursor.next().text)
    return " ".join(words)


def _values(cursor: Cursor, closing: str) -> tuple[Value, ...]:
    found: list[Value] = []
    if cursor.accept_sign(closing):
        return ()
    while True:
        found.append(_value(cursor))
        if cursor.accept_sign(closing):
            return tuple(found)
        cursor.expect_sign(",")


def _value(cursor: Cursor) -> Value:
    first = _single_value(cursor)
    if not cursor.at_sign("|"):
        return first
    parts = [first]
    while cursor.accept_sign("|"):
        parts.append(_single_value(cursor))
    return Either(tuple(parts))


def _single_value(cursor: Cursor) -> Value:
    token = cursor.token
    if cursor.accept(ELLIPSIS):
        return Wildcard()
    if cursor.accept(INT):
        return int(token.text, 16) if token.text.startswith("0x") else int(token.text)
    if token.kind == TEXT:
        return _text(cursor)
    if cursor.accept_sign("["):
        return Array(_values(cursor, "]"))
    if cursor.accept_sign("{"):
        return _struct(cursor)
    if cursor.accept(WORD):
        if not cursor.accept_sign("("):
            return Name(token.text)
        argument = _value(cursor)
        cursor.expect_sign(")")
        return Call(token.text, argument)
    raise cursor.error(f"expected a value, not {token}")


def _text(cursor: Cursor) -> Text:
    """One text, or several that follow each other; a final `...` says that more may come, which makes no difference."""
    data = b""
    while token := cursor.accept(TEXT):
        try:
            data += token.text.encode("latin-1").decode("unicode_escape").encode("latin-1")
        except UnicodeError:
            raise cursor.error(f"{token} is no text of bytes; write others as \\xHH", token.line) from None
    cursor.accept(ELLIPSIS)
    return Text(data)


def _struct(cursor: Cursor) -> Struct:
    fields: list[Field] = []
    while True:
        fields.append(_field(cursor))
        if cursor.accept_sign("}"):
            return Struct(tuple(fields))
        cursor.expect_sign(",")


def _field(cursor: Cursor) -> Field:
    if cursor.token.kind == WORD and cursor.ahead().text == "=":
        name = cursor.next().text
        cursor.expect_sign("=")
        return Field(name, _value(cursor))
    value = _value(cursor)
    # `msg_iov(2) = [...]`: a name with the number of what follows.
    if isinstance(value, Call) and cursor.accept_sign("="):
        return Field(value.function, _value(cursor), value.argument)
    return Field("", value)
