"""Serves a TUN device for measurements, the kernel at the other end: `wire_server.py DEVICE ADDRESS`.

Port 7000 discards, 7001 sends for ever, 7002 echoes one byte and closes when the peer closes, 7003 echoes. Ordinary
socket calls of netglass, woken by readiness; one process, one thread.
"""

from __future__ import annotations

import sys

from netglass.build import compiled
from netglass.drive import Drive, DriveHost
from netglass.host.config import HostConfig
from netglass.link.tun import Tun
from netglass.sockets.constants import AF_INET, SO_REUSEADDR, SOCK_NONBLOCK, SOCK_STREAM, SOL_SOCKET
from netglass.world import Waker

BLOCK = bytes(256 << 10)
READ = 1 << 24


class Service(Waker):
    """One connection."""

    def __init__(self, host: DriveHost, fd: int) -> None:
        self.sockets = host.sockets
        self.now = host.world.now
        self.fd = fd

    def close(self) -> None:
        description = self.sockets.description(self.fd)
        if description is not None:
            description.watchers.clear()
        self.sockets.close(self.fd, self.now())


class Discard(Service):
    def wake(self, events: int) -> None:
        now = self.now()
        chunks = self.sockets.recv_chunks(self.fd, READ, now)
        if chunks == [] or (isinstance(chunks, int) and chunks != -11):
            self.close()


class SendForEver(Service):
    def wake(self, events: int) -> None:
        now = self.now()
        taken = len(BLOCK)
        while taken == len(BLOCK):
            taken = self.sockets.send(self.fd, BLOCK, now)
        if taken < 0 and taken != -11:
            self.close()


class Echo(Service):
    def wake(self, events: int) -> None:
        now = self.now()
        data = self.sockets.recv(self.fd, READ, now)
        if isinstance(data, bytes) and data:
            self.sockets.send(self.fd, data, now)
        elif data != -11:
            self.close()


class Door(Waker):
    """A listener: every connection gets a service of its own."""

    def __init__(self, host: DriveHost, port: int, service: type[Service]) -> None:
        self.host = host
        self.service = service
        now = host.world.now()
        self.fd = host.sockets.socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK)
        host.sockets.setsockopt(self.fd, SOL_SOCKET, SO_REUSEADDR, 1, now)
        host.sockets.bind(self.fd, ("", port), now)
        host.sockets.listen(self.fd, 1024, now)
        self.watch(self.fd, self)

    def watch(self, fd: int, waker: Waker) -> None:
        description = self.host.sockets.description(fd)
        assert description is not None
        description.watchers.append(waker)

    def wake(self, events: int) -> None:
        sockets = self.host.sockets
        now = self.host.world.now()
        accepted = sockets.accept(self.fd, now, SOCK_NONBLOCK)
        while not isinstance(accepted, int):
            service = self.service(self.host, accepted[0])
            self.watch(accepted[0], service)
            service.wake(0)
            accepted = sockets.accept(self.fd, now, SOCK_NONBLOCK)


def main() -> None:
    device, address = sys.argv[1:3]
    with Drive() as drive:
        host = drive.host("netglass", HostConfig())
        tun = Tun(device)
        drive.attach(host, tun, address)
        for port, service in ((7000, Discard), (7001, SendForEver), (7002, Echo), (7003, Echo)):
            Door(host, port, service)
        print(f"{'compiled' if compiled() else 'pure'} on {tun.name}, offloads {tun.offloads:#x}", file=sys.stderr)
        drive.run()


if __name__ == "__main__":
    main()
