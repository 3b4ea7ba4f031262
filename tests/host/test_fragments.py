"""Fragments and options through a host and through routers: what arrives, what is told, what is counted."""

from __future__ import annotations

import pytest

from netglass.errnos import EMSGSIZE
from netglass.host.config import HostConfig
from netglass.ip.fragment import fragments
from netglass.times import SECOND
from netglass.udp.port import PMTU_DO, PMTU_DONT, PMTU_INTERFACE, PMTU_OMIT, PMTU_WANT, ReceivedDatagram, UdpPort
from netglass.wire.address import parse
from netglass.wire.extension import fragment_header
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, ICMPV6, TCP, UDP, IpPacket
from netglass.wire.packet import packet_bytes
from netglass.wire.tcp import SYN, TcpSegment
from netglass.wire.udp import UdpDatagram
from tests.host.bench import HOST, HOST6, PEER, PEER6, Bench, as_icmp, as_tcp, pair
from tests.host.test_forwarding import LEFT, RIGHT, RIGHT6, routed, udp

DATA = bytes(range(256)) * 16


def datagram(size: int = 3000, version: int = 4, port: int = 53, ident: int = 7) -> IpPacket:
    payload = UdpDatagram(4000, port, DATA[:size])
    if version == 4:
        return IpPacket(PEER, HOST, UDP, payload, ident=ident, dont_fragment=False)
    return IpPacket(PEER6, HOST6, UDP, payload)


def heard(port: UdpPort) -> bytes:
    got = port.receive()
    assert isinstance(got, ReceivedDatagram), got
    return got.payload


# -- there and back


@pytest.mark.parametrize("size", [1473, 3000, 65507])
@pytest.mark.parametrize("remote", [PEER, PEER6])
def test_a_datagram_longer_than_the_mtu_arrives(size: int, remote: bytes):
    scene, client, server = pair()
    mine, theirs = udp(client), udp(server, 53)
    theirs.rcvbuf = 1 << 20
    data = (DATA * 17)[:size]
    assert client.send_udp(mine, data, remote, 53, 0) == size
    assert scene.settle() == -(-(size + 8) // (1480 if len(remote) == 4 else 1448))
    assert heard(theirs) == data
    assert (server.received, server.delivered, server.dropped) == (server.received, server.received, 0)


def test_the_longest_datagrams():
    scene, client, server = pair()
    mine, theirs = udp(client), udp(server, 53)
    theirs.rcvbuf = 1 << 20
    for remote, most in ((PEER, 65507), (PEER6, 65527), (parse("127.0.0.1"), 65507), (parse("::1"), 65527)):
        assert client.send_udp(mine, bytes(most + 1), remote, 53, 0) == -EMSGSIZE
        assert client.send_udp(mine, bytes(most), remote, 53, 0) == most
    scene.settle()
    assert [len(heard(theirs)) for _ in range(2)] == [65507, 65527]


def test_an_echo_longer_than_the_mtu_comes_back():
    scene, client, _ = pair()
    raw = client.open_raw(ICMP, 4, 0)
    client.send_raw(IpPacket(HOST, PEER, ICMP, IcmpMessage(4, 8, 0, 1, DATA), dont_fragment=False), 0)
    scene.settle()
    got = raw.receive()
    assert isinstance(got, IpPacket)
    assert (as_icmp(got.payload).type, as_icmp(got.payload).payload) == (0, DATA)


def test_a_segment_in_fragments_is_a_segment():
    bench = Bench()
    bench.listen()
    syn = IpPacket(PEER, HOST, TCP, TcpSegment(4000, 80, 1, 0, SYN, 1000, (bytes(100),), 100), dont_fragment=False)
    for each in fragments(syn, 68, 0):
        bench.inject(each)
    assert as_tcp(bench.out().payload).ack == 2


@pytest.mark.parametrize(
    ("mode", "size", "result", "whole"),
    [
        (PMTU_DONT, 100, 100, False),
        (PMTU_WANT, 100, 100, True),
        (PMTU_DO, 100, 100, True),
        (PMTU_INTERFACE, 100, 100, False),
        (PMTU_OMIT, 100, 100, False),
        (PMTU_DONT, 2000, 2000, False),
        (PMTU_WANT, 2000, 2000, False),
        (PMTU_DO, 2000, -EMSGSIZE, True),
        (PMTU_INTERFACE, 2000, -EMSGSIZE, False),
        (PMTU_OMIT, 2000, 2000, False),
    ],
)
def test_ip_mtu_discover(mode: int, size: int, result: int, whole: bool):
    bench = Bench()
    port = bench.udp()
    port.mtu_discover = port.mtu_discover_6 = mode
    assert bench.host.send_udp(port, bytes(size), PEER, 53, 0) == result
    if result > 0:
        assert {bench.out().dont_fragment for _ in range(-(-size // 1480))} == {whole}
    bench.expect_nothing()
    assert bench.host.send_udp(port, bytes(size), PEER6, 53, 0) == result


def test_ipv6_dontfrag():
    bench = Bench()
    port = bench.udp()
    port.dont_fragment_6 = True
    assert bench.host.send_udp(port, bytes(1453), PEER6, 53, 0) == -EMSGSIZE
    assert bench.host.send_udp(port, bytes(1452), PEER6, 53, 0) == 1452
    assert bench.host.send_udp(port, bytes(1473), PEER, 53, 0) == 1473


def test_each_ipv6_datagram_has_its_own_identification():
    bench = Bench()
    port = bench.udp()
    for _ in range(2):
        bench.host.send_udp(port, bytes(2000), PEER6, 53, 0)
    idents = [bench.out().ident for _ in range(4)]
    assert idents[0] == idents[1] != idents[2] == idents[3]


# -- routers


def test_a_router_cuts_what_may_be_cut():
    scene, left, router, right = routed(1000)
    theirs = udp(right, 53)
    mine = udp(left)
    mine.mtu_discover = PMTU_DONT
    left.send_udp(mine, DATA[:1400], RIGHT, 53, 0)
    assert scene.settle() == 3
    assert heard(theirs) == DATA[:1400]
    left.send_udp(mine, DATA, RIGHT, 53, 0)  # three fragments, of which the router makes six
    assert scene.settle() == 3 + 6
    assert heard(theirs) == DATA
    assert router.counters.counts == {}


def test_a_router_never_cuts_ipv6():
    scene, left, router, right = routed(1280)
    theirs = udp(right, 53)
    mine = udp(left)
    left.send_udp(mine, DATA, RIGHT6, 53, 0)
    scene.settle()
    assert router.counters.counts == {"ip-too-big": 2}
    assert left.path_mtu(RIGHT6, 0) == 1280
    left.send_udp(mine, DATA, RIGHT6, 53, 0)
    scene.settle()
    assert heard(theirs) == DATA


def test_a_router_lets_fragments_pass_without_reading_them():
    scene, left, router, right = routed()
    theirs = udp(right, 53)
    pieces = fragments(IpPacket(LEFT, RIGHT, UDP, UdpDatagram(1, 53, DATA), ident=9, dont_fragment=False), 600, 0)
    for each in reversed(pieces):
        left.send_raw(each, 0)
    scene.settle()
    assert heard(theirs) == DATA
    assert router.forwarded == len(pieces)


# -- what goes wrong


@pytest.mark.parametrize(("version", "lifetime", "kind"), [(4, 30 * SECOND, (11, 1)), (6, 60 * SECOND, (3, 1))])
def test_the_time_is_up(version: int, lifetime: int, kind: tuple[int, int]):
    bench = Bench()
    bench.inject(fragments(datagram(version=version), 1500, 3)[0])
    assert bench.run_until(lifetime - 1) == []
    bench.now = lifetime
    bench.host.handle_timeout(lifetime)
    message = bench.out_icmp()
    assert (message.type, message.code) == kind
    assert bench.counters == {"ip-reassembly-timeout": 1}
    bench.expect_nothing()
    assert bench.host.deadline > lifetime


def test_nobody_is_told_without_the_first_fragment():
    bench = Bench()
    bench.inject(fragments(datagram(), 1500, 0)[1])
    assert bench.run_until(31 * SECOND) == []
    assert bench.counters == {"ip-reassembly-timeout": 1}


def test_a_whole_datagram_leaves_no_timer():
    bench = Bench()
    port = bench.udp(53)
    for each in fragments(datagram(), 1500, 0):
        bench.inject(each)
    bench.expect_nothing()
    assert heard(port) == DATA[:3000]
    assert bench.host.deadline > 1000 * SECOND
    assert bench.counters == {}


def test_limits_are_sysctls():
    config = HostConfig()
    config.set("net.ipv4.ipfrag_time", 2)
    config.set("net.ipv4.ipfrag_high_thresh", 4000)
    bench = Bench(config)
    for ident in range(5):
        bench.inject(fragments(datagram(ident=ident), 1500, 0)[1])
    assert bench.counters == {"ip-reassembly-memory": 3}
    bench.run_until(2 * SECOND)
    assert bench.counters["ip-reassembly-timeout"] == 2


def test_every_fragment_is_counted_once():
    bench = Bench()
    port = bench.udp(53)
    first, second, third = fragments(datagram(), 1500, 0)
    for each in (first, second, second, third, first):
        bench.inject(each)
    bench.inject(fragments(datagram(port=54, ident=8), 2000, 0)[0])
    bench.inject(fragments(datagram(port=54, ident=8), 2000, 0)[1])
    host = bench.host
    assert heard(port) == DATA[:3000]
    assert bench.counters == {"ip-fragment-duplicate": 1, "udp-closed-port": 1}
    assert (host.received, host.delivered, host.dropped) == (7, 5, 2)
    assert as_icmp(bench.out().payload).code == 3  # RFC 1122: about a datagram, with its first bytes


def test_an_error_is_never_about_a_later_fragment_of_ipv4():
    # RFC 1122 §3.2.2; RFC 4443 §2.4 e has no such rule.
    scene, left, router, _ = routed()
    left.send_raw(IpPacket(LEFT, RIGHT, UDP, bytes(8), 1, fragment_offset=8), 0)
    assert scene.settle() == 1
    assert router.counters.counts == {"ip-ttl": 1, "icmp-error-not-sent": 1}


@pytest.mark.parametrize(
    ("offset", "data", "more", "code", "pointer", "reason"),
    [
        (0, bytes(17), True, 0, 4, "ip-fragment-odd-length"),
        (0, bytes(8), False, 3, 0, "ip-fragment-incomplete-headers"),
    ],
)
def test_ipv6_fragments_that_are_told(offset: int, data: bytes, more: bool, code: int, pointer: int, reason: str):
    bench = Bench()
    options = fragment_header(1, offset, True)
    packet = IpPacket(PEER6, HOST6, UDP, data, more_fragments=True, fragment_offset=offset, options=options)
    if not more:
        packet.protocol = 60  # another header, and no room for what is behind it
    bench.inject(packet)
    message = bench.out_icmp()
    assert (message.type, message.code, message.rest) == (4, code, pointer)
    assert bench.counters == {reason: 1}


def test_an_atomic_fragment_waits_for_nothing():
    bench = Bench()
    port = bench.udp(53)
    bench.inject(fragments(datagram(version=6), 1500, 77)[0])  # one of the same identification waits
    packet = IpPacket(PEER6, HOST6, UDP, UdpDatagram(1, 53, b"whole"), ident=77, options=fragment_header(77, 0, False))
    bench.host.receive_frame(packet_bytes(packet), bench.eth0, 0)
    assert heard(port) == b"whole"


# -- IPv6 extension headers


def with_headers(options: bytes, destination: bytes = HOST6, protocol: int = UDP) -> IpPacket:
    payload = UdpDatagram(4000, 53, b"hello") if protocol == UDP else b"?"
    return IpPacket(PEER6, destination, protocol, payload, options=options)


def header(kind: int, *options: int) -> bytes:
    """A Hop-by-Hop (0) or Destination Options (60) header of eight bytes."""
    return bytes([kind, 0, *options])


@pytest.mark.parametrize(
    "options",
    [
        header(0, 1, 4, 0, 0, 0, 0),
        header(60, 0, 0, 0, 0, 0, 0),
        header(0, 5, 2, 0, 0, 1, 0) + header(60, 1, 4, 0, 0, 0, 0),  # router alert
        header(60, 0x1E, 1, 9, 0, 0, 0),  # unknown, and may be skipped
        bytes([43, 0, 0, 0, 0, 0, 0, 0]),  # a Routing header with no stations left
    ],
)
def test_headers_that_may_be(options: bytes):
    bench = Bench()
    port = bench.udp(53)
    bench.inject(with_headers(options))
    assert heard(port) == b"hello"


@pytest.mark.parametrize(
    ("options", "reason", "told"),
    [
        (header(60, 0x5E, 0, 0, 0, 0, 0), "ip-option-unknown", None),
        (header(60, 0x9E, 0, 0, 0, 0, 0), "ip-option-unknown", (4, 2, 42)),
        (header(0, 0, 0xDE, 0, 0, 0, 0), "ip-option-unknown", (4, 2, 43)),
        (header(60, 5, 2, 0, 0, 1, 0) + header(60, 0x9E, 0, 0, 0, 0, 0), "ip-option-unknown", (4, 2, 50)),
        (header(60, 1, 4, 0, 0, 0, 9), "ip-option-padding", None),
        (header(60, 1, 5, 0, 0, 0, 0), "ip-option-malformed", None),
        (bytes([60, 2, *[0x1E, 0] * 11]), "ip-option-too-many", None),
        (header(60, 1, 4, 0, 0, 0, 0) + header(0, 1, 4, 0, 0, 0, 0), "ip-extension-order", (4, 1, 40)),
        (bytes([43, 2, 0, 1]) + bytes(20), "ip-routing-header", (4, 0, 42)),
    ],
)
def test_headers_that_may_not_be(options: bytes, reason: str, told: tuple[int, int, int] | None):
    bench = Bench()
    bench.udp(53)
    bench.host.receive_frame(packet_bytes(with_headers(options)), bench.eth0, 0)
    assert bench.counters == {reason: 1}
    if told is None:
        bench.expect_nothing()
    else:
        message = bench.out_icmp()
        assert (message.type, message.code, message.rest) == told


def test_an_unknown_option_to_many():
    bench = Bench()
    bench.inject(with_headers(header(60, 0xDE, 0, 0, 0, 0, 0), parse("ff02::1")))
    bench.expect_nothing()
    bench.inject(with_headers(header(60, 0x9E, 0, 0, 0, 0, 0), parse("ff02::1")))
    message = bench.out_icmp()
    assert (message.type, message.code, message.rest) == (4, 2, 42)


def test_an_unknown_protocol_behind_headers_is_pointed_at():
    bench = Bench()
    bench.inject(with_headers(header(60, 1, 4, 0, 0, 0, 0), protocol=253))
    message = bench.out_icmp()
    assert (message.type, message.code, message.rest) == (4, 1, 40)
    bench.inject(with_headers(b"", protocol=59))
    bench.expect_nothing()
    assert bench.counters["ip-no-next-header"] == 1


def test_a_router_looks_at_hop_by_hop_options_only():
    scene, left, router, right = routed()
    theirs = udp(right, 53)
    own = parse("fd01::2")
    for options in (header(60, 0x9E, 0, 0, 0, 0, 0), header(0, 0x9E, 0, 0, 0, 0, 0)):
        left.send_raw(IpPacket(own, RIGHT6, UDP, UdpDatagram(1, 53, b"x"), options=options), 0)
        scene.settle()
    assert router.counters.counts == {"ip-option-unknown": 1}
    assert right.counters.counts == {"ip-option-unknown": 1}
    assert theirs.waiting == type(theirs.waiting)()


# -- IPv4 options


def test_record_route_goes_there_and_back():
    scene, left, _, _ = routed()
    raw = left.open_raw(ICMP, 4, 0)
    options = b"\x07\x17\x04" + bytes(20) + b"\0"
    left.send_raw(IpPacket(LEFT, RIGHT, ICMP, IcmpMessage(4, 8, 0, 1, b""), dont_fragment=False, options=options), 0)
    scene.settle()
    got = raw.receive()
    assert isinstance(got, IpPacket)
    stations = [got.options[at : at + 4] for at in range(3, 23, 4)]
    # Who answers is there twice, as in Linux: when it received and when it answered.
    assert stations == [parse("10.2.0.1"), RIGHT, RIGHT, parse("10.1.0.1"), LEFT]
    assert got.options[2] == 24  # full


def test_internet_timestamps():
    scene, left, _, _ = routed()
    scene.now = 5 * SECOND
    raw = left.open_raw(ICMP, 4, 0)
    options = b"\x44\x0c\x05\x01" + bytes(8)  # room for one address with its time
    left.send_raw(IpPacket(LEFT, RIGHT, ICMP, IcmpMessage(4, 8, 0, 1, b""), dont_fragment=False, options=options), 0)
    scene.settle()
    got = raw.receive()
    assert isinstance(got, IpPacket)
    assert got.options[4:] == parse("10.2.0.1") + (5000 | 1 << 31).to_bytes(4, "big")
    assert got.options[2:4] == bytes([13, 0x31])  # full; three more found no room


@pytest.mark.parametrize(
    ("options", "reason", "pointer"),
    [
        (b"\x83\x07\x04\x0a\0\0\x09\0", "ip-source-route", None),
        (b"\x89\x07\x04\x0a\0\0\x09\0", "ip-source-route", None),
        (b"\x07\x01\0\0", "ip-option-malformed", 20),
        (b"\x01\x07\x08\x04", "ip-option-malformed", 21),
        (b"\x07\x04\x03\0", "ip-option-malformed", 22),
        (b"\x01\x01\x01\x94", "ip-option-malformed", 23),
    ],
)
def test_ipv4_options_that_may_not_be(options: bytes, reason: str, pointer: int | None):
    for config in (HostConfig(), HostConfig()):
        config.forwarding = True
        bench = Bench(config)
        bench.udp(53)
        bench.inject(IpPacket(PEER, HOST, UDP, UdpDatagram(1, 53, b""), options=options))
        bench.inject(IpPacket(PEER, parse("192.0.2.1"), UDP, UdpDatagram(1, 53, b""), options=options))
        assert bench.counters == {reason: 2}
        if pointer is not None:
            for _ in range(2):
                message = bench.out_icmp()
                assert (message.type, message.code, message.rest) == (12, 0, pointer << 24)
        bench.expect_nothing()


def test_a_segment_with_a_source_route_does_not_reach_its_connection():
    bench = Bench()
    bench.listen()
    syn = TcpSegment(4000, 80, 1, 0, SYN, 1000)
    bench.inject(IpPacket(PEER, HOST, TCP, syn, options=b"\x83\x07\x04\x0a\0\0\x09\0"))
    bench.expect_nothing()
    assert bench.counters == {"ip-source-route": 1}


# -- redirects, times


def test_a_router_redirects_and_a_host_goes_the_shorter_way():
    _, left, router, _ = routed()
    second = parse("10.1.0.9")
    router.add_route(parse("10.9.0.0"), 16, router.interfaces["to-left"], second)
    mine = udp(left)
    left.send_udp(mine, b"x", parse("10.9.0.1"), 53, 0)
    out = left.poll_packet(0)
    assert out is not None
    router.receive_packet(out[1], router.interfaces["to-left"], 0)
    told = router.poll_packet(0)
    passed = router.poll_packet(0)
    assert told is not None
    assert passed is not None
    message = as_icmp(told[1].payload)
    assert (message.type, message.code, message.rest) == (5, 1, int.from_bytes(second, "big"))
    left.receive_packet(told[1], left.interfaces["to-router"], 0)
    assert left.gateway_for(parse("10.9.0.1"), 0) == second
    assert left.gateway_for(parse("10.9.0.2"), 0) == parse("10.1.0.1")
    # Again at once: not told twice.
    router.receive_packet(out[1], router.interfaces["to-left"], 0)
    assert router.poll_packet(0) is not None
    assert router.poll_packet(0) is None


@pytest.mark.parametrize(
    ("sender", "gateway", "accept"),
    [
        ("10.0.0.7", "10.0.0.9", True),
        ("10.0.0.254", "192.0.2.1", True),
        ("10.0.0.254", "10.0.0.1", True),
        ("10.0.0.254", "10.0.0.255", True),
        ("10.0.0.254", "10.0.0.9", False),
    ],
)
def test_redirects_that_nobody_should_follow(sender: str, gateway: str, accept: bool):
    config = HostConfig()
    config.accept_redirects = accept
    bench = Bench(config)
    far = parse("192.0.2.7")
    port = bench.udp()
    bench.host.send_udp(port, b"x", far, 53, 0)
    quote = packet_bytes(bench.out())
    bench.inject_icmp(IcmpMessage(4, 5, 1, int.from_bytes(parse(gateway), "big"), quote), parse(sender))
    assert bench.host.gateway_for(far, 0) == parse("10.0.0.254")
    assert sum(bench.counters.values()) == 1


def test_a_timestamp_is_answered():
    bench = Bench()
    bench.now = 1234 * SECOND
    bench.inject_icmp(IcmpMessage(4, 13, 0, 0x00070001, (99).to_bytes(4, "big") + bytes(8)))
    message = bench.out_icmp()
    ours = (1_234_000 | 1 << 31).to_bytes(4, "big")
    assert (message.type, message.rest, message.payload) == (14, 0x00070001, (99).to_bytes(4, "big") + ours + ours)
    bench.inject_icmp(IcmpMessage(4, 13, 0, 1, b""))
    bench.inject_icmp(IcmpMessage(4, 4, 0, 0, bytes(28)))
    bench.expect_nothing()
    assert bench.counters == {"icmp-not-asked-for": 1, "icmp-source-quench-ignored": 1}


def test_a_group_may_be_asked_over_ipv6():
    bench = Bench()
    bench.inject(IpPacket(PEER6, parse("ff02::1"), ICMPV6, IcmpMessage(6, 128, 0, 5, b"who")))
    answer = bench.out()
    assert (answer.source, as_icmp(answer.payload).type) == (HOST6, 129)
