"""What the application asks for: open, send, receive, shutdown, close, abort (RFC 9293 §3.10.1 to §3.10.5), with
Linux's answers.

A call returns a value, or a negative errno. It never waits and never sends: `transmit` does, when the host drains the
connection next.
"""

from __future__ import annotations

from netglass.errnos import EAGAIN, EINVAL, ENOTCONN, EPIPE
from netglass.tcp import acknowledge, options
from netglass.tcp.arrive import start_fin_wait_2
from netglass.tcp.establish import keepalive_idle, vanish
from netglass.tcp.state import (
    CLOSE_WAIT,
    CLOSED,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
)
from netglass.tcp.tcb import ACK_DUE, RESET_DUE, SYN_DUE, URGENT_NOT_YET, URGENT_READ, Tcb
from netglass.times import NEVER
from netglass.wire.checksum import Buffer
from netglass.world import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP


def open_active(tcb: Tcb, now: int) -> None:
    """OPEN, active (§3.10.1)."""
    options.offer(tcb)
    tcb.move(SYN_SENT, now)
    tcb.snd_nxt = tcb.iss
    tcb.due |= SYN_DUE


# -- SEND


def send(tcb: Tcb, data: Buffer, now: int, urgent: bool) -> int:
    """Bytes taken into the buffer."""
    if tcb.error:
        return -take_error(tcb)
    if tcb.snd_closed or tcb.state is CLOSED:
        return -EPIPE
    if tcb.state is SYN_SENT or tcb.state is SYN_RECEIVED:
        return -EAGAIN
    sending = tcb.sending
    room = tcb.sndbuf - (sending.end - sending.start)
    if room <= 0:
        return -EAGAIN
    size = len(data)
    if size > room:
        size = room
        data = memoryview(data)[:room]
    if size:
        sending.append(data)
    if urgent and size:
        tcb.snd_up = sending.end
    return size


# -- RECEIVE


def receive(tcb: Tcb, size: int, peek: bool, now: int) -> bytes | int:
    """Data in order first, then the error, then the end of the stream: an application reads all that arrived before it
    learns what went wrong."""
    received = tcb.received
    skipped = 0
    if tcb.rcv_up >= 0 and received.readable:
        skipped = 1 if at_urgent_mark(tcb) else 0
        size = up_to_urgent(tcb, size)
        if skipped and not peek:
            received.read(1)
            forget_urgent(tcb)
            skipped = 0
    if received.readable > skipped:
        data = received.read(size + skipped, peek)
        if peek:
            return data[skipped:]
        if tcb.rcv_up >= 0 and received.next - received.readable >= tcb.rcv_up:
            forget_urgent(tcb)
        if tcb.state is not CLOSED:
            acknowledge.after_read(tcb)
        return data
    if tcb.rcv_fin >= 0 and tcb.rcv_nxt > tcb.rcv_fin:
        # The stream ended in good order; a RST that comes later does not change that.
        return b""
    if tcb.error:
        return -take_error(tcb)
    if tcb.rcv_closed or tcb.state is CLOSED or tcb.state is TIME_WAIT:
        return b""
    return -EAGAIN


def receive_chunks(tcb: Tcb, size: int, now: int) -> list[Buffer] | int:
    """The same, as the pieces in which it arrived, not copied; [] at the end of the stream."""
    if tcb.rcv_up >= 0 or not tcb.received.readable:
        data = receive(tcb, size, False, now)
        if isinstance(data, int):
            return data
        return [data] if data else []
    chunks = tcb.received.read_chunks(size)
    if tcb.state is not CLOSED:
        acknowledge.after_read(tcb)
    return chunks


def up_to_urgent(tcb: Tcb, size: int) -> int:
    """A read stops at the urgent mark (SIOCATMARK). One that starts there goes on; it skips the urgent byte, unless
    SO_OOBINLINE."""
    before = tcb.rcv_up - 1 - (tcb.received.next - tcb.received.readable)
    return min(size, before) if before > 0 else size


def forget_urgent(tcb: Tcb) -> None:
    tcb.rcv_up = -1
    tcb.urgent_byte = URGENT_NOT_YET


def receive_urgent(tcb: Tcb, peek: bool) -> bytes | int:
    """MSG_OOB (RFC 6093): one byte, once."""
    if tcb.settings.oob_inline or tcb.rcv_up < 0 or tcb.urgent_byte == URGENT_READ:
        return -EINVAL
    if tcb.urgent_byte == URGENT_NOT_YET:
        return b"" if tcb.rcv_closed else -EAGAIN
    byte = bytes((tcb.urgent_byte,))
    if not peek:
        tcb.urgent_byte = URGENT_READ
    return byte


# -- CLOSE, ABORT


def shutdown(tcb: Tcb, read: bool, write: bool, now: int) -> int:
    state = tcb.state
    if state is CLOSED:
        return -ENOTCONN
    if state is SYN_SENT:
        vanish(tcb, now)
        tcb.woken |= POLLHUP | POLLOUT | POLLIN
        return 0
    if read:
        tcb.rcv_closed = True
        tcb.woken |= POLLIN | POLLRDHUP
    if write:
        close_sending(tcb, now)
    if read and write:
        tcb.woken |= POLLHUP
    return 0


def close_sending(tcb: Tcb, now: int) -> None:
    """No more data from us: the FIN goes out behind what is queued. As in Linux the state changes now and not when the
    FIN leaves."""
    if tcb.snd_closed:
        return
    tcb.snd_closed = True
    tcb.woken |= POLLOUT
    if tcb.state is ESTABLISHED:
        tcb.move(FIN_WAIT_1, now)
    elif tcb.state is CLOSE_WAIT:
        tcb.move(LAST_ACK, now)
    # In SYN-RECEIVED the FIN waits for the ESTABLISHED state (§3.10.4).


def close(tcb: Tcb, now: int) -> None:
    """CLOSE (§3.10.4) and close(2): nobody will read or write any more."""
    tcb.closed_by_application = True
    tcb.rcv_closed = True
    state = tcb.state
    if state is CLOSED or state is TIME_WAIT:
        return
    if state is SYN_SENT:
        vanish(tcb, now)
        return
    unread = tcb.received.readable > 0
    if unread or tcb.settings.linger == 0:
        # RFC 2525 §2.17: the peer must learn that its data was not read. Linger of zero asks for it.
        tcb.counters.add("close-with-unread-data" if unread else "close-with-zero-linger")
        abort(tcb, now)
        return
    close_sending(tcb, now)
    if tcb.state is FIN_WAIT_2:
        start_fin_wait_2(tcb, now)


def abort(tcb: Tcb, now: int) -> None:
    """ABORT (§3.10.5)."""
    if tcb.state is not CLOSED and tcb.state is not SYN_SENT and tcb.state is not TIME_WAIT:
        tcb.due |= RESET_DUE
        tcb.reset_seq = tcb.snd_nxt
    vanish(tcb, now)
    tcb.woken |= POLLHUP | POLLIN | POLLOUT | POLLRDHUP


# -- STATUS and options


def take_error(tcb: Tcb) -> int:
    """SO_ERROR: the pending error, once."""
    error = tcb.error
    tcb.error = 0
    return error


def readiness(tcb: Tcb) -> int:
    """poll(2) as Linux tcp_poll answers it."""
    state = tcb.state
    mask = 0
    end_of_stream = tcb.rcv_closed or (tcb.rcv_fin >= 0 and tcb.rcv_nxt > tcb.rcv_fin) or state is CLOSED
    write_closed = tcb.snd_closed or state is CLOSED
    if end_of_stream and write_closed:
        mask |= POLLHUP
    if end_of_stream:
        mask |= POLLIN | POLLRDHUP
    if state is not SYN_SENT and state is not SYN_RECEIVED:
        if tcb.received.readable > (1 if at_urgent_mark(tcb) else 0):
            mask |= POLLIN
        if write_closed or has_room(tcb):
            mask |= POLLOUT
        if tcb.urgent_byte >= 0:
            mask |= POLLPRI
    if tcb.error:
        mask |= POLLERR
    return mask


def at_urgent_mark(tcb: Tcb) -> bool:
    """The next unread byte is the urgent one, which an ordinary read does not get."""
    if tcb.rcv_up < 0 or tcb.settings.oob_inline:
        return False
    return tcb.received.next - tcb.received.readable == tcb.rcv_up - 1


def has_room(tcb: Tcb) -> bool:
    """Linux sk_stream_is_writeable: at least half as much is free as is queued."""
    queued = tcb.sending.end - tcb.sending.start
    return tcb.sndbuf - queued >= queued >> 1 and queued < tcb.sndbuf


def settings_changed(tcb: Tcb, now: int) -> None:
    """An option was set on a live connection."""
    settings = tcb.settings
    if settings.rcvbuf >= 0:
        tcb.rcvbuf = settings.rcvbuf
    if settings.sndbuf >= 0:
        tcb.sndbuf = settings.sndbuf
    if settings.quickack >= 0:
        tcb.pingpong = settings.quickack == 0
        if settings.quickack == 1 and tcb.delayed_ack_at != NEVER and not tcb.received.readable:
            tcb.due |= ACK_DUE
    if not settings.keepalive:
        tcb.keepalive_at = NEVER
    elif tcb.state is not CLOSED and tcb.state is not SYN_SENT and tcb.state is not TIME_WAIT:
        tcb.keepalive_at = max(now, max(tcb.last_heard_at, tcb.last_sent_at) + keepalive_idle(tcb))
