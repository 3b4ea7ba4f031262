"""Who hears whom, and static routes, so that any host reaches any other over the fewest cables."""

from __future__ import annotations

from collections import deque

from netglass.host.interface import Interface
from netglass.lab.addressing import automatic_mac
from netglass.lab.machine import Machine, Port
from netglass.lab.switch import LabSwitch, SwitchPlug
from netglass.wire.address import in_network, is_link_local, network_of
from netglass.wire.ethernet import BROADCAST_MAC, UNTAGGED, EthernetFrame

# -- who hears whom


def neighbors(port: Port) -> list[Port]:
    """The ports of machines that a frame or packet from `port` can reach without a router."""
    peer = port.peer
    if isinstance(peer, Port):
        return [peer]
    if not isinstance(peer, SwitchPlug):
        return []
    ends, _ = segment_of(peer, UNTAGGED if port.interface.ethernet is None else port.interface.ethernet.port.tag)
    return [end for end in ends if end is not port]


def segment_of(start: SwitchPlug, tag: int) -> tuple[list[Port], list[SwitchPlug]]:
    """What belongs to one Ethernet segment: the machines' ports, and every switch's plug that a frame with this tag
    goes through that comes in at `start`."""
    frame = EthernetFrame(BROADCAST_MAC, automatic_mac(0, 0), b"", 0xFFFF, tag)
    found: list[Port] = []
    passed: list[SwitchPlug] = []
    if isinstance(start.peer, Port):
        found.append(start.peer)
    edge: deque[tuple[SwitchPlug, EthernetFrame]] = deque([(start, frame)])
    while edge:
        entered, frame = edge.popleft()
        vlan = entered.port.vlan_of(frame)
        if vlan < 0 or entered.port.blocked or entered in passed:
            continue
        passed.append(entered)
        for plug in entered.switch.plugs:
            if plug is entered or plug.port.blocked or not plug.port.carries(vlan) or plug in passed:
                continue
            passed.append(plug)
            far = plug.peer
            if isinstance(far, Port):
                found.append(far)
            elif isinstance(far, SwitchPlug):
                edge.append((far, plug.port.dressed(frame, vlan)))
    return found, passed


def closes_loop(a: LabSwitch, b: LabSwitch) -> bool:
    """True if frames get from switch `a` to switch `b` already."""
    seen = [a]
    for switch in seen:
        for plug in switch.plugs:
            far = plug.peer
            if not plug.port.blocked and isinstance(far, SwitchPlug) and far.switch not in seen:
                seen.append(far.switch)
    return b in seen


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
        """One cable: everything goes there. What the neighbour does with what is not for it is its affair; on Ethernet
        the first router takes it."""
        port = machine.ports[0]
        near = neighbors(port)
        if port.interface.ethernet is not None:
            self._route_framed_leaf(machine, port, near)
            return
        for peer in near:
            for address, _ in peer.interface.addresses:
                self._add(machine, address, port, peer)
            for size in _sizes(port):
                gateways = [address for address, _ in peer.interface.addresses if len(address) == size]
                self._add_network(machine, bytes(size), 0, port.interface, gateways[0] if gateways else b"")

    def _route_framed_leaf(self, machine: Machine, port: Port, near: list[Port]) -> None:
        for peer in near:
            for address, _ in peer.interface.addresses:
                self._add(machine, address, port, peer)
        for size in _sizes(port):
            for peer in near:
                gateway = _gateway(port, peer, size)
                if gateway and peer.machine.host.config.forwarding:
                    self._add_network(machine, bytes(size), 0, port.interface, gateway)
                    break

    def _route_inner(self, machine: Machine) -> None:
        for other, port, peer in first_hops(machine):
            for place in other.ports:
                for address, _ in place.interface.addresses:
                    self._add(machine, address, port, peer)

    def _add(self, machine: Machine, address: bytes, port: Port, peer: Port) -> None:
        """A route to one address, which begins at `port` and leads to or over the neighbour's port `peer`; none if that
        has the address and both have its network."""
        if is_link_local(address):
            return
        is_neighbour = any(own == address for own, _ in peer.interface.addresses)
        if is_neighbour and any(in_network(address, own, prefix) for own, prefix in port.interface.addresses):
            return
        gateway = b"" if is_neighbour else _gateway(port, peer, len(address))
        self._add_network(machine, address, 8 * len(address), port.interface, gateway)

    def _add_network(self, machine: Machine, network: bytes, prefix: int, interface: Interface, gateway: bytes) -> None:
        machine.host.add_route(network_of(network, prefix), prefix, interface, gateway)
        self._added.append((machine, network, prefix))


def _sizes(port: Port) -> list[int]:
    return sorted({len(address) for address, _ in port.interface.addresses})


def _gateway(port: Port, peer: Port, size: int) -> bytes:
    """The address of `peer` to send over: one in a network of `port` first; b"" if it has none of that version."""
    found = [own for own, _ in peer.interface.addresses if len(own) == size and not is_link_local(own)]
    for address in found:
        if any(in_network(address, own, prefix) for own, prefix in port.interface.addresses):
            return address
    return found[0] if found else b""


def first_hops(start: Machine) -> list[tuple[Machine, Port, Port]]:
    """Every other machine, with the port of `start` that a shortest way to it begins with and the neighbour's port
    that it leads to first; ways lead over routers only."""
    found: dict[Machine, tuple[Port, Port]] = {}
    edge: deque[tuple[Machine, Port, Port]] = deque()
    for port in start.ports:
        edge.extend([(peer.machine, port, peer) for peer in neighbors(port)])
    while edge:
        machine, port, peer = edge.popleft()
        if machine is start or machine in found:
            continue
        found[machine] = (port, peer)
        if machine.host.config.forwarding:
            for each in machine.ports:
                edge.extend([(next_.machine, port, peer) for next_ in neighbors(each)])
    return [(machine, port, peer) for machine, (port, peer) in found.items()]
