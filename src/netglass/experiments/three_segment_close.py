"""When does a close take three segments?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import after, states_from, stayed, way
from netglass.experiments.scene import RTT, Scene, close_first, close_second, noted
from netglass.lab.io import Io
from netglass.lab.process import Steps
from netglass.times import duration, human


def serve(io: Io, work: str) -> Steps:
    stream = yield from io.listen(80).accept()
    yield from stream.receive()
    yield from stream.send(b"answer")
    yield from close_second(io, stream, work)


def call(io: Io) -> Steps:
    stream = yield from io.connect("server", 80)
    yield from stream.send(b"question")
    yield from stream.receive()
    yield from close_first(io, stream)


def run(rtt: str, work: str) -> Outcome:
    scene = Scene(rtt)
    scene.server.spawn(serve, work)
    scene.client.spawn(call)
    scene.net.run(until="50 s")
    trace = scene.trace
    start = noted(trace, "client", "close()")
    segments = [each for each in trace.transmissions() if each.time >= start]
    client, server = states_from(trace, "client", "ESTABLISHED"), states_from(trace, "server", "ESTABLISHED")
    fin = trace.transmissions("client", flags="FA")[0]
    acknowledged_after = [each.time for each in trace.transmissions("server") if each.ack > fin.seq][0] - fin.arrives
    figures: dict[str, Any] = {
        "segments": len(segments),
        "client_states": client,
        "server_states": server,
        "fin_acknowledged_after": acknowledged_after,
        "fin_wait_2": stayed(trace, "client", "FIN-WAIT-2"),
        "delayed_ack": scene.server.config.tcp.delayed_ack,
    }
    patience = human(scene.server.config.tcp.delayed_ack)
    if len(segments) > 3:
        how = (
            f"Here the server's application took {human(duration(work))}, so its kernel acknowledged the FIN alone, "
            f"{after(acknowledged_after)}, and the close took {len(segments)} segments."
        )
    else:
        how = (
            f"Here the server's application closed {after(acknowledged_after)}, so ACK and FIN went in one segment, and the close "
            f"took {len(segments)}."
        )
    answer = (
        f"An ACK need not go at once: a Linux kernel that has seen data on the connection holds the ACK of a FIN back for up to {patience}, in "
        f"the hope that the application closes too (delayed ACK, RFC 9293 §3.8.6.3). {how} The client passes "
        f"FIN-WAIT-2 {'at once' if not figures['fin_wait_2'] else 'in ' + human(figures['fin_wait_2'])} ({way(client)}). Four messages, then, but not always four segments."
    )
    return Outcome(answer, figures, [Part("close", trace, start=start)])


EXPERIMENT = Experiment(
    "three-segment-close",
    "closing",
    "When are three segments enough to close?",
    run,
    (
        RTT,
        Parameter(
            "work", "0ms", "how long the server takes until it closes too; more than 40ms makes it four", most="40s"
        ),
    ),
)
