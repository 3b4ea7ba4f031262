"""DHCP on a host's Ethernet interface: the client that finds it an address, and the server for others. Like a real
client they take their packets from the interface itself, before IP asks whether it has an address."""

from __future__ import annotations

from netglass.dhcp.client import DhcpClient, Lease
from netglass.dhcp.server import DhcpServer, destination_of
from netglass.errors import WireError
from netglass.host.egress import Egress
from netglass.host.interface import Interface, Taker
from netglass.host.neighbors import HostSide
from netglass.neighbor.detect import DHCP
from netglass.neighbor.ethernet import Ethernet
from netglass.rng import Rng
from netglass.times import NEVER, human
from netglass.wire.address import BROADCAST, UNSPECIFIED_4, text
from netglass.wire.dhcp import CLIENT_PORT, SERVER_PORT, DhcpMessage, decode_dhcp, encode_dhcp
from netglass.wire.ip import UDP, IpPacket
from netglass.wire.udp import UdpDatagram


class DhcpClientService(Taker):
    """`check`: a leased address is asked for before it is used (RFC 5227), and declined if somebody has it."""

    __slots__ = ("_check", "_egress", "_ethernet", "_interface", "_side", "client")

    def __init__(
        self, egress: Egress, interface: Interface, ethernet: Ethernet, side: HostSide, rng: Rng, check: bool
    ) -> None:
        super().__init__()
        self._egress: Egress = egress
        self._interface: Interface = interface
        self._ethernet: Ethernet = ethernet
        self._side: HostSide = side
        self._check: bool = check
        self.client: DhcpClient = DhcpClient(ethernet.mac, rng)

    # -- packets

    def takes(self, packet: IpPacket) -> bool:
        payload = packet.payload
        if not isinstance(payload, UdpDatagram) or payload.destination_port != CLIENT_PORT:
            return False
        return payload.source_port == SERVER_PORT and len(packet.source) == 4

    def receive(self, packet: IpPacket, now: int) -> str:
        payload = packet.payload
        if not isinstance(payload, UdpDatagram):
            return "dhcp-short"
        try:
            message = decode_dhcp(payload.payload)
        except WireError as error:
            return error.reason
        return self.client.receive(message, now)

    @property
    def deadline(self) -> int:
        return self.client.deadline

    def handle_timeout(self, now: int) -> None:
        self.client.handle_timeout(now)

    def drain(self, now: int) -> None:
        self._say_all(now)  # first, or a lease could not be given back from its own address
        change = self.client.poll_change()
        while change is not None:
            self._change(change[0], change[1], now)
            change = self.client.poll_change()
        candidate = self._ethernet.poll_settled()
        while candidate is not None:
            if candidate.ready:
                self._use_routers(candidate.address)
            elif candidate.owner == DHCP:
                self.client.decline(now)
                self.client.poll_change()
            candidate = self._ethernet.poll_settled()
        self._say_all(now)

    def _say_all(self, now: int) -> None:
        said = self.client.poll_message()
        while said is not None:
            self._send(said[0], said[1], now)
            said = self.client.poll_message()

    def _send(self, message: DhcpMessage, destination: bytes, now: int) -> None:
        source = message.client if self._egress.is_local(message.client) else UNSPECIFIED_4
        datagram = UdpDatagram(CLIENT_PORT, SERVER_PORT, encode_dhcp(message))
        self._egress.send(IpPacket(source, destination, UDP, datagram, dont_fragment=False), now, self._interface)

    # -- leases

    def _change(self, lease: Lease, ours: bool, now: int) -> None:
        address = lease.address
        if not ours:
            self._ethernet.detector.drop(address)
            for router in lease.routers[:1]:
                self._side.remove_route(self._interface.index, UNSPECIFIED_4, 0, router)
            self._side.remove_address(self._interface.index, address, lease.prefix)
            self._ethernet.port.note(f"the lease of {text(address)} is over", now)
            return
        ends = "without end" if lease.ends_at == NEVER else f"for {human(lease.ends_at - now)}"
        self._ethernet.port.note(f"{text(address)}/{lease.prefix} is leased from {text(lease.server)} {ends}", now)
        if self._check and not self._egress.is_local(address):
            self._ethernet.test(address, lease.prefix, now, DHCP)
        else:
            self._side.add_address(self._interface.index, address, lease.prefix, True)
            self._use_routers(address)

    def _use_routers(self, address: bytes) -> None:
        lease = self.client.lease
        if lease is not None and lease.address == address and lease.routers:
            self._side.add_route(self._interface.index, UNSPECIFIED_4, 0, lease.routers[0])


class DhcpServerService(Taker):
    """Answers on one interface."""

    __slots__ = ("_egress", "_ethernet", "_interface", "server")

    def __init__(self, egress: Egress, interface: Interface, ethernet: Ethernet, server: DhcpServer) -> None:
        super().__init__()
        self._egress: Egress = egress
        self._interface: Interface = interface
        self._ethernet: Ethernet = ethernet
        self.server: DhcpServer = server

    def takes(self, packet: IpPacket) -> bool:
        payload = packet.payload
        if not isinstance(payload, UdpDatagram) or payload.destination_port != SERVER_PORT:
            return False
        return packet.destination in (BROADCAST, self.server.address)

    def receive(self, packet: IpPacket, now: int) -> str:
        payload = packet.payload
        if not isinstance(payload, UdpDatagram):
            return "dhcp-short"
        try:
            message = decode_dhcp(payload.payload)
        except WireError as error:
            return error.reason
        if message.from_server:
            return "dhcp-not-for-us"
        answer = self.server.receive(message, now)
        if answer is not None:
            self._send(answer, now)
        return ""

    def _send(self, answer: DhcpMessage, now: int) -> None:
        destination = destination_of(answer)
        datagram = UdpDatagram(SERVER_PORT, CLIENT_PORT, encode_dhcp(answer))
        packet = IpPacket(self.server.address, destination, UDP, datagram, dont_fragment=False)
        if destination == answer.your and not any(answer.client):
            # It cannot answer ARP yet; its MAC is in the message.
            self._ethernet.port.cache.learn(destination, answer.mac, now, False, True, True)
        self._egress.send(packet, now, self._interface)
