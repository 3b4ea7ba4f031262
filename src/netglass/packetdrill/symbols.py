"""The names that scripts use for numbers: SOL_SOCKET, O_NONBLOCK, EAGAIN ... with Linux's values."""

from __future__ import annotations

from typing import Final

from netglass import errnos, world
from netglass.packetdrill.script import Call, Either, Name, Value
from netglass.sockets import constants

_MORE: Final[dict[str, int]] = {
    "SOL_IP": 0,
    "SOL_TCP": 6,
    "SOL_UDP": 17,
    "SOL_IPV6": 41,
    "EWOULDBLOCK": errnos.EAGAIN,
    "NULL": 0,
    # fcntl.h
    "O_RDONLY": 0,
    "O_WRONLY": 1,
    "O_ACCMODE": 3,
    "O_CREAT": 0o100,
    "O_EXCL": 0o200,
    "O_NOCTTY": 0o400,
    "O_TRUNC": 0o1000,
    "F_GETLK": 5,
    "F_SETLK": 6,
    "F_SETLKW": 7,
    "F_SETOWN": 8,
    "F_GETOWN": 9,
    # poll.h
    "POLLRDNORM": 0x040,
    "POLLRDBAND": 0x080,
    "POLLWRNORM": 0x100,
    "POLLWRBAND": 0x200,
    "POLLMSG": 0x400,
    "POLLREMOVE": 0x1000,
    # sys/epoll.h
    "EPOLLIN": 0x001,
    "EPOLLPRI": 0x002,
    "EPOLLOUT": 0x004,
    "EPOLLERR": 0x008,
    "EPOLLHUP": 0x010,
    "EPOLLRDNORM": 0x040,
    "EPOLLRDBAND": 0x080,
    "EPOLLWRNORM": 0x100,
    "EPOLLWRBAND": 0x200,
    "EPOLLMSG": 0x400,
    "EPOLLRDHUP": 0x2000,
    "EPOLLEXCLUSIVE": 1 << 28,
    "EPOLLONESHOT": 1 << 30,
    "EPOLLET": 1 << 31,
    "EPOLL_CTL_ADD": 1,
    "EPOLL_CTL_DEL": 2,
    "EPOLL_CTL_MOD": 3,
    # socket.h
    "MSG_PROXY": 0x10,
    "MSG_FIN": 0x200,
    "MSG_SYN": 0x400,
    "MSG_RST": 0x1000,
    "MSG_ZEROCOPY": 0x4000000,
    "SPLICE_F_MOVE": 1,
    "SPLICE_F_NONBLOCK": 2,
    "SPLICE_F_MORE": 4,
    "SPLICE_F_GIFT": 8,
    # ip.h: DSCP class selectors (RFC 2474)
    **{f"IPTOS_DSCP_CS{number}": number << 5 for number in range(8)},
    "IPTOS_LOWDELAY": 0x10,
    "IPTOS_THROUGHPUT": 0x08,
    "IPTOS_RELIABILITY": 0x04,
    "IPTOS_MINCOST": 0x02,
    # tcp.h
    "TCP_MD5SIG": 14,
    "TCP_COOKIE_TRANSACTIONS": 15,
    "TCP_REPAIR": 19,
    "TCP_REPAIR_QUEUE": 20,
    "TCP_QUEUE_SEQ": 21,
    "TCP_REPAIR_OPTIONS": 22,
    "TCP_TIMESTAMP": 24,
    "TCP_SAVED_SYN": 28,
    "TCP_REPAIR_WINDOW": 29,
    "TCP_FASTOPEN_KEY": 33,
    "TCP_ZEROCOPY_RECEIVE": 35,
    "TCP_TX_DELAY": 37,
    "TCP_INFINITE_SSTHRESH": 0x7FFFFFFF,
}


def _numbers(module: object, prefix: str = "") -> dict[str, int]:
    names = [name for name in vars(module) if name.isupper() and name.startswith(prefix)]
    return {name: value for name in names if isinstance(value := vars(module)[name], int)}


NUMBERS: Final[dict[str, int]] = {**_numbers(world, "POLL"), **_numbers(constants), **_numbers(errnos, "E"), **_MORE}


class UnknownName(Exception):  # noqa: N818 - caught and told as a ScriptError, with its place
    """A name, or something else, that stands for no number."""


def number(value: Value) -> int:
    """The integer that `value` stands for: a number, a name, names joined with `|`, htons(8080)."""
    if isinstance(value, int):
        return value
    if isinstance(value, Name):
        if value.text in NUMBERS:
            return NUMBERS[value.text]
        raise UnknownName(f"{value.text} is not a constant that netglass knows")
    if isinstance(value, Either):
        together = 0
        for part in value.parts:
            together |= number(part)
        return together
    if isinstance(value, Call) and value.function == "htons":
        return number(value.argument)
    raise UnknownName("expected a number here")


def errno_of(name: str) -> int:
    if name.startswith("E") and name in NUMBERS:
        return NUMBERS[name]
    raise UnknownName(f"{name} is not an error that netglass knows")
