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


def start(body: Callable[[], None]) -> Any:
    """A new thread that calls `body()`; what to `join`. The interpreter does not wait for it at its exit."""
    if _start_joinable is not None:
        return _start_joinable(body, daemon=True)
    ending: list[Any] = []
    begun = allocate_lock()
    begun.acquire()

    def with_sentinel() -> None:
        # The interpreter releases this lock when the thread's state has gone, all its finalisers included.
        sentinel = _set_sentinel()
        sentinel.acquire()
        ending.append(sentinel)
        begun.release()
        body()

    _start_new(with_sentinel, ())
    begun.acquire()
    return ending[0]


def join(thread: Any) -> None:
    """Waits until the thread has gone."""
    if _start_joinable is not None:
        thread.join()
    else:
        thread.acquire()
