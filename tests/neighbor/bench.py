"""One host with an Ethernet interface on a bench: the test is its segment."""

from __future__ import annotations

from netglass.host.config import HostConfig
from netglass.host.host import Host
from netglass.neighbor.ethernet import Ethernet
from netglass.rng import Rng
from netglass.times import NEVER
from netglass.trace.describe import datagram_words, frame_words
from netglass.wire.address import parse
from netglass.wire.arp import REPLY, REQUEST, ArpMessage
from netglass.wire.ethernet import BROADCAST_MAC, NO_MAC, EthernetFrame, group_mac
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMP, ICMPV6, IpPacket
from netglass.wire.nd import (
    ALL_NODES,
    RouterAdvertisement,
    neighbor_advertisement,
    neighbor_solicitation,
    router_advertisement,
)

OURS = bytes.fromhex("020000000001")
THEIRS = bytes.fromhex("020000000002")
THIEF = bytes.fromhex("020000000666")
HOST = parse("10.0.0.1")
PEER = parse("10.0.0.2")
ROUTER = parse("10.0.0.254")
HOST6 = parse("fd00::1")
PEER6 = parse("fd00::2")
LOCAL6 = parse("fe80::1")
ROUTER6 = parse("fe80::fe")
SECOND = 10**9


class Bench:
    """10.0.0.1/24, fd00::1/64 and fe80::1 on eth0, a default route over 10.0.0.254."""

    def __init__(self, config: HostConfig | None = None, addresses: bool = True) -> None:
        self.now = 0
        self.frames: list[EthernetFrame] = []  # sent while time passed
        self.host = Host("bench", config, Rng(7))
        self.eth0 = self.host.add_ethernet("eth0", OURS)
        assert self.eth0.ethernet is not None
        self.ethernet: Ethernet = self.eth0.ethernet
        if addresses:
            self.host.add_address(self.eth0, HOST, 24)
            self.host.add_address(self.eth0, HOST6, 64)
            self.ethernet.use_link_local(LOCAL6)
            self.host.add_route(bytes(4), 0, self.eth0, ROUTER)

    # -- the test speaks

    def inject(self, payload: IpPacket | ArpMessage, source: bytes = THEIRS, to: bytes = OURS) -> None:
        self.host.receive_ethernet(EthernetFrame(to, source, payload), self.eth0, self.now)

    def ask(self, target: bytes = HOST, sender: bytes = PEER, mac: bytes = THEIRS) -> None:
        self.inject(ArpMessage(REQUEST, mac, sender, NO_MAC, target), mac, BROADCAST_MAC)

    def answer(self, sender: bytes = PEER, mac: bytes = THEIRS) -> None:
        self.inject(ArpMessage(REPLY, mac, sender, OURS, HOST), mac)

    def inject_nd(self, message: IcmpMessage, source: bytes, destination: bytes, mac: bytes = THEIRS) -> None:
        to = group_mac(destination) if destination[0] == 0xFF else OURS
        self.inject(IpPacket(source, destination, ICMPV6, message, 255), mac, to)

    def solicit(self, target: bytes, source: bytes, destination: bytes, mac: bytes = THEIRS) -> None:
        self.inject_nd(neighbor_solicitation(target, mac if any(source) else b""), source, destination, mac)

    def advertise(self, target: bytes, flags: int, mac: bytes = THEIRS, destination: bytes = LOCAL6) -> None:
        self.inject_nd(neighbor_advertisement(target, mac, flags), target, destination, mac)

    def router(self, told: RouterAdvertisement, source: bytes = ROUTER6) -> None:
        self.inject_nd(router_advertisement(told), source, ALL_NODES)

    def ping(self, destination: bytes = PEER, number: int = 1, source: bytes = b"") -> None:
        """The host sends an echo request."""
        four = len(destination) == 4
        message = IcmpMessage(4, 8, 0, number) if four else IcmpMessage(6, 128, 0, number)
        source = source or (HOST if four else HOST6)
        self.host.send_raw(IpPacket(source, destination, ICMP if four else ICMPV6, message), self.now)

    def pass_time(self, seconds: float) -> None:
        """Timers fire when they are due."""
        end = self.now + int(seconds * SECOND)
        self.frames.extend(self._poll())
        while self.host.deadline <= end:
            self.now = max(self.host.deadline, self.now)
            self.host.handle_timeout(self.now)
            self.frames.extend(self._poll())
        self.now = end

    # -- the host speaks

    def _poll(self) -> list[EthernetFrame]:
        found = []
        while (out := self.host.poll_frame(self.now)) is not None:
            assert out[0] is self.eth0
            found.append(out[1])
        return found

    def out(self) -> list[EthernetFrame]:
        """Everything that it has sent since the last call."""
        found = [*self.frames, *self._poll()]
        self.frames = []
        return found

    def expect(self, *words: str) -> None:
        """That it has sent these since the last call, and nothing else."""
        assert (found := [said(each) for each in self.out()]) == list(words), found

    def expect_nothing(self) -> None:
        self.expect()

    def counted(self, name: str) -> int:
        return self.host.counters.counts.get(name, 0)

    def state(self, address: bytes) -> str:
        for each in self.ethernet.neighbors(self.now):
            if each.address == address:
                return each.state_name
        return ""

    def mac(self, address: bytes) -> bytes:
        entry = self.ethernet.port.cache.entries.get(address)
        return b"" if entry is None else entry.mac

    def is_idle(self) -> bool:
        self.out()
        return self.host.deadline == NEVER


_NAMES = {BROADCAST_MAC: "all", OURS: "us", THEIRS: "them", THIEF: "thief"}


def said(frame: EthernetFrame) -> str:
    """A frame in a few words: "to all: ARP who has 10.0.0.2?"."""
    to = _NAMES.get(frame.destination, frame.destination.hex(":"))
    payload = frame.payload
    words = datagram_words(payload) if isinstance(payload, IpPacket) else frame_words(frame)
    if words[0] == "ICMP":
        words = words[:2]
    return f"to {to}: {' '.join(words)}"
