"""Routers, martians, and packets for nobody."""

from __future__ import annotations

import pytest

from netglass.host.config import HostConfig
from netglass.host.host import Host
from netglass.tcp.config import TcpSettings
from netglass.tcp.connection import Connection
from netglass.tcp.listener import Listener
from netglass.tcp.state import ESTABLISHED
from netglass.times import SECOND
from netglass.udp.port import UdpPort
from netglass.wire.address import parse
from netglass.wire.ip import UDP, IpPacket
from netglass.wire.tcp import RST
from netglass.wire.udp import UdpDatagram
from tests.host.bench import ANY, HOST, PEER, Bench, Scene, as_icmp

LEFT, RIGHT = parse("10.1.0.2"), parse("10.2.0.2")
LEFT6, RIGHT6 = parse("fd01::2"), parse("fd02::2")


def routed(right_mtu: int = 1500) -> tuple[Scene, Host, Host, Host]:
    """left 10.1.0.2 - router - right 10.2.0.2"""
    config = HostConfig()
    config.forwarding = True
    config.icmp_interval = 0
    scene = Scene()
    left, router, right = scene.host("left"), scene.host("router", config), scene.host("right")
    a, b = scene.wire(left, router)
    c, d = scene.wire(router, right, right_mtu)
    for host, interface, address, prefix in (
        (left, a, "10.1.0.2", 24),
        (left, a, "fd01::2", 64),
        (router, b, "10.1.0.1", 24),
        (router, b, "fd01::1", 64),
        (router, c, "10.2.0.1", 24),
        (router, c, "fd02::1", 64),
        (right, d, "10.2.0.2", 24),
        (right, d, "fd02::2", 64),
    ):
        host.add_address(interface, parse(address), prefix)
    for host, interface, four, six in ((left, a, "10.1.0.1", "fd01::1"), (right, d, "10.2.0.1", "fd02::1")):
        host.add_route(bytes(4), 0, interface, parse(four))
        host.add_route(bytes(16), 0, interface, parse(six))
    return scene, left, router, right


def udp(host: Host, port: int = 0) -> UdpPort:
    made = host.bind_udp(ANY, port, False, 0)
    assert isinstance(made, UdpPort)
    return made


@pytest.mark.parametrize("remote", [RIGHT, RIGHT6])
def test_a_router_passes_on_with_one_hop_less(remote: bytes):
    scene, left, router, right = routed()
    port = udp(right, 53)
    left.send_udp(udp(left), b"hello", remote, 53, 0)
    assert scene.settle() == 2
    got = port.receive()
    assert not isinstance(got, int)
    assert (got.payload, got.ttl) == (b"hello", 63)
    assert (router.received, router.forwarded, router.delivered, router.dropped) == (1, 1, 0, 0)


@pytest.mark.parametrize(("remote", "kind"), [(RIGHT, (11, 0)), (RIGHT6, (3, 0))])
def test_a_packet_that_has_lived_too_long_is_told(remote: bytes, kind: tuple[int, int]):
    scene, left, router, _ = routed()
    raw = left.open_raw(1 if len(remote) == 4 else 58, 0, 0)
    port = udp(left)
    port.ttl_hops = 1
    left.send_udp(port, b"hello", remote, 53, 0)
    scene.settle()
    got = raw.receive()
    assert isinstance(got, IpPacket)
    message = as_icmp(got.payload)
    assert (message.type, message.code) == kind
    assert got.source == (parse("10.1.0.1") if len(remote) == 4 else parse("fd01::1"))
    assert router.counters.counts == {"ip-ttl": 1}


def test_no_route_is_told():
    scene, left, router, _ = routed()
    raw = left.open_raw(1, 4, 0)
    left.send_udp(udp(left), b"hello", parse("192.0.2.1"), 53, 0)
    scene.settle()
    got = raw.receive()
    assert isinstance(got, IpPacket)
    message = as_icmp(got.payload)
    assert (message.type, message.code) == (3, 0)
    assert router.counters.counts == {"ip-no-route": 1}


@pytest.mark.parametrize(("remote", "mtu"), [(RIGHT, 1000), (RIGHT6, 1280)])
def test_a_connection_finds_the_narrow_place_of_its_path(remote: bytes, mtu: int):
    # left - router - second (narrow) - right: neither end can know.
    scene, left, router, second = routed(mtu)
    second.config.forwarding = True
    right = scene.host("behind")
    a, b = scene.wire(second, right)
    target, gateway = parse("10.3.0.2"), parse("10.2.0.2")
    if len(remote) == 16:
        target, gateway = parse("fd03::2"), parse("fd02::2")
    second.add_address(a, parse("10.3.0.1") if len(remote) == 4 else parse("fd03::1"), 24)
    right.add_address(b, target, 24)
    right.add_route(bytes(len(remote)), 0, b)
    router.add_route(bytes(len(remote)), 0, router.interfaces["to-right"], gateway)
    listener = right.listen_tcp(ANY, 80, 5, TcpSettings(), 0)
    assert isinstance(listener, Listener)
    mine = left.connect_tcp(ANY, 0, target, 80, TcpSettings(), 0)
    assert isinstance(mine, Connection)
    scene.settle()
    theirs = listener.accept(0)
    assert theirs is not None
    mine.send(bytes(5000), 0)
    left.touch(mine, 0)
    scene.run_until(SECOND)
    assert theirs.receive(10_000, SECOND) == bytes(5000)
    assert left.path_mtu(target, 0) == mine.tcb.mtu == mtu
    assert router.counters.counts["ip-too-big"] >= 1


def test_too_big_is_told_with_the_mtu_of_the_next_hop():
    scene, left, router, right = routed(1000)
    mine, theirs = udp(left), udp(right, 53)
    assert left.send_udp(mine, bytes(1400), RIGHT, 53, 0) == 1400
    scene.settle()
    assert left.path_mtu(RIGHT, 0) == 1000
    assert left.send_udp(mine, bytes(972), RIGHT, 53, 0) == 972
    scene.settle()
    got = theirs.receive()
    assert not isinstance(got, int)
    assert len(got.payload) == 972
    assert router.counters.counts == {"ip-too-big": 1}


def test_a_host_that_is_no_router_passes_nothing_on():
    bench = Bench()
    bench.inject(IpPacket(PEER, RIGHT, UDP, UdpDatagram(1, 2, b"")))
    bench.expect_nothing()
    assert bench.counters == {"ip-not-for-us": 1}
    assert bench.host.dropped == bench.host.received == 1


@pytest.mark.parametrize(
    ("source", "destination", "reason"),
    [
        ("10.0.0.1", "10.0.0.1", "ip-martian-source"),  # the "land" attack
        ("127.0.0.1", "10.0.0.1", "ip-martian-source"),
        ("10.0.0.2", "127.0.0.1", "ip-martian-destination"),
        ("224.0.0.1", "10.0.0.1", "ip-martian-source"),
        ("10.0.0.255", "10.0.0.1", "ip-martian-source"),
        ("255.255.255.255", "10.0.0.1", "ip-martian-source"),
        ("0.0.0.0", "10.0.0.1", "ip-martian-source"),
        ("10.0.0.2", "0.0.0.0", "ip-martian-destination"),
        ("::1", "fd00::1", "ip-martian-source"),
        ("ff02::1", "fd00::1", "ip-martian-source"),
        ("fd00::2", "::1", "ip-martian-destination"),
        ("fd00::2", "::", "ip-martian-destination"),
    ],
)
def test_addresses_that_cannot_come_from_outside(source: str, destination: str, reason: str):
    config = HostConfig()
    config.forwarding = True
    bench = Bench(config)
    bench.listen(2)
    bench.inject_tcp(2, port=2, source=parse(source), destination=parse(destination))
    bench.inject(IpPacket(parse(source), parse(destination), UDP, UdpDatagram(1, 2, b"")))
    bench.expect_nothing()
    assert bench.counters == {reason: 2}


@pytest.mark.parametrize("remote", [HOST, parse("127.0.0.1"), parse("127.9.9.9"), parse("::1")])
def test_a_forged_segment_does_not_reach_a_connection_over_the_loopback(remote: bytes):
    bench = Bench()
    listener = bench.listen()
    mine = bench.connect(remote)
    bench.expect_nothing()
    theirs = listener.accept(0)
    assert theirs is not None
    tcb = mine.tcb
    seq = tcb.rcv_nxt & 0xFFFFFFFF
    bench.inject_tcp(RST, seq, 0, tcb.local_port, source=remote, source_port=80, destination=tcb.local)
    assert mine.tcb.state is ESTABLISHED
    assert sum(bench.counters.values()) == 1
    assert bench.host.dropped == 1


@pytest.mark.parametrize(("source", "destination"), [("fe80::9", "fd02::2"), ("fd01::2", "fe80::9")])
def test_link_local_addresses_stay_on_their_link(source: str, destination: str):
    """RFC 4291 §2.5.6."""
    scene, _, router, right = routed()
    to_right = next(each for each in router.interfaces.values() if each.name == "to-right")
    router.add_address(to_right, parse("fe80::1"), 64)
    to_left = next(each for each in router.interfaces.values() if each.name == "to-left")
    packet = IpPacket(parse(source), parse(destination), UDP, UdpDatagram(1, 2, b"hello"))
    router.receive_packet(packet, to_left, 0)
    scene.settle()
    assert (right.received, router.forwarded) == (0, 0)
    assert router.counters.counts == {"ip-link-local": 1}
