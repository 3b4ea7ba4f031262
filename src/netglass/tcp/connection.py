"""The public face of one TCP connection: four verbs for the host, the calls for the application. What they do is in
`arrive`, `transmit`, `timeout` and `calls`."""

from __future__ import annotations

from netglass.counters import Counters
from netglass.probe import Probe
from netglass.tcp import arrive, calls, congestion, options, timeout, transmit
from netglass.tcp.config import TcpConfig, TcpSettings
from netglass.tcp.establish import establish, vanish
from netglass.tcp.recovery import Recovery
from netglass.tcp.rtt import RttEstimator
from netglass.tcp.state import CLOSED, ESTABLISHED, SYN_RECEIVED, SYN_SENT
from netglass.tcp.tcb import RESET_DUE, Tcb
from netglass.wire.checksum import Buffer
from netglass.wire.seq import unwrap
from netglass.wire.tcp import ABSENT, TcpSegment
from netglass.world import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP, Endpoint


class Connection(Endpoint):
    """One connection. Calls return a value >= 0, or a negative errno as Linux would give it; they never wait."""

    __slots__ = ("tcb",)

    def __init__(self, tcb: Tcb) -> None:
        super().__init__()
        self.tcb: Tcb = tcb

    # -- the host's verbs: after any call that takes `now`, drain poll_segment, then read `deadline`, then hand on
    # `tcb.woken`

    def receive_segment(self, segment: TcpSegment, now: int) -> None:
        """A segment for this connection, its checksum already verified."""
        arrive.segment_arrives(self.tcb, segment, now)

    def poll_segment(self, now: int) -> TcpSegment | None:
        """The next segment to send, or None. The host puts it into an IP packet from tcb.local to tcb.remote with
        settings.ttl and tos."""
        return transmit.poll(self.tcb, now)

    @property
    def deadline(self) -> int:
        """When handle_timeout is due; NEVER if nothing is."""
        return timeout.deadline(self.tcb)

    def handle_timeout(self, now: int) -> None:
        """Deals with every timer that has expired; too early a call does nothing."""
        timeout.handle(self.tcb, now)

    @property
    def finished(self) -> bool:
        """CLOSED and nothing left to send: the host forgets the connection (a socket may still hold it to read what
        arrived, and the error)."""
        return self.tcb.state is CLOSED and not self.tcb.due & RESET_DUE

    def replaceable_by(self, segment: TcpSegment, now: int) -> bool:
        """True if the connection is in TIME-WAIT and `segment` is a SYN that may open its next incarnation (RFC
        6191)."""
        return arrive.may_be_replaced(self.tcb, segment, now)

    def make_way(self, now: int) -> int:
        """TIME-WAIT ends for a new incarnation. Returns where that begins: beyond all the numbers of this one (RFC 9293
        §3.6.1; the step is Linux's)."""
        vanish(self.tcb, now)
        return self.tcb.snd_nxt + 65537

    def receive_error(self, errno: int, hard: bool, seq: int, now: int) -> None:
        """An ICMP error about a segment of ours whose 32-bit sequence number was `seq`. It counts only if that is in
        flight (RFC 5927 §4). In the
        handshake any unreachable ends the attempt, as in Linux; later it is only remembered, for if the connection
        times out (RFC 5461 §2)."""
        tcb = self.tcb
        number = unwrap(seq, tcb.snd_una)
        if not tcb.snd_una <= number < max(tcb.snd_nxt, tcb.snd_una + 1) or tcb.state is CLOSED:
            tcb.counters.add("icmp-outside-window")
            return
        if tcb.state is SYN_SENT or tcb.state is SYN_RECEIVED:
            tcb.error = errno
            vanish(tcb, now)
            tcb.woken |= POLLERR | POLLHUP | POLLIN | POLLOUT | POLLRDHUP
            return
        tcb.counters.add("icmp-hard-error" if hard else "icmp-soft-error")
        tcb.soft_error = errno

    def path_mtu_changed(self, mtu: int, seq: int, now: int) -> None:
        """ICMP "fragmentation needed" or "packet too big" with the next hop's MTU (RFC 1191, RFC 8201)."""
        tcb = self.tcb
        number = unwrap(seq, tcb.snd_una)
        least = 68 if len(tcb.local) == 4 else 1280
        if not tcb.snd_una <= number < tcb.snd_nxt or not least <= mtu < tcb.mtu:
            tcb.counters.add("icmp-outside-window")
            return
        tcb.mtu = mtu
        if tcb.state is SYN_SENT or tcb.state is SYN_RECEIVED:
            return
        options.settle_sizes(tcb)
        tcb.recovery.path_shrank(now)

    # -- how a connection begins

    def connect(self, now: int) -> None:
        """Active open (RFC 9293 §3.10.1): sends the SYN."""
        calls.open_active(self.tcb, now)

    def adopt(
        self,
        irs: int,
        window: int,
        peer_mss: int,
        snd_wscale: int,
        rcv_wscale: int,
        ts_ok: bool,
        ts_recent: int,
        sack_ok: bool,
        sent_at: int,
        now: int,
    ) -> None:
        """For the listener: puts the block into SYN-RECEIVED as if it had received the SYN (`irs`, 32 bits; `window` as
        in its header) and sent the
        SYN-ACK at `sent_at` (-1: unknown, a cookie). Scales are shift counts, -1 if not agreed. Next the listener hands
        over the third segment with `receive_segment`."""
        tcb = self.tcb
        tcb.passive = True
        tcb.irs = irs
        tcb.rcv_nxt = tcb.rcv_wup = irs + 1
        tcb.rcv_adv = tcb.rcv_nxt + transmit.syn_space(tcb)
        tcb.snd_wnd = tcb.max_snd_wnd = window
        tcb.snd_wl1 = irs
        tcb.snd_nxt = tcb.iss + 1
        tcb.peer_mss = max(peer_mss, options.LEAST_MSS)
        agreed = snd_wscale >= 0 and rcv_wscale >= 0
        tcb.snd_wscale = min(snd_wscale, options.MOST_WINDOW_SCALE) if agreed else 0
        tcb.rcv_wscale = rcv_wscale if agreed else ABSENT
        tcb.ts_ok = ts_ok
        tcb.ts_recent = ts_recent
        tcb.ts_recent_at = now
        tcb.sack_ok = sack_ok
        tcb.syn_sent_at = sent_at
        tcb.state = SYN_RECEIVED  # the listener has told the probe of it already

    def assume_established(self, now: int) -> None:
        """Two-way handshake, for those who want to see why it takes three: as if the third segment had come."""
        tcb = self.tcb
        establish(tcb, now)
        tcb.snd_una = tcb.iss + 1
        tcb.move(ESTABLISHED, now)
        tcb.woken |= POLLOUT

    # -- the application's calls

    def send(self, data: Buffer, now: int, urgent: bool = False) -> int:
        """Bytes taken, or -EAGAIN, -EPIPE, -ECONNRESET ... (§3.10.2). `data` must not change afterwards."""
        return calls.send(self.tcb, data, now, urgent)

    def receive(self, size: int, now: int, peek: bool = False) -> bytes | int:
        """Data, b"" at the end of the stream, or -EAGAIN, -ECONNRESET ... (§3.10.3)."""
        return calls.receive(self.tcb, size, peek, now)

    def receive_chunks(self, size: int, now: int) -> list[Buffer] | int:
        """As `receive`, in the pieces in which it arrived, which are not copied: for whoever writes them on."""
        return calls.receive_chunks(self.tcb, size, now)

    def receive_urgent(self, now: int, peek: bool = False) -> bytes | int:
        """MSG_OOB: the urgent byte, or -EINVAL, -EAGAIN."""
        return calls.receive_urgent(self.tcb, peek)

    def shutdown(self, read: bool, write: bool, now: int) -> int:
        """SHUT_RD, SHUT_WR: 0 or -ENOTCONN."""
        return calls.shutdown(self.tcb, read, write, now)

    def close(self, now: int) -> None:
        """§3.10.4 with what Linux adds: a RST if there is unread data or linger is 0."""
        calls.close(self.tcb, now)

    def abort(self, now: int) -> None:
        """§3.10.5: RST, all data dropped."""
        calls.abort(self.tcb, now)

    def readiness(self) -> int:
        """POLL* bits that are true now (poll(2))."""
        return calls.readiness(self.tcb)

    def take_error(self) -> int:
        """SO_ERROR: the pending errno (positive), once; 0 if there is none."""
        return calls.take_error(self.tcb)

    def settings_changed(self, now: int) -> None:
        """The socket changed `tcb.settings` or a buffer size: timers and what may be sent are looked at anew."""
        calls.settings_changed(self.tcb, now)


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
    counters: Counters,
    host: str,
    probe: Probe | None,
    now: int,
) -> Connection:
    """A connection in CLOSED, ready for `connect` or `adopt`. `gso_size`: 0 for at most one MSS a segment, else the
    most bytes of one IP packet (offload)."""
    rtt = RttEstimator(config.initial_rto, config.rto_min, config.rto_max)
    name = settings.congestion_control or config.congestion_control
    control = congestion.create(name, options.DEFAULT_MSS_V4, config.initial_cwnd * options.DEFAULT_MSS_V4)
    recovery = Recovery(config, rtt, control, options.DEFAULT_MSS_V4, iss + 1)
    tcb = Tcb(local, local_port, remote, remote_port, config, settings, recovery, rtt, counters, iss, host, probe, now)
    tcb.mtu = mtu
    tcb.gso_size = gso_size
    tcb.ts_offset = ts_offset
    tcb.rcvbuf = settings.rcvbuf if settings.rcvbuf >= 0 else config.rmem[1]
    tcb.sndbuf = settings.sndbuf if settings.sndbuf >= 0 else config.wmem[1]
    return Connection(tcb)
