"""Who runs: real threads, of which a baton lets exactly one run at any time.

A thread that has to wait parks. It hands the baton to the next that can go on; when nobody can, it lets the world's
time pass until somebody can. So threads run in the order in which they were woken, and never at once: the same
program, the same order, always. Nothing and nobody left is a deadlock, and the report says who waits for what.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final

from netglass.errors import MisuseError, NetglassError
from netglass.programs import raw
from netglass.programs.context import Context
from netglass.programs.raw import Started, get_ident
from netglass.sockets.place import Place
from netglass.times import NEVER, SECOND
from netglass.world import Waker, World

SPINS: Final = 1000
"""Calls that look (at the clock, at a lock) without waiting, before each of them lets a microsecond pass: whoever
loops until the time has come must see it come."""

SPIN_TIME: Final = 1000  # ns

GRACE: Final = SECOND
"""For what a task does when it is told to end: cancel coroutines, close connections. In the world's time."""

STUBBORN: Final = 100
"""How often a task that is to end may catch `Stopped` and wait again, before it is left behind."""


class Stopped(SystemExit):
    """Ends a task that still waits when its run is over. Programs know what is to be done when SystemExit comes: let it
    through, and say nothing."""


class Signalled(BaseException):
    """Thrown into the main task to wake it: it has signals to handle."""


SIGNALLED: Final = Signalled()


class Deadlock(NetglassError, RuntimeError):  # noqa: N818 - the thing itself, not an error about it
    """Nobody can go on and nothing is left to happen. The text names each task and what it waits for."""


class Task:
    """One thread of a run."""

    __slots__ = (
        "alarm_at",
        "busy",
        "context",
        "daemon",
        "deadline",
        "done",
        "error",
        "gate",
        "host",
        "ident",
        "joiners",
        "kernel",
        "name",
        "number",
        "on_end",
        "parked",
        "result",
        "seen",
        "spins",
        "stops",
        "thread",
        "thrown",
        "wait_number",
        "waits_for",
        "waker",
        "woken",
    )

    def __init__(self, kernel: Kernel, host: Place, name: str, daemon: bool, number: int) -> None:
        self.kernel: Kernel = kernel
        self.host: Place = host
        self.name: str = name
        self.number: int = number  # from 0, the main task, in the order of creation
        self.daemon: bool = daemon  # the run does not wait for its end
        self.ident: int = 0  # threading.get_ident() of its thread
        self.done: bool = False
        self.result: Any = None
        self.error: BaseException | None = None
        self.seen: bool = False  # somebody waits for its end and gets its error
        self.context: Context = kernel.context
        self.thread: Started | None = None  # None: the main task
        self.waits_for: object = None  # str() of it tells what, in a report
        self.joiners: list[Task] = []
        self.on_end: list[Callable[[], None]] = []  # called when it is done, by its own thread
        self.spins: int = 0
        self.busy: int = 0  # ns of processor time: those that passed for it alone
        self.waker: TaskWaker = TaskWaker(self)  # for `description.watchers`
        # The kernel's own:
        self.gate: Any = raw.allocate_lock()  # it waits here for the baton
        self.gate.acquire()
        self.parked: bool = False
        self.woken: bool = False
        self.thrown: BaseException | None = None  # to be raised where it waits
        self.deadline: int = NEVER
        self.alarm_at: int = NEVER  # its entry among the alarms that counts
        self.wait_number: int = 0  # of its wait
        self.stops: int = 0

    def __repr__(self) -> str:
        state = "done" if self.done else f"waits: {self.waits_for}" if self.parked else "can run"
        return f"<task {self.name} on {self.host.name}: {state}>"

    def wait(self) -> Any:
        """Waits for its end; its result, or its error."""
        kernel = self.kernel
        me = kernel.current()
        self.seen = True
        while not self.done:
            self.joiners.append(me)
            kernel.park(f"the end of {self.name}")
        if self.error is not None:
            raise self.error
        return self.result


class TaskWaker(Waker):
    """Wakes a task: for `description(fd).watchers`, or any endpoint."""

    __slots__ = ("task",)

    def __init__(self, task: Task) -> None:
        self.task: Task = task

    def wake(self, events: int) -> None:
        self.task.kernel.unpark(self.task)


class Kernel:
    """One run. The thread that calls `begin` is the main task and has the baton first; tasks that were spawned before
    follow.

    park, unpark and their like may only be called by the task that runs, or by what happens in the world meanwhile.
    """

    def __init__(self, world: World, host: Place, name: str = "main") -> None:
        self.world: World = world
        self.real_time: bool = world.in_real_time()
        self.tasks: list[Task] = []
        self.switches: int = 0  # how often the baton changed hands
        self.busy: int = 0  # ns of processor time, of all tasks
        self.before_threads: Callable[[], None] | None = None  # called when the main task is no longer alone
        self.programs: list[Task] = []  # spawned by name, so that their errors matter
        self.deterministic_tls: bool = False
        self.left_behind: list[Task] = []  # would not end
        self.ended_badly: bool = False  # tasks had to be told to end
        self.interrupt: Callable[[], bool] = _not_interrupted  # tells the running task to end in a way of its own
        self.on_signal: Callable[[], None] = _do_nothing  # by the main task, after `signal_main`
        self.on_program_end: Callable[[Context], None] = _leave_open  # by the last thread of a program
        self.report: Callable[[Kernel], str] = plain_report
        self.report_cycle: Callable[[list[Task]], str] = plain_cycle
        self.on_sleep: Callable[[Task], None] | None = None  # told when a task is about to wait
        self.context: Context = Context()  # of the program that runs
        self._ready: deque[Task] = deque()
        self._alarms: list[tuple[int, int, Task]] = []
        self._waits: int = 0
        self._born: int = 0
        self.bite: str = ""  # the watchdog's report, once it has bitten
        self._ending: Started | None = None  # the thread that gave the baton away at its end, until it is gone
        self._passing: bool = False  # time passes: whoever is woken interrupts that
        self._ends: bool = False  # all tasks but the main one have been told to end
        self._over: bool = False  # every wait ends with Stopped
        self._begun: bool = False
        self._unstarted: list[tuple[Task, Callable[[], None]]] = []
        self.main: Task = self._new_task(host, name, False)
        self._running: Task = self.main

    def begin(self, host: Place) -> None:
        """The thread that calls this is the main task from now on, on `host`."""
        self.main.host = host
        self.main.ident = get_ident()
        self._begun = True
        for task, call in self._unstarted:
            self._start_thread(task, call)
        self._unstarted.clear()
        self.world.breathe()  # the first call of all may ask for a route

    # -- who

    def running(self) -> Task | None:
        """The task whose thread this is; None in any other thread."""
        task = self._running
        return task if task.ident == get_ident() else None

    def current(self) -> Task:
        task = self._running
        if task.ident != get_ident():
            raise MisuseError(
                "this thread does not belong to the run: it was started before netglass.run, or by a C library; "
                "start threads inside the run"
            )
        return task

    def holder(self) -> Task:
        """Who has the baton, whoever asks."""
        return self._running

    def host(self) -> Place:
        """The host of the running task."""
        return self._running.host

    def now(self) -> int:
        return self.world.now()

    # -- waiting

    def park(self, what: object, deadline: int = NEVER) -> bool:
        """The running task waits until somebody unparks it (True) or until `deadline` (False), in ns of `now`.

        Anybody may unpark it for any reason: look again, in a loop. A deadline that has passed lets the others go
        first. `what` tells in a report what the task waits for, by its str().
        """
        task = self.current()
        task.spins = 0
        return self._park(task, what, deadline)

    def _park(self, task: Task, what: object, deadline: int) -> bool:
        if self._over:
            self._stop_again(task)
        if task.parked:
            raise MisuseError(f"{task.name} waits already; a finaliser or a probe called something that waits")
        task.waits_for = what
        if self.on_sleep is not None:
            self.on_sleep(task)
        task.woken = False
        task.parked = True
        task.deadline = deadline
        if task.thrown is not None:
            self.unpark(task)  # it came while the task ran: a signal in the middle of our own code
        if self._ready:
            task.host.flush()  # else the world's first step is to carry out what was called
        if deadline != NEVER:
            self._set_alarm(task, deadline)
        self._give_baton(task)
        task.deadline = NEVER
        if task.thrown is not None:
            error = task.thrown
            task.thrown = None
            if error is SIGNALLED:
                self.on_signal()
                return True
            if self._ends and not self._over and self.interrupt():
                return True
            raise error
        return task.woken

    def _set_alarm(self, task: Task, deadline: int) -> None:
        self._waits += 1
        task.wait_number = self._waits
        if deadline < task.alarm_at:
            task.alarm_at = deadline
            heappush(self._alarms, (deadline, self._waits, task))
        if deadline <= self.world.now():
            task.host.flush()
            if task.parked:
                task.parked = False
                self._ready.append(task)

    def unpark(self, task: Task) -> None:
        """Lets a task that waits go on, after those that can already. Does nothing to one that does not wait: nothing
        is remembered."""
        if task.parked:
            task.parked = False
            task.woken = True
            self._ready.append(task)
            if self._passing:
                self.world.interrupt()

    def throw(self, task: Task, error: BaseException) -> None:
        """Raises `error` in a task where it waits, or at its next wait."""
        task.thrown = error
        self.unpark(task)

    def spin(self) -> None:
        """To be called by whatever only looks, and does not wait: a clock, a try to acquire, a poll without time. See
        SPINS."""
        task = self._running
        if self.real_time:
            self._breathe()
            return
        task.spins += 1
        if task.spins > SPINS and task.ident == get_ident() and not task.parked:
            task.busy += SPIN_TIME
            self.busy += SPIN_TIME
            self._park(task, "a microsecond (it looks at something again and again)", self.world.now() + SPIN_TIME)

    def _breathe(self) -> None:
        """In real time: what has happened takes effect, and whoever can run by now goes first."""
        self.world.breathe()
        self._ring(self.world.now())
        if self._ready:
            self._park(self.current(), "its turn", 0)

    def give_way(self) -> None:
        """Lets the others that can run go first: sleep(0)."""
        self.spin()
        if self._ready:
            self._park(self.current(), "its turn", 0)

    def flush(self) -> None:
        """Carries out what the running task's socket calls brought about, now and not when it waits next."""
        self._running.host.flush()

    def signal_main(self) -> None:
        """The main task calls `on_signal` as soon as it has the baton: handlers are Python code of the program. May be
        called by its thread, without the baton."""
        main = self.main
        if main.thrown is None:
            main.thrown = SIGNALLED
        self.unpark(main)

    # -- the baton

    def _give_baton(self, task: Task) -> None:
        if self.real_time and self._ready:
            self.world.breathe()  # else those who can always run would keep the network and the alarms waiting
            self._ring(self.world.now())
        following = self._ready.popleft() if self._ready and not self.bite else self._next()
        if following is task:
            return
        switches = self.switches
        try:
            self._hand_over(following)
            task.gate.acquire()
        except BaseException as error:
            self._take_after_error(task, following, switches, error)
        if self._ending is not None:
            self._let_go()

    def _hand_over(self, following: Task) -> None:
        if following.context is not self.context:
            self.context.leave()
            self.context = following.context
            self.context.enter()
        # No call from here on: an error of a signal comes before all of it or after it.
        self.switches += 1
        self._running = following
        following.gate.release()

    def _let_go(self) -> None:
        """A task's finalisers run until its thread is gone."""
        ending = self._ending
        self._ending = None
        if ending is not None:
            ending.join()

    def _take_after_error(self, task: Task, following: Task, switches: int, error: BaseException) -> None:
        """A handler of a signal that knows nothing of batons (or the watchdog) raised while the task gave the baton
        away, waited for it, or just got it: the error is raised with the baton in hand."""
        if self.switches == switches:
            self._ready.appendleft(following)  # it had not been given away
            self._keep_baton(task)
        while self._running is not task:
            if task.thrown is None:
                self.throw(task, error)
            try:
                task.gate.acquire()
            except BaseException as again:
                error = again
            else:
                return
        task.gate.acquire(False)
        task.thrown = error

    def _keep_baton(self, task: Task) -> None:
        if task.parked:
            task.parked = False
        else:
            self._ready.remove(task)
        if self.context is not task.context:
            self.context = task.context
            self.context.enter()

    def _next(self) -> Task:
        ready = self._ready
        if self.bite and not self._over:
            self._throw_in_main(Stopped())
        while not ready:
            try:
                self._let_time_pass()
            except BaseException as error:
                self._throw_in_main(error)
        return ready.popleft()

    def _throw_in_main(self, error: BaseException) -> None:
        main = self.main
        main.thrown = error
        if main.parked:
            self.unpark(main)
        elif main not in self._ready:
            self._ready.append(main)

    def _let_time_pass(self) -> None:
        deadline = self._next_alarm()
        self._passing = True
        try:
            if self._ready:
                return  # a signal came before it could interrupt
            self.world.wait(deadline)
        finally:
            self._passing = False
        if self._ready:
            return
        if deadline != NEVER:
            self._ring(self.world.now())
        elif not self.world.run_next() and not self._ready:
            raise Deadlock(self.report(self))

    def _next_alarm(self) -> int:
        alarms = self._alarms
        while alarms:
            when, _, task = alarms[0]
            if when == task.alarm_at and task.parked and task.deadline == when:
                return when
            heappop(alarms)
            if when == task.alarm_at:
                task.alarm_at = NEVER
                if task.parked and task.deadline != NEVER:
                    task.alarm_at = task.deadline
                    heappush(alarms, (task.deadline, task.wait_number, task))
        return NEVER

    def _ring(self, now: int) -> None:
        while self._next_alarm() <= now:
            task = heappop(self._alarms)[2]
            task.alarm_at = NEVER
            task.parked = False
            self._ready.append(task)

    def fail_with_cycle(self, cycle: list[Task]) -> None:
        """Tasks that wait for each other for ever, the running one first and about to wait: the main task is told."""
        error = Deadlock(self.report_cycle(cycle))
        if self._running is self.main:
            raise error
        self.throw(self.main, error)

    # -- tasks

    def spawn(self, host: Place, call: Callable[..., Any], *args: Any, name: str = "", daemon: bool = False) -> Task:
        """A new thread on `host` that calls `call(*args)`; it can run from now on, after those that can already."""
        name = name or str(getattr(call, "__name__", "program"))

        def keep_result() -> None:
            task.result = call(*args)

        task = self.start(keep_result, host, name, daemon)
        task.context = Context(daemon)
        return task

    def start(self, call: Callable[[], None], host: Place, name: str, daemon: bool) -> Task:
        """As `spawn`, without arguments and result: what `threading` needs."""
        task = self._new_task(host, name, daemon)
        self._ready.append(task)
        if self._begun:
            self._start_thread(task, call)
        else:
            self._unstarted.append((task, call))
        return task

    def _start_thread(self, task: Task, call: Callable[[], None]) -> None:
        if self.before_threads is not None:
            self.before_threads()
            self.before_threads = None

        def body() -> None:
            self._body(task, call)

        task.thread = raw.start(body)
        task.ident = task.thread.ident

    def _new_task(self, host: Place, name: str, daemon: bool) -> Task:
        if host.world is not self.world:
            raise MisuseError(f"{host.name!r} belongs to another network than this run")
        task = Task(self, host, name, daemon, self._born)
        self._born += 1
        self.tasks.append(task)
        return task

    def _body(self, task: Task, call: Callable[[], None]) -> None:
        task.gate.acquire()
        if self._ending is not None:
            self._let_go()
        try:
            if task.thrown is None and not self._over:
                call()
        except Stopped:
            pass
        except BaseException as error:
            if not self._ends:  # then nobody will ask, and it would keep alive what the program left behind
                task.error = error
        finally:
            self._end(task)

    def _end(self, task: Task) -> None:
        task.done = True
        self.tasks.remove(task)
        try:
            task.host.flush()
            for call in task.on_end:
                call()
            if not any(other.context is task.context for other in self.tasks):
                self.on_program_end(task.context)
        except BaseException as error:
            self._throw_in_main(error)
        for joiner in task.joiners:
            self.unpark(joiner)
        task.joiners.clear()
        task.on_end.clear()
        following = self._next()
        self._ending = task.thread
        self._hand_over(following)

    # -- the end of a run

    def wait_for_others(self) -> None:
        """The main task waits until all tasks have ended that are no daemons, nor threads of a program that is one."""
        others = self._awaited()
        while others:
            others[0].joiners.append(self.main)
            self.park(f"the end of {others[0].name}")
            others = self._awaited()

    def _awaited(self) -> list[Task]:
        me = self.main
        return [task for task in self.tasks if task is not me and not task.daemon and not task.context.daemon]

    def stop_others(self, before_threads_end: Callable[[], None]) -> None:
        """Ends all tasks but the main one: `Stopped` is raised where they wait. First those that are programs, which
        may end their threads in order; then whoever is left. They have GRACE, all together, to put things away; after
        that, whatever they wait for raises it again."""
        self._ends = True
        deadline = self.world.now() + GRACE
        try:
            if not self.bite:
                self._tell([task for task in self.programs if not task.done], deadline)
            before_threads_end()
            if not self.bite:
                self._tell(self.tasks[1:], deadline)
        finally:
            self._over = True
            self._stop_remaining()

    def _tell(self, tasks: list[Task], deadline: int) -> None:
        for task in tasks:
            self.throw(task, Stopped())
        try:
            while self.world.now() < deadline:
                left = [task for task in tasks if not task.done]
                if not left:
                    return
                self.ended_badly = True
                left[0].joiners.append(self.main)
                self._park(self.main, f"the end of {left[0].name}", deadline)
        except (Exception, Stopped):
            return  # of the network, or the watchdog's: the run is over, and what it came to is known

    def _stop_remaining(self) -> None:
        me = self.main
        for task in [task for task in self.tasks if task is not me]:
            if task in self.tasks:
                self._stop(task)
        self._ready.clear()

    def _stop(self, task: Task) -> None:
        """Runs the task alone until it has ended, or waits for ever."""
        self._ready.clear()
        task.parked = False
        task.thrown = Stopped()
        task.joiners.append(self.main)
        self.main.parked = True
        self._ready.append(task)
        self._give_baton(self.main)
        self.main.parked = False
        self.main.thrown = None

    def _stop_again(self, task: Task) -> None:
        if task is self.main:
            raise MisuseError("the run is over")
        task.stops += 1
        if task.stops < STUBBORN:
            raise Stopped
        # It catches everything. Its thread stays behind, without the baton, for ever.
        self.left_behind.append(task)
        self.tasks.remove(task)
        for call in task.on_end:
            call()
        self._ready.clear()
        self._hand_over(self.main)
        task.gate.acquire()


def _not_interrupted() -> bool:
    return False


def _do_nothing() -> None:
    pass


def _leave_open(context: Context) -> None:
    pass


def plain_report(kernel: Kernel) -> str:
    lines = ["nobody can go on, and nothing is left to happen:"]
    lines.extend(f"  {task.name} on {task.host.name} waits for {task.waits_for}" for task in kernel.tasks)
    return "\n".join(lines)


def plain_cycle(cycle: list[Task]) -> str:
    return " waits for ".join([task.name for task in [*cycle, cycle[0]]])
