"""What if the SYN is lost?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.scene import RTT, Scene, accept_one, connect, listed, noted
from netglass.network.faults import drop
from netglass.network.match import syn
from netglass.times import human


def run(rtt: str, losses: int) -> Outcome:
    scene = Scene(rtt, faults=[drop(syn, times=losses)])
    scene.server.spawn(accept_one)
    scene.client.spawn(connect)
    scene.net.run(until="10 min")
    trace = scene.trace
    syns = trace.times("client", "S")
    figures: dict[str, Any] = {
        "lost": len(trace.losses()),
        "syn_times": syns,
        "connected_after": noted(trace, "client", "connect() returns"),
        "client_states": trace.states("client"),
        "server_half_open": max([each.half_open for each in trace.queues("server")], default=0),
    }
    times = listed(syns)
    if figures["connected_after"] < 0:
        ending = f"After {len(syns) - 1} retries the client gives up."
    else:
        ending = f"The application notices nothing but the wait: connect() returns after {human(figures['connected_after'])}."
    answer = (
        f"Nobody tells the client that its SYN was lost; only silence does. SYNs go out at {times}: the first wait is 1 s (RFC 6298 "
        f"§2.1), for nothing is known of the path yet, and each further one is twice as long. The server knows nothing of the lost ones. "
        f"{ending} How often a client tries is net.ipv4.tcp_syn_retries, or TCP_SYNCNT for one socket. (Linux "
        f"from 6.5 on does not double the first four waits: net.ipv4.tcp_syn_linear_timeouts.)"
    )
    return Outcome(answer, figures, [Part("lost SYN", trace)])


EXPERIMENT = Experiment(
    "lost-syn",
    "opening",
    "What if the SYN is lost?",
    run,
    (RTT, Parameter("losses", 1, "how many SYNs are lost", 1)),
)
