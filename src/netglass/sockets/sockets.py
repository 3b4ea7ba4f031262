"""The BSD calls on one host: a descriptor table, and a method for each call.

A call returns what Linux's would, or a negative errno (`-EAGAIN`), and never waits. To make it wait, as a blocking
socket does, whoever has a clock does this:

    result = sockets.recv(fd, 1000, world.now())
    while sockets.must_wait(fd, result):
        # until sockets.ready(fd) & TO_RECEIVE, or sockets.wait_limit(fd, TO_RECEIVE) has passed: then -EAGAIN stands
        result = sockets.recv(fd, 1000, world.now())

with TO_ACCEPT for accept, TO_SEND for send, and TO_CONNECT for connect, which goes from -EINPROGRESS over -EALREADY
to 0 or its error. A blocking send goes on with the rest of its data until all is taken, a blocking recv until it has
`receive_target` bytes. To be woken and not to ask, put a `Waker` into `sockets.description(fd).watchers`. close() ends
at once; if `lingering(fd)` was not 0 before, a blocking close waits so long for `description.draining()` to end.

Wrong descriptors, addresses of the wrong family and the like have their errno. Text that is no address, or a port
beyond 65535, never gets as far as a kernel: MisuseError.
"""

from __future__ import annotations

from collections.abc import Sequence
from heapq import heappop, heappush
from typing import Final

from netglass.errnos import (
    EAFNOSUPPORT,
    EAGAIN,
    EALREADY,
    EBADF,
    EINPROGRESS,
    EINVAL,
    EMFILE,
    EPROTONOSUPPORT,
    ESOCKTNOSUPPORT,
)
from netglass.host.host import Host
from netglass.sockets.address import Address
from netglass.sockets.constants import (
    AF_INET,
    AF_INET6,
    F_DUPFD,
    F_DUPFD_CLOEXEC,
    F_GETFD,
    F_GETFL,
    F_SETFD,
    F_SETFL,
    FD_CLOEXEC,
    FIOCLEX,
    FIONBIO,
    FIONCLEX,
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_IP,
    IPPROTO_TCP,
    IPPROTO_UDP,
    MSG_DONTWAIT,
    MSG_OOB,
    MSG_WAITALL,
    O_APPEND,
    O_ASYNC,
    O_NONBLOCK,
    SO_RCVLOWAT,
    SOCK_CLOEXEC,
    SOCK_DGRAM,
    SOCK_NONBLOCK,
    SOCK_RAW,
    SOCK_STREAM,
    SOL_SOCKET,
)
from netglass.sockets.datagram import DatagramSocket
from netglass.sockets.description import Description, Message
from netglass.sockets.options import key
from netglass.sockets.raw import PingSocket, RawSocket
from netglass.sockets.stream import StreamSocket
from netglass.times import NEVER
from netglass.wire.checksum import Buffer
from netglass.world import POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLRDHUP

TO_RECEIVE: Final = POLLIN | POLLRDHUP | POLLERR | POLLHUP
TO_ACCEPT: Final = TO_RECEIVE
TO_SEND: Final = POLLOUT | POLLERR | POLLHUP
TO_CONNECT: Final = TO_SEND
"""What `ready` must show before a call that answered -EAGAIN or -EINPROGRESS is worth repeating."""

FIRST_DESCRIPTOR: Final = 3
DESCRIPTORS_MAX: Final = 1 << 20

_SETTABLE_FLAGS: Final = O_APPEND | O_ASYNC | O_NONBLOCK
_RCVLOWAT: Final = key(SOL_SOCKET, SO_RCVLOWAT)


class Sockets:
    """One process's descriptors on one host: the lowest free number, from 3."""

    __slots__ = ("_close_on_exec", "_descriptions", "_freed", "_next", "host", "limit")

    def __init__(self, host: Host, limit: int = DESCRIPTORS_MAX) -> None:
        self.host: Host = host
        self.limit: int = limit  # RLIMIT_NOFILE
        self._descriptions: dict[int, Description] = {}
        self._freed: list[int] = []  # heap of numbers below `_next` that are free
        self._next: int = FIRST_DESCRIPTOR
        self._close_on_exec: set[int] = set()

    # -- descriptors

    def description(self, fd: int) -> Description | None:
        """What `fd` stands for, to watch it. None: no such descriptor."""
        return self._descriptions.get(fd)

    def socket(self, family: int, kind: int, protocol: int = 0) -> int:
        """socket(2). `kind` may carry SOCK_NONBLOCK and SOCK_CLOEXEC."""
        bits = kind & (SOCK_NONBLOCK | SOCK_CLOEXEC)
        kind &= ~(SOCK_NONBLOCK | SOCK_CLOEXEC)
        if family not in (AF_INET, AF_INET6):
            return -EAFNOSUPPORT
        if not 0 <= protocol <= 255:
            return -EINVAL
        if kind == SOCK_STREAM:
            if protocol not in (IPPROTO_IP, IPPROTO_TCP):
                return -EPROTONOSUPPORT
            return self.adopt(StreamSocket(self.host, family), bits)
        if kind == SOCK_DGRAM:
            if protocol == (IPPROTO_ICMP if family == AF_INET else IPPROTO_ICMPV6):
                return self.adopt(PingSocket(self.host, family, protocol), bits)
            if protocol not in (IPPROTO_IP, IPPROTO_UDP):
                return -EPROTONOSUPPORT
            return self.adopt(DatagramSocket(self.host, family), bits)
        if kind == SOCK_RAW:
            return -EPROTONOSUPPORT if protocol == 0 else self.adopt(RawSocket(self.host, family, protocol), bits)
        return -ESOCKTNOSUPPORT if 0 <= kind <= 10 else -EINVAL

    def adopt(self, description: Description, bits: int = 0) -> int:
        """A descriptor for `description`, which may be of a kind that is not of the network (a pipe), or -EMFILE.
        `bits`: SOCK_NONBLOCK, SOCK_CLOEXEC."""
        fd = self._install(description, FIRST_DESCRIPTOR)
        if fd >= 0:
            description.flags |= bits & SOCK_NONBLOCK
            if bits & SOCK_CLOEXEC:
                self._close_on_exec.add(fd)
        return fd

    def _install(self, description: Description, least: int) -> int:
        fd = self._lowest(least)
        if fd >= self.limit:
            return -EMFILE
        self._descriptions[fd] = description
        description.references += 1
        return fd

    def _lowest(self, least: int) -> int:
        """The lowest free number from `least`. The heap may hold numbers that F_DUPFD took meanwhile."""
        if least > FIRST_DESCRIPTOR:
            while least in self._descriptions:
                least += 1
            return least
        while self._freed:
            fd = heappop(self._freed)
            if fd not in self._descriptions:
                return fd
        while self._next in self._descriptions:
            self._next += 1
        if self._next >= self.limit:
            return self._next
        self._next += 1
        return self._next - 1

    def dup(self, fd: int) -> int:
        """dup(2): one more descriptor for the same description."""
        description = self._descriptions.get(fd)
        return -EBADF if description is None else self._install(description, FIRST_DESCRIPTOR)

    def dup2(self, fd: int, other: int, now: int) -> int:
        """dup2(2): `other` stands for the same description from now on; what it was before is closed."""
        description = self._descriptions.get(fd)
        if description is None or not 0 <= other < self.limit:
            return -EBADF
        if other == fd:
            return other
        self.close(other, now)
        self._descriptions[other] = description
        description.references += 1
        return other

    def close(self, fd: int, now: int) -> int:
        """close(2). The last descriptor of a connection starts its end; SO_LINGER's wait is the caller's."""
        description = self._descriptions.pop(fd, None)
        if description is None:
            return -EBADF
        self._close_on_exec.discard(fd)
        if fd < self._next:
            heappush(self._freed, fd)
        description.references -= 1
        if description.references == 0:
            description.close(now)
        return 0

    def close_all(self, now: int) -> None:
        """As when the process ends."""
        for fd in sorted(self._descriptions):
            self.close(fd, now)

    def fcntl(self, fd: int, command: int, value: int = 0) -> int:
        """fcntl(2): F_GETFL, F_SETFL (O_NONBLOCK ...), F_GETFD, F_SETFD, F_DUPFD, F_DUPFD_CLOEXEC."""
        description = self._descriptions.get(fd)
        if description is None:
            return -EBADF
        if command == F_GETFL:
            return description.flags
        if command == F_SETFL:
            description.flags = description.flags & ~_SETTABLE_FLAGS | value & _SETTABLE_FLAGS
            return 0
        if command == F_GETFD:
            return FD_CLOEXEC if fd in self._close_on_exec else 0
        if command == F_SETFD:
            self._mark_close_on_exec(fd, value & FD_CLOEXEC != 0)
            return 0
        if command not in (F_DUPFD, F_DUPFD_CLOEXEC) or not 0 <= value < self.limit:
            return -EINVAL
        copy = self._install(description, max(value, FIRST_DESCRIPTOR))
        if copy >= 0 and command == F_DUPFD_CLOEXEC:
            self._close_on_exec.add(copy)
        return copy

    def _mark_close_on_exec(self, fd: int, on: bool) -> None:
        if on:
            self._close_on_exec.add(fd)
        else:
            self._close_on_exec.discard(fd)

    def ioctl(self, fd: int, request: int, value: int = 0) -> int:
        """ioctl(2): FIONREAD, SIOCOUTQ, SIOCOUTQNSD and SIOCATMARK return the number; FIONBIO takes one."""
        description = self._descriptions.get(fd)
        if description is None:
            return -EBADF
        if request == FIONBIO:
            description.flags = description.flags & ~O_NONBLOCK | (O_NONBLOCK if value else 0)
            return 0
        if request in (FIOCLEX, FIONCLEX):
            self._mark_close_on_exec(fd, request == FIOCLEX)
            return 0
        return description.ioctl(request)

    # -- waiting

    def ready(self, fd: int) -> int:
        """POLL* bits that are true now; POLLNVAL for a descriptor that is none."""
        description = self._descriptions.get(fd)
        return POLLNVAL if description is None else description.readiness()

    def poll(self, fd: int, events: int) -> int:
        """poll(2)'s revents for one entry: POLLERR, POLLHUP and POLLNVAL come unasked."""
        return self.ready(fd) & (events | POLLERR | POLLHUP | POLLNVAL)

    def must_wait(self, fd: int, result: object, flags: int = 0) -> bool:
        """True if a blocking call that got `result` would now sleep: the socket blocks, and so does this call."""
        if result not in (-EAGAIN, -EINPROGRESS, -EALREADY) or flags & (MSG_DONTWAIT | MSG_OOB):
            return False
        description = self._descriptions.get(fd)
        return description is not None and description.blocking

    def wait_limit(self, fd: int, mask: int) -> int:
        """How long a call that waits for `mask` may sleep (SO_RCVTIMEO, SO_SNDTIMEO), in nanoseconds; NEVER: for ever.
        accept goes by SO_RCVTIMEO, connect by SO_SNDTIMEO."""
        description = self._descriptions.get(fd)
        if description is None:
            return NEVER
        return description.receive_timeout if mask & POLLIN else description.send_timeout

    def receive_target(self, fd: int, size: int, flags: int = 0) -> int:
        """How many bytes of a stream a blocking recv of `size` wants before it returns (MSG_WAITALL, SO_RCVLOWAT)."""
        description = self._descriptions.get(fd)
        if description is None or description.kind != SOCK_STREAM:
            return 1
        if flags & MSG_WAITALL:
            return size
        return min(size, description.values.get(_RCVLOWAT, 1))

    def lingering(self, fd: int) -> int:
        """How long a blocking close of `fd` waits for the data to be acknowledged (SO_LINGER), in nanoseconds; 0: not
        at all. Ask before close, and keep the description: its `draining()` says when the waiting is over."""
        description = self._descriptions.get(fd)
        if description is None or description.references > 1:
            return 0
        return description.lingering()

    # -- opening

    def bind(self, fd: int, address: Address, now: int) -> int:
        description = self._descriptions.get(fd)
        return -EBADF if description is None else description.bind(address, now)

    def listen(self, fd: int, backlog: int, now: int) -> int:
        description = self._descriptions.get(fd)
        return -EBADF if description is None else description.listen(backlog, now)

    def connect(self, fd: int, address: Address | None, now: int) -> int:
        """connect(2): 0 or an errno; None is AF_UNSPEC, which dissolves."""
        description = self._descriptions.get(fd)
        return -EBADF if description is None else description.connect(address, now)

    def accept(self, fd: int, now: int, flags: int = 0) -> tuple[int, Address] | int:
        """accept4(2): (descriptor, peer's address), or an errno. `flags`: SOCK_NONBLOCK, SOCK_CLOEXEC."""
        description = self._descriptions.get(fd)
        if description is None:
            return -EBADF
        if flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC):
            return -EINVAL
        if self._full():
            return -EMFILE
        accepted = description.accept(now)
        if isinstance(accepted, int):
            return accepted
        return self.adopt(accepted, flags), accepted.remote_address()

    def _full(self) -> bool:
        return len(self._descriptions) >= self.limit - FIRST_DESCRIPTOR

    def shutdown(self, fd: int, how: int, now: int) -> int:
        description = self._descriptions.get(fd)
        return -EBADF if description is None else description.shutdown(how, now)

    def getsockname(self, fd: int) -> Address | int:
        description = self._descriptions.get(fd)
        return -EBADF if description is None else description.local_address()

    def getpeername(self, fd: int) -> Address | int:
        description = self._descriptions.get(fd)
        return -EBADF if description is None else description.peer_address()

    # -- moving data. What is sent must not change afterwards: other than `bytes`, it is copied.

    def send(self, fd: int, data: Buffer | bytearray, now: int, flags: int = 0) -> int:
        """send(2): bytes taken, or an errno."""
        description = self._descriptions.get(fd)
        if description is None:
            return -EBADF
        return description.send(data if isinstance(data, bytes) else bytes(data), None, flags, now)

    def sendto(self, fd: int, data: Buffer | bytearray, address: Address | None, now: int, flags: int = 0) -> int:
        description = self._descriptions.get(fd)
        if description is None:
            return -EBADF
        return description.send(data if isinstance(data, bytes) else bytes(data), address, flags, now)

    def sendmsg(
        self,
        fd: int,
        chunks: Sequence[Buffer | bytearray],
        now: int,
        address: Address | None = None,
        flags: int = 0,
    ) -> int:
        """sendmsg(2), writev(2): gathers the chunks."""
        description = self._descriptions.get(fd)
        if description is None:
            return -EBADF
        kept: list[Buffer] = [chunk if isinstance(chunk, bytes) else bytes(chunk) for chunk in chunks]
        return description.send_chunks(kept, address, flags, now)

    def recv(self, fd: int, size: int, now: int, flags: int = 0) -> bytes | int:
        """recv(2): data, b"" at the end of a stream, or an errno."""
        description = self._descriptions.get(fd)
        if description is None:
            return -EBADF
        return description.receive(size, flags, now) if size >= 0 else -EINVAL

    def recv_chunks(self, fd: int, size: int, now: int) -> list[Buffer] | int:
        """As recv, in the pieces in which the data arrived: nothing is copied, as with splice(2). [] at the end of a
        stream. A piece that is a view holds up to 64 KiB of memory until it is let go."""
        description = self._descriptions.get(fd)
        if description is None:
            return -EBADF
        return description.receive_chunks(size, now) if size >= 0 else -EINVAL

    def recvfrom(self, fd: int, size: int, now: int, flags: int = 0) -> tuple[bytes, Address | None] | int:
        """recvfrom(2): (data, sender); a stream has no sender: None."""
        message = self.recvmsg(fd, size, now, flags)
        return message if isinstance(message, int) else (message.data, message.address)

    def recvmsg(self, fd: int, size: int, now: int, flags: int = 0) -> Message | int:
        """recvmsg(2), with flags and ancillary data."""
        description = self._descriptions.get(fd)
        if description is None:
            return -EBADF
        return description.receive_message(size, flags, now) if size >= 0 else -EINVAL

    def read(self, fd: int, size: int, now: int) -> bytes | int:
        return self.recv(fd, size, now)

    def write(self, fd: int, data: Buffer | bytearray, now: int) -> int:
        return self.send(fd, data, now)

    # -- options

    def setsockopt(self, fd: int, level: int, option: int, value: int | bytes, now: int) -> int:
        """setsockopt(2): `value` is an int, or the bytes that C would pass."""
        description = self._descriptions.get(fd)
        return -EBADF if description is None else description.set_option(level, option, value, now)

    def getsockopt(self, fd: int, level: int, option: int, now: int, size: int = 4) -> bytes | int:
        """getsockopt(2) with a buffer of `size`: the bytes (of an int, in Linux's little-endian order), or an errno.
        An int result is always an errno: an option's value may be negative itself."""
        description = self._descriptions.get(fd)
        return -EBADF if description is None else description.option(level, option, size, now)

    def tcp_info(self, fd: int, now: int) -> dict[str, int]:
        """TCP_INFO by Linux's names; {} if `fd` is no TCP socket."""
        description = self._descriptions.get(fd)
        return description.info(now) if isinstance(description, StreamSocket) else {}
