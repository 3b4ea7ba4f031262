"""The switch as a value: learning, ageing, limits, VLANs, what it does not let through."""

from __future__ import annotations

import pytest

from netglass.errors import MisuseError
from netglass.network.switch import Switch, SwitchPort
from netglass.times import SECOND
from netglass.wire.address import parse
from netglass.wire.arp import REPLY, ArpMessage
from netglass.wire.ethernet import BROADCAST_MAC, UNTAGGED, EthernetFrame, parse_mac

ONE, TWO, THREE = [bytes([2, 0, 0, 0, 0, each]) for each in (1, 2, 3)]


def switch(*ports: SwitchPort, **settings: int) -> Switch:
    made = Switch("sw", **settings)
    for port in ports or (SwitchPort(), SwitchPort(), SwitchPort()):
        made.add_port(port)
    return made


def frame(to: bytes, by: bytes, tag: int = UNTAGGED) -> EthernetFrame:
    return EthernetFrame(to, by, b"words", 0x88B5, tag)


def ports(sw: Switch, sent: EthernetFrame, port: int, now: int = 0) -> list[int]:
    return [number for number, _ in sw.receive(sent, port, now)]


def test_what_it_does_not_know_goes_everywhere_what_it_knows_only_there() -> None:
    sw = switch()
    assert ports(sw, frame(TWO, ONE), 0) == [1, 2]
    assert ports(sw, frame(ONE, TWO), 1) == [0]
    assert ports(sw, frame(TWO, ONE), 0) == [1]
    assert ports(sw, frame(BROADCAST_MAC, ONE), 0) == [1, 2]
    assert (sw.forwarded, sw.flooded) == (2, 2)
    assert [(each.mac, each.port) for each in sw.table(0)] == [(ONE, 0), (TWO, 1)]


def test_the_frame_passes_unchanged() -> None:
    sw = switch()
    sent = frame(TWO, ONE)
    assert all(out is sent for _, out in sw.receive(sent, 0, 0))


def test_what_was_not_heard_for_long_is_forgotten() -> None:
    sw = switch(ageing=300 * SECOND)
    sw.receive(frame(TWO, ONE), 0, 0)
    assert ports(sw, frame(ONE, TWO), 1, 300 * SECOND - 1) == [0]
    assert ports(sw, frame(ONE, TWO), 1, 300 * SECOND) == [0, 2]
    assert [each.mac for each in sw.table(300 * SECOND)] == [TWO]


def test_a_host_that_moves_is_found_again() -> None:
    sw = switch()
    sw.receive(frame(TWO, ONE), 0, 0)
    sw.receive(frame(TWO, ONE), 2, 1)
    assert ports(sw, frame(ONE, TWO), 1, 2) == [2]
    assert sw.counters.counts == {"switch-mac-moved": 1}


def test_a_full_table_forgets_nobody_and_floods() -> None:
    sw = switch(table_limit=2)
    for source in (ONE, TWO, THREE):
        sw.receive(frame(BROADCAST_MAC, source), 0, 0)
    assert sw.counters.counts == {"switch-table-full": 1}
    assert ports(sw, frame(ONE, TWO), 1) == [0]
    assert ports(sw, frame(THREE, TWO), 1) == [0, 2]
    # What is too old makes room.
    sw.receive(frame(BROADCAST_MAC, THREE), 0, sw.ageing)
    assert [each.mac for each in sw.table(sw.ageing)] == [THREE]


def test_vlans_do_not_hear_each_other() -> None:
    sw = switch(SwitchPort(10), SwitchPort(10), SwitchPort(20), SwitchPort(1, frozenset({10, 20})))
    assert ports(sw, frame(BROADCAST_MAC, ONE), 0) == [1, 3]
    assert ports(sw, frame(ONE, TWO), 2) == [3]  # known, but in another VLAN
    assert [out.tag for _, out in sw.receive(frame(BROADCAST_MAC, ONE), 0, 0)] == [UNTAGGED, 10]


def test_a_trunk_takes_tags_off_and_puts_them_on() -> None:
    sw = switch(SwitchPort(10), SwitchPort(1, frozenset({10, 20})))
    ((_, out),) = sw.receive(frame(BROADCAST_MAC, ONE, 0x6000 | 10), 1, 0)
    assert out.tag == UNTAGGED
    assert ports(sw, frame(BROADCAST_MAC, ONE, 30), 1) == []  # not one of the trunk's
    assert ports(sw, frame(BROADCAST_MAC, ONE), 1) == []  # the native VLAN 1: nobody else is in it
    assert ports(sw, frame(BROADCAST_MAC, ONE, 20), 0) == []  # an access port takes no other VLAN
    assert sw.counters.counts == {"switch-vlan": 2}


def test_the_priority_of_a_tag_survives_from_trunk_to_trunk() -> None:
    sw = switch(SwitchPort(1, frozenset({10})), SwitchPort(1, frozenset({10})))
    sent = frame(BROADCAST_MAC, ONE, 0xA00A)
    assert sw.receive(sent, 0, 0) == [(1, sent)]


def test_what_no_switch_passes_on() -> None:
    sw = switch()
    assert ports(sw, frame(TWO, BROADCAST_MAC), 0) == []
    assert ports(sw, frame(parse_mac("01:80:c2:00:00:00"), ONE), 0) == []
    sw.ports[0].blocked = True
    assert ports(sw, frame(TWO, ONE), 0) == []
    assert ports(sw, frame(ONE, TWO), 1) == [2]
    assert sw.counters.counts == {"switch-source-mac": 1, "switch-reserved-mac": 1, "switch-port-blocked": 1}


def test_a_frame_to_where_it_came_from_ends() -> None:
    sw = switch()
    sw.receive(frame(TWO, ONE), 0, 0)
    assert ports(sw, frame(ONE, TWO), 0) == []
    assert sw.counters.counts == {"switch-same-port": 1}


def test_arp_that_lies_about_a_bound_address_does_not_pass() -> None:
    sw = switch()
    address = parse("10.0.0.1")
    sw.bind(address, ONE)
    lie = ArpMessage(REPLY, THREE, address, TWO, parse("10.0.0.2"))
    truth = ArpMessage(REPLY, ONE, address, TWO, parse("10.0.0.2"))
    assert ports(sw, EthernetFrame(TWO, THREE, lie), 2) == []
    assert ports(sw, EthernetFrame(TWO, ONE, truth), 0) == [1, 2]
    assert sw.counters.counts == {"switch-arp-binding": 1}


def test_what_makes_no_sense_is_told() -> None:
    with pytest.raises(MisuseError, match="1 to 4094"):
        SwitchPort(0)
    with pytest.raises(MisuseError, match="1 to 4094"):
        SwitchPort(1, frozenset({4095}))
    with pytest.raises(MisuseError, match="one MAC"):
        switch().bind(parse("10.0.0.1"), BROADCAST_MAC)
