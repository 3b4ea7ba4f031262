"""What a host makes of router advertisements (RFC 4861 §6.3, RFC 4862): link-local address, addresses of its own in
told prefixes, routes to them, default routers, MTU."""

from __future__ import annotations

from typing import Final

from netglass.neighbor.detect import AUTOCONF, Candidate, Detector
from netglass.neighbor.port import EthernetPort
from netglass.neighbor.stable import interface_identifier
from netglass.times import HOUR, MILLISECOND, NEVER, SECOND
from netglass.wire.address import in_network, network_of, text
from netglass.wire.nd import ALL_ROUTERS, FOREVER, Prefix, RouterAdvertisement, router_solicitation

LINK_LOCAL: Final = b"\xfe\x80" + bytes(14)
_LEAST_MTU: Final = 1280  # RFC 8200 §5
_SOLICITATIONS: Final = 3  # RFC 4861 §10
_SOLICITATION_INTERVAL: Final = 4 * SECOND
_SOLICITATION_DELAY: Final = 1 * SECOND
_TRIES: Final = 3  # RFC 7217 §6: IDGEN_RETRIES
_TWO_HOURS: Final = 2 * HOUR
_MOST: Final = 16
"""Prefixes and routers that are kept: a flood of advertisements must not fill the memory (Linux has limits too)."""
_MOST_REDIRECTS: Final = 256


class KnownPrefix:
    """A prefix that a router told. Times in ns."""

    __slots__ = ("address", "length", "network", "on_link_until", "preferred_until", "valid_until")

    def __init__(self, network: bytes, length: int) -> None:
        self.network: bytes = network
        self.length: int = length
        self.on_link_until: int = 0  # 0: not told to be on the link
        self.address: bytes = b""  # ours in it; b"" none
        self.valid_until: int = 0
        self.preferred_until: int = 0


class Autoconf:
    """Stateless autoconfiguration of one interface."""

    __slots__ = (
        "_detector",
        "_port",
        "_redirected",
        "_solicit_at",
        "_solicited",
        "link_local",
        "prefixes",
        "routers",
    )

    def __init__(self, port: EthernetPort, detector: Detector) -> None:
        self._port: EthernetPort = port
        self._detector: Detector = detector
        self._redirected: dict[bytes, bytes] = {}  # destination -> better first hop (b"": the link)
        self._solicit_at: int = NEVER
        self._solicited: int = 0
        self.link_local: bytes = b""  # ours; b"" until it is tested
        self.prefixes: list[KnownPrefix] = []
        self.routers: dict[bytes, int] = {}  # default routers -> until when

    # -- addresses of our own

    def start(self, now: int) -> None:
        """Makes the link-local address; routers are asked when it is ours."""
        self._propose(LINK_LOCAL, 64, 0, now)

    @property
    def proposed(self) -> bool:
        """A link-local address is under test."""
        return any(in_network(each, LINK_LOCAL, 64) for each in self._detector.candidates)

    def adopt(self, address: bytes) -> None:
        """This link-local address is ours, without a test and without asking routers."""
        self.link_local = address
        self._port.upper.add_address(self._port.index, address, 64, True)

    def _propose(self, network: bytes, length: int, tries: int, now: int) -> bytes:
        port = self._port
        address = network[:8] + interface_identifier(port, network[:8], tries)
        if port.upper.owns(address) or address in self._detector.candidates:
            return b""
        self._detector.start(Candidate(address, length, AUTOCONF, network == LINK_LOCAL, tries), now)
        return address

    def settle(self, candidate: Candidate, now: int) -> None:
        """A test of ours has ended."""
        address = candidate.address
        if candidate.ready:
            if in_network(address, LINK_LOCAL, 64):
                self._have_link_local(address, now)
            return
        known = next((each for each in self.prefixes if each.address == address), None)
        if candidate.tries + 1 >= _TRIES or self._port.config.eui64:
            self._port.note(f"no free address in {text(network_of(address, 64))}/64", now)
            if known is not None:
                known.address = b""
            return
        made = self._propose(network_of(address, 64), candidate.prefix, candidate.tries + 1, now)
        if known is not None:
            known.address = made

    def _have_link_local(self, address: bytes, now: int) -> None:
        self.link_local = address
        if self._port.config.accept_ra and not self._port.upper.forwards() and self._solicited == 0:
            self._solicit_at = now + (self._port.rng.stream("solicit").u32() * _SOLICITATION_DELAY >> 32)

    # -- routers

    def receive(self, told: RouterAdvertisement, source: bytes, now: int) -> None:
        """An advertisement from the router with the link-local address `source`."""
        self._solicit_at = NEVER
        self._solicited = _SOLICITATIONS
        self._take_router(source, told.lifetime_s, now)
        config = self._port.config
        if told.reachable_ms:
            config.base_reachable_time = told.reachable_ms * MILLISECOND
        if told.retransmit_ms:
            config.retransmit = told.retransmit_ms * MILLISECOND
        if told.options.mtu:
            self._take_mtu(told.options.mtu)
        for prefix in told.options.prefixes:
            self._take_prefix(prefix, now)

    def _take_router(self, source: bytes, lifetime_s: int, now: int) -> None:
        port = self._port
        known = source in self.routers
        if lifetime_s and not known and len(self.routers) >= _MOST:
            port.counters.add("nd-too-many-routers")
        elif lifetime_s:
            self.routers[source] = now + lifetime_s * SECOND
            if not known:
                port.upper.add_route(port.index, bytes(16), 0, source)
        elif known:
            self._lose_router(source)

    def _lose_router(self, router: bytes) -> None:
        del self.routers[router]
        self._port.upper.remove_route(self._port.index, bytes(16), 0, router)

    def avoid(self, router: bytes) -> None:
        """A router does not answer: the others are asked first from now on (RFC 4861 §6.3.6). What was redirected there
        goes the old way again (§7.3.3)."""
        for destination, gateway in list(self._redirected.items()):
            if router == (gateway or destination):
                del self._redirected[destination]
                self._port.upper.remove_route(self._port.index, destination, 128, gateway)
        if router in self.routers and len(self.routers) > 1:
            port = self._port
            port.upper.remove_route(port.index, bytes(16), 0, router)
            port.upper.add_route(port.index, bytes(16), 0, router)

    def redirect(self, destination: bytes, gateway: bytes) -> bool:
        """A better first hop for one destination. False if there are too many already."""
        port = self._port
        old = self._redirected.get(destination)
        if old == gateway:
            return True
        if old is not None:
            port.upper.remove_route(port.index, destination, 128, old)
        elif len(self._redirected) >= _MOST_REDIRECTS:
            return False
        self._redirected[destination] = gateway
        port.upper.add_route(port.index, destination, 128, gateway)
        return True

    def _take_mtu(self, mtu: int) -> None:
        port = self._port
        if _LEAST_MTU <= mtu <= port.mtu:
            port.upper.set_mtu(port.index, mtu)
        else:
            port.counters.add("nd-mtu-out-of-bounds")

    def _take_prefix(self, told: Prefix, now: int) -> None:
        port = self._port
        network = network_of(told.network, told.length) if told.length <= 128 else b""
        if not network or told.preferred_s > told.valid_s or in_network(network, LINK_LOCAL, 10):
            port.counters.add("nd-bad-prefix")  # RFC 4862 §5.5.3 b, c
            return
        known = next((each for each in self.prefixes if (each.network, each.length) == (network, told.length)), None)
        if known is None:
            if told.valid_s == 0:
                return
            if len(self.prefixes) >= _MOST:
                port.counters.add("nd-too-many-prefixes")
                return
            known = KnownPrefix(network, told.length)
            self.prefixes.append(known)
        if told.on_link:
            self._keep_on_link(known, _until(told.valid_s, now))
        if told.autonomous:
            self._keep_address(known, told, now)
        self._forget_old(now)

    def _keep_on_link(self, known: KnownPrefix, until: int) -> None:
        port = self._port
        if not known.on_link_until:
            port.upper.add_route(port.index, known.network, known.length, b"")
        known.on_link_until = until

    def _keep_address(self, known: KnownPrefix, told: Prefix, now: int) -> None:
        if known.length != 64:
            self._port.counters.add("nd-bad-prefix")  # RFC 4862 §5.5.3 d: with the identifier no 128 bits
            return
        if not known.address:
            if told.valid_s == 0:
                return
            known.address = self._propose(known.network, known.length, 0, now)
            known.valid_until = _until(told.valid_s, now)
        elif told.valid_s * SECOND > _TWO_HOURS or _until(told.valid_s, now) > known.valid_until:
            known.valid_until = _until(told.valid_s, now)
        elif known.valid_until - now > _TWO_HOURS:
            # RFC 4862 §5.5.3 e: who forges a lifetime of zero must not take our addresses away.
            known.valid_until = now + _TWO_HOURS
        known.preferred_until = min(_until(told.preferred_s, now), known.valid_until)

    # -- time

    @property
    def deadline(self) -> int:
        due = self._solicit_at
        for until in self.routers.values():
            due = min(due, until)
        for known in self.prefixes:
            if known.on_link_until:
                due = min(due, known.on_link_until)
            if known.address:
                due = min(due, known.valid_until)
        return due

    def handle_timeout(self, now: int) -> None:
        if self._solicit_at <= now:
            self._solicit(now)
        for router in [router for router, until in self.routers.items() if until <= now]:
            self._lose_router(router)
        self._forget_old(now)

    def _solicit(self, now: int) -> None:
        port = self._port
        self._solicited += 1
        self._solicit_at = now + _SOLICITATION_INTERVAL if self._solicited < _SOLICITATIONS else NEVER
        port.send_icmp(self.link_local, ALL_ROUTERS, router_solicitation(port.mac), b"", now)

    def _forget_old(self, now: int) -> None:
        port = self._port
        for known in self.prefixes:
            if known.on_link_until and known.on_link_until <= now:
                known.on_link_until = 0
                port.upper.remove_route(port.index, known.network, known.length, b"")
            if known.address and known.valid_until <= now:
                self._detector.drop(known.address)
                if port.has(known.address):
                    port.upper.remove_address(port.index, known.address, known.length)
                known.address = b""
        self.prefixes = [each for each in self.prefixes if each.on_link_until or each.address]


def _until(seconds: int, now: int) -> int:
    return NEVER if seconds == FOREVER else now + seconds * SECOND
