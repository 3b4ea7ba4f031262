"""The locks of `threading` and `_thread`. A real lock keeps the state, so a lock works outside a run too, and for
threads that do not belong to it; what is new is how a task waits, and that a lock knows who holds it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import CodeType, FrameType
from typing import Any, Final

from netglass.programs import current, raw
from netglass.programs.clock import nanoseconds
from netglass.programs.kernel import Kernel, Task
from netglass.programs.raw import get_ident
from netglass.times import NEVER

TIMEOUT_MAX: Final = 9_223_372_036.0  # seconds

INTERNAL: Final = ("/threading.py", "/queue.py", "/concurrent/futures/thread.py", "/concurrent/futures/_base.py")
"""Files whose lines say nothing to the user: who called them does."""


_internal: dict[str, bool] = {}
"""Files that were met, and whether they are internal."""


def users_frame(frame: FrameType | None) -> FrameType | None:
    """The first frame from `frame` outwards that is the user's; `frame` itself if none is."""
    found = frame
    while found is not None:
        path = found.f_code.co_filename
        internal = _internal.get(path)
        if internal is None:
            internal = path.endswith(INTERNAL) or "/netglass/programs/" in path
            _internal[path] = internal
        if not internal:
            return found
        found = found.f_back
    return frame


class Exclusive:
    """What one task at a time holds."""

    __slots__ = ("__weakref__", "_line", "_made_by", "_real", "_waiters", "owner")

    KIND = "lock"

    def __init__(self) -> None:
        self._real: Any = raw.allocate_lock()
        self._waiters: list[Task] = []  # in the order in which they came
        self.owner: Task | None = None  # who acquired it last, while it is held
        frame = users_frame(sys._getframe(2)) or sys._getframe(2)
        self._made_by: CodeType = frame.f_code
        self._line: int = frame.f_lineno

    def __str__(self) -> str:
        return f"the {self.KIND} made at {self._made_by.co_filename.rpartition('/')[2]}:{self._line}"

    @property
    def certain(self) -> bool:
        """True if only its owner will ever release it."""
        return True

    def take(self, timeout: float) -> bool:
        """Waits until it is free, at most `timeout` seconds (-1: for ever), and takes it."""
        kernel = current.kernel()
        if kernel is None:
            return bool(self._real.acquire(True, timeout))
        if timeout == 0:
            kernel.spin()
            return False
        task = kernel.current()
        deadline = NEVER if timeout < 0 else kernel.now() + nanoseconds(timeout)
        self._waiters.append(task)
        try:
            while not self._real.acquire(False):
                if kernel.now() >= deadline:
                    return False
                if deadline == NEVER:
                    look_for_cycle(kernel, task, self)
                kernel.park(self, deadline)
        except BaseException:
            self._waiters.remove(task)
            if not self._real.locked():
                self.wake_next()  # this one had been woken, and will not take it
            raise
        finally:
            if task in self._waiters:
                self._waiters.remove(task)
        return True

    def give(self) -> None:
        self.owner = None
        self._real.release()
        if self._waiters:
            self.wake_next()

    def wake_next(self) -> None:
        kernel = current.active()
        for task in self._waiters:
            if task.kernel is kernel:
                kernel.unpark(task)
                return

    def locked(self) -> bool:
        return bool(self._real.locked())

    def _at_fork_reinit(self) -> None:
        self._real = raw.allocate_lock()
        self._waiters.clear()
        self.owner = None


def look_for_cycle(kernel: Kernel, task: Task, wanted: Exclusive) -> None:
    """Raises the kernel's deadlock report if the owner of `wanted` waits, over however many others, for what `task`
    holds: then no time and no packet will help."""
    path = [task]
    lock: Exclusive = wanted
    while lock.certain:
        owner = lock.owner
        if owner is None or owner.done or owner.kernel is not kernel:
            return
        if owner is task:
            task.waits_for = wanted
            kernel.fail_with_cycle(path)
            return
        if owner in path or not owner.parked or owner.deadline != NEVER:
            return
        path.append(owner)
        if not isinstance(owner.waits_for, Exclusive):
            return
        lock = owner.waits_for


def check_timeout(blocking: bool, timeout: float) -> None:
    """The complaints of `_thread.lock.acquire`."""
    if not blocking and timeout != -1:
        raise ValueError("can't specify a timeout for a non-blocking call")
    if timeout < 0 and timeout != -1:
        raise ValueError("timeout value must be a non-negative number")
    if timeout > TIMEOUT_MAX:
        raise OverflowError("timeout value is too large")


class Lock(Exclusive):
    """threading.Lock"""

    __slots__ = ("_scoped",)
    __module__ = "_thread"
    __qualname__ = "lock"

    def __init__(self) -> None:
        super().__init__()
        self._scoped: bool = False  # taken by `with`: only its owner will release it

    @property
    def certain(self) -> bool:
        return self._scoped

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if timeout != -1:
            check_timeout(blocking, timeout)
        if not self._real.acquire(False):
            if not blocking:
                timeout = 0
            if timeout == 0 and current.kernel() is None:
                return False
            if not self.take(timeout):
                return False
        self.owner = current.task()
        return True

    def release(self) -> None:
        if not self._real.locked():
            raise RuntimeError("release unlocked lock")
        self._scoped = False
        self.give()

    def __enter__(self) -> bool:
        self.acquire()
        self._scoped = True
        return True

    def __exit__(self, *error: object) -> None:
        self.release()

    acquire_lock = acquire
    release_lock = release
    locked_lock = Exclusive.locked

    def __repr__(self) -> str:
        return f"<{'locked' if self.locked() else 'unlocked'} _thread.lock object at {id(self):#x}>"


class EndLock(Lock):
    """Held by a thread until its end; whoever joins it waits for this."""

    __slots__ = ()

    def __init__(self, task: Task | None) -> None:
        super().__init__()
        self.owner = task

    def __str__(self) -> str:
        return "the end of a thread" if self.owner is None else f"the end of {self.owner.name}"

    @property
    def certain(self) -> bool:
        return True

    def end(self) -> None:
        """The thread has ended."""
        if self.locked():  # before 3.13 a join that was interrupted releases it
            self.release()

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        owner = self.owner
        taken = super().acquire(blocking, timeout)
        if not taken:
            self.owner = owner
        return taken


class RLock(Exclusive):
    """threading.RLock"""

    __slots__ = ("_count", "_ident")
    __module__ = "_thread"
    KIND = "RLock"

    def __init__(self) -> None:
        super().__init__()
        self._ident: int = 0
        self._count: int = 0

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool:
        if timeout != -1:
            check_timeout(blocking, timeout)
        me = get_ident()
        if self._ident == me and self._count:
            self._count += 1
            return True
        if not self._real.acquire(False):
            if not blocking:
                timeout = 0
            if timeout == 0 and current.kernel() is None:
                return False
            if not self.take(timeout):
                return False
        self._ident = me
        self._count = 1
        self.owner = current.task()
        return True

    def release(self) -> None:
        if self._ident != get_ident() or not self._count:
            raise RuntimeError("cannot release un-acquired lock")
        self._count -= 1
        if not self._count:
            self._ident = 0
            self.give()

    def __enter__(self) -> bool:
        return self.acquire()

    def __exit__(self, *error: object) -> None:
        self.release()

    # What threading.Condition uses:

    def _is_owned(self) -> bool:
        return self._ident == get_ident() and self._count > 0

    def _recursion_count(self) -> int:
        return self._count if self._ident == get_ident() else 0

    def _release_save(self) -> tuple[int, int]:
        if not self._count:
            raise RuntimeError("cannot release un-acquired lock")
        saved = (self._count, self._ident)
        self._count = 0
        self._ident = 0
        self.give()
        return saved

    def _acquire_restore(self, saved: tuple[int, int]) -> None:
        if not self._real.acquire(False):
            self.take(-1)
        self._count, self._ident = saved
        self.owner = current.task()

    def _at_fork_reinit(self) -> None:
        super()._at_fork_reinit()
        self._count = 0
        self._ident = 0

    def __repr__(self) -> str:
        state = "locked" if self.locked() else "unlocked"
        return f"<{state} _thread.RLock object owner={self._ident} count={self._count} at {id(self):#x}>"


def allocate_lock() -> Lock:
    """_thread.allocate_lock, which threading.Lock is before Python 3.13"""
    return Lock()


LOCK_FACTORIES: Final[dict[str, Callable[[], Exclusive]]] = {
    "allocate_lock": allocate_lock,
    "allocate": allocate_lock,
    "lock": Lock,
    "RLock": RLock,
}
"""Names in `_thread` -> what a run puts there."""
