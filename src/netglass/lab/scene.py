"""What everything in one lab shares: the agenda, who has which address, who observes, and which programs run."""

from __future__ import annotations

from typing import Any

from netglass.lab.agenda import Agenda
from netglass.lab.directory import Directory
from netglass.lab.observers import Observers
from netglass.world import Waker


class Task(Waker):
    """A program that runs, as the scene sees it: `done`, then `result` or `error`."""

    __slots__ = ("done", "error", "name", "result")

    def __init__(self, name: str) -> None:
        self.name: str = name
        self.done: bool = False
        self.result: Any = None
        self.error: Exception | None = None

    def wake(self, events: int) -> None:
        raise NotImplementedError

    def where(self) -> str:
        """The host's name."""
        raise NotImplementedError

    def waiting(self) -> str:
        """What it waits for, in words."""
        raise NotImplementedError


class Scene:
    """One lab."""

    __slots__ = ("agenda", "directory", "failed", "observers", "tasks")

    def __init__(self) -> None:
        self.agenda: Agenda = Agenda()
        self.directory: Directory = Directory()
        self.observers: Observers = Observers()
        self.tasks: dict[Task, None] = {}  # those that run, in the order in which they began
        self.failed: list[Task] = []  # ended with an error that nobody has seen yet

    def note(self, host: str, subject: str, text: str) -> None:
        self.observers.note(host, subject, text, self.agenda.now)
