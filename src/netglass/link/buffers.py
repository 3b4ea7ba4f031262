"""The memory that a device is read into, used again: 64 KiB that go back to the operating system and come again cost
more, in page faults, than all that is done with what was read.

A long frame is handed on as a view of its buffer, a short one as a copy. The views that are left of a buffer are what
keeps it from being used again: each holds a reference, so a count of references tells when the last has gone.
"""

from __future__ import annotations

from collections import deque
from sys import getrefcount
from typing import Final

from netglass.wire.checksum import Buffer

VIEW_FROM: Final = 16384
"""From this size on a frame is a view. A shorter one would hold a buffer many times its size, for as long as nobody
reads it; and to copy it costs little."""

KEPT: Final = 64
"""Buffers that stay though nobody has a view of them."""


class ReadBuffers:
    """`free` gives a buffer to read into, `frame` what was read into it."""

    __slots__ = ("_idle", "_lent", "_size", "_unseen", "_view", "free")

    def __init__(self, size: int) -> None:
        self._size: int = size
        self._lent: deque[bytearray] = deque()  # the one whose frame came first on the left
        self._idle: int = 0  # how many references a buffer has of which there is no view
        self._lent.append(bytearray())
        self._idle = self._references()
        self._lent.clear()
        self.free: bytearray = bytearray(size)
        self._view: memoryview = memoryview(self.free)

    def frame(self, start: int, end: int) -> Buffer:
        """Bytes [start, end) of `free`, which do not change any more."""
        if end < VIEW_FROM:
            return self._view[start:end].tobytes()
        found = self._view[start:end]
        self._lent.append(self.free)
        self.free = self._next()
        self._view = memoryview(self.free)
        return found

    def _next(self) -> bytearray:
        lent = self._lent
        if self._references() != self._idle:
            # Whoever holds the first view may hold it for long: the next one has its turn.
            lent.rotate(-1)
            if self._references() != self._idle:
                return bytearray(self._size)
        first = lent.popleft()
        if len(lent) > KEPT and self._references() == self._idle:
            lent.popleft()
        return first

    def _references(self) -> int:
        return getrefcount(self._lent[0])
