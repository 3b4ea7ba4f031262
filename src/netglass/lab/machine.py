"""A host in virtual time: packets from cables go in, packets go out to cables, and one entry in the agenda stands for
all its timers."""

from __future__ import annotations

from netglass import errnos
from netglass.build import mypyc_attr
from netglass.host.host import Host
from netglass.host.interface import Interface
from netglass.lab.agenda import Agenda, Target
from netglass.lab.plug import Plug
from netglass.lab.scene import Scene
from netglass.network.cable import Cable
from netglass.sockets.sockets import Sockets
from netglass.times import NEVER
from netglass.wire.ethernet import EthernetFrame
from netglass.wire.ip import IpPacket


@mypyc_attr(allow_interpreted_subclasses=True)
class Port(Plug):
    """Where a cable is plugged into a machine."""

    __slots__ = ("interface", "machine", "network")

    def __init__(self, machine: Machine, interface: Interface, cable: Cable, end: int) -> None:
        super().__init__(cable, end, machine.agenda)
        self.machine: Machine = machine
        self.interface: Interface = interface
        self.network: int = -1  # the number of the automatic network that it has an address in

    def happen(self, item: object, now: int) -> None:
        """A packet or frame, or its bytes, arrived over the cable."""
        machine = self.machine
        if isinstance(item, IpPacket):
            machine.host.receive_packet(item, self.interface, now)
        elif isinstance(item, EthernetFrame):
            machine.host.receive_ethernet(item, self.interface, now)
        elif isinstance(item, bytes):
            machine.host.receive_frame(item, self.interface, now)
        machine.flush(now)


class Machine(Target):
    """One host and its ports. `flush` after everything that was done to the host (DESIGN.md §3)."""

    __slots__ = ("_framed", "_timer_at", "agenda", "host", "name", "ports", "ports_by_index", "scene", "sockets")

    def __init__(self, host: Host, scene: Scene) -> None:
        self.name: str = host.name
        self.host: Host = host
        self.sockets: Sockets = Sockets(host)
        self.scene: Scene = scene
        self.agenda: Agenda = scene.agenda
        self.ports: list[Port] = []
        self.ports_by_index: dict[int, Port] = {}
        self._framed: bool = False  # it has an Ethernet interface
        self._timer_at: int = NEVER  # the earliest entry for this machine's timers in the agenda; later ones are stale

    def plug(self, cable: Cable, end: int, mtu: int, offload: bool, mac: bytes = b"") -> Port:
        """A new interface (eth0, eth1 ...) for this end of `cable`; with a MAC it is Ethernet."""
        name = f"eth{len(self.ports)}"
        if mac:
            self._framed = True
            interface = self.host.add_ethernet(name, mac, mtu, offload)
        else:
            interface = self.host.add_interface(name, mtu, offload)
        port = Port(self, interface, cable, end)
        self.ports.append(port)
        self.ports_by_index[interface.index] = port
        return port

    def flush(self, now: int) -> None:
        """Hands what the host wants to send to the cables, then sees to its timer."""
        host = self.host
        out = host.poll_packet(now)
        while out is not None:
            self.ports_by_index[out[0].index].send(out[1], now)
            out = host.poll_packet(now)
        if self._framed:
            self._flush_frames(now)
        deadline = host.deadline
        if deadline < self._timer_at:
            self._timer_at = deadline if deadline > now else now
            self.agenda.enter(self._timer_at, self, None)

    def _flush_frames(self, now: int) -> None:
        framed = self.host.poll_frame(now)
        while framed is not None:
            self.ports_by_index[framed[0].index].send(framed[1], now)
            framed = self.host.poll_frame(now)

    def happen(self, item: object, now: int) -> None:
        """The time of a timer."""
        if now != self._timer_at:
            return
        self._timer_at = NEVER
        self.host.handle_timeout(now)
        self.flush(now)

    def inject(self, packet: IpPacket) -> None:
        now = self.agenda.now
        result = self.host.send_raw(packet, now)
        if result < 0:
            raise OSError(-result, f"{errnos.name(result)}: inject on {self.name}")
        self.flush(now)

    def has_version(self, version: int) -> bool:
        """True if a port has an address of IP version 4 or 6."""
        size = 4 if version == 4 else 16
        return any(len(address) == size for port in self.ports for address, _ in port.interface.addresses)
