"""One listener and nobody else: a test speaks the lines of any number of peers.

    port = Port(backlog=1)
    iss = port.syn(1001)
    child = port.inject(ACK, 1001, seq=1, ack=iss + 1)
    assert child.tcb.state is ESTABLISHED

A peer is known by its port number. Its sequence numbers start at 0 unless the test says otherwise: its SYN is 0, the
first byte of its data is 1.
"""

from __future__ import annotations

from netglass.counters import Counters
from netglass.probe import Flow, Probe
from netglass.rng import Rng
from netglass.tcp.config import TcpConfig, TcpSettings
from netglass.tcp.connection import Connection
from netglass.tcp.listener import Listener
from netglass.times import NEVER, SECOND, duration
from netglass.wire.seq import wrap
from netglass.wire.tcp import ABSENT, ACK, SYN, TcpOptions, TcpSegment, flag_text

SERVER = b"\x0a\x00\x00\x01"
CLIENT = b"\x0a\x00\x00\x02"
MSS = TcpOptions(mss=1460)
RICH = TcpOptions(mss=1460, window_scale=7, sack_permitted=True)
ANY = -(1 << 40)


class Told(Probe):
    """What the listener told the probe, a line each."""

    def __init__(self) -> None:
        self.states: list[tuple[int, str, str]] = []  # (the peer's port, from, to)
        self.queues: list[tuple[int, int]] = []  # (half-open, complete)
        self.timers: list[tuple[int, str]] = []

    def state_changed(self, host: str, flow: Flow, old: str, new: str, now: int) -> None:
        assert (host, flow[:2]) == ("host", (SERVER, 80))
        self.states.append((flow[3], old, new))

    def queue_changed(
        self, host: str, port: int, half_open: int, complete: int, most_half_open: int, most_complete: int, now: int
    ) -> None:
        assert (host, port) == ("host", 80)
        self.queues.append((half_open, complete))

    def timer_fired(self, host: str, flow: Flow, timer: str, now: int) -> None:
        self.timers.append((flow[3], timer))


class Port:
    """The listener under test, a clock, and the words of its peers."""

    def __init__(
        self,
        backlog: int = 5,
        config: TcpConfig | None = None,
        settings: TcpSettings | None = None,
        seed: int = 1,
        told: Told | None = None,
    ) -> None:
        self.now = 1000 * SECOND
        self.config = config or TcpConfig()
        self.counters = Counters()
        self.sent: list[TcpSegment] = []
        self.listener = Listener(
            b"", 80, backlog, self.config, settings or TcpSettings(), Rng(seed), self.counters, "host", told
        )

    @property
    def half_open(self) -> int:
        return len(self.listener.half_open)

    @property
    def complete(self) -> int:
        return len(self.listener.accept_queue)

    def count(self, name: str) -> int:
        return self.counters.counts.get(name, 0)

    def drain(self) -> None:
        while (answer := self.listener.poll_segment(self.now)) is not None:
            local, remote, segment = answer
            assert (local, remote) == (SERVER, CLIENT)
            assert segment.source_port == 80
            self.sent.append(segment)

    def inject(
        self,
        flags: int,
        port: int,
        seq: int = 0,
        ack: int = 0,
        data: bytes = b"",
        window: int = 65535,
        options: TcpOptions | None = None,
        ts: tuple[int, int] | None = None,
    ) -> Connection | None:
        """The peer on `port` says this."""
        ts_val, ts_ecr = ts or (ABSENT, ABSENT)
        chunks = (data,) if data else ()
        segment = TcpSegment(
            port, 80, wrap(seq), wrap(ack), flags, window, chunks, len(data), ts_val, ts_ecr, (), options
        )
        made = self.listener.receive_segment(segment, CLIENT, SERVER, 1500, 0, self.now)
        self.drain()
        return made

    def expect(self, flags: int, port: int = ANY, seq: int = ANY, ack: int = ANY) -> TcpSegment:
        """The next segment that went out is this one."""
        assert self.sent, f"expected {flag_text(flags)}, nothing was sent"
        segment = self.sent.pop(0)
        said = f"{flag_text(segment.flags)} to {segment.destination_port} seq={segment.seq} ack={segment.ack}"
        assert segment.flags == flags, f"expected {flag_text(flags)}, got {said}"
        assert port in (ANY, segment.destination_port), f"expected it to {port}, got {said}"
        assert seq == ANY or segment.seq == wrap(seq), f"expected seq {seq}, got {said}"
        assert ack == ANY or segment.ack == wrap(ack), f"expected ack {ack}, got {said}"
        assert segment.length == 0
        return segment

    def expect_nothing(self) -> None:
        said = [f"{flag_text(s.flags)} to {s.destination_port} seq={s.seq} ack={s.ack}" for s in self.sent]
        assert not said, f"expected silence, got {said}"

    def syn(self, port: int, options: TcpOptions | None = MSS, ts: tuple[int, int] | None = None) -> int:
        """The peer's SYN is answered. Returns the listener's sequence number for it."""
        self.inject(SYN, port, options=options, ts=ts)
        return self.expect(SYN | ACK, port, ack=1).seq

    def connected(self, port: int) -> Connection:
        """A whole handshake."""
        iss = self.syn(port)
        made = self.inject(ACK, port, seq=1, ack=iss + 1)
        assert made is not None
        return made

    def wait(self, time: str) -> None:
        """Time passes; every timer fires when it is due."""
        end = self.now + duration(time)
        while (due := self.listener.deadline) <= end:
            self.now = max(self.now, due)
            self.listener.handle_timeout(self.now)
            self.drain()
        self.now = end

    def syn_ack_times(self, port: int, start: int) -> list[int]:
        """Lets time pass until no timer runs; when SYN-ACKs went to `port`, in seconds after `start`."""
        times = []
        while (due := self.listener.deadline) < NEVER:
            self.now = due
            self.listener.handle_timeout(due)
            self.drain()
            times += [(due - start) // SECOND for s in self.sent if s.destination_port == port]
            self.sent.clear()
        return times


def without_cookies() -> TcpConfig:
    config = TcpConfig()
    config.syncookies = 0
    return config
