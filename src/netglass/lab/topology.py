"""Addresses and static routes, so that any host reaches any other over the fewest cables."""

from __future__ import annotations

from collections import deque

from netglass.errors import MisuseError
from netglass.host.interface import Interface
from netglass.lab.machine import Machine, Port
from netglass.wire.address import in_network, network_of, parse

_PREFIXES = (24, 64)
"""Of the networks that the lab makes, and of an address that was given without one: IPv4, IPv6."""


def with_prefix(text: str) -> tuple[bytes, int]:
    """(packed, prefix length) of "192.0.2.1/24" or "2001:db8::1"; without a prefix /24 and /64."""
    address, slash, prefix = text.partition("/")
    packed = parse(address)
    if not slash:
        return packed, default_prefix(packed)
    if not prefix.isdecimal() or int(prefix) > 8 * len(packed):
        most = 8 * len(packed)
        raise MisuseError(f'a prefix length lies between 0 and {most}, as in "192.0.2.1/24"; this is {text!r}')
    return packed, int(prefix)


def default_prefix(packed: bytes) -> int:
    return _PREFIXES[0] if len(packed) == 4 else _PREFIXES[1]


def automatic_addresses(cable: int, number: int) -> list[tuple[bytes, int]]:
    """10.0.N.h/24 and fd00:0:0:N::h/64 for cable N (from 0) and host number h; beyond 255 cables the N takes two
    bytes."""
    if cable > 0xFFFF:
        raise MisuseError("there are 65,536 automatic networks; give further hosts addresses of their own")
    four = bytes((10, cable >> 8, cable & 0xFF, number))
    six = b"\xfd\x00\x00\x00\x00\x00" + cable.to_bytes(2, "big") + number.to_bytes(8, "big")
    return [(four, _PREFIXES[0]), (six, _PREFIXES[1])]


class StaticRoutes:
    """Computes every machine's routes, and takes its own old ones out when the topology has changed."""

    __slots__ = ("_added",)

    def __init__(self) -> None:
        self._added: list[tuple[Machine, bytes, int]] = []

    def renew(self, machines: list[Machine]) -> None:
        for machine, network, prefix in self._added:
            machine.host.remove_route(network, prefix)
        self._added.clear()
        for machine in machines:
            if len(machine.ports) == 1:
                self._route_leaf(machine)
            elif machine.ports:
                self._route_inner(machine)

    def _route_leaf(self, machine: Machine) -> None:
        """One cable: everything goes there. What the neighbour does with what is not for it is its affair."""
        port = machine.ports[0]
        peer = port.peer
        for address, _ in peer.interface.addresses:
            self._add(machine, address, port)
        for size in sorted({len(address) for address, _ in port.interface.addresses}):
            gateways = [address for address, _ in peer.interface.addresses if len(address) == size]
            self._add_network(machine, bytes(size), 0, port.interface, gateways[0] if gateways else b"")

    def _route_inner(self, machine: Machine) -> None:
        for other, port in first_hops(machine):
            for place in other.ports:
                for address, _ in place.interface.addresses:
                    self._add(machine, address, port)

    def _add(self, machine: Machine, address: bytes, port: Port) -> None:
        """A route to one address, unless it is the neighbour's and lies in a network that both have."""
        gateways = [own for own, _ in port.peer.interface.addresses if len(own) == len(address)]
        is_neighbour = address in gateways
        if is_neighbour and any(in_network(address, own, prefix) for own, prefix in port.interface.addresses):
            return
        gateway = b"" if is_neighbour or not gateways else gateways[0]
        self._add_network(machine, address, 8 * len(address), port.interface, gateway)

    def _add_network(self, machine: Machine, network: bytes, prefix: int, interface: Interface, gateway: bytes) -> None:
        machine.host.add_route(network_of(network, prefix), prefix, interface, gateway)
        self._added.append((machine, network, prefix))


def first_hops(start: Machine) -> list[tuple[Machine, Port]]:
    """Every other machine with the port of `start` that a shortest way to it begins with; ways lead over routers
    only."""
    found: dict[Machine, Port] = {}
    edge: deque[tuple[Machine, Port]] = deque()
    for port in start.ports:
        edge.append((port.peer.machine, port))
    while edge:
        machine, port = edge.popleft()
        if machine is start or machine in found:
            continue
        found[machine] = port
        if machine.host.config.forwarding:
            edge.extend([(each.peer.machine, port) for each in machine.ports])
    return list(found.items())
