"""Ethernet in the lab: switches, VLANs, loops, faults on ARP, addresses that hosts find by themselves; and that bytes
change nothing."""

from __future__ import annotations

import pytest

from netglass import HostConfig, MisuseError, Network, faults, match
from netglass.times import SECOND
from netglass.trace import Ladder, Recorder
from netglass.trace.describe import arrow_words
from netglass.trace.pcapng import EVERYWHERE, LINKTYPE_ETHERNET, frames_of, write_pcapng
from netglass.trace.table import neighbors
from netglass.wire.address import parse


def serve(io, port=80):
    listener = io.listen(port)
    while True:
        stream = yield from listener.accept()
        data = yield from stream.receive()
        yield from stream.send(data[::-1])
        stream.close()


def ask(io, server):
    stream = yield from io.connect(server, 80)
    yield from stream.send(b"hello")
    answer = yield from stream.receive()
    stream.close()
    return answer


def office(*names, seed=1, serialise=False, **cable):
    net = Network(seed=seed, serialise=serialise)
    sw = net.switch("sw")
    hosts = [net.host(name) for name in names]
    for host in hosts:
        net.cable(host, sw, delay="1 ms", **cable)
    return net, sw, hosts


def answered(net, client, server, name=None):
    if not server.netstat():
        server.spawn(serve)
    task = client.spawn(ask, name or server.name)
    net.run_until(lambda: task.done)
    return task.result


def test_hosts_at_a_switch_are_neighbours_in_one_network():
    net, sw, (a, b, c) = office("a", "b", "c")
    assert (a.address, b.address, c.address) == ("10.0.0.1", "10.0.0.2", "10.0.0.3")
    assert a.mac == "02:00:00:00:01:00"
    assert answered(net, a, b) == b"olleh"
    assert [sw.neighbor_of(each) for each in sw.table()] == ["a", "b"]
    assert neighbors(a) == "Address   Dev   MAC                State\n10.0.0.2  eth0  02:00:00:00:02:00  REACHABLE\n"
    assert "behind" in sw.text()
    assert c.neighbors() == []


def test_ipv6_goes_the_same_way():
    net, _, (a, b) = office("a", "b")
    assert answered(net, a, b, b.address6) == b"olleh"
    assert [each.address for each in a.neighbors()] == [parse(b.address6)]


def test_two_hosts_with_an_ethernet_cable_between_them():
    net = Network()
    a, b = net.host("a"), net.host("b")
    net.cable(a, b, ethernet=True)
    assert answered(net, a, b) == b"olleh"
    assert a.neighbors()


def test_a_router_between_two_switches_and_a_plain_cable():
    net = Network()
    a, b, c, r = net.host("a"), net.host("b"), net.host("c"), net.router("r")
    one, two = net.switch("one"), net.switch("two")
    for host, where in ((a, one), (b, two), (r, one), (r, two)):
        net.cable(host, where, delay="1 ms")
    net.cable(r, c, delay="1 ms")
    assert answered(net, a, b) == b"olleh"
    assert answered(net, c, b) == b"olleh"
    gateways = [entry.address for entry in a.neighbors()]
    assert gateways == [own for own, _ in r.machine.ports[0].interface.addresses if len(own) == 4]


def test_vlans_part_hosts_and_a_router_joins_them():
    net = Network()
    sw, r = net.switch("sw"), net.router("r")
    a, b = net.host("a"), net.host("b")
    net.cable(a, sw, vlan=10)
    net.cable(b, sw, vlan=20)
    assert net.resolve("a")[0] != net.resolve("b")[0]
    net.cable(r, sw, vlan=10)
    net.cable(r, sw, vlan=20)
    assert answered(net, a, b) == b"olleh"
    assert {each.vlan for each in sw.table()} == {10, 20}


def test_a_vlan_spans_two_switches():
    net = Network()
    one, two = net.switch("one"), net.switch("two")
    net.cable(one, two)
    a, b, stranger = net.host("a"), net.host("b"), net.host("stranger")
    net.cable(a, one, vlan=10)
    net.cable(b, two, vlan=10)
    net.cable(stranger, two, vlan=20)
    assert a.address.rpartition(".")[0] == b.address.rpartition(".")[0] != stranger.address.rpartition(".")[0]
    assert answered(net, a, b) == b"olleh"


def test_a_loop_of_switches_is_cut():
    net = Network()
    one, two, three = net.switch("one"), net.switch("two"), net.switch("three")
    for ends in ((one, two), (two, three), (three, one)):
        net.cable(*ends, delay="1 ms")
    a, b = net.host("a"), net.host("b")
    net.cable(a, one)
    net.cable(b, three)
    assert [plug.port.blocked for plug in three.plugs] == [False, True, False]
    assert answered(net, a, b) == b"olleh"


def test_without_spanning_tree_a_broadcast_goes_round_for_ever():
    net = Network()
    one, two = net.switch("one", stp=False), net.switch("two", stp=False)
    net.cable(one, two, delay="1 ms")
    with pytest.raises(MisuseError, match="needs a delay"):
        net.cable(one, two)
    net.cable(one, two, delay="1 ms")
    a = net.host("a")
    net.cable(a, one)
    a.ethernet().announce(parse(a.address), 0)
    net.run(until="100 ms")
    assert one.core.flooded + two.core.flooded > 100
    assert one.core.counters.counts["switch-mac-moved"] > 10


def test_faults_hit_packets_in_frames_and_arp():
    lost = [faults.drop(match.arp_reply), faults.drop(match.syn_ack)]
    net, _, (a, b) = office("a", "b", faults=lost)
    assert answered(net, a, b) == b"olleh"
    assert net.now() > SECOND
    assert [fault.fired for fault in lost] == [1, 1]


@pytest.mark.parametrize(
    ("matcher", "words"),
    [
        (match.arp, "ARP who has 10.0.0.2? tell 10.0.0.1"),
        (match.arp_request, "ARP who has 10.0.0.2? tell 10.0.0.1"),
        (match.arp.from_("a"), "ARP who has 10.0.0.2? tell 10.0.0.1"),
        (match.arp.to("10.0.0.1"), "ARP 10.0.0.2 is at 02:00:00:00:02:00"),
        (match.arp.from_("b"), "ARP 10.0.0.2 is at 02:00:00:00:02:00"),
        (match.arp & ~match.arp_request, "ARP 10.0.0.2 is at 02:00:00:00:02:00"),
        (match.arp_reply | match.rarp, "ARP 10.0.0.2 is at 02:00:00:00:02:00"),
        (match.anything, "ARP who has 10.0.0.2? tell 10.0.0.1"),
        (match.syn, "SYN seq=0"),
        (match.where(lambda packet: True), "SYN seq=0"),
    ],
)
def test_matchers_know_frames(matcher, words):
    trace = Recorder()
    net, _, (a, b) = office("a", "b", faults=[faults.drop(matcher)])
    net.observe(trace)
    assert answered(net, a, b) == b"olleh"
    (lost,) = trace.losses()
    assert " ".join(arrow_words(lost)).startswith(words)


def test_neighbour_discovery_has_matchers():
    net, _, (a, b) = office("a", "b", faults=[faults.drop(match.neighbor_solicitation)])
    assert answered(net, a, b, b.address6) == b"olleh"
    assert net.now() > SECOND


def test_a_corrupted_arp_reply_is_not_believed():
    net, _, (a, b) = office("a", "b", faults=[faults.corrupt(match.arp_reply, bit=7)])
    assert answered(net, a, b) == b"olleh"
    assert a.core.counters.counts["arp-format"] == 1


def test_partitions_hold_on_a_switch():
    net, _, (a, b, c) = office("a", "b", "c")
    net.partition(a, b)
    b.spawn(serve)
    c.spawn(serve)
    lost, reached = a.spawn(ask, "b"), a.spawn(ask, "c")
    net.run_until(lambda: lost.done and reached.done, expect_errors=True)
    assert reached.result == b"olleh"
    assert isinstance(lost.error, OSError)
    assert lost.error.errno == 113  # no answer to ARP: "No route to host"
    assert net.now() < 4 * SECOND


def busy(serialise, build=office):
    trace = Recorder()
    trouble = [faults.corruption("5%")]
    net, _, (a, b, c) = build("a", "b", "c", seed=5, serialise=serialise, loss="10%", faults=trouble)
    net.observe(trace)
    b.spawn(serve)
    for _ in range(5):
        a.spawn(ask, "b")
        c.spawn(ask, b.address6)
    net.run(until="60 s", expect_errors=True)
    return net, trace


def test_bytes_change_nothing(tmp_path):
    captures = []
    for serialise in (False, True):
        _, trace = busy(serialise)
        write_pcapng(trace, tmp_path / "x.pcapng", EVERYWHERE)
        captures.append((tmp_path / "x.pcapng").read_bytes())
    assert captures[0] == captures[1]


def test_captures_are_ethernet_where_the_interface_is():
    net = Network()
    trace = Recorder()
    net.observe(trace)
    a, r, b = net.host("a"), net.router("r"), net.host("b")
    net.cable(a, r, ethernet=True)
    net.cable(r, b)
    answered(net, a, b)
    kinds = {(frame.host, frame.interface): frame.linktype for frame in frames_of(trace)}
    assert {name for name, kind in kinds.items() if kind == LINKTYPE_ETHERNET} == {("a", "eth0"), ("r", "eth0")}
    assert len(kinds) == 4


def test_a_packet_is_captured_when_it_leaves_not_while_it_waits():
    trace = Recorder()
    net, _, (a, b) = office("a", "b")
    net.observe(trace)
    answered(net, a, b)
    first, second, third = [frame for frame in frames_of(trace) if frame.host == "a"][:3]
    assert [first.data[12:14], second.data[12:14], third.data[12:14]] == [b"\x08\x06", b"\x08\x06", b"\x08\x00"]
    assert (first.time, second.time, third.time) == (0, 4_000_000, 4_000_000)


def test_a_ladder_shows_hosts_and_the_switch_if_asked():
    trace = Recorder()
    net, _, (a, b) = office("a", "b")
    net.observe(trace)
    answered(net, a, b)
    assert trace.switches() == ["sw"]
    assert Ladder.of(trace).hosts == ["a", "b"]
    assert "ARP who has 10.0.0.2? tell" in Ladder.of(trace).text()
    assert "sw" in Ladder.of(trace, hosts=["a", "sw", "b"]).text().splitlines()[0]


# -- addresses that hosts find by themselves


def test_slaac_and_dhcp():
    net = Network()
    sw, r = net.switch("sw"), net.router("r", "192.168.1.1/24", "2001:db8:1::1/64")
    net.cable(r, sw)
    r.serve_dhcp("192.168.1.100", "192.168.1.200", router="192.168.1.1")
    r.advertise("2001:db8:1::/64")
    laptop, far = net.host("laptop", "dhcp", "slaac"), net.host("far")
    net.cable(laptop, sw)
    net.cable(r, far)
    net.run_until(lambda: len(laptop.addresses) == 2, limit="10 s")
    assert laptop.address == "192.168.1.100"
    assert laptop.address6.startswith("2001:db8:1:")
    assert net.resolve("laptop") == laptop.addresses
    for name in ("far", far.address6):
        assert answered(net, laptop, far, name) == b"olleh"
    assert laptop.dhcp is not None
    assert laptop.dhcp.state == "BOUND"


def test_rarp():
    net = Network()
    sw, server, diskless = net.switch("sw"), net.host("server", "10.1.0.1/24"), net.host("diskless", "rarp")
    net.cable(server, sw, delay="1 ms")
    server.serve_rarp({"02:00:00:00:02:00": "10.1.0.7"})
    net.cable(diskless, sw, delay="1 ms")
    net.run(until="1 s")
    assert diskless.address == "10.1.0.7"


def test_a_static_binding_by_name():
    net, _, (a, b) = office("a", "b")
    a.bind_mac(b.address, b.mac)
    assert answered(net, a, b) == b"olleh"
    assert "PERMANENT" in neighbors(a)


def test_what_makes_no_sense_is_told():
    net, sw, (a,) = office("a")
    p = net.host("p")
    with pytest.raises(MisuseError, match="Ethernet"):
        p.ethernet()
    with pytest.raises(MisuseError, match="already"):
        net.switch("a")
    with pytest.raises(MisuseError, match="two ends"):
        net.cable(sw, sw)
    with pytest.raises(MisuseError, match="another network"):
        Network().cable(sw, "x")
    with pytest.raises(MisuseError, match="network of"):
        a.serve_dhcp("192.168.7.1", "192.168.7.9")


def test_router_config_is_copied_with_its_neighbour_settings():
    config = HostConfig()
    config.neighbor.proxy_arp = True
    net = Network()
    r, sw = net.router("r", config=config), net.switch("sw")
    net.cable(r, sw)
    assert r.ethernet().port.config.proxy_arp


def test_a_router_on_a_stick_is_two_hops_in_a_ladder():
    """What comes to a switch twice, before and after a router, is followed over both ways."""
    net = Network()
    sw, r, a, b = net.switch("sw"), net.router("r"), net.host("a"), net.host("b")
    for host, vlan in ((a, 10), (b, 20), (r, 10), (r, 20)):
        net.cable(host, sw, delay="1 ms", vlan=vlan)
    trace = Recorder()
    net.observe(trace)
    answered(net, a, b)
    ladder = Ladder.of(trace, hosts=["a", "r", "b"])
    assert [(each.source, each.destination) for each in ladder.arrows() if each.kind == "syn"] == [(0, 1), (1, 2)]
