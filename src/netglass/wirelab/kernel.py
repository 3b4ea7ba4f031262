"""A host of the lab that is a real kernel: a network namespace, with a TUN device for each of the host's cables.

The host keeps its place in the lab, with its name, addresses and routes; but what arrives for it goes to the kernel,
and the kernel is given these addresses and routes.
"""

from __future__ import annotations

from typing import Final

from netglass.errors import MisuseError
from netglass.host.interface import Interface
from netglass.lab.host import LabHost
from netglass.link.machine import Changes, Namespace, device
from netglass.link.tun import Tun
from netglass.wire.address import in_network, text
from netglass.wirelab.gate import QUEUE, Gate

SMALLEST_MTU_6: Final = 1280


class Kernel:
    """`close` lets all go: devices, namespace; processes in it are the caller's to end."""

    __slots__ = ("gates", "host", "missing", "name", "namespace")

    def __init__(self, host: LabHost) -> None:
        check(host)
        self.name: str = host.name
        self.host: LabHost = host
        self.gates: list[Gate] = []
        self.missing: list[str] = []  # addresses of the host that a kernel cannot have
        self.namespace: Namespace = Namespace()
        try:
            for port in list(host.machine.ports):
                tun = self.namespace.call(Tun, port.interface.name, offload=False)
                self.gates.append(Gate(port, tun))
            self.namespace.call(self._configure)
        except BaseException:
            self.close()
            raise

    def _configure(self) -> None:
        changes = Changes()  # nobody takes them back: they go with the namespace
        for gate in self.gates:
            interface = gate.interface
            changes.without_link_local(interface.name)
            changes.queue(interface.name, QUEUE)
            changes.mtu(interface.name, interface.mtu)
            for address, prefix in interface.addresses:
                if not fits(interface, address):
                    self.missing.append(text(address))
                    continue
                changes.address(interface.name, f"{text(address)}/{prefix}")
            changes.up(interface.name)
        for route in self.host.core.routes.all():
            # Without the router's address: at the other end of a TUN device there is only one.
            if not is_own(route.interface, route.network, route.prefix) and fits(route.interface, route.network):
                changes.route(f"{text(route.network)}/{route.prefix}", route.interface.name)

    def unread(self) -> int:
        """Packets that the kernel lost because the lab did not read them in time."""
        return sum([self.namespace.call(device, gate.interface.name).unread for gate in self.gates])

    def close(self) -> None:
        for gate in self.gates:
            gate.tun.close()
        self.namespace.close()


def check(host: LabHost) -> None:
    if host.config.forwarding:
        raise MisuseError(f"{host.name}: a router of the lab is netglass; no program runs there")
    if not host.machine.ports:
        raise MisuseError(f"{host.name}: a kernel needs a cable")
    for port in host.machine.ports:
        if port.cable.ethernet:
            raise MisuseError(f"{host.name}: a kernel is joined by a point-to-point cable, not by Ethernet")
        if port.lane.offload:
            raise MisuseError(
                f"cable {port.cable.name}: no offload where kernels are: its faults are meant for segments"
            )


def fits(interface: Interface, address: bytes) -> bool:
    """False of IPv6 where the MTU is too small for it (RFC 8200 §5): the kernel has none there."""
    return len(address) == 4 or interface.mtu >= SMALLEST_MTU_6


def is_own(interface: Interface, network: bytes, prefix: int) -> bool:
    """True of the network that an address brings along, which the kernel knows by itself."""
    return any(length == prefix and in_network(network, own, prefix) for own, length in interface.addresses)
