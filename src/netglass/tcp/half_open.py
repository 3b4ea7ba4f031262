"""One entry of the SYN queue: what it remembers, the two segments sent for it, and which that come are acceptable."""

from __future__ import annotations

from netglass.tcp import options
from netglass.tcp.config import TcpConfig, TcpSettings
from netglass.times import MILLISECOND, NEVER
from netglass.wire.seq import MASK, unwrap
from netglass.wire.tcp import ABSENT, ACK, FIN, SYN, TcpOptions, TcpSegment

HalfOpenKey = tuple[bytes, int, bytes]
"""(remote address, remote port, local address)"""


class HalfOpen:
    """What a SYN told and what our SYN-ACK answered, and no buffers (Linux: request_sock). Sequence numbers have 32
    bits; `since` is when the SYN came."""

    __slots__ = (
        "acked",
        "answered_at",
        "expires",
        "irs",
        "iss",
        "key",
        "mss",
        "peer_mss",
        "rcv_wnd",
        "rcv_wscale",
        "resent",
        "retries",
        "sack_ok",
        "sent_at",
        "since",
        "snd_wscale",
        "ts_offset",
        "ts_recent",
        "window",
    )

    def __init__(self, key: HalfOpenKey, irs: int, iss: int, since: int) -> None:
        self.key: HalfOpenKey = key
        self.irs: int = irs
        self.iss: int = iss
        self.since: int = since
        # The peer's side of the bargain.
        self.window: int = 0  # as in the SYN's header
        self.peer_mss: int = 0
        self.snd_wscale: int = ABSENT  # shift counts, ABSENT if not agreed
        self.ts_recent: int = ABSENT  # the peer's last timestamp; ABSENT: no timestamps
        self.sack_ok: bool = False
        # Ours.
        self.mss: int = 0
        self.rcv_wnd: int = 0
        self.rcv_wscale: int = ABSENT
        self.ts_offset: int = 0
        # The SYN-ACK and its timer.
        self.sent_at: int = since  # the last SYN-ACK; -1: unknown, a cookie
        self.resent: int = 0  # SYN-ACKs after the first
        self.expires: int = NEVER  # when the timer is due; NEVER: not in the queue (any more)
        self.retries: int = 0  # how often it expired
        self.acked: bool = False  # the third segment came, but the accept queue was full or TCP_DEFER_ACCEPT wants data
        self.answered_at: int = -NEVER  # the last answer to a segment that was not acceptable


def negotiate(entry: HalfOpen, syn: TcpSegment, mtu: int, config: TcpConfig, settings: TcpSettings) -> None:
    """What both ends use: only what the SYN offered and the host allows (RFC 7323 §1.3, RFC 2018 §2)."""
    offered = syn.options if syn.options is not None else TcpOptions()
    default = options.DEFAULT_MSS_V4 if len(entry.key[2]) == 4 else options.DEFAULT_MSS_V6
    entry.window = syn.window
    entry.peer_mss = offered.mss if offered.mss > 0 else default
    entry.sack_ok = offered.sack_permitted and config.sack
    if syn.ts_val != ABSENT and config.timestamps:
        entry.ts_recent = syn.ts_val
    if offered.window_scale != ABSENT and config.window_scaling:
        entry.snd_wscale = min(offered.window_scale, options.MOST_WINDOW_SCALE)
    announce(entry, mtu, config, settings)


def announce(entry: HalfOpen, mtu: int, config: TcpConfig, settings: TcpSettings) -> None:
    """Our segment size, window and window scale: the numbers that an active open would have in its SYN."""
    entry.mss = mtu - options.headers_size(entry.key[2])
    if settings.max_segment:
        entry.mss = min(entry.mss, settings.max_segment)
    space = settings.rcvbuf if settings.rcvbuf >= 0 else config.rmem[1]
    most = max(config.rmem[2], space)
    if settings.window_clamp:
        space = min(space, settings.window_clamp)
        most = min(most, settings.window_clamp)
    if space > entry.mss:
        space -= space % entry.mss  # whole segments, as in Linux
    entry.rcv_wnd = min(space, options.MOST_UNSCALED)
    if entry.snd_wscale != ABSENT:
        entry.rcv_wscale = options.window_scale_for(most)


def timestamp(entry: HalfOpen, now: int) -> int:
    """TSval, or ABSENT without timestamps."""
    if entry.ts_recent == ABSENT:
        return ABSENT
    return (now // MILLISECOND + entry.ts_offset) & MASK


def syn_ack(entry: HalfOpen, port: int, ts_val: int) -> TcpSegment:
    """The second segment. Its window is never scaled (RFC 7323 §2.2)."""
    ack = (entry.irs + 1) & MASK
    told = TcpOptions(entry.mss, entry.rcv_wscale, entry.sack_ok)
    return TcpSegment(
        port, entry.key[1], entry.iss, ack, SYN | ACK, entry.rcv_wnd, (), 0, ts_val, entry.ts_recent, (), told
    )


def plain_ack(entry: HalfOpen, port: int, now: int) -> TcpSegment:
    """Says what is expected, to whoever sent something else (RFC 9293 §3.10.7.4, first check; RFC 5961)."""
    window = entry.rcv_wnd if entry.rcv_wscale == ABSENT else entry.rcv_wnd >> entry.rcv_wscale
    seq, ack = (entry.iss + 1) & MASK, (entry.irs + 1) & MASK
    return TcpSegment(port, entry.key[1], seq, ack, ACK, window, (), 0, timestamp(entry, now), entry.ts_recent)


def end_of(segment: TcpSegment, seq: int) -> int:
    """One past the last sequence number of a segment that begins at `seq`."""
    flags = segment.flags
    return seq + segment.length + (1 if flags & SYN else 0) + (1 if flags & FIN else 0)


def in_window(entry: HalfOpen, segment: TcpSegment, seq: int) -> bool:
    """RFC 9293 §3.10.7.4, first check; `seq` is unwrapped. An empty segment at the right edge is in, as in Linux."""
    left = entry.irs + 1
    right = left + entry.rcv_wnd
    end = end_of(segment, seq)
    return seq == left or (end > left and seq < right) or seq == right == end


def unacceptable(entry: HalfOpen, segment: TcpSegment, seq: int) -> str:
    """Why the segment only gets an ACK, as a drop reason; "" if it is acceptable."""
    if is_old(entry, segment):
        return "paws"
    if not echoes_ours(entry, segment):
        return "timestamp-echo"
    return "" if in_window(entry, segment, seq) else "sequence-outside-window"


def is_old(entry: HalfOpen, segment: TcpSegment) -> bool:
    """PAWS (RFC 7323 §5.3): its timestamp is older than the SYN's."""
    if entry.ts_recent <= 0 or segment.ts_val == ABSENT:
        return False  # a zero in the SYN says nothing (Linux tcp_paws_check)
    return unwrap(segment.ts_val, entry.ts_recent) < entry.ts_recent


def echoes_ours(entry: HalfOpen, segment: TcpSegment) -> bool:
    """False if it echoes a timestamp that no SYN-ACK of ours had (as Linux checks). An echo of zero says nothing."""
    if entry.ts_recent == ABSENT or segment.ts_val == ABSENT or segment.ts_ecr == 0:
        return True
    first = timestamp(entry, entry.since)
    return (segment.ts_ecr - first) & MASK <= (timestamp(entry, entry.sent_at) - first) & MASK
