"""A host of the lab, as its user handles it."""

from __future__ import annotations

from netglass.errors import MisuseError
from netglass.host.config import HostConfig
from netglass.host.host import Host
from netglass.host.table import SocketEntry
from netglass.lab.io import start
from netglass.lab.machine import Machine
from netglass.lab.process import Process, Program
from netglass.lab.scene import Scene
from netglass.sockets.place import Place
from netglass.wire.address import parse, text
from netglass.wire.ip import IpPacket
from netglass.world import World


class LabHost(Place):
    """One machine. `core` is the protocol machine itself (`netglass.host`), `sockets` its BSD calls.

    Calls made on `core` or `sockets` from outside (not in a program, not in `at`) take effect when the network runs on.
    """

    __slots__ = ("config", "machine", "number", "wanted")

    def __init__(
        self, core: Host, scene: Scene, world: World, seed: int, number: int, wanted: list[tuple[bytes, int]]
    ) -> None:
        machine = Machine(core, scene)
        super().__init__(core, machine.sockets, world, seed)
        self.config: HostConfig = core.config
        self.machine: Machine = machine
        self.number: int = number  # from 1, in the order of creation: the last part of its automatic addresses
        self.wanted: list[tuple[bytes, int]] = wanted  # addresses for the first cable

    def __repr__(self) -> str:
        return f"<host {self.name} {' '.join(self.addresses)}>"

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses as text, in the order in which they were given out."""
        return tuple([text(own) for port in self.machine.ports for own, _ in port.interface.addresses])

    @property
    def address(self) -> str:
        """The first IPv4 address."""
        return self._first(4)

    @property
    def address6(self) -> str:
        """The first IPv6 address."""
        return self._first(16)

    def _first(self, size: int) -> str:
        for port in self.machine.ports:
            for own, _ in port.interface.addresses:
                if len(own) == size:
                    return text(own)
        version = "IPv4" if size == 4 else "IPv6"
        raise MisuseError(f"{self.name!r} has no {version} address; a cable gives it one unless it has others")

    def spawn(self, program: Program, *args: object, name: str = "") -> Process:
        """Starts `program(io, *args)`; it takes its first step when the network runs."""
        return start(self.machine, program, args, name)

    def flush(self) -> None:
        self.machine.flush(self.machine.agenda.now)

    def resolve(self, name: str) -> tuple[str, ...]:
        """The addresses of a host of the network, IPv4 first; () if nobody has the name."""
        return self.machine.scene.directory.resolve(name)

    def name_of(self, address: str) -> str:
        """The name of the host that has this address; "" if none has."""
        return self.machine.scene.directory.names.get(parse(address), "")

    def tell_tls_secrets(self, lines: str) -> None:
        scene = self.machine.scene
        scene.observers.tls_secrets(self.name, lines, scene.agenda.now)

    def note(self, subject: str, text: str) -> None:
        self.machine.scene.note(self.name, subject, text)

    def inject(self, packet: IpPacket) -> None:
        """Sends `packet` as it is, whatever its source address says, now. OSError if it cannot leave this host."""
        self.machine.inject(packet)

    def netstat(self) -> list[SocketEntry]:
        """Every socket as netstat shows them, half-open connections included."""
        return self.core.sockets()
