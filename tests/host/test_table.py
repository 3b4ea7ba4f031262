"""Sockets as netstat shows them, and raw ports."""

from __future__ import annotations

import pytest

from netglass.errnos import EAGAIN
from netglass.errors import MisuseError
from netglass.host.table import SocketEntry
from netglass.tcp.config import TcpSettings
from netglass.times import NEVER, SECOND
from netglass.udp.port import UdpPort
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, ICMPV6, TCP, IpPacket
from netglass.wire.tcp import ACK, SYN
from tests.host.bench import ANY, HOST, HOST6, PEER, PEER6, Bench, pair


def told(entry: SocketEntry) -> tuple[str, int, int, str]:
    return entry.proto, entry.local_port, entry.remote_port, entry.state


def test_every_kind_of_socket_is_listed():
    bench = Bench()
    bench.listen(80, backlog=7)
    for port in (4000, 4001, 4002):
        bench.inject_tcp(SYN, 100, source_port=port)
        iss = bench.out_tcp().seq
        if port != 4002:
            bench.inject_tcp(ACK, 101, iss + 1, source_port=port, data=b"hello")
            bench.out()
    bench.connect(PEER6, 443, port=5000)
    bench.out()
    bench.host.connect_udp(bench.udp(53), PEER, 4000, 0)
    bench.udp(54, bytes(16))
    bench.host.open_raw(ICMP, 4, 0)
    entries = bench.host.sockets()
    assert [told(entry) for entry in entries] == [
        ("tcp", 80, 0, "LISTEN"),
        ("tcp", 80, 4002, "SYN-RECEIVED"),
        ("tcp", 80, 4000, "ESTABLISHED"),
        ("tcp", 80, 4001, "ESTABLISHED"),
        ("tcp6", 5000, 443, "SYN-SENT"),
        ("udp", 53, 4000, "ESTABLISHED"),
        ("udp6", 54, 0, ""),
        ("raw", ICMP, 0, ""),
    ]
    listener, half_open, accepted = entries[:3]
    assert (listener.recv_q, listener.send_q) == (2, 7)  # accept queue, backlog
    assert (half_open.timer, half_open.timer_due, half_open.retries) == ("syn-ack", SECOND, 0)
    assert (half_open.local, half_open.remote) == (HOST, PEER)
    assert (accepted.recv_q, accepted.timer, accepted.timer_due) == (5, "", NEVER)
    assert (entries[4].timer, entries[4].timer_due) == ("retransmission", SECOND)


def test_queues_and_timers_of_a_connection():
    scene, client, server = pair()
    listener = server.listen_tcp(ANY, 80, 5, TcpSettings(), 0)
    mine = client.connect_tcp(ANY, 0, PEER, 80, TcpSettings(), 0)
    assert not isinstance(listener, int)
    assert not isinstance(mine, int)
    scene.settle()
    mine.send(bytes(1000), 0)
    client.touch(mine, 0)
    entry = client.sockets()[0]
    assert (entry.send_q, entry.recv_q, entry.timer) == (1000, 0, "retransmission")
    scene.settle()
    scene.run_until(SECOND)
    entry = client.sockets()[0]
    assert (entry.send_q, entry.timer) == (0, "")
    assert server.sockets()[1].recv_q == 1000
    mine.close(SECOND)
    client.touch(mine, SECOND)
    scene.run_until(2 * SECOND)
    entry = client.sockets()[0]
    assert (entry.state, entry.timer) == ("FIN-WAIT-2", "fin-wait-2")
    theirs = listener.accept(scene.now)
    assert theirs is not None
    theirs.receive(1000, scene.now)
    theirs.close(scene.now)
    server.touch(theirs, scene.now)
    scene.settle()
    entry = client.sockets()[0]
    assert (entry.state, entry.timer, entry.timer_due) == ("TIME-WAIT", "time-wait", 62 * SECOND)


def test_a_raw_port_gets_copies_and_takes_nothing_away():
    bench = Bench()
    four = bench.host.open_raw(ICMP, 4, 0)
    six = bench.host.open_raw(ICMPV6, 6, 0)
    bench.inject_icmp(IcmpMessage(4, 8, 0, 9))
    assert bench.out_icmp().type == 0
    packet = four.receive()
    assert isinstance(packet, IpPacket)
    assert packet.source == PEER
    assert four.receive() == six.receive() == -EAGAIN
    bench.inject_icmp(IcmpMessage(6, 129, 0, 9), PEER6, HOST6)
    assert isinstance(six.receive(peek=True), IpPacket)
    assert isinstance(six.receive(), IpPacket)
    assert not bench.counters


def test_a_raw_port_may_watch_tcp_while_it_works():
    bench = Bench()
    raw = bench.host.open_raw(TCP, 0, 0)
    bench.listen()
    bench.inject_tcp(SYN, 100)
    iss = bench.out_tcp().seq
    bench.inject_tcp(ACK, 101, iss + 1)
    assert isinstance(raw.receive(), IpPacket)
    assert isinstance(raw.receive(), IpPacket)
    bench.host.close_raw(raw, 0)
    bench.inject_tcp(ACK, 101, iss + 1, data=b"more")
    assert bench.out_tcp().ack == 105
    assert raw.receive() == -EAGAIN
    with pytest.raises(MisuseError, match="closed already"):
        bench.host.close_raw(raw, 0)


def test_a_raw_port_can_be_narrowed_and_its_queue_is_bounded():
    bench = Bench()
    raw = bench.host.open_raw(99, 0, 0)
    raw.remote = PEER
    raw.rcvbuf = 100
    for _ in range(4):
        bench.inject(IpPacket(PEER, HOST, 99, bytes(20)))
    bench.inject(IpPacket(HOST6, PEER6, 99, bytes(20)))
    assert raw.queued == 80
    assert bench.counters["raw-receive-queue-full"] == 2
    bench.host.close_raw(raw, 0)


def test_waiting_datagrams_show_in_the_table():
    bench = Bench()
    port = bench.udp(53)
    bench.inject_udp(bytes(100), 53)
    assert bench.host.sockets()[0].recv_q == port.queued > 100
    assert isinstance(port, UdpPort)


def test_raw_and_ping_sockets():
    bench = Bench()
    bench.host.open_raw(1, 4, 0)
    bench.host.open_raw(58, 6, 0)
    bench.host.open_ping(77, 4, 0)
    found = [(each.proto, each.local, each.local_port) for each in bench.host.sockets()]
    assert found == [("raw", b"", 1), ("icmp", b"", 77), ("raw6", bytes(16), 58)]
