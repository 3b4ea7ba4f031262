"""UDP through a host: who hears what, what is told to the sender, what is refused."""

from __future__ import annotations

import pytest

from netglass.errnos import (
    EACCES,
    EADDRINUSE,
    EADDRNOTAVAIL,
    EAGAIN,
    ECONNREFUSED,
    EDESTADDRREQ,
    EINVAL,
    EMSGSIZE,
    ENETUNREACH,
    EPIPE,
)
from netglass.errors import MisuseError
from netglass.host.config import HostConfig
from netglass.udp.port import ReceivedDatagram, UdpPort
from netglass.wire.address import parse
from netglass.wire.udp import UdpDatagram
from tests.host.bench import ANY, HOST, PEER, PEER6, Bench, as_icmp, pair, said

OTHER = parse("10.0.0.3")
GROUP = parse("239.1.2.3")
BROADCAST = parse("10.0.0.255")


def heard(port: UdpPort) -> list[bytes]:
    found = []
    while isinstance(got := port.receive(), ReceivedDatagram):
        found.append(got.payload)
    assert got == -EAGAIN
    return found


def test_a_datagram_tells_where_it_came_from():
    bench = Bench()
    port = bench.udp(53)
    bench.inject_udp(b"who is there", 53, ttl=17)
    got = port.receive()
    assert isinstance(got, ReceivedDatagram)
    assert (got.source, got.source_port, got.payload) == (PEER, 4000, b"who is there")
    assert (got.destination, got.ttl, got.interface) == (HOST, 17, "eth0")


@pytest.mark.parametrize("remote", [PEER, PEER6])
def test_two_hosts_exchange_datagrams(remote: bytes):
    scene, client, server = pair()
    mine = client.bind_udp(ANY, 0, False, 0)
    theirs = server.bind_udp(ANY, 53, False, 0)
    assert isinstance(mine, UdpPort)
    assert isinstance(theirs, UdpPort)
    assert client.send_udp(mine, b"question", remote, 53, 0) == 8
    scene.settle()
    got = theirs.receive()
    assert isinstance(got, ReceivedDatagram)
    assert server.send_udp(theirs, b"answer", got.source, got.source_port, 0) == 6
    scene.settle()
    assert heard(mine) == [b"answer"]


def test_a_closed_port_answers_and_a_connected_sender_learns_it():
    scene, client, _ = pair()
    mine = client.bind_udp(ANY, 0, False, 0)
    assert isinstance(mine, UdpPort)
    assert client.connect_udp(mine, PEER, 53, 0) == 0
    assert client.send_udp(mine, b"?", b"", 0, 0) == 1
    scene.settle()
    assert client.send_udp(mine, b"?", b"", 0, 0) == -ECONNREFUSED
    assert client.send_udp(mine, b"?", b"", 0, 0) == 1


def test_an_unconnected_sender_does_not_learn_it():
    scene, client, server = pair()
    mine = client.bind_udp(ANY, 0, False, 0)
    assert isinstance(mine, UdpPort)
    client.send_udp(mine, b"?", PEER, 53, 0)
    assert scene.settle() == 2
    assert mine.receive() == -EAGAIN
    assert server.counters.counts == {"udp-closed-port": 1}


def test_the_port_unreachable_quotes_the_datagram():
    bench = Bench()
    bench.inject_udp(b"knock", 53)
    answer = bench.out()
    message = as_icmp(answer.payload)
    assert (answer.source, answer.destination) == (HOST, PEER)
    assert (message.type, message.code) == (3, 3)
    assert message.payload[12:20] == PEER + HOST
    assert message.payload[20:24] == (4000).to_bytes(2, "big") + (53).to_bytes(2, "big")
    assert message.payload.endswith(b"knock")


def test_a_connected_port_hears_its_peer_only_and_goes_before_the_unconnected():
    bench = Bench()
    one = bench.host.bind_udp(ANY, 53, True, 0)
    two = bench.host.bind_udp(ANY, 53, True, 0)
    assert isinstance(one, UdpPort)
    assert isinstance(two, UdpPort)
    assert bench.host.connect_udp(one, PEER, 4000, 0) == 0
    bench.inject_udp(b"to the connected", 53)
    bench.inject_udp(b"to the other", 53, source=OTHER)
    assert heard(one) == [b"to the connected"]
    assert heard(two) == [b"to the other"]
    bench.host.disconnect_udp(one, 0)
    bench.inject_udp(b"to the last one bound", 53)
    assert heard(one) == []
    assert heard(two) == [b"to the last one bound"]


def test_connect_chooses_the_local_address_and_disconnect_lets_it_go():
    bench = Bench()
    port = bench.udp(53)
    bench.host.connect_udp(port, PEER, 4000, 0)
    assert port.local == HOST
    assert bench.host.bind_udp(parse("127.0.0.1"), 53, False, 0) != -EADDRINUSE
    bench.host.disconnect_udp(port, 0)
    assert port.local == ANY
    assert bench.host.bind_udp(HOST, 53, False, 0) == -EADDRINUSE


def test_a_full_queue_drops_and_counts():
    bench = Bench()
    port = bench.udp(53)
    port.rcvbuf = 1000
    for _ in range(10):
        bench.inject_udp(bytes(200), 53)
    assert len(heard(port)) == 3
    assert bench.counters == {"udp-receive-queue-full": 7}
    bench.expect_nothing()


def test_what_cannot_be_sent():
    bench = Bench()
    bench.host.remove_route(bytes(4), 0)
    host, port = bench.host, bench.udp(53)
    assert host.send_udp(port, b"", b"", 0, 0) == -EDESTADDRREQ
    assert host.send_udp(port, b"", PEER, 0, 0) == -EINVAL
    assert host.send_udp(port, b"", parse("192.0.2.1"), 1, 0) == -ENETUNREACH
    assert host.send_udp(port, bytes(65508), PEER, 1, 0) == -EMSGSIZE
    assert host.send_udp(port, bytes(65528), PEER6, 1, 0) == -EMSGSIZE
    assert host.send_udp(port, b"", BROADCAST, 1, 0) == -EACCES
    assert host.connect_udp(port, BROADCAST, 1, 0) == -EACCES
    assert host.bind_udp(PEER, 1, False, 0) == -EADDRNOTAVAIL
    port.write_closed = True
    assert host.send_udp(port, b"", PEER, 1, 0) == -EPIPE
    bench.expect_nothing()


def test_the_largest_datagram_that_fits():
    bench = Bench()
    port = bench.udp(53)
    assert bench.host.send_udp(port, bytes(1472), PEER, 1, 0) == 1472
    assert bench.out().size == 1500
    assert bench.host.send_udp(port, bytes(1452), PEER6, 1, 0) == 1452
    assert bench.out().size == 1500


def test_ttl_tos_and_identification():
    config = HostConfig()
    config.default_ttl_hops = 33
    bench = Bench(config)
    port = bench.udp(53)
    port.tos = 0xB8
    bench.host.send_udp(port, b"", PEER, 1, 0)
    first = bench.out()
    bench.host.send_udp(port, b"", PEER, 1, 0)
    assert (first.ttl, first.tos) == (33, 0xB8)
    assert bench.out().ident != first.ident


def test_closing_frees_the_port_and_closing_twice_is_a_mistake():
    bench = Bench()
    port = bench.udp(53)
    bench.host.join_group(port, GROUP, 0)
    bench.host.close_udp(port, 0)
    assert bench.out().destination == parse("224.0.0.22")  # what is told is what holds now: it went
    bench.inject_udp(b"too late", 53)
    assert as_icmp(bench.out().payload).code == 3
    bench.inject_udp(b"too late", 53, destination=GROUP)
    bench.expect_nothing()
    assert bench.counters["ip-group-not-joined"] == 1
    bench.udp(53)
    with pytest.raises(MisuseError, match="closed already"):
        bench.host.close_udp(port, 0)


# -- for many


def test_a_broadcast_reaches_every_port_and_is_never_answered():
    bench = Bench()
    one = bench.host.bind_udp(ANY, 67, True, 0)
    two = bench.host.bind_udp(bytes(4), 67, True, 0)
    exact = bench.host.bind_udp(HOST, 67, True, 0)
    assert isinstance(one, UdpPort)
    assert isinstance(two, UdpPort)
    assert isinstance(exact, UdpPort)
    for destination in (BROADCAST, parse("255.255.255.255")):
        bench.inject_udp(b"anybody", 67, destination=destination)
        bench.inject_udp(b"anybody", 68, destination=destination)
    bench.inject_tcp(2, destination=BROADCAST)
    bench.expect_nothing()
    assert heard(one) == heard(two) == [b"anybody", b"anybody"]
    assert heard(exact) == []
    assert bench.counters == {"ip-no-taker-for-broadcast": 3}


def test_sending_a_broadcast_needs_the_option():
    bench = Bench()
    port = bench.udp(67)
    port.broadcast = True
    assert bench.host.send_udp(port, b"hello", parse("255.255.255.255"), 67, 0) == 5
    packet = bench.out()
    assert packet.source == HOST
    assert bench.host.send_udp(port, b"hello", BROADCAST, 67, 0) == 5
    assert bench.out().destination == BROADCAST


def test_only_members_hear_a_group():
    bench = Bench()
    member = bench.host.bind_udp(ANY, 8888, True, 0)
    other = bench.host.bind_udp(ANY, 8888, True, 0)
    assert isinstance(member, UdpPort)
    assert isinstance(other, UdpPort)
    other.multicast_all_4 = False
    bench.inject_udp(b"early", 8888, destination=GROUP)
    assert bench.host.join_group(member, GROUP, 0) == 0
    assert bench.host.join_group(member, GROUP, 0) == -EADDRINUSE
    assert bench.host.join_group(member, PEER, 0) == -EINVAL
    bench.inject_udp(b"now", 8888, destination=GROUP)
    assert bench.host.leave_group(member, GROUP, 0) == 0
    assert bench.host.leave_group(member, GROUP, 0) == -EADDRNOTAVAIL
    bench.inject_udp(b"late", 8888, destination=GROUP)
    assert heard(member) == [b"now"]
    assert heard(other) == []
    assert bench.counters == {"ip-group-not-joined": 2}


def test_who_is_no_member_hears_what_another_has_joined_unless_told_not_to():
    bench = Bench()
    member = bench.host.bind_udp(ANY, 8888, True, 0)
    other = bench.host.bind_udp(ANY, 8888, True, 0)
    assert isinstance(member, UdpPort)
    assert isinstance(other, UdpPort)
    bench.host.join_group(member, GROUP, 0)
    bench.inject_udp(b"for all", 8888, destination=GROUP)
    other.multicast_all_4 = False  # IP_MULTICAST_ALL
    bench.inject_udp(b"for members", 8888, destination=GROUP)
    assert heard(other) == [b"for all"]
    assert heard(member) == [b"for all", b"for members"]


@pytest.mark.parametrize(("loop", "heard_here"), [(True, [b"hello"]), (False, [])])
def test_a_member_on_the_sending_host_hears_it_unless_the_loop_is_off(loop: bool, heard_here: list[bytes]):
    bench = Bench()
    member, sender = bench.udp(8888), bench.udp()
    bench.host.join_group(member, GROUP, 0)
    assert bench.out().destination == parse("224.0.0.22")
    sender.multicast_loop = loop
    assert bench.host.send_udp(sender, b"hello", GROUP, 8888, 0) == 5
    packet = bench.out()
    assert isinstance(packet.payload, UdpDatagram)
    assert (packet.source, packet.destination, packet.ttl) == (HOST, GROUP, 1)
    assert heard(member) == heard_here


def test_a_group_datagram_with_ttl_0_stays_on_the_host():
    bench = Bench()
    member, sender = bench.udp(8888), bench.udp()
    bench.host.join_group(member, GROUP, 0)
    sender.multicast_ttl_hops = 0
    assert bench.out().destination == parse("224.0.0.22")
    bench.host.send_udp(sender, b"hello", GROUP, 8888, 0)
    bench.expect_nothing()
    assert heard(member) == [b"hello"]


def test_the_interface_of_a_group_can_be_chosen():
    bench = Bench()
    eth1 = bench.host.add_interface("eth1")
    bench.host.add_address(eth1, parse("10.1.0.1"), 24)
    sender = bench.udp()
    sender.multicast_interface = "eth1"
    bench.host.send_udp(sender, b"hello", GROUP, 8888, 0)
    out = bench.host.poll_packet(0)
    assert out is not None
    assert out[0] is eth1
    assert out[1].source == parse("10.1.0.1"), said(out[1])
    sender.multicast_interface = "eth2"
    assert bench.host.send_udp(sender, b"hello", GROUP, 8888, 0) == -ENETUNREACH
