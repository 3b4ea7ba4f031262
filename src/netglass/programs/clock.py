"""Time as a program sees it: the world's, from a fixed date on, the same in every run."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Any, Final

from netglass.programs import current
from netglass.programs.kernel import Kernel
from netglass.programs.patches import Patch
from netglass.times import EPOCH, SECOND

UPTIME: Final = 100_000 * SECOND
"""What the monotonic clocks show then. Programs take a machine for granted that has been up for a while."""

_SLACK: Final = 0.05  # ns: what sums and differences of seconds as floats may be off

_REAL: Final[dict[str, Any]] = {
    name: getattr(time, name)
    for name in (
        *("time", "time_ns", "monotonic", "monotonic_ns", "perf_counter", "perf_counter_ns"),
        *("process_time", "process_time_ns", "thread_time", "thread_time_ns"),
        *("sleep", "localtime", "gmtime", "ctime", "asctime", "strftime", "clock_gettime", "clock_gettime_ns"),
    )
    if hasattr(time, name)
}


def nanoseconds(seconds: float) -> int:
    """A timeout in whole nanoseconds, rounded up: whoever waits a little less than he must looks too early, and waits
    for nothing, again and again."""
    if seconds <= 0:
        return 0
    return max(1, math.ceil(seconds * 1e9 - _SLACK))


def _clock(name: str, offset: int, whole: bool) -> Any:
    real = _REAL[name]

    def read() -> float:
        kernel = current.kernel()
        if kernel is None:
            return real()  # type: ignore[no-any-return]
        kernel.spin()
        now = kernel.now() + offset
        return now if whole else now / 1e9

    read.__name__ = read.__qualname__ = name
    return read


def _processor_clock(name: str, busy: Callable[[Kernel], int], whole: bool) -> Any:
    """Who sleeps is not busy, and computing takes no time: what passes is the time of those who look at the clock again
    and again."""
    real = _REAL[name]

    def read() -> float:
        kernel = current.kernel()
        if kernel is None:
            return real()  # type: ignore[no-any-return]
        kernel.spin()
        return busy(kernel) if whole else busy(kernel) / 1e9

    read.__name__ = read.__qualname__ = name
    return read


def _of_process(kernel: Kernel) -> int:
    return kernel.busy


def _of_thread(kernel: Kernel) -> int:
    return kernel.current().busy


def sleep(seconds: float, /) -> None:
    """time.sleep"""
    kernel = current.kernel()
    if kernel is None:
        _REAL["sleep"](seconds)
        return
    if math.isnan(seconds):
        raise ValueError("Invalid value NaN (not a number)")
    if seconds < 0:
        raise ValueError("sleep length must be non-negative")
    if seconds == 0:
        kernel.give_way()
        return
    until = kernel.now() + nanoseconds(seconds)
    while kernel.now() < until:
        kernel.park(Sleep(seconds), until)


class Sleep:
    """What a sleeping task waits for."""

    __slots__ = ("_seconds",)

    def __init__(self, seconds: float) -> None:
        self._seconds: float = seconds

    def __str__(self) -> str:
        return f"sleep({self._seconds})"


def _with_time(name: str, place: int) -> Any:
    """A function of `time` that takes the time now if its argument at `place` is missing."""
    real = _REAL[name]

    def convert(*args: Any) -> Any:
        kernel = current.kernel()
        if kernel is None or len(args) > place:
            return real(*args) if kernel is None or args[place] is not None else real(_seconds(kernel.now()))
        return real(*args, _seconds(kernel.now()))

    convert.__name__ = convert.__qualname__ = name
    return convert


def _seconds(now: int) -> float:
    return (now + EPOCH) / 1e9


def _with_fields(name: str, place: int) -> Any:
    real = _REAL[name]

    def convert(*args: Any) -> Any:
        kernel = current.kernel()
        if kernel is None or len(args) > place:
            return real(*args)
        return real(*args, _REAL["localtime"](_seconds(kernel.now())))

    convert.__name__ = convert.__qualname__ = name
    return convert


_OFFSETS: Final[dict[int, int]] = {
    getattr(time, name): EPOCH if name.startswith(("CLOCK_REALTIME", "CLOCK_TAI")) else UPTIME
    for name in dir(time)
    if name.startswith("CLOCK_")
}


_BUSY: Final[dict[int, Callable[[Kernel], int]]] = {
    getattr(time, "CLOCK_PROCESS_CPUTIME_ID", -1): _of_process,
    getattr(time, "CLOCK_THREAD_CPUTIME_ID", -1): _of_thread,
}


def clock_gettime_ns(clock: int, /) -> int:
    """time.clock_gettime_ns"""
    kernel = current.kernel()
    if kernel is None or clock not in _OFFSETS:
        return _REAL["clock_gettime_ns"](clock)  # type: ignore[no-any-return]
    kernel.spin()
    if clock in _BUSY:
        return _BUSY[clock](kernel)
    return kernel.now() + _OFFSETS[clock]


def clock_gettime(clock: int, /) -> float:
    """time.clock_gettime"""
    return clock_gettime_ns(clock) / 1e9


_REPLACEMENTS: Final[dict[str, Any]] = {
    "time": _clock("time", EPOCH, False),
    "time_ns": _clock("time_ns", EPOCH, True),
    "monotonic": _clock("monotonic", UPTIME, False),
    "monotonic_ns": _clock("monotonic_ns", UPTIME, True),
    "perf_counter": _clock("perf_counter", UPTIME, False),
    "perf_counter_ns": _clock("perf_counter_ns", UPTIME, True),
    "process_time": _processor_clock("process_time", _of_process, False),
    "process_time_ns": _processor_clock("process_time_ns", _of_process, True),
    "thread_time": _processor_clock("thread_time", _of_thread, False),
    "thread_time_ns": _processor_clock("thread_time_ns", _of_thread, True),
    "sleep": sleep,
    "localtime": _with_time("localtime", 0),
    "gmtime": _with_time("gmtime", 0),
    "ctime": _with_time("ctime", 0),
    "asctime": _with_fields("asctime", 0),
    "strftime": _with_fields("strftime", 1),
    "clock_gettime": clock_gettime,
    "clock_gettime_ns": clock_gettime_ns,
}


def patches_in_real_time() -> list[Patch]:
    """The clocks are right; but who sleeps must let the others run."""
    return [Patch(time, "sleep", sleep)]


def patches() -> list[Patch]:
    return [Patch(time, name, replacement) for name, replacement in _REPLACEMENTS.items() if name in _REAL]
