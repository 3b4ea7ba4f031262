"""A listening port: the SYN queue (half-open connections), the accept queue (complete ones), SYN-ACK timers and SYN cookies (RFC 4987)."""

from __future__ import annotations

from netglass.probe import Probe
from netglass.rng import Rng
from netglass.tcp.config import TcpConfig, TcpSettings
from netglass.tcp.connection import Connection
from netglass.tcp.tcb import Counters
from netglass.times import NEVER
from netglass.wire.tcp import TcpSegment
from netglass.world import Endpoint

HalfOpenKey = tuple[bytes, int, bytes]
"""(remote address, remote port, local address)"""


class HalfOpen:
    """One entry of the SYN queue: what a SYN told, and no buffers (Linux: request_sock)."""

    __slots__ = ("irs", "iss", "key", "since")

    def __init__(self, key: HalfOpenKey, irs: int, iss: int, since: int) -> None:
        self.key: HalfOpenKey = key
        self.irs: int = irs
        self.iss: int = iss
        self.since: int = since


class Listener(Endpoint):
    """One listener. `local` is b"" for any address. Both queues hold backlog + 1 entries, as Linux counts."""

    __slots__ = ("backlog", "config", "counters", "deadline", "half_open", "host", "local", "local_port", "probe", "rng", "settings", "woken")

    def __init__(
        self,
        local: bytes,
        local_port: int,
        backlog: int,
        config: TcpConfig,
        settings: TcpSettings,
        rng: Rng,
        counters: Counters,
        host: str,
        probe: Probe | None,
    ) -> None:
        super().__init__()
        self.local: bytes = local
        self.local_port: int = local_port
        self.backlog: int = backlog
        self.config: TcpConfig = config
        self.settings: TcpSettings = settings
        self.rng: Rng = rng
        self.counters: Counters = counters
        self.host: str = host
        self.probe: Probe | None = probe
        self.half_open: dict[HalfOpenKey, HalfOpen] = {}
        self.deadline: int = NEVER
        self.woken: int = 0

    def receive_segment(self, segment: TcpSegment, remote: bytes, local: bytes, mtu: int, gso_size: int, now: int) -> Connection | None:
        """A segment that belongs to no connection. Returns a connection when the handshake is complete: the host files it under its four-tuple, then
        drains it like any other; the segment's data has already been given to it. It is in the accept queue already."""
        raise NotImplementedError

    def poll_segment(self, now: int) -> tuple[bytes, bytes, TcpSegment] | None:
        """(local, remote, segment) to send, or None."""
        raise NotImplementedError

    def handle_timeout(self, now: int) -> None:
        raise NotImplementedError

    def accept(self, now: int) -> Connection | None:
        """The oldest complete connection, or None."""
        raise NotImplementedError

    def close(self, now: int) -> list[Connection]:
        """Forgets the half-open, returns the complete ones that nobody accepted: the host aborts them (Linux sends RST)."""
        raise NotImplementedError

    def readiness(self) -> int:
        raise NotImplementedError
