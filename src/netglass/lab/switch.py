"""A switch in virtual time: frames from cables go in, frames go out to cables, at once."""

from __future__ import annotations

from typing import Final

from netglass.errors import MisuseError, WireError
from netglass.lab.agenda import Agenda
from netglass.lab.plug import Plug
from netglass.network.cable import Cable
from netglass.network.switch import Learned, Switch, SwitchPort
from netglass.times import duration
from netglass.wire.address import parse
from netglass.wire.ethernet import EthernetFrame, decode_frame, mac_text, parse_mac, split_frame

ALL_VLANS: Final = frozenset(range(1, 4095))


class SwitchPlug(Plug):
    """Where a cable is plugged into a switch."""

    __slots__ = ("number", "port", "switch")

    def __init__(self, switch: LabSwitch, cable: Cable, end: int, port: SwitchPort) -> None:
        super().__init__(cable, end, switch.agenda)
        self.switch: LabSwitch = switch
        self.port: SwitchPort = port
        self.number: int = switch.core.add_port(port)

    def happen(self, item: object, now: int) -> None:
        """A frame, or its bytes, arrived over the cable."""
        core = self.switch.core
        if isinstance(item, bytes):
            item = self._read(item, now)
            if item is None:
                return
        if not isinstance(item, EthernetFrame):
            raise MisuseError("a point-to-point cable cannot end in a switch")
        plugs = self.switch.plugs
        for number, frame in core.receive(item, self.number, now):
            plugs[number].send(frame, now)

    def _read(self, data: bytes, now: int) -> EthernetFrame | None:
        """A switch looks at the header only; what is in the frame is read for the faults behind it."""
        try:
            return decode_frame(data)
        except WireError:
            pass  # not its affair
        try:
            return split_frame(data)
        except WireError as error:
            self.switch.core.drop_bytes(error.reason, now)
            return None


class LabSwitch:
    """A switch, as its user handles it. `core` is `network.switch.Switch`: its ports, table and counters."""

    __slots__ = ("agenda", "core", "name", "plugs", "stp")

    def __init__(self, name: str, agenda: Agenda, ageing: int | str, table_limit: int, stp: bool) -> None:
        self.name: str = name
        self.agenda: Agenda = agenda
        self.core: Switch = Switch(name, duration(ageing), table_limit)
        self.plugs: list[SwitchPlug] = []
        self.stp: bool = stp  # cables that would close a loop are blocked

    def __repr__(self) -> str:
        return f"<switch {self.name}: {len(self.plugs)} cables, {len(self.table())} MACs>"

    def plug(self, cable: Cable, end: int, vlan: int, trunk: frozenset[int] | None) -> SwitchPlug:
        made = SwitchPlug(self, cable, end, SwitchPort(vlan, trunk))
        self.plugs.append(made)
        return made

    def table(self) -> list[Learned]:
        """The MACs that it knows now, in the order in which it learned them."""
        return self.core.table(self.agenda.now)

    def neighbor_of(self, entry: Learned) -> str:
        """The name of the host or switch at the other end of the cable behind which `entry` is."""
        plug = self.plugs[entry.port]
        return plug.cable.b if plug.end == 0 else plug.cable.a

    def bind(self, address: str, mac: str) -> None:
        """ARP that claims another MAC for `address` does not pass (dynamic ARP inspection)."""
        self.core.bind(parse(address), parse_mac(mac))

    def text(self) -> str:
        """The table: VLAN, MAC, behind which cable."""
        rows = [f"{each.vlan:>4}  {mac_text(each.mac)}  {self.neighbor_of(each)}" for each in self.table()]
        return "\n".join(["VLAN  MAC                behind", *rows]) + "\n"
