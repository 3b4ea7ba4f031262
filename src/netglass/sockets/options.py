"""The socket options whose value is one int, as data: who has them, what Linux takes, what it makes of it.

An option is named by one int, `key(level, option)`. What an option does is the business of the kind of socket (its
`apply`). Options that change nothing here (SO_PRIORITY, IP_MTU_DISCOVER ...) are remembered and read back, as a
program expects, and counted as "socket-option-without-effect". One that is not here does not exist: -ENOPROTOOPT.
"""

from __future__ import annotations

from struct import Struct
from typing import Final

from netglass.errnos import EDOM, EINVAL, ENOPROTOOPT, EOPNOTSUPP
from netglass.ip.options import is_malformed
from netglass.sockets.constants import (
    INT_MAX,
    IP_BIND_ADDRESS_NO_PORT,
    IP_FREEBIND,
    IP_HDRINCL,
    IP_MINTTL,
    IP_MTU_DISCOVER,
    IP_MULTICAST_ALL,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IP_NODEFRAG,
    IP_PKTINFO,
    IP_PMTUDISC_OMIT,
    IP_RECVERR,
    IP_RECVOPTS,
    IP_RECVORIGDSTADDR,
    IP_RECVTOS,
    IP_RECVTTL,
    IP_RETOPTS,
    IP_TOS,
    IP_TRANSPARENT,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_DONTFRAG,
    IPV6_MTU_DISCOVER,
    IPV6_MULTICAST_ALL,
    IPV6_MULTICAST_HOPS,
    IPV6_MULTICAST_LOOP,
    IPV6_RECVERR,
    IPV6_RECVHOPLIMIT,
    IPV6_RECVPKTINFO,
    IPV6_RECVTCLASS,
    IPV6_TCLASS,
    IPV6_UNICAST_HOPS,
    IPV6_V6ONLY,
    SO_ACCEPTCONN,
    SO_BROADCAST,
    SO_BUSY_POLL,
    SO_DEBUG,
    SO_DOMAIN,
    SO_DONTROUTE,
    SO_ERROR,
    SO_INCOMING_CPU,
    SO_KEEPALIVE,
    SO_MARK,
    SO_NO_CHECK,
    SO_OOBINLINE,
    SO_PRIORITY,
    SO_PROTOCOL,
    SO_RCVBUF,
    SO_RCVLOWAT,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SO_SNDBUF,
    SO_SNDLOWAT,
    SO_TIMESTAMP,
    SO_TYPE,
    SO_ZEROCOPY,
    SOL_SOCKET,
    TCP_CORK,
    TCP_DEFER_ACCEPT,
    TCP_FASTOPEN,
    TCP_FASTOPEN_CONNECT,
    TCP_FASTOPEN_NO_COOKIE,
    TCP_INQ,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_LINGER2,
    TCP_MAXSEG,
    TCP_NODELAY,
    TCP_NOTSENT_LOWAT,
    TCP_QUICKACK,
    TCP_SAVE_SYN,
    TCP_SYNCNT,
    TCP_THIN_DUPACK,
    TCP_THIN_LINEAR_TIMEOUTS,
    TCP_USER_TIMEOUT,
    TCP_WINDOW_CLAMP,
)
from netglass.times import MICROSECOND, NEVER, SECOND

# Kinds of socket that an option belongs to.
STREAM: Final = 1
DATAGRAM: Final = 2
RAW: Final = 4
MESSAGES: Final = DATAGRAM | RAW
ALL: Final = STREAM | DATAGRAM | RAW

# What becomes of a number: any goes, 0 or 1 is made of it, it must lie within the limits, it is moved within them.
_ANY: Final = 0
_FLAG: Final = 1
_WITHIN: Final = 2
_MOVED: Final = 3
_FIXED: Final = 4

# net.core.rmem_max and wmem_max (4 MiB since Linux 6.17). SO_RCVBUF and SO_SNDBUF are doubled: half is bookkeeping.
BUFFER_MAX: Final = 4 << 20
BUFFER_DEFAULT: Final = 212_992
RCVBUF_LEAST: Final = 2304  # SOCK_MIN_RCVBUF on 64 bits
SNDBUF_LEAST: Final = 4608  # SOCK_MIN_SNDBUF


class Rule:
    """What one option takes. `refusal` and `fitted` are the whole of it."""

    __slots__ = ("default", "elsewhere", "errno", "kept_only", "kinds", "least", "most", "treatment")

    def __init__(self, kinds: int, treatment: int, default: int, least: int, most: int, errno: int) -> None:
        self.kinds: int = kinds
        self.treatment: int = treatment
        self.default: int = default
        self.least: int = least
        self.most: int = most
        self.errno: int = errno
        self.elsewhere: int = ENOPROTOOPT  # for a kind of socket that has the option only to read
        self.kept_only: int = 0  # kinds for which it changes nothing here: it is remembered, and counted

    def refusal(self, kind: int, number: int) -> int:
        """0, or the negative errno with which Linux turns `number` down."""
        if not self.kinds & kind:
            return -self.elsewhere
        if self.treatment == _FIXED:
            return -self.errno
        if self.treatment == _WITHIN and not self.least <= number <= self.most:
            return -self.errno
        return 0

    def fitted(self, number: int) -> int:
        """What is stored, and read back."""
        if self.treatment == _FLAG:
            return 1 if number != 0 else 0
        if self.treatment == _MOVED:
            return min(max(number, self.least), self.most)
        return number


def key(level: int, option: int) -> int:
    """One int for an option. An option number beyond 16 bits, which no option has, maps to none."""
    return level << 16 | option if 0 <= option < 1 << 16 and level >= 0 else -1


def _flag(kinds: int = ALL, default: int = 0) -> Rule:
    return Rule(kinds, _FLAG, default, 0, 1, 0)


def _within(least: int, most: int, kinds: int = ALL, default: int = 0) -> Rule:
    return Rule(kinds, _WITHIN, default, least, most, EINVAL)


def _moved(least: int, most: int, kinds: int = ALL, default: int = 0) -> Rule:
    return Rule(kinds, _MOVED, default, least, most, 0)


def _any(kinds: int = ALL, default: int = 0) -> Rule:
    return Rule(kinds, _ANY, default, 0, 0, 0)


def _fixed(kinds: int = ALL, default: int = 0, errno: int = ENOPROTOOPT) -> Rule:
    return Rule(kinds, _FIXED, default, 0, 0, errno)


def _kept(rule: Rule, kinds: int = ALL) -> Rule:
    """An option without an effect on this stack, or on these kinds of socket."""
    rule.kept_only = kinds
    return rule


def _elsewhere(errno: int, rule: Rule) -> Rule:
    rule.elsewhere = errno
    return rule


_SOCKET: Final[dict[int, Rule]] = {
    SO_DEBUG: _kept(_flag()),
    SO_REUSEADDR: _flag(),
    SO_TYPE: _fixed(),
    SO_ERROR: _fixed(),
    SO_DONTROUTE: _kept(_flag()),
    SO_BROADCAST: _flag(),
    SO_SNDBUF: _any(default=BUFFER_DEFAULT),
    SO_RCVBUF: _any(default=BUFFER_DEFAULT),
    SO_KEEPALIVE: _flag(),
    SO_OOBINLINE: _flag(),
    SO_NO_CHECK: _kept(_flag()),
    SO_PRIORITY: _kept(_any()),
    SO_REUSEPORT: _flag(),
    SO_RCVLOWAT: _any(default=1),
    SO_SNDLOWAT: _fixed(default=1),
    SO_TIMESTAMP: _kept(_flag()),
    SO_ACCEPTCONN: _fixed(),
    SO_MARK: _kept(_any()),
    SO_PROTOCOL: _fixed(),
    SO_DOMAIN: _fixed(),
    SO_BUSY_POLL: _kept(_within(0, INT_MAX)),
    SO_INCOMING_CPU: _kept(_any(default=-1)),
    SO_ZEROCOPY: _kept(_within(0, 1)),
}

# The defaults of TCP options that a host's configuration sets are read in `stream`.
_TCP: Final[dict[int, Rule]] = {
    TCP_NODELAY: _flag(),
    TCP_MAXSEG: _within(0, 32767, default=536),
    TCP_CORK: _flag(),
    TCP_KEEPIDLE: _within(1, 32767),
    TCP_KEEPINTVL: _within(1, 32767),
    TCP_KEEPCNT: _within(1, 127),
    TCP_SYNCNT: _within(1, 127),
    TCP_LINGER2: _moved(-1, 120),
    TCP_DEFER_ACCEPT: _any(),
    TCP_WINDOW_CLAMP: _any(),
    TCP_QUICKACK: _flag(default=1),
    TCP_THIN_LINEAR_TIMEOUTS: _kept(_within(0, 1)),
    TCP_THIN_DUPACK: _kept(_within(0, 1)),
    TCP_USER_TIMEOUT: _within(0, INT_MAX),
    TCP_FASTOPEN: _kept(_any()),
    TCP_NOTSENT_LOWAT: _any(),
    TCP_SAVE_SYN: _kept(_within(0, 2)),
    TCP_FASTOPEN_CONNECT: _fixed(errno=EOPNOTSUPP),  # as with net.ipv4.tcp_fastopen = 0
    TCP_FASTOPEN_NO_COOKIE: _kept(_within(0, 1)),
    TCP_INQ: _within(0, 1),
}

_IP: Final[dict[int, Rule]] = {
    IP_TOS: _any(),
    IP_TTL: _within(-1, 255),
    IP_HDRINCL: _flag(RAW),
    IP_RECVOPTS: _kept(_flag()),
    IP_RETOPTS: _kept(_flag()),
    IP_PKTINFO: _flag(),
    IP_MTU_DISCOVER: _kept(_within(0, IP_PMTUDISC_OMIT, default=1), STREAM),
    IP_RECVERR: _kept(_flag()),
    IP_RECVTTL: _flag(),
    IP_RECVTOS: _flag(),
    IP_FREEBIND: _kept(_flag()),
    IP_TRANSPARENT: _kept(_flag()),
    IP_RECVORIGDSTADDR: _kept(_flag()),
    IP_MINTTL: _kept(_within(0, 255)),
    IP_NODEFRAG: _fixed(),
    IP_BIND_ADDRESS_NO_PORT: _kept(_flag()),
    IP_MULTICAST_TTL: _elsewhere(EINVAL, _within(-1, 255, MESSAGES, default=1)),
    IP_MULTICAST_LOOP: _flag(default=1),
    IP_MULTICAST_ALL: _within(0, 1, default=1),
}

_IPV6: Final[dict[int, Rule]] = {
    IPV6_UNICAST_HOPS: _within(-1, 255),
    IPV6_MULTICAST_HOPS: _within(-1, 255, MESSAGES, default=1),
    IPV6_MULTICAST_LOOP: _within(0, 1, default=1),
    IPV6_MULTICAST_ALL: _flag(default=1),
    IPV6_MTU_DISCOVER: _kept(_within(0, IP_PMTUDISC_OMIT, default=1), STREAM | RAW),
    IPV6_RECVERR: _kept(_flag()),
    IPV6_V6ONLY: _flag(),
    IPV6_RECVPKTINFO: _flag(),
    IPV6_RECVHOPLIMIT: _flag(),
    IPV6_DONTFRAG: _kept(_flag(), STREAM | RAW),
    IPV6_RECVTCLASS: _flag(),
    IPV6_TCLASS: _within(-1, 255),
}


def _table() -> dict[int, Rule]:
    levels = {SOL_SOCKET: _SOCKET, IPPROTO_TCP: _TCP, IPPROTO_IP: _IP, IPPROTO_IPV6: _IPV6}
    return {key(level, option): rule for level, rules in levels.items() for option, rule in rules.items()}


RULES: Final[dict[int, Rule]] = _table()


def number_in(level: int, value: int | bytes) -> int | None:
    """The number that a caller passed, as an int or as the bytes of one; None if there are too few (-EINVAL).

    A one-byte value is enough for options of IPPROTO_IP (ip(7) has always taken either).
    """
    if isinstance(value, int):
        return value
    if len(value) >= 4:
        return int.from_bytes(value[:4], "little", signed=True)
    if level == IPPROTO_IP:
        return value[0] if value else 0
    return None


def options_in(value: int | bytes) -> bytes | None:
    """IP_OPTIONS: at most 40 bytes, filled up to a multiple of four; None if they are malformed (-EINVAL)."""
    if isinstance(value, int) or len(value) > 40:
        return None
    options = value + bytes(-len(value) % 4)
    return None if is_malformed(options) else options


def number_out(level: int, number: int, size: int) -> bytes:
    """The bytes that getsockopt writes into a buffer of `size`."""
    if level == IPPROTO_IP and 0 < size < 4 and 0 <= number <= 255:
        return bytes([number])
    return (number & 0xFFFFFFFF).to_bytes(4, "little")[:size]


def doubled(number: int, least: int) -> int:
    """SO_RCVBUF and SO_SNDBUF: limited, then doubled (socket(7)). A negative size is a huge one, as it is in C."""
    if number < 0:
        number = BUFFER_MAX
    return max(2 * min(number, BUFFER_MAX), least)


# Options with a structure.

_LINGER: Final = Struct("<ii")
_TIMEVAL: Final = Struct("<qq")


def linger_in(value: bytes) -> tuple[bool, int] | None:
    """`struct linger`: whether it is on, and seconds; None if it is too short."""
    if len(value) < _LINGER.size:
        return None
    on, seconds = _LINGER.unpack_from(value)
    return on != 0, max(int(seconds), 0)


def linger_out(on: bool, seconds: int) -> bytes:
    return _LINGER.pack(1 if on else 0, seconds)


def timeval_in(value: bytes) -> int:
    """`struct timeval` as nanoseconds, NEVER for none (0, 0); or -EINVAL, -EDOM."""
    if len(value) < _TIMEVAL.size:
        return -EINVAL
    seconds, microseconds = _TIMEVAL.unpack_from(value)
    if not 0 <= microseconds < 1_000_000:
        return -EDOM
    if seconds < 0:
        return 0
    timeout = int(seconds) * SECOND + int(microseconds) * MICROSECOND
    return timeout if 0 < timeout < NEVER else NEVER


def timeval_out(timeout: int) -> bytes:
    if timeout == NEVER:
        return _TIMEVAL.pack(0, 0)
    return _TIMEVAL.pack(timeout // SECOND, timeout % SECOND // MICROSECOND)


# TCP_DEFER_ACCEPT is kept as a number of SYN-ACK retransmissions, so that it reads back rounded up to their times.


def deferred_retries(seconds: int) -> int:
    """How many SYN-ACK transmissions it takes to fill `seconds`."""
    if seconds <= 0:
        return 0
    count, timeout, total = 1, 1, 1
    while seconds > total and count < 255:
        count += 1
        timeout = min(timeout * 2, 120)
        total += timeout
    return count


def deferred_seconds(retries: int) -> int:
    """The time that so many SYN-ACK transmissions take."""
    timeout, total = 1, min(retries, 1)
    for _ in range(retries - 1):
        timeout = min(timeout * 2, 120)
        total += timeout
    return total
