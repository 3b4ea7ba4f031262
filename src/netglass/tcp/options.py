"""What two ends agree on in the handshake: segment size (RFC 6691), window scale and timestamps (RFC 7323), SACK (RFC
2018)."""

from __future__ import annotations

from typing import Final

from netglass.tcp.tcb import Tcb
from netglass.times import MILLISECOND
from netglass.wire.seq import MASK
from netglass.wire.tcp import ABSENT, TcpOptions, TcpSegment

DEFAULT_MSS_V4: Final = 536  # RFC 9293 §3.7.1
DEFAULT_MSS_V6: Final = 1220
LEAST_MSS: Final = 48  # Linux tcp_min_snd_mss: smaller ones are an attack
LEAST_PAYLOAD: Final = 8  # of a full segment, beside all options: what Linux's least MSS comes to
MOST_WINDOW_SCALE: Final = 14  # RFC 7323 §2.3
TIMESTAMPS_SIZE: Final = 12  # with the two NOPs that align it
MOST_UNSCALED: Final = 65535


def headers_size(local: bytes) -> int:
    """Bytes of IP and TCP header without options."""
    return 40 if len(local) == 4 else 60


def announced_mss(tcb: Tcb) -> int:
    """The MSS option that we send: what fits our interface (RFC 6691: without options), or TCP_MAXSEG if that is
    less."""
    fits = tcb.mtu - headers_size(tcb.local)
    if tcb.settings.max_segment:
        return min(fits, tcb.settings.max_segment)
    return fits


def window_scale_for(space: int) -> int:
    """The shift count for windows up to `space` bytes (Linux tcp_select_initial_window)."""
    return max(0, min(space.bit_length() - 16, MOST_WINDOW_SCALE))


def timestamp(tcb: Tcb, now: int) -> int:
    """TSval: milliseconds, from an offset that differs for each pair of addresses (RFC 7323 §5.4)."""
    return (now // MILLISECOND + tcb.ts_offset) & MASK


def syn_options(tcb: Tcb) -> TcpOptions:
    """The options of our SYN, or of our SYN-ACK once the peer's SYN is known (then only what it offered)."""
    return TcpOptions(mss=announced_mss(tcb), window_scale=tcb.rcv_wscale, sack_permitted=tcb.sack_ok)


def offer(tcb: Tcb) -> None:
    """Active open: offer all that the host allows."""
    config = tcb.config
    most = max(config.rmem[2], tcb.rcvbuf)
    if tcb.settings.window_clamp:
        most = min(most, tcb.settings.window_clamp)
    tcb.rcv_wscale = window_scale_for(most) if config.window_scaling else ABSENT
    tcb.ts_ok = config.timestamps
    tcb.sack_ok = config.sack
    tcb.offered = syn_options(tcb)


def agree(tcb: Tcb, segment: TcpSegment, now: int) -> None:
    """The peer's SYN or SYN-ACK: what it did not offer is off (RFC 7323 §1.3, RFC 2018 §2)."""
    options = segment.options
    mss = options.mss if options is not None else ABSENT
    if mss == ABSENT or mss == 0:
        mss = DEFAULT_MSS_V4 if len(tcb.local) == 4 else DEFAULT_MSS_V6
    tcb.peer_mss = max(mss, LEAST_MSS)
    scale = options.window_scale if options is not None else ABSENT
    if scale == ABSENT or tcb.rcv_wscale == ABSENT:
        tcb.snd_wscale = 0
        tcb.rcv_wscale = ABSENT
    else:
        tcb.snd_wscale = min(scale, MOST_WINDOW_SCALE)
    if segment.ts_val == ABSENT:
        tcb.ts_ok = False
    elif tcb.ts_ok:
        tcb.ts_recent = segment.ts_val
        tcb.ts_recent_at = now
    tcb.sack_ok = tcb.sack_ok and options is not None and options.sack_permitted


def settle_sizes(tcb: Tcb) -> None:
    """The sizes of the segments that we send, from the path's MTU, the peer's MSS and the options on every segment (RFC
    6691)."""
    mss = min(tcb.peer_mss, tcb.mtu - headers_size(tcb.local))
    if tcb.settings.max_segment:
        mss = min(mss, tcb.settings.max_segment)
    if tcb.ts_ok:
        mss -= TIMESTAMPS_SIZE
    mss = max(mss, LEAST_PAYLOAD)
    tcb.mss = mss
    tcb.most_sacks = max(0, min(3 if tcb.ts_ok else 4, (mss - LEAST_PAYLOAD - 4) // 8))
    tcb.max_payload = mss
    if tcb.gso_size:
        room = tcb.gso_size - headers_size(tcb.local) - (TIMESTAMPS_SIZE if tcb.ts_ok else 0)
        tcb.max_payload = max(mss, room - room % mss)
    tcb.recovery.mss = mss
    tcb.recovery.cc.mss = mss
