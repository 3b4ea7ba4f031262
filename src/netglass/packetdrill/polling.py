"""Waiting for several descriptors: poll and epoll."""

from __future__ import annotations

from netglass.errnos import EBADF
from netglass.packetdrill.call_values import epoll_event, poll_entry
from netglass.packetdrill.epoll import EpollSet
from netglass.packetdrill.process import CallGroup, Table, Waiting
from netglass.packetdrill.script import Array, SystemCall
from netglass.packetdrill.symbols import UnknownName, number
from netglass.times import MILLISECOND, NEVER


class Polling(CallGroup):
    """Calls that wait."""

    def table(self) -> Table:
        return {
            "poll": self._poll,
            "epoll_create": self._epoll_create,
            "epoll_ctl": self._epoll_ctl,
            "epoll_wait": self._epoll_wait,
        }

    def _poll(self, call: SystemCall) -> Waiting:
        entries, count, timeout = self._process.arguments(call, 3)
        if not isinstance(entries, Array) or len(entries.items) != number(count):
            raise UnknownName("expected [{fd=4, events=POLLIN, revents=POLLIN}, ...] with as many entries as said")
        asked = [poll_entry(entry) for entry in entries.items]
        wait = number(timeout)
        deadline = NEVER if wait < 0 else self._bench.now + wait * MILLISECOND
        found = self._poll_once(asked)
        while not any(found) and self._bench.now < deadline:
            yield deadline
            found = self._poll_once(asked)
        self._process.check(call, sum(1 for each in found if each))
        for (fd, _, wanted), got in zip(asked, found, strict=True):
            if wanted != got:
                self._process.differ(call, f"revents of {fd}", f"0x{wanted:x}", f"0x{got:x}")

    def _poll_once(self, asked: list[tuple[int, int, int]]) -> list[int]:
        return [self._sockets.poll(self._process.file(fd)[0], events) for fd, events, _ in asked]

    def _epoll_create(self, call: SystemCall) -> None:
        self._process.arguments(call, 1)
        script = number(call.result)
        self._process.others[script] = EpollSet(self._sockets)
        self._process.check(call, script if script >= 0 else 0, opens=True)

    def _epoll_ctl(self, call: SystemCall) -> None:
        epoll, operation, fd, event = self._process.arguments(call, 4)
        watched = self._process.others.get(number(epoll))
        if not isinstance(watched, EpollSet):
            self._process.check(call, -EBADF)
            return
        descriptor, _ = self._process.file(fd)
        events, data = epoll_event(event)
        self._process.check(call, watched.control(number(operation), descriptor, events, data))

    def _epoll_wait(self, call: SystemCall) -> Waiting:
        epoll, event, most, timeout = self._process.arguments(call, 4)
        watched = self._process.others.get(number(epoll))
        if not isinstance(watched, EpollSet):
            self._process.check(call, -EBADF)
            return
        wait = number(timeout)
        deadline = NEVER if wait < 0 else self._bench.now + wait * MILLISECOND
        found = watched.ready(number(most))
        while not found and self._bench.now < deadline:
            yield deadline
            found = watched.ready(number(most))
        self._process.check(call, len(found))
        wanted = epoll_event(event)
        if found and found[0] != wanted:
            expected, got = [f"events 0x{events:x}, data {data}" for events, data in (wanted, found[0])]
            self._process.differ(call, "the first event", expected, got)
