"""Raw and ping sockets, IP options, path MTU discovery: what programs see. What Linux answers was looked up there."""

from __future__ import annotations

from struct import pack

import pytest

from netglass.errnos import (
    EADDRINUSE,
    EAGAIN,
    ECONNREFUSED,
    EDESTADDRREQ,
    EINVAL,
    EMSGSIZE,
    ENOPROTOOPT,
    EPROTONOSUPPORT,
)
from netglass.host.config import HostConfig
from netglass.sockets.constants import (
    AF_INET,
    AF_INET6,
    FIONREAD,
    ICMP6_FILTER,
    ICMP_FILTER,
    IP_HDRINCL,
    IP_MTU,
    IP_MTU_DISCOVER,
    IP_OPTIONS,
    IP_PKTINFO,
    IP_PMTUDISC_DO,
    IP_PMTUDISC_DONT,
    IP_RECVTOS,
    IP_RECVTTL,
    IP_TOS,
    IP_TTL,
    IPPROTO_ICMP,
    IPPROTO_ICMPV6,
    IPPROTO_IP,
    IPPROTO_IPV6,
    IPPROTO_RAW,
    IPPROTO_TCP,
    IPV6_CHECKSUM,
    IPV6_DONTFRAG,
    IPV6_HOPLIMIT,
    IPV6_PKTINFO,
    IPV6_RECVHOPLIMIT,
    IPV6_RECVPKTINFO,
    MSG_PEEK,
    MSG_TRUNC,
    SO_ERROR,
    SOCK_DGRAM,
    SOCK_RAW,
    SOCK_STREAM,
    SOL_RAW,
    SOL_SOCKET,
)
from netglass.sockets.description import Message
from netglass.wire.address import parse
from netglass.wire.checksum import checksum, ones_sum
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import TCP, UDP, IpPacket
from netglass.wire.packet import decode_packet, packet_bytes
from netglass.wire.tcp import SYN, TcpSegment
from netglass.wire.udp import UdpDatagram
from tests.sockets.pair import Pair

B, B6 = ("10.0.0.2", 0), ("fd00::2", 0, 0, 0)


def echo(ident: int = 0, seq: int = 1, data: bytes = b"data", kind: int = 8) -> bytes:
    blank = bytes([kind, 0, 0, 0]) + pack(">HH", ident, seq) + data
    return bytes([kind, 0]) + pack(">H", checksum(ones_sum(blank))) + blank[4:]


def message(result: Message | int) -> Message:
    assert isinstance(result, Message), result
    return result


# -- ping sockets


def test_a_ping_socket_needs_no_header_and_no_identifier():
    pair = Pair()
    calls = pair.a.sockets
    ping = calls.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)
    assert calls.getsockname(ping) == ("0.0.0.0", 0)
    assert calls.sendto(ping, echo(99), B, pair.now) == 12
    address = calls.getsockname(ping)
    assert isinstance(address, tuple)
    ident = address[1]
    assert 0 < ident < 65536
    pair.run()
    assert calls.ioctl(ping, FIONREAD) == 12
    got = calls.recvfrom(ping, 100, pair.now)
    assert got == (echo(ident, kind=0), ("10.0.0.2", 0))
    assert calls.recv(ping, 100, pair.now) == -EAGAIN
    assert calls.close(ping, pair.now) == 0


def test_a_ping_socket_of_ipv6():
    pair = Pair()
    calls = pair.a.sockets
    ping = calls.socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMPV6)
    assert calls.bind(ping, ("::", 4321, 0, 0), pair.now) == 0
    assert calls.bind(ping, ("::", 4322, 0, 0), pair.now) == -EINVAL
    calls.connect(ping, B6, pair.now)
    assert calls.send(ping, echo(kind=128), pair.now) == 12
    pair.run()
    reply = calls.recv(ping, 100, pair.now)
    assert isinstance(reply, bytes)
    assert (reply[0], reply[4:]) == (129, pack(">HH", 4321, 1) + b"data")


def test_each_ping_socket_hears_its_own_replies():
    pair = Pair()
    calls = pair.a.sockets
    one, other = (calls.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP) for _ in range(2))
    assert calls.bind(one, ("0.0.0.0", 7), pair.now) == 0
    assert calls.bind(other, ("0.0.0.0", 7), pair.now) == -EADDRINUSE
    for fd, data in ((one, b"one"), (other, b"other")):
        calls.sendto(fd, echo(data=data), B, pair.now)
    pair.run()
    for fd, data in ((one, b"one"), (other, b"other")):
        got = calls.recv(fd, 100, pair.now)
        assert isinstance(got, bytes)
        assert got[8:] == data
        assert calls.recv(fd, 100, pair.now) == -EAGAIN


@pytest.mark.parametrize("data", [b"", bytes(7), echo(kind=0), echo(kind=13), bytes([8, 1]) + bytes(6)])
def test_a_ping_socket_sends_nothing_but_echo_requests(data: bytes):
    pair = Pair()
    ping = pair.a.sockets.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)
    assert pair.a.sockets.sendto(ping, data, B, pair.now) == -EINVAL
    pair.run()
    assert pair.sent == []


def test_a_connected_ping_socket_is_told_what_is_final():
    pair = Pair()
    calls = pair.a.sockets
    ping = calls.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)
    calls.connect(ping, B, pair.now)
    calls.send(ping, echo(), pair.now)
    pair.cut = True
    pair.run()
    for code, result in ((1, -EAGAIN), (3, -ECONNREFUSED)):
        told = IcmpMessage(4, 3, code, 0, packet_bytes(pair.sent[0])[:28])
        pair.a.host.receive_packet(IpPacket(parse("10.0.0.2"), parse("10.0.0.1"), 1, told), pair.a.interface, pair.now)
        assert calls.recv(ping, 100, pair.now) == result
    assert calls.getsockopt(ping, SOL_SOCKET, SO_ERROR, pair.now) == bytes(4)


def test_which_sockets_there_are():
    calls = Pair().a.sockets
    assert calls.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMPV6) == -EPROTONOSUPPORT
    assert calls.socket(AF_INET6, SOCK_DGRAM, IPPROTO_ICMP) == -EPROTONOSUPPORT
    assert calls.socket(AF_INET, SOCK_RAW, 0) == -EPROTONOSUPPORT
    ping = calls.socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)
    assert calls.sendto(ping, echo(), None, 0) == -EDESTADDRREQ


# -- raw


def test_a_filter_of_icmp_types():
    pair = Pair()
    calls = pair.a.sockets
    raw = calls.socket(AF_INET, SOCK_RAW, IPPROTO_ICMP)
    assert calls.getsockopt(raw, SOL_RAW, ICMP_FILTER, pair.now) == bytes(4)
    assert calls.setsockopt(raw, SOL_RAW, ICMP_FILTER, ~(1 << 0) & 0xFFFFFFFF, pair.now) == 0  # replies only
    calls.sendto(raw, echo(1), ("127.0.0.1", 0), pair.now)
    pair.run()
    got = calls.recv(raw, 100, pair.now)
    assert isinstance(got, bytes)
    assert got[20] == 0
    assert calls.recv(raw, 100, pair.now) == -EAGAIN
    six = calls.socket(AF_INET6, SOCK_RAW, IPPROTO_ICMPV6)
    everything_but_replies = bytearray(32)
    everything_but_replies[129 // 8] = 1 << 129 % 8
    assert calls.setsockopt(six, IPPROTO_ICMPV6, ICMP6_FILTER, bytes(everything_but_replies), pair.now) == 0
    assert calls.getsockopt(six, IPPROTO_ICMPV6, ICMP6_FILTER, pair.now, 32) == everything_but_replies
    calls.sendto(six, echo(1, kind=128), ("::1", 0, 0, 0), pair.now)
    pair.run()
    got = calls.recv(six, 100, pair.now)
    assert isinstance(got, bytes)
    assert got[0] == 128
    assert calls.recv(six, 100, pair.now) == -EAGAIN
    tcp = calls.socket(AF_INET, SOCK_RAW, IPPROTO_TCP)
    assert calls.setsockopt(tcp, SOL_RAW, ICMP_FILTER, 1, pair.now) == -ENOPROTOOPT


def test_the_kernel_fills_in_a_header():
    pair = Pair()
    calls = pair.a.sockets
    raw = calls.socket(AF_INET, SOCK_RAW, IPPROTO_RAW)
    header = bytes([0x45, 0, 0, 0, 0, 0, 0x40, 0, 9, 253, 0xAA, 0xAA]) + bytes(4) + parse("10.0.0.2")
    listener = pair.b.sockets.socket(AF_INET, SOCK_RAW, 253)
    assert calls.sendto(raw, header + b"text", B, pair.now) == 24
    pair.run()
    got = pair.b.sockets.recv(listener, 100, pair.now)
    assert isinstance(got, bytes)
    packet = decode_packet(got)
    assert (packet.source, packet.ttl, packet.size, packet.payload) == (parse("10.0.0.1"), 9, 24, b"text")
    assert packet.ident != 0
    assert calls.sendto(raw, header + bytes(1481), B, pair.now) == -EMSGSIZE
    assert calls.sendto(raw, header[:19], B, pair.now) == -EINVAL


def test_a_segment_with_a_wrong_checksum_made_by_hand():
    pair = Pair()
    pair.listener()
    calls = pair.a.sockets
    raw = calls.socket(AF_INET, SOCK_RAW, IPPROTO_TCP)
    syn = packet_bytes(IpPacket(parse("10.0.0.1"), parse("10.0.0.2"), TCP, TcpSegment(9, 80, 1, 0, SYN, 1)))[20:]
    calls.sendto(raw, syn[:16] + b"xx" + syn[18:], B, pair.now)
    calls.sendto(raw, b"short", B, pair.now)
    pair.run()
    assert pair.b.host.counters.counts == {"tcp-checksum": 1, "tcp-short": 1}


def test_a_long_raw_packet_goes_in_fragments():
    pair = Pair()
    calls = pair.a.sockets
    listener = pair.b.sockets.socket(AF_INET, SOCK_RAW, 253)
    raw = calls.socket(AF_INET, SOCK_RAW, 253)
    assert calls.sendto(raw, bytes(4000), B, pair.now) == 4000
    pair.run()
    assert len(pair.sent) == 3
    got = pair.b.sockets.recv(listener, 9000, pair.now)
    assert isinstance(got, bytes)
    assert len(got) == 4020
    calls.setsockopt(raw, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO, pair.now)
    assert calls.sendto(raw, bytes(4000), B, pair.now) == -EMSGSIZE
    six, listener6 = calls.socket(AF_INET6, SOCK_RAW, 253), pair.b.sockets.socket(AF_INET6, SOCK_RAW, 253)
    assert calls.sendto(six, bytes(4000), B6, pair.now) == 4000
    pair.run()
    assert pair.b.sockets.recv(listener6, 9000, pair.now) == bytes(4000)


def test_ipv6_checksum():
    pair = Pair()
    calls = pair.a.sockets
    raw = calls.socket(AF_INET6, SOCK_RAW, UDP)
    assert calls.getsockopt(raw, IPPROTO_IPV6, IPV6_CHECKSUM, pair.now) == pack("<i", -1)
    assert calls.setsockopt(raw, IPPROTO_IPV6, IPV6_CHECKSUM, 5, pair.now) == -EINVAL
    assert calls.setsockopt(raw, IPPROTO_IPV6, IPV6_CHECKSUM, 6, pair.now) == 0
    server = pair.b.sockets.socket(AF_INET6, SOCK_DGRAM)
    pair.b.sockets.bind(server, ("::", 53, 0, 0), pair.now)
    assert calls.sendto(raw, pack(">HHHH", 9, 53, 11, 0) + b"abc", B6, pair.now) == 11
    assert calls.sendto(raw, b"short", B6, pair.now) == -EINVAL
    pair.run()
    assert pair.b.sockets.recv(server, 10, pair.now) == b"abc"


def test_ancillary_data_of_raw_sockets():
    pair = Pair()
    calls = pair.b.sockets
    raw, six = calls.socket(AF_INET, SOCK_RAW, 253), calls.socket(AF_INET6, SOCK_RAW, 253)
    for option in (IP_PKTINFO, IP_RECVTTL, IP_RECVTOS):
        calls.setsockopt(raw, IPPROTO_IP, option, 1, pair.now)
    for option in (IPV6_RECVPKTINFO, IPV6_RECVHOPLIMIT):
        calls.setsockopt(six, IPPROTO_IPV6, option, 1, pair.now)
    sender = pair.a.sockets.socket(AF_INET, SOCK_RAW, 253)
    pair.a.sockets.setsockopt(sender, IPPROTO_IP, IP_TTL, 9, pair.now)
    pair.a.sockets.setsockopt(sender, IPPROTO_IP, IP_TOS, 0x10, pair.now)
    pair.a.sockets.sendto(sender, b"x", B, pair.now)
    pair.a.sockets.sendto(pair.a.sockets.socket(AF_INET6, SOCK_RAW, 253), b"x", B6, pair.now)
    pair.run()
    index = pair.b.interface.index
    assert message(calls.recvmsg(raw, 100, pair.now)).control == [
        (IPPROTO_IP, IP_PKTINFO, pack("<i", index) + parse("10.0.0.2") * 2),
        (IPPROTO_IP, IP_TTL, pack("<i", 9)),
        (IPPROTO_IP, IP_TOS, b"\x10"),
    ]
    assert message(calls.recvmsg(six, 100, pair.now)).control == [
        (IPPROTO_IPV6, IPV6_PKTINFO, parse("fd00::2") + pack("<i", index)),
        (IPPROTO_IPV6, IPV6_HOPLIMIT, pack("<i", 64)),
    ]


# -- UDP


def test_a_datagram_longer_than_the_mtu():
    pair = Pair()
    server = pair.b.sockets.socket(AF_INET, SOCK_DGRAM)
    pair.b.sockets.bind(server, ("10.0.0.2", 53), pair.now)
    calls = pair.a.sockets
    client = calls.socket(AF_INET, SOCK_DGRAM)
    data = bytes(range(256)) * 255
    assert calls.sendto(client, data, ("10.0.0.2", 53), pair.now) == len(data)
    pair.run()
    assert len(pair.sent) == 45
    assert pair.b.sockets.ioctl(server, FIONREAD) == len(data)
    peeked = message(pair.b.sockets.recvmsg(server, 10, pair.now, MSG_PEEK))
    assert (peeked.data, peeked.flags, peeked.size) == (data[:10], MSG_TRUNC, len(data))
    assert pair.b.sockets.recv(server, 1 << 16, pair.now) == data


def test_path_mtu_discovery_of_a_socket():
    pair = Pair()
    calls = pair.a.sockets
    client = calls.socket(AF_INET, SOCK_DGRAM)
    calls.connect(client, ("10.0.0.2", 53), pair.now)
    assert calls.getsockopt(client, IPPROTO_IP, IP_MTU, pair.now) == pack("<i", 1500)
    assert calls.getsockopt(client, IPPROTO_IP, IP_MTU_DISCOVER, pair.now) == pack("<i", 1)
    assert calls.send(client, bytes(1473), pair.now) == 1473
    calls.setsockopt(client, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO, pair.now)
    assert calls.send(client, bytes(1473), pair.now) == -EMSGSIZE
    calls.setsockopt(client, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT, pair.now)
    pair.run()
    pair.sent.clear()
    assert calls.send(client, b"x", pair.now) == -ECONNREFUSED  # nobody listens there
    assert calls.send(client, b"x", pair.now) == 1
    pair.run()
    assert not pair.sent[0].dont_fragment
    six = calls.socket(AF_INET6, SOCK_DGRAM)
    assert calls.sendto(six, bytes(1453), ("fd00::2", 53, 0, 0), pair.now) == 1453
    calls.setsockopt(six, IPPROTO_IPV6, IPV6_DONTFRAG, 1, pair.now)
    assert calls.sendto(six, bytes(1453), ("fd00::2", 53, 0, 0), pair.now) == -EMSGSIZE


def test_ip_options_go_with_every_datagram():
    pair = Pair()
    calls = pair.a.sockets
    client = calls.socket(AF_INET, SOCK_DGRAM)
    assert calls.getsockopt(client, IPPROTO_IP, IP_OPTIONS, pair.now, 40) == b""
    for wrong in (b"\x07\x01\x04", b"\x07\x07\x03\0\0\0\0", bytes(41), 5):
        assert calls.setsockopt(client, IPPROTO_IP, IP_OPTIONS, wrong, pair.now) == -EINVAL
    record = b"\x07\x07\x04\0\0\0\0"
    assert calls.setsockopt(client, IPPROTO_IP, IP_OPTIONS, record, pair.now) == 0
    assert calls.getsockopt(client, IPPROTO_IP, IP_OPTIONS, pair.now, 40) == record + b"\0"
    calls.sendto(client, b"x", ("10.0.0.2", 53), pair.now)
    pair.run()
    assert pair.sent[0].options == b"\x07\x07\x08" + parse("10.0.0.1") + b"\0"  # the sender is the first station
    stream = calls.socket(AF_INET, SOCK_STREAM)
    assert calls.setsockopt(stream, IPPROTO_IP, IP_HDRINCL, 1, pair.now) == -ENOPROTOOPT


def test_ports_below_1024_need_a_right():
    config = HostConfig()
    config.set("net.ipv4.ip_unprivileged_port_start", 1024)
    pair = Pair(config)
    calls = pair.a.sockets
    for family, kind, address in ((AF_INET, SOCK_DGRAM, "0.0.0.0"), (AF_INET6, SOCK_STREAM, "::")):
        fd = calls.socket(family, kind)
        assert calls.bind(fd, (address, 1023), pair.now) == -13  # EACCES
        assert calls.bind(fd, (address, 1024), pair.now) == 0


def test_nothing_of_a_datagram_is_read_twice():
    # A checksum of zero says "none" (RFC 768), in fragments too.
    pair = Pair()
    server = pair.b.sockets.socket(AF_INET, SOCK_DGRAM)
    pair.b.sockets.bind(server, ("10.0.0.2", 53), pair.now)
    datagram = UdpDatagram(9, 53, bytes(3000), checksummed=False)
    packet = IpPacket(parse("10.0.0.1"), parse("10.0.0.2"), UDP, datagram, dont_fragment=False)
    assert pair.a.host.send_raw(packet, pair.now) == 0
    pair.run()
    assert pair.b.sockets.recv(server, 4000, pair.now) == bytes(3000)
