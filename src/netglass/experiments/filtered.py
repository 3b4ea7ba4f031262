"""What if a firewall drops the SYN?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.scene import RTT, Scene, accept_one, connect, listed, noted
from netglass.network.faults import drop
from netglass.network.match import ALL, syn
from netglass.sockets.constants import IPPROTO_TCP, TCP_SYNCNT
from netglass.times import human


def run(rtt: str, retries: int) -> Outcome:
    scene = Scene(rtt, faults=[drop(syn, times=ALL)])
    scene.server.spawn(accept_one)
    client = scene.client.spawn(connect, ((IPPROTO_TCP, TCP_SYNCNT, retries),))
    scene.net.run(until=f"{300 + 120 * retries} s")
    trace = scene.trace
    figures: dict[str, Any] = {
        "error": client.result,
        "after": noted(trace, "client", "connect() fails"),
        "syn_times": trace.times("client", "S"),
        "client_states": trace.states("client"),
        "server_heard": len(trace.received("server")),
    }
    answer = (
        f"A firewall that drops says nothing, and the client cannot tell it from loss: it tries {len(figures['syn_times'])} times, at "
        f"{listed(figures['syn_times'])}, waits once more, and connect() fails with {figures['error']} after {human(figures['after'])}. The server "
        f"heard {figures['server_heard']} segments. Refused takes one round trip, filtered this long: the time alone says which it is. The "
        f"number of retries is TCP_SYNCNT (here {retries}), else net.ipv4.tcp_syn_retries (6)."
    )
    return Outcome(answer, figures, [Part("filtered", trace)])


EXPERIMENT = Experiment(
    "filtered",
    "opening",
    "What if a firewall drops the SYN?",
    run,
    (RTT, Parameter("retries", 6, "how often the SYN is repeated", 1, 127)),
)
