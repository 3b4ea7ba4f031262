"""TCP_INFO: what Linux's getsockopt tells of a connection, as named numbers and as the bytes of `struct tcp_info`.

The layout is Linux 6.7's, 248 bytes; older kernels have the same head and stop sooner, as a caller with a smaller
buffer does. `rto`, `ato`, `rtt`, `rttvar` and `min_rtt` are microseconds, `last_*` milliseconds. Windows and flights
count segments: we keep bytes and divide by the MSS, rounding a flight up. What the stack does not measure reads as
Linux's "nothing yet": pacing rates 2**64 - 1, all others 0.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from netglass.tcp.options import announced_mss
from netglass.tcp.state import (
    CLOSE_WAIT,
    CLOSED,
    CLOSING,
    ESTABLISHED,
    FIN_WAIT_1,
    FIN_WAIT_2,
    LAST_ACK,
    LISTEN,
    SYN_RECEIVED,
    SYN_SENT,
    TIME_WAIT,
    State,
)
from netglass.tcp.tcb import Tcb
from netglass.times import MICROSECOND, MILLISECOND

TCP_ESTABLISHED: Final = 1
TCP_SYN_SENT: Final = 2
TCP_SYN_RECV: Final = 3
TCP_FIN_WAIT1: Final = 4
TCP_FIN_WAIT2: Final = 5
TCP_TIME_WAIT: Final = 6
TCP_CLOSE: Final = 7
TCP_CLOSE_WAIT: Final = 8
TCP_LAST_ACK: Final = 9
TCP_LISTEN: Final = 10
TCP_CLOSING: Final = 11

TCPI_OPT_TIMESTAMPS: Final = 1
TCPI_OPT_SACK: Final = 2
TCPI_OPT_WSCALE: Final = 4
TCPI_OPT_ECN: Final = 8
TCPI_OPT_ECN_SEEN: Final = 16
TCPI_OPT_SYN_DATA: Final = 32

TCP_CA_OPEN: Final = 0
TCP_CA_DISORDER: Final = 1
TCP_CA_CWR: Final = 2
TCP_CA_RECOVERY: Final = 3
TCP_CA_LOSS: Final = 4

_NUMBERS: Final[dict[State, int]] = {
    ESTABLISHED: TCP_ESTABLISHED,
    SYN_SENT: TCP_SYN_SENT,
    SYN_RECEIVED: TCP_SYN_RECV,
    FIN_WAIT_1: TCP_FIN_WAIT1,
    FIN_WAIT_2: TCP_FIN_WAIT2,
    # Linux moves a connection in TIME-WAIT to a small block of its own; the socket that a program holds reads CLOSE.
    TIME_WAIT: TCP_CLOSE,
    CLOSED: TCP_CLOSE,
    CLOSE_WAIT: TCP_CLOSE_WAIT,
    LAST_ACK: TCP_LAST_ACK,
    LISTEN: TCP_LISTEN,
    CLOSING: TCP_CLOSING,
}

# The first eight bytes; the two scales share the seventh, the two flags after them the eighth.
_HEAD: Final = ("state", "ca_state", "retransmits", "probes", "backoff", "options")
_WORDS: Final = (
    *("rto", "ato", "snd_mss", "rcv_mss"),
    *("unacked", "sacked", "lost", "retrans", "fackets"),
    *("last_data_sent", "last_ack_sent", "last_data_recv", "last_ack_recv"),
    *("pmtu", "rcv_ssthresh", "rtt", "rttvar", "snd_ssthresh", "snd_cwnd", "advmss", "reordering"),
    *("rcv_rtt", "rcv_space", "total_retrans"),
    *("pacing_rate", "max_pacing_rate", "bytes_acked", "bytes_received"),
    *("segs_out", "segs_in", "notsent_bytes", "min_rtt", "data_segs_in", "data_segs_out"),
    *("delivery_rate", "busy_time", "rwnd_limited", "sndbuf_limited"),
    *("delivered", "delivered_ce", "bytes_sent", "bytes_retrans"),
    *("dsack_dups", "reord_seen", "rcv_ooopack", "snd_wnd", "rcv_wnd", "rehash"),
    *("total_rto", "total_rto_recoveries", "total_rto_time"),
)
_BITS: Final = ("snd_wscale", "rcv_wscale", "delivery_rate_app_limited", "fastopen_client_fail")
_LAYOUT: Final = Struct("<8B 24I 4Q 6I 4Q 2I 2Q 6I 2H I")
SIZE: Final = _LAYOUT.size

_UNLIMITED: Final = 2**64 - 1
_INFINITE_SSTHRESH: Final = 2**31 - 1
_NO_SSTHRESH_YET: Final = 1 << 30  # congestion.base: "arbitrarily high"
_RTTVAR_UNMEASURED: Final = 250_000  # us: a quarter of the first RTO of 1 s
_MIN_RTT_UNMEASURED: Final = 2**32 - 1


def blank_info(state: int, reordering: int) -> dict[str, int]:
    """Every field, as Linux shows them for a socket in `state` (TCP_* of this module) that has no connection."""
    info = {f"tcpi_{name}": 0 for name in (*_HEAD, *_BITS, *_WORDS)}
    info["tcpi_state"] = state
    info["tcpi_reordering"] = reordering
    info["tcpi_snd_cwnd"] = 10
    info["tcpi_pacing_rate"] = _UNLIMITED
    info["tcpi_max_pacing_rate"] = _UNLIMITED
    if state == TCP_LISTEN:
        return info
    info["tcpi_rto"] = 1_000_000
    info["tcpi_snd_mss"] = 536
    info["tcpi_rttvar"] = _RTTVAR_UNMEASURED
    info["tcpi_snd_ssthresh"] = _INFINITE_SSTHRESH
    info["tcpi_min_rtt"] = _MIN_RTT_UNMEASURED
    info["tcpi_delivery_rate_app_limited"] = 1
    return info


def listener_info(accept_queue: int, backlog: int, reordering: int) -> dict[str, int]:
    """A listener's: Linux puts the length of the accept queue into `unacked` and its limit into `sacked`."""
    info = blank_info(TCP_LISTEN, reordering)
    info["tcpi_unacked"] = accept_queue
    info["tcpi_sacked"] = backlog
    return info


def connection_info(tcb: Tcb, now: int) -> dict[str, int]:
    """One connection's, by Linux's names: `tcpi_state`, `tcpi_unacked` ..."""
    info = blank_info(_NUMBERS[tcb.state], tcb.config.reordering)
    _tell_sender(info, tcb)
    _tell_flight(info, tcb)
    _tell_receiver(info, tcb)
    _tell_clock(info, tcb, now)
    return info


def _tell_sender(info: dict[str, int], tcb: Tcb) -> None:
    cc = tcb.recovery.cc
    mss = tcb.mss
    info["tcpi_ca_state"] = _congestion_state(tcb)
    info["tcpi_retransmits"] = tcb.backoff
    info["tcpi_probes"] = tcb.probes_sent
    info["tcpi_backoff"] = tcb.persist_backoff or tcb.backoff
    info["tcpi_snd_wscale"] = tcb.snd_wscale
    info["tcpi_snd_mss"] = mss
    info["tcpi_unacked"] = segments(tcb.snd_nxt - tcb.snd_una, mss)
    info["tcpi_snd_cwnd"] = cc.cwnd // mss
    if cc.ssthresh < _NO_SSTHRESH_YET:
        info["tcpi_snd_ssthresh"] = cc.ssthresh // mss
    info["tcpi_pmtu"] = tcb.mtu
    info["tcpi_total_retrans"] = tcb.retransmitted
    # Linux starts counting a passive connection after its SYN, an active one before it.
    info["tcpi_bytes_acked"] = tcb.snd_una - tcb.iss - (1 if tcb.passive and tcb.snd_una > tcb.iss else 0)
    info["tcpi_bytes_sent"] = tcb.out_bytes
    info["tcpi_segs_out"] = tcb.out_segments
    info["tcpi_data_segs_out"] = tcb.out_data_segments
    info["tcpi_notsent_bytes"] = max(tcb.sending.end - max(tcb.snd_nxt, tcb.sending.start), 0)
    info["tcpi_snd_wnd"] = tcb.snd_wnd


def _tell_flight(info: dict[str, int], tcb: Tcb) -> None:
    """What the scoreboard believes. Linux counts a retransmission as lost and in `retrans` until it is acknowledged."""
    recovery = tcb.recovery
    for sent in recovery.ranges[recovery.head :]:
        count = segments(sent.end - sent.start, tcb.mss)
        if sent.sacked:
            info["tcpi_sacked"] += count
        elif sent.lost:
            info["tcpi_lost"] += count
        elif sent.retransmissions:
            info["tcpi_lost"] += count
            info["tcpi_retrans"] += count


def _tell_receiver(info: dict[str, int], tcb: Tcb) -> None:
    info["tcpi_options"] = _options(tcb)
    info["tcpi_rcv_wscale"] = max(tcb.rcv_wscale, 0)
    info["tcpi_rcv_mss"] = tcb.rcv_mss
    window = max(tcb.rcv_adv - tcb.rcv_nxt, 0)
    info["tcpi_rcv_ssthresh"] = window
    info["tcpi_rcv_wnd"] = window
    info["tcpi_rcv_space"] = tcb.rcvbuf
    info["tcpi_advmss"] = announced_mss(tcb)
    info["tcpi_bytes_received"] = max(tcb.rcv_nxt - tcb.irs - 1, 0)
    info["tcpi_segs_in"] = tcb.in_segments
    info["tcpi_data_segs_in"] = tcb.in_data_segments


def _tell_clock(info: dict[str, int], tcb: Tcb, now: int) -> None:
    rtt = tcb.rtt
    info["tcpi_rto"] = rtt.rto // MICROSECOND
    info["tcpi_ato"] = tcb.config.delayed_ack // MICROSECOND if tcb.in_bytes > 0 else 0
    info["tcpi_last_data_sent"] = (now - tcb.last_sent_at) // MILLISECOND
    info["tcpi_last_data_recv"] = (now - tcb.last_heard_at) // MILLISECOND
    info["tcpi_last_ack_recv"] = (now - tcb.last_heard_at) // MILLISECOND
    if rtt.srtt == 0:
        return
    info["tcpi_rtt"] = rtt.srtt // MICROSECOND
    info["tcpi_rttvar"] = rtt.rttvar // MICROSECOND
    info["tcpi_min_rtt"] = rtt.minimum // MICROSECOND


def _options(tcb: Tcb) -> int:
    flags = 0
    if tcb.ts_ok:
        flags |= TCPI_OPT_TIMESTAMPS
    if tcb.sack_ok:
        flags |= TCPI_OPT_SACK
    if tcb.snd_wscale > 0 or tcb.rcv_wscale > 0:
        flags |= TCPI_OPT_WSCALE
    return flags


def _congestion_state(tcb: Tcb) -> int:
    if not tcb.recovery.in_recovery:
        return TCP_CA_DISORDER if tcb.recovery.sacked else TCP_CA_OPEN
    return TCP_CA_LOSS if tcb.backoff > 0 else TCP_CA_RECOVERY


def segments(size: int, mss: int) -> int:
    """How many segments `size` bytes make."""
    return -(-size // mss) if size > 0 else 0


def pack_info(info: dict[str, int]) -> bytes:
    """The fields as Linux lays them out; a value too large for its field shows the largest."""
    scales = info["tcpi_snd_wscale"] & 15 | (info["tcpi_rcv_wscale"] & 15) << 4
    flags = info["tcpi_delivery_rate_app_limited"] & 1 | (info["tcpi_fastopen_client_fail"] & 3) << 1
    head = [min(info[f"tcpi_{name}"], 0xFF) for name in _HEAD]
    return _LAYOUT.pack(*head, scales, flags, *[_fit(name, info[f"tcpi_{name}"]) for name in _WORDS])


_WIDE: Final = frozenset(
    {
        *("pacing_rate", "max_pacing_rate", "bytes_acked", "bytes_received", "delivery_rate"),
        *("busy_time", "rwnd_limited", "sndbuf_limited", "bytes_sent", "bytes_retrans"),
    }
)
_NARROW: Final = frozenset({"total_rto", "total_rto_recoveries"})


def _fit(name: str, value: int) -> int:
    if name in _WIDE:
        return min(value, _UNLIMITED)
    return min(value, 0xFFFF if name in _NARROW else 0xFFFFFFFF)
