"""The public face of one TCP connection: four verbs for the host, the calls for the application."""

from __future__ import annotations

from netglass.probe import Probe
from netglass.rng import Rng
from netglass.tcp.config import TcpConfig, TcpSettings
from netglass.tcp.tcb import Counters, Tcb
from netglass.wire.tcp import Buffer, TcpSegment
from netglass.world import Endpoint


class Connection(Endpoint):
    """One connection. Calls return a value >= 0, or a negative errno as Linux would give it; they never wait."""

    __slots__ = ("tcb",)

    def __init__(self, tcb: Tcb) -> None:
        super().__init__()
        self.tcb: Tcb = tcb

    # -- the host's verbs (DESIGN.md §3): after any call that takes `now`, drain poll_segment, then read `deadline`, then hand on `tcb.woken`

    def receive_segment(self, segment: TcpSegment, now: int) -> None:
        """A segment for this connection, its checksum already verified."""
        raise NotImplementedError

    def poll_segment(self, now: int) -> TcpSegment | None:
        """The next segment to send, or None. The host puts it into an IP packet from tcb.local to tcb.remote with settings.ttl and tos."""
        raise NotImplementedError

    @property
    def deadline(self) -> int:
        """When handle_timeout is due; NEVER if nothing is."""
        raise NotImplementedError

    def handle_timeout(self, now: int) -> None:
        raise NotImplementedError

    @property
    def finished(self) -> bool:
        """CLOSED and nothing left to send: the host forgets the connection (a socket may still hold it to read what arrived, and the error)."""
        raise NotImplementedError

    def receive_error(self, errno: int, hard: bool, seq: int, now: int) -> None:
        """An ICMP error about a segment of ours whose 32-bit sequence number was `seq` (RFC 5461, RFC 5927: ignored if it is not in flight).
        Hard errors end a connection in SYN-SENT; otherwise they are remembered."""
        raise NotImplementedError

    def path_mtu_changed(self, mtu: int, seq: int, now: int) -> None:
        """ICMP "fragmentation needed" or "packet too big" with the next hop's MTU (RFC 1191, RFC 8201)."""
        raise NotImplementedError

    def adopt(
        self, irs: int, window: int, peer_mss: int, snd_wscale: int, rcv_wscale: int, ts_ok: bool, ts_recent: int, sack_ok: bool, sent_at: int, now: int
    ) -> None:
        """For the listener: puts the block into SYN-RECEIVED as if it had received the SYN (`irs`, 32 bits; `window` as in its header) and sent the
        SYN-ACK at `sent_at` (-1: unknown, a cookie). Scales are shift counts, -1 if not agreed. Next the listener hands over the third segment with `receive_segment`."""
        raise NotImplementedError

    # -- the application's calls

    def connect(self, now: int) -> None:
        """Active open (RFC 9293 §3.10.1): sends the SYN."""
        raise NotImplementedError

    def send(self, data: Buffer, now: int, urgent: bool = False, more: bool = False) -> int:
        """Bytes taken, or -EAGAIN, -EPIPE, -ECONNRESET, -ENOTCONN ... (§3.10.2). `data` must not change afterwards."""
        raise NotImplementedError

    def receive(self, size: int, now: int, peek: bool = False) -> bytes | int:
        """Data, b"" at the end of the stream, or -EAGAIN, -ECONNRESET ... (§3.10.3)."""
        raise NotImplementedError

    def receive_urgent(self, now: int, peek: bool = False) -> bytes | int:
        """MSG_OOB: the urgent byte, or -EINVAL, -EAGAIN."""
        raise NotImplementedError

    def shutdown(self, read: bool, write: bool, now: int) -> int:
        """SHUT_RD, SHUT_WR: 0 or -ENOTCONN."""
        raise NotImplementedError

    def close(self, now: int) -> None:
        """§3.10.4 with what Linux adds: a RST if there is unread data or linger is 0."""
        raise NotImplementedError

    def abort(self, now: int) -> None:
        """§3.10.5: RST, all data dropped."""
        raise NotImplementedError

    def readiness(self) -> int:
        """POLL* bits that are true now (poll(2))."""
        raise NotImplementedError


def open_connection(
    local: bytes,
    local_port: int,
    remote: bytes,
    remote_port: int,
    iss: int,
    mtu: int,
    gso_size: int,
    ts_offset: int,
    config: TcpConfig,
    settings: TcpSettings,
    rng: Rng,
    counters: Counters,
    host: str,
    probe: Probe | None,
    now: int,
) -> Connection:
    """A connection in CLOSED, ready for `connect` or `adopt`. `gso_size`: 0 for at most one MSS a segment, else the most bytes of one IP packet (offload)."""
    raise NotImplementedError
