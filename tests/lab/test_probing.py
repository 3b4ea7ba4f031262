"""ping and traceroute as programs of the lab."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from netglass import MisuseError, Network
from netglass.lab.host import LabHost
from netglass.lab.io import Io
from netglass.lab.probing import Answer, Hop
from netglass.network.faults import drop
from netglass.network.match import icmp
from netglass.times import MILLISECOND, NEVER

Ask = Callable[[Io], Generator[Any, None, Any]]


def routed() -> tuple[Network, LabHost]:
    """client - one - two - server: 16 ms there and back, with a narrow place."""
    net = Network(seed=1)
    client, server, one, two = net.host("client"), net.host("server"), net.router("one"), net.router("two")
    net.cable(client, one, delay="1ms")
    net.cable(one, two, delay="5ms", mtu=1280)
    net.cable(two, server, delay="2ms")
    return net, client


def ask(net: Network, host: LabHost, what: Ask) -> Any:
    process = host.spawn(what)
    net.run()
    return process.result


@pytest.mark.parametrize("size", [0, 56, 5000, 65507])
@pytest.mark.parametrize("six", [False, True])
def test_ping(size: int, six: bool):
    net, client = routed()
    target = net.hosts[1].address6 if six else "server"
    answers = ask(net, client, lambda io: io.ping(target, count=4, size=size, interval="100ms", timeout="100ms"))
    # IPv6 is cut by its sender only, so both ends must first learn how narrow the path is (RFC 8201).
    lost = ["packet too big", ""] if six and size > 1280 else []
    assert [each.says for each in answers] == [*lost, *["echo reply"] * (4 - len(lost))]
    assert answers[3].time == 16 * MILLISECOND
    assert answers[3].address == (net.hosts[1].address6 if six else net.hosts[1].address)
    assert answers[3].ttl_hops == 62


def test_a_ping_without_an_answer():
    net, client = routed()
    net.cables[2].add_fault(drop(icmp.to("server"), nth=2))
    answers = ask(net, client, lambda io: io.ping("server", timeout="200ms"))
    assert [each.says for each in answers] == ["echo reply", "", "echo reply"]
    assert (answers[1].time, answers[1].address, repr(answers[1])) == (NEVER, "", "<2: no answer>")


def test_the_time_to_live_of_a_ping():
    net, client = routed()
    answers: list[Answer] = ask(net, client, lambda io: io.ping("server", count=1, ttl_hops=2))
    assert [(each.says, each.time) for each in answers] == [("time exceeded", 12 * MILLISECOND)]
    assert repr(answers[0]).startswith("<1: time exceeded from 10.0.1.")


@pytest.mark.parametrize("by", ["udp", "icmp"])
@pytest.mark.parametrize("six", [False, True])
def test_traceroute(by: str, six: bool):
    net, client = routed()
    target = net.hosts[1].address6 if six else "server"
    hops: list[Hop] = ask(net, client, lambda io: io.traceroute(target, by=by))
    names = [net.hosts[0].name_of(hop.address) for hop in hops]
    assert names == ["one", "two", "server"]
    assert [hop.answers[2].time // MILLISECOND for hop in hops] == [2, 12, 16]
    assert {each.says for each in hops[-1].answers} == {"port unreachable" if by == "udp" else "echo reply"}


def test_a_traceroute_that_meets_silence():
    net, client = routed()
    net.cables[0].add_fault(drop(icmp.from_("one")))
    hops: list[Hop] = ask(net, client, lambda io: io.traceroute("server", most=3, probes=1))
    assert hops[0].address == ""
    assert repr(hops[0]) == "<hop 1: * *>"
    assert hops[2].answers[0].reached


def test_two_pings_at_once_hear_their_own():
    net, client = routed()
    one = client.spawn(lambda io: io.ping("server", interval="10ms"))
    other = client.spawn(lambda io: io.ping("two", interval="10ms"))
    net.run()
    assert [each.time // MILLISECOND for each in one.result] == [16, 16, 16]
    assert [each.time // MILLISECOND for each in other.result] == [12, 12, 12]


def test_what_traceroute_does_not_know():
    net, client = routed()
    with pytest.raises(MisuseError, match='"udp" or by "icmp"'):
        client.spawn(lambda io: io.traceroute("server", by="tcp"))
    assert net.waiting() == []
