"""Whose packet is it: the tables of connections, listeners, UDP and raw ports."""

from __future__ import annotations

from typing import Final

from netglass.ip.raw import RawPort
from netglass.tcp.connection import Connection
from netglass.tcp.listener import Listener
from netglass.udp.port import UdpPort
from netglass.wire.address import UNSPECIFIED_4, UNSPECIFIED_6

Key = tuple[bytes, int, bytes, int]
"""(local address, local port, remote address, remote port)"""

ANY: Final = b""


class Demux:
    """The tables. Whoever files something here also holds its port (`ports`)."""

    __slots__ = ("connections", "listeners", "raw", "udp")

    def __init__(self) -> None:
        self.connections: dict[Key, Connection] = {}
        self.listeners: dict[tuple[bytes, int], list[Listener]] = {}
        self.udp: dict[int, list[UdpPort]] = {}  # newest first: with SO_REUSEADDR Linux gives to the last one bound
        self.raw: dict[int, list[RawPort]] = {}  # by protocol

    # -- TCP

    def listener(self, local: bytes, port: int, remote: bytes, remote_port: int) -> Listener | None:
        """The one for `local` itself goes before those for any address."""
        found = self.listeners.get((local, port))
        if found is None:
            found = self.listeners.get((UNSPECIFIED_4 if len(local) == 4 else UNSPECIFIED_6, port))
        if found is None:
            found = self.listeners.get((ANY, port))
        if found is None:
            return None
        return found[0] if len(found) == 1 else found[_spread(remote, remote_port, len(found))]

    def add_listener(self, listener: Listener) -> None:
        self.listeners.setdefault((listener.local, listener.local_port), []).append(listener)

    def remove_listener(self, listener: Listener) -> bool:
        key = (listener.local, listener.local_port)
        found = self.listeners.get(key, [])
        if listener not in found:
            return False
        found.remove(listener)
        if not found:
            del self.listeners[key]
        return True

    # -- UDP

    def udp_port(self, local: bytes, port: int, remote: bytes, remote_port: int) -> UdpPort | None:
        """The port that fits best: connected before bound to the address before bound to any (Linux compute_score)."""
        best: list[UdpPort] = []
        most = -1
        for each in self.udp.get(port, ()):
            score = each.score(local, remote, remote_port)
            if score > most:
                best = [each]
                most = score
            elif score == most and score >= 0:
                best.append(each)
        if not best:
            return None
        if len(best) > 1 and best[0].reuse_port:
            return best[_spread(remote, remote_port, len(best))]
        return best[0]

    def udp_listeners(self, destination: bytes, port: int, remote: bytes, remote_port: int) -> list[UdpPort]:
        """Every port that takes a broadcast or multicast datagram."""
        return [each for each in self.udp.get(port, ()) if each.takes_group(destination, remote, remote_port)]

    def add_udp(self, port: UdpPort) -> None:
        self.udp.setdefault(port.local_port, []).insert(0, port)

    def remove_udp(self, port: UdpPort) -> bool:
        found = self.udp.get(port.local_port, [])
        if port not in found:
            return False
        found.remove(port)
        if not found:
            del self.udp[port.local_port]
        return True


def _spread(remote: bytes, remote_port: int, count: int) -> int:
    # SO_REUSEPORT: the same remote end always meets the same socket. Any hash will do that does not change from run
    # to run.
    return (int.from_bytes(remote[-4:], "big") * 0x9E3779B1 + remote_port * 0x85EBCA6B >> 15) % count
