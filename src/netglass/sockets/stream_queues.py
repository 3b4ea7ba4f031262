"""How much waits at either end of a connection: what FIONREAD, SIOCOUTQ, SIOCATMARK and the low-water marks ask."""

from __future__ import annotations

from typing import Final

from netglass.sockets.constants import FIONREAD, SIOCATMARK, SIOCOUTQ, SIOCOUTQNSD
from netglass.tcp.connection import Connection
from netglass.world import POLLHUP, POLLIN, POLLOUT, POLLRDHUP

QUESTIONS: Final = (FIONREAD, SIOCOUTQ, SIOCOUTQNSD, SIOCATMARK)


def answer(connection: Connection, request: int) -> int:
    """One of QUESTIONS."""
    if request == SIOCATMARK:
        return at_mark(connection)
    if request == FIONREAD:
        return readable(connection)
    if request == SIOCOUTQNSD:
        return unsent(connection)
    sending = connection.tcb.sending
    return sending.end - sending.start


def above_low_water(connection: Connection, mask: int, least: int, most_unsent: int) -> int:
    """`mask` without POLLIN if fewer than `least` bytes are there to read (SO_RCVLOWAT), without POLLOUT if too many
    are not sent yet (TCP_NOTSENT_LOWAT; 0: no limit). The end of the stream waits for nothing."""
    if mask & POLLIN and not mask & (POLLRDHUP | POLLHUP) and connection.tcb.received.readable < least:
        mask &= ~POLLIN
    # Linux tcp_stream_memory_free: half of the limit must be free before a sleeper is woken.
    if most_unsent and mask & POLLOUT and not connection.tcb.snd_closed and 2 * unsent(connection) >= most_unsent:
        mask &= ~POLLOUT
    return mask


def unsent(connection: Connection) -> int:
    tcb = connection.tcb
    return max(tcb.sending.end - max(tcb.snd_nxt, tcb.sending.start), 0)


def readable(connection: Connection) -> int:
    """FIONREAD: what one recv can give: it stops at the urgent mark, and the urgent byte is not in the stream."""
    tcb = connection.tcb
    readable = tcb.received.readable
    if tcb.rcv_up < 0 or tcb.settings.oob_inline:
        return readable
    first = tcb.received.next - readable
    mark = tcb.rcv_up - 1
    return mark - first if first <= mark < tcb.received.next else readable


def at_mark(connection: Connection) -> int:
    """SIOCATMARK: 1 if the next byte to read is the urgent one (RFC 6093 §3.1)."""
    tcb = connection.tcb
    if tcb.rcv_up < 0:
        return 0
    return 1 if tcb.received.next - tcb.received.readable == tcb.rcv_up - 1 else 0
