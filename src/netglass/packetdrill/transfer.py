"""Data in and out: read, recv, write, send and their kin, splice and sendfile."""

from __future__ import annotations

from netglass.errnos import EBADF
from netglass.packetdrill.call_values import bracketed, check_message, vector_sizes
from netglass.packetdrill.flow import Flow, Phase, pattern
from netglass.packetdrill.pipes import Pipe, PlainFile, open_file, spliced
from netglass.packetdrill.process import CallGroup, Table, Waiting
from netglass.packetdrill.result import Mismatch
from netglass.packetdrill.script import Array, Struct, SystemCall, Text, Value
from netglass.packetdrill.shell import Unsupported
from netglass.packetdrill.symbols import UnknownName, number
from netglass.sockets.address import Address
from netglass.sockets.constants import MSG_DONTWAIT, MSG_FASTOPEN, MSG_OOB, MSG_PEEK, MSG_TRUNC
from netglass.sockets.description import Message
from netglass.sockets.sockets import TO_RECEIVE, TO_SEND
from netglass.times import NEVER
from netglass.wire.ip import TCP


class Transfer(CallGroup):
    """Calls that move data."""

    def table(self) -> Table:
        return {
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
            "pipe": self._pipe,
            "splice": self._splice,
            "open": self._open_file,
            "sendfile": self._sendfile,
        }

    def _read(self, call: SystemCall) -> Waiting | None:
        fd, _, size = self._process.arguments(call, 3)
        if number(size) == 0 and self._process.file(fd)[1] is not None:
            # Linux sock_read_iter: read, unlike recv, does not wait for what it would not take.
            self._process.check(call, 0)
            return None
        return self._receive(call, fd, number(size), 0)

    def _readv(self, call: SystemCall) -> Waiting:
        fd, vector, count = self._process.arguments(call, 3)
        return self._receive(call, fd, sum(vector_sizes(vector, number(count))), 0)

    def _recv(self, call: SystemCall) -> Waiting:
        fd, _, size, flags, *_ = self._process.arguments(call, 4, 6)
        return self._receive(call, fd, number(size), number(flags))

    def _recvmsg(self, call: SystemCall) -> Waiting:
        fd, header, flags = self._process.arguments(call, 3)
        if not isinstance(header, Struct):
            raise UnknownName("expected {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0} as the message")
        vector = header.find("msg_iov") or Array(())
        return self._receive(call, fd, sum(vector_sizes(vector)), number(flags), header)

    def _receive(self, call: SystemCall, fd: Value, size: int, flags: int, header: Struct | None = None) -> Waiting:
        descriptor, flow = self._process.file(fd)
        deadline = self._process.deadline(descriptor, TO_RECEIVE)
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
            if not isinstance(message, Message):  # else there may be more already, or the end
                yield deadline
        received = data if data or isinstance(message, Message) else message
        self._process.check(call, received if isinstance(received, int) else len(received))
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

    def _write(self, call: SystemCall) -> Waiting:
        fd, _, size = self._process.arguments(call, 3)
        return self._transmit(call, fd, [number(size)], 0)

    def _writev(self, call: SystemCall) -> Waiting:
        fd, vector, count = self._process.arguments(call, 3)
        return self._transmit(call, fd, vector_sizes(vector, number(count)), 0)

    def _send(self, call: SystemCall) -> Waiting:
        fd, _, size, flags = self._process.arguments(call, 4)
        return self._transmit(call, fd, [number(size)], number(flags))

    def _sendto(self, call: SystemCall) -> Waiting:
        fd, _, size, flags, where, _ = self._process.arguments(call, 6)
        return self._transmit(call, fd, [number(size)], number(flags), where)

    def _sendmsg(self, call: SystemCall) -> Waiting:
        fd, header, flags = self._process.arguments(call, 3)
        if not isinstance(header, Struct):
            raise UnknownName("expected {msg_name(...)=..., msg_iov(1)=[{..., 1000}], msg_flags=0} as the message")
        if header.find("msg_control") not in (None, Array(())):
            raise Unsupported("msg_control in sendmsg is not supported")
        _, flow = self._process.file(fd)
        # On a stream the address means nothing; a socket that is not connected yet needs it.
        where = header.find("msg_name") if flow is not None and flow.phase is Phase.NEW else None
        return self._transmit(call, fd, vector_sizes(header.find("msg_iov") or Array(())), number(flags), where)

    def _transmit(
        self, call: SystemCall, fd: Value, sizes: list[int], flags: int, where: Value | None = None
    ) -> Waiting:
        descriptor, flow = self._process.file(fd)
        remote: Address | None = None
        if where is not None and not isinstance(where, int):
            remote = self._process.address(where, self._settings.remote, self._settings.connect_port)
            if flow is not None and (flow.protocol != TCP or flags & MSG_FASTOPEN):
                self._process.begin_connecting(flow, remote)
        if flow is not None and flags & MSG_OOB:
            flow.patterned = False
        chunks = self._data(flow, sizes)
        deadline = self._process.deadline(descriptor, TO_SEND)
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
        self._process.check(call, sent or taken)

    def _data(self, flow: Flow | None, sizes: list[int]) -> list[bytes]:
        place = flow.written if flow is not None and flow.protocol == TCP else 0
        chunks: list[bytes] = []
        for size in sizes:
            chunks.append(pattern(place, size))
            place += size
        return chunks

    def _pipe(self, call: SystemCall) -> None:
        (ends,) = self._process.arguments(call, 1)
        if not isinstance(ends, Array) or len(ends.items) != 2:
            raise UnknownName("expected [5, 6], the names of the pipe's ends")
        pipe = Pipe()
        for end in ends.items:
            self._process.others[number(end)] = pipe
        self._process.check(call, 0)

    def _splice(self, call: SystemCall) -> Waiting:
        source, _, sink, _, size, _ = self._process.arguments(call, 6)
        others = self._process.others
        into, out_of = others.get(number(sink)), others.get(number(source))
        if isinstance(into, Pipe):
            return self._splice_in(call, source, into, min(number(size), into.room))
        if isinstance(out_of, Pipe):
            return self._send_bytes(call, sink, spliced(out_of, number(size)), out_of)
        raise Unsupported("splice between two sockets is not supported: one end is a pipe")

    def _splice_in(self, call: SystemCall, source: Value, into: Pipe, size: int) -> Waiting:
        descriptor, flow = self._process.file(source)
        data = self._sockets.recv(descriptor, size, self._bench.now)
        while self._sockets.must_wait(descriptor, data):
            yield NEVER
            data = self._sockets.recv(descriptor, size, self._bench.now)
        self._process.check(call, data if isinstance(data, int) else len(data))
        if not isinstance(data, int):
            self._check_data(call, flow, data, 0)
            into.put(data)

    def _open_file(self, call: SystemCall) -> None:
        name_value, _ = self._process.arguments(call, 2)
        if not isinstance(name_value, Text):
            raise UnknownName("expected the name of a file in quotes")
        opened = open_file(name_value.data.decode("utf-8", "replace"))
        self._process.check(call, opened if isinstance(opened, int) else 0, opens=True)
        if not isinstance(opened, int):
            self._process.others[number(call.result)] = opened

    def _sendfile(self, call: SystemCall) -> Waiting:
        sink, source, offset, size = self._process.arguments(call, 4)
        plain = self._process.others.get(number(source))
        if not isinstance(plain, PlainFile):
            raise UnknownName("sendfile takes from a file that open has opened")
        return self._send_bytes(call, sink, plain.look(bracketed(offset), number(size)))

    def _send_bytes(self, call: SystemCall, sink: Value, data: bytes | int, pipe: Pipe | None = None) -> Waiting:
        descriptor, flow = self._process.file(sink)
        taken = data if isinstance(data, int) else self._sockets.send(descriptor, data, self._bench.now)
        while not isinstance(data, int) and self._sockets.must_wait(descriptor, taken):
            yield NEVER
            taken = self._sockets.send(descriptor, data, self._bench.now)
        if flow is not None:
            flow.patterned = False
        if pipe is not None:
            pipe.drop(max(taken, 0))
        self._process.check(call, taken)
