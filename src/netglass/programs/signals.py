"""Signals that a program sends itself: alarm, setitimer, raise_signal, kill. They come in virtual time. Signals from
outside (Ctrl-C) come in real time, as ever.

Python calls a handler in its main thread, between any two of its steps. But that thread runs while others do, if only
to wait for the baton, and a handler is a piece of the program: it may call whatever programs call. So in a run each
handler stands behind a `Late`, which lets it wait until the main task has the baton.

Programs that were spawned are processes of their own in their own eyes: their first threads may set handlers too, which
hear of what such a program sends itself, and of nothing else.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections import deque
from types import FrameType
from typing import Any, Final

from netglass.programs import descriptors, signal_masks
from netglass.programs.clock import nanoseconds
from netglass.programs.descriptors import FIRST, at_work
from netglass.programs.kernel import Kernel, Task
from netglass.programs.patches import Patch
from netglass.times import NEVER, SECOND

_REAL: Final[dict[str, Any]] = {
    name: getattr(signal, name)
    for name in (
        "signal",
        "getsignal",
        "alarm",
        "setitimer",
        "getitimer",
        "raise_signal",
        "pthread_kill",
        "set_wakeup_fd",
        "pause",
    )
    if hasattr(signal, name)
}
_REAL_KILL: Final = os.kill
_ITIMER_REAL: Final[int] = getattr(signal, "ITIMER_REAL", 0)
_SIGALRM: Final[int] = getattr(signal, "SIGALRM", 14)


class Late:
    """A handler, in a run: it is called at once if the main task runs, else as soon as it does."""

    __slots__ = ("handler", "signals")

    def __init__(self, signals: Signals, handler: Any) -> None:
        self.signals: Signals = signals
        self.handler: Any = handler

    def __call__(self, number: int, frame: FrameType | None) -> None:
        signals = self.signals
        main = signals.kernel.main
        if current is not signals:
            self.handler(number, frame)
        elif signals.kernel.running() is main and not main.parked and not at_work(frame):
            self.call(number, frame)
        else:
            signals.put_off(number, frame)

    def call(self, number: int, frame: FrameType | None) -> None:
        self.signals.note(number)
        self.handler(number, frame)


class Spawned:
    """What a spawned program has set."""

    __slots__ = ("handlers", "wakeup_fd")

    def __init__(self) -> None:
        self.handlers: dict[int, Any] = {}
        self.wakeup_fd: int = -1

    def set_handler(self, number: int, handler: Any) -> Any:
        if not callable(handler) and handler not in (signal.SIG_DFL, signal.SIG_IGN):
            raise TypeError("signal handler must be signal.SIG_IGN, signal.SIG_DFL, or a callable object")
        before = self.handler(number)
        self.handlers[number] = handler
        return before

    def handler(self, number: int) -> Any:
        if number not in signal.valid_signals():
            raise ValueError("signal number out of range")
        default = signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL
        return self.handlers.get(number, default)


class Signals:
    """Those of one run."""

    __slots__ = ("_number", "_spawned", "came", "due", "interval", "kernel", "masks", "pending", "wakeup_fd")

    def __init__(self, kernel: Kernel) -> None:
        self.kernel: Kernel = kernel
        self.masks: signal_masks.Masks = signal_masks.Masks(kernel, self.deliver)
        self.due: int = NEVER  # of ITIMER_REAL
        self.interval: int = 0
        self.wakeup_fd: int = -1
        self.came: int = 0  # how many had a handler
        self.pending: deque[tuple[int, FrameType | None]] = deque()  # to be handled by the main task
        self._number: int = 0  # of the setting: a later one makes the task of an earlier one end
        self._spawned: dict[Task, Spawned] = {}
        kernel.on_signal = self.handle

    def spawned(self) -> Spawned | None:
        """That of the running task, if it is the first of a spawned program."""
        task = self.kernel.running()
        if task is None or task not in self.kernel.programs:
            return None
        return self._spawned.setdefault(task, Spawned())

    def handle(self) -> None:
        """By the main task."""
        number, frame = self.pending.popleft()
        try:
            self.handle_one(number, frame)
        finally:
            if self.pending:
                self.handle()

    def handle_one(self, number: int, frame: FrameType | None) -> None:
        late = _REAL["getsignal"](number)
        if isinstance(late, Late):
            late.call(number, frame)
        else:
            _REAL["raise_signal"](number)

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
        """To this process: the main task handles it, once that has the baton."""
        number = int(number)  # handlers get no member of Signals
        if self.masks.own().keeps(number):
            return
        spawned = self.spawned()
        if spawned is not None and callable(spawned.handler(number)):
            self.tell(spawned.wakeup_fd, number)
            spawned.handler(number)(number, sys._getframe(2))
        elif self.kernel.running() is self.kernel.main:
            self.handle_one(number, sys._getframe(2))
        else:
            self.put_off(number, sys._getframe(2))
            self.kernel.spin()

    def put_off(self, number: int, frame: FrameType | None) -> None:
        """The same signal twice is one, as long as nobody has heard of it."""
        if all(number != other for other, _ in self.pending):
            self.pending.append((number, frame))
        self.kernel.signal_main()

    def note(self, number: int) -> None:
        """A handler is about to be called."""
        self.came += 1
        self.tell(self.wakeup_fd, number)

    def tell(self, wakeup_fd: int, number: int) -> None:
        run = descriptors.active()
        found = run.find(wakeup_fd)
        if found is not None:
            found.description.send(bytes([number]), None, 0, run.now())
            run.flush(wakeup_fd)


current: Signals | None = None
"""Those of the run that goes on. `patches` puts them here and takes them away."""


def _signals() -> Signals | None:
    """None in a thread that is no task of a run."""
    return current if current is not None and current.kernel.running() is not None else None


def enter() -> None:
    """Handlers from before the run wait for the baton too. Only Python's main thread may change any."""
    if current is None or threading.current_thread() is not threading.main_thread():
        return
    for number in signal.valid_signals():
        handler = _REAL["getsignal"](number)
        if callable(handler):
            _REAL["signal"](number, Late(current, handler))


def leave() -> list[int]:
    """Handlers stay, and are called directly from now on. The numbers of signals that came too late for the run."""
    if current is None or threading.current_thread() is not threading.main_thread():
        return []
    unheard = [number for number, _ in current.pending if isinstance(_REAL["getsignal"](number), Late)]
    for number in signal.valid_signals():
        late = _REAL["getsignal"](number)
        if isinstance(late, Late):
            _REAL["signal"](number, late.handler)
    return unheard


def set_handler(number: int, handler: Any) -> Any:
    """signal.signal"""
    signals = _signals()
    spawned = None if signals is None else signals.spawned()
    if spawned is not None:
        return spawned.set_handler(number, handler)
    if signals is not None:
        signals.kernel.spin()
        handler = Late(signals, handler) if callable(handler) else handler
    return _plain(_REAL["signal"](number, handler))


def getsignal(number: int) -> Any:
    """signal.getsignal"""
    signals = _signals()
    spawned = None if signals is None else signals.spawned()
    if spawned is not None:
        return spawned.handler(number)
    return _plain(_REAL["getsignal"](number))


def _plain(handler: Any) -> Any:
    return handler.handler if isinstance(handler, Late) else handler


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
    spawned = signals.spawned()
    if spawned is not None:
        before, spawned.wakeup_fd = spawned.wakeup_fd, fd
        return before
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


_OWN: Final[dict[str, Any]] = {name: set_handler if name == "signal" else globals()[name] for name in _REAL}
for _function in (*_OWN.values(), kill):
    _function.__module__ = "os" if _function is kill else "signal"  # as they show themselves


def patches(kernel: Kernel) -> list[Patch]:
    own = sys.modules[__name__]
    signals = Signals(kernel)
    return [
        Patch(own, "current", signals),
        *([] if kernel.real_time else signal_masks.patches(signals.masks)),
        *[Patch(signal, name, function) for name, function in _OWN.items()],
        Patch(os, "kill", kill),
    ]
