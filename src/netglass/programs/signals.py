"""Signals that a program sends itself: alarm, setitimer, raise_signal, kill. They come in virtual time; Python's
handlers run in the main task, as in Python's main thread. Signals from outside (Ctrl-C) come in real time, as ever.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from typing import Any, Final

from netglass.programs import descriptors
from netglass.programs.clock import nanoseconds
from netglass.programs.descriptors import FIRST
from netglass.programs.kernel import Kernel
from netglass.programs.patches import Patch
from netglass.times import NEVER, SECOND

_REAL: Final[dict[str, Any]] = {
    name: getattr(signal, name)
    for name in ("alarm", "setitimer", "getitimer", "raise_signal", "pthread_kill", "set_wakeup_fd", "pause")
    if hasattr(signal, name)
}
_REAL_KILL: Final = os.kill
_ITIMER_REAL: Final[int] = getattr(signal, "ITIMER_REAL", 0)
_SIGALRM: Final[int] = getattr(signal, "SIGALRM", 14)


class Signals:
    """Those of one run."""

    __slots__ = ("_number", "came", "due", "interval", "kernel", "wakeup_fd")

    def __init__(self, kernel: Kernel) -> None:
        self.kernel: Kernel = kernel
        self.due: int = NEVER  # of ITIMER_REAL
        self.interval: int = 0
        self.wakeup_fd: int = -1
        self.came: int = 0  # how many had a handler
        self._number: int = 0  # of the setting: a later one makes the task of an earlier one end

    def left(self) -> int:
        return 0 if self.due == NEVER else max(self.due - self.kernel.now(), 1)

    def set_timer(self, length: int, interval: int) -> None:
        kernel = self.kernel
        self._number += 1
        self.due = NEVER
        self.interval = interval
        if length > 0:
            self.due = kernel.now() + length
            number = self._number
            kernel.start(lambda: self._ring(number), kernel.host(), "alarm", True)

    def _ring(self, number: int) -> None:
        kernel = self.kernel
        while self._number == number and self.due != NEVER:
            if kernel.now() < self.due:
                kernel.park("the time of an alarm", self.due)
                continue
            self.due = kernel.now() + self.interval if self.interval else NEVER
            self.deliver(_SIGALRM)

    def deliver(self, number: int) -> None:
        """To this process. In another thread than Python's main one the handler is only noted, and runs when the main
        task goes on."""
        if callable(signal.getsignal(number)):
            self.came += 1
            if self.wakeup_fd >= 0:
                self._write(number)
        main = self.kernel.main
        _REAL["raise_signal"](number)
        if self.kernel.running() is not main:
            self.kernel.unpark(main)

    def _write(self, number: int) -> None:
        run = descriptors.active()
        found = run.find(self.wakeup_fd)
        if found is not None:
            found.description.send(bytes([number]), None, 0, run.now())
            run.flush(self.wakeup_fd)


current: Signals | None = None
"""Those of the run that goes on. `patches` puts them here and takes them away."""


def _signals() -> Signals | None:
    """None in a thread that is no task of a run."""
    return current if current is not None and current.kernel.running() is not None else None


def alarm(seconds: int, /) -> int:
    """signal.alarm"""
    signals = _signals()
    if signals is None:
        return _REAL["alarm"](seconds)  # type: ignore[no-any-return]
    left = signals.left()
    signals.set_timer(seconds.__index__() * SECOND, 0)
    return -(-left // SECOND)


def setitimer(which: int, seconds: float, interval: float = 0.0, /) -> Any:
    """signal.setitimer; timers of processor time stay real."""
    signals = _signals()
    if signals is None or which != _ITIMER_REAL:
        return _REAL["setitimer"](which, seconds, interval)
    if seconds < 0 or interval < 0:
        raise signal.ItimerError(22, "Invalid argument")
    before = getitimer(which)
    signals.set_timer(nanoseconds(seconds), nanoseconds(interval))
    return before


def getitimer(which: int, /) -> Any:
    """signal.getitimer"""
    signals = _signals()
    if signals is None or which != _ITIMER_REAL:
        return _REAL["getitimer"](which)
    return signals.left() / SECOND, signals.interval / SECOND


def raise_signal(number: int, /) -> None:
    """signal.raise_signal"""
    signals = _signals()
    if signals is None:
        _REAL["raise_signal"](number)
    else:
        signals.deliver(number)


def kill(pid: int, number: int, /) -> None:
    """os.kill"""
    signals = _signals()
    if signals is None or pid != os.getpid() or not number:
        _REAL_KILL(pid, number)
    else:
        signals.deliver(number)


def pthread_kill(thread: int, number: int, /) -> None:
    """signal.pthread_kill: handlers run in the main task, whoever is meant."""
    signals = _signals()
    tasks = () if signals is None else signals.kernel.tasks
    if signals is None or not number or all(task.ident != thread for task in tasks):
        _REAL["pthread_kill"](thread, number)
    else:
        signals.deliver(number)


def set_wakeup_fd(fd: int, /, *, warn_on_full_buffer: bool = True) -> int:
    """signal.set_wakeup_fd: our descriptors hear of signals that the program sends itself."""
    signals = _signals()
    if signals is None:
        return _REAL["set_wakeup_fd"](fd, warn_on_full_buffer=warn_on_full_buffer)  # type: ignore[no-any-return]
    if threading.current_thread() is not threading.main_thread():
        raise ValueError("set_wakeup_fd only works in main thread of the main interpreter")
    before = signals.wakeup_fd
    if fd < FIRST:
        signals.wakeup_fd = -1
        real = int(_REAL["set_wakeup_fd"](fd, warn_on_full_buffer=warn_on_full_buffer))
        return before if before >= 0 else real
    description = descriptors.active().require(fd).description
    if description.blocking:
        raise ValueError(f"the fd {fd} must be in non-blocking mode")
    signals.wakeup_fd = fd
    return before


def pause() -> None:
    """signal.pause"""
    signals = _signals()
    if signals is None:
        _REAL["pause"]()
        return
    before = signals.came
    while signals.came == before:
        signals.kernel.park("a signal (pause)")


for _name in (*_REAL, "kill"):
    globals()[_name].__module__ = "os" if _name == "kill" else "signal"  # as they show themselves


def patches(kernel: Kernel) -> list[Patch]:
    own = sys.modules[__name__]
    return [
        Patch(own, "current", Signals(kernel)),
        *[Patch(signal, name, getattr(own, name)) for name in _REAL],
        Patch(os, "kill", kill),
    ]
