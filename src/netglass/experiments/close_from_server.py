"""What if the server closes first?"""

from __future__ import annotations

from typing import Any

from netglass.experiments.experiment import Experiment, Outcome, Part
from netglass.experiments.measure import states_from, stayed, way
from netglass.experiments.scene import RTT, Scene, close_first, close_second, noted
from netglass.lab.io import Io
from netglass.lab.process import Steps
from netglass.times import human


def serve(io: Io) -> Steps:
    stream = yield from io.listen(80).accept()
    yield from close_first(io, stream)


def call(io: Io) -> Steps:
    stream = yield from io.connect("server", 80)
    yield from close_second(io, stream, "100 ms")


def run(rtt: str) -> Outcome:
    scene = Scene(rtt)
    scene.server.spawn(serve)
    scene.client.spawn(call)
    scene.net.run(until="10 s")
    waiting = {host.name: [each.state for each in host.netstat()] for host in (scene.client, scene.server)}
    scene.net.run()
    trace = scene.trace
    start = noted(trace, "server", "close()")
    client, server = states_from(trace, "client", "ESTABLISHED"), states_from(trace, "server", "ESTABLISHED")
    figures: dict[str, Any] = {
        "client_states": client,
        "server_states": server,
        "client_sockets_10s_later": waiting["client"],
        "server_sockets_10s_later": waiting["server"],
        "time_wait": stayed(trace, "server", "TIME-WAIT"),
    }
    left_over = waiting["client"].count("TIME-WAIT")
    answer = (
        f"The same with the roles swapped: TCP does not know servers. Now the server goes {way(server)} and the client {way(client)}. "
        f"TIME-WAIT belongs to the end that closes first, so the server keeps it, for {human(figures['time_wait'])}: after 10 s netstat there "
        f"shows {way(waiting['server']).replace(' -> ', ' and ')}, and {left_over or 'none'} on the client. A busy server that closes first "
        f"(as HTTP/1.0 did) collects thousands of them. They are small and harmless, until it is restarted: see reuseaddr."
    )
    return Outcome(answer, figures, [Part("the server closes first", trace, start=start)])


EXPERIMENT = Experiment(
    "close-from-server",
    "closing",
    "What changes if the server closes first?",
    run,
    (RTT,),
)
