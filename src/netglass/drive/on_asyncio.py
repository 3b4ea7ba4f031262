"""A drive inside an asyncio loop: the loop waits, for the drive's links and timers too.

    async with OnAsyncio(drive) as driven:
        fd = host.sockets.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK)
        host.sockets.connect(fd, ("10.83.0.1", 80), drive.now())
        await driven.ready(host, fd, TO_CONNECT)

The socket calls are those of `sockets`, which never wait; `ready` is the waiting. After calls that send, `flush` or
`ready` puts it on the link.
"""

from __future__ import annotations

import asyncio
from types import TracebackType

from netglass.drive.drive import Drive, DriveHost
from netglass.errors import MisuseError
from netglass.times import NEVER, SECOND
from netglass.world import Waker


class OnAsyncio:
    """While it is entered, the running loop turns `drive`. A device that goes raises LinkError from `ready`."""

    def __init__(self, drive: Drive) -> None:
        self._drive = drive
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due = NEVER
        self._error: OSError | None = None
        self._waiting: set[Readiness] = set()

    async def __aenter__(self) -> OnAsyncio:
        if self._loop is not None:
            raise MisuseError("this drive is in a loop already: leave the first `async with` before the next")
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._drive.fileno(), self._turn)
        self.flush()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._loop is not None
        self._loop.remove_reader(self._drive.fileno())
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._due = NEVER

    def flush(self) -> None:
        """Sends what was called on hosts and sockets, and sees to the timer."""
        self._drive.flush()
        self._set_timer()

    async def ready(self, host: DriveHost, fd: int, mask: int) -> int:
        """Waits until one of the POLL* bits of `mask` is true of `fd`; those that are."""
        if self._loop is None:
            raise MisuseError("ready() belongs into `async with OnAsyncio(drive)`: nobody turns the drive here")
        description = host.sockets.description(fd)
        if description is None:
            raise MisuseError(f"{fd} is no descriptor of {host.name}")
        self.flush()
        while not host.sockets.ready(fd) & mask:
            if self._error is not None:
                raise self._error
            waker = Readiness(self._loop.create_future())
            self._waiting.add(waker)
            description.watchers.append(waker)
            try:
                await waker.future
            finally:
                self._waiting.discard(waker)
                description.watchers.remove(waker)
        return host.sockets.ready(fd) & mask

    def _turn(self) -> None:
        self._timer = None
        self._due = NEVER
        try:
            self._drive.turn(0)
        except OSError as error:
            assert self._loop is not None
            self._error = error
            self._loop.remove_reader(self._drive.fileno())
            for waker in self._waiting:
                waker.wake(0)
            return
        self._set_timer()

    def _set_timer(self) -> None:
        due = self._drive.deadline()
        if self._loop is None or due >= self._due:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._due = due
        self._timer = self._loop.call_later(max(due - self._drive.now(), 0) / SECOND, self._turn)


class Readiness(Waker):
    """One wait of one task."""

    def __init__(self, future: asyncio.Future[None]) -> None:
        self.future = future

    def wake(self, events: int) -> None:
        if not self.future.done():
            self.future.set_result(None)
