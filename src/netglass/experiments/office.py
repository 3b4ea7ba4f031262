"""The stage of the experiments below IP: hosts at one switch, and a recorder that sees all of it."""

from __future__ import annotations

from typing import Final

from netglass.experiments.scene import Steps
from netglass.lab.host import LabHost
from netglass.lab.io import Io
from netglass.lab.network import Network
from netglass.lab.switch import LabSwitch
from netglass.network.switch import TABLE_LIMIT
from netglass.times import MILLISECOND
from netglass.trace.recorder import Recorder
from netglass.trace.transmissions import Transmission
from netglass.wire.arp import ArpMessage

DELAY: Final = 1 * MILLISECOND
"""Of each cable, one way."""

PORT: Final = 7000
SECRET: Final = b"the password is swordfish"


class Office:
    """Hosts named `names` at a switch."""

    def __init__(self, *names: str, table_limit: int = TABLE_LIMIT) -> None:
        self.trace = Recorder()
        self.net = Network(seed=1)
        self.net.observe(self.trace)
        self.switch: LabSwitch = self.net.switch("switch", table_limit=table_limit)
        self.hosts: dict[str, LabHost] = {name: self.net.host(name) for name in names}
        for host in self.hosts.values():
            self.net.cable(host, self.switch, delay=DELAY)

    def frames(self, operation: int, source: str | None = None) -> list[Transmission]:
        """ARP messages of this kind, once for each cable that they took."""
        found = []
        for each in self.trace.transmissions(source):
            message = each.packet.payload
            if isinstance(message, ArpMessage) and message.operation == operation:
                found.append(each)
        return found


def answer_words(io: Io, address: str = "") -> Steps:
    """A server: answers each datagram."""
    datagrams = io.udp(PORT, address)
    while True:
        words, whom = yield from datagrams.receive_from()
        if whom is not None:
            yield from datagrams.send_to(b"I heard: " + words, whom[0], whom[1])


def say(io: Io, whom: str, words: bytes = SECRET) -> Steps:
    """A client: says `words`, and gives back the answer."""
    datagrams = io.udp(0, "::" if ":" in whom else "")
    yield from datagrams.send_to(words, whom, PORT)
    answer, _ = yield from datagrams.receive_from()
    return bytes(answer).decode()
