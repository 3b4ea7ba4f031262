"""What the options of a TCP socket do: from Linux's numbers to `TcpSettings`, and back."""

from __future__ import annotations

from typing import Final

from netglass.errnos import EINVAL, ENOENT
from netglass.sockets.constants import (
    IP_TOS,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_TCLASS,
    IPV6_UNICAST_HOPS,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_OOBINLINE,
    SO_RCVBUF,
    SO_REUSEADDR,
    SO_SNDBUF,
    SOL_SOCKET,
    TCP_CORK,
    TCP_DEFER_ACCEPT,
    TCP_FASTOPEN,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_LINGER2,
    TCP_MAXSEG,
    TCP_NODELAY,
    TCP_QUICKACK,
    TCP_SYNCNT,
    TCP_THIN_DUPACK,
    TCP_USER_TIMEOUT,
    TCP_WINDOW_CLAMP,
)
from netglass.sockets.options import RCVBUF_LEAST, deferred_retries, deferred_seconds, key, linger_in, linger_out
from netglass.tcp import congestion
from netglass.tcp.config import TcpConfig, TcpSettings
from netglass.tcp.options import DEFAULT_MSS_V4
from netglass.tcp.tcb import Tcb
from netglass.times import MILLISECOND, SECOND

_REUSEADDR: Final = key(SOL_SOCKET, SO_REUSEADDR)
_KEEPALIVE: Final = key(SOL_SOCKET, SO_KEEPALIVE)
_OOBINLINE: Final = key(SOL_SOCKET, SO_OOBINLINE)
_RCVBUF: Final = key(SOL_SOCKET, SO_RCVBUF)
_SNDBUF: Final = key(SOL_SOCKET, SO_SNDBUF)
_NODELAY: Final = key(IPPROTO_TCP, TCP_NODELAY)
_MAXSEG: Final = key(IPPROTO_TCP, TCP_MAXSEG)
_CORK: Final = key(IPPROTO_TCP, TCP_CORK)
_KEEPIDLE: Final = key(IPPROTO_TCP, TCP_KEEPIDLE)
_KEEPINTVL: Final = key(IPPROTO_TCP, TCP_KEEPINTVL)
_KEEPCNT: Final = key(IPPROTO_TCP, TCP_KEEPCNT)
_SYNCNT: Final = key(IPPROTO_TCP, TCP_SYNCNT)
_LINGER2: Final = key(IPPROTO_TCP, TCP_LINGER2)
_DEFER_ACCEPT: Final = key(IPPROTO_TCP, TCP_DEFER_ACCEPT)
_WINDOW_CLAMP: Final = key(IPPROTO_TCP, TCP_WINDOW_CLAMP)
_QUICKACK: Final = key(IPPROTO_TCP, TCP_QUICKACK)
_THIN_DUPACK: Final = key(IPPROTO_TCP, TCP_THIN_DUPACK)
_USER_TIMEOUT: Final = key(IPPROTO_TCP, TCP_USER_TIMEOUT)
_FASTOPEN: Final = key(IPPROTO_TCP, TCP_FASTOPEN)
_TTL: Final = key(IPPROTO_IP, IP_TTL)
_TOS: Final = key(IPPROTO_IP, IP_TOS)
_HOPS: Final = key(IPPROTO_IPV6, IPV6_UNICAST_HOPS)
_TCLASS: Final = key(IPPROTO_IPV6, IPV6_TCLASS)

_LINGER: Final = key(SOL_SOCKET, SO_LINGER)

_NAME_MAX: Final = 16  # Linux TCP_CA_NAME_MAX
_LEAST_MAXSEG: Final = 88  # Linux TCP_MIN_MSS
UNCHANGED: Final = -(1 << 40)
"""Beyond any int of C: what `read` answers for an option that reads as it was set."""

_ECN_BITS: Final = 3  # of the traffic class: TCP's own (RFC 3168 §6.1)


def refusal(named: int, number: int, idle: bool) -> int:
    """0, or why Linux refuses what the option's rule let through; `idle`: neither connecting nor connected."""
    if named == _MAXSEG:
        return -EINVAL if 0 < number < _LEAST_MAXSEG else 0
    if named == _WINDOW_CLAMP:
        return -EINVAL if number == 0 and not idle else 0
    if named == _FASTOPEN:
        return -EINVAL if number < 0 or not idle else 0
    if named == _TTL:
        return -EINVAL if number == 0 else 0
    return 0


def store(settings: TcpSettings, config: TcpConfig, default_ttl: int, named: int, number: int) -> int:
    """Puts an option into `settings`. Returns what getsockopt will read."""
    if named >> 16 == IPPROTO_TCP:
        return _store_tcp(settings, config, named, number)
    if named >> 16 != SOL_SOCKET:
        return _store_ip(settings, default_ttl, named, number)
    if named == _REUSEADDR:
        settings.reuse_address = number != 0
    elif named == _KEEPALIVE:
        settings.keepalive = number != 0
    elif named == _OOBINLINE:
        settings.oob_inline = number != 0
    elif named == _RCVBUF:
        settings.rcvbuf = number // 2
    elif named == _SNDBUF:
        settings.sndbuf = number // 2
    return number


def _store_ip(settings: TcpSettings, default_ttl: int, named: int, number: int) -> int:
    if named in (_TTL, _HOPS):
        settings.ttl = default_ttl if number < 0 else number
        return settings.ttl
    if named in (_TOS, _TCLASS):
        # -1 is "the default" for IPv6 and 255 for IPv4, where only the low byte counts.
        number = 0 if named == _TCLASS and number < 0 else number
        settings.tos = number & 0xFF & ~_ECN_BITS
        return settings.tos
    return number


def _store_tcp(settings: TcpSettings, config: TcpConfig, named: int, number: int) -> int:
    if named == _NODELAY:
        settings.nodelay = number != 0
    elif named == _CORK:
        settings.cork = number != 0
    elif named == _MAXSEG:
        settings.max_segment = number
    elif named == _QUICKACK:
        settings.quickack = number
    elif named == _USER_TIMEOUT:
        settings.user_timeout = number * MILLISECOND
    elif named == _WINDOW_CLAMP:
        number = max(number, RCVBUF_LEAST // 2) if number else 0
        settings.window_clamp = number
    elif named == _FASTOPEN:
        number = min(number, config.somaxconn)
    elif named == _THIN_DUPACK:
        return 0  # Linux has forgotten how since 4.11, and takes it still
    else:
        return _store_patience(settings, named, number)
    return number


def _store_patience(settings: TcpSettings, named: int, number: int) -> int:
    if named == _KEEPIDLE:
        settings.keepalive_idle = number * SECOND
    elif named == _KEEPINTVL:
        settings.keepalive_interval = number * SECOND
    elif named == _KEEPCNT:
        settings.keepalive_probes = number
    elif named == _SYNCNT:
        settings.syn_count = number
    elif named == _LINGER2:
        # tcp(7): 0 is the host's time, less than 0 none at all.
        settings.fin_wait2_timeout = 0 if number < 0 else number * SECOND or -1
    elif named == _DEFER_ACCEPT:
        number = deferred_seconds(deferred_retries(number))
        settings.defer_accept = number * SECOND
    return number


def read(settings: TcpSettings, config: TcpConfig, tcb: Tcb | None, named: int) -> int:
    """The value of an option whose default is the host's, or which the connection changes; else UNCHANGED."""
    if named == _RCVBUF:
        return 2 * settings.rcvbuf if settings.rcvbuf >= 0 else config.rmem[1]
    if named == _SNDBUF:
        return 2 * settings.sndbuf if settings.sndbuf >= 0 else config.wmem[1]
    if named in (_TTL, _HOPS):
        return settings.ttl
    if named >> 16 != IPPROTO_TCP:
        return UNCHANGED
    if named == _MAXSEG:
        return tcb.mss if tcb is not None else settings.max_segment or DEFAULT_MSS_V4
    if named == _QUICKACK and tcb is not None:
        return 0 if tcb.pingpong else 1
    return _read_patience(settings, config, named)


def _read_patience(settings: TcpSettings, config: TcpConfig, named: int) -> int:
    if named == _KEEPIDLE:
        return _seconds(settings.keepalive_idle, config.keepalive_time)
    if named == _KEEPINTVL:
        return _seconds(settings.keepalive_interval, config.keepalive_intvl)
    if named == _KEEPCNT:
        return settings.keepalive_probes if settings.keepalive_probes >= 0 else config.keepalive_probes
    if named == _SYNCNT:
        return settings.syn_count if settings.syn_count >= 0 else config.syn_retries
    if named == _LINGER2 and settings.fin_wait2_timeout != 0:
        return _seconds(settings.fin_wait2_timeout, config.fin_timeout)
    return UNCHANGED


def _seconds(own: int, default: int) -> int:
    return (own if own >= 0 else default) // SECOND


# SO_LINGER and TCP_CONGESTION, whose values are no ints.


def set_linger(settings: TcpSettings, values: dict[int, int], value: int | bytes) -> int:
    """0 or -EINVAL. The seconds are remembered even when lingering is switched off, as Linux does."""
    linger = None if isinstance(value, int) else linger_in(value)
    if linger is None:
        return -EINVAL
    on, seconds = linger
    settings.linger = seconds * SECOND if on else -1
    if on:
        values[_LINGER] = seconds
    return 0


def linger_bytes(settings: TcpSettings, values: dict[int, int]) -> bytes:
    return linger_out(settings.linger >= 0, values.get(_LINGER, 0))


def set_congestion_control(settings: TcpSettings, tcb: Tcb | None, value: int | bytes) -> int:
    """0, -EINVAL or -ENOENT. A connection goes on with the window that it has."""
    if isinstance(value, int):
        return -ENOENT
    if not value:
        return -EINVAL
    name = value[: _NAME_MAX - 1].partition(b"\0")[0].decode("ascii", "replace")
    if name not in congestion.names():
        return -ENOENT
    settings.congestion_control = name
    if tcb is not None:
        old = tcb.recovery.cc
        new = congestion.create(name, old.mss, old.cwnd)
        new.ssthresh = old.ssthresh
        tcb.recovery.cc = new
    return 0


def congestion_control_bytes(settings: TcpSettings, config: TcpConfig) -> bytes:
    name = settings.congestion_control or config.congestion_control
    return name.encode().ljust(_NAME_MAX, b"\0")
