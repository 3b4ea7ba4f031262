"""Whatever arrives, nothing is raised and every packet is accounted for."""

from __future__ import annotations

import random

from netglass.host.config import HostConfig
from netglass.tcp.config import TcpSettings
from netglass.wire.address import parse
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, ICMPV6, TCP, UDP, IpPacket
from netglass.wire.packet import packet_bytes
from netglass.wire.tcp import ACK, FIN, PSH, RST, SYN, TcpOptions, TcpSegment
from netglass.wire.udp import UdpDatagram
from tests.host.bench import ANY, HOST, HOST6, PEER, PEER6, Bench

ROUNDS = 200_000


def busy_bench(config: HostConfig | None = None) -> Bench:
    """Listeners, connections in several states, UDP and raw ports, a group."""
    bench = Bench(config)
    listener = bench.listen(80, backlog=8)
    for port in (4000, 4001):
        bench.inject_tcp(SYN, 100, source_port=port)
        iss = bench.out_tcp().seq
        bench.inject_tcp(ACK, 101, iss + 1, source_port=port)
        bench.expect_nothing()
    closing = listener.accept(0)
    assert closing is not None
    closing.close(0)
    bench.host.touch(closing, 0)
    bench.connect(PEER, 80, port=5000)
    bench.connect(PEER6, 80, port=5001)
    bench.host.join_group(bench.udp(53), parse("224.0.0.5"), 0)
    bench.host.connect_udp(bench.udp(54), PEER, 4000, 0)
    bench.host.open_raw(ICMP, 0, 0)
    while bench.poll() is not None:
        pass
    return bench


def good_packets() -> list[IpPacket]:
    syn = TcpOptions(1460, 7, True)
    quoted = packet_bytes(IpPacket(HOST, PEER, TCP, TcpSegment(5000, 80, 1, 0, SYN, 1024)))
    return [
        IpPacket(PEER, HOST, TCP, TcpSegment(4000, 80, 101, 1, ACK | PSH, 500, (b"data" * 20,), 80)),
        IpPacket(PEER, HOST, TCP, TcpSegment(4002, 80, 1, 0, SYN, 500, ts_val=5, ts_ecr=0, options=syn)),
        IpPacket(PEER, HOST, TCP, TcpSegment(80, 5000, 1, 1, SYN | ACK, 500, options=syn)),
        IpPacket(PEER, HOST, TCP, TcpSegment(4001, 80, 101, 1, FIN | ACK, 500, sack=((5, 9),))),
        IpPacket(PEER, HOST, TCP, TcpSegment(4001, 80, 101, 1, RST, 500)),
        IpPacket(PEER6, HOST6, TCP, TcpSegment(80, 5001, 1, 1, SYN | ACK, 500, options=syn)),
        IpPacket(PEER, HOST, UDP, UdpDatagram(4000, 53, b"question")),
        IpPacket(PEER, parse("224.0.0.5"), UDP, UdpDatagram(4000, 53, b"many")),
        IpPacket(PEER6, HOST6, UDP, UdpDatagram(4000, 99, b"closed")),
        IpPacket(PEER, HOST, ICMP, IcmpMessage(4, 8, 0, 1, b"echo")),
        IpPacket(PEER, HOST, ICMP, IcmpMessage(4, 3, 4, 900, quoted[:28])),
        IpPacket(PEER6, HOST6, ICMPV6, IcmpMessage(6, 1, 4, 0, bytes(60))),
        IpPacket(PEER, parse("192.0.2.9"), UDP, UdpDatagram(1, 2, bytes(40))),
        IpPacket(PEER, HOST, 99, b"unknown"),
        IpPacket(PEER, HOST, UDP, bytes(64), more_fragments=True, dont_fragment=False),
    ]


def settle(bench: Bench, draw: random.Random) -> None:
    while bench.poll() is not None:
        pass
    if draw.random() < 0.01:
        bench.now += draw.randrange(100_000_000)
        bench.host.handle_timeout(bench.now)


def test_random_bytes_are_all_refused_and_counted():
    draw = random.Random(1)
    bench = busy_bench()
    before = bench.host.received
    for _ in range(ROUNDS // 4):
        frame = draw.randbytes(draw.randrange(80))
        if draw.random() < 0.5 and frame:
            frame = bytes([draw.choice((0x45, 0x60, 0x46))]) + frame[1:]
        bench.host.receive_frame(frame, bench.eth0, bench.now)
    host = bench.host
    assert host.received == host.delivered + host.dropped == before + ROUNDS // 4


def test_mutated_packets_never_raise_and_none_is_lost():
    for forwarding in (False, True):
        draw = random.Random(2)
        config = HostConfig()
        config.forwarding = forwarding
        config.icmp_interval = 0
        bench = busy_bench(config)
        frames = [packet_bytes(packet) for packet in good_packets()]
        for _ in range(ROUNDS // 4):
            frame = bytearray(draw.choice(frames))
            for _ in range(draw.randrange(4)):
                frame[draw.randrange(len(frame))] = draw.randrange(256)
            if draw.random() < 0.1:
                del frame[draw.randrange(len(frame)) :]
            # Half of the time the device vouches for the checksum, so that damage reaches the protocols.
            bench.host.receive_frame(bytes(frame), bench.eth0, bench.now, draw.random() < 0.5)
            settle(bench, draw)
        host = bench.host
        # What is dropped on the way out (an answer to where no route leads) is not among those that came in.
        outwards = host.delivered + host.forwarded + host.dropped - host.received
        assert 0 <= outwards <= bench.counters.get("ip-no-route", 0)
        assert host.delivered > 1000
        assert len(bench.counters) > 15


def test_random_segments_to_every_kind_of_socket_never_raise():
    draw = random.Random(3)
    bench = busy_bench()
    for _ in range(ROUNDS // 4):
        flags = draw.randrange(512)
        data = bytes(draw.randrange(3))
        bench.inject_tcp(
            flags,
            draw.choice((100, 101, 102, draw.randrange(1 << 32))),
            draw.choice((0, 1, draw.randrange(1 << 32))),
            draw.choice((80, 5000, 81)),
            source_port=draw.choice((4000, 4001, 4002, 80)),
            data=data,
        )
        settle(bench, draw)
    assert bench.host.received == bench.host.delivered + bench.host.dropped
    assert bench.host.connect_tcp(ANY, 0, PEER, 80, TcpSettings(), bench.now)
