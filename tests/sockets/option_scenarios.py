"""Every option of every kind of socket: its default, and what becomes of a handful of values."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from struct import pack

from netglass.sockets.constants import (
    AF_INET,
    AF_INET6,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    SO_ERROR,
    SO_INCOMING_CPU,
    SO_LINGER,
    SO_RCVTIMEO,
    SO_SNDTIMEO,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_CONGESTION,
)
from netglass.sockets.options import RULES
from tests.sockets.machine import Machine

NUMBERS = (-1, 0, 1, 2, 88, 255, 256, 1000, 65535, 1 << 20, 1 << 30)

KINDS = {
    "AF_INET SOCK_STREAM": (AF_INET, SOCK_STREAM),
    "AF_INET SOCK_DGRAM": (AF_INET, SOCK_DGRAM),
    "AF_INET6 SOCK_STREAM": (AF_INET6, SOCK_STREAM),
    "AF_INET6 SOCK_DGRAM": (AF_INET6, SOCK_DGRAM),
}


def numbers(m: Machine, family: int, kind: int, level: int) -> None:
    """One line an option: the default, then `value -> what is read back` for what is taken."""
    for named in sorted(RULES):
        option = named & 0xFFFF
        if named >> 16 != level or (level, option) == (SOL_SOCKET, SO_INCOMING_CPU):
            continue
        tries = _tries(m, family, kind, level, option)
        if len({text for _, text in tries}) == 1:
            shown = f"any->{tries[0][1]}"
        else:
            shown = " ".join(f"{value}->{text}" for value, text in tries)
        m.lines.append(f"{option}: {_default(m, family, kind, level, option)} {shown}")


def _default(m: Machine, family: int, kind: int, level: int, option: int) -> str:
    fd = m.answer("socket", family, kind)
    return m.shown(m.answer("getsockopt", fd, level, option, 8))


def _tries(m: Machine, family: int, kind: int, level: int, option: int) -> list[tuple[int, str]]:
    tries = []
    for value in NUMBERS:
        fd = m.answer("socket", family, kind)
        result = m.answer("setsockopt", fd, level, option, value)
        read = m.answer("getsockopt", fd, level, option, 8) if result == 0 else result
        tries.append((value, m.shown(read)))
    return tries


def structures(m: Machine) -> None:
    """Options with a structure, wrong lengths, short buffers, levels that are none."""
    s = m.fd("socket", AF_INET, SOCK_STREAM)
    for value in (pack("ii", 1, 5), pack("ii", 0, 7), pack("i", 1), pack("ii", 5, 0)):
        m.call("setsockopt", s, SOL_SOCKET, SO_LINGER, value)
        m.call("getsockopt", s, SOL_SOCKET, SO_LINGER, 8)
    m.call("getsockopt", s, SOL_SOCKET, SO_LINGER, 3)
    for option in (SO_RCVTIMEO, SO_SNDTIMEO):
        for seconds, microseconds in ((0, 0), (1, 500000), (0, 1_000_000), (0, -1), (0, 4000)):
            m.call("setsockopt", s, SOL_SOCKET, option, pack("qq", seconds, microseconds))
            m.call("getsockopt", s, SOL_SOCKET, option, 16)
        m.call("setsockopt", s, SOL_SOCKET, option, pack("q", 1))
        m.call("setsockopt", s, SOL_SOCKET, option, 1)
    m.say("the length of an int")
    for level, option in ((SOL_SOCKET, 9), (IPPROTO_TCP, 1), (IPPROTO_IP, 2)):
        for size in (1, 2, 4, 8):
            m.call("setsockopt", s, level, option, bytes([1, 0, 0, 0, 9, 9, 9, 9][:size]))
            m.call("getsockopt", s, level, option, size)
        m.call("setsockopt", s, level, option, b"")
    m.say("SO_ERROR and TCP_INFO are not to be set; what does not exist")
    m.call("setsockopt", s, SOL_SOCKET, SO_ERROR, 1)
    m.call("setsockopt", s, IPPROTO_TCP, 11, 1)
    for level, option in ((SOL_SOCKET, 9999), (IPPROTO_TCP, 9999), (IPPROTO_IP, 9999), (IPPROTO_IPV6, 26), (1234, 1)):
        m.call("setsockopt", s, level, option, 1)
        m.call("getsockopt", s, level, option)
    m.call("getsockopt", m.fd("socket", AF_INET, SOCK_DGRAM), IPPROTO_TCP, 1)
    m.say("congestion control")
    m.call("setsockopt", s, IPPROTO_TCP, TCP_CONGESTION, b"reno")
    m.call("getsockopt", s, IPPROTO_TCP, TCP_CONGESTION, 16)
    m.call("getsockopt", s, IPPROTO_TCP, TCP_CONGESTION, 3)
    m.call("setsockopt", s, IPPROTO_TCP, TCP_CONGESTION, b"cubic\0junk")
    m.call("getsockopt", s, IPPROTO_TCP, TCP_CONGESTION, 100)
    m.call("setsockopt", s, IPPROTO_TCP, TCP_CONGESTION, b"nobody")
    m.call("setsockopt", s, IPPROTO_TCP, TCP_CONGESTION, b"")
    m.say("the deferred accept is kept in retransmissions")
    for seconds in (0, 1, 2, 3, 4, 7, 8, 100, 300):
        m.call("setsockopt", s, IPPROTO_TCP, 9, seconds)
        m.call("getsockopt", s, IPPROTO_TCP, 9)


def _scenarios() -> dict[str, Callable[[Machine], None]]:
    found: dict[str, Callable[[Machine], None]] = {}
    for name, (family, kind) in KINDS.items():
        for title, level in (
            ("SOL_SOCKET", SOL_SOCKET),
            ("IPPROTO_TCP", IPPROTO_TCP),
            ("IPPROTO_IP", IPPROTO_IP),
            ("IPPROTO_IPV6", IPPROTO_IPV6),
        ):
            if (level == IPPROTO_TCP and kind == SOCK_DGRAM) or (level == IPPROTO_IPV6 and family == AF_INET):
                continue
            found[f"{name} {title}"] = partial(numbers, family=family, kind=kind, level=level)
    found["structures"] = structures
    return found


OPTION_SCENARIOS = _scenarios()
