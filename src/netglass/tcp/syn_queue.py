"""The SYN queue as a data structure: entries by key, the oldest first, and a timer for each.

The timers are a lazy heap: an entry has one item there, which may be earlier than its timer; items of entries that have
left stay until their time comes, or until they are the majority. `deadline` is exact all the same: the first item is
put right after every change.
"""

from __future__ import annotations

from heapq import heapify, heappop, heappush, heapreplace
from typing import Final

from netglass.tcp.half_open import HalfOpen, HalfOpenKey
from netglass.times import NEVER

_FEW: Final = 64


class SynQueue:
    """Half-open connections. `young` ones are those whose SYN-ACK timer has not expired yet."""

    __slots__ = ("_added", "_timers", "deadline", "entries", "young")

    def __init__(self) -> None:
        self.entries: dict[HalfOpenKey, HalfOpen] = {}
        self.deadline: int = NEVER
        self.young: int = 0
        self._added: int = 0
        self._timers: list[tuple[int, int, HalfOpen]] = []

    def add(self, entry: HalfOpen, expires: int) -> None:
        self.entries[entry.key] = entry
        self.young += 1
        self._added += 1
        entry.expires = expires
        heappush(self._timers, (expires, self._added, entry))
        self._settle()

    def remove(self, entry: HalfOpen) -> None:
        del self.entries[entry.key]
        if entry.retries == 0:
            self.young -= 1
        entry.expires = NEVER
        if len(self._timers) > 2 * len(self.entries) + _FEW:
            self._timers = [item for item in self._timers if item[2].expires != NEVER]
            heapify(self._timers)
        self._settle()

    def postpone(self, entry: HalfOpen, expires: int) -> None:
        """The timer starts anew; it never moves to an earlier time."""
        entry.expires = expires
        self._settle()

    def expire(self, entry: HalfOpen, expires: int) -> None:
        """The timer has expired and starts anew: the entry is one retry older."""
        if entry.retries == 0:
            self.young -= 1
        entry.retries += 1
        self.postpone(entry, expires)

    def oldest(self) -> HalfOpen:
        """The entry that has waited longest. There must be one."""
        return next(iter(self.entries.values()))

    def due(self) -> HalfOpen:
        """The entry whose timer is at `deadline`. There must be one."""
        return self._timers[0][2]

    def _settle(self) -> None:
        timers = self._timers
        while timers:
            at, number, entry = timers[0]
            if entry.expires == at:
                self.deadline = at
                return
            if entry.expires == NEVER:
                heappop(timers)
            else:
                heapreplace(timers, (entry.expires, number, entry))
        self.deadline = NEVER
