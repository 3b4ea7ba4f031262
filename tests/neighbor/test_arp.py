"""ARP as a dialogue: asking, waiting, answering, ageing, conflicts, bindings, proxies, RARP."""

from __future__ import annotations

import pytest

from netglass.errors import MisuseError
from netglass.host.config import HostConfig
from netglass.tcp.config import TcpSettings
from netglass.wire.address import parse
from netglass.wire.arp import REPLY, REQUEST, REVERSE_REPLY, REVERSE_REQUEST, ArpMessage
from netglass.wire.ethernet import BROADCAST_MAC, NO_MAC, EthernetFrame, group_mac
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, UDP, IpPacket
from netglass.wire.udp import UdpDatagram
from tests.neighbor.bench import HOST, OURS, PEER, ROUTER, THEIRS, THIEF, Bench

ASK = "to all: ARP who has 10.0.0.2? tell 10.0.0.1"
PING = "to them: ICMP echo request"


def test_a_packet_waits_until_the_mac_is_known() -> None:
    bench = Bench()
    bench.ping(number=1)
    bench.ping(number=2)
    bench.expect(ASK)
    bench.answer()
    bench.expect(PING, PING)
    bench.ping()
    bench.expect(PING)
    assert bench.state(PEER) == "REACHABLE"


def test_a_packet_beyond_the_link_goes_to_the_gateway() -> None:
    bench = Bench()
    bench.ping(parse("192.0.2.7"))
    bench.expect("to all: ARP who has 10.0.0.254? tell 10.0.0.1")
    bench.answer(ROUTER)
    bench.expect(PING)


def test_broadcasts_and_multicasts_ask_nobody() -> None:
    bench = Bench()
    bench.ping(parse("10.0.0.255"))
    bench.host.send_raw(IpPacket(HOST, parse("224.0.0.100"), ICMP, IcmpMessage(4, 8, 0)), 0)
    bench.expect("to all: ICMP echo request", "to 01:00:5e:00:00:64: ICMP echo request")


def test_nobody_answers() -> None:
    bench = Bench()
    bench.ping()
    bench.pass_time(3.5)
    bench.expect(ASK, ASK, ASK)
    assert bench.state(PEER) == "FAILED"
    assert bench.counted("neighbor-failed") == 1
    assert bench.is_idle()
    bench.ping()  # is asked for again
    bench.expect(ASK)


def test_a_connection_to_nobody_is_told_so() -> None:
    bench = Bench()
    connection = bench.host.connect_tcp(b"", 0, PEER, 80, TcpSettings(), bench.now)
    assert not isinstance(connection, int)
    bench.pass_time(3.5)
    assert connection.tcb.error == 113  # EHOSTUNREACH: "No route to host"


def test_the_queue_is_bounded_the_oldest_goes() -> None:
    config = HostConfig()
    config.neighbor.queue_packets = 3
    bench = Bench(config)
    for number in range(5):
        bench.ping(number=number)
    assert bench.counted("neighbor-queue-full") == 2
    bench.out()
    bench.answer()
    payloads = [frame.payload for frame in bench.out()]
    numbers = [each.payload.rest for each in payloads if isinstance(each, IpPacket) and hasattr(each.payload, "rest")]
    assert numbers == [2, 3, 4]


def test_the_table_is_bounded_the_longest_unused_goes() -> None:
    config = HostConfig()
    config.neighbor.table_limit = 3
    bench = Bench(config)
    for last in range(2, 12):
        bench.now += 1
        bench.ask(sender=bytes([10, 0, 0, last]))
    kept = [entry.address[3] for entry in bench.ethernet.neighbors(bench.now)]
    assert kept == [9, 10, 11]
    for last in (101, 102, 103):
        bench.ping(bytes([10, 0, 0, last]))
    bench.ping(bytes([10, 0, 0, 104]))  # every entry is waited for
    assert bench.counted("neighbor-table-full") == 1


def test_an_old_entry_is_used_and_then_asked_for() -> None:
    bench = Bench()
    bench.ping()
    bench.answer()
    bench.out()
    bench.pass_time(46)  # one and a half of 30 s at most
    assert bench.state(PEER) == "STALE"
    bench.ping()
    bench.expect(PING)
    assert bench.state(PEER) == "DELAY"
    bench.pass_time(5)
    bench.expect("to them: ARP who has 10.0.0.2? tell 10.0.0.1")
    assert bench.state(PEER) == "PROBE"
    bench.answer()
    assert bench.state(PEER) == "REACHABLE"
    assert bench.is_idle()


def test_an_old_entry_that_does_not_answer_fails() -> None:
    bench = Bench()
    bench.ask()  # we learn who asks
    assert bench.state(PEER) == "STALE"
    bench.ping()
    bench.out()
    bench.pass_time(9)
    question = "to them: ARP who has 10.0.0.2? tell 10.0.0.1"
    bench.expect(question, question, question)
    assert bench.state(PEER) == "FAILED"


def test_questions_for_us_are_answered_others_are_not() -> None:
    bench = Bench()
    bench.ask()
    bench.expect("to them: ARP 10.0.0.1 is at 02:00:00:00:00:01")
    bench.ask(target=parse("10.0.0.9"))
    bench.expect_nothing()
    assert bench.state(PEER) == "STALE"


def test_what_was_not_asked_for_is_not_learned() -> None:
    bench = Bench()
    bench.answer()
    bench.inject(ArpMessage(REQUEST, THEIRS, PEER, NO_MAC, PEER), to=BROADCAST_MAC)
    assert bench.ethernet.neighbors(0) == []


def test_an_announcement_makes_an_entry_if_so_configured() -> None:
    config = HostConfig()
    config.neighbor.arp_accept = True
    bench = Bench(config)
    bench.inject(ArpMessage(REQUEST, THEIRS, PEER, NO_MAC, PEER), to=BROADCAST_MAC)
    assert bench.state(PEER) == "STALE"


# -- lies


def test_without_a_binding_the_last_liar_wins() -> None:
    bench = Bench()
    bench.ping()
    bench.answer()
    bench.out()
    bench.answer(mac=THIEF)
    bench.ping()
    bench.expect("to thief: ICMP echo request")


@pytest.mark.parametrize("operation", [REQUEST, REPLY])
def test_a_binding_rejects_every_lie(operation: int) -> None:
    bench = Bench()
    bench.ethernet.bind(PEER, THEIRS, 0)
    bench.inject(ArpMessage(operation, THIEF, PEER, OURS, HOST), THIEF)
    bench.inject(ArpMessage(operation, THIEF, PEER, NO_MAC, PEER), THIEF, BROADCAST_MAC)
    assert bench.counted("arp-binding") == 2
    assert bench.state(PEER) == "PERMANENT"
    bench.ping()
    bench.expect(PING)
    bench.pass_time(3600)
    bench.ping()
    bench.expect(PING)  # it is never asked for
    bench.ask()  # the real one is answered
    bench.expect("to them: ARP 10.0.0.1 is at 02:00:00:00:00:01")


def test_a_strict_binding_rejects_forged_packets_too() -> None:
    config = HostConfig()
    config.neighbor.binding_strict = True
    bench = Bench(config)
    bench.ethernet.bind(PEER, THEIRS, 0)
    bench.inject(IpPacket(PEER, HOST, ICMP, IcmpMessage(4, 8, 0)), THIEF)
    bench.expect_nothing()
    assert bench.counted("ethernet-binding") == 1
    bench.inject(IpPacket(PEER, HOST, ICMP, IcmpMessage(4, 8, 0)), THEIRS)
    bench.expect("to them: ICMP echo reply")


def test_a_binding_is_made_while_a_packet_waits() -> None:
    bench = Bench()
    bench.ping()
    bench.out()
    bench.ethernet.bind(PEER, THEIRS, 0)
    bench.expect(PING)
    assert bench.ethernet.unbind(PEER, 0)
    assert not bench.ethernet.unbind(PEER, 0)


def test_a_binding_that_makes_no_sense_is_told() -> None:
    bench = Bench()
    for address, mac in [(PEER, BROADCAST_MAC), (PEER, b"123"), (parse("224.0.0.1"), THEIRS)]:
        with pytest.raises(MisuseError, match="one address and one MAC"):
            bench.ethernet.bind(address, mac, 0)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (ArpMessage(REQUEST, OURS, PEER, NO_MAC, HOST), "arp-own-mac"),
        (ArpMessage(REPLY, BROADCAST_MAC, PEER, OURS, HOST), "arp-sender-mac"),
        (ArpMessage(REPLY, NO_MAC, PEER, OURS, HOST), "arp-sender-mac"),
        (ArpMessage(REPLY, THEIRS, parse("224.0.0.1"), OURS, HOST), "arp-address"),
        (ArpMessage(REQUEST, THEIRS, PEER, NO_MAC, parse("127.0.0.1")), "arp-address"),
        (ArpMessage(REVERSE_REQUEST, THEIRS, bytes(4), THEIRS, bytes(4)), "rarp-no-server"),
        (ArpMessage(REVERSE_REPLY, THEIRS, PEER, OURS, parse("10.0.0.9")), "rarp-not-asked-for"),
    ],
)
def test_nonsense_is_counted_and_survived(message: ArpMessage, reason: str) -> None:
    bench = Bench()
    bench.inject(message)
    assert bench.counted(reason) == 1
    bench.expect_nothing()
    assert bench.ethernet.neighbors(0) == []


# -- conflicts (RFC 5227)


def test_our_address_is_defended_but_not_in_a_war() -> None:
    bench = Bench()
    bench.ask(target=PEER, sender=HOST, mac=THIEF)  # the thief speaks from our address
    bench.expect("to all: ARP 10.0.0.1 is mine: 02:00:00:00:00:01")
    bench.ask(target=PEER, sender=HOST, mac=THIEF)
    bench.expect_nothing()
    bench.pass_time(10)
    bench.ask(target=PEER, sender=HOST, mac=THIEF)
    bench.expect("to all: ARP 10.0.0.1 is mine: 02:00:00:00:00:01")
    assert bench.counted("arp-conflict") == 3


def test_an_address_is_tested_before_it_is_used() -> None:
    bench = Bench(addresses=False)
    bench.ethernet.test(HOST, 24, 0)
    bench.pass_time(9)
    free, mine = "to all: ARP is 10.0.0.1 free?", "to all: ARP 10.0.0.1 is mine: 02:00:00:00:00:01"
    bench.expect(free, free, free, mine, mine)
    assert bench.eth0.addresses == [(HOST, 24)]
    assert bench.is_idle()
    candidate = bench.ethernet.poll_settled()
    assert candidate is not None
    assert candidate.ready


@pytest.mark.parametrize(
    "claim",
    [
        ArpMessage(REPLY, THEIRS, HOST, OURS, bytes(4)),  # "it is mine"
        ArpMessage(REQUEST, THEIRS, bytes(4), NO_MAC, HOST),  # tests it at the same time
        ArpMessage(REQUEST, THEIRS, HOST, NO_MAC, HOST),
    ],
)
def test_an_address_that_is_taken_is_not_used(claim: ArpMessage) -> None:
    bench = Bench(addresses=False)
    bench.ethernet.test(HOST, 24, 0)
    bench.pass_time(2)
    bench.inject(claim, to=BROADCAST_MAC)
    assert bench.is_idle()
    assert bench.eth0.addresses == []
    candidate = bench.ethernet.poll_settled()
    assert candidate is not None
    assert not candidate.ready
    assert bench.counted("arp-conflict") == bench.counted("address-duplicate") == 1


# -- standing in for others


def test_a_proxy_answers_for_what_is_behind_it() -> None:
    config = HostConfig()
    config.forwarding = True
    config.neighbor.proxy_arp = True
    bench = Bench(config)
    behind = bench.host.add_interface("ppp0")
    bench.host.add_route(parse("192.0.2.0"), 24, behind)
    bench.ask(target=parse("192.0.2.7"))
    bench.expect("to them: ARP 192.0.2.7 is at 02:00:00:00:00:01")
    bench.ask(target=parse("10.0.0.9"))  # on their own link
    bench.ask(target=parse("192.0.2.7"), sender=bytes(4))  # a test: the address is free there
    bench.expect_nothing()


# -- RARP


def test_rarp_client_and_server() -> None:
    client = Bench(addresses=False)
    client.ethernet.ask_reverse(24, 0)
    client.expect("to all: RARP what am I? 02:00:00:00:00:01")
    client.inject(ArpMessage(REVERSE_REPLY, THEIRS, PEER, OURS, HOST))
    assert client.eth0.addresses == [(HOST, 24)]
    client.inject(ArpMessage(REVERSE_REPLY, THEIRS, PEER, OURS, parse("10.0.0.9")))
    assert client.counted("rarp-not-asked-for") == 1

    server = Bench()
    server.ethernet.arp.reverse_table[THEIRS] = PEER
    server.inject(ArpMessage(REVERSE_REQUEST, THEIRS, bytes(4), THEIRS, bytes(4)), to=BROADCAST_MAC)
    server.expect("to them: RARP 02:00:00:00:00:02 is 10.0.0.2")
    server.inject(ArpMessage(REVERSE_REQUEST, THIEF, bytes(4), THIEF, bytes(4)), THIEF, BROADCAST_MAC)
    server.expect_nothing()
    assert server.counted("rarp-unknown-mac") == 1


def test_a_router_tells_the_sender_that_nobody_is_there() -> None:
    config = HostConfig()
    config.forwarding = True
    bench = Bench(config)
    far = parse("192.0.2.7")
    bench.answer(ROUTER)
    bench.inject(IpPacket(far, parse("10.0.0.99"), ICMP, IcmpMessage(4, 8, 0), 64))
    bench.pass_time(2.5)
    assert len(bench.out()) == 3
    bench.pass_time(1)
    bench.answer(ROUTER)
    bench.expect("to all: ARP who has 10.0.0.254? tell 10.0.0.1", "to them: ICMP host unreachable")


def test_frames_with_another_tag_are_not_for_us() -> None:
    bench = Bench()
    bench.ethernet.port.tag = 10
    question = ArpMessage(REQUEST, THEIRS, PEER, NO_MAC, HOST)
    for tag in (-1, 0, 20):
        bench.host.receive_ethernet(EthernetFrame(BROADCAST_MAC, THEIRS, question, tag=tag), bench.eth0, 0)
    bench.expect_nothing()
    bench.host.receive_ethernet(EthernetFrame(BROADCAST_MAC, THEIRS, question, tag=10), bench.eth0, 0)
    (answer,) = bench.out()
    assert answer.vlan == 10


def test_the_card_lets_in_what_is_for_it() -> None:
    bench = Bench()
    ping = IpPacket(PEER, HOST, ICMP, IcmpMessage(4, 8, 0))
    bench.inject(ping, to=THIEF)
    bench.expect_nothing()
    assert bench.counted("ethernet-not-for-us") == 1
    bench.ethernet.promiscuous = True
    bench.inject(ping, to=THIEF)
    bench.inject(ArpMessage(REQUEST, THEIRS, PEER, NO_MAC, HOST), to=THIEF)
    bench.expect_nothing()  # it is looked at, but somebody else deals with it
    assert bench.counted("ethernet-other-host") == 2
    bench.ethernet.promiscuous = False
    bench.ethernet.all_multicast = False
    group = parse("224.0.0.100")
    bench.inject(IpPacket(PEER, group, ICMP, IcmpMessage(4, 8, 0)), to=group_mac(group))
    assert bench.counted("ethernet-not-for-us") == 2
    bench.ethernet.join(group)
    bench.ethernet.join(group)
    bench.ethernet.leave(group)
    bench.inject(IpPacket(PEER, group, ICMP, IcmpMessage(4, 8, 0)), to=group_mac(group))
    assert bench.counted("ethernet-not-for-us") == 2
    bench.ethernet.leave(group)
    assert bench.ethernet.groups == {}


def test_a_strange_frame_is_counted() -> None:
    bench = Bench()
    bench.host.receive_ethernet(EthernetFrame(OURS, THEIRS, b"LLDP", 0x88CC), bench.eth0, 0)
    bench.host.receive_ethernet(EthernetFrame(OURS, THEIRS, b"\x99 no packet", 0x0800), bench.eth0, 0)
    bench.host.receive_frame(b"short", bench.eth0, 0)
    assert bench.counted("ethernet-unknown-type") == bench.counted("ip-version") == bench.counted("ethernet-short") == 1


def test_a_mac_that_is_none_is_told() -> None:
    bench = Bench()
    for mac in (BROADCAST_MAC, NO_MAC, b"12345"):
        with pytest.raises(MisuseError, match="MAC"):
            bench.host.add_ethernet(mac.hex(), mac)
    plain = bench.host.add_interface("plain")
    with pytest.raises(MisuseError, match="add_ethernet"):
        bench.host.receive_ethernet(EthernetFrame(OURS, THEIRS, b"x", 1), plain, 0)
    with pytest.raises(MisuseError, match="add_ethernet"):
        bench.host.start_dhcp(plain, 0)


def test_an_address_that_is_taken_away_is_not_answered_for() -> None:
    bench = Bench()
    assert bench.host.remove_address(bench.eth0, HOST)
    assert not bench.host.remove_address(bench.eth0, HOST)
    bench.ask()
    bench.expect_nothing()
    assert bench.host.source_for(PEER, 0) == b""
    bench.host.add_address(bench.eth0, HOST, 24)
    bench.ask()
    assert len(bench.out()) == 1


def test_a_frame_to_a_group_carries_only_what_is_for_a_group() -> None:
    """RFC 1122 §3.3.6, RFC 1812 §5.3.4: else every router of the link passes on the same packet, and answers it."""
    config = HostConfig()
    config.forwarding = True
    bench = Bench(config)
    far = IpPacket(PEER, parse("192.0.2.7"), UDP, UdpDatagram(1, 53, b"?"), 1)
    closed = IpPacket(PEER, HOST, UDP, UdpDatagram(1, 53, b"?"))
    bench.inject(far, to=BROADCAST_MAC)
    bench.inject(closed, to=BROADCAST_MAC)
    bench.inject(closed, to=group_mac(parse("224.0.0.1")))
    bench.expect_nothing()
    assert bench.counted("ip-unicast-to-group-mac") == 3
    assert bench.host.dropped == bench.host.received == 3
    bench.inject(IpPacket(PEER, parse("10.0.0.255"), UDP, UdpDatagram(1, 53, b"?")), to=BROADCAST_MAC)
    assert bench.counted("ip-no-taker-for-broadcast") == 1
