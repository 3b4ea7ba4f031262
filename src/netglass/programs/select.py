"""`select.select`, `select.poll` and `select.epoll` over the sockets of a run; `selectors` stands on them by itself.

Regular files are always ready, as for Linux. Other files of the operating system (a terminal, a pipe, the kernel's own
sockets) are waited for beside ours in real time; in virtual time they would never become ready, and are refused by
name.
"""

from __future__ import annotations

import os
import select as standard
import stat
from collections.abc import Callable
from typing import Any, Final

from netglass.errnos import EBADF, EINVAL, ENOENT, EPERM
from netglass.programs import descriptors
from netglass.programs.descriptors import FIRST, Descriptors, active, checked, fail, nanoseconds, number_of, whom
from netglass.programs.epoll import EpollSet
from netglass.sockets.description import Description
from netglass.times import MICROSECOND, MILLISECOND, NEVER
from netglass.world import POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI

_FD_SETSIZE: Final = 1024
_TO_READ: Final = POLLIN | POLLHUP | POLLERR
_TO_WRITE: Final = POLLOUT | POLLERR
_SHOWN: Final = 4

real_select: Final = standard.select


class _Entry:
    """What somebody asks about one number."""

    __slots__ = ("description", "events", "number")

    def __init__(self, number: int, events: int, description: Description | None) -> None:
        self.number: int = number
        self.events: int = events
        self.description: Description | None = description  # None: a real file, always ready

    def ready(self) -> int:
        if self.description is None:
            return self.events & (POLLIN | POLLOUT)
        return self.description.readiness() & (self.events | POLLERR | POLLHUP)


class _Sleep:
    """For a report: what a select, poll or epoll waits for."""

    __slots__ = ("_entries", "_name")

    def __init__(self, name: str, entries: Callable[[], list[tuple[int, Description]]]) -> None:
        self._name: str = name
        self._entries: Callable[[], list[tuple[int, Description]]] = entries

    def __str__(self) -> str:
        entries = self._entries()
        shown = ", ".join(f"{whom(description)}fd {number}" for number, description in entries[:_SHOWN])
        more = len(entries) - _SHOWN
        return f"{self._name} of {shown or 'nothing'}{f' and {more} more' if more > 0 else ''}"


def _real(run: Descriptors, number: int) -> Description | None:
    """A file of the operating system in a call that waits; None if it is always ready. In virtual time no other will
    do."""
    try:
        mode = os.fstat(number).st_mode
    except OSError:
        fail(-EBADF)
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISBLK(mode):
        return None
    if run.kernel.real_time:
        return run.real_files.find(number, run.place()[1].core)
    kind = "socket" if stat.S_ISSOCK(mode) else "pipe" if stat.S_ISFIFO(mode) else "terminal or device"
    raise OSError(
        EPERM, f"descriptor {number} is a real {kind}: it never becomes ready in virtual time; use sockets of the run"
    )


def _wait(run: Descriptors, name: str, entries: list[_Entry], look: Callable[[], bool], deadline: int) -> None:
    """Until `look()` finds something, or the deadline."""
    kernel = run.kernel
    if look():
        return
    if deadline <= run.now():
        kernel.spin()
        return
    watched = [(entry.number, entry.description) for entry in entries if entry.description is not None]
    waker = kernel.current().waker
    for _, description in watched:
        description.watchers.append(waker)
    try:
        while kernel.park(_Sleep(name, lambda: watched), deadline):
            if look():
                return
        look()
    finally:
        for _, description in watched:
            description.watchers.remove(waker)


def _deadline(run: Descriptors, timeout: Any, unit: int, grain: int) -> int:
    """`timeout` in multiples of `unit` ns, rounded up to `grain` as the system call does; None or below 0: NEVER."""
    if timeout is None:
        return NEVER
    if not isinstance(timeout, (int, float)):
        if not hasattr(timeout, "__index__"):
            raise TypeError("timeout must be a real number or None")
        timeout = timeout.__index__()
    if timeout < 0:
        return NEVER
    length = nanoseconds(timeout, unit)
    return run.now() + -(-length // grain) * grain


def _foreign() -> bool:
    """True in a thread that is no task of the run."""
    run = descriptors.current
    return run is None or run.kernel.running() is None


# -- select


def select(rlist: Any, wlist: Any, xlist: Any, timeout: Any = None, /) -> tuple[list[Any], list[Any], list[Any]]:
    """select.select."""
    if _foreign():
        return real_select(rlist, wlist, xlist, timeout)
    run = active()
    if timeout is not None and not isinstance(timeout, (int, float)) and not hasattr(timeout, "__index__"):
        raise TypeError("timeout must be a float or None")
    if timeout is not None and timeout < 0:
        raise ValueError("timeout must be non-negative")
    asked = [_asked(run, files, events) for files, events in ((rlist, _TO_READ), (wlist, _TO_WRITE), (xlist, POLLPRI))]
    found: tuple[list[Any], ...] = ([], [], [])

    def look() -> bool:
        for entries, ready, wanted in zip(asked, found, (_TO_READ, _TO_WRITE, POLLPRI), strict=True):
            ready.extend(file for file, entry in entries if entry.ready() & wanted)
        return any(found)

    entries = [entry for group in asked for _, entry in group]
    _wait(run, "select", entries, look, _deadline(run, timeout, 1_000_000_000, MICROSECOND))
    return found[0], found[1], found[2]


def _asked(run: Descriptors, files: Any, events: int) -> list[tuple[Any, _Entry]]:
    try:
        members = list(files)
    except TypeError:
        raise TypeError("arguments 1-3 must be sequences") from None
    if len(members) > _FD_SETSIZE:
        raise ValueError("too many file descriptors in select()")
    return [(file, _entry(run, number_of(file), events)) for file in members]


def _entry(run: Descriptors, number: int, events: int) -> _Entry:
    if number < FIRST:
        return _Entry(number, events, _real(run, number))
    return _Entry(number, events, run.require(number).description)


def _is_open(run: Descriptors, number: int) -> bool:
    if number >= FIRST:
        return run.find(number) is not None
    try:
        os.fstat(number)
    except OSError:
        return False
    return True


# -- poll


class poll:  # noqa: N801 - its name in the module
    """What select.poll() returns."""

    def __init__(self) -> None:
        self._events: dict[int, int] = {}
        self._polling: bool = False

    def register(self, fd: Any, eventmask: int = POLLIN | POLLPRI | POLLOUT, /) -> None:
        self._events[number_of(fd)] = _mask(eventmask)

    def modify(self, fd: Any, eventmask: int, /) -> None:
        number = number_of(fd)
        if number not in self._events:
            fail(-ENOENT)
        self._events[number] = _mask(eventmask)

    def unregister(self, fd: Any, /) -> None:
        del self._events[number_of(fd)]

    def poll(self, timeout: Any = None, /) -> list[tuple[int, int]]:
        """`timeout` in milliseconds."""
        run = active()
        if self._polling:
            raise RuntimeError("concurrent poll() invocation")
        self._polling = True
        try:
            return self._poll(run, _deadline(run, timeout, MILLISECOND, MILLISECOND))
        finally:
            self._polling = False

    def _poll(self, run: Descriptors, deadline: int) -> list[tuple[int, int]]:
        entries: list[_Entry] = []
        invalid: list[tuple[int, int]] = []
        for number, events in self._events.items():
            if not _is_open(run, number):
                invalid.append((number, POLLNVAL))
            else:
                entries.append(_entry(run, number, events))
        found: list[tuple[int, int]] = []

        def look() -> bool:
            for entry in entries:
                bits = entry.ready()
                if bits:
                    found.append((entry.number, bits))
            return bool(found or invalid)

        _wait(run, "poll", entries, look, deadline)
        return found + invalid


def _mask(events: int) -> int:
    if events < 0:
        raise ValueError("value must be positive")
    if events > 0xFFFF:
        raise OverflowError("unsigned short integer is greater than maximum")
    return events


# -- epoll


class epoll:  # noqa: N801
    """select.epoll."""

    def __init__(self, sizehint: int = -1, flags: int = 0) -> None:
        self._number: int = -1
        if sizehint != -1 and sizehint <= 0:
            raise ValueError("negative sizehint")
        if flags & ~0o2000000:
            fail(-EINVAL)
        run = self._run = active()
        self._set = EpollSet(run.place()[1].core)
        self._number = run.adopt(self._set)

    @classmethod
    def fromfd(cls, fd: int, /) -> epoll:
        """The set that a number stands for."""
        found = active().require(fd)
        if not isinstance(found.description, EpollSet):
            fail(-EINVAL)
        made = cls.__new__(cls)
        made._run = active()
        made._set = found.description
        made._number = fd
        return made

    def close(self) -> None:
        number, self._number = self._number, -1
        if number >= 0 and descriptors.current is self._run and self._run.find(number) is not None:
            self._run.close(number)

    @property
    def closed(self) -> bool:
        return self._number < 0

    def fileno(self) -> int:
        self._opened()
        return self._number

    def __enter__(self) -> epoll:
        self._opened()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        number = getattr(self, "_number", -1)
        if number >= 0 and descriptors.current is self._run:
            self._number = -1
            self._run.abandon(number)

    def _opened(self) -> EpollSet:
        if self._number < 0:
            raise ValueError("I/O operation on closed epoll object")
        return self._set

    def register(self, fd: Any, eventmask: int = POLLIN | POLLPRI | POLLOUT) -> None:
        watching, number, description = self._target(fd)
        checked(watching.control_add(number, description, _unsigned(eventmask)))

    def modify(self, fd: Any, eventmask: int) -> None:
        watching, number, description = self._target(fd)
        checked(watching.control_modify(number, description, _unsigned(eventmask)))

    def unregister(self, fd: Any) -> None:
        watching, number, description = self._target(fd)
        checked(watching.control_delete(number, description))

    def _target(self, fd: Any) -> tuple[EpollSet, int, Description]:
        watching = self._opened()
        number = number_of(fd)
        if number < FIRST:
            real = _real(self._run, number)
            return watching, number, real if real is not None else fail(-EPERM)  # as Linux says of regular files
        return watching, number, self._run.require(number).description

    def poll(self, timeout: Any = None, maxevents: int = -1) -> list[tuple[int, int]]:
        """`timeout` in seconds."""
        watching = self._opened()
        run = self._run
        if run.find(self._number) is None:
            fail(-EBADF)
        if maxevents == -1:
            maxevents = _FD_SETSIZE - 1
        elif maxevents <= 0:
            raise ValueError(f"maxevents must be greater than 0, got {maxevents}")
        deadline = _deadline(run, timeout, 1_000_000_000, MILLISECOND)
        run.close_orphans()
        found = watching.collect(maxevents)
        if found:
            return found
        if deadline <= run.now():
            run.kernel.spin()
            return found
        return self._sleep(run, watching, maxevents, deadline)

    def _sleep(self, run: Descriptors, watching: EpollSet, most: int, deadline: int) -> list[tuple[int, int]]:
        waker = run.kernel.current().waker
        watching.watchers.append(waker)
        try:
            while run.kernel.park(_Sleep("epoll", watching.watched), deadline):
                found = watching.collect(most)
                if found:
                    return found
            return watching.collect(most)
        finally:
            watching.watchers.remove(waker)


poll.__module__ = epoll.__module__ = "select"


def _unsigned(events: int) -> int:
    if events < 0:
        raise OverflowError("can't convert negative int to unsigned")
    return events
