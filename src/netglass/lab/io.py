"""What a program of the lab is handed: the calls that wait, as generators over `sockets`."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from typing import Final

from netglass import errnos
from netglass.errnos import EAGAIN, EALREADY, EHOSTUNREACH, EINPROGRESS, ETIMEDOUT
from netglass.errors import MisuseError
from netglass.lab import probing
from netglass.lab.machine import Machine
from netglass.lab.probing import Answer, Hop
from netglass.lab.process import Process, Program, Steps, Wait
from netglass.sockets.address import Address
from netglass.sockets.constants import (
    AF_INET,
    AF_INET6,
    IPPROTO_IP,
    IPPROTO_IPV6,
    MCAST_JOIN_GROUP,
    MCAST_JOIN_SOURCE_GROUP,
    MCAST_LEAVE_GROUP,
    MCAST_LEAVE_SOURCE_GROUP,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SO_LINGER,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
)
from netglass.sockets.sockets import Sockets
from netglass.times import NEVER, duration
from netglass.wire.address import parse
from netglass.wire.ip import IpPacket

Options = Iterable[tuple[int, int, int | bytes]]
"""Socket options to set first: (level, option, value), with the numbers of `netglass.sockets.constants`."""

CHUNK: Final = 65536
_LINGER_ZERO: Final = b"\x01\x00\x00\x00\x00\x00\x00\x00"  # struct linger {1, 0}: close sends a RST

_MAPPED: Final = "::ffff:"  # how a socket for both versions tells an IPv4 address; not what people call it

_FAILURES: Final[dict[int, type[OSError]]] = {
    errnos.ECONNREFUSED: ConnectionRefusedError,
    errnos.ECONNRESET: ConnectionResetError,
    errnos.ECONNABORTED: ConnectionAbortedError,
    errnos.EPIPE: BrokenPipeError,
    errnos.ETIMEDOUT: TimeoutError,
    errnos.EACCES: PermissionError,
}


def failure(result: int, doing: str) -> OSError:
    """The exception for a negative errno, of the class that Python has for it on Linux, wherever this runs."""
    kind = _FAILURES.get(-result, OSError)
    return kind(-result, f"{errnos.name(result)}: {doing}")


def check_bytes(data: object) -> None:
    if isinstance(data, str):
        raise MisuseError(
            f'what is sent is bytes, such as b"hello"; {data[:40]!r} is text: data.encode() makes bytes of it'
        )
    if not isinstance(data, (bytes, bytearray, memoryview)):
        raise MisuseError(f'what is sent is bytes, such as b"hello"; this is {data!r}')


class Io:
    """One program's view of its host."""

    __slots__ = ("machine", "name")

    def __init__(self, machine: Machine, name: str) -> None:
        self.machine: Machine = machine
        self.name: str = name

    # -- time, other programs, the trace

    def now(self) -> int:
        return self.machine.agenda.now

    def sleep(self, time: int | str) -> Generator[Wait, None, None]:
        """`yield from io.sleep("1 s")`."""
        length = duration(time)
        self.machine.scene.promise("io.sleep(...)")
        return self._sleep(length, str(time))

    def _sleep(self, length: int, said: str) -> Generator[Wait, None, None]:
        self.machine.scene.unstarted = ""
        until = self.now() + length
        while self.now() < until:
            yield Wait("sleep", said, deadline=until)

    def spawn(self, program: Program, *args: object, name: str = "") -> Process:
        """Another process on this host."""
        return start(self.machine, program, args, name)

    def wait(self, process: Process) -> Steps:
        """`result = yield from io.wait(process)`."""
        return process.wait()

    def note(self, text: str) -> None:
        """A line in the trace."""
        self.machine.scene.note(self.machine.name, self.name, text)

    # -- sockets

    def inject(self, packet: IpPacket) -> None:
        """Sends `packet` as it is, whatever its source address says (`netglass.forge` makes one with a TCP segment)."""
        self.machine.inject(packet)

    def listen(self, port: int, backlog: int = 128, address: str = "", options: Options = ()) -> Listener:
        """A listening TCP socket. Without an address: any IPv4 one, any IPv6 one on a host that has no other; "::" is
        both."""
        machine = self.machine
        address = address or ("::" if machine.has_version(6) else "0.0.0.0")
        family = self._family(address)
        listener = Listener(machine, machine.sockets.socket(family, SOCK_STREAM, 0), f"port {port}")
        try:
            listener.set_options(options)
            listener.check(machine.sockets.bind(listener.fd, (address, port), self.now()), "bind")
            listener.check(machine.sockets.listen(listener.fd, backlog, self.now()), "listen")
        except OSError:
            listener.close()
            raise
        return listener

    def connect(
        self, host: str, port: int, timeout: int | str | None = None, options: Options = (), source_port: int = 0
    ) -> Generator[Wait, None, Stream]:
        """`stream = yield from io.connect("server", 80)`: to a host's first address of a version that this host has."""
        self.machine.scene.promise("io.connect(...)")
        return self._connect(host, port, timeout, options, source_port)

    def _connect(
        self, host: str, port: int, timeout: int | str | None, options: Options, source_port: int
    ) -> Generator[Wait, None, Stream]:
        machine = self.machine
        machine.scene.unstarted = ""
        address = self._reachable(host)
        family = self._family(address)
        stream = Stream(machine, machine.sockets.socket(family, SOCK_STREAM, 0), f"{host} port {port}")
        try:
            stream.set_options(options)
            if source_port:
                stream.check(machine.sockets.bind(stream.fd, ("", source_port), self.now()), "bind")
            yield from stream.connect((address, port), timeout)
        except OSError:
            stream.close()
            raise
        return stream

    def udp(self, port: int = 0, address: str = "", options: Options = ()) -> Datagrams:
        """A UDP socket; port 0: any free one."""
        machine = self.machine
        family = self._family(address)
        datagrams = Datagrams(machine, machine.sockets.socket(family, SOCK_DGRAM, 0), f"UDP port {port}")
        datagrams.set_options(options)
        datagrams.check(machine.sockets.bind(datagrams.fd, (address, port), self.now()), "bind")
        return datagrams

    def ping(
        self,
        host: str,
        count: int = 3,
        size: int = 56,
        interval: int | str = "1 s",
        timeout: int | str = "1 s",
        ttl_hops: int = 0,
    ) -> Generator[Wait, None, list[Answer]]:
        """`answers = yield from io.ping("server")`: echo requests with `size` bytes of data, one every `interval`.
        `ttl_hops` 0 is the host's own. What came of each: `Answer`."""
        self.machine.scene.promise("io.ping(...)")
        return self._ping(host, count, size, duration(interval), duration(timeout), ttl_hops)

    def _ping(
        self, host: str, count: int, size: int, interval: int, timeout: int, ttl_hops: int
    ) -> Generator[Wait, None, list[Answer]]:
        self.machine.scene.unstarted = ""
        address = self._reachable(host)
        return (yield from probing.ping(self.machine, address, count, size, interval, timeout, ttl_hops))

    def traceroute(
        self,
        host: str,
        most: int = 30,
        probes: int = 3,
        size: int = 32,
        timeout: int | str = "1 s",
        by: str = "udp",
    ) -> Generator[Wait, None, list[Hop]]:
        """`hops = yield from io.traceroute("server")`: who is 1, 2, 3 ... hops away, asked by UDP datagrams to ports
        where nobody listens, or with by="icmp" by echo requests."""
        if by not in ("udp", "icmp"):
            raise MisuseError(f'traceroute asks by "udp" or by "icmp"; not by {by!r}')
        self.machine.scene.promise("io.traceroute(...)")
        return self._traceroute(host, most, probes, size, duration(timeout), by == "udp")

    def _traceroute(
        self, host: str, most: int, probes: int, size: int, timeout: int, udp: bool
    ) -> Generator[Wait, None, list[Hop]]:
        self.machine.scene.unstarted = ""
        address = self._reachable(host)
        return (yield from probing.traceroute(self.machine, address, most, probes, size, timeout, udp))

    def resolve(self, host: str) -> tuple[str, ...]:
        """A host's addresses, IPv4 first; () if nobody has the name."""
        return self.machine.scene.directory.resolve(host)

    def _reachable(self, host: str) -> str:
        found = self.machine.scene.directory.find(host)
        for address in found:
            if self.machine.has_version(6 if ":" in address else 4):
                return address
        raise failure(-EHOSTUNREACH, f"connect to {host}")

    def _family(self, address: str) -> int:
        if address:
            return AF_INET6 if ":" in address else AF_INET
        return AF_INET if self.machine.has_version(4) else AF_INET6


class Socket:
    """What all sockets of a program can do. `fd` is its descriptor in `host.sockets`."""

    __slots__ = ("fd", "machine", "name", "sockets")

    def __init__(self, machine: Machine, fd: int, name: str) -> None:
        self.machine: Machine = machine
        self.sockets: Sockets = machine.sockets
        self.name: str = name
        self.fd: int = self.check(fd, "socket")

    def check(self, result: int, doing: str) -> int:
        """`result`, or the exception that it stands for."""
        if result < 0:
            raise failure(result, f"{doing} {self.name}")
        return result

    def set_option(self, level: int, option: int, value: int | bytes) -> None:
        """setsockopt(2), with the numbers of `netglass.sockets.constants`."""
        self.check(self.sockets.setsockopt(self.fd, level, option, value, self.machine.agenda.now), "set option of")

    def set_options(self, options: Options) -> None:
        for level, option, value in options:
            self.set_option(level, option, value)

    def close(self) -> None:
        self.check(self.sockets.close(self.fd, self.machine.agenda.now), "close")

    def wait(self, doing: str, deadline: int) -> Wait:
        """What to yield when a call says "try again"; TimeoutError if it is too late."""
        if self.machine.agenda.now >= deadline:
            raise failure(-ETIMEDOUT, f"{doing} {self.name}")
        return Wait(doing, self.name, self.sockets.description(self.fd), deadline=deadline)

    def deadline(self, timeout: int | str | None) -> int:
        return NEVER if timeout is None else self.machine.agenda.now + duration(timeout)


class Listener(Socket):
    __slots__ = ()

    def accept(self, timeout: int | str | None = None) -> Generator[Wait, None, Stream]:
        """The next complete connection."""
        self.machine.scene.promise("listener.accept()")
        return self._accept(timeout)

    def _accept(self, timeout: int | str | None) -> Generator[Wait, None, Stream]:
        self.machine.scene.unstarted = ""
        deadline = self.deadline(timeout)
        while True:
            result = self.sockets.accept(self.fd, self.machine.agenda.now)
            if not isinstance(result, int):
                fd, peer = result
                return Stream(self.machine, fd, f"{peer[0].removeprefix(_MAPPED)} port {peer[1]}")
            if result != -EAGAIN:
                raise failure(result, f"accept on {self.name}")
            yield self.wait("accept on", deadline)


class Stream(Socket):
    """One end of a TCP connection."""

    __slots__ = ()

    def connect(self, address: Address, timeout: int | str | None = None) -> Generator[Wait, None, None]:
        self.machine.scene.promise("stream.connect(...)")
        return self._connect(address, timeout)

    def _connect(self, address: Address, timeout: int | str | None) -> Generator[Wait, None, None]:
        self.machine.scene.unstarted = ""
        deadline = self.deadline(timeout)
        result = self.sockets.connect(self.fd, address, self.machine.agenda.now)
        while result in (-EINPROGRESS, -EALREADY):
            yield self.wait("connect to", deadline)
            result = self.sockets.connect(self.fd, address, self.machine.agenda.now)
        self.check(result, "connect to")

    def receive(self, size: int = CHUNK, timeout: int | str | None = None) -> Generator[Wait, None, bytes]:
        """What is there, at most `size` bytes, at least one; b"" at the end of the stream."""
        self.machine.scene.promise("stream.receive(...)")
        return self._receive(size, timeout)

    def _receive(self, size: int, timeout: int | str | None) -> Generator[Wait, None, bytes]:
        self.machine.scene.unstarted = ""
        deadline = self.deadline(timeout)
        while True:
            result = self.sockets.recv(self.fd, size, self.machine.agenda.now)
            if not isinstance(result, int):
                return result
            if result != -EAGAIN:
                raise failure(result, f"receive from {self.name}")
            yield self.wait("receive from", deadline)

    def receive_exactly(self, size: int, timeout: int | str | None = None) -> Generator[Wait, None, bytes]:
        """`size` bytes; fewer only if the stream ends before."""
        self.machine.scene.promise("stream.receive_exactly(...)")
        return self._receive_exactly(size, timeout)

    def _receive_exactly(self, size: int, timeout: int | str | None) -> Generator[Wait, None, bytes]:
        self.machine.scene.unstarted = ""
        pieces: list[bytes] = []
        left = size
        while left:
            piece = yield from self._receive(left, timeout)
            if not piece:
                break
            pieces.append(piece)
            left -= len(piece)
        return b"".join(pieces)

    def receive_all(self, timeout: int | str | None = None) -> Generator[Wait, None, bytes]:
        """Everything up to the end of the stream."""
        self.machine.scene.promise("stream.receive_all()")
        return self._receive_all(timeout)

    def _receive_all(self, timeout: int | str | None) -> Generator[Wait, None, bytes]:
        self.machine.scene.unstarted = ""
        pieces: list[bytes] = []
        piece = yield from self._receive(CHUNK, timeout)
        while piece:
            pieces.append(piece)
            piece = yield from self._receive(CHUNK, timeout)
        return b"".join(pieces)

    def send(self, data: bytes, timeout: int | str | None = None, flags: int = 0) -> Generator[Wait, None, int]:
        """All of `data` into the socket's buffer; waits while that is full. Returns len(data)."""
        check_bytes(data)
        self.machine.scene.promise("stream.send(...)")
        return self._send(data, timeout, flags)

    def _send(self, data: bytes, timeout: int | str | None, flags: int) -> Generator[Wait, None, int]:
        self.machine.scene.unstarted = ""
        deadline = self.deadline(timeout)
        taken = 0
        while taken < len(data):
            # Large data in pieces: what the buffer does not take would be copied again and again.
            piece = data if len(data) <= CHUNK and not taken else data[taken : taken + CHUNK]
            result = self.sockets.send(self.fd, piece, self.machine.agenda.now, flags)
            if result == -EAGAIN:
                yield self.wait("send to", deadline)
            else:
                taken += self.check(result, "send to")
        return taken

    def shutdown(self, how: str = "write") -> None:
        """Half-close: "write" sends a FIN after what was sent; "read", "both"."""
        ways = {"write": SHUT_WR, "read": SHUT_RD, "both": SHUT_RDWR}
        if how not in ways:
            raise MisuseError(f'shutdown "write", "read" or "both"; not {how!r}')
        self.check(self.sockets.shutdown(self.fd, ways[how], self.machine.agenda.now), "shut down")

    def abort(self) -> None:
        """Ends the connection with a RST (SO_LINGER with zero seconds, then close)."""
        self.set_option(SOL_SOCKET, SO_LINGER, _LINGER_ZERO)
        self.close()


class Datagrams(Socket):
    __slots__ = ()

    def send_to(self, data: bytes, host: str, port: int) -> Generator[Wait, None, int]:
        """One datagram; waits while the socket's buffer is full."""
        check_bytes(data)
        self.machine.scene.promise("datagrams.send_to(...)")
        return self._send_to(data, host, port)

    def _send_to(self, data: bytes, host: str, port: int) -> Generator[Wait, None, int]:
        scene = self.machine.scene
        scene.unstarted = ""
        found = scene.directory.find(host)
        while True:
            result = self.sockets.sendto(self.fd, data, (found[0], port), self.machine.agenda.now)
            if result != -EAGAIN:
                return self.check(result, f"send to {host} from")
            yield self.wait("send from", NEVER)

    def receive_from(
        self, size: int = CHUNK, timeout: int | str | None = None
    ) -> Generator[Wait, None, tuple[bytes, Address | None]]:
        """The next datagram and its sender, ("10.0.0.1", 40000)."""
        self.machine.scene.promise("datagrams.receive_from(...)")
        return self._receive_from(size, timeout)

    def _receive_from(
        self, size: int, timeout: int | str | None
    ) -> Generator[Wait, None, tuple[bytes, Address | None]]:
        self.machine.scene.unstarted = ""
        deadline = self.deadline(timeout)
        while True:
            result = self.sockets.recvfrom(self.fd, size, self.machine.agenda.now)
            if not isinstance(result, int):
                return result
            if result != -EAGAIN:
                raise failure(result, f"receive on {self.name}")
            yield self.wait("receive on", deadline)

    # -- multicast

    def join(self, group: str, source: str = "", interface: str = "") -> None:
        """Listens to a multicast group; with `source` only to what that address sends. `interface` ("eth1"): where,
        if not where the route leads."""
        change = MCAST_JOIN_SOURCE_GROUP if source else MCAST_JOIN_GROUP
        self._change_group(change, group, source, interface)

    def leave(self, group: str, source: str = "", interface: str = "") -> None:
        """No longer."""
        change = MCAST_LEAVE_SOURCE_GROUP if source else MCAST_LEAVE_GROUP
        self._change_group(change, group, source, interface)

    def _change_group(self, option: int, group: str, source: str, interface: str) -> None:
        interfaces = self.machine.host.interfaces
        if interface and interface not in interfaces:
            raise MisuseError(f"there is no interface {interface!r} here; there are {', '.join(interfaces)}")
        index = interfaces[interface].index if interface else 0
        value = index.to_bytes(8, "little") + _storage(group)
        if source:
            value += _storage(source)
        level = IPPROTO_IP if len(parse(group)) == 4 else IPPROTO_IPV6
        self.set_option(level, option, value)


def _storage(address: str) -> bytes:
    """A struct sockaddr_storage."""
    packed = parse(address)
    if len(packed) == 4:
        return (AF_INET.to_bytes(2, "little") + bytes(2) + packed).ljust(128, b"\0")
    return (AF_INET6.to_bytes(2, "little") + bytes(6) + packed).ljust(128, b"\0")


def start(machine: Machine, program: Program, args: tuple[object, ...], name: str) -> Process:
    """A process on `machine` that runs `program(io, *args)`; its first step comes when time goes on."""
    name = name or str(getattr(program, "__name__", "program"))
    machine.scene.check_started()
    steps = program(Io(machine, name), *args)
    machine.scene.unstarted = ""  # a program may be a single call, as `lambda io: io.sleep("1 s")`
    if not isinstance(steps, Generator):
        raise MisuseError(f'a program is a generator function, it waits with "yield from"; {name} returned {steps!r}')
    process = Process(name, machine, steps)
    machine.scene.tasks[process] = None
    return process
