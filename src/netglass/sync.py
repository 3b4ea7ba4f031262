"""Mutexes of the kinds that POSIX and glibc have.

    from netglass.sync import Mutex

    mutex = Mutex("errorcheck")
    with mutex:
        ...

They work anywhere; in a run they wait in virtual time and are named in deadlock reports. Errors are OSError with the
errno that pthread_mutex_lock(3) and its like return.
"""

from __future__ import annotations

import errno
import time
from typing import Final

from netglass.errors import MisuseError
from netglass.programs import current
from netglass.programs.locks import Exclusive, check_timeout
from netglass.programs.raw import get_ident

KINDS: Final[dict[str, str]] = {
    "timed": "locking it twice waits for ever (PTHREAD_MUTEX_NORMAL; glibc calls it PTHREAD_MUTEX_TIMED_NP)",
    "recursive": "its owner may lock it again, and unlocks it as often (PTHREAD_MUTEX_RECURSIVE)",
    "errorcheck": "locking it twice is EDEADLK (PTHREAD_MUTEX_ERRORCHECK)",
    "adaptive": "tries for a moment before it waits (PTHREAD_MUTEX_ADAPTIVE_NP)",
}
"""Kind -> what is special about it."""

TRIES: Final = 100
"""Of an adaptive mutex before it waits, as in glibc."""

DEPTH_MAX: Final = 2**32 - 1


class Mutex(Exclusive):
    """One thread holds it at a time. Unlocking what one does not hold is EPERM; POSIX demands that of two kinds and
    leaves it undefined for the others."""

    __slots__ = ("_depth", "_ident", "kind")

    KIND = "mutex"

    def __init__(self, kind: str = "timed") -> None:
        if kind not in KINDS:
            raise MisuseError(f"a mutex is {', '.join(KINDS)}; not {kind!r}")
        super().__init__()
        self.kind: str = kind
        self._ident: int = 0
        self._depth: int = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        """Lock (True), try (`blocking=False`), or lock within `timeout` seconds: False if it could not."""
        check_timeout(blocking, timeout)
        if self._depth and self._ident == get_ident() and self.kind in ("recursive", "errorcheck"):
            return self._lock_again(blocking)
        if not self._take(blocking, timeout):
            return False
        self._ident = get_ident()
        self._depth = 1
        self.owner = current.task()
        return True

    def _lock_again(self, blocking: bool) -> bool:
        if self.kind == "errorcheck":
            if not blocking:
                return False
            raise OSError(errno.EDEADLK, "this thread holds the mutex already")
        if self._depth >= DEPTH_MAX:
            raise OSError(errno.EAGAIN, "the mutex was locked too often")
        self._depth += 1
        return True

    def _take(self, blocking: bool, timeout: float) -> bool:
        if self._real.acquire(False):
            return True
        if not blocking or timeout == 0:
            kernel = current.kernel()
            if kernel is not None:
                kernel.spin()
            return False
        if self.kind == "adaptive" and self._spin():
            return True
        return self.take(timeout)

    def _spin(self) -> bool:
        kernel = current.kernel()
        for _ in range(TRIES):
            if kernel is None:
                time.sleep(0)
            else:
                kernel.give_way()
            if self._real.acquire(False):
                return True
        return False

    def release(self) -> None:
        """Unlock."""
        if not self._depth or self._ident != get_ident():
            raise OSError(errno.EPERM, "this thread does not hold the mutex")
        self._depth -= 1
        if not self._depth:
            self._ident = 0
            self.give()

    def __enter__(self) -> Mutex:
        self.acquire()
        return self

    def __exit__(self, *error: object) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<{self.kind} mutex, {'locked' if self.locked() else 'unlocked'}>"
