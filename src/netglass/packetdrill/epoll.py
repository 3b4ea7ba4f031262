"""An epoll set (epoll(7)) over the sockets of one host: level-triggered, edge-triggered, one-shot."""

from __future__ import annotations

from typing import Final

from netglass.errnos import EBADF, EEXIST, EINVAL, ENOENT
from netglass.sockets.sockets import Sockets
from netglass.world import POLLERR, POLLHUP, Waker

CTL_ADD: Final = 1
CTL_DEL: Final = 2
CTL_MOD: Final = 3
ONESHOT: Final = 1 << 30
EDGE: Final = 1 << 31
_SWITCHES: Final = ONESHOT | EDGE | 1 << 28 | 1 << 29  # EPOLLEXCLUSIVE, EPOLLWAKEUP


class _Watch(Waker):
    """One descriptor of the set: hears of wake-ups, which are the edges."""

    def __init__(self, events: int, data: int) -> None:
        self.events = events
        self.data = data
        self.edge = True  # adding or changing it counts as one

    def wake(self, events: int) -> None:
        if events & self.events or events & (POLLERR | POLLHUP):
            self.edge = True


class EpollSet:
    """One epoll descriptor."""

    def __init__(self, sockets: Sockets) -> None:
        self._sockets = sockets
        self._watches: dict[int, _Watch] = {}

    def control(self, operation: int, descriptor: int, events: int, data: int) -> int:
        """epoll_ctl(2): 0 or a negative errno."""
        description = self._sockets.description(descriptor)
        if description is None:
            return -EBADF
        watch = self._watches.get(descriptor)
        if operation == CTL_ADD:
            if watch is not None:
                return -EEXIST
            self._watches[descriptor] = _Watch(events, data)
            description.watchers.append(self._watches[descriptor])
            return 0
        if operation not in (CTL_DEL, CTL_MOD):
            return -EINVAL
        if watch is None:
            return -ENOENT
        if operation == CTL_DEL:
            description.watchers.remove(watch)
            del self._watches[descriptor]
        else:
            watch.events, watch.data, watch.edge = events, data, True
        return 0

    def forget(self, descriptor: int) -> None:
        """A descriptor that is closed leaves the set."""
        self._watches.pop(descriptor, None)

    def ready(self, most: int) -> list[tuple[int, int]]:
        """(events, data) of those that are ready, at most so many; edges and one-shots are used up by being told."""
        found: list[tuple[int, int]] = []
        for descriptor, watch in self._watches.items():
            wanted = watch.events & ~_SWITCHES
            if not wanted or (watch.events & EDGE and not watch.edge):
                continue
            now = self._sockets.ready(descriptor) & (wanted | POLLERR | POLLHUP)
            if not now or len(found) == most:
                continue
            found.append((now, watch.data))
            watch.edge = False
            if watch.events & ONESHOT:
                watch.events = 0
        return found
