"""What the Ethernet interfaces of a host need of it (`neighbor.port.Upper`)."""

from __future__ import annotations

from abc import ABC, abstractmethod

from netglass.build import mypyc_attr
from netglass.host.egress import Egress
from netglass.host.icmp import HOST_UNREACHABLE, IcmpSender
from netglass.host.routes import Route
from netglass.neighbor.port import Upper
from netglass.wire.ip import IpPacket


@mypyc_attr(allow_interpreted_subclasses=True)
class AddressWatcher(ABC):
    """Whoever keeps a list of which host has which address."""

    @abstractmethod
    def address_added(self, host: str, address: bytes) -> None:
        """`host` has found itself an address (SLAAC, DHCP, RARP), or a tested one was free."""
        raise NotImplementedError

    @abstractmethod
    def address_removed(self, host: str, address: bytes) -> None:
        """It has lost it."""
        raise NotImplementedError


class HostSide(Upper):
    """The host, as its Ethernet interfaces see it."""

    __slots__ = ("_egress", "_icmp", "watcher")

    def __init__(self, egress: Egress, icmp: IcmpSender) -> None:
        self._egress: Egress = egress
        self._icmp: IcmpSender = icmp
        self.watcher: AddressWatcher | None = None

    def owns(self, address: bytes) -> bool:
        return address in self._egress.addresses

    def forwards(self) -> bool:
        return self._egress.config.forwarding

    def reaches_elsewhere(self, address: bytes, index: int, now: int) -> bool:
        path = self._egress.path(address, now)
        return path is not None and not path.interface.loopback and path.interface.index != index

    def drop(self, packet: IpPacket, reason: str, now: int) -> None:
        self._egress.drop(packet, reason, now)

    def unreachable(self, packet: IpPacket, now: int) -> None:
        # To ourselves too: that is how a waiting connect() hears of it, as on Linux.
        self._egress.drop(packet, "neighbor-failed", now)
        self._icmp.error(packet, HOST_UNREACHABLE, now)

    def add_address(self, index: int, address: bytes, prefix: int, on_link: bool) -> None:
        egress = self._egress
        if address in egress.addresses:
            egress.counters.add("address-owned-already")
            return
        # An address in a prefix that is not on the link brings no route with it.
        egress.add_address(egress.by_index[index - 1], address, prefix if on_link else 8 * len(address))
        if self.watcher is not None:
            self.watcher.address_added(egress.name, address)

    def remove_address(self, index: int, address: bytes, prefix: int) -> None:
        egress = self._egress
        if egress.remove_address(egress.by_index[index - 1], address) and self.watcher is not None:
            self.watcher.address_removed(egress.name, address)

    def add_route(self, index: int, network: bytes, prefix: int, gateway: bytes) -> None:
        egress = self._egress
        egress.add_route(Route(network, prefix, egress.by_index[index - 1], gateway, 0))

    def remove_route(self, index: int, network: bytes, prefix: int, gateway: bytes) -> None:
        self._egress.routes.remove(network, prefix, gateway)

    def set_mtu(self, index: int, mtu: int) -> None:
        egress = self._egress
        egress.by_index[index - 1].mtu = mtu
        egress.routes.paths.clear()
