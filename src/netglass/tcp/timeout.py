"""A timer expires (RFC 9293 §3.10.8): one function a timer. Times and limits are Linux's."""

from __future__ import annotations

from netglass.errnos import ETIMEDOUT
from netglass.tcp.establish import keepalive_idle, stop_persist, vanish
from netglass.tcp.state import CLOSED, FIN_WAIT_2, SYN_RECEIVED, SYN_SENT, TIME_WAIT
from netglass.tcp.tcb import ACK_DUE, PROBE_DUE, RESET_DUE, SYN_DUE, Tcb
from netglass.times import NEVER
from netglass.world import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLRDHUP


def deadline(tcb: Tcb) -> int:
    """The earliest timer."""
    earliest = tcb.retransmit_at
    if tcb.delayed_ack_at < earliest:
        earliest = tcb.delayed_ack_at
    if tcb.persist_at < earliest:
        earliest = tcb.persist_at
    if tcb.keepalive_at < earliest:
        earliest = tcb.keepalive_at
    if tcb.close_at < earliest:
        earliest = tcb.close_at
    return earliest


def handle(tcb: Tcb, now: int) -> None:
    """Whatever is due at `now`."""
    if tcb.state is CLOSED:
        return
    if now >= tcb.close_at:
        close_wait_over(tcb, now)
        return
    if now >= tcb.delayed_ack_at:
        delayed_ack(tcb, now)
    if now >= tcb.retransmit_at:
        if tcb.state is SYN_SENT or tcb.state is SYN_RECEIVED:
            handshake_retransmission(tcb, now)
        else:
            retransmission(tcb, now)
    if now >= tcb.persist_at:
        persist(tcb, now)
    if now >= tcb.keepalive_at:
        keepalive(tcb, now)


def close_wait_over(tcb: Tcb, now: int) -> None:
    """2 MSL after TIME-WAIT began, or nobody closed the other half of an orphan."""
    if tcb.state is TIME_WAIT:
        tcb.fired("time-wait", now)
    elif tcb.state is FIN_WAIT_2:
        tcb.fired("fin-wait-2", now)
        tcb.counters.add("fin-wait-2-timeout")
    vanish(tcb, now)


def delayed_ack(tcb: Tcb, now: int) -> None:
    tcb.delayed_ack_at = NEVER
    tcb.fired("delayed-ack", now)
    tcb.due |= ACK_DUE
    # The expected answer did not come: not a conversation after all (Linux tcp_delack_timer_handler).
    tcb.pingpong = False


# -- retransmission


def handshake_retransmission(tcb: Tcb, now: int) -> None:
    """SYN, or the SYN-ACK of a simultaneous open, again; doubled each time (RFC 6298 §5.5), until the retries are used
    up. Linux repeats the first few SYNs without doubling (tcp_syn_linear_timeouts)."""
    tcb.fired("retransmission", now)
    limit = tcb.settings.syn_count
    if limit < 0:
        limit = tcb.config.syn_retries if tcb.state is SYN_SENT else tcb.config.synack_retries
    linear = tcb.config.syn_linear_timeouts if tcb.state is SYN_SENT else 0
    limit += linear
    if tcb.syn_retries >= limit or user_timeout_over(tcb, tcb.syn_sent_at, now):
        give_up(tcb, now)
        return
    tcb.syn_retries += 1
    if tcb.syn_retries > linear:
        tcb.backoff += 1
    tcb.due |= SYN_DUE
    tcb.retransmit_at = now + tcb.rtt.backed_off(tcb.backoff)


def retransmission(tcb: Tcb, now: int) -> None:
    """RFC 6298 §5.4 to §5.6, RFC 5681 §3.1."""
    if not tcb.recovery.outstanding():
        tcb.retransmit_at = NEVER
        return
    tcb.fired("retransmission", now)
    if too_long(tcb, now):
        give_up(tcb, now)
        return
    tcb.recovery.timed_out(now)
    if not tcb.backoff:
        tcb.retransmitting_since = now
    tcb.backoff += 1
    tcb.rtt.back_off()
    tcb.retransmit_at = clamped_to_user_timeout(tcb, tcb.retransmitting_since, now + tcb.rtt.rto, now)


def too_long(tcb: Tcb, now: int) -> bool:
    """Linux retransmits_timed_out: as long as `retries2` retransmissions would take from the least RTO (15: 924.6 s),
    or the user's own limit; counted from the first retransmission."""
    if not tcb.backoff:
        return False
    since = tcb.retransmitting_since
    if tcb.settings.user_timeout:
        return user_timeout_over(tcb, since, now)
    if not tcb.snd_wnd and not tcb.closed_by_application:
        # The peer took its window back: our retransmissions are probes, and it may answer them for ever (Linux
        # tcp_rtx_probe0_timed_out).
        return now - max(since, tcb.last_heard_at) > 2 * tcb.config.rto_max
    retries = tcb.config.retries2
    if tcb.closed_by_application:
        retries = tcb.config.orphan_retries or 8
    return now - since >= patience(tcb, retries)


def patience(tcb: Tcb, retries: int) -> int:
    """The sum of `retries` + 1 timeouts that start at the least RTO and double up to the most."""
    base = max(tcb.config.rto_min, 1)
    most = tcb.config.rto_max
    doublings = (most // base).bit_length() - 1
    if retries <= doublings:
        return ((2 << retries) - 1) * base
    return ((2 << doublings) - 1) * base + (retries - doublings) * most


def user_timeout_over(tcb: Tcb, since: int, now: int) -> bool:
    """TCP_USER_TIMEOUT (RFC 5482)."""
    limit = tcb.settings.user_timeout
    return limit > 0 and since >= 0 and now - since >= limit


def clamped_to_user_timeout(tcb: Tcb, since: int, at: int, now: int) -> int:
    limit = tcb.settings.user_timeout
    if not limit:
        return at
    return max(now + 1, min(at, since + limit))


def give_up(tcb: Tcb, now: int) -> None:
    """The peer is unreachable; an ICMP error that came on the way says more than "timed out" (RFC 5461 §4)."""
    tcb.error = tcb.soft_error or ETIMEDOUT
    tcb.counters.add("gave-up")
    vanish(tcb, now)
    tcb.woken |= POLLERR | POLLHUP | POLLIN | POLLOUT | POLLRDHUP


# -- zero window


def persist(tcb: Tcb, now: int) -> None:
    """RFC 9293 §3.8.6.1: ask whether the window is still closed, at the RTO, doubled each time."""
    tcb.persist_at = NEVER
    fin_waits = tcb.snd_closed and tcb.snd_fin < 0
    if (tcb.sending.end <= tcb.snd_nxt and not fin_waits) or tcb.recovery.outstanding():
        return
    tcb.fired("persist", now)
    if tcb.persist_since < 0:
        tcb.persist_since = now
    if waited_for_window_too_long(tcb, now):
        give_up(tcb, now)
        return
    if tcb.snd_una + tcb.snd_wnd > tcb.snd_nxt:
        # The window is small, or a cork holds: what fits goes out now (the override of RFC 9293 §3.8.6.2.1).
        stop_persist(tcb)
        tcb.forced = True
        return
    tcb.probes_sent += 1
    tcb.persist_backoff += 1
    tcb.due |= PROBE_DUE
    at = now + tcb.rtt.backed_off(tcb.persist_backoff)
    tcb.persist_at = clamped_to_user_timeout(tcb, tcb.persist_since, at, now)


def waited_for_window_too_long(tcb: Tcb, now: int) -> bool:
    """Linux tcp_probe_timer. A peer that answers may keep its window closed for ever (RFC 1122 §4.2.2.17), but not
    beyond the user timeout (RFC 5482), and not once nobody is left who would hear of it."""
    if user_timeout_over(tcb, tcb.persist_since, now):
        return True
    if not tcb.closed_by_application:
        return tcb.probes_sent >= tcb.config.retries2
    limit = tcb.config.orphan_retries or 8
    slowest = tcb.rtt.backed_off(tcb.persist_backoff) >= tcb.config.rto_max
    return tcb.probes_sent >= limit or (slowest and tcb.persist_backoff >= limit)


# -- keep-alive


def keepalive(tcb: Tcb, now: int) -> None:
    """RFC 9293 §3.8.4. The timer is not moved at each segment: when it expires it looks at how long the peer has been
    silent."""
    if not tcb.settings.keepalive or tcb.state is TIME_WAIT:
        tcb.keepalive_at = NEVER
        return
    idle = keepalive_idle(tcb)
    silent = now - tcb.last_heard_at
    if tcb.recovery.outstanding() or tcb.sending.end > tcb.snd_nxt:
        # Data is under way: its own timer will find out.
        tcb.keepalive_at = now + idle
        return
    if silent < idle:
        tcb.keepalive_at = tcb.last_heard_at + idle
        return
    tcb.fired("keep-alive", now)
    most = tcb.settings.keepalive_probes if tcb.settings.keepalive_probes >= 0 else tcb.config.keepalive_probes
    user = tcb.settings.user_timeout
    if (user and silent >= user and tcb.keepalive_sent) or (not user and tcb.keepalive_sent >= most):
        tcb.due |= RESET_DUE
        tcb.reset_seq = tcb.snd_nxt
        give_up(tcb, now)
        return
    tcb.keepalive_sent += 1
    tcb.due |= PROBE_DUE
    interval = tcb.settings.keepalive_interval
    tcb.keepalive_at = now + (interval if interval >= 0 else tcb.config.keepalive_intvl)
