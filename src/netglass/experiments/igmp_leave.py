"""How does a router learn that nobody listens any more?"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Final

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import counted, so_often
from netglass.experiments.scene import Steps
from netglass.lab.io import Io
from netglass.lab.network import Network
from netglass.multicast.querier import QuerierSettings
from netglass.network.faults import blackhole
from netglass.sockets.constants import IP_MULTICAST_TTL, IPPROTO_IP
from netglass.times import MILLISECOND, SECOND, human
from netglass.trace.recorder import Recorder
from netglass.trace.transmissions import Transmission
from netglass.wire.igmp import decode_igmp
from netglass.wire.ip import IGMP, IpPacket
from netglass.wire.membership import Query
from netglass.wire.udp import UdpDatagram

GROUP: Final = "239.0.0.100"
PORT: Final = 8888
LEAVES_AT: Final = 5 * SECOND
EVERY: Final = 500 * MILLISECOND  # a datagram


class Street:
    """A sender, a router, and two members on one switch. The first leaves after 5 s; the other may stay."""

    def __init__(self, silent: bool, stays: bool, level: int, seconds: int) -> None:
        self.trace = Recorder()
        self.net = Network(seed=1)
        self.silent = silent
        self.until = seconds * SECOND
        self.heard: dict[str, list[int]] = {"member": [], "other": []}
        source, router, lan = self.net.host("sender"), self.net.router("router"), self.net.switch("lan")
        member, other = self.net.host("member"), self.net.host("other")
        for host in (member, other):
            host.core.groups.force_level(4, level)
        self.net.cable(source, router, delay="1ms")
        for host in (router, other):
            self.net.cable(host, lan, delay="1ms")
        self.net.cable(member, lan, delay="1ms", faults=[blackhole(from_=LEAVES_AT)] if silent else [])
        self.net.observe(self.trace)
        settings = QuerierSettings()
        settings.level = level
        for port in router.machine.ports:
            router.core.multicast_router.serve(port.interface, 0, settings)
        member.spawn(self.listen, "member", LEAVES_AT)
        if stays:
            other.spawn(self.listen, "other", self.until)
        source.spawn(self.send)
        self.net.run(until=self.until)

    def listen(self, io: Io, name: str, until: int) -> Steps:
        datagrams = io.udp(PORT)
        datagrams.join(GROUP)
        while io.now() < until:
            try:
                yield from datagrams.receive_from(timeout=until - io.now())
            except TimeoutError:
                break
            self.heard[name].append(io.now())
        if name == "member" and self.silent:
            io.note("the machine is switched off")
        elif name == "member":
            io.note("leaves the group")
            datagrams.leave(GROUP)

    def send(self, io: Io) -> Steps:
        datagrams = io.udp(options=[(IPPROTO_IP, IP_MULTICAST_TTL, 4)])
        while io.now() < self.until - SECOND:
            yield from io.sleep(EVERY)
            yield from datagrams.send_to(b"frame", GROUP, PORT)

    # -- readings

    def sent_in_vain(self) -> int:
        """For how long the router went on passing datagrams to the link."""
        last = max([each.sent for each in self.passed_on()], default=LEAVES_AT)
        return max(0, last - LEAVES_AT)

    def passed_on(self) -> list[Transmission]:
        return [each for each in self.trace.transmissions("router") if isinstance(each.packet.payload, UdpDatagram)]

    def questions(self) -> int:
        """How often the router asked about the group after the leave."""
        return len([each for each in self.trace.transmissions("router") if each.sent >= LEAVES_AT and asks(each)])


def asks(each: Transmission) -> bool:
    packet = each.packet
    if not isinstance(packet, IpPacket) or packet.protocol != IGMP or not isinstance(packet.payload, bytes):
        return False
    message = decode_igmp(packet.payload)
    return isinstance(message, Query) and not message.general


def run(silent: bool, level: int, seconds: int) -> Outcome:
    alone = Street(silent, False, level, seconds)
    together = Street(silent, True, level, seconds)
    figures: dict[str, Any] = {
        "wasted": alone.sent_in_vain(),
        "wasted_datagrams": len([each for each in alone.passed_on() if each.sent > LEAVES_AT]),
        "questions": alone.questions(),
        "questions_together": together.questions(),
        "longest_gap": max(gaps(together.heard["other"])),
        "stopped": alone.sent_in_vain() < (seconds - 5) * SECOND - 2 * SECOND,
    }
    told = "is switched off and says nothing" if silent else f"leaves and says so (IGMPv{level})"
    if level == 1 and not silent:
        told = "leaves; IGMPv1 has no word for it"
    if figures["stopped"]:
        end = f"After {human(figures['wasted'])} the router stops: {figures['wasted_datagrams']} datagrams for nobody."
    else:
        end = (
            f"{human(seconds * SECOND)} are not enough: the router goes on for 260 s after the last report "
            f"(robustness 2 x query interval 125 s + 10 s; try --seconds 300)."
        )
    answer = (
        f"The member {told}. The router cannot know whether it was the last, so it asks: "
        f"{so_often(figures['questions'])} about this group, with 1 s to answer. {end}\n"
        f"If another member is there, it answers ({counted(figures['questions_together'], 'question')}), and misses "
        f"nothing: the longest time between two datagrams was {human(figures['longest_gap'])}, one every {human(EVERY)}."
    )
    hosts = ("sender", "router", "member", "other")
    parts = [
        Part("The last member", alone.trace, hosts, LEAVES_AT - EVERY, LEAVES_AT + 3 * SECOND),
        Part("Another one stays", together.trace, hosts, LEAVES_AT - EVERY, LEAVES_AT + 2 * SECOND),
    ]
    return Outcome(answer, figures, parts)


def gaps(times: list[int]) -> list[int]:
    return [later - earlier for earlier, later in pairwise(times)] or [0]


EXPERIMENT = Experiment(
    "igmp-leave",
    "below",
    "How does a router learn that nobody listens to a multicast group any more?",
    run,
    (
        Parameter("silent", False, "the member is switched off without a word"),
        Parameter("level", 3, "the version of IGMP that all speak", 1, 3),
        Parameter("seconds", 20, "how long to watch", 10, 600),
    ),
)
