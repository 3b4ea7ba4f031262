"""What if there is no way to the server?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.scene import connect, noted
from netglass.lab.network import Network
from netglass.times import duration, human
from netglass.trace.describe import icmp_name
from netglass.trace.recorder import Recorder
from netglass.wire.address import parse
from netglass.wire.icmp import IcmpMessage


def run(rtt: str) -> Outcome:
    net, trace = Network(seed=1), Recorder()
    net.observe(trace)
    client, router, server = net.host("client"), net.router("router"), net.host("server")
    for host in (client, server):
        net.cable(host, router, delay=duration(rtt) // 4)
    net.run(until=0)
    # The router loses its way to the server's network.
    router.core.remove_route(parse(server.address)[:3] + b"\x00", 24)
    process = client.spawn(connect)
    net.run(until="10 min")
    messages = [each.packet.payload for each in trace.transmissions("router", "client")]
    figures: dict[str, Any] = {
        "error": process.result,
        "after": noted(trace, "client", "connect() fails"),
        "syns": len(trace.sent("client", "S")),
        "icmp": [icmp_name(each) for each in messages if isinstance(each, IcmpMessage)],
        "client_states": trace.states("client"),
        "server_heard": len(trace.received("server")),
    }
    answer = (
        f'A router on the way says so: the client gets ICMP "{figures["icmp"][0]}" for its SYN, and in it the beginning of that SYN, by which '
        f"it finds the socket. connect() fails with {figures['error']} after {human(figures['after'])} and {figures['syns']} SYN. Linux believes ICMP while it is in SYN-SENT "
        f"(RFC 1122 §4.2.3.9 calls it a soft error; RFC 5461 says why stacks end here all the same); in ESTABLISHED it would go on trying, for a route "
        f"may come back. An ICMP error can be forged, so it only counts if it quotes a sequence number that is on its way (RFC 5927)."
    )
    return Outcome(answer, figures, [Part("unreachable", trace, ("client", "router"))])


EXPERIMENT = Experiment(
    "unreachable",
    "opening",
    "What if there is no way to the server?",
    run,
    (Parameter("rtt", "40ms", "round-trip time to the server; the router is half way", "1us", "900ms"),),
)
