"""The stage on which nearly every experiment plays: a client, a server, one cable, and a recorder that sees all of
it."""

from __future__ import annotations

from collections.abc import Sequence

from netglass.host.config import HostConfig
from netglass.lab.host import LabHost
from netglass.lab.network import Network
from netglass.network.cable import Cable
from netglass.network.fault import Fault
from netglass.times import duration
from netglass.trace.recorder import Recorder


class Scene:
    """`rtt` is there and back. `faults` sit in the cable. Each host may be given a configuration of its own."""

    def __init__(
        self,
        rtt: int | str = "40ms",
        faults: Sequence[Fault] = (),
        client: HostConfig | None = None,
        server: HostConfig | None = None,
        seed: int = 1,
    ) -> None:
        self.trace = Recorder()
        self.net = Network(seed=seed)
        self.net.observe(self.trace)
        self.client: LabHost = self.net.host("client", config=client)
        self.server: LabHost = self.net.host("server", config=server)
        self.cable: Cable = self.net.cable(self.client, self.server, delay=duration(rtt) // 2, faults=list(faults))
