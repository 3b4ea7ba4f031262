"""Small servers over the socket calls of a driven host, woken by readiness: what the kernel's programs talk to."""

from __future__ import annotations

import hashlib

from netglass import errnos
from netglass.drive import DriveHost
from netglass.sockets.constants import AF_INET6, SO_REUSEADDR, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET
from netglass.world import Waker

WAIT = -errnos.EAGAIN


class Conversation(Waker):
    """One accepted connection: what is queued in `unsent` goes out as there is room, then the end if `finished`."""

    def __init__(self, host: DriveHost, fd: int) -> None:
        self.host = host
        self.fd = fd
        self.unsent = b""
        self.finished = False
        self.closed = False

    def now(self) -> int:
        return self.host.world.now()

    def wake(self, events: int) -> None:
        while not self.closed:
            data = self.host.sockets.recv(self.fd, 1 << 20, self.now())
            if isinstance(data, int):
                break
            self.heard(data)
            if not data:
                break
        self.push()

    def heard(self, data: bytes) -> None:
        """Data that came; b"" at the end."""
        raise NotImplementedError

    def push(self) -> None:
        while self.unsent and not self.closed:
            taken = self.host.sockets.send(self.fd, self.unsent[: 256 << 10], self.now())
            if taken < 0:
                return
            self.unsent = self.unsent[taken:]
        if self.finished and not self.closed:
            self.closed = True
            self.host.sockets.close(self.fd, self.now())


class WebServer(Conversation):
    """HTTP/1.0, one page: GET /NUMBER is so many bytes."""

    def __init__(self, host: DriveHost, fd: int) -> None:
        super().__init__(host, fd)
        self.request = b""

    def heard(self, data: bytes) -> None:
        self.request += data
        if b"\r\n\r\n" in self.request and not self.finished:
            size = int(self.request.split()[1].strip(b"/"))
            self.unsent = b"HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n" % size + page(size)
            self.finished = True
        elif not data:
            self.finished = True


class Digest(Conversation):
    """Answers all that came with its SHA-256."""

    def __init__(self, host: DriveHost, fd: int) -> None:
        super().__init__(host, fd)
        self.digest = hashlib.sha256()

    def heard(self, data: bytes) -> None:
        self.digest.update(data)
        if not data:
            self.unsent = self.digest.hexdigest().encode()
            self.finished = True


class Door(Waker):
    """Listens on `port`, IPv4 and IPv6; each connection gets a `kind` of conversation."""

    def __init__(self, host: DriveHost, port: int, kind: type[Conversation]) -> None:
        self.host = host
        self.kind = kind
        now = host.world.now()
        self.fd = host.sockets.socket(AF_INET6, SOCK_STREAM | SOCK_NONBLOCK)
        host.sockets.setsockopt(self.fd, SOL_SOCKET, SO_REUSEADDR, 1, now)
        assert host.sockets.bind(self.fd, ("::", port), now) == 0
        assert host.sockets.listen(self.fd, 64, now) == 0
        self.watch(self.fd, self)

    def watch(self, fd: int, waker: Waker) -> None:
        description = self.host.sockets.description(fd)
        assert description is not None
        description.watchers.append(waker)

    def wake(self, events: int) -> None:
        accepted = self.host.sockets.accept(self.fd, self.host.world.now(), SOCK_NONBLOCK)
        while not isinstance(accepted, int):
            made = self.kind(self.host, accepted[0])
            self.watch(accepted[0], made)
            made.wake(0)
            accepted = self.host.sockets.accept(self.fd, self.host.world.now(), SOCK_NONBLOCK)


def page(size: int) -> bytes:
    return (b"".join([b"%07d\n" % line for line in range(1000)]) * (size // 8000 + 1))[:size]
