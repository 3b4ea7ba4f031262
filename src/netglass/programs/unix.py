"""What connects threads of one host without TCP: AF_UNIX sockets, pairs of them, and pipes. Delivery takes no time, and
nothing of it is seen on any cable."""

from __future__ import annotations

from collections import deque
from typing import Final

from netglass.errnos import (
    EADDRINUSE,
    EAGAIN,
    EBADF,
    ECONNREFUSED,
    ECONNRESET,
    EINVAL,
    EISCONN,
    EMSGSIZE,
    ENOTCONN,
    EOPNOTSUPP,
    EPIPE,
)
from netglass.host.host import Host
from netglass.programs.rights import Traveller, drop
from netglass.sockets.address import Address
from netglass.sockets.constants import (
    AF_UNIX,
    FIONREAD,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SOCK_STREAM,
)
from netglass.sockets.description import Description, Message
from netglass.wire.checksum import Buffer
from netglass.world import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP

CAPACITY: Final = 212_992  # Linux net.core.wmem_default
PIPE_CAPACITY: Final = 65_536
O_RDONLY: Final = 0
O_WRONLY: Final = 1
SOCK_SEQPACKET: Final = 5
_NEVER: Final = 1 << 62

_ANY_CHANGE: Final = POLLIN | POLLOUT | POLLHUP | POLLRDHUP | POLLERR


class Queue:
    """Bytes, or messages, on their way to one reader, and descriptors beside some of them."""

    __slots__ = ("_begun", "_stop", "capacity", "parts", "rights", "size")

    def __init__(self, capacity: int) -> None:
        self.parts: deque[bytes] = deque()
        self.size: int = 0
        self.capacity: int = capacity
        self.rights: dict[int, list[Traveller]] = {}  # by the number of the part that they came with
        self._begun: int = 0  # the number of parts[0]
        self._stop: int = _NEVER  # the number of the last part that may be taken now

    def put(self, data: Buffer) -> None:
        self.parts.append(bytes(data))
        self.size += len(data)

    def put_with(self, data: Buffer, rights: list[Traveller]) -> None:
        self.rights[self._begun + len(self.parts)] = rights
        self.put(data)

    def take_rights(self, size: int, stream: bool, peek: bool) -> list[Traveller]:
        """Those that come with what is to be taken next."""
        number = self._begun
        if stream:
            for part in self.parts:
                size -= len(part)
                if number in self.rights or size <= 0:
                    break
                number += 1
        if number not in self.rights:
            return []
        self._stop = number
        return [each.twin() for each in self.rights[number]] if peek else self.rights.pop(number)

    def take(self, size: int, peek: bool) -> bytes:
        """At most `size` bytes of a stream, and none beyond a part that descriptors came with."""
        taken: list[bytes] = []
        left = size
        for number, part in enumerate(self.parts, self._begun):
            if not left or number > self._stop:
                break
            taken.append(part[:left])
            left -= len(taken[-1])
        self._stop = _NEVER
        data = b"".join(taken)
        if not peek:
            self._drop(len(data))
        return data

    def _drop(self, size: int) -> None:
        self.size -= size
        while size:
            part = self.parts.popleft()
            if len(part) > size:
                self.parts.appendleft(part[size:])
                return
            self._begun += 1
            size -= len(part)

    def take_message(self, peek: bool) -> bytes:
        if peek:
            return self.parts[0]
        message = self.parts.popleft()
        self._begun += 1
        self.size -= len(message)
        return message


class UnixSocket(Description):
    """SOCK_STREAM, SOCK_DGRAM or SOCK_SEQPACKET in AF_UNIX."""

    def __init__(self, host: Host, kind: int, names: dict[tuple[int, str | bytes], Description]) -> None:
        super().__init__(host, AF_UNIX, kind, 0)
        self.names = names  # of the whole run
        self.path: str | bytes = ""
        self.inbox: Queue = Queue(CAPACITY)
        self.peer: UnixSocket | None = None
        self.connected: bool = False
        self.read_closed: bool = False
        self.write_closed: bool = False
        self.error: int = 0
        self.backlog: int = -1  # a listener: how many may wait
        self.waiting: deque[UnixSocket] = deque()
        self.arrived: list[Traveller] = []  # with what was received last, if nobody has taken them

    # -- opening

    def join(self, other: UnixSocket) -> None:
        """socketpair(2)."""
        self.peer, other.peer = other, self
        self.connected = other.connected = True

    def bind_path(self, path: str | bytes) -> int:
        name = (id(self.host), path)
        if self.path:
            return -EINVAL
        if name in self.names:
            return -EADDRINUSE
        self.names[name] = self
        self.path = path
        return 0

    def listen(self, backlog: int, now: int) -> int:
        if self.kind != SOCK_STREAM and self.kind != SOCK_SEQPACKET:
            return -EOPNOTSUPP
        if not self.path or self.connected:
            return -EINVAL
        self.backlog = max(backlog, 0)
        return 0

    def connect_path(self, path: str | bytes) -> int:
        listener = self.names.get((id(self.host), path))
        if self.connected and self.kind == SOCK_STREAM:
            return -EISCONN
        if not isinstance(listener, UnixSocket) or listener.kind != self.kind:
            return -ECONNREFUSED
        if self.kind not in (SOCK_STREAM, SOCK_SEQPACKET):
            self.peer, self.connected = listener, True
            return 0
        if listener.backlog < 0:
            return -ECONNREFUSED
        if len(listener.waiting) > listener.backlog:
            return -EAGAIN
        accepted = UnixSocket(self.host, self.kind, self.names)
        accepted.path = listener.path
        self.join(accepted)
        listener.waiting.append(accepted)
        listener.wake(POLLIN)
        return 0

    def accept(self, now: int) -> Description | int:
        if self.backlog < 0:
            return -EINVAL
        if self.read_closed:
            return -EINVAL
        return self.waiting.popleft() if self.waiting else -EAGAIN

    # -- moving data

    def send(self, data: Buffer, address: Address | None, flags: int, now: int) -> int:
        return self.send_with(data, [], flags)

    def send_with(self, data: Buffer, rights: list[Traveller], flags: int) -> int:
        """With descriptors beside the first byte."""
        peer = self.peer
        if flags & MSG_OOB:
            return -EOPNOTSUPP
        if self.error:
            return -self.take_error()
        if not self.connected:
            return -ENOTCONN
        if peer is None or self.write_closed or peer.read_closed:
            return -EPIPE
        room = peer.inbox.capacity - peer.inbox.size
        if self.kind != SOCK_STREAM:
            if len(data) > peer.inbox.capacity:
                return -EMSGSIZE
            if len(data) > room:
                return -EAGAIN
        elif room <= 0 and len(data):
            return -EAGAIN
        part = data[:room] if self.kind == SOCK_STREAM else data
        if len(part) or self.kind != SOCK_STREAM:
            if rights:
                peer.inbox.put_with(part, rights)
            else:
                peer.inbox.put(part)
            peer.wake(POLLIN)
        return len(part)

    def take_arrived(self) -> list[Traveller]:
        """The descriptors that came with what was received last."""
        arrived, self.arrived = self.arrived, []
        return arrived

    def receive_message(self, size: int, flags: int, now: int) -> Message | int:
        if flags & MSG_OOB:
            return -EOPNOTSUPP
        peek = flags & MSG_PEEK != 0
        if self.arrived:
            drop(self.take_arrived(), now)  # it was received by a call that has no room for them
        if self.inbox.parts:
            if self.inbox.rights:
                self.arrived = self.inbox.take_rights(size, self.kind == SOCK_STREAM, peek)
            return self._take(size, peek)
        if self.error:
            return -self.take_error()
        if self.read_closed or (self.connected and self._peer_is_gone()):
            return Message(b"", None)
        if not self.connected and self.kind == SOCK_STREAM:
            return -EINVAL
        return -EAGAIN

    def _take(self, size: int, peek: bool) -> Message:
        if self.kind == SOCK_STREAM:
            message = Message(self.inbox.take(size, peek), None)
        else:
            data = self.inbox.take_message(peek)
            message = Message(data[:size], None, MSG_TRUNC if len(data) > size else 0, len(data))
        if self.peer is not None and not peek:
            self.peer.wake(POLLOUT)
        return message

    def _peer_is_gone(self) -> bool:
        return self.peer is None or self.peer.write_closed

    # -- closing

    def shutdown(self, how: int, now: int) -> int:
        if how not in (SHUT_RD, SHUT_WR, SHUT_RDWR):
            return -EINVAL
        if not self.connected and self.backlog < 0:
            return -ENOTCONN
        self.read_closed = self.read_closed or how != SHUT_WR
        self.write_closed = self.write_closed or how != SHUT_RD
        self.wake(_ANY_CHANGE)
        if self.peer is not None:
            self.peer.wake(_ANY_CHANGE)
        return 0

    def close(self, now: int) -> None:
        if self.path and self.names.get((id(self.host), self.path)) is self:
            del self.names[(id(self.host), self.path)]
        for unaccepted in self.waiting:
            unaccepted.close(now)
        drop(self.take_arrived(), now)
        for rights in self.inbox.rights.values():
            drop(rights, now)
        self.inbox.rights.clear()
        peer = self.peer
        self.peer = None
        if peer is None or peer.peer is not self:
            return
        if self.kind != SOCK_STREAM and self.kind != SOCK_SEQPACKET:
            peer.error = ECONNRESET
        elif self.inbox.parts:
            peer.error = ECONNRESET  # unread data, as on Linux
        peer.peer = None
        peer.wake(_ANY_CHANGE)

    # -- asking

    def readiness(self) -> int:
        if self.backlog >= 0:
            return (POLLIN if self.waiting else 0) | (POLLHUP if self.read_closed else 0)
        gone = self.connected and self._peer_is_gone()
        mask = POLLERR if self.error else 0
        if self.inbox.parts or self.read_closed or gone:
            mask |= POLLIN
        if self.read_closed or gone:
            mask |= POLLRDHUP
        if (self.connected and self.peer is None) or (self.read_closed and self.write_closed):
            mask |= POLLHUP
        if not self.connected and self.kind == SOCK_STREAM:
            mask |= POLLHUP
        if self.peer is None or self.peer.inbox.size < self.peer.inbox.capacity:
            mask |= POLLOUT
        return mask

    def listening(self) -> bool:
        return self.backlog >= 0

    def take_error(self) -> int:
        error = self.error
        self.error = 0
        return error

    def ioctl(self, request: int) -> int:
        return self.inbox.size if request == FIONREAD else super().ioctl(request)


class PipeEnd(Description):
    """One end of a pipe(2)."""

    def __init__(self, host: Host, queue: Queue, reads: bool) -> None:
        super().__init__(host, 0, 0, 0)
        self.flags = O_RDONLY if reads else O_WRONLY
        self.kind = SOCK_STREAM  # a stream of bytes, to those who send all of something
        self.queue: Queue = queue
        self.reads: bool = reads
        self.other: PipeEnd | None = None

    def receive_message(self, size: int, flags: int, now: int) -> Message | int:
        if not self.reads:
            return -EBADF
        if not self.queue.parts:
            return -EAGAIN if self.other is not None else Message(b"", None)
        data = self.queue.take(size, False)
        if self.other is not None:
            self.other.wake(POLLOUT)
        return Message(data, None)

    def send(self, data: Buffer, address: Address | None, flags: int, now: int) -> int:
        if self.reads:
            return -EBADF
        if self.other is None:
            return -EPIPE
        room = self.queue.capacity - self.queue.size
        if len(data) and (room <= 0 or (len(data) > room and len(data) <= 4096)):
            return -EAGAIN  # PIPE_BUF bytes go whole or not at all
        part = data[:room]
        if len(part):
            self.queue.put(part)
            self.other.wake(POLLIN)
        return len(part)

    def close(self, now: int) -> None:
        other = self.other
        self.other = None
        if other is not None:
            other.other = None
            other.wake(_ANY_CHANGE)

    def readiness(self) -> int:
        if self.reads:
            return (POLLIN if self.queue.parts else 0) | (POLLHUP if self.other is None else 0)
        room = POLLOUT if self.queue.size < self.queue.capacity else 0
        return room | (POLLERR | POLLOUT if self.other is None else 0)

    def ioctl(self, request: int) -> int:
        return self.queue.size if request == FIONREAD else super().ioctl(request)


def pipe(host: Host) -> tuple[PipeEnd, PipeEnd]:
    """(the end to read from, the end to write to)."""
    queue = Queue(PIPE_CAPACITY)
    reader, writer = PipeEnd(host, queue, True), PipeEnd(host, queue, False)
    reader.other, writer.other = writer, reader
    return reader, writer
