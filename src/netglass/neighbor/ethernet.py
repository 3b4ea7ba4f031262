"""One Ethernet interface: the face of ARP, neighbour discovery and autoconfiguration towards the host.

    send(packet, next hop) ──► MAC known? ──► frame ──► `out`          receive(frame) ──► ARP, ND: dealt with here
                                  └── no: it waits, and we ask                        └─► the IP packet, for the host

The four verbs (DESIGN.md §3): `receive`, `deadline`, `handle_timeout`; what leaves is in `out`, which all interfaces of
a host share. After each call the interface marks itself in the host's dirty list, if its deadline may be another one.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from netglass.errors import MisuseError, WireError
from netglass.neighbor.arp import Arp
from netglass.neighbor.autoconf import Autoconf
from netglass.neighbor.cache import Neighbor
from netglass.neighbor.detect import AUTOCONF, MANUAL, Candidate, Detector
from netglass.neighbor.nd import Nd
from netglass.neighbor.port import EthernetPort
from netglass.probe import Probe
from netglass.wire.address import is_multicast
from netglass.wire.arp import ArpMessage
from netglass.wire.ethernet import (
    ARP,
    BROADCAST_MAC,
    IPV4,
    IPV6,
    RARP,
    EthernetFrame,
    decode_payload,
    group_mac,
    is_group_mac,
)
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import IpPacket
from netglass.wire.nd import RouterAdvertisement, is_nd
from netglass.world import Endpoint, Service

_SOLICITED_MAC: Final = b"\x33\x33\xff"
_ALL_ROUTERS_MAC: Final = b"\x33\x33\x00\x00\x00\x02"
_PARSED: Final = frozenset({IPV4, IPV6, ARP, RARP})


class Ethernet(Service):
    """What makes an interface an Ethernet one. `all_multicast`: frames to any group come in (and IP decides), as
    before somebody filters; else only those of `join`ed groups. `promiscuous`: frames to other MACs are seen
    by who watches, and then dropped: they are for somebody else."""

    __slots__ = (
        "_dirty",
        "_settled",
        "all_multicast",
        "arp",
        "autoconf",
        "detector",
        "groups",
        "nd",
        "port",
        "promiscuous",
        "tester",
    )

    def __init__(self, port: EthernetPort, dirty: deque[Endpoint]) -> None:
        super().__init__()
        if len(port.mac) != 6 or is_group_mac(port.mac) or not any(port.mac):
            raise MisuseError("an interface's MAC address has 6 bytes and belongs to one: the first byte is even")
        self.port: EthernetPort = port
        self.detector: Detector = Detector(port)
        self.arp: Arp = Arp(port, self.detector)
        self.autoconf: Autoconf = Autoconf(port, self.detector)
        self.nd: Nd = Nd(port, self.detector, self.autoconf)
        self.groups: dict[bytes, int] = {}  # group MAC -> how many joined it
        self.all_multicast: bool = True
        self.promiscuous: bool = False
        self.tester: Endpoint | None = None  # whoever waits for what comes of a `test`
        self._settled: deque[Candidate] = deque()
        self._dirty: deque[Endpoint] = dirty

    @property
    def mac(self) -> bytes:
        return self.port.mac

    def observe(self, probe: Probe | None) -> None:
        self.port.probe = probe

    def mark(self) -> None:
        """The host looks at the deadline again."""
        if not self.dirty:
            self.dirty = True
            self._dirty.append(self)

    # -- sending

    def send(self, packet: IpPacket, next_hop: bytes, now: int) -> None:
        """A packet to a neighbour: at once if its MAC is known, else when it has answered. The hot path."""
        port = self.port
        mac = port.cache.mac_for(next_hop, now)
        if mac:
            port.send(packet, mac)
            if port.cache.deadline < self.scheduled_at:
                self.mark()
            return
        if is_multicast(next_hop):
            port.send(packet, group_mac(next_hop))
            return
        port.hold(packet, next_hop, now)
        self._serve(now)

    def broadcast(self, packet: IpPacket) -> None:
        self.port.send(packet, BROADCAST_MAC)

    def inject(self, frame: EthernetFrame, now: int) -> None:
        """Sends `frame` as it is, forged MACs and all."""
        port = self.port
        packet = frame.payload
        if not isinstance(packet, IpPacket):
            port.send_own(frame, now)
            return
        if port.probe is not None:
            port.probe.packet_sent(port.host, port.name, packet, None, now)
        port.out.append((port.index, frame))

    # -- receiving

    def accepts(self, frame: EthernetFrame) -> bool:
        """True if it is for this MAC, for everybody, or for a group that is listened to."""
        destination = frame.destination
        if frame.tag != self.port.tag and (frame.vlan != 0 or self.port.tag >= 0):
            return False
        if destination == self.port.mac or destination == BROADCAST_MAC or self.promiscuous:
            return True
        if not is_group_mac(destination):
            return False
        if destination.startswith(_SOLICITED_MAC):
            return self._is_solicited(destination)
        if destination == _ALL_ROUTERS_MAC:
            return self.port.upper.forwards()
        return self.all_multicast or destination in self.groups

    def _is_solicited(self, mac: bytes) -> bool:
        """True if it is the group MAC of an address of ours, or of one under test (RFC 4291 §2.7.1)."""
        tail = mac[3:]
        for address, _ in self.port.addresses:
            if address[13:] == tail:
                return True
        return any(address[13:] == tail for address in self.detector.candidates)

    def receive(self, frame: EthernetFrame, now: int) -> IpPacket | None:
        """The IP packet that the host has to deal with; None if there is none, or none any more."""
        port = self.port
        if not self.accepts(frame):
            # Such a card does not wake its host: counted, but nobody is told.
            port.counters.add("ethernet-not-for-us")
            return None
        if frame.destination != port.mac and not is_group_mac(frame.destination):
            port.drop(frame, "ethernet-other-host", now)
            return None
        payload = frame.payload
        if isinstance(payload, bytes):
            if frame.type not in _PARSED:
                port.drop(frame, "ethernet-unknown-type", now)
                return None
            try:
                payload = decode_payload(frame.type, payload)
            except WireError as error:
                port.drop(frame, error.reason, now)
                return None
        if isinstance(payload, IpPacket):
            return self._filtered(frame, payload, now) if port.config.binding_strict else payload
        if isinstance(payload, ArpMessage):
            if port.probe is not None:
                port.probe.frame_received(port.host, port.name, frame, now)
            self.arp.receive(frame, payload, now)
            self._serve(now)
            self.mark()
        return None

    def _filtered(self, frame: EthernetFrame, packet: IpPacket, now: int) -> IpPacket | None:
        if self.port.cache.bound_elsewhere(packet.source, frame.source):
            self.port.drop(frame, "ethernet-binding", now)
            return None
        return packet

    def takes(self, packet: IpPacket) -> bool:
        """True for the messages of neighbour discovery, which go to `receive_nd`."""
        message = packet.payload
        return isinstance(message, IcmpMessage) and is_nd(message)

    def receive_nd(self, frame: EthernetFrame, packet: IpPacket, now: int) -> str:
        """Neighbour discovery: "" if it was taken, else why not."""
        message = packet.payload
        if not isinstance(message, IcmpMessage):
            return "nd-short"
        reason = self.nd.receive(frame, packet, message, now)
        self._serve(now)
        self.mark()
        return reason

    # -- time

    @property
    def deadline(self) -> int:
        due = min(self.port.cache.deadline, self.detector.deadline)
        return min(due, self.autoconf.deadline, self.nd.deadline)

    def handle_timeout(self, now: int) -> None:
        self.port.cache.handle_timeout(now)
        self.detector.handle_timeout(now)
        self.autoconf.handle_timeout(now)
        self.nd.handle_timeout(now)
        self._serve(now)

    def drain(self, now: int) -> None:
        self._serve(now)

    def _serve(self, now: int) -> None:
        """Asks what the cache wants to know, gives up what it has given up, and tells what came of tests."""
        port = self.port
        entry = port.cache.poll_question()
        while entry is not None:
            self._ask(entry, now)
            entry = port.cache.poll_question()
        lost = port.cache.poll_lost()
        while lost is not None:
            self.autoconf.avoid(lost)
            lost = port.cache.poll_lost()
        packet = port.cache.poll_failed()
        while packet is not None:
            port.upper.unreachable(packet, now)
            packet = port.cache.poll_failed()
        candidate = self.detector.poll_settled()
        while candidate is not None:
            if candidate.owner == AUTOCONF:
                self.autoconf.settle(candidate, now)
            else:
                self._settled.append(candidate)
                waiting = self.tester
                if waiting is not None and not waiting.dirty:
                    waiting.dirty = True
                    self._dirty.append(waiting)
            candidate = self.detector.poll_settled()
        if self.deadline < self.scheduled_at:
            self.mark()

    def _ask(self, entry: Neighbor, now: int) -> None:
        # RFC 1122 §2.3.2, RFC 4861 §7.2.2: from the address that the waiting packet speaks from, if it is ours here.
        source = b""
        if entry.queue and self.port.has(entry.queue[0].source):
            source = entry.queue[0].source
        if len(entry.address) == 4:
            self.arp.ask(entry.address, entry.mac, source, now)
        else:
            self.nd.ask(entry.address, entry.mac, source, now)

    # -- what people set

    def bind(self, address: bytes, mac: bytes, now: int) -> None:
        """A static binding: whoever claims another MAC for `address` is not believed, counted and traced."""
        if len(mac) != 6 or is_group_mac(mac) or is_multicast(address):
            raise MisuseError("a binding is between one address and one MAC of 6 bytes")
        self.port.cache.bind(address, mac, now)
        self.port.send_waiting(address, mac)

    def unbind(self, address: bytes, now: int) -> bool:
        """Forgets an entry, a static one too. False if there is none."""
        found = self.port.cache.forget(address)
        self._serve(now)
        return found

    def neighbors(self, now: int) -> list[Neighbor]:
        """The entries as they are now, in the order in which they were made."""
        return self.port.cache.all(now)

    def test(self, address: bytes, prefix: int, now: int, owner: int = MANUAL) -> None:
        """The interface gets `address` if nobody else has it (RFC 5227, RFC 4862)."""
        if self.port.upper.owns(address) or address in self.detector.candidates:
            raise MisuseError("this host has the address, or tests it, already")
        self.detector.start(Candidate(address, prefix, owner, True, 0), now)
        self._serve(now)
        self.mark()

    def poll_settled(self) -> Candidate | None:
        """What came of a `test`: `ready`, or somebody else has the address."""
        return self._settled.popleft() if self._settled else None

    def start_autoconf(self, now: int) -> None:
        """Makes a link-local address, and asks routers if `accept_ra` says so."""
        self.autoconf.start(now)
        self._serve(now)
        self.mark()

    def use_link_local(self, address: bytes) -> None:
        """Takes this link-local address without a test."""
        self.autoconf.adopt(address)

    def advertise(self, told: RouterAdvertisement | None, interval: int, now: int) -> None:
        """A router tells hosts prefixes and itself as a way out; None takes it back. It speaks from a link-local
        address, which it makes itself if it has none."""
        if told is not None and not self.autoconf.link_local and not self.autoconf.proposed:
            self.start_autoconf(now)
        self.nd.advertise(told, interval, now)
        self.mark()

    def announce(self, address: bytes, now: int) -> None:
        """Tells everybody that `address` is here: gratuitous ARP, or an unsolicited neighbour advertisement."""
        if len(address) == 4:
            self.arp.announce(address, now)
        else:
            self.nd.announce(address, now)

    def ask_reverse(self, prefix: int, now: int) -> None:
        """RARP: asks for an address of our own."""
        self.arp.ask_reverse(prefix, now)

    # -- groups

    def join(self, group: bytes) -> None:
        """Lets frames to the IP multicast address `group` in; counted, so that each `join` needs its `leave`."""
        mac = group_mac(group)
        self.groups[mac] = self.groups.get(mac, 0) + 1

    def leave(self, group: bytes) -> None:
        mac = group_mac(group)
        left = self.groups.get(mac, 0) - 1
        if left > 0:
            self.groups[mac] = left
        else:
            self.groups.pop(mac, None)
