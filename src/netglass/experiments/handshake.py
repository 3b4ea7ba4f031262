"""How does a connection open?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Part
from netglass.experiments.scene import RTT, Scene, accept_one, connect, reached, segments_sent
from netglass.times import human


def run(rtt: str) -> Outcome:
    scene = Scene(rtt)
    scene.server.spawn(accept_one)
    scene.client.spawn(connect)
    scene.net.run(until="10 s")
    trace = scene.trace
    client, server = trace.states("client"), trace.states("server")
    segments = trace.transmissions()
    syn, syn_ack = segments_sent(trace, "client", "S")[0], segments_sent(trace, "server", "SA")[0]
    figures: dict[str, Any] = {
        "segments": len(segments),
        "client_states": client,
        "server_states": server,
        "client_isn": syn.seq,
        "server_isn": syn_ack.seq,
        "acknowledged": syn_ack.ack,
        "client_established_after": reached(trace, "client", "ESTABLISHED") - segments[0].sent,
        "server_established_after": reached(trace, "server", "ESTABLISHED") - segments[0].sent,
    }
    answer = (
        f"{len(segments)} segments. The client goes {' -> '.join(client)}, the server {' -> '.join(server)}. "
        f"Each end says where its numbers begin ({syn.seq} and {syn_ack.seq}) and hears it confirmed: a SYN takes one sequence number, so the "
        f"server acknowledges {syn_ack.ack}; the last segment, a plain ACK, takes none (RFC 9293 §3.5). The client may speak after "
        f"{human(figures['client_established_after'])}, one round trip; the server knows of it half a round trip later, after "
        f"{human(figures['server_established_after'])}."
    )
    return Outcome(answer, figures, [Part("three-way handshake", trace)])


EXPERIMENT = Experiment(
    "handshake",
    "opening",
    "How does a connection open, and what does each end know when?",
    run,
    (RTT,),
)
