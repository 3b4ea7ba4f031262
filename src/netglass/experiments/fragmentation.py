"""What if a datagram is longer than a link can carry?"""

from __future__ import annotations

from typing import Any, Final

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.measure import counted
from netglass.experiments.scene import Steps, error_name
from netglass.lab.host import LabHost
from netglass.lab.io import Io
from netglass.lab.network import Network
from netglass.network.fault import Fault
from netglass.network.faults import drop
from netglass.network.match import where
from netglass.sockets.constants import IP_MTU_DISCOVER, IP_PMTUDISC_DO, IP_PMTUDISC_DONT, IPPROTO_IP
from netglass.times import human
from netglass.trace.recorder import Recorder
from netglass.wire.ip import IpPacket

PORT: Final = 7000
HOSTS: Final = ("client", "router", "server")


class Path:
    """client - router - server; the second cable is narrower. The server's program counts what it hears."""

    def __init__(self, mtu: int, delay: str, faults: list[Fault]) -> None:
        self.trace = Recorder()
        self.net = Network(seed=1)
        self.net.observe(self.trace)
        self.client: LabHost = self.net.host("client")
        self.router: LabHost = self.net.router("router")
        self.server: LabHost = self.net.host("server")
        self.net.cable(self.client, self.router, delay=delay)
        self.net.cable(self.router, self.server, delay=delay, mtu=mtu, faults=faults)
        self.heard: list[int] = []
        self.results: list[str] = []
        self.server.spawn(self.listen)

    def listen(self, io: Io) -> Steps:
        datagrams = io.udp(PORT, address="::")
        while True:
            data, _ = yield from datagrams.receive_from()
            io.note(f"recv() returns {len(data)} bytes")
            self.heard.append(len(data))

    def send(self, io: Io, size: int, discover: int, times: int, to: str) -> Steps:
        datagrams = io.udp(address="::" if ":" in to else "", options=((IPPROTO_IP, IP_MTU_DISCOVER, discover),))
        for _ in range(times):
            try:
                yield from datagrams.send_to(bytes(size), to, PORT)
                self.results.append("sent")
            except OSError as error:
                self.results.append(error_name(error))
                io.note(f"send() fails: {self.results[-1]}")
            yield from io.sleep("1 s")

    def pieces(self, source: str, destination: str) -> int:
        """Fragments on the cable from one to the other."""
        found = [each.packet for each in self.trace.transmissions(source, destination)]
        return len([each for each in found if isinstance(each, IpPacket) and is_fragment(each)])


def is_fragment(packet: IpPacket) -> bool:
    return packet.more_fragments or packet.fragment_offset > 0


def run(size: int, mtu: int, delay: str) -> Outcome:
    cut = Path(mtu, delay, [])
    cut.client.spawn(cut.send, size, IP_PMTUDISC_DONT, 1, "server")
    cut.net.run(until="2 s")

    second = where(lambda packet: packet.fragment_offset > 0, "a later fragment")
    lost = Path(mtu, delay, [drop(second)])
    lost.client.spawn(lost.send, size, IP_PMTUDISC_DONT, 1, "server")
    lost.net.run(until="40 s")
    given_up = [each.time for each in lost.trace.drops("server", "ip-reassembly-timeout")]

    refused = Path(mtu, delay, [])
    short = min(size, 1400)
    refused.client.spawn(refused.send, short, IP_PMTUDISC_DO, 2, "server")
    refused.net.run(until="3 s")

    six = Path(max(mtu, 1280), delay, [])
    six.client.spawn(six.send, size, IP_PMTUDISC_DONT, 2, six.server.address6)
    six.net.run(until="3 s")

    figures: dict[str, Any] = {
        "heard": cut.heard,
        "from_client": cut.pieces("client", "router"),
        "from_router": cut.pieces("router", "server"),
        "lost_heard": lost.heard,
        "given_up_after": given_up[0] - lost.trace.received("server")[0].time if given_up else 0,
        "told": len(lost.trace.sent("server")),
        "refused": refused.results,
        "refused_heard": refused.heard,
        "six_heard": six.heard,
        "six_cut_by_router": six.pieces("router", "server") - six.pieces("client", "router"),
        "six_too_big": six.router.core.counters.counts.get("ip-too-big", 0),
    }
    answer = (
        f"IP cuts it. Of {size} bytes the client made {counted(figures['from_client'], 'fragment')} for its own link, the router {figures['from_router']} for the "
        f"narrower one behind it ({mtu} bytes), and only the server put them together: its program got {cut.heard[0] if cut.heard else 0} bytes in one piece. Each "
        f"fragment says which datagram it belongs to, which bytes it holds and whether more follow; only the first has the ports.\n"
        f"If one fragment is lost, all of it is: the server kept the others for {human(figures['given_up_after'])} and gave up "
        f"(time exceeded, code 1, RFC 792). Nothing is sent again below UDP. So fragments multiply losses, hold memory and confuse "
        f"firewalls, and one would rather know the path: with 'don't fragment' the router drops, says so with the MTU of its "
        f"link ('fragmentation needed'), and the next send() fails: {refused.results[-1]} (path MTU discovery, RFC 1191; TCP does it by itself).\n"
        f"IPv6 has no other way: routers cut nothing ({figures['six_too_big']} times 'packet too big'), the sender learns and cuts its next datagram to fit; "
        f"the first one is gone. The server heard {len(six.heard)} of 2."
    )
    rows = [
        ("IPv4, may be cut", "sent", str(len(cut.heard)), f"{figures['from_client']}, then {figures['from_router']}"),
        ("IPv4, a later fragment lost", "sent", str(len(lost.heard)), "all of it is lost"),
        (
            f"IPv4, {short} bytes, don't fragment",
            ", ".join(refused.results),
            str(len(refused.heard)),
            "the router tells its MTU",
        ),
        ("IPv6, two datagrams", ", ".join(six.results), str(len(six.heard)), "only the sender cuts"),
    ]
    parts = [
        Part("cut twice, put together once", cut.trace, HOSTS),
        Part("one fragment is lost", lost.trace, HOSTS),
        Part("don't fragment", refused.trace, HOSTS[:2]),
        Part("IPv6: the sender learns", six.trace, HOSTS),
    ]
    return Outcome(answer, figures, parts, Table(("what", "send()", "heard", "how"), rows))


EXPERIMENT = Experiment(
    "fragmentation",
    "below",
    "What if a datagram is longer than a link can carry?",
    run,
    (
        Parameter("size", 3000, "bytes of data", 1500, 60000),
        Parameter("mtu", 1000, "of the second cable", 300, 1400),
        Parameter("delay", "10ms", "of each cable, one way", "1us", "100ms"),
    ),
)
