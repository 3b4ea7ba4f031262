"""What ARP, neighbour discovery and autoconfiguration share: one Ethernet interface's MAC, cache and way out, and what
they need of the host above (`Upper`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque

from netglass.build import mypyc_attr
from netglass.counters import Counters
from netglass.neighbor.cache import REFUSED, UNCHANGED, NeighborCache
from netglass.neighbor.config import NeighborConfig
from netglass.probe import Probe
from netglass.rng import Rng
from netglass.wire.address import is_multicast, text
from netglass.wire.ethernet import TOLD_BY_PAYLOAD, UNTAGGED, EthernetFrame, group_mac, is_group_mac, mac_text
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import ICMPV6, IpPacket

Outgoing = deque[tuple[int, EthernetFrame]]
"""(interface index, frame): what waits to leave the host."""


@mypyc_attr(allow_interpreted_subclasses=True)
class Upper(ABC):
    """The host as its Ethernet interfaces see it. `index` is the interface's."""

    @abstractmethod
    def owns(self, address: bytes) -> bool:
        """True if `address` is one of the host's, on whatever interface."""
        raise NotImplementedError

    @abstractmethod
    def forwards(self) -> bool:
        """True if it is a router."""
        raise NotImplementedError

    @abstractmethod
    def reaches_elsewhere(self, address: bytes, index: int, now: int) -> bool:
        """True if a packet to `address` would leave through another interface."""
        raise NotImplementedError

    @abstractmethod
    def drop(self, packet: IpPacket, reason: str, now: int) -> None:
        """A packet ended here; `reason` is a counter's name."""
        raise NotImplementedError

    @abstractmethod
    def unreachable(self, packet: IpPacket, now: int) -> None:
        """Nobody has the address where `packet` had to go: it is dropped, and its sender told."""
        raise NotImplementedError

    @abstractmethod
    def add_address(self, index: int, address: bytes, prefix: int, on_link: bool) -> None:
        """The interface has this address from now on. `on_link`: and so its network is reached through it."""
        raise NotImplementedError

    @abstractmethod
    def remove_address(self, index: int, address: bytes, prefix: int) -> None:
        """It has it no more."""
        raise NotImplementedError

    @abstractmethod
    def add_route(self, index: int, network: bytes, prefix: int, gateway: bytes) -> None:
        """`gateway` b"": the network is on the link."""
        raise NotImplementedError

    @abstractmethod
    def remove_route(self, index: int, network: bytes, prefix: int, gateway: bytes) -> None:
        """Takes out what `add_route` made."""
        raise NotImplementedError

    @abstractmethod
    def set_mtu(self, index: int, mtu: int) -> None:
        """A router told the link's MTU."""
        raise NotImplementedError


class EthernetPort:
    """One Ethernet interface, as ARP and neighbour discovery know it."""

    __slots__ = (
        "addresses",
        "cache",
        "config",
        "counters",
        "host",
        "index",
        "mac",
        "mtu",
        "name",
        "out",
        "probe",
        "rng",
        "tag",
        "upper",
    )

    def __init__(
        self,
        host: str,
        name: str,
        index: int,
        mac: bytes,
        mtu: int,
        addresses: list[tuple[bytes, int]],
        config: NeighborConfig,
        counters: Counters,
        rng: Rng,
        out: Outgoing,
        upper: Upper,
    ) -> None:
        self.host: str = host  # names, for the trace
        self.name: str = name
        self.index: int = index
        self.mac: bytes = mac
        self.mtu: int = mtu
        self.tag: int = UNTAGGED  # of every frame that leaves, and the only one that is let in
        self.addresses: list[tuple[bytes, int]] = addresses  # (address, prefix length); the interface's own list
        self.config: NeighborConfig = config
        self.counters: Counters = counters
        self.rng: Rng = rng
        self.out: Outgoing = out
        self.upper: Upper = upper
        self.probe: Probe | None = None
        self.cache: NeighborCache = NeighborCache(config, rng.stream("reachable"))

    # -- sending

    def send(self, packet: IpPacket, mac: bytes) -> None:
        """An IP packet that the probe has been told of."""
        self.out.append((self.index, EthernetFrame(mac, self.mac, packet, TOLD_BY_PAYLOAD, self.tag)))

    def send_own(self, frame: EthernetFrame, now: int) -> None:
        """A frame without an IP packet."""
        if self.probe is not None:
            self.probe.frame_sent(self.host, self.name, frame, now)
        self.out.append((self.index, frame))

    def send_icmp(self, source: bytes, destination: bytes, message: IcmpMessage, mac: bytes, now: int) -> None:
        """Neighbour discovery's messages: 255 hops, so that nobody beyond a router can forge one (RFC 4861 §3.1).
        `mac` b"": the destination is a group, or its MAC is asked for."""
        packet = IpPacket(source, destination, ICMPV6, message, 255)
        if self.probe is not None:
            self.probe.packet_sent(self.host, self.name, packet, None, now)
        if is_multicast(destination):
            mac = group_mac(destination)
        elif not mac:
            mac = self.cache.mac_for(destination, now)
        if mac:
            self.send(packet, mac)
        else:
            self.hold(packet, destination, now)

    def hold(self, packet: IpPacket, next_hop: bytes, now: int) -> None:
        """Keeps `packet` until the MAC of `next_hop` is known."""
        refused = self.cache.wait(next_hop, packet, now)
        if refused is not None:
            self.upper.drop(refused, "neighbor-table-full" if refused is packet else "neighbor-queue-full", now)

    # -- learning

    def learn(self, address: bytes, mac: bytes, now: int, solicited: bool, override: bool, create: bool) -> bool:
        """Takes in what a neighbour says, and sends what waited for it. False if it lies about a static binding."""
        if is_group_mac(mac):
            # RFC 1812 §3.3.2: nobody has a group's MAC for an address of its own.
            self.counters.add("neighbor-group-mac")
            return True
        result = self.cache.learn(address, mac, now, solicited, override, create)
        if result == REFUSED:
            self.note(f"{text(address)} is bound: {mac_text(mac)} claims it", now)
            return False
        if result != UNCHANGED:
            self.send_waiting(address, mac)
        return True

    def send_waiting(self, address: bytes, mac: bytes) -> None:
        queue = self.cache.entries[address].queue
        while queue:
            self.send(queue.popleft(), mac)

    # -- telling

    def drop(self, frame: EthernetFrame | None, reason: str, now: int) -> None:
        """A frame ends before anybody looked for an IP packet in it."""
        self.counters.add(reason)
        if self.probe is not None:
            self.probe.frame_dropped(self.host, frame, reason, now)

    def note(self, words: str, now: int) -> None:
        if self.probe is not None:
            self.probe.note(self.host, "neighbor", words, now)

    # -- questions

    def has(self, address: bytes) -> bool:
        """True if it is an address of this interface."""
        return any(own == address for own, _ in self.addresses)

    def source_for(self, target: bytes) -> bytes:
        """An address of this interface to ask from for `target`: in its network if there is one, b"" if there is none
        at all of its version."""
        best = b""
        for own, prefix in self.addresses:
            if len(own) != len(target):
                continue
            bits = 8 * len(own) - prefix
            if int.from_bytes(own, "big") >> bits == int.from_bytes(target, "big") >> bits:
                return own
            best = best or own
        return best
