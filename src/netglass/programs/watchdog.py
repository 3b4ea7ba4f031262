"""A run that makes no progress in real time ends with a report: a busy loop, a real lock, a world that never rests.

One thread for the process watches the run that is going on. It counts in steps of a fraction of a second, and not
while a debugger has stopped the program.
"""

from __future__ import annotations

import ctypes
import sys
import traceback
from types import FrameType
from typing import Final

from netglass.errors import NetglassError
from netglass.programs import raw
from netglass.programs.frames import users_stack
from netglass.programs.kernel import Kernel, Stopped
from netglass.times import human

STEP: Final = 0.25  # s
IDLE: Final = 20  # steps without a run before it goes to sleep
DEBUGGERS: Final = ("bdb", "pdb", "pydevd", "debugpy", "_pydevd_bundle", "ipdb", "pudb")


class Hung(NetglassError, RuntimeError):  # noqa: N818 - a state, as Deadlock
    """The run took longer, in real time, than it may. The text shows where each task was."""


class Watchdog:
    """Sleeps until somebody has a run to be watched."""

    def __init__(self) -> None:
        self._kernel: Kernel | None = None
        self._limit: float = 0
        self._left: float = 0
        self._bell = raw.allocate_lock()
        self._bell.acquire()
        self._rung = False
        self._alive = False

    def watch(self, kernel: Kernel, seconds: float) -> None:
        self._limit = self._left = seconds
        self._kernel = kernel
        if not self._alive:
            self._alive = True
            raw.start(self._body)
        elif not self._rung:
            self._rung = True
            self._bell.release()

    def leave(self) -> None:
        kernel = self._kernel
        self._kernel = None
        if kernel is not None and kernel.bite:
            absorb(kernel.main.ident)

    def _body(self) -> None:
        idle = 0
        while True:
            if self._kernel is None and idle > IDLE:
                self._rung = False
                self._bell.acquire()
                idle = 0
            watched = id(self._kernel)
            self._bell.acquire(True, STEP)
            kernel = self._kernel
            if kernel is not None and id(kernel) == watched:
                self._step(kernel)
                idle = 0
            else:
                idle += 1
            del kernel

    def _step(self, kernel: Kernel) -> None:
        if in_debugger():
            return
        self._left -= STEP
        if self._left <= 0:
            self._left = 4 * STEP  # until the next try, if the program catches everything
            bite(kernel, self._limit)


def in_debugger() -> bool:
    """True if some thread stands in a debugger's code."""
    for start in sys._current_frames().values():
        frame: FrameType | None = start
        while frame is not None:
            if str(frame.f_globals.get("__name__", "")).partition(".")[0] in DEBUGGERS:
                return True
            frame = frame.f_back
    return False


def bite(kernel: Kernel, limit: float) -> None:
    """Ends the run, which took more than `limit` seconds, from outside."""
    if not kernel.bite:
        kernel.bite = report(kernel, limit)
        print(kernel.bite, file=sys.stderr, flush=True)  # noqa: T201 - the exception may never arrive
    running = kernel.holder()
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(running.ident), ctypes.py_object(Stopped))


def absorb(ident: int) -> None:
    """What has not reached its thread, which calls this, must not reach it later. Taking it back would leave the
    interpreter looking for it for ever (CPython 3.11 even stands still then, under a debugger): so it comes now."""
    try:
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(ident), ctypes.py_object(Stopped))
        for _ in range(1000):
            pass
    except Stopped:
        pass


def report(kernel: Kernel, limit: float) -> str:
    """What each task was doing, who runs first."""
    running = kernel.holder()
    frames = sys._current_frames()
    lines = [f"the program ran {limit:g} s of real time without ending; its virtual time is {human(kernel.now())}"]
    for task in sorted(kernel.tasks, key=lambda task: task is not running):
        runs = task is running and not task.parked
        state = (
            "runs, and as long as it does not wait no virtual time passes" if runs else f"waits for {task.waits_for}"
        )
        lines.append(f"{task.name} on {task.host.name} {state}:")
        lines.extend(each.rstrip("\n") for each in traceback.format_list(users_stack(frames.get(task.ident))[-8:]))
    lines.append(
        "A loop until something happens must wait or sleep in each round. A task that stands in a real lock waits for "
        "one that was made before the run. `netglass run --limit SECONDS`, or run(..., limit=SECONDS), gives it more."
    )
    return "\n".join(lines)


WATCHDOG: Final = Watchdog()
