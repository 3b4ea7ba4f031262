"""Files of the operating system among what a program waits for, in real time: pipes, terminals, the kernel's own
sockets. Each stands as a description beside those of the run, so that one `select`, `poll` or `epoll` holds both.
"""

from __future__ import annotations

import os
import select
from typing import Any, Final

from netglass.host.host import Host
from netglass.sockets.description import Description
from netglass.world import POLLERR, POLLHUP, POLLIN, POLLNVAL, POLLOUT, POLLPRI, POLLRDHUP, Waker, World

_poll: Final[Any] = select.poll
_ALL: Final = POLLIN | POLLOUT | POLLPRI | POLLRDHUP | POLLERR | POLLHUP


class _Watchers(list[Waker]):
    """As long as somebody watches the file, so does the world."""

    __slots__ = ("_file",)

    def __init__(self, file: RealFile) -> None:
        super().__init__()
        self._file: RealFile = file

    def append(self, waker: Waker) -> None:
        super().append(waker)
        self._file.followed(len(self))

    def insert(self, index: Any, waker: Waker) -> None:
        super().insert(index, waker)
        self._file.followed(len(self))

    def remove(self, waker: Waker) -> None:
        super().remove(waker)
        self._file.followed(len(self))


class RealFile(Description):
    """A descriptor of the operating system's, which stays open as long as the program keeps it so."""

    def __init__(self, host: Host, world: World, number: int) -> None:
        super().__init__(host, 0, 0, 0)
        self.descriptor: int = number
        self.references = 1
        self._identity: tuple[int, int] = identity(number)
        self._world: World = world
        self._followed: bool = False
        self._question: Any = _poll()
        self._question.register(number, _ALL)
        self.watchers = _Watchers(self)

    def followed(self, count: int) -> None:
        if count and not self._followed:
            self._followed = True
            self._world.watch(self.descriptor, _Follower(self))
        elif not count and self._followed:
            self._followed = False
            self._world.unwatch(self.descriptor)

    def still_it(self) -> bool:
        """False if the number has been closed since, and perhaps stands for something else."""
        try:
            return identity(self.descriptor) == self._identity
        except OSError:
            return False

    def readiness(self) -> int:
        found = self._question.poll(0)
        bits = int(found[0][1]) if found else 0
        if bits & POLLNVAL:
            self.references = 0
            return 0
        return bits


class _Follower(Waker):
    """Tells the description what the world saw."""

    def __init__(self, file: RealFile) -> None:
        self._file: RealFile = file

    def wake(self, events: int) -> None:
        self._file.wake(events)


class RealFiles:
    """Those that a run has met."""

    __slots__ = ("_known", "_world")

    def __init__(self, world: World) -> None:
        self._world: World = world
        self._known: dict[int, RealFile] = {}

    def find(self, number: int, host: Host) -> RealFile:
        """OSError if there is no such file."""
        known = self._known.get(number)
        if known is None or not known.still_it():
            known = self._known[number] = RealFile(host, self._world, number)
        return known


def identity(number: int) -> tuple[int, int]:
    """What tells two files apart that had the same number."""
    status = os.fstat(number)
    return (status.st_dev, status.st_ino)
