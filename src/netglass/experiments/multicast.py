"""Who gets a multicast datagram? A group, its members, and what a router does with it."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from netglass.experiments.experiment import Experiment, Outcome, Part, Table
from netglass.experiments.scene import Steps
from netglass.lab.host import LabHost
from netglass.lab.io import Io
from netglass.lab.network import Network
from netglass.sockets.constants import IP_MULTICAST_LOOP, IP_MULTICAST_TTL, IPPROTO_IP
from netglass.times import SECOND
from netglass.trace.recorder import Recorder

LOCAL: Final = "224.0.0.100"  # of 224.0.0.0/24, which belongs to the link (RFC 5771 §4)
WIDE: Final = "239.0.0.100"  # of 239.0.0.0/8, scoped by whoever runs the network (RFC 2365)
PORT: Final = 8888
START: Final = 12 * SECOND  # when the first questions have been answered


class Sending(NamedTuple):
    """One datagram, and how it is sent."""

    group: str
    ttl: int
    loop: bool


SENDINGS: Final = (
    Sending(LOCAL, 1, True),
    Sending(LOCAL, 16, True),
    Sending(WIDE, 1, True),
    Sending(WIDE, 16, True),
    Sending(WIDE, 16, False),
)
LISTENERS: Final = ("sender", "neighbour", "member", "outsider")
JOINED: Final = ("sender", "neighbour", "member")


class Street:
    """sender and neighbour on one switch, member and outsider on another, a router between. Everybody listens on the
    port; all but the outsider have joined both groups."""

    def __init__(self) -> None:
        self.trace = Recorder()
        self.net = Network(seed=1)
        self.heard: dict[str, list[int]] = {name: [] for name in LISTENERS}
        near, far = self.net.switch("near"), self.net.switch("far")
        hosts = self.hosts = {name: self.net.host(name) for name in LISTENERS}
        self.router: LabHost = self.net.router("router")
        for name in ("sender", "neighbour"):
            self.net.cable(hosts[name], near, delay="1ms")
        self.net.cable(self.router, near, delay="1ms")
        self.net.cable(self.router, far, delay="1ms")
        for name in ("member", "outsider"):
            self.net.cable(hosts[name], far, delay="1ms")
        self.net.observe(self.trace)
        self.router.route_multicast()
        for name in LISTENERS:
            hosts[name].spawn(self.listen, name)
        hosts["sender"].spawn(self.send)
        self.net.run(until=START + SECOND)

    def listen(self, io: Io, name: str) -> Steps:
        datagrams = io.udp(PORT)
        for group in (LOCAL, WIDE):
            if name in JOINED:
                datagrams.join(group)
        while True:
            data, _ = yield from datagrams.receive_from()
            io.note(f"hears {data.decode()}")
            self.heard[name].append(int(data.split()[-1]))

    def send(self, io: Io) -> Steps:
        datagrams = io.udp(9000)
        yield from io.sleep(START)
        for number, sending in enumerate(SENDINGS):
            datagrams.set_option(IPPROTO_IP, IP_MULTICAST_TTL, sending.ttl)
            datagrams.set_option(IPPROTO_IP, IP_MULTICAST_LOOP, int(sending.loop))
            io.note(f"datagram {number}: TTL {sending.ttl}{'' if sending.loop else ', no loop'}")
            yield from datagrams.send_to(f"datagram {number}".encode(), sending.group, PORT)
            yield from io.sleep("100ms")


def run() -> Outcome:
    street = Street()
    heard = {name: [number in street.heard[name] for number in range(len(SENDINGS))] for name in LISTENERS}
    counts = street.router.core.counters.counts
    figures: dict[str, Any] = {
        "heard": heard,
        "kept_on_the_link": counts.get("multicast-local-scope", 0),
        "ttl_used_up": counts.get("ip-ttl", 0),
        "forwarded": street.router.core.multicast_router.forwarded,
        "outsider_dropped": street.hosts["outsider"].core.counters.counts.get("ip-group-not-joined", 0),
    }
    answer = (
        f"Whoever has joined, and nobody else: of {len(SENDINGS)} datagrams the neighbour on the sender's own link heard "
        f"{sum(heard['neighbour'])}, the member behind the router {sum(heard['member'])}, the outsider beside it "
        f"{sum(heard['outsider'])}, though {figures['outsider_dropped']} came to its card: a switch that does not know "
        f"who listens sends to all.\n"
        f"The router never passes on 224.0.0.0/24, whatever the TTL: {figures['kept_on_the_link']} of {LOCAL} ended "
        f"there. {WIDE} with a TTL of 1, which is the default, ended there too ({figures['ttl_used_up']}); with 16 it "
        f"went on, {figures['forwarded']} times, because the member had told the router so (IGMP).\n"
        f"The sender is a member itself and hears its own datagrams, {sum(heard['sender'])} of {len(SENDINGS)}: not "
        f"the one that it sent with IP_MULTICAST_LOOP off."
    )
    rows = [
        (
            f"{sending.group}  TTL {sending.ttl}{'' if sending.loop else ', no loop'}",
            *["hears" if heard[name][number] else "-" for name in LISTENERS],
        )
        for number, sending in enumerate(SENDINGS)
    ]
    part = Part("The five datagrams", street.trace, ("sender", "neighbour", "router", "member", "outsider"), START)
    return Outcome(answer, figures, [part], Table(("sent to", *LISTENERS), rows))


EXPERIMENT = Experiment("multicast", "below", "Who gets a multicast datagram, and what does a router do with it?", run)
