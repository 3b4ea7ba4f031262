"""The beginning and the end of a connection's life: the steps that several events share."""

from __future__ import annotations

from netglass.tcp import congestion, options
from netglass.tcp.recvbuf import ReceiveBuffer
from netglass.tcp.state import CLOSED
from netglass.tcp.tcb import ACK_DUE, PROBE_DUE, RESET_DUE, SYN_DUE, Tcb
from netglass.times import NEVER
from netglass.wire.tcp import ABSENT


def establish(tcb: Tcb, now: int) -> None:
    """Both SYNs are known and acknowledged: sizes, buffers, round-trip time, congestion window."""
    options.settle_sizes(tcb)
    tcb.most_rcv_mss = options.announced_mss(tcb) - (options.TIMESTAMPS_SIZE if tcb.ts_ok else 0)
    tcb.rcv_mss = min(options.DEFAULT_MSS_V4, tcb.most_rcv_mss)
    if tcb.rcv_wscale == ABSENT:
        tcb.rcv_wscale = 0
    tcb.received = ReceiveBuffer(tcb.rcv_nxt)
    tcb.quick_acks = min(tcb.config.quick_acks, max(2, tcb.rcvbuf // (2 * tcb.rcv_mss)))
    tcb.last_sent_at = now
    if tcb.syn_sent_at >= 0 and not tcb.syn_retries:
        tcb.rtt.measure(max(now - tcb.syn_sent_at, 1))
    else:
        tcb.rtt.handshake_unmeasured()
    tcb.backoff = 0
    start_congestion_control(tcb, 1 if tcb.syn_retries > 1 else tcb.config.initial_cwnd)
    if tcb.settings.keepalive:
        tcb.keepalive_at = now + keepalive_idle(tcb)


def start_congestion_control(tcb: Tcb, segments: int) -> None:
    """RFC 6928: ten segments; one, if the SYN was lost more than once (RFC 5681 §3.1)."""
    name = tcb.settings.congestion_control or tcb.config.congestion_control
    tcb.recovery.cc = congestion.create(name, tcb.mss, segments * tcb.mss)
    tcb.recovery.mss = tcb.mss
    tcb.recovery.sack_ok = tcb.sack_ok
    tcb.recovery.una = tcb.iss + 1


def keepalive_idle(tcb: Tcb) -> int:
    own = tcb.settings.keepalive_idle
    return own if own >= 0 else tcb.config.keepalive_time


def forget_buffers(tcb: Tcb) -> None:
    """TIME-WAIT and CLOSED keep numbers, no data of ours; what the application has not read stays readable."""
    tcb.sending.release(tcb.sending.end)
    tcb.due &= ACK_DUE | RESET_DUE
    stop_timers(tcb)


def stop_timers(tcb: Tcb) -> None:
    tcb.retransmit_at = NEVER
    tcb.persist_at = NEVER
    tcb.delayed_ack_at = NEVER
    tcb.keepalive_at = NEVER
    tcb.close_at = NEVER


def stop_persist(tcb: Tcb) -> None:
    """The window is open, or what fits goes out anyway."""
    tcb.persist_at = NEVER
    tcb.persist_backoff = 0
    tcb.persist_since = -1
    tcb.probes_sent = 0


def vanish(tcb: Tcb, now: int) -> None:
    """To CLOSED: nothing is retransmitted, nothing is due any more but a RST that was already decided."""
    stop_timers(tcb)
    tcb.due &= ~(ACK_DUE | SYN_DUE | PROBE_DUE)
    tcb.sending.release(tcb.sending.end)
    if tcb.state is not CLOSED:
        tcb.move(CLOSED, now)
