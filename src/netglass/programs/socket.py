"""The socket class that programs get: Python's own `socket.socket`, with the C half replaced.

Everything that CPython writes in Python (makefile, sendfile, the context manager, dup, close and its counting of open
files, repr) is inherited; `_socket.socket`'s part is here, over the host's `Sockets`. The C object below is never
opened: it has descriptor -1, for ever.
"""

from __future__ import annotations

import _socket
import os
import socket as standard
import sys
import warnings
from collections.abc import Iterable, Sequence
from typing import Any, Final

from netglass.errnos import EAFNOSUPPORT, EAGAIN, EBADF, EFAULT, EINVAL, ENOTSOCK, EOPNOTSUPP
from netglass.programs import descriptors, rights, transfer
from netglass.programs.addresses import parse_address
from netglass.programs.descriptors import FIRST, Descriptors, active, checked, fail, nanoseconds
from netglass.programs.epoll import EpollSet
from netglass.programs.transfer import NO_TIMEOUT, frozen
from netglass.programs.unix import PipeEnd, UnixSocket
from netglass.sockets.address import Address
from netglass.sockets.constants import (
    MSG_CTRUNC,
    MSG_TRUNC,
    O_NONBLOCK,
    SOCK_CLOEXEC,
    SOCK_NONBLOCK,
)
from netglass.sockets.description import Description
from netglass.sockets.sockets import DESCRIPTORS_MAX, Sockets
from netglass.times import SECOND

AF_UNIX: Final = 1
_TYPE_BITS: Final = SOCK_NONBLOCK | SOCK_CLOEXEC
_INT_MAX: Final = 2**31 - 1
_BUFLEN_MAX: Final = 1024
_PATH_MAX: Final = 108  # sockaddr_un's, with the 0 at the end of a path

Ancillary = list[tuple[int, int, bytes]]


RealSocket: Final = standard.socket


class LabSocket(standard.socket):
    """A socket on the host of the task that makes it. Programs derive classes from it: what is not CPython's has a name
    that nobody else takes."""

    __new__ = _socket.socket.__new__
    _lab_run: Descriptors
    _lab_sockets: Sockets  # of its host
    _lab_number: int = -1
    _lab_timeout: int = NO_TIMEOUT
    _lab_kind: tuple[int, int, int] = (0, 0, 0)  # family, type, protocol

    def __init__(self, family: int = -1, type: int = -1, proto: int = -1, fileno: Any = None) -> None:  # noqa: A002
        self._io_refs = 0
        self._closed = False
        run = self._lab_run = active()
        if fileno is None:
            self._lab_open(run, _or(family, 2), _or(type, 1), _or(proto, 0))
        else:
            self._lab_take(run, fileno, family, type, proto)

    def _lab_open(self, run: Descriptors, family: int, kind: int, protocol: int) -> None:
        base, place = run.place()
        if family == AF_UNIX:
            if kind & ~_TYPE_BITS not in (1, 2, 5):
                fail(-EINVAL)
            made = UnixSocket(place.core, kind & ~_TYPE_BITS, run.unix_names)
            made.flags |= kind & O_NONBLOCK
            self._lab_number = run.adopt(made)
        else:
            fd = checked(place.sockets.socket(family, kind | SOCK_CLOEXEC, protocol))
            self._lab_number = run.opened(base + fd)
        self._lab_kind = (family, kind & ~_TYPE_BITS, protocol)
        self._lab_begin(run, kind & SOCK_NONBLOCK != 0)

    def _lab_take(self, run: Descriptors, fileno: Any, family: int, kind: int, protocol: int) -> None:
        """An object for a descriptor that exists."""
        if isinstance(fileno, float) or not hasattr(fileno, "__index__"):
            raise TypeError(f"'{fileno.__class__.__name__}' object cannot be interpreted as an integer")
        if fileno < 0:
            raise ValueError("negative file descriptor")
        found = run.find(fileno)
        if found is None:
            if fileno < FIRST:
                raise OSError(
                    _errno_of_real(fileno),
                    f"descriptor {fileno} is a real one: in a run only the sockets of its hosts can be used",
                )
            fail(-EBADF)
        description = found.description
        if isinstance(description, (PipeEnd, EpollSet)):
            fail(-ENOTSOCK)
        self._lab_number = int(fileno)
        self._lab_kind = (
            _or(family, description.family),
            _or(kind, description.kind) & ~_TYPE_BITS,
            _or(protocol, description.protocol),
        )
        self._lab_begin(run, False)

    def _lab_begin(self, run: Descriptors, nonblocking: bool) -> None:
        self._lab_sockets = run.place_of(self._lab_number).sockets
        if nonblocking:
            self._lab_timeout = 0
        elif run.default_timeout != NO_TIMEOUT:
            self._lab_timeout = run.default_timeout
            self._lab_description().flags |= O_NONBLOCK

    def _lab_description(self) -> Description:
        if descriptors.current is not self._lab_run:
            active()  # says so, outside of a run
            fail(-EBADF)
        number = self._lab_number
        description = None if number < 0 else self._lab_sockets.description(number % DESCRIPTORS_MAX)
        return description if description is not None else fail(-EBADF)

    # -- the descriptor

    def fileno(self) -> int:
        return self._lab_number

    @property
    def family(self) -> Any:
        return _named(standard.AddressFamily, self._lab_kind[0])

    @property
    def type(self) -> Any:
        return _named(standard.SocketKind, self._lab_kind[1])

    @property
    def proto(self) -> int:
        return self._lab_kind[2]

    def _real_close(self, *_: Any) -> None:
        number, self._lab_number = self._lab_number, -1
        if number >= 0 and descriptors.current is self._lab_run:
            self._lab_run.close(number)

    def detach(self) -> int:
        self._closed = True
        number, self._lab_number = self._lab_number, -1
        return number

    def get_inheritable(self) -> bool:
        found = self._lab_run.require(self._lab_number)
        return found.sockets.fcntl(found.fd, 1) == 0

    def set_inheritable(self, inheritable: bool) -> None:
        found = self._lab_run.require(self._lab_number)
        found.sockets.fcntl(found.fd, 2, 0 if inheritable else 1)

    def __repr__(self) -> str:
        if descriptors.current is self._lab_run:
            return super().__repr__()
        kind = f"family={int(self.family)}, type={int(self.type)}, proto={self.proto}"
        return f"<{self.__class__.__module__}.{self.__class__.__qualname__} [its run is over] {kind}>"

    def __del__(self) -> None:
        number = self._lab_number
        if number >= 0 and descriptors.current is self._lab_run:
            try:
                warnings.warn(f"unclosed {self!r}", ResourceWarning, source=self, stacklevel=2)
            finally:
                self._lab_number = -1
                self._lab_run.abandon(number)

    # -- waiting

    @property
    def timeout(self) -> float | None:
        return self.gettimeout()

    def gettimeout(self) -> float | None:
        return None if self._lab_timeout < 0 else self._lab_timeout / SECOND

    def settimeout(self, value: float | None) -> None:
        self._lab_timeout = timeout_of(value)
        self._lab_set_blocking(value is None)

    def setblocking(self, flag: Any) -> None:
        self._lab_timeout = NO_TIMEOUT if flag else 0
        self._lab_set_blocking(bool(flag))

    def getblocking(self) -> bool:
        return self._lab_timeout != 0

    def _lab_set_blocking(self, blocking: bool) -> None:
        description = self._lab_description()
        description.flags = description.flags & ~O_NONBLOCK | (0 if blocking else O_NONBLOCK)

    # -- opening

    def _lab_address(self, address: Any, caller: str) -> Address:
        return parse_address(self._lab_kind[0], address, caller)

    def bind(self, address: Any, /) -> None:
        description = self._lab_description()
        if isinstance(description, UnixSocket):
            checked(description.bind_path(_path(address)))
        else:
            checked(description.bind(self._lab_address(address, "bind"), self._lab_run.now()))

    def listen(self, backlog: int = 128, /) -> None:
        checked(self._lab_description().listen(max(_c_int(backlog), 0), self._lab_run.now()))

    def _accept(self) -> tuple[int, Any]:
        """(descriptor, address): the rest of accept is CPython's."""
        accepted = transfer.accept(self._lab_run, self._lab_description(), self._lab_number, self._lab_timeout)
        if isinstance(accepted, int):
            fail(accepted)
        number, address = accepted
        return number, "" if self._lab_kind[0] == AF_UNIX else address

    def connect(self, address: Any, /) -> None:
        checked(self._lab_connect(address, "connect"))

    def connect_ex(self, address: Any, /) -> int:
        try:
            return -self._lab_connect(address, "connect_ex")
        except TimeoutError:
            return EAGAIN

    def _lab_connect(self, address: Any, caller: str) -> int:
        description = self._lab_description()
        if isinstance(description, UnixSocket):
            return description.connect_path(_path(address))
        where = self._lab_address(address, caller)
        return transfer.connect(self._lab_run, description, self._lab_number, where, self._lab_timeout)

    def shutdown(self, how: int, /) -> None:
        result = self._lab_description().shutdown(_c_int(how), self._lab_run.now())
        self._lab_run.flush(self._lab_number)
        checked(result)

    def getsockname(self) -> Any:
        description = self._lab_description()
        if isinstance(description, UnixSocket):
            return description.path
        name = description.local_address()
        return fail(name) if isinstance(name, int) else name

    def getpeername(self) -> Any:
        description = self._lab_description()
        if isinstance(description, UnixSocket):
            return description.peer.path if description.peer is not None else fail(-107)
        name = description.peer_address()
        return fail(name) if isinstance(name, int) else name

    # -- receiving

    def recv(self, bufsize: int, flags: int = 0, /) -> bytes:
        if bufsize <= 0:
            if bufsize < 0:
                raise ValueError("negative buffersize in recv")
            return b""  # CPython asks nobody for nothing
        if flags & MSG_TRUNC:
            return _grown(self._lab_message(bufsize, flags))
        data = transfer.receive(
            self._lab_run, self._lab_description(), self._lab_number, bufsize, flags, self._lab_timeout
        )
        return fail(data) if isinstance(data, int) else data

    def recv_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> int:
        view, size = _room(buffer, nbytes, "recv_into")
        if not size:
            return 0
        if flags & MSG_TRUNC:
            return int(self._lab_receive_into(view, size, flags).size)
        data = transfer.receive(
            self._lab_run, self._lab_description(), self._lab_number, size, flags, self._lab_timeout
        )
        if isinstance(data, int):
            fail(data)
        view[: len(data)] = data
        return len(data)

    def recvfrom(self, bufsize: int, flags: int = 0, /) -> tuple[bytes, Any]:
        if bufsize < 0:
            raise ValueError("negative buffersize in recvfrom")
        message = self._lab_message(bufsize, flags)
        return _grown(message) if flags & MSG_TRUNC else message.data, message.address

    def recvfrom_into(self, buffer: Any, nbytes: int = 0, flags: int = 0) -> tuple[int, Any]:
        view, size = _room(buffer, nbytes, "recvfrom_into")
        message = self._lab_receive_into(view, size, flags)
        return message.size if flags & MSG_TRUNC else len(message.data), message.address

    def _lab_receive_into(self, view: Any, size: int, flags: int) -> Any:
        message = self._lab_message(size, flags)
        view[: len(message.data)] = message.data
        return message

    def _lab_message(self, size: int, flags: int) -> Any:
        message = transfer.receive_message(
            self._lab_run, self._lab_description(), self._lab_number, size, flags, self._lab_timeout
        )
        return fail(message) if isinstance(message, int) else message

    def recvmsg(self, bufsize: int, ancbufsize: int = 0, flags: int = 0, /) -> tuple[bytes, Ancillary, int, Any]:
        if bufsize < 0:
            raise ValueError("negative buffer size in recvmsg()")
        _check_ancillary_room(ancbufsize, "recvmsg")
        message = self._lab_message(bufsize, flags)
        control, lost = self._lab_control(message, ancbufsize)
        return message.data, control, message.flags | lost, message.address

    def recvmsg_into(
        self, buffers: Iterable[Any], ancbufsize: int = 0, flags: int = 0, /
    ) -> tuple[int, Ancillary, int, Any]:
        views = [_writable(buffer) for buffer in buffers]
        _check_ancillary_room(ancbufsize, "recvmsg_into")
        message = self._lab_message(sum(map(len, views)), flags)
        control, lost = self._lab_control(message, ancbufsize)
        scatter(message.data, views)
        return len(message.data), control, message.flags | lost, message.address

    def _lab_control(self, message: Any, room: int) -> tuple[Ancillary, int]:
        description = self._lab_description()
        arrived = description.take_arrived() if isinstance(description, UnixSocket) else []
        if not arrived:
            return _fitting(message.control, room)
        data = rights.unpack(self._lab_run, arrived, room, self._lab_number)
        control = [(rights.SOL_SOCKET, rights.SCM_RIGHTS, data)] if data else []
        return control, MSG_CTRUNC if len(data) < 4 * len(arrived) else 0

    # -- sending

    def send(self, data: Any, flags: int = 0, /) -> int:
        return checked(
            transfer.send(
                self._lab_run, self._lab_description(), self._lab_number, frozen(data), None, flags, self._lab_timeout
            )
        )

    def sendall(self, data: Any, flags: int = 0, /) -> None:
        checked(
            transfer.send_all(
                self._lab_run, self._lab_description(), self._lab_number, frozen(data), flags, self._lab_timeout
            )
        )

    def sendto(self, *arguments: Any) -> int:
        """sendto(data[, flags], address)"""
        if not 2 <= len(arguments) <= 3:
            raise TypeError(f"sendto() takes 2 or 3 arguments ({len(arguments)} given)")
        data, where = arguments[0], arguments[-1]
        flags = arguments[1] if len(arguments) == 3 else 0
        if not isinstance(flags, int):
            raise TypeError(f"'{flags.__class__.__name__}' object cannot be interpreted as an integer")
        return self._lab_send_to(frozen(data), flags, where, "sendto")

    def _lab_send_to(self, data: bytes, flags: int, address: Any, caller: str) -> int:
        description = self._lab_description()
        where: Address | None = None
        if isinstance(description, UnixSocket):
            checked(description.connect_path(_path(address)))
        else:
            where = self._lab_address(address, caller)
        return checked(
            transfer.send(self._lab_run, description, self._lab_number, data, where, flags, self._lab_timeout)
        )

    def sendmsg(self, buffers: Iterable[Any], ancdata: Any = (), flags: int = 0, address: Any = None, /) -> int:
        items = [_checked_item(each) for each in ancdata]
        data = b"".join([frozen(buffer) for buffer in buffers])
        if items:
            return self._lab_send_beside(data, items, flags, address)
        if address is not None:
            return self._lab_send_to(data, flags, address, "sendmsg")
        return self.send(data, flags)

    def _lab_send_beside(self, data: bytes, items: Ancillary, flags: int, address: Any) -> int:
        run, description, number = self._lab_run, self._lab_description(), self._lab_number
        if isinstance(description, UnixSocket):
            return self._lab_send_rights(description, data, items, flags, address)
        if description.kind == standard.SOCK_STREAM:  # which takes no notice of what is for IP headers
            return self.send(data, flags)
        where = None if address is None else self._lab_address(address, "sendmsg")

        def attempt() -> int:
            return description.send_beside(data, where, flags, items, run.now())

        sent = checked(transfer.insist(run, description, number, "sendmsg", attempt, self._lab_timeout, flags))
        run.flush(number)
        return sent

    def _lab_send_rights(self, description: UnixSocket, data: bytes, items: Ancillary, flags: int, address: Any) -> int:
        """Descriptors."""
        run = self._lab_run
        if any(item[:2] != (rights.SOL_SOCKET, rights.SCM_RIGHTS) for item in items):
            raise OSError(EOPNOTSUPP, "sendmsg: AF_UNIX sockets of the run send descriptors beside data, nothing else")
        if address is not None:
            checked(description.connect_path(_path(address)))
        packed = rights.pack(run, b"".join([value for _, _, value in items]))

        def attempt() -> int:
            return description.send_with(data, packed, flags)

        sent = -1
        try:
            sent = checked(
                transfer.insist(run, description, self._lab_number, "sendmsg", attempt, self._lab_timeout, flags)
            )
        finally:
            if sent < 0 or (not data and description.kind == 1):
                rights.drop(packed, run.now())
        return sent

    def sendmsg_afalg(self, *_: Any, **__: Any) -> int:
        raise OSError(EAFNOSUPPORT, "AF_ALG sockets are the real kernel's")

    # -- options

    def setsockopt(self, level: int, option: int, value: Any, size: int | None = None, /) -> None:
        if size is not None:
            if value is not None:
                raise TypeError(f"setsockopt() argument 3 must be None, not {value.__class__.__name__}")
            fail(-EFAULT)
        if not isinstance(value, int):
            value = frozen(value)
        elif not -_INT_MAX - 1 <= value <= _INT_MAX:
            raise OverflowError("signed integer is greater than maximum" if value > 0 else "less than minimum")
        checked(self._lab_description().set_option(level, option, value, self._lab_run.now()))
        self._lab_run.flush(self._lab_number)

    def getsockopt(self, level: int, option: int, buflen: int = 0, /) -> Any:
        if not 0 <= buflen <= _BUFLEN_MAX:
            raise OSError("getsockopt buflen out of range")
        description = self._lab_description()
        value = description.option(level, option, buflen or 4, self._lab_run.now())
        if isinstance(value, int):
            fail(value)
        return value if buflen else int.from_bytes(value, "little", signed=True)


# As CPython's show themselves.
LabSocket.__module__ = "socket"
LabSocket.__name__ = LabSocket.__qualname__ = "socket"


def _or(value: int, default: int) -> int:
    return default if value == -1 else int(value)


def _c_int(value: Any) -> int:
    """As the C functions take an int."""
    if not hasattr(value, "__index__"):
        raise TypeError(f"'{value.__class__.__name__}' object cannot be interpreted as an integer")
    number: int = value.__index__()
    if not -_INT_MAX - 1 <= number <= _INT_MAX:
        raise OverflowError("Python int too large to convert to C int")
    return number


def _errno_of_real(number: int) -> int:
    try:
        os.fstat(number)
    except OSError:
        return EBADF
    return ENOTSOCK


def _writable(buffer: Any) -> memoryview:
    view = memoryview(buffer).cast("B")
    if view.readonly:
        raise TypeError("recvmsg_into() argument 1 must be an iterable of single-segment read-write buffers")
    return view


def _check_ancillary_room(size: Any, caller: str) -> None:
    if _c_int(size) < 0:
        raise ValueError(f"invalid ancillary data buffer length in {caller}()")


def _grown(message: Any) -> bytes:
    """What CPython's recv gives with MSG_TRUNC: bytes as long as the datagram was, though only its beginning is there
    (the rest is undefined; here it is zeros)."""
    data: bytes = message.data
    return data + bytes(message.size - len(data))


def _checked_item(item: Any) -> tuple[int, int, bytes]:
    """One of sendmsg's ancillary data."""
    if not isinstance(item, tuple) or len(item) != 3:
        raise TypeError("[sendmsg() ancillary data items] must be tuples of 3")
    level, kind, data = item
    return _c_int(level), _c_int(kind), frozen(data)


def _named(names: Any, value: int) -> Any:
    try:
        return names(value)
    except ValueError:
        return value


def _path(address: Any) -> str | bytes:
    if isinstance(address, str):
        address = os.fsencode(address)
    if isinstance(address, (bytes, bytearray)):
        if len(address) > (_PATH_MAX if address[:1] == b"\0" else _PATH_MAX - 1):
            raise OSError("AF_UNIX path too long")
        return bytes(address) if address[:1] == b"\0" else os.fsdecode(bytes(address))
    raise TypeError(f"a bytes-like object is required, not '{address.__class__.__name__}'")


def _room(buffer: Any, nbytes: int, caller: str) -> tuple[memoryview, int]:
    view = memoryview(buffer).cast("B")
    if nbytes < 0:
        raise ValueError(f"negative buffersize in {caller}")
    if nbytes > len(view):
        raise ValueError("buffer too small for requested bytes")
    return view, nbytes or len(view)


def scatter(data: bytes, views: Sequence[memoryview]) -> None:
    """Fills the views in turn."""
    place = 0
    for view in views:
        part = data[place : place + len(view)]
        view[: len(part)] = part
        place += len(part)


def _fitting(control: Ancillary, room: int) -> tuple[Ancillary, int]:
    """The ancillary data that a buffer of `room` bytes takes, and MSG_CTRUNC if that is not all."""
    kept: Ancillary = []
    for level, kind, value in control:
        room -= standard.CMSG_SPACE(len(value))
        if room < 0:
            return kept, MSG_CTRUNC
        kept.append((level, kind, value))
    return kept, 0


def timeout_of(value: Any) -> int:
    """A timeout of Python's in nanoseconds."""
    if value is None:
        return NO_TIMEOUT
    if not isinstance(value, (int, float)):
        if not hasattr(value, "__index__"):
            raise TypeError(f"'{value.__class__.__name__}' object cannot be interpreted as an integer")
        value = value.__index__()
    timeout = nanoseconds(value)
    if timeout < 0:
        raise ValueError("Timeout value out of range")
    if timeout >= 1 << 63:
        raise OverflowError("timestamp too large to convert to C PyTime_t")
    return timeout


# -- the module's functions that are C in CPython, or whose C part is replaced


def socketpair(family: int | None = None, type: int = standard.SOCK_STREAM, proto: int = 0) -> Any:  # noqa: A002
    """Two connected sockets of one host. They need no network: no TCP is spoken between them."""
    run = active()
    if run.kernel.real_time and sys._getframe(1).f_globals.get("__name__") == "asyncio.unix_events":
        return tuple([RealSocket(fileno=end.detach()) for end in _socket.socketpair()])  # for a subprocess
    if family is None:
        family = AF_UNIX
    if family != AF_UNIX:
        fail(-EOPNOTSUPP)
    _, place = run.place()
    ends = [UnixSocket(place.core, type & ~_TYPE_BITS, run.unix_names) for _ in range(2)]
    ends[0].join(ends[1])
    for end in ends:
        end.flags |= type & O_NONBLOCK
    return tuple(standard.socket(family, type & ~_TYPE_BITS, proto, run.adopt(end)) for end in ends)


def dup(fd: int, /) -> int:
    return active().duplicate(fd)


def close(fd: int, /) -> None:
    active().close(fd)


def getdefaulttimeout() -> float | None:
    timeout = active().default_timeout
    return None if timeout < 0 else timeout / SECOND


def setdefaulttimeout(timeout: float | None, /) -> None:
    active().default_timeout = timeout_of(timeout)
