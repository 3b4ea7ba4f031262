"""The experiments about Ethernet: what they measure is what the protocols demand."""

from __future__ import annotations

import pytest

from netglass.experiments import by_name
from netglass.times import MILLISECOND, SECOND


def figures(name, **parameters):
    return by_name(name).run(**parameters).figures


def test_arp():
    found = figures("arp")
    assert found["heard_by"] == ["other", "server"]
    assert found["mac"] == "02:00:00:00:02:00"
    assert found["waited"] == 4 * MILLISECOND  # one round trip over two cables of 1 ms
    assert found["states"] == ["INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE", "REACHABLE"]
    assert (found["unanswered"], found["error"], found["error_after"]) == (3, "EHOSTUNREACH", 3 * SECOND)


def test_arp_spoofing_and_its_cures():
    found = figures("arp-spoofing")
    assert found["none"]["secret_read"]
    assert found["none"]["over_the_attacker"] == 2  # there and back
    for cure in ("binding", "switch"):
        assert found[cure]["refused"] == found[cure]["lies"] == 2
        assert found[cure]["over_the_attacker"] == 0
        assert not found[cure]["secret_read"]
    assert {each["answer"] for each in found.values()} == {"I heard: the password is swordfish"}


def test_rarp():
    found = figures("rarp")
    assert (found["mac"], found["address"]) == ("02:00:00:00:03:00", "10.0.0.77")
    assert (found["requests"], found["replies"], found["refused"]) == (1, 1, 1)
    assert found["after"] == 4 * MILLISECOND
    assert found["answer"] == "I heard: good morning"


@pytest.mark.parametrize("table", [3, 64, 1000])
def test_mac_learning(table):
    found = figures("mac-learning", table=table)
    learned, full = found["learned"], found["full"]
    assert (learned["known"], learned["flooded"], learned["forwarded"]) == (2, 1, 3)
    assert (learned["heard"], learned["secret_heard"]) == (1, False)
    assert (full["known"], full["forwarded"], full["not_learned"]) == (table, 0, 4)
    assert full["secret_heard"]


def test_neighbour_discovery():
    found = figures("neighbour-discovery")
    assert found["link_local"].startswith("fe80::")
    assert found["address"].startswith("2001:db8:1:")
    assert (found["tests"], found["questions"], found["broadcasts"]) == (2, 1, 0)
    assert found["router_after"] < found["ready_after"] < 5 * SECOND
    assert found["answer"] == "I heard: good morning"


def test_an_address_that_is_taken_is_not_used():
    found = figures("neighbour-discovery", taken="yes")
    assert found["taken"] == 1
    assert found["address"].startswith("2001:db8:1:")
    assert found["address"] not in found["rejected"]
    assert found["address"] != figures("neighbour-discovery")["address"]


@pytest.mark.parametrize(("lease", "seconds"), [("1h", 3600), ("4min", 240)])
def test_dhcp(lease, seconds):
    found = figures("dhcp", lease=lease)
    assert found["messages"] == ["DISCOVER", "OFFER", "REQUEST", "ACK"]
    assert found["address"] == "10.0.0.100"
    assert found["bound_after"] == 8 * MILLISECOND
    assert found["states"][:4] == ["SELECTING", "BOUND", "RENEWING", "BOUND"]
    assert found["states"][-2:] == ["REBINDING", "SELECTING"]
    assert found["addresses_left"] == []
    assert 0 < found["lost_after"] < seconds * SECOND
    assert found["unanswered"] > 1
