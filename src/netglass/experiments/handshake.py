"""How does a connection open?"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.scene import Scene
from netglass.lab.io import Io
from netglass.times import human

Steps = Generator[Any, None, None]


def serve(io: Io) -> Steps:
    listener = io.listen(80)
    io.note("listen()")
    yield from listener.accept()
    io.note("accept() returns")


def call(io: Io) -> Steps:
    io.note("connect()")
    yield from io.connect("server", 80)
    io.note("connect() returns")


def run(rtt: str) -> Outcome:
    scene = Scene(rtt)
    scene.server.spawn(serve)
    scene.client.spawn(call)
    scene.net.run(until="10 s")
    trace = scene.trace
    client, server = trace.states("client"), trace.states("server")
    segments = trace.transmissions()
    syn, syn_ack = trace.sent("client", "S")[0].segment, trace.sent("server", "SA")[0].segment
    assert syn is not None
    assert syn_ack is not None
    connected = [change.time for change in trace.state_changes("client") if change.new == "ESTABLISHED"][0]
    accepted = [change.time for change in trace.state_changes("server") if change.new == "ESTABLISHED"][0]
    figures = {
        "segments": len(segments),
        "client_states": client,
        "server_states": server,
        "client_isn": syn.seq,
        "server_isn": syn_ack.seq,
        "acknowledged": syn_ack.ack,
        "client_established_after": connected - segments[0].sent,
        "server_established_after": accepted - segments[0].sent,
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
    (Parameter("rtt", "40ms", "round-trip time"),),
)
