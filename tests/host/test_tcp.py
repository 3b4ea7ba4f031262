"""TCP as a host does it: who gets a segment, who is refused, what is forgotten."""

from __future__ import annotations

import pytest

from netglass.errnos import ECONNREFUSED, ENETUNREACH
from netglass.host.config import HostConfig
from netglass.host.host import Host
from netglass.tcp.config import TcpSettings
from netglass.tcp.connection import Connection
from netglass.tcp.listener import Listener
from netglass.tcp.state import CLOSED, ESTABLISHED, SYN_SENT, TIME_WAIT
from netglass.times import HOUR, NEVER, SECOND
from netglass.wire.address import parse
from netglass.wire.ip import IpPacket
from netglass.wire.tcp import ACK, FIN, PSH, RST, SYN
from netglass.world import POLLHUP, POLLIN, POLLOUT, Waker
from tests.host.bench import ANY, HOST, PEER, PEER6, Bench, Told, pair


class Woken(Waker):
    def __init__(self) -> None:
        self.bits: list[int] = []

    def wake(self, events: int) -> None:
        self.bits.append(events)


def listen(host: Host, port: int = 80, local: bytes = ANY, backlog: int = 5) -> Listener:
    made = host.listen_tcp(local, port, backlog, TcpSettings(), 0)
    assert isinstance(made, Listener)
    return made


def connect(host: Host, remote: bytes, port: int = 80) -> Connection:
    made = host.connect_tcp(ANY, 0, remote, port, TcpSettings(), 0)
    assert isinstance(made, Connection)
    return made


def accept(listener: Listener) -> Connection:
    made = listener.accept(0)
    assert made is not None
    return made


# -- a conversation


@pytest.mark.parametrize("remote", [PEER, PEER6])
def test_two_hosts_talk_and_part_and_nothing_is_left(remote: bytes):
    scene, client, server = pair()
    listener = listen(server)
    mine = connect(client, remote)
    assert mine.tcb.state is SYN_SENT
    scene.settle()
    theirs = accept(listener)
    assert mine.tcb.state is ESTABLISHED
    mine.send(b"ping", 0)
    client.touch(mine, 0)
    scene.settle()
    assert theirs.receive(100, 0) == b"ping"
    theirs.send(b"pong", 0)
    server.touch(theirs, 0)
    scene.settle()
    assert mine.receive(100, 0) == b"pong"
    mine.close(0)
    client.touch(mine, 0)
    scene.settle()
    assert theirs.receive(100, 0) == b""
    theirs.close(0)
    server.touch(theirs, 0)
    scene.settle()
    assert mine.tcb.state is TIME_WAIT
    assert [entry.state for entry in server.sockets()] == ["LISTEN"]
    scene.run_until(61 * SECOND)
    assert client.sockets() == []
    assert client.deadline == NEVER
    assert not client.counters.counts
    assert not server.counters.counts


@pytest.mark.parametrize("remote", ["127.0.0.1", "127.9.9.9", "::1", "10.0.0.1", "0.0.0.0"])
def test_a_host_talks_to_itself(remote: str):
    bench = Bench()
    listener = bench.listen()
    mine = bench.connect(parse(remote))
    bench.expect_nothing()  # nothing leaves by an interface
    theirs = accept(listener)
    mine.send(b"x" * 100_000, 0)
    bench.host.touch(mine, 0)
    bench.expect_nothing()
    assert theirs.receive(200_000, 0) == b"x" * 100_000
    assert bench.host.loopback.in_packets == bench.host.loopback.out_packets > 3


def test_connections_to_oneself_use_the_mtu_of_the_loopback():
    bench = Bench()
    bench.listen()
    assert bench.connect(HOST).tcb.mtu == 65535
    assert bench.connect(PEER).tcb.mtu == 1500


def test_a_super_segment_leaves_only_by_an_interface_with_offload():
    sizes = []
    for offload in (False, True):
        bench = Bench()
        fast = bench.host.add_interface("fast", 1500, offload)
        bench.host.add_address(fast, parse("10.9.0.1"), 24)
        listener = bench.listen()
        bench.inject_tcp(SYN, 100, source=parse("10.9.0.2"), destination=parse("10.9.0.1"))
        syn_ack = bench.out_tcp()
        bench.inject_tcp(ACK, 101, syn_ack.seq + 1, source=parse("10.9.0.2"), destination=parse("10.9.0.1"))
        bench.expect_nothing()
        theirs = accept(listener)
        theirs.send(b"x" * 5000, 0)
        bench.host.touch(theirs, 0)
        sizes.append(bench.out_tcp().length)
    assert sizes[0] == 536  # no MSS in the SYN
    assert sizes[1] > 1500
    assert sizes[1] % 536 == 0 or sizes[1] == 5000


# -- who gets it


def test_a_listener_on_an_address_goes_before_one_on_any():
    bench = Bench()
    config = TcpSettings()
    anybody = listen(bench.host, 80, ANY)
    assert bench.host.listen_tcp(HOST, 80, 5, config, 0) < 0  # type: ignore[operator]
    bench.host.close_listener(anybody, 0)
    exact = listen(bench.host, 80, HOST)
    loop = listen(bench.host, 80, parse("127.0.0.1"))
    bench.inject_tcp(SYN, 1)
    assert (len(exact.half_open), len(loop.half_open)) == (1, 0)


def test_a_listener_for_ipv6_only_does_not_hear_ipv4():
    bench = Bench()
    listen(bench.host, 80, bytes(16))
    bench.inject_tcp(SYN, 1)
    assert bench.out_tcp().flags == RST | ACK
    bench.inject_tcp(SYN, 1, source=PEER6, destination=parse("fd00::1"))
    assert bench.out_tcp().flags == SYN | ACK


def test_a_segment_for_nobody_is_answered_as_the_rfc_says():
    bench = Bench()
    # RFC 9293 §3.10.7.1: without ACK the reset acknowledges, with it takes its sequence number from there.
    bench.inject_tcp(SYN | PSH, 100, data=b"abc")
    reset = bench.out_tcp()
    assert (reset.flags, reset.seq, reset.ack) == (RST | ACK, 0, 104)
    bench.inject_tcp(FIN, 0xFFFFFFFF)
    reset = bench.out_tcp()
    assert (reset.flags, reset.seq, reset.ack) == (RST | ACK, 0, 0)
    bench.inject_tcp(ACK, 100, 777)
    reset = bench.out_tcp()
    assert (reset.flags, reset.seq, reset.ack) == (RST, 777, 0)
    bench.inject_tcp(RST, 100)
    bench.expect_nothing()
    assert bench.counters == {"tcp-closed-port": 4}


def test_a_refused_connection_is_told_and_forgotten():
    scene, client, _ = pair()
    waker = Woken()
    connection = connect(client, PEER, 81)
    connection.waker = waker
    scene.settle()
    assert connection.take_error() == ECONNREFUSED
    assert waker.bits
    assert waker.bits[-1] & (POLLIN | POLLOUT | POLLHUP)
    assert client.sockets() == []


def test_no_route_to_a_remote_end_or_one_that_is_many():
    bench = Bench()
    bench.host.remove_route(bytes(4), 0)
    for remote in ("192.0.2.1", "224.0.0.1", "10.0.0.255", "255.255.255.255", "2001:db8::1"):
        assert bench.host.connect_tcp(ANY, 0, parse(remote), 80, TcpSettings(), 0) == -ENETUNREACH


def test_a_segment_after_the_end_in_the_same_burst_finds_nobody():
    bench = Bench()
    connection = bench.connect(port=5000)
    iss = bench.out_tcp().seq
    bench.inject_tcp(SYN | ACK, 100, iss + 1, port=5000, source_port=80)
    bench.inject_tcp(RST, 101, 0, port=5000, source_port=80)
    assert connection.tcb.state is CLOSED
    bench.inject_tcp(ACK, 101, 999, port=5000, source_port=80)
    assert bench.host.sockets() == []
    answers = [bench.poll(), bench.poll(), bench.poll()]
    assert [packet is None for packet in answers] == [False, True, True]
    assert bench.counters["tcp-closed-port"] == 1


def test_one_acknowledgement_answers_a_burst_that_came_together():
    bench = Bench()
    config = bench.host.config.tcp
    config.quick_acks = 0
    listener = bench.listen()
    bench.inject_tcp(SYN, 100)
    syn_ack = bench.out_tcp()
    bench.inject_tcp(ACK, 101, syn_ack.seq + 1)
    bench.expect_nothing()
    waker = Woken()
    accept(listener).waker = waker
    for i in range(10):
        bench.inject_tcp(ACK, 101 + 536 * i, syn_ack.seq + 1, data=bytes(536))
    assert bench.out_tcp().ack == 101 + 5360
    bench.expect_nothing()
    assert len(waker.bits) == 1
    assert waker.bits[0] & POLLIN


# -- TIME-WAIT


def in_time_wait(config: HostConfig | None = None) -> tuple[Bench, Listener, int, int]:
    """The host closed first. Its end is (80, 4000); returns the numbers (rcv_nxt, snd_nxt) of the connection."""
    bench = Bench(config)
    listener = bench.listen()
    bench.inject_tcp(SYN, 100)
    iss = bench.out_tcp().seq
    bench.inject_tcp(ACK, 101, iss + 1)
    bench.expect_nothing()
    connection = accept(listener)
    connection.close(0)
    bench.host.touch(connection, 0)
    assert bench.out_tcp().flags & FIN
    bench.inject_tcp(FIN | ACK, 101, iss + 2)
    assert bench.out_tcp().flags == ACK
    assert connection.tcb.state is TIME_WAIT
    return bench, listener, 102, iss + 2


def test_a_newer_syn_begins_a_new_connection_out_of_time_wait():
    bench, listener, rcv_nxt, snd_nxt = in_time_wait()
    bench.inject_tcp(SYN, rcv_nxt + 5000)
    answer = bench.out_tcp()
    assert answer.flags == SYN | ACK
    assert (answer.seq - snd_nxt) & 0xFFFFFFFF == 65537, "beyond every number of the old incarnation"
    assert len(listener.half_open) == 1
    assert [entry.state for entry in bench.host.sockets()] == ["LISTEN", "SYN-RECEIVED"]


def test_a_newer_syn_without_a_listener_leaves_time_wait_as_it_is():
    bench, listener, rcv_nxt, snd_nxt = in_time_wait()
    bench.host.close_listener(listener, 0)
    bench.inject_tcp(SYN, rcv_nxt + 5000)
    answer = bench.out_tcp()
    assert (answer.flags, answer.seq, answer.ack) == (ACK, snd_nxt, rcv_nxt)
    assert [entry.state for entry in bench.host.sockets()] == ["TIME-WAIT"]


def test_an_old_syn_in_time_wait_gets_an_ack_and_changes_nothing():
    bench, listener, rcv_nxt, snd_nxt = in_time_wait()
    bench.inject_tcp(SYN, rcv_nxt - 50)
    answer = bench.out_tcp()
    assert (answer.flags, answer.seq, answer.ack) == (ACK, snd_nxt, rcv_nxt)
    assert not listener.half_open


def test_connect_takes_over_time_wait_only_if_told_so_and_after_a_second():
    config = HostConfig()
    config.port_range = (5000, 5000)
    scene, client, server = pair(config)
    listener = listen(server)
    mine = connect(client, PEER)
    scene.settle()
    mine.close(0)
    client.touch(mine, 0)
    scene.settle()
    theirs = accept(listener)
    theirs.close(0)
    server.touch(theirs, 0)
    scene.run_until(500_000_000)
    assert mine.tcb.state is TIME_WAIT
    assert client.connect_tcp(ANY, 0, PEER, 80, TcpSettings(), scene.now) < 0  # type: ignore[operator]
    config.tcp.tw_reuse = True
    assert client.connect_tcp(ANY, 0, PEER, 80, TcpSettings(), scene.now) < 0  # type: ignore[operator]
    scene.run_until(2 * SECOND)
    again = client.connect_tcp(ANY, 0, PEER, 80, TcpSettings(), scene.now)
    assert isinstance(again, Connection)
    assert again.tcb.iss == (mine.tcb.snd_nxt + 65537) & 0xFFFFFFFF
    scene.settle()
    assert again.tcb.state is ESTABLISHED


# -- closing a listener


def test_closing_a_listener_resets_who_was_not_accepted_yet():
    scene, client, server = pair()
    listener = listen(server)
    mine = connect(client, PEER)
    scene.settle()
    assert mine.tcb.state is ESTABLISHED
    server.close_listener(listener, 0)
    scene.settle()
    assert mine.tcb.state is CLOSED
    assert server.sockets() == []
    assert server.deadline == NEVER


def test_the_backlog_is_at_most_somaxconn():
    config = HostConfig()
    config.tcp.somaxconn = 10
    bench = Bench(config)
    assert bench.listen(80, backlog=11).backlog == 10
    assert bench.listen(81, backlog=-1).backlog == 10
    assert bench.listen(82, backlog=0).backlog == 0
    assert bench.counters == {"listen-backlog-clamped": 2}


# -- timers


def test_an_idle_connection_costs_nothing_and_a_dead_one_leaves_nothing():
    scene, client, server = pair()
    listener = listen(server, backlog=100)
    mine = [connect(client, PEER) for _ in range(100)]
    scene.settle()
    for each in mine:
        each.send(b"hello", 0)
        client.touch(each, 0)
    scene.run_until(5 * SECOND)
    calls = 0
    while min(client.deadline, server.deadline) < 10 * HOUR:
        calls += 1
        assert calls < 10
        scene.run_until(min(client.deadline, server.deadline))
    assert client.deadline == server.deadline == NEVER
    for each in mine:
        each.abort(0)
        client.touch(each, 0)
    scene.settle()
    assert client.sockets() == []
    assert len(listener.accept_queue) == 100


def test_a_deadline_that_moves_all_the_time_does_not_fill_the_heap():
    scene, client, server = pair()
    listener = listen(server)
    settings = TcpSettings()
    settings.keepalive = True  # an entry two hours away, beside those of 200 ms
    mine = client.connect_tcp(ANY, 0, PEER, 80, settings, 0)
    assert isinstance(mine, Connection)
    scene.settle()
    theirs = accept(listener)
    for i in range(3000):
        mine.send(b"x", scene.now)
        client.touch(mine, scene.now)
        scene.run_until(scene.now + (50_000_000 if i % 2 else 1_000_000))
        theirs.receive(10, scene.now)
    assert len(client._schedule._heap) < 200
    assert len(server._schedule._heap) < 200


def test_a_timeout_too_early_does_nothing():
    bench = Bench()
    bench.connect()
    bench.out()
    assert bench.host.deadline == SECOND
    bench.now = SECOND - 1
    bench.host.handle_timeout(bench.now)
    bench.expect_nothing()
    bench.now = SECOND
    bench.host.handle_timeout(bench.now)
    assert bench.out_tcp().flags == SYN


def test_one_connection_with_much_to_send_does_not_keep_the_others_waiting():
    bench = Bench()
    config = bench.host.config.tcp
    config.initial_cwnd = 1000
    ends = []
    for port in (5000, 5001):
        bench.connect(port=port)
        ends.append((port, bench.out_tcp().seq))
    for port, iss in ends:
        bench.inject_tcp(SYN | ACK, 100, iss + 1, port=port, source_port=80)
        assert bench.out_tcp().flags == ACK
    for port, _ in ends:
        connection = bench.host.connection(HOST, port, PEER, 80)
        assert connection is not None
        connection.send(bytes(50_000), 0)
        bench.host.touch(connection, 0)
    order = []
    while (packet := bench.poll()) is not None:
        order.append(packet.payload.source_port)  # type: ignore[union-attr]
    assert order.count(5000) == order.count(5001)
    assert len(order) > 180
    assert order.index(5001) <= 70


# -- what a probe hears


def test_the_probe_hears_the_story_in_its_order():
    told = Told()
    bench = Bench(probe=told)
    bench.listen()
    bench.inject_tcp(SYN, 100)
    iss = bench.out_tcp().seq
    bench.inject_tcp(ACK, 101, iss + 1)
    bench.inject_tcp(PSH | ACK, 101, iss + 1, data=b"hi")
    bench.out()
    bench.inject_tcp(SYN, 1, port=81)
    bench.out()
    assert told.lines == [
        "received eth0 TCP S",
        "done -",
        "sent eth0 TCP S.",
        "received eth0 TCP .",
        "done ESTABLISHED",
        "received eth0 TCP P.",
        "done ESTABLISHED",
        "sent eth0 TCP .",
        "received eth0 TCP S",
        "dropped tcp-closed-port",
        "done -",
        "sent eth0 TCP R.",
    ]


def test_a_probe_that_comes_later_hears_what_exists_already():
    bench = Bench()
    bench.listen()
    bench.inject_tcp(SYN, 100)
    iss = bench.out_tcp().seq
    bench.inject_tcp(ACK, 101, iss + 1)
    bench.expect_nothing()
    told = Told()
    bench.host.observe(told)
    bench.inject_tcp(PSH | ACK, 101, iss + 1, data=b"hi")
    bench.out()
    assert told.lines == ["received eth0 TCP P.", "done ESTABLISHED", "sent eth0 TCP ."]
    bench.host.observe(None)
    bench.inject_tcp(PSH | ACK, 103, iss + 1, data=b"hi")
    bench.out()
    assert len(told.lines) == 3


def test_every_packet_has_an_identification_of_its_own():
    bench = Bench()
    bench.connect()
    first = bench.out()
    again = bench.run_until(3 * SECOND)
    idents = [first.ident, *[packet.ident for packet in again]]
    assert len(idents) == 3
    assert len(set(idents)) == 3
    bench.connect(PEER6)
    sixth = bench.out()
    assert isinstance(sixth, IpPacket)
    assert sixth.ident == 0  # IPv6 has none
