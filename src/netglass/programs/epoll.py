"""An epoll set (epoll(7)): a description, as in Linux, so that it has a number, and can itself be watched.

Each watched descriptor hangs a `_Watch` on its description. A wake-up makes the watch a candidate; asking (`collect`)
looks only at candidates, in the order in which they became such. One that is told and level-triggered goes to the end
of the line, and is dropped when it is found not ready; an edge-triggered one is dropped when it is told.

EPOLLEXCLUSIVE: of all sets that watch a description exclusively, a wake-up reaches those up to the first in which
somebody waits (Linux: the walk over the wait queue ends with the first exclusive waiter that it woke).
"""

from __future__ import annotations

from typing import Final

from netglass.errnos import EEXIST, EINVAL, ELOOP, ENOENT
from netglass.host.host import Host
from netglass.sockets.description import Description
from netglass.world import POLLERR, POLLHUP, POLLIN, POLLOUT, Waker

EPOLLEXCLUSIVE: Final = 1 << 28
EPOLLWAKEUP: Final = 1 << 29
EPOLLONESHOT: Final = 1 << 30
EPOLLET: Final = 1 << 31
_SWITCHES: Final = EPOLLEXCLUSIVE | EPOLLWAKEUP | EPOLLONESHOT | EPOLLET
_UNASKED: Final = POLLERR | POLLHUP
_WITH_EXCLUSIVE: Final = POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLLWAKEUP | EPOLLET | EPOLLEXCLUSIVE
_SETS_MAX: Final = 5  # each in the next (EP_MAX_NESTS + 1)


class _Watch(Waker):
    """One descriptor in one set."""

    def __init__(self, owner: EpollSet, number: int, description: Description, events: int) -> None:
        self.owner: EpollSet = owner
        self.number: int = number
        self.description: Description = description
        self.events: int = events | _UNASKED

    def wanted(self) -> int:
        """The bits that are told; 0 when a one-shot has been used up."""
        return self.events & ~_SWITCHES

    def wake(self, events: int) -> None:
        if events & self.wanted():
            self.owner.nominate(self)


class _Exclusive(Waker):
    """All exclusive watches of one description."""

    def __init__(self) -> None:
        self.watches: list[_Watch] = []

    def wake(self, events: int) -> None:
        for watch in tuple(self.watches):
            awaited = bool(watch.owner.watchers)
            watch.wake(events)
            if awaited and events & watch.wanted():
                return


class EpollSet(Description):
    """One set."""

    def __init__(self, host: Host) -> None:
        super().__init__(host, 0, 0, 0)
        self._watches: dict[tuple[int, Description], _Watch] = {}
        self._candidates: dict[_Watch, None] = {}

    def control_add(self, number: int, description: Description, events: int) -> int:
        """EPOLL_CTL_ADD: 0 or a negative errno."""
        if description is self:
            return -EINVAL
        if events & EPOLLEXCLUSIVE and (events & ~_WITH_EXCLUSIVE or isinstance(description, EpollSet)):
            return -EINVAL
        if (number, description) in self._watches:
            return -EEXIST
        if isinstance(description, EpollSet) and (
            self._closes_circle(description) or self._above() + description._below() > _SETS_MAX
        ):
            return -ELOOP
        watch = _Watch(self, number, description, events)
        self._watches[number, description] = watch
        _hang(watch)
        self._look(watch)
        return 0

    def control_modify(self, number: int, description: Description, events: int) -> int:
        watch = self._watches.get((number, description))
        if watch is None:
            return -ENOENT
        if (watch.events | events) & EPOLLEXCLUSIVE:
            return -EINVAL
        watch.events = events | _UNASKED
        self._look(watch)
        return 0

    def control_delete(self, number: int, description: Description) -> int:
        watch = self._watches.pop((number, description), None)
        if watch is None:
            return -ENOENT
        self._candidates.pop(watch, None)
        _unhang(watch)
        return 0

    def _closes_circle(self, other: EpollSet) -> bool:
        return other is self or any(self._closes_circle(each) for each in other._inner())

    def _inner(self) -> list[EpollSet]:
        return [each for _, each in self._watches if isinstance(each, EpollSet) and each.references > 0]

    def _above(self) -> int:
        """How many sets there are in the longest chain that ends with this one. None watches another exclusively."""
        return 1 + max([watch.owner._above() for watch in self.watchers if isinstance(watch, _Watch)], default=0)

    def _below(self) -> int:
        """And in the longest one that begins with it."""
        return 1 + max([each._below() for each in self._inner()], default=0)

    def _look(self, watch: _Watch) -> None:
        """Adding or changing a watch counts as an edge."""
        if watch.description.readiness() & watch.wanted():
            self.nominate(watch)

    def nominate(self, watch: _Watch) -> None:
        self._candidates[watch] = None
        self.wake(POLLIN)

    def collect(self, most: int) -> list[tuple[int, int]]:
        """(number, events) of those that are ready, at most so many; edges and one-shots are used up by being told."""
        found: list[tuple[int, int]] = []
        for watch in tuple(self._candidates):
            if len(found) == most:
                break
            del self._candidates[watch]
            if self._has_gone(watch):
                continue
            events = watch.description.readiness() & watch.wanted()
            if not events:
                continue
            found.append((watch.number, events))
            if watch.events & EPOLLONESHOT:
                watch.events &= _SWITCHES
            elif not watch.events & EPOLLET:
                self._candidates[watch] = None
        return found

    def _has_gone(self, watch: _Watch) -> bool:
        """A description whose last number was closed leaves the set."""
        if watch.description.references > 0:
            return False
        self.control_delete(watch.number, watch.description)
        return True

    # -- as a description

    def readiness(self) -> int:
        for watch in self._candidates:
            if watch.description.references > 0 and watch.description.readiness() & watch.wanted():
                return POLLIN
        return 0

    def close(self, now: int) -> None:
        for watch in self._watches.values():
            _unhang(watch)
        self._watches.clear()
        self._candidates.clear()

    def receive(self, size: int, flags: int, now: int) -> bytes | int:
        return -EINVAL

    def watched(self) -> list[tuple[int, Description]]:
        """What is in the set, for a report."""
        return [(number, description) for number, description in self._watches if description.references > 0]


def _hang(watch: _Watch) -> None:
    watchers = watch.description.watchers
    if not watch.events & EPOLLEXCLUSIVE:
        watchers.insert(0, watch)  # before whoever sleeps exclusively
        return
    for known in watchers:
        if isinstance(known, _Exclusive):
            known.watches.append(watch)
            return
    group = _Exclusive()
    group.watches.append(watch)
    watchers.append(group)


def _unhang(watch: _Watch) -> None:
    watchers = watch.description.watchers
    for known in watchers:
        if isinstance(known, _Exclusive) and watch in known.watches:
            known.watches.remove(watch)
            return
    if watch in watchers:
        watchers.remove(watch)
