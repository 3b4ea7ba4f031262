"""The descriptors of a run. A number tells the host, and the descriptor in that host's table: 2**20 * (1 + host) + fd.

So no number of ours is ever that of a real file, numbers are the same in every run, and nothing has to be kept in
step: `os.close`, `dup` and `socket(fileno=...)` all end at the host's own table.

`Descriptors` is also what every call of a program needs at hand: the kernel, the clock, and who is asking.
"""

from __future__ import annotations

import os
import sys
from collections import deque
from math import ceil
from types import FrameType
from typing import Final, NamedTuple, NoReturn

from netglass.errnos import EBADF, EMFILE, ENETUNREACH
from netglass.programs.context import Context
from netglass.programs.kernel import Kernel
from netglass.programs.real_files import RealFiles
from netglass.sockets.constants import SOCK_CLOEXEC
from netglass.sockets.description import Description
from netglass.sockets.place import Place
from netglass.sockets.sockets import DESCRIPTORS_MAX, Sockets
from netglass.times import NEVER, SECOND

FIRST: Final = DESCRIPTORS_MAX
"""The least number of ours."""

_CORE: Final = tuple(
    f"netglass.{name}." for name in ("host", "tcp", "udp", "ip", "wire", "network", "lab", "sockets", "drive", "link")
)
_KERNEL: Final = tuple([f"netglass.programs.{name}" for name in ("kernel", "raw", "run", "threads")])
"""Under every thread of a run."""


class Found(NamedTuple):
    """Where a number leads."""

    description: Description
    sockets: Sockets
    fd: int


class Doing:
    """What a task waits for, in words that are made only for a report."""

    __slots__ = ("description", "number", "verb")

    def __init__(self, verb: str, description: Description, number: int) -> None:
        self.verb: str = verb
        self.description: Description = description
        self.number: int = number

    def __str__(self) -> str:
        return f"{self.verb} {whom(self.description)}on fd {self.number}"


def whom(description: Description) -> str:
    """ "10.0.0.2:80 " of a connected socket, "port 80 " of one that is bound, or nothing."""
    peer = description.peer_address()
    if isinstance(peer, tuple):
        return f"{_joined(peer[0])}:{peer[1]} "
    local = description.local_address()
    return f"port {local[1]} " if isinstance(local, tuple) and local[1] else ""


def _joined(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def at_work(frame: FrameType | None) -> bool:
    """True if what was called from `frame` interrupted a host, or one of our system calls, in the middle."""
    while frame is not None:
        module = str(frame.f_globals.get("__name__", ""))
        ours = module.startswith("netglass.programs.") and module not in _KERNEL
        if (ours and frame.f_code.co_name != "__del__") or module.startswith(_CORE):
            return True
        frame = frame.f_back
    return False


class Descriptors:
    """One run's."""

    def __init__(self, kernel: Kernel) -> None:
        self.kernel: Kernel = kernel
        self.now = kernel.world.now
        self.real_files: RealFiles = RealFiles(kernel.world)  # met in real time
        self.default_timeout: int = -1  # ns; -1: none (socket.setdefaulttimeout)
        self.unix_names: dict[tuple[int, str | bytes], Description] = {}  # AF_UNIX: (host, path) -> its listener
        self._places: list[Place] = []
        self._indexes: dict[Place, int] = {}
        self._opened: dict[int, Context] = {}  # number -> the program that opened it
        self._orphans: deque[int] = deque()  # left open by objects that are gone

    # -- numbers

    def place(self) -> tuple[int, Place]:
        """The host of the running task, and what its numbers begin with."""
        place = self.kernel.current().host
        index = self._indexes.get(place)
        if index is None:
            index = len(self._places)
            self._indexes[place] = index
            self._places.append(place)
        return (index + 1) * DESCRIPTORS_MAX, place

    def place_of(self, number: int) -> Place:
        return self._places[number // DESCRIPTORS_MAX - 1]

    def flush(self, number: int) -> None:
        """What a call on `number` brought about happens now, as in a system call: on one host its packets arrive."""
        self._places[number // DESCRIPTORS_MAX - 1].flush()

    def find(self, number: int) -> Found | None:
        """What the number stands for; None if nothing of ours."""
        index = number // DESCRIPTORS_MAX - 1
        if not 0 <= index < len(self._places):
            return None
        sockets = self._places[index].sockets
        fd = number % DESCRIPTORS_MAX
        description = sockets.description(fd)
        return None if description is None else Found(description, sockets, fd)

    def require(self, number: int) -> Found:
        """As `find`; OSError if there is nothing."""
        found = self.find(number)
        return found if found is not None else fail(-EBADF)

    def adopt(self, description: Description, flags: int = SOCK_CLOEXEC) -> int:
        """A new number on the running task's host."""
        base, place = self.place()
        return self.opened(base + checked(place.sockets.adopt(description, flags)))

    def opened(self, number: int) -> int:
        """`number` is one of this run's, to be closed at its end."""
        self._opened[number] = self.kernel.holder().context
        return number

    def adopt_beside(self, number: int, description: Description) -> int:
        """A new number on the host of `number`: for accept and dup."""
        sockets = self.place_of(number).sockets
        fd = sockets.adopt(description, SOCK_CLOEXEC)
        if fd < 0:
            description.close(self.now())
            fail(-EMFILE)
        return self.opened(number // DESCRIPTORS_MAX * DESCRIPTORS_MAX + fd)

    def duplicate(self, number: int) -> int:
        found = self.require(number)
        return self.adopt_beside(number, found.description)

    def duplicate_as(self, number: int, other: int) -> int:
        """dup2(2); both on one host."""
        found = self.require(number)
        if not other >= FIRST or number // DESCRIPTORS_MAX != other // DESCRIPTORS_MAX:
            raise OSError(EBADF, f"dup2: {other} is no number for a descriptor of the run on this host: use dup")
        checked(found.sockets.dup2(found.fd, other % DESCRIPTORS_MAX, self.now()))
        self.flush(number)
        return self.opened(other)

    def close(self, number: int) -> None:
        """close(2), with the wait that SO_LINGER asks for."""
        found = self.require(number)
        linger = found.sockets.lingering(found.fd)
        self._close(number)
        self.close_orphans()
        if linger:
            self._linger(found.description, number, self.now() + linger)

    def close_range(self, first: int, last: int) -> None:
        for number in sorted(self._opened):
            if first <= number < last:
                self._close(number)

    def _linger(self, description: Description, number: int, deadline: int) -> None:
        while description.draining() and self.now() < deadline:
            self.wait(description, "close (SO_LINGER)", number, deadline)

    # -- objects that go without being closed

    def abandon(self, number: int) -> None:
        """As close, for a finaliser: it may come at any time, in the middle of a host's work too. Then the closing
        waits until some task makes a call."""
        if self._at_work():
            self._orphans.append(number)
        else:
            self._close(number)

    def close_orphans(self) -> None:
        while self._orphans:
            self._close(self._orphans.popleft())

    def _close(self, number: int) -> None:
        self._opened.pop(number, None)
        found = self.find(number)
        if found is not None:
            found.sockets.close(found.fd, self.now())
            self.flush(number)

    def _at_work(self) -> bool:
        task = self.kernel.running()
        return task is None or task.parked or at_work(sys._getframe(2))

    def program_ended(self, context: Context) -> None:
        """What it left open is closed, as when a process ends."""
        for number in sorted([number for number, owner in self._opened.items() if owner is context]):
            self._close(number)

    def end(self) -> None:
        """The run is over: what it left open is closed, as when a process ends."""
        self.close_orphans()
        for number in sorted(self._opened):
            self._close(number)

    # -- waiting

    def wait(self, description: Description, verb: str, number: int, deadline: int = NEVER) -> None:
        """The running task waits until something happens to `description`, or until `deadline`. Who waits holds the
        description, as a system call does: closing its number meanwhile does not end it."""
        waker = self.kernel.current().waker
        description.watchers.append(waker)
        description.references += 1
        try:
            self.kernel.park(Doing(verb, description, number), deadline)
        finally:
            description.watchers.remove(waker)
            description.references -= 1
            if description.references == 0:
                description.close(self.now())


current: Descriptors | None = None
"""The descriptors of the run that goes on. `patches` puts them here and takes them away."""


def active() -> Descriptors:
    """The run that goes on."""
    if current is None:
        raise RuntimeError("this socket belongs to netglass.run: outside of a run it can do nothing")
    return current


def end() -> None:
    """Of the run that goes on."""
    if current is not None:
        current.end()


def program_ended(context: Context) -> None:
    if current is not None:
        current.program_ended(context)


def checked(result: int) -> int:
    """`result`, or the OSError that it stands for."""
    return result if result >= 0 else fail(result)


def fail(result: int) -> NoReturn:
    error = OSError(-result, os.strerror(-result))
    if -result == ENETUNREACH and current is not None:
        host = current.kernel.host()
        if not any(
            address for each in host.core.interfaces.values() for address in each.addresses if each.name != "lo"
        ):
            error.add_note(f"{host.name} has no address: no cable leads to it")
    raise error


def number_of(fileobj: object) -> int:
    """The descriptor number of a number or of an object with fileno(), as PyObject_AsFileDescriptor finds it."""
    if isinstance(fileobj, int):
        number = fileobj
    else:
        method = getattr(fileobj, "fileno", None)
        if method is None:
            raise TypeError("argument must be an int, or have a fileno() method.")
        number = method()
        if not isinstance(number, int):
            raise TypeError("fileno() returned a non-integer")
    if number < 0:
        raise ValueError(f"file descriptor cannot be a negative integer ({number})")
    return number


def nanoseconds(seconds: float, unit: int = SECOND) -> int:
    """Rounded up, as CPython does it: whoever waits for a time finds that it has come."""
    if isinstance(seconds, int):
        return seconds * unit
    if seconds != seconds:
        raise ValueError("Invalid value NaN (not a number)")
    return ceil(seconds * unit)
