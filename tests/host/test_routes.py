"""Where packets go, and from which address."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netglass.errnos import ENETUNREACH
from netglass.errors import MisuseError
from netglass.host.host import Host
from netglass.host.interface import Interface
from netglass.host.routes import Route, Routes
from netglass.rng import Rng
from netglass.wire.address import in_network, network_of, parse
from netglass.wire.ip import UDP, IpPacket
from netglass.wire.udp import UdpDatagram
from tests.host.bench import Bench


def two_homed() -> tuple[Host, Interface, Interface]:
    host = Host("h", None, Rng(1))
    left = host.add_interface("left")
    right = host.add_interface("right", mtu=900)
    host.add_address(left, parse("10.1.0.1"), 16)
    host.add_address(right, parse("10.2.0.1"), 16)
    return host, left, right


def leaves_by(host: Host, destination: str) -> str:
    """The interface that a packet takes; "" if none."""
    packet = IpPacket(parse("10.1.0.1"), parse(destination), UDP, UdpDatagram(1, 2, b""))
    if host.send_raw(packet, 0) < 0:
        return ""
    out = host.poll_packet(0)
    assert out is not None
    return out[0].name


def test_the_longest_prefix_wins_whatever_the_order_of_adding():
    host, left, right = two_homed()
    host.add_route(parse("192.0.2.128"), 25, right)
    host.add_route(parse("192.0.2.0"), 24, left)
    host.add_route(parse("192.0.2.129"), 32, left)
    assert leaves_by(host, "192.0.2.1") == "left"
    assert leaves_by(host, "192.0.2.128") == "right"
    assert leaves_by(host, "192.0.2.129") == "left"
    assert leaves_by(host, "192.0.3.1") == ""


def test_among_equal_prefixes_the_lowest_metric_wins_then_the_oldest():
    host, left, right = two_homed()
    network = parse("192.0.2.0")
    host.add_route(network, 24, left, metric=20)
    host.add_route(network, 24, right, metric=10)
    host.add_route(network, 24, left, metric=10)
    assert leaves_by(host, "192.0.2.1") == "right"
    assert host.remove_route(network, 24)
    assert leaves_by(host, "192.0.2.1") == "left"


def test_a_route_changes_what_was_looked_up_before():
    host, left, right = two_homed()
    host.add_route(bytes(4), 0, left)
    assert leaves_by(host, "192.0.2.1") == "left"
    host.add_route(parse("192.0.2.0"), 24, right)
    assert leaves_by(host, "192.0.2.1") == "right"
    host.routes.remove(parse("192.0.2.0"), 24, b"")
    host.routes.remove(bytes(4), 0, b"")
    assert leaves_by(host, "192.0.2.1") == ""
    assert not host.remove_route(bytes(4), 0)


def test_what_is_routed_to_the_loopback_does_not_leave():
    bench = Bench()
    bench.host.add_route(parse("192.0.2.0"), 24, bench.host.loopback)
    sender = bench.udp()
    assert bench.host.send_udp(sender, b"x", parse("192.0.2.1"), 9, 0) == 1
    bench.expect_nothing()
    assert bench.counters == {"ip-not-for-us": 1}


def test_a_group_on_the_loopback_is_heard_once():
    bench = Bench()
    member, sender = bench.udp(9), bench.udp()
    sender.multicast_interface = "lo"
    group = parse("224.0.0.9")
    assert bench.host.send_udp(sender, b"early", group, 9, 0) == 5
    bench.expect_nothing()
    bench.host.join_group(member, group, 0, bench.host.loopback)
    assert bench.host.send_udp(sender, b"now", group, 9, 0) == 3
    bench.expect_nothing()
    assert len(member.waiting) == 1
    assert member.waiting[0].source == parse("127.0.0.1")
    assert bench.counters == {"ip-group-not-joined": 1}


def test_without_a_route_the_packet_is_counted_and_the_call_says_so():
    bench = Bench()
    bench.host.remove_route(bytes(4), 0)
    packet = IpPacket(parse("10.0.0.1"), parse("192.0.2.1"), UDP, UdpDatagram(1, 2, b""))
    assert bench.host.send_raw(packet, 0) == -ENETUNREACH
    assert bench.counters == {"ip-no-route": 1}
    bench.expect_nothing()


@pytest.mark.parametrize(
    ("destination", "source"),
    [
        ("10.1.3.4", "10.1.0.1"),  # its own network
        ("10.2.3.4", "10.2.0.1"),
        ("192.0.2.1", "10.2.0.1"),  # the network of the gateway
        ("10.1.0.1", "10.1.0.1"),  # ourselves, from the address that is called
        ("127.0.0.1", "127.0.0.1"),
        ("127.3.2.1", "127.0.0.1"),
        ("::1", "::1"),
        ("2001:db8:1::9", "2001:db8:1::1"),
        ("2001:db8:2::9", "2001:db8:2::1"),
        ("fe80::9", "fe80::1"),  # RFC 6724 rule 2: the scope of the destination
    ],
)
def test_the_source_address_is_one_that_the_other_end_can_answer_to(destination: str, source: str):
    host, left, right = two_homed()
    host.add_address(left, parse("fe80::1"), 64)
    host.add_address(left, parse("2001:db8:1::1"), 64)
    host.add_address(left, parse("2001:db8:2::1"), 64)
    host.add_route(bytes(4), 0, right, gateway=parse("10.2.0.254"))
    assert host.source_for(parse(destination), 0) == parse(source)


def test_there_is_no_source_for_what_cannot_be_reached():
    host, _, _ = two_homed()
    assert host.source_for(parse("192.0.2.1"), 0) == b""
    assert host.source_for(parse("2001:db8::1"), 0) == b""


@pytest.mark.parametrize(
    ("network", "prefix", "says"),
    [
        (parse("10.1.2.3"), 16, "its network is 10.1.0.0/16"),
        (parse("10.1.0.0"), 33, "between 0 and 32"),
        (b"\x01\x02", 8, "4 or 16 bytes"),
    ],
)
def test_a_route_that_cannot_be_is_refused_with_the_right_one(network: bytes, prefix: int, says: str):
    host, left, _ = two_homed()
    with pytest.raises(MisuseError, match=says):
        host.add_route(network, prefix, left)


def test_mistakes_with_interfaces_and_gateways_say_what_is_right():
    host, left, _ = two_homed()
    with pytest.raises(MisuseError, match="IP version"):
        host.add_route(bytes(4), 0, left, gateway=parse("::1"))
    with pytest.raises(MisuseError, match="already"):
        host.add_interface("left")
    with pytest.raises(MisuseError, match=r"10\.1\.0\.1 already, on left"):
        host.add_address(left, parse("10.1.0.1"), 16)
    with pytest.raises(MisuseError, match="not an interface of h"):
        host.add_route(bytes(4), 0, Interface("left", 1, 1500, False, False))


@given(
    st.lists(st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 32), st.integers(0, 3)), max_size=12),
    st.integers(0, 2**32 - 1),
)
def test_the_table_finds_what_a_look_at_every_route_finds(lines: list[tuple[int, int, int]], target: int):
    routes = Routes()
    every: list[Route] = []
    for value, prefix, metric in lines:
        network = network_of(value.to_bytes(4, "big"), prefix)
        route = Route(network, prefix, Interface("i", 1, 1500, False, False), b"", metric)
        routes.add(route)
        every.append(route)
    destination = target.to_bytes(4, "big")
    fitting = [route for route in every if in_network(destination, route.network, route.prefix)]
    best = min(fitting, key=lambda route: (-route.prefix, route.metric), default=None)
    assert routes.find(destination) is best
    assert len(routes.all()) == len(every)
