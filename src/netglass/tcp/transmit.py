"""What to send now (RFC 9293 §3.8): one decision over small ones, in this order.

    RST due · SYN due · probe due · something lost · something new · ACK due

`poll` gives one segment a call, None when there is nothing more; the host calls it until None. A segment may be a
super-segment where the
interface has offload; nothing here loops over single MSSs.
"""

from __future__ import annotations

from netglass.tcp import acknowledge, options
from netglass.tcp.recovery import SentRange
from netglass.tcp.state import CLOSE_WAIT, CLOSING, ESTABLISHED, FIN_WAIT_1, LAST_ACK, SYN_SENT, State
from netglass.tcp.tcb import ACK_DUE, PROBE_DUE, RESET_DUE, SYN_DUE, Tcb
from netglass.times import MILLISECOND, NEVER
from netglass.wire.checksum import Buffer
from netglass.wire.seq import MASK
from netglass.wire.tcp import ABSENT, ACK, FIN, PSH, RST, SYN, URG, TcpSegment

_NOTHING: tuple[Buffer, ...] = ()


def poll(tcb: Tcb, now: int) -> TcpSegment | None:
    """The next segment, or None."""
    due = tcb.due
    if due & (RESET_DUE | SYN_DUE | PROBE_DUE):
        if due & RESET_DUE:
            return reset(tcb)
        if due & SYN_DUE:
            return syn(tcb, now)
        return probe(tcb, now)
    if sends_text(tcb.state):
        lost = tcb.recovery.retransmission_due()
        if lost is not None:
            return retransmission(tcb, lost, now)
        segment = new_text(tcb, now)
        if segment is not None:
            return segment
    if due & ACK_DUE:
        return pure_ack(tcb, now)
    return None


def sends_text(state: State) -> bool:
    return state is ESTABLISHED or state is CLOSE_WAIT or state is FIN_WAIT_1 or state is LAST_ACK or state is CLOSING


# -- control segments


def reset(tcb: Tcb) -> TcpSegment:
    tcb.due &= ~RESET_DUE
    tcb.out_segments += 1
    if not tcb.reset_ack:
        tcb.reset_ack = True
        return TcpSegment(tcb.local_port, tcb.remote_port, tcb.reset_seq & MASK, 0, RST, 0)
    return TcpSegment(tcb.local_port, tcb.remote_port, tcb.reset_seq & MASK, tcb.rcv_nxt & MASK, RST | ACK, 0)


def syn(tcb: Tcb, now: int) -> TcpSegment:
    """SYN in SYN-SENT, SYN-ACK in SYN-RECEIVED; the same again when it is retransmitted."""
    tcb.due &= ~(SYN_DUE | ACK_DUE)
    tcb.out_segments += 1
    if tcb.syn_sent_at < 0:
        tcb.syn_sent_at = now
    elif tcb.retransmit_at != NEVER and tcb.syn_retries:
        tcb.retransmitted += 1
    tcb.last_sent_at = now
    tcb.snd_nxt = tcb.iss + 1
    if tcb.retransmit_at == NEVER:
        tcb.retransmit_at = now + tcb.rtt.backed_off(tcb.backoff)
    space = syn_space(tcb)
    window = min(space, options.MOST_UNSCALED)  # never scaled in a SYN (RFC 7323 §2.2)
    if tcb.state is SYN_SENT:
        flags, ack, ecr = SYN, 0, 0
    else:
        flags, ack, ecr = SYN | ACK, tcb.rcv_nxt & MASK, tcb.ts_recent
        tcb.rcv_adv = tcb.rcv_nxt + space
        tcb.rcv_wup = tcb.rcv_nxt
    # In a simultaneous open the SYN-ACK has the options of the SYN, whatever the peer offered meanwhile (Linux).
    timed = tcb.config.timestamps if tcb.offered is not None else tcb.ts_ok
    ts_val = options.timestamp(tcb, now) if timed else ABSENT
    return TcpSegment(
        tcb.local_port,
        tcb.remote_port,
        tcb.iss & MASK,
        ack,
        flags,
        window,
        ts_val=ts_val,
        ts_ecr=max(ecr, 0) if timed else ABSENT,
        options=tcb.offered if tcb.offered is not None else options.syn_options(tcb),
    )


def syn_space(tcb: Tcb) -> int:
    """The room that a connection begins with: whole segments. As in Linux, more is accepted than the 16 bits of a SYN
    can tell."""
    space = tcb.rcvbuf
    mss = options.announced_mss(tcb)
    if tcb.settings.window_clamp:
        space = min(space, tcb.settings.window_clamp)
    if space > mss:
        space -= space % mss
    return space


def probe(tcb: Tcb, now: int) -> TcpSegment:
    """A segment that the peer must answer: one number before SND.UNA, no data (Linux tcp_xmit_probe_skb). For
    keep-alive and zero windows."""
    tcb.due &= ~PROBE_DUE
    return finish(tcb, tcb.snd_una - 1, _NOTHING, 0, ACK, now)


def pure_ack(tcb: Tcb, now: int) -> TcpSegment:
    edge = tcb.snd_una + tcb.snd_wnd
    seq = tcb.snd_nxt if tcb.snd_nxt <= edge else max(edge, tcb.snd_una)
    if tcb.quick_acks and not tcb.pingpong:
        tcb.quick_acks -= 1
    return finish(tcb, seq, _NOTHING, 0, ACK, now)


# -- text


def new_text(tcb: Tcb, now: int) -> TcpSegment | None:
    """Data never sent before, or the FIN after it."""
    seq = tcb.snd_nxt
    left = tcb.sending.end - seq
    if left <= 0:
        # snd_nxt is beyond the buffer once the FIN is out.
        if tcb.snd_closed and tcb.snd_fin < 0:
            return fin_alone(tcb, now)
        return None
    size = sendable(tcb, left, now)
    if size <= 0:
        return None
    if tcb.last_sent_at < now and tcb.snd_una == seq:
        size = restart_after_idle(tcb, size, now)
    flags = ACK
    end = seq + size
    if end == tcb.sending.end:
        flags |= PSH
        if tcb.snd_closed and end < tcb.snd_una + tcb.snd_wnd:
            flags |= FIN
            tcb.snd_fin = end
    elif tcb.sending.ends_write(end):
        flags |= PSH
    if size < tcb.mss:
        tcb.small_end = end
    chunks = tcb.sending.take(seq, size)
    after = end + (1 if flags & FIN else 0)
    tcb.recovery.record_sent(seq, after, now)
    tcb.snd_nxt = after
    tcb.out_bytes += size
    note_window_use(tcb)
    return sent_text(tcb, seq, chunks, size, flags, now)


def note_window_use(tcb: Tcb) -> None:
    """How much of the congestion window is used at most in a round trip (Linux tcp_cwnd_validate). The ACKs that say
    whether it may grow come later, perhaps when there is nothing left to send."""
    recovery = tcb.recovery
    limited = recovery.in_flight + tcb.mss > recovery.cc.cwnd
    out = tcb.snd_nxt - tcb.snd_una
    if limited or tcb.snd_una >= tcb.window_use_to or (out > tcb.most_out and not tcb.cwnd_limited):
        tcb.cwnd_limited = limited
        tcb.most_out = out
        tcb.window_use_to = tcb.snd_nxt


def sendable(tcb: Tcb, left: int, now: int) -> int:
    """Bytes of new data for the next segment: what the peer's window, the congestion window and Nagle let out; 0 to
    wait."""
    usable = tcb.snd_una + tcb.snd_wnd - tcb.snd_nxt
    mss = tcb.mss
    most = tcb.max_payload
    if tcb.received.waiting or tcb.dsack is not None:
        mss -= sack_size(tcb)
        most = most // tcb.mss * mss
    if tcb.forced and usable > 0:
        tcb.forced = False
        return min(left, usable, mss)
    if usable < mss and usable < left:
        return sendable_in_small_window(tcb, usable, left, now)
    allowance = tcb.recovery.send_allowance()
    size = left if left < most else most
    if size > usable:
        size = usable
    if size > allowance:
        size = allowance
    if size >= mss:
        tail = size % mss
        # A tail shorter than the MSS goes along only if it is the end and Nagle lets it out.
        if tail and (size < left or nagle_holds(tcb)):
            return size - tail
        return size
    if size < left:
        # The congestion window has no room for a whole segment.
        return 0
    if nagle_holds(tcb):
        if tcb.settings.cork and tcb.snd_una == tcb.snd_nxt:
            start_persist(tcb, now)
        return 0
    return size


def sendable_in_small_window(tcb: Tcb, usable: int, left: int, now: int) -> int:
    """The peer's window has no room for a full segment (RFC 9293 §3.8.6.2.1): send what fits if it is half of the
    largest window it ever
    offered and nothing is in flight, else wait; the persist timer breaks a standstill."""
    if usable > 0 and tcb.snd_una == tcb.snd_nxt and usable * 2 >= tcb.max_snd_wnd:
        return usable
    if tcb.snd_una == tcb.snd_nxt:
        start_persist(tcb, now)
    return 0


def start_persist(tcb: Tcb, now: int) -> None:
    """Data waits and nothing is in flight: nobody's ACK will wake us."""
    if tcb.persist_at == NEVER:
        tcb.persist_at = now + tcb.rtt.backed_off(tcb.persist_backoff)


def nagle_holds(tcb: Tcb) -> bool:
    """RFC 9293 §3.7.4 in Minshall's form, as in Linux: a small segment waits only while another small one is
    unacknowledged."""
    if tcb.snd_closed or tcb.snd_up > tcb.snd_nxt:
        return False
    if tcb.settings.cork:
        return True
    return not tcb.settings.nodelay and tcb.small_end > tcb.snd_una


def restart_after_idle(tcb: Tcb, size: int, now: int) -> int:
    """RFC 5681 §4.1: after an idle time of more than one RTO the window is no longer known to be right. Returns what
    may
    still go out of `size` bytes."""
    idle = now - tcb.last_sent_at
    if not tcb.config.slow_start_after_idle or idle <= tcb.rtt.rto:
        return size
    tcb.recovery.cc.idle(idle, tcb.rtt.rto, now)
    allowed = tcb.recovery.send_allowance()
    if size <= allowed:
        return size
    return max(allowed - allowed % tcb.mss, min(size, tcb.mss))


def fin_alone(tcb: Tcb, now: int) -> TcpSegment | None:
    """A FIN takes a sequence number, and so room in the peer's window: it waits for a closed one to open."""
    seq = tcb.snd_nxt
    if seq >= tcb.snd_una + tcb.snd_wnd:
        if seq == tcb.snd_una:
            start_persist(tcb, now)
        return None
    tcb.snd_fin = seq
    tcb.recovery.record_sent(seq, seq + 1, now)
    tcb.snd_nxt = seq + 1
    return sent_text(tcb, seq, _NOTHING, 0, FIN | ACK, now)


def retransmission(tcb: Tcb, lost: SentRange, now: int) -> TcpSegment:
    """The head of a lost range, at most one MSS of it: the path has just shown that it loses."""
    seq = lost.start
    end = lost.end
    data_end = tcb.sending.end
    size = min(end, data_end) - seq
    most = tcb.mss - sack_size(tcb)
    if size > most:
        size = most
    if size < 0:
        size = 0
    flags = ACK
    after = seq + size
    if after == tcb.snd_fin and end > after:
        flags |= FIN
        after += 1
    if size and (seq + size == data_end or tcb.sending.ends_write(seq + size)):
        flags |= PSH
    chunks = tcb.sending.take(seq, size) if size else _NOTHING
    tcb.recovery.record_retransmission(seq, after, now)
    tcb.retransmitted += 1
    return sent_text(tcb, seq, chunks, size, flags, now)


def sent_text(tcb: Tcb, seq: int, chunks: tuple[Buffer, ...], size: int, flags: int, now: int) -> TcpSegment:
    tcb.last_sent_at = now
    if size:
        tcb.out_data_segments += 1
    if tcb.retransmit_at == NEVER:
        tcb.retransmit_at = now + tcb.rtt.rto
    if now - tcb.last_heard_at < tcb.config.delayed_ack and tcb.in_bytes and not tcb.pingpong:
        # An answer close behind a question: a conversation (Linux tcp_event_data_sent).
        tcb.pingpong = True
    return finish(tcb, seq, chunks, size, flags, now)


# -- every segment but SYN and RST


def finish(tcb: Tcb, seq: int, chunks: tuple[Buffer, ...], size: int, flags: int, now: int) -> TcpSegment:
    """Puts the acknowledgement, the window and the options of now on a segment."""
    tcb.due &= ~ACK_DUE
    tcb.delayed_ack_at = NEVER
    rcv_nxt = tcb.rcv_nxt
    window = acknowledge.open_window(tcb)
    scale = tcb.rcv_wscale
    if scale > 0:
        window = (window + (1 << scale) - 1) >> scale
        edge = rcv_nxt + (window << scale)
    else:
        edge = rcv_nxt + window
    if window > 65535:
        window = 65535
    if edge > tcb.rcv_adv:
        tcb.rcv_adv = edge
    tcb.rcv_wup = rcv_nxt
    tcb.out_segments += 1
    sack: tuple[tuple[int, int], ...] = ()
    if tcb.sack_ok and (tcb.received.waiting or tcb.dsack is not None):
        sack = sack_blocks(tcb)
    urgent = 0
    if tcb.snd_up > seq:
        flags |= URG
        urgent = min(tcb.snd_up - seq, 65535)
    ts_val = ABSENT
    ts_ecr = ABSENT
    if tcb.ts_ok:
        ts_val = (now // MILLISECOND + tcb.ts_offset) & MASK
        ts_ecr = tcb.ts_recent
    return TcpSegment(
        tcb.local_port,
        tcb.remote_port,
        seq & MASK,
        rcv_nxt & MASK,
        flags,
        window,
        chunks,
        size,
        ts_val,
        ts_ecr,
        sack,
        None,
        urgent,
        None,
        tcb.mss - (4 + 8 * len(sack) if sack else 0) if size > tcb.mss else 0,
    )


def sack_size(tcb: Tcb) -> int:
    """Bytes that SACK blocks take from the payload of a segment sent now."""
    if not tcb.sack_ok:
        return 0
    count = 0 if tcb.dsack is None else 1
    if tcb.received.waiting:
        count += len(tcb.received.sack_blocks(tcb.most_sacks - count))
    return 4 + 8 * min(count, tcb.most_sacks) if count and tcb.most_sacks else 0


def sack_blocks(tcb: Tcb) -> tuple[tuple[int, int], ...]:
    """RFC 2018 §4, a duplicate reported first (RFC 2883)."""
    most = tcb.most_sacks
    blocks: list[tuple[int, int]] = []
    if tcb.dsack is not None:
        start, end = tcb.dsack
        tcb.dsack = None
        if most:
            blocks.append((start & MASK, end & MASK))
    if most and tcb.received.waiting:
        for start, end in tcb.received.sack_blocks(most - len(blocks)):
            # A FIN that came with the data is held like the data.
            blocks.append((start & MASK, (end + 1 if end == tcb.rcv_fin else end) & MASK))
    return tuple(blocks)
