"""How does traceroute find the routers on the way?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part, Table
from netglass.experiments.measure import counted
from netglass.experiments.scene import Steps
from netglass.lab.io import Io
from netglass.lab.network import Network
from netglass.lab.probing import Hop
from netglass.times import duration, human
from netglass.trace.recorder import Recorder


def run(delay: str, routers: int) -> Outcome:
    net, trace = Network(seed=1), Recorder()
    net.observe(trace)
    client, server = net.host("client"), net.host("server")
    way = [net.router(f"router{number + 1}") for number in range(routers)]
    for one, other in zip([client, *way], [*way, server], strict=True):
        net.cable(one, other, delay=duration(delay))
    found: dict[str, list[Hop]] = {}

    def look(io: Io) -> Steps:
        io.note("traceroute server")
        found["udp"] = yield from io.traceroute("server", probes=1)
        yield from io.sleep("1 s")
        io.note("ten probes a hop")
        found["eager"] = yield from io.traceroute("server", probes=10, by="icmp")

    client.spawn(look)
    net.run(until="2 min")
    hops, eager = found["udp"], found["eager"]
    unanswered = [sum(not each.says for each in hop.answers) for hop in eager]
    figures: dict[str, Any] = {
        "names": [client.name_of(hop.address) for hop in hops],
        "times": [hop.answers[0].time for hop in hops],
        "says": [hop.answers[0].says for hop in hops],
        "unanswered": unanswered,
        "limited": [host.core.counters.counts.get("icmp-error-rate-limited", 0) for host in way],
    }
    last = hops[-1].answers[0]
    answer = (
        f"It sends a packet that may live for one hop only, then one for two, and so on. Each router takes one off, and the one "
        f"that comes to zero must say 'time exceeded' (RFC 1812 §5.3.1), and so gives itself away: {', '.join(figures['names'][:-1])}. "
        f"The server itself answers {last.says!r}, because nobody listens on port 33434 and up; that is the end, {counted(len(hops), 'hop')} away, "
        f"{human(last.time)}.\n"
        f"A star is not a loss: with ten probes to each hop {sum(unanswered[:-1])} of {10 * routers} were not answered by routers, which dropped nothing but "
        f"their own complaints ({sum(figures['limited'])} of them): an error is sent to one address once a second, after six at once (Linux "
        f"net.ipv4.icmp_ratelimit). The server answered all: echo replies are not errors. And the way back may be another one: "
        f"traceroute does not see it."
    )
    rows = [
        (str(hop.ttl_hops), client.name_of(hop.address), hop.address, human(hop.answers[0].time), hop.answers[0].says)
        for hop in hops
    ]
    end = trace.times("client")[len(hops)] - 1
    hosts = ("client", *[host.name for host in way], "server")
    table = Table(("hop", "name", "address", "after", "says"), rows)
    return Outcome(answer, figures, [Part("traceroute", trace, hosts, end=end)], table)


EXPERIMENT = Experiment(
    "traceroute",
    "below",
    "How does traceroute find the routers on the way?",
    run,
    (
        Parameter("delay", "5ms", "of each cable, one way", "1us", "50ms"),
        Parameter("routers", 2, "on the way", 1, 8),
    ),
)
