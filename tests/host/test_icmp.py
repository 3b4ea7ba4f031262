"""ICMP: the echo, the errors a host sends, and what it makes of those it is told."""

from __future__ import annotations

import pytest

from netglass.errnos import (
    EACCES,
    ECONNREFUSED,
    EHOSTDOWN,
    EHOSTUNREACH,
    EMSGSIZE,
    ENETUNREACH,
    ENONET,
    ENOPROTOOPT,
    EOPNOTSUPP,
    EPROTO,
)
from netglass.host.config import HostConfig
from netglass.host.icmp import errno_of
from netglass.tcp.state import CLOSED, ESTABLISHED, SYN_SENT
from netglass.times import MILLISECOND, MINUTE, SECOND
from netglass.udp.port import PMTU_DO, PMTU_DONT, PMTU_PROBE
from netglass.wire.address import parse
from netglass.wire.extension import fragment_header
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, ICMPV6, TCP, UDP, IpPacket
from netglass.wire.packet import packet_bytes
from netglass.wire.tcp import ACK, SYN, TcpSegment
from netglass.wire.udp import UdpDatagram
from tests.host.bench import ANY, FAR, HOST, HOST6, PEER, PEER6, Bench, as_icmp

ROUTER = parse("10.0.0.254")
BROADCAST = parse("10.0.0.255")


def unreachable(packet: IpPacket, code: int, rest: int = 0, size: int = 28) -> IcmpMessage:
    return IcmpMessage(4, 3, code, rest, packet_bytes(packet)[:size])


# -- echo


def test_an_echo_comes_back_as_it_was_sent():
    bench = Bench()
    bench.inject_icmp(IcmpMessage(4, 8, 0, 0x12340001, b"abc"))
    answer = bench.out()
    message = as_icmp(answer.payload)
    assert (answer.source, answer.destination) == (HOST, PEER)
    assert (message.type, message.rest, message.payload) == (0, 0x12340001, b"abc")
    bench.inject_icmp(IcmpMessage(6, 128, 0, 7, b"six"), PEER6, HOST6)
    message = as_icmp(bench.out().payload)
    assert (message.version, message.type, message.rest, message.payload) == (6, 129, 7, b"six")


def test_an_echo_to_ourselves_comes_back_without_a_wire():
    bench = Bench()
    raw = bench.host.open_raw(ICMP, 4, 0)
    bench.host.send_raw(IpPacket(HOST, HOST, ICMP, IcmpMessage(4, 8, 0, 1, b"me")), 0)
    bench.expect_nothing()
    got = [raw.receive(), raw.receive()]
    assert [as_icmp(each.payload).type for each in got if isinstance(each, IpPacket)] == [8, 0]


def test_an_echo_to_many_or_one_that_is_unwanted_is_not_answered():
    config = HostConfig()
    bench = Bench(config)
    bench.inject_icmp(IcmpMessage(4, 8, 0), destination=BROADCAST)
    config.set("net.ipv4.icmp_echo_ignore_all", 1)
    bench.inject_icmp(IcmpMessage(4, 8, 0))
    bench.inject_icmp(IcmpMessage(4, 0, 0))  # a reply nobody asked for
    bench.expect_nothing()
    assert bench.counters == {"ip-no-taker-for-broadcast": 1, "icmp-echo-ignored": 1, "icmp-not-asked-for": 1}


# -- errors that the host sends


def test_an_unknown_protocol_is_told():
    bench = Bench()
    bench.inject(IpPacket(PEER, HOST, 99, b"what"))
    message = bench.out_icmp()
    assert (message.type, message.code) == (3, 2)
    bench.inject(IpPacket(PEER6, HOST6, 99, b"what"))
    message = bench.out_icmp()
    assert (message.type, message.code, message.rest) == (4, 1, 6)  # RFC 4443 §3.4: at the Next Header
    assert bench.counters == {"ip-unknown-protocol": 2}


def test_no_error_about_what_must_not_have_one():
    config = HostConfig()
    config.icmp_interval = 0
    bench = Bench(config)
    closed = UdpDatagram(1, 53, b"")
    bench.inject(IpPacket(PEER, BROADCAST, UDP, closed))  # for many
    bench.inject(IpPacket(PEER, parse("224.0.0.1"), UDP, closed))
    bench.inject(IpPacket(bytes(4), HOST, UDP, closed))  # from nobody in particular
    bench.inject(IpPacket(parse("255.255.255.255"), HOST, UDP, closed))
    bench.inject(IpPacket(parse("224.0.0.1"), HOST, UDP, closed))
    bench.inject(IpPacket(PEER, HOST, 99, b"", fragment_offset=8))  # a later fragment
    bench.inject_icmp(IcmpMessage(4, 3, 3, 0, bytes(28)))  # an error
    bench.inject_icmp(IcmpMessage(4, 99, 0))
    bench.inject_icmp(IcmpMessage(6, 99, 0), PEER6, HOST6)
    bench.expect_nothing()
    assert sum(bench.counters.values()) == 9


def test_errors_to_one_destination_are_limited_and_the_rest_counted():
    # Linux 6.18, asked over a TUN: six at once, then one a second; over IPv6 ten a second.
    bench = Bench()
    for _ in range(10):
        bench.inject_udp(b"", 53)
    bench.inject_udp(b"", 53, source=FAR)
    assert [bench.out().destination for _ in range(7)] == [PEER] * 6 + [FAR]
    bench.expect_nothing()
    assert bench.counters["icmp-error-rate-limited"] == 4
    bench.now = SECOND
    for _ in range(2):
        bench.inject_udp(b"", 53)
    assert bench.out().destination == PEER
    bench.expect_nothing()
    for _ in range(10):
        bench.inject_udp(b"", 53, source=PEER6, destination=HOST6)
    bench.now += 100 * MILLISECOND
    bench.inject_udp(b"", 53, source=PEER6, destination=HOST6)
    assert [bench.out().destination for _ in range(7)] == [PEER6] * 7
    bench.expect_nothing()


def test_all_errors_together_are_limited():
    # Linux icmp_msgs_burst and icmp_msgs_per_sec: fifty at once, a thousand a second.
    bench = Bench()
    for number in range(60):
        bench.inject_udp(b"", 53, source=parse(f"192.0.2.{number}"))
    for _ in range(50):
        bench.out()
    bench.expect_nothing()
    assert bench.counters["icmp-error-rate-limited"] == 10
    bench.now = 3 * MILLISECOND
    for number in range(60):
        bench.inject_udp(b"", 53, source=parse(f"192.0.2.{number}"))
    for _ in range(3):
        bench.out()
    bench.expect_nothing()


def test_path_mtu_discovery_is_not_limited():
    config = HostConfig()
    config.forwarding = True
    bench = Bench(config, mtu=600)
    for _ in range(20):
        bench.inject(IpPacket(PEER, FAR, UDP, UdpDatagram(1, 2, bytes(1000))))
    told = [bench.out_icmp() for _ in range(20)]
    assert {(each.type, each.code, each.rest) for each in told} == {(3, 4, 600)}


def test_a_quote_is_as_long_as_the_rfcs_allow():
    bench = Bench()
    bench.inject_udp(bytes(1400), 53)
    assert bench.out().size == 576  # RFC 1812 §4.3.2.3
    bench.inject_udp(bytes(1400), 53, source=PEER6, destination=HOST6)
    assert bench.out().size == 1280  # RFC 4443 §2.4 c


# -- errors that the host is told

# Linux's icmp_err_convert: the errno for each code of "destination unreachable", and whether it is final.
ERRNOS = [
    (ENETUNREACH, False),
    (EHOSTUNREACH, False),
    (ENOPROTOOPT, True),
    (ECONNREFUSED, True),
    (EMSGSIZE, False),
    (EOPNOTSUPP, False),
    (ENETUNREACH, True),
    (EHOSTDOWN, True),
    (ENONET, True),
    (ENETUNREACH, True),
    (EHOSTUNREACH, True),
    (ENETUNREACH, False),
    (EHOSTUNREACH, False),
    (EHOSTUNREACH, True),
    (EHOSTUNREACH, True),
    (EHOSTUNREACH, True),
]


@pytest.mark.parametrize("code", [code for code in range(16) if code != 4])
def test_a_connected_udp_port_learns_what_is_final(code: int):
    bench = Bench()
    port = bench.udp(53)
    bench.host.connect_udp(port, PEER, 4000, 0)
    bench.host.send_udp(port, b"data", b"", 0, 0)
    bench.inject_icmp(unreachable(bench.out(), code), ROUTER)
    errno, final = ERRNOS[code]
    assert port.take_error() == (errno if final else 0)


@pytest.mark.parametrize(
    ("message", "errno"),
    [
        (IcmpMessage(4, 11, 0), (EHOSTUNREACH, False)),
        (IcmpMessage(4, 12, 0), (EPROTO, True)),
        (IcmpMessage(4, 4, 0), (0, False)),  # source quench means nothing any more (RFC 6633)
        (IcmpMessage(4, 3, 16), (0, False)),
        (IcmpMessage(6, 1, 0), (ENETUNREACH, False)),
        (IcmpMessage(6, 1, 1), (EACCES, True)),
        (IcmpMessage(6, 1, 3), (EHOSTUNREACH, False)),
        (IcmpMessage(6, 1, 4), (ECONNREFUSED, True)),
        (IcmpMessage(6, 1, 7), (EPROTO, True)),
        (IcmpMessage(6, 2, 0), (EMSGSIZE, False)),
        (IcmpMessage(6, 3, 0), (EHOSTUNREACH, False)),
        (IcmpMessage(6, 4, 1), (EPROTO, True)),
    ],
)
def test_other_errors(message: IcmpMessage, errno: tuple[int, bool]):
    assert errno_of(message) == errno


@pytest.mark.parametrize("remote", [PEER, PEER6])
def test_an_unreachable_ends_a_connection_attempt(remote: bytes):
    bench = Bench()
    connection = bench.connect(remote)
    syn = bench.out()
    if len(remote) == 4:
        bench.inject_icmp(unreachable(syn, 1), ROUTER)
    else:
        bench.inject_icmp(IcmpMessage(6, 1, 3, 0, packet_bytes(syn)), PEER6, HOST6)
    assert connection.take_error() == EHOSTUNREACH
    bench.expect_nothing()
    assert bench.host.sockets() == []


def test_an_error_with_a_wrong_sequence_number_is_a_forgery():
    bench = Bench()
    connection = bench.connect()
    syn = bench.out()
    assert isinstance(syn.payload, TcpSegment)
    forged = TcpSegment(syn.payload.source_port, 80, syn.payload.seq + 70000, 0, SYN, 0)
    bench.inject_icmp(unreachable(IpPacket(HOST, PEER, TCP, forged), 1), ROUTER)
    assert connection.tcb.state is SYN_SENT
    assert bench.counters == {"icmp-outside-window": 1}


def test_errors_about_what_we_never_sent_are_counted_and_nothing_else():
    bench = Bench()
    ours = IpPacket(HOST, PEER, TCP, TcpSegment(1, 2, 3, 4, SYN, 0))
    for message, reason in [
        (unreachable(IpPacket(FAR, PEER, TCP, TcpSegment(1, 2, 3, 4, SYN, 0)), 1), "icmp-not-our-packet"),
        (unreachable(ours, 1), "icmp-no-socket"),
        (unreachable(IpPacket(HOST, PEER, UDP, UdpDatagram(9, 9, b"")), 3), "icmp-no-socket"),
        (unreachable(IpPacket(HOST, PEER, 99, bytes(8)), 2), "icmp-no-socket"),
        (unreachable(ours, 1, size=27), "icmp-bad-quote"),
        (unreachable(IpPacket(HOST, PEER, TCP, bytes(8), fragment_offset=8), 1), "icmp-bad-quote"),
        (IcmpMessage(4, 3, 1, 0, b"\x4f" + bytes(40)), "icmp-bad-quote"),
        (IcmpMessage(4, 3, 99, 0, bytes(28)), "icmp-unknown-error"),
        (IcmpMessage(6, 1, 4, 0, bytes(47)), "icmp-bad-quote"),
    ]:
        before = bench.counters.get(reason, 0)
        if message.version == 4:
            bench.inject_icmp(message, ROUTER)
        else:
            bench.inject_icmp(message, PEER6, HOST6)
        assert bench.counters.get(reason, 0) == before + 1
    bench.expect_nothing()


# -- path MTU


def established(bench: Bench) -> None:
    """A connection from 10.0.0.1:5000 to 10.0.0.2:80 with data in flight."""
    connection = bench.connect(port=5000)
    syn = bench.out_tcp()
    assert syn.options is not None
    segment = TcpSegment(80, 5000, 100, syn.seq + 1, SYN | ACK, 65535, options=syn.options)
    bench.inject(IpPacket(PEER, HOST, TCP, segment))
    bench.out()
    connection.send(bytes(5000), bench.now)
    bench.host.touch(connection, bench.now)


def drain(bench: Bench) -> list[IpPacket]:
    found = []
    while (packet := bench.poll()) is not None:
        found.append(packet)
    return found


def test_fragmentation_needed_makes_smaller_segments_and_is_remembered():
    bench = Bench()
    established(bench)
    first = drain(bench)[0]
    assert first.size == 1500
    bench.inject_icmp(unreachable(first, 4, 1000), ROUTER)
    again = drain(bench)
    assert again
    assert max(packet.size for packet in again) == 1000
    assert bench.host.path_mtu(PEER, 0) == 1000
    assert bench.connect().tcb.mtu == 1000
    connection = bench.host.connection(HOST, 5000, PEER, 80)
    assert connection is not None
    assert connection.tcb.state is ESTABLISHED
    assert bench.host.path_mtu(PEER, 10 * MINUTE - 1) == 1000
    assert bench.host.path_mtu(PEER, 10 * MINUTE) == 1500  # RFC 1191 §6.3


def test_a_forged_fragmentation_needed_is_not_believed():
    bench = Bench()
    established(bench)
    drain(bench)
    forged = IpPacket(HOST, PEER, TCP, TcpSegment(5000, 80, 99, 0, ACK, 0))
    bench.inject_icmp(unreachable(forged, 4, 1000), ROUTER)
    assert drain(bench) == []
    assert bench.host.path_mtu(PEER, 0) == 1500


def test_an_mtu_that_is_absurdly_small_is_raised():
    bench = Bench()
    established(bench)
    bench.inject_icmp(unreachable(drain(bench)[0], 4, 100), ROUTER)
    assert bench.host.path_mtu(PEER, 0) == 552
    assert bench.counters["path-mtu-raised"] == 1


def test_an_old_router_that_tells_no_mtu_makes_us_guess():
    bench = Bench()
    established(bench)
    bench.inject_icmp(unreachable(drain(bench)[0], 4, 0), ROUTER)
    assert bench.host.path_mtu(PEER, 0) == 1492  # RFC 1191 §7.1: the next plateau


def test_udp_learns_the_path_mtu_too():
    bench = Bench()
    port = bench.udp(53)
    bench.host.send_udp(port, bytes(1472), PEER, 1, 0)
    bench.inject_icmp(unreachable(bench.out(), 4, 1280), ROUTER)
    assert bench.host.send_udp(port, bytes(1252), PEER, 1, 0) == 1252
    assert bench.out().dont_fragment
    assert bench.host.send_udp(port, bytes(1253), PEER, 1, 0) == 1253
    pieces = [bench.out(), bench.out()]
    assert [(each.size, each.dont_fragment) for each in pieces] == [(1276, False), (25, False)]
    port.mtu_discover = PMTU_DO
    assert bench.host.send_udp(port, bytes(1253), PEER, 1, 0) == -EMSGSIZE
    port.mtu_discover = PMTU_PROBE  # who looks for the MTU himself is not stopped by what was learned
    assert bench.host.send_udp(port, bytes(1472), PEER, 1, 0) == 1472
    assert bench.out().dont_fragment
    bench.host.send_udp(port, bytes(1400), PEER6, 1, 0)
    while (packet := bench.poll()) is not None:
        last = packet
    bench.inject_icmp(IcmpMessage(6, 2, 0, 1300, packet_bytes(last)[:100]), PEER6, HOST6)
    assert bench.host.path_mtu(PEER6, 0) == 1300


@pytest.mark.parametrize(("mode", "error"), [(1, EMSGSIZE), (PMTU_DO, EMSGSIZE), (PMTU_DONT, 0)])
def test_a_connected_udp_port_is_told_that_its_datagram_was_too_long(mode: int, error: int):
    # Linux udp_err: all but IP_PMTUDISC_DONT.
    bench = Bench()
    port = bench.udp(53)
    port.mtu_discover = mode
    bench.host.connect_udp(port, PEER, 4000, 0)
    bench.host.send_udp(port, bytes(1472), b"", 0, 0)
    bench.inject_icmp(unreachable(bench.out(), 4, 1280), ROUTER)
    assert port.take_error() == error
    assert bench.host.path_mtu(PEER, 0) == 1280


def test_the_attempt_survives_an_error_about_another_connection():
    bench = Bench()
    mine = bench.connect(PEER, 80, port=5000)
    bench.out()
    other = bench.connect(PEER, 81, port=5001)
    bench.inject_icmp(unreachable(bench.out(), 3), ROUTER)
    assert (mine.tcb.state, other.tcb.state) == (SYN_SENT, CLOSED)
    assert bench.host.connect_tcp(ANY, 5001, PEER, 81, mine.tcb.settings, SECOND) is not other


@pytest.mark.parametrize(
    ("error", "answered"),
    [
        (IpPacket(PEER, HOST, ICMP, b"\x03\x03" + bytes(62), more_fragments=True), False),
        (IpPacket(PEER, HOST, ICMP, b"\x08\x00" + bytes(62), more_fragments=True), True),
        (IpPacket(PEER6, HOST6, ICMPV6, b"\x01\x04" + bytes(62), more_fragments=True), False),
        (IpPacket(PEER6, HOST6, ICMPV6, b"\x80\x00" + bytes(62), more_fragments=True), True),
    ],
)
def test_no_error_about_the_first_fragment_of_an_error(error: IpPacket, answered: bool):
    bench = Bench()
    if len(error.source) == 16:
        error.options = fragment_header(error.ident, 0, True)
    bench.inject(error)
    bench.run_until(100 * SECOND)
    assert bench.counters.get("icmp-error-not-sent", 0) == (not answered)
