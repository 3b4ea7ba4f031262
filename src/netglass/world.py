"""Who makes time pass, and who wants to hear of it. `lab` (virtual) and `drive` (real) implement `World`; programs know
only this."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

from netglass.build import mypyc_attr
from netglass.times import NEVER


@mypyc_attr(allow_interpreted_subclasses=True)
class World(ABC):
    """A scheduler: the time now, the next thing to happen, and waiting until a deadline."""

    @abstractmethod
    def now(self) -> int:
        """The time, in nanoseconds."""
        raise NotImplementedError

    @abstractmethod
    def run_next(self) -> bool:
        """Let the next event happen. False if nothing is left to happen."""
        raise NotImplementedError

    @abstractmethod
    def wait(self, deadline: int) -> None:
        """Let events happen until `deadline`, or until one of them woke somebody (who called `interrupt`)."""
        raise NotImplementedError

    @abstractmethod
    def interrupt(self) -> None:
        """For a waker: `wait` returns after the event that is happening."""
        raise NotImplementedError

    def breathe(self) -> None:
        """For whoever begins, or keeps the processor: let what has happened meanwhile take effect, without waiting."""
        return

    # What only a world in real time has. In virtual time nothing happens by itself, and no file can become ready.

    def in_real_time(self) -> bool:
        return False

    def watch(self, descriptor: int, waker: Waker) -> bool:
        """Wakes `waker` whenever a file of the operating system becomes readable or writable. False if such a file is
        always both."""
        return False

    def unwatch(self, descriptor: int) -> None:
        """No longer. A descriptor that is closed has left by itself."""
        return


@mypyc_attr(allow_interpreted_subclasses=True)
class Waker(ABC):
    """Whoever waits for a socket. The host calls it after a packet, a timer or a call has been dealt with whole, never
    in the middle."""

    @abstractmethod
    def wake(self, events: int) -> None:
        """`events` (POLL* bits) may have become true since the last call. One bit may come again: look, do not
        count."""
        raise NotImplementedError


@mypyc_attr(allow_interpreted_subclasses=True)  # since Service, which builds on it, does
class Endpoint:
    """What the host files, wakes and times: a connection, a listener, a UDP or raw port. The fields are the host's own
    bookkeeping."""

    __slots__ = ("dirty", "scheduled_at", "waker")

    def __init__(self) -> None:
        self.waker: Waker | None = None  # set by whoever waits
        self.dirty: bool = False  # in the host's list of those to drain
        self.scheduled_at: int = NEVER  # the host's timer heap has an entry for then


@mypyc_attr(allow_interpreted_subclasses=True)
class Service(Endpoint):
    """Something of the host itself that sends by itself and has timers: reassembly, neighbours, group membership. The
    host's schedule serves it as it serves an endpoint: marked when something happened to it, drained, filed under its
    deadline."""

    @property
    def deadline(self) -> int:
        """When `handle_timeout` is to be called; NEVER if nothing is waited for."""
        raise NotImplementedError

    def handle_timeout(self, now: int) -> None:
        """The deadline has come. What follows from it is sent by `drain`."""
        raise NotImplementedError

    def drain(self, now: int) -> None:
        """Send what there is to send."""
        raise NotImplementedError


# Readiness bits, with Linux's values (poll(2)).
POLLIN: Final = 0x001
POLLPRI: Final = 0x002
POLLOUT: Final = 0x004
POLLERR: Final = 0x008
POLLHUP: Final = 0x010
POLLNVAL: Final = 0x020
POLLRDHUP: Final = 0x2000
