"""A packetdrill script as values: what the parser makes and the runner plays. Times are nanoseconds."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from netglass.errors import NetglassError


class ScriptError(NetglassError):
    """The script itself is wrong, or asks for what netglass does not have. The text begins with `file:line:`."""

    def __init__(self, path: str, line: int, problem: str) -> None:
        super().__init__(f"{path}:{line}: {problem}")
        self.path = path
        self.line = line
        self.problem = problem


# -- values in the arguments and results of system calls


@dataclass(frozen=True, slots=True)
class Name:
    """A symbolic constant such as SOL_SOCKET."""

    text: str


@dataclass(frozen=True, slots=True)
class Text:
    """A quoted string."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Wildcard:
    """`...`: whatever fits, or anything."""


@dataclass(frozen=True, slots=True)
class Either:
    """Alternatives joined with `|`: flags."""

    parts: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Array:
    """`[a, b]`."""

    items: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """`htons(8080)`, `inet_addr("192.0.2.1")`."""

    function: str
    argument: Value


@dataclass(frozen=True, slots=True)
class Field:
    """`name = value` in a structure, `name(count) = value`, or a bare value (`name` is "")."""

    name: str
    value: Value
    count: Value | None = None


@dataclass(frozen=True, slots=True)
class Struct:
    """`{a = 1, b = 2}`."""

    fields: tuple[Field, ...]

    def find(self, name: str) -> Value | None:
        for each in self.fields:
            if each.name == name:
                return each.value
        return None


Value = int | Name | Text | Wildcard | Either | Array | Call | Struct


# -- packets


class Direction(Enum):
    """Seen from the host: `<` goes into it, `>` comes out of it."""

    IN = "<"
    OUT = ">"


@dataclass(frozen=True, slots=True)
class IpFields:
    """What a script says about the IP header; None or 0: nothing.

    `ecn` is the two low bits of the traffic class, or "ect01" for either ECT(0) or ECT(1).
    """

    tos: int | None = None
    ecn: int | str | None = None
    flow_label: int = 0
    ttl_hops: int = 0


@dataclass(frozen=True, slots=True)
class Option:
    """One TCP option as on the wire. Script space: SACK edges are relative, timestamps are the script's."""

    kind: int
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class TcpPacket:
    direction: Direction
    ip: IpFields
    flags: int  # bits as in the header
    ace: int | None  # the three AccECN bits as one number, where the script wrote a digit
    seq: int | None  # None: any
    length: int
    ack: int  # 0 if the script names none
    window: int | None  # None: any
    urgent: int
    options: tuple[Option, ...] | None  # None: `<...>`, any
    ports: tuple[int, int] = (0, 0)  # (source, destination), 0: the connection's own
    absolute: bool = False  # `!` after the numbers: sequence numbers as on the wire
    unsupported: str = ""  # what of this packet netglass does not have


@dataclass(frozen=True, slots=True)
class UdpPacket:
    direction: Direction
    ip: IpFields
    length: int
    ports: tuple[int, int] = (0, 0)


@dataclass(frozen=True, slots=True)
class Echoed:
    """What an ICMP error quotes: a TCP segment (`seq`, `length`) or a UDP datagram (`length`)."""

    protocol: str  # "tcp", "udp" or "raw"
    seq: int
    length: int


@dataclass(frozen=True, slots=True)
class IcmpPacket:
    direction: Direction
    ip: IpFields
    type: str
    code: str  # "": 0
    mtu: int | None
    ident: int
    echoed: Echoed | None
    unsupported: str = ""


Packet = TcpPacket | UdpPacket | IcmpPacket


# -- what else happens


@dataclass(frozen=True, slots=True)
class SystemCall:
    name: str
    arguments: tuple[Value, ...]
    result: Value
    errno: str  # "": none named
    note: str
    end: int | None  # None: does not block; else when it returns, in the event's own kind of time


@dataclass(frozen=True, slots=True)
class Command:
    """A shell command in backquotes."""

    text: str


@dataclass(frozen=True, slots=True)
class Code:
    """Python between %{ and }%."""

    text: str


Action = TcpPacket | UdpPacket | IcmpPacket | SystemCall | Command | Code


class Clock(Enum):
    """How an event's time is meant."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"
    ANY = "any"


@dataclass(frozen=True, slots=True)
class When:
    clock: Clock
    start: int
    end: int | None = None  # of a range


@dataclass(frozen=True, slots=True)
class Event:
    line: int
    when: When
    action: Action


@dataclass(frozen=True, slots=True)
class Setting:
    """An option of the script, `--name=value`; `value` is "" if it has none."""

    name: str
    value: str
    line: int


@dataclass(frozen=True, slots=True)
class Script:
    path: str
    settings: tuple[Setting, ...] = ()
    events: tuple[Event, ...] = ()
    opening: tuple[int, Command] | None = None  # (line, command) before the first event
    closing: tuple[int, Command] | None = None  # after the last one: runs whatever happened
    lines: tuple[str, ...] = field(default=(), repr=False)
