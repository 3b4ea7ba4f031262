"""Can packets hurt? Mutated ones, by the million, into a host with live connections, listeners and UDP ports.

    python benchmarks/fuzz.py [--packets 1000000] [--seed 1]

The packets begin as good ones, made from what the connections expect just now, so that many still mean something after
a mutation. Held all the time: nothing is raised; each packet is delivered, forwarded or dropped, once; a drop has a
counter; what the host sends can be put into bytes. At the end the host is left alone and must come to rest with
nothing left. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Callable
from typing import Final

from netglass import HostConfig
from netglass.build import compiled
from netglass.host.host import Host
from netglass.host.interface import Interface
from netglass.ip.fragment import fragments
from netglass.rng import Rng
from netglass.tcp.config import TcpSettings
from netglass.tcp.connection import Connection
from netglass.tcp.listener import Listener
from netglass.times import HOUR, MILLISECOND, NEVER, SECOND
from netglass.udp.port import UdpPort
from netglass.wire.address import parse
from netglass.wire.checksum import checksum, ones_sum
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, ICMPV6, TCP, UDP, IpPacket, Payload
from netglass.wire.packet import packet_bytes
from netglass.wire.seq import wrap
from netglass.wire.tcp import ABSENT, ACK, FIN, PSH, RST, SYN, URG, TcpOptions, TcpSegment
from netglass.wire.udp import UdpDatagram

OWN: Final = {4: parse("10.0.0.1"), 6: parse("fd00::1")}
PEER: Final = {4: parse("10.0.0.2"), 6: parse("fd00::2")}
ELSEWHERE: Final = {4: parse("192.0.2.9"), 6: parse("2001:db8::9")}
GROUP: Final = parse("224.0.0.5")
OPTIONS: Final = (
    b"\x07\x0b\x04" + bytes(8) + b"\0",  # record route
    b"\x44\x14\x05\x01" + bytes(16),  # timestamps
    b"\x94\x04\0\0",  # router alert
    b"\x83\x07\x04\x0a\0\0\x09\0",  # a source route
)
HEADERS: Final = (
    bytes([0, 0, 5, 2, 0, 0, 1, 0]),  # Hop-by-Hop: router alert
    bytes([60, 0, 0x1E, 4, 0, 0, 0, 0]),  # Destination Options: one that may be skipped
    bytes([60, 1, 0x9E, 1, 0, 1, 8, *bytes(9)]),  # and one that may not
    bytes([43, 0, 0, 0, 0, 0, 0, 0]),  # Routing, at its end
    bytes([44, 0, 0, 0, 0, 0, 0, 7]),  # an atomic fragment
)
CONNECTIONS: Final = 12
EDGES: Final = (0, 1, 0x7F, 0x80, 0xFE, 0xFF)


class Fuzz:
    """The host, the peer that makes the packets, and the application that keeps connections alive."""

    def __init__(self, seed: int, forwarding: bool = False) -> None:
        config = HostConfig()
        config.forwarding = forwarding
        config.icmp_interval = 0
        config.tcp.invalid_ratelimit = 0
        self.draw = random.Random(seed)
        self.now = SECOND
        self.host = Host("target", config, Rng(seed))
        self.eth0: Interface = self.host.add_interface("eth0", 1500)
        self.host.add_address(self.eth0, OWN[4], 24)
        self.host.add_address(self.eth0, OWN[6], 64)
        self.host.add_route(bytes(4), 0, self.eth0, parse("10.0.0.254"))
        self.host.add_route(bytes(16), 0, self.eth0, parse("fd00::fe"))
        listener = self.host.listen_tcp(b"", 80, 16, TcpSettings(), self.now)
        ports = [self.host.bind_udp(b"", port, False, self.now) for port in (53, 54)]
        assert isinstance(listener, Listener)
        self.listener: Listener = listener
        self.udp: list[UdpPort] = [port for port in ports if isinstance(port, UdpPort)]
        self.host.join_group(self.udp[0], GROUP, self.now)
        self.host.connect_udp(self.udp[1], PEER[4], 4000, self.now)
        self.connections: list[Connection] = []
        self.packets = 0
        self.sent = 0
        self.opened = 0
        self.makers: list[Callable[[], IpPacket]] = [
            *[self.for_connection] * 12,
            *[self.for_listener] * 3,
            self.datagram,
            self.error,
            self.echo,
            self.fragment,
            self.with_options,
            self.other,
        ]

    # -- one packet

    def step(self) -> None:
        draw = self.draw
        self.keep_alive()
        packet = draw.choice(self.makers)()
        frame = packet_bytes(packet)
        if draw.random() < 0.8:
            frame = self.mutated(bytearray(frame))
        self.deliver(frame)
        if draw.random() < 0.1:
            self.work()
        self.drain()
        self.pass_time()

    def deliver(self, frame: bytes) -> None:
        """What must be true of every packet."""
        host = self.host
        ended = host.delivered + host.forwarded + host.dropped
        dropped = host.dropped
        counted = sum(host.counters.counts.values())
        # Mostly the device vouches for the transport's checksum, so that damage reaches the protocols.
        host.receive_frame(frame, self.eth0, self.now, self.draw.random() < 0.3)
        self.packets += 1
        assert host.received == self.packets
        assert host.delivered + host.forwarded + host.dropped == ended + 1, frame.hex()
        if host.dropped > dropped:
            assert sum(host.counters.counts.values()) > counted, frame.hex()

    def drain(self) -> None:
        host = self.host
        while (out := host.poll_packet(self.now)) is not None:
            self.sent += 1
            if self.sent % 8 == 0:
                packet_bytes(out[1])

    def pass_time(self) -> None:
        chance = self.draw.random()
        if chance < 0.5:
            self.now += self.draw.randrange(MILLISECOND)
        elif chance < 0.502:
            self.now = min(self.host.deadline, self.now + 10 * SECOND)
        if self.host.deadline <= self.now:
            self.host.handle_timeout(self.now)
            self.drain()
            assert self.host.deadline > self.now

    # -- mutations

    def mutated(self, frame: bytearray) -> bytes:
        draw = self.draw
        for _ in range(draw.choice((1, 1, 1, 2, 4))):
            self.mutate(frame)
            if not frame:
                return b""
        if frame[0] >> 4 == 4 and len(frame) >= 20 and draw.random() < 0.8:
            self.repair(frame)
        return bytes(frame)

    def mutate(self, frame: bytearray) -> None:
        draw = self.draw
        kind = draw.randrange(10)
        # Headers are hit more often than what they carry.
        place = draw.randrange(min(len(frame), 80)) if draw.random() < 0.8 else draw.randrange(len(frame))
        if kind < 3:
            frame[place] ^= 1 << draw.randrange(8)
        elif kind < 5:
            frame[place] = draw.choice(EDGES)
        elif kind < 7:
            frame[place] = draw.randrange(256)
        elif kind == 7:
            frame[place : place + 4] = draw.randbytes(4)
        elif kind == 8:
            del frame[place:]
        else:
            frame[place:place] = draw.randbytes(draw.choice((1, 2, 4, 40)))

    def repair(self, frame: bytearray) -> None:
        """Length and checksum of the IPv4 header, so that the rest is looked at."""
        if self.draw.random() < 0.8:
            frame[2:4] = min(len(frame), 65535).to_bytes(2, "big")
        frame[10:12] = bytes(2)
        header = bytes(frame[: max((frame[0] & 15) * 4, 20)])
        frame[10:12] = checksum(ones_sum(header)).to_bytes(2, "big")

    # -- good packets

    def ip(self, version: int, protocol: int, payload: Payload, destination: bytes = b"") -> IpPacket:
        return IpPacket(PEER[version], destination or OWN[version], protocol, payload)

    def version(self) -> int:
        return 4 if self.draw.random() < 0.7 else 6

    def for_connection(self) -> IpPacket:
        """A segment that one of the connections waits for, or nearly."""
        draw = self.draw
        tcb = draw.choice(self.connections).tcb
        data = draw.randbytes(draw.choice((0, 0, 1, 10, 500, 1400)))
        flags = draw.choice((ACK, ACK, ACK | PSH, ACK | PSH, ACK | FIN, ACK | URG, RST | ACK, SYN | ACK, SYN))
        if flags & RST and draw.random() < 0.8:
            flags = ACK
        seq = tcb.rcv_nxt + draw.choice((0, 0, 0, 0, 1, -1, 100, 1400, 3000, -1400, 1 << 31))
        ack = draw.choice((tcb.snd_nxt, tcb.snd_nxt, tcb.snd_una, tcb.snd_una + 1, tcb.snd_nxt + 1, tcb.iss + 1))
        options: TcpOptions | None = None
        if tcb.state.value == "SYN-SENT" and draw.random() < 0.8:
            seq, ack, flags, data = draw.randrange(1 << 32), tcb.iss + 1, SYN | ACK, b""
        if flags & SYN:
            options = TcpOptions(draw.choice((0, 536, 1460, 65535)), draw.choice((0, 7, 14, 255)), True)
        timed = tcb.ts_ok or flags & SYN
        recent = tcb.ts_recent if tcb.ts_recent != ABSENT else draw.randrange(1 << 32)
        ts_val = wrap(recent + draw.choice((0, 1, 10, -1))) if timed else ABSENT
        ts_ecr = wrap(self.now // MILLISECOND + tcb.ts_offset) if timed else ABSENT
        sack: tuple[tuple[int, int], ...] = ()
        if tcb.sack_ok and not flags & SYN and draw.random() < 0.3:
            left = tcb.snd_una + draw.choice((0, 1, 1000, -1000))
            sack = ((wrap(left), wrap(left + draw.choice((1, 1000, 100_000)))),)
        segment = TcpSegment(
            tcb.remote_port,
            tcb.local_port,
            wrap(seq),
            wrap(ack),
            flags,
            draw.choice((0, 1, 500, 65535)),
            (data,) if data else (),
            len(data),
            ts_val,
            ts_ecr,
            sack,
            options,
            draw.choice((0, 1, 5, 65535)) if flags & URG else 0,
        )
        return IpPacket(tcb.remote, tcb.local, TCP, segment)

    def for_listener(self) -> IpPacket:
        """A SYN, or the segment that completes a handshake."""
        draw = self.draw
        half_open = self.listener.half_open
        if half_open and draw.random() < 0.6:
            entry = half_open[draw.choice(list(half_open))]
            remote, remote_port, local = entry.key
            data = draw.choice((b"", b"", b"early"))
            timed = entry.ts_recent != ABSENT
            segment = TcpSegment(
                remote_port,
                80,
                wrap(entry.irs + 1),
                wrap(entry.iss + 1),
                ACK,
                1000,
                (data,) if data else (),
                len(data),
                entry.ts_recent if timed else ABSENT,
                0 if timed else ABSENT,
            )
            return IpPacket(remote, local, TCP, segment)
        options = TcpOptions(draw.choice((1460, 500, 0)), draw.choice((7, 0, ABSENT)), draw.random() < 0.5)
        timed = draw.random() < 0.5
        segment = TcpSegment(
            draw.randrange(1, 65536),
            80,
            draw.randrange(1 << 32),
            0,
            SYN,
            65535,
            ts_val=draw.randrange(1 << 32) if timed else ABSENT,
            ts_ecr=0 if timed else ABSENT,
            options=options,
        )
        return self.ip(self.version(), TCP, segment)

    def datagram(self) -> IpPacket:
        draw = self.draw
        version = self.version()
        datagram = UdpDatagram(4000, draw.choice((53, 54, 99)), draw.randbytes(draw.choice((0, 30, 1000))))
        broadcast = parse("10.0.0.255")
        destination = draw.choice((OWN[4], GROUP, broadcast)) if version == 4 else OWN[6]
        return self.ip(version, UDP, datagram, destination)

    def error(self) -> IpPacket:
        """An ICMP error about something that a connection has in flight."""
        draw = self.draw
        tcb = draw.choice(self.connections).tcb
        segment = TcpSegment(tcb.local_port, tcb.remote_port, wrap(tcb.snd_una), wrap(tcb.rcv_nxt), ACK, 1000)
        quoted = packet_bytes(IpPacket(tcb.local, tcb.remote, TCP, segment))
        if len(tcb.local) == 4:
            code = draw.choice((0, 1, 2, 3, 4, 13))
            return self.ip(4, ICMP, IcmpMessage(4, 3, code, draw.choice((0, 576, 1400)), quoted[:28]))
        if draw.random() < 0.5:
            return self.ip(6, ICMPV6, IcmpMessage(6, 2, 0, draw.choice((1280, 1400, 0)), quoted))
        return self.ip(6, ICMPV6, IcmpMessage(6, 1, draw.choice((0, 1, 4)), 0, quoted))

    def echo(self) -> IpPacket:
        version = self.version()
        message = IcmpMessage(version, 8 if version == 4 else 128, 0, 7, bytes(32))
        return self.ip(version, ICMP if version == 4 else ICMPV6, message)

    def fragment(self) -> IpPacket:
        """A piece of one of a few datagrams, so that some become whole."""
        draw = self.draw
        ident = draw.randrange(8)
        whole = self.ip(4 if ident < 4 else 6, UDP, UdpDatagram(4000, 53, bytes(64)))
        whole.dont_fragment = ident >= 4
        whole.ident = ident if ident < 4 else 0
        return draw.choice(fragments(whole, 68 if ident < 4 else 80, ident))

    def with_options(self) -> IpPacket:
        """IPv4 options, IPv6 extension headers."""
        draw = self.draw
        packet = self.datagram() if draw.random() < 0.5 else self.echo()
        if len(packet.source) == 4:
            packet.options = draw.choice(OPTIONS)
        else:
            packet.options = b"".join([draw.choice(HEADERS) for _ in range(draw.randrange(1, 4))])
        return packet

    def other(self) -> IpPacket:
        """For somebody else, or of a protocol that nobody has."""
        version = self.version()
        if self.draw.random() < 0.5:
            return self.ip(version, UDP, UdpDatagram(1, 2, bytes(40)), ELSEWHERE[version])
        return self.ip(version, self.draw.choice((0, 2, 47, 99, 255)), b"what is this?")

    # -- the application

    def keep_alive(self) -> None:
        """Connections that are dead are replaced, so that there is always something to hit."""
        if len(self.connections) >= CONNECTIONS:
            return
        made = self.listener.accept(self.now)
        if made is None:
            remote = PEER[self.version()]
            opened = self.host.connect_tcp(b"", 0, remote, self.draw.randrange(1, 65536), TcpSettings(), self.now)
            assert isinstance(opened, Connection)
            made = opened
        self.opened += 1
        self.connections.append(made)

    def work(self) -> None:
        """One call on one socket."""
        draw = self.draw
        connection = draw.choice(self.connections)
        call = draw.randrange(12)
        if call < 5:
            connection.send(draw.randbytes(draw.choice((1, 700, 5000))), self.now, call == 0)
        elif call < 9:
            connection.receive(draw.choice((1, 65536)), self.now)
            connection.receive_urgent(self.now)
        elif call == 9:
            connection.shutdown(draw.random() < 0.5, draw.random() < 0.5, self.now)
        elif call == 10:
            connection.close(self.now)
            self.connections.remove(connection)
        else:
            for port in self.udp:
                port.receive()
        self.host.touch(connection, self.now)
        self.connections = [each for each in self.connections if not each.finished]
        self.keep_alive()

    # -- the end

    def finish(self) -> None:
        """Everybody hangs up; then the host must come to rest by itself."""
        for connection in self.connections:
            connection.close(self.now)
            self.host.touch(connection, self.now)
        self.host.close_listener(self.listener, self.now)
        for port in self.udp:
            self.host.close_udp(port, self.now)
        self.drain()
        end = self.now + 2 * HOUR
        while (due := self.host.deadline) < NEVER:
            assert due <= end, "timers without end"
            self.now = max(self.now, due)
            self.host.handle_timeout(self.now)
            self.drain()
        assert self.host.sockets() == []
        assert "illegal-transition" not in self.host.counters.counts


def run(packets: int, seed: int, forwarding: bool = False) -> Fuzz:
    """`packets` of them, and the end. AssertionError says which one was not dealt with properly."""
    fuzz = Fuzz(seed, forwarding)
    for _ in range(packets):
        fuzz.step()
    fuzz.finish()
    return fuzz


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--packets", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    build = "compiled" if compiled() else "pure Python"
    print(f"netglass ({build}), Python {sys.version.split()[0]}")
    heads = ("packets", "delivered", "forwarded", "dropped", "answers")
    print(" ".join(f"{head:>10}" for head in heads) + f" {'opened':>8} {'CPU s':>8}")
    parts = 10
    reasons: dict[str, int] = {}
    begin = time.process_time()
    done = 0
    for part in range(parts):
        fuzz = run(options.packets // parts, options.seed + part, part % 2 == 1)
        host = fuzz.host
        done += fuzz.packets
        for name, count in host.counters.counts.items():
            reasons[name] = reasons.get(name, 0) + count
        print(
            f"{done:>10} {host.delivered:>10} {host.forwarded:>10} {host.dropped:>10} {fuzz.sent:>10}"
            f" {fuzz.opened:>8} {time.process_time() - begin:>8.1f}",
            flush=True,
        )
    cpu = time.process_time() - begin
    print(f"{len(reasons)} counters; the most frequent:")
    for name, count in sorted(reasons.items(), key=lambda each: -each[1])[:12]:
        print(f"{count:>10} {name}")
    result = {
        "benchmark": "fuzz",
        "build": build,
        "packets": done,
        "exceptions": 0,
        "uncounted": 0,
        "counters": len(reasons),
        "cpu_s": round(cpu, 1),
        "packets_per_cpu_s": round(done / cpu),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
