"""Running programs: `run` and `spawn`.

    net = Network(seed=1)
    client, server = net.host("client"), net.host("server")
    net.cable(client, server, delay="10 ms")
    spawn(server, serve, daemon=True)
    result = run(client, ask, "http://server/")

`serve` and `ask` are ordinary functions that know nothing of netglass.
"""

from __future__ import annotations

import gc
import signal
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from netglass.errors import MisuseError
from netglass.programs import (
    chance,
    children,
    clock,
    current,
    dates,
    deadlock,
    descriptors,
    fence,
    module_locks,
    signals,
    threads,
    tls_secrets,
)
from netglass.programs.hush import Hush
from netglass.programs.kernel import Kernel, Task
from netglass.programs.patches import Patch, Patched
from netglass.programs.processor import Processor
from netglass.programs.watchdog import WATCHDOG, Hung
from netglass.sockets.place import Place

if TYPE_CHECKING:
    from netglass.programs.call_log import CallLog

LIMIT: Final = 60.0
"""Seconds of real time that a run may take."""

MODULES: Final[tuple[str, ...]] = ("calls", "signals")
"""Of `netglass.programs`: each has a `patches(kernel)` -> list[Patch]."""

_waiting: dict[int, Kernel] = {}
"""Runs that have programs but have not begun, by the id of their world."""


def spawn(host: Place, main: Callable[..., Any], *args: Any, name: str = "", daemon: bool = False) -> Task:
    """A program on `host` in a thread of its own: in the run that is going on, or in the next one of this world.

    A run ends when all its programs have, but does not wait for those with `daemon=True`: servers. What the program
    raises is in the task's `error`, and `run` raises it at its end, unless somebody called the task's `wait`.
    """
    _check_host(host)
    kernel = current.kernel()
    if kernel is None:
        kernel = _waiting.setdefault(id(host.world), Kernel(host.world, host))
    return _spawn(kernel, host, main, args, name, daemon)


def _check_host(host: object) -> None:
    if not isinstance(host, Place):
        raise MisuseError(f'a program runs on a host, such as client = Network().host("client"); this is {host!r}')


def _spawn(
    kernel: Kernel, host: Place, main: Callable[..., Any], args: tuple[Any, ...], name: str = "", daemon: bool = False
) -> Task:
    name = name or str(getattr(main, "__name__", "program"))
    task = kernel.spawn(host, threads.program, kernel, main, *args, name=name, daemon=daemon)
    kernel.programs.append(task)
    return task


def run(
    host: Place,
    main: Callable[..., Any],
    *args: Any,
    seed: int | None = None,
    limit: float = LIMIT,
    allow: Iterable[str] = (),
    deterministic_tls: bool = False,
    calls: CallLog | None = None,
) -> Any:
    """Runs `main(*args)` on `host` in the time of its world, until it and all programs and threads but daemons have
    ended; its result. In a lab that is virtual time; on a `drive` it is real: clocks and dates are then the machine's,
    nothing is seeded, there is no `limit`, and files of the operating system can be waited for beside our sockets.

    `seed` decides what programs draw (default: the world's), `limit` is in seconds of real time, `allow` names audit
    events that may leave the lab (see `fence.REFUSED`), `calls` hears of all calls. Inside a run it is `spawn` and
    `wait`.
    """
    _check_host(host)
    inner = current.kernel()
    if inner is not None:
        task = _spawn(inner, host, main, args)
        task.context = inner.context  # a part of the program that waits for it: what it opens may be its result
        return task.wait()
    kernel = _waiting.pop(id(host.world), None) or Kernel(host.world, host)
    kernel.deterministic_tls = deterministic_tls
    if calls is not None:
        kernel.on_sleep = calls.fell_asleep
    with Session(kernel, host, host.seed if seed is None else seed, limit, frozenset(allow), calls):
        if threads.in_event_loop():  # of an async test, say: `main` may have a loop of its own in a thread of its own
            return _run_main(kernel, _spawn(kernel, host, main, args).wait, ())
        return _run_main(kernel, main, args)


def _run_main(kernel: Kernel, main: Callable[..., Any], args: tuple[Any, ...]) -> Any:
    try:
        result = threads.program(kernel, main, *args)
        kernel.wait_for_others()
        kernel.flush()
    except BaseException as error:
        if kernel.bite:
            raise Hung(kernel.bite) from error
        for task in kernel.programs:
            if task.error is not None and not task.seen and task.error is not error:
                error.add_note(f"{task.name} on {task.host.name} had failed before: {task.error!r}")
        raise
    if kernel.bite:  # which the program took for something else
        raise Hung(kernel.bite)
    for task in kernel.programs:
        if task.error is not None and not task.seen:
            raise task.error
    return result


class Session:
    """Everything that is different while a run goes on, and its end."""

    __slots__ = (
        "_allow",
        "_calls",
        "_chance",
        "_host",
        "_idle_threads",
        "_kernel",
        "_limit",
        "_own_garbage",
        "_patched",
        "_processor",
        "_seed",
    )

    def __init__(
        self, kernel: Kernel, host: Place, seed: int, limit: float, allow: frozenset[str], calls: CallLog | None
    ) -> None:
        self._kernel: Kernel = kernel
        self._host: Place = host
        self._seed: int = seed
        self._limit: float = limit
        self._allow: frozenset[str] = allow
        self._calls: CallLog | None = calls
        self._processor: Processor = Processor()
        self._idle_threads: threads.IdleThreads | None = None
        self._own_garbage: bool = False  # what was there before the run is left out when garbage is collected
        self._patched: Patched | None = None
        self._chance: chance.Chance | None = None

    def __enter__(self) -> None:
        kernel = self._kernel
        kernel.before_threads = self._processor.keep
        kernel.interrupt = threads.interrupt_trio
        kernel.report = deadlock.report
        kernel.on_program_end = descriptors.program_ended
        kernel.report_cycle = lambda cycle: deadlock.cycle_report(cycle, kernel.tasks)
        current.enter(kernel)
        try:
            if not kernel.real_time:
                self._chance = chance.Chance(self._seed)
            fence.put_up(self._allow | fence.PASSABLE if kernel.real_time else self._allow)
            replaced = table(kernel, self._allow)
            if self._calls is not None:
                replaced = self._calls.watched(replaced)
            self._patched = Patched(replaced, import_module("netglass.programs.calls").methods())
            if not kernel.real_time:
                dates.enter()
            kernel.begin(self._host)
            signals.enter()
            self._idle_threads = threads.IdleThreads()
            if not kernel.real_time:
                WATCHDOG.watch(kernel, self._limit)
            self._own_garbage = gc.get_freeze_count() == 0
            if self._own_garbage:
                gc.freeze()
        except BaseException:
            self._leave()
            raise

    def __exit__(self, *error: object) -> None:
        hush = Hush()
        try:
            self._kernel.stop_others(hush.mute)
            if self._kernel.ended_badly:
                gc.collect()  # what was broken off is quiet only now
            descriptors.end()
            tls_secrets.end(self._host)
        finally:
            hush.leave()
            self._leave()

    def _leave(self) -> None:
        if self._own_garbage:
            gc.unfreeze()
        WATCHDOG.leave()
        fence.take_down()
        dates.leave()
        unheard = signals.leave()
        if self._idle_threads is not None:
            self._idle_threads.leave()
        if self._patched is not None:
            self._patched.remove()
        current.leave()
        if self._chance is not None:
            self._chance.leave()
        self._processor.leave()
        for number in unheard:
            signal.raise_signal(number)


def table(kernel: Kernel, allow: frozenset[str]) -> list[Patch]:
    """Everything that this run replaces."""
    found = [*threads.patches(), *fence.patches(allow), *module_locks.patches()]
    if kernel.real_time:
        found += [*clock.patches_in_real_time(), *children.patches()]
    else:
        found += [*clock.patches(), *chance.patches()]
    for name in MODULES:
        found.extend(import_module(f"netglass.programs.{name}").patches(kernel))
    return found
