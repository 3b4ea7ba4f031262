"""Where a destination is: longest prefix first, then lowest metric, then oldest (RFC 1812 §5.2.4.3)."""

from __future__ import annotations

from netglass.errors import MisuseError
from netglass.host.interface import LARGEST_PACKET, Interface
from netglass.wire.address import network_of, text


class Route:
    """One line of the table. `gateway` is b"" if the network is on the link itself."""

    __slots__ = ("gateway", "interface", "metric", "network", "prefix")

    def __init__(self, network: bytes, prefix: int, interface: Interface, gateway: bytes, metric: int) -> None:
        self.network: bytes = network
        self.prefix: int = prefix
        self.interface: Interface = interface
        self.gateway: bytes = gateway
        self.metric: int = metric


class Path:
    """How to reach one destination, looked up once."""

    __slots__ = ("expires", "gateway", "gso_size", "interface", "limit", "mtu", "version")

    def __init__(self, version: int, interface: Interface, gateway: bytes, mtu: int, expires: int) -> None:
        self.version: int = version
        self.interface: Interface = interface
        self.gateway: bytes = gateway  # b"": on the link
        self.mtu: int = mtu  # of the whole path, as far as it is known
        self.gso_size: int = interface.gso_size
        self.limit: int = max(
            interface.gso_size, min(interface.mtu, LARGEST_PACKET)
        )  # the longest packet the interface takes
        self.expires: int = expires


class Routes:
    """The table of both IP versions: for each prefix length a dict, so that a lookup costs one step per length in use.

    `paths` is what was looked up before; every change of the table empties it.
    """

    __slots__ = ("_lengths", "_routes", "paths")

    def __init__(self) -> None:
        self.paths: dict[bytes, Path] = {}
        self._routes: dict[
            tuple[int, int], dict[int, list[Route]]
        ] = {}  # (address bits, prefix) -> network -> best first
        self._lengths: dict[int, list[int]] = {32: [], 128: []}  # address bits -> prefixes in use, longest first

    def add(self, route: Route) -> None:
        check_network(route.network, route.prefix)
        if route.gateway and len(route.gateway) != len(route.network):
            raise MisuseError(
                f"the gateway of {text(route.network)} must have its IP version; this is {text(route.gateway)}"
            )
        self.paths.clear()
        bits = 8 * len(route.network)
        table = self._routes.get((bits, route.prefix))
        if table is None:
            table = self._routes[bits, route.prefix] = {}
            self._lengths[bits].append(route.prefix)
            self._lengths[bits].sort(reverse=True)
        same = table.setdefault(_head(route.network, route.prefix), [])
        at = 0
        while at < len(same) and same[at].metric <= route.metric:
            at += 1
        same.insert(at, route)

    def remove(self, network: bytes, prefix: int, gateway: bytes) -> bool:
        """Takes out the best route to exactly this network (through this gateway unless b""). False if there is
        none."""
        check_network(network, prefix)
        self.paths.clear()
        table = self._routes.get((8 * len(network), prefix), {})
        same = table.get(_head(network, prefix), [])
        for i, route in enumerate(same):
            if gateway in (b"", route.gateway):
                del same[i]
                return True
        return False

    def find(self, destination: bytes) -> Route | None:
        """The route that a packet to `destination` takes."""
        bits = 8 * len(destination)
        value = int.from_bytes(destination, "big")
        for prefix in self._lengths[bits]:
            same = self._routes[bits, prefix].get(value >> (bits - prefix))
            if same:
                return same[0]
        return None

    def all(self) -> list[Route]:
        """Every route, IPv4 before IPv6, longest prefix first."""
        found: list[Route] = []
        for bits in (32, 128):
            for prefix in self._lengths[bits]:
                for same in self._routes[bits, prefix].values():
                    found += same
        return found


def check_network(network: bytes, prefix: int) -> None:
    """MisuseError if this is no network: the address must have no bit set beyond its prefix."""
    if len(network) not in (4, 16):
        raise MisuseError(f"a packed address has 4 or 16 bytes; this has {len(network)}")
    right = network_of(network, prefix)
    if right != network:
        raise MisuseError(f"{text(network)}/{prefix} is a host's address; its network is {text(right)}/{prefix}")


def _head(network: bytes, prefix: int) -> int:
    return int.from_bytes(network, "big") >> (8 * len(network) - prefix)
