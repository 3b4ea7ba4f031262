"""The third ACK is lost and the client speaks first."""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import counted
from netglass.experiments.scene import RTT, Scene, Steps, accept_one, connect, reached, receive, resets
from netglass.lab.io import Io, Stream
from netglass.network.faults import drop
from netglass.network.match import third_ack
from netglass.times import human


def serve(io: Io) -> Steps:
    stream = yield from accept_one(io)
    yield from receive(io, stream)
    io.note("send()")
    yield from stream.send(b"welcome")


def ask(io: Io, pause: str) -> Steps:
    stream = yield from connect(io)
    assert isinstance(stream, Stream)
    yield from io.sleep(pause)
    io.note("send()")
    yield from stream.send(b"hello")
    yield from receive(io, stream)


def run(rtt: str, pause: str) -> Outcome:
    scene = Scene(rtt, faults=[drop(third_ack)])
    scene.server.spawn(serve)
    scene.client.spawn(ask, pause)
    scene.net.run(until="10 min")
    trace = scene.trace
    data = [each for each in trace.transmissions("client", "server") if each.length]
    established = reached(trace, "server", "ESTABLISHED")
    figures: dict[str, Any] = {
        "lost": [each.note for each in trace.losses()],
        "client_established_after": reached(trace, "client", "ESTABLISHED"),
        "server_established_after": established,
        "established_by_data": established == data[0].arrives,
        "data_ack": data[0].ack,
        "syn_acks": len(trace.sent("server", "SA")),
        "resets": resets(trace),
    }
    if figures["established_by_data"]:
        what = (
            f"Nothing is missed. For the client the connection is open after {human(figures['client_established_after'])}, so it sends its "
            f"request, and like every segment after the first that one carries ack={figures['data_ack']}: it acknowledges the SYN-ACK just as "
            f"the lost segment did. The server goes from SYN-RECEIVED to ESTABLISHED on it, after {human(established)}, and has the data at once."
        )
    else:
        what = (
            f"The client waited so long before it spoke that the server's timer was faster: {figures['syn_acks']} SYN-ACKs, and the repeated one "
            f"was acknowledged again. The server is ESTABLISHED after {human(established)}, before the first word arrives."
        )
    there_are = f"there {'is' if figures['resets'] == 1 else 'are'} {counted(figures['resets'], 'RST')}"
    answer = (
        f"{what} Many tutorials say that the server answers the data with a RST. It does not: {there_are} here. "
        f"RFC 9293 §3.10.7.4 says so (fifth check, SYN-RECEIVED: an acceptable ACK opens the connection, and processing goes on with the data)."
    )
    return Outcome(answer, figures, [Part("the client speaks first", trace)])


EXPERIMENT = Experiment(
    "lost-third-ack-client-first",
    "opening",
    "What if the third ACK is lost, and the client speaks first?",
    run,
    (
        RTT,
        Parameter("pause", "100ms", "how long the client thinks before it speaks", "0s", "1min"),
    ),
)
