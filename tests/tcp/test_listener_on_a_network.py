"""Listeners as clients and servers meet them: whole hosts, whole handshakes, faults on the cable, a flood."""

from __future__ import annotations

from functools import partial

from netglass import HostConfig, Network, faults, forge, match
from netglass.lab.host import LabHost
from netglass.lab.io import Io
from netglass.lab.process import Steps
from netglass.network.fault import Fault
from netglass.times import MILLISECOND, SECOND


def pair(*faults: Fault, config: HostConfig | None = None) -> tuple[Network, LabHost, LabHost]:
    """A client and a server, 10 ms apart."""
    net = Network(seed=1)
    client, server = net.host("client"), net.host("server", config=config)
    net.cable(client, server, delay="10ms", faults=list(faults))
    return net, client, server


def answering(io: Io, backlog: int = 5) -> Steps:
    """A server whose client speaks first."""
    listener = io.listen(80, backlog=backlog)
    while True:
        stream = yield from listener.accept()
        said = yield from stream.receive()
        yield from stream.send(said.upper())
        stream.close()


def greeting(io: Io, backlog: int = 5) -> Steps:
    """A server that speaks first."""
    listener = io.listen(80, backlog=backlog)
    while True:
        stream = yield from listener.accept()
        yield from stream.send(b"220 ready")
        stream.close()


def asking(io: Io) -> Steps:
    stream = yield from io.connect("server", 80)
    yield from stream.send(b"hello")
    answer = yield from stream.receive_all()
    return answer, io.now()


def hearing(io: Io) -> Steps:
    stream = yield from io.connect("server", 80)
    answer = yield from stream.receive(timeout="200s")
    return answer, io.now()


def half_open(server: LabHost) -> int:
    return sum(entry.state == "SYN-RECEIVED" for entry in server.netstat())


def test_the_third_ack_is_lost_and_the_client_speaks_first() -> None:
    net, client, server = pair(faults.drop(match.third_ack))
    server.spawn(answering)
    asker = client.spawn(asking)
    net.run(until="1s")
    answer, when = asker.result
    assert answer == b"HELLO"
    assert when < 100 * MILLISECOND, "its data completed the handshake: nobody waited for a timer"


def test_the_third_ack_is_lost_and_the_server_speaks_first() -> None:
    net, client, server = pair(faults.drop(match.third_ack))
    server.spawn(greeting)
    hearer = client.spawn(hearing)
    net.run(until="10s")
    answer, when = hearer.result
    assert answer == b"220 ready"
    assert SECOND < when < 1100 * MILLISECOND, "after 1 s the SYN-ACK came again"


def test_the_third_ack_is_lost_and_the_server_speaks_first_under_cookies() -> None:
    config = HostConfig()
    config.tcp.syncookies = 2
    net, client, server = pair(faults.drop(match.third_ack), config=config)
    server.spawn(greeting)
    hearer = client.spawn(hearing)
    net.run(until="100s")
    assert not hearer.done, "nobody at the server knows of it"
    assert half_open(server) == 0


def test_the_accept_queue_is_full_but_the_client_believes_that_it_is_connected() -> None:
    def deaf(io: Io) -> Steps:
        io.listen(80, backlog=1)
        yield from io.sleep("10s")

    def connecting(io: Io, wait: str) -> Steps:
        yield from io.sleep(wait)
        yield from io.connect("server", 80)
        return io.now()

    net, client, server = pair()
    server.spawn(deaf)
    client.spawn(connecting, "10ms")
    # Both SYNs find room; only one of the two third segments does.
    late = [client.spawn(connecting, "100ms") for _ in range(2)]
    net.run(until="500ms")
    assert [each.result for each in late] == [120 * MILLISECOND] * 2
    states = sorted(entry.state for entry in server.netstat() if entry.local_port == 80)
    assert states == ["ESTABLISHED", "ESTABLISHED", "LISTEN", "SYN-RECEIVED"]


def test_a_flood_without_cookies_keeps_an_honest_client_out_and_with_cookies_it_does_not() -> None:
    for syncookies, served in ((0, False), (1, True)):
        config = HostConfig()
        config.tcp.syncookies = syncookies
        net, client, server = pair(config=config)
        attacker = net.host("attacker")
        net.cable(attacker, server, delay="1ms")
        server.spawn(answering, 5)
        # From addresses that the server has a route to, and nobody has.
        subnet = attacker.address.rpartition(".")[0]
        for number in range(100):
            packet = forge(f"{subnet}.{100 + number}", 4000, server.address, 80, "S")
            net.at(f"{number}ms", partial(attacker.inject, packet))
        net.run(until="50ms")
        asker = client.spawn(asking)
        net.run(until="700ms")
        assert asker.done == served
        assert half_open(server) == 6
