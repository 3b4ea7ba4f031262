"""The run that is going on in this process, if any. One at a time."""

from __future__ import annotations

from netglass.errors import MisuseError
from netglass.programs.kernel import Kernel, Task

_kernel: Kernel | None = None


def enter(kernel: Kernel) -> None:
    global _kernel
    if _kernel is not None:
        raise MisuseError("a run is going on already, in another thread of this process; one at a time")
    _kernel = kernel


def leave() -> None:
    global _kernel
    _kernel = None


def active() -> Kernel | None:
    return _kernel


def kernel() -> Kernel | None:
    """The run that the calling thread belongs to. What is replaced asks this first, and else does what the real thing
    does: so it may outlive the run, and serves threads that do not belong to it."""
    found = _kernel
    return found if found is not None and found.running() is not None else None


def task() -> Task | None:
    """The calling thread as a task; None outside a run."""
    found = _kernel
    return None if found is None else found.running()
