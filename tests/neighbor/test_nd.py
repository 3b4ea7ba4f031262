"""Neighbour discovery as a dialogue: asking, answering, tests for duplicates, routers, redirects, lies."""

from __future__ import annotations

import pytest

from netglass.host.config import HostConfig
from netglass.times import HOUR
from netglass.wire.address import in_network, parse
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMPV6, IpPacket
from netglass.wire.nd import (
    ALL_NODES,
    ALL_ROUTERS,
    FOREVER,
    OVERRIDE,
    ROUTER,
    SOLICITED,
    Prefix,
    RouterAdvertisement,
    neighbor_solicitation,
    redirect,
    router_solicitation,
    solicited_node,
)
from tests.neighbor.bench import HOST6, LOCAL6, OURS, PEER6, ROUTER6, THEIRS, THIEF, Bench

NOBODY = bytes(16)
ASK = "to 33:33:ff:00:00:02: ND who has fd00::2?"
PING = "to them: ICMP echo request"
NET = parse("2001:db8:1::")
FAR = parse("2001:db8:9::9")


def told(*prefixes: Prefix, lifetime: int = 1800, mtu: int = 0, mac: bytes = THEIRS) -> RouterAdvertisement:
    made = RouterAdvertisement(lifetime)
    made.options.prefixes = list(prefixes)
    made.options.mtu = mtu
    made.options.mac = mac
    return made


def learner(**settings: object) -> Bench:
    """A host that finds out everything by itself; its link-local address is there, its question for routers sent."""
    config = HostConfig()
    config.neighbor.accept_ra = True
    for name, value in settings.items():
        setattr(config.neighbor, name, value)
    bench = Bench(config, addresses=False)
    bench.ethernet.start_autoconf(0)
    bench.pass_time(3)
    return bench


def found(bench: Bench, network: bytes = NET) -> list[bytes]:
    return [address for address, _ in bench.eth0.addresses if in_network(address, network, 64)]


def test_a_packet_waits_until_the_mac_is_known() -> None:
    bench = Bench()
    bench.ping(PEER6)
    bench.expect(ASK)
    bench.advertise(PEER6, SOLICITED | OVERRIDE)
    bench.expect(PING)
    assert bench.state(PEER6) == "REACHABLE"
    assert bench.is_idle()


def test_nobody_answers() -> None:
    bench = Bench()
    bench.ping(PEER6)
    bench.pass_time(4)
    bench.expect(ASK, ASK, ASK)
    assert bench.state(PEER6) == "FAILED"
    assert bench.counted("neighbor-failed") == 1


def test_questions_for_us_are_answered() -> None:
    bench = Bench()
    bench.solicit(HOST6, PEER6, solicited_node(HOST6))
    bench.expect("to them: ND fd00::1 is here")
    assert bench.state(PEER6) == "STALE"
    bench.solicit(parse("fd00::3:0:1"), PEER6, solicited_node(HOST6))  # another address of the same group
    bench.expect_nothing()
    assert bench.counted("nd-not-our-address") == 1


def test_what_nobody_asked_is_not_learned() -> None:
    bench = Bench()
    bench.advertise(PEER6, SOLICITED | OVERRIDE)
    assert bench.ethernet.neighbors(0) == []
    assert bench.counted("nd-not-asked-for") == 1


@pytest.mark.parametrize(
    ("flags", "mac", "kept", "state"),
    [
        # RFC 4861 §7.2.5 and appendix C, for an entry that is REACHABLE at THEIRS.
        (SOLICITED, THIEF, THEIRS, "STALE"),
        (0, THIEF, THEIRS, "STALE"),
        (OVERRIDE, THIEF, THIEF, "STALE"),
        (SOLICITED | OVERRIDE, THIEF, THIEF, "REACHABLE"),
        (0, THEIRS, THEIRS, "REACHABLE"),
        (SOLICITED, THEIRS, THEIRS, "REACHABLE"),
    ],
)
def test_who_may_change_an_entry(flags: int, mac: bytes, kept: bytes, state: str) -> None:
    bench = Bench()
    bench.ping(PEER6)
    bench.advertise(PEER6, SOLICITED | OVERRIDE)
    bench.advertise(PEER6, flags, mac)
    assert (bench.mac(PEER6), bench.state(PEER6)) == (kept, state)


def test_a_binding_rejects_every_lie() -> None:
    bench = Bench()
    bench.ethernet.bind(PEER6, THEIRS, 0)
    bench.advertise(PEER6, SOLICITED | OVERRIDE, THIEF)
    bench.solicit(HOST6, PEER6, solicited_node(HOST6), THIEF)
    assert bench.counted("nd-binding") == 2
    bench.ping(PEER6)
    bench.expect(PING)


def test_messages_from_beyond_a_router_are_forged() -> None:
    bench = Bench()
    packet = IpPacket(PEER6, HOST6, ICMPV6, neighbor_solicitation(HOST6, THEIRS), 254)
    bench.inject(packet)
    bench.expect_nothing()
    assert bench.counted("nd-hop-limit") == 1


def test_a_malformed_message_is_counted() -> None:
    bench = Bench()
    bench.inject_nd(IcmpMessage(6, 135, 0, 0, b"short"), PEER6, HOST6)
    bench.inject_nd(IcmpMessage(6, 135, 1, 0, HOST6), PEER6, HOST6)
    assert (bench.counted("nd-short"), bench.counted("nd-code")) == (1, 1)
    bench.expect_nothing()


# -- duplicates (RFC 4862 §5.4)


def test_an_address_is_tested_before_it_is_used() -> None:
    bench = Bench(addresses=False)
    bench.ethernet.test(HOST6, 64, 0)
    assert bench.eth0.addresses == []
    bench.pass_time(3)
    bench.expect("to 33:33:ff:00:00:01: ND is fd00::1 free?")
    assert bench.eth0.addresses == [(HOST6, 64)]
    assert bench.is_idle()


def test_another_one_tests_it_too() -> None:
    bench = Bench(addresses=False)
    bench.ethernet.test(HOST6, 64, 0)
    bench.solicit(HOST6, NOBODY, solicited_node(HOST6))
    bench.pass_time(3)
    bench.expect_nothing()
    assert bench.eth0.addresses == []
    assert bench.counted("address-duplicate") == 1


def test_it_is_taken() -> None:
    bench = Bench(addresses=False)
    bench.ethernet.test(HOST6, 64, 0)
    bench.pass_time(1)
    bench.advertise(HOST6, OVERRIDE, destination=ALL_NODES)
    bench.pass_time(3)
    assert bench.eth0.addresses == []


def test_somebody_tests_what_is_ours() -> None:
    bench = Bench()
    bench.solicit(HOST6, NOBODY, solicited_node(HOST6))
    bench.expect("to 33:33:00:00:00:01: ND fd00::1 is here")


def test_an_address_under_test_answers_nobody() -> None:
    bench = Bench(addresses=False)
    bench.ethernet.use_link_local(LOCAL6)
    bench.ethernet.test(HOST6, 64, 0)
    bench.solicit(HOST6, PEER6, solicited_node(HOST6))
    bench.expect_nothing()
    assert bench.counted("nd-tentative") == 1


def test_an_optimistic_address_is_used_at_once_and_given_up() -> None:
    config = HostConfig()
    config.neighbor.optimistic_dad = True
    bench = Bench(config, addresses=False)
    bench.ethernet.test(HOST6, 64, 0)
    assert bench.eth0.addresses == [(HOST6, 64)]
    bench.advertise(HOST6, OVERRIDE, destination=ALL_NODES)
    assert bench.eth0.addresses == []


def test_without_tests_an_address_is_there_at_once() -> None:
    config = HostConfig()
    config.neighbor.dad_transmits = 0
    bench = Bench(config, addresses=False)
    bench.ethernet.test(HOST6, 64, 0)
    assert bench.eth0.addresses == [(HOST6, 64)]


# -- what routers tell (RFC 4861 §6.3, RFC 4862 §5.5)


def test_a_host_finds_itself_an_address_and_a_way_out() -> None:
    bench = learner()
    words = [word for frame in bench.out() for word in [frame.destination]]
    assert words[1:] == [bytes.fromhex("333300000002")]  # the second frame asks all routers
    bench.router(told(Prefix(NET, 64, FOREVER, FOREVER), mtu=1400))
    bench.pass_time(3)
    assert len(found(bench)) == 1
    assert bench.host.path_mtu(FAR, bench.now) == 1400
    bench.out()
    bench.ping(FAR, source=found(bench)[0])
    bench.expect(PING)  # the router's MAC was in its advertisement
    assert bench.host.source_for(FAR, bench.now) == found(bench)[0]


def test_the_same_host_has_another_identifier_in_another_network() -> None:
    bench = learner()
    other = parse("2001:db8:2::")
    bench.router(told(Prefix(NET, 64, FOREVER, FOREVER), Prefix(other, 64, FOREVER, FOREVER)))
    bench.pass_time(3)
    (one,), (two,) = found(bench), found(bench, other)
    assert one[8:] != two[8:]
    assert one[8:] == found(again())[0][8:]


def again() -> Bench:
    bench = learner()
    bench.router(told(Prefix(NET, 64, FOREVER, FOREVER)))
    bench.pass_time(3)
    return bench


def test_an_identifier_from_the_mac() -> None:
    bench = learner(eui64=True)
    bench.router(told(Prefix(NET, 64, FOREVER, FOREVER)))
    bench.pass_time(3)
    assert found(bench) == [parse("2001:db8:1::ff:fe00:1")]


def test_a_taken_address_is_followed_by_another_one() -> None:
    bench = learner()
    bench.router(told(Prefix(NET, 64, FOREVER, FOREVER)))
    first = next(iter(bench.ethernet.detector.candidates))
    bench.advertise(first, OVERRIDE, destination=ALL_NODES)
    bench.pass_time(3)
    assert len(found(bench)) == 1
    assert found(bench) != [first]


def test_lifetimes_end() -> None:
    bench = learner()
    bench.router(told(Prefix(NET, 64, 10_000, 5_000), lifetime=100))
    bench.pass_time(3)
    assert bench.host.source_for(FAR, bench.now) == found(bench)[0]
    bench.pass_time(100)
    assert bench.host.source_for(FAR, bench.now) == b""  # no way out any more
    bench.pass_time(9_900)
    assert found(bench) == []
    assert bench.is_idle()


def test_nobody_can_take_an_address_away_at_once() -> None:
    bench = learner()
    bench.router(told(Prefix(NET, 64, FOREVER, FOREVER)))
    bench.pass_time(3)
    bench.router(told(Prefix(NET, 64, 0, 0)))
    assert len(found(bench)) == 1
    assert bench.ethernet.autoconf.prefixes[0].valid_until == bench.now + 2 * HOUR  # RFC 4862 §5.5.3 e


def test_a_router_says_farewell() -> None:
    bench = learner()
    bench.router(told(Prefix(NET, 64, FOREVER, FOREVER)))
    bench.router(told(Prefix(NET, 64, FOREVER, FOREVER), lifetime=0))
    bench.pass_time(3)
    assert bench.host.source_for(FAR, bench.now) == b""
    assert len(found(bench)) == 1


@pytest.mark.parametrize(
    ("prefix", "reason"),
    [
        (Prefix(NET, 64, 1, 2), "nd-bad-prefix"),  # preferred for longer than valid
        (Prefix(parse("fe80::"), 64, 9, 9), "nd-bad-prefix"),
        (Prefix(NET, 80, 9, 9), "nd-bad-prefix"),  # no room for 64 bits
    ],
)
def test_bad_prefixes_make_no_addresses(prefix: Prefix, reason: str) -> None:
    bench = learner()
    bench.router(told(prefix))
    bench.pass_time(3)
    assert len(bench.eth0.addresses) == 1  # link-local
    assert bench.counted(reason) == 1


def test_a_flood_of_routers_and_prefixes_is_bounded() -> None:
    bench = learner()
    for number in range(40):
        network = parse("2001:db8::")[:6] + number.to_bytes(2, "big") + bytes(8)
        source = parse("fe80::")[:15] + bytes([number])
        bench.router(told(Prefix(network, 64, FOREVER, FOREVER), mac=bytes([2, 0, 0, 0, 1, number])), source)
    bench.pass_time(3)
    assert len(bench.ethernet.autoconf.prefixes) == len(bench.ethernet.autoconf.routers) == 16
    assert bench.counted("nd-too-many-routers") == bench.counted("nd-too-many-prefixes") == 24


def test_who_is_not_told_to_learn_does_not() -> None:
    bench = Bench()
    bench.router(told(Prefix(NET, 64, FOREVER, FOREVER)))
    assert bench.counted("nd-advertisement-ignored") == 1
    learning = learner()
    learning.router(told(), source=PEER6)  # not link-local
    assert learning.counted("nd-bad-advertisement") == 1


def test_an_impossible_mtu_is_counted() -> None:
    bench = learner()
    bench.router(told(mtu=100))
    bench.router(told(mtu=9000))
    assert bench.counted("nd-mtu-out-of-bounds") == 2
    assert bench.eth0.mtu == 1500


def test_a_dead_router_is_avoided() -> None:
    bench = learner()
    other = parse("fe80::77")
    bench.router(told(Prefix(NET, 64, FOREVER, FOREVER)))
    bench.router(told(mac=THIEF), other)
    bench.pass_time(50)
    ours = found(bench)[0]
    bench.ping(FAR, source=ours)
    bench.pass_time(9)  # DELAY, then three questions that nobody answers
    assert bench.state(ROUTER6) == "FAILED"
    bench.out()
    bench.ping(FAR, source=ours)
    bench.expect("to thief: ICMP echo request")


# -- being a router


def router(interval: int = 0) -> Bench:
    config = HostConfig()
    config.forwarding = True
    bench = Bench(config)
    bench.ethernet.advertise(told(Prefix(NET, 64, FOREVER, FOREVER)), interval, 0)
    return bench


TELLS = "to 33:33:00:00:00:01: ND I am a router 2001:db8:1::/64"


def test_a_router_tells_when_asked() -> None:
    bench = router()
    bench.pass_time(0)
    bench.expect(TELLS)
    bench.pass_time(10)
    bench.expect_nothing()
    bench.inject_nd(router_solicitation(THEIRS), parse("fe80::2"), ALL_ROUTERS)
    bench.expect_nothing()
    bench.pass_time(1)  # half a second at most, drawn
    bench.expect(TELLS)
    bench.inject_nd(router_solicitation(THEIRS), parse("fe80::2"), ALL_ROUTERS)
    bench.pass_time(1)
    bench.expect_nothing()  # 3 s between two (RFC 4861 §10)
    bench.pass_time(3)
    bench.expect(TELLS)


def test_a_router_tells_again_and_again() -> None:
    bench = router(interval=60 * 10**9)
    bench.pass_time(600)
    assert 10 <= len(bench.out()) <= 30


def test_a_router_takes_it_back() -> None:
    bench = router()
    bench.pass_time(0)
    bench.out()
    bench.ethernet.advertise(None, 0, bench.now)
    bench.expect("to 33:33:00:00:00:01: ND I am no router")
    assert bench.is_idle()


def test_a_router_says_so_in_its_answers() -> None:
    bench = router()
    bench.pass_time(0)
    bench.out()
    bench.solicit(HOST6, PEER6, solicited_node(HOST6))
    (frame,) = bench.out()
    assert isinstance(frame.payload, IpPacket)
    assert isinstance(frame.payload.payload, IcmpMessage)
    assert frame.payload.payload.rest == ROUTER | SOLICITED | OVERRIDE


# -- redirects (RFC 4861 §8)


def test_a_better_way_is_taken_if_our_router_tells_it() -> None:
    bench = learner()
    bench.router(told(Prefix(NET, 64, FOREVER, FOREVER)))
    bench.pass_time(3)
    bench.out()
    better = parse("fe80::99")
    bench.inject_nd(redirect(better, FAR, THIEF, b""), parse("fe80::77"), LOCAL6)
    assert bench.counted("nd-redirect-not-our-router") == 1
    bench.inject_nd(redirect(better, FAR, THIEF, b""), ROUTER6, LOCAL6)
    bench.ping(FAR, source=found(bench)[0])
    bench.expect("to thief: ICMP echo request")
    bench.inject_nd(redirect(PEER6, FAR, THIEF, b""), ROUTER6, LOCAL6)  # to an address that is not link-local
    assert bench.counted("nd-bad-redirect") == 1


def test_our_own_mac_is_not_learned_for_others() -> None:
    bench = Bench()
    bench.ping(PEER6)
    bench.out()
    bench.advertise(PEER6, SOLICITED | OVERRIDE, b"\x33\x33\x00\x00\x00\x01")
    assert bench.state(PEER6) == "INCOMPLETE"
    assert bench.counted("neighbor-group-mac") == 1
    assert bench.mac(PEER6) != OURS


def test_a_router_without_a_link_local_address_makes_itself_one_first() -> None:
    bench = Bench(addresses=False)
    bench.host.config.forwarding = True
    bench.ethernet.advertise(told(Prefix(NET, 64, FOREVER, FOREVER)), 0, 0)
    bench.pass_time(4)
    test, answer = bench.out()
    assert isinstance(test.payload, IpPacket)
    assert test.payload.source == NOBODY
    assert isinstance(answer.payload, IpPacket)
    assert answer.payload.source == bench.ethernet.autoconf.link_local != b""
    assert bench.is_idle()


def test_what_was_redirected_to_somebody_who_does_not_answer_goes_the_old_way_again() -> None:
    bench = learner()
    bench.router(told(Prefix(NET, 64, FOREVER, FOREVER)))
    bench.pass_time(3)
    bench.out()
    own = found(bench)[0]
    bench.inject_nd(redirect(parse("fe80::99"), FAR, THIEF, b""), ROUTER6, LOCAL6)
    bench.ping(FAR, source=own)
    bench.pass_time(20)  # DELAY, PROBE, FAILED
    bench.out()
    bench.ping(FAR, source=own)
    bench.expect("to them: ICMP echo request")


def test_nobody_is_redirected_away_from_us() -> None:
    bench = learner()
    bench.router(told(Prefix(NET, 64, FOREVER, FOREVER)))
    bench.pass_time(3)
    better = parse("fe80::99")
    for target, destination in ((better, found(bench)[0]), (bench.ethernet.autoconf.link_local, FAR)):
        bench.inject_nd(redirect(target, destination, THIEF, b""), ROUTER6, LOCAL6)
    assert bench.counted("nd-bad-redirect") == 2
