"""Two hosts on one wire with a fixed delay, and the socket calls of both. Nothing happens but by `run`."""

from __future__ import annotations

from heapq import heappop, heappush

from netglass.host.config import HostConfig
from netglass.host.host import Host
from netglass.host.interface import Interface
from netglass.rng import Rng
from netglass.sockets import TO_CONNECT, Sockets
from netglass.sockets.constants import AF_INET, SOCK_STREAM
from netglass.times import MILLISECOND, NEVER, SECOND
from netglass.wire.address import parse
from netglass.wire.ip import IpPacket

DELAY = 10 * MILLISECOND


class Side:
    """One host, its interface and its sockets."""

    def __init__(self, name: str, address: str, address6: str, config: HostConfig | None) -> None:
        self.host = Host(name, config, Rng(1).stream(name))
        self.interface: Interface = self.host.add_interface("eth0")
        self.host.add_address(self.interface, parse(address), 24)
        self.host.add_address(self.interface, parse(address6), 64)
        self.sockets = Sockets(self.host)
        self.address = address
        self.address6 = address6


class Pair:
    """`a` (10.0.0.1, fd00::1) and `b` (10.0.0.2, fd00::2). `cut = True` loses everything that is sent."""

    def __init__(self, config_a: HostConfig | None = None, config_b: HostConfig | None = None) -> None:
        self.now = 0
        self.a = Side("a", "10.0.0.1", "fd00::1", config_a)
        self.b = Side("b", "10.0.0.2", "fd00::2", config_b)
        self.cut = False
        self.sent: list[IpPacket] = []
        self._wire: list[tuple[int, int, Side, IpPacket]] = []

    def run(self, duration: int = SECOND) -> None:
        """Lets `duration` pass."""
        until = self.now + duration
        while True:
            self._collect()
            due = min(self._wire[0][0] if self._wire else NEVER, self.a.host.deadline, self.b.host.deadline)
            if due > until:
                self.now = until
                return
            self.now = max(self.now, due)
            while self._wire and self._wire[0][0] <= self.now:
                _, _, side, packet = heappop(self._wire)
                side.host.receive_packet(packet, side.interface, self.now)
            self.a.host.handle_timeout(self.now)
            self.b.host.handle_timeout(self.now)

    def _collect(self) -> None:
        for side, other in ((self.a, self.b), (self.b, self.a)):
            while (item := side.host.poll_packet(self.now)) is not None:
                self.sent.append(item[1])
                if not self.cut:
                    heappush(self._wire, (self.now + DELAY, len(self.sent), other, item[1]))

    # -- what most tests begin with

    def listener(self, address: str = "10.0.0.2", port: int = 80, backlog: int = 5, family: int = AF_INET) -> int:
        """A descriptor of b's that listens."""
        calls = self.b.sockets
        fd = calls.socket(family, SOCK_STREAM)
        assert calls.bind(fd, (address, port), self.now) == 0
        assert calls.listen(fd, backlog, self.now) == 0
        return fd

    def connected(self) -> tuple[int, int]:
        """(a's descriptor, b's descriptor) of one established connection."""
        listener = self.listener()
        client = self.a.sockets.socket(AF_INET, SOCK_STREAM)
        self.a.sockets.connect(client, ("10.0.0.2", 80), self.now)
        self.run(100 * MILLISECOND)
        assert self.a.sockets.ready(client) & TO_CONNECT
        assert self.a.sockets.connect(client, ("10.0.0.2", 80), self.now) == 0
        accepted = self.b.sockets.accept(listener, self.now)
        assert isinstance(accepted, tuple)
        self.b.sockets.close(listener, self.now)
        return client, accepted[0]
