"""Is an address free? It is asked for before it is used: RFC 5227 §2.1 for IPv4, RFC 4862 §5.4 for IPv6.

An address under test is a `Candidate`. Who claims it meanwhile, or tests it as well, has it: the candidate has failed.
Else the host gets the address, and for IPv4 it is announced twice.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from netglass.neighbor.port import EthernetPort
from netglass.times import NEVER, SECOND
from netglass.wire.address import text
from netglass.wire.arp import REQUEST, ArpMessage
from netglass.wire.ethernet import BROADCAST_MAC, NO_MAC, EthernetFrame, mac_text
from netglass.wire.nd import neighbor_solicitation, solicited_node

# RFC 5227 §1.1.
PROBE_WAIT: Final = 1 * SECOND
PROBES: Final = 3
PROBE_LEAST: Final = 1 * SECOND
PROBE_MOST: Final = 2 * SECOND
ANNOUNCE_WAIT: Final = 2 * SECOND
ANNOUNCEMENTS: Final = 2
ANNOUNCE_INTERVAL: Final = 2 * SECOND

# Who wanted an address.
MANUAL: Final = 0
AUTOCONF: Final = 1
DHCP: Final = 2


class Candidate:
    """An address under test."""

    __slots__ = ("address", "announced", "asked", "due", "on_link", "owner", "prefix", "ready", "tries")

    def __init__(self, address: bytes, prefix: int, owner: int, on_link: bool, tries: int) -> None:
        self.address: bytes = address
        self.prefix: int = prefix
        self.owner: int = owner
        self.on_link: bool = on_link
        self.tries: int = tries  # how many addresses were taken before this one (RFC 7217's DAD_Counter)
        self.asked: int = 0
        self.announced: int = 0
        self.due: int = 0
        self.ready: bool = False  # the host has it; if the test has ended without, somebody else has it


class Detector:
    """All tests on one interface. `poll_settled` tells what came of them."""

    __slots__ = ("_port", "_rng", "_settled", "candidates")

    def __init__(self, port: EthernetPort) -> None:
        self._port: EthernetPort = port
        self._rng = port.rng.stream("detect")
        self._settled: deque[Candidate] = deque()
        self.candidates: dict[bytes, Candidate] = {}

    def start(self, candidate: Candidate, now: int) -> None:
        """Begins the test, or leaves it out where the configuration says so."""
        config = self._port.config
        self.candidates[candidate.address] = candidate
        if len(candidate.address) == 16 and config.dad_transmits == 0:
            self._finish(candidate, now)
            return
        # A random wait, so that machines that were switched on together do not all ask at once.
        candidate.due = now + self._below(PROBE_WAIT)
        if len(candidate.address) == 16 and config.optimistic_dad:
            self._grant(candidate, now)

    def _below(self, limit: int) -> int:
        return self._rng.u32() * limit >> 32

    def claimed(self, address: bytes, mac: bytes, now: int) -> bool:
        """`mac` uses `address`, or wants it too. True if that was under test, which has failed now."""
        candidate = self.candidates.get(address)
        if candidate is None or candidate.announced:
            return False
        del self.candidates[address]
        port = self._port
        if candidate.ready:  # it was used optimistically
            candidate.ready = False
            port.upper.remove_address(port.index, address, candidate.prefix)
        port.counters.add("address-duplicate")
        port.note(f"{text(address)} is taken: {mac_text(mac)} has it", now)
        self._settled.append(candidate)
        return True

    def poll_settled(self) -> Candidate | None:
        return self._settled.popleft() if self._settled else None

    def drop(self, address: bytes) -> None:
        """Ends a test without a result."""
        self.candidates.pop(address, None)

    @property
    def deadline(self) -> int:
        due = NEVER
        for candidate in self.candidates.values():
            due = min(due, candidate.due)
        return due

    def handle_timeout(self, now: int) -> None:
        for candidate in list(self.candidates.values()):
            if candidate.due <= now:
                self._go_on(candidate, now)

    def _go_on(self, candidate: Candidate, now: int) -> None:
        four = len(candidate.address) == 4
        probes = PROBES if four else self._port.config.dad_transmits
        if candidate.asked < probes:
            candidate.asked += 1
            self._ask(candidate.address, now)
            wait = self._port.config.retransmit
            if four:
                last = candidate.asked == PROBES
                wait = ANNOUNCE_WAIT if last else PROBE_LEAST + self._below(PROBE_MOST - PROBE_LEAST)
            candidate.due = now + wait
        else:
            self._finish(candidate, now)

    def _ask(self, address: bytes, now: int) -> None:
        port = self._port
        if len(address) == 16:
            # RFC 4862 §5.4.2: from nobody, to whoever has it.
            port.send_icmp(bytes(16), solicited_node(address), neighbor_solicitation(address, b""), b"", now)
        else:
            self._say(ArpMessage(REQUEST, port.mac, bytes(4), NO_MAC, address), now)

    def _say(self, message: ArpMessage, now: int) -> None:
        port = self._port
        port.send_own(EthernetFrame(BROADCAST_MAC, port.mac, message, tag=port.tag), now)

    def _finish(self, candidate: Candidate, now: int) -> None:
        if not candidate.ready:
            self._grant(candidate, now)
        if len(candidate.address) == 4 and candidate.announced < ANNOUNCEMENTS:
            candidate.announced += 1
            self._say(ArpMessage(REQUEST, self._port.mac, candidate.address, NO_MAC, candidate.address), now)
            candidate.due = now + ANNOUNCE_INTERVAL
        if len(candidate.address) == 16 or candidate.announced == ANNOUNCEMENTS:
            del self.candidates[candidate.address]

    def _grant(self, candidate: Candidate, now: int) -> None:
        port = self._port
        candidate.ready = True
        port.upper.add_address(port.index, candidate.address, candidate.prefix, candidate.on_link)
        self._settled.append(candidate)
