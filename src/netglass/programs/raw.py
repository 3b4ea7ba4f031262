"""Real threads and locks, under the names that nobody replaces. Python 3.13 starts threads differently from 3.11."""

from __future__ import annotations

import _thread
from collections.abc import Callable
from typing import Any, Final

allocate_lock: Final[Callable[[], Any]] = _thread.allocate_lock
get_ident: Final = _thread.get_ident

_start_joinable: Final[Any] = getattr(_thread, "start_joinable_thread", None)
_start_new: Final[Any] = _thread.start_new_thread
_set_sentinel: Final[Any] = getattr(_thread, "_set_sentinel", None)


class Started:
    """A thread that was started."""

    __slots__ = ("_ending", "ident")

    def __init__(self, ident: int, ending: Any) -> None:
        self.ident: int = ident
        self._ending: Any = ending  # 3.13: its handle; before: a lock that the interpreter releases at its very end

    def join(self) -> None:
        """Waits until it has gone, all its finalisers included."""
        if _start_joinable is not None:
            self._ending.join()
        else:
            self._ending.acquire()


def start(body: Callable[[], None]) -> Started:
    """A new thread that calls `body()`. The interpreter does not wait for it at its exit."""
    if _start_joinable is not None:
        handle = _start_joinable(body, daemon=True)
        return Started(handle.ident, handle)
    sentinels: list[Any] = []
    begun = allocate_lock()
    begun.acquire()

    def with_sentinel() -> None:
        sentinel = _set_sentinel()
        sentinel.acquire()
        sentinels.append(sentinel)
        begun.release()
        body()

    ident = _start_new(with_sentinel, ())
    begun.acquire()
    return Started(ident, sentinels[0])
