"""The process whose system calls a script writes: its descriptors, and what all its calls share."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final

from netglass.errnos import name
from netglass.packetdrill.bench import Bench
from netglass.packetdrill.call_values import given_address
from netglass.packetdrill.epoll import EpollSet
from netglass.packetdrill.flow import Flow, Phase
from netglass.packetdrill.pipes import Pipe, PlainFile
from netglass.packetdrill.result import Mismatch
from netglass.packetdrill.script import Struct, SystemCall, Value, Wildcard
from netglass.packetdrill.settings import MAPPED, Settings
from netglass.packetdrill.symbols import UnknownName, errno_of, number
from netglass.sockets.address import Address
from netglass.times import NEVER
from netglass.wire.address import text as address_text
from netglass.world import POLLHUP

Waiting = Generator[int, None, None]
"""A call that waits: yields the time until which it would sleep, and looks again whenever something has happened."""

Table = dict[str, Callable[[SystemCall], Waiting | None]]
"""Calls by name. None: the call returned at once."""

NO_DESCRIPTOR: Final = -1


class Process:
    """`under_test` is the socket that packets of the script belong to: the one made last.

    Descriptor numbers are the script's: what `socket` and `accept` are said to return names the real one from then on.
    """

    def __init__(self, bench: Bench, settings: Settings) -> None:
        self.bench = bench
        self.sockets = bench.sockets
        self.settings = settings
        self.under_test: Flow | None = None
        self.last_result = ""
        self.flows: list[Flow] = []  # the newest first
        self.files: dict[int, tuple[int, Flow]] = {}  # script's descriptor -> (real one, its flow)
        self.others: dict[int, EpollSet | Pipe | PlainFile] = {}  # script's descriptors of what is no socket

    def add_remote(self, flow: Flow) -> None:
        """A connection that the other side begins."""
        self.flows.insert(0, flow)

    def flow_between(self, remote_port: int, local_port: int) -> Flow | None:
        """The newest connection between these ports."""
        for flow in self.flows:
            if (flow.remote_port, flow.local_port) == (remote_port, local_port) and flow.phase is not Phase.LISTENING:
                return flow
        return None

    def info(self) -> dict[str, int]:
        """TCP_INFO of the socket under test."""
        flow = self.under_test
        info = self.sockets.tcp_info(flow.descriptor, self.bench.now) if flow is not None else {}
        if not info:
            raise Mismatch("there is no open TCP socket whose TCP_INFO the code could see")
        return info

    def arguments(self, call: SystemCall, least: int, most: int = 0) -> tuple[Value, ...]:
        count = len(call.arguments)
        if not least <= count <= (most or least):
            raise UnknownName(f"{call.name} takes {least} arguments; here are {count}")
        return call.arguments

    def file(self, value: Value) -> tuple[int, Flow | None]:
        """The real descriptor, and whose it is. One that the script never opened, or has closed, is none: EBADF."""
        return self.files.get(number(value), (NO_DESCRIPTOR, None))

    def open(self, call: SystemCall, descriptor: int, flow: Flow) -> None:
        script = number(call.result)
        if script in self.files:
            raise UnknownName(f"the descriptor {script} is open already")
        flow.descriptor = descriptor
        self.files[script] = (descriptor, flow)

    def check(self, call: SystemCall, result: int, opens: bool = False) -> None:
        """`result` is a value or a negative errno. `opens`: any descriptor will do, the script's is only a name."""
        got = -1 if result < 0 else result
        error = name(-result) if result < 0 else ""
        self.last_result = f"{got} {error}".strip()
        wanted = number(call.result)
        same = got >= 0 if opens and wanted >= 0 else got == wanted
        if same and got < 0 and call.errno:
            same = errno_of(call.errno) == -result
        if not same:
            self.differ(call, "the result", f"{wanted} {call.errno}".strip(), self.last_result)

    def differ(self, call: SystemCall, what: str, expected: str, got: str) -> None:
        raise Mismatch(f"{what} of {call.name} is {got}, not {expected}", expected, got)

    def deadline(self, descriptor: int, mask: int) -> int:
        limit = self.sockets.wait_limit(descriptor, mask)
        return NEVER if limit >= NEVER else self.bench.now + limit

    def address(self, value: Value, host: bytes, port: int) -> Address:
        """`...` is `host` and `port`, as a socket of the script's version of IP names them."""
        if isinstance(value, Struct):
            return given_address(value)
        if not isinstance(value, Wildcard):
            raise UnknownName("expected ... or {sa_family = AF_INET, sin_port = ..., sin_addr = ...} as the address")
        text = address_text(host)
        return (f"::ffff:{text}" if self.settings.ip_version == MAPPED else text, port)

    def begin_connecting(self, flow: Flow | None, remote: Address) -> None:
        """A socket without a connection, new or after a failure, is about to send its first packet."""
        if flow is not None and (flow.phase is Phase.NEW or self.sockets.ready(flow.descriptor) & POLLHUP):
            flow.phase = Phase.CONNECTING
            flow.remote_port = remote[1]


class CallGroup:
    """Calls of one kind."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self._bench = process.bench
        self._sockets = process.sockets
        self._settings = process.settings
