"""`os` and `fcntl` on descriptors of the run. Numbers below 2**20 are real files: they go on to the real functions.

`os.pipe` makes a pipe of the run: its ends wait in virtual time and can be selected, as `socketpair` can. A real one
would never become ready, and nobody in a run can have use for one: there are no subprocesses.
"""

from __future__ import annotations

import fcntl as standard_fcntl
import io
import os
import stat
import struct
import sys
from collections.abc import Callable
from typing import Any, Final

from netglass.errnos import EAGAIN, EBADF, EINVAL, ESPIPE
from netglass.programs import children, descriptors, transfer
from netglass.programs.descriptors import FIRST, Descriptors, Found, active, checked, fail, number_of
from netglass.programs.socket import scatter
from netglass.programs.transfer import NO_TIMEOUT, frozen
from netglass.programs.unix import PipeEnd, pipe
from netglass.sockets.constants import F_DUPFD, F_DUPFD_CLOEXEC, FIOCLEX, FIONBIO, FIONCLEX, O_NONBLOCK, SOCK_CLOEXEC

REAL: Final[dict[str, Any]] = {
    name: getattr(os, name)
    for name in (
        "read",
        "write",
        "readv",
        "writev",
        "close",
        "closerange",
        "fstat",
        "sendfile",
        "splice",
        "set_blocking",
        "get_blocking",
        "get_inheritable",
        "set_inheritable",
        "dup",
        "dup2",
        "isatty",
        "lseek",
    )
    if hasattr(os, name)
}
_REAL_PIPE: Final = os.pipe
_SPLICE_F_NONBLOCK: Final = 2
_CHUNK: Final = 1 << 16


def _ours(number: object) -> bool:
    return isinstance(number, int) and number >= FIRST and descriptors.current is not None


def _receive(run: Descriptors, number: int, size: int) -> bytes:
    found = run.require(number)
    data = transfer.receive(run, found.description, number, size, 0, NO_TIMEOUT)
    return fail(data) if isinstance(data, int) else data


def _send(run: Descriptors, number: int, data: bytes) -> int:
    found = run.require(number)
    return checked(transfer.send(run, found.description, number, data, None, 0, NO_TIMEOUT))


def read(fd: int, length: int, /) -> Any:
    if not _ours(fd):
        children.wait_to_read(fd)
        return REAL["read"](fd, length)
    return _receive(active(), fd, length) if length >= 0 else fail(-EINVAL)


def write(fd: int, data: Any, /) -> Any:
    return _send(active(), fd, frozen(data)) if _ours(fd) else REAL["write"](fd, data)


def readv(fd: int, buffers: Any, /) -> Any:
    if not _ours(fd):
        return REAL["readv"](fd, buffers)
    views = [memoryview(buffer).cast("B") for buffer in buffers]
    data = _receive(active(), fd, sum(map(len, views)))
    scatter(data, views)
    return len(data)


def writev(fd: int, buffers: Any, /) -> Any:
    if not _ours(fd):
        return REAL["writev"](fd, buffers)
    return _send(active(), fd, b"".join([frozen(buffer) for buffer in buffers]))


def close(fd: int) -> None:
    if _ours(fd):
        active().close(fd)
    else:
        REAL["close"](fd)


def closerange(first: int, last: int, /) -> None:
    if not _ours(first):
        REAL["closerange"](first, min(last, FIRST))
    run = descriptors.current
    if run is not None:
        run.close_range(max(first, FIRST), last)


def fstat(fd: int) -> Any:
    if not _ours(fd):
        return REAL["fstat"](fd)
    kind = stat.S_IFIFO if isinstance(active().require(fd).description, PipeEnd) else stat.S_IFSOCK
    return os.stat_result((kind | 0o777, fd, 0, 1, 0, 0, 0, 0, 0, 0))


def isatty(fd: int, /) -> Any:
    return False if _ours(fd) else REAL["isatty"](fd)


def lseek(fd: int, position: int, how: int, /) -> Any:
    return fail(-ESPIPE) if _ours(fd) else REAL["lseek"](fd, position, how)


def dup(fd: int, /) -> Any:
    return active().duplicate(fd) if _ours(fd) else REAL["dup"](fd)


def dup2(fd: int, fd2: int, inheritable: bool = True) -> Any:
    if not _ours(fd) and not _ours(fd2):
        return REAL["dup2"](fd, fd2, inheritable)
    if not _ours(fd):
        raise OSError(EBADF, f"dup2: {fd2} stands for a socket or pipe of the run, {fd} is the operating system's")
    run = active()
    run.duplicate_as(fd, fd2)
    set_inheritable(fd2, inheritable)
    return fd2


def set_blocking(fd: int, blocking: bool, /) -> None:
    if not _ours(fd):
        REAL["set_blocking"](fd, blocking)
        return
    description = active().require(fd).description
    description.flags = description.flags & ~O_NONBLOCK | (0 if blocking else O_NONBLOCK)


def get_blocking(fd: int, /) -> Any:
    return active().require(fd).description.blocking if _ours(fd) else REAL["get_blocking"](fd)


def get_inheritable(fd: int, /) -> Any:
    if not _ours(fd):
        return REAL["get_inheritable"](fd)
    found = active().require(fd)
    return found.sockets.fcntl(found.fd, 1) == 0


def set_inheritable(fd: int, inheritable: int, /) -> None:
    if not _ours(fd):
        REAL["set_inheritable"](fd, inheritable)
        return
    found = active().require(fd)
    found.sockets.fcntl(found.fd, 2, 0 if inheritable else 1)


# -- from file to socket, from socket to socket


def sendfile(out_fd: int, in_fd: int, offset: int | None, count: int, *rest: Any, **more: Any) -> Any:
    if not _ours(out_fd):
        if _ours(in_fd):
            fail(-EINVAL)  # as Linux: in_fd must be a file
        return REAL["sendfile"](out_fd, in_fd, offset, count, *rest, **more)
    run = active()
    if _ours(in_fd):
        fail(-EINVAL)
    if offset is None:
        position = REAL["lseek"](in_fd, 0, os.SEEK_CUR)
        sent = _send_file(run, out_fd, in_fd, position, count)
        REAL["lseek"](in_fd, position + sent, os.SEEK_SET)
        return sent
    return _send_file(run, out_fd, in_fd, offset, count)


def _send_file(run: Descriptors, number: int, file: int, position: int, count: int) -> int:
    """All of it if the socket blocks; else what the socket takes at once."""
    description = run.require(number).description
    sent = 0
    while sent < count:
        data = os.pread(file, min(count - sent, _CHUNK), position + sent)
        if not data:
            break
        taken = transfer.send(run, description, number, data, None, 0, NO_TIMEOUT)
        if taken < 0:
            return sent or fail(taken)
        sent += taken
        if taken < len(data):
            break
    return sent


def splice(
    src: int,
    dst: int,
    count: int,
    offset_src: int | None = None,
    offset_dst: int | None = None,
    flags: int = 0,
) -> Any:
    """One end is a pipe, as in Linux; our pipes only meet our descriptors and real files."""
    if not _ours(src) and not _ours(dst):
        return REAL["splice"](src, dst, count, offset_src, offset_dst, flags)
    run = active()
    ends = [run.require(fd).description for fd in (src, dst) if _ours(fd)]
    if not any(isinstance(end, PipeEnd) for end in ends):
        fail(-EINVAL)
    if _ours(src):
        return _splice_from(run, src, dst, count, offset_dst, flags)
    data = os.pread(src, count, offset_src) if offset_src is not None else REAL["read"](src, count)
    return _send(run, dst, data) if data else 0


def _splice_from(run: Descriptors, src: int, dst: int, count: int, offset: int | None, flags: int) -> int:
    if not _ours(dst):
        data = _receive(run, src, count)
        return os.pwrite(dst, data, offset) if offset is not None else REAL["write"](dst, data)
    sink = run.require(dst).description
    room = count
    if isinstance(sink, PipeEnd):
        while sink.queue.size >= sink.queue.capacity:
            if flags & _SPLICE_F_NONBLOCK or not sink.blocking:
                fail(-EAGAIN)
            run.wait(sink, "splice", dst)
        room = min(count, sink.queue.capacity - sink.queue.size)
    data = _receive(run, src, room)
    return _send(run, dst, data) if data else 0


# -- pipes


def make_pipe() -> tuple[int, int]:
    """os.pipe. One for a subprocess is real: whether there may be any is the fence's business."""
    if sys._getframe(1).f_globals.get("__name__") == "subprocess":
        return _REAL_PIPE()
    return make_pipe2(SOCK_CLOEXEC)


def make_pipe2(flags: int, /) -> tuple[int, int]:
    """os.pipe2."""
    run = active()
    reader, writer = pipe(run.place()[1].core)
    for end in (reader, writer):
        end.flags |= flags & O_NONBLOCK
    return run.adopt(reader, flags & SOCK_CLOEXEC), run.adopt(writer, flags & SOCK_CLOEXEC)


# -- file objects

real_open: Final[Callable[..., Any]] = io.open


class DescriptorFile(io.RawIOBase):
    """What io.FileIO is to a real descriptor."""

    def __init__(self, fd: int, mode: str, closefd: bool) -> None:
        super().__init__()
        active().require(fd)
        self.name = fd
        self.mode: str = mode
        self.closefd: bool = closefd
        self._fd: int = fd

    def fileno(self) -> int:
        self._checked()
        return self._fd

    def readable(self) -> bool:
        return "r" in self.mode

    def writable(self) -> bool:
        return "r" not in self.mode

    def readinto(self, buffer: Any, /) -> int | None:
        self._checked()
        view = memoryview(buffer).cast("B")
        try:
            data = read(self._fd, len(view))
        except BlockingIOError:
            return None
        view[: len(data)] = data
        return len(data)

    def write(self, data: Any, /) -> int | None:
        self._checked()
        try:
            return int(write(self._fd, data))
        except BlockingIOError:
            return None

    def close(self) -> None:
        if self.closed:
            return
        super().close()
        if self.closefd and descriptors.current is not None:
            close(self._fd)

    def _checked(self) -> None:
        if self.closed:
            raise ValueError("I/O operation on closed file")


def open_file(
    file: Any,
    mode: str = "r",
    buffering: int = -1,
    encoding: str | None = None,
    errors: str | None = None,
    newline: str | None = None,
    closefd: bool = True,
    opener: Any = None,
) -> Any:
    """open, io.open, under os.fdopen."""
    if not _ours(file):
        return real_open(file, mode, buffering, encoding, errors, newline, closefd, opener)
    if "+" in mode:
        raise io.UnsupportedOperation("File or stream is not seekable.")
    raw = DescriptorFile(file, mode.replace("b", "").replace("t", "") + "b", closefd)
    if buffering == 0:
        if "b" not in mode:
            raise ValueError("can't have unbuffered text I/O")
        return raw
    size = buffering if buffering > 1 else io.DEFAULT_BUFFER_SIZE
    buffered: Any = io.BufferedReader(raw, size) if raw.readable() else io.BufferedWriter(raw, size)
    if "b" in mode:
        return buffered
    text = io.TextIOWrapper(buffered, encoding, errors, newline, line_buffering=buffering == 1)
    text.mode = mode  # type: ignore[misc]
    return text


# -- fcntl


real_fcntl: Final[Callable[..., Any]] = standard_fcntl.fcntl
real_ioctl: Final[Callable[..., Any]] = standard_fcntl.ioctl


def fcntl(fd: Any, cmd: int, arg: Any = 0, /) -> Any:
    """fcntl.fcntl: with an int, an int; with bytes, bytes."""
    number = number_of(fd)
    if not _ours(number):
        return real_fcntl(fd, cmd, arg)
    run = active()
    found = run.require(number)
    if cmd in (F_DUPFD, F_DUPFD_CLOEXEC):
        return run.duplicate(number)
    if not isinstance(arg, int):
        fail(-EINVAL)
    return checked(found.sockets.fcntl(found.fd, cmd, arg))


def ioctl(fd: Any, request: int, arg: Any = 0, mutate_flag: bool = True, /) -> Any:
    """fcntl.ioctl: FIONREAD and its like into the buffer that was passed, as the real one does."""
    number = number_of(fd)
    if not _ours(number):
        return real_ioctl(fd, request, arg, mutate_flag)
    found = active().require(number)
    request &= 0xFFFFFFFF
    if request in (FIONBIO, FIOCLEX, FIONCLEX):
        value = arg if isinstance(arg, int) else struct.unpack_from("i", arg)[0]
        return checked(found.sockets.ioctl(found.fd, request, value))
    return _answer(found, request, arg, mutate_flag)


def _answer(found: Found, request: int, arg: Any, mutate: bool) -> Any:
    result = found.sockets.ioctl(found.fd, request)
    checked(result)
    if isinstance(arg, int):
        return 0
    packed = struct.pack("i", result)
    if isinstance(arg, (bytes, str)) or not mutate:
        return packed + bytes(frozen(arg))[len(packed) :]
    memoryview(arg).cast("B")[: len(packed)] = packed
    return 0
