"""The third ACK is lost and the server speaks first."""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.scene import RTT, Scene, Steps, accept_one, connect, listed, noted, reached, receive
from netglass.lab.io import Io, Stream
from netglass.network.faults import drop
from netglass.network.match import third_ack
from netglass.times import human


def greet(io: Io) -> Steps:
    stream = yield from accept_one(io)
    io.note("send()")
    yield from stream.send(b"welcome")


def listen_to_greeting(io: Io) -> Steps:
    stream = yield from connect(io)
    assert isinstance(stream, Stream)
    yield from receive(io, stream)


def run(rtt: str, losses: int) -> Outcome:
    scene = Scene(rtt, faults=[drop(third_ack, times=losses)])
    scene.server.spawn(greet)
    scene.client.spawn(listen_to_greeting)
    scene.net.run(until="10 min")
    trace = scene.trace
    figures: dict[str, Any] = {
        "lost": len(trace.losses()),
        "syn_ack_times": trace.times("server", "SA"),
        "client_established_after": reached(trace, "client", "ESTABLISHED"),
        "server_established_after": reached(trace, "server", "ESTABLISHED"),
        "greeting_after": noted(trace, "client", "recv() returns 'welcome'"),
    }
    times = listed(figures["syn_ack_times"])
    if figures["greeting_after"] < 0:
        ending = f"At {times} it sends its SYN-ACK, then it gives up; the client is never told and waits for ever."
    else:
        ending = (
            f"Its timer saves both: the SYN-ACK goes out at {times}, the client acknowledges it once more, and the greeting "
            f"arrives after {human(figures['greeting_after'])}."
        )
    answer = (
        f"The client believes that it is connected after {human(figures['client_established_after'])} and waits for the greeting. The server is "
        f"still in SYN-RECEIVED: its accept() has not returned, so nobody greets. {ending} The client's application saw only a slow "
        f"server. How often the SYN-ACK is repeated is net.ipv4.tcp_synack_retries, or TCP_SYNCNT of the listener."
    )
    return Outcome(answer, figures, [Part("the server speaks first", trace)])


EXPERIMENT = Experiment(
    "lost-third-ack-server-first",
    "opening",
    "What if the third ACK is lost, and the server speaks first?",
    run,
    (
        RTT,
        Parameter("losses", 1, "how many of the client's ACKs are lost", 1),
    ),
)
