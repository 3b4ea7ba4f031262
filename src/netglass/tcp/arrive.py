"""A segment arrives: RFC 9293 §3.10.7, in the RFC's order, one function a check.

    segment_arrives ── CLOSED: nothing (the host answers for ports without anybody)
                    ├─ SYN-SENT: in_syn_sent          §3.10.7.3
                    ├─ TIME-WAIT: in_time_wait        what Linux does with RFC 6191 and RFC 1337
                    └─ others: in_synchronized        §3.10.7.4
                          1 sequence number, PAWS   2 RST   3 (security: not used)   4 SYN
                          5 ACK                     6 URG   7 data                   8 FIN

Nothing here sends. A check that wants an answer sets a bit in `tcb.due`; `transmit` makes the segment. Where Linux
differs from the RFC's letter, Linux is
followed and the comment says so.
"""

from __future__ import annotations

from typing import Final

from netglass.errnos import ECONNREFUSED, ECONNRESET, EPIPE
from netglass.tcp import acknowledge, options
from netglass.tcp.establish import establish, forget_buffers, vanish
from netglass.tcp.state import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
)
from netglass.tcp.tcb import ACK_DUE, RESET_DUE, SYN_DUE, URGENT_NOT_YET, Tcb
from netglass.tcp.transmit import syn_space
from netglass.times import MILLISECOND, NEVER, SECOND
from netglass.wire.checksum import Buffer
from netglass.wire.seq import unwrap
from netglass.wire.tcp import ABSENT, ACK, FIN, RST, SYN, URG, TcpSegment
from netglass.world import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP

SYN_AGAIN: Final = 5 * MILLISECOND  # Linux TCP_TIMEOUT_MIN: two ticks, 2 to 8 ms
PAWS_IDLE: Final = 24 * 86400 * SECOND  # RFC 7323 §5.5: a timestamp older than this says nothing


def segment_arrives(tcb: Tcb, segment: TcpSegment, now: int) -> None:
    """The one way in. The checksum has been verified and the ports match."""
    tcb.in_segments += 1
    state = tcb.state
    if state is SYN_SENT:
        in_syn_sent(tcb, segment, now)
    elif state is TIME_WAIT:
        in_time_wait(tcb, segment, now)
    elif state is not CLOSED:
        in_synchronized(tcb, segment, now)


# -- §3.10.7.3: SYN-SENT


def in_syn_sent(tcb: Tcb, segment: TcpSegment, now: int) -> None:
    flags = segment.flags
    ack = unwrap(segment.ack, tcb.snd_una)
    # first: the ACK bit
    if flags & ACK and not tcb.iss < ack <= tcb.snd_nxt:
        tcb.counters.add("syn-sent-bad-ack")
        if not flags & RST:
            answer_with_reset(tcb, ack)
            if not tcb.syn_retries:
                # Linux: the RST may have freed the peer of an old connection; the SYN is worth another try at once.
                tcb.retransmit_at = min(tcb.retransmit_at, now + SYN_AGAIN)
        return
    # second: the RST bit
    if flags & RST:
        if flags & ACK:
            reset_by_peer(tcb, now)
        else:
            tcb.counters.add("syn-sent-bad-reset")
        return
    # fourth: the SYN bit. A FIN beside it is ignored, as in Linux; so is data, which the peer will send again.
    if not flags & SYN:
        tcb.counters.add("syn-sent-no-syn")
        return
    tcb.irs = segment.seq
    tcb.rcv_nxt = tcb.rcv_wup = segment.seq + 1
    tcb.rcv_adv = tcb.rcv_nxt + syn_space(tcb)
    options.agree(tcb, segment, now)
    tcb.last_heard_at = now
    if flags & ACK:
        tcb.snd_una = ack
        tcb.retransmit_at = NEVER
        establish(tcb, now)
        tcb.snd_wnd = tcb.max_snd_wnd = segment.window  # the window of a SYN is never scaled (RFC 7323 §2.2)
        tcb.snd_wl1 = segment.seq
        tcb.move(ESTABLISHED, now)
        tcb.woken |= POLLOUT
        if tcb.settings.quickack == 0:
            # Somebody who knows that he will speak at once asked for this (TCP_QUICKACK 0): the third segment waits for
            # his data.
            tcb.pingpong = True
            tcb.delayed_ack_at = now + tcb.config.delayed_ack
        else:
            tcb.due |= ACK_DUE
        return
    # Simultaneous open: our SYN and theirs have crossed (figure 7).
    tcb.counters.add("simultaneous-open")
    tcb.snd_wnd = tcb.max_snd_wnd = segment.window
    tcb.snd_wl1 = segment.seq
    tcb.move(SYN_RECEIVED, now)
    tcb.due |= SYN_DUE


# -- §3.10.7.4: the synchronized states and SYN-RECEIVED


def in_synchronized(tcb: Tcb, segment: TcpSegment, now: int) -> None:
    flags = segment.flags
    seq = unwrap(segment.seq, tcb.rcv_nxt)
    if not sequence_acceptable(tcb, segment, seq, now):
        return
    if flags & RST:
        reset_arrives(tcb, seq, now)
        return
    if flags & SYN and not crossed_syn_ack(tcb, segment, seq):
        # RFC 5961 §4.2: a SYN in a synchronized state gets a challenge ACK, not a reset.
        challenge(tcb, "challenge-syn", now)
        return
    if not flags & ACK:
        tcb.counters.add("no-ack-bit")
        return
    if flags & SYN:
        # Of the crossed SYN-ACK only the acknowledgement is new; its SYN is told as a duplicate (RFC 2883; Linux).
        tcb.dsack = (seq, seq + 1)
        tcb.due |= ACK_DUE
    if not ack_arrives(tcb, segment, seq, now):
        return
    if flags & URG:
        urgent_arrives(tcb, segment, seq)
    if segment.length or flags & FIN:
        text_arrives(tcb, segment, seq, now)


def sequence_acceptable(tcb: Tcb, segment: TcpSegment, seq: int, now: int) -> bool:
    """First check: the sequence number, and before it PAWS (RFC 7323 §5.3)."""
    flags = segment.flags
    if tcb.ts_ok and segment.ts_val != ABSENT and is_old_timestamp(tcb, segment.ts_val, now) and not flags & RST:
        if not segment.length and not flags & (SYN | FIN) and seq < tcb.rcv_nxt:
            # A bare ACK that others have overtaken: common, and nothing to answer (Linux tcp_disordered_ack_check).
            tcb.counters.add("paws-overtaken-ack")
        else:
            answer_unacceptable(tcb, segment, "paws", now)
        return False
    end = seq + segment.length + (flags & SYN) // SYN + (flags & FIN)
    edge = tcb.rcv_adv if tcb.rcv_adv > tcb.rcv_nxt else tcb.rcv_nxt
    if end < tcb.rcv_wup or seq > edge:
        if flags & RST and before_fin(tcb, seq):
            return True
        if flags & RST:
            tcb.counters.add("reset-outside-window")
        elif flags & SYN:
            challenge(tcb, "challenge-syn", now)
        else:
            answer_unacceptable(tcb, segment, "sequence-outside-window", now)
        return False
    return True


def is_old_timestamp(tcb: Tcb, ts_val: int, now: int) -> bool:
    # Linux tcp_paws_check: some stacks send zero in their SYN and true values later; a zero says nothing. One tick is
    # forgiven (TCP_PAWS_WINDOW), but not to a SYN that would end TIME-WAIT.
    recent = tcb.ts_recent
    forgiven = 0 if tcb.state is TIME_WAIT else 1
    return recent > 0 and unwrap(ts_val, recent) < recent - forgiven and now - tcb.ts_recent_at < PAWS_IDLE


def answer_unacceptable(tcb: Tcb, segment: TcpSegment, reason: str, now: int) -> None:
    """An ACK that says what we expect. Two ends that answer each other's wrong ACKs would never stop, so segments
    without data are answered
    at most twice a second (Linux tcp_invalid_ratelimit); data always is, for it cannot loop."""
    tcb.counters.add(reason)
    if reason == "sequence-outside-window" and segment.length and tcb.sack_ok:
        seq = unwrap(segment.seq, tcb.rcv_nxt)
        if seq + segment.length <= tcb.rcv_nxt:
            tcb.dsack = (seq, seq + segment.length)
    takes_number = segment.length > 0 or segment.flags & FIN != 0
    if not takes_number or segment.flags & SYN:
        if now - tcb.answered_at < tcb.config.invalid_ratelimit:
            tcb.counters.add("answer-rate-limited")
            return
        tcb.answered_at = now
    tcb.due |= ACK_DUE


def challenge(tcb: Tcb, reason: str, now: int) -> None:
    """A challenge ACK (RFC 5961): who sent this in good faith will answer with a proper RST."""
    tcb.counters.add(reason)
    if now - tcb.answered_at < tcb.config.invalid_ratelimit:
        tcb.counters.add("answer-rate-limited")
        return
    if not tcb.counters.may_challenge(tcb.config.challenge_ack_limit, now):
        tcb.counters.add("challenge-ack-limit")
        return
    tcb.answered_at = now
    tcb.due |= ACK_DUE


# second: RST


def reset_arrives(tcb: Tcb, seq: int, now: int) -> None:
    """RFC 5961 §3.2: only a RST at exactly RCV.NXT counts; one elsewhere in the window is challenged."""
    if seq != tcb.rcv_nxt and not before_fin(tcb, seq) and not at_sack_edge(tcb, seq):
        challenge(tcb, "challenge-reset", now)
        return
    reset_by_peer(tcb, now)


def before_fin(tcb: Tcb, seq: int) -> bool:
    """Linux: after the peer's FIN a RST with the number before it counts too; some stacks do not number it beyond."""
    return seq == tcb.rcv_nxt - 1 and tcb.state in (CLOSE_WAIT, LAST_ACK, CLOSING)


def at_sack_edge(tcb: Tcb, seq: int) -> bool:
    """Linux: a peer that saw our SACKs may number its RST by the right edge of the furthest block."""
    if not tcb.received.waiting or not tcb.sack_ok:
        return False
    furthest = tcb.rcv_nxt
    for block in tcb.received.sack_blocks(4):
        furthest = max(furthest, block[1])
    return seq == furthest


def reset_by_peer(tcb: Tcb, now: int) -> None:
    """The error that the next call gets is Linux's: refused in SYN-SENT, a broken pipe after the peer had closed,
    else reset."""
    if tcb.state is SYN_SENT:
        tcb.error = ECONNREFUSED
    elif tcb.state is CLOSE_WAIT:
        tcb.error = EPIPE
    else:
        tcb.error = ECONNRESET
    vanish(tcb, now)
    tcb.woken |= POLLERR | POLLHUP | POLLIN | POLLOUT | POLLRDHUP


def answer_with_reset(tcb: Tcb, seq: int) -> None:
    """A RST that the sender of an impossible ACK will believe: it has the number that it acknowledged (§3.5.2, case
    2)."""
    tcb.due |= RESET_DUE
    tcb.reset_seq = seq
    tcb.reset_ack = False


# fourth: SYN


def crossed_syn_ack(tcb: Tcb, segment: TcpSegment, seq: int) -> bool:
    """The SYN-ACK that answers our SYN-ACK in a simultaneous open (figure 7, lines 5 and 6): its SYN is the one that we
    know. With text or a FIN behind the SYN it is none, as in Linux."""
    if tcb.state is not SYN_RECEIVED or tcb.passive or seq != tcb.irs:
        return False
    return segment.flags & (ACK | FIN) == ACK and not segment.length


# fifth: ACK


def ack_arrives(tcb: Tcb, segment: TcpSegment, seq: int, now: int) -> bool:
    """False if the segment must go no further."""
    ack = unwrap(segment.ack, tcb.snd_una)
    if tcb.state is SYN_RECEIVED:
        if not tcb.snd_una < ack <= tcb.snd_nxt:
            tcb.counters.add("syn-received-bad-ack")
            answer_with_reset(tcb, ack)
            return False
        handshake_completes(tcb, segment, seq, now)
    if ack > tcb.snd_nxt:
        # "If the ACK acks something not yet sent, then send an ACK, drop the segment, and return."
        answer_unacceptable(tcb, segment, "ack-not-sent-yet", now)
        return False
    if ack < tcb.snd_una:
        if ack < tcb.snd_una - tcb.max_snd_wnd or ack <= tcb.iss:
            # RFC 5961 §5.2; and nobody can acknowledge what was never sent, however large the window (Linux
            # bytes_acked).
            challenge(tcb, "challenge-old-ack", now)
            return False
    elif segment.ts_val != ABSENT and tcb.ts_ok and seq <= tcb.rcv_wup:
        # RFC 7323 §4.3 as Linux has it: TS.Recent moves if the segment does not begin beyond what we acknowledged last.
        # Only now: beside a forged ACK it could make PAWS drop everything true.
        tcb.ts_recent = segment.ts_val
        tcb.ts_recent_at = now
    tcb.last_heard_at = now
    tcb.keepalive_sent = 0
    acknowledge.take_ack(tcb, segment, seq, ack, now)
    if tcb.snd_fin >= 0 and tcb.snd_una > tcb.snd_fin:
        our_fin_acknowledged(tcb, now)
    return tcb.state is not CLOSED and tcb.state is not TIME_WAIT


def handshake_completes(tcb: Tcb, segment: TcpSegment, seq: int, now: int) -> None:
    """SYN-RECEIVED is left. The ACK itself is dealt with next, in ESTABLISHED."""
    tcb.retransmit_at = NEVER
    tcb.due &= ~SYN_DUE
    establish(tcb, now)
    window = segment.window if segment.flags & SYN else segment.window << tcb.snd_wscale
    tcb.snd_wnd = tcb.max_snd_wnd = window
    tcb.snd_wl1 = seq
    tcb.snd_una = tcb.iss + 1
    tcb.move(FIN_WAIT_1 if tcb.snd_closed else ESTABLISHED, now)
    tcb.woken |= POLLOUT


def our_fin_acknowledged(tcb: Tcb, now: int) -> None:
    state = tcb.state
    if state is FIN_WAIT_1:
        tcb.move(FIN_WAIT_2, now)
        tcb.woken |= POLLOUT
        start_fin_wait_2(tcb, now)
    elif state is CLOSING:
        enter_time_wait(tcb, now)
    elif state is LAST_ACK:
        vanish(tcb, now)
        tcb.woken |= POLLHUP


def start_fin_wait_2(tcb: Tcb, now: int) -> None:
    """Nobody will read any more, so the peer's FIN is not waited for without end (Linux tcp_fin_timeout,
    TCP_LINGER2)."""
    if not tcb.closed_by_application:
        return
    own = tcb.settings.fin_wait2_timeout
    if own == 0:  # TCP_LINGER2 below zero: no waiting at all
        answer_with_reset(tcb, tcb.snd_nxt)
        vanish(tcb, now)
        return
    tcb.close_at = now + (own if own >= 0 else tcb.config.fin_timeout)


# sixth: URG


def urgent_arrives(tcb: Tcb, segment: TcpSegment, seq: int) -> None:
    """RFC 9293 §3.8.5 and RFC 6093: the pointer names the byte after the last urgent one; the socket hands out the one
    before it."""
    if tcb.rcv_fin >= 0:
        return
    end = seq + segment.urgent
    if end <= tcb.rcv_nxt or end <= tcb.rcv_up:
        return
    tcb.rcv_up = end
    tcb.urgent_byte = URGENT_NOT_YET
    tcb.woken |= POLLPRI


def pick_urgent(tcb: Tcb, seq: int, chunks: tuple[Buffer, ...], size: int) -> None:
    """The urgent byte is among these: keep a copy for MSG_OOB."""
    offset = tcb.rcv_up - 1 - seq
    if not 0 <= offset < size:
        return
    for chunk in chunks:
        if offset < len(chunk):
            tcb.urgent_byte = chunk[offset]
            tcb.woken |= POLLPRI
            return
        offset -= len(chunk)


# seventh and eighth: text and FIN


def text_arrives(tcb: Tcb, segment: TcpSegment, seq: int, now: int) -> None:
    state = tcb.state
    size = segment.length
    end = seq + size
    fin = segment.flags & FIN != 0
    if state is not ESTABLISHED and state is not FIN_WAIT_1 and state is not FIN_WAIT_2:
        # The peer has sent its FIN already: "this should not occur; ignore the segment text". A repeated FIN is
        # acknowledged again.
        if seq < tcb.rcv_nxt:
            tcb.dsack = (seq, end + 1 if fin else end)
            acknowledge.schedule_now(tcb)
        else:
            tcb.counters.add("text-after-fin")
        return
    if end > tcb.rcv_nxt and size and unread_for_ever(tcb):
        # Linux: data for somebody who has gone is lost, and the peer must learn that it is (RFC 2525 §2.17).
        tcb.counters.add("data-after-close")
        answer_with_reset(tcb, unwrap(segment.ack, tcb.snd_una))
        vanish(tcb, now)
        return
    if fin:
        place_fin(tcb, end)
    if size:
        acknowledge.take_text(tcb, segment, seq, size, now)
        if tcb.rcv_up >= 0 and tcb.urgent_byte == URGENT_NOT_YET:
            pick_urgent(tcb, seq, segment.chunks, size)
    elif fin and end < tcb.rcv_nxt:
        acknowledge.schedule_now(tcb)
    if tcb.rcv_fin >= 0 and tcb.rcv_nxt == tcb.rcv_fin:
        fin_arrives(tcb, now)
    elif fin:
        acknowledge.schedule_now(tcb)


def place_fin(tcb: Tcb, seq: int) -> None:
    """The peer's stream ends before `seq`. It cannot, if text from there on has arrived already."""
    if seq < tcb.received.end:
        tcb.counters.add("fin-before-text")
    elif seq > tcb.rcv_adv:
        tcb.counters.add("fin-beyond-window")
    elif tcb.rcv_fin < 0 or seq < tcb.rcv_fin:
        tcb.rcv_fin = seq


def unread_for_ever(tcb: Tcb) -> bool:
    """Linux: in FIN-WAIT-1 and -2 both close() and shutdown(SHUT_RD) mean it; in ESTABLISHED close() has already moved
    on."""
    return tcb.state is not ESTABLISHED and (tcb.closed_by_application or tcb.rcv_closed)


def fin_arrives(tcb: Tcb, now: int) -> None:
    """The FIN is next in order: it takes its sequence number."""
    tcb.rcv_nxt = tcb.rcv_fin + 1
    tcb.woken |= POLLIN | POLLRDHUP
    state = tcb.state
    if state is ESTABLISHED:
        tcb.move(CLOSE_WAIT, now)
        # Linux: the application will very likely close too, so the ACK may wait and go with our FIN: three segments and
        # not four.
        tcb.pingpong = True
        if tcb.in_bytes:
            acknowledge.schedule(tcb, now)
        else:
            # Linux has not measured a delay yet: it does not wait.
            acknowledge.schedule_now(tcb)
    elif state is FIN_WAIT_1:
        tcb.move(CLOSING, now)
        acknowledge.schedule_now(tcb)
    elif state is FIN_WAIT_2:
        acknowledge.schedule_now(tcb)
        enter_time_wait(tcb, now)
        tcb.woken |= POLLHUP


# -- TIME-WAIT


def enter_time_wait(tcb: Tcb, now: int) -> None:
    tcb.move(TIME_WAIT, now)
    forget_buffers(tcb)
    tcb.close_at = now + 2 * tcb.config.msl
    tcb.woken |= POLLHUP


def in_time_wait(tcb: Tcb, segment: TcpSegment, now: int) -> None:
    """Linux tcp_timewait_state_process. A SYN that may open a new incarnation never comes here: see
    `may_be_replaced`."""
    flags = segment.flags
    seq = unwrap(segment.seq, tcb.rcv_nxt)
    end = seq + segment.length + (flags & SYN) // SYN + (flags & FIN)
    old = tcb.ts_ok and segment.ts_val != ABSENT and is_old_timestamp(tcb, segment.ts_val, now)
    if not old and seq == tcb.rcv_nxt and (end == seq or flags & RST):
        if flags & RST:
            reset_in_time_wait(tcb, now)
            return
        tcb.close_at = now + 2 * tcb.config.msl
        if segment.ts_val != ABSENT and tcb.ts_ok:
            tcb.ts_recent, tcb.ts_recent_at = segment.ts_val, now
        return
    if flags & RST:
        tcb.counters.add("reset-outside-window")
        return
    if flags & ACK or old:
        # The peer has not seen our last ACK: it starts over, and so does the wait (RFC 9293 §3.10.7.4, eighth).
        tcb.close_at = now + 2 * tcb.config.msl
    answer_unacceptable(tcb, segment, "paws" if old else "segment-in-time-wait", now)


def reset_in_time_wait(tcb: Tcb, now: int) -> None:
    if tcb.config.rfc1337:
        # RFC 1337: else an old RST could end the wait that protects from old segments.
        tcb.counters.add("reset-in-time-wait")
        return
    vanish(tcb, now)


def may_be_replaced(tcb: Tcb, segment: TcpSegment, now: int) -> bool:
    """True if this SYN opens a new incarnation of a connection in TIME-WAIT: its sequence number or its timestamp is
    beyond all that the old
    one used (RFC 9293 §3.6.1, RFC 6191)."""
    if tcb.state is not TIME_WAIT or segment.flags & (SYN | ACK | RST) != SYN:
        return False
    timed = tcb.ts_ok and segment.ts_val != ABSENT
    if timed and is_old_timestamp(tcb, segment.ts_val, now):
        return False
    if unwrap(segment.seq, tcb.rcv_nxt) > tcb.rcv_nxt:
        return True
    return timed and tcb.ts_recent != ABSENT and unwrap(segment.ts_val, tcb.ts_recent) > tcb.ts_recent
