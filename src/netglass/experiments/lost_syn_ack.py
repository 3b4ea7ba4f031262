"""What if the SYN-ACK is lost?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Part
from netglass.experiments.scene import RTT, Scene, accept_one, connect, listed, noted
from netglass.network.faults import drop
from netglass.network.match import syn_ack
from netglass.times import human


def run(rtt: str) -> Outcome:
    scene = Scene(rtt, faults=[drop(syn_ack)])
    scene.server.spawn(accept_one)
    scene.client.spawn(connect)
    scene.net.run(until="1 min")
    trace = scene.trace
    syns, syn_acks = trace.times("client", "S"), trace.times("server", "SA")
    figures: dict[str, Any] = {
        "syn_times": syns,
        "syn_ack_times": syn_acks,
        "server_state_meanwhile": trace.state_at("server", syns[-1]),
        "half_open": max(each.half_open for each in trace.queues("server")),
        "connected_after": noted(trace, "client", "connect() returns"),
    }
    answer = (
        f"Both ends wait, and both repeat. The client has heard nothing, so it sends its SYN again after {human(syns[1] - syns[0])}. The server "
        f"has been in {figures['server_state_meanwhile']} all the time, with {figures['half_open']} entry in its SYN queue, and its own timer "
        f"says the same: SYN-ACKs go out at {listed(syn_acks)}. The repeated SYN is no new "
        f"connection: it has the same sequence number, so the server answers it with the SYN-ACK that it sent before. connect() returns after "
        f"{human(figures['connected_after'])}."
    )
    return Outcome(answer, figures, [Part("lost SYN-ACK", trace)])


EXPERIMENT = Experiment(
    "lost-syn-ack",
    "opening",
    "What if the SYN-ACK is lost?",
    run,
    (RTT,),
)
