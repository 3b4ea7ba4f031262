"""Threads that a program starts become tasks of its run, on the host of whoever started them."""

from __future__ import annotations

import _thread
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any, Final

from netglass.errors import NetglassError
from netglass.programs import current
from netglass.programs.kernel import Kernel, Stopped, Task
from netglass.programs.locks import LOCK_FACTORIES, EndLock
from netglass.programs.patches import Patch

_START_NEW: Final[Any] = _thread.start_new_thread
_START_JOINABLE: Final[Any] = getattr(_thread, "start_joinable_thread", None)
_SET_SENTINEL: Final[Any] = getattr(_thread, "_set_sentinel", None)


_ACTIVE: Final[dict[int, threading.Thread]] = getattr(threading, "_active")  # noqa: B009 - it is not in the stubs


class Refused(NetglassError, RuntimeError):  # noqa: N818 - what happened to the call
    """The program wanted something that a lab has not; the text says what to do."""


def start_new_thread(function: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any] = {}) -> int:
    """_thread.start_new_thread, which threading uses before Python 3.13"""
    kernel = current.kernel()
    if kernel is None:
        return _START_NEW(function, args, dict(kwargs))  # type: ignore[no-any-return]
    return start(kernel, function, args, kwargs).ident


def start_joinable_thread(function: Callable[[], object], handle: Any = None, daemon: bool = True) -> Any:
    """_thread.start_joinable_thread, which threading uses since Python 3.13"""
    kernel = current.kernel()
    if kernel is None:
        return _START_JOINABLE(function, handle=handle, daemon=daemon)
    task = start(kernel, function, (), {})
    own = Handle(task)
    thread = getattr(function, "__self__", None)
    if isinstance(thread, threading.Thread):
        thread._handle = own  # type: ignore[attr-defined]
    return own


def start(kernel: Kernel, function: Callable[..., object], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Task:
    thread = getattr(function, "__self__", None)
    if isinstance(thread, threading.Thread):
        name, daemon = thread.name, thread.daemon
    else:
        name, daemon = str(getattr(function, "__name__", "thread")), True

    def call() -> None:
        try:
            function(*args, **kwargs)
        except SystemExit:
            pass
        except BaseException as error:
            what = "Exception ignored in thread started by"
            sys.unraisablehook(
                SimpleNamespace(
                    exc_type=type(error),
                    exc_value=error,
                    exc_traceback=error.__traceback__,
                    err_msg=what,
                    object=function,
                )
            )

    return kernel.start(call, kernel.host(), name, daemon)


class Handle:
    """_thread._ThreadHandle: how a Thread of Python 3.13 waits for its end."""

    __slots__ = ("_end", "_task")

    def __init__(self, task: Task) -> None:
        self._task: Task = task
        self._end: EndLock = held_until_end(task)

    @property
    def ident(self) -> int:
        return self._task.ident

    def is_done(self) -> bool:
        return self._task.done

    def join(self, timeout: float | None = None) -> None:
        # A real join takes any negative timeout for none.
        if self._end.acquire(True, -1 if timeout is None or timeout < 0 else timeout):
            self._end.release()

    def _set_done(self) -> None:
        pass


_PY_SIMPLE_QUEUE: Final[Any] = getattr(queue, "_PySimpleQueue")  # noqa: B009 - it is not in the stubs


class SimpleQueue(_PY_SIMPLE_QUEUE):  # type: ignore[misc]
    """queue.SimpleQueue, the one in Python, which is made of locks. A class of its own, since what replaces something
    is put back wherever it stands."""

    __module__ = "_queue"


def held_until_end(task: Task) -> EndLock:
    end = EndLock(task)
    end.acquire()
    end.owner = task
    task.on_end.append(end.end)
    return end


def set_sentinel() -> Any:
    """_thread._set_sentinel: a lock that is released when the calling thread has ended; before Python 3.13."""
    task = current.task()
    if task is None:
        return _SET_SENTINEL()
    end = EndLock(task)
    task.on_end.append(end.end)
    return end


def excepthook(original: Any) -> Any:
    """threading.excepthook, which need not hear that a run is over."""

    def hook(args: Any, /) -> None:
        if not (isinstance(args.exc_type, type) and issubclass(args.exc_type, Stopped)):
            original(args)

    return hook


def patches() -> list[Patch]:
    return [
        *(Patch(_thread, name, factory) for name, factory in LOCK_FACTORIES.items()),
        Patch(_thread, "start_new_thread", start_new_thread),
        Patch(_thread, "start_new", start_new_thread),
        Patch(_thread, "start_joinable_thread", start_joinable_thread),
        Patch(_thread, "_set_sentinel", set_sentinel),
        Patch(threading, "excepthook", excepthook(threading.excepthook), aliases=False),
        Patch(queue, "SimpleQueue", SimpleQueue),
    ]


def program(kernel: Kernel, main: Callable[..., Any], *args: Any) -> Any:
    """`main` in a thread that is as a process's first, and then what Python does at the exit of a process: idle threads
    of pools that nobody shut down are told to go, and waited for."""
    thread: Any = threading.current_thread()
    is_new = isinstance(thread, threading._DummyThread)
    if is_new:
        thread._daemonic = False  # its threads inherit that
        thread.name = kernel.current().name
    try:
        return _with_its_pools(kernel, main, args)
    finally:
        if is_new:
            _ACTIVE.pop(thread.ident, None)


def _with_its_pools(kernel: Kernel, main: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    try:
        result = main(*args)
    except Stopped:
        raise
    except BaseException:
        leave_pools(kernel)
        raise
    leave_pools(kernel)
    return result


def leave_pools(kernel: Kernel) -> None:
    """Those of the running program."""
    pools: Any = sys.modules.get("concurrent.futures.thread")
    if pools is None:
        return
    context = kernel.current().context
    idents = {task.ident for task in kernel.tasks if task.context is context}
    ours = [thread for thread in list(pools._threads_queues) if thread.ident in idents]
    for thread in ours:
        pool = thread._args[0]()
        if pool is not None:
            pool.shutdown(wait=False)
    for thread in ours:
        thread.join()


class IdleThreads:
    """Trio keeps threads that have nothing to do for its next run, in a list of the process. Those of a run end with
    it, and it must not get any from outside."""

    __slots__ = ("_outside",)

    def __init__(self) -> None:
        idle = _trios_idle_threads()
        self._outside: dict[object, None] = dict(idle)
        idle.clear()

    def leave(self) -> None:
        idle = _trios_idle_threads()
        idle.clear()
        idle.update(self._outside)


def _trios_idle_threads() -> dict[object, None]:
    cache = getattr(sys.modules.get("trio._core._thread_cache"), "THREAD_CACHE", None)
    found = getattr(cache, "_idle_workers", None)
    return found if isinstance(found, dict) else {}


def interrupt_trio() -> bool:
    """If the calling thread is in trio.run, this does what Ctrl-C does: everything is cancelled, in order. Any other
    error out of its wait for events would leave all of it as it is."""
    runner = _trios_runner()
    if runner is None or not hasattr(runner, "deliver_ki"):
        return False
    runner.deliver_ki()
    return True


def _trios_runner() -> Any:
    """That of the calling thread; None if it is not in trio.run."""
    context = getattr(sys.modules.get("trio._core._run"), "GLOBAL_RUN_CONTEXT", None)
    return getattr(context, "runner", None)


def in_event_loop() -> bool:
    """True in a coroutine of asyncio or Trio: no other loop can be started in the same thread."""
    asyncio = sys.modules.get("asyncio")
    return _trios_runner() is not None or (asyncio is not None and asyncio._get_running_loop() is not None)
