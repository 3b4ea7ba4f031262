"""Programs of the lab: generators that wait with `yield from`, in virtual time.

    def server(io):
        listener = io.listen(80)
        stream = yield from listener.accept()
        request = yield from stream.receive(100)
        yield from stream.send(b"hello")
        stream.close()

A blocking call is a call of `sockets`, and, while it says "try again", a wait for readiness: the generator yields a
`Wait`, its process watches the socket, and goes on when something may have changed. Nothing here knows TCP.

Such a call without `yield from` would do nothing and say nothing. So each leaves its name in the scene when it is made
(`Scene.promise`), and takes it back when it begins; a name that is still there at the next call, at the next wait or at
the program's end is an error.

A process is more a thread than a process of an operating system: what a program leaves open stays open when it ends.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from netglass.errors import MisuseError
from netglass.lab.agenda import Target
from netglass.lab.machine import Machine
from netglass.lab.scene import Task
from netglass.sockets.description import Description
from netglass.times import NEVER


class Wait:
    """What a process waits for: that `description` wakes it, that `process` ends, or that time passes; whichever
    comes first."""

    __slots__ = ("deadline", "description", "doing", "process", "whom")

    def __init__(
        self,
        doing: str,
        whom: str = "",
        description: Description | None = None,
        process: Process | None = None,
        deadline: int = NEVER,
    ) -> None:
        self.doing: str = doing
        self.whom: str = whom
        self.description: Description | None = description
        self.process: Process | None = process
        self.deadline: int = deadline


Steps = Generator[Any, None, Any]
"""What a program is: a generator of `Wait` whose return value is the process's result."""


class Process(Task):
    """One running program."""

    __slots__ = ("_alarm", "_steps", "_turn", "awaiting", "machine", "wait_for")

    def __init__(self, name: str, machine: Machine, steps: Steps) -> None:
        super().__init__(name)
        self.machine: Machine = machine
        self.wait_for: Wait | None = None
        self._steps: Steps = steps
        self._turn: Turn = Turn(self)
        self._alarm: int = 0  # the number of the wait whose alarm counts
        self.awaiting: list[Process] = []  # those that wait for its end
        machine.agenda.ready.append(self._turn)

    def __repr__(self) -> str:
        return f"<process {self.name} on {self.machine.name}: {self.waiting()}>"

    def wait(self) -> Steps:
        """`result = yield from process.wait()`: its result; its error is raised here, and not by `run`."""
        self.machine.scene.promise("process.wait()")
        return self._outcome()

    def _outcome(self) -> Steps:
        self.machine.scene.unstarted = ""
        while not self.done:
            yield Wait("wait for", self.name, process=self)
        if self.error is not None:
            raise self.error
        return self.result

    def where(self) -> str:
        return self.machine.name

    def waiting(self) -> str:
        if self.done:
            return "done"
        wait = self.wait_for
        return "ready" if wait is None else f"{wait.doing} {wait.whom}".rstrip()

    # -- scheduling

    def wake(self, events: int) -> None:
        if self.wait_for is not None:
            self._end_wait()
            self.machine.agenda.ready.append(self._turn)

    def alarm(self, number: int) -> None:
        if number == self._alarm:
            self.wake(0)

    def step(self, now: int) -> None:
        """Runs the program up to its next wait."""
        scene = self.machine.scene
        try:
            wait = next(self._steps)
            if scene.unstarted or not isinstance(wait, Wait):
                raise scene.forgotten() if scene.unstarted else self._strange(wait)
        except StopIteration as stop:
            self._end(stop.value, scene.forgotten() if scene.unstarted else None)
        except Exception as error:
            scene.unstarted = ""
            self._end(None, error)
        else:
            self._begin_wait(wait)
        self.machine.flush(now)

    def _strange(self, wait: object) -> MisuseError:
        what = f"{self.name} on host {self.machine.name} yielded {wait!r}"
        return MisuseError(f'{what}; a program waits with "yield from", as in: yield from io.sleep("1 s")')

    def _begin_wait(self, wait: Wait) -> None:
        self.wait_for = wait
        if wait.description is not None:
            wait.description.watchers.append(self)
        if wait.process is not None:
            wait.process.awaiting.append(self)
        if wait.deadline != NEVER:
            self.machine.agenda.enter(wait.deadline, self._turn, self._alarm)

    def _end_wait(self) -> None:
        wait = self.wait_for
        self.wait_for = None
        self._alarm += 1
        if wait is not None and wait.description is not None:
            wait.description.watchers.remove(self)

    def _end(self, result: Any, error: Exception | None) -> None:
        self.done = True
        del self.machine.scene.tasks[self]
        self.result = result
        self.error = error
        if error is not None and not self.awaiting:
            self.machine.scene.failed.append(self)
        for process in self.awaiting:
            process.wake(0)


class Turn(Target):
    """A process in the agenda: without an item it goes on, with one an alarm rings."""

    __slots__ = ("_process",)

    def __init__(self, process: Process) -> None:
        self._process: Process = process

    def happen(self, item: object, now: int) -> None:
        if isinstance(item, int):
            self._process.alarm(item)
        else:
            self._process.step(now)


Program = Callable[..., Steps]
