"""The transmission control block: data only, with RFC 9293 §3.3.1's names. `arrive`, `transmit`, `timeout` and `calls`
work on it.

Sequence numbers are unwrapped (see `wire.seq`). A timer is a time at which something is due, NEVER when it does not
run.
"""

from __future__ import annotations

from typing import Final

from netglass.counters import Counters
from netglass.probe import Flow, Probe, TcbSnapshot
from netglass.tcp.config import TcpConfig, TcpSettings
from netglass.tcp.recovery import Recovery
from netglass.tcp.recvbuf import ReceiveBuffer
from netglass.tcp.rtt import RttEstimator
from netglass.tcp.sendbuf import SendBuffer
from netglass.tcp.state import CLOSED, State, allowed
from netglass.times import NEVER
from netglass.wire.tcp import ABSENT, TcpOptions

RESET_DUE: Final = 1
SYN_DUE: Final = 2
PROBE_DUE: Final = 4  # a zero-window or keep-alive probe
ACK_DUE: Final = 8

# What `Tcb.urgent_byte` says when it is no byte.
URGENT_NOT_YET: Final = -1  # announced perhaps, not arrived
URGENT_READ: Final = -2


class Tcb:
    """One connection."""

    __slots__ = (
        "answered_at",
        "backoff",
        "close_at",
        "closed_by_application",
        "config",
        "counters",
        "cwnd_limited",
        "delayed_ack_at",
        "dsack",
        "due",
        "error",
        "flow_host",
        "forced",
        "gso_size",
        "in_bytes",
        "in_data_segments",
        "in_segments",
        "irs",
        "iss",
        "keepalive_at",
        "keepalive_sent",
        "last_heard_at",
        "last_sent_at",
        "local",
        "local_port",
        "max_payload",
        "max_snd_wnd",
        "most_out",
        "most_rcv_mss",
        "most_sacks",
        "mss",
        "mtu",
        "offered",
        "out_bytes",
        "out_data_segments",
        "out_segments",
        "passive",
        "peer_mss",
        "persist_at",
        "persist_backoff",
        "persist_since",
        "pingpong",
        "probe",
        "probes_sent",
        "quick_acks",
        "rcv_adv",
        "rcv_closed",
        "rcv_fin",
        "rcv_mss",
        "rcv_nxt",
        "rcv_up",
        "rcv_wscale",
        "rcv_wup",
        "rcvbuf",
        "received",
        "recovery",
        "remote",
        "remote_port",
        "reset_ack",
        "reset_seq",
        "retransmit_at",
        "retransmitted",
        "retransmitting_since",
        "rtt",
        "sack_ok",
        "sending",
        "settings",
        "small_end",
        "snd_closed",
        "snd_fin",
        "snd_nxt",
        "snd_una",
        "snd_up",
        "snd_wl1",
        "snd_wnd",
        "snd_wscale",
        "sndbuf",
        "soft_error",
        "state",
        "syn_retries",
        "syn_sent_at",
        "ts_offset",
        "ts_ok",
        "ts_recent",
        "ts_recent_at",
        "urgent_byte",
        "window_use_to",
        "woken",
    )

    def __init__(
        self,
        local: bytes,
        local_port: int,
        remote: bytes,
        remote_port: int,
        config: TcpConfig,
        settings: TcpSettings,
        recovery: Recovery,
        rtt: RttEstimator,
        counters: Counters,
        iss: int,
        host: str,
        probe: Probe | None,
        now: int,
    ) -> None:
        # Who.
        self.local: bytes = local
        self.local_port: int = local_port
        self.remote: bytes = remote
        self.remote_port: int = remote_port
        self.flow_host: str = host
        self.passive: bool = False  # opened by a listener
        # With what.
        self.config: TcpConfig = config
        self.settings: TcpSettings = settings
        self.counters: Counters = counters
        self.probe: Probe | None = probe
        self.state: State = CLOSED
        # Send sequence variables (RFC 9293 table 2).
        self.iss: int = iss
        self.snd_una: int = iss
        self.snd_nxt: int = iss
        self.snd_wnd: int = 0  # bytes, scaled
        self.snd_up: int = -1  # one past the last urgent byte, -1: none
        self.snd_wl1: int = 0
        self.max_snd_wnd: int = 0
        self.snd_fin: int = -1  # the FIN's sequence number once the application has closed, -1: open
        self.snd_wscale: int = 0  # shift for windows that the peer tells
        # Receive sequence variables (RFC 9293 table 3).
        self.irs: int = 0
        self.rcv_nxt: int = 0
        self.rcv_adv: int = 0  # right edge of the window told to the peer: never moves left
        self.rcv_wup: int = 0  # rcv_nxt when the last ACK was sent
        self.rcv_up: int = -1  # one past the peer's urgent byte, -1: none
        self.rcv_fin: int = -1  # the peer's FIN's sequence number, once seen
        self.rcv_wscale: int = 0  # shift for windows that we tell
        self.urgent_byte: int = URGENT_NOT_YET  # the out-of-band byte, until it is read
        # Sizes.
        self.mtu: int = 1500
        self.gso_size: int = 0  # 0, or the most bytes of an IP packet that the interface cuts into segments for us
        self.peer_mss: int = 536  # from the peer's SYN (RFC 9293 §3.7.1)
        self.mss: int = 536  # payload bytes of a full segment we send: options already taken off
        self.max_payload: int = 536  # payload bytes of one emission: mss, or a multiple on an interface with offload
        self.most_rcv_mss: int = 536  # payload bytes of a full segment of the peer's
        self.rcv_mss: int = 536  # the peer's segment size, as seen; decides when an ACK is due
        # Options agreed on.
        self.offered: TcpOptions | None = None  # in our SYN
        self.ts_ok: bool = False
        self.sack_ok: bool = False
        self.most_sacks: int = 3  # blocks that fit into one segment: three beside timestamps, four without
        self.ts_offset: int = 0  # added to the clock in ms (RFC 7323 §5.4 with a random offset each connection)
        self.ts_recent: int = ABSENT
        self.ts_recent_at: int = 0
        self.dsack: tuple[int, int] | None = None  # a duplicate to report in the next ACK (RFC 2883)
        # Buffers, and the sender's view of the network.
        self.sndbuf: int = 0  # limits in bytes
        self.rcvbuf: int = 0
        self.sending: SendBuffer = SendBuffer(iss + 1)
        self.received: ReceiveBuffer = ReceiveBuffer(0)
        self.rtt: RttEstimator = rtt
        self.recovery: Recovery = recovery
        # What has to go out (read by `transmit`, in its order).
        self.due: int = 0  # RESET_DUE, SYN_DUE, PROBE_DUE, ACK_DUE
        self.reset_seq: int = 0  # where a RST due is numbered
        self.reset_ack: bool = True  # whether it acknowledges
        self.small_end: int = (
            iss  # end of the last segment shorter than the MSS (Minshall's form of Nagle, as in Linux)
        )
        # The receiver's acknowledging (Linux: quick ACKs, then delayed ones; a conversation delays at once).
        self.quick_acks: int = 0
        self.pingpong: bool = False
        # Timers.
        self.retransmit_at: int = NEVER
        self.persist_at: int = NEVER
        self.delayed_ack_at: int = NEVER
        self.keepalive_at: int = NEVER
        self.close_at: int = NEVER  # end of TIME-WAIT, of an orphan's FIN-WAIT-2
        self.cwnd_limited: bool = False  # the congestion window held us back in this round trip
        self.most_out: int = 0  # bytes in flight at most in this round trip
        self.window_use_to: int = iss  # the round trip ends when this is acknowledged
        self.forced: bool = False  # the persist timer let the next text out, whatever Nagle, cork or a small window say
        self.retransmitting_since: int = 0  # when the first of `backoff` expiries was
        self.backoff: int = 0  # expiries of the retransmission timer in a row
        self.persist_backoff: int = 0
        self.persist_since: int = -1  # when the persist timer first expired, -1: the window is not waited for
        self.probes_sent: int = 0  # zero-window probes without an answer
        self.keepalive_sent: int = 0
        self.last_heard_at: int = now
        self.last_sent_at: int = now
        self.answered_at: int = -NEVER  # last ACK that answered an unacceptable segment
        # The application's side.
        self.woken: int = 0  # readiness bits that rose since somebody last looked
        self.error: int = 0  # errno for the next call (SO_ERROR)
        self.soft_error: int = 0  # errno that only counts if the connection times out
        self.closed_by_application: bool = False  # close(): nobody will read any more
        self.snd_closed: bool = False  # shutdown(SHUT_WR) or close()
        self.rcv_closed: bool = False  # shutdown(SHUT_RD)
        # Tallies for TCP_INFO.
        self.syn_sent_at: int = -1  # first SYN or SYN-ACK of ours
        self.syn_retries: int = 0
        self.in_segments: int = 0
        self.in_data_segments: int = 0
        self.out_data_segments: int = 0
        self.out_segments: int = 0
        self.in_bytes: int = 0
        self.out_bytes: int = 0
        self.retransmitted: int = 0

    @property
    def flow(self) -> Flow:
        return (self.local, self.local_port, self.remote, self.remote_port)

    def move(self, new: State, now: int) -> None:
        """Go to another state. A way that RFC 9293 does not know is a bug of ours: it is counted, and the connection is
        reset."""
        old = self.state
        if not allowed(old, new):
            self.counters.add("illegal-transition")
            self.due |= RESET_DUE
            self.reset_seq = self.snd_nxt
            new = CLOSED
        self.state = new
        if self.probe is not None:
            self.probe.state_changed(self.flow_host, self.flow, str(old.value), str(new.value), now)

    def fired(self, timer: str, now: int) -> None:
        if self.probe is not None:
            self.probe.timer_fired(self.flow_host, self.flow, timer, now)

    def snapshot(self) -> TcbSnapshot:
        copy = TcbSnapshot()
        copy.state = str(self.state.value)
        copy.iss = self.iss
        copy.irs = self.irs
        copy.snd_una = self.snd_una
        copy.snd_nxt = self.snd_nxt
        copy.snd_wnd = self.snd_wnd
        copy.rcv_nxt = self.rcv_nxt
        copy.rcv_wnd = max(0, self.rcv_adv - self.rcv_nxt)
        copy.cwnd = self.recovery.cc.cwnd
        copy.ssthresh = self.recovery.cc.ssthresh
        copy.flight = self.recovery.in_flight
        copy.mss = self.mss
        copy.srtt = self.rtt.srtt
        copy.rto = self.rtt.rto
        copy.backoff = self.backoff
        copy.snd_queued = self.sending.end - self.sending.start
        copy.rcv_queued = self.received.readable
        return copy
