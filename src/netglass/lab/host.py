"""A host of the lab, as its user handles it."""

from __future__ import annotations

from netglass.dhcp.client import DhcpClient
from netglass.dhcp.server import DhcpServer
from netglass.errors import MisuseError
from netglass.host.config import HostConfig
from netglass.host.host import Host
from netglass.host.table import SocketEntry
from netglass.lab.addressing import with_prefix
from netglass.lab.io import start
from netglass.lab.machine import Machine
from netglass.lab.process import Process, Program
from netglass.lab.scene import Scene
from netglass.neighbor.autoconf import LINK_LOCAL
from netglass.neighbor.cache import Neighbor
from netglass.neighbor.ethernet import Ethernet
from netglass.neighbor.stable import modified_eui64
from netglass.sockets.place import Place
from netglass.times import SECOND, duration
from netglass.wire.address import in_network, is_link_local, network_of, parse, text
from netglass.wire.ethernet import EthernetFrame, mac_text, parse_mac
from netglass.wire.ip import IpPacket
from netglass.wire.nd import FOREVER, Prefix, RouterAdvertisement
from netglass.world import World


class LabHost(Place):
    """One machine. `core` is the protocol machine itself (`netglass.host`), `sockets` its BSD calls.

    Calls made on `core` or `sockets` from outside (not in a program, not in `at`) take effect when the network runs on.
    """

    __slots__ = ("asks", "config", "dhcp", "machine", "number", "wanted")

    def __init__(
        self,
        core: Host,
        scene: Scene,
        world: World,
        seed: int,
        number: int,
        wanted: list[tuple[bytes, int]],
        asks: frozenset[str] = frozenset(),
    ) -> None:
        machine = Machine(core, scene)
        super().__init__(core, machine.sockets, world, seed)
        self.config: HostConfig = core.config
        self.machine: Machine = machine
        self.number: int = number  # from 1, in the order of creation: the last part of its automatic addresses
        self.wanted: list[tuple[bytes, int]] = wanted  # addresses for the first cable
        self.dhcp: DhcpClient | None = None  # if it asks for its address
        self.asks: frozenset[str] = asks  # how it finds addresses by itself: "slaac", "dhcp", "rarp"

    def __repr__(self) -> str:
        return f"<host {self.name} {' '.join(self.addresses)}>"

    @property
    def addresses(self) -> tuple[str, ...]:
        """All addresses as text but link-local ones, in the order in which they were given out."""
        return tuple([text(own) for own in self._all()])

    def _all(self) -> list[bytes]:
        every = [own for port in self.machine.ports for own, _ in port.interface.addresses]
        return [own for own in every if not is_link_local(own)]

    @property
    def address(self) -> str:
        """The first IPv4 address."""
        return self._first(4)

    @property
    def address6(self) -> str:
        """The first IPv6 address."""
        return self._first(16)

    def _first(self, size: int) -> str:
        for own in self._all():
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

    def why_unknown(self, name: str) -> str:
        return self.machine.scene.directory.why_unknown(name)

    def tell_tls_secrets(self, lines: str) -> None:
        scene = self.machine.scene
        scene.observers.tls_secrets(self.name, lines, scene.agenda.now)

    def note(self, subject: str, text: str) -> None:
        self.machine.scene.note(self.name, subject, text)

    # -- Ethernet

    def ethernet(self, interface: str = "") -> Ethernet:
        """An Ethernet interface by name; the first one without."""
        for port in self.machine.ports:
            found = port.interface.ethernet
            if found is not None and interface in ("", port.interface.name):
                return found
        raise MisuseError(
            f"{self.name!r} has no Ethernet interface {interface}: cable(..., ethernet=True), or a switch"
        )

    def begin(self, ethernet: Ethernet) -> None:
        """A new Ethernet interface begins to find out what is not given to it."""
        now = self.machine.agenda.now
        if "slaac" in self.asks:
            ethernet.port.config.accept_ra = True
            ethernet.start_autoconf(now)
        else:
            ethernet.use_link_local(LINK_LOCAL[:8] + modified_eui64(ethernet.mac))
        if "dhcp" in self.asks:
            self.dhcp = self.core.start_dhcp(self.core.interfaces[ethernet.port.name], now)
        if "rarp" in self.asks:
            ethernet.ask_reverse(24, now)

    @property
    def mac(self) -> str:
        """The MAC address of its first Ethernet interface, as text."""
        return mac_text(self.ethernet().mac)

    def bind_mac(self, address: str, mac: str, interface: str = "") -> None:
        """From now on `address` is at `mac` and nowhere else: who claims it otherwise is not believed, and counted."""
        self.ethernet(interface).bind(parse(address), parse_mac(mac), self.machine.agenda.now)

    def neighbors(self) -> list[Neighbor]:
        """Its neighbour caches: addresses, MACs, states (`trace.table.neighbors` writes them)."""
        now = self.machine.agenda.now
        found: list[Neighbor] = []
        for port in self.machine.ports:
            if port.interface.ethernet is not None:
                found += port.interface.ethernet.neighbors(now)
        return found

    def advertise(
        self,
        prefix: str,
        interface: str = "",
        lifetime: int | str = "1800 s",
        valid: int | str | None = None,
        preferred: int | str | None = None,
        mtu: int = 0,
        interval: int | str = 0,
    ) -> None:
        """A router tells hosts to make themselves addresses in `prefix` ("2001:db8:1::/64"), and to send to it what
        goes elsewhere (not with lifetime=0): now, when one asks, and every `interval` if there is one. `valid` and
        `preferred` of the addresses: without end if None."""
        network, length = with_prefix(prefix)
        told = RouterAdvertisement(duration(lifetime) // SECOND)
        until = [FOREVER if each is None else duration(each) // SECOND for each in (valid, preferred)]
        told.options.prefixes.append(Prefix(network_of(network, length), length, until[0], min(until)))
        told.options.mtu = mtu
        self.ethernet(interface).advertise(told, duration(interval), self.machine.agenda.now)

    def inject_frame(self, frame: EthernetFrame, interface: str = "") -> None:
        """Sends `frame` as it is, whatever it claims, now."""
        self.ethernet(interface).inject(frame, self.machine.agenda.now)
        self.flush()

    def serve_dhcp(
        self, first: str, last: str, lease: int | str = "1 h", router: str = "", dns: str = "", interface: str = ""
    ) -> DhcpServer:
        """Gives the addresses `first` to `last` to who asks by DHCP; `router` and `dns` are told with them."""
        ethernet = self.ethernet(interface)
        port = self.core.interfaces[ethernet.port.name]
        own = [(address, prefix) for address, prefix in port.addresses if in_network(parse(first), address, prefix)]
        if not own:
            raise MisuseError(f"{self.name!r} has no address in the network of {first}: it could not answer from there")
        server = DhcpServer(own[0][0], own[0][1], parse(first), parse(last), duration(lease))
        server.routers = [parse(router)] if router else []
        server.dns = [parse(dns)] if dns else []
        self.core.serve_dhcp(port, server)
        return server

    def serve_rarp(self, table: dict[str, str], interface: str = "") -> None:
        """Answers RARP from this table: MAC -> address."""
        known = {parse_mac(mac): parse(address) for mac, address in table.items()}
        self.ethernet(interface).arp.reverse_table.update(known)

    def inject(self, packet: IpPacket) -> None:
        """Sends `packet` as it is, whatever its source address says, now. OSError if it cannot leave this host."""
        self.machine.inject(packet)

    def route_multicast(self, up: str = "") -> None:
        """A router that asks on all its links who listens to which multicast groups (IGMP, MLD), from now on, and
        passes datagrams on to those who want them. To be called when its cables are there.

        `up` names the interface ("eth0") towards a router above, if there is one: it joins there what the links below
        want, and sends up what comes from below (RFC 4605). It never comes to rest: `net.run(until=...)`.
        """
        if not self.config.forwarding:
            raise MisuseError(f"{self.name!r} is no router: make it with net.router({self.name!r})")
        if up and up not in self.core.interfaces:
            known = ", ".join([port.interface.name for port in self.machine.ports])
            raise MisuseError(f"{self.name!r} has no interface {up!r}; it has {known or 'none, plug in a cable first'}")
        router = self.core.multicast_router
        for port in self.machine.ports:
            if port.interface.name == up:
                router.proxy_to(port.interface)
            else:
                router.serve(port.interface, self.machine.agenda.now)

    def netstat(self) -> list[SocketEntry]:
        """Every socket as netstat shows them, half-open connections included."""
        return self.core.sockets()
