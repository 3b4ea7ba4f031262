"""What everything in one lab shares: the agenda, who has which address, who observes, and which programs run."""

from __future__ import annotations

from typing import Any

from netglass.errors import MisuseError
from netglass.host.neighbors import AddressWatcher
from netglass.lab.agenda import Agenda
from netglass.lab.directory import Directory
from netglass.lab.observers import Observers
from netglass.wire.address import is_link_local
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


class AddressBook(AddressWatcher):
    """Enters into the directory what hosts find out by themselves."""

    __slots__ = ("_directory",)

    def __init__(self, directory: Directory) -> None:
        self._directory: Directory = directory

    def address_added(self, host: str, address: bytes) -> None:
        if is_link_local(address) or address in self._directory.names:
            self._directory.add_local(host, address)
        else:
            self._directory.add(host, address)

    def address_removed(self, host: str, address: bytes) -> None:
        self._directory.remove(host, address)


class Scene:
    """One lab."""

    __slots__ = ("agenda", "directory", "failed", "observers", "tasks", "unstarted")

    def __init__(self) -> None:
        self.agenda: Agenda = Agenda()
        self.directory: Directory = Directory()
        self.observers: Observers = Observers()
        self.tasks: dict[Task, None] = {}  # those that run, in the order in which they began
        self.failed: list[Task] = []  # ended with an error that nobody has seen yet
        self.unstarted: str = ""  # the call that a program made and has not begun to wait for

    def promise(self, call: str) -> None:
        """A program made `call`, which does nothing before it is waited for: its first step sets `unstarted` back to
        ""."""
        self.check_started()
        self.unstarted = call

    def check_started(self) -> None:
        if self.unstarted:
            raise self.forgotten()

    def forgotten(self) -> MisuseError:
        """The error of a program that went on without waiting for its call."""
        call, self.unstarted = self.unstarted, ""
        return MisuseError(f'{call} without "yield from" does nothing; write: yield from {call}')

    def note(self, host: str, subject: str, text: str) -> None:
        self.observers.note(host, subject, text, self.agenda.now)
