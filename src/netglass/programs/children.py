"""Child processes, in real time: who waits for one lets the other tasks run meanwhile. In virtual time there are none
(`fence`)."""

from __future__ import annotations

import os
from contextlib import suppress
from typing import Any, Final

from netglass.programs import current
from netglass.programs.descriptors import active
from netglass.programs.kernel import Kernel
from netglass.programs.patches import Patch

_REAL: Final[dict[str, Any]] = {name: getattr(os, name) for name in ("waitpid", "wait4") if hasattr(os, name)}
_PIDFD: Final[Any] = getattr(os, "pidfd_open", None)


def waitpid(pid: int, options: int, /) -> Any:
    """os.waitpid"""
    _wait_for(pid, options)
    return _REAL["waitpid"](pid, options)


def wait4(pid: int, options: int) -> Any:
    """os.wait4"""
    _wait_for(pid, options)
    return _REAL["wait4"](pid, options)


def _wait_for(pid: int, options: int) -> None:
    """Until the process has ended. Of a group of processes nobody can tell; then the system call itself waits."""
    kernel = current.kernel()
    if kernel is None or options & os.WNOHANG or pid <= 0 or kernel.running() is None:
        return
    try:
        descriptor = _PIDFD(pid)
    except OSError:
        return  # waitpid knows what is the matter
    try:
        _until_readable(kernel, descriptor, f"the end of process {pid}")
    finally:
        os.close(descriptor)


def wait_to_read(number: int) -> None:
    """Before a read of a file of the operating system that may block: a pipe, a terminal."""
    kernel = current.kernel()
    if kernel is None or not kernel.real_time or kernel.running() is None or not os.get_blocking(number):
        return
    with suppress(OSError):
        _until_readable(kernel, number, f"something to read on the real descriptor {number}")


def _until_readable(kernel: Kernel, number: int, what: str) -> None:
    run = active()
    file = run.real_files.find(number, run.place()[1].core)
    waker = kernel.current().waker
    file.watchers.append(waker)
    try:
        while not file.readiness():
            kernel.park(what)
    finally:
        file.watchers.remove(waker)


def patches() -> list[Patch]:
    if _PIDFD is None:
        return []
    return [Patch(os, name, globals()[name]) for name in _REAL]
