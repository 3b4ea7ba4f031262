"""The neighbour cache (RFC 4861 §7.3; ARP entries live the same way, as on Linux): which MAC an address has, how sure
we are, and what waits to be sent there.

    nothing ──packet──► INCOMPLETE ──answer──► REACHABLE ──time──► STALE ──packet──► DELAY ──5 s──► PROBE ──► REACHABLE
                            └── three questions without an answer ──► FAILED ◄── three more ──────────┘

An entry changes by itself only where something has to be asked: INCOMPLETE, DELAY and PROBE have timers. REACHABLE
becomes STALE when somebody looks, so an idle neighbour costs nothing. `poll_question` and `poll_failed` tell what has
to be done; the cache knows neither ARP nor ICMP.
"""

from __future__ import annotations

from collections import deque
from heapq import heappop, heappush
from typing import Final

from netglass.neighbor.config import NeighborConfig
from netglass.rng import Rng
from netglass.times import NEVER
from netglass.wire.ip import IpPacket

INCOMPLETE: Final = 0
REACHABLE: Final = 1
STALE: Final = 2
DELAY: Final = 3
PROBE: Final = 4
FAILED: Final = 5
STATE_NAMES: Final = ("INCOMPLETE", "REACHABLE", "STALE", "DELAY", "PROBE", "FAILED")

# What became of a claim (see `learn`).
UNCHANGED: Final = 0
CHANGED: Final = 1
REFUSED: Final = 2  # the address is bound to another MAC


class Neighbor:
    """One entry."""

    __slots__ = ("address", "asked", "due", "mac", "permanent", "queue", "reachable_until", "router", "state", "used")

    def __init__(self, address: bytes) -> None:
        self.address: bytes = address
        self.mac: bytes = b""
        self.state: int = INCOMPLETE
        self.permanent: bool = False  # a static binding: nobody changes it
        self.router: bool = False  # it said so (ND)
        self.reachable_until: int = 0
        self.due: int = NEVER  # the one timer that counts; others in the heap are stale
        self.asked: int = 0  # questions without an answer
        self.used: int = 0  # when a packet went there, or it spoke
        self.queue: deque[IpPacket] = deque()

    @property
    def state_name(self) -> str:
        """As `ip neighbour` writes it."""
        return "PERMANENT" if self.permanent else STATE_NAMES[self.state]


class NeighborCache:
    """The entries of one interface, IPv4 and IPv6."""

    __slots__ = ("_failed", "_heap", "_lost", "_number", "_questions", "_rng", "config", "entries")

    def __init__(self, config: NeighborConfig, rng: Rng) -> None:
        self.config: NeighborConfig = config
        self.entries: dict[bytes, Neighbor] = {}
        self._rng: Rng = rng
        self._heap: list[tuple[int, int, Neighbor]] = []
        self._number: int = 0
        self._questions: deque[Neighbor] = deque()
        self._failed: deque[IpPacket] = deque()
        self._lost: deque[bytes] = deque()

    # -- sending

    def mac_for(self, address: bytes, now: int) -> bytes:
        """The MAC to send to now, or b"": then `wait` takes the packet. The hot path."""
        entry = self.entries.get(address)
        if entry is None:
            return b""
        entry.used = now
        if entry.state == REACHABLE:
            if now < entry.reachable_until:
                return entry.mac
            entry.state = STALE
        if entry.state == STALE:
            entry.state = DELAY
            self._file(entry, now + self.config.delay_first_probe)
        return entry.mac if entry.state != FAILED else b""

    def wait(self, address: bytes, packet: IpPacket | None, now: int) -> IpPacket | None:
        """Keeps `packet` (None: only ask) until the MAC is known, and asks. Returns the packet that has no room: the
        oldest one, or this one if the table is full."""
        entry = self.entries.get(address)
        if entry is None:
            entry = self._add(address, now)
            if entry is None:
                return packet
            self._ask(entry, now)
        elif entry.state == FAILED:
            entry.state = INCOMPLETE
            entry.asked = 0
            self._ask(entry, now)
        if packet is None:
            return None
        entry.queue.append(packet)
        return entry.queue.popleft() if len(entry.queue) > self.config.queue_packets else None

    def _add(self, address: bytes, now: int) -> Neighbor | None:
        if len(self.entries) >= self.config.table_limit and not self._make_room():
            return None
        entry = self.entries[address] = Neighbor(address)
        entry.used = now
        return entry

    def _make_room(self) -> bool:
        """Forgets the entry that was used longest ago, of those that nobody waits for."""
        oldest: Neighbor | None = None
        for entry in self.entries.values():
            busy = entry.permanent or entry.state in (INCOMPLETE, DELAY, PROBE)
            if not busy and (oldest is None or entry.used < oldest.used):
                oldest = entry
        if oldest is None:
            return False
        del self.entries[oldest.address]
        return True

    # -- what neighbours say

    def learn(self, address: bytes, mac: bytes, now: int, solicited: bool, override: bool, create: bool) -> int:
        """Somebody says that `address` is at `mac` (RFC 4861 §7.2.5): UNCHANGED, CHANGED or REFUSED.

        `solicited`: it answers a question of ours, and so proves that both ways work. `override`: another MAC
        replaces the one that we have. `create`: an entry is made if there is none.
        """
        entry = self.entries.get(address)
        if entry is None:
            if create:
                entry = self._add(address, now)
            if entry is None:
                return UNCHANGED
        if entry.permanent:
            return UNCHANGED if mac == entry.mac else REFUSED
        entry.used = now
        if entry.state in (INCOMPLETE, FAILED):
            entry.mac = mac
            self._confirm(entry, now) if solicited else self._grow_stale(entry)
            return CHANGED
        if mac == entry.mac:
            if solicited:
                self._confirm(entry, now)
            return UNCHANGED
        if not override:
            if entry.state == REACHABLE:
                self._grow_stale(entry)
            return UNCHANGED
        entry.mac = mac
        self._confirm(entry, now) if solicited else self._grow_stale(entry)
        return CHANGED

    def confirm(self, address: bytes, now: int) -> None:
        """Something of higher layers shows that packets get there (RFC 4861 §7.3.1)."""
        entry = self.entries.get(address)
        if entry is not None and entry.mac and entry.state != INCOMPLETE and entry.state != FAILED:
            self._confirm(entry, now)

    def _confirm(self, entry: Neighbor, now: int) -> None:
        base = self.config.base_reachable_time
        entry.state = REACHABLE
        # RFC 4861 §6.3.2: half to one and a half, so that hosts do not all ask at once.
        entry.reachable_until = now + base // 2 + (self._rng.u32() * base >> 32)
        entry.due = NEVER
        entry.asked = 0

    def _grow_stale(self, entry: Neighbor) -> None:
        entry.state = STALE
        entry.due = NEVER
        entry.asked = 0

    def bind(self, address: bytes, mac: bytes, now: int) -> None:
        """A static entry: nobody changes it, and who claims another MAC for `address` is REFUSED."""
        entry = self.entries.get(address)
        if entry is None:
            # An administrator's entry is made even if the table is full.
            entry = self.entries[address] = Neighbor(address)
        entry.mac = mac
        entry.permanent = True
        entry.state = REACHABLE
        entry.reachable_until = NEVER
        entry.due = NEVER
        entry.used = now

    def forget(self, address: bytes) -> bool:
        """Takes an entry out, a static one too; what waited for it has failed. False if there was none."""
        entry = self.entries.pop(address, None)
        if entry is None:
            return False
        entry.due = NEVER
        self._failed.extend(entry.queue)
        entry.queue.clear()
        return True

    def bound_elsewhere(self, address: bytes, mac: bytes) -> bool:
        """True if `address` is bound to another MAC than `mac`."""
        entry = self.entries.get(address)
        return entry is not None and entry.permanent and entry.mac != mac

    def all(self, now: int) -> list[Neighbor]:
        """The entries as they are at `now`, in the order in which they were made."""
        for entry in self.entries.values():
            if entry.state == REACHABLE and now >= entry.reachable_until:
                entry.state = STALE
        return list(self.entries.values())

    # -- what has to be done

    def poll_question(self) -> Neighbor | None:
        """The next entry to ask for: its own MAC in PROBE, else everybody."""
        while self._questions:
            entry = self._questions.popleft()
            if entry.state in (INCOMPLETE, PROBE):
                return entry
        return None

    def poll_failed(self) -> IpPacket | None:
        """The next packet whose neighbour did not answer."""
        return self._failed.popleft() if self._failed else None

    def poll_lost(self) -> bytes | None:
        """The next address that has become FAILED."""
        return self._lost.popleft() if self._lost else None

    @property
    def deadline(self) -> int:
        heap = self._heap
        while heap and heap[0][2].due != heap[0][0]:
            heappop(heap)
        return heap[0][0] if heap else NEVER

    def handle_timeout(self, now: int) -> None:
        heap = self._heap
        while heap and heap[0][0] <= now:
            when, _, entry = heappop(heap)
            if entry.due != when:
                continue
            entry.due = NEVER
            if entry.state == DELAY:
                entry.state = PROBE
                self._ask(entry, now)
            elif entry.state in (INCOMPLETE, PROBE):
                self._ask_again(entry, now)

    def _ask_again(self, entry: Neighbor, now: int) -> None:
        config = self.config
        most = config.multicast_probes if entry.state == INCOMPLETE else config.unicast_probes
        if entry.asked < most:
            self._ask(entry, now)
            return
        entry.state = FAILED
        entry.mac = b""
        self._lost.append(entry.address)
        self._failed.extend(entry.queue)
        entry.queue.clear()

    def _ask(self, entry: Neighbor, now: int) -> None:
        entry.asked += 1
        self._questions.append(entry)
        self._file(entry, now + self.config.retransmit)

    def _file(self, entry: Neighbor, due: int) -> None:
        entry.due = due
        self._number += 1
        heappush(self._heap, (due, self._number, entry))
