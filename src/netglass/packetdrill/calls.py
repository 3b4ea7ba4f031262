"""The system calls of a script, made on the host's sockets, and their results held against what the script says.

A call that has to wait is a generator: it yields the time until which it would sleep, is resumed whenever something
happened, and looks again. Descriptor numbers are the script's: what `socket` and `accept` are said to return names the
real one from then on. `...` for an address is the script's own: the local one to bind, the remote one to connect.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Final

from netglass.errnos import EBADF, name
from netglass.packetdrill.bench import Bench
from netglass.packetdrill.call_values import (
    bracketed,
    check_message,
    epoll_event,
    given_address,
    is_unspecified_address,
    option_value,
    poll_entry,
    show_option,
    vector_sizes,
)
from netglass.packetdrill.epoll import EpollSet
from netglass.packetdrill.flow import Flow, Phase, pattern
from netglass.packetdrill.result import Mismatch
from netglass.packetdrill.script import Array, Struct, SystemCall, Text, Value, Wildcard
from netglass.packetdrill.settings import IPV4, MAPPED, Settings
from netglass.packetdrill.shell import Unsupported
from netglass.packetdrill.symbols import UnknownName, errno_of, number
from netglass.sockets.address import Address
from netglass.sockets.constants import (
    AF_INET,
    AF_INET6,
    FIONBIO,
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    MSG_DONTWAIT,
    MSG_FASTOPEN,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    SOCK_DGRAM,
    SOCK_STREAM,
)
from netglass.sockets.description import Message
from netglass.sockets.sockets import TO_ACCEPT, TO_CONNECT, TO_RECEIVE, TO_SEND
from netglass.times import MILLISECOND, NEVER
from netglass.wire import address
from netglass.wire.ip import TCP, UDP

Waiting = Generator[int, None, None]
_KIND_MASK: Final = 0xF  # SOCK_NONBLOCK and SOCK_CLOEXEC are above
_NO_DESCRIPTOR: Final = -1


class Calls:
    """One process's calls. `under_test` is the socket that packets of the script belong to: the one made last."""

    def __init__(self, bench: Bench, settings: Settings) -> None:
        self._bench = bench
        self._sockets = bench.sockets
        self._settings = settings
        self.under_test: Flow | None = None
        self.last_result = ""
        self._flows: list[Flow] = []
        self._files: dict[int, tuple[int, Flow]] = {}  # script's descriptor -> (real one, its flow)
        self._epolls: dict[int, EpollSet] = {}
        self._table: dict[str, Callable[[SystemCall], Waiting | None]] = {
            "socket": self._socket,
            "bind": self._bind,
            "listen": self._listen,
            "accept": self._accept,
            "accept4": self._accept,
            "connect": self._connect,
            "read": self._read,
            "readv": self._readv,
            "recv": self._recv,
            "recvfrom": self._recv,
            "recvmsg": self._recvmsg,
            "write": self._write,
            "writev": self._writev,
            "send": self._send,
            "sendto": self._sendto,
            "sendmsg": self._sendmsg,
            "fcntl": self._fcntl,
            "ioctl": self._ioctl,
            "close": self._close,
            "shutdown": self._shutdown,
            "getsockopt": self._getsockopt,
            "setsockopt": self._setsockopt,
            "getsockname": self._getsockname,
            "getpeername": self._getpeername,
            "poll": self._poll,
            "epoll_create": self._epoll_create,
            "epoll_ctl": self._epoll_ctl,
            "epoll_wait": self._epoll_wait,
        }

    def start(self, call: SystemCall) -> Waiting | None:
        """Make `call`. None: it has returned, and as the script says; else it waits, and is to be resumed."""
        if call.name not in self._table:
            raise Unsupported(
                f"the system call {call.name} is not supported; there are {', '.join(sorted(self._table))}"
            )
        waiting = self._table[call.name](call)
        if waiting is None:
            return None
        try:
            next(waiting)
        except StopIteration:
            return None
        return waiting

    def add_remote(self, flow: Flow) -> None:
        """A connection that the other side begins."""
        self._flows.insert(0, flow)

    def flow_between(self, remote_port: int, local_port: int) -> Flow | None:
        """The newest connection between these ports."""
        for flow in self._flows:
            if (flow.remote_port, flow.local_port) == (remote_port, local_port) and flow.phase is not Phase.LISTENING:
                return flow
        return None

    def info(self) -> dict[str, int]:
        """TCP_INFO of the socket under test."""
        flow = self.under_test
        info = self._sockets.tcp_info(flow.descriptor, self._bench.now) if flow is not None else {}
        if not info:
            raise Mismatch("there is no open TCP socket whose TCP_INFO the code could see")
        return info

    # -- arguments and results

    def _arguments(self, call: SystemCall, least: int, most: int = 0) -> tuple[Value, ...]:
        count = len(call.arguments)
        if not least <= count <= (most or least):
            raise UnknownName(f"{call.name} takes {least} arguments; here are {count}")
        return call.arguments

    def _file(self, value: Value) -> tuple[int, Flow | None]:
        """The real descriptor, and whose it is. One that the script never opened, or has closed, is none: EBADF."""
        return self._files.get(number(value), (_NO_DESCRIPTOR, None))

    def _open(self, call: SystemCall, descriptor: int, flow: Flow) -> None:
        script = number(call.result)
        if script in self._files:
            raise UnknownName(f"the descriptor {script} is open already")
        flow.descriptor = descriptor
        self._files[script] = (descriptor, flow)

    def _check(self, call: SystemCall, result: int, opens: bool = False) -> None:
        """`result` is a value or a negative errno. `opens`: any descriptor will do, the script's is only a name."""
        got = -1 if result < 0 else result
        error = name(-result) if result < 0 else ""
        self.last_result = f"{got} {error}".strip()
        wanted = number(call.result)
        same = got >= 0 if opens and wanted >= 0 else got == wanted
        if same and got < 0 and call.errno:
            same = errno_of(call.errno) == -result
        if not same:
            self._differ(call, "the result", f"{wanted} {call.errno}".strip(), self.last_result)

    def _differ(self, call: SystemCall, what: str, expected: str, got: str) -> None:
        raise Mismatch(f"{what} of {call.name} is {got}, not {expected}", expected, got)

    def _deadline(self, descriptor: int, mask: int) -> int:
        limit = self._sockets.wait_limit(descriptor, mask)
        return NEVER if limit >= NEVER else self._bench.now + limit

    # -- opening

    def _socket(self, call: SystemCall) -> None:
        domain, kind_value, protocol_value = self._arguments(call, 3)
        default = AF_INET if self._settings.ip_version == IPV4 else AF_INET6
        family = default if isinstance(domain, Wildcard) else number(domain)
        kind, protocol = number(kind_value), number(protocol_value)
        result = self._sockets.socket(family, kind, protocol)
        self._check(call, result, opens=True)
        if result < 0:
            return
        flow = Flow(protocol, self._settings)
        if kind & _KIND_MASK == SOCK_STREAM:
            flow.protocol = TCP
        elif kind & _KIND_MASK == SOCK_DGRAM and protocol not in (IPPROTO_ICMP, IPPROTO_ICMPV6):
            flow.protocol = UDP
        self._open(call, result, flow)
        self._flows.insert(0, flow)
        self.under_test = flow

    def _bind(self, call: SystemCall) -> None:
        fd, where, _ = self._arguments(call, 3)
        descriptor, flow = self._file(fd)
        local = self._address(where, self._settings.local, self._settings.bind_port)
        result = self._sockets.bind(descriptor, local, self._bench.now)
        if result >= 0 and flow is not None:
            flow.local_port = local[1]
        self._check(call, result)

    def _address(self, value: Value, host: bytes, port: int) -> Address:
        """`...` is `host` and `port`, as a socket of the script's version of IP names them."""
        if isinstance(value, Struct):
            return given_address(value)
        if not isinstance(value, Wildcard):
            raise UnknownName("expected ... or {sa_family = AF_INET, sin_port = ..., sin_addr = ...} as the address")
        text = address.text(host)
        return (f"::ffff:{text}" if self._settings.ip_version == MAPPED else text, port)

    def _listen(self, call: SystemCall) -> None:
        fd, backlog = self._arguments(call, 2)
        descriptor, flow = self._file(fd)
        result = self._sockets.listen(descriptor, number(backlog), self._bench.now)
        if result >= 0 and flow is not None:
            flow.phase = Phase.LISTENING
        self._check(call, result)

    def _accept(self, call: SystemCall) -> Waiting:
        fd, _, _, *flags = self._arguments(call, 3, 4)
        descriptor, _ = self._file(fd)
        bits = number(flags[0]) if flags else 0
        deadline = self._deadline(descriptor, TO_ACCEPT)
        accepted = self._sockets.accept(descriptor, self._bench.now, bits)
        while self._sockets.must_wait(descriptor, accepted) and self._bench.now < deadline:
            yield deadline
            accepted = self._sockets.accept(descriptor, self._bench.now, bits)
        if isinstance(accepted, int):
            self._check(call, accepted, opens=True)
            return
        self._check(call, accepted[0], opens=True)
        self._open(call, accepted[0], self._accepted_flow(accepted[1][1]))

    def _accepted_flow(self, remote_port: int) -> Flow:
        for flow in self._flows:
            if flow.descriptor == _NO_DESCRIPTOR and flow.remote_port == remote_port:
                return flow
        raise Mismatch(f"accept returned a connection from port {remote_port}, which the script did not begin")

    def _connect(self, call: SystemCall) -> Waiting:
        fd, where, _ = self._arguments(call, 3)
        descriptor, flow = self._file(fd)
        if is_unspecified_address(where):
            if flow is not None:
                flow.phase = Phase.NEW
                flow.written = flow.read = 0
            self._check(call, self._sockets.connect(descriptor, None, self._bench.now))
            return
        remote = self._address(where, self._settings.remote, self._settings.connect_port)
        self._begin_connecting(flow, remote)
        deadline = self._deadline(descriptor, TO_CONNECT)
        result = self._sockets.connect(descriptor, remote, self._bench.now)
        while self._sockets.must_wait(descriptor, result) and self._bench.now < deadline:
            yield deadline
            result = self._sockets.connect(descriptor, remote, self._bench.now)
        self._check(call, result)

    def _begin_connecting(self, flow: Flow | None, remote: Address) -> None:
        if flow is not None and flow.phase is Phase.NEW:
            flow.phase = Phase.CONNECTING
            flow.remote_port = remote[1]

    # -- reading

    def _read(self, call: SystemCall) -> Waiting:
        fd, _, size = self._arguments(call, 3)
        return self._receive(call, fd, number(size), 0)

    def _readv(self, call: SystemCall) -> Waiting:
        fd, vector, count = self._arguments(call, 3)
        return self._receive(call, fd, sum(vector_sizes(vector, number(count))), 0)

    def _recv(self, call: SystemCall) -> Waiting:
        fd, _, size, flags, *_ = self._arguments(call, 4, 6)
        return self._receive(call, fd, number(size), number(flags))

    def _recvmsg(self, call: SystemCall) -> Waiting:
        fd, header, flags = self._arguments(call, 3)
        if not isinstance(header, Struct):
            raise UnknownName("expected {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0} as the message")
        vector = header.find("msg_iov") or Array(())
        return self._receive(call, fd, sum(vector_sizes(vector)), number(flags), header)

    def _receive(self, call: SystemCall, fd: Value, size: int, flags: int, header: Struct | None = None) -> Waiting:
        descriptor, flow = self._file(fd)
        deadline = self._deadline(descriptor, TO_RECEIVE)
        target = self._sockets.receive_target(descriptor, size, flags)
        peeking = flags & (MSG_PEEK | MSG_OOB) != 0
        data = b""
        message: Message | int = -EBADF
        while True:
            message = self._sockets.recvmsg(descriptor, size - len(data), self._bench.now, flags)
            if isinstance(message, Message):
                data += message.data
            enough = isinstance(message, Message) and (not message.data or len(data) >= target or peeking)
            sleeps = isinstance(message, Message) or self._sockets.must_wait(descriptor, message, flags)
            if enough or not sleeps or self._bench.now >= deadline or not self._blocks(descriptor, flags):
                break
            yield deadline
        received = data if data or isinstance(message, Message) else message
        self._check(call, received if isinstance(received, int) else len(received))
        if isinstance(message, Message):
            self._check_data(call, flow, data, flags)
            if header is not None:
                check_message(header, message)

    def _blocks(self, descriptor: int, flags: int) -> bool:
        description = self._sockets.description(descriptor)
        return description is not None and description.blocking and not flags & MSG_DONTWAIT

    def _check_data(self, call: SystemCall, flow: Flow | None, data: bytes, flags: int) -> None:
        if flow is None or not flow.patterned or flags & MSG_OOB:
            return
        place = flow.read if flow.protocol == TCP else 0
        if not flags & MSG_PEEK:
            flow.read += len(data)
        if not flags & MSG_TRUNC and data != pattern(place, len(data)):
            raise Mismatch(f"{call.name} returned other bytes than were sent for this place of the stream")

    # -- writing

    def _write(self, call: SystemCall) -> Waiting:
        fd, _, size = self._arguments(call, 3)
        return self._transmit(call, fd, [number(size)], 0)

    def _writev(self, call: SystemCall) -> Waiting:
        fd, vector, count = self._arguments(call, 3)
        return self._transmit(call, fd, vector_sizes(vector, number(count)), 0)

    def _send(self, call: SystemCall) -> Waiting:
        fd, _, size, flags = self._arguments(call, 4)
        return self._transmit(call, fd, [number(size)], number(flags))

    def _sendto(self, call: SystemCall) -> Waiting:
        fd, _, size, flags, where, _ = self._arguments(call, 6)
        return self._transmit(call, fd, [number(size)], number(flags), where)

    def _sendmsg(self, call: SystemCall) -> Waiting:
        fd, header, flags = self._arguments(call, 3)
        if not isinstance(header, Struct):
            raise UnknownName("expected {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0} as the message")
        if header.find("msg_control") not in (None, Array(())):
            raise Unsupported("msg_control in sendmsg is not supported")
        _, flow = self._file(fd)
        # On a stream the address means nothing; a socket that is not connected yet needs it.
        where = header.find("msg_name") if flow is not None and flow.phase is Phase.NEW else None
        return self._transmit(call, fd, vector_sizes(header.find("msg_iov") or Array(())), number(flags), where)

    def _transmit(
        self, call: SystemCall, fd: Value, sizes: list[int], flags: int, where: Value | None = None
    ) -> Waiting:
        descriptor, flow = self._file(fd)
        remote: Address | None = None
        if where is not None and not isinstance(where, int):
            remote = self._address(where, self._settings.remote, self._settings.connect_port)
            if flow is not None and (flow.protocol != TCP or flags & MSG_FASTOPEN):
                self._begin_connecting(flow, remote)
        if flow is not None and flags & MSG_OOB:
            flow.patterned = False
        chunks = self._data(flow, sizes)
        deadline = self._deadline(descriptor, TO_SEND)
        total, sent = sum(sizes), 0
        while True:
            taken = self._sockets.sendmsg(descriptor, chunks, self._bench.now, remote, flags)
            if taken > 0:
                sent += taken
                if flow is not None:
                    flow.written += taken
                chunks = self._data(flow, [total - sent])
            sleeps = taken >= 0 or self._sockets.must_wait(descriptor, taken, flags)
            done = sent == total or not sleeps or not self._blocks(descriptor, flags)
            if done or self._bench.now >= deadline:
                break
            self._bench.settle()
            yield deadline
        self._check(call, sent or taken)

    def _data(self, flow: Flow | None, sizes: list[int]) -> list[bytes]:
        place = flow.written if flow is not None and flow.protocol == TCP else 0
        chunks: list[bytes] = []
        for size in sizes:
            chunks.append(pattern(place, size))
            place += size
        return chunks

    # -- settings of a descriptor

    def _fcntl(self, call: SystemCall) -> None:
        fd, command, *value = self._arguments(call, 2, 3)
        descriptor, _ = self._file(fd)
        self._check(call, self._sockets.fcntl(descriptor, number(command), number(value[0]) if value else 0))

    def _ioctl(self, call: SystemCall) -> None:
        fd, request, *value = self._arguments(call, 2, 3)
        descriptor, _ = self._file(fd)
        asked = number(request)
        given = bracketed(value[0]) if value else 0
        result = self._sockets.ioctl(descriptor, asked, given)
        self._check(call, min(result, 0))
        if value and asked != FIONBIO and result >= 0 and result != given:
            self._differ(call, "the value", f"[{given}]", f"[{result}]")

    def _setsockopt(self, call: SystemCall) -> None:
        fd, level, option, value, size = self._arguments(call, 5)
        descriptor, _ = self._file(fd)
        packed = option_value(value, number(size))
        result = self._sockets.setsockopt(descriptor, number(level), number(option), packed, self._bench.now)
        self._check(call, result)

    def _getsockopt(self, call: SystemCall) -> None:
        fd, level, option, value, size_value = self._arguments(call, 5)
        descriptor, _ = self._file(fd)
        size = bracketed(size_value)
        answer = self._sockets.getsockopt(descriptor, number(level), number(option), self._bench.now, size)
        self._check(call, answer if isinstance(answer, int) else 0)
        if isinstance(answer, int):
            return
        if len(answer) != size:
            self._differ(call, "the length", f"[{size}]", f"[{len(answer)}]")
        if isinstance(value, Wildcard):
            return
        if isinstance(value, Text):
            if answer != value.data:
                self._differ(call, "the value", repr(value.data), repr(answer))
        elif answer != option_value(value, size):
            wanted = show_option(option_value(value, size))
            self._differ(call, "the value", wanted, show_option(answer))

    def _getsockname(self, call: SystemCall) -> None:
        self._tell_address(call, self._sockets.getsockname)

    def _getpeername(self, call: SystemCall) -> None:
        self._tell_address(call, self._sockets.getpeername)

    def _tell_address(self, call: SystemCall, ask: Callable[[int], Address | int]) -> None:
        fd, where, _ = self._arguments(call, 3)
        descriptor, _ = self._file(fd)
        answer = ask(descriptor)
        self._check(call, answer if isinstance(answer, int) else 0)
        if isinstance(where, Struct) and not isinstance(answer, int):
            wanted = given_address(where)
            if wanted != answer[:2]:
                self._differ(call, "the address", f"{wanted[0]} port {wanted[1]}", f"{answer[0]} port {answer[1]}")

    # -- ending

    def _close(self, call: SystemCall) -> Waiting:
        (fd,) = self._arguments(call, 1)
        script = number(fd)
        descriptor, _ = self._files.pop(script, (_NO_DESCRIPTOR, None))
        if self._epolls.pop(script, None) is not None:
            self._check(call, 0)
            return
        for watched in self._epolls.values():
            watched.forget(descriptor)
        description = self._sockets.description(descriptor)
        linger = self._sockets.lingering(descriptor) if description is not None and description.blocking else 0
        deadline = self._bench.now + linger
        result = self._sockets.close(descriptor, self._bench.now)
        self._bench.settle()
        while linger and description is not None and description.draining() and self._bench.now < deadline:
            yield deadline
        self._check(call, result)

    def _shutdown(self, call: SystemCall) -> None:
        fd, how = self._arguments(call, 2)
        descriptor, _ = self._file(fd)
        self._check(call, self._sockets.shutdown(descriptor, number(how), self._bench.now))

    # -- waiting for several

    def _poll(self, call: SystemCall) -> Waiting:
        entries, count, timeout = self._arguments(call, 3)
        if not isinstance(entries, Array) or len(entries.items) != number(count):
            raise UnknownName("expected [{fd=4, events=POLLIN, revents=POLLIN}, ...] with as many entries as said")
        asked = [poll_entry(entry) for entry in entries.items]
        wait = number(timeout)
        deadline = NEVER if wait < 0 else self._bench.now + wait * MILLISECOND
        found = self._poll_once(asked)
        while not any(found) and self._bench.now < deadline:
            yield deadline
            found = self._poll_once(asked)
        self._check(call, sum(1 for each in found if each))
        for (fd, _, wanted), got in zip(asked, found, strict=True):
            if wanted != got:
                self._differ(call, f"revents of {fd}", f"0x{wanted:x}", f"0x{got:x}")

    def _poll_once(self, asked: list[tuple[int, int, int]]) -> list[int]:
        return [self._sockets.poll(self._file(fd)[0], events) for fd, events, _ in asked]

    def _epoll_create(self, call: SystemCall) -> None:
        self._arguments(call, 1)
        script = number(call.result)
        self._epolls[script] = EpollSet(self._sockets)
        self._check(call, script if script >= 0 else 0, opens=True)

    def _epoll_ctl(self, call: SystemCall) -> None:
        epoll, operation, fd, event = self._arguments(call, 4)
        if number(epoll) not in self._epolls:
            self._check(call, -EBADF)
            return
        descriptor, _ = self._file(fd)
        events, data = epoll_event(event)
        self._check(call, self._epolls[number(epoll)].control(number(operation), descriptor, events, data))

    def _epoll_wait(self, call: SystemCall) -> Waiting:
        epoll, event, most, timeout = self._arguments(call, 4)
        watched = self._epolls.get(number(epoll))
        if watched is None:
            self._check(call, -EBADF)
            return
        wait = number(timeout)
        deadline = NEVER if wait < 0 else self._bench.now + wait * MILLISECOND
        found = watched.ready(number(most))
        while not found and self._bench.now < deadline:
            yield deadline
            found = watched.ready(number(most))
        self._check(call, len(found))
        wanted = epoll_event(event)
        if found and found[0] != wanted:
            expected, got = [f"events 0x{events:x}, data {data}" for events, data in (wanted, found[0])]
            self._differ(call, "the first event", expected, got)
