"""UDP and raw sockets over a wire."""

from __future__ import annotations

from struct import pack

from netglass.errnos import EACCES, EADDRNOTAVAIL, EAGAIN, ECONNREFUSED, EINVAL, EMSGSIZE, ENETUNREACH, EPIPE
from netglass.sockets.constants import (
    AF_INET,
    AF_INET6,
    FIONREAD,
    IP_ADD_MEMBERSHIP,
    IP_DROP_MEMBERSHIP,
    IP_HDRINCL,
    IP_MULTICAST_IF,
    IP_MULTICAST_LOOP,
    IP_MULTICAST_TTL,
    IP_TTL,
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_RAW,
    IPPROTO_TCP,
    IPV6_JOIN_GROUP,
    MSG_DONTWAIT,
    MSG_MORE,
    MSG_OOB,
    MSG_PEEK,
    MSG_TRUNC,
    SHUT_RD,
    SO_BROADCAST,
    SO_ERROR,
    SO_RCVBUF,
    SOCK_DGRAM,
    SOCK_RAW,
    SOL_SOCKET,
)
from netglass.wire.address import parse
from netglass.wire.checksum import checksum, ones_sum
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import UDP, IpPacket
from netglass.wire.packet import decode_packet, packet_bytes
from netglass.wire.tcp import SYN, TcpSegment
from netglass.world import POLLERR, POLLIN, POLLOUT
from tests.sockets.pair import Pair, Side


def bound(side: Side, port: int, family: int = AF_INET) -> int:
    fd = side.sockets.socket(family, SOCK_DGRAM)
    assert side.sockets.bind(fd, ("", port), 0) == 0
    return fd


def test_a_datagram_and_its_answer():
    pair = Pair()
    server = bound(pair.b, 53)
    client = pair.a.sockets.socket(AF_INET, SOCK_DGRAM)
    assert pair.a.sockets.sendto(client, b"who?", ("10.0.0.2", 53), pair.now) == 4
    pair.run()
    assert pair.b.sockets.ready(server) == POLLIN | POLLOUT
    assert pair.b.sockets.ioctl(server, FIONREAD) == 4
    question = pair.b.sockets.recvfrom(server, 100, pair.now)
    assert isinstance(question, tuple)
    data, sender = question
    assert data == b"who?"
    assert sender is not None
    assert sender[0] == "10.0.0.1"
    pair.b.sockets.sendto(server, b"me", sender, pair.now)
    pair.run()
    assert pair.a.sockets.recvfrom(client, 100, pair.now) == (b"me", ("10.0.0.2", 53))


def test_what_does_not_fit_is_lost_and_told():
    pair = Pair()
    server = bound(pair.b, 53)
    client = pair.a.sockets.socket(AF_INET, SOCK_DGRAM)
    pair.a.sockets.sendmsg(client, [b"0123", b"456789"], pair.now, ("10.0.0.2", 53))
    pair.run()
    for flags in (MSG_PEEK, 0):
        message = pair.b.sockets.recvmsg(server, 4, pair.now, flags)
        assert not isinstance(message, int)
        assert (message.data, message.flags, message.size) == (b"0123", MSG_TRUNC, 10)
    assert pair.b.sockets.recv(server, 4, pair.now) == -EAGAIN


def test_a_connected_socket_hears_of_icmp_errors():
    pair = Pair()
    client = pair.a.sockets.socket(AF_INET, SOCK_DGRAM)
    calls = pair.a.sockets
    calls.connect(client, ("10.0.0.2", 9), pair.now)
    assert calls.send(client, b"anybody?", pair.now) == 8
    pair.run()
    assert calls.ready(client) & POLLERR
    assert calls.recv(client, 10, pair.now) == -ECONNREFUSED
    assert calls.recv(client, 10, pair.now) == -EAGAIN
    calls.send(client, b"anybody?", pair.now)
    pair.run()
    assert calls.getsockopt(client, SOL_SOCKET, SO_ERROR, pair.now) == pack("<i", ECONNREFUSED)


def test_pieces_of_one_datagram():
    pair = Pair()
    server = bound(pair.b, 53)
    calls = pair.a.sockets
    client = calls.socket(AF_INET, SOCK_DGRAM)
    assert calls.sendto(client, b"one ", ("10.0.0.2", 53), pair.now, MSG_MORE) == 4
    assert calls.send(client, b"two ", pair.now, MSG_MORE) == 4
    assert calls.send(client, b"three", pair.now) == 5
    pair.run()
    assert pair.b.sockets.recv(server, 100, pair.now) == b"one two three"
    calls.sendto(client, bytes(60_000), ("10.0.0.2", 53), pair.now, MSG_MORE)
    assert calls.send(client, bytes(10_000), pair.now) == -EMSGSIZE


def test_a_bounded_queue():
    pair = Pair()
    server = bound(pair.b, 53)
    pair.b.sockets.setsockopt(server, SOL_SOCKET, SO_RCVBUF, 4000, pair.now)
    client = pair.a.sockets.socket(AF_INET, SOCK_DGRAM)
    for _ in range(20):
        pair.a.sockets.sendto(client, bytes(1000), ("10.0.0.2", 53), pair.now)
    pair.run()
    received = 0
    while isinstance(pair.b.sockets.recv(server, 2000, pair.now), bytes):
        received += 1
    assert received == 7
    assert pair.b.host.counters.counts["udp-receive-queue-full"] == 13


def test_permissions_and_sizes():
    pair = Pair()
    calls = pair.a.sockets
    fd = calls.socket(AF_INET, SOCK_DGRAM)
    assert calls.sendto(fd, b"x", ("10.0.0.255", 53), pair.now) == -EACCES
    calls.setsockopt(fd, SOL_SOCKET, SO_BROADCAST, 1, pair.now)
    assert calls.sendto(fd, b"x", ("10.0.0.255", 53), pair.now) == 1
    assert calls.sendto(fd, bytes(65_508), ("10.0.0.2", 53), pair.now) == -EMSGSIZE
    assert calls.sendto(fd, b"x", ("10.0.0.2", 53), pair.now, MSG_OOB) == -95
    assert calls.sendto(fd, b"x", ("192.0.2.1", 53), pair.now) == -ENETUNREACH


def test_options_set_before_and_after_the_port():
    pair = Pair()
    calls = pair.a.sockets
    early, late = calls.socket(AF_INET, SOCK_DGRAM), calls.socket(AF_INET, SOCK_DGRAM)
    calls.setsockopt(early, IPPROTO_IP, IP_TTL, 3, pair.now)
    calls.sendto(early, b"x", ("10.0.0.2", 9), pair.now)
    calls.sendto(late, b"x", ("10.0.0.2", 9), pair.now)
    calls.setsockopt(late, IPPROTO_IP, IP_TTL, 5, pair.now)
    calls.sendto(late, b"x", ("10.0.0.2", 9), pair.now)
    pair.run()
    assert [packet.ttl for packet in pair.sent if packet.source == parse("10.0.0.1")] == [3, 64, 5]


def test_after_shutdown():
    pair = Pair()
    calls = pair.a.sockets
    client = calls.socket(AF_INET, SOCK_DGRAM)
    calls.connect(client, ("10.0.0.2", 53), pair.now)
    calls.shutdown(client, SHUT_RD, pair.now)
    assert calls.recv(client, 10, pair.now) == b"", "the wait of a blocking call ends"
    assert calls.recv(client, 10, pair.now, MSG_DONTWAIT) == -EAGAIN
    calls.shutdown(client, 1, pair.now)
    assert calls.send(client, b"x", pair.now) == -EPIPE


def test_multicast_between_two_hosts_and_to_oneself():
    pair = Pair()
    members = [bound(pair.a, 8888), bound(pair.b, 8888)]
    group = pack("<4s4s", parse("224.0.0.100"), bytes(4))
    for side, fd in zip((pair.a, pair.b), members, strict=True):
        assert side.sockets.setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, group, pair.now) == 0
    calls = pair.a.sockets
    assert calls.setsockopt(members[0], IPPROTO_IP, IP_ADD_MEMBERSHIP, group[:4], pair.now) == -EINVAL
    assert calls.setsockopt(members[0], IPPROTO_IP, IP_MULTICAST_IF, parse("10.0.0.1"), pair.now) == 0
    assert calls.setsockopt(members[0], IPPROTO_IP, IP_MULTICAST_IF, parse("10.9.9.9"), pair.now) == -EADDRNOTAVAIL
    calls.setsockopt(members[0], IPPROTO_IP, IP_MULTICAST_TTL, 9, pair.now)
    calls.sendto(members[0], b"all", ("224.0.0.100", 8888), pair.now)
    pair.run()
    assert [packet.ttl for packet in pair.sent if packet.protocol == UDP] == [9]
    assert calls.recv(members[0], 10, pair.now) == b"all"
    assert pair.b.sockets.recv(members[1], 10, pair.now) == b"all"
    calls.setsockopt(members[0], IPPROTO_IP, IP_MULTICAST_LOOP, 0, pair.now)
    pair.b.sockets.setsockopt(members[1], IPPROTO_IP, IP_DROP_MEMBERSHIP, group, pair.now)
    calls.sendto(members[0], b"nobody", ("224.0.0.100", 8888), pair.now)
    pair.run()
    assert calls.recv(members[0], 10, pair.now) == -EAGAIN
    assert pair.b.sockets.recv(members[1], 10, pair.now) == -EAGAIN


def test_multicast_of_ipv6():
    pair = Pair()
    member = bound(pair.b, 8888, AF_INET6)
    group = pack("<16si", parse("ff02::100"), 0)
    assert pair.b.sockets.setsockopt(member, IPPROTO_IPV6, IPV6_JOIN_GROUP, group, pair.now) == 0
    sender = pair.a.sockets.socket(AF_INET6, SOCK_DGRAM)
    assert pair.a.sockets.sendto(sender, b"all", ("ff02::100", 8888, 0, 0), pair.now) == 3
    pair.run()
    assert pair.b.sockets.recv(member, 10, pair.now) == b"all"


# -- raw


def test_ping():
    pair = Pair()
    calls = pair.a.sockets
    ping = calls.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
    wrong = bytes([8, 0, 0, 0]) + pack(">HH", 77, 1) + b"payload"  # the checksum is the program's business (raw(7))
    assert calls.sendto(ping, wrong, ("10.0.0.2", 0), pair.now) == len(wrong)
    pair.run()
    assert pair.b.host.counters.counts == {"icmp-checksum": 1}
    pair.sent.clear()
    echo = bytes([8, 0]) + pack(">H", checksum(ones_sum(wrong))) + wrong[4:]
    assert calls.sendto(ping, echo, ("10.0.0.2", 0), pair.now) == len(echo)
    pair.run()
    assert isinstance(pair.sent[0].payload, IcmpMessage), "every probe sees what it is"
    reply = calls.recvfrom(ping, 1000, pair.now)
    assert isinstance(reply, tuple)
    packet = decode_packet(reply[0])
    assert isinstance(packet.payload, IcmpMessage)
    assert (packet.payload.type, packet.payload.rest, packet.payload.payload) == (0, 77 << 16 | 1, b"payload")
    assert reply[1] == ("10.0.0.2", 0)


def test_ping_of_ipv6_comes_without_a_header():
    pair = Pair()
    calls = pair.a.sockets
    ping = calls.socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)
    calls.connect(ping, ("fd00::2", 0, 0, 0), pair.now)
    calls.send(ping, bytes([128, 0, 0, 0]) + pack(">HH", 1, 1) + b"six", pair.now)
    pair.run()
    reply = calls.recv(ping, 1000, pair.now)
    assert isinstance(reply, bytes)
    assert (reply[0], reply[4:]) == (129, pack(">HH", 1, 1) + b"six")


def test_a_forged_header():
    pair = Pair()
    listener = pair.listener()
    calls = pair.a.sockets
    raw = calls.socket(AF_INET, SOCK_RAW, IPPROTO_RAW)
    syn = TcpSegment(1234, 80, 1000, 0, SYN, 65535)
    forged = packet_bytes(IpPacket(parse("10.0.0.77"), parse("10.0.0.2"), IPPROTO_TCP, syn))
    assert calls.sendto(raw, forged, ("10.0.0.2", 0), pair.now) == len(forged)
    pair.run(15_000_000)
    assert [(entry.remote, entry.state) for entry in pair.b.host.sockets()][1] == (parse("10.0.0.77"), "SYN-RECEIVED")
    assert pair.b.sockets.ready(listener) == 0
    assert calls.sendto(raw, b"no header", ("10.0.0.2", 0), pair.now) == -EINVAL


def test_raw_socket_options_and_ends():
    pair = Pair()
    calls = pair.a.sockets
    raw = calls.socket(AF_INET, SOCK_RAW, 200)
    assert calls.setsockopt(raw, IPPROTO_IP, IP_HDRINCL, 1, pair.now) == 0
    assert calls.setsockopt(raw, IPPROTO_IP, IP_HDRINCL, 0, pair.now) == 0
    assert calls.bind(raw, ("10.9.9.9", 0), pair.now) == -EADDRNOTAVAIL
    assert calls.bind(raw, ("10.0.0.1", 0), pair.now) == 0
    assert calls.getsockname(raw) == ("10.0.0.1", 200)
    assert calls.send(raw, b"x", pair.now) == -89
    listener = pair.b.sockets.socket(AF_INET, SOCK_RAW, 200)
    calls.sendto(raw, b"proto 200", ("10.0.0.2", 0), pair.now)
    pair.run()
    assert pair.b.sockets.ioctl(listener, FIONREAD) == 29
    received = pair.b.sockets.recvmsg(listener, 25, pair.now)
    assert not isinstance(received, int)
    assert (received.data[20:], received.flags) == (b"proto", MSG_TRUNC)
    assert calls.close(raw, pair.now) == 0
