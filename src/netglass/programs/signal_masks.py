"""Signals that a program holds back (pthread_sigmask) or waits for without a handler (sigwait): those that it sends
itself. One mask a program; the real one stays as it is, so signals from outside come as ever."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterable
from typing import Any, Final

from netglass.programs.clock import nanoseconds
from netglass.programs.context import Context
from netglass.programs.kernel import Kernel, Task
from netglass.programs.patches import Patch
from netglass.times import NEVER

_REAL: Final[dict[str, Any]] = {
    name: getattr(signal, name)
    for name in ("pthread_sigmask", "sigpending", "sigwait", "sigwaitinfo", "sigtimedwait")
    if hasattr(signal, name)
}
_UNSTOPPABLE: Final = {9, 19}  # SIGKILL, SIGSTOP


class Mask:
    """One program's."""

    __slots__ = ("blocked", "held", "waits")

    def __init__(self) -> None:
        self.blocked: set[int] = set()
        self.held: list[int] = []  # they came, and nobody has heard of them
        self.waits: list[tuple[Task, frozenset[int]]] = []

    def keeps(self, number: int) -> bool:
        """True if a signal that comes is for whoever waits, or is held back."""
        waits = [task for task, wanted in self.waits if number in wanted]
        if not waits and number not in self.blocked:
            return False
        if number not in self.held:
            self.held.append(number)
        for task in waits:
            task.kernel.unpark(task)
        return True

    def take(self, wanted: Iterable[int]) -> int:
        """The lowest of those that came, which is gone then; 0 if there is none."""
        number = min(set(self.held) & set(wanted), default=0)
        if number:
            self.held.remove(number)
        return number


class Masks:
    """Those of a run."""

    __slots__ = ("_masks", "deliver", "kernel")

    def __init__(self, kernel: Kernel, deliver: Callable[[int], None]) -> None:
        self.kernel: Kernel = kernel
        self.deliver: Callable[[int], None] = deliver
        self._masks: dict[Context, Mask] = {}

    def own(self) -> Mask:
        """That of the program that runs."""
        return self._masks.setdefault(self.kernel.context, Mask())

    def wait(self, wanted: frozenset[int], deadline: int) -> int:
        """A signal of `wanted`, or 0 when it is too late."""
        kernel, mask = self.kernel, self.own()
        entry = (kernel.current(), wanted)
        mask.waits.append(entry)
        try:
            number = mask.take(wanted)
            while not number and kernel.now() < deadline:
                kernel.park(f"a signal: {', '.join(map(_name, sorted(wanted)))} (sigwait)", deadline)
                number = mask.take(wanted)
            return number
        finally:
            mask.waits.remove(entry)


current: Masks | None = None
"""Those of the run that goes on. `patches` puts them here and takes them away."""


def _masks() -> Masks | None:
    """None in a thread that is no task of a run."""
    return current if current is not None and current.kernel.running() is not None else None


def _name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)


def _named(numbers: Iterable[int]) -> set[Any]:
    known = {each.value: each for each in signal.Signals}
    return {known.get(number, number) for number in numbers}


def _checked(numbers: Iterable[int]) -> frozenset[int]:
    checked = frozenset(map(int, numbers))
    for number in checked:
        if not 0 < number < signal.NSIG:
            raise ValueError(f"signal number {number} out of range [1; {signal.NSIG - 1}]")
    return checked


def pthread_sigmask(how: int, mask: Iterable[int], /) -> Any:
    """signal.pthread_sigmask; all threads of a program have one mask."""
    masks = _masks()
    if masks is None:
        return _REAL["pthread_sigmask"](how, mask)
    own, numbers = masks.own(), _checked(mask) - _UNSTOPPABLE
    before = _named(own.blocked)
    if how not in (signal.SIG_BLOCK, signal.SIG_UNBLOCK, signal.SIG_SETMASK):
        raise OSError(22, "Invalid argument")
    kept = set() if how == signal.SIG_SETMASK else own.blocked
    own.blocked = kept - numbers if how == signal.SIG_UNBLOCK else kept | numbers
    for number in [each for each in own.held if each not in own.blocked]:
        own.held.remove(number)
        masks.deliver(number)
    return before


def sigpending() -> Any:
    """signal.sigpending"""
    masks = _masks()
    return _REAL["sigpending"]() if masks is None else _named(masks.own().held)


def sigwait(sigset: Iterable[int], /) -> Any:
    """signal.sigwait"""
    masks = _masks()
    if masks is None:
        return _REAL["sigwait"](sigset)
    return next(iter(_named([masks.wait(_checked(sigset), NEVER)])))


def sigwaitinfo(sigset: Iterable[int], /) -> Any:
    """signal.sigwaitinfo"""
    masks = _masks()
    if masks is None:
        return _REAL["sigwaitinfo"](sigset)
    return _information(masks.wait(_checked(sigset), NEVER))


def sigtimedwait(sigset: Iterable[int], timeout: float, /) -> Any:
    """signal.sigtimedwait"""
    masks = _masks()
    if masks is None:
        return _REAL["sigtimedwait"](sigset, timeout)
    if timeout < 0:
        raise ValueError("timeout must be non-negative")
    number = masks.wait(_checked(sigset), masks.kernel.now() + nanoseconds(timeout))
    return _information(number) if number else None


def _information(number: int) -> Any:
    return signal.struct_siginfo((number, 0, 0, os.getpid(), os.getuid(), 0, 0))


_OWN: Final[dict[str, Any]] = {name: globals()[name] for name in _REAL}
for _function in _OWN.values():
    _function.__module__ = "signal"  # as they show themselves


def patches(masks: Masks) -> list[Patch]:
    return [
        Patch(sys.modules[__name__], "current", masks),
        *[Patch(signal, name, function) for name, function in _OWN.items()],
    ]
