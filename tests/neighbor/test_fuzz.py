"""Anything at all arrives at an Ethernet interface: nothing raises, everything is counted, tables stay bounded."""

from __future__ import annotations

import random

import pytest

from netglass.host.config import HostConfig
from netglass.wire import nd
from netglass.wire.address import parse
from netglass.wire.arp import ArpMessage
from netglass.wire.dhcp import CLIENT_PORT, SERVER_PORT, DhcpMessage, encode_dhcp
from netglass.wire.ethernet import BROADCAST_MAC, NO_MAC, EthernetFrame, frame_bytes, group_mac
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, ICMPV6, UDP, IpPacket
from netglass.wire.udp import UdpDatagram
from tests.neighbor.bench import HOST, HOST6, LOCAL6, OURS, PEER, PEER6, ROUTER6, THEIRS, THIEF, Bench


class Hostile:
    def __init__(self, seed: int) -> None:
        self.draw = random.Random(seed)
        config = HostConfig()
        config.forwarding = seed % 3 == 0
        config.neighbor.accept_ra = seed % 2 == 0
        config.neighbor.proxy_arp = seed % 3 == 0
        config.neighbor.binding_strict = seed % 4 == 0
        config.neighbor.table_limit = 50
        self.bench = Bench(config)
        self.bench.ethernet.start_autoconf(0)
        self.bench.ethernet.bind(parse("10.0.0.7"), THEIRS, 0)
        self.client = self.bench.host.start_dhcp(self.bench.eth0, 0)

    def mac(self) -> bytes:
        drawn = bytes([2, 0, 0, 0, 1, self.draw.randrange(256)])
        return self.draw.choice([OURS, THEIRS, THIEF, BROADCAST_MAC, NO_MAC, drawn])

    def four(self) -> bytes:
        return self.draw.choice([HOST, PEER, bytes(4), b"\xff" * 4, bytes([10, 0, 0, self.draw.randrange(256)])])

    def six(self) -> bytes:
        drawn = parse("fe80::")[:15] + bytes([self.draw.randrange(256)])
        known = [HOST6, PEER6, LOCAL6, ROUTER6, bytes(16), nd.ALL_NODES, nd.solicited_node(HOST6), drawn]
        tested = list(self.bench.ethernet.detector.candidates)
        return self.draw.choice(known + tested)

    def payload(self) -> IpPacket | ArpMessage:
        draw = self.draw
        match draw.randrange(6):
            case 0 | 1:
                return ArpMessage(draw.randint(1, 4), self.mac(), self.four(), self.mac(), self.four())
            case 2:
                return IpPacket(self.four(), self.four(), ICMP, IcmpMessage(4, draw.choice([0, 3, 8]), 0))
            case 3:
                return self.lease()
            case _:
                hops = draw.choice([255, 255, 255, 64])
                return IpPacket(self.six(), self.six(), ICMPV6, self.message(), hops)

    def lease(self) -> IpPacket:
        draw = self.draw
        transaction = self.client._transaction if draw.random() < 0.8 else 1
        told = {54: draw.choice([PEER, b"", b"\1"]), 51: draw.randrange(1 << 12).to_bytes(draw.choice([2, 4]), "big")}
        message = DhcpMessage(draw.randint(1, 8), transaction, OURS, bytes(4), self.four(), options=told)
        datagram = UdpDatagram(SERVER_PORT, CLIENT_PORT, encode_dhcp(message))
        return IpPacket(PEER, b"\xff" * 4, UDP, datagram)

    def message(self) -> IcmpMessage:
        draw = self.draw
        match draw.randrange(5):
            case 0:
                return nd.neighbor_solicitation(self.six(), draw.choice([b"", self.mac()]))
            case 1:
                return nd.neighbor_advertisement(self.six(), draw.choice([b"", self.mac()]), draw.getrandbits(32))
            case 2:
                return nd.router_solicitation(self.mac())
            case 3:
                return nd.redirect(self.six(), self.six(), self.mac(), b"")
        told = nd.RouterAdvertisement(draw.choice([0, 1, 1800]))
        told.options.mac = self.mac()
        told.options.mtu = draw.choice([0, 1, 1280, 1500, 9000])
        network = parse("fd00::")[:7] + bytes([draw.randrange(4)]) + bytes(8)
        lifetimes = [0, 5, 7200, 0xFFFFFFFF]
        valid, preferred = draw.choice(lifetimes), draw.choice(lifetimes)
        told.options.prefixes = [nd.Prefix(network, draw.choice([0, 64, 96]), valid, preferred)]
        return nd.router_advertisement(told)

    def step(self) -> None:
        bench = self.bench
        payload = self.payload()
        to = draw_to(self.draw, payload)
        frame = EthernetFrame(to, self.mac(), payload, tag=self.draw.choice([-1, -1, -1, 0, 10]))
        if self.draw.random() < 0.5:
            bench.host.receive_ethernet(frame, bench.eth0, bench.now)
        else:
            data = bytearray(frame_bytes(frame))
            if self.draw.random() < 0.3:
                data[self.draw.randrange(len(data))] = self.draw.randrange(256)
            cut = len(data) if self.draw.random() < 0.9 else self.draw.randrange(len(data))
            bench.host.receive_frame(bytes(data[:cut]), bench.eth0, bench.now, self.draw.random() < 0.5)
        if self.draw.random() < 0.3:
            bench.ping(self.draw.choice([PEER, PEER6]))
        bench.pass_time(self.draw.choice([0, 0, 0, 0.1, 3, 100]))
        for sent in bench.out():
            assert len(frame_bytes(sent)) == sent.size
            assert sent.source == OURS


def draw_to(draw: random.Random, payload: IpPacket | ArpMessage) -> bytes:
    destination = payload.destination if isinstance(payload, IpPacket) else b""
    if len(destination) == 16 and destination[0] == 0xFF:
        return draw.choice([group_mac(destination), OURS])
    return draw.choice([OURS, BROADCAST_MAC, THEIRS])


@pytest.mark.parametrize("seed", range(12))
def test_anything_is_survived(seed: int) -> None:
    hostile = Hostile(seed)
    for _ in range(400):
        hostile.step()
    bench = hostile.bench
    host = bench.host
    assert host.received == host.delivered + host.forwarded + host.dropped - outgoing_drops(host.counters.counts)
    assert len(bench.ethernet.port.cache.entries) <= 51
    assert len(bench.ethernet.autoconf.routers) <= 16
    assert len(bench.ethernet.autoconf.prefixes) <= 16
    assert bench.mac(parse("10.0.0.7")) == THEIRS


def outgoing_drops(counts: dict[str, int]) -> int:
    """Packets of our own that never left."""
    names = ("neighbor-failed", "neighbor-queue-full", "neighbor-table-full", "ip-no-route")
    return sum([counts.get(name, 0) for name in names])
