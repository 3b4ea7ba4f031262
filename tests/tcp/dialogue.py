"""One connection and nobody else: a test speaks the other end's lines.

    tcp = established(snd_nxt=1000, rcv_nxt=5000)
    tcp.inject(SYN, seq=5000)
    tcp.expect(ACK, seq=1000, ack=5000)
    tcp.expect_nothing()
    assert tcp.state is ESTABLISHED

One function for each state of RFC 9293 makes a connection that is in it, by a real exchange, with the numbers that the
test names: `snd_nxt` is the next
number that the connection under test will use, `rcv_nxt` the next that it expects.
"""

from __future__ import annotations

from collections.abc import Callable

from netglass.counters import Counters
from netglass.tcp.config import TcpConfig, TcpSettings
from netglass.tcp.connection import Connection, open_connection
from netglass.tcp.state import State
from netglass.tcp.tcb import Tcb
from netglass.times import NEVER, duration
from netglass.wire.checksum import Buffer
from netglass.wire.seq import wrap
from netglass.wire.tcp import ABSENT, ACK, FIN, SYN, TcpOptions, TcpSegment, flag_text

LOCAL, LOCAL_PORT = b"\x0a\x00\x00\x01", 80
REMOTE, REMOTE_PORT = b"\x0a\x00\x00\x02", 5000
ANY = -(1 << 40)


def plain() -> TcpConfig:
    """A configuration whose segments are easy to foretell: no options, every segment acknowledged as it comes."""
    config = TcpConfig()
    config.timestamps = False
    config.sack = False
    config.window_scaling = False
    config.congestion_control = "reno"
    config.rmem = (4096, 65535, 65535)
    return config


class Tcp:
    """The connection under test, a clock, and the words of the other end."""

    def __init__(self, iss: int, config: TcpConfig | None = None, settings: TcpSettings | None = None) -> None:
        self.now = 1_000_000_000
        self.counters = Counters()
        self.connection: Connection = open_connection(
            LOCAL,
            LOCAL_PORT,
            REMOTE,
            REMOTE_PORT,
            iss,
            1500,
            0,
            0,
            config or plain(),
            settings or TcpSettings(),
            self.counters,
            "host",
            None,
            self.now,
        )
        self.sent: list[TcpSegment] = []

    @property
    def tcb(self) -> Tcb:
        return self.connection.tcb

    @property
    def state(self) -> State:
        return self.connection.tcb.state

    def drain(self) -> None:
        while (segment := self.connection.poll_segment(self.now)) is not None:
            self.sent.append(segment)

    def inject(
        self,
        flags: int,
        seq: int,
        ack: int = 0,
        data: Buffer = b"",
        window: int = 65535,
        options: TcpOptions | None = None,
        ts: tuple[int, int] | None = None,
        sack: tuple[tuple[int, int], ...] = (),
        urgent: int = 0,
    ) -> None:
        """The other end says this."""
        self.drain()
        ts_val, ts_ecr = ts or (ABSENT, ABSENT)
        chunks = (data,) if data else ()
        segment = TcpSegment(
            REMOTE_PORT,
            LOCAL_PORT,
            wrap(seq),
            wrap(ack),
            flags,
            window,
            chunks,
            len(data),
            ts_val,
            ts_ecr,
            sack,
            options,
            urgent,
        )
        self.connection.receive_segment(segment, self.now)
        self.drain()

    def expect(self, flags: int, seq: int = ANY, ack: int = ANY, data: bytes | int | None = None) -> TcpSegment:
        """The next segment that went out is this one. `data`: the bytes, or how many."""
        self.drain()
        assert self.sent, f"expected {flag_text(flags)}, nothing was sent"
        segment = self.sent.pop(0)
        said = f"{flag_text(segment.flags)} seq={segment.seq} ack={segment.ack} length={segment.length}"
        assert segment.flags == flags, f"expected {flag_text(flags)}, got {said}"
        assert seq == ANY or segment.seq == wrap(seq), f"expected seq {seq}, got {said}"
        assert ack == ANY or segment.ack == wrap(ack), f"expected ack {ack}, got {said}"
        if isinstance(data, int):
            assert segment.length == data, said
        elif data is not None:
            assert b"".join(bytes(chunk) for chunk in segment.chunks) == data
        else:
            assert segment.length == 0, f"did not expect data: {said}"
        return segment

    def expect_nothing(self) -> None:
        self.drain()
        said = [f"{flag_text(s.flags)} seq={s.seq} ack={s.ack} length={s.length}" for s in self.sent]
        assert not said, f"expected silence, got {said}"

    def wait(self, time: str) -> None:
        """Time passes; every timer fires when it is due."""
        end = self.now + duration(time)
        self.drain()
        while (due := self.connection.deadline) <= end:
            self.now = max(self.now, due)
            self.connection.handle_timeout(self.now)
            self.drain()
        self.now = end

    def wait_for_timer(self) -> int:
        """Until the next timer has fired. Returns how long that took, in ns."""
        self.drain()
        due = self.connection.deadline
        assert due < NEVER, "no timer runs"
        elapsed = due - self.now
        self.now = due
        self.connection.handle_timeout(due)
        self.drain()
        return elapsed

    # the application's lines

    def send(self, data: bytes) -> int:
        taken = self.connection.send(data, self.now)
        self.drain()
        return taken

    def receive(self, size: int = 1 << 20) -> bytes | int:
        data = self.connection.receive(size, self.now)
        self.drain()
        return data

    def shutdown_writing(self) -> None:
        assert self.connection.shutdown(False, True, self.now) == 0
        self.drain()

    def close(self) -> None:
        self.connection.close(self.now)
        self.drain()


MSS = TcpOptions(mss=1460)


def closed(snd_nxt: int = 1000, config: TcpConfig | None = None, settings: TcpSettings | None = None) -> Tcp:
    return Tcp(snd_nxt - 1, config, settings)


def syn_sent(snd_nxt: int = 1000, config: TcpConfig | None = None, settings: TcpSettings | None = None) -> Tcp:
    tcp = closed(snd_nxt, config, settings)
    tcp.connection.connect(tcp.now)
    tcp.expect(SYN, seq=snd_nxt - 1)
    return tcp


def syn_received(snd_nxt: int = 1000, rcv_nxt: int = 5000, config: TcpConfig | None = None) -> Tcp:
    """By a simultaneous open: the SYNs have crossed."""
    tcp = syn_sent(snd_nxt, config)
    tcp.inject(SYN, seq=rcv_nxt - 1, options=MSS)
    tcp.expect(SYN | ACK, seq=snd_nxt - 1, ack=rcv_nxt)
    return tcp


def established(
    snd_nxt: int = 1000,
    rcv_nxt: int = 5000,
    config: TcpConfig | None = None,
    settings: TcpSettings | None = None,
    window: int = 65535,
    options: TcpOptions = MSS,
    ts: tuple[int, int] | None = None,
) -> Tcp:
    tcp = syn_sent(snd_nxt, config, settings)
    tcp.inject(SYN | ACK, seq=rcv_nxt - 1, ack=snd_nxt, options=options, window=window, ts=ts)
    tcp.expect(ACK, seq=snd_nxt, ack=rcv_nxt)
    return tcp


def fin_wait_1(snd_nxt: int = 1000, rcv_nxt: int = 5000) -> Tcp:
    """Our FIN, numbered snd_nxt - 1, is out and not acknowledged. The application may still read."""
    tcp = established(snd_nxt - 1, rcv_nxt)
    tcp.shutdown_writing()
    tcp.expect(FIN | ACK, seq=snd_nxt - 1, ack=rcv_nxt)
    return tcp


def fin_wait_2(snd_nxt: int = 1000, rcv_nxt: int = 5000) -> Tcp:
    tcp = fin_wait_1(snd_nxt, rcv_nxt)
    tcp.inject(ACK, seq=rcv_nxt, ack=snd_nxt)
    tcp.expect_nothing()
    return tcp


def close_wait(snd_nxt: int = 1000, rcv_nxt: int = 5000) -> Tcp:
    """The peer's FIN, numbered rcv_nxt - 1, is in and acknowledged."""
    tcp = established(snd_nxt, rcv_nxt - 1)
    tcp.inject(FIN | ACK, seq=rcv_nxt - 1, ack=snd_nxt)
    tcp.wait("100ms")
    tcp.expect(ACK, seq=snd_nxt, ack=rcv_nxt)
    return tcp


def closing(snd_nxt: int = 1000, rcv_nxt: int = 5000) -> Tcp:
    tcp = fin_wait_1(snd_nxt, rcv_nxt - 1)
    tcp.inject(FIN | ACK, seq=rcv_nxt - 1, ack=snd_nxt - 1)
    tcp.expect(ACK, seq=snd_nxt, ack=rcv_nxt)
    return tcp


def last_ack(snd_nxt: int = 1000, rcv_nxt: int = 5000) -> Tcp:
    tcp = close_wait(snd_nxt - 1, rcv_nxt)
    tcp.close()
    tcp.expect(FIN | ACK, seq=snd_nxt - 1, ack=rcv_nxt)
    return tcp


def time_wait(snd_nxt: int = 1000, rcv_nxt: int = 5000) -> Tcp:
    tcp = fin_wait_2(snd_nxt, rcv_nxt - 1)
    tcp.inject(FIN | ACK, seq=rcv_nxt - 1, ack=snd_nxt)
    tcp.expect(ACK, seq=snd_nxt, ack=rcv_nxt)
    return tcp


EVERY_STATE: dict[str, Callable[..., Tcp]] = {
    "SYN-SENT": syn_sent,
    "SYN-RECEIVED": syn_received,
    "ESTABLISHED": established,
    "FIN-WAIT-1": fin_wait_1,
    "FIN-WAIT-2": fin_wait_2,
    "CLOSE-WAIT": close_wait,
    "CLOSING": closing,
    "LAST-ACK": last_ack,
    "TIME-WAIT": time_wait,
}
"""Every state in which a connection can receive a segment. (LISTEN is the listener's, CLOSED the host's.)"""
