"""Streams over a wire, as programs see them."""

from __future__ import annotations

from struct import pack

import pytest

from netglass.errnos import EADDRNOTAVAIL, ECONNREFUSED, ECONNRESET, EINPROGRESS, ENOTCONN, EPIPE, ETIMEDOUT
from netglass.host.config import HostConfig
from netglass.sockets.constants import (
    AF_INET,
    AF_INET6,
    IP_MTU,
    IP_TOS,
    IP_TTL,
    IPPROTO_IP,
    IPPROTO_TCP,
    MSG_MORE,
    MSG_OOB,
    MSG_TRUNC,
    SIOCOUTQ,
    SIOCOUTQNSD,
    SO_ERROR,
    SO_KEEPALIVE,
    SO_LINGER,
    SO_RCVBUF,
    SOCK_DGRAM,
    SOCK_STREAM,
    SOL_SOCKET,
    TCP_CONGESTION,
    TCP_CORK,
    TCP_KEEPCNT,
    TCP_KEEPIDLE,
    TCP_KEEPINTVL,
    TCP_MAXSEG,
    TCP_NODELAY,
    TCP_QUICKACK,
    TCP_SYNCNT,
    TCP_USER_TIMEOUT,
)
from netglass.times import MILLISECOND, SECOND
from netglass.wire.address import parse
from netglass.wire.ip import IpPacket
from netglass.wire.tcp import ACK, FIN, RST, TcpSegment
from netglass.world import POLLERR, POLLHUP, POLLIN, POLLOUT, POLLPRI, POLLRDHUP
from tests.sockets.pair import Pair, Side


def segments(packets: list[IpPacket], source: Side) -> list[TcpSegment]:
    """What `source` sent over IPv4."""
    address = parse(source.address)
    return [each.payload for each in packets if isinstance(each.payload, TcpSegment) and each.source == address]


def lengths(pair: Pair, side: Side) -> list[int]:
    return [segment.length for segment in segments(pair.sent, side) if segment.length]


def test_bytes_arrive_in_order_whatever_the_writes():
    pair = Pair()
    client, server = pair.connected()
    data = bytes(range(256)) * 2000
    sent, received = 0, b""
    for step in range(1, 4000):
        if sent < len(data):
            taken = pair.a.sockets.send(client, data[sent : sent + step * 37], pair.now)
            sent += max(taken, 0)
        pair.run(5 * MILLISECOND)
        got = pair.b.sockets.recv(server, step * 23, pair.now)
        if isinstance(got, bytes):
            received += got
        if len(received) == len(data):
            break
    assert received == data


def test_gathered_chunks_are_one_write():
    pair = Pair()
    client, server = pair.connected()
    del pair.sent[:]
    chunks: list[bytes | bytearray | memoryview] = [b"one ", bytearray(b"two "), b"", memoryview(b"three"), b""]
    assert pair.a.sockets.sendmsg(client, chunks, pair.now) == 13
    pair.run()
    assert lengths(pair, pair.a) == [13]
    assert pair.b.sockets.recv(server, 100, pair.now) == b"one two three"


def test_what_was_sent_may_be_overwritten():
    pair = Pair()
    client, server = pair.connected()
    buffer = bytearray(b"precious")
    pair.cut = True
    pair.a.sockets.send(client, buffer, pair.now)
    buffer[:] = b"garbage!"
    pair.cut = False
    pair.run()
    assert pair.b.sockets.recv(server, 100, pair.now) == b"precious"


def test_more_to_come_is_held_back():
    pair = Pair()
    client, server = pair.connected()
    del pair.sent[:]
    pair.a.sockets.send(client, b"head", pair.now, MSG_MORE)
    assert lengths(pair, pair.a) == []
    pair.a.sockets.send(client, b"tail", pair.now)
    pair.run()
    assert lengths(pair, pair.a) == [8]
    assert pair.b.sockets.recv(server, 100, pair.now) == b"headtail"


def test_cork_and_nodelay():
    pair = Pair()
    client, _ = pair.connected()
    calls = pair.a.sockets
    del pair.sent[:]
    calls.setsockopt(client, IPPROTO_TCP, TCP_CORK, 1, pair.now)
    calls.send(client, b"a", pair.now)
    pair.run(50 * MILLISECOND)
    assert lengths(pair, pair.a) == []
    calls.setsockopt(client, IPPROTO_TCP, TCP_CORK, 0, pair.now)
    pair.run(1)
    assert lengths(pair, pair.a) == [1]
    calls.send(client, b"b", pair.now)  # Nagle: "a" is not acknowledged yet
    pair.run(1)
    assert lengths(pair, pair.a) == [1]
    calls.setsockopt(client, IPPROTO_TCP, TCP_NODELAY, 1, pair.now)
    pair.run(1)
    assert lengths(pair, pair.a) == [1, 1]
    calls.setsockopt(client, IPPROTO_TCP, TCP_CORK, 1, pair.now)
    calls.send(client, b"c", pair.now)
    assert lengths(pair, pair.a) == [1, 1]
    calls.setsockopt(client, IPPROTO_TCP, TCP_NODELAY, 1, pair.now)
    pair.run(1)
    assert lengths(pair, pair.a) == [1, 1, 1], "tcp(7): an explicit flush, in spite of the cork"


def test_quickack_sends_the_ack_that_was_put_off():
    pair = Pair()
    client, server = pair.connected()
    calls = pair.b.sockets
    calls.setsockopt(server, IPPROTO_TCP, TCP_QUICKACK, 0, pair.now)
    pair.a.sockets.send(client, b"x", pair.now)
    pair.run(12 * MILLISECOND)
    del pair.sent[:]
    assert calls.recv(server, 10, pair.now) == b"x"  # Linux sends it only once nothing is left to read
    calls.setsockopt(server, IPPROTO_TCP, TCP_QUICKACK, 1, pair.now)
    pair.run(1)
    assert [segment.flags for segment in segments(pair.sent, pair.b)] == [ACK]


def test_segment_size_hops_and_traffic_class():
    pair = Pair()
    pair.listener()
    calls = pair.a.sockets
    client = calls.socket(AF_INET, SOCK_STREAM)
    calls.setsockopt(client, IPPROTO_TCP, TCP_MAXSEG, 500, pair.now)
    calls.setsockopt(client, IPPROTO_IP, IP_TTL, 7, pair.now)
    calls.setsockopt(client, IPPROTO_IP, IP_TOS, 0x2B, pair.now)
    calls.connect(client, ("10.0.0.2", 80), pair.now)
    syn = pair.a.host.poll_packet(pair.now)
    assert syn is not None
    packet = syn[1]
    assert (packet.ttl, packet.tos) == (7, 0x28), "the two low bits are ECN's and TCP's own"
    assert isinstance(packet.payload, TcpSegment)
    assert packet.payload.options is not None
    assert packet.payload.options.mss == 500


def test_the_mtu_of_the_path():
    pair = Pair()
    client, _ = pair.connected()
    calls = pair.a.sockets
    assert calls.getsockopt(client, IPPROTO_IP, IP_MTU, pair.now) == pack("<i", 1500)
    assert calls.getsockopt(calls.socket(AF_INET, SOCK_STREAM), IPPROTO_IP, IP_MTU, pair.now) == -ENOTCONN
    datagrams = calls.socket(AF_INET, SOCK_DGRAM)
    assert calls.getsockopt(datagrams, IPPROTO_IP, IP_MTU, pair.now) == -ENOTCONN
    calls.connect(datagrams, ("10.0.0.2", 53), pair.now)
    assert calls.getsockopt(datagrams, IPPROTO_IP, IP_MTU, pair.now) == pack("<i", 1500)


def test_syn_retries_and_user_timeout():
    pair = Pair()
    pair.cut = True
    calls = pair.a.sockets
    client = calls.socket(AF_INET, SOCK_STREAM)
    calls.setsockopt(client, IPPROTO_TCP, TCP_SYNCNT, 1, pair.now)
    calls.connect(client, ("10.0.0.2", 80), pair.now)
    pair.run(4 * SECOND)
    assert len(pair.sent) == 2
    assert calls.getsockopt(client, SOL_SOCKET, SO_ERROR, pair.now) == pack("<i", ETIMEDOUT)


def test_user_timeout_of_a_connection():
    pair = Pair()
    client, _ = pair.connected()
    calls = pair.a.sockets
    calls.setsockopt(client, IPPROTO_TCP, TCP_USER_TIMEOUT, 3000, pair.now)
    pair.cut = True
    calls.send(client, b"anybody?", pair.now)
    pair.run(3000 * MILLISECOND)  # Linux counts from the first retransmission
    assert calls.ready(client) & POLLERR == 0
    pair.run(400 * MILLISECOND)
    assert calls.ready(client) & POLLERR
    assert calls.recv(client, 1, pair.now) == -ETIMEDOUT


def test_keepalive_finds_a_dead_peer():
    pair = Pair()
    client, _ = pair.connected()
    calls = pair.a.sockets
    for option, value in ((TCP_KEEPIDLE, 10), (TCP_KEEPINTVL, 2), (TCP_KEEPCNT, 3)):
        assert calls.setsockopt(client, IPPROTO_TCP, option, value, pair.now) == 0
    assert calls.setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, 1, pair.now) == 0
    pair.run(30 * SECOND)
    assert calls.ready(client) == POLLOUT, "the peer answers"
    pair.cut = True
    pair.run(26 * SECOND)
    assert calls.ready(client) & (POLLERR | POLLHUP | POLLIN) == POLLERR | POLLHUP | POLLIN
    assert calls.recv(client, 1, pair.now) == -ETIMEDOUT


def test_refused_reset_and_broken():
    pair = Pair()
    calls = pair.a.sockets
    client = calls.socket(AF_INET, SOCK_STREAM)
    calls.connect(client, ("10.0.0.2", 81), pair.now)
    pair.run()
    assert calls.ready(client) == POLLIN | POLLOUT | POLLERR | POLLHUP | POLLRDHUP
    assert calls.connect(client, ("10.0.0.2", 81), pair.now) == -ECONNREFUSED
    client, server = pair.connected()
    pair.b.sockets.setsockopt(server, SOL_SOCKET, SO_LINGER, pack("<ii", 1, 0), pair.now)
    pair.b.sockets.close(server, pair.now)
    pair.run()
    assert calls.send(client, b"x", pair.now) == -ECONNRESET
    assert calls.send(client, b"x", pair.now) == -EPIPE


def test_no_route_and_no_port():
    pair = Pair()
    calls = pair.a.sockets
    assert calls.connect(calls.socket(AF_INET, SOCK_STREAM), ("192.0.2.1", 80), pair.now) == -101
    pair.a.host.config.set("net.ipv4.ip_local_port_range", "40000 40001")
    results = [calls.connect(calls.socket(AF_INET, SOCK_STREAM), ("10.0.0.2", 80), pair.now) for _ in range(3)]
    assert results == [-EINPROGRESS, -EINPROGRESS, -EADDRNOTAVAIL]


def test_unread_data_makes_a_reset():
    pair = Pair()
    client, server = pair.connected()
    pair.a.sockets.send(client, b"never read", pair.now)
    pair.run()
    del pair.sent[:]
    pair.b.sockets.close(server, pair.now)
    pair.run()
    assert [segment.flags & (RST | FIN) for segment in segments(pair.sent, pair.b)] == [RST]
    assert pair.a.sockets.recv(client, 1, pair.now) == -ECONNRESET


def test_discarding_without_reading():
    pair = Pair()
    client, server = pair.connected()
    pair.a.sockets.send(client, b"0123456789", pair.now)
    pair.run()
    message = pair.b.sockets.recvmsg(server, 4, pair.now, MSG_TRUNC)
    assert not isinstance(message, int)
    assert message.size == 4
    assert pair.b.sockets.recv(server, 100, pair.now) == b"456789"


def test_queue_lengths():
    pair = Pair()
    client, _ = pair.connected()
    calls = pair.a.sockets
    calls.send(client, bytes(60_000), pair.now)
    assert calls.ioctl(client, SIOCOUTQ) == 60_000
    assert calls.ioctl(client, SIOCOUTQNSD) == 60_000 - 10 * 1448
    pair.run()
    assert calls.ioctl(client, SIOCOUTQ) == 0


def test_a_small_receive_buffer_limits_the_peer():
    pair = Pair()
    listener = pair.listener()
    pair.b.sockets.setsockopt(listener, SOL_SOCKET, SO_RCVBUF, 10_000, pair.now)
    client = pair.a.sockets.socket(AF_INET, SOCK_STREAM)
    pair.a.sockets.connect(client, ("10.0.0.2", 80), pair.now)
    pair.run()
    accepted = pair.b.sockets.accept(listener, pair.now)
    assert isinstance(accepted, tuple)
    pair.a.sockets.send(client, bytes(100_000), pair.now)
    pair.run()
    data = pair.b.sockets.recv(accepted[0], 100_000, pair.now)
    assert isinstance(data, bytes)
    assert 8_000 < len(data) <= 10_000


def test_urgent_data():
    pair = Pair()
    client, server = pair.connected()
    pair.a.sockets.send(client, b"stop!", pair.now, MSG_OOB)
    pair.run()
    calls = pair.b.sockets
    assert calls.ready(server) & POLLPRI
    message = calls.recvmsg(server, 1, pair.now, MSG_OOB)
    assert not isinstance(message, int)
    assert (message.data, message.flags & MSG_OOB) == (b"!", MSG_OOB)
    assert calls.recv(server, 100, pair.now) == b"stop"


def test_ipv6_and_a_dual_stack_listener():
    pair = Pair()
    listener = pair.listener("::", family=AF_INET6)
    four = pair.a.sockets.socket(AF_INET, SOCK_STREAM)
    six = pair.a.sockets.socket(AF_INET6, SOCK_STREAM)
    pair.a.sockets.connect(four, ("10.0.0.2", 80), pair.now)
    pair.a.sockets.connect(six, ("fd00::2", 80, 0, 0), pair.now)
    pair.run()
    peers = []
    for _ in range(2):
        accepted = pair.b.sockets.accept(listener, pair.now)
        assert isinstance(accepted, tuple)
        peers.append(accepted[1][0])
    assert sorted(peers) == ["::ffff:10.0.0.1", "fd00::1"]


def test_simultaneous_open():
    pair = Pair()
    calls_a, calls_b = pair.a.sockets, pair.b.sockets
    one, two = calls_a.socket(AF_INET, SOCK_STREAM), calls_b.socket(AF_INET, SOCK_STREAM)
    calls_a.bind(one, ("10.0.0.1", 5000), pair.now)
    calls_b.bind(two, ("10.0.0.2", 6000), pair.now)
    calls_a.connect(one, ("10.0.0.2", 6000), pair.now)
    calls_b.connect(two, ("10.0.0.1", 5000), pair.now)
    pair.run(15 * MILLISECOND)
    assert calls_a.ready(one) == 0
    pair.run()
    assert calls_a.connect(one, ("10.0.0.2", 6000), pair.now) == 0
    assert calls_b.connect(two, ("10.0.0.1", 5000), pair.now) == 0
    calls_a.send(one, b"hi", pair.now)
    pair.run()
    assert calls_b.recv(two, 10, pair.now) == b"hi"


def test_a_bound_socket_connects_from_where_it_is_bound():
    pair = Pair()
    pair.listener()
    calls = pair.a.sockets
    client = calls.socket(AF_INET, SOCK_STREAM)
    assert calls.bind(client, ("", 2222), pair.now) == 0
    calls.connect(client, ("10.0.0.2", 80), pair.now)
    assert calls.getsockname(client) == ("10.0.0.1", 2222)
    pair.run()
    calls.connect(client, None, pair.now)
    assert calls.getsockname(client) == ("0.0.0.0", 2222), "what bind asked for stays"
    assert calls.connect(client, ("10.0.0.2", 80), pair.now) == -EINPROGRESS


def test_ports_below_the_limit_are_for_the_privileged():
    config = HostConfig()
    config.unprivileged_port_start = 1024
    pair = Pair(config)
    calls = pair.a.sockets
    assert calls.bind(calls.socket(AF_INET, SOCK_STREAM), ("", 80), pair.now) == -13


def test_congestion_control_is_changed_in_flight():
    pair = Pair()
    client, server = pair.connected()
    calls = pair.a.sockets
    calls.send(client, bytes(200_000), pair.now)
    pair.run(25 * MILLISECOND)
    window = calls.tcp_info(client, pair.now)["tcpi_snd_cwnd"]
    assert calls.setsockopt(client, IPPROTO_TCP, TCP_CONGESTION, b"reno", pair.now) == 0
    assert calls.tcp_info(client, pair.now)["tcpi_snd_cwnd"] == window
    pair.run()
    assert pair.b.sockets.recv(server, 1 << 20, pair.now) == bytes(200_000)


def test_options_that_change_nothing_are_counted():
    pair = Pair()
    calls = pair.a.sockets
    fd = calls.socket(AF_INET, SOCK_STREAM)
    calls.setsockopt(fd, SOL_SOCKET, 12, 6, pair.now)
    calls.setsockopt(fd, SOL_SOCKET, SO_RCVBUF, 1 << 30, pair.now)
    counts = pair.a.host.counters.counts
    assert counts["socket-option-without-effect"] == 1
    assert counts["socket-buffer-clamped"] == 1


@pytest.mark.parametrize("way", ["close", "shutdown"])
def test_a_listener_that_ends_takes_its_queue_with_it(way):
    pair = Pair()
    listener = pair.listener()
    client = pair.a.sockets.socket(AF_INET, SOCK_STREAM)
    pair.a.sockets.connect(client, ("10.0.0.2", 80), pair.now)
    pair.run()
    if way == "close":
        pair.b.sockets.close(listener, pair.now)
    else:
        pair.b.sockets.shutdown(listener, 0, pair.now)
    pair.run()
    assert pair.a.sockets.recv(client, 1, pair.now) == -ECONNRESET
    late = pair.a.sockets.socket(AF_INET, SOCK_STREAM)
    pair.a.sockets.connect(late, ("10.0.0.2", 80), pair.now)
    pair.run()
    assert pair.a.sockets.connect(late, ("10.0.0.2", 80), pair.now) == -ECONNREFUSED
