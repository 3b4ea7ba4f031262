"""Groups on a host, and through a router: what the packets on the links say."""

from __future__ import annotations

import pytest

from netglass.errnos import EADDRINUSE, EADDRNOTAVAIL, EINVAL, ENOBUFS
from netglass.host.config import HostConfig
from netglass.host.groups import BLOCK_SOURCE, JOIN_SOURCE, LEAVE_SOURCE, UNBLOCK_SOURCE, read_membership
from netglass.host.host import Host
from netglass.host.interface import Interface
from netglass.multicast.filter import SourceFilter
from netglass.rng import Rng
from netglass.times import SECOND
from netglass.udp.port import UdpPort
from netglass.wire.address import parse
from netglass.wire.igmp import ALL_HOSTS, IGMP_ROUTERS, ROUTER_ALERT, encode_igmp
from netglass.wire.ip import ICMPV6, IGMP, UDP, IpPacket
from netglass.wire.membership import RECORD_NAMES, OldReport, Query, Report
from netglass.wire.mld import ALL_NODES, MLD_ROUTERS, encode_mld
from netglass.wire.packet import decode_packet, packet_bytes
from netglass.wire.udp import UdpDatagram
from tests.host.bench import ANY, HOST, PEER, Bench

GROUP = parse("239.1.2.3")
OTHER_HOST = parse("10.0.0.9")
GROUP6 = parse("ff15::1:2")


def said(packet: IpPacket) -> str:
    """A membership message that a host sent, in a few words."""
    assert packet.ttl == 1
    message = read_membership(decode_packet(packet_bytes(packet)))
    if isinstance(message, Report):
        return " ".join(
            f"{RECORD_NAMES[record.kind]}({' '.join(str(source[-1]) for source in record.sources)})"
            for record in message.records
        )
    if isinstance(message, OldReport):
        return f"{'leave' if message.leaving else 'report'} v{message.level}"
    return "query" if message.general else "group query"


def port_of(bench: Bench, number: int = 8888) -> UdpPort:
    port = bench.host.bind_udp(ANY, number, True, 0)
    assert isinstance(port, UdpPort)
    return port


def test_a_join_is_told_to_the_routers_of_the_link():
    bench = Bench()
    bench.host.join_group(port_of(bench), GROUP, 0)
    report = bench.out()
    assert (report.source, report.destination, report.options, report.tos) == (HOST, IGMP_ROUTERS, ROUTER_ALERT, 0xC0)
    assert said(report) == "TO_EX()"
    assert [said(packet) for packet in bench.run_until(2 * SECOND)] == ["TO_EX()"]


def test_mld_goes_from_the_link_local_address_with_a_router_alert():
    bench = Bench()
    bench.host.join_group(port_of(bench), GROUP6, 0)
    report = bench.out()
    assert (report.source, report.destination) == (parse("fe80::1"), MLD_ROUTERS)
    assert report.options == bytes([0, 0, 5, 2, 0, 0, 1, 0])
    assert said(report) == "TO_EX()"


def test_a_query_is_answered_and_one_that_is_to_be_doubted_is_not():
    bench = Bench()
    bench.host.join_group(port_of(bench), GROUP, 0)
    bench.run_until(3 * SECOND)
    query = encode_igmp(Query(3, bytes(4), SECOND))
    bench.inject(IpPacket(PEER, ALL_HOSTS, IGMP, query, 1))
    assert [said(packet) for packet in bench.run_until(5 * SECOND)] == ["IS_EX()"]
    bench.inject(IpPacket(PEER, GROUP, IGMP, query, 1))
    bench.inject(IpPacket(PEER, ALL_HOSTS, IGMP, query[:7] + b"\x01" + query[8:], 1))
    assert bench.run_until(8 * SECOND) == []
    assert bench.counters == {"membership-query-destination": 1, "igmp-checksum": 1}


def test_two_sockets_are_one_member_and_the_last_one_leaves():
    bench = Bench()
    one, two = port_of(bench), port_of(bench)
    bench.host.join_group(one, GROUP, 0)
    assert [said(packet) for packet in bench.run_until(2 * SECOND)] == ["TO_EX()", "TO_EX()"]
    bench.host.join_group(two, GROUP, bench.now)
    bench.host.close_udp(one, bench.now)
    assert bench.run_until(4 * SECOND) == []
    bench.host.close_udp(two, bench.now)
    assert [said(packet) for packet in bench.run_until(6 * SECOND)] == ["TO_IN()", "TO_IN()"]


def test_sources_are_let_in_one_by_one():
    bench = Bench()
    port = port_of(bench)
    groups, eth0 = bench.host.groups, bench.eth0
    assert groups.change_source(port, GROUP, PEER, eth0, LEAVE_SOURCE, 0) == -EADDRNOTAVAIL
    assert groups.change_source(port, GROUP, PEER, eth0, BLOCK_SOURCE, 0) == -EINVAL
    assert groups.change_source(port, GROUP, PEER, eth0, JOIN_SOURCE, 0) == 0
    assert groups.change_source(port, GROUP, PEER, eth0, JOIN_SOURCE, 0) == -EADDRNOTAVAIL
    assert groups.change_source(port, GROUP, PEER, eth0, BLOCK_SOURCE, 0) == -EINVAL
    assert bench.host.join_group(port, GROUP, 0) == -EADDRINUSE
    bench.inject_udp(b"wanted", 8888, destination=GROUP)
    bench.inject_udp(b"not wanted", 8888, destination=GROUP, source=OTHER_HOST)
    assert [datagram.payload for datagram in port.waiting] == [b"wanted"]
    assert bench.counters == {"ip-group-not-joined": 1}
    assert said(bench.out()) == "ALLOW(2)"
    assert groups.change_source(port, GROUP, PEER, eth0, LEAVE_SOURCE, 0) == 0
    assert said(bench.run_until(0)[0]) == "BLOCK(2)"


def test_a_source_can_be_blocked_and_let_in_again():
    bench = Bench()
    port = port_of(bench)
    groups, eth0 = bench.host.groups, bench.eth0
    bench.host.join_group(port, GROUP, 0)
    assert groups.change_source(port, GROUP, PEER, eth0, BLOCK_SOURCE, 0) == 0
    bench.inject_udp(b"blocked", 8888, destination=GROUP)
    assert groups.change_source(port, GROUP, PEER, eth0, UNBLOCK_SOURCE, 0) == 0
    assert groups.change_source(port, GROUP, PEER, eth0, UNBLOCK_SOURCE, 0) == -EADDRNOTAVAIL
    bench.inject_udp(b"let in", 8888, destination=GROUP)
    assert [datagram.payload for datagram in port.waiting] == [b"let in"]
    assert groups.set_filter(port, GROUP, eth0, SourceFilter(False, (OTHER_HOST,)), 0) == 0
    bench.inject_udp(b"not in the list", 8888, destination=GROUP)
    assert len(port.waiting) == 1
    found = groups.filter_of(port, GROUP, None)
    assert found is not None
    assert found.sources == (OTHER_HOST,)


def test_limits_are_those_of_linux():
    bench = Bench()
    port = port_of(bench)
    for number in range(20):
        assert bench.host.join_group(port, (0xEF000001 + number).to_bytes(4, "big"), 0) == 0
    assert bench.host.join_group(port, GROUP, 0) == -ENOBUFS
    many = tuple((0x0A000001 + number).to_bytes(4, "big") for number in range(11))
    first = parse("239.0.0.1")
    assert bench.host.groups.set_filter(port, first, bench.eth0, SourceFilter(True, many), 0) == -ENOBUFS


class Routed:
    """A router between 10.1.0.0/24 (the source), 10.2.0.0/24 and 10.3.0.0/24."""

    def __init__(self, version: int = 4) -> None:
        config = HostConfig()
        config.forwarding = True
        self.host = Host("router", config, Rng(1))
        self.now = 0
        self.version = version
        self.links: list[Interface] = []
        for number in (1, 2, 3):
            link = self.host.add_interface(f"eth{number}")
            self.host.add_address(link, parse(f"10.{number}.0.254"), 24)
            self.host.add_address(link, parse(f"fd00:{number}::fe"), 64)
            self.host.multicast_router.serve(link, 0)
            self.links.append(link)
        self.out()

    def out(self) -> list[tuple[str, IpPacket]]:
        found = []
        while (ready := self.host.poll_packet(self.now)) is not None:
            found.append((ready[0].name, ready[1]))
        return found

    def send(self, group: bytes = GROUP, ttl: int = 16, on: int = 1, source: str = "10.1.0.1") -> list[tuple[str, int]]:
        """Where a datagram to the group comes out again, and with which TTL."""
        packet = IpPacket(parse(source), group, UDP, UdpDatagram(1, 2, b"hello"), ttl)
        self.host.receive_packet(packet, self.links[on - 1], self.now)
        return [(name, sent.ttl) for name, sent in self.out() if sent.protocol == UDP]

    def report(self, on: int, message: OldReport | Report) -> None:
        packet = IpPacket(parse(f"10.{on}.0.1"), IGMP_ROUTERS, IGMP, encode_igmp(message), 1)
        self.host.receive_packet(packet, self.links[on - 1], self.now)


def test_a_router_passes_on_what_somebody_wants_and_only_there():
    routed = Routed()
    assert routed.send() == []
    routed.report(2, OldReport(2, GROUP))
    assert routed.send() == [("eth2", 15)]
    routed.report(3, OldReport(2, GROUP))
    assert routed.send() == [("eth2", 15), ("eth3", 15)]
    routed.report(1, OldReport(2, GROUP))
    assert routed.send() == [("eth2", 15), ("eth3", 15)], "never back to where it came from"
    assert routed.host.counters.counts == {"multicast-not-wanted": 1}
    assert routed.host.forwarded == 3


def test_a_router_never_passes_on_what_belongs_to_the_link():
    routed = Routed()
    local = parse("224.0.0.100")
    routed.report(2, OldReport(2, local))
    assert routed.send(local) == []
    routed.report(2, OldReport(2, GROUP))
    assert routed.send(ttl=1) == []
    assert routed.send(on=3) == [], "10.1.0.1 cannot come from there"
    assert routed.host.counters.counts == {"multicast-local-scope": 1, "ip-ttl": 1, "multicast-wrong-way": 1}


def test_a_router_that_is_a_member_itself_hears_and_passes_on():
    routed = Routed()
    port = routed.host.bind_udp(ANY, 2, False, 0)
    assert isinstance(port, UdpPort)
    routed.host.join_group(port, GROUP, 0, routed.links[0])
    routed.report(2, OldReport(2, GROUP))
    assert routed.send() == [("eth2", 15)]
    assert len(port.waiting) == 1
    assert routed.host.delivered + routed.host.forwarded + routed.host.dropped == routed.host.received


def test_two_routers_in_a_row_with_a_way_up():
    """RFC 4605: what the links below want is joined above."""
    routed = Routed()
    routed.host.multicast_router.proxy_to(routed.links[0])
    routed.report(2, OldReport(2, GROUP))
    told = [(name, said(packet)) for name, packet in routed.out()]
    assert told == [("eth1", "TO_EX()")]
    assert routed.send() == [("eth2", 15)]
    assert routed.send(on=2, source="10.2.0.1") == [("eth1", 15)], "from below everything goes up"


@pytest.mark.parametrize("group", [GROUP, parse("255.255.255.255")])
def test_nothing_is_passed_on_by_a_host(group: bytes):
    bench = Bench()
    bench.inject_udp(b"hello", 1, destination=group)
    bench.expect_nothing()


def test_a_query_from_nobody_is_not_believed():
    """RFC 3810 §5.1.14: it comes from a link-local address."""
    bench = Bench()
    bench.host.join_group(port_of(bench), GROUP6, 0)
    bench.run_until(3 * SECOND)
    query = encode_mld(Query(3, bytes(16), SECOND))
    for source in ("::", "fe80::9"):
        bench.inject(IpPacket(parse(source), ALL_NODES, ICMPV6, query, 1))
    assert [said(packet) for packet in bench.run_until(5 * SECOND)] == ["IS_EX()"]
    assert bench.counters == {"mld-not-from-link": 1}


@pytest.mark.parametrize(("dont_fragment", "out"), [(False, 2), (True, 0)])
def test_a_router_cuts_what_may_be_cut(dont_fragment: bool, out: int):
    routed = Routed()
    routed.links[1].mtu = 600
    routed.report(2, OldReport(2, GROUP))
    datagram = UdpDatagram(1, 2, bytes(1000))
    packet = IpPacket(parse("10.1.0.1"), GROUP, UDP, datagram, 16, 0, 7, dont_fragment)
    routed.host.receive_packet(packet, routed.links[0], 0)
    assert len([sent for _, sent in routed.out() if sent.protocol == UDP]) == out
    assert routed.host.counters.counts.get("multicast-too-big", 0) == int(dont_fragment)


def test_multicast_from_a_link_local_address_stays_on_its_link():
    routed = Routed(6)
    routed.host.add_address(routed.links[0], parse("fe80::fe"), 64)
    routed.host.multicast_router.proxy_to(routed.links[2])
    assert routed.send(GROUP6, source="fe80::9") == []
    assert routed.host.counters.counts == {"multicast-local-scope": 1}
