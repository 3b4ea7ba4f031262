"""One host on a workbench: an interface without a network behind it, and a virtual clock.

What the host sends is collected with its time; what a script injects goes in as bytes. Time passes only when somebody
asks for it, from one deadline of the host to the next, so an hour without timers takes no time at all.
"""

from __future__ import annotations

from collections import deque
from typing import Final

from netglass.host.config import HostConfig
from netglass.host.host import Host
from netglass.packetdrill.settings import Settings
from netglass.probe import Probe
from netglass.rng import Rng
from netglass.sockets.sockets import Sockets
from netglass.times import NEVER
from netglass.wire.ip import IpPacket
from netglass.wire.packet import decode_packet, packet_bytes

HOST: Final = "host"
SCRIPT: Final = "script"
"""How observers hear of the two ends."""
_LINK: Final = "tun0"


class Bench:
    """The host under test, its descriptors and the time."""

    def __init__(self, settings: Settings, config: HostConfig, probe: Probe | None = None) -> None:
        self.now = 0
        self.config = config
        self.host = Host(HOST, config, Rng(1), probe)
        self.sockets = Sockets(self.host)
        self.sent: deque[tuple[int, IpPacket]] = deque()
        self.interface = self.host.add_interface(_LINK, mtu=settings.mtu)
        self.host.add_address(self.interface, settings.local, settings.local_prefix)
        self.host.add_route(bytes(len(settings.local)), 0, self.interface)
        self._probe = probe
        self._carried = 0

    def inject(self, packet: IpPacket) -> None:
        """`packet` reaches the host now, read from its bytes: its options may be any that a script can write."""
        arriving = decode_packet(packet_bytes(packet))
        self._tell(SCRIPT, HOST, arriving)
        self.host.receive_packet(arriving, self.interface, self.now)
        self.settle()

    def settle(self) -> None:
        """Collect what the host has to send: to be called after every call into it."""
        while (out := self.host.poll_packet(self.now)) is not None:
            self.sent.append((self.now, out[1]))
            self._tell(HOST, SCRIPT, out[1])

    def _tell(self, source: str, destination: str, packet: IpPacket) -> None:
        if self._probe is not None:
            self._carried += 1
            self._probe.carried(_LINK, source, destination, self._carried, packet, None, self.now, self.now, "")

    def run_next(self, limit: int) -> bool:
        """The next timer fires, if due by `limit`; else the time is `limit`, unless that is NEVER. True if one did."""
        deadline = self.host.deadline
        if deadline > limit or deadline >= NEVER:
            if limit < NEVER:
                self.now = max(self.now, limit)
            return False
        self.now = max(self.now, deadline)
        self.host.handle_timeout(self.now)
        self.settle()
        return True
