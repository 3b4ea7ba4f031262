"""Where the threads of a run run: all on one processor, and none put aside for one that it wakes. Handing the baton
over costs less than half then."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Final

_BATCH: Final[int] = getattr(os, "SCHED_BATCH", -1)
_OTHER: Final[int] = getattr(os, "SCHED_OTHER", -1)


class Processor:
    """`keep` is for the thread that starts the others: they inherit it. What a system does not know or forbids is left
    as it is."""

    __slots__ = ("_batch", "_cpus")

    def __init__(self) -> None:
        self._cpus: set[int] = set()  # where it was allowed before; empty: unchanged
        self._batch: bool = False

    def keep(self) -> None:
        with suppress(AttributeError, OSError, ValueError, IndexError):
            cpus = os.sched_getaffinity(0)
            with open("/proc/thread-self/stat", "rb") as file:
                here = int(file.read().rpartition(b")")[2].split()[36])
            os.sched_setaffinity(0, {here})
            self._cpus = cpus
        with suppress(AttributeError, OSError):
            # Who is woken can do nothing before its waker has let go of the interpreter. Linux would run it at once
            # (sched(7): not if it is a batch process), and that is two switches more.
            if _BATCH >= 0 and os.sched_getscheduler(0) == _OTHER:
                os.sched_setscheduler(0, _BATCH, os.sched_param(0))
                self._batch = True

    def leave(self) -> None:
        if self._cpus:
            os.sched_setaffinity(0, self._cpus)
        if self._batch:
            os.sched_setscheduler(0, _OTHER, os.sched_param(0))
