"""Both directions of acknowledgement: what the peer's ACK does to our sending side, and when we acknowledge what we
receive.

Ours follow Linux: at the start of a connection every segment at once (quick ACKs), then one for every second full
segment or after `delayed_ack`,
and in a conversation with the answer (RFC 9293 §3.8.6.3, RFC 5681 §4.2).
"""

from __future__ import annotations

from netglass.tcp.chunks import cut_all
from netglass.tcp.establish import stop_persist
from netglass.tcp.state import ESTABLISHED
from netglass.tcp.tcb import ACK_DUE, Tcb
from netglass.times import MILLISECOND, NEVER
from netglass.wire.seq import MASK, unwrap
from netglass.wire.tcp import ABSENT, FIN, SYN, TcpSegment
from netglass.world import POLLIN, POLLOUT

_NO_SACKS: tuple[tuple[int, int], ...] = ()


def take_ack(tcb: Tcb, segment: TcpSegment, seq: int, ack: int, now: int) -> None:
    """RFC 9293 §3.10.7.4, fifth, for an ACK that is neither too old nor ahead of what was sent."""
    if ack < tcb.snd_una:
        tcb.counters.add("old-ack")
        # It was overtaken. Its window is old, too; only what it says of data that arrived is still true.
        if segment.sack and tcb.sack_ok and tcb.recovery.outstanding():
            sacks = checked_sacks(tcb, segment, ack)
            tcb.recovery.ack_arrived(tcb.snd_una, sacks, False, -1, window_limited(tcb), now)
        return
    window = segment.window if segment.flags & SYN else segment.window << tcb.snd_wscale
    duplicate = (
        ack == tcb.snd_una
        and not segment.length
        and window == tcb.snd_wnd
        and not segment.flags & (SYN | FIN)
        and tcb.snd_nxt > tcb.snd_una
    )
    advanced = ack > tcb.snd_una
    if advanced or seq > tcb.snd_wl1 or (seq == tcb.snd_wl1 and (window > tcb.snd_wnd or not window)):
        update_window(tcb, window, seq)
    recovery = tcb.recovery
    if recovery.nxt > recovery.una:
        sacks = checked_sacks(tcb, segment, ack) if segment.sack and tcb.sack_ok else _NO_SACKS
        recovery.ack_arrived(
            ack, sacks, duplicate, timestamp_rtt(tcb, segment, now) if advanced else -1, window_limited(tcb), now
        )
    if advanced:
        ack_advances(tcb, ack, now)
    if tcb.persist_at != NEVER:
        tcb.probes_sent = 0
        if tcb.snd_nxt < tcb.snd_una + tcb.snd_wnd:
            stop_persist(tcb)


def update_window(tcb: Tcb, window: int, seq: int) -> None:
    # SND.WL2 is not kept: what acknowledges less than SND.UNA never comes here.
    tcb.snd_wnd = window
    tcb.snd_wl1 = seq
    if window > tcb.max_snd_wnd:
        tcb.max_snd_wnd = window


def ack_advances(tcb: Tcb, ack: int, now: int) -> None:
    """New bytes are acknowledged: they leave the buffer, and the timer starts over or stops (RFC 6298 §5.2, §5.3)."""
    sending = tcb.sending
    tcb.snd_una = ack
    tcb.backoff = 0
    tcb.soft_error = 0
    sending.release(ack if ack <= sending.end else sending.end)
    if ack > tcb.snd_up:
        tcb.snd_up = -1
    # Linux sk_stream_write_space: wake the writer when a third of the buffer is free, not for each byte.
    if (sending.end - sending.start) * 3 <= tcb.sndbuf * 2:
        tcb.woken |= POLLOUT
    recovery = tcb.recovery
    tcb.retransmit_at = now + tcb.rtt.rto if recovery.nxt > recovery.una else NEVER


def window_limited(tcb: Tcb) -> bool:
    """Was the congestion window what held us back? If not, its growth would mean nothing (RFC 7661; Linux
    tcp_is_cwnd_limited). In slow start half a window in use is enough."""
    cc = tcb.recovery.cc
    return tcb.cwnd_limited or (cc.cwnd < cc.ssthresh and cc.cwnd < 2 * tcb.most_out)


def timestamp_rtt(tcb: Tcb, segment: TcpSegment, now: int) -> int:
    """RFC 7323 §4.1: a sample from the echoed timestamp, -1 if there is none. Milliseconds are its grain."""
    if segment.ts_ecr == ABSENT or not tcb.ts_ok or segment.ts_ecr == 0:
        return -1
    elapsed = ((now // MILLISECOND + tcb.ts_offset) - segment.ts_ecr) & MASK
    if elapsed > 0x7FFFFFFF:
        return -1
    return max(elapsed * MILLISECOND, MILLISECOND)


def checked_sacks(tcb: Tcb, segment: TcpSegment, ack: int) -> tuple[tuple[int, int], ...]:
    """The blocks, unwrapped, without those that cannot be (RFC 2018 §4; Linux tcp_is_sackblock_valid)."""
    good: list[tuple[int, int]] = []
    for left, right in segment.sack:
        start = unwrap(left, tcb.snd_una)
        end = start + ((right - left) & MASK)
        if start < end <= tcb.snd_nxt and start > tcb.snd_una - tcb.max_snd_wnd - 1:
            good.append((start, end))
        else:
            tcb.counters.add("sack-block-invalid")
    return tuple(good)


# -- receiving


def take_text(tcb: Tcb, segment: TcpSegment, seq: int, size: int, now: int) -> None:
    """RFC 9293 §3.10.7.4, seventh: what lies in the window goes to the receive buffer."""
    end = seq + size
    if end <= tcb.rcv_nxt:
        tcb.counters.add("duplicate-data")
        tcb.dsack = (seq, end)
        schedule_now(tcb)
        quick_again(tcb)
        return
    edge = tcb.rcv_adv if tcb.rcv_adv > tcb.rcv_nxt else tcb.rcv_nxt
    if tcb.rcv_fin >= 0 and tcb.rcv_fin < edge:
        edge = tcb.rcv_fin
    if seq >= edge:
        tcb.counters.add("data-beyond-window")
        schedule_now(tcb)
        return
    chunks = segment.chunks
    if end > edge:
        tcb.counters.add("data-cut-to-window")
        size = edge - seq
        chunks = tuple(cut_all(chunks, 0, size))
    if seq < tcb.rcv_nxt:
        tcb.dsack = (seq, tcb.rcv_nxt)
    tcb.in_data_segments += 1
    received = tcb.received
    had_gap = received.waiting > 0
    if tcb.rcv_mss <= size:
        tcb.rcv_mss = min(size, tcb.most_rcv_mss)
    advance = received.insert(seq, chunks, size)
    if advance:
        tcb.rcv_nxt += advance
        tcb.in_bytes += advance
        tcb.woken |= POLLIN
    if not advance or had_gap:
        if received.waiting + received.overhead() > tcb.rcvbuf * 2:
            # Tiny segments with gaps between them: the bookkeeping costs more than the data (Linux
            # tcp_prune_ofo_queue).
            received.forget_waiting()
            tcb.counters.add("receive-queue-pruned")
        if received.duplicate is not None:
            report_duplicate(tcb, received.duplicate)
            received.duplicate = None
        # A gap appeared, or one was filled: say so at once (RFC 5681 §4.2).
        if not advance:
            tcb.counters.add("out-of-order")
        quick_again(tcb)
        schedule_now(tcb)
        return
    schedule(tcb, now)


def report_duplicate(tcb: Tcb, again: tuple[int, int]) -> None:
    """RFC 2883 §4: one block, at the head of the next ACK; two pieces that touch are one."""
    known = tcb.dsack
    if known is None:
        tcb.dsack = again
    elif again[0] <= known[1] and known[0] <= again[1]:
        tcb.dsack = (min(known[0], again[0]), max(known[1], again[1]))


def quick_again(tcb: Tcb) -> None:
    """Something went wrong: the sender will want every ACK for a while (Linux tcp_enter_quickack_mode)."""
    tcb.quick_acks = max(tcb.quick_acks, tcb.config.quick_acks)
    tcb.pingpong = False


def schedule_now(tcb: Tcb) -> None:
    tcb.due |= ACK_DUE


def schedule(tcb: Tcb, now: int) -> None:
    """Something new in order: acknowledge now, or a little later together with more."""
    if tcb.rcv_nxt - tcb.rcv_wup > tcb.rcv_mss or (tcb.quick_acks and not tcb.pingpong) or tcb.settings.quickack == 1:
        tcb.due |= ACK_DUE
    elif tcb.delayed_ack_at == NEVER:
        tcb.delayed_ack_at = now + tcb.config.delayed_ack


def after_read(tcb: Tcb) -> None:
    """The application made room: tell the peer if its window would at least double (Linux tcp_cleanup_rbuf; RFC 9293
    §3.8.6.2.2)."""
    if tcb.state is not ESTABLISHED and tcb.rcv_fin >= 0:
        return
    told = tcb.rcv_adv - tcb.rcv_nxt
    if told * 2 > tcb.rcvbuf:
        return
    room = open_window(tcb)
    if room and room >= 2 * told:
        tcb.due |= ACK_DUE


def open_window(tcb: Tcb) -> int:
    """RCV.WND to tell now: the free room, rounded so that no silly window is offered (RFC 9293 §3.8.6.2.2), and never
    less than promised before."""
    full = tcb.rcvbuf
    if tcb.settings.window_clamp and full > tcb.settings.window_clamp:
        full = tcb.settings.window_clamp
    free = full - tcb.received.readable
    promised = tcb.rcv_adv - tcb.rcv_nxt
    if promised < 0:
        promised = 0
    if free < full >> 4 or (free < tcb.rcv_mss and free < full):
        # Too little to be worth a segment.
        return promised
    return free if free > promised else promised
