"""Neighbour discovery (RFC 4861) on one interface: who has an address, who is a router, and what it tells."""

from __future__ import annotations

from typing import Final

from netglass.errors import WireError
from netglass.neighbor.autoconf import LINK_LOCAL, Autoconf
from netglass.neighbor.detect import Detector
from netglass.neighbor.port import EthernetPort
from netglass.times import MILLISECOND, NEVER, SECOND
from netglass.wire.address import in_network, is_multicast, is_unspecified, text
from netglass.wire.ethernet import EthernetFrame, mac_text
from netglass.wire.icmp import IcmpMessage
from netglass.wire.ip import IpPacket
from netglass.wire.nd import (
    ALL_NODES,
    NEIGHBOR_ADVERTISEMENT,
    NEIGHBOR_SOLICITATION,
    OVERRIDE,
    ROUTER,
    ROUTER_ADVERTISEMENT,
    ROUTER_SOLICITATION,
    SOLICITED,
    NdOptions,
    RouterAdvertisement,
    neighbor_advertisement,
    neighbor_solicitation,
    read_options,
    read_redirected,
    read_router_advertisement,
    read_target,
    router_advertisement,
    solicited_node,
)

_ANSWER_DELAY: Final = 500 * MILLISECOND  # RFC 4861 §10: MAX_RA_DELAY_TIME
_ADVERTISEMENT_GAP: Final = 3 * SECOND  # MIN_DELAY_BETWEEN_RAS


class Nd:
    """The protocol over a port."""

    __slots__ = (
        "_advertise_at",
        "_advertised_at",
        "_autoconf",
        "_detector",
        "_interval",
        "_port",
        "_rng",
        "advertisement",
    )

    def __init__(self, port: EthernetPort, detector: Detector, autoconf: Autoconf) -> None:
        self._port: EthernetPort = port
        self._detector: Detector = detector
        self._autoconf: Autoconf = autoconf
        self._rng = port.rng.stream("advertise")
        self._interval: int = 0
        self._advertise_at: int = NEVER
        self._advertised_at: int = -_ADVERTISEMENT_GAP
        self.advertisement: RouterAdvertisement | None = None  # what this router tells

    # -- asking and telling

    def ask(self, target: bytes, mac: bytes, source: bytes, now: int) -> None:
        """Who has `target`? To its group, or to `mac` alone."""
        port = self._port
        own = source or self._autoconf.link_local or port.source_for(target)
        if not own:
            port.counters.add("nd-no-source")
            return
        message = neighbor_solicitation(target, port.mac)
        port.send_icmp(own, target if mac else solicited_node(target), message, mac, now)

    def announce(self, address: bytes, now: int) -> None:
        """Tells everybody that `address` is here (RFC 4861 §7.2.6)."""
        flags = OVERRIDE | (ROUTER if self._port.upper.forwards() else 0)
        message = neighbor_advertisement(address, self._port.mac, flags)
        self._port.send_icmp(address, ALL_NODES, message, b"", now)

    def advertise(self, told: RouterAdvertisement | None, interval: int, now: int) -> None:
        """Tells `told` now, whenever a host asks, and every `interval` ns if that is not 0. None: takes back what was
        told before."""
        if told is None and self.advertisement is not None:
            self._send_advertisement(RouterAdvertisement(0, 0), now)
        self.advertisement = told
        self._interval = interval
        self._advertise_at = now if told is not None else NEVER

    def _send_advertisement(self, told: RouterAdvertisement, now: int) -> None:
        port = self._port
        if not self._autoconf.link_local:
            port.counters.add("nd-no-source")
            return
        told.options.mac = port.mac
        self._advertised_at = now
        port.send_icmp(self._autoconf.link_local, ALL_NODES, router_advertisement(told), b"", now)

    # -- time

    @property
    def deadline(self) -> int:
        return self._advertise_at

    def handle_timeout(self, now: int) -> None:
        if self._advertise_at > now:
            return
        self._advertise_at = NEVER
        if self.advertisement is None:
            return
        if not self._autoconf.link_local:
            self._advertise_at = now + SECOND  # it is still being tested
            return
        self._send_advertisement(self.advertisement, now)
        if self._interval:
            # RFC 4861 §6.2.4: between a third of it and all of it.
            third = self._interval // 3
            self._advertise_at = now + third + (self._rng.u32() * (self._interval - third) >> 32)

    # -- hearing

    def receive(self, frame: EthernetFrame, packet: IpPacket, message: IcmpMessage, now: int) -> str:
        """One of the five messages: "" if it was taken, else why not (a counter's name)."""
        if packet.ttl != 255:
            return "nd-hop-limit"  # RFC 4861 §6.1, §7.1, §8.1: it comes from beyond a router, so it is forged
        try:
            options = read_options(message)
            if message.type == NEIGHBOR_SOLICITATION:
                return self._receive_solicitation(frame, packet, read_target(message), options, now)
            if message.type == NEIGHBOR_ADVERTISEMENT:
                return self._receive_advertisement(packet, message, read_target(message), options, now)
            if message.type == ROUTER_SOLICITATION:
                return self._receive_router_solicitation(packet, options, now)
            if message.type == ROUTER_ADVERTISEMENT:
                return self._receive_router_advertisement(packet, read_router_advertisement(message), now)
            return self._receive_redirect(packet, message, options, now)
        except WireError as error:
            return error.reason

    def _refused(self, address: bytes, mac: bytes, now: int) -> bool:
        """True if the address is bound to another MAC: a lie."""
        port = self._port
        if not port.cache.bound_elsewhere(address, mac):
            return False
        port.note(f"{text(address)} is bound: {mac_text(mac)} claims it", now)
        return True

    def _receive_solicitation(
        self, frame: EthernetFrame, packet: IpPacket, target: bytes, options: NdOptions, now: int
    ) -> str:
        port = self._port
        source = packet.source
        if is_unspecified(source):
            if options.mac or packet.destination != solicited_node(target):
                return "nd-bad-test"  # RFC 4861 §7.1.1
            if self._detector.claimed(target, frame.source, now):
                return ""
        elif target in self._detector.candidates and not port.has(target):
            return "nd-tentative"  # RFC 4862 §5.4.3: it is not ours yet
        if options.mac and self._refused(source, options.mac, now):
            return "nd-binding"
        if not port.has(target):
            return "nd-not-our-address"
        if options.mac:
            port.learn(source, options.mac, now, False, True, True)
        flags = ROUTER if port.upper.forwards() else 0
        if target not in self._detector.candidates:
            flags |= OVERRIDE  # RFC 4429 §3.3: an optimistic address overrides nobody
        if is_unspecified(source):
            port.send_icmp(target, ALL_NODES, neighbor_advertisement(target, port.mac, flags), b"", now)
        else:
            answer = neighbor_advertisement(target, port.mac, flags | SOLICITED)
            port.send_icmp(target, source, answer, options.mac, now)
        return ""

    def _receive_advertisement(
        self, packet: IpPacket, message: IcmpMessage, target: bytes, options: NdOptions, now: int
    ) -> str:
        port = self._port
        solicited = message.rest & SOLICITED != 0
        if solicited and is_multicast(packet.destination):
            return "nd-bad-advertisement"  # RFC 4861 §7.1.2
        if self._detector.claimed(target, options.mac or bytes(6), now):
            return ""
        if port.has(target):
            port.counters.add("address-duplicate")
            port.note(f"{text(target)} is ours, and {mac_text(options.mac or bytes(6))} uses it", now)
            return "nd-conflict"
        entry = port.cache.entries.get(target)
        if entry is None:
            return "nd-not-asked-for"  # RFC 4861 §7.2.5: nothing is learned that nobody wants to know
        if options.mac and self._refused(target, options.mac, now):
            return "nd-binding"
        mac = options.mac or entry.mac
        if not mac:
            return "nd-no-mac"
        port.learn(target, mac, now, solicited, message.rest & OVERRIDE != 0, False)
        entry.router = message.rest & ROUTER != 0
        return ""

    def _receive_router_solicitation(self, packet: IpPacket, options: NdOptions, now: int) -> str:
        port = self._port
        if self.advertisement is None:
            return "nd-no-router"
        if options.mac and is_unspecified(packet.source):
            return "nd-bad-solicitation"  # RFC 4861 §6.1.1
        if options.mac:
            if self._refused(packet.source, options.mac, now):
                return "nd-binding"
            port.learn(packet.source, options.mac, now, False, True, True)
        wait = self._rng.u32() * _ANSWER_DELAY >> 32
        due = max(now + wait, self._advertised_at + _ADVERTISEMENT_GAP)
        self._advertise_at = min(self._advertise_at, due)
        return ""

    def _receive_router_advertisement(self, packet: IpPacket, told: RouterAdvertisement, now: int) -> str:
        port = self._port
        source = packet.source
        if not in_network(source, LINK_LOCAL, 10):
            return "nd-bad-advertisement"  # RFC 4861 §6.1.2
        mac = told.options.mac
        if mac and self._refused(source, mac, now):
            return "nd-binding"
        if port.upper.forwards() or not port.config.accept_ra:
            port.counters.add("nd-advertisement-ignored")
            return ""
        if mac:
            port.learn(source, mac, now, False, True, True)
            entry = port.cache.entries.get(source)
            if entry is not None:
                entry.router = True
        self._autoconf.receive(told, source, now)
        return ""

    def _receive_redirect(self, packet: IpPacket, message: IcmpMessage, options: NdOptions, now: int) -> str:
        """RFC 4861 §8: only a router that we use may tell of a better one."""
        port = self._port
        target = read_target(message)
        destination = read_redirected(message)
        if not in_network(packet.source, LINK_LOCAL, 10):
            return "nd-bad-redirect"
        if target != destination and not in_network(target, LINK_LOCAL, 10):
            return "nd-bad-redirect"
        if port.upper.owns(destination) or port.upper.owns(target):
            return "nd-bad-redirect"  # nobody leads us away from ourselves
        if not port.config.accept_redirects or port.upper.forwards():
            return "nd-redirect-ignored"
        if packet.source not in self._autoconf.routers:
            return "nd-redirect-not-our-router"
        if options.mac:
            if self._refused(target, options.mac, now):
                return "nd-binding"
            port.learn(target, options.mac, now, False, True, True)
        gateway = b"" if target == destination else target
        if not self._autoconf.redirect(destination, gateway):
            return "nd-too-many-redirects"
        return ""
