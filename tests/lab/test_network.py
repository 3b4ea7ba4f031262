"""The lab's world: order of events, addresses, routes, partitions, and that serialising changes nothing."""

from __future__ import annotations

import pytest

from netglass import MILLISECOND, NEVER, SECOND, HostConfig, MisuseError, Network, Probe, faults, forge, match
from netglass.network.fault import PASS, Fault
from netglass.wire.packet import packet_bytes


class Story(Probe):
    """Everything that happens, as lines."""

    def __init__(self):
        self.lines = []

    def packet_sent(self, host, interface, packet, tcb, now):
        self.lines.append((now, "sent", host, interface, packet_bytes(packet).hex(), tcb and tcb.state))

    def packet_received(self, host, interface, packet, now):
        self.lines.append((now, "received", host, interface, packet_bytes(packet).hex()))

    def packet_dropped(self, host, packet, reason, now):
        self.lines.append((now, "dropped", host, reason))

    def state_changed(self, host, flow, old, new, now):
        self.lines.append((now, host, flow, old, new))

    def timer_fired(self, host, flow, timer, now):
        self.lines.append((now, host, flow, timer))

    def carried(self, link, source, destination, number, packet, frame, sent, arrives, note):
        self.lines.append((sent, "carried", link, source, destination, number, arrives, note))

    def note(self, host, subject, text, now):
        self.lines.append((now, host, subject, text))

    def told(self, *words):
        return [line for line in self.lines if all(word in line for word in words)]


def echo(io, port=7):
    listener = io.listen(port)
    while True:
        stream = yield from listener.accept()
        io.spawn(echo_one, stream)


def echo_one(io, stream):
    data = yield from stream.receive()
    while data:
        yield from stream.send(data)
        data = yield from stream.receive()
    stream.close()


def ask(io, server="server", text=b"hello", port=7):
    stream = yield from io.connect(server, port)
    yield from stream.send(text)
    stream.shutdown()
    answer = yield from stream.receive_all()
    stream.close()
    return answer


def pair(seed=1, serialise=False, **cable):
    net = Network(seed, serialise)
    net.host("client")
    net.host("server")
    net.cable("client", "server", **{"delay": "10 ms", **cable})
    return net


# Order --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", " ", "two words", "client\n"])
def test_a_name_is_a_word(name):
    with pytest.raises(MisuseError, match="a name is a word"):
        Network().host(name)
    with pytest.raises(MisuseError, match="a name is a word"):
        Network().switch(name)


def test_events_of_one_moment_happen_in_the_order_in_which_they_were_entered():
    net = Network()
    seen = []
    net.at("1 s", lambda: seen.append(("a", net.now())))
    net.at("1 s", lambda: seen.append(("b", net.now())))
    net.at("1 s", lambda: seen.append(("c", net.now())))
    net.at("0.5 s", lambda: net.after("0.5 s", lambda: seen.append(("d", net.now()))))
    net.run()
    assert seen == [("a", SECOND), ("b", SECOND), ("c", SECOND), ("d", SECOND)]


def test_run_stops_at_the_time_it_was_given_that_moment_included():
    net = Network()
    seen = []
    net.at("1 s", lambda: seen.append(1))
    net.at("2 s", lambda: seen.append(2))
    net.at("3 s", lambda: seen.append(3))
    net.run(until="2 s")
    assert (seen, net.now()) == ([1, 2], 2 * SECOND)
    net.run(until="2.5 s")
    assert (seen, net.now()) == ([1, 2], 2 * SECOND + SECOND // 2)
    net.run()
    assert (seen, net.now()) == ([1, 2, 3], 3 * SECOND)


def test_the_past_is_over():
    net = Network()
    net.run(until="2 s")
    with pytest.raises(MisuseError, match="it is 2 s already"):
        net.at("1 s", print)


def test_run_until_something_is_true():
    net = pair()
    client = net.host("other")
    process = client.spawn(lambda io: io.sleep("3 s"))
    assert net.run_until(lambda: process.done)
    assert net.now() == 3 * SECOND
    assert not net.run_until(lambda: False)
    net.at("10 s", print)
    assert not net.run_until(lambda: False, limit="2 s")
    assert net.now() == 3 * SECOND


def test_a_network_that_never_rests_is_told_so():
    net = pair()

    def tick(io):
        while True:
            yield from io.sleep("1 h")

    net.hosts[0].spawn(tick)
    with pytest.raises(MisuseError, match="until"):
        net.run()


def busy_story(seed, serialise=False):
    net = pair(
        seed,
        serialise,
        rate="10 Mbit/s",
        queue=20,
        jitter="1 ms",
        loss="3%",
        faults=[faults.duplication("3%"), faults.corruption("1%")],
    )
    story = Story()
    net.observe(story)
    net.hosts[1].spawn(echo)
    asked = [net.hosts[0].spawn(ask, "server", bytes(20_000)) for _ in range(3)]
    net.run(until="60 s")
    assert [process.result for process in asked] == [bytes(20_000)] * 3
    return story.lines


def test_the_same_seed_gives_the_same_story():
    assert busy_story(1) == busy_story(1)


def test_another_seed_gives_another():
    assert busy_story(1) != busy_story(2)


def test_serialising_every_hop_changes_nothing():
    assert busy_story(1, serialise=True) == busy_story(1)


def test_observing_changes_nothing():
    def end(observed):
        net = pair(loss="10%", faults=[faults.reorder("10%", by="5 ms")])
        for _ in range(observed):
            net.observe(Probe())
        net.hosts[1].spawn(echo)
        process = net.hosts[0].spawn(ask, "server", bytes(50_000))
        net.run_until(lambda: process.done)
        return net.now(), process.result

    assert end(0) == end(1) == end(2)


def test_every_observer_hears_the_same():
    net = pair()
    first, second = Story(), Story()
    net.observe(first)
    net.observe(second)
    net.hosts[1].spawn(echo)
    net.hosts[0].spawn(ask)
    net.run()
    assert first.lines == second.lines
    assert first.told("client", "SYN-SENT", "ESTABLISHED")


def test_a_late_observer_hears_what_comes():
    net = pair()
    net.hosts[1].spawn(echo)
    process = net.hosts[0].spawn(ask)
    net.run(until="15 ms")
    story = Story()
    net.observe(story)
    net.run_until(lambda: process.done)
    assert story.lines[0][0] == 20 * MILLISECOND
    assert story.told("client", "SYN-SENT", "ESTABLISHED")


# Addresses and routes -----------------------------------------------------------------------------------------------


def test_addresses_are_given_out_by_cable_and_by_host():
    net = pair()
    client, server = net.hosts
    assert (client.address, client.address6) == ("10.0.0.1", "fd00::1")
    assert server.addresses == ("10.0.0.2", "fd00::2")
    third = net.host("third")
    net.cable(server, "third")
    assert third.addresses == ("10.0.1.3", "fd00:0:0:1::3")
    assert server.addresses == ("10.0.0.2", "fd00::2", "10.0.1.2", "fd00:0:0:1::2")
    assert net.resolve("server") == ("10.0.0.2", "10.0.1.2", "fd00::2", "fd00:0:0:1::2")
    assert net.resolve("10.0.0.9") == ("10.0.0.9",)
    assert net.resolve("nobody") == ()


def test_a_host_keeps_the_addresses_that_it_was_given():
    net = Network()
    client = net.host("client", "192.0.2.1/28")
    server = net.host("server", "198.51.100.7", "2001:db8::7")
    net.cable(client, server)
    assert client.addresses == ("192.0.2.1",)
    assert server.addresses == ("198.51.100.7", "2001:db8::7")
    assert talk(net, client, server) == b"hello"
    with pytest.raises(MisuseError, match="no IPv6 address"):
        client.address6  # noqa: B018


def talk(net, client, server):
    server.spawn(echo)
    process = client.spawn(ask, server.name)
    net.run_until(lambda: process.done)
    return process.result


def test_more_hosts_than_a_byte_counts():
    net = Network()
    center = net.router("center")
    hosts = [net.host(f"h{n}") for n in range(300)]
    for host in hosts:
        net.cable(center, host, delay="1 ms")
    assert len({address for host in net.hosts for address in host.addresses}) == 4 * 300
    assert talk(net, hosts[0], hosts[299]) == b"hello"
    assert net.now() == 4 * 4 * MILLISECOND // 2


def chain():
    """client - r1 - r2 - server, and a longer way r1 - r3 - r4 - r2."""
    net = Network()
    for name in ("client", "server"):
        net.host(name)
    for name in ("r1", "r2", "r3", "r4"):
        net.router(name)
    for a, b in (("client", "r1"), ("r1", "r3"), ("r3", "r4"), ("r4", "r2"), ("r1", "r2"), ("r2", "server")):
        net.cable(a, b, delay="1 ms")
    return net


def test_packets_take_the_shortest_way_over_routers():
    net = chain()
    story = Story()
    net.observe(story)
    client, server = net.hosts[:2]
    assert talk(net, client, server) == b"hello"
    assert [line[2] for line in story.told("carried")[:6]] == [
        *("client-r1", "r1-r2", "r2-server"),
        *("r2-server", "r1-r2", "client-r1"),
    ]
    assert not [line for line in story.told("carried") if "r3" in line or "r4" in line]


def test_every_host_reaches_every_address_of_every_other():
    net = chain()
    for host in net.hosts:
        host.spawn(echo)
    asked = [
        (asker.name, address, asker.spawn(ask, address))
        for asker in net.hosts
        for other in net.hosts
        for address in other.addresses
        if asker is not other
    ]
    net.run(until="1 s")
    assert [(name, address) for name, address, process in asked if process.result != b"hello"] == []


def test_a_cable_laid_later_is_used():
    net = chain()
    client, server = net.hosts[:2]
    assert talk(net, client, server) == b"hello"
    story = Story()
    net.observe(story)
    net.cable("r1", "server", delay="1 ms")
    process = client.spawn(ask)
    net.run_until(lambda: process.done)
    assert {line[2] for line in story.told("carried", "r1")} == {"client-r1", "r1-server"}


def test_a_host_does_not_forward():
    net = Network()
    for name in ("a", "b", "c"):
        net.host(name)
    net.cable("a", "b")
    net.cable("b", "c")
    process = net.hosts[0].spawn(ask, "c")
    net.run(until="300 s", expect_errors=True)
    assert isinstance(process.error, OSError)


def test_two_cables_between_two_hosts_have_two_names():
    net = pair()
    assert net.cable("client", "server").name == "client-server#2"
    assert net.cable("client", "server").name == "client-server#3"


# Trouble ------------------------------------------------------------------------------------------------------------


def test_a_partition_ends_when_it_is_healed():
    net = pair()
    story = Story()
    net.observe(story)
    client, server = net.hosts
    server.spawn(echo)
    net.partition(client, "server")
    process = client.spawn(ask)
    net.run(until="2 s")
    assert not process.done
    assert [line[0] for line in story.told("carried", "partition")] == [0, SECOND]
    net.heal()
    net.run_until(lambda: process.done)
    assert process.result == b"hello"
    assert 3 * SECOND <= net.now() < 4 * SECOND  # the third SYN


def test_a_partition_separates_only_the_two_groups():
    net = Network()
    center = net.router("center")
    names = ("a", "b", "c")
    for name in names:
        net.host(name)
        net.cable(name, center, delay="1 ms")
    net.partition(["a"], ["b"])
    for name in names:
        net.hosts[1 + names.index(name)].spawn(echo)
    asked = {(one.name, other): one.spawn(ask, other) for one in net.hosts[1:] for other in names if one.name != other}
    net.run(until="10 s")
    assert sorted(ends for ends, process in asked.items() if not process.done) == [("a", "b"), ("b", "a")]


def test_what_is_under_way_arrives_after_a_partition():
    net = pair()
    story = Story()
    net.observe(story)
    net.hosts[0].spawn(ask)
    net.at("5 ms", lambda: net.partition("client", "server"))
    net.run(until="100 ms", expect_errors=True)
    assert [line[:3] for line in story.told("received")] == [(10 * MILLISECOND, "received", "server")]


def test_the_mtu_of_a_cable_is_that_of_the_interfaces():
    net = pair(mtu=600)
    story = Story()
    net.observe(story)
    client, server = net.hosts
    server.spawn(echo)
    process = client.spawn(ask, "server", bytes(5000))
    net.run()
    assert process.result == bytes(5000)
    sizes = {len(line[4]) // 2 for line in story.told("sent")}
    assert max(sizes) == 600


def test_super_segments_pass_where_both_ends_offload():
    net = pair(offload=True)
    story = Story()
    net.observe(story)
    client, server = net.hosts
    server.spawn(echo)
    process = client.spawn(ask, "server", bytes(100_000))
    net.run()
    assert process.result == bytes(100_000)
    assert max(len(line[4]) // 2 for line in story.told("sent")) > 10_000
    assert not story.told("dropped")


def test_a_forged_packet_goes_out_as_it_is():
    net = pair()
    story = Story()
    net.observe(story)
    client, server = net.hosts
    server.spawn(echo)
    net.run(until="1 s")
    packet = forge("203.0.113.5", 4000, server.address, 7, "S", seq=1000, mss=1460)
    client.inject(packet)
    net.run(until="1.1 s")
    first, answer = story.told("received", "server")[0], story.told("sent", "server")[0]
    assert first == (SECOND + 10 * MILLISECOND, "received", "server", "eth0", packet_bytes(packet).hex())
    assert answer[0] == SECOND + 10 * MILLISECOND
    assert [(entry.state, entry.remote_port) for entry in server.netstat() if entry.remote_port] == [
        ("SYN-RECEIVED", 4000)
    ]


def test_calls_on_sockets_from_outside_take_effect_when_the_network_runs():
    net = pair()
    client, server = net.hosts
    server.spawn(echo)
    net.run(until="1 s")
    fd = client.sockets.socket(2, 1)
    client.sockets.connect(fd, ("10.0.0.2", 7), net.now())
    net.run(until="2 s")
    assert client.sockets.connect(fd, ("10.0.0.2", 7), net.now()) == 0
    assert client.sockets.send(fd, b"hello", net.now()) == 5
    net.run(until="3 s")
    assert client.sockets.recv(fd, 100, net.now()) == b"hello"


def test_the_world_waits_until_a_deadline_or_until_somebody_was_woken():
    net = pair()
    net.at("1 s", net.interrupt)
    net.wait(5 * SECOND)
    assert net.now() == SECOND
    net.wait(5 * SECOND)
    assert net.now() == 5 * SECOND
    net.wait(NEVER)
    assert net.now() == 5 * SECOND
    assert not net.run_next()
    net.at("6 s", lambda: None)
    assert net.run_next()
    assert net.now() == 6 * SECOND


# Mistakes -----------------------------------------------------------------------------------------------------------


def test_mistakes_are_told():
    net = pair()
    with pytest.raises(MisuseError, match="already"):
        net.host("client")
    with pytest.raises(MisuseError, match="'nobody'; there are client, server"):
        net.cable("client", "nobody")
    with pytest.raises(MisuseError, match="two ends"):
        net.cable("client", "client")
    with pytest.raises(MisuseError, match="another network"):
        net.cable("client", Network().host("stranger"))
    net.host("twin", "10.0.0.1")
    with pytest.raises(MisuseError, match="belongs to 'client'"):
        net.cable("twin", "server")
    with pytest.raises(MisuseError, match="prefix"):
        net.host("wide", "10.0.0.1/33")


def test_a_host_keeps_its_configuration():
    net = Network()
    config = HostConfig()
    config.default_ttl_hops = 9
    host = net.host("a", config=config)
    net.host("b")
    net.cable("a", "b")
    story = Story()
    net.observe(story)
    host.spawn(ask, "b")
    net.run(expect_errors=True)
    assert story.told("sent", "a")[0][4][16:18] == "09"


def test_a_router_leaves_the_configuration_of_others_alone():
    config = HostConfig()
    config.default_ttl_hops = 9
    net = Network()
    router, host = net.router("r", config=config), net.host("h", config=config)
    assert (router.config.forwarding, router.config.default_ttl_hops) == (True, 9)
    assert not host.config.forwarding


def test_what_cannot_leave_is_told():
    net = Network()
    host = net.host("alone")
    with pytest.raises(OSError, match="ENETUNREACH: inject on alone"):
        host.inject(forge("192.0.2.1", 1, "192.0.2.2", 2))


def test_a_fault_finds_hosts_by_name_behind_routers():
    net = chain()
    net.cables[4].add_fault(faults.drop(match.syn_ack.from_("server"), times=2))
    client, server = net.hosts[:2]
    assert talk(net, client, server) == b"hello"
    assert SECOND < net.now() < 2 * SECOND


# What a beginner does wrong ------------------------------------------------------------------------------------------

WRONG = (MisuseError, TypeError)
"""TypeError: when compiled, some calls refuse the type of an argument before the code can."""


def test_one_fault_needs_no_list():
    net = pair(faults=faults.drop(match.syn))
    assert repr(net.cables[0]) == "<cable client-server: 10 ms one way, drop SYN>"


@pytest.mark.parametrize(
    ("cable", "told"),
    [
        ({"delay": 0.02}, r"20ms|object expected"),
        ({"faults": ["x"]}, r"faults\.drop|object expected"),
        ({"rate": 0.5}, r"a rate, written like|object expected"),
        ({"queue": 0.5}, r"64 KiB|object expected"),
    ],
)
def test_what_no_cable_can_have_is_told(cable, told):
    with pytest.raises(WRONG, match=told):
        pair(**cable)


class Nameless(Fault):
    def __init__(self):
        pass

    def judge(self, packet, now, rng):
        return PASS


class Thoughtless(Fault):
    def __init__(self, answer):
        super().__init__("thoughtless")
        self.answer = answer

    def judge(self, packet, now, rng):
        return self.answer


def test_a_fault_that_forgets_its_parent_is_told():
    with pytest.raises(MisuseError, match=r"Nameless.__init__ must call super\(\).__init__"):
        pair(faults=Nameless())


@pytest.mark.parametrize("answer", [None, True])
def test_a_fault_that_says_neither_pass_nor_a_verdict_is_told(answer):
    net = pair(faults=Thoughtless(answer))
    net.hosts[0].spawn(ask)
    with pytest.raises(WRONG, match="Verdict"):
        net.run()


def test_a_partition_has_two_sides():
    net = pair()
    with pytest.raises(MisuseError, match="client would be on both sides"):
        net.partition("client", ["client", "server"])


def test_time_does_not_run_back():
    net = pair()
    net.run(until="5 s")
    with pytest.raises(MisuseError, match="it is 5 s already: until='1 s' is past"):
        net.run(until="1 s")
    net.run(until="5 s")
