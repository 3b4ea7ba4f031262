"""What does ping do, and what do its answers mean?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.fragmentation import is_fragment
from netglass.experiments.measure import counted
from netglass.experiments.scene import Steps
from netglass.lab.io import Io
from netglass.lab.network import Network
from netglass.lab.probing import Answer
from netglass.times import NEVER, duration, human
from netglass.trace.recorder import Recorder
from netglass.wire.ip import IpPacket


def run(rtt: str, size: int) -> Outcome:
    net, trace = Network(seed=1), Recorder()
    net.observe(trace)
    client, router, server = net.host("client"), net.router("router"), net.host("server")
    silent = net.host("silent")
    silent.config.echo_ignore_all = True
    for host in (client, server, silent):
        net.cable(host, router, delay=duration(rtt) // 4)
    nowhere = "192.0.2.1"
    asked: dict[str, Answer] = {}

    def ask(io: Io) -> Steps:
        for what, whom, bytes_, hops in (
            ("server", "server", 56, 0),
            (f"server, {size} bytes", "server", size, 0),
            ("server, one hop", "server", 56, 1),
            (nowhere, nowhere, 56, 0),
            ("a host that does not answer", "silent", 56, 0),
        ):
            io.note(f"ping {what}")
            asked[what] = (yield from io.ping(whom, 1, bytes_, ttl_hops=hops))[0]

    client.spawn(ask)
    net.run(until="10 s")
    fragments = [
        each for each in trace.sent("client") if isinstance(each.packet, IpPacket) and is_fragment(each.packet)
    ]
    answers = list(asked.values())
    figures: dict[str, Any] = {
        "says": [each.says for each in answers],
        "times": [each.time for each in answers],
        "from": [net.hosts[0].name_of(each.address) if each.address else "" for each in answers],
        "ttl": answers[0].ttl_hops,
        "fragments": len(fragments),
        "sockets": len(server.netstat()),
    }
    answer = (
        f"It sends an ICMP echo request, and the other machine's kernel sends the same bytes back: after {human(answers[0].time)}, "
        f"with no program and no port ({counted(figures['sockets'], 'socket')} on the server). The reply had {figures['ttl']} of its 64 hops left: "
        f"{counted(64 - answers[0].ttl_hops, 'router')} on the way. {size} bytes went as {counted(len(fragments), 'fragment')} each way.\n"
        f"Answers of others: with a time to live of 1 the {figures['from'][2]} says {answers[2].says!r}, and for an address that it has no "
        f"way to, {answers[3].says!r}. No answer means nothing: the last host is there, and keeps silent "
        f"(net.ipv4.icmp_echo_ignore_all); lost requests, lost replies, firewalls look the same."
    )
    rows = [
        (what, each.says or "nothing", figures["from"][place] or "-", human(each.time) if each.time != NEVER else "-")
        for place, (what, each) in enumerate(asked.items())
    ]
    table = Table(("ping", "the answer", "from", "after"), rows)
    return Outcome(answer, figures, [Part("ping", trace, ("client", "router", "server"), end="5 s")], table)


EXPERIMENT = Experiment(
    "ping",
    "below",
    "What does ping do, and what do its answers mean?",
    run,
    (
        Parameter("rtt", "40ms", "round-trip time to the server; the router is half way", "1us", "900ms"),
        Parameter("size", 3000, "bytes of the long ping", 0, 65507),
    ),
)
