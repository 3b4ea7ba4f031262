"""One machine: interfaces, routes, ports and protocols behind one face, without I/O and without a clock.

    receive_packet ──► ingress ──► demux ──► connection, listener, UDP port ──► dirty list
                          │ not for us                                             │ drained by poll_packet
                          ▼                                                        ▼
                       forward ─────────────► egress ◄──────────────────────── segments
                                                │ to ourselves: back to ingress, through a queue
                                                ▼
                                           poll_packet

The rule for whoever drives it (DESIGN.md §3): after any call that takes `now`, call `poll_packet` until None, then
read `deadline`; at that time call `handle_timeout`. A call too many does nothing. Packets, whatever they are, never
raise.
"""

from __future__ import annotations

from collections import deque

from netglass.counters import Counters
from netglass.dhcp.client import DhcpClient
from netglass.dhcp.server import DhcpServer
from netglass.errnos import EADDRINUSE, ENODEV
from netglass.errors import MisuseError, WireError
from netglass.host.config import HostConfig
from netglass.host.demux import Demux
from netglass.host.dhcp import DhcpClientService, DhcpServerService
from netglass.host.egress import Egress
from netglass.host.groups import Groups
from netglass.host.icmp import IcmpSender
from netglass.host.ingress import Ingress
from netglass.host.interface import Interface
from netglass.host.multicast_router import MulticastRouter
from netglass.host.neighbors import AddressWatcher, HostSide
from netglass.host.ports import Ports
from netglass.host.routes import Route, Routes
from netglass.host.schedule import Schedule
from netglass.host.table import SocketEntry, sockets
from netglass.host.tcp_calls import TcpCalls
from netglass.host.udp_calls import UdpCalls
from netglass.ip.raw import PingPort, RawPort
from netglass.neighbor.config import NeighborConfig
from netglass.neighbor.ethernet import Ethernet
from netglass.neighbor.port import EthernetPort, Outgoing
from netglass.probe import Probe
from netglass.rng import Rng
from netglass.tcp.config import TcpSettings
from netglass.tcp.connection import Connection
from netglass.tcp.listener import Listener
from netglass.udp.port import UdpPort
from netglass.wire.checksum import Buffer
from netglass.wire.ethernet import EthernetFrame, decode_frame
from netglass.wire.ip import ICMP, ICMPV6, IpPacket
from netglass.world import Endpoint


class Host:
    """A host, or a router if `config.forwarding`. Addresses are packed bytes; calls return a value, or a negative
    errno as Linux would."""

    __slots__ = (
        "_demux",
        "_dirty",
        "_egress",
        "_frames",
        "_ingress",
        "_looped",
        "_ready",
        "_schedule",
        "_side",
        "_tcp",
        "_udp",
        "config",
        "counters",
        "groups",
        "interfaces",
        "loopback",
        "multicast_router",
        "name",
        "rng",
        "routes",
    )

    def __init__(self, name: str, config: HostConfig | None, rng: Rng, probe: Probe | None = None) -> None:
        self.name: str = name
        self.config: HostConfig = config if config is not None else HostConfig()
        self.rng: Rng = rng
        self.counters: Counters = Counters()
        self._egress: Egress = Egress(name, self.config, self.counters, probe, rng.stream("ident").below(1 << 16))
        self._demux: Demux = Demux()
        tcp_ports = Ports(self.config, rng.stream("tcp-ports"))
        self._schedule: Schedule = Schedule(self._egress, self._demux, tcp_ports)
        icmp = IcmpSender(self._egress)
        self.groups: Groups = Groups(self._egress, self._schedule, rng)
        self.multicast_router: MulticastRouter = MulticastRouter(self._egress, self._schedule, self.groups)
        self._ingress: Ingress = Ingress(
            self._egress, self._demux, self._schedule, icmp, tcp_ports, self.groups, self.multicast_router
        )
        self._tcp: TcpCalls = TcpCalls(self._egress, self._demux, tcp_ports, self._schedule, rng)
        udp_ports = Ports(self.config, rng.stream("udp-ports"))
        self._udp: UdpCalls = UdpCalls(self._egress, self._demux, udp_ports, self._schedule, self.groups)
        self.interfaces: dict[str, Interface] = self._egress.interfaces  # "lo" is always there
        self.loopback: Interface = self._egress.loopback
        self.routes: Routes = self._egress.routes
        self._dirty: deque[Endpoint] = self._schedule.dirty
        self._ready: deque[tuple[Interface, IpPacket]] = self._egress.ready
        self._looped: deque[IpPacket] = self._egress.looped
        self._frames: Outgoing = self._egress.frames
        self._side: HostSide = HostSide(self._egress, icmp)

    # -- set-up

    def add_interface(self, name: str, mtu: int = 1500, offload: bool = False) -> Interface:
        """`offload`: the device cuts segments of up to 64 KiB itself (TSO) and may deliver such."""
        return self._egress.add_interface(name, mtu, offload, False)

    def add_ethernet(self, name: str, mac: bytes, mtu: int = 1500, offload: bool = False) -> Interface:
        """An Ethernet interface: its frames leave by `poll_frame` and arrive by `receive_ethernet` or `receive_frame`.
        What it can be told is in `interface.ethernet`, its settings in `interface.ethernet.port.config`."""
        interface = self._egress.add_interface(name, mtu, offload, False)
        config = NeighborConfig()
        config.copy_from(self.config.neighbor)
        port = EthernetPort(
            self.name,
            name,
            interface.index,
            mac,
            mtu,
            interface.addresses,
            config,
            self.counters,
            self.rng.stream("ethernet", name),
            self._frames,
            self._side,
        )
        ethernet = Ethernet(port, self._dirty)
        ethernet.observe(self.probe)
        interface.attach(ethernet)
        return interface

    def start_dhcp(self, interface: Interface, now: int, check: bool = False) -> DhcpClient:
        """Looks for an address (RFC 2131). `check`: it is asked for on the link before it is used (RFC 5227)."""
        ethernet = interface.ethernet
        if ethernet is None:
            raise MisuseError(f"{interface.name!r} is no Ethernet interface (add_ethernet); DHCP needs one")
        rng = self.rng.stream("dhcp", interface.name)
        service = DhcpClientService(self._egress, interface, ethernet, self._side, rng, check)
        interface.takers.append(service)
        ethernet.tester = service
        service.client.start(now)
        self._schedule.mark(service)
        return service.client

    def stop_dhcp(self, interface: Interface, now: int) -> bool:
        """Gives the lease back, and the address with it. False if there is no client on this interface."""
        for taker in interface.takers:
            if isinstance(taker, DhcpClientService):
                taker.client.stop(now)
                interface.takers.remove(taker)
                self._schedule.mark(taker)
                return True
        return False

    def serve_dhcp(self, interface: Interface, server: DhcpServer) -> None:
        """Answers DHCP clients on this interface from now on."""
        ethernet = interface.ethernet
        if ethernet is None:
            raise MisuseError(f"{interface.name!r} is no Ethernet interface (add_ethernet); DHCP needs one")
        interface.takers.append(DhcpServerService(self._egress, interface, ethernet, server))

    def watch_addresses(self, watcher: AddressWatcher) -> None:
        """`watcher` hears of addresses that the host finds itself, or loses."""
        self._side.watcher = watcher

    def add_address(self, interface: Interface, address: bytes, prefix: int) -> None:
        """Also makes the route to the address's network."""
        self._egress.add_address(interface, address, prefix)

    def remove_address(self, interface: Interface, address: bytes) -> bool:
        """False if the interface does not have it."""
        return self._egress.remove_address(interface, address)

    def add_route(
        self, network: bytes, prefix: int, interface: Interface, gateway: bytes = b"", metric: int = 0
    ) -> None:
        """`gateway` b"" means that the network is on the link itself; prefix 0 is the default route."""
        self._egress.add_route(Route(network, prefix, interface, gateway, metric))

    def remove_route(self, network: bytes, prefix: int, gateway: bytes = b"") -> bool:
        """The best route to exactly this network (through this gateway). False if there is none."""
        return self.routes.remove(network, prefix, gateway)

    def source_for(self, destination: bytes, now: int) -> bytes:
        """The address that this host speaks from to `destination`; b"" if it cannot be reached."""
        return self._egress.source_for(destination, now)

    def is_local(self, address: bytes) -> bool:
        return self._egress.is_local(address)

    def gateway_for(self, destination: bytes, now: int) -> bytes:
        """The router that packets to `destination` go to first; b"" if none, or no way there."""
        path = self._egress.path(destination, now)
        return b"" if path is None else path.gateway

    def path_mtu(self, destination: bytes, now: int) -> int:
        """Bytes of the largest packet that gets there, as far as it is known; 0 without a route."""
        path = self._egress.path(destination, now)
        return 0 if path is None else path.mtu

    def observe(self, probe: Probe | None) -> None:
        """Tells `probe` everything from now on; None ends it."""
        self._egress.probe = probe
        self._schedule.observe(probe)
        for interface in self._egress.by_index:
            if interface.ethernet is not None:
                interface.ethernet.observe(probe)

    @property
    def probe(self) -> Probe | None:
        return self._egress.probe

    # -- the four verbs

    def receive_packet(self, packet: IpPacket, interface: Interface, now: int) -> None:
        """A packet arrived whole; nothing is parsed and no checksum looked at."""
        self._ingress.receive(packet, interface, now)

    def receive_frame(self, frame: Buffer, interface: Interface, now: int, verify: bool = True) -> None:
        """Bytes arrived: an IP packet, or a frame if the interface is Ethernet; `frame` must not change afterwards.
        `verify=False`: the device has checked the transport checksum already."""
        if interface.ethernet is None:
            self._ingress.receive_frame(frame, interface, verify, now)
            return
        try:
            decoded = decode_frame(frame, verify)
        except WireError as error:
            interface.ethernet.port.drop(None, error.reason, now)
            return
        self.receive_ethernet(decoded, interface, now)

    def receive_ethernet(self, frame: EthernetFrame, interface: Interface, now: int) -> None:
        """A frame arrived whole at an Ethernet interface."""
        ethernet = interface.ethernet
        if ethernet is None:
            raise MisuseError(f"{interface.name!r} is no Ethernet interface (add_ethernet); it takes IP packets")
        packet = ethernet.receive(frame, now)
        if packet is None:
            return
        if ethernet.takes(packet):
            self._ingress.receive_nd(frame, packet, ethernet, interface, now)
        elif interface.takers and self._ingress.offer(packet, interface, now):
            return
        elif frame.destination[0] & 1 and not self._ingress.is_for_many(packet.destination):
            self._ingress.refuse(packet, "ip-unicast-to-group-mac", interface, now)
        else:
            self._ingress.receive(packet, interface, now)

    def poll_packet(self, now: int) -> tuple[Interface, IpPacket] | None:
        """The next packet to hand to an interface, or None. Wakes who waits, on the way."""
        ready = self._ready
        while not ready:
            if self._dirty:
                self._schedule.drain_next(now)
            elif self._looped:
                self._ingress.receive(self._looped.popleft(), self.loopback, now)
            else:
                return None
        return ready.popleft()

    def poll_frame(self, now: int) -> tuple[Interface, EthernetFrame] | None:
        """As `poll_packet`, for Ethernet interfaces: whoever drives a host that has such polls both until None."""
        frames = self._frames
        while not frames:
            if self._dirty:
                self._schedule.drain_next(now)
            elif self._looped:
                self._ingress.receive(self._looped.popleft(), self.loopback, now)
            else:
                return None
        index, frame = frames.popleft()
        return self._egress.by_index[index - 1], frame

    @property
    def deadline(self) -> int:
        """When `handle_timeout` is to be called; NEVER if nothing is waited for. It may be early: then
        `handle_timeout` moves it on."""
        return self._schedule.deadline()

    def handle_timeout(self, now: int) -> None:
        self._schedule.handle_timeout(now)

    def wake(self) -> None:
        """Wakes who waits for a connection to which something happened, before `poll_packet` answers for it. Whoever
        drives may leave it out; then they are woken after."""
        self._schedule.wake()

    def touch(self, endpoint: Endpoint, now: int) -> None:
        """The application called something on `endpoint`: what follows from it happens now. If
        something arrived for it before (`wake`), then with the answer to that, when the host is drained."""
        if not endpoint.dirty:
            self._schedule.drain(endpoint, now)

    def settle(self, endpoint: Endpoint, now: int) -> None:
        """As `touch`, at once in any case: for a caller who goes on with what the endpoint gives back."""
        self._schedule.drain(endpoint, now)

    def send_raw(self, packet: IpPacket, now: int) -> int:
        """Sends `packet` as it is, forged source and all: 0, -ENETUNREACH or -EMSGSIZE."""
        return self._egress.send(packet, now)

    # -- TCP

    def bind_tcp(self, local: bytes, port: int, reuse_address: bool, now: int, reuse_port: bool = False) -> int:
        """Reserves a port (0: any free one) for a socket that will listen or connect. The port, -EADDRINUSE,
        -EADDRNOTAVAIL or -EACCES.

        `local` is an address of ours, bytes(4) for any IPv4, bytes(16) for any IPv6, b"" for any of both. The
        reservation ends with `release_tcp`, or when listen_tcp or connect_tcp takes it over (`bound=True`, the same
        `local`).
        """
        return self._tcp.bind(local, port, reuse_address, reuse_port)

    def release_tcp(self, local: bytes, port: int) -> None:
        self._tcp.release(local, port)

    def listen_tcp(
        self,
        local: bytes,
        port: int,
        backlog: int,
        settings: TcpSettings,
        now: int,
        bound: bool = False,
        reuse_port: bool = False,
    ) -> Listener | int:
        """A listener, or -EADDRINUSE, -EADDRNOTAVAIL, -EACCES. `bound`: takes over a reservation of bind_tcp."""
        return self._tcp.listen(local, port, backlog, settings, bound, reuse_port)

    def close_listener(self, listener: Listener, now: int) -> None:
        """Connections that nobody has accepted are aborted."""
        self._tcp.close_listener(listener, now)

    def connect_tcp(
        self,
        local: bytes,
        port: int,
        remote: bytes,
        remote_port: int,
        settings: TcpSettings,
        now: int,
        bound: bool = False,
    ) -> Connection | int:
        """A connection in SYN-SENT, or -EADDRNOTAVAIL (no port left), -EADDRINUSE, -ENETUNREACH, -EACCES. Port 0 and
        a wildcard `local`: any."""
        return self._tcp.connect(local, port, remote, remote_port, settings, bound, now)

    # -- UDP

    def bind_udp(
        self, local: bytes, port: int, reuse_address: bool, now: int, reuse_port: bool = False
    ) -> UdpPort | int:
        """A UDP port (0: any free one), or -EADDRINUSE, -EADDRNOTAVAIL, -EACCES."""
        return self._udp.bind(local, port, reuse_address, reuse_port)

    def connect_udp(self, port: UdpPort, remote: bytes, remote_port: int, now: int) -> int:
        """Only `remote` is heard from now on, and its ICMP errors are told: 0, -ENETUNREACH or -EACCES."""
        return self._udp.connect(port, remote, remote_port, now)

    def disconnect_udp(self, port: UdpPort, now: int) -> None:
        self._udp.disconnect(port)

    def send_udp(self, port: UdpPort, payload: bytes, destination: bytes, destination_port: int, now: int) -> int:
        """One datagram to `destination` (b"": the connected end): its length, or -EMSGSIZE, -ENETUNREACH, -EACCES,
        -EDESTADDRREQ, -EINVAL, or once the pending error, negated."""
        return self._udp.send(port, payload, destination, destination_port, now)

    def close_udp(self, port: UdpPort, now: int) -> None:
        self._udp.close(port, now)

    # -- multicast groups (`groups` has the rest: sources, filters)

    def join_group(self, port: Endpoint, group: bytes, now: int, interface: Interface | None = None) -> int:
        """IP_ADD_MEMBERSHIP, on the interface that the route to the group takes unless one is given: 0, -EINVAL (no
        multicast address), -EADDRINUSE (joined already), -ENOBUFS or -ENODEV."""
        if interface is None:
            interface = self._egress.group_interface(group, now)
        return self.groups.join(port, group, interface, now) if interface is not None else -ENODEV

    def group_interface(self, group: bytes, now: int) -> Interface | None:
        """Where a group is joined, and sent to, unless somebody says otherwise."""
        return self._egress.group_interface(group, now)

    def leave_group(self, port: Endpoint, group: bytes, now: int, interface: Interface | None = None) -> int:
        """IP_DROP_MEMBERSHIP: 0 or -EADDRNOTAVAIL."""
        return self.groups.leave(port, group, interface, now)

    # -- raw ports

    def open_raw(self, protocol: int, version: int, now: int) -> RawPort:
        """Copies of all packets of `protocol` that are for us; `version` 4, 6, or 0 for both."""
        port = RawPort(protocol, version)
        self._demux.raw.setdefault(protocol, []).append(port)
        return port

    def open_ping(self, ident: int, version: int, now: int) -> PingPort | int:
        """A port for the replies to echo requests with this identifier, 0: any free one; or -EADDRINUSE."""
        protocol = ICMP if version == 4 else ICMPV6
        taken = {each.ident for each in self._demux.raw.get(protocol, []) if isinstance(each, PingPort)}
        if ident in taken or len(taken) == 65535:
            return -EADDRINUSE
        if ident == 0:
            ident = 1 + self.rng.stream("ping", version).keyed(len(taken)).below(65535)
            while ident in taken:
                ident = ident % 65535 + 1
        port = PingPort(protocol, version, ident)
        self._demux.raw.setdefault(protocol, []).append(port)
        return port

    def close_raw(self, port: RawPort, now: int) -> None:
        ports = self._demux.raw.get(port.protocol, [])
        if port not in ports:
            raise MisuseError(f"this raw port of protocol {port.protocol} is closed already")
        ports.remove(port)
        if not ports:
            del self._demux.raw[port.protocol]

    # -- what there is

    def sockets(self) -> list[SocketEntry]:
        """Every socket, as netstat -a shows them."""
        return sockets(self._demux)

    def connection(self, local: bytes, port: int, remote: bytes, remote_port: int) -> Connection | None:
        """The connection between these two ends, if there is one."""
        return self._demux.connections.get((local, port, remote, remote_port))

    @property
    def received(self) -> int:
        """Frames and packets that came in: always `delivered + forwarded + dropped` of those."""
        return self._ingress.received

    @property
    def delivered(self) -> int:
        """Packets that somebody here took or answered."""
        return self._ingress.delivered

    @property
    def forwarded(self) -> int:
        return self._ingress.forwarded

    @property
    def dropped(self) -> int:
        """Packets that ended here in either direction; `counters` says why."""
        return self._egress.dropped
