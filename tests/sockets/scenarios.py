"""What programs do with sockets, right and wrong, on a machine that talks to itself."""

from __future__ import annotations

from collections.abc import Callable
from struct import pack

from netglass.sockets.constants import (
    AF_INET,
    AF_INET6,
    FIONREAD,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_TCP,
    IPV6_V6ONLY,
    MSG_OOB,
    MSG_PEEK,
    SHUT_RD,
    SHUT_RDWR,
    SHUT_WR,
    SIOCATMARK,
    SIOCOUTQ,
    SO_ACCEPTCONN,
    SO_ERROR,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_OOBINLINE,
    SO_RCVLOWAT,
    SO_REUSEADDR,
    SO_REUSEPORT,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_INFO,
    TCP_INQ,
    TCP_KEEPIDLE,
    TCP_NODELAY,
)
from tests.sockets.machine import Machine

LO = "127.0.0.1"
LO6 = "::1"
NOBODY = (LO, 9)
RESET_ON_CLOSE = pack("ii", 1, 0)


def connected(m: Machine) -> tuple[int, int]:
    """One connection; the listener is closed again. Not written down."""
    before = len(m.lines)
    listener = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("bind", listener, (LO, 0))
    m.call("listen", listener, 5)
    client = m.fd("socket", AF_INET, SOCK_STREAM)
    address = m.call("getsockname", listener)
    m.call("connect", client, address)
    m.settle()
    m.call("connect", client, address)
    server = m.fd("accept", listener)
    m.call("close", listener)
    del m.lines[before:]
    m.say(f"{client} and {server} are connected")
    return client, server


def fresh_stream(m: Machine) -> None:
    s = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("poll", s)
    m.call("getsockname", s)
    m.call("getpeername", s)
    m.call("send", s, b"x")
    m.call("sendto", s, b"x", NOBODY)
    m.call("recv", s, 1)
    m.call("recv", s, 1, MSG_OOB)
    m.call("accept", s)
    m.call("shutdown", s, 7)
    m.call("ioctl", s, FIONREAD)
    m.call("ioctl", s, SIOCOUTQ)
    m.call("ioctl", s, SIOCATMARK)
    m.call("ioctl", s, 0x1234)
    m.call("shutdown", s, SHUT_RDWR)
    m.call("poll", s)


def bound_stream(m: Machine) -> None:
    s = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("bind", s, (LO, 0))
    m.call("getsockname", s)
    m.call("poll", s)
    m.call("bind", s, (LO, 0))
    other = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("bind", other, m.call("getsockname", s))
    m.call("bind", other, ("192.0.2.1", 0))
    m.call("close", s)
    m.call("close", other)


def wrong_family(m: Machine) -> None:
    m.fd("socket", 1234, SOCK_STREAM)
    m.fd("socket", AF_INET, 77)
    m.fd("socket", AF_INET, SOCK_STREAM, 17)
    m.fd("socket", AF_INET, SOCK_DGRAM, 6)
    m.fd("socket", AF_INET, SOCK_STREAM, 132)


def listening(m: Machine) -> None:
    s = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("bind", s, (LO, 0))
    m.call("listen", s, 5)
    m.call("poll", s)
    m.call("accept", s)
    m.call("connect", s, NOBODY)
    m.call("send", s, b"x")
    m.call("recv", s, 1)
    m.call("getpeername", s)
    m.call("listen", s, 1)
    m.call("bind", s, (LO, 0))
    m.call("ioctl", s, FIONREAD)
    m.call("ioctl", s, SIOCOUTQ)
    m.call("ioctl", s, SIOCATMARK)
    m.call("getsockopt", s, SOL_SOCKET, SO_ACCEPTCONN)
    m.call("shutdown", s, SHUT_WR)
    m.call("poll", s)
    m.call("shutdown", s, SHUT_RD)
    m.call("poll", s)
    m.call("accept", s)
    m.call("getsockopt", s, SOL_SOCKET, SO_ACCEPTCONN)
    m.call("listen", s, 5)
    m.call("poll", s)


def listening_unbound(m: Machine) -> None:
    s = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("listen", s, 5)
    m.call("getsockname", s)


def accepting(m: Machine) -> None:
    listener = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("setsockopt", listener, SOL_SOCKET, SO_KEEPALIVE, 1)
    m.call("setsockopt", listener, IPPROTO_TCP, TCP_NODELAY, 1)
    m.call("setsockopt", listener, IPPROTO_TCP, TCP_KEEPIDLE, 33)
    m.call("bind", listener, (LO, 0))
    m.call("listen", listener, 5)
    address = m.call("getsockname", listener)
    client = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("connect", client, address)
    m.call("getsockname", client)
    m.settle()
    m.call("poll", listener)
    m.call("poll", client)
    server = m.fd("accept", listener)
    m.call("accept", listener)
    m.call("poll", listener)
    m.call("getsockname", server)
    m.call("getpeername", server)
    m.call("getpeername", client)
    m.say("options of the listener")
    m.call("getsockopt", server, SOL_SOCKET, SO_KEEPALIVE)
    m.call("getsockopt", server, IPPROTO_TCP, TCP_NODELAY)
    m.call("getsockopt", server, IPPROTO_TCP, TCP_KEEPIDLE)
    m.call("getsockopt", server, SOL_SOCKET, SO_ACCEPTCONN)
    m.call("getsockopt", server, IPPROTO_TCP, TCP_INFO, 1)
    m.call("connect", client, address)
    m.call("connect", client, address)
    m.call("connect", server, address)
    m.call("listen", client, 5)
    m.call("accept", client)
    m.call("bind", client, (LO, 0))


def accepting_the_dead(m: Machine) -> None:
    listener = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("bind", listener, (LO, 0))
    m.call("listen", listener, 5)
    client = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("connect", client, m.call("getsockname", listener))
    m.settle()
    m.call("setsockopt", client, SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE)
    m.call("close", client)
    m.settle()
    m.call("poll", listener)
    server = m.fd("accept", listener)
    m.call("poll", server)
    m.call("getpeername", server)
    m.call("recv", server, 1)
    m.call("recv", server, 1)


def closing_a_listener_with_children(m: Machine) -> None:
    listener = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("bind", listener, (LO, 0))
    m.call("listen", listener, 5)
    client = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("connect", client, m.call("getsockname", listener))
    m.settle()
    m.call("close", listener)
    m.settle()
    m.call("poll", client)
    m.call("recv", client, 1)
    m.call("recv", client, 1)


def refused_then_error(m: Machine) -> None:
    s = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("connect", s, NOBODY)
    m.settle()
    m.call("poll", s)
    m.call("getsockopt", s, SOL_SOCKET, SO_ERROR)
    m.call("getsockopt", s, SOL_SOCKET, SO_ERROR)
    m.call("poll", s)
    m.call("getpeername", s)
    m.call("connect", s, NOBODY)
    m.call("poll", s)
    m.call("connect", s, NOBODY)
    m.settle()
    m.call("connect", s, NOBODY)


def refused_then_connect(m: Machine) -> None:
    s = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("connect", s, NOBODY)
    m.settle()
    m.call("connect", s, NOBODY)
    m.call("poll", s)
    m.call("getsockname", s)
    m.call("send", s, b"x")
    m.call("recv", s, 1)


def refused_then_receive(m: Machine) -> None:
    s = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("connect", s, NOBODY)
    m.settle()
    m.call("recv", s, 1)
    m.call("poll", s)
    m.call("recv", s, 1)
    m.call("send", s, b"x")


def refused_then_send(m: Machine) -> None:
    s = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("connect", s, NOBODY)
    m.settle()
    m.call("send", s, b"x")
    m.call("poll", s)
    m.call("send", s, b"x")
    m.call("recv", s, 1)


def refused_when_bound(m: Machine) -> None:
    s = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("bind", s, (LO, 0))
    m.call("getsockname", s)
    m.call("connect", s, NOBODY)
    m.settle()
    m.call("connect", s, NOBODY)
    m.call("getsockname", s)
    m.call("bind", s, (LO, 0))


def in_progress(m: Machine) -> None:
    """The accept queue is full, so that a SYN stays unanswered."""
    listener = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("bind", listener, (LO, 0))
    m.call("listen", listener, 0)
    address = m.call("getsockname", listener)
    m.call("connect", m.fd("socket", AF_INET, SOCK_STREAM), address)
    m.settle()
    for how in (SHUT_WR, SHUT_RD, SHUT_RDWR):
        s = m.fd("socket", AF_INET, SOCK_STREAM)
        m.call("connect", s, address)
        m.settle()
        m.call("poll", s)
        m.call("connect", s, address)
        m.call("send", s, b"x")
        m.call("recv", s, 1)
        m.call("getpeername", s)
        m.call("getsockname", s)
        m.call("listen", s, 1)
        m.call("bind", s, (LO, 0))
        m.call("accept", s)
        m.call("getsockopt", s, IPPROTO_TCP, TCP_INFO, 1)
        m.call("shutdown", s, how)
        m.call("poll", s)
        m.call("getsockopt", s, IPPROTO_TCP, TCP_INFO, 1)
        m.call("getsockopt", s, SOL_SOCKET, SO_ERROR)
        m.call("send", s, b"x")
        m.call("recv", s, 1)
        m.call("connect", s, address)
        m.call("close", s)


def dissolving(m: Machine) -> None:
    client, server = connected(m)
    m.call("send", server, b"abc")
    m.settle()
    m.call("connect", client, None)
    m.call("poll", client)
    m.call("getpeername", client)
    m.call("getsockname", client)
    m.call("getsockopt", client, SOL_SOCKET, SO_ERROR)
    m.call("recv", client, 10)
    m.settle()
    m.call("recv", server, 10)
    fresh = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("connect", fresh, None)


def conversation(m: Machine) -> None:
    client, server = connected(m)
    m.call("poll", client)
    m.call("recv", client, 1)
    m.call("recv", client, 1, MSG_OOB)
    m.call("sendto", client, b"xyz", NOBODY)
    m.settle()
    m.call("poll", server)
    m.call("ioctl", server, FIONREAD)
    m.call("recv", server, 2, MSG_PEEK)
    m.call("recvfrom", server, 10, MSG_PEEK)
    m.call("recvmsg", server, 10)
    m.call("poll", server)
    m.call("ioctl", client, SIOCOUTQ)
    m.call("send", client, b"")
    m.call("send", client, b"hello")
    m.settle()
    m.call("recvmsg", server, 3)
    m.call("recv", server, 10)
    m.call("send", client, b"lost", 0)
    m.settle()
    m.call("setsockopt", server, IPPROTO_TCP, TCP_INQ, 1)
    m.call("recvmsg", server, 1)
    m.call("setsockopt", server, SOL_SOCKET, SO_RCVLOWAT, 4)
    m.call("poll", server)
    m.call("recv", server, 10)
    m.call("getsockopt", server, IPPROTO_TCP, TCP_INFO, 1)


def half_closes(m: Machine) -> None:
    client, server = connected(m)
    m.call("shutdown", client, SHUT_RD)
    m.call("poll", client)
    m.call("recv", client, 1)
    m.call("send", server, b"abc")
    m.settle()
    m.call("recv", client, 10)
    m.call("recv", client, 10)
    m.call("poll", client)
    m.call("shutdown", client, SHUT_RD)
    m.call("shutdown", client, SHUT_WR)
    m.call("poll", client)
    m.call("send", client, b"x")
    m.call("recv", client, 1)
    m.call("shutdown", client, SHUT_WR)
    m.settle()
    m.call("getsockopt", client, IPPROTO_TCP, TCP_INFO, 1)
    m.call("poll", server)
    m.call("recv", server, 1)
    m.call("getsockopt", server, IPPROTO_TCP, TCP_INFO, 1)
    m.call("getpeername", client)


def orderly_end(m: Machine) -> None:
    client, server = connected(m)
    m.call("send", client, b"bye")
    m.call("shutdown", client, SHUT_WR)
    m.settle()
    m.call("poll", client)
    m.call("poll", server)
    m.call("recv", server, 10)
    m.call("recv", server, 10)
    m.call("send", server, b"bye yourself")
    m.call("shutdown", server, SHUT_WR)
    m.settle()
    m.call("poll", server)
    m.call("poll", client)
    m.call("recv", client, 100)
    m.call("recv", client, 100)
    m.call("getpeername", client)
    m.call("getpeername", server)
    m.call("getsockopt", client, IPPROTO_TCP, TCP_INFO, 1)
    m.call("getsockopt", server, IPPROTO_TCP, TCP_INFO, 1)
    m.call("shutdown", client, SHUT_RDWR)
    m.call("send", client, b"x")
    m.call("send", server, b"x")
    m.call("connect", client, NOBODY)
    m.call("poll", client)
    m.call("close", client)
    m.call("close", server)


def sending_to_the_closed(m: Machine) -> None:
    client, server = connected(m)
    m.call("close", server)
    m.settle()
    m.call("poll", client)
    m.call("recv", client, 1)
    m.call("send", client, b"one")
    m.settle()
    m.call("poll", client)
    m.call("getsockopt", client, SOL_SOCKET, SO_ERROR)
    m.call("send", client, b"two")
    m.call("recv", client, 1)


def reset_then_send(m: Machine) -> None:
    client, server = connected(m)
    m.call("setsockopt", server, SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE)
    m.call("getsockopt", server, SOL_SOCKET, SO_LINGER, 8)
    m.call("close", server)
    m.settle()
    m.call("poll", client)
    m.call("send", client, b"x")
    m.call("send", client, b"x")
    m.call("recv", client, 1)
    m.call("poll", client)
    m.call("getsockopt", client, SOL_SOCKET, SO_ERROR)
    m.call("getpeername", client)
    m.call("connect", client, NOBODY)
    m.call("shutdown", client, SHUT_WR)


def reset_then_receive(m: Machine) -> None:
    client, server = connected(m)
    m.call("send", server, b"hello")
    m.settle()
    m.call("setsockopt", server, SOL_SOCKET, SO_LINGER, RESET_ON_CLOSE)
    m.call("close", server)
    m.settle()
    m.call("poll", client)
    m.call("recv", client, 2)
    m.call("recv", client, 10)
    m.call("recv", client, 10)
    m.call("recv", client, 10)


def closing_with_unread_data(m: Machine) -> None:
    client, server = connected(m)
    m.call("send", client, b"never read")
    m.settle()
    m.call("close", server)
    m.settle()
    m.call("poll", client)
    m.call("recv", client, 10)


def urgent(m: Machine) -> None:
    client, server = connected(m)
    m.call("send", client, b"abc")
    m.call("send", client, b"defX", MSG_OOB)
    m.call("send", client, b"ghi")
    m.settle()
    m.call("poll", server)
    m.call("ioctl", server, FIONREAD)
    m.call("ioctl", server, SIOCATMARK)
    m.call("recv", server, 2)
    m.call("ioctl", server, FIONREAD)
    m.call("recv", server, 100)
    m.call("ioctl", server, SIOCATMARK)
    m.call("ioctl", server, FIONREAD)
    m.call("recv", server, 1, MSG_OOB | MSG_PEEK)
    m.call("poll", server)
    m.call("recv", server, 1, MSG_OOB)
    m.call("recv", server, 1, MSG_OOB)
    m.call("poll", server)
    m.call("ioctl", server, SIOCATMARK)
    m.call("recv", server, 100)
    m.call("ioctl", server, SIOCATMARK)
    m.call("poll", server)


def urgent_inline(m: Machine) -> None:
    client, server = connected(m)
    m.call("setsockopt", server, SOL_SOCKET, SO_OOBINLINE, 1)
    m.call("send", client, b"abcX", MSG_OOB)
    m.call("send", client, b"def")
    m.settle()
    m.call("poll", server)
    m.call("recv", server, 1, MSG_OOB)
    m.call("ioctl", server, FIONREAD)
    m.call("recv", server, 100)
    m.call("ioctl", server, SIOCATMARK)
    m.call("recv", server, 100)
    m.call("ioctl", server, SIOCATMARK)
    m.call("poll", server)


def urgent_not_read(m: Machine) -> None:
    """Reading past the mark loses the byte."""
    client, server = connected(m)
    m.call("send", client, b"abX", MSG_OOB)
    m.call("send", client, b"cd")
    m.settle()
    m.call("recv", server, 100)
    m.call("recv", server, 100)
    m.call("recv", server, 1, MSG_OOB)
    m.call("poll", server)


def duplicates(m: Machine) -> None:
    client, server = connected(m)
    copy = m.fd("dup", client)
    m.call("close", client)
    m.call("send", copy, b"still here")
    m.settle()
    m.call("recv", server, 100)
    m.call("close", copy)
    m.settle()
    m.call("recv", server, 100)
    m.call("socket", AF_INET, SOCK_DGRAM)


def sharing_ports(m: Machine) -> None:
    first = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("bind", first, (LO, 0))
    address = m.call("getsockname", first)
    port = m.port(address)
    for option, listen in ((SO_REUSEADDR, 0), (SO_REUSEADDR, 1), (SO_REUSEPORT, 0), (SO_REUSEPORT, 1)):
        m.say(f"option {option}, the first listens: {listen}")
        one = m.fd("socket", AF_INET, SOCK_STREAM)
        two = m.fd("socket", AF_INET, SOCK_STREAM)
        m.call("setsockopt", one, SOL_SOCKET, option, 1)
        m.call("bind", one, (LO, 0))
        if listen:
            m.call("listen", one, 1)
        place = m.call("getsockname", one)
        m.call("bind", two, place)
        m.call("setsockopt", two, SOL_SOCKET, option, 1)
        m.call("bind", two, place)
        m.call("listen", two, 1)
        m.call("close", one)
        m.call("close", two)
    m.say("another address, and any address")
    third = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("bind", third, ("127.0.0.2", port))
    fourth = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("bind", fourth, ("", port))
    fifth = m.fd("socket", AF_INET6, SOCK_STREAM)
    m.call("bind", fifth, ("", port))
    m.call("setsockopt", fifth, IPPROTO_IPV6, IPV6_V6ONLY, 1)
    m.call("bind", fifth, ("", port))
    m.call("setsockopt", fifth, IPPROTO_IPV6, IPV6_V6ONLY, 0)


def binding_over_time_wait(m: Machine) -> None:
    for reuse in (0, 1):
        m.say(f"SO_REUSEADDR {reuse}")
        listener = m.fd("socket", AF_INET, SOCK_STREAM)
        m.call("setsockopt", listener, SOL_SOCKET, SO_REUSEADDR, reuse)
        m.call("bind", listener, (LO, 0))
        m.call("listen", listener, 5)
        address = m.call("getsockname", listener)
        client = m.fd("socket", AF_INET, SOCK_STREAM)
        m.call("connect", client, address)
        m.settle()
        server = m.fd("accept", listener)
        m.call("close", listener)
        m.call("close", server)
        m.settle()
        m.call("close", client)
        m.settle()
        again = m.fd("socket", AF_INET, SOCK_STREAM)
        m.call("bind", again, address)
        m.call("setsockopt", again, SOL_SOCKET, SO_REUSEADDR, 1)
        m.call("bind", again, address)
        m.call("listen", again, 5)


def ipv6_stream(m: Machine) -> None:
    listener = m.fd("socket", AF_INET6, SOCK_STREAM)
    m.call("getsockname", listener)
    m.call("bind", listener, ("::1", 0, 0, 0))
    m.call("listen", listener, 5)
    address = m.call("getsockname", listener)
    client = m.fd("socket", AF_INET6, SOCK_STREAM)
    m.call("connect", client, address)
    m.settle()
    server = m.fd("accept", listener)
    m.call("getpeername", server)
    m.call("getpeername", client)
    m.call("send", client, b"six")
    m.settle()
    m.call("recv", server, 10)


def dual_stack(m: Machine) -> None:
    listener = m.fd("socket", AF_INET6, SOCK_STREAM)
    m.call("bind", listener, ("::", 0, 0, 0))
    m.call("listen", listener, 5)
    port = m.port(m.call("getsockname", listener))
    client = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("connect", client, (LO, port))
    m.settle()
    server = m.fd("accept", listener)
    m.call("getsockname", server)
    m.call("getpeername", server)
    mapped = m.fd("socket", AF_INET6, SOCK_STREAM)
    m.call("connect", mapped, ("::ffff:127.0.0.1", port, 0, 0))
    m.call("getsockname", mapped)
    m.settle()
    m.call("getpeername", mapped)
    m.fd("accept", listener)
    only = m.fd("socket", AF_INET6, SOCK_STREAM)
    m.call("setsockopt", only, IPPROTO_IPV6, IPV6_V6ONLY, 1)
    m.call("connect", only, ("::ffff:127.0.0.1", port, 0, 0))
    m.call("bind", only, ("::ffff:127.0.0.1", 0, 0, 0))
    m.call("bind", only, ("::", 0, 0, 0))
    m.call("listen", only, 5)
    port = m.port(m.call("getsockname", only))
    stranger = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("connect", stranger, (LO, port))
    m.settle()
    m.call("connect", stranger, (LO, port))
    m.say("what any address means to connect")
    for target in ("", "::1"):
        s = m.fd("socket", AF_INET6, SOCK_STREAM)
        m.call("connect", s, (target, port, 0, 0))
        m.settle()
        m.call("getpeername", s)


def multicast_refuses_streams(m: Machine) -> None:
    s = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("connect", s, ("255.255.255.255", 80))
    m.call("poll", s)


def fresh_datagram(m: Machine) -> None:
    s = m.fd("socket", AF_INET, SOCK_DGRAM)
    m.call("poll", s)
    m.call("getsockname", s)
    m.call("getpeername", s)
    m.call("send", s, b"x")
    m.call("recv", s, 1)
    m.call("listen", s, 1)
    m.call("accept", s)
    m.call("ioctl", s, FIONREAD)
    m.call("ioctl", s, SIOCOUTQ)
    m.call("shutdown", s, SHUT_RDWR)
    m.call("poll", s)
    m.call("recv", s, 1)
    m.call("sendto", s, b"x", NOBODY)


def datagrams(m: Machine) -> None:
    server = m.fd("socket", AF_INET, SOCK_DGRAM)
    m.call("bind", server, (LO, 0))
    m.call("bind", server, (LO, 0))
    address = m.call("getsockname", server)
    client = m.fd("socket", AF_INET, SOCK_DGRAM)
    m.call("sendto", client, b"hello", address)
    m.call("getsockname", client)
    m.call("sendto", client, b"", address)
    m.call("sendto", client, b"x" * 70000, address)
    m.call("sendto", client, b"x", (LO, 0))
    m.settle()
    m.call("poll", server)
    m.call("ioctl", server, FIONREAD)
    m.call("recvmsg", server, 3, MSG_PEEK)
    m.call("recvfrom", server, 3)
    m.call("poll", server)
    m.call("ioctl", server, FIONREAD)
    m.call("recv", server, 10)
    m.call("recv", server, 10)


def connected_datagrams(m: Machine) -> None:
    server = m.fd("socket", AF_INET, SOCK_DGRAM)
    m.call("bind", server, (LO, 0))
    address = m.call("getsockname", server)
    client = m.fd("socket", AF_INET, SOCK_DGRAM)
    m.call("connect", client, address)
    m.call("getsockname", client)
    m.call("getpeername", client)
    m.call("connect", client, address)
    m.call("send", client, b"one")
    stranger = m.fd("socket", AF_INET, SOCK_DGRAM)
    m.call("sendto", stranger, b"not for you", m.call("getsockname", client))
    m.settle()
    m.call("recv", client, 100)
    m.call("recv", server, 100)
    m.call("shutdown", client, SHUT_RD)
    m.call("poll", client)
    m.call("shutdown", client, SHUT_WR)
    m.call("poll", client)
    m.call("send", client, b"x")
    m.call("connect", client, None)
    m.call("getpeername", client)


def refused_datagrams(m: Machine) -> None:
    s = m.fd("socket", AF_INET, SOCK_DGRAM)
    m.call("connect", s, NOBODY)
    m.call("send", s, b"anybody?")
    m.settle()
    m.call("poll", s)
    m.call("recv", s, 10)
    m.call("recv", s, 10)
    m.call("send", s, b"anybody?")
    m.settle()
    m.call("send", s, b"anybody?")
    m.settle()
    m.call("getsockopt", s, SOL_SOCKET, SO_ERROR)
    m.call("getsockopt", s, SOL_SOCKET, SO_ERROR)
    unconnected = m.fd("socket", AF_INET, SOCK_DGRAM)
    m.call("sendto", unconnected, b"anybody?", NOBODY)
    m.settle()
    m.call("poll", unconnected)
    m.call("recv", unconnected, 10)


def broadcast_permission(m: Machine) -> None:
    s = m.fd("socket", AF_INET, SOCK_DGRAM)
    m.call("sendto", s, b"x", ("255.255.255.255", 9999))
    m.call("connect", s, ("255.255.255.255", 9999))


def ancillary_data(m: Machine) -> None:
    server = m.fd("socket", AF_INET, SOCK_DGRAM)
    for option in (8, 12, 13):
        m.call("setsockopt", server, IPPROTO_IP, option, 1)
    m.call("bind", server, ("", 0))
    port = m.port(m.call("getsockname", server))
    client = m.fd("socket", AF_INET, SOCK_DGRAM)
    m.call("setsockopt", client, IPPROTO_IP, 2, 33)
    m.call("setsockopt", client, IPPROTO_IP, 1, 0x10)
    m.call("sendto", client, b"x", (LO, port))
    m.settle()
    m.call("recvmsg", server, 10)
    server = m.fd("socket", AF_INET6, SOCK_DGRAM)
    for option in (49, 51, 66):
        m.call("setsockopt", server, IPPROTO_IPV6, option, 1)
    m.call("bind", server, ("", 0))
    port = m.port(m.call("getsockname", server))
    client = m.fd("socket", AF_INET6, SOCK_DGRAM)
    m.call("setsockopt", client, IPPROTO_IPV6, 16, 44)
    m.call("setsockopt", client, IPPROTO_IPV6, 67, 0x20)
    m.call("sendto", client, b"x", (LO6, port))
    m.settle()
    m.call("recvmsg", server, 10)


def dual_stack_datagrams(m: Machine) -> None:
    server = m.fd("socket", AF_INET6, SOCK_DGRAM)
    m.call("bind", server, ("::", 0, 0, 0))
    port = m.port(m.call("getsockname", server))
    four = m.fd("socket", AF_INET, SOCK_DGRAM)
    m.call("sendto", four, b"four", (LO, port))
    six = m.fd("socket", AF_INET6, SOCK_DGRAM)
    m.call("sendto", six, b"six", ("::1", port, 0, 0))
    m.call("sendto", six, b"mapped", ("::ffff:127.0.0.1", port, 0, 0))
    m.settle()
    m.call("recvfrom", server, 10)
    m.call("recvfrom", server, 10)
    m.call("recvfrom", server, 10)


def connecting_to_oneself(m: Machine) -> None:
    """A simultaneous open with the only one there is."""
    s = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("bind", s, (LO, 0))
    address = m.call("getsockname", s)
    m.call("connect", s, address)
    m.settle()
    m.call("poll", s)
    m.call("connect", s, address)
    m.call("getpeername", s)
    m.call("send", s, b"echo")
    m.settle()
    m.call("recv", s, 10)
    m.call("shutdown", s, SHUT_WR)
    m.settle()
    m.call("recv", s, 10)
    m.call("poll", s)
    m.call("getsockopt", s, IPPROTO_TCP, TCP_INFO, 1)


def one_port_for_several_connections(m: Machine) -> None:
    listeners = [m.fd("socket", AF_INET, SOCK_STREAM) for _ in range(2)]
    for listener in listeners:
        m.call("bind", listener, (LO, 0))
        m.call("listen", listener, 5)
    addresses = [m.call("getsockname", listener) for listener in listeners]
    clients = [m.fd("socket", AF_INET, SOCK_STREAM) for _ in range(3)]
    for client in clients:
        m.call("setsockopt", client, SOL_SOCKET, SO_REUSEADDR, 1)
    m.call("bind", clients[0], (LO, 0))
    mine = m.call("getsockname", clients[0])
    m.call("bind", clients[1], mine)
    m.call("bind", clients[2], mine)
    m.call("connect", clients[0], addresses[0])
    m.call("connect", clients[1], addresses[1])
    m.call("connect", clients[2], addresses[1])
    m.settle()
    m.call("poll", clients[0])
    m.call("poll", clients[1])
    m.call("poll", clients[2])


def two_that_want_to_listen(m: Machine) -> None:
    for option in (SO_REUSEADDR, SO_REUSEPORT):
        one = m.fd("socket", AF_INET, SOCK_STREAM)
        two = m.fd("socket", AF_INET, SOCK_STREAM)
        m.call("setsockopt", one, SOL_SOCKET, option, 1)
        m.call("setsockopt", two, SOL_SOCKET, option, 1)
        m.call("bind", one, (LO, 0))
        m.call("bind", two, m.call("getsockname", one))
        m.call("listen", one, 5)
        m.call("listen", two, 5)
        m.call("poll", two)


def any_address_of_both_versions(m: Machine) -> None:
    six = m.fd("socket", AF_INET6, SOCK_STREAM)
    m.call("bind", six, ("::", 0, 0, 0))
    port = m.port(m.call("getsockname", six))
    four = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("bind", four, ("", port))
    m.call("bind", four, (LO, port))
    only = m.fd("socket", AF_INET6, SOCK_STREAM)
    m.call("setsockopt", only, IPPROTO_IPV6, IPV6_V6ONLY, 1)
    m.call("bind", only, ("::1", port, 0, 0))
    m.call("close", six)
    m.call("bind", four, ("", port))
    m.call("bind", only, ("::", port, 0, 0))
    mapped = m.fd("socket", AF_INET6, SOCK_STREAM)
    m.call("bind", mapped, ("::ffff:127.0.0.1", port, 0, 0))
    m.call("close", four)
    m.call("bind", mapped, ("::ffff:127.0.0.1", port, 0, 0))
    m.call("getsockname", mapped)


def sharing_datagram_ports(m: Machine) -> None:
    for option in (SO_REUSEADDR, SO_REUSEPORT):
        one = m.fd("socket", AF_INET, SOCK_DGRAM)
        two = m.fd("socket", AF_INET, SOCK_DGRAM)
        m.call("setsockopt", one, SOL_SOCKET, option, 1)
        m.call("bind", one, (LO, 0))
        address = m.call("getsockname", one)
        m.call("bind", two, address)
        m.call("setsockopt", two, SOL_SOCKET, option, 1)
        m.call("bind", two, address)
        three = m.fd("socket", AF_INET, SOCK_DGRAM)
        m.call("bind", three, ("127.0.0.2", m.port(address)))
        four = m.fd("socket", AF_INET, SOCK_DGRAM)
        m.call("bind", four, ("", m.port(address)))


def urgent_twice(m: Machine) -> None:
    client, server = connected(m)
    m.call("send", client, b"aX", MSG_OOB)
    m.call("send", client, b"bY", MSG_OOB)
    m.settle()
    m.call("poll", server)
    m.call("recv", server, 1, MSG_OOB)
    m.call("recv", server, 100)
    m.call("recv", server, 100)
    m.call("ioctl", server, SIOCATMARK)
    m.call("send", client, b"Z", MSG_OOB)
    m.settle()
    m.call("poll", server)
    m.call("ioctl", server, SIOCATMARK)
    m.call("ioctl", server, FIONREAD)
    m.call("recv", server, 1, MSG_OOB)
    m.call("ioctl", server, FIONREAD)
    m.call("recv", server, 100)


def the_end_after_data(m: Machine) -> None:
    client, server = connected(m)
    m.call("send", client, b"last words")
    m.call("close", client)
    m.settle()
    m.call("ioctl", server, FIONREAD)
    m.call("recv", server, 100, MSG_PEEK)
    m.call("recv", server, 4)
    m.call("ioctl", server, FIONREAD)
    m.call("recv", server, 100)
    m.call("ioctl", server, FIONREAD)
    m.call("recv", server, 100, MSG_PEEK)
    m.call("recv", server, 100)
    m.call("send", server, b"too late")
    m.settle()
    m.call("poll", server)
    m.call("recv", server, 100)
    m.call("send", server, b"too late")


def closing_in_the_middle_of_connecting(m: Machine) -> None:
    listener = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("bind", listener, (LO, 0))
    m.call("listen", listener, 0)
    address = m.call("getsockname", listener)
    m.call("connect", m.fd("socket", AF_INET, SOCK_STREAM), address)
    m.settle()
    late = m.fd("socket", AF_INET, SOCK_STREAM)
    m.call("connect", late, address)
    m.call("setsockopt", late, IPPROTO_TCP, TCP_NODELAY, 1)
    m.call("getsockopt", late, SOL_SOCKET, SO_ERROR)
    m.call("ioctl", late, FIONREAD)
    m.call("ioctl", late, SIOCOUTQ)
    m.call("ioctl", late, SIOCATMARK)
    m.call("connect", late, None)
    m.call("poll", late)
    m.call("getsockopt", late, SOL_SOCKET, SO_ERROR)
    m.call("close", late)


def reconnecting_datagrams(m: Machine) -> None:
    one = m.fd("socket", AF_INET, SOCK_DGRAM)
    two = m.fd("socket", AF_INET, SOCK_DGRAM)
    m.call("bind", one, (LO, 0))
    m.call("bind", two, (LO, 0))
    client = m.fd("socket", AF_INET, SOCK_DGRAM)
    m.call("bind", client, ("", 0))
    m.call("getsockname", client)
    m.call("connect", client, m.call("getsockname", one))
    m.call("getsockname", client)
    m.call("sendto", client, b"for two", m.call("getsockname", two))
    m.call("connect", client, m.call("getsockname", two))
    m.call("send", client, b"for two")
    m.settle()
    m.call("recv", one, 10)
    m.call("recv", two, 10)
    m.call("recv", two, 10)
    m.call("connect", client, None)
    m.call("getsockname", client)
    m.call("send", client, b"for nobody")


def datagrams_of_ipv6(m: Machine) -> None:
    six = m.fd("socket", AF_INET6, SOCK_DGRAM)
    m.call("connect", six, ("::ffff:127.0.0.1", 9, 0, 0))
    m.call("getsockname", six)
    m.call("getpeername", six)
    only = m.fd("socket", AF_INET6, SOCK_DGRAM)
    m.call("setsockopt", only, IPPROTO_IPV6, IPV6_V6ONLY, 1)
    m.call("connect", only, ("::ffff:127.0.0.1", 9, 0, 0))
    m.call("sendto", only, b"x", ("::ffff:127.0.0.1", 9, 0, 0))
    m.call("bind", only, ("::1", 0, 0, 0))
    m.call("setsockopt", only, IPPROTO_IPV6, IPV6_V6ONLY, 0)
    m.call("sendto", only, b"x", ("::1", 9, 0, 0))
    m.settle()
    m.call("poll", only)
    bound = m.fd("socket", AF_INET6, SOCK_DGRAM)
    m.call("bind", bound, ("::1", 0, 0, 0))
    m.call("sendto", bound, b"x", ("::ffff:127.0.0.1", 9, 0, 0))
    m.call("connect", bound, ("::1", 9, 0, 0))
    m.call("send", bound, b"x")
    m.settle()
    m.call("recv", bound, 1)


SCENARIOS: dict[str, Callable[[Machine], None]] = {
    scenario.__name__: scenario
    for scenario in (
        fresh_stream,
        bound_stream,
        wrong_family,
        listening,
        listening_unbound,
        accepting,
        accepting_the_dead,
        closing_a_listener_with_children,
        refused_then_error,
        refused_then_connect,
        refused_then_receive,
        refused_then_send,
        refused_when_bound,
        in_progress,
        dissolving,
        conversation,
        half_closes,
        orderly_end,
        sending_to_the_closed,
        reset_then_send,
        reset_then_receive,
        closing_with_unread_data,
        urgent,
        urgent_inline,
        urgent_not_read,
        duplicates,
        sharing_ports,
        binding_over_time_wait,
        ipv6_stream,
        dual_stack,
        multicast_refuses_streams,
        fresh_datagram,
        datagrams,
        connected_datagrams,
        refused_datagrams,
        broadcast_permission,
        ancillary_data,
        dual_stack_datagrams,
        connecting_to_oneself,
        one_port_for_several_connections,
        two_that_want_to_listen,
        any_address_of_both_versions,
        sharing_datagram_ports,
        urgent_twice,
        the_end_after_data,
        closing_in_the_middle_of_connecting,
        reconnecting_datagrams,
        datagrams_of_ipv6,
    )
}
