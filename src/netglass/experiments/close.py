"""How does a connection close?"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Parameter, Part
from netglass.experiments.measure import noted, stayed, states_from, way
from netglass.experiments.scene import Scene
from netglass.lab.io import Io
from netglass.times import human

Steps = Generator[Any, None, None]


def serve(io: Io, work: str) -> Steps:
    listener = io.listen(80)
    stream = yield from listener.accept()
    yield from stream.receive_all()
    io.note("recv() returns 0")
    yield from io.sleep(work)
    io.note("close()")
    stream.close()


def call(io: Io) -> Steps:
    stream = yield from io.connect("server", 80)
    yield from io.sleep("1 s")
    io.note("close()")
    stream.close()


def run(rtt: str, work: str) -> Outcome:
    scene = Scene(rtt)
    scene.server.spawn(serve, work)
    scene.client.spawn(call)
    scene.net.run()
    trace = scene.trace
    start = noted(trace, "client", "close()")
    segments = [each for each in trace.transmissions() if each.time >= start]
    fin, fin_back = trace.transmissions("client", flags="FA")[0], trace.transmissions("server", flags="FA")[0]
    first_ack, last_ack = [each for each in segments if each.ack in (fin.seq + 1, fin_back.seq + 1)][:2]
    client, server = states_from(trace, "client", "ESTABLISHED"), states_from(trace, "server", "ESTABLISHED")
    figures = {
        "segments": len(segments),
        "client_states": client,
        "server_states": server,
        "client_fin": fin.seq,
        "client_fin_acknowledged_by": first_ack.ack,
        "server_fin": fin_back.seq,
        "half_closed_for": stayed(trace, "server", "CLOSE-WAIT"),
        "time_wait": stayed(trace, "client", "TIME-WAIT"),
    }
    return Outcome("x", figures, [Part("four-way close", trace, start=start)])


EXPERIMENT = Experiment(
    "close",
    "closing",
    "How does a connection close, and why does it take four segments?",
    run,
    (
        Parameter("rtt", "40ms", "round-trip time"),
        Parameter("work", "100ms", "what the server still has to do before it closes too"),
    ),
)
