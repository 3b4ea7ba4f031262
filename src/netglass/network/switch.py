"""An Ethernet switch (IEEE 802.1D, 802.1Q): it learns which MAC is behind which port, and sends a frame only there;
what it does not know, and what is for many, goes everywhere within the VLAN.

It has no clock and no timer: what it learned is too old when somebody looks. There is no spanning tree protocol:
whoever plugs cables decides which ports are `blocked` (the lab does, see `lab.topology`). In a loop without blocked
ports a broadcast goes round for ever, as in reality.
"""

from __future__ import annotations

from typing import Final

from netglass.counters import Counters
from netglass.errors import MisuseError
from netglass.probe import Probe
from netglass.times import SECOND
from netglass.wire.address import text
from netglass.wire.arp import ArpMessage
from netglass.wire.ethernet import UNTAGGED, EthernetFrame, is_group_mac, mac_text

AGEING: Final = 300 * SECOND  # IEEE 802.1D §7.9.2
TABLE_LIMIT: Final = 8192
DEFAULT_VLAN: Final = 1
_RESERVED: Final = b"\x01\x80\xc2\x00\x00"  # and 00 to 0f: never forwarded (IEEE 802.1D §7.12.6)

Forwarded = tuple[int, EthernetFrame]
"""(port, frame)"""


class SwitchPort:
    """How one port treats VLANs. An access port belongs to one (`vlan`) and speaks without tags; a trunk carries those
    of `trunk` with tags, and `vlan` without (its native one)."""

    __slots__ = ("blocked", "trunk", "vlan")

    def __init__(self, vlan: int = DEFAULT_VLAN, trunk: frozenset[int] | None = None) -> None:
        for each in [vlan, *sorted(trunk or ())]:
            if not 1 <= each <= 4094:
                raise MisuseError(f"a VLAN's number is 1 to 4094 (IEEE 802.1Q); this is {each}")
        self.vlan: int = vlan
        self.trunk: frozenset[int] | None = trunk  # None: an access port
        self.blocked: bool = False  # nothing goes in or out

    def vlan_of(self, frame: EthernetFrame) -> int:
        """The VLAN that a frame belongs to that comes in here; -1: it may not."""
        tag = frame.vlan
        if tag in (UNTAGGED, 0, self.vlan):
            return self.vlan
        return tag if self.trunk is not None and tag in self.trunk else -1

    def carries(self, vlan: int) -> bool:
        """True if frames of `vlan` may go out here."""
        return vlan == self.vlan or (self.trunk is not None and vlan in self.trunk)

    def dressed(self, frame: EthernetFrame, vlan: int) -> EthernetFrame:
        """`frame` as it goes out here: with a tag or without."""
        if vlan != self.vlan:
            tag = (frame.tag & 0xF000 if frame.tag >= 0 else 0) | vlan
        else:
            tag = UNTAGGED
        return frame if tag == frame.tag else frame.tagged(tag)


class Learned:
    """Where a MAC was seen."""

    __slots__ = ("mac", "port", "until", "vlan")

    def __init__(self, vlan: int, mac: bytes, port: int, until: int) -> None:
        self.vlan: int = vlan
        self.mac: bytes = mac
        self.port: int = port
        self.until: int = until


class Switch:
    """One switch. Ports are numbered from 0, in the order in which they were added."""

    __slots__ = (
        "_bindings",
        "_table",
        "ageing",
        "counters",
        "flooded",
        "forwarded",
        "name",
        "ports",
        "probe",
        "table_limit",
    )

    def __init__(self, name: str, ageing: int = AGEING, table_limit: int = TABLE_LIMIT) -> None:
        self.name: str = name
        self.ageing: int = ageing
        self.table_limit: int = table_limit
        self.ports: list[SwitchPort] = []
        self.counters: Counters = Counters()
        self.probe: Probe | None = None
        self.forwarded: int = 0  # frames that went to the one port behind which their destination is
        self.flooded: int = 0  # frames that went everywhere
        self._table: dict[tuple[int, bytes], Learned] = {}
        self._bindings: dict[bytes, bytes] = {}  # address -> the one MAC that may claim it in ARP

    def add_port(self, port: SwitchPort) -> int:
        """The new port's number."""
        self.ports.append(port)
        return len(self.ports) - 1

    def receive(self, frame: EthernetFrame, port: int, now: int) -> list[Forwarded]:
        """A frame came in at `port`: where it goes."""
        entry = self.ports[port]
        if entry.blocked:
            return self._drop(frame, "switch-port-blocked", now)
        vlan = entry.vlan_of(frame)
        if vlan < 0:
            return self._drop(frame, "switch-vlan", now)
        if is_group_mac(frame.source):
            return self._drop(frame, "switch-source-mac", now)
        if frame.destination.startswith(_RESERVED) and frame.destination[5] < 16:
            return self._drop(frame, "switch-reserved-mac", now)
        if self._bindings and self._lies(frame):
            return self._drop(frame, "switch-arp-binding", now)
        self._learn(vlan, frame.source, port, now)
        known = None if is_group_mac(frame.destination) else self._find(vlan, frame.destination, now)
        if known is None:
            self.flooded += 1
            return self._flood(frame, vlan, port)
        if known.port == port:
            return self._drop(frame, "switch-same-port", now)
        self.forwarded += 1
        return [(known.port, self.ports[known.port].dressed(frame, vlan))]

    def _flood(self, frame: EthernetFrame, vlan: int, port: int) -> list[Forwarded]:
        return [
            (number, each.dressed(frame, vlan))
            for number, each in enumerate(self.ports)
            if number != port and not each.blocked and each.carries(vlan)
        ]

    def _drop(self, frame: EthernetFrame | None, reason: str, now: int) -> list[Forwarded]:
        self.counters.add(reason)
        if self.probe is not None:
            self.probe.frame_dropped(self.name, frame, reason, now)
        return []

    def drop_bytes(self, reason: str, now: int) -> None:
        """What came in is no frame."""
        self._drop(None, reason, now)

    # -- the table

    def _learn(self, vlan: int, mac: bytes, port: int, now: int) -> None:
        entry = self._table.get((vlan, mac))
        if entry is None:
            if len(self._table) >= self.table_limit and not self._make_room(now):
                self.counters.add("switch-table-full")
                return
            self._table[vlan, mac] = Learned(vlan, mac, port, now + self.ageing)
            return
        if entry.port != port and entry.until > now:
            self.counters.add("switch-mac-moved")
            if self.probe is not None:
                self.probe.note(self.name, "switch", f"{mac_text(mac)} moved from port {entry.port} to {port}", now)
        entry.port = port
        entry.until = now + self.ageing

    def _find(self, vlan: int, mac: bytes, now: int) -> Learned | None:
        entry = self._table.get((vlan, mac))
        return entry if entry is not None and entry.until > now and self.ports[entry.port].carries(vlan) else None

    def _make_room(self, now: int) -> bool:
        """Forgets what is too old. Nothing that counts is pushed out: a flood of MACs must not make us forget them."""
        old = [key for key, entry in self._table.items() if entry.until <= now]
        for key in old:
            del self._table[key]
        return bool(old)

    def table(self, now: int) -> list[Learned]:
        """What it knows at `now`, in the order in which it was learned."""
        return [entry for entry in self._table.values() if entry.until > now]

    def flush(self) -> None:
        """Forgets what it learned."""
        self._table.clear()

    # -- what people set

    def bind(self, address: bytes, mac: bytes) -> None:
        """ARP that claims another MAC for `address` does not pass (dynamic ARP inspection with a static table)."""
        if len(mac) != 6 or is_group_mac(mac):
            raise MisuseError(f"{text(address)} is bound to one MAC of 6 bytes; this is {mac.hex(':')}")
        self._bindings[address] = mac

    def _lies(self, frame: EthernetFrame) -> bool:
        message = frame.payload
        if not isinstance(message, ArpMessage):
            return False
        return self._bindings.get(message.sender, message.sender_mac) != message.sender_mac
