"""One host on a bench: the test is its network. And a scene of several, wired without delay."""

from __future__ import annotations

from netglass.host.config import HostConfig
from netglass.host.host import Host
from netglass.host.interface import Interface
from netglass.probe import Probe, TcbSnapshot
from netglass.rng import Rng
from netglass.tcp.config import TcpSettings
from netglass.tcp.connection import Connection
from netglass.tcp.listener import Listener
from netglass.udp.port import UdpPort
from netglass.wire.address import parse
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, ICMPV6, TCP, UDP, IpPacket, Payload
from netglass.wire.tcp import TcpSegment, flag_letters
from netglass.wire.udp import UdpDatagram

HOST = parse("10.0.0.1")
HOST6 = parse("fd00::1")
PEER = parse("10.0.0.2")
PEER6 = parse("fd00::2")
ROUTER = parse("10.0.0.254")
FAR = parse("192.0.2.7")
ANY = b""


class Bench:
    """10.0.0.1/24 and fd00::1/64 on eth0, a default route over 10.0.0.254. What the host sends is read with `out`."""

    def __init__(self, config: HostConfig | None = None, probe: Probe | None = None, mtu: int = 1500) -> None:
        self.now = 0
        self.host = Host("bench", config, Rng(7), probe)
        self.eth0: Interface = self.host.add_interface("eth0", mtu)
        self.host.add_address(self.eth0, HOST, 24)
        self.host.add_address(self.eth0, HOST6, 64)
        self.host.add_route(bytes(4), 0, self.eth0, ROUTER)

    # -- the test speaks

    def inject(self, packet: IpPacket, interface: Interface | None = None) -> None:
        self.host.receive_packet(packet, interface or self.eth0, self.now)

    def inject_tcp(
        self,
        flags: int,
        seq: int = 0,
        ack: int = 0,
        port: int = 80,
        source: bytes = PEER,
        source_port: int = 4000,
        destination: bytes = HOST,
        data: bytes = b"",
    ) -> None:
        chunks = (data,) if data else ()
        segment = TcpSegment(source_port, port, seq, ack, flags, 65535, chunks, len(data))
        self.inject(IpPacket(source, destination, TCP, segment))

    def inject_udp(
        self,
        data: bytes,
        port: int,
        source: bytes = PEER,
        source_port: int = 4000,
        destination: bytes = HOST,
        ttl: int = 64,
    ) -> None:
        self.inject(IpPacket(source, destination, UDP, UdpDatagram(source_port, port, data), ttl))

    def inject_icmp(self, message: IcmpMessage, source: bytes = PEER, destination: bytes = HOST) -> None:
        self.inject(IpPacket(source, destination, ICMP if message.version == 4 else ICMPV6, message))

    # -- the host answers

    def poll(self) -> IpPacket | None:
        out = self.host.poll_packet(self.now)
        return None if out is None else out[1]

    def out(self) -> IpPacket:
        packet = self.poll()
        assert packet is not None, f"the host sent nothing; counters {self.counters}"
        return packet

    def out_tcp(self) -> TcpSegment:
        return as_tcp(self.out().payload)

    def out_icmp(self) -> IcmpMessage:
        return as_icmp(self.out().payload)

    def expect_nothing(self) -> None:
        packet = self.poll()
        assert packet is None, f"the host sent {said(packet)}"

    def run_until(self, when: int) -> list[IpPacket]:
        """Lets the timers run; what was sent on the way."""
        found = []
        while True:
            while (packet := self.poll()) is not None:
                found.append(packet)
            if self.host.deadline > when:
                self.now = when
                return found
            self.now = max(self.now, self.host.deadline)
            self.host.handle_timeout(self.now)

    @property
    def counters(self) -> dict[str, int]:
        return self.host.counters.counts

    # -- the application on the host

    def listen(
        self, port: int = 80, local: bytes = ANY, backlog: int = 5, settings: TcpSettings | None = None
    ) -> Listener:
        made = self.host.listen_tcp(local, port, backlog, settings or TcpSettings(), self.now)
        assert isinstance(made, Listener), made
        return made

    def connect(
        self,
        remote: bytes = PEER,
        remote_port: int = 80,
        port: int = 0,
        local: bytes = ANY,
        settings: TcpSettings | None = None,
    ) -> Connection:
        made = self.host.connect_tcp(local, port, remote, remote_port, settings or TcpSettings(), self.now)
        assert isinstance(made, Connection), made
        return made

    def udp(self, port: int = 0, local: bytes = ANY) -> UdpPort:
        made = self.host.bind_udp(local, port, False, self.now)
        assert isinstance(made, UdpPort), made
        return made


def as_tcp(payload: Payload) -> TcpSegment:
    assert isinstance(payload, TcpSegment), payload
    return payload


def as_icmp(payload: Payload) -> IcmpMessage:
    assert isinstance(payload, IcmpMessage), payload
    return payload


def said(packet: IpPacket | None) -> str:
    """A packet in a few words, for a failed assertion."""
    if packet is None:
        return "nothing"
    payload = packet.payload
    if isinstance(payload, TcpSegment):
        return f"TCP {flag_letters(payload.flags)} seq {payload.seq} ack {payload.ack} length {payload.length}"
    if isinstance(payload, UdpDatagram):
        return f"UDP {payload.source_port} > {payload.destination_port} {payload.payload!r}"
    if isinstance(payload, IcmpMessage):
        return f"ICMP {payload.type}/{payload.code}"
    return f"protocol {packet.protocol}"


class Scene:
    """Hosts on wires without delay: `settle` carries packets until everybody is silent."""

    def __init__(self) -> None:
        self.now = 0
        self.hosts: list[Host] = []
        self.wires: dict[tuple[str, str], tuple[Host, Interface]] = {}

    def host(self, name: str, config: HostConfig | None = None) -> Host:
        made = Host(name, config, Rng(len(self.hosts) + 1))
        self.hosts.append(made)
        return made

    def wire(self, one: Host, other: Host, mtu: int = 1500) -> tuple[Interface, Interface]:
        """A new interface on each, ready for addresses."""
        a = one.add_interface(f"to-{other.name}", mtu)
        b = other.add_interface(f"to-{one.name}", mtu)
        self.wires[one.name, a.name] = (other, b)
        self.wires[other.name, b.name] = (one, a)
        return a, b

    def settle(self, most: int = 10_000) -> int:
        """How many packets crossed a wire."""
        carried = 0
        moved = True
        while moved:
            moved = False
            for host in self.hosts:
                while (out := host.poll_packet(self.now)) is not None:
                    peer, interface = self.wires[host.name, out[0].name]
                    peer.receive_packet(out[1], interface, self.now)
                    moved = True
                    carried += 1
                    assert carried <= most, "the hosts never fall silent"
        return carried

    def run_until(self, when: int) -> None:
        """Time passes; every host's timers fire when they are due."""
        while True:
            self.settle()
            due = min(host.deadline for host in self.hosts)
            if due > when:
                self.now = when
                return
            self.now = max(self.now, due)
            for host in self.hosts:
                host.handle_timeout(self.now)


def pair(config: HostConfig | None = None) -> tuple[Scene, Host, Host]:
    """client 10.0.0.1 and server 10.0.0.2."""
    scene = Scene()
    client = scene.host("client", config)
    server = scene.host("server")
    a, b = scene.wire(client, server)
    client.add_address(a, HOST, 24)
    client.add_address(a, HOST6, 64)
    server.add_address(b, PEER, 24)
    server.add_address(b, PEER6, 64)
    return scene, client, server


class Told(Probe):
    """Remembers what a host told, one line each."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def packet_sent(self, host: str, interface: str, packet: IpPacket, tcb: TcbSnapshot | None, now: int) -> None:
        self.lines.append(f"sent {interface} {said(packet).partition(' seq')[0]}")

    def packet_received(self, host: str, interface: str, packet: IpPacket, now: int) -> None:
        self.lines.append(f"received {interface} {said(packet).partition(' seq')[0]}")

    def packet_done(self, host: str, packet: IpPacket, tcb: TcbSnapshot | None, now: int) -> None:
        self.lines.append(f"done {tcb.state if tcb else '-'}")

    def packet_dropped(self, host: str, packet: IpPacket | None, reason: str, now: int) -> None:
        self.lines.append(f"dropped {reason}")
